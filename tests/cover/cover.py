"""The cover of combinations: what mho shows of small networks against numpy, cell by cell (see combinations.py).

  cover.py            every pair of values once, and every refusal
  cover.py --product N [--from SEED]   N cells drawn from the whole product; goes on where an interrupted one stopped
  cover.py --cell "verb=settle settler=ode ..."   one cell, with the commands; what is not named has its first value

Exit code 1 when a cell fails. Environment: MHO, the program.
"""
import argparse
import collections
import glob
import hashlib
import json
import multiprocessing
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time

import numpy as np

import combinations as cmb
import reference as ref

MHO = os.environ['MHO']
SAMPLE = 3  # the test image that is settled
SAMPLES = 8  # of the test set
FLOAT = 1e-6  # of the largest state: single precision
DRAWS = 40
folder = None  # of this test, set in main


class Failed(Exception):
    """What a cell shows is not right."""


class Refused(Exception):
    """mho ended with exit code 2 and this sentence."""


# ---------------------------------------------------------------- running mho

def call(*words):
    """Run a command in the test's folder; its output."""
    p = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=250)
    said = '\n'.join(x for x in p.stderr.splitlines() if not x.startswith('mho: warning: matrix products'))
    if p.returncode == 2 and 'unrecognized option' not in said:
        raise Refused(said.strip())
    if p.returncode != 0:
        raise Failed(f'exit {p.returncode}: {said.strip()[:300]}')
    return p.stdout


def settings(keys):
    return [w for k, v in keys.items() for w in ('--set', f'{k}={v}')]


def write_dataset():
    """Random images in the files of dataset 'idx'; the test's ones as activities, and their labels."""
    rng = np.random.default_rng(7)
    os.makedirs(os.path.join(folder, 'images'))
    for part, n in (('train', 20), ('t10k', SAMPLES)):
        image = rng.integers(0, 256, (n, cmb.IMAGE, cmb.IMAGE)).astype(np.uint8)
        label = (np.arange(n) % cmb.CLASSES).astype(np.uint8)
        for kind, a in (('images-idx3', image), ('labels-idx1', label)):
            with open(os.path.join(folder, 'images', f'{part}-{kind}-ubyte'), 'wb') as f:
                f.write(struct.pack('>BBBB', 0, 0, 8, a.ndim) + struct.pack(f'>{a.ndim}I', *a.shape) + a.tobytes())
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


def largest_weight(cell, connection, shape):
    """Bound of the initial weights of a connection (Glorot): +-sqrt(6/(n_in + n_out)); rows without the bias."""
    rows, cols = shape
    inputs = rows - has_bias(cell, connection)
    outputs = cols * 4 if cell['topology'] == 'conv' and connection == 'x-h1' else cols  # of a kernel of 2 x 2
    return np.sqrt(6 / (inputs + outputs))


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
    """{connection: (G+, G-, g_unit)} in S as programmed: the exported ones; an ideal device has pairs around mid range.

    g_unit = (g_max - g_min)/w_max, w_max three times the bound of the initial weights; one device against something fixed
    spans half of what a pair does.
    """
    single = cell['mapping'] in ('reference', 'offset') and cell['device'] != 'ideal'
    out = {}
    w, pos, neg = (matrices(name, k) for k in ('w', 'g_pos', 'g_neg'))
    for k in w:
        w_max = 3 * largest_weight(cell, k, w[k].shape) * (2 if single else 1)
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
        iv = cmb.IV[cell['iv']] if cell['device'] != 'ideal' else None
        crossbars[k] = ref.Crossbar(pos, neg, g_unit, wires, iv, cmb.READ_VOLTAGE, circuits, offset)
    return assemble(cell, crossbars)


def number(word, last):
    return {'x': 0, 'out': last}.get(word) if word in ('x', 'out') else int(word[1:])


def assemble(cell, crossbars):
    pixels = cmb.IMAGE ** 2
    if cell['topology'] == 'conv':
        side = cmb.IMAGE - 1
        sizes = [pixels, 2 * side * side, 6, cmb.CLASSES]
        pools = {1: ref.Pool(2, side, side, 2)}
    else:
        sizes = [pixels, *cmb.HIDDEN[cell['topology']], cmb.CLASSES]
        pools = {}
    last = len(sizes) - 1
    reads, feedback = {}, set()
    for k, crossbar in crossbars.items():
        source, target = (number(x, last) for x in k.split('-'))
        if cell['topology'] == 'conv' and source == 0:
            reads[source, target] = ref.Convolution(crossbar, 1, cmb.IMAGE, cmb.IMAGE, 2, True)
            continue
        inputs = len(pools[source].winners(np.zeros(sizes[source]))) if source in pools else sizes[source]
        reads[source, target] = ref.Dense(crossbar, inputs, source == 0, target == last)
        one_way = cell['topology'] == 'graph' and k == 'h2-out'
        if source > 0 and not one_way:
            feedback.add((target, source))
    return ref.Network(sizes, reads, feedback, cell['neuron'], cmb.ALPHA, cmb.BETA, pools)


def images():
    data = np.load(os.path.join(folder, 'test.npz'))
    return data['image'], data['label']


def phases(cell, net, sample):
    """Free and nudged states of a test image."""
    image, label = images()
    clocked = cell['array'] in ('converters', 'analog') and cell['settler'] in ('sweep', 'synchronous')
    order = 'synchronous' if cell['settler'] == 'synchronous' else 'sweep'
    how = {'order': order, 'hold': order == 'sweep'}
    free = net.settle(image[sample], label[sample], steps=20 if clocked else 0, **how)
    nudged = net.settle(image[sample], label[sample], cmb.NUDGE, cell['error'] == 'live', free,
                        steps=10 if clocked else 0, **how)
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


def show_settle(cell, name):
    net = network(cell, name)
    if cell['array'] == 'noise':
        return noisy_settle(cell, name, net)
    got = parse_states(call(MHO, 'settle', *words_of(cell, name), '--sample', str(SAMPLE), *after_of(cell)))
    want = [z.hidden() for z in phases(cell, net, SAMPLE)]
    return [(phase, np.abs(g - w).max(), margin(cell, w)) for phase, g, w in zip(('free', 'nudged'), got, want)]


def draw(net, rng):
    for read in net.reads.values():
        (read.dense if isinstance(read, ref.Convolution) else read).crossbar.draw(rng)


def noisy_settle(cell, name, net):
    """Means over draws, three standard errors, as one number: the rms over neurons of (difference/its standard error)."""
    got = []
    for seed in range(DRAWS):
        text = call(MHO, 'settle', *words_of(cell, name), '--set', f'train.seeds.noise={seed}', '--sample', str(SAMPLE),
                    *after_of(cell))
        got.append(parse_states(text))
    rng = np.random.default_rng(1)
    want = []
    for _ in range(4 * DRAWS):
        draw(net, rng)
        want.append([z.hidden() for z in phases(cell, net, SAMPLE)])
    out = []
    for phase in (0, 1):
        g, w = (np.array([x[phase] for x in v]) for v in (got, want))
        moves = w.std(0) > 1e-9  # neurons that sit at a bound do not
        error = w.std(0)[moves] * np.sqrt(1 / len(g) + 1 / len(w))
        z = (g.mean(0) - w.mean(0))[moves] / error
        # neurons share their inputs' noise: the mean of z^2 spreads at most like that of one neuron
        out.append((f'mean of phase {phase} in standard errors', np.sqrt((z ** 2).mean()), 3.0))
        ratio = g[:, moves].var(0).mean() / w[:, moves].var(0).mean()
        out.append((f'variance of phase {phase} in standard errors', abs(ratio - 1) / np.sqrt(2 * 1.25 / DRAWS), 3.0))
    return out


def show_eval(cell, name):
    net = network(cell, name)
    image, label = images()
    noisy = cell['array'] == 'noise'
    words = ['--json', '--threads', '1'] + (['--draws', str(DRAWS)] if noisy else [])
    out = json.loads(call(MHO, 'eval', *words_of(cell, name), *words, *after_of(cell)).splitlines()[-1])
    if after_of(cell):
        out = out['after'][-1]
    rng = np.random.default_rng(1)
    means = []
    for _ in range(4 * DRAWS if noisy else 1):
        logits = []
        for s in range(SAMPLES):
            draw(net, rng) if noisy else None
            logits.append(net.readout(phases(cell, net, s)[0]))
        means.append(np.mean([ref.loss(a, y) for a, y in zip(logits, label)]))
    if noisy:
        error = np.std(means) * np.sqrt(1 / DRAWS + 1 / len(means))
        return [('mean loss in standard errors', abs(out['loss'] - np.mean(means)) / error, 3.0)]
    right = np.mean([np.argmax(a) == y for a, y in zip(logits, label)])
    most = np.abs(logits).max()
    allowed = margin(cell, [most])
    clear = min(np.diff(np.sort(a)[-2:])[0] for a in logits) > 4 * allowed
    return [('loss', abs(out['loss'] - means[0]), allowed),
            ('accuracy', abs(out['accuracy'] - right) if clear else 0.0, 1e-9)]


PRINTED = re.compile(r'^(\w+) = (\S+)\s*$', re.M)


def ngspice(text, name):
    file = os.path.join(folder, name, f'{os.getpid()}.cir')
    with open(file, 'w', encoding='utf-8') as f:
        f.write(text)
    p = subprocess.run(['ngspice', '-b', file], capture_output=True, text=True, timeout=250)
    found = {k: float(v) for k, v in PRINTED.findall(p.stdout)}
    if p.returncode or not found:
        raise Failed(f'ngspice: exit {p.returncode}, {len(found)} values: {p.stderr[:200]}')
    return found


def show_netlist_layer(cell, name):
    """Inner crossbar h1-h2, both directions: the currents that ngspice finds for the netlist's own inputs."""
    net = network(cell, name)
    crossbar = net.reads[1, 2].crossbar
    out = []
    for back in (False, True):
        text = call(MHO, 'netlist', *words_of(cell, name), '--layer', 'h1-h2', '--sample', str(SAMPLE),
                    *(['--transposed'] if back else []), *after_of(cell))
        volts = np.array([float(v) for v in re.findall(r'^Vin\d+ \w+ 0 (\S+)', text, re.M)])
        if not np.abs(volts).max() > 0:
            raise Failed('the netlist drives no line')
        found = ngspice(text, name)
        got = np.array([found[f'out{j}'] for j in range(len(found))])
        linear = ref.Crossbar.read
        circuits, crossbar.circuits = crossbar.circuits, {}
        want = linear(crossbar, volts / cmb.READ_VOLTAGE, back) * crossbar.g_unit * cmb.READ_VOLTAGE
        crossbar.circuits = circuits
        if len(got) != len(want):
            raise Failed(f'{len(got)} currents, expected {len(want)}')
        out.append(('transposed' if back else 'forward', np.abs(got - want).max(), FLOAT * np.abs(want).max()))
        full = re.search(r'test image \d+', text)
        if not full:
            raise Failed('the netlist does not say which image it reads')
    return out


def show_netlist_network(cell, name):
    plain = dict(cell, settler='sweep')
    net = network(plain, name)
    text = call(MHO, 'netlist', *words_of(cell, name), '--network', '--sample', str(SAMPLE), *after_of(cell))
    v_read = float(re.search(r'^\.param v_read=(\S+)', text, re.M)[1])
    found = ngspice(text, name)
    out = []
    for phase, z in zip(('free', 'nudged'), phases(plain, net, SAMPLE)):
        want = z.hidden()
        keys = [f'{phase}_h{l}_{j}' for l in range(1, len(z)) for j in range(len(z[l]))]
        got = np.array([found[k] for k in keys]) / v_read
        out.append((phase, np.abs(got - want).max(), margin(cell, want)))
    return out


def compared(lines, least):
    """What mho itself compared: all of it must agree to single precision, and there must be enough of it."""
    found = [json.loads(x) for x in lines.splitlines()]
    if sum(x['n'] for x in found) < least or not found:
        raise Failed(f'only {sum(x["n"] for x in found)} values were compared')
    return [(x['quantity'], x['max_rel'] if x['pass'] else np.inf, min(x['tolerance'], 1e-5)) for x in found]


def show_cosim_crossbar(cell, name):
    net = network(cell, name)
    rows, cols = net.reads[1, 2].crossbar.w.shape
    return compared(call(MHO, 'cosim', *words_of(cell, name), '--json', '--layer', 'h1-h2', *after_of(cell)),
                    4 * (rows + cols))


def show_cosim_network(cell, name):
    net = network(cell, name)
    return compared(call(MHO, 'cosim', *words_of(cell, name), '--what', 'network', '--json', '--samples', '2',
                         *after_of(cell)), 2 * 2 * sum(net.sizes[1:-1]))


def show_export(cell, name):
    """W = (G+ - G-)/g_unit of the files, G within bounds; and the weights of a run that starts from them."""
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
    bad = [f'{q}: {d:.2e} > {m:.2e}' for q, d, m in rows if not d <= m]
    if bad or not rows:
        return 'failed', '; '.join(bad) or 'nothing was compared', rows
    return 'ok', '', rows


def with_cell(cell):
    return cell, run_cell(cell)


def short(cell):
    return ' '.join(f'{k}={v}' for k, v in cell.items() if v != cmb.DIMENSIONS[k][0] or k == 'verb')


def run_all(cells, jobs, seen=None):
    """Run cells; print those that fail, and the counts. The number of failed ones."""
    count, why, worst = collections.Counter(), collections.Counter(), {}
    begin = time.time()
    with multiprocessing.Pool(jobs) as pool:
        for cell, (verdict, text, rows) in pool.imap_unordered(with_cell, cells):
            verb = cell['verb']
            count[verdict, verb] += 1
            if verdict == 'refused':
                why[text] += 1
            if verdict == 'void':
                print(f'void   {short(cell)}: {text}')
            if verdict == 'failed':
                print(f'FAIL   {short(cell)}\n       {text}')
            for quantity, difference, allowed in rows if verdict == 'ok' else []:
                part = difference / allowed
                if part >= worst.get(verb, (-1,))[0]:
                    worst[verb] = (part, quantity, difference, allowed)
            sys.stdout.flush()
            if seen:
                seen(cell, verdict, text)
    print(f'\n{"verb":16} {"ran":>5} {"refused":>8} {"void":>5} {"failed":>7}  worst difference (allowed)')
    for verb in cmb.DIMENSIONS['verb']:
        w = worst.get(verb)
        text = f'{w[2]:.1e} ({w[3]:.1e}) {w[1]}' if w else '-'
        print(f'{verb:16} {count["ok", verb]:5} {count["refused", verb]:8} {count["void", verb]:5} '
              f'{count["failed", verb]:7}  {text}')
    for rule in cmb.REFUSED:
        print(f'refused {why[rule.name()]:4}  {rule.name()}: "{rule.says.pattern}"')
    total = collections.Counter()
    for (verdict, _), n in count.items():
        total[verdict] += n
    print(f'{len(cells)} cells in {time.time() - begin:.0f} s: {total["ok"]} right, {total["refused"]} refused, '
          f'{total["void"]} void, {total["failed"]} failed')
    if total['ok'] == 0 or total['void'] * 20 > len(cells):
        print('FAIL   too few cells said anything')
        return total['failed'] + 1
    return total['failed']


def main():
    global folder
    p = argparse.ArgumentParser()
    p.add_argument('--product', type=int, default=0)
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--cell')
    p.add_argument('--jobs', type=int, default=2)
    p.add_argument('--list', action='store_true')
    o = p.parse_args()
    folder = tempfile.mkdtemp(prefix='mho-cover-')
    try:
        write_dataset()
        if o.cell:
            cell = {k: v[0] for k, v in cmb.DIMENSIONS.items()}
            cell.update(w.split('=') for w in o.cell.split())
            verdict, text, rows = run_cell(cell)
            print(' '.join(['mho', 'train', *settings(training_keys(cell))]))
            print(' '.join(['mho', cell['verb'], *words_of(cell, 'FOLDER'), *after_of(cell)]))
            for row in rows:
                print('%-40s %.3e (%.1e)' % row)
            print(verdict, text)
            sys.exit(verdict == 'failed')
        if o.product:
            cells = cmb.sampled(cmb.DIMENSIONS, o.product, o.seed)
        else:
            cells, impossible = cmb.covering_array(cmb.DIMENSIONS)
            print(f'{len(cells)} cells cover every pair that runs; {len(impossible)} pairs never run')
            cells += cmb.refused_cells(cmb.DIMENSIONS)
        if o.list:
            for cell in cells:
                print(short(cell))
            return
        failed = run_all(cells, o.jobs)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(failed > 0)


if __name__ == '__main__':
    main()
