"""What the package's tests share: a folder of their own, and the command."""
import os
import shutil
import subprocess
import tempfile
import unittest
import warnings

import mho

COMMAND = os.environ['MHO']
SOURCE = os.environ['MHO_SOURCE']
PACKAGE = os.path.join(SOURCE, 'python')

#: A small network that trains in a moment.
SMALL = {'network': {'hidden': [16]}, 'train': {'epochs': 2, 'batch': 20}}
#: The same on noisy devices that differ.
ANALOG = {'network': {'hidden': [16]}, 'train': {'epochs': 2, 'batch': 20, 'seed': 3},
          'device': {'model': 'soft_bounds', 'cycle_to_cycle': 0.3, 'variation': {'step': 0.2}},
          'array': {'read_noise': 0.01}, 'update': {'scheme': 'accumulate'}}


class Case(unittest.TestCase):
    maxDiff = None
    """A test in a folder of its own, in which a warning is an error."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='mho-python-')
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.before = os.getcwd()
        os.chdir(self.folder)
        self.addCleanup(os.chdir, self.before)
        catch = warnings.catch_warnings()
        catch.__enter__()
        self.addCleanup(catch.__exit__, None, None, None)
        warnings.simplefilter('error')

    def command(self, *words, code=0):
        p = subprocess.run([COMMAND, *words], capture_output=True, text=True, timeout=300)
        self.assertEqual(p.returncode, code, f'mho {" ".join(words)}\n{p.stdout}{p.stderr}')
        return p

    def refused(self, *says):
        """A context in which mho.Error must be raised, with these words in its sentence."""
        return _Refused(self, says)


class _Refused:
    def __init__(self, case, says):
        self.case, self.says = case, says

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        self.case.assertIs(kind, mho.Error, f'expected mho.Error, got {error!r}')
        for word in self.says:
            self.case.assertIn(word, str(error))
        self.error = error
        return True


main = unittest.main
