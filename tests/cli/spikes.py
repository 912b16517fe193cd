"""What neurons that spike have become is kept with a run and shown in its report: held against `mho settle` and exported weights."""
import csv
import heapq
import io
import itertools
import json
import math
import os
import re

from mho import folder, lines, main, run, write
from png import decoded

WIDTH = HEIGHT = 8  # of the digits


def kept(name):
    row, = lines('query', f"SELECT CAST(data AS TEXT) AS text FROM artifact JOIN run ON run.id = run_id "
                 f"WHERE artifact.kind = 'spikes' AND run.name = '{name}'", '--json')
    return row['text']


def page(name):
    run('report', name, '-o', f'{name}.html')
    with open(os.path.join(folder, f'{name}.html'), encoding='utf-8') as f:
        return f.read()


def settled(name):
    """Moments of the first test sample: dicts of numbers and the layer's name."""
    text = run('settle', name, '--sample', '0').stdout
    return [{k: v if k == 'layer' else float(v) for k, v in row.items()} for row in csv.DictReader(io.StringIO(text))]


def weights(name, file):
    run('export', name, '--weights', f'{name}.weights', '--format', 'csv')
    with open(os.path.join(folder, f'{name}.weights', file)) as f:
        return [[float(v) for v in row] for row in csv.reader(f)]


def train(name, config, *sets):
    write(f'{name}.yaml', config)
    run('train', f'{name}.yaml', '--name', name, *[w for s in sets for w in ('--set', s)])


def check_sample(name, portrait):
    """Spikes and thresholds of the first test sample are those that a settle of it shows."""
    rows = settled(name)
    names = [layer['name'] for layer in portrait['layer']]
    fired = sorted((round(r['step'] * 1e-3, 9), names.index(r['layer']) + 1, int(r['neuron'])) for r in rows if r['spike'])
    assert fired and fired == sorted((round(t, 9), l, i) for t, l, i in portrait['spike'] if l > 0)
    for layer in portrait['layer']:
        last = {int(r['neuron']): r['theta'] for r in rows if r['layer'] == layer['name'] and r['step'] == rows[-1]['step']}
        assert len(last) == len(layer['threshold'])
        for i, threshold in enumerate(layer['threshold']):
            assert abs(threshold - last[i]) < 1e-5 * abs(last[i]), (name, layer['name'], i)


def check_rates(portrait):
    """Of one test sample they are its spikes."""
    assert any(l == 0 and i < portrait['inputs'] for _, l, i in portrait['spike']) and portrait['images'] == 1
    for l, layer in enumerate(portrait['layer'], 1):
        assert len(layer['rate']) == len(layer['threshold'])
        for i, rate in enumerate(layer['rate']):
            count = sum(s[1:] == [l, i] for s in portrait['spike'])
            assert abs(rate - count / portrait['seconds']) < 1e-4, (l, i)
    assert sum(sum(layer['rate']) for layer in portrait['layer']) > 0


def check_fields(name, portrait, file, low_is_zero):
    field, w = portrait['field'], weights(name, file)
    n = len(field['pixels'])
    shown = [w[i][j] for i in range(64) for j in range(n)]
    high = max(map(abs, shown))
    assert abs(field['high'] - high) < 1e-5 * high and abs(field['low'] + (0 if low_is_zero else high)) < 1e-5 * high
    for j, text in enumerate(field['pixels']):
        for i, v in enumerate(bytes.fromhex(text)):
            assert abs(v - 255 * (w[i][j] - field['low']) / (field['high'] - field['low'])) < 0.51, (j, i)
    pictures = re.findall(r'weights into neuron (\d+)".*?base64,([^"]*)"/></svg>\d+([^<]*)<', page(name))
    assert [int(i) for i, *_ in pictures] == list(range(n))
    votes = portrait['layer'][0].get('vote')
    for (i, text, said), pixels in zip(pictures, field['pixels']):
        assert decoded(text, WIDTH, HEIGHT, 1) == bytes.fromhex(pixels)
        vote = votes and votes[int(i)]
        assert said == ('' if votes is None else ', no vote' if vote is None else f', for {vote}'), said


def portrait_of(name):
    return json.loads(kept(name))


def fired_by_events(inputs, w, v, end):
    """Spikes of h1 and h2 that leaky neurons have fired by events: x -> h1 -> h2, 1.3 ms on the way, each neuron lowers the others of its
    layer by 0.2 after 0.7 ms; 2 ms refractory, threshold 0.6, reset to 0."""
    tau, weights = 20e-3, {1: w, 2: v}
    u = {l: [0.0] * len(m[0]) for l, m in weights.items()}
    last = {l: [0.0] * len(m[0]) for l, m in weights.items()}
    held = {l: [-1.0] * len(m[0]) for l, m in weights.items()}
    queue, fired, number = [], [], itertools.count()
    for t, i in inputs:
        heapq.heappush(queue, (t + 1.3e-3, next(number), 1, w[i]))
    while queue and queue[0][0] <= end:
        t, _, l, jump = heapq.heappop(queue)
        spikes = []
        for j, x in enumerate(jump):
            start = max(last[l][j], held[l][j])
            if t > held[l][j]:
                u[l][j] = u[l][j] * math.exp(-(t - start) / tau) + x
                last[l][j] = t
                if u[l][j] >= 0.6:
                    spikes.append(j)
        for j in spikes:
            u[l][j], held[l][j] = 0.0, t + 2e-3
            fired.append((t, l, j))
            if l == 1:
                heapq.heappush(queue, (t + 1.3e-3, next(number), 2, v[j]))
        if spikes:  # one read of the layer's own links, whose weights are 1 but for the diagonal
            heapq.heappush(queue, (t + 0.7e-3, next(number), l, [-0.2 * (len(spikes) - (j in spikes)) for j in range(len(jump))]))
    return fired


def test_events():
    """From event to event, spikes are those of a queue of events that shares nothing with mho; regular and random inputs."""
    for kind in ('regular', 'poisson'):
        name = f'events-{kind}'
        train(name, 'dynamics: spiking\nrule: perturb\ndataset: {train: 40, test: 1}\nnetwork: {hidden: [12, 7], lateral: true}\n'
              'neuron: {reset: value, refractory: 2 ms, threshold: {value: 0.6}, gain: {lateral: 0.2}, delay: {forward: 1.3 ms, lateral: 0.7 ms}}\n'
              f'settle: {{method: events, time: 150 ms, encode: {{kind: {kind}, rate: 90 Hz}}}}\ntrain: {{epochs: 1, batch: 20}}\n')
        p = portrait_of(name)
        assert abs(p['seconds'] - 0.15) < 1e-9
        check_rates(p)
        inputs = [(t, i) for t, l, i in p['spike'] if l == 0]
        own = [(t, l, i) for t, l, i in p['spike'] if l > 0]
        assert 'time' in settled(name)[0]
        reference = fired_by_events(inputs, weights(name, 'x-h1.w.csv'), weights(name, 'h1-h2.w.csv'), 0.15)
        assert len(own) > 40 and {l for _, l, _ in own} == {1, 2} and len(own) == len(reference), (kind, len(own), len(reference))
        for (t, *at), (s, *there) in zip(sorted(own), sorted(reference)):
            assert at == there and abs(t - s) < 1e-6, (kind, t, at, s, there)
        assert '<h2>Spikes</h2>' in page(name)


STDP = 'dynamics: spiking\ndataset: {train: 60, test: 1}\nnetwork: {hidden: [70]}\ntrain: {epochs: 2}\n'


def test_stdp():
    train('stdp', STDP)
    p = portrait_of('stdp')
    assert (p['sample'], p['images'], p['inputs']) == (0, 1, 64) and abs(p['seconds'] - 0.1) < 1e-9
    check_sample('stdp', p)
    check_rates(p)
    assert len(p['field']['pixels']) == 64  # of 70 neurons
    check_fields('stdp', p, 'x-h1.w.csv', True)
    votes = p['layer'][0]['vote']
    assert len(votes) == 70 and len({v for v in votes if v is not None}) >= 5
    text = page('stdp')
    assert text.count('<h2>Spikes</h2>') == 1 and all(x in text for x in ('Spikes of the first test sample', 'Rates of hidden neurons',
                                                                        'Thresholds of hidden neurons'))


def test_layers_with_signed_weights():
    """Two layers that learn by a perturbation, on pairs of devices."""
    train('two', 'dynamics: spiking\nrule: perturb\ndataset: {train: 60, test: 1}\nnetwork: {hidden: [12, 7]}\n'
          'neuron: {threshold: {value: 0.3, law: layer}}\ndevice: linear\ntrain: {epochs: 1, batch: 20}\nsettle: {rest: 20}\n')
    p = portrait_of('two')
    assert [layer['name'] for layer in p['layer']] == ['h1', 'h2'] and abs(p['seconds'] - 0.12) < 1e-9
    assert 'vote' not in p['layer'][1]
    check_rates(p)
    check_fields('two', p, 'x-h1.w.csv', False)


def test_programmed_chip():
    run('program', 'stdp', '--set', 'device.variation.step=0.2', '--name', 'chip')
    p = portrait_of('chip')
    check_sample('chip', p)
    assert '<h2>Spikes</h2>' in page('chip')


def thresholds(name):
    return [v for layer in portrait_of(name)['layer'] for v in layer['threshold']]


def test_thresholds_travel():
    """Adapted thresholds go with the weights of a run, onto a chip and into a training; a folder has none."""
    own = thresholds('stdp')
    assert max(own) - min(own) > 0.02 and thresholds('chip') == own
    begins = ['train.epochs=1', 'dataset.train=1', 'neuron.threshold.gain=1e-9']
    write('on.yaml', STDP)
    sets = [w for s in begins for w in ('--set', s)]
    run('train', 'on.yaml', '--name', 'on', '--from', 'stdp', *sets)
    assert all(abs(a - b) < 1e-5 for a, b in zip(thresholds('on'), own))
    p = run('train', 'on.yaml', '--name', 'anew', '--from', 'stdp.weights', *sets)
    assert 'no thresholds, which begin anew' in p.stderr, p.stderr
    assert max(thresholds('anew')) - min(thresholds('anew')) < 1e-5
    p = run('train', 'on.yaml', '--name', 'other', '--from', 'stdp', *sets, '--set', 'neuron.threshold.law=spike', '--set', 'neuron.threshold.plus=0')
    assert max(thresholds('other')) - min(thresholds('other')) < 1e-5


def test_without():
    """Neurons that do not spike, and runs that keep nothing."""
    train('rates', 'dataset: {train: 40, test: 10}\nnetwork: {hidden: [5]}\ntrain: {epochs: 1, batch: 10}\n')
    train('bare', STDP, 'checkpoint.every=0')
    for name in ('rates', 'bare'):
        assert lines('query', f"SELECT 1 FROM artifact JOIN run ON run.id = run_id WHERE artifact.kind = 'spikes' AND run.name = '{name}'", '--json') == []
        assert '<h2>Spikes</h2>' not in page(name)


def test_settle_shows_no_trial():
    """What is shown of a network that learns by perturbations is the network, not a perturbed one."""
    write('trial.yaml', 'dynamics: spiking\nrule: perturb\ndataset: {name: digits, train: 100, test: 5}\nnetwork: {hidden: [8]}\n'
          'settle: {steps: 30}\nneuron: {threshold: {value: 0.4}}\n')
    shown = [run('settle', 'trial.yaml', '--sample', '1', '--set', f'rule.size={size}').stdout for size in ('0.01', '2')]
    assert shown[0] == shown[1] and shown[0].count('\n') > 30


main([test_settle_shows_no_trial, test_events, test_stdp, test_layers_with_signed_weights, test_programmed_chip, test_thresholds_travel, test_without])
