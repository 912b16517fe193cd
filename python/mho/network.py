"""A network in memory: trained, asked, read and written by a program.

SPDX-License-Identifier: GPL-3.0-or-later
"""

from __future__ import annotations
import ctypes
import math
import os
from collections import namedtuple
from typing import TYPE_CHECKING, Any, Callable, Sequence

import numpy as np
import numpy.typing as npt

from .arrays import REAL, address, ready, refuse, room
from .circuits import Circuits
from .context import Context
from .declarations import CONSTANTS
from .errors import Error
from .exchange import PerChannel, Source, read_network, state_of
from .experiment import Config, Experiment
from .library import Handle, callbacks, encoded, lib, structs
from .progress import bar
from .quantities import seconds

if TYPE_CHECKING:
    from .data import Data
    from .database import Database

PARTS = ('train', 'validation', 'test')

#: An epoch of training; docs/schema.md says what the columns of table epoch are.
Epoch = namedtuple('Epoch', [name for name, _ in structs['mho_epoch_row']._fields_])
#: What an evaluation found: means over its samples. accuracy 0..1, NaN where targets are values; rms of values, in their
#: own unit, else NaN; time_s mean settling time in continuous time, else NaN; deviation of several draws, else NaN.
Evaluation = namedtuple('Evaluation', [*(name for name, _ in structs['mho_evaluation']._fields_), 'deviation'],
                        defaults=[math.nan])
#: A connection: its layers, its role, [rows x cols] of its matrix (with the bias as the last row), its banks of devices
#: and their gains in a weight, w = w_max sum gain g with g normalized to the device's range.
Connection = namedtuple('Connection', 'name source target role rows cols banks gains trained bias w_max')


def fields(kind, struct):
    return kind(*(getattr(struct, name) for name, _ in struct._fields_))


def part_number(name):
    if name not in PARTS:
        refuse('part', f"'{name}' is not train, validation or test")
    return CONSTANTS[f'MHO_PART_{name.upper()}']


class Network(Circuits):
    """The network of an experiment, at its initial weights, with its data.

    config, set, seed, strict: as of mho.Experiment, which may be given itself.
    data: an mho.Data of arrays, in place of the dataset that the config names.
    threads: of the library; None: one per processor. Results do not depend on it.
    db: an mho.Database, for weights of a run that train.from names.

    A network belongs to one thread of Python at a time; several networks work at the same time.
    """

    def __init__(self, config: Config = None, data: Data | None = None, threads: int | None = None,
                 set: dict[str, Any] | None = None, seed: int | None = None, strict: bool = False,
                 db: Database | None = None, bring: bool = True):
        self.experiment = config if isinstance(config, Experiment) else Experiment(config, set, seed, strict)
        self.context, self.data, self.db = Context(threads), data, db
        self.epochs, self.after = [], 0.0
        dataset = ctypes.byref(data.struct) if data is not None else None
        needs = [self.experiment.handle, self.context.pool, self.context, data, data and data.handle]
        self.handle = Handle(lib.mho_trainer_new_on, lib.mho_trainer_free, self.context, self.experiment, dataset,
                             needs=[n for n in needs if n is not None])
        self.dataset = lib.mho_trainer_dataset(self)
        if bring:  # a state that is loaded next has the weights of train.from already
            self.take_start()

    @property
    def _as_parameter_(self):
        return self.handle

    def __repr__(self):
        layers = ', '.join(f'{name} {units}' for name, units in self.layers.items())
        return f'<mho.Network {layers}>'

    def take_start(self) -> None:
        """The weights that train.from names."""
        if self.db is None:
            lib.mho_trainer_from(self, None)
            return
        with self.db.reader() as store:
            lib.mho_trainer_from(self, store)

    def twin(self) -> Network:
        """Another network of the same experiment, in the same state."""
        other = Network(self.experiment, self.data, threads=1, bring=False)
        other.load(self.save())
        other.age(self.after)
        return other

    # ------------------------------------------------------------ what it is made of

    @property
    def layers(self) -> dict[str, int]:
        """{name: units}, from the input 'x' to the read-out 'out'."""
        units, found = ctypes.c_int(), {}
        for i in range(lib.mho_trainer_layers(self)):
            name = lib.mho_trainer_layer(self, i, ctypes.byref(units))
            found[name.decode()] = units.value
        return found

    @property
    def connections(self) -> dict[str, Connection]:
        """{name: Connection}, trained ones first."""
        found = [self.connection_at(i) for i in range(lib.mho_trainer_connections(self))]
        return {c.name: c for c in found}

    def connection_at(self, i):
        info, gain, banks, gains = structs['mho_connection_info'](), ctypes.c_double(), [], []
        lib.mho_trainer_connection(self, i, info)
        for bank in range(info.banks):
            banks.append(lib.mho_trainer_bank(self, i, bank, ctypes.byref(gain)).decode())
            gains.append(gain.value)
        names = (getattr(info, word).decode() for word in ('name', 'from', 'to', 'role'))
        return Connection(*names, info.rows, info.cols, tuple(banks), tuple(gains), info.trained, info.bias, info.w_max)

    def find(self, name):
        connections = self.connections
        if name not in connections:
            raise Error('ENOTFOUND', f"there is no connection '{name}' (there are {', '.join(connections)})")
        return connections[name]

    # ------------------------------------------------------------ weights and conductances

    def weights(self, connection: str, out: np.ndarray | None = None) -> np.ndarray:
        """Weights as they are programmed, [rows x cols]; written into `out` itself where it is given."""
        return self.matrix(lib.mho_trainer_weights, connection, out)

    def effective(self, connection: str, out: np.ndarray | None = None) -> np.ndarray:
        """What reads multiply with, wires, drift and all, [rows x cols]."""
        return self.matrix(lib.mho_trainer_effective, connection, out)

    def matrix(self, read, connection, out):
        c = self.find(connection)
        w = room(out, REAL, (c.rows, c.cols), connection)
        read(self, encoded(connection), address(w))
        return w

    def set_weights(self, connection: str, w: npt.ArrayLike) -> int:
        """Write weights [rows x cols] as exactly as the devices allow; how many their bounds cannot hold."""
        c, clipped = self.find(connection), ctypes.c_size_t()
        w = ready(w, REAL, (c.rows, c.cols), connection)
        lib.mho_trainer_set_weights(self, encoded(connection), address(w), ctypes.byref(clipped))
        return clipped.value

    def conductances(self, connection: str, bank: str | int, out: np.ndarray | None = None) -> np.ndarray:
        """Conductances of a bank ('pos', or its number) as programmed, S, [rows x cols]; 0 of an open cell."""
        c = self.find(connection)
        g = room(out, np.float64, (c.rows, c.cols), connection)
        lib.mho_trainer_conductances(self, encoded(connection), self.bank_number(c, bank), address(g))
        return g

    def set_conductances(self, connection: str, bank: str | int, g: npt.ArrayLike) -> int:
        """Set a bank's conductances, S, [rows x cols], within the bounds of each cell; how many were clipped."""
        c, clipped = self.find(connection), ctypes.c_size_t()
        g = ready(g, np.float64, (c.rows, c.cols), connection)
        lib.mho_trainer_set_conductances(self, encoded(connection), self.bank_number(c, bank), address(g),
                                         ctypes.byref(clipped))
        return clipped.value

    @staticmethod
    def bank_number(connection, bank):
        if isinstance(bank, str) and bank in connection.banks:
            return connection.banks.index(bank)
        if isinstance(bank, str):
            refuse(connection.name, f"there is no bank '{bank}' (there are {', '.join(connection.banks) or 'none'})")
        return bank

    # ------------------------------------------------------------ samples

    def part(self, name):
        return lib.mho_dataset_part(self.dataset, part_number(name))

    def inputs(self, part: str = 'test', first: int = 0, n: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Samples of the dataset as the network gets them: x [n x features], and labels [n] (uint8) or values
        [n x values] as the network answers them."""
        images = self.part(part)
        count = lib.mho_images_count(images)
        n = count - first if n is None else n
        if first < 0 or n < 1 or first + n > count:
            refuse(part, f'samples {first} to {first + n - 1}: there are {count}, from 0')

        d = self.dataset[0]
        x = np.empty((n, d.features), REAL)
        y = np.empty((n, d.values), REAL) if d.values else np.empty(n, np.uint8)
        lib.mho_images_batch(self.dataset, images, None, first, n, address(x), None if d.values else address(y))
        if d.values:
            lib.mho_images_values(self.dataset, images, None, first, n, address(y))
        return x, y

    def predict(self, x: npt.ArrayLike, out: np.ndarray | None = None) -> np.ndarray:
        """What the read-out answers inputs x [n x features]: probabilities [n x classes], or [n x values] in the unit of
        the network (`in_own_units` gives them in their own)."""
        x = ready(x, REAL, (None, self.dataset[0].features), 'x')
        y = room(out, REAL, (len(x), list(self.layers.values())[-1]), 'y')
        self.context.run(lib.mho_trainer_predict, self, len(x), address(x), address(y))
        return y

    def in_own_units(self, y: npt.ArrayLike) -> np.ndarray:
        """Values in their own units, of answers of the network [n x values]."""
        d = self.dataset[0]
        if not d.value_mean:
            return np.asarray(y, np.float64)
        mean, spread = (np.ctypeslib.as_array((ctypes.c_double * d.values).from_address(a))
                        for a in (d.value_mean, d.value_spread))
        return y * spread + mean

    def settle(self, x: npt.ArrayLike) -> tuple[dict[str, np.ndarray], int]:
        """Settle inputs x [n x features] without an error, as in an evaluation: ({layer: [n x units]}, unsettled), the
        activities of hidden layers and the answer of 'out', and how many samples missed the settler's tolerance."""
        x = ready(x, REAL, (None, self.dataset[0].features), 'x')
        states = {name: np.empty((len(x), units), REAL) for name, units in list(self.layers.items())[1:]}
        places = (ctypes.c_void_p * (len(states) + 1))(None, *map(address, states.values()))
        unsettled = ctypes.c_int64()
        self.context.run(lib.mho_trainer_settle, self, len(x), address(x), places, ctypes.byref(unsettled))
        return states, unsettled.value

    def gradient(self, connection: str, first: int = 0, n: int | None = None) -> np.ndarray:
        """Gradient of a trained connection by the experiment's rule on training samples first .. first+n-1, at most a
        batch: [rows x cols], as the optimizer gets it."""
        c = self.find(connection)
        number = list(self.connections).index(connection)
        n = self.experiment.dict()['train']['batch'] if n is None else n
        out = np.empty((c.rows, c.cols), REAL)
        lib.mho_trainer_gradient(self, first, n, number, address(out))
        return out

    # ------------------------------------------------------------ training and evaluation

    def train(self, on_epoch: Callable[[Epoch], bool | None] | None = None, progress: bool | None = None) -> list[Epoch]:
        """Train from where the network stands to the last epoch of the experiment; nothing is stored. The new epochs.

        on_epoch(epoch) is called after each; True ends the training. progress: as of mho.train.
        Ctrl-C ends it after the batch under way (mho.Interrupted); train() again goes on there, bit for bit."""
        new, total = [], self.experiment.dict()['train']['epochs']

        def done(_user, row):
            epoch = fields(Epoch, row[0])
            new.append(epoch)
            self.epochs.append(epoch)
            return bool(self.context.here(after_epoch, epoch))

        def after_epoch(epoch):
            shown.epoch(epoch)
            return on_epoch(epoch) if on_epoch else False

        with bar(self.context, total, progress, done=len(self.epochs)) as shown:
            self.context.run(lib.mho_trainer_train, self, callbacks['done_call'](done), None)
        return new

    def eval(self, part: str = 'test', after: float | str | None = None) -> Evaluation:
        """Evaluate on a part of the dataset: an Evaluation. after: a time since programming, '1d' or seconds, as of
        `age`, after which the network is as it was."""
        found, before = structs['mho_evaluation'](), self.after
        if after is not None:
            self.age(after)
        try:
            self.context.run(lib.mho_trainer_evaluate, self, self.part(part), ctypes.byref(found))
        finally:
            if after is not None:
                self.age(before)
        return fields(Evaluation, found)

    def age(self, after: float | str) -> None:
        """Let time pass since programming ('1h', '1d', seconds; 0 brings back what was programmed): evaluations,
        answers and `effective` find the conductances that the device's law of drift leaves."""
        lib.mho_trainer_age(self, seconds(after))
        self.after = seconds(after)

    # ------------------------------------------------------------ as bytes, as files

    def save(self) -> bytes:
        """All that changes while training, as bytes."""
        row = structs['mho_checkpoint_row']()
        lib.mho_trainer_save(self, row)
        try:
            return ctypes.string_at(row.blob.data, row.blob.size)
        finally:
            lib.mho_blob_free(row.blob)

    def load(self, saved: bytes) -> None:
        """Take what `save` gave, of a network of the same experiment: all of it or nothing."""
        blob = structs['mho_blob'](ctypes.cast(ctypes.c_char_p(bytes(saved)), ctypes.c_void_p), len(saved))
        lib.mho_trainer_load(self, blob)

    def export(self, path: str | os.PathLike, csv: bool = False) -> None:
        """Weights and conductances (S) of every trained connection as NumPy files of a folder, or as CSV, which `mho
        program` and train.from take; or the whole network, a chain of layers, for other programs: a file .npz,
        .safetensors or .onnx."""
        if not lib.mho_network_file_is(encoded(path)):
            lib.mho_trainer_weights_write(self, encoded(path), csv)
            return
        if csv:
            refuse('csv', f"the name '{os.fspath(path)}' says the format")
        lib.mho_trainer_network_write(self, encoded(path))

    def state_dict(self, layers: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """What reads multiply with, layer by layer of a chain, as PyTorch has it: {'h1.weight': [out x in], 'h1.bias':
        [out], ..., 'out.weight': ...} in float32; of a convolution [out x in x kernel x kernel]. layers: names in place
        of 'h1', ..., 'out'."""
        return state_of(self, layers)

    def import_network(self, source: Source, *, layers: Sequence[str] | None = None, mean: PerChannel = None,
                       std: PerChannel = None, headroom: bool = True) -> None:
        """Write the weights of another program's network of the same layers into this one: a file or a state_dict, with
        layers, mean and std as of mho.import_network. headroom: w_max of a connection is no less than what drawn weights
        would have, so that there is room to learn; off: the largest weight."""
        lib.mho_trainer_write_network(self, read_network(source, layers, mean, std), headroom)
