"""mho program: weights onto other chips and devices, as runs that every other verb takes."""
import ast
import json
import math
import os
import signal
import struct
import subprocess

import mho
from mho import MHO, folder, lines, refused, run, write

DB = ['--db', 'p.db']
NET = ['--set', 'network.hidden=[12]', '--set', 'train.epochs=4']


def matrix(path):
    """A .npy file of float64 without NumPy, all numbers in one list."""
    with open(os.path.join(folder, path), 'rb') as f:
        data = f.read()
    n = int.from_bytes(data[8:10], 'little')
    rows, cols = ast.literal_eval(data[10:10 + n].decode())['shape']
    return struct.unpack(f'<{rows * cols}d', data[10 + n:])


def weights(name):
    run('export', name, '--weights', 'w.' + name, *DB)
    return {k: matrix(f'w.{name}/{k}.w.npy') for k in ('x-h1', 'h1-out')}


def program(source, *sets, **more):
    """The chips, and the summary."""
    words = [w for s in sets for w in ('--set', s)]
    for k, v in more.items():
        words += ['--' + k, str(v)]
    *chips, done = lines('program', source, *words, '--json', *DB)
    assert done['event'] == 'done' and [c['event'] for c in chips] == ['chip'] * done['chips'], done
    return chips, done


def rms(a, b):
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b)) / len(a))


def correlation(a, b):
    n, ma, mb = len(a), sum(a) / len(a), sum(b) / len(b)
    return sum((x - ma) * (y - mb) for x, y in zip(a, b)) / n / rms(a, [ma] * n) / rms(b, [mb] * n)


def value(sql):
    return run('query', '--csv', sql, *DB).stdout.splitlines()[1]


def make():
    run('train', *NET, '--set', 'device=linear', '--name', 'lin', *DB)
    run('train', *NET, '--name', 'flt', *DB)


def test_exact():
    """On the same device, and on any other of any range and mapping that takes an exact write, the weights are the parent's."""
    for source in ('lin', 'flt'):
        parent, w = lines('show', source, '--json', *DB)[0], weights(source)
        for sets in ([], ['device=linear', 'device.g_max=3 uS'], ['device=linear', 'device.mapping=reference'], ['device=ideal'],
                     ['device=linear', 'device.mapping=one_sided', 'device.weight_range=8']):
            (chip,), done = program(source, *sets, name='x')
            x = weights('x')
            for k in w:
                top = max(map(abs, w[k]))
                assert max(abs(a - b) for a, b in zip(w[k], x[k])) < 1e-6 * top * 10, (source, sets, k)
            assert chip['accuracy'] == parent['final_test_acc'] == done['mean'] == done['source'], (source, sets)
            assert chip['clipped'] == 0 and all(c['rms'] < 2e-6 for c in chip['connections'])
            row, = lines('show', 'x', '--json', *DB)
            assert (row['kind'], row['parent'], row['status'], row['epochs_done']) == ('programmed', parent['id'], 'completed', 0)
            assert row['final_test_acc'] == chip['accuracy'] and row['id'] == chip['run']
            assert lines('eval', 'x', '--json', *DB)[0]['accuracy'] == chip['accuracy']


def test_range():
    """On another device w_max is the largest weight, or more where device.weight_range asks for it; on its own it stays."""
    w, built = weights('lin'), {'x-h1': 3 * math.sqrt(6 / (64 + 12)), 'h1-out': 3 * math.sqrt(6 / (12 + 10))}
    for sets, want in ((['device.g_max=3 uS'], {k: max(map(abs, v)) for k, v in w.items()}),
                       (['device=linear', 'device.start=0.4'], {k: max(map(abs, v)) / 0.8 for k, v in w.items()}),
                       (['device.mapping=reference', 'device.weight_range=9'], {k: 3 * v for k, v in built.items()}),
                       (['device.levels=4'], built)):
        (chip,), _ = program('lin', *sets)
        for c in chip['connections']:
            assert abs(c['w_max'] / want[c['name']] - 1) < 1e-6, (sets, c, want)


def test_levels():
    """16 levels: each cell is at the nearest of k/15; the weights and their error follow from the parent's."""
    (chip,), done = program('lin', 'device.levels=16', name='sixteen')
    w, x = weights('lin'), weights('sixteen')
    with open(os.path.join(folder, 'w.lin', 'weights.json'), encoding='utf-8') as f:
        ranges = {m['name']: m['w_max'] for m in json.load(f)['matrices']}
    for c in chip['connections']:
        assert abs(c['w_max'] - ranges[c['name']]) < 1e-9, c
        want = []
        for v in w[c['name']]:
            half = 0.5 * v / c['w_max']
            want.append(c['w_max'] * (round((0.5 + half) * 15) - round((0.5 - half) * 15)) / 15)
        near = sum(abs(a - b) < 1e-5 for a, b in zip(want, x[c['name']]))
        assert near >= 0.99 * len(want), (c['name'], near, len(want))  # a few lie on the border of two levels
        assert abs(c['rms'] - rms(x[c['name']], w[c['name']])) < 1e-6 * c['w_max'], c
    stored = float(value("SELECT w_error FROM layer_epoch WHERE layer = 0 AND run_id = '%s'" % chip['run']))
    assert abs(stored / chip['connections'][0]['rms'] - 1) < 1e-6, stored


def test_chips():
    """Chips differ by their seed and come again with it; mean and spread are of what is printed."""
    sets = ['device.model=soft_bounds', 'device.cycle_to_cycle=0.3', 'device.variation.step=0.3', 'device.variation.g_high=0.1',
            'update.scheme=pulses']
    chips, done = program('lin', *sets, chips=3, name='soft')
    acc = [c['accuracy'] for c in chips]
    assert [c['seed'] for c in chips] == [1, 2, 3] and all(c['pulses'] > 100 for c in chips)
    mean = sum(acc) / 3
    assert abs(done['mean'] - mean) < 1e-9 and abs(done['std'] - math.sqrt(sum((a - mean) ** 2 for a in acc) / 2)) < 1e-9
    w = weights('lin')
    x = [weights(f'soft-{i}') for i in (1, 2, 3)]
    for k in w:
        assert x[0][k] != x[1][k] != x[2][k] != x[0][k]
        for y in x:
            assert 0.9 < correlation(w[k], y[k]) < 0.999999, (k, correlation(w[k], y[k]))
    # chips are independent: what two of them miss is not the same
    miss = [[a - b for a, b in zip(y['x-h1'], w['x-h1'])] for y in x]
    assert abs(correlation(miss[0], miss[1])) < 0.3, correlation(miss[0], miss[1])
    (again,), _ = program('lin', *sets, seed=2, name='again')
    assert again['accuracy'] == acc[1] and weights('again') == x[1]
    # grandchildren are on a chip of their own
    (next_,), _ = program('soft-3')
    assert next_['seed'] == 4
    assert int(value("SELECT n FROM v_study WHERE point_hash = (SELECT point_hash FROM run WHERE name = 'soft-3')")) == 3
    # a card or a model begins a new device: nothing of the old one is left
    program('soft-1', 'device.model=linear', name='plain')
    assert float(value("SELECT json_extract(config, '$.device.variation.step') FROM run WHERE name = 'plain'")) == 0
    program('soft-1', 'device.levels=64', name='kept')
    assert float(value("SELECT json_extract(config, '$.device.variation.step') FROM run WHERE name = 'kept'")) == 0.3


def test_clipped():
    """Cells of their own bounds: the share that they cannot hold, said and stored."""
    (chip,), done = program('flt', 'device=linear', 'device.variation.g_high=0.4', 'device.variation.g_low=0.4', name='tight')
    assert 0 < chip['clipped'] < 0.9 and done['clipped'] == chip['clipped']
    p = run('program', 'flt', '--set', 'device=linear', '--set', 'device.variation.g_high=0.4', *DB)
    assert 'device.weight_range' in p.stdout and 'clipped' in p.stdout
    n = sum(c['rows'] * c['cols'] for c in chip['connections'])
    assert abs(sum(c['clipped'] * c['rows'] * c['cols'] for c in chip['connections']) / n - chip['clipped']) < 1e-6


def test_other_verbs():
    """Whatever takes a run takes a programmed one."""
    (chip,), _ = program('lin', 'device.card=pcm', name='pcm')
    run('eval', 'pcm', '--after', '1h,1d', *DB)
    run('settle', 'pcm', '--sample', '0', *DB)
    run('netlist', 'pcm', *DB)
    shown = run('show', 'pcm', *DB).stdout
    assert 'programmed' in shown and 'as programmed' in shown and 'epochs ' not in shown, shown
    assert lines('show', 'lin', '--json', *DB)[0]['id'] in shown
    assert 'programmed' in run('runs', *DB).stdout
    run('report', 'pcm', '-o', 'pcm.html', *DB)
    with open(os.path.join(folder, 'pcm.html'), encoding='utf-8') as f:
        page = f.read()
    assert 'Learning curves' not in page and 'Nothing was trained here' in page and 'mho program' in page
    run('train', *NET, '--set', 'device.card=pcm', '--set', 'device.refresh.every=1000', '--set', 'update.rate=0', '--set',
        'train.epochs=1', '--set', 'train.seeds.chip=1',
        '--from', 'pcm', '--name', 'on', *DB)
    a, b = weights('pcm'), weights('on')
    assert all(abs(x - y) < 1e-6 for k in a for x, y in zip(a[k], b[k]))
    refused('train', '--resume', 'pcm', *DB, says='complete')
    # to another database and back
    run('export', 'pcm', '--checkpoints', '-o', 'pcm.jsonl', *DB)
    run('import', 'pcm.jsonl', '--db', 'elsewhere.db')
    assert lines('eval', 'pcm', '--json', '--db', 'elsewhere.db')[0]['accuracy'] == chip['accuracy']
    # a programmed run never stands for a training of the same config
    write('same.yaml', run('show', 'pcm', '--config', *DB).stdout.replace('epochs: 4', 'epochs: 1'))
    assert value('SELECT count(DISTINCT config_hash) = count(*) FROM run WHERE name IN (\'pcm\', \'on\', \'lin\')') == '1'


def test_folder():
    """Weights of a folder, of the network that its weights.json or a config names."""
    run('export', 'lin', '--weights', 'fold', *DB)
    (chip,), done = program(os.path.join(folder, 'fold'), 'device.levels=16', name='f')
    assert chip['accuracy'] == lines('eval', 'sixteen', '--json', *DB)[0]['accuracy'] and done['source'] is None
    assert value("SELECT coalesce(parent, 'none') || kind FROM run WHERE name = 'f'") == 'noneprogrammed'
    os.remove(os.path.join(folder, 'fold', 'weights.json'))
    refused('program', 'fold', *DB, says=['weights.json', '--config'])
    write('net.yaml', 'network: {hidden: [12]}\ndevice: linear\n')
    (same,), _ = program('fold', config='net.yaml')
    assert same['accuracy'] == lines('show', 'lin', '--json', *DB)[0]['final_test_acc']
    write('other.yaml', 'network: {hidden: [9]}\n')
    refused('program', 'fold', '--config', 'other.yaml', *DB, says=['64 x 12', '64 x 9'])


def test_refusals():
    before = value('SELECT count(*) FROM run')
    refused('program', 'nobody', *DB, says='nobody')
    refused('program', 'lin', '--config', 'net.yaml', *DB, says='--config')
    refused('program', 'lin', '--set', 'device.levls=4', *DB, says='device.levels')
    refused('program', 'lin', '--set', 'update.scheme=pulses', '--set', 'program.initial=exact', *DB, says=['update.scheme', 'leave one'])
    refused('program', 'lin', '--set', 'network.hidden=[9]', *DB, says=['64 x 12', '64 x 9'])
    refused('program', 'lin', '--seed', '3', '--set', 'train.seeds.chip=4', *DB, says=['--seed', 'train.seeds.chip'])
    refused('program', *DB, says='which run', code=None)
    assert value('SELECT count(*) FROM run') == before


def test_interrupted():
    p = subprocess.Popen([MHO, 'program', 'lin', '--chips', '5000', '--name', 'many', *DB], cwd=folder, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    while not p.stdout.readline().split()[:1] == ['3']:
        pass
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=100)
    assert p.returncode == 130 and 'those are kept' in err, (p.returncode, err)
    kept = int(value("SELECT count(*) FROM run WHERE name LIKE 'many-%' AND status = 'completed'"))
    assert 3 <= kept < 5000 and f'over {kept} chips' in out, (kept, out[-300:])
    assert value("SELECT count(*) FROM run WHERE status = 'running'") == '0'


make()
mho.main([test_exact, test_range, test_levels, test_chips, test_clipped, test_other_verbs, test_folder, test_refusals, test_interrupted])
