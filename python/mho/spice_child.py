"""The process in which ngspice runs a netlist of unknown origin: see mho_spice_isolated.

SPDX-License-Identifier: GPL-3.0-or-later
"""
import os
import sys

from .library import encoded, lib


def main():
    """Called with 'spice-child' and perhaps one more word: the netlist comes by file descriptor 0."""
    trust = sys.argv[2] if len(sys.argv) > 2 else None
    os._exit(lib.mho_spice_child(0, encoded(trust)))
