"""Every learning rule learns the digits with its name alone, on floating-point weights and on linear devices with accumulate:
defaults are part of a method. One seed each: a smoke test, far above chance (10 %) and below what the rules reach."""
from mho import lines, main, run

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


main([test_rules_by_their_names, test_defaults_of_a_rule_show_and_yield])
