"""Every verb does what its help says, and --json keeps to the contract."""
import json
import os
import re
import shutil

from mho import folder, lines, main, refused, run, write

VERBS = ['init', 'train', 'settle', 'sweep', 'eval', 'program', 'solve', 'runs', 'show', 'compare', 'query', 'report', 'export', 'import', 'netlist', 'cosim', 'device', 'db', 'data', 'list', 'doctor', 'completion']
SMALL = ['--set', 'network.hidden=[16]', '--set', 'train.epochs=2', '--set', 'dataset.train=400',
         '--set', 'train.batch=10', '--set', 'update.rate=0.01']


def test_help():
    text = run('--help').stdout
    for v in VERBS:
        assert re.search(rf'^  {v} ', text, re.M), v
        p = run(v, '--help')
        assert 'Example' in p.stdout, f'{v} --help has no example'
    assert re.match(r'mho \d', run('--version').stdout)
    assert 'kernels' in run('--version', '-v').stdout
    run(code=2)


def test_train_json():
    events = lines('train', *SMALL, '--json', '--name', 'first', '--seed', '3')
    assert [e['event'] for e in events] == ['epoch', 'epoch', 'done']
    keys = {'event', 'run', 'epoch', 'train_acc', 'test_acc', 'loss', 'settle_steps', 'unsettled', 'pulses', 'wall_s',
            'eval_s'}
    for i, e in enumerate(events[:2]):
        assert keys <= e.keys() and e['epoch'] == i + 1 and 0 < e['test_acc'] <= 1 and e['pulses'] == 0
    done = events[-1]
    assert {'run', 'status', 'best_test_acc', 'final_test_acc', 'train_acc', 'wall_s'} <= done.keys()
    assert done['status'] == 'completed' and done['final_test_acc'] == events[1]['test_acc']
    assert done['best_by'] == 'test'


def test_stored_run():
    row, = lines('runs', '--json', '--where', "name = 'first'")
    assert row['seed'] == 3 and row['dataset'] == 'digits' and row['status'] == 'completed' and row['epochs_done'] == 2
    shown, = lines('show', 'first', '--json')
    assert shown['id'] == row['id'] and shown['config']['network']['hidden'] == [16]
    assert row['id'] in run('show', row['id'][:-1]).stdout
    assert 'no runs that match' in run('runs', '--where', 'test_acc > 1').stdout
    e, = lines('eval', 'last', '--json')
    assert abs(e['accuracy'] - shown['final_test_acc']) < 1e-9 and e['epoch'] == 2
    noisy, = lines('eval', 'last', '--json', '--set', 'array.read_noise=1')
    assert noisy['accuracy'] < e['accuracy']
    assert run('query', 'SELECT count(*) AS n FROM epoch', '--csv').stdout == 'n\n2\n'
    assert json.loads(run('query', 'SELECT epoch, test_acc FROM epoch ORDER BY 1 DESC', '--json').stdout.splitlines()[0])[
        'epoch'] == 2


def test_settle():
    """One sample's way to rest: of a stored run and of a config, in steps and in seconds."""
    run('train', *SMALL, '--set', 'settle.method=ode', '--set', 'observe.settling=true', '--set', 'observe.samples=20',
        '--name', 'circuit')
    rows = run('settle', 'circuit', '--sample', '7', '--neurons', 'h1.2-4').stdout.splitlines()
    assert rows[0] == 'phase,step,time_s,residual,h1.2,h1.3,h1.4' and len(rows) > 10
    table = [r.split(',') for r in rows[1:]]
    assert {r[0] for r in table} == {'0', '1'} and all(len(r) == 7 for r in table)
    times = [float(r[2]) for r in table]
    assert times == sorted(times) and 5e-7 < times[-1] < 5e-5
    end = [r for r in table if r[0] == '0'][-1]
    assert float(end[3]) < 1e-5
    write('net.yaml', 'network: {hidden: [8, 6]}\nsettle: {method: synchronous, free: 12, nudged: 4}\n')
    steps = run('settle', 'net.yaml', '--plot', 'way.svg').stdout.splitlines()
    assert len(steps) == 1 + 13 + 5 and steps[1].split(',')[2] == '' and len(steps[0].split(',')) == 4 + 14
    assert '<svg' in open(os.path.join(folder, 'way.svg'), encoding='utf-8').read()
    for bad in (('--sample', '100000'), ('--neurons', 'h9'), ('--neurons', 'h1.99'), ('--plot', 'x.txt')):
        run('settle', 'circuit', *bad, code=2)
    many = run('settle', 'circuit', '--samples', '12', '--plot', 'times.svg')
    table = [r.split(',') for r in many.stdout.splitlines()]
    assert table[0] == ['sample', 'settled', 'time_s', 'energy_j'] and [r[0] for r in table[1:]] == [str(i) for i in range(12)]
    assert all(r[1] == '1' and 5e-7 < float(r[2]) < 5e-5 and float(r[3]) > 0 for r in table[1:])
    assert '12 of 12 images settled' in many.stderr and '50 % by' in many.stderr
    assert '<svg' in open(os.path.join(folder, 'times.svg'), encoding='utf-8').read()
    late = run('settle', 'circuit', '--samples', '12', '--set', 'settle.limit=2')
    assert '0 of 12 images settled' in late.stderr and late.stdout.splitlines()[1].startswith('0,0,,')
    assert 'settle.method=ode' in run('settle', 'net.yaml', '--samples', '3', code=2).stderr
    run('settle', 'circuit', '--samples', '100000', code=2)
    # steps of one settler are no times of the other
    assert 'settle.free' in run('settle', 'net.yaml', '--set', 'settle.method=ode', '--set', 'settle.free=3', code=2).stderr
    run('settle', 'net.yaml', '--set', 'settle.method=ode', '--set', 'settle.read_free=3')
    # what an ADC is calibrated on is not shown: each phase once, whatever the settler
    for method in (['synchronous', 'settle.free=6', 'settle.nudged=4'],
                   ['ode', 'array.coupling=analog'], ['sweep']):
        adc = [f'settle.method={method[0]}', *method[1:], 'array.model=periphery', 'array.adc_bits=8', 'train.batch=50']
        for of, sample in (('net.yaml', '2'), ('circuit', '3')):
            rows = run('settle', of, '--sample', sample, *[w for a in adc for w in ('--set', a)]).stdout.splitlines()
            phases = [r.split(',')[0] for r in rows[1:]]
            steps = [int(r.split(',')[1]) for r in rows[1:]]
            assert phases == sorted(phases) and set(phases) == {'0', '1'}, (method, of, phases)
            assert steps.count(0) == 2, (method, of, steps)
    # digital neurons behind converters have a clock, continuous time has none
    clocked = ('--set', 'settle.method=ode', '--set', 'array.model=periphery', '--set', 'array.adc_bits=8')
    for of in ('net.yaml', 'circuit'):
        assert 'array.coupling' in run('settle', of, *clocked, code=2).stderr
    says = run('settle', 'net.yaml', '--set', 'settle.method=spice', code=None)  # 2 with ngspice, and without
    assert says.returncode == 2 and says.stdout == '', says
    assert 'settle.method: spice' in says.stderr and 'rule=ep' not in says.stderr, says.stderr
    assert 'nothing settles under rule bp' in run('settle', 'net.yaml', '--set', 'rule=bp', code=2).stderr
    # an hour after programming every conductance, and with it every weight, is (3600 s/20 s)^-0.1 of what it was
    drift = ['--set', 'network.hidden=[5]', '--set', 'network.neuron=linear', '--set', 'device=linear', '--set',
             'device.drift.law=power', '--set', 'device.drift.nu=0.1']
    now, later = ([float(v) for v in run('settle', 'net.yaml', *drift, *after).stdout.splitlines()[2].split(',')[4:]]
                  for after in ([], ['--after', '1h']))
    assert all(abs(b - 180 ** -0.1 * a) < 1e-5 for a, b in zip(now, later)), (now, later)
    assert 'does not drift' in run('settle', 'net.yaml', '--set', 'device=linear', '--after', '1 h').stderr
    assert 'no conductances that could drift' in run('settle', 'net.yaml', '--after', '1h').stderr
    # one read voltage, whose earlier name still works; power goes with its square
    power = []
    for keys in (['array.read_voltage=0.2 V'], ['array.read_voltage=0.4 V'], ['settle.v_read=0.2 V']):
        rows = run('settle', 'net.yaml', '--samples', '3', '--set', 'device=linear', '--set', 'settle.method=ode',
                   *[w for k in keys for w in ('--set', k)]).stdout.splitlines()[1:]
        power.append(sum(float(r.split(',')[3]) for r in rows))
    assert abs(power[1] / power[0] - 4) < 1e-6 and abs(power[2] / power[0] - 1) < 1e-6, power
    assert '--after' in run('settle', 'net.yaml', '--after', 'soon', code=2).stderr
    out = run('query', "SELECT count(*), sum(settled), min(time_s) > 0 AND min(settle_sample.energy_j) > 0 FROM settle_sample JOIN run ON "
              "run_id = id WHERE name = 'circuit' AND epoch = 2", '--csv').stdout
    assert out.splitlines()[1] == '20,20,1'


def test_config_or_run():
    """Which words name a CONFIG and which a RUN is the same for every verb that takes either."""
    text = 'network: {hidden: [8, 6]}\nsettle: {method: synchronous, free: 12, nudged: 4}\n'
    name = 'study device.card=cards/mine.yaml s1'  # as a study names its runs
    write('first', 'a file with the name of a run')
    write('plain.conf', text)
    write('plain.yml', text)
    run('train', *SMALL, '--name', name)
    for verb in (['settle'], ['netlist', '--layer', 'x-h1']):
        for word in ('first', name, 'plain.yml', './plain.conf'):
            run(*verb, word)
        assert 'nosuch.yaml' in run(*verb, 'nosuch.yaml', code=2).stderr
        assert "'plain.conf'" in run(*verb, 'plain.conf', code=2).stderr
    os.remove(os.path.join(folder, 'first'))


def test_hardware():
    """Energy of a run on devices, and its accuracy after a time and over draws of the noise."""
    events = lines('train', *SMALL, '--set', 'device=linear', '--json', '--name', 'drifting')
    assert all(e['energy_j'] > 0 for e in events[:-1])
    shown, = lines('show', 'drifting', '--json')
    assert abs(shown['energy_j'] - sum(e['energy_j'] for e in events[:-1])) < 1e-9 * shown['energy_j']
    assert abs(shown['energy_j'] - sum(t['joule'] for t in shown['energy'])) < 1e-8 * shown['energy_j']
    assert 'J a sample' in run('show', 'drifting').stdout and 'J a sample' not in run('show', 'first').stdout
    run('report', 'drifting', '-o', 'e.html')
    assert 'Energy and time on hardware' in open(os.path.join(folder, 'e.html'), encoding='utf-8').read()
    drift = ['--set', 'device.drift.law=power', '--set', 'device.drift.nu=0.1', '--set', 'device.drift.nu_spread=0.05']
    plain, = lines('eval', 'drifting', '--json')
    e, = lines('eval', 'drifting', '--json', '--after', '10s,1d,1y', *drift)
    assert [t['after'] for t in e['after']] == ['10s', '1d', '1y'] and e['after'][1]['after_s'] == 86400
    assert e['accuracy'] == plain['accuracy'] == e['after'][0]['accuracy']  # before t0 nothing has drifted
    assert e['after'][0]['loss'] < e['after'][1]['loss'] < e['after'][2]['loss']
    text = run('eval', 'drifting', '--after', '1mo', '--draws', '4', '--set', 'array.read_noise=0.1', *drift).stdout
    assert '4 draws' in text and re.search(r'^ +1mo +[\d.]+ +[\d.]+ +[\d.]+$', text, re.M)
    several, = lines('eval', 'drifting', '--json', '--draws', '4', '--set', 'array.read_noise=0.1')
    assert several['std'] > 0 and several['draws'] == 4
    assert 'does not drift' in run('eval', 'drifting', '--after', '1h').stderr
    for bad in ('5', '1parsec', '-1h', ''):
        run('eval', 'drifting', '--after', bad, code=2)
    run('eval', 'drifting', '--draws', '0', code=2)


def test_observables():
    asked = [f'observe.{k}=true' for k in ('spectral_radius', 'lyapunov', 'settling', 'cosine')]
    run('train', '--set', 'network.hidden=[16, 12]', '--set', 'train.epochs=2', '--name', 'observed',
        *[word for k in asked for word in ('--set', k)])
    text = run('show', 'observed').stdout
    assert 'observables\n' in text and 'spectral radius' in text and 'cosines with backprop' in text
    assert 'observables' not in run('show', 'first').stdout


def test_controls_are_observed():
    run('train', '--set', 'network.hidden=[12, 10]', '--set', 'train.epochs=2', '--set', 'rule=dfc', '--name', 'controlled',
        '--set', 'observe.control=true')
    assert 'controls, first training batch\n' in run('show', 'controlled').stdout
    out = run('query', 'SELECT count(*), sum(size > 0), min(cosine) > 0.5, min(cosine_least) > 0.9, max(growth) < 0, '
              'max(condition) FROM control', '--csv').stdout.splitlines()
    assert out[-1].startswith('6,6,1,1,1,1'), out
    assert 'no effect: observe.control: there is no controller' in run('train', '--set', 'observe.control=true', '--no-db').stderr


def test_config_round_trip():
    """A stored run's config trains to the same result again."""
    path = write('again.yaml', run('show', 'first', '--config').stdout)
    first, = lines('show', 'first', '--json')
    done = lines('train', path, '--json', '--name', 'again')[-1]
    again, = lines('show', 'again', '--json')
    assert done['final_test_acc'] == first['final_test_acc'] and again['config_hash'] == first['config_hash']
    printed = run('train', '--print-config').stdout
    assert run('train', write('full.yaml', printed), '--print-config').stdout == printed


def test_hardware_run():
    events = lines('train', '--set', 'device=soft_bounds', '--set', 'update.scheme=accumulate', '--set',
                   'network.hidden=[32, 16]', '--set', 'train.epochs=3', '--set', 'train.batch=20', '--json', '--name', 'hw')
    assert events[-1]['final_test_acc'] > 0.7 and all(e['pulses'] > 1000 for e in events[:-1])
    total = sum(e['pulses'] for e in events[:-1])
    row, = lines('runs', '--json', '--where', "name = 'hw'")
    assert row['pulses'] == total
    layers = lines('query', "SELECT layer_epoch.* FROM layer_epoch JOIN run ON run_id = id WHERE run.name = 'hw' AND epoch = 3",
                   '--json')
    assert [x['cols'] for x in layers] == [32, 16, 10] and all(1e-6 < x['g_mean'] < 1e-4 for x in layers)
    assert sum(x['pulses'] for x in layers) == events[2]['pulses']


def test_validation_chooses():
    events = lines('train', *SMALL, '--set', 'dataset.validation=100', '--json')
    assert events[-1]['best_by'] == 'validation' and 'val_acc' in events[0]


def test_cosim_and_report():
    if 'ngspice          yes' in run('--version', '-v').stdout:
        write('conv.yaml', 'dataset: {name: digits, train: 40, test: 10}\ntrain: {batch: 20}\n')
        results = lines('cosim', 'hw', '--json')
        assert [r['direction'] for r in results] == ['forward', 'transposed']
        assert all(r['pass'] and 0 < r['max_rel'] < 1e-5 and r['layer'] == 'h2-out' for r in results)
        assert 'h1-h2' in run('cosim', 'hw', '--layer', 'h1-h2').stdout
        results = lines('cosim', 'hw', '--what', 'network', '--samples', '1', '--norton', '--json')
        assert all(r['pass'] and r['max_rel'] < 1e-3 for r in results) and len(results) >= 9
        # wires and tiles of a run, solved by the core and by ngspice
        run('train', *SMALL, '--set', 'device=linear', '--set', 'array.wire.r_word=5 ohm', '--set', 'array.wire.r_bit=5 ohm',
            '--set', 'array.wire.tile=[8, 8]', '--name', 'wired')
        assert all(r['pass'] and r['max_rel'] < 1e-5 for r in lines('cosim', 'wired', '--json'))
        write('wired.cir', run('netlist', 'wired').stdout)
        assert run('netlist', '--check', 'wired.cir').stdout.startswith('pass')
        # the crossbar of a convolution is driven by a patch, with a 1 for the bias
        conv = ['--set', 'network.topology=conv', '--set', 'network.conv=[4x3, pool2]', '--set', 'network.neuron=hard_sigmoid',
                '--set', 'network.biases=true']
        for layer in (['--layer', 'x-h1'], ['--layer', 'x-h1', '--transposed'], ['--layer', 'h1-out', '--transposed']):
            write('conv.cir', run('netlist', 'conv.yaml', *conv, *layer).stdout)
            assert run('netlist', '--check', 'conv.cir').stdout.startswith('pass')
        assert 'set array.wire.r_word' in run('cosim', 'wired', '--what', 'network', code=2).stderr
    run('report', 'hw', '-o', 'hw.html')
    page = open(os.path.join(folder, 'hw.html'), encoding='utf-8').read()
    assert '<svg' in page and 'soft_bounds' in page and 'src=' not in page
    assert not re.search('\xa0[munpf]?1</td>', page), 'a number without a unit has one'


def test_devices():
    text = run('device', 'list').stdout
    assert 'soft_bounds' in text and 'ecram' in text and 'card' in text
    assert 'J. Tang' in run('device', 'show', 'ecram').stdout
    # a name of a card and of a model: each can be had, and it is said which one it is; one RESET of the model, s 5e-3 of 1..100 uS
    card, model = (run('device', 'curve', name, '--cells', '3', '--pulses', '2') for name in ['pcm', 'model:pcm'])
    assert 'this is the card' in card.stderr and 'model:pcm' in card.stderr and not model.stderr, (card.stderr, model.stderr)
    assert abs(float(model.stdout.splitlines()[-1].split(',')[3]) - (1e-6 + 5e-3 * 99e-6)) < 1e-12, model.stdout
    # a key of the model that begins as a group of keys does which have no effect here
    noisy = run('device', 'curve', 'nl_pulse', '--set', 'device.pulse_noise=0.1', '--cells', '3', '--pulses', '2').stderr
    assert not noisy and 'no effect' in run('device', 'curve', 'nl_pulse', '--set', 'device.pulse.width=1 us', '--pulses', '2').stderr, noisy
    assert 'note:' not in run('device', 'curve', 'ecram', '--cells', '3', '--pulses', '2').stderr
    assert run('device', 'show', 'model:pcm').stdout.splitlines()[0].startswith('pcm')
    out = run('device', 'curve', 'ecram', '--cells', '200', '--pulses', '30', '--reset-pulses', '20', '--cycles', '2').stdout
    rows = [r.split(',') for r in out.splitlines()]
    assert rows[0] == 'cycle,direction,pulse,mean,deviation,q05,q25,q50,q75,q95'.split(',') and len(rows) == 1 + 1 + 2 * 50
    mean = [float(r[3]) for r in rows[1:]]
    assert mean[30] > mean[0] and mean[50] < mean[30] and all(float(r[5]) <= float(r[7]) <= float(r[9]) for r in rows[1:])
    # a device made of curves, fitted, written as a card, and trained with
    data = ['pulse,direction,g']
    g = 1.0
    for n in range(1, 81):
        g += 0.05 * (11 - g)
        data.append(f'{n},up,{g}')
    for n in range(1, 81):
        g -= 0.04 * (g - 1)
        data.append(f'{n},down,{g}')
    path = write('pulses.csv', '\n'.join(data) + '\n')
    card = os.path.join(folder, 'mine.yaml')
    fit, = lines('device', 'fit', path, '--unit', 'uS', '--model', 'soft_bounds', '--json', '-o', card)
    found = fit['parameters']
    assert abs(found['step_up']['value'] - 0.05) < 2e-4 and abs(found['step_down']['value'] - 0.04) < 2e-4, found
    assert abs(found['g_max']['value'] - 11e-6) < 2e-8 and fit['explained'] > 0.999
    assert 'soft_bounds' in run('device', 'show', card).stdout
    assert fit['rows'] == fit['used'] + fit['missing'] + fit['outliers'] + fit['followed'], fit
    best = run('device', 'fit', path, '--unit', 'uS')
    assert "Schwarz's criterion" in best.stdout and 'CONFIDENCE' in best.stdout
    run('device', 'fit', path, '--unit', 'uS', '--model', 'measured', '-o', os.path.join(folder, 'table.yaml'))
    assert len(run('device', 'curve', os.path.join(folder, 'table.yaml'), '--cells', '2', '--pulses', '80').stdout.splitlines()) == 162
    lines('train', *SMALL, '--json', '--no-db', '--set', 'device.card=' + card, '--set', 'update.scheme=accumulate')
    if shutil.which('gnuplot'):
        for name in ('c.svg', 'c.png'):
            run('device', 'fit', path, '--unit', 'uS', '--model', 'soft_bounds', '--plot', os.path.join(folder, name))
            assert os.path.getsize(os.path.join(folder, name)) > 2000


def test_where_curves_begin():
    """At the low bounds, or where --set says; a table is a device of its own range, and a flat curve is said to be one."""
    def means(*words):
        said = run('device', 'curve', *words, '--cells', '1', '--pulses', '2')
        return [float(row.split(',')[3]) for row in said.stdout.splitlines()[1:]], said.stderr
    window = ['linear_ion', '--set', 'device.window=joglekar']
    flat, said = means(*window)
    assert len(set(flat)) == 1 and 'the curve is flat' in said and 'device.start' in said, said
    moving, said = means(*window, '--set', 'device.start=0.3')
    assert abs(moving[0] - 30.7e-6) < 1e-9 and moving[2] > moving[1] > moving[0] and not said, (moving, said)

    rises = [10 + 40 * (1 - 0.95 ** k) for k in range(40)]
    rows = [f'{k},{g * 1e-6:.9g},{(60 - g) * 1e-6:.9g}' for k, g in enumerate(rises)]
    table = ['measured', '--set', 'device.table=' + write('range.csv', 'pulse,ltp,ltd\n' + '\n'.join(rows) + '\n')]
    own, _ = means(*table)
    assert abs(own[0] - 10e-6) < 1e-11 and abs(own[1] - 12e-6) < 1e-9, own
    wide, _ = means(*table, '--set', 'device.g_min=1 uS', '--set', 'device.g_max=100 uS')
    assert abs(wide[0] - 1e-6) < 1e-11, wide
    refused('device', 'curve', 'measured', '--set', 'device.table=' + write('ones.csv', 'pulse,ltp,ltd\n0,5,5\n1,6,4\n2,7,3\n'),
            says=['ones.csv', 'in S'])


def test_read_disturb():
    small = ['--no-db', '--set', 'dataset=digits', '--set', 'dataset.train=50', '--set', 'train.batch=50', '--set', 'train.epochs=1',
             '--set', 'update.scheme=pulses']
    said = run('train', *small, '--set', 'device.model=yakopcic').stderr
    # the law: 4000/s (e^.2 - e^.15) 100 ns
    assert said.count('would move yakopcic') == 1 and '2.4e-05' in said and 'lower array.read_voltage to 0.15 V' in said, said
    assert 'would move' not in run('train', *small, '--set', 'device.model=yakopcic', '--set', 'array.read_voltage=0.15 V').stderr
    assert 'no threshold' in run('train', *small, '--set', 'device.model=linear_ion').stderr
    assert 'would move' not in run('train', *small, '--set', 'device.model=vteam').stderr
    ode = [*small, '--set', 'settle.method=ode', '--set', 'device.model=vteam', '--set', 'settle.v_read=0.7 V']
    assert 'lower array.read_voltage to 0.5 V' in run('train', *ode).stderr


def test_lists():
    text = run('list').stdout
    for word in ['devices: ideal linear soft_bounds', 'rules: ep bp fa', 'settlers: synchronous', 'reports: run']:
        assert word in text, text
    for kind in ['devices', 'rules', 'settlers', 'arrays', 'schemes', 'programs', 'mappings', 'neurons', 'datasets', 'reports', 'keys']:
        run('list', kind)
        lines('list', kind, '--json')
    assert 'device.nl_up' in run('list', 'devices', 'nl_pulse').stdout
    (read_noise,) = [k for k in lines('list', 'keys', 'array', '--json') if k['key'] == 'array.read_noise']
    assert read_noise['of'] == 'periphery' and read_noise['default'] == '0' and read_noise['range'] == '0 to 10', read_noise
    assert {k['section'] for k in lines('list', 'keys', 'array', '--json')} == {'array'} and 'train.epochs' in run('list', 'keys').stdout
    refused('list', 'keys', 'nothing', says=["'nothing'", 'keys'])
    point, = lines('list', 'datasets', 'table', '--json')
    assert point['defaults'] == {'dataset.normalize': 'columns'} and point['parameters'][2]['default'] == 'values', point
    assert 'soft_bounds' in run('device', 'list').stdout and 'step_up' in run('device', 'show', 'soft_bounds').stdout
    assert 'embedded' in run('data', 'list').stdout


main([test_help, test_train_json, test_stored_run, test_settle, test_config_or_run, test_hardware, test_config_round_trip,
      test_hardware_run, test_validation_chooses, test_cosim_and_report, test_devices, test_where_curves_begin,
      test_read_disturb, test_lists, test_observables, test_controls_are_observed])
