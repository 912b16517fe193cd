"""The cover of combinations: what mho shows of small networks against numpy, cell by cell.

  cover.py              every pair of values that runs, and every refusal (see combinations.py)
  cover.py --product N  N cells of the whole product; with --state FILE it goes on after an interrupt
  cover.py --cell "verb=settle settler=ode wires=tiles"
                        one cell with its commands; what is not named has its first value

A cell is right when every number that mho shows is within 1e-6 of the largest state of
reference.py's, in single precision; within one code where a converter stands; within three standard
errors with noise. Where mho refuses it, the exit code must be 2 and the sentence must be in the
table of combinations.py. Exit code 1 when a cell is neither, or when a verb has given no number at
all. Environment: MHO, the program.
"""
import argparse
import collections
import glob
import hashlib
import json
import multiprocessing
import os
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import time

try:
    os.environ['OPENBLAS_NUM_THREADS'] = '1'  # of numpy: two processes share the machine
    import numpy as np
    import combinations as cmb
    import reference as ref
    del os.environ['OPENBLAS_NUM_THREADS']
except ImportError as missing:
    print(f'skipped: {missing}; install python3-numpy and python3-scipy')
    sys.exit(77)

MHO = os.environ['MHO']
SAMPLE = 3  # the test image that is settled
SAMPLES = 8  # of the test set
FLOAT = 1e-6  # of the largest state: single precision
DRAWS = 16  # of the noise, by mho
REFERENCE_DRAWS = 400
folder = None  # of this test, set in main
notes = []  # what the commands of a cell said on standard error


class Failed(Exception):
    """What a cell shows is not right."""


class Refused(Exception):
    """mho ended with exit code 2 and this sentence."""


# ---------------------------------------------------------------- running mho

def call(*words):
    """Run a command in the test's folder; its output."""
    p = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60)
    said = '\n'.join(x for x in p.stderr.splitlines() if not x.startswith('mho: warning: matrix products'))
    if p.returncode == 2 and 'unrecognized option' not in said:
        raise Refused(said.strip())
    if p.returncode != 0:
        raise Failed(f'exit {p.returncode}: {said.strip()[:300]} {p.stdout[-300:]}')
    notes.append(said)
    return p.stdout


def settings(keys):
    return [w for k, v in keys.items() for w in ('--set', f'{k}={v}')]


def write_dataset():
    """Random images in the files of dataset 'idx'; the test's ones as activities, and their
    labels.
    """
    rng = np.random.default_rng(7)
    os.makedirs(os.path.join(folder, 'images'))
    for part, n in (('train', 20), ('t10k', SAMPLES)):
        image = rng.integers(0, 256, (n, cmb.IMAGE, cmb.IMAGE)).astype(np.uint8)
        label = (np.arange(n) % cmb.CLASSES).astype(np.uint8)
        for kind, a in (('images-idx3', image), ('labels-idx1', label)):
            with open(os.path.join(folder, 'images', f'{part}-{kind}-ubyte'), 'wb') as f:
                head = struct.pack('>BBBB', 0, 0, 8, a.ndim) + struct.pack(f'>{a.ndim}I', *a.shape)
                f.write(head + a.tobytes())
    np.savez(os.path.join(folder, 'test.npz'), image=image.reshape(n, -1) / 255.0, label=label)


def training_keys(cell):
    keys = {'dataset.name': 'idx', 'dataset.path': 'images', **cmb.network_keys(cell), **cmb.device_keys(cell)}
    if cell['given'] == 'training':
        keys.update(cmb.reading_keys(cell))
    return keys


def train(keys):
    """A run with these keys and its exported matrices, made once; the run's folder."""
    name = hashlib.sha256(json.dumps(keys, sort_keys=True).encode()).hexdigest()[:16]
    home = os.path.join(folder, name)
    if os.path.exists(os.path.join(home, 'refused')):
        raise Refused(open(os.path.join(home, 'refused'), encoding='utf-8').read())
    if os.path.exists(os.path.join(home, 'weights')):
        return name
    os.makedirs(home, exist_ok=True)
    db = f'{name}/runs.db'
    try:
        call(MHO, 'train', '--db', db, '--name', 'run', '--threads', '1', *settings(keys))
    except Refused as e:
        with open(os.path.join(home, 'refused'), 'w', encoding='utf-8') as f:
            f.write(str(e))
        raise
    call(MHO, 'export', 'run', '--db', db, '--weights', f'{name}/weights')
    return name


def largest_weight(cell, connection, rows):
    """Bound of the initial weights of a connection, network.init fan_in: 1/sqrt(n_in), n_in
    without the bias.
    """
    return 1 / np.sqrt(rows - has_bias(cell, connection))


def has_bias(cell, connection):
    """The first link that leads to a layer carries its biases."""
    source, target = connection.split('-')
    first = {'h1': 'x', 'h2': 'h1', 'h3': 'h2', 'h4': 'h3'}
    last = 'h2' if cell['topology'] in ('layered', 'conv') else 'h3' if cell['topology'] == 'graph' else 'h4'
    return cell['biases'] == 'with' and source == {**first, 'out': last}[target]


def matrices(name, kind):
    files = glob.glob(os.path.join(folder, name, 'weights', f'*.{kind}.npy'))
    return {os.path.basename(f)[:-len(f'.{kind}.npy')]: np.load(f) for f in files}


# ---------------------------------------------------------------- the same network in numpy

def conductances(cell, name):
    """{connection: (G+, G-, g_unit)} in S as programmed: the exported ones; an ideal device has
    pairs around mid range.

    g_unit = (g_max - g_min)/w_max, w_max three times the bound of the initial weights; one device
    against something fixed
    spans half of what a pair does.
    """
    single = cell['mapping'] in ('reference', 'offset') and cell['device'] != 'ideal'
    out = {}
    w, pos, neg = (matrices(name, k) for k in ('w', 'g_pos', 'g_neg'))
    for k in w:
        w_max = 3 * largest_weight(cell, k, len(w[k])) * (2 if single else 1)
        g_unit = (cmb.G_MAX - cmb.G_MIN) / w_max
        if cell['device'] == 'ideal':
            middle, half = (cmb.G_MAX + cmb.G_MIN) / 2, w[k] * g_unit / 2
            out[k] = (middle + half, middle - half, g_unit)
        else:
            out[k] = (pos[k], neg[k], g_unit)
    return out


def network(cell, name, shown=True):
    """The reference network of a cell. shown: at the time that is looked at, else as programmed."""
    drift = cmb.DRIFT[cell['drift']] if shown and cell['device'] != 'ideal' else None
    t = cmb.AFTER if drift else 0
    wires = cmb.WIRES[cell['wires']]
    circuits = dict(cmb.CIRCUITS.get(cell['array'], {}))
    if 'adc_bits' in circuits:
        rows, cols = wires['tile'] if wires else (128, 128)
        circuits['depth'] = (rows, cols // 2 if wires and wires['neighbour'] else cols)
    offset = cell['mapping'] == 'offset' and cell['device'] != 'ideal'
    crossbars = {}
    for k, (pos, neg, g_unit) in conductances(cell, name).items():
        pos = ref.drifted(pos, drift, t, cmb.G_MIN, cmb.G_MAX)
        if not offset:  # a fixed current does not drift
            neg = ref.drifted(neg, drift, t, cmb.G_MIN, cmb.G_MAX)
        iv = cmb.IV[cell['iv']] if shows_law(cell) else None
        crossbars[k] = ref.Crossbar(pos, neg, g_unit, wires, iv, cmb.READ_VOLTAGE, circuits, offset)
        if cell['device'] == 'ideal':  # no conductances to be proportional to: the weight is, as of an even pair
            crossbars[k].variance = 2 * circuits.get('sigma', 0) ** 2 * ((pos - neg) / g_unit) ** 2
    return assemble(cell, crossbars)


def number(word, out):
    return {'x': 0, 'out': out}.get(word) if word in ('x', 'out') else int(word[1:])


def assemble(cell, crossbars):
    pixels = cmb.IMAGE ** 2
    if cell['topology'] == 'conv':
        side = cmb.IMAGE - 1
        sizes = [pixels, 2 * side * side, 8, cmb.CLASSES]
        pools = {1: ref.Pool(2, side, side, 2)}
    else:
        sizes = [pixels, *cmb.HIDDEN[cell['topology']], cmb.CLASSES]
        pools = {}
    out = len(sizes) - 1
    states = cell['output'] == 'state'
    if states:
        sizes.append(cmb.CLASSES)
    reads, feedback = {}, set()
    for k, crossbar in crossbars.items():
        source, target = (number(x, out) for x in k.split('-'))
        if cell['topology'] == 'conv' and source == 0:
            reads[source, target] = ref.Convolution(crossbar, 1, cmb.IMAGE, cmb.IMAGE, 2, True)
            continue
        inputs = len(pools[source].windows) if source in pools else sizes[source]
        reads[source, target] = ref.Dense(crossbar, inputs, source == 0, target == out and not states)
        one_way = cell['topology'] == 'graph' and k == 'h2-out'
        if source > 0 and not one_way:
            feedback.add((target, source))
    return ref.Network(sizes, reads, feedback, cell['neuron'], cmb.ALPHA, cmb.BETA, pools, states)


def images():
    data = np.load(os.path.join(folder, 'test.npz'))
    return data['image'], data['label']


def phases(cell, net, samples, repeat=1, clock=None):
    """Free and nudged states of test images, each `repeat` times, in as many steps as the cell
    `clock` takes (this one, if none is given).
    """
    image, label = (np.repeat(v[samples], repeat, axis=0) for v in images())
    order = 'synchronous' if cell['settler'] == 'synchronous' else 'sweep'
    steps = cmb.STEPS['clocked' if cmb.is_converted(clock or cell) else 'settled']
    if cell['settler'] not in ('sweep', 'synchronous'):
        steps = (0, 0)
    free = net.settle(image, label, order, steps[0])
    nudged = net.settle(image, label, order, steps[1], free, cmb.NUDGE, cell['error'] == 'live')
    for layer, (a, b) in enumerate(zip(free[1:], nudged[1:]), 1):
        if np.abs(a).max() < 1e-3 or (layer == len(free) - 1 and np.abs(a - b).max() < 1e-4):
            raise ref.NotSettled(f'layer {layer} does nothing')
    return free, nudged


def margin(cell, states):
    """What may differ: single precision, or one code of the converter that states pass."""
    if cell['array'] in ('converters', 'analog'):
        c = cmb.CIRCUITS[cell['array']]
        return c['full_scale'] / (2 ** (c['adc_bits'] - 1) - 1)
    return FLOAT * np.abs(states).max()


# ---------------------------------------------------------------- verbs: each returns [(quantity, difference, margin)]

def words_of(cell, name):
    words = ['run', '--db', f'{name}/runs.db']
    if cell['given'] == 'verb':
        words += settings(cmb.reading_keys(cell))
    return words


def after_of(cell):
    return ['--after', f'{cmb.AFTER:g}s'] if cmb.DRIFT[cell['drift']] else []


def parse_states(text):
    """Last states of phases 0 and 1 in mho settle's CSV."""
    head, *rows = [line.split(',') for line in text.splitlines()]
    first = head.index('h1.0')
    numbers = [r[0] for r in rows]
    if [n for n, before in zip(numbers, [None] + numbers) if n != before] != ['0', '1']:
        raise Failed('the CSV is not one free and then one nudged phase')
    last = {r[0]: np.array([float(v) for v in r[first:]]) for r in rows}
    return last['0'], last['1']


def settle_text(cell, name, *more):
    return call(MHO, 'settle', *words_of(cell, name), '--threads', '1', '--sample', str(SAMPLE),
                *after_of(cell), *more)


def show_settle(cell, name):
    net = network(cell, name)
    if cell['array'] == 'noise':
        return noisy_settle(cell, name, net)
    got = parse_states(settle_text(cell, name))
    want = [z.hidden()[0] for z in phases(cell, net, [SAMPLE])]
    return [(phase, np.abs(g - w).max(), margin(cell, w)) for phase, g, w in zip(('free', 'nudged'), got, want)]


def draw(net, n):
    rng = np.random.default_rng(1)
    for read in net.reads.values():
        read.crossbar.draw(rng, n)


def noisy_settle(cell, name, net):
    """Means and variances over draws of the noise, in their standard errors.

    Neurons share their inputs' noise, so the mean over neurons of z^2 spreads at most like that of
    one neuron.
    """
    got = []
    for seed in range(DRAWS):
        got.append(parse_states(settle_text(cell, name, '--set', f'train.seeds.noise={seed}')))
    draw(net, REFERENCE_DRAWS)
    out = []
    for phase, states in enumerate(phases(cell, net, [SAMPLE], REFERENCE_DRAWS)):
        g, w = np.array([x[phase] for x in got]), states.hidden()
        moves = w.std(0) > 1e-6  # neurons that sit at a bound do not
        z = (g.mean(0) - w.mean(0))[moves] / (w.std(0)[moves] * np.sqrt(1 / DRAWS + 1 / REFERENCE_DRAWS))
        out.append((f'mean of phase {phase} in standard errors', np.sqrt((z ** 2).mean()), 3.0))
        ratio = g[:, moves].var(0).mean() / w[:, moves].var(0).mean()
        out.append((f'variance of phase {phase} in standard errors', abs(ratio - 1) / np.sqrt(2 / DRAWS), 3.0))
    return out


def show_eval(cell, name):
    net = network(cell, name)
    label = images()[1]
    noisy = cell['array'] == 'noise'
    words = ['--json', '--threads', '1'] + (['--draws', str(DRAWS)] if noisy else [])
    out = json.loads(call(MHO, 'eval', *words_of(cell, name), *words, *after_of(cell)).splitlines()[-1])
    if after_of(cell):
        out = out['after'][-1]
    repeat = REFERENCE_DRAWS if noisy else 1
    if noisy:
        draw(net, SAMPLES * repeat)
    free = phases(cell, net, np.arange(SAMPLES), repeat)[0]
    logits = net.readout(free)
    means = net.losses(logits, np.repeat(label, repeat)).reshape(SAMPLES, repeat).mean(0)
    if noisy:
        error = np.std(means) * np.sqrt(1 / DRAWS + 1 / repeat)
        return [('mean loss in standard errors', abs(out['loss'] - np.mean(means)) / error, 3.0)]
    allowed = margin(cell, np.hstack([*free[1:], logits]))
    right = np.mean(np.argmax(logits, 1) == label)
    two = np.sort(logits, 1)[:, -2:]
    clear = (two[:, 1] - two[:, 0]).min() > 4 * allowed  # else rounding may decide
    return [('loss', abs(out['loss'] - means[0]), allowed)] + \
           ([('accuracy', abs(out['accuracy'] - right), 1e-9)] if clear else [])


PRINTED = re.compile(r'^(\w+) = (\S+)\s*$', re.M)


def ngspice(text, name):
    file = os.path.join(folder, name, f'{os.getpid()}.cir')
    with open(file, 'w', encoding='utf-8') as f:
        f.write(text)
    p = subprocess.run(['ngspice', '-b', file], capture_output=True, text=True, timeout=60)
    found = {k: float(v) for k, v in PRINTED.findall(p.stdout)}
    if p.returncode or not found:
        raise Failed(f'ngspice: exit {p.returncode}, {len(found)} values: {p.stderr[:200]}')
    return found


def crossbar_currents(cell, name, volts, back):
    """Of h1-h2 (A); between wires cells with an I-V law are not products of anything."""
    plain = dict(cell, array='periphery' if shows_law(cell) else 'ideal')
    crossbar = network(plain, name).reads[1, 2].crossbar
    wires = cmb.WIRES[cell['wires']]
    if not wires or not shows_law(cell):
        return crossbar.read(volts[None] / cmb.READ_VOLTAGE, back)[0] * crossbar.g_unit * cmb.READ_VOLTAGE
    if cell['iv'] == 'hfo2':
        raise Failed('drawn with a law between wires that has no reference here')
    rows, cols = wires['tile']
    amps = np.zeros(crossbar.shape[0] if back else crossbar.shape[1])
    for g, sign in ((crossbar.g_pos, 1), (crossbar.g_neg, -1)):
        for i in range(0, g.shape[0], rows):
            for j in range(0, g.shape[1], cols):
                tile = g[i:i + rows, j:j + cols]
                if back:  # driven at the bottom of bit lines, sensed at the left of word lines: the array turned over
                    amps[i:i + rows] += sign * ref.currents_between_wires(
                        tile.T[::-1, ::-1], volts[j:j + cols][::-1], wires['r_bit'], wires['r_word'],
                        cmb.IV[cell['iv']])[::-1]
                else:
                    amps[j:j + cols] += sign * ref.currents_between_wires(
                        tile, volts[i:i + rows], wires['r_word'], wires['r_bit'], cmb.IV[cell['iv']])
    return amps


def drive(cell, name, back):
    """Activities on the lines of h1-h2 in the free phase, through ideal circuits: of h1 with the
    bias, or of h2; and the largest activity of all hidden layers.
    """
    plain = dict(cell, array='periphery' if shows_law(cell) else 'ideal')
    net = network(plain, name)
    free = phases(plain, net, [SAMPLE], clock=cell)[0]
    largest = np.abs(free.hidden()[0]).max()
    if back:
        return free[2][0], largest
    return np.append(net.pooled(1, free)[0], [1.0] if net.reads[1, 2].bias else []), largest


def shows_law(cell):
    """Whether reads follow the I-V law: of devices, through the periphery."""
    return cell['iv'] != 'ohmic' and cell['device'] != 'ideal' and cell['array'] in cmb.PERIPHERY


def show_netlist_layer(cell, name):
    """Inner crossbar h1-h2, both directions: the currents that ngspice finds for the netlist's own
    inputs.
    """
    out = []
    for back in (False, True):
        text = call(MHO, 'netlist', *words_of(cell, name), '--layer', 'h1-h2', '--sample', str(SAMPLE),
                    *(['--transposed'] if back else []), *after_of(cell))
        volts = np.array([float(v) for v in re.findall(r'^Vin\d+ \w+ 0 (\S+)', text, re.M)])
        want, largest = drive(cell, name, back)
        rest = 20 * cmb.reading_keys(cell).get('settle.tolerance', 0)  # how far ode may be from rest
        allowed = max(FLOAT * largest, rest)
        out.append(('drive', np.abs(volts / cmb.READ_VOLTAGE - want).max(), allowed))
        found = ngspice(text, name)
        got = np.array([found[f'out{j}'] for j in range(len(found))])
        want = crossbar_currents(cell, name, volts, back)
        if len(got) != len(want):
            raise Failed(f'{len(got)} currents, expected {len(want)}')
        out.append(('transposed' if back else 'forward', np.abs(got - want).max(), FLOAT * np.abs(want).max()))
    return out


def show_netlist_network(cell, name):
    plain = dict(cell, settler='sweep', array='ideal')
    net = network(plain, name)
    text = call(MHO, 'netlist', *words_of(cell, name), '--network', '--sample', str(SAMPLE), *after_of(cell))
    v_read = float(re.search(r'^\.param v_read=(\S+)', text, re.M)[1])
    found = ngspice(text, name)
    out = []
    for phase, z in zip(('free', 'nudged'), phases(plain, net, [SAMPLE])):
        want = z.hidden()[0]
        keys = [f'{phase}_h{layer}_{j}' for layer in range(1, len(z)) for j in range(net.sizes[layer])]
        got = np.array([found[k] for k in keys]) / v_read
        out.append((phase, np.abs(got - want).max(), margin(plain, want)))
    return out


def compared(lines, least, allowed):
    """What mho itself compared: all of it must agree, and there must be enough of it."""
    found = [json.loads(x) for x in lines.splitlines()]
    if sum(x['n'] for x in found) < least or not found:
        raise Failed(f'only {sum(x["n"] for x in found)} values were compared')
    return [(x['quantity'], x['max_rel'] if x['pass'] else np.inf, allowed) for x in found]


def show_cosim_crossbar(cell, name):
    net = network(cell, name)
    rows, cols = net.reads[1, 2].crossbar.shape
    return compared(call(MHO, 'cosim', *words_of(cell, name), '--json', '--layer', 'h1-h2', *after_of(cell)),
                    4 * (rows + cols), 1e-2 if shows_law(cell) and cmb.WIRES[cell['wires']] else FLOAT)


def show_cosim_network(cell, name):
    net = network(cell, name)
    return compared(call(MHO, 'cosim', *words_of(cell, name), '--what', 'network', '--json', '--samples', '2',
                         *after_of(cell)), 2 * 2 * sum(net.sizes[1:-1]), FLOAT)


def show_export(cell, name):
    """W = (G+ - G-)/g_unit of the files, G within bounds; and the weights of a run that starts
    from them.
    """
    out = []
    w = matrices(name, 'w')
    for k, (pos, neg, g_unit) in conductances(cell, name).items():
        worst = np.abs((pos - neg) / g_unit - w[k]).max()
        out.append((f'{k} w', worst, FLOAT * (cmb.G_MAX - cmb.G_MIN) / g_unit))
        beyond = max(cmb.G_MIN - min(pos.min(), neg.min()), max(pos.max(), neg.max()) - cmb.G_MAX)
        out.append((f'{k} bounds', max(beyond, 0), 1e-12))
    keys = {**training_keys(cell), 'update.rate': 0, 'train.from': f'{name}/weights'}
    again = matrices(train(keys), 'w')
    if set(again) != set(w):
        raise Failed('a run from the exported files has other connections')
    for k in w:
        out.append((f'{k} again', np.abs(again[k] - w[k]).max(), FLOAT * np.abs(w[k]).max()))
    return out


SHOW = {'settle': show_settle, 'eval': show_eval, 'netlist_layer': show_netlist_layer,
        'netlist_network': show_netlist_network, 'cosim_crossbar': show_cosim_crossbar,
        'cosim_network': show_cosim_network, 'export': show_export}


# ---------------------------------------------------------------- cells

def run_cell(cell):
    """(verdict, text, [(quantity, difference, margin)]); verdict: ok, refused, failed or void."""
    rules = cmb.rules_of(cell)
    notes.clear()
    try:
        name = train(training_keys(cell))
        rows = SHOW[cell['verb']](cell, name)
    except Refused as e:
        said = str(e)
        for rule in rules:
            if rule.says.search(said):
                return 'refused', rule.name(), []
        wanted = ' or '.join(rule.says.pattern for rule in rules)
        return 'failed', f'refused: {said!r}' + (f', expected {wanted!r}' if rules else ', expected to run'), []
    except Failed as e:
        return 'failed', str(e), []
    except ref.NotSettled as e:
        return 'void', str(e), []
    except Exception as e:  # of the harness: a failed cell, too
        return 'failed', f'{type(e).__name__}: {e}', []
    if rules:
        return 'failed', f'not refused: {rules[0].name()}', rows
    for rule in cmb.NOTED:
        if rule.applies(cell) and not any(rule.says.search(said) for said in notes):
            wanted = f'expected {rule.says.pattern!r}'
            return 'failed', f'not a word of what has no effect: {rule.name()}, {wanted}', rows
    bad = [f'{q}: {d:.2e} > {m:.2e}' for q, d, m in rows if not d <= m]
    if bad or not rows:
        return 'failed', '; '.join(bad) or 'nothing was compared', rows
    return 'ok', '', rows


def with_cell(cell):
    return cell, run_cell(cell)


def short(cell):
    """A cell as --cell takes it: without what has its first value."""
    return ' '.join(f'{k}={v}' for k, v in cell.items() if v != cmb.DIMENSIONS[k][0] or k == 'verb')


class Tally:
    """Counts of verdicts, and the worst difference of each verb."""

    def __init__(self):
        self.verdicts = collections.Counter()
        self.refused = collections.Counter()
        self.silent = collections.Counter()
        self.worst = {}

    def take(self, cell, verdict, text, rows):
        verb = cell['verb']
        self.verdicts[verdict, verb] += 1
        if verdict in ('failed', 'void'):
            print(f'{verdict.upper():7}{short(cell)}\n       {text}', flush=True)
        if verdict == 'refused':
            self.refused[text] += 1
        if verdict != 'ok':
            return
        for rule in cmb.SILENT:
            self.silent[rule.name()] += rule.applies(cell)
        for quantity, difference, allowed in rows:
            part = difference / allowed
            if part >= self.worst.get(verb, (-1,))[0]:
                self.worst[verb] = (part, f'{difference:.1e} ({allowed:.1e}) {quantity}')

    def total(self, verdict):
        return sum(n for (v, _), n in self.verdicts.items() if v == verdict)

    def show(self):
        print(f'\n{"verb":16} {"right":>5} {"refused":>8} {"void":>5} {"failed":>7}  '
              'worst difference (allowed)')
        for verb in cmb.DIMENSIONS['verb']:
            n = [self.verdicts[v, verb] for v in ('ok', 'refused', 'void', 'failed')]
            print('%-16s %5d %8d %5d %7d  ' % (verb, *n) + self.worst.get(verb, (0, '-'))[1])
        print()
        for rule in cmb.REFUSED:
            print(f'{self.refused[rule.name()]:4} refused: {rule.name()}: "{rule.says.pattern}"')
        for rule in cmb.SILENT:
            print(f'{self.silent[rule.name()]:4} taken without effect and without a word: {rule.name()}')

    def passes(self):
        """No cell failed, every verb that was asked gave numbers, and few cells said nothing."""
        asked = {verb for _, verb in self.verdicts}
        right = all(self.verdicts['ok', verb] for verb in asked)
        few = self.total('void') * 20 <= sum(self.verdicts.values())
        return self.total('failed') == 0 and right and few


def run_all(cells, jobs, state):
    """Run the cells that the state, a Kept, does not have; whether all is well."""
    begin = time.time()
    tally = Tally()
    left = []
    for cell in cells:
        known = state.get(cell)
        if known:
            tally.take(cell, *known)
        else:
            left.append(cell)
    if len(left) < len(cells):
        print(f'{len(cells) - len(left)} cells are known from an interrupted run')
    with multiprocessing.Pool(jobs) as pool:
        for cell, answer in pool.imap_unordered(with_cell, left):
            tally.take(cell, *answer)
            state.put(cell, answer)
    tally.show()
    print(f'{len(cells)} cells in {time.time() - begin:.0f} s: {tally.total("ok")} right, '
          f'{tally.total("refused")} refused, {tally.total("void")} void, {tally.total("failed")} failed')
    return tally.passes()


class Kept:
    """Answers in a file of JSON lines, so that a long run goes on where it was cut off; for one
    build of mho only.
    """

    def __init__(self, path):
        self.path = path
        self.answers = {}
        if not path:
            return
        with open(MHO, 'rb') as f:
            self.build = hashlib.sha256(f.read()).hexdigest()
        if os.path.exists(path):
            with open(path, encoding='utf-8') as f:
                lines = [json.loads(line) for line in f if line.endswith('\n')]
            self.answers = {x['cell']: x['answer'] for x in lines if x['build'] == self.build}

    def get(self, cell):
        return self.answers.get(short(cell))

    def put(self, cell, answer):
        if self.path:
            with open(self.path, 'a', encoding='utf-8') as f:
                line = {'build': self.build, 'cell': short(cell), 'answer': answer}
                f.write(json.dumps(line, default=float) + '\n')

    def done(self):
        if self.path and os.path.exists(self.path):
            os.remove(self.path)


def explain(cell):
    """One cell with its commands and all its differences; whether it is well."""
    verdict, text, rows = run_cell(cell)
    print('mho train --db FOLDER/runs.db --name run ' + shlex.join(settings(training_keys(cell))))
    verb, *options = cell['verb'].split('_')
    print(f'mho {verb} {" ".join(options)}: ' + shlex.join([*words_of(cell, 'FOLDER'), *after_of(cell)]))
    for row in rows:
        print('%-45s %.3e (%.1e)' % row)
    print(verdict, text)
    return verdict in ('ok', 'refused')


def main():
    global folder
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--product', type=int, default=0, help='so many cells of the whole product')
    p.add_argument('--seed', type=int, default=1, help='which ones')
    p.add_argument('--state', help='file of answers, so that a run cut off goes on')
    p.add_argument('--cell', help='only this one')
    p.add_argument('--jobs', type=int, default=2)
    p.add_argument('--only', default='', help='values of dimensions: "drift=none verb=settle,eval"')
    p.add_argument('--list', action='store_true', help='print the cells instead')
    o = p.parse_args()
    if not shutil.which('ngspice'):
        print('skipped: there is no ngspice')
        sys.exit(77)
    dimensions = dict(cmb.DIMENSIONS)
    dimensions.update((k, v.split(',')) for k, v in (w.split('=') for w in o.only.split()))
    folder = tempfile.mkdtemp(prefix='mho-cover-')
    try:
        write_dataset()
        if o.cell:
            cell = {k: v[0] for k, v in cmb.DIMENSIONS.items()}
            cell.update(w.split('=') for w in o.cell.split())
            sys.exit(not explain(cell))
        if o.product:
            cells = cmb.sampled(dimensions, o.product, o.seed)
            cells += cmb.covering_array(dimensions, ('eval',))[0]
        else:
            cells, impossible = cmb.covering_array(dimensions)
            print(f'{len(cells)} cells cover every pair that runs; {len(impossible)} pairs never run: '
                  + ', '.join(f'{a} {u} with {b} {v}' for (a, u), (b, v) in impossible))
            cells += cmb.refused_cells(dimensions) if not o.only else []
        if o.list:
            print('\n'.join(short(cell) for cell in cells))
            return
        state = Kept(o.state)
        well = run_all(cells, o.jobs, state)
        if well:
            state.done()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(not well)


if __name__ == '__main__':
    main()
