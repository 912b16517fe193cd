"""Every learning rule learns the digits with its name alone, on floating-point weights and on linear devices with accumulate:
defaults are part of a method. One seed each: a smoke test, far above chance (10 %) and below what the rules reach."""
import json
import os

from mho import folder, lines, main, refused, run, write

LEAST = 0.75
HARDWARE = {'ideal': [], 'devices': ['--set', 'device=linear', '--set', 'update.scheme=accumulate']}


def rules():
    words = [line.split(': ', 1) for line in run('list').stdout.splitlines() if line.startswith('rules: ')]
    return words[0][1].split()


def test_rules_by_their_names():
    found = {}
    for rule in rules():
        for name, more in HARDWARE.items():
            done = lines('train', '--db', 'runs.db', '--set', f'rule={rule}', *more, '--json')[-1]
            found[rule, name] = done['final_test_acc']
    assert len(found) >= 2 * 4 and all(a > LEAST for a in found.values()), found


def test_defaults_of_a_rule_show_and_yield():
    shown = run('train', '--set', 'rule=perturb', '--print-config').stdout
    assert 'rate: 0.005' in shown and 'epochs: 100' in shown, shown
    assert 'epochs: 3' in run('train', '--set', 'rule=perturb', '--set', 'train.epochs=3', '--print-config').stdout


DIRECT = ['--set', 'rule=dfc', '--set', 'feedback.path=direct', '--set', 'network.hidden=[12,10]', '--set', 'train.epochs=2']
HAS_NGSPICE = 'ngspice          yes' in run('--version', '-v').stdout


def test_arrays_of_controls_are_crossbars_of_the_run():
    for q in 'product', 'random', 'learned':
        run('train', '--db', 'runs.db', '--name', q, *DIRECT, '--set', f'feedback.q={q}', '--set', 'device=linear',
            '--set', 'update.scheme=accumulate', '--set', 'feedback.q.epochs_before=1', '--set', 'feedback.q.steps=5')
        rows = [line.split() for line in run('show', q, '--db', 'runs.db').stdout.splitlines() if line.startswith('out-h')]
        assert [r[:4] for r in rows] == [['out-h1', '10', 'x', '12'], ['out-h2', '10', 'x', '10']], rows
        assert all((float(r[-1]) > 0) == (q == 'learned') for r in rows), rows
        run('export', q, '--db', 'runs.db', '--weights', q)
        assert os.path.exists(os.path.join(folder, q, 'out-h1.w.npy')) == (q == 'learned')


def test_arrays_of_controls_in_circuits():
    run('netlist', 'product', '--db', 'runs.db', '--layer', 'out-h1', '--out', 'q.cir')
    run('netlist', 'product', '--db', 'runs.db', '--network', '--out', 'net.cir')
    write('chain.yaml', 'rule: dfc\nnetwork: {hidden: [6]}\n')
    refused('netlist', 'chain.yaml', '--network', says='there is no circuit', code=None)
    refused('netlist', 'product', '--db', 'runs.db', '--network', '--transient', says='leave --transient out', code=None)
    if HAS_NGSPICE:
        assert run('netlist', '--check', 'q.cir', 'net.cir').stdout.count('pass') == 2
        done = run('cosim', 'learned', '--db', 'runs.db', '--what', 'network').stdout
        assert done.count('pass') == 9 and 'weight change h1-h2' in done, done


def contents(of, name):
    with open(os.path.join(folder, of, name), 'rb') as f:
        return f.read()


CARDS = ['linear', 'soft_bounds', 'reram_es', 'ecram', 'capacitor']


def test_tiki_taka_by_its_name():
    for card in CARDS:
        done = lines('train', '--db', 'runs.db', '--name', 'tiki ' + card, '--set', 'update.scheme=tiki_taka',
                     '--set', ('device=' if card in CARDS[:2] else 'device.card=') + card, '--json')[-1]
        assert done['final_test_acc'] > LEAST, (card, done)
    shown = run('train', '--set', 'update.scheme=tiki_taka', '--set', 'device=linear', '--print-config').stdout
    assert 'schedule: cosine' in shown and 'variant: v2' in shown, shown


def test_residual_learning_as_users_meet_it():
    """One run through every verb that reads crossbars: both arrays are in its circuit, its weights and its energy."""
    keys = ['--set', 'update.scheme=tiki_taka', '--set', 'device.card=reram_es', '--set', 'network.hidden=[12]', '--set', 'train.epochs=2']
    both = ['--set', 'update.gamma=0.2', '--set', 'update.variant=chopped', '--set', 'update.chop_in=0.2']
    db = ['--db', 'runs.db']
    done = lines('train', *db, '--name', 'both', *keys, *both, '--json')[-1]
    evaluated = run('eval', 'both', *db, '--json').stdout
    assert abs(json.loads(evaluated)['accuracy'] - done['final_test_acc']) < 1e-9, evaluated
    rows = [line.split() for line in run('show', 'both', *db).stdout.splitlines() if line.startswith('verify')]
    assert float(rows[0][-1]) > 1e4, rows

    run('export', 'both', *db, '--weights', 'both')
    assert sorted(os.listdir(os.path.join(folder, 'both'))) == ['h1-out.w.npy', 'weights.json', 'x-h1.w.npy']
    same = lines('program', 'both', *db, '--set', 'device=ideal', '--name', 'copy', '--json')[0]  # gamma A + C, as it is read
    assert same['accuracy'] == done['final_test_acc'], (same, done)
    run('export', 'copy', *db, '--weights', 'copy')
    for name in 'h1-out.w.npy', 'x-h1.w.npy':
        assert contents('both', name) == contents('copy', name)
    again = lines('train', *db, '--from', 'both', '--set', 'network.hidden=[12]', '--set', 'train.epochs=1', '--set', 'update.rate=0', '--json')
    assert again[-1]['final_test_acc'] == done['final_test_acc'], again
    lines('train', *db, '--from', 'both', *keys, '--json')
    lines('train', *db, '--from', 'both', *keys, *both, '--json')
    assert '12' in run('program', 'both', *db, '--set', 'device=linear').stdout
    refused('eval', 'both', *db, '--set', 'update.gamma=0', says='update.gamma')

    run('netlist', 'both', *db, '--layer', 'x-h1', '--out', 'both.cir')
    with open(os.path.join(folder, 'both.cir')) as f:
        assert '0.2*Gc' in f.read()
    if HAS_NGSPICE:
        assert run('netlist', '--check', 'both.cir').stdout.count('pass') == 1
        assert run('cosim', 'both', *db, '--layer', 'x-h1').stdout.count('pass') == 2


def test_cells_of_several_devices_as_users_meet_them():
    """Trained, evaluated, written onto another chip of as many, of more and of one device a cell, exported and trained on."""
    db, small = ['--db', 'runs.db'], ['--set', 'network.hidden=[12]', '--set', 'train.epochs=2']
    ways = ('all', 'tiki_taka', 0.1), ('in_turn', 'tiki_taka', 0.1), ('in_turn', 'stochastic', 0.5), ('carry', 'accumulate', 0.5)
    for write, scheme, rate in ways:
        name = f'{scheme} {write}'
        cells = ['--set', 'device=linear', '--set', 'device.cells.n=2', '--set', 'device.cells.write=' + write,
                 '--set', 'device.cells.significance=[1,3]', '--set', 'update.scheme=' + scheme, '--set', 'update.optimizer=sgd',
                 '--set', f'update.rate={rate}']
        done = lines('train', *db, '--name', name, *small, *cells, '--json')[-1]
        accuracy = done['final_test_acc']
        assert accuracy > 0.4, (name, done)
        assert json.loads(run('eval', name, *db, '--json').stdout)['accuracy'] == accuracy, (name, done)
        for other in [], ['--set', 'device.cells.n=1', '--set', 'device.cells.significance=[]', '--set', 'device.cells.write=all']:
            chip = lines('program', name, *db, *other, '--name', 'chip', '--json')[0]
            has_two = scheme == 'tiki_taka'  # arrays, whose sum may be beyond what one of them holds
            most, near = (0.05, 0.03) if has_two else (0, 0.006)  # 0.006: 2 of 360 images
            assert chip['clipped'] <= most and abs(chip['accuracy'] - accuracy) < near, (name, other, accuracy, chip)
            assert json.loads(run('eval', 'chip', *db, '--json').stdout)['accuracy'] == chip['accuracy'], (name, other)

        run('export', name, *db, '--weights', name)
        banks = {'h1-out.g_pos_1.npy', 'h1-out.g_neg_2.npy'}
        assert banks <= set(os.listdir(os.path.join(folder, name))) or scheme == 'tiki_taka'  # whose weights have a part of a fast array
        lines('train', *db, '--from', name, *small, *cells, '--json')


def test_resistors_by_their_name():
    """One seed: a smoke test. The circuit's keys act, others say that they do not, and what has no circuit says so."""
    db, name = ['--db', 'runs.db'], ['--set', 'dynamics=resistive']
    done = lines('train', *db, '--name', 'resistors', *name, '--json')[-1]
    assert done['final_test_acc'] > LEAST, done
    evaluated = json.loads(run('eval', 'resistors', *db, '--json').stdout)
    assert abs(evaluated['accuracy'] - done['final_test_acc']) < 1e-9, evaluated
    junctions = lines('train', *db, *name, '--set', 'resistive.rectifier=junction', '--set', 'array.read_voltage=10 V',
                      '--set', 'train.epochs=3', '--json')[-1]
    assert junctions['final_test_acc'] > LEAST, junctions

    coarse = lines('train', '--no-db', *name, '--set', 'resistive.adc_bits=6', '--set', 'resistive.adc_range=20 mV', '--json')[-1]
    assert coarse['final_test_acc'] < 0.5, coarse  # of three seeds 0.12 to 0.20: a step is 0.3 of the targets' unit

    two = [lines('train', '--no-db', *name, '--set', 'train.epochs=2', '--threads', n, '--json')[-2] for n in '12']
    assert two[0]['loss'] == two[1]['loss'] and two[0]['test_acc'] == two[1]['test_acc'], two

    small = [w for k in ('network.hidden=16', 'dataset.train=20', 'dataset.test=20', 'train.epochs=1', 'rule.nudge=0.1') for w in ('--set', k)]
    ends = [lines('train', '--no-db', *name, *small, '--set', 'settle.method=' + m, '--json')[-2]
            for m in ('sweep', 'ode') + (('spice',) if HAS_NGSPICE else ())]
    assert all(e['test_acc'] == ends[0]['test_acc'] and e['unsettled'] == 0 for e in ends[1:]), ends
    refused('train', '--no-db', *name, '--set', 'settle.method=ode', '--set', 'settle.stepper=bsimp', says='settle.stepper')
    refused('train', '--no-db', *name, '--set', 'settle.method=spice', '--set', 'settle.analysis=tran', says='settle.analysis')

    table = run('settle', 'resistors', *db, '--sample', '3', '--neurons', 'out.0').stdout.splitlines()
    assert 'kirchhoff,dissipated,supplied' in table[0], table[0]
    last = [dict(zip(table[0].split(','), line.split(','))) for line in table[1:] if line.startswith('0,4')][0]
    assert abs(float(last['dissipated']) / float(last['supplied']) - 1) < 1e-3, last
    assert float(last['kirchhoff']) < 1e-2, last

    assert 'are no neurons' in run('train', '--no-db', *name, '--set', 'network.neuron=relu', '--set', 'train.epochs=1').stderr
    assert 'resistive.input_gain' in run('train', '--no-db', '--set', 'resistive.input_gain=2', '--set', 'train.epochs=1').stderr
    refused('netlist', 'resistors', *db, '--layer', 'x-h1', says='no crossbar is read by itself', code=None)
    refused('cosim', 'resistors', *db, '--layer', 'x-h1', says='no crossbar is read by itself', code=None)
    refused('netlist', 'resistors', *db, '--network', '--transient', says='leave --transient and --norton out', code=None)
    if HAS_NGSPICE:
        run('netlist', 'resistors', *db, '--network', '--sample', '3', '--out', 'resistors.cir')
        assert run('netlist', '--check', 'resistors.cir').stdout.count('pass') == 1
        assert run('cosim', 'resistors', *db, '--what', 'network').stdout.count('pass') == 5
    refused('train', '--no-db', *name, '--set', 'device=linear', says='device.mapping: a conductance')
    refused('export', 'resistors', *db, '--weights', 'r.onnx', says=['a network of resistors passes nothing forward', '.npz'], code=None)
    assert 'conductances' in run('export', 'resistors', *db, '--weights', 'r.npz').stderr
    again = lines('import', '--npz', 'r.npz', *db, *name, '--set', 'rule=ep', '--set', 'network.neuron=linear', '--json')[0]
    assert abs(again['accuracy'] - done['final_test_acc']) < 1e-9, again


def test_spikes_as_users_meet_them():
    """The table of a sample: potentials below thresholds but where a neuron has fired, and what evaluations count."""
    keys = ['--set', 'dynamics=spiking', '--set', 'rule=perturb', '--set', 'network.hidden=[20,10]', '--set', 'neuron.threshold.value=0.3',
            '--set', 'neuron.reset=value', '--set', 'neuron.reset_to=-1']
    write('empty.yaml', '')
    table = run('settle', 'empty.yaml', *keys, '--sample', '3', '--neurons', 'h1,h2.3', '--plot', 'raster.svg').stdout.splitlines()
    assert table[0] == 'step,layer,neuron,u,theta,spike', table[0]
    rows = [line.split(',') for line in table[1:]]
    assert len(rows) == 100 * 21 and rows[-1][:3] == ['100', 'h2', '3'], rows[-1]
    fired = [float(r[3]) for r in rows if r[5] == '1']
    assert len(fired) > 10 and all(u == -1 for u in fired), fired
    assert all(float(r[3]) < float(r[4]) for r in rows)
    with open(os.path.join(folder, 'raster.svg')) as f:
        drawn = f.read()
    assert drawn.count('<use') + drawn.count('<circle') >= len(fired), drawn[:400]
    refused('train', '--no-db', *keys, '--set', 'rule=ep', says='learns from errors')
    assert 'do not spike' in run('train', '--no-db', '--set', 'neuron.tau=1 ms', '--set', 'train.epochs=1').stderr


def test_csdp_as_users_meet_it():
    """A run through the verbs, on devices; no label is shown where it is evaluated, and threads are of no consequence."""
    keys = ['--set', 'rule=csdp', '--set', 'network.hidden=[30,20]', '--set', 'dataset.train=200', '--set', 'dataset.test=60',
            '--set', 'train.epochs=2', '--set', 'settle.steps=20', '--set', 'device=linear', '--set', 'update.scheme=accumulate']
    db = ['--db', 'runs.db']
    done = lines('train', *db, '--name', 'csdp', *keys, '--json')
    evaluated = json.loads(run('eval', 'csdp', *db, '--json').stdout)
    assert abs(evaluated['accuracy'] - done[-1]['final_test_acc']) < 1e-9 and done[-2]['pulses'] > 1e4, (evaluated, done)
    two = [lines('train', '--no-db', *keys, '--threads', n, '--json')[-2] for n in '24']
    assert len({(e['loss'], e['test_acc'], e['pulses']) for e in [done[-2], *two]}) == 1, two
    table = run('settle', 'csdp', *db, '--sample', '3', '--neurons', 'h1.0-1').stdout.splitlines()
    assert table[0] == 'step,layer,neuron,u,theta,spike' and len(table) == 1 + 2 * 20, table[:2]
    assert 'answer-h1' in run('show', 'csdp', *db).stdout
    run('export', 'csdp', *db, '--weights', 'csdp')
    run('report', 'csdp', *db, '-o', 'csdp.html')
    run('netlist', 'csdp', *db, '--layer', 'h1-h1', '--out', 'csdp.cir')
    refused('netlist', 'csdp', *db, '--network', says='have no netlist as a whole', code=None)
    assert 'test accuracy' in run('program', 'csdp', *db, '--set', 'device=soft_bounds').stdout
    lines('train', *db, '--from', 'csdp', *keys, '--json')
    if HAS_NGSPICE:
        assert run('netlist', '--check', 'csdp.cir').stdout.count('pass') == 1
        assert run('cosim', 'csdp', *db, '--layer', 'h1-h1').stdout.count('pass') == 2


def test_stdp_as_users_meet_it():
    """One run through every verb that reads crossbars; labels are part of a checkpoint, and those of another chip its own."""
    keys = ['--set', 'rule=stdp', '--set', 'network.hidden=[20]', '--set', 'dataset.train=200', '--set', 'dataset.test=100',
            '--set', 'train.epochs=2']
    db = ['--db', 'runs.db']
    done = lines('train', *db, '--name', 'stdp', *keys, '--json')
    assert done[-1]['final_test_acc'] > 0.4 and done[-2]['pulses'] > 1e4, done
    evaluated = json.loads(run('eval', 'stdp', *db, '--json').stdout)
    assert abs(evaluated['accuracy'] - done[-1]['final_test_acc']) < 1e-9, evaluated
    assert 0 < json.loads(run('eval', 'stdp', *db, '--json', '--set', 'array.read_noise=0.3').stdout)['accuracy'] < 1
    two = [lines('train', '--no-db', *keys, '--threads', n, '--json')[-2] for n in '124']
    assert len({(e['loss'], e['test_acc'], e['pulses']) for e in two}) == 1, two
    run('export', 'stdp', *db, '--weights', 'stdp')
    refused('export', 'stdp', *db, '--weights', 'stdp.onnx', says='spike', code=None)
    refused('netlist', 'stdp', *db, '--network', says='have no netlist as a whole', code=None)
    run('netlist', 'stdp', *db, '--layer', 'x-h1', '--out', 'stdp.cir')
    assert 'test accuracy' in run('program', 'stdp', *db, '--set', 'device=linear').stdout
    lines('train', *db, '--from', 'stdp', *keys, '--json')
    if HAS_NGSPICE:
        assert run('netlist', '--check', 'stdp.cir').stdout.count('pass') == 1
        assert run('cosim', 'stdp', *db, '--layer', 'x-h1').stdout.count('pass') == 2


def test_resistors_that_are_devices():
    """Pulses make them learn; the energy of cells is power times time, three phases of 100 ns a sample. One seed."""
    keys = [w for k in ('dynamics=resistive', 'device=linear', 'device.mapping=single', 'network.biases=false',
                        'update.scheme=accumulate', 'train.epochs=4') for w in ('--set', k)]
    done = lines('train', '--db', 'runs.db', '--name', 'conductances', *keys, '--json')
    assert done[-1]['final_test_acc'] > LEAST and done[0]['pulses'] > 1e4, done
    row = run('query', '--db', 'runs.db', '--csv', "SELECT joule, samples, dissipated, w_range FROM energy_epoch JOIN settle USING "
              "(run_id, epoch) JOIN layer_epoch l USING (run_id, epoch) WHERE term = 'cells' AND epoch = 4 AND phase = 'free' "
              "AND l.layer = 0 AND run_id = (SELECT id FROM run WHERE name = 'conductances')").stdout.splitlines()
    joule, samples, dissipated, w_range = [float(v) for v in row[1].split(',')]
    volts, siemens = 0.2 / 100, 99e-6 / w_range
    assert samples == 1437 and abs(joule / (3 * samples * 100e-9 * dissipated * volts ** 2 * siemens) - 1) < 1e-6, row
    assert 'current left' in run('eval', 'conductances', '--db', 'runs.db').stdout
    if HAS_NGSPICE:
        assert run('cosim', 'conductances', '--db', 'runs.db', '--what', 'network').stdout.count('pass') == 5
    refused('train', '--no-db', *keys, '--set', 'network.biases=true', says='network.biases: currents into nodes')


main([test_spikes_as_users_meet_them, test_csdp_as_users_meet_it, test_stdp_as_users_meet_it, test_resistors_by_their_name, test_resistors_that_are_devices, test_tiki_taka_by_its_name, test_residual_learning_as_users_meet_it,
      test_cells_of_several_devices_as_users_meet_them, test_rules_by_their_names, test_defaults_of_a_rule_show_and_yield, test_arrays_of_controls_are_crossbars_of_the_run,
      test_arrays_of_controls_in_circuits])
