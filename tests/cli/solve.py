"""mho solve: the files and numbers of its contract, and refusals with file, line and column."""
import csv
import json
import os
import random

from mho import folder, main, refused, run, write

R, C = 6, 5
random.seed(1)
G = [[10 ** random.uniform(-6, -4) for _ in range(C)] for _ in range(R)]
V = [[random.uniform(-1, 1) for _ in range(R)] for _ in range(3)]


def text(m):
    return '\n'.join(','.join(f'{x:.17g}' for x in row) for row in m) + '\n'


write('G.csv', text(G))
write('V.csv', text(V))
BOTH = ['--g', 'G.csv', '--v', 'V.csv']
WIRES = [*BOTH, '--r-word', '2', '--r-bit', '3 ohm']


def table(t):
    return [[float(x) for x in line.split(',')] for line in t.splitlines()]


def near(a, b, tolerance=1e-9):
    most = max(abs(x) for row in b for x in row)
    assert [len(row) for row in a] == [len(row) for row in b]
    assert all(abs(x - y) <= tolerance * most for p, q in zip(a, b) for x, y in zip(p, q)), (a, b)


def test_products_without_wires():
    near(table(run('solve', *BOTH).stdout), [[sum(v[i] * G[i][j] for i in range(R)) for j in range(C)] for v in V], 1e-13)


def test_methods_agree():
    direct = table(run('solve', *WIRES, '--method', 'direct').stdout)
    for method in ('auto', 'iterative'):
        near(table(run('solve', *WIRES, '--method', method).stdout), direct)
    spice = run('solve', *WIRES, '--method', 'ngspice', code=None)
    if spice.returncode == 0:
        near(table(spice.stdout), direct)
    else:
        assert spice.returncode == 2 and 'ngspice' in spice.stderr


def test_json():
    o = json.loads(run('solve', *WIRES, '--json').stdout)
    assert o['method'] in ('iterative', 'direct') and o['solve_s'] > 0 and o['iterations'] >= 0 and o['residual'] < 1e-9
    assert abs(o['power_in'] - o['power_lost']) < 1e-9 * o['power_in']
    near(o['currents'], table(run('solve', *WIRES).stdout), 1e-15)
    o = json.loads(run('solve', *WIRES, '--json', '--out', 'I.csv').stdout)
    assert 'currents' not in o
    with open(os.path.join(folder, 'I.csv')) as f:
        near(table(f.read()), table(run('solve', *WIRES).stdout), 1e-15)


def test_nodes_obey_kirchhoff():
    """Node voltages and device currents, against the circuit's equations."""
    currents = table(run('solve', *WIRES, '--nodes', 'N.csv', '--devices', 'D.csv').stdout)
    with open(os.path.join(folder, 'N.csv')) as f:
        rows = list(csv.DictReader(f))
    assert list(rows[0]) == ['vector', 'i', 'j', 'v_word', 'v_bit'] and len(rows) == 3 * R * C
    w = {(int(r['vector']), int(r['i']), int(r['j'])): (float(r['v_word']), float(r['v_bit'])) for r in rows}
    with open(os.path.join(folder, 'D.csv')) as f:
        d = {(int(r['vector']), int(r['i']), int(r['j'])): (float(r['v']), float(r['i_device'])) for r in csv.DictReader(f)}
    most = max(abs(x) for row in currents for x in row)
    for (v, i, j), (a, b) in w.items():
        drop, current = d[v, i, j]
        assert abs(drop - (a - b)) < 1e-15 and abs(current - G[i][j] * drop) <= 1e-14 * abs(current)
        left = w[v, i, j - 1][0] if j else V[v][i]
        right = w[v, i, j + 1][0] if j + 1 < C else a
        assert abs((left - a) / 2 + (right - a) / 2 - current) < 1e-9 * most
        up = w[v, i - 1, j][1] if i else b
        down = w[v, i + 1, j][1] if i + 1 < R else 0
        assert abs((up - b) / 3 + (down - b) / 3 + current) < 1e-9 * most
        if i + 1 == R:
            assert abs(b / 3 - currents[v][j]) < 1e-9 * most


def test_transposed_is_the_adjoint():
    write('E.csv', text([[1 if j == k else 0 for j in range(C)] for k in range(C)]))
    write('F.csv', text([[1 if i == k else 0 for i in range(R)] for k in range(R)]))
    back = table(run('solve', '--g', 'G.csv', '--v', 'E.csv', '--r-word', '2', '--r-bit', '3', '--transposed').stdout)
    forward = table(run('solve', '--g', 'G.csv', '--v', 'F.csv', '--r-word', '2', '--r-bit', '3').stdout)
    near([[back[j][i] for j in range(C)] for i in range(R)], forward)


def test_next_to_no_resistance():
    """Wires of resistances down to those that double precision does not hold give the products without wires."""
    ideal = [[sum(G[i][j] * x[i] for i in range(R)) for j in range(C)] for x in V]
    ngspice = ['ngspice'] if 'ngspice          yes' in run('--version', '-v').stdout else []
    for r in ('1e-18', '1e-29', '1e-31', '1e-300', '5e-324'):
        for words in (['--r-word', r, '--r-bit', r], ['--r-word', r], ['--r-word', r, '--r-load', r], ['--r-source', r, '--r-load', r]):
            for method in ['auto', 'direct', 'iterative', *ngspice]:
                near(table(run('solve', *BOTH, *words, '--method', method).stdout), ideal)


def test_plot():
    for name, start in (('p.png', b'\x89PNG'), ('p.svg', b'<?xml')):
        p = run('solve', *WIRES, '--plot', name, '--out', 'x.csv', code=None)
        if p.returncode == 2 and 'gnuplot' in p.stderr:
            return
        assert p.returncode == 0, p.stderr
        with open(os.path.join(folder, name), 'rb') as f:
            assert f.read(5).startswith(start)
    refused('solve', *WIRES, '--plot', 'p.jpg', says='.png or .svg')


def test_refusals():
    for name, content, says in (('bad1.csv', '1e-5,2e-5\n1e-5,x\n', 'bad1.csv:2:6'), ('bad2.csv', '1e-5,2e-5\n1e-5\n', 'bad2.csv:2:5'),
                                ('bad3.csv', '', 'bad3.csv'), ('bad4.csv', '1e-5,nan\n', 'bad4.csv:1:6'),
                                ('bad5.csv', '1e-5,-1e-5\n1,1\n', ['bad5.csv', 'row 1, column 2'])):
        write(name, content)
        write('v2.csv', '1,1\n' if name != 'bad4.csv' else '1\n')
        refused('solve', '--g', name, '--v', 'v2.csv', says=says)
    # resistances: one range, whatever solves
    write('ohm.csv', '8854,5e4\n1e4,2e4\n')
    write('v2.csv', '1,1\n')
    for method in ('auto', 'direct', 'iterative', 'ngspice'):
        refused('solve', '--g', 'ohm.csv', '--v', 'v2.csv', '--r-word', '1', '--method', method, says=['8854 S', 'resistances'])
    for volts, says in (('0,1e300', 'row 1, column 2'), ('-2e9,1', 'row 1, column 1'), ('0,-1e-300', 'row 1, column 2')):
        write('v4.csv', volts + '\n')
        write('g4.csv', '1e-5,1e-5\n1e-5,1e-5\n')
        for method in ('auto', 'direct', 'iterative', 'ngspice'):
            refused('solve', '--g', 'g4.csv', '--v', 'v4.csv', '--r-word', '1', '--method', method, says=['v4.csv', says, '1e9 V'])
    write('v3.csv', '1,2,3\n')
    refused('solve', '--g', 'G.csv', '--v', 'v3.csv', says=['v3.csv', '6 word lines'])
    refused('solve', '--g', 'none.csv', '--v', 'V.csv', says='none.csv')
    refused('solve', '--g', 'G.csv', says='--v')
    for one, other in (('--nodes', '--devices'), ('--out', '--nodes'), ('--out', '--plot')):
        refused('solve', '--g', 'G.csv', '--v', 'V.csv', one, 'both.svg', other, 'both.svg', says=["two results into 'both.svg'", 'own'])
        assert not os.path.exists(os.path.join(folder, 'both.svg'))
    refused('solve', *BOTH, '--r-word', '-1', says='0 to 1e12')
    refused('solve', *BOTH, '--r-word', '1 m', says='ohm')
    refused('solve', *BOTH, '--method', 'magic', says='magic')
    refused('solve', *WIRES, '--out', '/nonexistent/x.csv', says='/nonexistent/x.csv')
    for option in ('--out', '--nodes', '--devices', '--plot'):
        for name in ('G.csv', './V.csv'):
            refused('solve', *WIRES, option, name, says=[name.lstrip('./'), 'a file of their own'])


main([test_products_without_wires, test_methods_agree, test_json, test_nodes_obey_kirchhoff, test_transposed_is_the_adjoint, test_next_to_no_resistance,
      test_plot, test_refusals])
