"""Every committed netlist runs in ngspice and prints what its comments expect; written anew, it expects the same."""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

mho = os.environ['MHO']
source = os.environ['MHO_SOURCE']
program = shutil.which('ngspice')
EXPECT = re.compile(r'^\* expect (\S+) = (\S+) \+- (\S+)', re.M)
PRINTED = re.compile(r'^(\w+) = (\S+)\s*$', re.M)


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def expected(path):
    text = open(path, encoding='utf-8').read()
    found = {name: (float(value), float(margin)) for name, value, margin in EXPECT.findall(text)}
    assert found, f'{path} expects nothing'
    return found


def check(path):
    """Run by the program where it is installed, else by the library in a child of mho's; the number of values."""
    want = expected(path)
    if not program:
        r = run(mho, 'netlist', '--check', path)
        assert r.returncode == 0, f'{path}: {r.stdout}{r.stderr}'
        return len(want)
    r = run(program, '-b', path)
    assert r.returncode == 0, f'{path}: exit code {r.returncode}\n{r.stdout}{r.stderr}'
    got = dict(PRINTED.findall(r.stdout))
    for name, (value, margin) in want.items():
        assert name in got, f'{path}: no {name} in\n{r.stdout}'
        assert abs(float(got[name]) - value) <= margin, f'{path}: {name} = {got[name]}, expected {value} +- {margin}'
    assert margin_matters(want, got), f'{path}: the margins let anything pass'
    return len(want)


def text_of(path):
    """With 9 digits a number: the last ones are the processor's."""
    text = open(path, encoding='utf-8').read()
    return re.sub(r'\d+\.\d{6,}(e[-+]?\d+)?', lambda m: f'{float(m[0]):.9g}', text)


def margin_matters(want, got):
    """A tenth of the largest value is no margin."""
    most = max(abs(value) for value, _ in want.values())
    return most > 0 and all(margin < 1e-3 * most for _, margin in want.values())


if 'ngspice          yes' not in run(mho, '--version', '-v').stdout:
    print('skipped: this build has no ngspice')
    sys.exit(77)
committed = sorted(glob.glob(os.path.join(source, 'netlists', '*.cir')))
assert len(committed) >= 12, committed
values = sum(check(path) for path in committed)
print(f'{len(committed)} netlists, {values} values, run by {program or "the library"}')
r = run(mho, 'netlist', '--check', *committed[:4])
assert r.returncode == 0 and r.stdout.count('pass') == 4, r.stdout + r.stderr

with tempfile.TemporaryDirectory() as folder:
    r = run(os.path.join(source, 'netlists', 'regenerate'), mho, folder)
    assert r.returncode == 0, r.stderr
    for path in committed:
        fresh = os.path.join(folder, os.path.basename(path))
        assert os.path.exists(fresh), f'{fresh} is not written any more'
        old, new = expected(path), expected(fresh)
        assert old.keys() == new.keys(), path
        # within what single precision leaves open of the states that drive the circuit: it differs between processors
        slack = 2e-6 * max(abs(value) for value, _ in old.values())
        for name, (value, margin) in old.items():
            assert abs(new[name][0] - value) <= margin + slack, f'{path}: {name} {value} {new[name][0]}'
    for path in glob.glob(os.path.join(folder, '*.lib')):
        model = os.path.join(source, 'models', os.path.basename(path))
        assert os.path.exists(model), f'{model} is not committed: run netlists/regenerate'
        assert text_of(model) == text_of(path), f'{model} is out of date: run netlists/regenerate'
print('written anew, they expect the same')
