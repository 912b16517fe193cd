"""Every learning rule learns the digits with its name alone, on floating-point weights and on linear devices with accumulate:
defaults are part of a method. One seed each: a smoke test, far above chance (10 %) and below what the rules reach."""
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


main([test_rules_by_their_names, test_defaults_of_a_rule_show_and_yield, test_arrays_of_controls_are_crossbars_of_the_run,
      test_arrays_of_controls_in_circuits])
