"""What neurons that spike have become is kept with a run and shown in its report: held against `mho settle` and exported weights."""
import csv
import io
import json
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


main([test_stdp, test_layers_with_signed_weights, test_programmed_chip, test_thresholds_travel, test_without])
