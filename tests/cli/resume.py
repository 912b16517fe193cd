"""Kill -9 or Ctrl-C in the middle of an epoch, then --resume: the same final weights, bit for bit, and a sound database."""
import os
import signal
import sqlite3
import subprocess
import time

from mho import MHO, folder, lines, main, refused, run, write

CONFIG = '''
network: {hidden: [128, 96]}
settle: {method: synchronous, free: 200, nudged: 100}
device: {model: soft_bounds, cycle_to_cycle: 0.2, variation: {step: 0.1}}
array: {read_noise: 0.005}
update: {scheme: accumulate, optimizer: momentum, rate: 0.05}
train: {epochs: 4, batch: 20}
'''
write('c.yaml', CONFIG)


def db(name):
    return os.path.join(folder, name)


def weights(name):
    """The arrays of the last checkpoint: what follows the header with its clock."""
    with sqlite3.connect(f'file:{db(name)}?mode=ro', uri=True) as c:
        assert c.execute('PRAGMA integrity_check').fetchone() == ('ok',)
        assert c.execute('SELECT count(*) FROM run').fetchone() == (1,)
        epochs = c.execute('SELECT epoch, test_acc, loss, pulses, unsettled, reads FROM epoch ORDER BY 1').fetchall()
        blob, = c.execute("SELECT data FROM checkpoint WHERE kind = 'last'").fetchone()
        total, done = c.execute('SELECT pulses, epochs_done FROM run').fetchone()
    assert sum(e[3] for e in epochs) == total and done == len(epochs)
    return blob[152:], epochs


def start(name, *more):
    return subprocess.Popen([MHO, 'train', 'c.yaml', '--db', name, '--json', *more], cwd=folder, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True)


def after_epochs(p, n):
    """Wait until p has printed n epochs, then for a moment, to be in the middle of the next."""
    for _ in range(n):
        assert p.stdout.readline()
    time.sleep(0.15)


def wait_for_run(name):
    """Until the run has begun, which takes a while on a busy machine."""
    for _ in range(3000):
        try:
            with sqlite3.connect(f'file:{db(name)}?mode=ro', uri=True) as c:
                if c.execute('SELECT count(*) FROM run').fetchone() == (1,):
                    return
        except sqlite3.OperationalError:
            pass
        time.sleep(0.01)
    raise AssertionError('the run does not begin')


def test_uninterrupted():
    run('train', 'c.yaml', '--db', 'a.db', '--threads', '2')
    run('train', 'c.yaml', '--db', 'one.db', '--threads', '1')
    assert weights('a.db') == weights('one.db')


def test_killed():
    for epochs in (0, 1, 2):
        name = f'kill{epochs}.db'
        p = start(name)
        wait_for_run(name)
        after_epochs(p, epochs)
        p.kill()
        p.wait()
        with sqlite3.connect(f'file:{db(name)}?mode=ro', uri=True) as c:
            assert c.execute('PRAGMA integrity_check').fetchone() == ('ok',)
            assert c.execute('SELECT status FROM run').fetchall() == [('running',)]
        done = lines('train', '--resume', 'last', '--db', name, '--json', '--threads', '1')[-1]
        assert done['status'] == 'completed'
        assert weights(name) == weights('a.db')


def test_killed_between_checkpoints():
    """Epochs logged after the last checkpoint are trained again, and counted once."""
    p = subprocess.Popen([MHO, 'train', 'c.yaml', '--db', 'every.db', '--json', '--set', 'checkpoint.every=100'],
                         cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    after_epochs(p, 3)
    p.kill()
    p.wait()
    lines('train', '--resume', 'last', '--db', 'every.db', '--json')
    assert weights('every.db') == weights('a.db')


def test_interrupted():
    p = start('int.db')
    after_epochs(p, 1)
    p.send_signal(signal.SIGINT)
    out, _ = p.communicate(timeout=60)
    assert p.returncode == 130, p.returncode
    with sqlite3.connect(f'file:{db("int.db")}?mode=ro', uri=True) as c:
        assert c.execute('SELECT status FROM run').fetchone() == ('interrupted',)
        assert c.execute("SELECT batch FROM checkpoint WHERE kind = 'last'").fetchone()[0] > 0, 'no mid-epoch checkpoint'
    lines('train', '--resume', 'last', '--db', 'int.db', '--json')
    assert weights('int.db') == weights('a.db')


def test_refusals():
    refused('train', '--resume', 'last', '--db', 'a.db', says='complete')
    refused('train', '--resume', 'nosuch', '--db', 'a.db', says='nosuch')
    refused('train', 'c.yaml', '--resume', 'last', '--db', 'a.db', says='takes no CONFIG')
    p = start('busy.db')
    after_epochs(p, 1)
    refused('train', '--resume', 'last', '--db', 'busy.db', says=f'process {p.pid}')
    p.kill()
    p.wait()


main([test_uninterrupted, test_killed, test_killed_between_checkpoints, test_interrupted, test_refusals])
