"""What `import mho` does and does not: nothing is loaded before it is used, every name is there, types are told."""
import inspect
import os
import subprocess
import sys

from support import PACKAGE, SOURCE, Case, main

import mho


class Import(Case):
    def test_an_import_loads_neither_numpy_nor_the_library(self):
        said = subprocess.run([sys.executable, '-c', "import sys, mho; print(sorted({'numpy', 'ctypes', 'pandas'} & set(sys.modules)))"],
                              capture_output=True, text=True, env={**os.environ, 'PYTHONPATH': PACKAGE}).stdout
        self.assertEqual(said, '[]\n')

    def test_every_name_is_there_and_says_what_it_is(self):
        for name in mho.__all__:
            found = getattr(mho, name)
            if inspect.isfunction(found) or inspect.isclass(found):
                self.assertTrue(inspect.getdoc(found), name)
        self.assertEqual(dir(mho), sorted(mho.__all__))
        with self.assertRaises(AttributeError):
            mho.nothing

    def test_types_are_told(self):
        """Of every parameter and result of what a program calls."""
        found = [f for f in map(mho.__dict__.get, mho.HOMES) if inspect.isfunction(f)]
        for kind in (mho.Network, mho.Run, mho.Data, mho.Database, mho.Device, mho.Experiment):
            found += [f for name, f in inspect.getmembers(kind, inspect.isfunction) if inspect.getdoc(f) and not name.startswith('__')]
        self.assertGreater(len(found), 40)
        for f in found:
            told = set(f.__annotations__) | {'self'}
            self.assertLessEqual(set(inspect.signature(f).parameters), told, f)
            self.assertIn('return', told, f)

    def test_names_hold_after_any_import(self):
        for name in mho.__all__:
            self.assertFalse(inspect.ismodule(getattr(mho, name)), name)

    def test_a_library_of_another_version_is_refused(self):
        program = "from mho import declarations; declarations.VERSION = '0.0.1'; import mho.library"
        p = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True, env={**os.environ, 'PYTHONPATH': PACKAGE})
        self.assertIn('this package is of 0.0.1: install both of the same', p.stderr)
        p = subprocess.run([sys.executable, '-c', 'import mho; mho.solve'], capture_output=True, text=True,
                           env={**os.environ, 'PYTHONPATH': PACKAGE, 'MHO_LIBRARY': '/nonexistent/libmho.so'})
        self.assertIn('ImportError: libmho is not found', p.stderr)

    def test_the_build_beside_the_sources_is_found(self):
        from mho import library
        before = os.environ.pop('MHO_LIBRARY', None)
        try:
            first = os.path.realpath(library.candidates()[0])
        finally:
            if before is not None:
                os.environ['MHO_LIBRARY'] = before
        if os.path.exists(os.path.join(SOURCE, 'build', 'libmho.so')):
            self.assertEqual(first, os.path.realpath(os.path.join(SOURCE, 'build', 'libmho.so')))


if __name__ == '__main__':
    main()
