"""An include goes to the same folder or a lower layer, sqlite3.h stays in store, and only cli prints or exits."""
import os
import re
import sys

ORDER = [['base'], ['num'], ['wire'], ['device', 'neuron', 'data', 'store'], ['array'], ['network'],
         ['settle'], ['rule', 'program'], ['spice'], ['experiment'], ['train'], ['study', 'report'], ['cli']]
# What settles sees mho_crossbar_matrix() alone: programmed weights are for those who program, save and export.
BLIND = ['neuron', 'network', 'settle', 'rule']
LEVEL = {folder: i for i, folders in enumerate(ORDER) for folder in folders}
source = os.path.join(os.environ['MHO_SOURCE'], 'src')
bad = []
checked = 0
for path, _, names in sorted(os.walk(source)):
    if path == source:
        continue
    folder = os.path.relpath(path, source).split(os.sep)[0]
    for name in sorted(names):
        if not name.endswith(('.c', '.h')):
            continue
        text = open(os.path.join(path, name), encoding='utf-8').read()
        place = 'src/' + os.path.relpath(os.path.join(path, name), source)
        checked += 1
<<<<<<< HEAD
        for other in re.findall(r'#include "(?:mho/)?(\w+)(?:\.h|/[\w.]+)"', text):
=======
        for other in re.findall(r'#include "(?:mho/)?(\w+)(?:\.h|(?:/[\w.]+)+)"', text):
            other = SECOND.get(other, other)
>>>>>>> h_device
            if other in LEVEL and other != folder and LEVEL[other] >= LEVEL[folder]:
                bad.append(f'{place} includes {other}, which is not below {folder}')
        if folder in BLIND and 'array/weights.h' in text:
            bad.append(f'{place} includes array/weights.h: what settles multiplies with mho_crossbar_matrix()')
        if 'sqlite3.h' in text and folder != 'store':
            bad.append(f'{place} includes sqlite3.h: only store may')
        if folder != 'cli' and re.search(r'(?<![\w.>])(printf|puts|putchar|exit|abort)\(', text):
            bad.append(f'{place} prints to stdout or exits: only cli may')
print('\n'.join(bad) or f'{checked} files keep to the layers')
sys.exit(bool(bad) or checked < 20)
