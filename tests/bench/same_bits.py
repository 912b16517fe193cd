"""Whether two builds of mho give the same bits: every rule, settler, scheme, mapping, topology,
device, array model, and pairs of them.

  same_bits.py MHO_BEFORE MHO_AFTER             all cases on the digits and on small random images
  same_bits.py MHO_BEFORE MHO_AFTER --mnist     and those on 6,000 images of MNIST ($MHO_DATA)
  same_bits.py ... --only TEXT                  cases that have the text in their name
  same_bits.py ... --verbose                    a line for every case, with the commands

Both programs are built on one machine, because the bits depend on its kernels. A case is a list of
commands that both run in folders of their own: a training, and what is shown of it. Compared are
exit codes, what is printed (error sentences too), the files that are written, and every row of the
database but for times, identifiers and versions: losses, conductances, pulses and energies, and the
bytes of the checkpoints. Exit code 1 when a case differs.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'cover'))
sys.dont_write_bytecode = True
import combinations as cmb  # noqa: E402
import images  # noqa: E402

# Columns that differ between two runs of one program; and point_hash, which is of all keys, new ones too.
FREE = {'id', 'run_id', 'started', 'ended', 'wall_s', 'eval_s', 'host', 'pid', 'code_version', 'created',
        'core_s', 'spice_s', 'parent', 'point_hash'}

# Keys at their defaults that the later program alone has.
NEW_KEYS = [r'"apply":\s*"auto"', r'"dynamics":\s*\{\s*"name":\s*"rate"\s*\}', r'"loss":\s*"cross_entropy"',
            r'"path":\s*"links"', r'"q":\s*\{[^}]*\}', r'"average":\s*(1\b|0\.0)', r'"importance":\s*"none"',
            r'"importance_low":\s*1\.0', r'"importance_high":\s*2\.0', r'"importance_by":\s*"weights"',
            r'"importance_probes":\s*64', r'"importance_every":\s*1\b', r'"tied":\s*"auto"', r'"points":\s*4',
            r'"order":\s*0\b', r'"adaptation":\s*0\.0', r'"adaptation_steps":\s*0\b', r'"control":\s*false',
            r'"zero_error":\s*0\.0', r'"only_written":\s*false', r'"stuck":\s*0\.0', r'"stuck_at":\s*0\.5',
            r'"stuck_range":\s*0\.0', r'"step_law":\s*"same"', r'"fold":\s*0\.0', r'"shift":\s*0\.0',
            r'"spread":\s*0\.0', r'"spread_growth":\s*0\.0',
            r'"cells":\s*\{\s*"n":\s*1\b[^}]*\}', r'"slices":\s*1\b',
            r'"encode":\s*\{[^{}]*\}', r'"lateral":\s*(false|0\.0)', r'"back":\s*(false|0\.0)',
            *(rf'"{k}":\s*\{{[^{{}}]*\}}' for k in ('delay', 'gain', 'reversal', 'threshold')),
            r'"synapse":\s*"delta"', r'"inhibit":\s*"none"', r'"winners":\s*"all"', r'"reset":\s*"subtract"',
            r'"(inhibit_time|refractory|reset_to|rest)":\s*0\.0', r'"strict":\s*(false|0\.0)',
            r'"tau":\s*0\.02\b', r'"tau_syn":\s*0\.005\b', r'"tau_inh":\s*0\.01\b',
            r'"w_max":\s*0\.0', r'"w_start":\s*1\.0',
            r'"resistive":\s*\{[^{}]*(\{[^{}]*\}[^{}]*)*\}', r'"nudge_by":\s*"conductance"']

# Columns that the later program alone has: where they are NULL they say nothing.
NEW_COLUMNS = {'test_loss', 'val_loss', 'test_rms', 'val_rms', 'best_test_loss', 'final_test_loss', 'best_test_rms',
               'final_test_rms', 'importance_mean', 'importance_std'}

# What the later program alone says: keys without effect.
NEW_WORDS = [r'mho: no effect: .*\n', r' \[no effect: [^]]*\]']

# Bytes of a checkpoint that hold the time the epoch took (sums.seconds in its header).
CLOCK = slice(112, 120)
# Its checksum, the last bytes where the version has this bit; earlier programs write none.
VERSION, SIZE, CHECKSUM, CHECKSUM_BYTES = slice(8, 12), slice(16, 24), 1 << 26, 8


# ---------------------------------------------------------------- cases

def registered(program):
    """{kind: [ids]} as 'mho list' shows them; schemes were once called programs."""
    text = subprocess.run([program, 'list'], capture_output=True, text=True, check=True).stdout
    text = text.replace('programs: ', 'schemes: ')
    return {k: v.split() for k, v in (line.split(': ') for line in text.splitlines() if ': ' in line)}


def settings(keys):
    return [w for k, v in keys.items() for w in ('--set', f'{k}={v}')]


def train(keys):
    return ['train', '--db', 'runs.db', '--name', 'run', '--threads', '1', *settings(keys)]


SHOWN = {
    'settle': ['settle', 'run', '--db', 'runs.db', '--sample', '3', '--threads', '1'],
    'eval': ['eval', 'run', '--db', 'runs.db', '--json', '--threads', '1'],
    'export': ['export', 'run', '--db', 'runs.db', '--weights', 'weights'],
    'netlist': ['netlist', 'run', '--db', 'runs.db', '-o', 'network.cir'],
    'layer': ['netlist', 'run', '--db', 'runs.db', '--layer', 'x-h1', '-o', 'layer.cir'],
}

DIGITS = {'dataset.name': 'digits', 'dataset.train': 400, 'dataset.test': 100, 'network.hidden': '[24,12]',
          'train.epochs': 2, 'train.batch': 20, 'train.seed': 3, 'feedback.scale': 0.1,
          'update.optimizer': 'sgd', 'update.rate': 0.05}
MNIST = {**DIGITS, 'dataset.name': 'mnist', 'dataset.train': 6000, 'dataset.test': 1000,
         'network.hidden': '[128,32]', 'train.epochs': 1, 'train.batch': 50}
SOFT = {'device.model': 'soft_bounds', 'device.cycle_to_cycle': 0.3, 'device.variation.step': 0.2,
        'device.stuck_off': 0.002, 'device.step_up': 0.004, 'device.step_down': 0.004}
SHALLOW = {'network.topology': 'layered'}
TOPOLOGY = {
    'layered': SHALLOW,
    'residual': {'network.topology': 'residual', 'network.hidden': '[16,12,16,12,10]'},
    'agt': {'network.topology': 'agt', 'network.hidden': '[16,12,16,12]', 'network.link_probability': 0.6},
    'graph': {'network.topology': 'graph', 'network.hidden': '[16,12,10]', 'network.links': cmb.GRAPH},
    'conv': {'network.topology': 'conv', 'network.conv': '4x3 pool2 6x2 16', 'network.hidden': None},
}
ARRAY = {
    'ideal': {},
    'noisy': {'array.model': 'periphery', 'array.read_noise': 0.01, 'array.noise.law': 'proportional',
              'array.input_noise': 0.01, 'array.output_noise': 0.01},
    'sample_noise': {'array.model': 'periphery', 'array.read_noise': 0.01, 'array.noise.redraw': 'sample'},
    'phase_noise': {'array.model': 'periphery', 'array.read_noise': 0.01, 'array.noise.redraw': 'phase'},
    'converters': {'array.model': 'periphery', 'array.dac_bits': 7, 'array.adc_bits': 9},
    'own_columns': {'array.model': 'periphery', 'array.adc_bits': 9, 'array.adc_columns': 'own',
                    'array.calibration.every': 7, 'array.calibration.percentile': 99},
    'analog': cmb.CIRCUIT_KEYS['analog'],
    'wires': {'array.wire.r_word': '3 ohm', 'array.wire.r_bit': '2 ohm', 'array.wire.tile': '[16,16]'},
    'wires_kept': {'array.wire.r_word': '3 ohm', 'array.wire.r_bit': '2 ohm', 'array.wire.tile': '[64,64]',
                   'array.wire.refresh': 5},
    'neighbour': {'array.wire.r_word': '3 ohm', 'array.wire.r_bit': '2 ohm',
                  'array.wire.negative': 'neighbour', 'array.model': 'periphery', 'array.read_noise': 0.01},
    'half': {'array.write.select': 'half', 'array.wire.r_word': '1 ohm', 'array.wire.tile': '[32,32]'},
    'third': {'array.write.select': 'third', 'device.weak_pulse.threshold': 0.2},
}
SETTLE = {
    'sweep': {'settle.method': 'sweep'},
    'sweep_steps': {'settle.method': 'sweep', 'settle.free': 12, 'settle.nudged': 6},
    'synchronous': {'settle.method': 'synchronous'},
    'tolerance': {'settle.method': 'synchronous', 'settle.tolerance': 1e-3, 'settle.free': 60},
    'growing': {'settle.method': 'synchronous', 'settle.nudge_course': 'growing'},
    'direct': {'settle.method': 'sweep', 'settle.difference': 'direct'},
    'ode': {'settle.method': 'ode', 'train.epochs': 1, 'dataset.train': 40, 'dataset.test': 20},
    'spice': {'settle.method': 'spice', 'train.epochs': 1, 'dataset.train': 20, 'dataset.test': 10,
              'network.hidden': '[6,5]'},
}
DEVICE = {
    'card': {'device.card': 'ecram'},
    'pcm': {'device.card': 'pcm', 'device.mapping': 'one_sided'},
    'drift': {**SOFT, 'device.drift.law': 'power', 'device.drift.nu_spread': 0.01},
    'levels': {**SOFT, 'device.levels': 64, 'device.write_noise': 0.01},
    'wear': {**SOFT, 'device.endurance.pulses': 40},
    'leak': {**SOFT, 'device.leak.lifetime': 200, 'device.leak.spread': 0.2},
    'spread': {**SOFT, 'device.variation.law': 'lognormal', 'device.variation.g_low': 0.05,
               'device.variation.g_high': 0.05, 'device.variation.asymmetry': 0.2, 'device.open': 0.01},
    'write_error': {**SOFT, 'device.write_error.c0': '0.5 uS'},
}
OTHER = {
    'centred': {'rule.phases': 'centred'},
    'live': {'rule.error': 'live'},
    'readout_nudged': {'rule.readout': 'nudged'},
    'physical': {'rule.gradient': 'physical'},
    'normalized': {'rule.gradient': 'normalized'},
    'asymmetric': {'feedback.mode': 'asymmetric'},
    'per_layer': {'feedback.per': 'layer', **TOPOLOGY['residual']},
    'biases': {'network.biases': 'true'},
    'fan_in': {'network.init': 'fan_in'},
    'clip_decay': {'update.clip': 0.5, 'update.decay': 1e-3, 'update.schedule': 'cosine'},
    'neurons': {'neuron.variation.gain': 0.05, 'neuron.variation.offset': 0.02, 'neuron.saturation': 0.9},
    'neurons_in_time': {**SETTLE['ode'], 'neuron.variation.tau': 0.2, 'neuron.slew': 3,
                        'neuron.variation.slew': 0.2},
    'noise_in_time': {**SETTLE['ode'], **ARRAY['noisy']},
    'validation': {'dataset.validation': 50},
    'crop_flip': {'dataset.crop': 1, 'dataset.flip': 'true'},
    'observe': {'observe.spectral_radius': 'true', 'observe.lyapunov': 'true', 'observe.settling': 'true',
                'observe.cosine': 'true', 'settle.method': 'synchronous'},
    'observe_in_time': {**SETTLE['ode'], 'observe.settling': 'true'},
    'initial_scheme': {**SOFT, 'update.scheme': 'pulses', 'program.initial': 'scheme'},
}
# Neurons that spike, and weights that learn from it.
STDP = {'rule.name': 'stdp', 'dynamics.name': 'spiking', 'network.output': 'votes', 'network.w_max': 1,
        'network.hidden': '[20]', 'train.batch': 1, 'device.model': 'soft_bounds', 'device.mapping': 'single',
        'update.scheme': 'stochastic', 'update.rate': 0.02, 'settle.method': 'steps', 'settle.steps': 60,
        'settle.encode.rate': '130 Hz', 'neuron.threshold.value': 5, 'neuron.reset': 'value',
        'neuron.inhibit': 'line', 'neuron.winners': 'one', 'dataset.train': 120, 'dataset.test': 40}
TRIPLETS = {'rule.window': 'exponential', 'rule.tau_slow': '40 ms', 'rule.rate_pre': 0.05, 'rule.normalize': 9}
SPIKES = {
    'rectangular': {'neuron.threshold.law': 'target'},
    'exponential': {'rule.window': 'exponential', 'rule.rate_pre': 0.1, 'neuron.threshold.law': 'spike'},
    'all': {'rule.window': 'exponential', 'rule.traces': 'all', 'rule.rate_pre': 0},
    'triplets': {**TRIPLETS, 'neuron.threshold.law': 'spike', 'neuron.refractory': '3 ms'},
    'regular': {'settle.encode.kind': 'regular', 'settle.encode.silent_below': 0.2},
    'latency': {'settle.encode.kind': 'latency', 'neuron.threshold.value': 2},
    'direct': {'settle.encode.kind': 'direct', 'neuron.synapse': 'current', 'neuron.inhibit': 'none'},
    'layers': {'network.hidden': '[20,16]', 'network.lateral': 'true', 'network.back': 'true',
               'settle.order': 'layered', 'settle.rest': 10, 'neuron.delay.forward': '2 ms'},
    'conductances': {'neuron.synapse': 'conductance', 'network.lateral': 'true', 'neuron.threshold.value': 0.3},
    'accumulated': {'rule.window': 'exponential', 'update.scheme': 'accumulate', 'device.cycle_to_cycle': 0.3},
    'noisy': {**SOFT, **ARRAY['noisy'], 'device.mapping': 'single'},
    'leaking': {**DEVICE['leak'], **ARRAY['half'], 'device.mapping': 'single'},
    'perturbed': {'rule.name': 'perturb', 'network.output': 'softmax', 'train.batch': 20, 'device.model': 'ideal',
                  'device.mapping': None, 'update.scheme': 'exact', 'network.w_max': 0,
                  'neuron.threshold.value': 1, 'dataset.train': 60},
    'contrasted': {'rule.name': 'csdp', 'network.output': 'counts', 'train.batch': 20, 'device.model': 'ideal',
                   'device.mapping': None, 'update.scheme': 'exact', 'dataset.train': 60, 'network.w_max': None,
                   'neuron.threshold.value': None, 'neuron.reset': None, 'neuron.inhibit': None,
                   'neuron.winners': None, 'settle.encode.rate': None},
}


def merged(*sets):
    out = {}
    for keys in sets:
        out.update(keys)
    return {k: v for k, v in out.items() if v is not None}


def digits_cases(kinds):
    """{name: [commands]} on the embedded digits."""
    out = {}

    def add(name, *sets, shown=('settle', 'eval', 'export')):
        out[f'digits {name}'] = [train(merged(DIGITS, *sets))] + [SHOWN[verb] for verb in shown]

    for rule in kinds['rules']:
        for settle, keys in SETTLE.items():
            add(f'rule {rule}, settle {settle}', {'rule.name': rule}, keys)
    for scheme in kinds['schemes']:
        for mapping in ('differential', 'reference', 'offset', 'one_sided'):
            add(f'scheme {scheme}, mapping {mapping}', SOFT,
                {'update.scheme': scheme, 'device.mapping': mapping}, shown=('eval', 'layer', 'netlist'))
        for device in kinds['devices']:
            add(f'scheme {scheme}, device {device}', {'update.scheme': scheme, 'device.model': device},
                shown=('eval', 'layer'))
        for array in ('wires', 'half', 'third', 'noisy'):
            add(f'scheme {scheme}, array {array}', SOFT, ARRAY[array], {'update.scheme': scheme}, shown=('eval',))
    for topology, shape in TOPOLOGY.items():
        for settle, keys in SETTLE.items():
            add(f'topology {topology}, settle {settle}', shape, keys,
                {} if settle != 'spice' else {'network.hidden': shape.get('network.hidden', '[6,5]')})
        for rule in kinds['rules']:
            add(f'topology {topology}, rule {rule}', shape, {'rule.name': rule})
        for array, keys in ARRAY.items():
            add(f'topology {topology}, array {array}', SOFT, shape, keys, {'update.scheme': 'pulses'},
                shown=('settle', 'eval'))
        add(f'topology {topology}, biases', shape, {'network.biases': 'true'})
        add(f'topology {topology}, circuit', shape, shown=('netlist', 'layer'))
    for neuron in kinds['neurons']:
        for settle in ('sweep', 'synchronous', 'direct', 'ode'):
            add(f'neuron {neuron}, settle {settle}', SETTLE[settle], {'network.neuron': neuron})
    for optimizer in kinds['optimizers']:
        for scheme in ('exact', 'pulses', 'accumulate'):
            add(f'optimizer {optimizer}, scheme {scheme}', SOFT,
                {'update.optimizer': optimizer, 'update.scheme': scheme, 'update.rate': 0.005})
    for device, keys in DEVICE.items():
        add(f'device {device}', keys, {'update.scheme': 'pulses'}, shown=('eval', 'layer', 'export'))
    for array, keys in ARRAY.items():
        for settle in ('sweep', 'ode', 'direct'):
            add(f'array {array}, settle {settle}', SOFT, keys, SETTLE[settle])
    add('array spice', SETTLE['spice'], {'settle.method': 'synchronous', 'array.model': 'spice'})
    for name, keys in OTHER.items():
        add(name, keys)
    for name, keys in SPIKES.items():
        add(f'spikes {name}', STDP, keys)
    return out


def random_image_cases():
    """{name: [commands]} of the cover's cells: every pair of its dimensions, and its refusals."""
    out = {}
    cells = cmb.covering_array(cmb.DIMENSIONS)[0] + cmb.refused_cells(cmb.DIMENSIONS)
    for i, cell in enumerate(cells):
        keys = {'dataset.name': 'idx', 'dataset.path': 'images', **cmb.network_keys(cell), **cmb.device_keys(cell)}
        given = cmb.reading_keys(cell)
        if cell['given'] == 'training':
            keys.update(given)
        more = settings(given) if cell['given'] == 'verb' else []
        shown = [SHOWN[verb] + (more if verb != 'export' else []) for verb in SHOWN]
        name = ' '.join(f'{k}={v}' for k, v in cell.items())
        out[f'cover {i} {name}'] = [train(keys)] + shown
    return out


def mnist_cases(kinds):
    """{name: [commands]} on 6,000 images of MNIST."""
    out = {}

    def add(name, *sets):
        out[f'mnist {name}'] = [train(merged(MNIST, *sets)), SHOWN['eval']]

    for rule in kinds['rules']:
        for settle in ('sweep', 'sweep_steps', 'synchronous', 'direct'):
            add(f'rule {rule}, settle {settle}', {'rule.name': rule}, SETTLE[settle])
    for scheme in kinds['schemes']:
        add(f'scheme {scheme}', SOFT, {'update.scheme': scheme})
    for mapping in ('reference', 'offset', 'one_sided'):
        add(f'mapping {mapping}', SOFT, {'update.scheme': 'pulses', 'device.mapping': mapping})
    for array in ('noisy', 'converters', 'wires_kept', 'half'):
        add(f'array {array}', SOFT, ARRAY[array], {'update.scheme': 'pulses'})
    for topology in ('residual', 'agt', 'graph'):
        add(f'topology {topology}', TOPOLOGY[topology])
    add('topology conv', TOPOLOGY['conv'], {'network.conv': '8x5 pool2 16x5 pool2 32'})
    return out


def verb_cases(kinds):
    """{name: [commands]} of verbs beside training: a device's curves, arrays, studies, programming."""
    out = {}
    base = train(merged(DIGITS, SOFT, {'update.scheme': 'pulses'}))
    out['verb program'] = [base, ['program', 'run', '--db', 'runs.db', '--chips', '2', '--threads', '1']]
    out['verb cosim'] = [base, ['cosim', 'run', '--db', 'runs.db', '--layer', 'h2-out']]
    out['verb show'] = [base, ['show', 'run', '--db', 'runs.db']]
    for model in ('soft_bounds', 'pcm', 'vteam', 'yakopcic', 'linear_ion', 'nl_pulse'):
        out[f'verb device curve {model}'] = [['device', 'curve', model, '--cells', '20']]
    for kind in ('devices', 'rules', 'settlers', 'arrays', 'schemes', 'topologies', 'datasets'):
        shown = 'programs' if kind == 'schemes' else kind  # their name in release 0.1
        out[f'verb list {kind}'] = [['list', shown, word] for word in kinds[kind]]
    return out


# ---------------------------------------------------------------- running and comparing

def records(path, ids):
    """Every record of a database but for what differs between two runs; checkpoints as hashes.

    The config of a programmed run names the run that its weights are from, so its hashes differ.
    """
    out = []
    db = sqlite3.connect(f'file:{path}?mode=ro', uri=True)
    for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"):
        cursor = db.execute(f'SELECT * FROM {table}')
        names = [d[0] for d in cursor.description]
        kept = [i for i, n in enumerate(names) if n not in FREE]
        for row in cursor:
            if table == 'artifact' and 'mistakes' in row:  # an answer of every test image, which versions before 0.2 kept none of
                continue
            hashes = {'config_hash', 'point_hash'} if 'programmed' in row else set()
            hashes |= {n for n, v in zip(names, row) if n in NEW_COLUMNS and v is None}
            words = [f'{names[i]}={plain(row[i])}' for i in kept if names[i] not in hashes]
            out.append(without_times(f'{table}: ' + ' '.join(words), ids))
    db.close()
    return sorted(out)


def run_ids(path):
    if not os.path.exists(path):
        return []
    db = sqlite3.connect(f'file:{path}?mode=ro', uri=True)
    ids = [i for (i,) in db.execute('SELECT id FROM run')]
    db.close()
    return ids


def without_checksum(checkpoint):
    version = int.from_bytes(checkpoint[VERSION], 'little')
    if not version & CHECKSUM:
        return checkpoint
    less = bytearray(checkpoint[:-CHECKSUM_BYTES])
    less[VERSION] = (version & ~CHECKSUM).to_bytes(4, 'little')
    less[SIZE] = len(less).to_bytes(8, 'little')
    return bytes(less)


def plain(value):
    if isinstance(value, bytes):
        if value.startswith(b'mho ckpt'):
            value = without_checksum(value)
            value = value[:CLOCK.start] + value[CLOCK.stop:]
        return hashlib.sha256(value).hexdigest()
    return repr(in_order(value)) if isinstance(value, str) else repr(value)


def in_order(text):
    """A JSON object with its keys sorted, since their order says nothing; any other text as it is."""
    try:
        return json.dumps(json.loads(text), sort_keys=True) if text.startswith('{') else text
    except ValueError:
        return text


def without_times(text, ids):
    """What is printed or written, without identifiers of runs, times, versions and keys that are new."""
    for i in ids:
        text = text.replace(i, 'RUN')
    for key in NEW_KEYS:
        text = re.sub(rf',\s*{key}|{key},?\s*', '', text)
    for said in NEW_WORDS:
        text = re.sub(said, '', text, flags=re.M)
    text = text.replace('mho list programs', 'mho list schemes')
    text = re.sub(r'mho [0-9a-f.]+[0-9a-z.-]*', 'MHO', text)
    text = re.sub(r'\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?Z?', 'DATE', text)
    return re.sub(r'"?(wall_s|eval_s|core_s|spice_s|seconds)"?[:=] ?[0-9.e+-]+', 'TIME', text)


def in_si(text):
    """Quantities without prefixes, and single blanks: a listed default may be written '0.1 mS' or '100 uS'."""
    power = {'f': -15, 'p': -12, 'n': -9, 'u': -6, 'm': -3, '': 0, 'k': 3, 'M': 6, 'G': 9}
    text = re.sub(r'(\d[\d.e+-]*) ([fpnumkMG]?)(S|s|V|ohm|J|W|F|A|Hz)\b',
                  lambda m: f'{float(m[1]) * 10.0 ** power[m[2]]:.12g} {m[3]}', text)
    return re.sub(r'[ -]+', ' ', text)


def timed(words):
    """Whether a command prints how long it took: then only its other effects are compared."""
    return words[0] in ('train', 'program', 'cosim', 'show')


def outcome(program, commands, folder):
    """Lines that say all that the commands did in a folder."""
    os.makedirs(folder)
    images.write(os.path.join(folder, 'images'))
    printed, out = [], []
    for words in commands:
        p = subprocess.run([program, *words], cwd=folder, capture_output=True, text=True, errors='replace',
                           timeout=900)
        text = '' if timed(words) and p.returncode == 0 else p.stdout + p.stderr
        text = in_si(text) if words[0] == 'list' else text
        printed.append(f'{words[0]}: exit code {p.returncode}: {text}')
        if p.returncode and words is commands[0]:
            break
    ids = run_ids(os.path.join(folder, 'runs.db'))
    out += [without_times(text, ids) for text in printed]
    for home, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            path = os.path.join(home, name)
            if name == 'runs.db':
                out += records(path, ids)
            elif not name.startswith('runs.db') and os.path.basename(home) != 'images':
                text = in_order(open(path, encoding='latin-1').read())
                data = without_times(text, ids).encode('latin-1', 'replace')
                out.append(f'{os.path.relpath(path, folder)}: {hashlib.sha256(data).hexdigest()}')
    return out


def compare(name, commands, programs, home):
    """(name, trained?, what differs first, or None)."""
    place = os.path.join(home, hashlib.sha256(name.encode()).hexdigest()[:12])
    a, b = (outcome(p, commands, os.path.join(place, str(i))) for i, p in enumerate(programs))
    shutil.rmtree(place)
    trained = 'exit code 0' in a[0]
    for x, y in zip(a, b):
        if x != y:
            return name, trained, f'{x[:700]}\n  against\n    {y[:700]}'
    return name, trained, None if len(a) == len(b) else f'{len(a)} records against {len(b)}'


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument('before')
    options.add_argument('after')
    options.add_argument('--mnist', action='store_true')
    options.add_argument('--only', default='')
    options.add_argument('--jobs', type=int, default=os.cpu_count())
    options.add_argument('--verbose', action='store_true')
    given = options.parse_args()

    programs = [os.path.abspath(p) for p in (given.before, given.after)]
    kinds = registered(programs[0])
    cases = {**digits_cases(kinds), **verb_cases(kinds), **random_image_cases()}
    if given.mnist:
        cases.update(mnist_cases(kinds))
    cases = {k: v for k, v in cases.items() if given.only in k}

    different = trained = 0
    home = tempfile.mkdtemp(prefix='mho-bits-')
    with concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
        jobs = [pool.submit(compare, k, v, programs, home) for k, v in cases.items()]
        for done, job in enumerate(concurrent.futures.as_completed(jobs), 1):
            name, ran, what = job.result()
            trained += ran
            if what:
                different += 1
                print(f'DIFFERS  {name}\n    {what}', flush=True)
            elif given.verbose:
                print(f'same     {name}{"" if ran else "   (refused)"}', flush=True)
                print('         ' + '\n         '.join(' '.join(['mho', *c]) for c in cases[name]))
            if sys.stderr.isatty():
                print(f'\r{done} of {len(cases)} ', end='', file=sys.stderr, flush=True)
    shutil.rmtree(home, ignore_errors=True)
    print(f'{len(cases)} cases, {trained} of them train and the rest are refused: {different} differ')
    return 1 if different or not trained else 0


if __name__ == '__main__':
    sys.exit(main())
