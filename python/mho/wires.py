"""Crossbars with wire resistance: currents and node voltages.

SPDX-License-Identifier: GPL-3.0-or-later
"""

from __future__ import annotations
import ctypes
from collections import namedtuple

import numpy as np
import numpy.typing as npt

from .arrays import address, ready, refuse, room
from .context import Context
from .declarations import CONSTANTS
from .library import Handle, lib, structs
from .quantities import ohms

#: What `solve` finds. current: A, out of the sensed lines into ground, [n x cols], transposed [n x rows] (of a single
#: vector, one dimension); node_word, node_bit: V, [n x rows x cols], None where they were not asked for; method,
#: iterations; residual: largest sum of currents at a node, error: estimated largest error of a current, both relative to
#: the largest current; power_in, power_lost: W, from the sources and in devices and wires, of all vectors.
Solution = namedtuple('Solution', 'current node_word node_bit method iterations residual error power_in power_lost')
METHODS = ('auto', 'direct', 'iterative')


def options_of(g, r_word, r_bit, r_source=0, r_load=0, transposed=False, method='auto', tolerance=0):
    if method not in METHODS:
        refuse('method', f"'{method}' is not {', '.join(METHODS)}")
    ends = (r_load, r_source) if transposed else (r_source, r_load)
    return structs['mho_wire_options'](
        rows=g.shape[0], cols=g.shape[1], r_word=ohms(r_word), r_bit=ohms(r_bit), word_end=ohms(ends[0]),
        bit_end=ohms(ends[1]), method=CONSTANTS[f'MHO_WIRE_{method.upper()}'], tolerance=tolerance)


def solve(g: npt.ArrayLike, v: npt.ArrayLike, r_word: float | str = 0.0, r_bit: float | str = 0.0, *,
          r_source: float | str = 0.0, r_load: float | str = 0.0, transposed: bool = False, nodes: bool = False,
          method: str = 'auto', tolerance: float = 0.0, threads: int | None = None,
          out: np.ndarray | None = None) -> Solution:
    """Solve Kirchhoff's laws of an array between wires: a Solution.

    g: conductances [rows x cols], S; 0 is an open device. v: voltages of the driven lines, [rows] or [n x rows], V;
    transposed: of the bit lines, [cols] or [n x cols], and word lines are sensed.
    r_word, r_bit: a wire segment, ohm or '2 ohm'; r_source, r_load: in series with each driver, each sensed line.
    nodes: node voltages, too. method: 'auto', 'direct', 'iterative'. tolerance: of currents, relative to the largest;
    0: 1e-11. out: for the currents, an array that they are written into.
    """
    g = ready(g, np.float64, (None, None), 'g')
    lines, sensed = g.shape[::-1] if transposed else g.shape
    is_one = np.ndim(v) == 1
    v = ready(np.atleast_2d(v), np.float64, (None, lines), 'v')
    n = len(v)
    current = room(out, np.float64, (sensed,) if is_one else (n, sensed), 'out')
    word, bit = (np.empty((n, *g.shape)) if nodes else None for _ in range(2))

    context = Context(threads)
    options = options_of(g, r_word, r_bit, r_source, r_load, transposed, method, tolerance)
    options.pool, options.ctx = context.pool.address, ctypes.pointer(context.struct)
    read = structs['mho_wire_read'](n=n, node_word=address(word), node_bit=address(bit))
    driven, into = ('v_bit', 'i_word') if transposed else ('v_word', 'i_bit')
    setattr(read, driven, address(v))
    setattr(read, into, address(current))
    stats = structs['mho_wire_stats']()

    def work():
        solver = Handle(lib.mho_wire_new, lib.mho_wire_free, options)
        try:
            lib.mho_wire_set(solver, address(g))
            lib.mho_wire_solve(solver, read, stats)
        finally:
            solver.close()

    context.run(work)
    if transposed:  # i_word flows from the drivers into the lines
        np.negative(current, out=current)
    if nodes and is_one:
        word, bit = word[0], bit[0]
    return Solution(current, word, bit, lib.mho_wire_method_name(stats.method).decode(), stats.iterations,
                    stats.residual, stats.error, stats.power_in, stats.power_lost)


def effective(g: npt.ArrayLike, r_word: float | str = 0.0, r_bit: float | str = 0.0, *, tolerance: float = 0.0,
              threads: int | None = None, out: np.ndarray | None = None) -> np.ndarray:
    """The matrix that all reads of an array multiply with: current = effective.T @ v, [rows x cols], S.

    g, r_word, r_bit: as of `solve`; tolerance: of an entry, relative to the largest; 0: 1e-9."""
    g = ready(g, np.float64, (None, None), 'g')
    result = room(out, np.float64, g.shape, 'out')
    context = Context(threads)
    options = options_of(g, r_word, r_bit, tolerance=tolerance)
    options.pool, options.ctx = context.pool.address, ctypes.pointer(context.struct)
    context.run(lib.mho_wire_effective, options, address(g), address(result))
    return result
