"""Neurons that spike as circuits: ngspice fires when the core does, which goes exactly from event to event.

A neuron under a constant current is held against its closed form besides; a circuit whose device is another one fails.
"""
import csv
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile

mho = os.environ['MHO']
EXPECT = re.compile(r'^\* expect (\S+) = (\S+) \+- (\S+)', re.M)
folder = tempfile.mkdtemp(prefix='mho-spikes-')


def run(*words, code=0):
    p = subprocess.run([mho, *words], cwd=folder, capture_output=True, text=True, timeout=900)
    assert code is None or p.returncode == code, f'mho {" ".join(words)}: exit {p.returncode}\n{p.stdout}{p.stderr}'
    return p


def write(name, text):
    with open(os.path.join(folder, name), 'w', encoding='utf-8') as f:
        f.write(text)


def expected(text):
    return {name: (float(value), float(margin)) for name, value, margin in EXPECT.findall(text)}


def netlist(name, subject, *words):
    """The netlist, and what it expects; it has passed."""
    run('netlist', subject, '--spikes', '--out', f'{name}.cir', *words)
    with open(os.path.join(folder, f'{name}.cir'), encoding='utf-8') as f:
        text = f.read()
    p = run('netlist', '--check', f'{name}.cir', code=None)
    print(p.stdout.strip() or p.stderr.strip())
    assert p.returncode == 0, (name, p.stdout, p.stderr)
    return text, expected(text)


def times(values, prefix='t_'):
    return {k: v for k, v in values.items() if k.startswith(prefix)}


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
    write('x_train_events.csv', 'time,unit,sample\n' + ''.join(f'{t},{u},{s}\n' for s in range(3) for t, u in (
        (0.004, 0), (0.0052, 1), (0.009, 2), (0.0091, 0), (0.018, 1), (0.0183, 2), (0.0186, 0), (0.03, s))))
    write('y_train.csv', '0\n1\n0\n')
    write('events.yaml', 'dataset: {name: events, path: .}\nrule: stdp\nnetwork: {hidden: [4]}\nsettle: {method: events, time: 40 ms}\n'
          'neuron: {inhibit: none, winners: all, threshold: {value: 0.7, law: fixed}}\ntrain: {epochs: 1}\n')
    text, all_of = netlist('events', 'events.yaml')
    part, few = netlist('few', 'events.yaml', '--neurons', '2')
    assert times(all_of) and few == {k: v for k, v in all_of.items() if re.match(r'\w+_h1_[01](_|$)', k)}
    assert 'r' in part and len(part) < len(text)


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
        words = [w for s in sets for w in ('--set', s)]
        p = run('netlist', 'pulses.yaml', '--spikes', *words, code=2)
        assert says in p.stderr and p.stderr.count('mho:') == 1, (sets, p.stderr)

    bad('settle.method: neurons of a circuit have no clock', 'settle.method=steps')
    bad('neuron.reset: subtract', 'neuron.reset=subtract')
    bad('neuron.inhibit', 'neuron.inhibit=line')
    bad('neuron.delay.forward', 'neuron.delay.forward=1 ms')
    bad('network.lateral', 'network.lateral=true')
    bad('array: noise', 'array.read_noise=0.01')
    bad('dynamics.name', 'dynamics=rate', 'settle.method=sweep', 'rule=ep')
    p = run('netlist', 'pulses.yaml', '--spikes', '--neurons', '9', code=2)
    assert 'layer h2 has only 6' in p.stderr, p.stderr
    assert '--neurons' in run('netlist', 'pulses.yaml', '--neurons', '2', code=None).stderr


if 'ngspice          yes' not in run('--version', '-v').stdout:
    print('skipped: this build has no ngspice')
    sys.exit(77)
failed = 0
for test in (test_constant_current, test_networks, test_files_of_spikes, test_another_device_fails, test_refused):
    try:
        test()
        print(f'ok    {test.__name__}')
    except Exception as e:  # an assertion's text is the report
        failed += 1
        print(f'FAIL  {test.__name__}: {type(e).__name__}: {e}')
shutil.rmtree(folder, ignore_errors=True)
sys.exit(failed > 0)
