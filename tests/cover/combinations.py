"""What is combined: dimensions with their values, pairs that mho must refuse, and a small array
that covers all pairs.

A cell is a dict {dimension: value}. Its config keys follow from KEYS, its expected answer from
REFUSED: where a rule
there applies, mho must say that sentence with exit code 2; anywhere else it must give the right
numbers.
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
    'neuron': ['tanh', 'sigmoid', 'hard_sigmoid', 'relu'],
    'output': ['softmax', 'state'],
    'error': ['held', 'live'],
    'given': ['training', 'verb'],
    'verb': ['settle', 'eval', 'netlist_layer', 'netlist_network', 'cosim_crossbar', 'cosim_network', 'export'],
}

# The numbers behind the words; reference.py is given the same ones.
G_MIN, G_MAX = 50e-6, 225e-6
WIRES = {
    'none': None,
    'tiles': {'r_word': 8.0, 'r_bit': 3.0, 'tile': (7, 4), 'neighbour': False},
    'one_tile': {'r_word': 8.0, 'r_bit': 3.0, 'tile': (128, 128), 'neighbour': False},
    'neighbour': {'r_word': 8.0, 'r_bit': 3.0, 'tile': (7, 6), 'neighbour': True},
}
IV = {
    'ohmic': {'law': 'ohmic'},
    'sinh': {'law': 'sinh', 'b': 1.5},
    'polynomial': {'law': 'polynomial', 'k2': 0.2, 'k3': 0.2},
    'hfo2': {'law': 'hfo2'},
}
DRIFT = {
    'none': None,
    'power': {'law': 'power', 't0': 20.0, 'nu': 0.005},
    'exponential': {'law': 'exponential', 't0': 20.0, 'tau': 2e6, 'rest': 0.2},
}
AFTER = 1e5  # s after programming at which drifted networks are shown
CIRCUITS = {
    'noise': {'sigma': 0.02},
    'converters': {'dac_bits': 8, 'adc_bits': 10, 'full_scale': 4.0},
    'analog': {'dac_bits': 8, 'adc_bits': 10, 'full_scale': 4.0, 'analog': True},
}
IMAGE = 5  # pixels on a side
CLASSES = 3
ALPHA, BETA, NUDGE, READ_VOLTAGE = 0.9, 0.15, 0.5, 0.4
STEPS = {'clocked': (20, 10), 'settled': (300, 300)}  # free and nudged, of sweep and synchronous
HIDDEN = {'layered': [9, 7], 'residual': [8, 7, 8, 7], 'agt': [8, 7, 8, 7], 'graph': [8, 7, 8]}
GRAPH = 'x>1 1-2 2-3 1-3 x>2 3-out 2>out'
CONV = '2x2 pool2 8'

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
            'network.biases': 'true' if cell['biases'] == 'with' else 'false', 'network.output': cell['output'],
            'network.init': 'fan_in', 'network.forward_scale': ALPHA, 'feedback.scale': BETA, 'rule.nudge': NUDGE,
            'train.epochs': 1, 'train.seed': 5, 'train.batch': 10, 'update.optimizer': 'sgd', 'update.rate': 0.003,
            'update.scheme': 'exact'}


def is_converted(cell):
    """Whether states that are shown pass converters: netlists and mho cosim leave those out."""
    shown = cell['verb'] in ('settle', 'eval') or cell['given'] == 'training'
    return cell['array'] in ('converters', 'analog') and shown


def reading_keys(cell):
    """What may also be given when a trained network is looked at: settler, array, wires, I-V law
    and drift.
    """
    keys = {'settle.method': cell['settler'], 'rule.error': cell['error'], **CIRCUIT_KEYS[cell['array']],
            'array.read_voltage': f'{READ_VOLTAGE} V'}
    if cell['settler'] in ('sweep', 'synchronous'):
        keys['settle.free'], keys['settle.nudged'] = STEPS['clocked' if is_converted(cell) else 'settled']
    if cell['settler'] == 'ode':  # codes that jump would keep it from a finer rest
        keys['settle.tolerance'] = 1e-5 if is_converted(cell) else 1e-9
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

NONE_IDEAL = [d for d in DIMENSIONS['device'] if d != 'ideal']
CURVED = [v for v in DIMENSIONS['iv'] if v != 'ohmic']
WIRED = [v for v in DIMENSIONS['wires'] if v != 'none']
WHOLE = ['netlist_network', 'cosim_network']
ONE = ['netlist_layer', 'cosim_crossbar']
PERIPHERY = ['periphery', 'noise', 'converters', 'analog']


class Rule:
    """In cells where every named dimension has one of these values mho says a sentence in which
    `says` is found.

    Values of the settler, the array and what is read are given at training or at the verb; mho
    export takes none.
    """

    def __init__(self, says, **where):
        self.says = re.compile(says)
        self.where = {k: [v] if isinstance(v, str) else list(v) for k, v in where.items()}

    def applies(self, cell):
        if cell['verb'] == 'export' and cell['given'] == 'verb':
            return False
        return all(cell[k] in values for k, values in self.where.items())

    def name(self):
        return ', '.join(f'{k} {"/".join(v)}' for k, v in self.where.items())


# Refused with exit code 2.
REFUSED = [
    Rule('its devices are resistors; use array periphery', array='spice', iv=CURVED),
    Rule('array spice: G- in the next column has no netlist', array='spice', wires='neighbour'),
    Rule('ode knows no convolutions', settler='ode', topology='conv'),
    Rule('digital neurons behind converters are clocked', settler='ode', array='converters'),
    Rule('array.wire.negative: G- in the next column has no netlist', wires='neighbour', verb=ONE),
    Rule('wires are in the netlist of a crossbar', wires=WIRED, verb=WHOLE),
    Rule('rule.error: live is not in the circuit of a whole network', error='live', verb=WHOLE),
    Rule('network with convolutions or biases has no netlist', topology='conv', verb=WHOLE),
    Rule('network with convolutions or biases has no netlist', biases='with', verb=WHOLE),
    Rule('device.iv.law is in the netlist of a crossbar', array=PERIPHERY, device=NONE_IDEAL,
         iv=CURVED, verb=WHOLE),
    Rule('network whose outputs hold states has no netlist', output='state', verb=WHOLE),
    Rule('hfo2 between wires has no solution', array=PERIPHERY, device=NONE_IDEAL, iv='hfo2',
         wires=WIRED, verb='netlist_layer'),
    Rule('settle.method: spice shows no states', settler='spice', verb='settle'),
    Rule('settle.method: spice settles a circuit without wires', settler='spice', wires=WIRED),
    Rule('spice both want the one circuit', settler='spice', array='spice'),
    Rule('circuit without converters, amplifiers and read noise', settler='spice',
         array=['noise', 'converters', 'analog']),
    Rule('network with convolutions or biases has no netlist', settler='spice', topology='conv'),
    Rule('network with convolutions or biases has no netlist', settler='spice', biases='with'),
    Rule('network whose outputs hold states has no netlist', settler='spice', output='state'),
    Rule('device.iv.law is in the netlist of a crossbar', settler='spice', array=PERIPHERY,
         device=NONE_IDEAL, iv=CURVED),
]

# Taken, without an effect, and a note on standard error names it.
NOTED = [
    Rule('not in the circuit: .*array.(read_noise|dac_bits)', array=['noise', 'converters', 'analog'], verb=ONE + WHOLE),
    Rule('do not show device.iv.law', array='ideal', iv=CURVED, verb=ONE + WHOLE),
    Rule('do not show device.iv.law', device='ideal', iv=CURVED, verb=ONE + WHOLE),
    Rule('ideal has no conductances that could drift', device='ideal', drift=['power', 'exponential'],
         verb=['settle', 'eval'] + ONE + WHOLE),
]

# Taken without an effect and without a word.
SILENT = [
    Rule('', array='ideal', iv=CURVED, verb=['settle', 'eval', 'export']),
    Rule('', device='ideal', iv=CURVED, verb=['settle', 'eval', 'export']),
]


def rules_of(cell):
    """What mho may refuse the cell for: the first that it checks is what it says."""
    return [rule for rule in REFUSED if rule.applies(cell)]


# ---------------------------------------------------------------- the covering array

def pairs(dimensions):
    for a, b in itertools.combinations(dimensions, 2):
        for u in dimensions[a]:
            for v in dimensions[b]:
                yield (a, u), (b, v)


def legal_pair(pair, dimensions):
    """Whether some cell has both values and is not refused: found by trying, so the answer may be
    late, never wrong.
    """
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


def array_of(dimensions, missing, seed):
    """Cells in which all missing pairs occur, each as many as it can."""
    rng = random.Random(seed)
    missing = set(missing)
    cells = []
    while missing:
        cell = complete(dict(min(missing)), dimensions, rng, missing)
        cells.append(cell)
        missing -= set(itertools.combinations(cell.items(), 2))
    return cells


def covering_array(dimensions, shown=('settle',)):
    """Cells in which every pair of values that can run together does, and the pairs that cannot.

    What a pair does to states shows only where states are shown: all pairs occur with each verb of
    `shown`; then those that are left, with every other verb.
    """
    cells = []
    for verb in shown:
        if verb in dimensions['verb']:
            these = {**dimensions, 'verb': [verb]}
            cells += array_of(these, [p for p in pairs(these) if legal_pair(p, these)], verb)
    legal = [p for p in pairs(dimensions) if legal_pair(p, dimensions)]
    covered = {p for cell in cells for p in itertools.combinations(cell.items(), 2)}
    cells += array_of(dimensions, [p for p in legal if p not in covered], 'rest')
    return cells, [p for p in pairs(dimensions) if p not in legal]


def refused_cells(dimensions):
    """For every rule cells in which each value that it names occurs, to which no other rule
    applies if that can be.
    """
    cells = []
    for rule in REFUSED:
        for i in range(max(len(values) for values in rule.where.values())):
            given = {k: values[i % len(values)] for k, values in rule.where.items()}
            rng = random.Random(repr(sorted(given.items())))
            tried = [{k: given.get(k) or rng.choice(v) for k, v in dimensions.items()} for _ in range(300)]
            tried = [cell for cell in tried if rule.applies(cell)]
            cells.append(min(tried, key=lambda cell: len(rules_of(cell))))
    return cells


def sampled(dimensions, n, seed):
    """n cells of the whole product, by a seed."""
    rng = random.Random(seed)
    return [{k: rng.choice(v) for k, v in dimensions.items()} for _ in range(n)]
