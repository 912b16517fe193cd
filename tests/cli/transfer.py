"""Runs as files: exported, imported elsewhere and again, nothing is lost, doubled or trained twice; bad files are refused whole."""
import ast
import gzip
import json
import os
import signal
import struct
import subprocess
import time

import mho
from mho import MHO, folder, lines, refused, run, write

TABLES = ['run', 'epoch', 'layer_epoch', 'settle', 'energy_epoch', 'study', 'study_run', 'cosim', 'checkpoint']
STUDY = """study: tiny
set: {train.epochs: 2, network.hidden: [8], device: soft_bounds, update: {scheme: pulses}}
vary:
  array.read_noise: [0, 1e-3]
seeds: 2
"""


def rows(db, tables=TABLES):
    """Everything in the tables, as text; what numbers a database gives itself left out."""
    return {t: run('query', '--csv', f'SELECT * FROM {t} ORDER BY 1, 2, 3', '--db', db).stdout for t in tables}


def text(name):
    with open(os.path.join(folder, name)) as f:
        return f.read()


def make():
    write('tiny.yaml', STUDY)
    run('sweep', 'tiny.yaml', '--db', 'a.db', '--jobs', '1')
    run('train', '--set', 'train.epochs=2', '--set', 'network.hidden=[8]', '--name', 'solo', '--db', 'a.db')
    # one that is not finished
    run('train', '--set', 'train.epochs=4', '--set', 'network.hidden=[8]', '--name', 'whole', '--db', 'a.db')
    subprocess.run(['python3', '-c', 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); '
                    "c.execute(\"UPDATE run SET status = 'running', pid = 1 WHERE name = 'whole'\"); c.commit()",
                    os.path.join(folder, 'a.db')], check=True)


def test_there_and_back():
    assert 'unfinished' in run('export', 'tiny', 'solo', 'whole', '-o', 'a.jsonl', '--db', 'a.db').stderr
    run('export', 'tiny', 'solo', '-o', 'a.jsonl.gz', '--db', 'a.db')
    with gzip.open(os.path.join(folder, 'a.jsonl.gz'), 'rt') as f:
        assert f.read() == text('a.jsonl') == run('export', 'tiny', 'solo', '--db', 'a.db').stdout
    assert '5 new' in run('import', 'a.jsonl', '--db', 'b.db').stdout
    a, b = rows('a.db'), rows('b.db')
    assert len(b['checkpoint'].splitlines()) == 1
    ids = [x.split(',')[0] for x in b['run'].splitlines()[1:]]
    for t in TABLES[:-1]:
        kept = [x for x in a[t].splitlines()[1:] if t in ('study', 'study_run') or x.split(',')[0] in ids]
        assert kept == b[t].splitlines()[1:], t
    assert ' 0 new' in run('import', 'a.jsonl', 'a.jsonl.gz', '--db', 'b.db').stdout
    assert rows('b.db') == b
    run('db', 'check', 'b.db')
    assert run('export', '--all', '--db', 'b.db').stdout == text('a.jsonl')


def test_nothing_is_trained_twice():
    assert '4 done' in run('sweep', 'tiny.yaml', '--db', 'b.db', '--plan').stdout
    # the scripts below results/ look by name
    script = 'mho=$MHO; db=b.db; set -eu; . $MHO_SOURCE/results/run_once.sh; run_once solo --set train.epochs=2'
    p = subprocess.run(['sh', '-c', script], cwd=folder, capture_output=True, text=True, check=True)
    assert p.stdout == '', p.stdout
    os.makedirs(os.path.join(folder, 'kept'))
    os.rename(os.path.join(folder, 'a.jsonl.gz'), os.path.join(folder, 'kept', 'runs.jsonl.gz'))
    script = script.replace('b.db', 'c.db').replace('run_once solo', 'take_in kept/*; run_once solo')
    p = subprocess.run(['sh', '-c', script], cwd=folder, capture_output=True, text=True, check=True)
    assert p.stdout == '' and '5 new' in p.stderr, p


def test_checkpoints_go_on_elsewhere():
    run('export', 'solo', 'whole', '--checkpoints', '-o', 'state.jsonl', '--db', 'a.db')
    run('import', 'state.jsonl', '--db', 'd.db')
    assert run('eval', 'solo', '--json', '--db', 'd.db').stdout.split('"seconds"')[0] == \
        run('eval', 'solo', '--json', '--db', 'a.db').stdout.split('"seconds"')[0]
    query = "SELECT checkpoint.kind, epoch, hex(data) FROM checkpoint JOIN run ON id = run_id WHERE name = 'whole' ORDER BY 1"
    before = run('query', query, '--csv', '--db', 'a.db').stdout
    assert run('query', query, '--csv', '--db', 'd.db').stdout == before and len(before) > 1000
    run('train', '--resume', 'whole', '--db', 'd.db')
    assert 'completed' in run('runs', '--where', "name = 'whole'", '--db', 'd.db').stdout
    # and home again: what has grown takes the place of what has not
    run('export', 'whole', '-o', 'home.jsonl', '--db', 'd.db')
    assert '1 brought up to date' in run('import', 'home.jsonl', '--db', 'a.db').stdout
    run('db', 'check', 'a.db')


def test_killed_export():
    """An export that is killed in the middle, or whose file grows beyond a limit, leaves no file; one of another's is not kept."""
    run('train', '--db', 'big.db', '--set', 'network.hidden=[256]', '--set', 'dataset.train=100', '--set', 'train.epochs=1')
    os.makedirs(os.path.join(folder, 'out'))
    words = f'ulimit -f 128; exec {MHO} export --all --checkpoints -o out/big.jsonl --db big.db'
    p = subprocess.run(['sh', '-c', words], cwd=folder, capture_output=True, text=True)
    assert p.returncode == 1 and 'File too large' in p.stderr, p
    assert os.listdir(os.path.join(folder, 'out')) == [], os.listdir(os.path.join(folder, 'out'))
    for ms in (20, 40, 80):
        p = subprocess.Popen([MHO, 'export', '--all', '--checkpoints', '-o', 'out/big.jsonl', '--db', 'big.db'], cwd=folder)
        time.sleep(1e-3 * ms)
        p.send_signal(signal.SIGKILL)
        p.wait()
        for name in os.listdir(os.path.join(folder, 'out')):  # it was whole before
            with open(os.path.join(folder, 'out', name)) as f:
                assert name == 'big.jsonl' and f.read().splitlines()[-1].startswith('{"end":'), (ms, name)
            os.remove(os.path.join(folder, 'out', name))
    write('out/big.jsonl.part', 'of an earlier release')
    run('export', '--all', '--checkpoints', '-o', 'out/big.jsonl', '--db', 'big.db')
    assert os.listdir(os.path.join(folder, 'out')) == ['big.jsonl']
    run('import', 'out/big.jsonl', '--db', 'bigger.db')


def test_less():
    full, less = text('a.jsonl'), run('export', 'tiny', '--tables', 'none', '--db', 'a.db').stdout
    assert len(less) < len(full) / 2
    write('less.jsonl', less)
    run('import', 'less.jsonl', '--db', 'e.db')
    assert run('query', '--csv', 'SELECT count(*), (SELECT count(*) FROM epoch) FROM run', '--db', 'e.db').stdout.splitlines()[1] == '4,0'
    csv = run('export', 'tiny', '--csv', 'epoch', '--db', 'a.db').stdout.splitlines()
    assert len(csv) == 1 + 4 * 2 and csv[0].startswith('run_id,epoch,train_acc')
    run('export', 'solo', '--csv', 'run', '-o', 'solo.csv', '--db', 'a.db')
    assert text('solo.csv').count('\n') == 2


DEVICE = ['--set', 'network.hidden=[8]', '--set', 'device=soft_bounds', '--set', 'update.scheme=pulses', '--set', 'train.epochs=2']
TINY = ['--set', 'train.epochs=1', '--set', 'update.rate=1e-9', '--set', 'update.optimizer=sgd']  # leaves the weights as they are


def accuracy(name, db='f.db'):
    return lines('eval', name, '--json', '--db', db)[0]['accuracy']


def matrix(path):
    """A .npy file of float64 without NumPy: rows of numbers."""
    with open(os.path.join(folder, path), 'rb') as f:
        data = f.read()
    n = int.from_bytes(data[8:10], 'little')
    head = ast.literal_eval(data[10:10 + n].decode())
    assert data[:8] == b'\x93NUMPY\x01\x00' and (10 + n) % 64 == 0 and head['descr'] == '<f8' and not head['fortran_order']
    rows, cols = head['shape']
    v = struct.unpack(f'<{rows * cols}d', data[10 + n:])
    return [v[i * cols:(i + 1) * cols] for i in range(rows)]


def test_weights():
    run('train', *DEVICE, '--name', 'dev', '--db', 'f.db')
    run('train', '--set', 'network.hidden=[8]', '--set', 'train.epochs=5', '--name', 'float', '--db', 'f.db')
    run('export', 'dev', '--weights', 'dev', '--db', 'f.db')
    run('export', 'dev', '--weights', 'dev.csv', '--format', 'csv', '--db', 'f.db')
    run('export', 'float', '--weights', 'float.w', '--db', 'f.db')
    assert sorted(os.listdir(os.path.join(folder, 'float.w'))) == ['h1-out.w.npy', 'weights.json', 'x-h1.w.npy']
    w, p, n = (matrix(f'dev/x-h1.{k}.npy') for k in ('w', 'g_pos', 'g_neg'))
    assert len(w) == 64 and len(w[0]) == 8
    cells = [(i, j) for i in range(64) for j in range(8)]
    i, j = max(cells, key=lambda c: abs(w[c[0]][c[1]]))
    unit = (p[i][j] - n[i][j]) / w[i][j]  # S a weight: the same for all cells
    assert unit > 0
    for i, j in cells:
        assert 1e-6 * (1 - 1e-5) <= p[i][j] <= 1e-4 * (1 + 1e-5)
        assert abs((p[i][j] - n[i][j]) / unit - w[i][j]) < 1e-5, (i, j)
    assert text('dev.csv/x-h1.g_pos.csv') == ''.join(','.join('%.17g' % x for x in r) + '\n' for r in p)


def test_start_from():
    # (a rate of nearly 0 keeps what it starts from)
    for name, source in (('a', 'dev'), ('b', 'dev.csv'), ('c', lines('show', 'dev', '--json', '--db', 'f.db')[0]['id'])):
        run('train', *DEVICE, *TINY, '--from', source, '--name', name, '--db', 'f.db')
        run('export', name, '--weights', 'w.' + name, '--db', 'f.db')
        for k in ('x-h1.g_pos', 'h1-out.g_neg'):
            for r, q in zip(matrix(f'w.{name}/{k}.npy'), matrix(f'dev/{k}.npy')):
                assert all(abs(x - y) < 1e-11 for x, y in zip(r, q)), (name, k)
    # another device, other seed: the weights are programmed
    run('train', *TINY, '--set', 'network.hidden=[8]', '--from', 'float', '--seed', '7', '--name', 'd', '--db', 'f.db')
    assert accuracy('d') == accuracy('float')
    run('train', *DEVICE, *TINY, '--from', 'float', '--name', 'e', '--db', 'f.db')
    assert abs(accuracy('e') - accuracy('float')) < 0.05
    # a start is part of the config: another hash than the same run from drawn weights, and a resumed one starts there too
    hashes = [r['config_hash'] for r in lines('query', "SELECT config_hash FROM run WHERE name IN ('a', 'b', 'c')", '--json', '--db', 'f.db')]
    assert len(set(hashes)) == 3
    subprocess.run(['python3', '-c', 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); '
                    "c.execute(\"UPDATE run SET status = 'interrupted' WHERE name = 'd'\"); c.execute('DELETE FROM checkpoint "
                    "WHERE run_id = (SELECT id FROM run WHERE name = \\'d\\')'); c.commit()", os.path.join(folder, 'f.db')], check=True)
    run('train', '--resume', 'd', '--db', 'f.db')
    assert accuracy('d') == accuracy('float')


def brought(name, source, *sets, db='f.db'):
    """The largest difference of the weights of a training that starts there from the source's, and how it went."""
    p = run('train', '--set', 'network.hidden=[8]', '--set', 'update.rate=0', '--set', 'train.epochs=1', '--from', source, '--name',
            name, '--db', db, *[w for s in sets for w in ('--set', s)])
    run('export', name, '--weights', 'w.' + name, '--db', db)
    run('export', source, '--weights', 'w.' + source, '--db', db)
    worst = max(abs(a - b) for k in ('x-h1', 'h1-out') for r, q in zip(matrix(f'w.{name}/{k}.w.npy'), matrix(f'w.{source}/{k}.w.npy'))
                for a, b in zip(r, q))
    return worst, p.stderr


def test_other_devices():
    """A weight is a weight on any device, in any range, mapping and w_max; only the same device takes conductances."""
    run('train', '--set', 'network.hidden=[8]', '--set', 'device=linear', '--set', 'train.epochs=5', '--name', 'lin', '--db', 'f.db')
    # cells of their own bounds may clip, and charges leak in the 15 updates of an epoch
    exact = ['device.variation.g_low=0', 'device.variation.g_high=0', 'device.leak.lifetime=0']
    for i, sets in enumerate([['device=linear', 'device.g_max=10 uS'], ['device=linear', 'device.weight_range=6'],
                              ['device=linear', 'device.mapping=reference'], ['device=linear', 'device.mapping=one_sided'],
                              ['device=linear', 'device.mapping=offset'], ['device.card=ecram', *exact],
                              ['device.card=capacitor', *exact], ['device=linear'], ['device=ideal']]):
        worst, said = brought(f'o{i}', 'lin', *sets)
        assert worst < 2e-6 and 'clipped' not in said, (sets, worst, said)
    # references that err are a chip's own
    zero = ['device=linear', 'device.mapping=reference', 'device.zero_error=0.05', 'train.seeds.chip=7']
    run('train', '--set', 'network.hidden=[8]', *[x for s in zero for x in ('--set', s)], '--set', 'train.epochs=2', '--name', 'zero', '--db', 'f.db')
    for chip in 7, 8:
        worst, said = brought(f'zero{chip}', 'zero', *zero[:-1], f'train.seeds.chip={chip}')
        assert worst < 2e-6 and 'clipped' not in said, (chip, worst, said)
        same = matrix(f'w.zero{chip}/x-h1.g_neg.npy') == matrix('w.zero/x-h1.g_neg.npy')
        assert same == (chip == 7), chip
    # from a folder, with and without the page that says what its conductances are of
    sidecar = json.loads(text('w.lin/weights.json'))
    assert sidecar['device']['g_max'] == 1e-4 and [m['name'] for m in sidecar['matrices']] == ['x-h1', 'h1-out'], sidecar
    bound = (6 / (64 + 8)) ** 0.5  # the largest weight of a random start; device.weight_range is 3
    assert abs(sidecar['matrices'][0]['w_max'] - 3 * bound) < 1e-12, sidecar
    start = ['train', *TINY, '--set', 'network.hidden=[8]', '--set', 'device=linear', '--set', 'device.mapping=reference']
    for name in ('with', 'without'):
        if name == 'without':
            os.remove(os.path.join(folder, 'w.lin', 'weights.json'))
        run(*start, '--from', 'w.lin', '--name', name, '--db', 'f.db')
        assert accuracy(name) == accuracy('lin'), name


def test_range_of_brought_weights():
    """w_max holds the largest weight that comes and is kept by whatever loads the run; what is clipped is said."""
    rows, top = [[0.1 * (j - 3) for j in range(8)] for i in range(64)], 5.0
    rows[7][2] = top
    for name, m in (('x-h1', rows), ('h1-out', [[0.01 * (i + j) for j in range(10)] for i in range(8)])):
        write(f'big/{name}.w.csv', ''.join(','.join('%.17g' % x for x in r) + '\n' for r in m))
    still = ['--set', 'network.hidden=[8]', '--set', 'update.rate=0', '--set', 'train.epochs=2', '--set', 'device=linear']
    p = run('train', *still, '--from', 'big', '--name', 'big', '--db', 'f.db')
    assert 'clipped' not in p.stderr, p.stderr
    run('export', 'big', '--weights', 'w.big', '--db', 'f.db')
    assert max(abs(a - b) for r, q in zip(matrix('w.big/x-h1.w.npy'), rows) for a, b in zip(r, q)) < 1e-6 * top
    w_max = {m['name']: m['w_max'] for m in json.loads(text('w.big/weights.json'))['matrices']}
    assert w_max['x-h1'] == top and abs(w_max['h1-out'] - 3 * (6 / 18) ** 0.5) < 1e-12, w_max
    # a pair that starts off mid range reaches 2 min(start, 1 - start) of it
    p = run('train', *still, '--set', 'device.start=0.25', '--from', 'big', '--name', 'off', '--db', 'f.db')
    assert 'clipped' not in p.stderr, p.stderr
    wide, = lines('query', "SELECT w_absmax, w_range FROM layer_epoch JOIN run ON id = run_id WHERE run.name = 'off' AND layer = 0 "
                  'AND epoch = 2', '--json', '--db', 'f.db')
    assert abs(wide['w_range'] - 2 * top) < 1e-6 and abs(wide['w_absmax'] - top) < 1e-5, wide
    # cells of their own bounds cannot hold all: one line says what share, where, and which key
    p = run('train', *still, '--set', 'device.variation.g_high=0.3', '--from', 'big', '--no-db')
    said = [x for x in p.stderr.splitlines() if 'clipped' in x]
    assert len(said) == 1 and '% of x-h1' in said[0] and 'device.weight_range' in said[0], p.stderr
    # what is resumed or started from comes to the same range
    assert accuracy('big') == lines('eval', 'big', '--checkpoint', 'best', '--json', '--db', 'f.db')[0]['accuracy']
    subprocess.run(['python3', '-c', 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); '
                    "c.execute(\"UPDATE run SET status = 'interrupted', config = json_set(config, '$.train.epochs', 3) "
                    "WHERE name = 'big'\"); c.commit()", os.path.join(folder, 'f.db')], check=True)
    run('train', '--resume', 'big', '--db', 'f.db')
    run('export', 'big', '--weights', 'w.big3', '--db', 'f.db')
    for k in ('x-h1.w', 'x-h1.g_pos', 'h1-out.g_neg'):
        assert matrix(f'w.big3/{k}.npy') == matrix(f'w.big/{k}.npy'), k
    worst, said = brought('again', 'big', 'device=linear')
    assert worst == 0 and 'clipped' not in said
    # a folder whose conductances say something else than its weights, and one whose page is of something else
    run('export', 'off', '--weights', 'w.off', '--db', 'f.db')
    os.replace(os.path.join(folder, 'w.off', 'x-h1.g_pos.npy'), os.path.join(folder, 'w.big', 'x-h1.g_pos.npy'))
    refused('train', *still, '--from', 'w.big', '--no-db', says=['x-h1', 'g_pos', 'other weights'])
    write('w.off/weights.json', '{}')
    refused('train', *still, '--from', 'w.off', '--no-db', says=['weights.json', 'remove it'])


def test_stored_state_is_not_misread():
    """Keys that say what a stored state is are refused by name with the cure, by every verb that loads one; what reads it is free."""
    run('train', '--set', 'network.hidden=[8]', '--set', 'train.epochs=1', '--name', 'flt', '--db', 'f.db')
    before = accuracy('lin')
    for source in ('lin', 'flt'):
        for key in ('device.levels=16', 'device.weight_range=6', 'device.mapping=reference', 'device.card=pcm', 'device.g_max=10 uS',
                    'device.model=soft_bounds', 'device.start=0.4', 'device.stuck_on=0.1', 'device.variation.step=0.1'):
            p = refused('eval', source, '--db', 'f.db', '--set', key, says=['mho program ', '--set ', 'device.'])
            assert 'bytes' not in p.stderr
    for verb in (['settle', 'lin', '--sample', '0'], ['netlist', 'lin'], ['cosim', 'lin']):
        refused(*verb, '--db', 'f.db', '--set', 'device.mapping=reference', says=['device.mapping', 'mho program'])
    for key, says in (('network.hidden=[9]', 'another network'), ('network.init=fan_in', 'another network'),
                      ('update.scheme=pulses', 'update.scheme'), ('update.optimizer=sgd', 'update.optimizer'),
                      ('train.seed=7', 'chip'), ('train.seeds.chip=7', 'mho program')):
        refused('eval', 'lin', '--db', 'f.db', '--set', key, says=says)
    for key in ('device.read_noise.law=constant', 'device.iv.law=sinh', 'device.drift.law=power', 'array.wire.r_word=1 ohm',
                'train.seeds.noise=3', 'settle.free=20'):
        run('eval', 'lin', '--db', 'f.db', '--set', key)
    assert accuracy('lin') == before


def test_bad_starts():
    write('dev/h1-out.w.npy', b'\x93NUMPY\x01\x00\x10\x00', 'wb')
    refused('train', *DEVICE, '--from', 'dev', '--no-db', says=['h1-out.w.npy', 'cut short'])
    os.remove(os.path.join(folder, 'dev', 'h1-out.w.npy'))
    refused('train', *DEVICE, '--from', 'dev', '--no-db', says=['h1-out.w.npy', 'mho export --weights'])
    write('dev.csv/x-h1.w.csv', '1,2\n3,4\n')
    refused('train', *DEVICE, '--from', 'dev.csv', '--no-db', says=['64 x 8', '2 x 2'])
    write('dev.csv/x-h1.w.csv', '1,2\n3,what\n')
    refused('train', *DEVICE, '--from', 'dev.csv', '--no-db', says='x-h1.w.csv:2')
    with open(os.path.join(folder, 'float.w', 'x-h1.w.npy'), 'r+b') as f:
        f.seek(-8 * 8 * 3 + 8, os.SEEK_END)  # row 62, column 2 of 64 x 8
        f.write(struct.pack('<d', float('nan')))
    refused('train', '--set', 'network.hidden=[8]', '--from', 'float.w', '--no-db', says=['x-h1.w.npy', 'row 62, column 2', 'finite'])
    refused('train', '--set', 'network.hidden=[9]', '--from', 'float', '--db', 'f.db', says=['64 x 8', '64 x 9'])
    refused('train', '--from', 'nobody', '--db', 'f.db', says='nobody')
    refused('train', '--set', 'train.from=/nowhere', '--no-db', says='/nowhere')
    refused('export', 'float', '--weights', 'tiny.yaml', '--db', 'f.db', says='tiny.yaml')


def test_bad_files():
    before = rows('b.db')
    good = text('a.jsonl').splitlines(keepends=True)
    head = json.loads(good[0])

    def bad(name, lines, says):
        write(name, ''.join(lines))
        refused('import', name, '--db', 'b.db', says=says)
        assert rows('b.db') == before, name

    bad('text', ['hello\n'], ['text:1', 'no file of runs'])
    bad('empty', [''], ['empty', 'no file of runs'])
    bad('cut', good[:-1], 'cut short')
    bad('half', good[:-2] + [good[-2][:500]], ['half:%d' % (len(good) - 1), 'cut short'])
    bad('less', good[:-2] + good[-1:], 'should have 5 runs and has 4')
    bad('newer', [json.dumps({**head, 'schema': 99}) + '\n'] + good[1:], 'newer mho')
    names = {**head['tables'], 'run': head['tables']['run'] + ['pid) SELECT 1 --']}
    bad('sql', [json.dumps({**head, 'tables': names}) + '\n'] + good[1:], 'no column')
    table = json.loads(good[2])
    table['rows'] = {'sqlite_schema': [[1]]}
    bad('table', good[:2] + [json.dumps(table) + '\n'] + good[3:], 'sqlite_schema')
    row = json.loads(good[2])
    row['rows']['epoch'][0].pop()
    bad('row', good[:2] + [json.dumps(row) + '\n'] + good[3:], ['row:3', 'values'])
    status = json.loads(good[2])
    status['run'][head['tables']['run'].index('status')] = 'perhaps'
    status['run'][head['tables']['run'].index('id')] = 'another'
    bad('status', good[:2] + [json.dumps(status) + '\n'] + good[3:], 'status')
    packed = gzip.compress(text('a.jsonl').encode())
    write('cut.gz', packed[:len(packed) // 2], 'wb')
    refused('import', 'cut.gz', '--db', 'b.db', says='cut.gz')
    refused('import', 'nowhere', '--db', 'b.db', says=['nowhere', 'No such file'])
    refused('export', 'nobody', '--db', 'b.db', says='nobody')
    refused('export', 'solo', '--tables', 'epochs', '--db', 'b.db', says=["'epochs'", 'layer_epoch'])
    refused('export', 'solo', '--csv', 'weights', '--db', 'b.db', says=['weights', 'epoch'])
    refused('export', 'solo', '-o', 'nowhere/x', '--db', 'b.db', says='nowhere/x')
    refused('export', '--db', 'b.db', says='which runs', code=None)
    assert rows('b.db') == before
    run('db', 'check', 'b.db')


make()
mho.main([test_there_and_back, test_nothing_is_trained_twice, test_checkpoints_go_on_elsewhere, test_killed_export, test_less, test_weights, test_start_from,
          test_other_devices, test_range_of_brought_weights, test_stored_state_is_not_misread, test_bad_starts, test_bad_files])
