"""What others wrote: names, configs, exports and netlists that are meant to do harm are refused with a sentence or shown
harmlessly, at once; and nothing that fails is passed off as a number."""
import gzip
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time

from mho import MHO, folder, lines, main, refused, run, write

SMALL = ['--set', 'network.hidden=[4]', '--set', 'train.epochs=1', '--set', 'dataset.train=100']
SANITIZED = os.environ.get('MHO_SANITIZE', 'none') != 'none'


def in_folder(name):
    return os.path.join(folder, name)


def at_once(*words, says, code=2, **more):
    start = time.monotonic()
    p = refused(*words, says=says, code=code, **more)
    assert time.monotonic() - start < 30, f'{words}: {time.monotonic() - start:.0f} s'
    return p


def change(db, sql, *values):
    with sqlite3.connect(in_folder(db)) as c:
        c.execute(sql, values)
    c.close()


def test_yaml():
    bomb = 'a: &a {k: 1, l: 2}\n' + ''.join(
        f'{n}: &{n} {{' + ', '.join(f'x{i}: *{m}' for i in range(9)) + '}\n' for m, n in zip('abcdefg', 'bcdefgh'))
    empty = 'a: &a {}\n' + ''.join(
        f'{n}: &{n} {{' + ', '.join(f'x{i}: *{m}' for i in range(9)) + '}\n' for m, n in zip('abcdefg', 'bcdefgh'))
    lists = 'a: &a [1, 2]\n' + ''.join(f'{n}: &{n} [' + ', '.join([f'*{m}'] * 9) + ']\n' for m, n in zip('abcdefg', 'bcdefgh'))
    for text, says in ((bomb, 'aliases stand for more'), (empty, 'aliases stand for more'), (lists, 'aliases stand for more'),
                       ('a: &a {b: *a}\n', 'aliases stand for more'), ('[' * 200000, 'nested too deeply'),
                       ('x: ' + '{a: ' * 100000, 'nested too deeply'), ('- ' * 200000, 'nested too deeply'),
                       (''.join(f'k{i}: &a{i} 1\n' for i in range(40000)), 'too many anchors'),
                       ('network:\n' + ''.join(f'  k{i}: 1\n' for i in range(40000)), 'more than 10000 keys'),
                       ('train: {epochs: 1}\n---\ntrain: {epochs: 2}\n', [':2: a second document', '---'])):
        path = write('c.yaml', text)
        at_once('train', '--print-config', path, says=says)
        if 'keys' not in says:
            at_once('sweep', '--plan', path, says=says)
    # one document between marks, and aliases in the number that people write, are no harm
    run('train', '--print-config', write('c.yaml', '---\ntrain: {epochs: &n 3, batch: *n}\n...\n'))


def test_names():
    for name in ('a\nb', 'a\x1b[2Jb', 'a\x7fb', 'a\u0085b', b'a\xffb', b'\xc0\xaf', b'\xed\xa0\x80'):
        says = ['name', '\\x']
        refused('train', '--db', 'n.db', *SMALL, '--name', name, says=says)
        if isinstance(name, str) and '\x7f' not in name and '\x1b' not in name:
            text = json.dumps(name)
            refused('sweep', write('s.yaml', f'study: {text}\nset: {{train.epochs: 1}}\nvary: {{train.batch: [10]}}\n'),
                    '--db', 'n.db', '--plan', says='control')
    os.makedirs(in_folder('odd\nplace'), exist_ok=True)
    study = 'set: {train.epochs: 1}\nvary: {train.batch: [10]}\n'
    refused('sweep', write('odd\nname.yaml', study), '--db', 'n.db', '--plan', says=['name', '\\x0a'])
    refused('sweep', write('plain.yaml', study), '--db', 'odd\nplace/n.db', '--launcher', 'slurm', '--tasks', '1', says='\\x0a')
    assert not os.path.exists(in_folder('n.db'))
    refused('train', '--no-db', *SMALL, '--name', '\x1b[31m', says=['--name', '\\x1b'])
    for words in (['--no-db'], ['--db', 'n.db']):
        refused('train', *words, *SMALL, '--name', 'a' * 100000, says=['--name', '100000 bytes'])
    run('train', '--db', 'n.db', *SMALL, '--name', 'Maß µS 電')
    assert lines('runs', '--db', 'n.db', '--json')[0]['name'] == 'Maß µS 電'


def test_plot_name():
    if not shutil.which('gnuplot'):
        return
    name = 'a\n!touch OWNED\n.svg'
    run('settle', *SMALL, write('p.yaml', 'train: {epochs: 1}\n'), '--plot', name, code=None)
    run('device', 'curve', 'ecram', '--pulses', '3', '--plot', name, code=None)
    assert not os.path.exists(in_folder('OWNED'))


def test_shown():
    """A run of someone else's: what is printed has no escape characters, whatever the run's texts have."""
    run('train', '--db', 'a.db', *SMALL, '--name', 'plain')
    run('export', '--db', 'a.db', '--all', '-o', 'a.jsonl')
    with open(in_folder('a.jsonl')) as f:
        text = f.read()
    write('b.jsonl', text.replace('"plain"', '"\\u001b]0;x\\u0007\\u0085"'))
    run('import', '--db', 'b.db', 'b.jsonl')
    for words in (['show', 'last'], ['runs'], ['compare', 'last', 'last'], ['query', 'SELECT name FROM run'], ['show', 'nosuch']):
        p = run(*words, '--db', 'b.db', code=None)
        for c in '\x1b\x07\x85':
            assert c not in p.stdout + p.stderr, (words, p.stdout, p.stderr)
    assert '\\x1b]0;x\\x07' in run('show', 'last', '--db', 'b.db').stdout


def test_export_of_bytes():
    """One name that is no UTF-8 does not keep the others from being exported."""
    run('train', '--db', 'u.db', *SMALL, '--name', 'first')
    run('train', '--db', 'u.db', *SMALL, '--name', 'second', '--seed', '2')
    change('u.db', "UPDATE run SET name = CAST(x'61ff62' AS TEXT) WHERE name = 'first'")
    p = run('export', '--db', 'u.db', '--all', '-o', 'u.jsonl')
    assert '1 text is no UTF-8' in p.stderr
    run('import', '--db', 'v.db', 'u.jsonl')
    assert sorted(x['name'] for x in lines('runs', '--db', 'v.db', '--json')) == ['a\\xffb', 'second']
    assert sorted(x['name'] for x in lines('runs', '--db', 'u.db', '--json')) == ['a\\xffb', 'second']
    assert lines('query', 'SELECT name FROM run ORDER BY name', '--db', 'u.db', '--json')[0]['name'] == 'a\\xffb'
    found = lines('runs', '--db', 'u.db', '--json')
    bad = next(x['id'] for x in found if x['name'] == 'a\\xffb')
    assert lines('show', bad, '--db', 'u.db', '--json')[0]['name'] == 'a\\xffb'
    assert len(lines('compare', bad, 'second', '--db', 'u.db', '--json')[0]['runs']) == 2
    assert '\\xff' in run('show', bad, '--db', 'u.db').stdout
    run('report', bad, '--db', 'u.db', '-o', 'u.html')
    with open(in_folder('u.html'), 'rb') as f:
        assert 'a\\xffb' in f.read().decode('utf-8')


def test_changed_export():
    """A file of runs that contradicts itself is refused with its line, and nothing of it is taken."""
    run('train', '--db', 'x.db', *SMALL, '--set', 'train.epochs=2')
    run('export', '--db', 'x.db', '--all', '--checkpoints', '-o', 'x.jsonl')
    with open(in_folder('x.jsonl')) as f:
        text = f.read().splitlines()
    names = json.loads(text[0])['tables']

    def changed(change):
        whole = json.loads(text[1])
        change(whole)
        return '\n'.join([text[0], json.dumps(whole), *text[2:]]) + '\n'

    def of_run(column, value):
        return changed(lambda x: x['run'].__setitem__(names['run'].index(column), value))

    def of_row(table, column, value):
        return changed(lambda x: x['rows'][table][0].__setitem__(names[table].index(column), value))

    cases = [(of_run('final_test_acc', 1.5), 'expected 0 to 1'), (of_run('best_test_acc', -0.1), 'expected 0 to 1'),
             (of_run('final_test_acc', {'real': 'nan'}), 'expected 0 to 1'), (of_run('wall_s', 'x'), 'wall_s'),
             (of_run('epochs_done', -1), 'epochs_done'), (of_run('epochs_done', 3), 'its config has 2'), (of_run('best_epoch', 50), 'best epoch'),
             (of_run('id', 'last'), "cannot be 'last'"), (of_run('id', 'a b'), 'letters and digits'), (of_run('id', ''), 'letters and digits'),
             (of_run('status', 'bogus'), 'running completed'), (of_run('kind', 'q'), 'trained programmed'),
             (of_row('epoch', 'epoch', 0), 'epoch of table epoch'), (of_row('epoch', 'test_acc', 7), 'expected 0 to 1'),
             (of_row('checkpoint', 'epoch', 7), ', batch 0 is said to be of epoch 7'), (of_row('checkpoint', 'batch', 5), 'batch 5'),
             (changed(lambda x: x.update(rows='x')), 'objects'), (changed(lambda x: x.update(studies={})), 'a list'),
             (changed(lambda x: x['rows'].update(epoch='x')), 'no list'), (changed(lambda x: x['rows'].update(nope=[])), "no table 'nope'"),
             (changed(lambda x: x['rows'].update(run=[])), "no table 'run'")]
    for content, says in cases:
        refused('import', write('y.jsonl', content), '--db', 'y.db', says=['y.jsonl:2:', says])
    for more in ('x', '{"end":1}\n', ' '):
        refused('import', write('y.jsonl', '\n'.join(text) + '\n' + more), '--db', 'y.db', says=['y.jsonl:4:', 'behind the end'])
    refused('import', write('y.jsonl', of_run('started', 'yesterday')), '--db', 'y.db', says=['y.jsonl', 'started'])
    assert lines('runs', '--db', 'y.db', '--json') == []
    run('import', write('y.jsonl', '\n'.join(text) + '\n'), '--db', 'y.db')


def test_last_and_clock():
    run('train', '--db', 'l.db', *SMALL, '--name', 'same')
    change('l.db', "UPDATE run SET started = '2200-01-01T00:00:00Z'")
    run('train', '--db', 'l.db', *SMALL, '--name', 'same', '--seed', '7')
    for word in ('last', 'same'):
        assert lines('show', word, '--db', 'l.db', '--json')[0]['seed'] == 7
    run('db', 'vacuum', '--db', 'l.db')
    assert lines('show', 'last', '--db', 'l.db', '--json')[0]['seed'] == 7


def test_report_folder():
    run('train', '--db', 'r.db', *SMALL)
    elsewhere = in_folder('empty')
    os.makedirs(elsewhere)
    p = run('report', 'last', '--db', in_folder('r.db'), cwd=elsewhere)
    path = p.stdout.split()[-1]
    assert path.startswith('results/') and os.path.getsize(os.path.join(elsewhere, path)) > 1000


def test_out_over_runs():
    """No verb writes its answer over a run database."""
    run('train', '--db', 'kept.db', '--name', 'kept', *SMALL)
    for words in (['report', 'kept'], ['export', 'kept'], ['netlist', 'kept', '--network']):
        refused(*words, '--db', 'kept.db', '-o', 'kept.db', says=['--out', 'a database'])
    assert 'kept' in run('runs', '--db', 'kept.db').stdout


def test_no_runs_no_database():
    """Verbs that add to a stored run make no database where there is none."""
    for words in (['program', 'kept'], ['cosim', 'kept'], ['train', '--resume', 'kept']):
        refused(*words, '--db', 'absent.db', says='there is no run database')
        assert not os.path.exists(in_folder('absent.db')), words


def preloaded(source, name):
    """A library that takes a function's place; None where none can be made."""
    if SANITIZED or not shutil.which('cc'):
        return None
    with open(in_folder(name + '.c'), 'w') as f:
        f.write(source)
    made = subprocess.run(['cc', '-shared', '-fPIC', '-o', in_folder(name + '.so'), in_folder(name + '.c'), '-ldl'])
    return {'LD_PRELOAD': in_folder(name + '.so')} if made.returncode == 0 else None


def test_no_ngspice():
    """A missing library is said, not passed off as NaN or as an accuracy."""
    env = preloaded('#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <string.h>\n'
                    'void *dlopen(const char *f, int m) {\n'
                    '  void *(*real)(const char *, int) = (void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen");\n'
                    '  return real(f && strstr(f, "ngspice") ? "/nonexistent/libngspice.so" : f, m);\n}\n', 'nodl')
    if not env or 'ngspice          yes' not in run('--version', '-v').stdout:
        return
    run('train', '--db', 'g.db', *SMALL)
    for words in (['train', '--no-db', *SMALL], ['eval', 'last', '--db', 'g.db'], ['settle', 'last', '--db', 'g.db']):
        p = run(*words, '--set', 'settle.method=spice', code=2, env=env)
        assert 'cannot load the ngspice library' in p.stderr and 'accuracy' not in p.stdout, (words, p.stdout, p.stderr)


def test_not_finite():
    """Weights that overflow have no accuracy, in whatever order sums are made."""
    os.makedirs(in_folder('w'), exist_ok=True)
    write('w/x-h1.w.csv', (','.join(['3e38'] * 3 + ['-3e38']) + '\n') * 64)
    write('w/h1-out.w.csv', (','.join(['3e38'] * 10) + '\n') * 4)
    config = write('w.yaml', 'network: {hidden: [4]}\ndataset: {train: 100}\ntrain: {epochs: 1, batch: 50}\nupdate: {rate: 0}\n')
    for words in (['train', '--no-db', config, '--from', 'w'], ['program', 'w', '--db', 'p.db', '--config', config]):
        p = run(*words, code=None)
        assert p.returncode in (1, 2) and 'finite' in p.stderr and 'accuracy' not in p.stdout, (words, p.returncode, p.stdout, p.stderr)


def test_large_weights():
    """Weights that single precision does not hold, or that no training can begin with, are the cause that is said."""
    os.makedirs(in_folder('big'), exist_ok=True)
    for number, words in (('1e300', ['1e+300', '3.4e38']), ('1e30', ['train.from', 'too large']), ('3e38', ['train.from', 'too large'])):
        write('big/x-h1.w.csv', (','.join([number] * 4) + '\n') * 64)
        write('big/h1-out.w.csv', (','.join([number] * 10) + '\n') * 4)
        refused('train', '--no-db', *SMALL, '--from', 'big', says=words, code=None)
    write('big/x-h1.w.npy', 'another')
    refused('train', '--no-db', *SMALL, '--from', 'big', says=['x-h1.w.npy and x-h1.w.csv', 'remove one'])


def test_weights_file():
    os.makedirs(in_folder('v'), exist_ok=True)
    write('v/x-h1.w.npy', b"\x93NUMPY\x01\x00\x46\x00{'descr': '<f8', 'fortran_order': False, 'shape': (50000, 50000), }    \n",
          'wb')
    at_once('train', '--no-db', *SMALL, '--from', 'v', says='not as long as its header says')


def limited(kilobytes, *words):
    return subprocess.run(['/bin/sh', '-c', f'ulimit -v {kilobytes}; exec "$0" "$@"', MHO, *words], cwd=folder,
                          capture_output=True, text=True, timeout=120)


def test_devices_that_never_end():
    """What reads a whole file reads none that has no end."""
    for words in (['solve', '--g', '/dev/zero', '--v', 'v.csv'], ['netlist', '--check', '/dev/zero'], ['device', 'fit', '/dev/zero'],
                  ['import', '--npz', '/dev/zero', '--db', 'n.db']):
        refused(*words, says=['/dev/zero', 'is a device'])


def test_packed_lines():
    """A small file that stands for a long line, and one that is no text, are refused before they are in memory."""
    refused('import', write('nul.jsonl', '\0' * 5000), '--db', 'p.db', says=['nul.jsonl:1', 'no file of runs'])
    run('train', '--db', 'p.db', *SMALL)
    run('export', '--db', 'p.db', '--all', '-o', 'p.jsonl')
    with open(in_folder('p.jsonl')) as f:
        head = f.readline()
    refused('import', write('nul.jsonl', head + '\0' * 5000), '--db', 'p.db', says=['nul.jsonl:2', 'no text'])
    if SANITIZED:
        return
    with gzip.open(in_folder('long.gz'), 'wb', compresslevel=1) as f:
        for _ in range(300):
            f.write(b' ' * (1 << 20))
    p = limited(600000, 'import', 'long.gz', '--db', 'p.db')
    assert p.returncode == 2 and 'long.gz:1: this is no file of runs' in p.stderr, (p.returncode, p.stderr)


def test_little_memory():
    """Where OpenBLAS would try for ever to get its buffers, mho says what is missing."""
    if SANITIZED:
        return
    p = limited(200000, 'train', '--no-db', '--threads', '1', *SMALL)
    assert p.returncode == 1 and ('memory is limited' in p.stderr or 'no memory' in p.stderr), (p.returncode, p.stderr)
    for kilobytes in (220000, 240000, 260000):  # about where it begins to suffice: either way there is an end
        assert limited(kilobytes, 'train', '--no-db', '--threads', '1', *SMALL).returncode in (0, 1)
    p = limited(600000, 'train', '--no-db', '--threads', '1', *SMALL)
    assert p.returncode == 0, p.stderr


def test_options_without_memory():
    """argp without memory is an error, not a crash."""
    env = preloaded('#include <errno.h>\n#include <argp.h>\n'
                    'error_t argp_parse(const struct argp *a, int n, char **v, unsigned f, int *i, void *o) { return ENOMEM; }\n',
                    'noargp')
    if not env:
        return
    for words in (['solve'], ['device', 'show', 'ecram'], ['settle', 'last'], ['netlist', 'last'], ['train'], ['report', 'last']):
        p = run(*words, code=1, env=env)
        assert 'Cannot allocate memory' in p.stderr, (words, p.stderr)


HEAD = 't\n* expect v(a) = 1 +- 1e-6 V\nV1 a 0 1\nR1 a 0 1k\n.control\nop\n'


def check(text, *words, code, says):
    p = run('netlist', '--check', write('n.cir', HEAD + text + '\nprint v(a)\n.endc\n'), *words, code=code)
    assert says in p.stdout + p.stderr, (text, p.stdout, p.stderr)
    return p


def test_netlists():
    if 'ngspice          yes' not in run('--version', '-v').stdout:
        return
    check('', code=0, says='pass')
    for text in ('shell touch OWNED', '  SHELL touch OWNED', 'write OWNED', 'wrdata OWNED v(a)', 'echo x > OWNED', 'print v(a) >> OWNED',
                 'alias op shell touch OWNED', 'set x = `touch OWNED`', 'let k = 1 ; shell touch OWNED', 'source OWNED',
                 'hardcopy OWNED v(a)', 'codemodel OWNED', 'set c = shell\n$c touch OWNED', 'gnuplot OWNED v(a)'):
        check(text, code=2, says='--trust')
    # what the words do not show is stopped by the system
    write('inc.cir', '.control\nshell touch OWNED\nwrite OWNED\n.endc\n')
    write('.spiceinit', 'shell touch OWNED\n')
    run('netlist', '--check', write('n.cir', 't\n* expect v(a) = 1 +- 1e-6 V\nV1 a 0 1\nR1 a 0 1k\n.include inc.cir\n'
                                    '.control\nop\nprint v(a)\n.endc\n'), code=None)
    os.remove(in_folder('.spiceinit'))
    assert not os.path.exists(in_folder('OWNED'))
    check('shell touch OWNED', '--trust', code=0, says='pass')
    assert os.path.exists(in_folder('OWNED'))
    refused('netlist', 'last', '--trust', says='--check')
    # what was expected and what came out; and that a print is needed
    p = run('netlist', '--check', write('n.cir', HEAD.replace('= 1 ', '= 3 ') + 'print v(a)\n.endc\n'), code=1)
    assert 'expected 3 +- 1e-06, ngspice has 1' in p.stdout
    # a margin by which anything or nothing would pass; what is expected in another form
    for said, says in (('1 +- -1e-6', 'the margin 0 or more'), ('1 +- inf', 'finite'), ('1 +- nan', 'finite'), ('nan +- 1', 'finite'),
                       ('1 +- 1e999', 'finite'), ('1', "'* expect v(a) = VALUE +- MARGIN'"), ('one +- 1', 'VALUE')):
        refused('netlist', '--check', write('n.cir', HEAD.replace('1 +- 1e-6', said) + 'print v(a)\n.endc\n'), says=['n.cir:2', says])
    refused('netlist', '--check', write('n.cir', HEAD + '.endc\n'), says="'print v(a)'", code=1)


def test_netlist_limits():
    if 'ngspice          yes' not in run('--version', '-v').stdout or SANITIZED:
        return
    check('let x = vector(500000000)', code=1, says='2 GiB')
    p = subprocess.Popen([MHO, 'netlist', '--check', write('n.cir', HEAD + 'while 1\nend\n.endc\n')], cwd=folder,
                         stderr=subprocess.PIPE, text=True)
    time.sleep(2)
    p.send_signal(signal.SIGINT)
    start = time.monotonic()
    assert p.wait(timeout=60) == 130 and time.monotonic() - start < 20, p.returncode
    assert 'interrupted' in p.stderr.read()


def test_first_signal():
    """A verb that stores nothing ends with the first signal: between two steps, or within a library that cannot be asked."""
    write('G.csv', ('1e-6,' * 299 + '5e-5\n') * 300)
    write('V.csv', (','.join(['0.1'] * 300) + '\n') * 4000)
    rows = ''.join(f'd{i},up,{k},{10 + i % 13 + 40 * (1 - 0.9 ** k)}\n' for i in range(20000) for k in range(3))
    write('sig.csv', 'device,direction,pulse,g\n' + rows)
    run('train', '--db', 'sig.db', *SMALL)
    ode = ['--set', 'settle.method=ode', '--set', 'settle.accuracy=1e-14']
    array = ['solve', '--g', 'G.csv', '--v', 'V.csv', '--r-word', '1', '--r-bit', '1']
    cases = [[*array, '--method', 'iterative', '--out', 'sig.out'], [*array, '--method', 'direct'],
             ['device', 'curve', 'pcm', '--cells', '1000000', '--pulses', '10000', '--out', 'sig.out'],
             ['device', 'fit', 'sig.csv', '--unit', 'uS', '--out', 'sig.out'],
             ['eval', 'last', '--db', 'sig.db', '--draws', '1000', *ode], ['settle', 'last', '--db', 'sig.db', '--samples', '300', *ode]]
    running = [subprocess.Popen([MHO, *words], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for words in cases]
    time.sleep(1 if not SANITIZED else 5)
    for i, (words, p) in enumerate(zip(cases, running)):
        if p.poll() is not None:
            continue
        p.send_signal(signal.SIGTERM if i % 2 else signal.SIGINT)
        start = time.monotonic()
        assert p.wait(timeout=60) == 130, (words, p.returncode)
        assert time.monotonic() - start < 10 and p.stderr.read().count('interrupted') == 1, (words, time.monotonic() - start)
    assert not os.path.exists(in_folder('sig.out'))


def test_measurements():
    """Tables as R's write.csv and csv.QUOTE_ALL write them, and tables made to take long."""
    rows = [('a', 'up', k, 10 + 40 * (1 - 0.96 ** k)) for k in range(40)] + [('a', 'down', k, 10 + 40 * 0.96 ** k) for k in range(1, 40)]
    plain = 'device,direction,pulse,g\n' + ''.join(f'{d},{s},{k},{g:.5f}\n' for d, s, k, g in rows)
    quoted = '"device","direction","pulse","g"\n' + ''.join(f'"{d}, ""x""","{s}","{k}","{g:.5f}"\n' for d, s, k, g in rows)
    answers = [run('device', 'fit', write(name, text), '--unit', 'uS', '--model', 'soft_bounds').stdout
               for name, text in (('plain.csv', plain), ('quoted.csv', quoted))]
    assert answers[0] == answers[1], answers
    at_once('device', 'fit', '--unit', 'uS', write('big.csv', 'direction,pulse,g\nup,0,1\nup,5,2\nup,100000000,3\n'
                                                   'down,0,3\ndown,1,2\n'), says='each of which a fit steps through')
    if SANITIZED:
        return
    many = 'device,direction,pulse,g\n' + ''.join(f'd{i},up,0,{1 + i % 7}\n' for i in range(200000))
    start = time.monotonic()
    run('device', 'fit', write('many.csv', many), '--unit', 'uS', '--model', 'linear', code=None)
    assert time.monotonic() - start < 60, time.monotonic() - start


def test_tails():
    """Numbers are shown as people write them, and read back as what they are."""
    config = run('train', '--print-config').stdout
    for text in ('g_min: 1 uS', 'g_max: 0.1 mS', 'read_time: 0.1 us', 'amplifier: 0.01 mW'):
        assert text in config, text
    for words in (['train', '--print-config'], ['list', 'devices'], ['list', 'arrays']):
        for line in run(*words).stdout.splitlines():
            digits = max((len(w.split('.')[1]) for w in line.split() if w.count('.') == 1 and w.replace('.', '').isdigit()), default=0)
            assert digits < 12, line
    again = run('train', '--print-config', write('again.yaml', config)).stdout
    assert again == config


main([test_yaml, test_names, test_plot_name, test_shown, test_export_of_bytes, test_changed_export, test_last_and_clock, test_report_folder, test_out_over_runs,
      test_no_runs_no_database, test_no_ngspice, test_not_finite, test_large_weights, test_weights_file, test_packed_lines, test_devices_that_never_end, test_little_memory, test_options_without_memory, test_netlists, test_netlist_limits,
      test_first_signal, test_measurements, test_tails])
