"""The shared library as a program meets it: installed, found by pkg-config, with the results of the command.

A program on include/mho/ alone trains every config here to the bytes that 'mho train' leaves in its database. What
'meson install' leaves in a folder builds the examples.
"""
import os
import re
import sqlite3
import struct
import subprocess

import mho
from mho import folder, run, write

SOURCE, SHARED = os.environ['MHO_SOURCE'], os.environ['SHARED']
BUILD = os.path.dirname(os.path.abspath(mho.MHO))
CLOCK = slice(112, 120)  # of a checkpoint: how long its epochs took

CONFIGS = {
    'floating': 'network: {hidden: [24]}\ntrain: {epochs: 2, batch: 20}\n',
    'crossbars': '''network: {hidden: [24, 16]}
device: {model: soft_bounds, cycle_to_cycle: 0.3, variation: {step: 0.2}, stuck_on: 0.01}
array: {read_noise: 0.01, wire: {r_word: 2 ohm, r_bit: 2 ohm}}
update: {scheme: accumulate}
train: {epochs: 2, batch: 20, seed: 3}
''',
    'pulsed': '''network: {hidden: [24]}
settle: {method: sweep}
device: {model: soft_bounds, mapping: reference}
update: {scheme: stochastic}
train: {epochs: 2, batch: 20}
''',
    'asymmetric': '''network: {hidden: [24, 16], biases: true}
feedback: {mode: asymmetric}
rule: {name: fa}
update: {optimizer: adam, rate: 1e-3}
train: {epochs: 2, batch: 20}
''',
}


def compiled(name, *words):
    """Compile and link a program; its path."""
    path = os.path.join(folder, name)
    p = subprocess.run([*words, '-o', path], capture_output=True, text=True)
    assert p.returncode == 0, f'{" ".join(words)}\n{p.stderr}'
    return path


# ---------------------------------------------------------------- the command's results

def same_as_command(name, threads):
    config = write(f'{name}.yaml', CONFIGS[name])
    left = os.path.join(folder, f'{name}-{threads}')
    os.makedirs(left)
    subprocess.run([SHARED, config, left, str(threads)], check=True)
    if not os.path.exists(os.path.join(folder, f'{name}.db')):
        run('train', config, '--db', f'{name}.db', '--threads', '1')
        run('export', 'last', '--weights', f'{name}.weights', '--db', f'{name}.db')

    db = sqlite3.connect(os.path.join(folder, f'{name}.db'))
    epochs = db.execute('SELECT epoch, loss, train_acc, test_acc, pulses FROM epoch ORDER BY epoch').fetchall()
    with open(os.path.join(left, 'epochs'), encoding='ascii') as f:
        assert [tuple(map(float, line.split())) for line in f] == epochs, f'{name}: epochs differ'

    stored = bytearray(db.execute("SELECT data FROM checkpoint WHERE kind = 'last'").fetchone()[0])
    with open(os.path.join(left, 'checkpoint'), 'rb') as f:
        saved = bytearray(f.read())
    stored[CLOCK] = saved[CLOCK] = bytes(8)
    assert stored == saved, f'{name}: checkpoints differ'

    weights = os.path.join(folder, f'{name}.weights')
    for file in os.listdir(weights):
        if file.endswith('.w.npy'):
            same_weights(os.path.join(weights, file), os.path.join(left, file[:-4]))


def same_weights(npy, raw):
    """NumPy's file of doubles has the floats of the other one."""
    with open(npy, 'rb') as f:
        data = f.read()
    start = 10 + struct.unpack('<H', data[8:10])[0]
    doubles = struct.unpack(f'<{(len(data) - start) // 8}d', data[start:])
    with open(raw, 'rb') as f:
        floats = struct.unpack(f'={len(doubles)}f', f.read())
    assert doubles == floats, f'{npy} and {raw} differ'


def test_results_are_the_commands():
    for name in CONFIGS:
        same_as_command(name, 1)


def test_threads_play_no_part():
    same_as_command('crossbars', 3)


# ---------------------------------------------------------------- installed

def installed():
    """'meson install' into a folder: its flags for a compiler, and the folder of the library."""
    root = os.path.join(folder, 'root')
    if not os.path.exists(root):
        subprocess.run(['meson', 'install', '-C', BUILD, '--no-rebuild', '--destdir', root],
                       check=True, capture_output=True)
    place = {name: home for home, _, names in os.walk(root) for name in names}
    env = {**os.environ, 'PKG_CONFIG_PATH': place['mho.pc'], 'PKG_CONFIG_SYSROOT_DIR': root}
    if place['mho.pc'].startswith(root + '/usr/local/'):  # where the build put it by itself, pkg-config looks by itself
        looks = subprocess.run(['pkg-config', '--variable', 'pc_path', 'pkg-config'], check=True, capture_output=True, text=True).stdout
        assert place['mho.pc'][len(root):] in looks.strip().split(':'), (place['mho.pc'], looks)
    flags = subprocess.run(['pkg-config', '--cflags', '--libs', 'mho'], env=env, check=True, capture_output=True,
                           text=True).stdout.split()
    return flags, place['libmho.so.0']


def printed(program, home):
    """Run a program on the installed library; what it prints."""
    p = subprocess.run([program], env={**os.environ, 'LD_LIBRARY_PATH': home}, capture_output=True, text=True)
    assert p.returncode == 0, p.stderr
    return p.stdout


def example(name):
    """What an example prints that is built on what is installed, and the test accuracy that it reaches."""
    flags, home = installed()
    source = os.path.join(SOURCE, 'examples', f'{name}.c')
    strict = ['-std=c17', '-Wall', '-Wextra', '-Wno-unused-parameter', '-Wno-missing-field-initializers',
              '-Wpedantic', '-Werror']
    said = printed(compiled(name, 'cc', *strict, source, *flags, '-lm'), home)
    return said, float(re.findall(r'test accuracy ([.\d]+)', said)[-1])


def test_a_program_trains_on_what_is_installed():
    said, accuracy = example('train')
    assert accuracy > .7, said
    assert 'x-h1: 64 x 32' in said, said


def test_a_device_outside_of_mho():
    said, accuracy = example('device')
    assert said.startswith('root_step: ') and accuracy > .7, said


def test_the_version_is_one():
    flags, home = installed()
    with open(os.path.join(SOURCE, 'meson.build'), encoding='utf-8') as f:
        version = re.search(r"version: '([\d.]+)'", f.read()).group(1)
    source = write('version.c', '#include <mho/base.h>\n#include <stdio.h>\nint main(void) '
                   '{ printf("%s %s", MHO_VERSION, mho_version()); return 0; }\n')
    assert printed(compiled('version', 'cc', source, *flags), home) == f'{version} {version}'
    assert os.path.exists(os.path.join(home, f'libmho.so.{version}'))

# ---------------------------------------------------------------- the package of Python

def test_the_package_of_python_is_installed_whole():
    """It finds the library that lies where it was installed, and is the one of the sources."""
    _, home = installed()
    root = os.path.join(folder, 'root')
    place = next(os.path.dirname(d) for d, _, names in os.walk(root) if os.path.basename(d) == 'mho' and '__init__.py' in names)
    sources = os.path.join(SOURCE, 'python', 'mho')
    for name in os.listdir(sources):
        if name.endswith('.py'):
            with open(os.path.join(sources, name), 'rb') as a, open(os.path.join(place, 'mho', name), 'rb') as b:
                assert a.read() == b.read(), name
    with open(os.path.join(place, 'mho', 'installed'), encoding='utf-8') as f:
        assert home == root + f.read().strip(), home

    program = 'import mho; run = mho.train({"train": {"epochs": 1}}, db=None); print(mho.__file__, run.status)'
    env = {**os.environ, 'PYTHONPATH': place, 'MHO_LIBRARY': os.path.join(home, 'libmho.so.0'), 'PYTHONDONTWRITEBYTECODE': '1'}
    python = '/usr/bin/python3' if os.path.exists('/usr/bin/python3') else 'python3'  # the one with Debian's numpy
    p = subprocess.run([python, '-c', program], env=env, capture_output=True, text=True)
    assert p.stdout == f'{place}/mho/__init__.py completed\n', p.stdout + p.stderr


mho.main([test_results_are_the_commands, test_threads_play_no_part, test_a_program_trains_on_what_is_installed,
          test_a_device_outside_of_mho, test_the_version_is_one, test_the_package_of_python_is_installed_whole])
