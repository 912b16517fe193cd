"""Physical quantities: texts with a unit, or numbers in SI units.

SPDX-License-Identifier: GPL-3.0-or-later
"""
import ctypes

from .library import encoded, lib


def quantity(value, unit):
    """A number of SI units, of '10 kohm' or of a number. Raises mho.Error for what is no quantity of that unit."""
    if not isinstance(value, str):
        return float(value)
    out = ctypes.c_double()
    lib.mho_quantity_parse(encoded(value), encoded(unit), False, ctypes.byref(out))
    return out.value


def seconds(value):
    """Of '1h', '2 d', '1mo', or of a number of seconds."""
    return quantity(value, 's')


def ohms(value):
    """Of '2 ohm', '1 kohm', or of a number of ohms."""
    return quantity(value, 'ohm')
