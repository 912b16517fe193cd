"""A study survives whatever happens to its processes: killed at random and called again, every run is there exactly once, with
the results of an undisturbed one. With MHO_TEST_SLOW: 200 runs, else 12."""
import os
import random
import signal
import sqlite3
import subprocess
import time

from mho import MHO, folder, lines, main, refused, run, write

SLOW = os.environ.get('MHO_TEST_SLOW') == '1'
RUNS = 200 if SLOW else 12
BASE = '''
base:
  network: {hidden: [16]}
  settle: {method: synchronous, free: 20, nudged: 10}
  device: {model: soft_bounds, cycle_to_cycle: 0.2}
  update: {scheme: pulses, rate: 0.01}
  train: {epochs: 4, batch: 20}
'''
STUDY = BASE + '''
vary:
  array.read_noise: {from: 1e-4, to: 1e-2, steps: %d, scale: log}
  device.step_up, device.step_down: [0.002, 0.01]
seeds: 2
''' % (RUNS // 4)
write('noise.yaml', STUDY)


def db(name):
    return os.path.join(folder, name)


def results(name, study='noise'):
    """Everything that must not depend on what happened on the way, by config."""
    with sqlite3.connect(f'file:{db(name)}?mode=ro', uri=True) as c:
        assert c.execute('PRAGMA integrity_check').fetchone() == ('ok',)
        runs = c.execute('SELECT config_hash, id, status, epochs_done, final_test_acc, best_test_acc, best_epoch, pulses FROM run'
                         ' JOIN study_run ON run_id = id WHERE study = ?', (study,)).fetchall()
        assert c.execute('SELECT count(*) FROM run').fetchone() == (len(runs),), 'a run outside the study'
        assert len({r[0] for r in runs}) == len(runs), 'a config trained twice'
        found = {}
        for r in runs:
            epochs = c.execute('SELECT epoch, train_acc, test_acc, loss, pulses, unsettled, reads FROM epoch WHERE run_id = ? '
                               'ORDER BY 1', (r[1],)).fetchall()
            blobs = c.execute('SELECT kind, epoch, data FROM checkpoint WHERE run_id = ? ORDER BY 1', (r[1],)).fetchall()
            found[r[0]] = (r[2:], epochs, [(k, e, d[136:]) for k, e, d in blobs])  # less the header with its clock
    return found


def workers(p):
    try:
        with open(f'/proc/{p.pid}/task/{p.pid}/children') as f:
            return [int(x) for x in f.read().split()]
    except FileNotFoundError:
        return []


def state(pid):
    """The letter of its state: T if it stands still, Z or X if it is gone."""
    try:
        with open(f'/proc/{pid}/stat') as f:
            return f.read().rsplit(')', 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return 'X'


def start(*more):
    return subprocess.Popen([MHO, 'sweep', 'noise.yaml', '--jobs', '2', *more], cwd=folder, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True)


def wait_for_rows(name, n):
    """Until the database has n epochs, which a started sweep will write."""
    end = time.time() + 200
    while time.time() < end:
        try:
            with sqlite3.connect(f'file:{db(name)}?mode=ro', uri=True) as c:
                if c.execute('SELECT count(*) FROM epoch').fetchone()[0] >= n:
                    return
        except sqlite3.OperationalError:
            pass
        time.sleep(0.01)
    raise AssertionError('the sweep writes nothing')


def test_undisturbed():
    plan = lines('sweep', 'noise.yaml', '--plan', '--json', '--db', 'a.db')
    assert len(plan) == RUNS and not os.path.exists(db('a.db')), 'a plan must not make a database'
    assert {p['state'] for p in plan} == {'new'}
    events = lines('sweep', 'noise.yaml', '--jobs', '2', '--db', 'a.db', '--json')
    done = events[-1]
    assert done['event'] == 'done' and done['completed'] == RUNS == done['total'] and done['present'] == 0
    assert sum(e['event'] == 'epoch' for e in events) == 4 * RUNS
    found = results('a.db')
    assert len(found) == RUNS and set(found) == {p['config_hash'] for p in plan}
    assert all(f[0][0] == 'completed' and len(f[1]) == 4 for f in found.values())
    again = lines('sweep', 'noise.yaml', '--db', 'a.db', '--json')
    assert len(again) == 1 and again[0]['present'] == RUNS and again[0]['completed'] == 0


def test_killed_three_times():
    rng = random.Random(os.environ.get('MHO_TEST_SEED', 'kill'))
    for kill in range(3):
        p = start('--db', 'k.db')
        wait_for_rows('k.db', (kill * RUNS + rng.randrange(1, RUNS)))
        time.sleep(0.02 * rng.random())
        children = workers(p)
        assert p.poll() is None and children, 'the sweep was over too soon'
        for pid in [p.pid] + (children if kill == 1 else []):  # alone, the parent takes its workers with it
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        p.communicate()
        end = time.time() + 10
        while not all(state(pid) in 'ZX' for pid in children):
            assert time.time() < end, 'a worker outlived its parent'
            time.sleep(0.01)
        results('k.db')
    done = lines('sweep', 'noise.yaml', '--resume', '--jobs', '2', '--db', 'k.db', '--json')[-1]
    assert done['failed'] == 0 and done['present'] + done['completed'] == RUNS
    assert results('k.db') == results('a.db')


def kill_in_a_run(p, name):
    """Kills a worker of the sweep p that is within a run: one that stands still cannot end it meanwhile."""
    end = time.time() + 200
    while time.time() < end and p.poll() is None:
        for pid in workers(p):
            try:
                os.kill(pid, signal.SIGSTOP)
            except ProcessLookupError:
                continue
            while state(pid) not in 'TZX':
                time.sleep(0.001)
            with sqlite3.connect(f'file:{db(name)}?mode=ro', uri=True) as c:
                runs = c.execute("SELECT count(*) FROM run WHERE pid = ? AND status = 'running'", (pid,)).fetchone()[0]
            if state(pid) != 'T':
                continue
            os.kill(pid, signal.SIGKILL if runs else signal.SIGCONT)
            if runs:
                return
        time.sleep(0.01)
    raise AssertionError('no worker was found within a run')


def test_worker_killed():
    """A run whose process dies is recorded as failed, the rest goes on, and --retry mends it."""
    p = start('--db', 'w.db')
    wait_for_rows('w.db', 3)
    kill_in_a_run(p, 'w.db')
    assert p.wait(timeout=300) == 1, p.stderr.read()
    with sqlite3.connect(db('w.db')) as c:
        failed = c.execute("SELECT error FROM run WHERE status = 'failed'").fetchall()
    assert len(failed) == 1 and 'signal 9' in failed[0][0], failed
    assert lines('sweep', 'noise.yaml', '--db', 'w.db', '--json')[-1]['present'] == RUNS
    assert lines('sweep', 'noise.yaml', '--db', 'w.db', '--retry', '--json')[-1]['completed'] == 1
    assert results('w.db') == results('a.db')


def test_never_begun():
    """A run that could not even begin (here its weights are missing) begins with --retry, once it can."""
    write('from.yaml', 'base: {network: {hidden: [16]}, train: {epochs: 2, from: weights}}\nseeds: 2\n')
    done = run('sweep', 'from.yaml', '--db', 'f.db', '--json', code=1)
    assert "train.from: 'weights' is no folder of weights, and there are no runs yet" in done.stdout, done.stdout
    failed = lines('runs', '--db', 'f.db', '--json')
    assert [r['status'] for r in failed] == ['failed'] * 2 and all(' s' in r['name'] for r in failed), failed
    first = lines('train', '--db', 'g.db', '--set', 'network.hidden=[16]', '--set', 'train.epochs=1', '--json')[-1]
    run('export', first['run'], '--weights', 'weights', '--db', 'g.db')
    assert lines('sweep', 'from.yaml', '--db', 'f.db', '--retry', '--json')[-1]['completed'] == 2
    run('sweep', 'from.yaml', '--db', 'u.db')
    assert results('f.db', 'from') == results('u.db', 'from')


def test_interrupted():
    p = start('--db', 'i.db')
    wait_for_rows('i.db', 5)
    p.send_signal(signal.SIGINT)
    _, said = p.communicate(timeout=60)
    assert p.returncode == 130 and 'goes on' in said, said
    with sqlite3.connect(db('i.db')) as c:
        assert c.execute("SELECT count(*) FROM run WHERE status = 'running'").fetchone() == (0,)
    run('sweep', 'noise.yaml', '--db', 'i.db')
    assert results('i.db') == results('a.db')


def test_two_sweeps_at_once():
    """Two sweeps of one study on one database share the work, and no run is trained twice."""
    both = [start('--db', 't.db') for _ in range(2)]
    for p in both:
        _, said = p.communicate(timeout=300)
        assert p.returncode == 0, said
    assert results('t.db') == results('a.db')


def test_shards():
    for i in range(3):
        run('sweep', 'noise.yaml', '--db', 'sh.db', '--shard', f'{i}/3')
    assert results('sh.db') == results('a.db')


def test_failures_and_ends():
    """What diverges or cannot run is a row like the others; hopeless runs can end early."""
    write('mixed.yaml', 'base: {train: {epochs: 2}}\npoints:\n'
          '  - {network.hidden: [8]}\n'
          '  - {network.hidden: "[64,64]", network.neuron: linear, feedback.scale: 9, settle.method: synchronous, settle.free: 500}\n')
    done = lines('sweep', 'mixed.yaml', '--db', 'm.db', '--json')[-1]
    assert done['completed'] == 1 and done['diverged'] == 1
    write('stop.yaml', 'base: {network: {hidden: [16]}, train: {epochs: 12, batch: 20}}\n'
          'vary: {update.rate: [0.01, 0.008, 0.006, 1e-6]}\nstop: {rule: median, after: 3, runs: 2}\n')
    done = lines('sweep', 'stop.yaml', '--jobs', '1', '--db', 'st.db', '--json')[-1]
    assert done['stopped'] >= 1 and done['failed'] == 0
    row = lines('runs', '--db', 'st.db', '--json', '--where', 'rate < 1e-5')[0]
    assert row['status'] == 'interrupted' and row['epochs_done'] == 3 and 'stopped early' in row['error'], row
    assert 'training accuracy' in row['error']
    assert lines('sweep', 'stop.yaml', '--db', 'st.db', '--json')[-1]['present'] == 4
    write('nostop.yaml', 'study: stop\nbase: {network: {hidden: [16]}, train: {epochs: 12, batch: 20}}\n'
          'vary: {update.rate: [0.01, 0.008, 0.006, 1e-6]}\n')
    assert lines('sweep', 'nostop.yaml', '--retry', '--db', 'st.db', '--json')[-1]['completed'] == done['stopped']


def test_bad_studies():
    cases = [('vary: {device.setp_up: [1]}\n', ['b.yaml:1', 'setp_up']),
             ('vari: {}\n', ['b.yaml:1', 'vari', 'known']),
             ('base: nowhere.yaml\n', ['b.yaml:1', 'nowhere.yaml']),
             ('base: {train: {epochs: 2}}\nvary:\n  array.read_noise: {from: 0, to: 1, steps: 3, scale: log}\n', ['b.yaml:3', 'above 0']),
             ('vary:\n  array.read_noise: {from: 0, to: 1}\n', ['b.yaml:2', 'steps']),
             ('vary: {device.g_max: {from: 1, to: 2, steps: 2}}\n', ['b.yaml:1', 'unit']),
             ('vary: {train.epochs: [0]}\n', ['b.yaml:1', 'train.epochs', '1 to']),
             ('vary: {nonsense.x: [0]}\n', ['b.yaml:1', 'nonsense.x']),
             ('design: sobol\nvary: {update.rate: [1]}\n', ['samples']),
             ('seeds: 0\n', ['b.yaml:1', 'seeds']),
             ('points: []\n', ['b.yaml:1', 'points']),
             ('points: [3]\n', ['b.yaml:1', 'map']),
             ('seeds: 1\nseeds: 2\n', ['b.yaml:2', 'seeds', 'twice', 'line 1']),
             ('vary:\n  update.rate: [1]\n  update.rate: [2]\n', ['b.yaml:3', 'update.rate', 'twice', 'line 2']),
             ('vary:\n  update.rate: [1]\n  "train.epochs, update.rate": [2]\n', ['b.yaml:3', 'update.rate', 'twice', 'line 2']),
             ('points: [{update.rate: 1}]\nvary: {update.rate: [2]}\n', ['b.yaml:2', 'update.rate', 'twice', 'line 1']),
             ('vary:\n  update: [{rate: 1}]\n  update.rate: {from: 1, to: 2, steps: 2}\n', ['b.yaml:3', 'update.rate', 'twice', 'line 2']),
             ('vary: {update.rate: {from: 1, from: 2, to: 3, steps: 2}}\n', ['b.yaml:1', 'from', 'twice']),
             ('set: {train: {epochs: 1}, train.epochs: 2}\n', ['b.yaml:1', 'train.epochs', 'twice']),
             ('points: [{update.rate: 1, update.rate: 2}]\n', ['b.yaml:1', 'update.rate', 'twice']),
             ('stop: {after: 1, after: 2}\n', ['b.yaml:1', 'after', 'twice']),
             ('stop: {rule: mean}\n', ['b.yaml:1', 'median']),
             ('a: [\n', ['b.yaml', 'YAML']), ('- 1\n', ['b.yaml:1', 'not a study'])]
    for text, says in cases:
        refused('sweep', write('b.yaml', text), '--db', 'bad.db', says=says)
    refused('sweep', 'nowhere.yaml', says='nowhere.yaml')
    refused('sweep', 'noise.yaml', '--shard', '3/3', says='shard')
    assert not os.path.exists(db('bad.db')), 'a refused study made a database'


main([test_undisturbed, test_killed_three_times, test_worker_killed] if SLOW else
     [test_undisturbed, test_killed_three_times, test_worker_killed, test_never_begun, test_interrupted,
      test_two_sweeps_at_once, test_shards, test_failures_and_ends, test_bad_studies])
