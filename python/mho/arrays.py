"""NumPy arrays for the library, which reads and writes their memory itself.

An array of the type and the layout that the library has is handed over as it is; any other one is converted first.

SPDX-License-Identifier: GPL-3.0-or-later
"""
import numpy as np

from .errors import Error
from .library import lib

#: Of activities, weights and gradients.
REAL = np.dtype(np.float32 if lib.mho_real_size() == 4 else np.float64)


def refuse(what, why):
    raise Error('EINVAL', f'{what}: {why}')


def ready(array, dtype, shape, what):
    """The array as the library reads it: of that type, rows first, of that shape (None: any length).

    Of an array that is so already no copy is made."""
    a = np.ascontiguousarray(array, dtype=dtype)
    fits = a.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, a.shape))
    if not fits:
        wanted = ' x '.join('n' if s is None else str(s) for s in shape)
        refuse(what, f'its shape is {a.shape}, expected {wanted}')
    return a


def room(out, dtype, shape, what):
    """An array for a result: `out`, where the caller has one, or a new one."""
    if out is None:
        return np.empty(shape, dtype)
    writable = out.flags.c_contiguous and out.flags.writeable and out.flags.aligned
    if out.dtype != dtype or out.shape != tuple(shape) or not writable:
        refuse(what, f'out must be a writable array of {np.dtype(dtype).name}, rows first, of shape {tuple(shape)}')
    return out


def address(array):
    """Where its numbers are; None of None."""
    return None if array is None else array.ctypes.data
