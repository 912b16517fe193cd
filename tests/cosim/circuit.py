"""What the tests of netlists of spikes share: a netlist that has passed, what it expects, and what ngspice prints of it."""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'cli'))
from mho import folder, run, write  # noqa: E402

program = shutil.which('ngspice')
EXPECT = re.compile(r'^\* expect (\S+) = (\S+) \+- (\S+)', re.M)
PRINTED = re.compile(r'^(\w+) = (\S+)\s*$', re.M)


def expected(text):
    return {name: (float(value), float(margin)) for name, value, margin in EXPECT.findall(text)}


def netlist(name, subject, *words):
    """The netlist, and what it expects; it has passed."""
    run('netlist', subject, '--spikes', '--out', f'{name}.cir', *words)
    with open(os.path.join(folder, f'{name}.cir'), encoding='utf-8') as f:
        text = f.read()
    p = run('netlist', '--check', f'{name}.cir', code=None)
    print(p.stdout.strip() or p.stderr.strip())
    assert p.returncode == 0, name
    return text, expected(text)


def times(values, prefix='t_'):
    return {k: v for k, v in values.items() if k.startswith(prefix)}


def in_order(values):
    """Names of spikes in the order of their times."""
    return [k for k, (t, _) in sorted(times(values).items(), key=lambda item: item[1][0])]


def events(settings, spikes=((0.004, 0), (0.0052, 1), (0.009, 2), (0.0091, 0), (0.018, 1), (0.0183, 2), (0.0186, 0), (0.03, 0))):
    """A config of three samples of the same spikes: (time, input)."""
    write('x_train_events.csv', 'time,unit,sample\n' + ''.join(f'{t},{u},{s}\n' for s in range(3) for t, u in spikes))
    write('y_train.csv', '0\n1\n0\n')
    return 'dataset: {name: events, path: .}\n' + ('' if 'train:' in settings else 'train: {epochs: 1}\n') + settings


def printed(name):
    """What the program prints of a netlist."""
    p = subprocess.run([program, '-b', f'{name}.cir'], cwd=folder, capture_output=True, text=True, timeout=250)
    assert p.returncode == 0, p.stdout + p.stderr
    return {k: float(v) for k, v in PRINTED.findall(p.stdout)}


def need_ngspice():
    """Skipped where mho has none."""
    if 'ngspice          yes' not in run('--version', '-v').stdout:
        print('skipped: this build has no ngspice')
        shutil.rmtree(folder, ignore_errors=True)
        sys.exit(77)
