"""Bad input: one sentence with the place and the cure, exit code 2, nothing harmed."""
import gzip
import os
import sqlite3
import struct
import subprocess

from mho import MHO, folder, lines, main, refused, run, write

SMALL = ['--set', 'network.hidden=[8]', '--set', 'train.epochs=1', '--set', 'dataset.train=200']


def contents(path):
    with open(path, 'rb') as f:
        return f.read()


def test_config():
    cases = [('network:\n  hiden: [3]\n', ['c.yaml:2', 'network.hidden']),
             ('train: {epochs: x}\n', ['c.yaml:1', 'whole number']),
             ('device:\n  model: linear\n  g_max: 3\n', ['c.yaml:3', 'no unit', "'3 mS'"]),
             ('device:\n  model: linear\n  g_max: 50\n', ['c.yaml:3', "for example '50 uS'"]),
             ('device:\n  model: linear\n  g_max: -3\n', ['c.yaml:3', "for example '0.1 mS'"]),
             ('train:\n  batch: -4\n', ['c.yaml:2', '1 to 65536']),
             ('device: ecram\n', ['c.yaml:1', 'is a device card', 'device.card=ecram']),
             ('device: ecran\n', ['c.yaml:1', 'is unknown']),
             ('update: {scheme: pulses}\n', ['c.yaml:1', 'mho list devices']),
             ('device: linear\nupdate: {scheme: stochastic}\nprogram: {initial: scheme}\n',
              ['c.yaml:3', 'outer products', 'use exact']),
             ('device:\n  model: linear\n  levels: 1\n', ['c.yaml:3', 'at least 2']),
             ('device:\n  model: ideal\n  write_error: {c0: 1 uS}\n', ['device.write_error', 'ideal', 'choose another model']),
             ('device:\n  model: linear\n  g_max: 1 nS\n', ['c.yaml:3', 'g_min']),
             ('array:\n  model: periphery\n  ranging: both\n  differencing: analog\n', ['c.yaml:4', 'ranging']),
             ('rule:\n  importance: propagate\n', ['c.yaml:2', 'bp and fa', 'use local']),
             ('settle: spice\nrule:\n  adaptation: 0.1\n  adaptation_steps: 2\n', ['c.yaml:3', 'sweep, synchronous or ode']),
             ('settle: {method: ode, noise: {white: 0.1}, read_free: 9, read_nudged: 9}\nrule: {adaptation: 0.1, '
              'adaptation_steps: 2}\n', ['c.yaml:2', 'settle.noise']),
             ('settle: {method: ode}\nrule: {adaptation: 1, adaptation_steps: 2}\n', ['c.yaml:2', 'use less']),
             ('rule: {importance: local, importance_low: 3}\n', ['c.yaml:1', 'importance_high']),
             ('rule:\n  importance: local\n  importance_by: read\n', ['c.yaml:3', 'device.model', 'use weights or probe']),
             ('device: linear\nupdate: {scheme: accumulate}\nrule: {importance: local, importance_by: read}\n',
              ['c.yaml:3', 'device.mapping', 'one_sided']),
             ('device: {model: linear, mapping: one_sided}\nupdate: {scheme: accumulate}\narray: {wire: {r_word: 1 ohm}}\n'
              'rule: {importance: local, importance_by: read}\n', ['c.yaml:4', 'array.wire.r_word']),
             ('settle: {method: ode, tolerance: 1e-300}\n', ['c.yaml:1', 'settle.tolerance', '1e-13']),
             ('settle: {method: ode, accuracy: 1e-15}\n', ['c.yaml:1', 'settle.accuracy', '1e-14']),
             ('network:\ntrain: {epochs: 1}\n', ['c.yaml:1', 'network: has no value']),
             ('train:\n  epochs: ~\n', ['c.yaml:2', 'train.epochs: has no value']),
             ('a: [b\n', ['c.yaml:', 'YAML']),
             ('\0', ['not a text file'])]
    for text, says in cases:
        refused('train', write('c.yaml', text), says=says)
    refused('train', 'nowhere.yaml', says=['nowhere.yaml', 'No such file'])
    refused('train', folder, says='directory')
    refused('train', '--set', 'train.epochs=0', says=['--set train.epochs=0', '1 to'])
    refused('train', '--set', 'nonsense', says='--set train.epochs=5')
    assert not os.path.exists(os.path.join(folder, 'results')), 'a refused config made a database'


def test_idle():
    """Keys without effect are named in one line, marked in the printed config, and refused where that is asked for."""
    text = 'device:\n  stuck_on: 0.9\nupdate:\n  rate_end: 0.1\n'
    config = write('idle.yaml', text)
    said = run('train', config, '--no-db', *SMALL).stderr
    assert said.count('no effect') == 1 and 'device.stuck_on: there are no devices' in said, said
    assert 'update.rate_end: update.schedule is not cosine' in said, said
    refused('train', config, '--strict', says=['idle.yaml:4', 'update.rate_end', 'no effect'])
    refused('train', '--strict', '--set', 'device.levels=8', says=['--set device.levels=8', 'no effect', 'device.model: ideal'])

    acting = ['--set', 'device=linear', '--set', 'device.stuck_on=0.1', '--set', 'update.schedule=cosine', '--set',
              'update.rate_end=0.1']
    assert 'no effect' not in run('train', '--strict', '--db', 'i.db', *acting, *SMALL).stderr
    shown = [line for line in run('train', config, '--print-config').stdout.splitlines() if 'stuck_on' in line]
    assert len(shown) == 1 and shown[0].endswith('[no effect: there are no devices (device.model: ideal)]'), shown

    said = run('eval', 'last', '--db', 'i.db', '--set', 'update.rate=0.5', '--set', 'device.read_noise.sigma=0.1').stderr
    assert 'update.rate: it acts while a network learns' in said and 'device.read_noise.sigma: reads do not show it' in said, said
    assert 'no effect' not in run('eval', 'last', '--db', 'i.db', '--set', 'array.read_noise=0.1').stderr
    refused('eval', 'last', '--db', 'i.db', '--strict', '--set', 'update.rate=0.5', says=['--set update.rate=0.5', 'no effect'])
    refused('eval', 'last', '--db', 'i.db', '--strict', '--set', 'device.iv.b=3', says=['device.iv.b', 'no effect'])
    refused('train', '--resume', 'last', '--db', 'i.db', '--strict', says='--strict')

    # so do other verbs, each by what it does with the experiment
    run('train', '--db', 'i.db', '--name', 'bare', *SMALL)
    levels = ['--set', 'device.levels=2']
    for words, says in ((['program', 'bare', *levels, '--set', 'train.epochs=4'],
                         ['device.levels: there are no devices', 'train.epochs: it acts while a network learns']),
                        (['settle', 'bare', *levels[:1], 'device.iv.law=sinh', '--set', 'update.rate=3'],
                         ['device.iv.law: there are no devices', 'update.rate: it acts while a network learns']),
                        (['netlist', 'bare', *levels[:1], 'device.iv.law=sinh'], ['device.iv.law: there are no devices'])):
        said = run(*words, '--db', 'i.db').stderr
        assert said.count('no effect') == 1 and all(x in said for x in says), (words, said)
    refused('program', 'bare', '--db', 'i.db', '--strict', *levels, says=['--set device.levels=2', 'no effect'])
    assert 'no effect' not in run('program', 'last', '--db', 'i.db', '--strict', '--set', 'device=linear', *levels).stderr
    assert 'no effect' not in run('settle', 'bare', '--db', 'i.db', '--set', 'settle.nudged=7').stderr
    # the way out leads to devices
    refused('eval', 'bare', '--db', 'i.db', '--set', 'device.stuck_on=0.9', says='--set device.model=linear --set device.stuck_on=0.9 writes')


def test_idle_of_curves():
    """What a curve calls idle changes none of its numbers, and what changes them is not called so."""
    plain = run('device', 'curve', 'soft_bounds', '--pulses', '20').stdout
    for key in ('mapping=reference', 'weight_range=2', 'refresh.every=3', 'leak.lifetime=4', 'weak_pulse.threshold=0.2', 'pulse.width=1 us',
                'drift.law=power', 'read_noise.sigma=0.1', 'iv.law=sinh', 'write_error.c0=1 uS', 'start=0.2', 'levels=5', 'write_noise=0.1',
                'up_down=0.2', 'stuck_on=0.3', 'variation.step=0.3', 'endurance.pulses=5', 'step_up=0.1'):
        p = run('device', 'curve', 'soft_bounds', '--pulses', '20', '--set', 'device.' + key)
        assert (p.stdout == plain) == ('no effect' in p.stderr), (key, p.stderr)
    assert 'train.epochs: it is no key of a device' in run('device', 'curve', 'linear', '--set', 'train.epochs=3').stderr

    # a study says of which of its runs; planned or trained
    study = write('idle_study.yaml', 'base: {train: {epochs: 1}, dataset.train: 100, device.levels: 8}\n'
                  'vary: {device.model: [ideal, linear]}\nseeds: 2\n')
    study_says = 'no effect in 2 of 4 runs: device.levels: there are no devices (device.model: ideal)'
    for words in (['--plan'], ['--jobs', '2'], []):
        said = run('sweep', study, '--db', 's.db', *words).stderr
        assert said.count('no effect') == 1 and study_says in said, said


def test_texts():
    """What has no place in a value."""
    for value, says in (('[8, ""]', 'none of them empty'), ('[[8]]', 'plain values'),
                        ('"a\\x85b"', 'control characters'), ('"a\\nb"', 'line feeds')):
        refused('train', '--no-db', '--set', 'network.hidden=' + value, says=['network.hidden', says])


def test_words():
    refused('trian', says="'mho train'")
    refused('train', '--threads', '0', says='1 to 1024')
    refused('train', '--seed', 'x', says='whole number')
    refused('train', 'a.yaml', 'b.yaml', says='b.yaml')
    refused('list', 'devcies', says='mho list')
    refused('device', 'show', 'nosuch', says='mho device list')
    refused('device', 'show', 'model:ecram', says=["no device model 'ecram'", 'mho device list'])
    refused('device', 'curve', 'ideal', says='no pulses')
    refused('device', 'curve', 'ecram', '--plot', 'x.pdf', says='.svg')
    refused('device', 'curve', 'measured', says='device.table')
    refused('device', 'fit', 'nowhere.csv', says='nowhere.csv')
    refused('device', 'fit', write('p.csv', 'direction,g\nup,1\nup,sideways\ndown,2\n'), '--unit', 'volt', says='--unit volt')
    # values that no device has are a question to the user, and no card is left that mho would refuse
    rise = [10 + 40 * (1 - 0.96 ** k) for k in range(60)]
    for name, rows, says in (('uS', rise, ['46.4', '--unit uS']), ('weights', [(g - 30) / 20 for g in rise], ['-1', 'weights']),
                             ('flat', [2e-5] * 60, 'do not raise')):
        table = 'direction,g\n' + ''.join(f'up,{g}\n' for g in rows) + ''.join(f'down,{g}\n' for g in rows[::-1])
        refused('device', 'fit', write(f'{name}.csv', table), '-o', 'p.yaml', *(['--model', 'measured'] if name == 'flat' else []),
                says=says)
        assert not os.path.exists(os.path.join(folder, 'p.yaml')), name
    refused('device', 'fit', write('p.csv', 'pulse,g\n1,2\n'), says=['p.csv:1', 'direction'])
    refused('device', 'list', '--out', 'x', says='--out')
    refused('device', 'show', 'ecram', '--cells', '3', says=['--cells', 'curve'])
    refused('train', '--set', 'device.card=nosuch', says=['device.card', 'mho device list'])
    refused('train', write('own.yaml', 'device: {card: mine.yaml}\n'), says=['own.yaml:1', 'mine.yaml'])
    refused('data', 'fetch', 'nosuch', says='mho data list')
    assert 'nothing to fetch' in run('data', 'fetch', 'digits').stderr


def test_dataset():
    nowhere = {'MHO_DATA': os.path.join(folder, 'none'), 'HOME': folder}
    refused('train', '--set', 'dataset=mnist', env=nowhere, says=['mho data fetch mnist', 'dataset.path'])
    images = struct.pack('>IIII', 0x803, 10, 2, 2) + bytes(40)
    labels = struct.pack('>II', 0x801, 10) + bytes(range(10))
    files = {'train-images-idx3-ubyte': images, 'train-labels-idx1-ubyte': labels, 't10k-images-idx3-ubyte': images,
             't10k-labels-idx1-ubyte': labels}
    broken = [('train-images-idx3-ubyte', images[:-1], 'train-images-idx3-ubyte'),
              ('train-labels-idx1-ubyte', images, 'train-labels-idx1-ubyte'),
              ('t10k-images-idx3-ubyte', b'', 't10k-images-idx3-ubyte')]
    for i, (name, data, says) in enumerate(broken):
        for n, good in files.items():
            write(f'idx{i}/{n}.gz', gzip.compress(data if n == name else good), 'wb')
        refused('train', '--set', 'dataset.name=idx', '--set', f'dataset.path={folder}/idx{i}', '--no-db', says=says)
    refused('train', '--set', 'train.batch=5000', says='training images')
    refused('train', '--set', 'dataset.train=100000', says='1437')


def test_database():
    text = write('text.db', 'this is not a database, but a text of some length\n' * 50)
    before = contents(text)
    for verb in (['train', *SMALL], ['runs'], ['query', 'SELECT 1'], ['show', 'last'], ['eval', 'last']):
        refused(*verb, '--db', text, says='text.db')
    assert contents(text) == before
    foreign = os.path.join(folder, 'foreign.db')
    with sqlite3.connect(foreign) as c:
        c.execute('CREATE TABLE t (a)')
    before = contents(foreign)
    refused('train', *SMALL, '--db', foreign, says='foreign.db')
    assert contents(foreign) == before
    run('train', *SMALL, '--db', 'new.db')
    with sqlite3.connect(os.path.join(folder, 'new.db')) as c:
        c.execute('PRAGMA user_version = 99')
    refused('train', *SMALL, '--db', 'new.db', says=['newer', 'new.db'])
    refused('runs', '--db', 'new.db', says='newer')
    refused('runs', '--db', 'none.db', says='none.db')
    assert not os.path.exists(os.path.join(folder, 'none.db'))
    refused('train', *SMALL, '--db', os.path.join(text, 'x.db'), says='x.db')
    refused('train', *SMALL, '--db', '/proc/x.db', says='/proc/x.db')


def test_disk_full():
    """A file system of its own that is too small: what was stored stays, and the run goes on when there is room."""
    small = os.path.join(folder, 'small')
    os.makedirs(small)
    words = ['mount', '-t', 'tmpfs', '-o', 'size=1200k', 'tmpfs', small]
    if os.geteuid() or subprocess.run(words, capture_output=True).returncode:
        print('      a small tmpfs needs root: left out')
        return
    try:
        db = os.path.join(small, 'r.db')
        run('train', *SMALL, '--name', 'first', '--db', db)
        before = run('query', '--csv', "SELECT e.* FROM epoch e JOIN run ON id = run_id WHERE name = 'first'", '--db', db).stdout
        refused('train', '--set', 'network.hidden=[256,256]', '--set', 'train.epochs=3', '--name', 'big', '--db', db, code=1,
                says=['full', 'nothing already stored is harmed'])
        run('db', 'check', db)
        assert before == run('query', '--csv', "SELECT e.* FROM epoch e JOIN run ON id = run_id WHERE name = 'first'", '--db', db).stdout
        subprocess.run(['mount', '-o', 'remount,size=20m', small], check=True)
        run('train', '--resume', 'big', '--db', db)
        run('db', 'check', db)
    finally:
        subprocess.run(['umount', small], check=True)


def test_no_room():
    """A full disk and a file that may not grow: exit 1 with file and cause in every verb, a good old file stays, nothing of a new one."""
    small = os.path.join(folder, 'tiny')
    os.makedirs(small)
    run('train', *SMALL, '--name', 'kept', '--db', 'full.db')
    write('g.csv', '1e-5,2e-5\n3e-5,4e-5\n')
    write('v.csv', '1,2\n' * 3000)
    cases = [['netlist', 'kept', '--network', '--db', 'full.db', '--out'], ['device', 'curve', 'linear', '--pulses', '2000', '--cells', '20', '--out'],
             ['solve', '--g', 'g.csv', '--v', 'v.csv', '--out'], ['solve', '--g', 'g.csv', '--v', 'v.csv', '--out', 'currents.csv', '--nodes'],
             ['export', '--all', '--db', 'full.db', '-o'], ['export', '--all', '--csv', 'prediction', '--db', 'full.db', '-o'],
             ['report', 'kept', '--db', 'full.db', '-o']]
    # 40 kB may be written: most verbs write more
    for words in cases:
        for old in (False, True):
            path = os.path.join(small, 'x.html' if words[0] == 'report' else 'x')
            if old:
                write(path, 'old')
            p = subprocess.run(['/bin/bash', '-c', 'ulimit -f 40; exec "$0" "$@"', MHO, *words, path], cwd=folder, capture_output=True, text=True)
            if p.returncode == 0:  # it is short or compressed
                assert os.path.getsize(path) <= 40960, words
                os.remove(path)
                continue
            assert p.returncode == 1 and 'File too large' in p.stderr and path in p.stderr, (words, p.returncode, p.stderr)
            assert os.listdir(small) == ([os.path.basename(path)] if old else []), (words, os.listdir(small))
            if old:
                assert contents(path) == b'old', words
                os.remove(path)
    p = subprocess.run(['/bin/bash', '-c', 'ulimit -f 40; exec "$0" "$@"', MHO, 'train', *SMALL, '--db', 'grown.db'], cwd=folder,
                       capture_output=True, text=True)
    assert p.returncode == 1 and 'ulimit -f' in p.stderr and p.stderr.count('\n') == 1, (p.returncode, p.stderr)
    if os.path.exists('/dev/full'):
        for words in (['solve', '--g', 'g.csv', '--v', 'v.csv'], ['device', 'curve', 'linear'], ['runs', '--db', 'full.db']):
            with open('/dev/full', 'w') as full:
                p = subprocess.run([MHO, *words], cwd=folder, stdout=full, stderr=subprocess.PIPE, text=True)
            assert p.returncode == 1 and 'cannot' in p.stderr, (words, p.returncode, p.stderr)
    # what is no file is written in its place, and an old file keeps its permissions
    assert run('netlist', 'kept', '--network', '--db', 'full.db', '--out', '/dev/stdout').stdout.startswith('* ')
    path = write('mode.csv', 'old')
    os.chmod(path, 0o640)
    os.symlink(path, os.path.join(folder, 'link.csv'))
    run('device', 'curve', 'linear', '--pulses', '3', '--out', 'link.csv')
    assert os.stat(path).st_mode & 0o777 == 0o640 and b'cycle' in contents(path) and os.path.islink(os.path.join(folder, 'link.csv'))


def test_queries():
    run('train', *SMALL, '--db', 'q.db', '--name', 'kept')
    for sql in ('DELETE FROM run', 'SELECT 1; DROP TABLE run', 'PRAGMA user_version = 3', 'SELEC 1', 'SELECT nosuch FROM run',
                "ATTACH 'x.db' AS x", 'VACUUM', ''):
        refused('query', sql, '--db', 'q.db', says='')
    refused('runs', '--db', 'q.db', '--where', 'nosuch > 1', says='nosuch')
    assert lines('query', 'SELECT name FROM run', '--db', 'q.db', '--json') == [{'name': 'kept'}]
    odd = "SELECT 0.985 AS a, 0.1 + 0.2 AS b, 2.0 AS c, 7 AS d, NULL AS e, 'x\"y' AS f, 1e22 AS g"
    assert run('query', odd, '--db', 'q.db', '--json').stdout == '{"a":0.985,"b":0.30000000000000004,"c":2.0,"d":7,"e":null,"f":"x\\"y","g":1e+22}\n'
    assert run('query', odd, '--db', 'q.db', '--csv').stdout.splitlines()[1] == '0.985,0.30000000000000004,2,7,,"x""y",1e+22'
    refused('show', 'x', '--db', 'q.db', says='x')
    refused('eval', 'last', '--db', 'q.db', '--set', 'network.hidden=[9]', says=['network.hidden', 'another network'])
    refused('eval', 'last', '--db', 'q.db', '--part', 'validation', says='validation')
    refused('cosim', 'last', '--db', 'q.db', '--layer', 'h7', says='h7')
    refused('cosim', 'nosuch.yaml', says='nosuch.yaml')
    refused('train', *SMALL, '--db', 'q.db', '--name', 'last', says=["'last'", 'newest', 'another'])
    assert lines('query', 'SELECT name FROM run', '--db', 'q.db', '--json') == [{'name': 'kept'}]
    refused('device', 'show', write('empty.yaml', ''), says=['empty.yaml', 'device.model'])
    refused('netlist', write('plain.yaml', 'device: ideal\n'), '--device', says=["'ideal'", 'set device.model'])
    refused('netlist', 'last', '--db', 'q.db', '--layer', 'h7', says='h7')
    refused('netlist', 'last', '--db', 'q.db', '--sample', '999999', says='999999')
    refused('netlist', 'last', '--db', 'q.db', '--r-word', '3 apples', says='--r-word')
    refused('netlist', 'last', '--db', 'q.db', '--tile', '8', says='ROWSxCOLS')
    refused('netlist', 'last', '--db', 'q.db', '--out', '/nonexistent/n.cir', says='/nonexistent/n.cir')
    refused('report', 'last', '--db', 'q.db', '-o', '/nonexistent/r.html', says='/nonexistent/r.html')


def test_options_without_effect():
    """Of options that do not go together none is dropped in silence."""
    for words, option in ((['netlist', 'a', '--network', '--r-word', '1 ohm'], '--r-word'), (['netlist', 'a', '--network', '--layer', 'h1-out'], '--layer'),
                          (['netlist', 'a', '--device', '--tile', '4x4'], '--tile'), (['netlist', 'a', '--device', '--network'], '--device'),
                          (['netlist', 'a', '--norton'], '--norton'), (['netlist', 'a', '--transient'], '--transient'),
                          (['netlist', 'a', '--pulses', '9'], '--pulses'), (['netlist', '--check', 'a', '--sample', '3'], '--sample'),
                          (['cosim', 'a', '--transient'], '--transient'), (['cosim', 'a', '--norton'], '--norton'),
                          (['cosim', 'a', '--what', 'network', '--layer', 'x-h1'], '--layer'), (['cosim', 'a', '--what', 'device', '--samples', '3'], '--samples'),
                          (['export', 'a', '--weights', 'w', '--csv', 'run'], '--csv'), (['export', 'a', '--weights', 'w', '-o', 'x'], '--out'),
                          (['export', 'a', '--csv', 'run', '--checkpoints'], '--checkpoints'), (['export', 'a', '--best'], '--best'),
                          (['export', 'a', '--format', 'csv'], '--format'), (['export', 'a', '--csv', 'run', '--tables', 'none'], '--tables'),
                          (['settle', 'a', '--samples', '3', '--sample', '1'], '--sample'), (['settle', 'a', '--samples', '3', '--neurons', 'h1'], '--neurons')):
        refused(*words, says=[option + ' goes with', 'leave it out'])


def test_keys_of_lists():
    """A misspelt key in a condition is refused with the near word, not taken for one that no run has; a condition has a time limit."""
    run('train', *SMALL, '--db', 'keys.db', '--set', 'device=linear')
    for option in ('--where', '--group-by', '--sort'):
        more = '=3' if option == '--where' else ''
        refused('runs', '--db', 'keys.db', option, 'train.batc' + more, says=[option, 'unknown key train.batc', 'train.batch?'])
        refused('runs', '--db', 'keys.db', option, 'nosuch.thing' + more, says=['unknown key nosuch.thing', '--print-config'])
        run('runs', '--db', 'keys.db', option, 'device.step_up' + more)
        run('runs', '--db', 'keys.db', option, 'device.nl_up' + more)  # of another model than any run has
    assert len(lines('runs', '--db', 'keys.db', '--json', '--where', "status <> 'train.batc' and train.batch > 1.5")) == 1
    with sqlite3.connect(os.path.join(folder, 'keys.db')) as c:  # as an earlier release called a key
        c.execute("UPDATE run SET config = json_set(config, '$.device.formerly', 3)")
    c.close()
    assert len(lines('runs', '--db', 'keys.db', '--json', '--where', 'device.formerly = 3')) == 1
    endless = '(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n) > 0'
    refused('runs', '--db', 'keys.db', '--where', endless, '--timeout', '1', says='stopped after 1 s')


def test_diverged():
    """A run that blows up fails (exit 1), says what to do, and is stored as diverged."""
    refused('train', '--set', 'network.neuron=linear', '--set', 'feedback.scale=9', '--set', 'network.hidden=[64,64]',
            '--set', 'settle.method=synchronous', '--set', 'settle.free=500', '--db', 'd.db', code=1, says='finite')
    assert lines('runs', '--db', 'd.db', '--json')[0]['status'] == 'diverged'


main([test_config, test_idle, test_idle_of_curves, test_texts, test_words, test_dataset, test_database, test_disk_full, test_no_room, test_queries, test_options_without_effect, test_keys_of_lists, test_diverged])
