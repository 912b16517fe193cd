"""The circuit of a network of resistors: tables of nodes and conductances against Kirchhoff's law in numpy on the exported
conductances, and the picture in a report."""
import csv
import io
import json
import os
import re

import numpy as np

from mho import folder, main, refused, run

DB = ['--db', 'c.db']
ROWS = 'a,b,y\n' + ''.join(f'{i % 7 / 7:.4f},{i % 5 / 5:.4f},{i % 7 * (i % 5) / 35:.4f}\n' for i in range(60))
SETS = lambda *sets: [w for s in sets for w in ('--set', s)]
# 200 sweeps: at rest to single precision
DENSE = ['dynamics=resistive', 'dataset=table', 'dataset.path=rows.csv', 'network.hidden=[6,4]', 'resistive.input_gain=4',
         'rule.nudge=0.01', 'settle.free=200', 'train.epochs=1']
JUNCTION = ['resistive.rectifier=junction', 'array.read_voltage=1 V', 'resistive.amplifier.voltage=4', 'resistive.amplifier.current=0.25']
CONV = ['dynamics=resistive', 'dataset.train=100', 'dataset.test=20', 'network.topology=conv', 'network.conv=[4x3s2p1]', 'rule.nudge=0.01',
        'settle.free=200', 'train.epochs=1', 'update.rate=1e-5']


def table(name, kind, *more):
    return list(csv.DictReader(io.StringIO(run('settle', name, *DB, '--circuit', kind, *more).stdout)))


def trained(name, *sets):
    with open(os.path.join(folder, 'rows.csv'), 'w') as f:
        f.write(ROWS)
    run('train', *DB, '--name', name, *SETS(*sets))
    return {n['node']: n for n in table(name, 'nodes')}, table(name, 'branches')


def check_kirchhoff(nodes, branches, gain=1, back=1):
    """Currents of the branches add up to those of the nodes, and these to nothing."""
    volts = {n: float(row['voltage']) for n, row in nodes.items()}
    front, behind = dict.fromkeys(volts, 0.), dict.fromkeys(volts, 0.)
    for b in branches:
        driven = 0 if b['from'] == 'ground' else volts[b['from']] * (gain if b['from'][0] != 'x' else 1)
        across = driven - volts[b['to']]
        current = float(b['conductance']) * across
        assert abs(float(b['voltage']) - across) < 1e-6 * max(1, abs(across)), b
        assert abs(float(b['current']) - current) < 1e-6 * max(1, abs(current)), b
        front[b['to']] += current
        if b['from'] in behind:
            behind[b['from']] -= back * current

    most = max(abs(v) for v in front.values())
    for name, n in nodes.items():
        if name[0] == 'x':
            continue
        got = [float(n[k] or 0) for k in ('front', 'behind', 'bias', 'rectifier', 'left')]
        assert abs(got[0] - front[name]) < 1e-6 * most and abs(got[1] - behind[name]) < 1e-6 * most, (n, front[name], behind[name])
        assert abs(sum(got[:4]) - got[4]) < 1e-6 * most and abs(got[4]) < 1e-5 * most, n
        if n['rectifier'] and got[3] != 0:
            assert n['voltage'] == '0' or gain != 1, n
    return most


def test_ideal_diodes():
    nodes, branches = trained('dense', *DENSE)
    assert check_kirchhoff(nodes, branches) > 0.1
    run('export', 'dense', *DB, '--weights', 'dense.npz')
    weights = np.load(os.path.join(folder, 'dense.npz'))
    for layer, before in (('h1', 'x'), ('h2', 'h1'), ('out', 'h2')):
        g = weights[layer + '.weight']
        listed = {(b['from'], b['to']): float(b['conductance']) for b in branches if b['to'].startswith(layer + '.')}
        wanted = {(f'{before}.{i}', f'{layer}.{j}'): g[j, i] for j, i in zip(*np.nonzero(g))}
        assert listed.keys() == wanted.keys() and all(abs(listed[k] - wanted[k]) < 1e-6 for k in wanted), layer
        biases = [float(nodes[f'{layer}.{j}']['bias']) for j in range(len(g))]
        assert np.allclose(biases, weights[layer + '.bias'], atol=1e-6), layer
    halves = [float(nodes[f'h1.{j}']['voltage']) for j in range(6)]
    assert min(halves[:3]) >= 0 >= max(halves[3:]) and all(not nodes['out.0'][k] for k in ['rectifier']), halves


def test_junctions_and_amplifiers():
    nodes, branches = trained('junction', *DENSE, *JUNCTION)
    check_kirchhoff(nodes, branches, gain=4, back=.25)
    for j in range(6):  # Shockley's law, in units of 1 V over a gain of 4
        v, side = float(nodes[f'h1.{j}']['voltage']), 1 if j < 3 else -1
        wanted = side * np.expm1(-side * v / (25.85e-3 * 4))
        assert abs(float(nodes[f'h1.{j}']['rectifier']) - wanted) < 1e-5 * max(1, abs(wanted)), (j, v)


def test_amplifiers_that_differ():
    spread = ['neuron.variation.gain=0.2', 'neuron.variation.current=0.3', 'neuron.variation.offset=0.1']
    nodes, _ = trained('spread', *DENSE, *JUNCTION, *spread)
    rows = [{k: float(n[k] or 0) for k in n if k != 'node'} for name, n in nodes.items() if name[0] != 'x']
    most = max(abs(n['front']) for n in rows)
    assert all(abs(n['left']) < 1e-5 * most for n in rows), max(abs(n['left']) for n in rows)


def test_by_ngspice():
    """ngspice shows no way to rest, but the circuit where it ends."""
    run('train', *DB, '--name', 'digits', *SETS('dynamics=resistive', 'dataset.train=200', 'settle.free=50', 'train.epochs=1'))
    swept, found = (table('digits', 'nodes', *SETS('settle.method=' + method)) for method in ('sweep', 'spice'))
    assert all(abs(float(a['voltage']) - float(b['voltage'])) < 1e-4 for a, b in zip(swept, found)), found
    assert all(abs(float(n['left'] or 0)) < 1e-4 for n in found), found


def test_convolution_with_a_border():
    nodes, branches = trained('conv', *CONV)
    check_kirchhoff(nodes, branches)
    kernel = {(b['conductance'], b['to']) for b in branches if b['from'] == 'ground'}
    assert kernel and all(to.startswith('h1.') for _, to in kernel), kernel


def test_devices_conduct_beside_their_weight():
    nodes, branches = trained('devices', *DENSE, 'device=linear', 'device.mapping=single', 'network.biases=false',
                              'update.scheme=accumulate')
    check_kirchhoff(nodes, branches)
    assert len(branches) == 4 * 6 + 6 * 4 + 4, len(branches)  # none is without current: g_min
    assert all(n['bias'] in ('', '0') for n in nodes.values())


def page_of(name):
    run('report', name, *DB, '-o', name + '.html')
    with open(os.path.join(folder, name + '.html')) as f:
        page = f.read()
    section = re.search('<section class="circuit">.*?</section>', page, re.S)
    return section.group(0) if section else ''


def test_pictures():
    whole = page_of('dense')
    assert '<svg' in whole and 'Nothing that carries current is left out' in whole, whole[-900:]
    assert all(f'>{j}: ' in whole for j in range(6)) and "class='s1'" in whole and "class='s3'" in whole
    part = page_of('conv')
    text = re.search(r'(\d+) of 128 inputs, (\d+) of 64 in h1, 10 of 10 in out, and the strongest lines between them, (\d+), '
                     r'of a circuit of (\d+) conductances; they carry ([\d.]+) %', part)
    assert text and 'drawn as one ground' in part, part[-900:]
    share, n = float(text[5]), int(text[4])
    branches = table('conv', 'branches')
    assert n == len(branches) and 0 < share < 100 and int(text[2]) < 64, text.groups()

    # Of what is kept: the strongest lines, and how much of the current they are.
    kept = json.loads(run('query', *DB, '--csv', "SELECT CAST(data AS TEXT) FROM artifact JOIN run ON run.id = run_id WHERE artifact.kind = "
                          "'circuit' AND run.name = 'conv'").stdout.split('\n', 1)[1].strip()[1:-1].replace('""', '"'))
    names = [l['name'] for l in kept['layer']]
    amount = {}
    inputs = {f'{n["node"]}': float(n['voltage']) for n in table('conv', 'nodes') if n['node'][0] == 'x'}
    for b in branches:
        source = 'ground' if inputs.get(b['from'], 1) == 0 else b['from']
        amount[source, b['to']] = amount.get((source, b['to']), 0) + float(b['current'])
    place = lambda k: 'ground' if kept['node'][k][1] < 0 else f'{names[kept["node"][k][0]]}.{kept["node"][k][1]}'
    drawn = [((place(a), place(b)), current) for a, b, _, current in kept['branch']]
    assert all(abs(amount[key] - current) < 1e-4 * max(1, abs(current)) for key, current in drawn), drawn
    for layer in 1, 2:
        least = min(abs(c) for (_, to), c in drawn if to.startswith(names[layer] + '.'))
        shown = {place(k) for k in range(len(kept['node']))}
        left = [abs(c) for key, c in amount.items() if key[1].startswith(names[layer] + '.') and set(key) <= shown
                and key not in dict(drawn)]
        assert max(left, default=0) <= least * (1 + 1e-5), (layer, least, max(left))
    total = sum(abs(float(b['current'])) for b in branches)
    assert abs(sum(abs(current) for _, current in drawn) / total - share / 100) < 6e-3 * share / 100, (total, share)

    for ending in 'svg', 'png', 'pdf':
        said = run('settle', 'dense', *DB, '--circuit', 'nodes', '--plot', 'circuit.' + ending).stderr
        assert f'circuit.{ending}: Sample 0' in said and os.path.getsize(os.path.join(folder, 'circuit.' + ending)) > 2000, said


def test_what_has_no_circuit():
    refused('settle', 'dense', *DB, '--circuit', 'wires', says='--circuit')
    refused('settle', 'dense', *DB, '--circuit', 'nodes', '--neurons', 'h1', says='--neurons')
    refused('settle', 'dense', *DB, '--circuit', 'nodes', '--samples', '3', says='--circuit')
    refused('settle', 'dense', *DB, '--circuit', 'nodes', '--sample', '99', says='there is no sample 99')
    wires = ['device=linear', 'device.mapping=single', 'network.biases=false', 'array.wire.r_word=1 ohm']
    run('train', *DB, '--name', 'wires', *SETS(*DENSE, *wires))
    refused('settle', 'wires', *DB, '--circuit', 'nodes', says='--circuit: with wires', code=None)
    assert not page_of('wires')
    run('train', *DB, '--name', 'neurons', *SETS('train.epochs=1', 'rule=ep', 'dataset.train=100'))
    refused('settle', 'neurons', *DB, '--circuit', 'nodes', says='dynamics=resistive', code=None)
    assert not page_of('neurons')


main([test_ideal_diodes, test_junctions_and_amplifiers, test_amplifiers_that_differ, test_by_ngspice, test_convolution_with_a_border,
      test_devices_conduct_beside_their_weight, test_pictures, test_what_has_no_circuit])
