"""Devices by themselves: what pulses do to them, and models fitted to measured pulses.

SPDX-License-Identifier: GPL-3.0-or-later
"""

from __future__ import annotations
import ctypes
import json
import os
from typing import Any, Sequence

import numpy as np

from .context import Context
from .database import Frame, frame
from .experiment import Experiment, assignments, registry
from .library import Handle, encoded, lib, structs, taken, texts
from .quantities import quantity


class Curve:
    """Conductances of a population of cells after every pulse, S: arrays [n], the same names as the columns of
    `mho device curve`. direction: +1 SET, -1 RESET; pulse 0 is the state before the first."""

    names = tuple(name for name, _ in structs['mho_curve_point']._fields_)

    def __init__(self, points):
        for name in self.names:
            setattr(self, name, np.array([getattr(p, name) for p in points]))

    def __len__(self):
        return len(self.mean)

    def frame(self) -> Frame:
        """The same as a frame, see mho.Database."""
        return frame(list(self.names), list(zip(*(getattr(self, name).tolist() for name in self.names))))

    def plot(self, axes=None):
        """Mean and the middle 90 % of the cells against the pulses, by matplotlib; the axes."""
        import matplotlib.pyplot as plt
        axes = axes or plt.gca()
        pulses = np.arange(len(self))
        axes.fill_between(pulses, 1e6 * self.q05, 1e6 * self.q95, alpha=0.3)
        axes.plot(pulses, 1e6 * self.mean)
        axes.set(xlabel='pulse', ylabel='conductance (µS)')
        return axes


class Device:
    """A device model or card, by its name ('ecram', 'model:pcm', 'card:pcm', 'mine.yaml'), with keys on top:
    Device('soft_bounds', {'device.step_up': 0.01})."""

    def __init__(self, name: str | os.PathLike, set: dict[str, Any] | None = None):
        words = assignments(set)
        handle = Handle(lib.mho_experiment_of_device, lib.mho_experiment_free, registry, encoded(name), len(words),
                        texts(words))
        self.name, self.experiment = name, Experiment.of_handle(handle)
        self.starts = any(word.startswith('device.start=') for word in words)

    def __repr__(self):
        return f'<mho.Device {self.name}>'

    def curve(self, cells: int = 1000, pulses: int = 0, reset_pulses: int = -1, cycles: int = 1, seed: int = 1) -> Curve:
        """The answer of a population to cycles of SET and RESET pulses: a Curve.

        pulses: SET pulses of a cycle, 0: about from end to end; reset_pulses: -1: as many. seed: of spread, noise."""
        context, out, n = Context(threads=1), ctypes.POINTER(structs['mho_curve_point'])(), ctypes.c_int()
        options = structs['mho_curve_options'](
            cells=cells, set=pulses, reset=reset_pulses, cycles=cycles, seed=seed, from_start=self.starts,
            ctx=ctypes.pointer(context.struct))
        context.run(lib.mho_experiment_curve, self.experiment, options, ctypes.byref(out), ctypes.byref(n))
        try:
            return Curve(out[:n.value])
        finally:
            lib.mho_free(ctypes.cast(out, ctypes.c_void_p))


class Fit:
    """A device model fitted to measurements.

    found: a dict, as `mho device fit --json` prints it: 'model', 'parameters' with 'value', 'error', 'low' and 'high'
    (95 %), noises, and where several were compared 'models'. SI units. card: the fit as a device card, YAML text.
    """

    def __init__(self, handle, source):
        self.found = json.loads(taken(lib.mho_fitted_json(handle, 17)))
        self.card = taken(lib.mho_fitted_card(handle, encoded(source)))
        self.model = self.found['model']
        self.parameters = {name: p['value'] for name, p in self.found['parameters'].items()}

    def __repr__(self):
        values = ', '.join(f'{name} {value:.4g}' for name, value in self.parameters.items())
        return f'<mho.Fit {self.model}: {values}>'

    def save(self, path: str | os.PathLike) -> None:
        """Write the card, which device.card then names."""
        with open(path, 'w', encoding='utf-8') as f:
            f.write(self.card)


def fit(path: str | os.PathLike, model: str | None = None, *, iv: bool = False, unit: str | None = None,
        read_voltage: float | str = 0, g: str | None = None, up: str | None = None, down: str | None = None,
        fixed: str | Sequence[str] | None = None, set: dict[str, Any] | None = None) -> Fit:
    """Fit a device model to a CSV of measured pulses: an mho.Fit. `mho device fit --help` says what its columns are.

    model: None: all that can be, compared by Schwarz's criterion. iv: the CSV has I-V sweeps. unit: of the readings.
    read_voltage: at which currents were read, V or '0.1 V'. g, or up and down: columns, one a device ('cell*').
    fixed: names of parameters that keep their values. set: keys of the device.
    """
    context, words = Context(threads=1), texts(assignments(set))
    if fixed is not None and not isinstance(fixed, str):
        fixed = ' '.join(fixed)
    options = structs['mho_fit_table'](
        model=encoded(model), iv=iv, unit=encoded(unit), read_voltage=quantity(read_voltage, 'V'), g=encoded(g),
        up=encoded(up), down=encoded(down), fixed=encoded(fixed), n_set=len(words), set=ctypes.addressof(words))
    fitted = context.run(Handle, lib.mho_fit_file, lib.mho_fitted_free, context, registry, encoded(path), options)
    return Fit(fitted, path)
