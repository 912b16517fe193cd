#!/usr/bin/env python3
"""Pictures of results that a page has as tables: read from the table, drawn by gnuplot into an SVG beside the page.

Usage: results/draw.py [NAME...], of: devices, fit, perturbation, stencil; all of them without words.
"""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
COLORS = ('#2e85d9', '#d9772e', '#7d858d', '#3a9a5b', '#9a4fb0', '#b03a3a')


def table(page, first):
    """Heads and rows of the table of a page whose heads begin so: lists of the texts of cells."""
    with open(os.path.join(HERE, page, 'README.md'), encoding='utf-8') as f:
        lines = f.read().split('\n')
    at = next((i for i, x in enumerate(lines) if x.startswith(first)), None)
    if at is None:
        sys.exit(f'results/{page}/README.md has no table that begins with {first}')
    rows = []
    for line in lines[at:]:
        if not line.startswith('|'):
            break
        rows.append([c.strip() for c in line.strip('|').split('|')])
    return rows[0], rows[2:]


def number(cell):
    """The first number of a cell: '91.28 ± 0.75' is 91.28, '98.08 (5.5e7)' 98.08."""
    return float(re.match(r'[-+.\de]+', cell)[0])


def deviation(cell):
    found = re.search(r'± ([\d.]+)', cell)
    return float(found[1]) if found else 0


def draw(page, name, size, script):
    """An SVG in the folder of a page."""
    path = os.path.join(HERE, page, name)
    head = f"set terminal svg size {size} font 'sans,12' background 'white' noenhanced\nset output '{path}'\n"
    subprocess.run(['gnuplot'], input=head + script, text=True, check=True)
    print('wrote', os.path.relpath(path))


def block(name, rows):
    return f'${name} << EOD\n' + '\n'.join(' '.join(str(v) for v in r) for r in rows) + '\nEOD\n'


def devices():
    _, rows = table('devices', '| card |')
    points = [(i, number(r[1]), number(r[2]), '"' + r[0].replace('reram_es without write noise', 'reram_es, no write noise') + '"')
              for i, r in enumerate(rows)]
    draw('devices', 'cards.svg', '760,360', block('d', points) + f'''
set title 'EP on published device cards, MNIST 784-256-10, 20 epochs'
set ylabel 'test accuracy, %'; set yrange [80:100]; set grid; set key below
set xrange [-0.6:{len(rows) - 0.4}]
plot $d using 1:2:xtic(4) with points pt 7 ps 1.2 lc rgb '{COLORS[0]}' title 'accumulate', \\
     $d using 1:3 with points pt 5 ps 1.2 lc rgb '{COLORS[1]}' title 'stochastic, in the array'
''')


def fit():
    _, rows = table('fit', '| model | sets |')
    points = [(i, number(r[3]), '"' + r[0] + '"') for i, r in enumerate(rows)]
    draw('fit', 'coverage.svg', '760,320', block('d', points) + f'''
set title 'Fitted parameters of synthetic devices whose 95 % interval holds the truth'
set ylabel '%'; set yrange [85:100]; set grid; set key below; set xrange [-0.6:{len(rows) - 0.4}]
plot 95 with lines dt 2 lc rgb '{COLORS[1]}' title 'what they say', \\
     $d using 1:2:xtic(3) with points pt 7 ps 1.2 lc rgb '{COLORS[0]}' title 'what they hold'
''')


def perturbation():
    _, rows = table('perturbation', '| run | test accuracy, % |')
    points = [(i, number(r[1]), deviation(r[1]), '"' + r[0] + '"') for i, r in enumerate(rows)]
    draw('perturbation', 'perturbation.svg', '760,320', block('d', points) + f'''
set title 'Learning from the loss alone, digits 64-16-10, five seeds'
set ylabel 'test accuracy, %'; set yrange [40:100]; set grid; set xrange [-0.6:{len(rows) - 0.4}]
plot $d using 1:2:3:xtic(4) with yerrorbars pt 7 ps 1.2 lc rgb '{COLORS[0]}' notitle
''')


def stencil():
    heads, rows = table('stencil', '| net | stencil | 0.05 |')
    nudges = [float(h) for h in heads[2:]]
    script, curves = '', []
    for i, r in enumerate(x for x in rows if x[0] == '2 layers'):
        script += block(f'd{i}', zip(nudges, (number(c) for c in r[2:])))
        curves.append(f"$d{i} using 1:2 with linespoints pt 7 ps 0.5 lw 1.5 lc rgb '{COLORS[i]}' title '{r[1]}'")
    draw('stencil', 'bias.svg', '760,420', script + '''
set title 'Bias of the gradient of EP against the largest nudge, two hidden layers'
set xlabel 'largest nudge'; set ylabel 'relative error of the worst layer'; set logscale xy; set grid; set format y '1e%T'
set xrange [0.045:2.2]; set yrange [1e-7:2]; set key outside right
plot ''' + ', \\\n     '.join(curves) + '\n')


DRAWN = {'devices': devices, 'fit': fit, 'perturbation': perturbation, 'stencil': stencil}


def main():
    for name in sys.argv[1:] or DRAWN:
        if name not in DRAWN:
            sys.exit(f'there is no picture {name}: expected one of {", ".join(DRAWN)}')
        DRAWN[name]()


if __name__ == '__main__':
    main()
