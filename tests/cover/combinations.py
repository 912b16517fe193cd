"""What is combined: dimensions with their values, pairs that mho must refuse, and a small array that covers all pairs.

A cell is a dict {dimension: value}. Its config keys follow from KEYS, its expected answer from REFUSED: where a rule
there applies, mho must say that sentence with exit code 2; anywhere else it must give the right numbers.
"""
import itertools
import random
import re

DIMENSIONS = {
    'settler': ['sweep', 'synchronous', 'ode', 'spice'],
    'array': ['ideal', 'periphery', 'noise', 'converters', 'analog', 'spice'],
    'wires': ['none', 'tiles', 'one_tile', 'neighbour'],
    'device': ['ideal', 'linear', 'soft_bounds', 'exp_step', 'nl_pulse', 'pcm', 'vteam'],
    'iv': ['ohmic', 'sinh', 'polynomial', 'hfo2'],
    'drift': ['none', 'power', 'exponential'],
    'mapping': ['differential', 'reference', 'one_sided', 'offset'],
    'topology': ['layered', 'residual', 'agt', 'graph', 'conv'],
    'biases': ['without', 'with'],
    'neuron': ['tanh', 'hard_sigmoid', 'relu'],
    'error': ['held', 'live'],
    'given': ['training', 'verb'],
    'verb': ['settle', 'eval', 'netlist_layer', 'netlist_network', 'cosim_crossbar', 'cosim_network', 'export'],
}

# The numbers behind the words; reference.py is given the same ones.
G_MIN, G_MAX = 50e-6, 225e-6
WIRES = {
    'none': None,
    'tiles': {'r_word': 30.0, 'r_bit': 8.0, 'tile': (7, 4), 'neighbour': False},
    'one_tile': {'r_word': 30.0, 'r_bit': 8.0, 'tile': (128, 128), 'neighbour': False},
    'neighbour': {'r_word': 30.0, 'r_bit': 8.0, 'tile': (7, 6), 'neighbour': True},
}
IV = {
    'ohmic': {'law': 'ohmic'},
    'sinh': {'law': 'sinh', 'b': 4.0},
    'polynomial': {'law': 'polynomial', 'k2': 0.5, 'k3': 3.0},
    'hfo2': {'law': 'hfo2'},
}
DRIFT = {
    'none': None,
    'power': {'law': 'power', 't0': 20.0, 'nu': 0.06},
    'exponential': {'law': 'exponential', 't0': 20.0, 'tau': 1e6, 'rest': 0.2},
}
AFTER = 1e5  # s after programming at which drifted networks are shown
CIRCUITS = {
    'noise': {'sigma': 0.02},
    'converters': {'dac_bits': 8, 'adc_bits': 10, 'full_scale': 4.0},
    'analog': {'dac_bits': 8, 'adc_bits': 10, 'full_scale': 4.0, 'analog': True},
}
IMAGE = 5  # pixels on a side
CLASSES = 3
ALPHA, BETA, NUDGE, READ_VOLTAGE = 0.9, 0.3, 0.5, 0.4
HIDDEN = {'layered': [9, 7], 'residual': [6, 5, 6, 5], 'agt': [6, 5, 6, 5], 'graph': [6, 5, 6]}
GRAPH = 'x>1 1-2 2-3 1-3 x>2 3-out 2>out'
CONV = '2x2 pool2 6'

NETWORK_KEYS = {
    **{t: {'network.topology': t, 'network.hidden': str(h).replace(' ', '')} for t, h in HIDDEN.items()},
    'conv': {'network.topology': 'conv', 'network.conv': CONV},
}
NETWORK_KEYS['agt']['network.link_probability'] = '0.6'
NETWORK_KEYS['graph']['network.links'] = GRAPH

CIRCUIT_KEYS = {
    'ideal': {'array.model': 'ideal'},
    'periphery': {'array.model': 'periphery'},
    'noise': {'array.model': 'periphery', 'array.read_noise': '0.02', 'array.noise.law': 'proportional',
              'array.noise.redraw': 'sample'},
    'converters': {'array.model': 'periphery', 'array.dac_bits': '8', 'array.adc_bits': '10',
                   'array.adc_range': 'fixed', 'array.adc_full_scale': '4'},
    'spice': {'array.model': 'spice'},
}
CIRCUIT_KEYS['analog'] = {**CIRCUIT_KEYS['converters'], 'array.coupling': 'analog'}


def device_keys(cell):
    keys = {'device.model': cell['device'], 'device.g_min': '50 uS', 'device.g_max': '225 uS',
            'device.mapping': cell['mapping']}
    return keys


def network_keys(cell):
    """Network, data and learning: always given at training."""
    return {**NETWORK_KEYS[cell['topology']], 'network.neuron': cell['neuron'],
            'network.biases': 'true' if cell['biases'] == 'with' else 'false',
            'network.forward_scale': ALPHA, 'feedback.scale': BETA, 'rule.nudge': NUDGE,
            'train.epochs': 1, 'train.batch': 10, 'update.optimizer': 'sgd', 'update.rate': 0.05,
            'update.scheme': 'exact'}


def reading_keys(cell):
    """What may also be given when a trained network is looked at: settler, array, wires, I-V law and drift."""
    keys = {'settle.method': cell['settler'], 'rule.error': cell['error'], **CIRCUIT_KEYS[cell['array']],
            'array.read_voltage': f'{READ_VOLTAGE} V'}
    if cell['settler'] in ('sweep', 'synchronous'):
        clocked = cell['array'] in ('converters', 'analog')
        keys['settle.free'], keys['settle.nudged'] = (20, 10) if clocked else (300, 300)
    if cell['settler'] == 'ode':
        keys['settle.tolerance'] = 1e-9
    wires = WIRES[cell['wires']]
    if wires:
        keys.update({'array.wire.r_word': f'{wires["r_word"]} ohm', 'array.wire.r_bit': f'{wires["r_bit"]} ohm',
                     'array.wire.tile': '[%d,%d]' % wires['tile'],
                     'array.wire.negative': 'neighbour' if wires['neighbour'] else 'own'})
    iv = IV[cell['iv']]
    if iv['law'] != 'ohmic':
        keys.update({f'device.iv.{k}': v for k, v in iv.items()})
    drift = DRIFT[cell['drift']]
    if drift:
        unit = {'t0': ' s', 'tau': ' s'}
        keys.update({f'device.drift.{k}': f'{v}{unit.get(k, "")}' for k, v in drift.items()})
    return keys


# ---------------------------------------------------------------- what must be refused

class Rule:
    """Cells in which every named dimension has one of the values are refused with a sentence like `says`.

    quiet: such cells are not refused, but what is named has no effect and mho must say so on standard error.
    """

    def __init__(self, says, **where):
        self.says = re.compile(says)
        self.where = {k: [v] if isinstance(v, str) else list(v) for k, v in where.items()}

    def applies(self, cell):
        return all(cell[k] in values for k, values in self.where.items())

    def name(self):
        return ', '.join(f'{k} {"/".join(v)}' for k, v in self.where.items())


REFUSED = []


def rules_of(cell):
    return [rule for rule in REFUSED if rule.applies(cell)]


# ---------------------------------------------------------------- the covering array

def pairs(dimensions):
    for a, b in itertools.combinations(dimensions, 2):
        for u in dimensions[a]:
            for v in dimensions[b]:
                yield (a, u), (b, v)


def legal_pair(pair, dimensions):
    """Whether some cell has both values and is not refused: found by trying, so the answer may be late, never wrong."""
    return complete(dict(pair), dimensions, random.Random(repr(pair)), set()) is not None


def complete(given, dimensions, rng, missing):
    """A cell that runs and has the given values, with many of the missing pairs; or None."""
    best, most = None, -1
    found = 0
    for _ in range(400):
        cell = {k: given.get(k) or rng.choice(values) for k, values in dimensions.items()}
        for _ in range(20):
            rules = rules_of(cell)
            if not rules:
                break
            loose = [k for k in rules[0].where if k not in given]
            if not loose:
                break
            k = rng.choice(loose)
            cell[k] = rng.choice(dimensions[k])
        if rules_of(cell):
            continue
        found += 1
        score = sum(p in missing for p in itertools.combinations(cell.items(), 2)) if missing else 0
        if score > most:
            best, most = cell, score
        if found >= 25 or not missing:
            break
    return best


def covering_array(dimensions):
    """Cells in which every pair of values that can run together does; the same ones every time."""
    missing = {p for p in pairs(dimensions) if legal_pair(p, dimensions)}
    impossible = [p for p in pairs(dimensions) if p not in missing]
    rng = random.Random(1)
    cells = []
    while missing:
        first = min(missing)
        cell = complete(dict(first), dimensions, rng, missing)
        cells.append(cell)
        missing -= set(itertools.combinations(cell.items(), 2))
    return cells, impossible


def refused_cells(dimensions):
    """For every rule, and every combination of values that it names, a cell to which no other rule applies if one exists."""
    cells = []
    for rule in REFUSED:
        for values in itertools.product(*rule.where.values()):
            given = dict(zip(rule.where, values))
            rng = random.Random(repr(sorted(given.items())))
            best = None
            for _ in range(300):
                cell = {k: given.get(k) or rng.choice(v) for k, v in dimensions.items()}
                n = len(rules_of(cell))
                if best is None or n < best[0]:
                    best = (n, cell)
                if n == 1:
                    break
            if best[1] not in cells:
                cells.append(best[1])
    return cells


def sampled(dimensions, n, seed):
    """n cells of the whole product, by a seed."""
    rng = random.Random(seed)
    return [{k: rng.choice(v) for k, v in dimensions.items()} for _ in range(n)]
