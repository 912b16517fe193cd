"""What a circuit of spiking neurons is accepted by, against closed forms and the core: the period of a neuron under a constant
current, the time in which a trace decays, and the trains of nets of 3, 2 and 2 neurons that csdp and stdp have taught. (Writes
by the overlap of waveforms: waves.py.)
"""
import csv
import math
import os

from circuit import folder, in_order, need_ngspice, netlist, printed, program, times, write
from mho import main, run

TABLE = 'dataset: {name: table, path: x.csv, kind: classes, normalize: none, test: 4}\ndynamics: spiking\n'


def values_of(name, expects):
    """What ngspice prints, or without the program what has been found near to that."""
    return printed(name) if program else {k: v for k, (v, _) in expects.items()}


def train(name, config, *words):
    write(f'{name}.yaml', config)
    run('train', f'{name}.yaml', '--name', name, *words)


def test_periods_and_decay():
    """A one-shot of 3 ms and tau ln(j/(j - theta)), at five currents at least; traces that decay in 12 ms."""
    theta, hold, tau = 0.2, 3e-3, 20e-3
    write('x.csv', 'a,b,y\n' + '1,0,0\n1,0,1\n' * 4)
    train('periods', TABLE + 'rule: {name: stdp, window: exponential, tau_post: 12 ms}\nnetwork: {hidden: [10]}\ntrain: {epochs: 1}\n'
          'neuron: {synapse: current, tau: 20 ms, refractory: 3 ms, inhibit: none, winners: all, threshold: {value: 0.2, law: fixed}}\n'
          'update: {rate: 1e-9}\nsettle: {method: events, time: 120 ms, encode: {kind: direct}}\n')
    run('export', 'periods', '--weights', 'w', '--format', 'csv')
    with open(os.path.join(folder, 'w', 'x-h1.w.csv'), encoding='utf-8') as f:
        weights = [float(v) for v in list(csv.reader(f))[0]]
    _, expects = netlist('periods', 'periods')
    got, seen = values_of('periods', expects), 0
    for j, drive in enumerate(weights):
        fired = [t for k, t in got.items() if k.startswith(f't_h1_{j}_')]
        if len(fired) < 2:
            continue
        seen += 1
        period = hold + tau * math.log(drive / (drive - theta))
        assert all(abs((b - a) / period - 1) < 0.01 for a, b in zip(fired, fired[1:])), (j, drive, fired, period)
    assert seen >= 5, (seen, weights)
    decays = times(got, 'decay_post_')
    assert len(decays) >= 5 and all(abs(t / 12e-3 - 1) < 0.01 for t in decays.values()), decays


PATTERNS = ((1, 0.2, 0.5), (0.2, 1, 0.5), (0.8, 0.9, 0.6), (0.3, 0.4, 1))
NEURON = 'neuron: {synapse: delta, reset: value, refractory: 2 ms, gain: {forward: 1}, threshold: {value: 0.4, law: fixed}%s}\n'


def same_trains(name):
    """Equal in order, and in time within a hundredth of tau."""
    _, expects = netlist(name, name, '--sample', '2')
    got = values_of(name, expects)
    spikes = times(expects)
    assert len(spikes) >= 6 and len({k.split('_')[1] for k in spikes}) == 2, (name, spikes)
    assert all(abs(got[k] - t) < 0.01 * 20e-3 for k, (t, _) in spikes.items()), (name, got, spikes)
    assert in_order({k: (got[k], 0) for k in spikes}) == in_order(spikes), (name, got, spikes)


def test_csdp():
    """csdp learns by a clock; what it has learned goes on between events, under a rule that does."""
    write('x.csv', 'a,b,c,y\n' + ''.join(f'{a},{b},{c},{i % 2}\n' for i, (a, b, c) in enumerate(PATTERNS)) * 5)
    net = 'network: {hidden: [2], output: counts%s}\ndevice: {model: vteam, mapping: differential, alpha_set: 1, alpha_reset: 1}\n'
    train('csdp', TABLE + 'rule: {name: csdp, negative: blend}\n' + net % ', lateral: false, back: false, context: none'
          + NEURON % '' + 'settle: {encode: {kind: poisson, rate: 150 Hz}}\ntrain: {epochs: 3, batch: 4}\n')
    train('csdp_events', TABLE + 'rule: perturb\n' + net % '' + NEURON % '' + 'settle: {method: events, time: 80 ms, encode: {kind: '
          'regular, rate: 150 Hz}}\nupdate: {scheme: exact, rate: 1e-9}\ntrain: {epochs: 1, batch: 4}\n', '--from', 'csdp')
    same_trains('csdp_events')


def test_stdp():
    write('x.csv', 'a,b,c,y\n' + ''.join(f'{a},{b},{c},{i % 2}\n' for i, (a, b, c) in enumerate(PATTERNS)) * 5)
    train('stdp', TABLE + 'rule: {name: stdp, window: exponential}\nnetwork: {hidden: [2, 2]}\n'
          + NEURON % ', inhibit: none, winners: all'
          + 'settle: {method: events, time: 80 ms, encode: {kind: regular, rate: 150 Hz}}\ntrain: {epochs: 3}\n')
    same_trains('stdp')


need_ngspice()
main([test_periods_and_decay, test_csdp, test_stdp])
