"""Datasets of spikes through the command: what encoders make, drawn again by NumPy, gives the same networks; potentials under given
spikes in closed form; every form of the files, threads, resume, subsets; and what is refused."""
import csv
import io
import json
import math
import os
import sqlite3
import sys

sys.dont_write_bytecode = True
import numpy as np  # noqa: E402

from mho import folder, lines, main, refused, run, write  # noqa: E402

UNITS, TRAIN, TEST = 12, 40, 20
draw = np.random.default_rng(7)


def put(name, arrays):
    """An .npz file."""
    np.savez(os.path.join(folder, name), **arrays)
    return name


def samples(n):
    """Numbers of three classes, in single precision as a network gets them."""
    y = np.arange(n) % 3
    x = np.clip(draw.normal(0.25, 0.1, (n, UNITS)), 0.05, 1)
    for i, c in enumerate(y):
        x[i, 4 * c:4 * c + 4] += 0.4
    return x.astype(np.float32).astype(float), y


X, Y = samples(TRAIN)
XT, YT = samples(TEST)
for part, x, y in (('train', X, Y), ('test', XT, YT)):
    np.save(write(f'table/x_{part}.npy', ''), x)
    np.save(write(f'table/y_{part}.npy', ''), y)
TABLE = 'dataset: {name: table, path: table, kind: classes, normalize: none}\n'
EVENTS = 'dataset: {name: events, path: %s}\n'


def events_of(times):
    """Rows time, unit, sample of a list of times for every sample and unit, in no order."""
    rows = [(t, i, s) for s, units in enumerate(times) for i, all_of in enumerate(units) for t in all_of]
    return draw.permutation(np.array(rows, float))


def results(name, config, *sets):
    """What a training says of its epochs, without times and names."""
    write(f'{name}.yaml', config)
    rows = lines('train', f'{name}.yaml', '--name', name, '--json', *[w for s in sets for w in ('--set', s)])
    keys = ('epoch', 'train_acc', 'test_acc', 'loss', 'test_loss', 'pulses')
    return [[r.get(k) for k in keys] for r in rows if 'epoch' in r and 'test_acc' in r]


# ---------------------------------------------------------------- what encoders make

def latency(x, threshold=0.1, tau=20e-3):
    """When a neuron that x charges has reached the threshold."""
    return [[[-tau * math.log1p(-threshold / v)] if v > threshold else [] for v in row] for row in x]


LEARNERS = {
    'stdp': 'network: {hidden: [15]}\nneuron: {threshold: {value: 0.8}}\ntrain: {epochs: 3}\n',
    'perturb': 'rule: perturb\nnetwork: {hidden: [9]}\nneuron: {threshold: {value: 0.2, law: layer}}\ntrain: {epochs: 3, batch: 10}\n',
    'csdp': 'rule: csdp\nnetwork: {hidden: [9]}\ntrain: {epochs: 2, batch: 10}\n',
}


def test_latency():
    """Trainings by files with the times that the encoder makes are those with the encoder, by a clock and by events."""
    put('latency.npz', {'x_train_events': events_of(latency(X)), 'y_train': Y, 'x_test_events': events_of(latency(XT)), 'y_test': YT})
    for rule, config in LEARNERS.items():
        more = ', threshold: 0.1' if rule == 'csdp' else ''
        own = results(f'{rule}-own', TABLE + 'dynamics: spiking\n' + config + f'settle: {{encode: {{kind: latency{more}}}}}\n')
        given = results(f'{rule}-given', EVENTS % 'latency.npz' + config)
        assert own == given and len({str(r) for r in own}) > 1, (rule, own, given)
    by_events = 'neuron: {threshold: {value: 0.2}}\nsettle: {method: events, time: 60 ms%s}\ntrain: {epochs: 2, batch: 10}\n'
    own = results('events-own', TABLE + 'dynamics: spiking\nrule: perturb\n' + by_events % ', encode: {kind: latency}')
    given = results('events-given', EVENTS % 'latency.npz' + 'rule: perturb\n' + by_events % '')
    assert own == given and own[0][3] is not None, (own, given)


def philox(counter, key):
    """Philox4x32-10 (Salmon et al., SC11) of counters [n x 4]."""
    c = [counter[:, i].astype(np.uint64) for i in range(4)]
    k0, k1 = key & 0xffffffff, key >> 32
    low, half = np.uint64(0xffffffff), np.uint64(32)
    for _ in range(10):
        p0, p1 = c[0] * np.uint64(0xd2511f53), c[2] * np.uint64(0xcd9e8d57)
        c = [(p1 >> half) ^ c[1] ^ np.uint64(k0), p1 & low, (p0 >> half) ^ c[3] ^ np.uint64(k1), p0 & low]
        k0, k1 = (k0 + 0x9e3779b9) & 0xffffffff, (k1 + 0xbb67ae85) & 0xffffffff
    return np.stack(c, 1)


def uniform(seed, stream, step, cells):
    """Numbers in (0, 1) of cells: the top 23 bits of their words and a half."""
    n = np.asarray(cells)
    blocks = np.stack([n // 4, np.full_like(n, step & 0xffffffff), np.full_like(n, step >> 32), np.full_like(n, stream)], 1)
    words = philox(blocks, seed)[np.arange(len(n)), n % 4]
    return ((words >> np.uint64(9)).astype(np.float64) + 0.5) / 2 ** 23


READ, SPIKE = 5, 9  # purposes of random numbers, mho_rng_use


def noise_seed(seed):
    w = philox(np.array([[READ, 0, 0, 0xffffffff]]), seed)[0]
    return int(w[1]) << 32 | int(w[0])


def drawn(kind, rate, dt, steps, epoch):
    """Steps of the inputs of all test samples in the evaluation after an epoch, whose spikes are in the middle of steps."""
    update = 1 << 43 | epoch << 22
    seed, stream, cells = noise_seed(1), SPIKE << 24, np.arange(TEST * UNITS)
    each = XT.ravel() * rate * dt
    fired = [[[] for _ in range(UNITS)] for _ in range(TEST)]
    phase = uniform(seed, stream, update << 20, cells)
    for t in range(1, steps + 1):
        if kind == 'poisson':
            now = uniform(seed, stream, update << 20 | t, cells) < each
        else:
            now = np.floor(phase + t * each) > np.floor(phase + (t - 1) * each)
        for at in np.nonzero(now)[0]:
            fired[at // UNITS][at % UNITS].append((t - 0.5) * dt)
    return fired


def test_random():
    """An evaluation by the spikes that the encoder draws, drawn again by Philox written anew."""
    for kind in ('poisson', 'regular'):
        spikes = drawn(kind, 120, 1e-3, 80, 2)
        assert sum(len(u) for s in spikes for u in s) > 500
        config = 'dynamics: spiking\nrule: perturb\nnetwork: {hidden: [9]}\nneuron: {threshold: {value: 0.3}}\ntrain: {epochs: 2, batch: 10}\n'
        results(f'rate-{kind}', TABLE + config + f'settle: {{steps: 80, encode: {{kind: {kind}, rate: 120 Hz}}}}\n')
        file = put(f'{kind}.npz', {'x_train_events': events_of(latency(X)), 'y_train': Y, 'x_test_events': events_of(spikes), 'y_test': YT})
        own, = lines('eval', f'rate-{kind}', '--json')
        sets = ['dataset.name=events', f'dataset.path={file}', 'settle.encode.kind=events']
        given, = lines('eval', f'rate-{kind}', '--json', *[w for s in sets for w in ('--set', s)])
        assert given['loss'] == own['loss'] and given['accuracy'] == own['accuracy'], (kind, own, given)
        other = put('other.npz', {'x_train_events': events_of(latency(X)), 'y_train': Y, 'x_test_events': events_of(latency(XT)), 'y_test': YT})
        given, = lines('eval', f'rate-{kind}', '--json', *[w for s in sets[::2] + [f'dataset.path={other}'] for w in ('--set', s)])
        assert given['loss'] != own['loss']


# ---------------------------------------------------------------- potentials

def settled(name, sample):
    text = run('settle', name, '--sample', str(sample), '--neurons', 'h1').stdout
    return [row for row in csv.DictReader(io.StringIO(text)) if row['layer'] == 'h1']


def weights(name):
    run('export', name, '--weights', f'{name}.w', '--format', 'csv')
    return np.loadtxt(os.path.join(folder, f'{name}.w', 'x-h1.w.csv'), delimiter=',')


QUIET = 'rule: stdp\nnetwork: {hidden: [4]}\ntrain: {epochs: 1}\n'


def some_events(n, seconds):
    return [[list(draw.uniform(0, seconds, draw.integers(0, 4))) for _ in range(UNITS)] for _ in range(n)]


def test_potentials():
    """Between events: two exponentials for each spike of the file (tau 20 ms, tau_s 5 ms); by the clock: leaps that leak."""
    train, test = some_events(TRAIN, 0.08), some_events(TEST, 0.08)
    put('some.npz', {'x_train_events': events_of(train), 'y_train': Y, 'x_test_events': events_of(test), 'y_test': YT})
    tau, tau_s = 20e-3, 5e-3
    results('exact', EVENTS % 'some.npz' + QUIET + 'neuron: {synapse: current, threshold: {value: 1e6}}\nsettle: {method: events, time: 90 ms}\n')
    results('clock', EVENTS % 'some.npz' + QUIET + 'neuron: {threshold: {value: 1e6}}\nsettle: {steps: 90, order: layered}\n')
    for sample in (0, 7):
        w = weights('exact')
        rows = settled('exact', sample)
        assert len({r['time'] for r in rows}) >= len([t for u in test[sample] for t in u])
        for r in rows:
            t, j = float(r['time']), int(r['neuron'])
            u = sum(w[i, j] * tau_s / (tau_s - tau) * (math.exp(-(t - k) / tau_s) - math.exp(-(t - k) / tau))
                    for i, unit in enumerate(test[sample]) for k in unit if k <= t)
            assert abs(u - float(r['u'])) < 1e-6, (r, u)
        w = weights('clock')
        for r in settled('clock', sample):
            n, j = int(r['step']), int(r['neuron'])
            u = sum(w[i, j] * math.exp(-(n - k) * 1e-3 / tau) for i, unit in enumerate(test[sample])
                    for k in {math.ceil(t / 1e-3) for t in unit} if k <= n)
            assert abs(u - float(r['u'])) < 1e-6, (r, u)


# ---------------------------------------------------------------- files and trainings

CONFIG = 'network: {hidden: [10]}\nneuron: {threshold: {value: 0.8}}\ntrain: {epochs: 2}\n'


def test_forms():
    """One matrix, three arrays, text, other units of time, any order: the same training."""
    a, b = events_of(some_events(TRAIN, 0.08)), events_of(some_events(TEST, 0.08))
    put('form.npz', {'x_train_events': a, 'y_train': Y, 'x_test_events': b, 'y_test': YT})
    first = results('form', EVENTS % 'form.npz' + CONFIG)
    np.savez_compressed(os.path.join(folder, 'packed.npz'), x_train_events=a[np.lexsort(a.T)], y_train=Y, x_test_events=b, y_test=YT)
    words = ('times', 'units', 'samples')
    columns = {f'x_{part}_{w}': v[:, k] if k == 0 else v[:, k].astype(np.int32) for part, v in (('train', a), ('test', b))
               for k, w in enumerate(words)}
    put('columns.npz', {**columns, 'y_train': Y.astype(np.uint8), 'y_test': YT})
    for name, v in {**columns, 'y_train': Y, 'y_test': YT}.items():
        np.save(write(f'arrays/{name}.npy', ''), v)
    for part, v, y in (('train', a, Y), ('test', b, YT)):
        write(f'text/x_{part}_events.csv', 'time,unit,sample\n' + ''.join(f'{t!r},{int(u)},{int(s)}\n' for t, u, s in v.tolist()))
        write(f'text/y_{part}.csv', ''.join(f'{c}\n' for c in y))
    for path in ('packed.npz', 'columns.npz', 'arrays', 'text'):
        assert results('other', EVENTS % path + CONFIG) == first, path
    put('micro.npz', {'x_train_events': a * [1e6, 1, 1], 'y_train': Y, 'x_test_events': b * [1e6, 1, 1], 'y_test': YT})
    micro = 'dataset: {name: events, path: micro.npz, time_unit: 1 us, shape: [%s]}\n'
    assert results('micro', micro % UNITS + CONFIG) == first and results('micro', micro % '3, 4' + CONFIG) == first
    assert results('micro', micro % '2, 2, 3' + CONFIG) == first


def test_subsets():
    """The first samples are those of a file that has no others; without a test part a fifth of them is one."""
    a, b = events_of(some_events(TRAIN, 0.08)), events_of(some_events(TEST, 0.08))
    put('all.npz', {'x_train_events': a, 'y_train': Y, 'x_test_events': b, 'y_test': YT})
    put('few.npz', {'x_train_events': a[a[:, 2] < 17], 'y_train': Y[:17], 'x_test_events': b[b[:, 2] < 9], 'y_test': YT[:9]})
    few = results('few', EVENTS % 'few.npz' + CONFIG)
    assert few == results('subset', EVENTS % 'all.npz' + CONFIG, 'dataset.train=17', 'dataset.test=9')
    assert few != results('whole', EVENTS % 'all.npz' + CONFIG)
    moved = a[(a[:, 2] >= 32)] - [0, 0, 32]
    put('cut.npz', {'x_train_events': a, 'y_train': Y})
    put('apart.npz', {'x_train_events': a[a[:, 2] < 32], 'y_train': Y[:32], 'x_test_events': moved, 'y_test': Y[32:]})
    assert results('cut', EVENTS % 'cut.npz' + CONFIG) == results('apart', EVENTS % 'apart.npz' + CONFIG)
    held = results('held', EVENTS % 'all.npz' + CONFIG, 'dataset.validation=23', 'dataset.test=9')
    assert [r[:4] for r in held] == [r[:4] for r in few]


def test_threads_and_resume():
    config = EVENTS % 'latency.npz' + LEARNERS['perturb']
    one = results('threads', config, 'train.epochs=4')
    for n in (2, 4):
        write('threads.yaml', config)
        rows = lines('train', 'threads.yaml', '--json', '--threads', str(n), '--set', 'train.epochs=4')
        assert [r['loss'] for r in rows[:4]] == [r[3] for r in one], n
    for name, method in (('resumed', 'steps'), ('resumed-events', 'events')):
        text = EVENTS % 'latency.npz' + CONFIG + f'settle: {{method: {method}}}\n'
        write('whole.yaml', text)
        more = ['--db', f'{name}.db', '--set', 'train.epochs=6', '--json']
        whole = lines('train', 'whole.yaml', *more)
        with sqlite3.connect(os.path.join(folder, f'{name}.db')) as c:
            c.execute("DELETE FROM checkpoint WHERE kind = 'last'")
            c.execute("UPDATE checkpoint SET kind = 'last'")
            c.execute("UPDATE run SET status = 'interrupted'")
        again = lines('train', '--resume', 'last', '--db', f'{name}.db', '--json')
        assert again[-1]['final_test_acc'] == whole[-1]['final_test_acc'] and again[-1]['best_epoch'] == whole[-1]['best_epoch']
        tail = whole[-len(again):-1]
        assert [(r['epoch'], r['loss'], r['pulses']) for r in again[:-1]] == [(r['epoch'], r['loss'], r['pulses']) for r in tail]


def test_combinations():
    """Filters of conv over a shape, raster and report, chips."""
    write('conv.yaml', 'dataset: {name: events, path: latency.npz, shape: [3, 4]}\nrule: perturb\n'
          'network: {topology: conv, conv: 2x2 5}\nneuron: {threshold: {value: 0.2}}\ntrain: {epochs: 1, batch: 10}\n')
    run('train', 'conv.yaml')
    results('devices', EVENTS % 'latency.npz' + CONFIG + 'device: soft_bounds\n', 'dataset.shape=[3, 4]')
    run('report', 'devices', '-o', 'devices.html')
    with open(os.path.join(folder, 'devices.html'), encoding='utf-8') as f:
        assert '<h2>Spikes</h2>' in f.read()
    row, = lines('query', "SELECT CAST(data AS TEXT) AS text FROM artifact JOIN run ON run.id = run_id WHERE artifact.kind = 'spikes' "
                 "AND run.name = 'devices'", '--json')
    portrait = json.loads(row['text'])
    inputs = sorted((round(t * 1e3), i) for t, l, i in portrait['spike'] if l == 0)
    steps = sorted((math.ceil(t * 1e3), i) for i, all_of in enumerate(latency(XT)[0]) for t in all_of)
    assert inputs == steps and portrait['field']['width'] == 4
    chip, = [r for r in lines('program', 'devices', '--json') if 'accuracy' in r][:1]
    assert 0 <= chip['accuracy'] <= 1


def test_losses_are_said():
    rows = np.array([[0.5e-3, 0, 0], [0.7e-3, 0, 0], [0.3, 1, 0], [0.0, 2, 1], [0.0401, 2, 1]])
    put('lost.npz', {'x_train_events': rows, 'y_train': [0, 1], 'x_test_events': rows[:1], 'y_test': [1]})
    write('lost.yaml', EVENTS % 'lost.npz' + 'network: {hidden: [2]}\ntrain: {epochs: 1}\n')
    said = run('train', 'lost.yaml', '--set', 'settle.steps=40').stderr
    assert '2 of 6 events come after 0.04 s' in said and '1 of 6 events fall into a step' in said, said
    said = run('train', 'lost.yaml', '--set', 'settle.method=events', '--set', 'settle.time=0.1 s').stderr
    assert '1 of 6 events come after 0.1 s' in said and 'fall into' not in said, said
    assert 'events' not in run('train', 'lost.yaml', '--set', 'settle.steps=4000', '--set', 'settle.dt=0.1 ms').stderr


def test_refused():
    good = {'x_train_events': np.array([[0.01, 1, 0], [0.02, 3, 1]]), 'y_train': [0, 1]}
    write('bad.yaml', 'dataset: {name: events, path: bad.npz}\ntrain: {epochs: 1}\n')

    def bad(says, *sets, **arrays):
        put('bad.npz', {**good, **arrays})
        refused('train', 'bad.yaml', *[w for s in sets for w in ('--set', s)], says=says)

    def rows(*of):
        return {'x_train_events': np.array(of, float)}

    bad('time nan in row 1', **rows([math.nan, 1, 0], [0.02, 3, 1]))
    bad('time -0.5 in row 2', **rows([0.01, 1, 0], [-0.5, 3, 1]))
    bad('time inf in row 2', **rows([0.01, 1, 0], [math.inf, 3, 1]))
    bad('unit -1 in row 1', **rows([0.01, -1, 0], [0.02, 3, 1]))
    bad('unit 1.5 in row 1', **rows([0.01, 1.5, 0], [0.02, 3, 1]))
    bad(['unit 3 in row 2', 'from 0 to 2'], 'dataset.shape=3')
    bad(['sample 2 in row 2', 'from 0 to 1'], **rows([0.01, 1, 0], [0.02, 3, 2]))
    bad('label 300 in row 2', y_train=[0, 300])
    bad('one class', y_train=[0, 0])
    bad('no training sample has', y_test=[2], x_test_events=np.array([[0.1, 0, 0]]))
    bad('no array y_test', x_test_events=np.array([[0.1, 0, 0]]))
    bad('4 columns', x_train_events=np.zeros((3, 4)))
    bad('4 numbers', 'dataset.shape=[1,2,3,4]')
    bad('are more than', 'dataset.shape=[5000,5000]')
    bad('dataset.name: events are spikes', 'dynamics=rate')
    for kind in ('poisson', 'regular', 'latency', 'direct'):
        bad('settle.encode.kind', f'settle.encode.kind={kind}')
    bad('dataset.normalize', 'dataset.normalize=columns')
    bad('dataset.crop', 'dataset.crop=1')
    bad('rule.negative', 'rule=csdp', 'rule.negative=blend')
    bad('numbers, and no events', 'dataset.name=digits', 'dataset.path=', 'dynamics=spiking', 'settle.encode.kind=events')
    put('bad.npz', {'x_train_times': [0.1, 0.2], 'x_train_units': [1, 2], 'x_train_samples': [0], 'y_train': [0, 1]})
    refused('train', 'bad.yaml', says='has 2 numbers')
    write('bad.npz', 'no zip')
    refused('train', 'bad.yaml', says='no .npz file')
    refused('train', 'bad.yaml', '--set', 'dataset.path=', says='which events?')
    refused('train', 'bad.yaml', '--set', 'dataset.path=nowhere', says="there is no 'nowhere'")
    refused('train', 'bad.yaml', '--set', 'dataset.path=table', says='x_train_events')


main([test_latency, test_random, test_potentials, test_forms, test_subsets, test_threads_and_resume, test_combinations,
      test_losses_are_said, test_refused])
