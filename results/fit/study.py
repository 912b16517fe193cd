"""Whether 'mho device fit' finds what synthetic pulses were made with.

  study.py MHO [--sets 200] [--first 0] [--models NAMES] [--minutes 30] [--out sets.jsonl] [--choose N] [--check]

For every device model, sets of pulses of devices with random parameters are made by formulas of this file's own, fitted
with that model, and each parameter is looked for in its 95 % interval. Of the first N sets (--choose) all models are
compared, once as they are and once times a constant: is the chosen model the true one, or one whose mean curves are as
near to the true ones as those of the true model's own fit? A line of JSON a set goes into the file; sets that are there
are not made again, so a study that was stopped goes on. Sets are numbered: --first 195 makes the last five of 200 alone. At the end it prints the table of README.md; --check ends with
exit code 1 when a model's intervals hold the truth too rarely for chance, or another model is chosen in more than one set
of twenty.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
from scipy.optimize import brentq


# ---------------------------------------------------------------- the models, g from 0 to 1

def steps_of(model, p):
    """(change of g by a SET pulse, by a RESET pulse), each a function of an array g."""
    if model == 'linear':
        return (lambda g: p['step_up'] * (1 - p['slope_up'] * (g - 0.5) / 0.5),
                lambda g: -p['step_down'] * (1 + p['slope_down'] * (g - 0.5) / 0.5))
    if model == 'soft_bounds':
        return lambda g: p['step_up'] * (1 - g), lambda g: -p['step_down'] * g
    if model == 'pow_step':
        return (lambda g: p['step_up'] * np.maximum(1 - g, 0) ** p['gamma_up'],
                lambda g: -p['step_down'] * np.maximum(g, 0) ** p['gamma_down'])
    if model == 'exp_step':
        z = lambda g: 2 * p['a'] * (g - 0.5) + p['b']
        return (lambda g: p['step_up'] * np.maximum(1 - p['a_up'] * np.exp(p['gamma_up'] * z(g)), 0),
                lambda g: -p['step_down'] * np.maximum(1 - p['a_down'] * np.exp(-p['gamma_down'] * z(g)), 0))
    if model == 'pcm':
        return lambda g: p['step_up'] * np.maximum(1 - p['a_up'] * np.exp(-p['k'] * g), 0), lambda g: p['reset'] - g
    if model == 'nl_pulse':
        return branch(p['nl_up'], p['pulses_up'], 1), branch(p['nl_down'], p['pulses_down'], -1)
    return flow(model, p)


def branch(label, pulses, sign):
    """A pulse along G(x) = (1 - exp(-x/A))/(1 - exp(-P/A)), which lies at most .07 |label| from the diagonal."""
    def bulge(a):
        x = np.linspace(0, 1, 4001)
        return np.max((1 - np.exp(-x / a)) / (1 - np.exp(-1 / a)) - x) / np.sqrt(2)
    a = np.exp(brentq(lambda t: bulge(np.exp(t)) - 0.07 * abs(label), np.log(2e-3), np.log(1e3))) * np.sign(label)
    full = 1 - np.exp(-1 / a)

    def step(g):
        x = -a * np.log(np.maximum(1 - g * full, 1e-300))
        x = np.clip(x + sign / pulses, 0, 1)
        return (1 - np.exp(-x / a)) / full - g
    return step


def flow(model, p):
    """dx/dt = k(V) f(x) through a pulse, in many small steps."""
    def move(x, drive, f):
        for _ in range(64):
            h = drive / 64
            x1 = np.clip(x + 0.5 * h * f(x), 0, 1)
            x = np.clip(x + h * f(x1), 0, 1)
        return x
    if model == 'yakopcic':
        def F(x, alpha, x0):
            over = np.maximum(x - x0, 0)
            return np.exp(-alpha * over) * (1 - over / (1 - x0))
        up = p['a_p'] * (np.exp(0.45) - np.exp(0.16)) * 2e-6
        down = p['a_n'] * (np.exp(0.45) - np.exp(0.15)) * 2e-6
        return (lambda g: move(g, up, lambda x: F(x, p['alpha_p'], 0.3)) - g,
                lambda g: 1 - move(1 - g, down, lambda x: F(x, p['alpha_n'], 0.5)) - g)
    biolek = lambda x: 1 - x ** (2 * p['p'])
    if model == 'vteam':
        return (lambda g: move(g, p['k_set'] * 1e-3, biolek) - g,
                lambda g: 1 - move(1 - g, p['k_reset'] * 1e-3, biolek) - g)
    r, tau = 10.0, p['speed'] * 1e-3  # linear_ion from 10 to 100 uS: the drift is that of the current
    x_of = lambda g: (r - r / (1 + (r - 1) * g)) / (r - 1)
    g_of = lambda x: (r / (x + r * (1 - x)) - 1) / (r - 1)
    up = lambda x: biolek(x) / (x + r * (1 - x))
    down = lambda y: biolek(y) / (1 - y + r * y)
    return (lambda g: g_of(move(x_of(g), tau, up)) - g, lambda g: g_of(1 - move(1 - x_of(g), tau, down)) - g)


def truth_of(model, u):
    """(parameters to be found, what else is set)."""
    two = lambda low, high: (u(low, high), u(low, high))
    names = lambda name, low, high: dict(zip((name + '_up', name + '_down'), two(low, high)))
    if model == 'linear':
        return {**names('step', 0.01, 0.04), **names('slope', 0.1, 0.9)}, {}
    if model == 'soft_bounds':
        return names('step', 0.02, 0.08), {}
    if model == 'pow_step':
        return {**names('step', 0.02, 0.06), **names('gamma', 0.5, 2.5)}, {}
    if model == 'exp_step' and u(0, 1) < 0.5:
        return {**names('step', 0.002, 0.008), **names('a', -4, -1), **names('gamma', 1.5, 4)}, {'a': -0.5, 'b': -0.5}
    if model == 'exp_step':
        return {**names('step', 0.015, 0.04), **names('a', 0.05, 0.25), **names('gamma', 2.5, 4.5)}, {'a': 0.5, 'b': 0.0}
    if model == 'pcm':
        return {'step_up': u(0.003, 0.008), 'a_up': u(-30, -10), 'k': u(4, 8), 'reset': u(0.01, 0.05)}, {}
    if model == 'nl_pulse':
        sign = 1 if u(0, 1) < 0.5 else -1
        return {'nl_up': sign * u(1, 5), 'nl_down': -sign * u(1, 5), 'pulses_up': u(50, 120), 'pulses_down': u(50, 120)}, {}
    if model == 'yakopcic':
        return {'a_p': u(20000, 50000), 'a_n': u(20000, 50000), 'alpha_p': u(0.5, 3), 'alpha_n': u(2, 6)}, {}
    if model == 'vteam':
        return {'k_set': u(15, 40), 'k_reset': u(15, 40), 'p': u(1, 3)}, {}
    return {'speed': u(60, 150), 'p': u(1, 3)}, {}


MODELS = ['linear', 'soft_bounds', 'pow_step', 'exp_step', 'nl_pulse', 'pcm', 'linear_ion', 'vteam', 'yakopcic']
RANGE_FITTED = {'soft_bounds', 'pow_step'}
VOLTAGES = {'linear_ion': ['--set', 'device.width=1 ms'], 'yakopcic': [], 'vteam': []}


# ---------------------------------------------------------------- a set

def make(model, number):
    """A set: its truth, and rows of device, cycle, pulse, direction, g in S."""
    rng = np.random.default_rng([MODELS.index(model), number])
    u = lambda low, high: float(rng.uniform(low, high))
    params, more = truth_of(model, u)
    true = {**params, **more}
    pick = lambda choices: choices[int(rng.integers(len(choices)))]
    devices = pick([1, 1, 2, 3, 6, 10])
    cycles = pick([1, 2, 4]) if devices < 6 else pick([1, 2])
    pulses = int(rng.integers(30, 90))
    spread = pick([0, 0.05, 0.12]) if devices >= 6 else 0
    relative = pick([0, 0.1, 0.3])
    read = pick([0.002, 0.005, 0.015])
    pulse_noise = pick([0, 0.005]) if model == 'nl_pulse' else 0
    low, high = 10e-6, u(30e-6, 90e-6)
    if model == 'linear_ion':
        high = 100e-6
    one = 1 + spread * rng.standard_normal(devices)
    drawn = [round(float(x), 4) for x in one]
    up, down = steps_of(model, true)
    resets = 1 if model == 'pcm' else pulses
    rows = []
    for cycle in range(cycles):
        g = np.full(devices, 0.05) if model in ('linear_ion', 'vteam', 'yakopcic') else np.zeros(devices)
        if model in RANGE_FITTED or model == 'linear':
            g = np.full(devices, 0.02)
        for direction, number_of in ((1, pulses), (-1, resets)):
            for k in range(0 if direction > 0 else 1, number_of + 1):
                if k:
                    step = (up if direction > 0 else down)(g)
                    quiet = model == 'nl_pulse' or (model == 'pcm' and direction < 0)
                    xi = rng.standard_normal(devices)
                    noise = pulse_noise * xi if quiet else relative * step * xi
                    own = 1 if model == 'pcm' and direction < 0 else one
                    g = np.clip(g + step * own + (noise if not (model == 'pcm' and direction < 0) else 0), 0, 1)
                y = g + read * rng.standard_normal(devices)
                rows += [(d, cycle, k, direction, low + (high - low) * y[d]) for d in range(devices)]
    return {'model': model, 'number': number, 'devices': devices, 'cycles': cycles, 'pulses': pulses, 'spread': spread,
            'relative': relative, 'pulse_noise': pulse_noise, 'read': read, 'g_min': low, 'g_max': high, 'drawn': drawn, 'true': params,
            'more': more}, rows


def write(path, rows, factor=1.0):
    with open(path, 'w') as f:
        f.write('device,cycle,pulse,direction,g\n')
        for d, c, k, s, g in rows:
            f.write(f'd{d},{c},{k},{"up" if s > 0 else "down"},{factor * g:.7g}\n')


def fit(mho, path, *words):
    p = subprocess.run([mho, 'device', 'fit', path, '--json', *words], capture_output=True, text=True)
    if p.returncode:
        return {'error': p.stderr.strip().splitlines()[-1][:300] if p.stderr else f'exit {p.returncode}'}
    return json.loads(p.stdout.splitlines()[-1])


def curves(steps, n=60):
    """Mean conductance under n SET pulses, then n RESET pulses."""
    out, g = [], 0.02
    for step in steps:
        for _ in range(n):
            g = float(np.clip(g + step(np.array(g)), 0, 1))
            out.append(g)
    return np.array(out)


def study(mho, folder, model, number, choose):
    out, rows = make(model, number)
    path = os.path.join(folder, 'pulses.csv')
    write(path, rows)
    bounds = ['--set', f'device.g_min={out["g_min"]:.9g} S', '--set', f'device.g_max={out["g_max"]:.9g} S']
    own = bounds if model not in RANGE_FITTED else []
    start = time.time()
    f = fit(mho, path, '--model', model, *own, *VOLTAGES.get(model, []))
    out['seconds'] = round(time.time() - start, 3)
    if 'error' in f:
        out['error'] = f['error']
    else:
        found = f['parameters']
        forms = {'a=0.5 b=0': 0.5, None: -0.5}
        out['other_form'] = model == 'exp_step' and forms[f.get('form')] != out['more']['a']
        truth = {} if out['other_form'] else {**out['true'], 'g_min': out['g_min'], 'g_max': out['g_max']}
        out['parameters'] = {k: [truth[k], v['value'], v.get('error'), v.get('low'), v.get('high')] for k, v in found.items() if k in truth}
        out.update({k: f.get(k) for k in ('explained', 'read_noise', 'pulse_noise_relative', 'pulse_noise_of_range', 'criterion')})
    if choose and model not in VOLTAGES:
        a = fit(mho, path, *bounds)
        write(path, rows, 1e3)
        scaled = ['--set', f'device.g_min={1e3 * out["g_min"]:.9g} S', '--set', f'device.g_max={1e3 * out["g_max"]:.9g} S']
        b = fit(mho, path, *scaled)
        out['chosen'], out['scaled'] = a.get('model', a.get('error')), b.get('model', b.get('error'))
        out['explained_chosen'] = a.get('explained')
        out['chosen_parameters'] = {k: v['value'] for k, v in a.get('parameters', {}).items()}
    return out


# ---------------------------------------------------------------- the table

def inside(p):
    truth, _, _, low, high = p
    return low <= truth <= high


def table(rows):
    print('| model | sets | fitted | intervals with the truth in them, % | worst parameter | chosen or alike, % | scaled alike |')
    print('|---|---|---|---|---|---|---|')
    for model in MODELS:
        own = [r for r in rows if r['model'] == model]
        if not own:
            continue
        fitted = [r for r in own if 'parameters' in r]
        each = {}
        for r in fitted:
            for k, p in r['parameters'].items():
                if p[3] is not None:  # else it is said not to be determined
                    each.setdefault(k, []).append(inside(p))
        every = [x for v in each.values() for x in v]
        worst = min(each, key=lambda k: np.mean(each[k])) if each else '-'
        chosen = [r for r in own if 'chosen' in r]
        alike = [is_alike(r) for r in chosen]
        print(f'| {model} | {len(own)} | {len(fitted)} | {100 * np.mean(every) if every else 0:.1f} | '
              f'{worst} {100 * np.mean(each[worst]) if each else 0:.1f} | '
              f'{100 * np.mean(alike) if alike else 0:.1f} of {len(alike)} ({sum(r["chosen"] == model for r in chosen)} by name) | '
              f'{sum(r["chosen"] == r["scaled"] for r in chosen)} of {len(chosen)} |')


def is_alike(r):
    """The true model, or one that bends the same way: what it explains is within .5 % of what the true one does."""
    if r['chosen'] == r['model']:
        return True
    if r['explained_chosen'] is None or r.get('explained') is None:
        return False
    return r['explained_chosen'] > r['explained'] - 0.005


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('mho')
    parser.add_argument('--sets', type=int, default=200)
    parser.add_argument('--first', type=int, default=0)
    parser.add_argument('--models', default=' '.join(MODELS))
    parser.add_argument('--minutes', type=float, default=30)
    parser.add_argument('--choose', type=int, default=40)
    parser.add_argument('--out', default='sets.jsonl')
    parser.add_argument('--check', action='store_true')
    parser.add_argument('--table', action='store_true', help='of the sets that are there')
    a = parser.parse_args()
    rows = []
    if os.path.exists(a.out):
        with open(a.out) as f:
            rows = [json.loads(x) for x in f]
    there = {(r['model'], r['number']) for r in rows}
    end = time.time() + 60 * a.minutes
    with tempfile.TemporaryDirectory() as folder, open(a.out, 'a') as out:
        for number in range(a.first, a.first if a.table else a.sets):
            for model in a.models.split():
                if (model, number) in there:
                    continue
                if time.time() > end:
                    break
                rows.append(study(a.mho, folder, model, number, number < a.choose))
                out.write(json.dumps(rows[-1]) + '\n')
                out.flush()
    table(rows)
    return a.check and not is_sound(rows)


def is_sound(rows):
    """Coverage is above 90 % but for three standard deviations, as if the parameters of a set were one; all sets are fitted."""
    sound = True
    for model in {r['model'] for r in rows}:
        own = [r for r in rows if r['model'] == model]
        sets = [np.mean([inside(p) for p in r['parameters'].values() if p[3] is not None] or [1]) for r in own if 'parameters' in r]
        low = 0.9 - 3 * np.sqrt(0.9 * 0.1 / max(len(sets), 1))
        if len(sets) < 0.95 * len(own) or np.mean(sets) < low:
            print(f'{model}: {len(sets)} of {len(own)} sets fitted, {100 * np.mean(sets):.1f} % in their intervals')
            sound = False
    chosen = [r for r in rows if 'chosen' in r]
    wrong = [r for r in chosen if not is_alike(r) or r['chosen'] != r['scaled']]
    if len(wrong) > 0.05 * len(chosen):
        print('chosen:', [(r['model'], r['number'], r['chosen'], r['scaled']) for r in wrong])
        sound = False
    return sound


if __name__ == '__main__':
    sys.exit(main())
