"""Weights onto other chips, or another device.

SPDX-License-Identifier: GPL-3.0-or-later
"""

from __future__ import annotations
import contextlib
import ctypes
import os
from collections import namedtuple
from typing import Any, Callable

from .context import Context
from .database import DEFAULT, Database
from .declarations import CODE_VERSION
from .errors import Error
from .experiment import assignments, registry
from .library import callbacks, encoded, lib, structs, texts

#: A connection as it was written: w_max, root of the mean squared error of a weight, fraction that was clipped.
Written = namedtuple('Written', 'name rows cols w_max rms clipped')
#: A chip: run, its id in the database ('' without one); accuracy 0..1, or rms of values; clipped, a fraction; pulses;
#: connections: Written ones.
Chip = namedtuple('Chip', 'run chip seed accuracy loss rms clipped pulses connections')


def chip_of(p):
    written = [p.connection[i] for i in range(p.n_connections)]
    connections = [Written(k.name.decode(), k.rows, k.cols, k.w_max, k.rms, k.clipped) for k in written]
    return Chip(p.run.decode(), p.chip, p.seed, p.accuracy, p.loss, p.rms, p.clipped, p.pulses, connections)


def program(source: str | os.PathLike, *, db: str | os.PathLike | Database | None = DEFAULT, chips: int = 1,
            set: dict[str, Any] | None = None, name: str | None = None, seed: int | None = None,
            config: str | os.PathLike | None = None, threads: int | None = None,
            on_chip: Callable[[Chip], Any] | None = None) -> list[Chip]:
    """Write weights onto new chips, evaluate each and store it as a run of kind 'programmed': a list of mho.Chip.

    source: a stored run (id, name, 'last'), or a folder of weights (mho.Network.export), whose network `config`, a
    file, or its own weights.json says; of a folder db=None stores nothing.
    set: keys on top; {'device.card': 'pcm'} begins a new device, {'update.scheme': 'write_verify'} writes by pulses.
    seed: train.seeds.chip of the first chip, the next has one more. on_chip(chip): called after each. Ctrl-C keeps the
    chips that are done.
    """
    is_folder = os.path.isdir(source)
    if not is_folder and db is None:
        raise Error('EINVAL', f"program: '{source}' is no folder, and without db there are no runs")
    database = None if db is None else Database.of(db)
    origin = os.path.realpath(source) if is_folder else database.find(source)
    return written(database, threads, set, on_chip, source=origin, parent=None if is_folder else origin.encode(),
                   config=encoded(config), name=encoded(name), chips=chips, seed=-1 if seed is None else seed)


def written(database, threads, set, on_chip=None, *, source, **options):
    """Chips with the weights of a source; options: of mho_program_options."""
    context, done, words = Context(threads), [], texts(assignments(set))

    def take(_user, p, _experiment):
        done.append(chip_of(p[0]))
        if on_chip:
            context.here(on_chip, done[-1])

    o = structs['mho_program_options'](n_set=len(words), set=ctypes.addressof(words), code_version=CODE_VERSION.encode(),
                                       chip=callbacks['chip_call'](take), **options)
    setattr(o, 'from', encoded(source))
    with contextlib.nullcontext() if database is None else database.writer() as store:
        o.store = None if store is None else store.address
        context.run(lib.mho_program, context, registry, o)
    return done
