"""mho device curve --stdp: the change of a device by the waveforms of two spikes, against a closed form, and what is refused."""
import csv
import io
import math
import os

from mho import folder, main, refused, run, write

DEVICE = ['vteam', '--set', 'device.alpha_set=1', '--set', 'device.window=none', '--set', 'device.k_set=40', '--set', 'device.width=2 ms', '--set', 'device.g_min=1 uS',
          '--set', 'device.g_max=101 uS']


def table(*words):
    return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(io.StringIO(run('device', 'curve', *words).stdout))]


def change(d):
    """Of a normalized conductance: a tail 0.4 V exp(-t/20 ms), a pulse of 0.45 V for 1 ms, beyond 0.5 V."""
    start, end = max(d, 0), min(d + 1e-3, 20e-3 * math.log(8))
    return 0 if end <= start else 40 * (-0.1 * (end - start) + 0.8 * 20e-3 * (math.exp(-start / 20e-3) - math.exp(-end / 20e-3)))


def test_closed_form():
    write('tail.yaml', 'row: [0.4 V tau 20 ms for 100 ms]\ncolumn: -0.45 V for 1 ms\n')
    rows = table(*DEVICE, '--stdp', 'tail.yaml', '--set', 'device.start=0.3', '--plot', 'window.svg')
    g = [r['before_S'] for r in rows]
    assert len(rows) == 101 and len(set(g)) == 1
    assert abs(rows[0]['difference_s'] + 1e-3) < 1e-12 and abs(rows[-1]['difference_s'] - 0.1) < 1e-12
    peak = max(change(r['difference_s']) for r in rows)
    scale = 100e-6  # S of the whole range
    assert peak > 0.02 and abs(g[0] - 31e-6) < 1e-12
    for r in rows:
        assert abs(r['change_S'] - scale * change(r['difference_s'])) < 2e-6 * scale * peak, r
        assert abs(r['after_S'] - r['before_S'] - r['change_S']) < 1e-9 * r['before_S']
    with open(os.path.join(folder, 'window.svg')) as f:
        assert '<svg' in f.read()


def test_ends_and_other_models():
    write('ends.yaml', 'row: 1 V for 300 ns\ncolumn: -1 V for 300 ns\nfrom: 0 s\nto: 600 ns\npoints: 3\n')
    rows = table('soft_bounds', '--stdp', 'ends.yaml', '-o', 'window.csv')
    assert rows == []
    with open(os.path.join(folder, 'window.csv')) as f:
        rows = [{k: float(v) for k, v in r.items()} for r in csv.DictReader(f)]
    assert [r['difference_s'] for r in rows] == [0, 3e-7, 6e-7] and rows[0]['change_S'] > 0 and abs(rows[2]['change_S']) < 0.1 * rows[0]['change_S']
    # what half of the voltage does is the key of the weak pulses', which acts here
    weak = table('soft_bounds', '--stdp', 'ends.yaml', '--set', 'device.weak_pulse.slope=1')
    assert weak[2]['change_S'] > 100 * rows[2]['change_S'] > 0
    p = run('device', 'curve', 'soft_bounds', '--stdp', 'ends.yaml', '--set', 'device.variation.step=0.3', '--set', 'device.weak_pulse.slope=1')
    assert 'device.variation.step' in p.stderr and 'weak_pulse' not in p.stderr, p.stderr


def test_refused():
    for text, says in [('row: 0.3 V for\n', ['bad.yaml:1', 'row: piece 1']), ('row: 0.3 V for 1 us\ncol: 0.3 V for 1 us\n', ['bad.yaml:2', 'unknown key col', 'column']),
                       ('from: 1 us\nrow: 1 V for 1 us\nto: 0 s\n', ['must be below']), ('points: 3\n', ['no line has a waveform']),
                       ('row: 1 V for 1 us\npoints: 1\n', ['bad.yaml:2', 'points']), ('row: 1 V for 1 us\nfrom: 3\n', ['no unit']),
                       ('row: {a: 1 V for 1 us}\n', ['unknown key row.a']), ('row: 1 V for 1 us\nfrom: [1 us, 2 us]\n', ['not a list']),
                       ('row: 1 V for 1 us\nrow: 1 V for 1 us\n', ['given twice']), ('- 1\n', ['bad.yaml'])]:
        write('bad.yaml', text)
        refused('device', 'curve', 'vteam', '--stdp', 'bad.yaml', says=says)
    write('good.yaml', 'row: 1 V for 1 us\n')
    refused('device', 'curve', 'vteam', '--stdp', 'none.yaml', says='none.yaml')
    refused('device', 'curve', 'vteam', '--stdp', 'good.yaml', '--cycles', '2', says='--cycles is of curves by pulses')
    refused('device', 'curve', 'ideal', '--stdp', 'good.yaml', says='knows no pulses')
    refused('device', 'show', 'vteam', '--stdp', 'good.yaml', says='--stdp is of mho device curve')
    refused('device', 'curve', 'vteam', '--stdp', 'good.yaml', '--plot', 'x.gif', says='.gif')


main([test_closed_form, test_ends_and_other_models, test_refused])
