"""Every committed netlist runs in ngspice and prints what its comments expect; written anew, it expects the same."""
import glob
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile

mho = os.environ['MHO']
source = os.environ['MHO_SOURCE']
program = shutil.which('ngspice')
EXPECT = re.compile(r'^\* expect (\S+) = (\S+) \+- (\S+)', re.M)
PRINTED = re.compile(r'^(\w+) = (\S+)\s*$', re.M)


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def expected(path):
    text = open(path, encoding='utf-8').read()
    found = {name: (float(value), float(margin)) for name, value, margin in EXPECT.findall(text)}
    assert found, f'{path} expects nothing'
    return found


def check(path):
    """Run by the program where it is installed, else by the library in a child of mho's; the number of values."""
    want = expected(path)
    if not program:
        r = run(mho, 'netlist', '--check', path)
        assert r.returncode == 0, f'{path}: {r.stdout}{r.stderr}'
        return len(want)
    r = run(program, '-b', path)
    assert r.returncode == 0, f'{path}: exit code {r.returncode}\n{r.stdout}{r.stderr}'
    got = dict(PRINTED.findall(r.stdout))
    for name, (value, margin) in want.items():
        assert name in got, f'{path}: no {name} in\n{r.stdout}'
        assert abs(float(got[name]) - value) <= margin, f'{path}: {name} = {got[name]}, expected {value} +- {margin}'
    assert margin_matters(want, got), f'{path}: the margins let anything pass'
    return len(want)


def text_of(path):
    """With 9 digits a number: the last ones are the processor's."""
    text = open(path, encoding='utf-8').read()
    return re.sub(r'\d+\.\d{6,}(e[-+]?\d+)?', lambda m: f'{float(m[0]):.9g}', text)


def margin_matters(want, got):
    """A tenth of the largest value is no margin."""
    most = max(abs(value) for value, _ in want.values())
    return most > 0 and all(margin < 1e-3 * most for _, margin in want.values())


if 'ngspice          yes' not in run(mho, '--version', '-v').stdout:
    print('skipped: this build has no ngspice')
    sys.exit(77)
committed = sorted(glob.glob(os.path.join(source, 'netlists', '*.cir')))
assert len(committed) >= 12, committed
values = sum(check(path) for path in committed)
print(f'{len(committed)} netlists, {values} values, run by {program or "the library"}')
r = run(mho, 'netlist', '--check', *committed[:4])
assert r.returncode == 0 and r.stdout.count('pass') == 4, r.stdout + r.stderr

with tempfile.TemporaryDirectory() as folder:
    r = run(os.path.join(source, 'netlists', 'regenerate'), mho, folder)
    assert r.returncode == 0, r.stderr
    for path in committed:
        fresh = os.path.join(folder, os.path.basename(path))
        assert os.path.exists(fresh), f'{fresh} is not written any more'
        old, new = expected(path), expected(fresh)
        assert old.keys() == new.keys(), path
        # within what single precision leaves open of the states that drive the circuit: it differs between processors
        slack = 2e-6 * max(abs(value) for value, _ in old.values())
        for name, (value, margin) in old.items():
            assert abs(new[name][0] - value) <= margin + slack, f'{path}: {name} {value} {new[name][0]}'
    for path in glob.glob(os.path.join(folder, '*.lib')):
        model = os.path.join(source, 'models', os.path.basename(path))
        assert os.path.exists(model), f'{model} is not committed: run netlists/regenerate'
        assert text_of(model) == text_of(path), f'{model} is out of date: run netlists/regenerate'
print('written anew, they expect the same')

# ---- the circuit that the run reads: its I-V law, read voltage, drift, mapping; or one sentence
NUMBER = r'(-?[\d.]+(?:e[-+]?\d+)?)'
DEVICE = ['--set', 'device.model=linear', '--set', 'device.g_min=20 uS', '--set', 'device.g_max=120 uS', '--set',
          'array.model=periphery', '--set', 'network.biases=true']
NET = os.path.join(source, 'netlists', 'network.yaml')


def law(name, g, v):
    """Current of a device of slope g at v, by the published formulas (Milo 2021 for hfo2)."""
    if name == 'sinh':
        return g * math.sinh(3 * v) / 3
    if name == 'polynomial':
        return g * (v + 0.2 * v * v + 0.7 * v ** 3)
    x = math.log10(min(max(g, 50e-6), 225e-6))
    scale = g / min(max(g, 50e-6), 225e-6)
    return (g * v + scale * (1.388e-4 * x ** 3 + 1.541e-3 * x ** 2 + 5.711e-3 * x + 7.063e-3) * v ** 2
            + scale * (8.871e-5 * x ** 2 + 6.7919e-4 * x + 1.2968e-3) * v ** 3)


LAWS = {'sinh': ['device.iv.law=sinh', 'device.iv.b=3'],
        'polynomial': ['device.iv.law=polynomial', 'device.iv.k2=0.2', 'device.iv.k3=0.7'],
        'hfo2': ['device.iv.law=hfo2']}


def words(keys):
    return [w for k in keys for w in ('--set', k)]


def written(path, *more):
    r = run(mho, 'netlist', NET, *DEVICE, *more, '--layer', 'h1-h2', '--out', path)
    assert r.returncode == 0, r.stderr
    return open(path, encoding='utf-8').read(), r.stderr


def by_hand(text, name, back):
    """Currents at the sense lines from the voltages and conductances of a netlist without wires."""
    volts = {int(k): float(v) for k, v in re.findall(rf'^Vin(\d+) \S+ 0 {NUMBER}$', text, re.M)}
    out = {}
    for sign, i, j, gs in re.findall(rf'^X([pn])_(\d+)_(\d+) \S+ \S+ cell gs={NUMBER}$', text, re.M):
        driven, sensed = (int(j), int(i)) if back else (int(i), int(j))
        out[sensed] = out.get(sensed, 0) + (1 if sign == 'p' else -1) * law(name, float(gs), volts[driven])
    return out, volts


def test_laws(folder):
    for name, keys in LAWS.items():
        for back in ([], ['--transposed']):
            path = os.path.join(folder, f'{name}.cir')
            text, _ = written(path, *words(keys), *words(['array.read_voltage=0.3 V']), *back)
            out, volts = by_hand(text, name, back)
            want = expected(path)
            most = max(abs(v) for v, _ in want.values())
            assert len(out) == len(want) >= 6, (name, back, len(out), len(want))
            assert all(abs(out[k] - want[f'out{k}'][0]) < 1e-9 * most for k in out), (name, back, out, want)
            if not back:
                assert abs(volts[max(volts)] - 0.3) < 1e-12, volts  # the bias: an activity of 1
            check(path)
            if name != 'hfo2':
                written(path, *words(keys), *back, '--r-word', '5 ohm', '--r-bit', '3 ohm')
                check(path)
        r = run(mho, 'cosim', NET, *DEVICE, *words(keys), '--layer', 'h1-h2')
        assert r.returncode == 0 and r.stdout.count('pass') == 2, r.stdout + r.stderr
    # what the currents would be were the devices resistors is far from it: cosim compares the bent ones
    wired = run(mho, 'cosim', NET, *DEVICE, *words(LAWS['sinh']), *words(['array.wire.r_word=1 ohm']), '--layer', 'h1-h2')
    assert wired.returncode == 0 and 'allowed 0.01' in wired.stdout, wired.stdout + wired.stderr
    r = run(mho, 'netlist', NET, *DEVICE, *words(LAWS['hfo2']), '--layer', 'h1-h2', '--r-word', '1 ohm')
    assert r.returncode == 2 and 'hfo2' in r.stderr, r


def test_trained(folder):
    """What a trained network does in both phases, of images that it is sure of and of others."""
    db = os.path.join(folder, 'trained.db')
    r = run(mho, 'train', os.path.join(source, 'examples', 'quickstart.yaml'), '--name', 'trained', '--db', db)
    assert r.returncode == 0, r.stderr
    for sample in range(4):
        path = os.path.join(folder, f'trained_{sample}.cir')
        r = run(mho, 'netlist', 'trained', '--db', db, '--network', '--sample', str(sample), '--out', path)
        assert r.returncode == 0, r.stderr
        check(path)


def test_drift_and_mappings(folder):
    path = os.path.join(folder, 'aged.cir')
    slopes = rf'^X[pn]_\d+_\d+ \S+ \S+ cell gs={NUMBER}$'
    for mapping in ('differential', 'reference', 'offset', 'one_sided'):
        keys = words([*LAWS['sinh'], f'device.mapping={mapping}', 'device.drift.law=power', 'device.drift.nu=0.1',
                      'device.stuck_on=0.1', 'device.open=0.1'])
        now, later = ([float(g) for g in re.findall(slopes, written(path, *keys, *after)[0], re.M)]
                      for after in ([], ['--after', '1h']))
        assert len(now) == len(later) > 50, mapping
        ratio = [b / a for a, b in zip(now, later)]
        fixed = [r for r in ratio if abs(r - 1) < 1e-6]  # offset: a fixed current
        assert bool(fixed) == (mapping == 'offset'), (mapping, fixed)
        assert all(abs(r - 180 ** -0.1) < 1e-5 or abs(r - 1) < 1e-6 for r in ratio), (mapping, ratio)
        check(path)
        r = run(mho, 'cosim', NET, *DEVICE, *keys, '--after', '1h', '--layer', 'h1-h2')
        assert r.returncode == 0 and r.stdout.count('pass') == 2, r.stdout + r.stderr
    aged = run(mho, 'cosim', NET, '--set', 'device.model=linear', *words(['device.drift.law=power', 'device.open=0.1']),
               '--after', '1h', '--what', 'network')
    assert aged.returncode == 0 and '3600 s after programming' in aged.stdout, aged.stdout + aged.stderr


def test_array_spice_drifts(folder):
    """The loss a year after programming is the same whether ngspice reads the arrays or the core does."""
    db = os.path.join(folder, 'a.db')
    drift = words(['device=linear', 'device.drift.law=power', 'device.drift.nu=0.3', 'dataset.train=60', 'dataset.test=20'])
    r = run(mho, 'train', NET, *drift, '--set', 'train.epochs=1', '--set', 'train.batch=20', '--name', 'aged', '--db', db)
    assert r.returncode == 0, r.stderr
    loss = []
    for model in ('ideal', 'spice'):
        r = run(mho, 'eval', 'aged', '--db', db, '--after', '1y', '--json', '--set', f'array.model={model}')
        assert r.returncode == 0, r.stderr
        found = json.loads(r.stdout)
        loss.append((found['loss'], found['after'][-1]['loss']))
    assert abs(loss[0][0] - loss[0][1]) > 1e-3, loss
    assert all(abs(a - b) < 1e-4 for a, b in zip(*loss)), loss


def test_left_out(folder):
    plain, said = written(os.path.join(folder, 'plain.cir'), *words([*LAWS['sinh'], 'array.model=ideal']))
    assert '\nRp_0_0' in plain and 'do not show device.iv.law' in said, said
    _, said = written(os.path.join(folder, 'plain.cir'), *words(['array.adc_bits=8', 'array.read_noise=0.01']))
    assert 'not in the circuit: array.read_noise, array.adc_bits' in said, said
    plain = ['--set', 'network.biases=false']
    for verb, keys, says in ((['netlist', '--network'], LAWS['sinh'], 'device.iv.law'),
                             (['cosim', '--what', 'network'], LAWS['sinh'], 'device.iv.law'),
                             (['netlist', '--network'], ['neuron.variation.gain=0.1'], 'neuron.variation'),
                             (['cosim', '--what', 'network'], ['neuron.saturation=2'], 'neuron.saturation'),
                             (['train', '--no-db'], ['settle.method=spice', *LAWS['sinh']], 'device.iv.law'),
                             (['train', '--no-db'], ['settle.method=spice', 'array.adc_bits=8'], 'converters'),
                             (['train', '--no-db'], ['settle.method=spice', 'array.wire.r_bit=1 ohm'], 'array.wire'),
                             (['train', '--no-db'], ['settle.method=spice', 'array.model=spice'], 'array.model'),
                             (['train', '--no-db'], ['settle.method=spice', 'neuron.variation.offset=0.1'], 'neuron.variation')):
        r = run(mho, verb[0], NET, *verb[1:], *DEVICE, *plain, *words(keys))
        assert r.returncode == 2 and says in r.stderr, (verb, keys, r.returncode, r.stderr)


with tempfile.TemporaryDirectory() as folder:
    test_laws(folder)
    test_trained(folder)
    test_drift_and_mappings(folder)
    test_array_spice_drifts(folder)
    test_left_out(folder)
print('I-V laws, read voltage, drift and mappings are those of the run')
