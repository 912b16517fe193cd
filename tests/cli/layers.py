"""The structure of src/: what may use what, and that nothing uses itself by way of others.

An include goes to the same folder or a lower layer, inside some folders to the same floor or a
lower one, sqlite3.h stays in store, and only cli prints or exits. By includes of internal headers and by calls (the symbols of the object files) there is no
cycle between files of different folders, and inside a folder none of more than two files. Run by
hand it prints the cycles that it finds: MHO=build/mho MHO_SOURCE=. tests/cli/layers.py
"""
import collections
import glob
import os
import re
import subprocess
import sys

ORDER = [['base'], ['num'], ['device', 'neuron', 'data', 'store', 'wire', 'exchange'], ['array'], ['network'], ['settle'], ['dynamics'],
         ['rule', 'program'], ['spice'], ['experiment'], ['train'], ['study', 'report'], ['cli']]
# What settles sees mho_crossbar_matrix() alone: programmed weights are for those who program, save and export.
BLIND = ['neuron', 'network', 'settle', 'dynamics', 'rule']
# Floors inside a folder, lowest first, by the start of a file's name: none includes or calls a higher one. All other
# files of the folder are above them.
FLOORS = {'train': [['arrays', 'standing', 'sample_order', 'start_weights', 'descent'], ['updater', 'initial_weights'], ['learner']]}
LEVEL = {folder: i for i, folders in enumerate(ORDER) for folder in folders}
SOURCE = os.path.join(os.environ['MHO_SOURCE'], 'src')
BUILD = os.path.dirname(os.path.abspath(os.environ['MHO']))


def sources():
    """[(path below src, text)] of every C file and header."""
    out = []
    for home, _, names in sorted(os.walk(SOURCE)):
        for name in sorted(names):
            if name.endswith(('.c', '.h')):
                path = os.path.join(home, name)
                with open(path, encoding='utf-8') as f:
                    out.append((os.path.relpath(path, SOURCE), f.read()))
    return out


def folder_of(path):
    return path.split('/')[0]


# ---------------------------------------------------------------- layers

def layer_faults(path, text):
    folder = folder_of(path)
    if folder not in LEVEL:
        yield f'src/{path}: folder {folder} has no layer in this test'
        return
    for other in re.findall(r'#include "(?:mho/(?:model/)?)?(\w+)(?:\.h|/[\w./]+)"', text):
        if other in LEVEL and other != folder and LEVEL[other] >= LEVEL[folder]:
            yield f'src/{path} includes {other}, which is not below {folder}'
    if folder in BLIND and 'array/weights.h' in text:
        yield f'src/{path} includes array/weights.h: what settles multiplies with mho_crossbar_matrix()'
    if 'sqlite3.h' in text and folder != 'store':
        yield f'src/{path} includes sqlite3.h: only store may'
    if folder != 'cli' and re.search(r'(?<![\w.>])(printf|puts|putchar|exit|abort)\(', text):
        yield f'src/{path} prints to stdout or exits: only cli may'


def floor_of(path):
    """The floor of a file inside its folder; None: the folder has none."""
    floors = FLOORS.get(folder_of(path))
    if not floors:
        return None
    name = os.path.basename(path)
    return next((i for i, starts in enumerate(floors) if name.startswith(tuple(starts))), len(floors))


def floor_faults(edges):
    for path, others in edges.items():
        for other in sorted(others):
            inside = folder_of(path) == folder_of(other) and floor_of(path) is not None
            if inside and floor_of(other) > floor_of(path):
                yield f'src/{path} uses {other}, which is above it'


# ---------------------------------------------------------------- cycles

def include_edges(files):
    """{file: internal headers that it includes}."""
    headers = {path for path, _ in files if path.endswith('.h')}
    edges = collections.defaultdict(set)
    for path, text in files:
        edges[path] = {name for name in re.findall(r'#include "([\w./]+\.h)"', text) if name in headers}
    return edges


def source_of(name):
    """The C file of an object's name: src_device_fit_fit.c.o is device/fit/fit.c. None: it is no longer there."""
    words = name[:-len('.c.o')].split('_')
    for k in range(len(words) - 1, 1, -1):
        path = '/'.join(words[1:k]) + '/' + '_'.join(words[k:]) + '.c'
        if os.path.exists(os.path.join(SOURCE, path)):
            return path
    return None


def symbols():
    """{C file: (defined, used)} of the object files."""
    objects = glob.glob(os.path.join(BUILD, 'libmho.*.p', '*.o')) + glob.glob(os.path.join(BUILD, 'mho.p', '*.o'))
    text = subprocess.run(['nm', '-A', *objects], capture_output=True, text=True, check=True).stdout
    out = collections.defaultdict(lambda: (set(), set()))
    for name, kind, symbol in re.findall(r'^(?:.*/)?([^/:]+):[ 0-9a-f]* ([A-Za-z]) (\w+)$', text, re.M):
        defined, used = out[name]
        if kind == 'U':
            used.add(symbol)
        elif kind.isupper():
            defined.add(symbol)
    return {path: found for name, found in out.items() for path in [source_of(name)] if path}


def call_edges(table):
    home = {symbol: name for name, (defined, _) in table.items() for symbol in defined}
    return {name: {home[s] for s in used if s in home} for name, (_, used) in table.items()}


def cycles(edges, longest=6):
    """Every elementary cycle of at most so many files, each once, from its first in the alphabet."""
    out = []

    def walk(first, path):
        for other in sorted(edges.get(path[-1], ())):
            if other == first and len(path) > 1:
                out.append(path)
            elif other > first and other not in path and len(path) < longest:
                walk(first, path + [other])

    for name in sorted(edges):
        walk(name, [name])
    return out


def inside(edges):
    """The edges between files that reach each other: only those can be on a cycle."""
    def reached(start):
        seen, todo = set(), [start]
        while todo:
            for other in edges.get(todo.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        return seen

    reach = {name: reached(name) for name in edges}
    return {a: {b for b in others if b != a and a in reach.get(b, ())} for a, others in edges.items()}


def cycle_faults(edges):
    for path in cycles(inside(edges)):
        if len({folder_of(name) for name in path}) > 1 or len(path) > 2:
            yield 'a cycle: ' + ' -> '.join(path + path[:1])


def main():
    files = sources()
    bad = [fault for path, text in files for fault in layer_faults(path, text)]

    table = symbols()
    edges = include_edges(files)
    for name, others in call_edges(table).items():
        edges[name] |= others
    bad += floor_faults(edges)
    bad += cycle_faults(edges)

    print('\n'.join(bad) or f'{len(files)} files keep to the layers, {len(table)} objects have no long cycle')
    return bool(bad) or len(files) < 20 or len(table) < 100


if __name__ == '__main__':
    sys.exit(main())
