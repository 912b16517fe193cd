"""The functions and data that the shared library gives to programs, and what its headers are.

The lists in tests/cli/symbols/ name what each shelf of headers declares: mho, for programs, and model, for authors of
models. Whoever takes a name away breaks programs that are built already, so a name that comes or goes is a change of
those lists, on purpose:

  MHO=build/mho MHO_SOURCE=. tests/cli/symbols.py --renew

Every name that the headers declare is in the library, and no other. Each header compiles alone, as C and as C++.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

SOURCE = os.environ['MHO_SOURCE']
BUILD = os.path.dirname(os.path.abspath(os.environ['MHO']))
LISTS = os.path.join(SOURCE, 'tests', 'cli', 'symbols')
SHELVES = {'mho': 'include/mho/*.h', 'model': 'include/mho/model/*.h'}
COMPILERS = [['cc', '-std=c17', '-x', 'c'], ['c++', '-std=c++14', '-x', 'c++']]


def headers(shelf):
    return sorted(glob.glob(os.path.join(SOURCE, SHELVES[shelf])))


def declared(shelf):
    """The names that the shelf's headers declare MHO_API."""
    names = set()
    for path in headers(shelf):
        with open(path, encoding='utf-8') as f:
            text = re.sub(r'/\*.*?\*/', '', f.read(), flags=re.S)
        for m in re.finditer(r'^MHO_API\s+([^;{]*?)(\w+)\s*(?:\(|;|\[)', text, re.M):
            names.add(m.group(2))
    return names


def exported():
    """The names that the shared library defines."""
    text = subprocess.run(['nm', '-D', '--defined-only', os.path.join(BUILD, 'libmho.so')], capture_output=True,
                          text=True, check=True).stdout
    return {line.split()[-1] for line in text.splitlines()}


def listed(shelf):
    with open(os.path.join(LISTS, shelf), encoding='ascii') as f:
        return set(f.read().split())


def renew():
    for shelf in SHELVES:
        with open(os.path.join(LISTS, shelf), 'w', encoding='ascii') as f:
            f.write(''.join(f'{name}\n' for name in sorted(declared(shelf))))


def list_faults():
    cure = 'where that is meant: MHO=build/mho MHO_SOURCE=. python3 tests/cli/symbols.py --renew'
    for shelf in SHELVES:
        there, known = declared(shelf), listed(shelf)
        for name in sorted(there - known):
            yield f'{name} is new on the shelf {shelf}; {cure}'
        for name in sorted(known - there):
            yield f'{name} is gone from the shelf {shelf}, and programs may call it; {cure}'


def library_faults():
    there, inside = set().union(*(declared(shelf) for shelf in SHELVES)), exported()
    for name in sorted(there - inside):
        yield f'{name} is declared MHO_API, but libmho.so does not have it'
    for name in sorted(inside - there):
        yield f'libmho.so exports {name}, which no header declares MHO_API'


def shelf_faults():
    """Headers of programs that need one of models."""
    for path in headers('mho'):
        with open(path, encoding='utf-8') as f:
            if '#include "mho/model/' in f.read():
                yield f'{os.path.basename(path)} includes a header of mho/model/, which programs are to do without'


def header_faults():
    for path in [path for shelf in SHELVES for path in headers(shelf)]:
        name = os.path.relpath(path, os.path.join(SOURCE, 'include'))
        for words in COMPILERS:
            with tempfile.NamedTemporaryFile('w', suffix='.c') as f:
                f.write(f'#include <{name}>\n')
                f.flush()
                p = subprocess.run([*words, '-fsyntax-only', '-Wall', '-Wextra', '-Wno-unused-parameter', '-Werror',
                                    '-I', os.path.join(SOURCE, 'include'), f.name], capture_output=True, text=True)
            if p.returncode:
                yield f'{name} does not compile alone as {words[-1]}: {p.stderr}'


def main():
    if sys.argv[1:] == ['--renew']:
        renew()
        return 0
    bad = [*list_faults(), *library_faults(), *shelf_faults(), *header_faults()]
    names = [len(declared(shelf)) for shelf in SHELVES]
    print('\n'.join(bad) or f'{names[0]} names for programs, {names[1]} for authors of models')
    return bool(bad) or names[0] < 50


sys.exit(main())
