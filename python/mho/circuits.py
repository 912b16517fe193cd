"""Networks as circuits for ngspice: netlists, and co-simulation.

SPDX-License-Identifier: GPL-3.0-or-later
"""

from __future__ import annotations
import ctypes
import os
import sys
from collections import namedtuple
from typing import TYPE_CHECKING

import numpy as np

from .context import Context
from .declarations import CONSTANTS
from .library import Handle, callbacks, encoded, lib, structs, taken, texts
from .quantities import ohms

if TYPE_CHECKING:
    from .network import Network

#: A comparison with ngspice: the largest difference as such and relative, where it is, what is allowed, and whether it
#: passed; core, spice: the values compared, arrays [n].
Comparison = namedtuple('Comparison', 'what quantity unit place n max_abs max_rel rms tolerance passed core_s spice_s '
                        'core spice')

#: A netlist that was run: n values were compared; of the worst its name, what was expected, +- margin, and printed.
Checked = namedtuple('Checked', 'passed n worst expected margin printed')

#: What the interpreter runs to be the process of a netlist.
CHILD = 'import sys; sys.path.insert(0, {!r}); from mho.spice_child import main; main()'


def netlist_check(netlist: str, trusted: bool = False, timeout: float = 300) -> Checked:
    """Run a netlist and its .control block in ngspice, and compare what it prints with its comments
    '* expect NAME = VALUE +- MARGIN UNIT': a Checked.

    It runs in a process of its own, which is spawned, and only calculates and prints, in 2 GiB of memory; trusted: its
    commands may start programs and write files. timeout: s."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    context, words = Context(threads=1), texts(['-c', CHILD.format(package)])
    how = structs['mho_spice_isolation'](program=encoded(sys.executable), timeout_s=timeout, trusted=trusted,
                                         ctx=ctypes.pointer(context.struct), words=ctypes.addressof(words),
                                         n_words=len(words))
    out, row, values = ctypes.c_void_p(), structs['mho_cosim_row'](), structs['mho_netlist_values']()
    place = ctypes.create_string_buffer(CONSTANTS['MHO_PLACE_MAX'])
    context.run(lib.mho_spice_isolated, how, encoded(netlist), ctypes.byref(out))
    lib.mho_netlist_compare(encoded(netlist), encoded(taken(out.value)), row, ctypes.addressof(place), values)
    return Checked(getattr(row, 'pass'), row.n, place.value.decode(), values.expected, values.margin, values.printed)


class Circuits:
    """The part of a network that speaks of circuits. Reads in it are without noise, converters and amplifiers."""

    def netlist(self, connection: str | None = None, image: int = 0, transposed: bool = False,
                r_word: float | str | None = None, r_bit: float | str | None = None,
                tile: tuple[int, int] | None = None, of: str = 'a network') -> str:
        """One read of a connection's crossbar (None: that into the read-out) with test image number `image`, as text
        that `ngspice -b` runs; comments say what the core expects of every value.

        r_word, r_bit: ohm a wire segment, None: as trained; tile: (rows, cols) of physical tiles."""
        resistance = [None if r is None else ctypes.c_double(ohms(r)) for r in (r_word, r_bit)]
        size = None if tile is None else (ctypes.c_int * 2)(*tile)
        places = [None if p is None else ctypes.addressof(p) for p in (*resistance, size)]
        options = structs['mho_trained_netlist'](of=encoded(of), image=image, transposed=transposed,
                                                 r_word=places[0], r_bit=places[1], tile=places[2])
        network = self.ideal_twin()
        options.connection = network.connection_address(connection)
        return network.written(lib.mho_trainer_netlist_crossbar, options)

    def netlist_of_network(self, image: int = 0, norton: bool = False, transient: bool = False,
                           of: str = 'a network') -> str:
        """The whole settling network, free and nudged phase; norton: clamped inputs as currents, far smaller; transient:
        settled by .tran in place of .op."""
        options = structs['mho_trained_netlist'](of=encoded(of), image=image, norton=norton, transient=transient)
        return self.ideal_twin().written(lib.mho_trainer_netlist_network, options)

    def netlist_of_device(self, pulses: int = 50, seed: int = 0, of: str = 'a device') -> str:
        """The experiment's device under so many pulses at random."""
        options = structs['mho_trained_netlist'](of=encoded(of), pulses=pulses, seed=seed)
        return self.ideal_twin().written(lib.mho_trainer_netlist_device, options)

    def written(self, write, options):
        out = ctypes.c_void_p()
        write(self, options, ctypes.byref(out))
        return taken(out.value)

    def ideal_twin(self) -> Network:
        """This network read without noise, converters and amplifiers; it itself stays as it is."""
        network = self.twin()
        lib.mho_trainer_read_ideally(network)
        return network

    def cosim(self, connection: str | None = None, vectors: int = 4) -> list[Comparison]:
        """Reads of a connection's crossbar, forward and transposed, in ngspice and in the core: Comparisons."""
        network = self.ideal_twin()
        k = network.connection_address(connection)
        return [c for transposed in (False, True)
                for c in network.compared(lib.mho_trainer_cosim_crossbar, k, transposed, vectors)]

    def cosim_of_network(self, samples: int = 3, transient: bool = False, norton: bool = False) -> list[Comparison]:
        """The first test images settled by ngspice and by the core: Comparisons."""
        return self.ideal_twin().compared(lib.mho_trainer_cosim_network, samples, transient, norton)

    def cosim_of_device(self) -> list[Comparison]:
        """The experiment's device under pulses in ngspice and in the core: Comparisons."""
        return self.ideal_twin().compared(lib.mho_trainer_cosim_device)

    def compared(self, compare, *args):
        found = []

        def take(_user, row, core, spice):
            r = row[0]
            texts = (getattr(r, word).decode() for word in ('what', 'quantity', 'unit', 'place'))
            values = [np.ctypeslib.as_array((ctypes.c_double * r.n).from_address(a)).copy() for a in (core, spice)]
            found.append(Comparison(*texts, r.n, r.max_abs, r.max_rel, r.rms, r.tolerance, getattr(r, 'pass'), r.core_s,
                                    r.spice_s, *values))

        def work():
            session = Handle(lib.mho_spice_open, lib.mho_spice_close)
            try:
                compare(self, session, *args, callbacks['cosim_call'](take), None)
            finally:
                session.close()

        self.context.run(work)
        return found

    def connection_address(self, name):
        out = ctypes.c_void_p()
        lib.mho_trainer_find(self, encoded(name), ctypes.byref(out))
        return out.value
