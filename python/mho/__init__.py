"""mho: neural networks that live and learn in analog hardware.

    import mho
    run = mho.train({'network': {'hidden': [64]}, 'train': {'epochs': 3}})
    run.final_test_acc, run.epochs[0].test_acc, run.weights('x-h1')

docs/python.md is the guide. The package is thin: what computes is libmho, which `mho.library` loads when the first of
the names below is used.

SPDX-License-Identifier: GPL-3.0-or-later
"""
import importlib

from .declarations import VERSION as __version__
from .errors import Error, IdleKeyWarning, Interrupted

TYPE_CHECKING = False  # those who check types take it for True; reading `typing` takes longer than all of this
if TYPE_CHECKING:
    from .chips import Chip, program
    from .circuits import Comparison, netlist_check
    from .data import Data
    from .database import Database, Report
    from .database import Database as db
    from .device import Curve, Device, Fit, fit
    from .exchange import import_network
    from .experiment import Experiment
    from .network import Connection, Epoch, Evaluation, Network
    from .run import Run
    from .study import StudyResult, sweep
    from .training import resume, train
    from .wires import Solution, effective, solve

#: Where each name is: modules are read when one of their names is first used, so that `import mho` takes no time.
MODULES = {
    'chips': ('Chip', 'program'),
    'circuits': ('Comparison', 'netlist_check'),
    'data': ('Data',),
    'database': ('Database', 'Report'),
    'device': ('Curve', 'Device', 'Fit', 'fit'),
    'exchange': ('import_network',),
    'experiment': ('Experiment',),
    'network': ('Connection', 'Epoch', 'Evaluation', 'Network'),
    'run': ('Run',),
    'study': ('StudyResult', 'sweep'),
    'training': ('resume', 'train'),
    'wires': ('Solution', 'effective', 'solve'),
}
HOMES = {'db': ('database', 'Database'),
         **{name: (module, name) for module, names in MODULES.items() for name in names}}

__all__ = ['Error', 'IdleKeyWarning', 'Interrupted', '__version__', *HOMES]


def __getattr__(name):
    if name not in HOMES:
        raise AttributeError(f"mho has no '{name}'")
    module, attribute = HOMES[name]
    found = getattr(importlib.import_module(f'mho.{module}'), attribute)
    globals()[name] = found
    return found


def __dir__():
    return sorted(__all__)
