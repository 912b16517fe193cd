"""Samples in the program's own arrays.

SPDX-License-Identifier: GPL-3.0-or-later
"""

from __future__ import annotations
from typing import Tuple

import numpy as np
import numpy.typing as npt

from .arrays import address, ready, refuse
from .library import Handle, lib, structs

#: Samples x and their targets y.
Part = Tuple[npt.ArrayLike, npt.ArrayLike]


class Data:
    """Samples to train and test on, each part a pair (x, y); `validation` may be left out.

    x: images, uint8 [n x height x width] or [n x channels x height x width], of which a network gets pixel/255; or
       numbers [n x features].
    y: classes, integers [n] from 0 to 255; or values, floats [n] or [n x values].
    normalize: of numbers: subtract the mean of each column of x, and of values, and divide by its spread, both of the
       training samples alone; off: the network gets them as they are.
    """

    def __init__(self, train: Part, test: Part, validation: Part | None = None, normalize: bool = False):
        self.kept = []  # arrays that the library reads
        self.struct = structs['mho_dataset'](scale=1 / 255)
        self.handle = Handle.of(self.struct, lib.mho_dataset_free, needs=[self.kept])
        for name, part in (('train', train), ('validation', validation), ('test', test)):
            if part is not None:
                self.take(name, *part)
        if normalize:
            lib.mho_dataset_normalize_columns(self.struct)

    def take(self, name, x, y):
        x, y = np.asarray(x), np.asarray(y)
        if len(x) != len(y):
            refuse(name, f'{len(x)} samples have {len(y)} targets')
        part = getattr(self.struct, name)
        part.n = len(x)
        self.take_inputs(name, part, x)
        self.take_targets(name, part, y)

    def keep(self, array):
        self.kept.append(array)
        return address(array)

    def same(self, name: str, what: str, value: int) -> None:
        """A size that all parts must share."""
        before = getattr(self.struct, what)
        if before not in (0, value) and name != 'train':
            refuse(name, f'its {what} are {value}, those of train {before}')
        setattr(self.struct, what, value)

    def take_inputs(self, name, part, x):
        is_image = x.dtype == np.uint8 and x.ndim in (3, 4)
        if is_image:
            self.same(name, 'height', x.shape[-2])
            self.same(name, 'width', x.shape[-1])
            self.same(name, 'channels', x.shape[1] if x.ndim == 4 else 1)
            x = x.reshape(len(x), -1)
            part.pixel = self.keep(ready(x, np.uint8, (None, None), name))
        else:
            part.x = self.keep(ready(x, np.float64, (None, None), name))
        self.same(name, 'features', x.shape[1])

    def take_targets(self, name, part, y):
        if y.dtype.kind in 'iub':
            if y.ndim != 1 or y.min(initial=0) < 0 or y.max(initial=0) > 255:
                refuse(name, 'classes are integers from 0 to 255, one a sample')
            part.label = self.keep(ready(y, np.uint8, (None,), name))
            self.struct.classes = max(self.struct.classes, int(y.max(initial=0)) + 1)
            return
        y = y.reshape(len(y), -1)
        part.target = self.keep(ready(y, np.float64, (None, None), name))
        self.same(name, 'values', y.shape[1])
