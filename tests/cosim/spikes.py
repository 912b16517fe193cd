"""Neurons that spike as circuits: ngspice fires when the core does, which goes exactly from event to event.

A neuron under a constant current is held against its closed form besides, a trace against the spikes that ngspice itself
has printed; a circuit whose device is another one fails. MHO_TEST_SLOW: all kinds of traces and lines, else some.
"""
import csv
import math
import os
import re

from circuit import events, expected, folder, in_order, need_ngspice, netlist, printed, program, times, write
from mho import main, refused, run

SLOW = bool(os.environ.get('MHO_TEST_SLOW'))


def test_constant_current():
    """Intervals of t_ref + tau ln(I/(I - theta)) from the first spike on, which has no t_ref; the core's, and so the circuit's."""
    write('x.csv', 'a,b,c\n0.4,0.2,0\n0.4,0.2,1\n0.4,0.2,0\n0.4,0.2,1\n')
    write('direct.yaml', 'dataset: {name: table, path: x.csv, kind: classes, normalize: none, test: 1}\ndynamics: spiking\nrule: stdp\n'
          'network: {hidden: [3]}\nneuron: {synapse: current, refractory: 3 ms, inhibit: none, winners: all, threshold: {value: 0.2, law: fixed}}\n'
          'settle: {method: events, time: 120 ms, encode: {kind: direct}}\nupdate: {rate: 1e-9}\ntrain: {epochs: 1}\n')
    run('train', 'direct.yaml', '--name', 'direct')
    run('export', 'direct', '--weights', 'w', '--format', 'csv')
    with open(os.path.join(folder, 'w', 'x-h1.w.csv'), encoding='utf-8') as f:
        w = [[float(v) for v in row] for row in csv.reader(f)]
    _, values = netlist('direct', 'direct')
    seen = 0
    for j in range(3):
        drive, t = 0.4 * w[0][j] + 0.2 * w[1][j], -3e-3
        theta = 0.2
        fired = times(values, f't_h1_{j}_')
        assert bool(fired) == (drive > theta), (j, drive, fired)
        for n in range(1, len(fired) + 1):
            t += 3e-3 + 20e-3 * math.log(drive / (drive - theta))
            value, margin = fired[f't_h1_{j}_{n}']
            assert abs(value - t) < 1e-7 and margin < 1e-2 * t, (j, n, value, t)
            seen += 1
        if fired:
            assert t + 3e-3 + 20e-3 * math.log(drive / (drive - theta)) > 0.12 - 15e-3
    assert seen >= 8, values


SPIKING = ('dataset: {name: digits, train: 20, test: 5}\ndynamics: spiking\nrule: perturb\ntrain: {epochs: 1, batch: 10}\n'
           'settle: {method: events, time: 50 ms, encode: {kind: %s, rate: 100 Hz}}\n')
CASES = {
    'pulses': (SPIKING % 'poisson' + 'network: {hidden: [8, 6]}\nneuron: {reset: value, threshold: {value: 0.4}, refractory: 1 ms}\n', 15),
    'currents': (SPIKING % 'regular' + 'network: {hidden: [6]}\nneuron: {synapse: current, reset_to: 0, threshold: {value: 0.1}}\n', 5),
    'devices': (SPIKING % 'latency' + 'network: {hidden: [5]}\ndevice: {model: linear, mapping: differential}\nupdate: {scheme: accumulate}\n'
                'neuron: {reset: value, reset_to: -0.1, rest: 0.02, threshold: {value: 0.3, spread: 0.1}, variation: {tau: 0.2}}\n', 3),
}


def test_networks():
    for name, (config, least) in CASES.items():
        write(f'{name}.yaml', config)
        _, values = netlist(name, f'{name}.yaml', '--sample', '1')
        assert len(times(values)) >= least, (name, values)


def test_files_of_spikes():
    """Events of a dataset, and the first neurons alone."""
    write('events.yaml', events('rule: stdp\nnetwork: {hidden: [4]}\nsettle: {method: events, time: 40 ms}\n'
                                'neuron: {inhibit: none, winners: all, threshold: {value: 0.7, law: fixed}}\n'))
    text, all_of = netlist('events', 'events.yaml')
    part, few = netlist('few', 'events.yaml', '--neurons', '2')
    assert times(all_of) and few == {k: v for k, v in all_of.items() if not re.match(r'\w+_h1_[23](_|$)', k)}
    assert 'r' in part and len(part) < len(text)


def trace(kind, tau, spikes, t):
    decayed = [math.exp((s - t) / tau) for s in spikes if s <= t]
    return sum(decayed) if kind == 'all' else max(decayed, default=0)


def test_traces():
    """Of rows and columns, in one layer or two, against the core's spikes and against those of the circuit itself."""
    tau = {'pre': 15e-3, 'post': 25e-3, 'slow': 40e-3}
    networks = (('delta', '[4, 3]', 0.7), ('current', '[4]', 0.2))
    for i, kind in enumerate(('all', 'nearest')):
        for synapse, hidden, threshold in networks if SLOW else networks[i:i + 1]:
            name = f'traces_{kind}_{synapse}'
            write(f'{name}.yaml', events(
                f'rule: {{name: stdp, window: exponential, traces: {kind}, tau_pre: 15 ms, tau_post: 25 ms, tau_slow: 40 ms}}\n'
                f'network: {{hidden: {hidden}}}\nsettle: {{method: events, time: 60 ms}}\nneuron: {{synapse: {synapse}, '
                f'refractory: 4 ms, inhibit: none, winners: all, threshold: {{value: {threshold}, law: fixed}}}}\n'))
            text, values = netlist(name, f'{name}.yaml')
            assert {k.split('_')[0] for k in values} >= {'decay', 'pre', 'post', 'slow', 't'}, values
            assert ('pre_h1_0_1' in values) == (hidden == '[4, 3]')  # the last layer is no row
            if program:
                got, seen = printed(name), 0
                for where, t in re.findall(r'^meas tran (p\w+|slow\w+) find .* at=(\S+)$', text, re.M):
                    side, layer, unit, _ = where.split('_')
                    fired = [got[k] for k in times(values, f't_{layer}_{unit}_')]
                    if layer != 'x':
                        want = trace(kind, tau[side], fired, float(t))
                        peak = max(trace(kind, tau[side], fired, s) for s in fired)
                        assert abs(got[where] - want) <= 1e-3 * peak, (name, where, got[where], want)
                        seen += 1
                assert seen >= 12, (name, values)
                assert all(abs(got[k] / tau[k.split('_')[1]] - 1) < 0.01 for k in times(values, 'decay_'))


def test_windows():
    """A row that spikes again before its window is over stays active until the window of the last spike is."""
    write('windows.yaml', events(
        'rule: {name: stdp, window: rectangular, tau_pre: 10 ms}\nnetwork: {hidden: [4, 3]}\nsettle: {method: events, time: 60 ms}\n'
        'neuron: {inhibit: none, winners: all, threshold: {value: 0.7, law: fixed}}\n'))
    text, values = netlist('windows', 'windows.yaml')
    off = {k: v for k, (v, _) in times(values, 'off_pre_x').items()}
    assert all(abs(off[f'off_pre_x_{i}'] - t) < 1e-9 for i, t in enumerate((0.0286, 0.0152, 0.0283))), off
    assert any(k.startswith('off_pre_h1') for k in values) and not any('h2' in k for k in times(values, 'off_')), values
    write('other.cir', re.sub(r'(window tau=)(\S+)', lambda m: f'{m[1]}{float(m[2]) * 1.05}', text))
    assert 'off_pre' in run('netlist', '--check', 'other.cir', code=None).stdout


LINE = ('rule: %s\nnetwork: {hidden: %s}\nsettle: {method: events, time: 60 ms}\nneuron: {inhibit: line, inhibit_time: 5 ms, '
        'winners: %s, synapse: %s, reset: %s, refractory: %s, threshold: {value: %s, law: fixed}}\n')
TRACES = '{name: stdp, window: exponential}'


def test_lines():
    """Neurons of a layer that hold each other: in several pulses more than one would cross, of which one or all may fire; a
    neuron that fires again while the others are held; two layers, traces beside it."""
    two = '[4, 3]'
    cases = {'one': (TRACES, two, 'one', 'delta', 'value', '0 s', 0.7), 'all': (TRACES, two, 'all', 'delta', 'value', '0 s', 0.7),
             'apart': ('stdp', two, 'one', 'delta', 'value', '12 ms', 0.5),
             'current': (TRACES, '[6]', 'one', 'current', 'value', '0 s', 0.15),
             'subtract': ('stdp', two, 'all', 'current', 'subtract', '2 ms', 0.1)}
    for name in cases if SLOW else ('one', 'apart', 'subtract'):
        case = cases[name]
        write(f'line_{name}.yaml', events(LINE % case))
        text, values = netlist(f'line_{name}', f'line_{name}.yaml')
        assert len(times(values)) >= 3, (name, values)
        if program:
            got = printed(f'line_{name}')
            spikes = {k: (got[k], 0) for k in times(values)}
            assert case[2] == 'all' or in_order(spikes) == in_order(values), (name, got)
            assert all(abs(got[k] - t) < 0.01 * 20e-3 for k, (t, _) in times(values).items()), (name, got, values)
    free = LINE % cases['one']
    write('free.yaml', events(free.replace('inhibit: line, inhibit_time: 5 ms, winners: one', 'inhibit: none, winners: all')))
    _, values = netlist('free', 'free.yaml')
    with open(os.path.join(folder, 'line_one.cir'), encoding='utf-8') as f:
        held = expected(f.read())
    assert len(times(values, 't_h1')) > len(times(held, 't_h1'))  # the line has done something
    refused('netlist', 'line_one.yaml', '--spikes', '--neurons', '2', says='--neurons: neurons of a layer that share a line')
    run('netlist', 'line_one.yaml', '--spikes', '--neurons', '3', '--out', 'whole.cir')


def test_direct_inputs_in_two_layers():
    """The first layer is driven as inputs are, the second by spikes; each alone, and with the lines of inhibition."""
    write('x.csv', 'a,b,c\n0.4,0.2,0\n0.4,0.2,1\n0.4,0.2,0\n0.4,0.2,1\n')
    for inhibit in 'inhibit: none, winners: all', 'inhibit: line, inhibit_time: 6 ms, winners: one':
        write('two.yaml', 'dataset: {name: table, path: x.csv, kind: classes, normalize: none, test: 1}\ndynamics: spiking\nrule: stdp\n'
              f'network: {{hidden: [4, 2]}}\nneuron: {{synapse: current, refractory: 3 ms, {inhibit}, threshold: {{value: 0.15, law: '
              'fixed}}\nsettle: {method: events, time: 60 ms, encode: {kind: direct}}\ntrain: {epochs: 1}\n')
        _, values = netlist('two', 'two.yaml')
        assert times(values, 't_h2_') and len(times(values, 't_h1_')) >= 4, values


def test_another_device_fails():
    """The same netlist with its strongest devices at half their resistance fires otherwise."""
    with open(os.path.join(folder, 'events.cir'), encoding='utf-8') as f:
        text = f.read()
    halved = re.sub(r'^(R\S+ \S+ \S+ )(\S+)$', lambda m: f'{m[1]}{float(m[2]) / 2:.9g}', text, flags=re.M)
    assert halved != text
    write('other.cir', halved)
    p = run('netlist', '--check', 'other.cir', code=None)
    assert p.returncode != 0, p.stdout


def test_refused():
    def bad(says, *sets):
        refused('netlist', 'pulses.yaml', '--spikes', *[w for s in sets for w in ('--set', s)], says=says)

    bad('settle.method: neurons of a circuit have no clock', 'settle.method=steps')
    bad('neuron.reset: subtract', 'neuron.reset=subtract')
    bad('neuron.inhibit: potentials that fall', 'neuron.inhibit=max')
    bad('neuron.delay.forward', 'neuron.delay.forward=1 ms')
    bad('network.lateral', 'network.lateral=true')
    bad('array: noise', 'array.read_noise=0.01')
    bad('dynamics.name', 'dynamics=rate', 'settle.method=sweep', 'rule=ep')
    refused('netlist', 'pulses.yaml', '--spikes', '--neurons', '9', says='layer h2 has only 6')
    assert '--neurons' in run('netlist', 'pulses.yaml', '--neurons', '2', code=None).stderr


need_ngspice()
main([test_constant_current, test_networks, test_files_of_spikes, test_traces, test_windows, test_lines, test_direct_inputs_in_two_layers,
      test_another_device_fails, test_refused])
