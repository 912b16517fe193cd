"""mho device fit: the same pulses in every layout give the same fit; what a table leaves open is asked, and what it says
is not passed over in silence."""
import json
import math
import os
import random
import shutil

from mho import folder, lines, main, refused, run, write


def pulses(seed, n=40, noise=0.003, step=0.05):
    """Conductances from 10 to 50 uS of soft bounds: n SET pulses, and n RESET pulses after them."""
    r = random.Random(seed)
    g, up, down = 0.1, [0.1], []
    for _ in range(n):
        g += step * (1 - g)
        up.append(g)
    for _ in range(n):
        g -= step * g
        down.append(g)
    return [[10e-6 + 40e-6 * (x + noise * r.gauss(0, 1)) for x in side] for side in (up, down)]


CELLS = {'a': pulses(1), 'b': pulses(2)}


def rows():
    """device, direction, pulse, siemens"""
    for name, (up, down) in CELLS.items():
        yield from ((name, 'up', k, g) for k, g in enumerate(up))
        yield from ((name, 'down', k + 1, g) for k, g in enumerate(down))


def table(name, header, text):
    return write(name, header + '\n' + ''.join(text(*r) + '\n' for r in rows()))


def fit(path, *words, model='soft_bounds'):
    return json.loads(run('device', 'fit', path, '--model', model, '--json', *words).stdout.splitlines()[-1])


def values(f):
    return {k: v['value'] for k, v in f['parameters'].items()}


def same(a, b, rel=2e-4):
    assert a.keys() == b.keys() and all(abs(a[k] - b[k]) <= rel * abs(b[k]) for k in a), (a, b)


def side_by_side(of):
    (u1, d1), (u2, d2) = CELLS['a'], CELLS['b']
    return [of(k, u1[k], d1[k] if k < len(d1) else None, u2[k], d2[k] if k < len(d2) else None) for k in range(len(u1))]


def test_layouts():
    plain = fit(table('g.csv', 'device,direction,pulse,g', lambda d, s, k, g: f'{d},{s},{k},{1e6 * g:.9g}'), '--unit', 'uS')
    want = values(plain)
    assert abs(want['step_up'] / 0.05 - 1) < 0.05 and abs(want['g_max'] / 50e-6 - 1) < 0.02, want
    ohm = table('r.csv', 'device;direction;pulse;Resistance', lambda d, s, k, g: f'{d};{s};{k};{1e-3 / g:.9g}')
    current = table('i.csv', 'device,direction,pulse,current', lambda d, s, k, g: f'{d},{s},{k},{-0.2e9 * g:.9g}')
    column = table('v.csv', 'device\tv\ti\tv_read', lambda d, s, k, g: f'{d}\t{0 if s == "up" and k == 0 else 1.2 if s == "up" else -1.1}'
                   f'\t{(0.1 + 0.1 * (k % 2)) * g:.9g}\t{0.1 + 0.1 * (k % 2):.1f}')
    (u1, d1), (u2, d2) = CELLS['a'], CELLS['b']
    wide = write('wide.csv', 'direction,pulse,cell 1,cell 2\n' + ''.join(
        f'{s},{k},{1e6 * a:.9g},{1e6 * b:.9g}\n' for s, first, x, y in (('up', 0, u1, u2), ('down', 1, d1, d2))
        for k, (a, b) in enumerate(zip(x, y), first)))
    for f in (fit(ohm, '--unit', 'kohm'), fit(current, '--unit', 'nA', '--read-voltage', '-0.2 V'), fit(column),
              fit(wide, '--unit', 'uS', '--g', 'cell*')):
        same(values(f), want)
        assert (f['rows'], f['devices'], f['used']) == (plain['rows'], 2, plain['used']), f

    # a nonlinear read: the same current is that of a smaller conductance, by V / (sinh(b V)/b)
    bent = fit(current, '--unit', 'nA', '--read-voltage', '-0.2', '--set', 'device.iv.law=sinh', '--set', 'device.iv.b=4')
    assert abs(values(bent)['g_max'] / want['g_max'] * 0.888106 / 0.8 - 1) < 1e-3, values(bent)

    # SET and RESET columns: what was between them is not known, so one change of each device less
    def text(x):
        return '' if x is None else f'{1e6 * x:.9g}'
    for header in ('n,up1,down1,up2,down2', 'pulse,up1,down1,up2,down2'):
        both = write('both.csv', header + '\n' + ''.join(f'{k},{text(a)},{text(b)},{text(c)},{text(d)}\n'
                                                         for k, a, b, c, d in side_by_side(lambda *x: x)))
        f = fit(both, '--unit', 'uS', '--up', 'up*', '--down', 'down*')
        same(values(f), want, 0.02)
        assert f['used'] == plain['used'] - 2 and f['missing'] == 0, f


def test_refusals():
    g, i, v = 'g.csv', 'i.csv', 'v.csv'
    refused('device', 'fit', 'r.csv', '--unit', 'uS', says=["'Resistance'", 'ohm'])
    refused('device', 'fit', i, '--unit', 'nA', says='--read-voltage')
    refused('device', 'fit', g, '--unit', 'uS', '--read-voltage', '0.1', says=['--read-voltage', 'conductances'])
    refused('device', 'fit', i, '--unit', 'nA', '--read-voltage', '0', says='0 V')
    refused('device', 'fit', g, '--unit', 'kg', says='--unit kg')
    refused('device', 'fit', 'wide.csv', '--unit', 'uS', says="'g'")
    refused('device', 'fit', 'wide.csv', '--unit', 'uS', '--g', 'nothing*', says="'nothing*' (--g)")
    refused('device', 'fit', 'both.csv', '--unit', 'uS', '--up', 'up*', '--down', 'down1', says=['--up', '--down', 'one a device'])
    refused('device', 'fit', g, '--unit', 'uS', '--up', 'g', says=['--up', "'direction'"])
    refused('device', 'fit', g, '--unit', 'uS', '--g', 'g pulse', says=["'device'", '--g'])
    refused('device', 'fit', 'both.csv', '--unit', 'uS', '--up', 'up1', '--g', 'up2', says=['--up', '--g'])
    refused('device', 'fit', i, '--unit', 'nA', '--read-voltage', '0.2', '--set', 'device.iv.law=hfo2', says='hfo2')
    refused('device', 'curve', 'ecram', '--up', 'a', says='--up')
    two = write('two.csv', 'voltage,g\n' + ''.join(f'{1 + 0.1 * (k > 5)},{10 + k}e-6\n' for k in range(12)))
    refused('device', 'fit', two, says=['1.1 V', 'others have 1 V'])
    both = write('gg.csv', 'g,conductance,direction\n1e-6,2e-6,up\n')
    refused('device', 'fit', both, says=['g and conductance'])
    nought = write('nought.csv', 'r,direction\n0,up\n5,up\n6,down\n')
    refused('device', 'fit', nought, says='0 ohm')
    read = write('read.csv', 'v,pulse,g\n1,1,1e-6\n0,2,2e-6\n1,2,3e-6\n')
    refused('device', 'fit', read, says='reading without a pulse')
    on = write('on.csv', 'pulse,direction,g\n' + ''.join(f'{k},{"up" if k < 30 else "down"},{1 + min(k, 60 - k)}e-6\n' for k in range(60)))
    refused('device', 'fit', on, says=['on.csv:32', 'numbered on', 'from 1'])
    refused('device', 'fit', 'both.csv', '--unit', 'uS', '--up', 'up1', '--down', 'up1', says="'up1' is named twice")
    refused('device', 'fit', g, '--unit', 'uS', '--fix', 'nothing', says=['--fix', "'nothing'"])
    refused('device', 'fit', g, '--unit', 'uS', '--model', 'linear', '--fix', 'slope_up,beta', says=['--fix', "'beta'"])
    refused('device', 'fit', g, '--unit', 'uS', '--set', 'device.g_min=1 uS', says=['device.g_min', 'device.g_max'])
    refused('device', 'fit', g, '--unit', 'uS', '--model', 'read', says=['--model read', '--iv'])
    with open(os.path.join(folder, g)) as f:
        before = f.read()
    refused('device', 'fit', g, '--unit', 'uS', '-o', g, says=['--out', 'what is read'])
    with open(os.path.join(folder, g)) as f:
        assert f.read() == before
    assert v


def test_what_a_card_takes_the_place_of():
    """Neither the data nor what is no file are lost to a card, and a card may have any name."""
    g = table('own.csv', 'device,direction,pulse,g', lambda d, s, k, g: f'{d},{s},{k},{g:.9g}')
    with open(g) as f:
        before = f.read()
    for name in ('own.yaml', './own', os.path.join(folder, 'own.yaml')):
        refused('device', 'fit', g, '--model', 'measured', '-o', name, says=['own.csv', 'is read'])
    with open(g) as f:
        assert f.read() == before

    # a curve takes the place neither of the card nor of its table, a netlist not that of its config
    run('device', 'fit', g, '--model', 'measured', '-o', 'its.yaml')
    files = [('its.csv', 'pulse,ltp,ltd'), ('its.yaml', 'model: measured'), ('net.yaml', 'device: linear')]
    write('net.yaml', 'device: linear\n')
    refused('device', 'curve', './its.yaml', '-o', 'its.csv', says=['its.csv', 'is read'])
    refused('device', 'curve', 'measured', '--set', 'device.table=its.csv', '-o', './its.csv', says=['its.csv', 'is read'])
    refused('device', 'curve', './its.yaml', '-o', 'its.yaml', says='is read')
    refused('netlist', 'net.yaml', '-o', './net.yaml', says='is what is read')
    for name, word in files:
        assert word in open(os.path.join(folder, name)).read(), name

    sink = os.path.join(folder, 'sink')
    os.symlink('/dev/null', sink)
    for model in ('soft_bounds', 'measured'):
        run('device', 'fit', g, '--model', model, '-o', sink)
        assert os.path.islink(sink)
        for name in ('bare', 'a: b.yaml', 'a #b.yaml', 'a"b.yaml'):
            run('device', 'fit', g, '--model', model, '-o', name)
            assert f'model: {model}' in open(os.path.join(folder, name)).read()

    quoted = table('a"b\n.csv', 'device,direction,pulse,g', lambda d, s, k, g: f'{d},{s},{k},{g:.9g}')
    run('device', 'fit', quoted, '--model', 'measured', '-o', 'quoted.yaml')
    assert 'a"b\\x0a.csv' in run('device', 'show', './quoted.yaml').stdout


def test_gaps():
    """A table from readings after every 5th pulse is that curve, and the model that follows it agrees with the device."""
    up = [(k, 10e-6 + 40e-6 * (1 - 0.975 ** k)) for k in range(0, 101, 5)]
    top = up[-1][1]
    down = [(k, 10e-6 + (top - 10e-6) * 0.975 ** k) for k in range(0, 101, 5)]
    path = write('every5.csv', 'pulse,direction,g\n' + ''.join(f'{k},up,{g:.9g}\n' for k, g in up) +
                 ''.join(f'{k},down,{g:.9g}\n' for k, g in down))
    run('device', 'fit', path, '--model', 'measured', '-o', 'm.yaml')
    with open(os.path.join(folder, 'm.csv')) as f:
        got = [line.strip().split(',') for line in f if line[0].isdigit()]
    assert [(int(p), float(a), float(b)) for p, a, b in got] == [
        (k, float(f'{a:.9g}'), float(f'{b:.9g}')) for (k, a), (_, b) in zip(up, down)], got
    out = run('device', 'curve', './m.yaml', '--pulses', '100', '--cells', '1').stdout.splitlines()[1:]
    means = {(r.split(',')[1], int(r.split(',')[2])): float(r.split(',')[3]) for r in out}
    for k in range(1, 101):
        assert abs(means['up', k] - 10e-6 - 40e-6 * (1 - 0.975 ** k)) < 0.05e-6, (k, means['up', k])

    # readings that are missing are gaps too: every third reading tells as much as when the others are not in the file
    cut = write('cut.csv', 'pulse,direction,g\n' + ''.join(f'{k},{s},{g:.9g}\n' for s, side in (('up', up), ('down', down)) for k, g in side if k % 20 == 0))
    nan = write('nan.csv', 'pulse,direction,g\n' + ''.join(f'{k},{s},{g if k % 20 == 0 else "nan"}\n' for s, side in (('up', up), ('down', down))
                                                           for k, g in side))
    a, b = fit(cut), fit(nan)
    same(values(b), values(a))
    assert b['missing'] == 30 and b['rows'] == 42 == b['used'] + b['missing'] + b['outliers'] + b['followed'], b

    # noise below 0 S is no state; a table of nothing is refused
    low = write('low.csv', 'direction,pulse,g\n' + ''.join(f'up,{k},{max(k - 4, 0) * 1e-6 - (1e-7 if k < 4 else 0):.3g}\n' for k in range(30)) +
                ''.join(f'down,{k},{(29 - k) * 1e-6 - 1e-7:.3g}\n' for k in range(30)))
    run('device', 'fit', low, '--model', 'measured', '-o', 'table.yaml')
    run('device', 'curve', './table.yaml', '--cells', '1')
    still = write('still.csv', 'direction,g\n' + 'up,5e-6\n' * 20 + 'down,5e-6\n' * 20)
    refused('device', 'fit', still, '--model', 'measured', '-o', 'table.yaml', says='do not raise')
    assert not os.path.exists(os.path.join(folder, 'still.yaml'))


def test_pulse_voltages():
    """The voltages of a table are those of the model's pulses, unless the user says others."""
    text = 'v,g\n' + ''.join(f'1.5,{10e-6 + 1e-6 * k:.6g}\n' for k in range(20)) + ''.join(f'-1.25,{28e-6 - 1e-6 * k:.6g}\n' for k in range(18))
    path = write('volts.csv', text)
    card = os.path.join(folder, 'volts.yaml')
    for words, volts in (([], '1.5 V'), (['--set', 'device.v_set=1.2 V'], '1.2 V')):
        run('device', 'fit', path, '--model', 'vteam', '-o', card, *words, '--set', 'device.window=none')
        with open(card) as f:
            lines = f.read().splitlines()
        assert any(line.strip() == f'v_set: {volts}' for line in lines) and any(line.strip() == 'v_reset: -1.25 V' for line in lines), lines


# ---------------------------------------------------------------- which model, and how sure

def follow(name, up, down, n, noise, seed, cycles=3, factor=40e-6, low=10e-6, first=0.0, own=lambda step, r: step):
    """A table of `cycles` cycles: n pulses each way by functions of g from 0 to 1, with noise of readings."""
    r = random.Random(seed)
    text = 'cycle,direction,pulse,g\n'
    for c in range(cycles):
        g = first
        for direction, step in (('up', up), ('down', down)):
            for k in range(direction == 'down', n + 1):
                g = min(max(g + (own(step(g), r) if k else 0), 0), 1)
                text += f'{c},{direction},{k},{low + factor * (g + noise * r.gauss(0, 1)):.9g}\n'
    return write(name, text)


def compare(path, *words):
    return json.loads(run('device', 'fit', path, '--json', *words).stdout.splitlines()[-1])


def branch(a, pulses, sign):
    """A pulse along G = (1 - exp(-x/a))/(1 - exp(-1/a)), x from 0 to 1: NeuroSim's law."""
    full = 1 - math.exp(-1 / a)

    def step(g):
        x = min(max(-a * math.log(1 - g * full) + sign / pulses, 0), 1)
        return (1 - math.exp(-x / a)) / full - g
    return step


DEVICES = {
    'nl_pulse': (branch(-1.0, 45, 1), branch(0.6, 50, -1)),
    'pow_step': (lambda g: 0.05 * (1 - g) ** 2, lambda g: -0.05 * g ** 1.6),
    'exp_step': (lambda g: 0.02 * max(1 - 0.164 * math.exp(3.4 * (g - 0.5)), 0), lambda g: -0.02 * max(1 - 0.164 * math.exp(-3.4 * (g - 0.5)), 0)),
    'soft_bounds': (lambda g: 0.05 * (1 - g), lambda g: -0.06 * g),
}


def test_choice():
    """The model that made the data is chosen, and is the same for the data times a constant; all are compared on the same
    readings."""
    for name, (up, down) in DEVICES.items():
        path = follow(f'{name}.csv', up, down, 60, 0.01, 3, cycles=2)
        f = compare(path)
        assert f['model'] == name, (name, f['model'], f['models'])
        assert f['explained'] > 0.99 and f['compared'] == f['rows'] - f['cycles'], f
        best = min((m for m in f['models'] if 'criterion' in m), key=lambda m: m['criterion'])
        assert abs(best['criterion'] - f['criterion']) < 0.5 and len(f['models']) == 6, f
        if name != 'nl_pulse':
            continue
        with open(path) as lines, open(os.path.join(folder, 'times.csv'), 'w') as out:
            out.write(next(lines))
            for line in lines:
                *words, g = line.split(',')
                out.write(','.join([*words, f'{1234 * float(g):.9g}\n']))
        again = compare('times.csv')
        assert again['model'] == name and abs(again['criterion'] - f['criterion']) < 1, (again['criterion'], f['criterion'])


def test_form():
    """exp_step is found in the form that the data have, its a and b untold; with them it is the same fit."""
    path, bounds = 'exp_step.csv', ['--set', 'device.g_min=10 uS', '--set', 'device.g_max=50 uS']
    bare = compare(path, '--model', 'exp_step', *bounds)
    told = compare(path, '--model', 'exp_step', *bounds, '--set', 'device.a=0.5', '--set', 'device.b=0')
    assert bare['form'] == 'a=0.5 b=0' and 'form' not in told, (bare, told)
    for name, true in (('step_up', 0.02), ('step_down', 0.02), ('a_up', 0.164), ('a_down', 0.164), ('gamma_up', 3.4), ('gamma_down', 3.4)):
        p = bare['parameters'][name]
        assert abs(p['value'] - true) < 4 * p['error'] and p['error'] < 0.25 * true, (name, p)
        assert abs(p['value'] / told['parameters'][name]['value'] - 1) < 0.02, name
    run('device', 'fit', path, '--model', 'exp_step', '-o', 'exp.yaml')
    with open(os.path.join(folder, 'exp.yaml')) as f:
        assert '  a: 0.5\n' in f.read()


def test_readings_again():
    """States that were read twice tell the noise of a reading, and errors are no larger than of the first readings."""
    up, down = DEVICES['soft_bounds']
    once = follow('once.csv', up, down, 60, 0.0075, 5, cycles=1)
    r = random.Random(6)
    with open(once) as lines:
        rows = [line.strip().split(',') for line in lines][1:]
    head = 'cycle,direction,pulse,g\n'
    twice = write('twice.csv', head + ''.join(f'{c},{d},{k},{x}\n{c},{d},{k},{state + 40e-6 * 0.0075 * r.gauss(0, 1):.9g}\n'
                                              for (c, d, k, x), state in zip(rows, true_states(up, down, 60))))
    a, b = compare(once, '--model', 'soft_bounds'), compare(twice, '--model', 'soft_bounds')
    assert abs(b['read_noise'] / 3e-7 - 1) < 0.2 and b['outliers'] <= 1, b
    for name, p in b['parameters'].items():
        assert p['error'] < 1.05 * a['parameters'][name]['error'], name


def true_states(up, down, n):
    g, out = 0.0, [10e-6]
    for step in (up, down):
        for _ in range(n):
            g = min(max(g + step(g), 0), 1)
            out.append(10e-6 + 40e-6 * g)
    return out


def test_not_determined():
    """A label for so few steep levels may be of any number of pulses: that is said, and no number is given as an interval."""
    up, down = (lambda g: 0.35 * (1.0 - g)), (lambda g: -0.35 * g)
    path = follow('steep.csv', up, down, 16, 0.01, 7, cycles=3)
    text = run('device', 'fit', path, '--model', 'nl_pulse', '-o', 'steep.yaml').stdout
    assert 'not determined         nl_up' in text and 'pulses_up' in text and '--fix' in text, text
    f = compare(path, '--model', 'nl_pulse')
    assert f['parameters']['nl_up'].keys() == {'value', 'determined'} and not f['parameters']['nl_up']['determined'], f
    with open(os.path.join(folder, 'steep.yaml')) as card:
        assert 'not determined by the data' in card.read()
    known = ['--fix', 'pulses_up pulses_down', '--set', 'device.pulses_up=16', '--set', 'device.pulses_down=16']
    f = compare(path, '--model', 'nl_pulse', *known)
    assert all(p['determined'] for p in f['parameters'].values()), f


def test_pictures():
    if not shutil.which('gnuplot'):
        return
    f = compare('soft_bounds.csv', '--plot', 'all.svg')
    fitted = sum('criterion' in m for m in f['models'])
    with open(os.path.join(folder, 'all.svg')) as svg:
        text = svg.read()
    assert fitted > 3 and text.count('>residuals<') == fitted, (fitted, text.count('>residuals<'))
    assert text.index('>soft_bounds<') < min(text.index(f'>{m["model"]}<') for m in f['models'] if 'criterion' in m and m['model'] != 'soft_bounds')
    run('device', 'fit', 'soft_bounds.csv', '--model', 'linear', '--plot', 'one.png')
    assert os.path.getsize(os.path.join(folder, 'one.png')) > 5000


# ---------------------------------------------------------------- I-V sweeps

def sweeps(name, b=0.0, noise=0.01, cycles=2, n=40, dt=3e-4):
    """A VTEAM device under sines of +1.2 and -1.3 V, integrated in steps of a fiftieth of a reading; the current of a sinh."""
    r = random.Random(9)
    x, t, text = 0.1, 0.0, 'cycle,t,v,i\n'
    for c in range(cycles):
        for top in (1.2, -1.3):
            for k in range(n):
                v, t = top * math.sin(math.pi * k / n), t + dt
                for _ in range(50):
                    if v > 0.5:
                        x += dt / 50 * 60 * (v / 0.5 - 1) ** 3 * (1 - x ** 3)
                    elif v < -0.6:
                        x -= dt / 50 * 80 * (v / -0.6 - 1) ** 2.5 * (1 - (1 - x) ** 3)
                    x = min(max(x, 0), 1)
                i = (10e-6 + 90e-6 * x) * (math.sinh(b * v) / b if b else v)
                text += f'{c},{t:.6g},{v:.6g},{1e6 * i * (1 + noise * r.gauss(0, 1)):.6g}\n'
    return write(name, text)


def test_sweeps():
    bounds = ['--iv', '--unit', 'uA', '--set', 'device.g_min=10 uS', '--set', 'device.g_max=100 uS']
    known = ['--fix', 'alpha_set alpha_reset', '--set', 'device.alpha_set=3', '--set', 'device.alpha_reset=2.5']
    fits = [compare(sweeps(name, b), '--model', 'vteam', *bounds, *known, *more)
            for name, b, more in (('iv.csv', 0, []), ('sinh.csv', 1.5, ['--set', 'device.iv.law=sinh', '--set', 'device.iv.b=1.5']))]
    for f in fits:
        for key, true in (('k_set', 60), ('k_reset', 80), ('threshold_set', 0.5), ('threshold_reset', -0.6), ('p', 1.5)):
            p = f['parameters'][key]
            assert p['low'] <= true <= p['high'] and p['error'] < 0.35 * abs(true), (key, p)
    same(values(fits[1]), values(fits[0]), 0.02)

    # of the models that know voltages, the one that it was; the pulses of its card are the largest voltages
    run('device', 'fit', 'iv.csv', *bounds, '-o', 'iv.yaml', '--model', 'vteam', *known, '--set', 'device.width=10 us')
    with open(os.path.join(folder, 'iv.yaml')) as card:
        text = card.read()
    assert '  v_set: 1.2 V\n' in text and '  v_reset: -1.3 V\n' in text, text

    # without times each reading lasts as long as the device's pulse
    with open(os.path.join(folder, 'iv.csv')) as f, open(os.path.join(folder, 'no_t.csv'), 'w') as out:
        for line in f:
            c, _, v, i = line.split(',')
            out.write(f'{c},{v},{i}')
    timeless = compare('no_t.csv', '--model', 'vteam', *bounds, *known, '--set', 'device.width=300 us')
    same(values(timeless), values(fits[0]), 0.02)


def test_sweep_refusals():
    for words, says in ((['--model', 'linear'], "'linear' knows no voltages"), (['--model', 'vteam', '--plot', 'x.svg'], '--plot'),
                        (['--model', 'vteam', '--read-voltage', '0.1'], '--read-voltage'), (['--model', 'vteam', '--g', 'a'], '--g'),
                        (['--model', 'measured', '-o', 'x.yaml'], '--model measured'), (['--unit', 'uS'], 'current'),
                        (['--model', 'vteam', '--set', 'device.iv.law=hfo2'], 'hfo2')):
        refused('device', 'fit', 'iv.csv', '--iv', *words, says=says)
    one = write('one.csv', 'v,i\n' + ''.join(f'{0.1 * k},{1e-6 * k}\n' for k in range(1, 9)))
    refused('device', 'fit', one, '--iv', '--model', 'vteam', says='both signs')
    back = write('back.csv', 't,v,i\n0,1,1e-6\n1,-1,-1e-6\n0,1,1e-6\n')
    refused('device', 'fit', back, '--iv', '--model', 'vteam', says='time must rise')
    refused('device', 'fit', 'iv.csv', '--iv', '--model', 'vteam', says='unit')
    refused('device', 'fit', 'g.csv', '--iv', '--model', 'vteam', says="'v'")


def test_read_law():
    """Reads of cells of several conductances, each with its own: the law that made them, its parameter within its interval."""
    laws = {'sinh': (lambda v: math.sinh(2.5 * v) / 2.5, {'iv.b': 2.5}), 'ohmic': (lambda v: v, {}),
            'polynomial': (lambda v: v - 0.4 * v ** 2 + 0.9 * v ** 3, {'iv.k2': -0.4, 'iv.k3': 0.9})}
    for name, (f, true) in laws.items():
        r = random.Random(11)
        text = 'device,v,i\n' + ''.join(f'{d},{v / 50},{g * (f(v / 50) + 0.004 * r.gauss(0, 1)):.6g}\n'
                                        for d, g in (('a', 20), ('b', 55), ('c', 90)) for v in range(-30, 31))
        got = compare(write('law.csv', text), '--iv', '--model', 'read', '--unit', 'uA')
        assert got['law'] == name and got['curves'] == 3 and got['readings'] == 183, got
        for key, value in true.items():
            p = got['parameters'][key]
            assert p['low'] <= value <= p['high'] and p['error'] < 0.1 * abs(value), (key, p)
    text = run('device', 'fit', 'law.csv', '--iv', '--model', 'read').stdout
    assert '--set device.iv.law=polynomial --set device.iv.k2=-0.' in text, text
    refused('device', 'fit', 'iv.csv', '--iv', '--model', 'read', says='the state moves')
    refused('device', 'fit', 'law.csv', '--iv', '--model', 'read', '-o', 'x.yaml', says='keys of device.iv')
    refused('device', 'fit', write('few.csv', 'v,i\n0.1,1\n0.2,2\n'), '--iv', '--model', 'read', says='too few')


def test_what_is_no_number():
    """A cell that is neither a number nor empty is refused with its place, not taken for a reading that is missing."""
    head = 'direction,pulse,g\n'
    good = [f'up,{k},{10 + 40 * (1 - 0.9 ** k):.4f}' for k in range(30)] + [f'down,{k},{10 + 38 * 0.9 ** k:.4f}' for k in range(1, 30)]
    for text, says in ((head + '\n'.join(good[:3] + ['up,3,abc'] + good[4:]), [':5:6:', "'abc' in column 'g'", 'NA']),
                       (head.replace(',', ';') + '\n'.join(good).replace(',', ';').replace('.', ','), [':2:6:', 'decimals with a point']),
                       (head + 'up,0,12,4\n' + '\n'.join(good[1:]), [':2:9:', '4 fields, but the first line names 3', 'point']),
                       (head + 'up,0,"1,018"\n' + '\n'.join(good[1:]), [':2:7:', 'thousands']),
                       (head + '\n'.join(good[:3] + ['up,3,inf'] + good[4:]), [':5:6:', "'inf'"]),
                       (head + ''.join(f'up,{k},nan\n' for k in range(5)), ['words.csv:2', '0 readings', 'three at least'])):
        refused('device', 'fit', write('words.csv', text), '--unit', 'uS', '--model', 'soft_bounds', says=says)
    plain = lines('device', 'fit', write('words.csv', head + '\n'.join(good)), '--unit', 'uS', '--model', 'soft_bounds', '--json')[0]
    holes = [x if k % 10 else x[:x.rindex(',') + 1] + word for k, (x, word) in enumerate(zip(good, ['', 'NA', 'nan', '#N/A', 'null'] * 12))]
    found = lines('device', 'fit', write('words.csv', head + '\n'.join(holes)), '--unit', 'uS', '--model', 'soft_bounds', '--json')[0]
    assert found['missing'] == 6 and plain['missing'] == 0, (plain, found)


def test_law_of_exact_reads():
    """Reads without noise have no error bars of NaN; reads without current, or against their voltage, no law."""
    volts = [0.01 * k - 0.5 for k in range(101)]
    table = {name: write('law.csv' if name == 'ohmic' else f'law_{name}.csv', 'v,i\n' + ''.join(f'{v!r},{f(v)!r}\n' for v in volts))
             for name, f in (('ohmic', lambda v: 1e-5 * v), ('zero', lambda v: 0.0), ('against', lambda v: -1e-5 * v),
                             ('sinh', lambda v: 1e-5 * math.sinh(2 * v) / 2), ('nan', lambda v: math.nan))}
    for name, law, value in (('ohmic', 'ohmic', None), ('sinh', 'sinh', 2)):
        p = run('device', 'fit', table[name], '--iv', '--model', 'read')
        assert f'iv.law={law}' in p.stdout and 'nan' not in p.stdout, p.stdout
        found = lines('device', 'fit', table[name], '--iv', '--model', 'read', '--json')[0]
        assert found['law'] == law, found
        assert value is None or abs(found['parameters']['iv.b']['value'] - value) < 1e-4 * value, found
    refused('device', 'fit', table['zero'], '--iv', '--model', 'read', says=['law_zero.csv:2', 'no current'])
    refused('device', 'fit', table['against'], '--iv', '--model', 'read', says=['law_against.csv:2', 'against their voltages'])
    refused('device', 'fit', table['nan'], '--iv', '--model', 'read', says=['0 currents'])
    refused('device', 'fit', table['nan'], '--iv', '--model', 'vteam', says=['0 currents', 'three at least'])


def test_range_of_a_table():
    """A table in a wider range than its own is used, and what comes of it said."""
    table = write('range.csv', 'pulse,ltp,ltd\n' + ''.join(f'{k},{(10 + 4 * k) * 1e-6:.7g},{(50 - 4 * k) * 1e-6:.7g}\n' for k in range(11)))
    words = ['device', 'curve', 'measured', '--set', f'device.table={table}', '--pulses', '3']
    assert 'wider' not in run(*words).stderr
    wide = run(*words, '--set', 'device.g_min=1 uS', '--set', 'device.g_max=100 uS')
    assert '1e-06 to 0.0001 S, is wider than that of the table, 1e-05 to 5e-05 S' in wide.stderr and 'leave out device.g_min' in wide.stderr, wide.stderr
    said = run('train', '--no-db', '--set', 'device.model=measured', '--set', f'device.table={table}', '--set', 'device.g_min=1 uS', '--set',
               'device.g_max=100 uS', '--set', 'train.epochs=1', '--set', 'dataset.train=100', '--set', 'network.hidden=[4]').stderr
    assert said.count('wider than that of the table') == 1, said


main([test_layouts, test_refusals, test_what_a_card_takes_the_place_of, test_gaps, test_pulse_voltages, test_choice, test_form,
      test_readings_again, test_not_determined, test_pictures, test_sweeps, test_sweep_refusals, test_read_law, test_what_is_no_number, test_law_of_exact_reads, test_range_of_a_table])
