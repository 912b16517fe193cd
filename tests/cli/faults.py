"""Processes that are killed and calls that fail: whatever stops a command, what was stored before is there, the database is
sound, and the same command called again ends as if nothing had happened.

Every command that writes (train, import, merge, vacuum, migrate) is killed at random moments, and has its n-th write, fsync,
truncation or allocation fail, for n spread over all that it makes. MHO_TEST_SLOW: more of each.
"""
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time

from mho import MHO, folder, main, run, write

FAILING = os.environ['FAILING']
FIXTURE = os.path.join(os.environ['MHO_SOURCE'], 'tests', 'fixtures', 'release_0.1')
LONG = 'MHO_TEST_SLOW' in os.environ
KILLS, FAULTS = (40, 120) if LONG else (2, 4)
rng = random.Random(os.environ.get('MHO_TEST_SEED', 'faults'))
SMALL = ['--set', 'network.hidden=[12]', '--set', 'dataset.train=200', '--set', 'dataset.test=50', '--set', 'train.epochs=3',
         '--set', 'train.batch=10', '--threads', '1']


def at(name):
    return os.path.join(folder, name)


def stored(name):
    """What a database holds of every run, but for times and places."""
    with sqlite3.connect(f'file:{at(name)}?mode=ro', uri=True) as c:
        assert c.execute('PRAGMA integrity_check').fetchone() == ('ok',), name
        assert not c.execute('PRAGMA foreign_key_check').fetchall(), name
        version, = c.execute('PRAGMA user_version').fetchone()
        runs = c.execute('SELECT name, status, epochs_done, final_test_acc, config_hash FROM run ORDER BY name, seed').fetchall()
        epochs = c.execute('SELECT epoch, loss, test_acc, pulses FROM epoch ORDER BY 1, 2').fetchall()
    return version, runs, epochs


def fresh(name):
    """The database that a command works on, and what it works with."""
    for suffix in ('', '-wal', '-shm', '-journal'):
        if os.path.exists(at(name + suffix)):
            os.remove(at(name + suffix))
    shutil.copy(at('before.db'), at(name))


def prepare():
    run('train', *SMALL, '--db', 'before.db', '--name', 'first')
    for seed in range(2, 5):
        run('train', *SMALL, '--db', 'other.db', '--name', f'other {seed}', '--seed', str(seed))
    run('export', '--all', '--db', 'other.db', '-o', 'others.jsonl')


COMMANDS = {
    'train': ['train', *SMALL, '--name', 'second', '--seed', '2', '--db', 'work.db'],
    'import': ['import', 'others.jsonl', '--db', 'work.db'],
    'merge': ['db', 'merge', 'work.db', 'other.db'],
    'vacuum': ['db', 'vacuum', 'work.db'],
    'migrate': ['db', 'migrate', 'work.db'],
}


def begin(what):
    fresh('work.db')
    if what == 'migrate':
        shutil.copy(os.path.join(FIXTURE, 'runs.db'), at('work.db'))


def wanted(what):
    """What the command leaves where nothing stops it, and how long it takes."""
    begin(what)
    start = time.time()
    run(*COMMANDS[what])
    return stored('work.db'), time.time() - start


def finish(what, end):
    """Called again after it was stopped, the command comes to the same end."""
    check = run('db', 'check', 'work.db', code=None)
    assert check.returncode == 0 or 'migrate' in check.stderr, check.stderr
    unfinished = []
    if what == 'train':
        with sqlite3.connect(f'file:{at("work.db")}?mode=ro', uri=True) as c:
            unfinished = [r for r, in c.execute("SELECT id FROM run WHERE name = 'second' AND status <> 'completed'")]
            there = c.execute("SELECT count(*) FROM run WHERE name = 'second'").fetchone()[0]
    if unfinished:
        run('train', '--resume', unfinished[0], '--db', 'work.db')
    elif what != 'train' or not there:
        run(*COMMANDS[what])
    assert stored('work.db') == end, f'{what}: {stored("work.db")} instead of {end}'


def test_killed():
    for what in COMMANDS:
        end, took = wanted(what)
        for _ in range(KILLS):
            begin(what)
            p = subprocess.Popen([MHO, *COMMANDS[what]], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(rng.uniform(0, 1.1 * took))
            p.send_signal(signal.SIGKILL)
            p.wait()
            finish(what, end)


def fail(what, call, n):
    """The command with its n-th call failing (0: none does): the process, and how many calls it made."""
    begin(what)
    environment = {**os.environ, 'LD_PRELOAD': FAILING, 'FAIL_CALL': call, 'FAIL_AT': str(n), 'FAIL_COUNT': at('count')}
    p = subprocess.run([MHO, *COMMANDS[what]], cwd=folder, capture_output=True, text=True, timeout=250, env=environment)
    count = 0
    if os.path.exists(at('count')):
        with open(at('count'), encoding='ascii') as f:
            count = int(f.read() or 0)
        os.remove(at('count'))
    return p, count


def test_calls_that_fail():
    if os.environ.get('MHO_SANITIZE', 'none') != 'none':
        print('      (sanitizers replace malloc: not here)')
        return
    tried = 0
    for what in COMMANDS:
        end, _ = wanted(what)
        for call in ('write', 'fsync', 'ftruncate', 'malloc'):
            _, count = fail(what, call, 0)
            picks = sorted(rng.sample(range(1, count + 1), min(count, FAULTS)))
            for n in picks:
                p, _ = fail(what, call, n)
                place = f'{what}, {call} {n} of {count}: exit {p.returncode}, {p.stderr!r}'
                assert p.returncode in (0, 1, 2), place
                assert p.returncode == 0 or p.stderr.count('\n') >= 1, place
                finish(what, end)
                tried += 1
    print(f'      {tried} calls failed')


prepare()
main([test_killed, test_calls_that_fail])
