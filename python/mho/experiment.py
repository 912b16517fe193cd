"""Experiments: configs with every key resolved.

SPDX-License-Identifier: GPL-3.0-or-later
"""

from __future__ import annotations
import json
import os
import warnings
from typing import Any, Dict, Union

from .errors import Error, IdleKeyWarning
from .library import Handle, callbacks, encoded, lib, taken

#: A dict of sections, YAML text, a file, or nothing.
Config = Union[Dict[str, Any], str, os.PathLike, 'Experiment', None]

registry = Handle(lib.mho_registry_new, lib.mho_registry_free)


def plain(value):
    """What JSON does not know: NumPy's numbers and arrays, paths."""
    if hasattr(value, 'tolist'):
        return value.tolist()
    return os.fspath(value)


def as_yaml(value):
    """A value of a dict as YAML, of which JSON is a part. Of True it makes true, of 1e-05 a number."""
    return json.dumps(value, default=plain, ensure_ascii=False)


def assignments(changes):
    """{'train.epochs': 3} as the words of --set: ['train.epochs=3']. A text is taken as YAML takes it."""
    return [f'{key}={value if isinstance(value, str) else as_yaml(value)}' for key, value in (changes or {}).items()]


def is_path(config):
    """Whether a config is a file's name rather than its text."""
    if isinstance(config, os.PathLike):
        return True
    return isinstance(config, str) and '\n' not in config and ':' not in config and bool(config.strip())


def read_config(config):
    """An mho_config of a dict, of YAML text, of a file, of nothing."""
    c = Handle(lib.mho_config_new, lib.mho_config_free)
    if config is None:
        return c
    if is_path(config):
        lib.mho_config_file(c, encoded(config))
        return c
    if isinstance(config, str):
        lib.mho_config_text(c, encoded(config), b'config')
        return c

    try:
        lib.mho_config_text(c, encoded(as_yaml(dict(config))), b'config')
    except Error as why:
        raise without_line(why) from None
    return c


def without_line(why):
    """An error in a dict, which has no lines."""
    if why.file != 'config':
        return why
    return Error(why.code, why.sentence)


class Experiment:
    """What is trained, on what hardware, how: a config that has been checked.

    config: a dict of sections, YAML text, or the path of a YAML file; None: every key at its default.
    set: keys on top, {'train.epochs': 3, 'device.g_max': '50 uS'}. Quantities are texts with their unit, or numbers in
    SI units as the config's reference says.
    strict: refuse keys that have no effect, instead of the warning IdleKeyWarning.
    Raises mho.Error with the sentence of the library: the key, the place, the cure.
    """

    def __init__(self, config: Config = None, set: dict[str, Any] | None = None, seed: int | None = None,
                 strict: bool = False, assign: dict[str, str] | None = None):
        c = read_config(config)
        for assignment in assignments(set):
            lib.mho_config_set(c, encoded(assignment))
        if seed is not None:
            lib.mho_config_set(c, b'train.seed=%d' % seed)
        for key, text in (assign or {}).items():
            lib.mho_config_assign(c, encoded(key), encoded(text))

        try:
            self.handle = Handle(lib.mho_experiment_new, lib.mho_experiment_free, registry, c, False)
        except Error as why:
            raise (why if config is None or is_path(config) or isinstance(config, str) else without_line(why)) from None
        if strict:
            lib.mho_experiment_strict(self.handle, c)
        else:
            self.name_idle(c)

    @classmethod
    def of_handle(cls, handle):
        """An experiment that the library has made."""
        e = cls.__new__(cls)
        e.handle = handle
        return e

    @property
    def _as_parameter_(self):
        return self.handle

    def name_idle(self, config):
        found = []

        def take(_user, key):
            found.append(f'{key[0].key.decode()}: {key[0].why.decode()}')

        lib.mho_experiment_idle(self.handle, config, callbacks['idle_call'](take), None)
        if found:
            warnings.warn('no effect: ' + '; '.join(found), IdleKeyWarning, stacklevel=4)

    def yaml(self, changed_only: bool = False) -> str:
        """The config as YAML with a comment a key; or only what is away from the defaults."""
        return taken(lib.mho_experiment_yaml(self.handle, changed_only))

    def dict(self) -> dict[str, dict[str, Any]]:
        """The config as a dict of sections, every key resolved, quantities in SI units."""
        return json.loads(taken(lib.mho_experiment_json(self.handle)))

    def __repr__(self):
        changed = [line.split('#')[0].strip() for line in self.yaml(changed_only=True).splitlines()]
        return f'<mho.Experiment {" ".join(filter(None, changed))}>'
