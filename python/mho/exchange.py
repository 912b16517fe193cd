"""Networks that other programs have trained: files of theirs, and PyTorch's state_dict.

SPDX-License-Identifier: GPL-3.0-or-later
"""

from __future__ import annotations
import contextlib
import ctypes
import os
import tempfile
from typing import TYPE_CHECKING, Any, Mapping, Sequence, Union

import numpy as np

from .chips import written
from .database import DEFAULT, Database
from .errors import Error
from .experiment import Config, Experiment, as_yaml, is_path
from .library import Handle, encoded, lib, structs

if TYPE_CHECKING:
    from .run import Run

#: A file (.npz, .safetensors, .onnx), or weights by their names: {'fc1.weight': [out x in], 'fc1.bias': [out], ...}, as
#: PyTorch's state_dict() has them, or NumPy's arrays.
Source = Union[str, os.PathLike, Mapping[str, Any]]
#: One number for all inputs, or one a channel.
PerChannel = Union[float, Sequence[float], None]


def as_array(weights):
    """A tensor of PyTorch, wherever it is, or whatever NumPy takes."""
    if hasattr(weights, 'detach'):
        weights = weights.detach().cpu()
        weights = weights.float() if weights.is_floating_point() else weights
    return np.asarray(weights)


def numbers(value):
    return (ctypes.c_double * 0)() if value is None else (ctypes.c_double * np.size(value))(*np.ravel(value))


class NetworkFile:
    """Layers of a network, read from a file of another program.

    layers: names of layers in their order, of a file of weights alone. mean, std: the network was trained on
    (x - mean)/std of mho's inputs."""

    def __init__(self, path, layers, mean, std):
        mean, std = numbers(mean), numbers(std)
        options = structs['mho_network_file_options'](
            layers=None if layers is None else encoded(','.join(layers)), n_mean=len(mean), n_std=len(std),
            mean=ctypes.addressof(mean), std=ctypes.addressof(std))
        self.handle = Handle(lib.mho_network_file_read, lib.mho_network_file_free, encoded(path), options)

    @property
    def _as_parameter_(self):
        return self.handle


@contextlib.contextmanager
def in_file(name, write):
    """A file for as long as the library reads it. An error in it is told without its place."""
    with tempfile.TemporaryDirectory(prefix='mho-') as folder:
        path = os.path.join(folder, name)
        write(path)
        try:
            yield path
        except Error as why:
            if why.file != path:
                raise
            raise Error(why.code, why.sentence) from None


def read_network(source, layers=None, mean=None, std=None):
    """A NetworkFile of a Source."""
    if not isinstance(source, Mapping):
        return NetworkFile(source, layers, mean, std)
    arrays = {name: as_array(weights) for name, weights in source.items()}
    with in_file('state_dict.npz', lambda path: np.savez(path, **arrays)) as path:
        return NetworkFile(path, layers, mean, std)


@contextlib.contextmanager
def config_path(config):
    """The file of a config; None of nothing."""
    if config is None or is_path(config):
        yield config
        return

    if isinstance(config, Experiment):
        text = config.yaml(changed_only=True)
    else:
        text = config if isinstance(config, str) else as_yaml(dict(config))

    def write(path):
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)

    with in_file('config.yaml', write) as path:
        yield path


def import_network(source: Source, *, set: dict[str, Any] | None = None, config: Config = None,
                   layers: Sequence[str] | None = None, mean: PerChannel = None, std: PerChannel = None,
                   db: str | os.PathLike | Database = DEFAULT, name: str | None = None, seed: int | None = None,
                   threads: int | None = None) -> Run:
    """Write a network that another program has trained onto arrays, evaluate it and store it as a run of kind
    'programmed', as `mho import` does: an mho.Run.

    source: a file (.npz, .safetensors, .onnx) or a state_dict, which PyTorch's net.state_dict() may be as it is.
    set, config: data, device and what the source does not say: {'network.neuron': 'relu'} and, of convolutions,
       {'network.conv': ...}, where it has weights alone.
    layers: the order of the layers of weights alone (default: convolutions first, then as they come).
    mean, std: it was trained on (x - mean)/std of mho's inputs, for all or for each channel.
    name, seed: of the run, and train.seeds.chip (default 1).
    """
    from .run import stored_run
    database = Database.of(db)
    network = read_network(source, layers, mean, std)
    origin = 'state_dict' if isinstance(source, Mapping) else os.path.realpath(source)
    with config_path(config) as path:
        chip, = written(database, threads, set, file=network.handle.address, source=origin, config=encoded(path),
                        name=encoded(name), chips=1, seed=-1 if seed is None else seed)
    return stored_run(database, chip.run, threads)


def state_of(network, layers=None):
    """The weights of a chain of layers by their names, {'h1.weight': [out x in], 'h1.bias': [out], ...}, float32."""
    with in_file('state_dict.npz', lambda path: lib.mho_trainer_network_write(network, encoded(path))) as path:
        with np.load(path) as found:
            state = dict(found)
    if layers is None:
        return state

    own = list(dict.fromkeys(name.rpartition('.')[0] for name in state))
    if len(own) != len(layers):
        raise Error('EINVAL', f'layers: {len(layers)} names for {len(own)} layers: {", ".join(own)}')
    names = dict(zip(own, layers))
    return {f'{names[layer]}.{kind}': weights
            for (layer, _, kind), weights in ((name.rpartition('.'), w) for name, w in state.items())}
