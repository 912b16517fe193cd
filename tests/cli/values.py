"""A table whose targets are values, through the command: train, JSON, resume, eval, runs, show, compare, program, settle, sweep
and queries; the rms and the loss are compared with those of a forward pass in Python."""
import csv
import math
import os
import random
import sqlite3

from mho import folder, lines, main, refused, run, write

random.seed(3)
ROWS = [(x, x * x, 300 + 40 * math.sin(2 * x) + random.gauss(0, 1)) for x in (random.uniform(-2, 2) for _ in range(60))]
write('table.csv', 'x,"x, squared",y\n' + ''.join(f'{a!r},{b!r},{c!r}\n' for a, b, c in ROWS))
write('c.yaml', '''
dataset: {name: table, path: table.csv, features: 1-2}
network: {hidden: [8]}
rule: bp
update: {rate: 0.03}
train: {epochs: 6, batch: 10}
''')


def test_train_and_eval():
    """JSON as outside scripts read it, and the numbers of the last epoch by a forward pass of the exported weights."""
    events = lines('train', 'c.yaml', '--name', 'first', '--json')
    epochs, done = events[:-1], events[-1]
    assert len(epochs) == 6 and all(e['test_acc'] is None and e['train_acc'] is None for e in epochs), events
    assert done['final_test_acc'] is None and done['best_test_acc'] is None
    best = min(epochs, key=lambda e: e['test_loss'])
    assert done['best_epoch'] == best['epoch'] and done['best_test_loss'] == best['test_loss']
    assert done['final_test_loss'] == epochs[-1]['test_loss'] and done['final_test_rms'] == epochs[-1]['test_rms']

    run('export', 'first', '--weights', 'w', '--format', 'csv')
    weight = {}
    for name in ('x-h1', 'h1-out'):
        with open(os.path.join(folder, 'w', name + '.w.csv')) as f:
            weight[name] = [[float(x) for x in row] for row in csv.reader(f)]
    train, test = ROWS[:48], ROWS[48:]
    mean = [sum(r[k] for r in train) / 48 for k in range(3)]
    spread = [math.sqrt(sum((r[k] - mean[k]) ** 2 for r in train) / 48) for k in range(3)]
    loss = 0
    for row in test:
        x = [(row[k] - mean[k]) / spread[k] for k in range(2)]
        h = [math.tanh(sum(x[i] * weight['x-h1'][i][j] for i in range(2))) for j in range(8)]
        o = sum(h[j] * weight['h1-out'][j][0] for j in range(8))
        loss += 0.5 * (o - (row[2] - mean[2]) / spread[2]) ** 2 / 12
    assert abs(loss - done['final_test_loss']) < 1e-5 * loss, (loss, done)
    assert abs(spread[2] * math.sqrt(2 * loss) - done['final_test_rms']) < 1e-5 * done['final_test_rms']

    (e,) = lines('eval', 'first', '--json')
    assert e['accuracy'] is None and e['loss'] == done['final_test_loss'] and e['rms'] == done['final_test_rms']
    assert f"rms {done['final_test_rms']:.4g}" in run('eval', 'first').stdout
    (e,) = lines('eval', 'first', '--checkpoint', 'best', '--json')
    assert e['rms'] == done['best_test_rms']
    assert 'loss' in run('settle', 'first', '--sample', '2', '--set', 'rule=ep').stderr


def test_resume():
    """From the checkpoint of its best epoch a run goes on as the whole one, and its best epoch stays best by the loss."""
    more = ['--db', 'whole.db', '--set', 'dataset.validation=8', '--set', 'update.rate=0.3', '--set', 'train.epochs=12']
    whole = lines('train', 'c.yaml', *more, '--json')
    best = min(whole[:-1], key=lambda e: e['val_loss'])
    assert whole[-1]['best_by'] == 'validation' and whole[-1]['best_epoch'] == best['epoch'] < 12, whole
    with sqlite3.connect(os.path.join(folder, 'whole.db')) as c:
        c.execute("DELETE FROM checkpoint WHERE kind = 'last'")
        c.execute("UPDATE checkpoint SET kind = 'last'")
        c.execute("UPDATE run SET status = 'interrupted'")
    again = lines('train', '--resume', 'last', '--db', 'whole.db', '--json')
    assert len(again) == 13 - best['epoch']
    for key in ('best_epoch', 'best_test_loss', 'best_test_rms', 'final_test_loss', 'final_test_rms'):
        assert again[-1][key] == whole[-1][key], (key, again, whole)


def test_lists():
    run('train', 'c.yaml', '--name', 'second', '--seed', '2', '--set', 'device=linear', '--set', 'update.scheme=accumulate')
    (shown,) = lines('show', 'first', '--json')
    assert shown['final_test_acc'] is None and shown['final_test_rms'] > 0
    assert 'test rms' in run('show', 'first').stdout
    assert 'rms' in run('runs').stdout and 'last test rms' in run('compare', 'first', 'second').stdout
    rows = lines('query', '--json', 'SELECT test_rms, best_test_rms, test_loss, test_acc FROM v_run WHERE name = \'first\'')
    assert abs(rows[0]['test_rms'] - shown['final_test_rms']) < 1e-7 and rows[0]['test_acc'] is None
    chips = lines('program', 'first', '--set', 'device.model=soft_bounds', '--chips', '2', '--json')
    assert chips[0]['accuracy'] is None and chips[0]['rms'] > 0 and chips[-1]['source'] == shown['final_test_rms']


def test_sweep():
    write('s.yaml', 'base: c.yaml\nvary: {update.rate: [0.001, 0.03]}\nseeds: 2\n')
    run('sweep', 's.yaml')
    points = lines('query', '--json', "SELECT test_rms_mean, test_rms_std, n FROM v_study WHERE study = 's' ORDER BY rate")
    runs = lines('query', '--json', "SELECT rate, test_rms FROM v_run WHERE id IN (SELECT run_id FROM study_run) ORDER BY 1")
    for p, pair in zip(points, (runs[:2], runs[2:])):
        a, b = (r['test_rms'] for r in pair)
        assert p['n'] == 2 and abs(p['test_rms_mean'] - (a + b) / 2) < 1e-9 * a
        assert abs(p['test_rms_std'] - abs(a - b) / math.sqrt(2)) < 1e-6 * a


def test_early_stop():
    """The median rule goes by the training loss, and ends those above it."""
    write('m.yaml', 'base: c.yaml\nset: {train.epochs: 4}\nvary: {update.rate: [0.03, 1e-6]}\nseeds: 3\n'
          'stop: {rule: median, after: 2, runs: 2}\n')
    run('sweep', 'm.yaml', '--jobs', '1', '--db', 'm.db')
    rows = lines('query', '--db', 'm.db', '--json', 'SELECT rate, status, coalesce(error, \'\') AS error FROM run')
    slow = [r for r in rows if r['rate'] < 1e-3]
    assert all(r['status'] == 'interrupted' and 'training loss' in r['error'] and 'above the median' in r['error'] for r in slow)
    assert sum(r['status'] == 'completed' for r in rows) >= 2, rows


def test_elsewhere():
    """Export and import keep losses and rms; answers go where they are asked for."""
    run('export', 'first', '-o', 'first.jsonl')
    run('export', 'first', '--tables', 'epoch,prediction', '-o', 'answers.jsonl')
    for name, answers in ('first', 0), ('answers', 12):
        run('import', f'{name}.jsonl', '--db', f'{name}.db')
        (a,), (b,) = lines('show', 'first', '--json'), lines('show', 'first', '--json', '--db', f'{name}.db')
        assert a['final_test_rms'] == b['final_test_rms'] and a['best_test_loss'] == b['best_test_loss']
        assert lines('query', '--db', f'{name}.db', '--json', 'SELECT count(*) AS n FROM prediction')[0]['n'] == answers
    assert 'rms' in run('runs', '--group-by', 'device').stdout


def test_questions_and_reports():
    """The answers that a run keeps give its rms; questions about a study go by it, the smallest first."""
    rows = lines('query', '--json', "SELECT sample, target, answer, test_rms FROM prediction JOIN v_run ON run_id = v_run.id "
                 "WHERE name = 'first' ORDER BY sample")
    assert [r['target'] for r in rows] == [r[2] for r in ROWS[48:]]
    rms = math.sqrt(sum((r['target'] - r['answer']) ** 2 for r in rows) / 12)
    assert abs(rms - rows[0]['test_rms']) < 1e-5 * rms
    chip = lines('query', '--json', "SELECT count(*) AS n FROM prediction JOIN run ON run_id = id WHERE kind = 'programmed'")
    assert chip[0]['n'] == 24

    means = [r['m'] for r in lines('query', '--json', "SELECT test_rms_mean AS m FROM v_study WHERE study = 's' ORDER BY m")]
    spread = [r for r in lines('query', 'spread', 's', '--json')]
    assert [float(r['test rms']) for r in spread] == [float(f'{m:.4g}') for m in means], spread
    curve = lines('query', 'curve', 's', '--json')
    runs = lines('query', '--json', 'SELECT epoch, test_rms FROM epoch JOIN study_run USING (run_id)')
    for c in curve:
        of = [r['test_rms'] for r in runs if r['epoch'] == c['epoch']]
        assert float(c['least rms']) == float(f'{min(of):.4g}') and float(c['greatest rms']) == float(f'{max(of):.4g}')
    for question in ('pareto', 'sensitivity', 'best-per-device', 'speed', 'overfit'):
        run('query', question, 's')

    run('report', 'first', '-o', 'first.html')
    run('report', 's', '-o', 's.html')
    for page, words in (('first.html', ['Best test rms', 'Answers', 'test loss']), ('s.html', ['Best test rms', 'Test rms by'])):
        text = open(os.path.join(folder, page), encoding='utf-8').read()
        assert 'accuracy' not in text.split('<details')[0], page
        assert all(w in text for w in words), page


def test_classes():
    """The same table with classes is trained as images are."""
    write('kinds.csv', 'x,y,kind\n' + ''.join(f'{a},{b},{"high" if c > 300 else "low"}\n' for a, b, c in ROWS))
    events = lines('train', 'c.yaml', '--no-db', '--set', 'dataset.path=kinds.csv', '--set', 'dataset.kind=classes', '--json',
                   '--set', 'train.epochs=60')
    assert events[-1]['best_test_acc'] > 0.8 and 'test_loss' not in events[0], events[-1]

    # an output means a class: rows in another order have the same ones, other words are refused, though as many
    run('train', 'c.yaml', '--name', 'kinds', '--set', 'dataset.path=kinds.csv', '--set', 'dataset.kind=classes')
    (before,) = lines('eval', 'kinds', '--json')
    with open(os.path.join(folder, 'kinds.csv')) as f:
        head, *rows = f.readlines()
    write('turned.csv', head + ''.join(rows[47::-1] + rows[48:]))
    (after,) = lines('eval', 'kinds', '--json', '--set', 'dataset.path=turned.csv')
    assert after['accuracy'] == before['accuracy'], (before, after)
    write('renamed.csv', head + ''.join(r.replace('high', 'a lot') for r in rows))
    refused('eval', 'kinds', '--set', 'dataset.path=renamed.csv', says=['dataset.targets', 'has learned'])
    write('third.csv', head + ''.join(rows + ['1,2,none\n']))
    refused('eval', 'kinds', '--set', 'dataset.path=third.csv', says='other columns or classes')


def test_other_rows():
    """A network reads other rows by the scales of those that it was trained on."""
    (before,) = lines('eval', 'first', '--json')
    other = [(5 * a, b - 9, c / 2) for a, b, c in ROWS[:48]] + ROWS[48:]
    write('other.csv', 'x,"x, squared",y\n' + ''.join(f'{a!r},{b!r},{c!r}\n' for a, b, c in other))
    (after,) = lines('eval', 'first', '--set', 'dataset.path=other.csv', '--json')
    assert after['rms'] == before['rms'] and after['loss'] == before['loss'], (before, after)
    (fewer,) = lines('eval', 'first', '--set', 'dataset.test=6', '--json')
    answers = lines('query', '--json', "SELECT sample, target - answer AS e FROM prediction JOIN run ON run_id = id WHERE name = 'first'")
    rms = math.sqrt(sum(r['e'] ** 2 for r in answers if r['sample'] >= 6) / 6)
    assert abs(fewer['rms'] - rms) < 1e-5 * rms, (fewer, rms)


def test_circuits():
    """The network's circuit, its netlist and training with ngspice in the loop, against the core."""
    if 'ngspice          yes' not in run('--version', '-v').stdout:
        return
    write('net.cir', run('netlist', 'second', '--network', '--sample', '3', '--set', 'rule=ep').stdout)
    assert run('netlist', '--check', 'net.cir').stdout.startswith('pass')
    assert 'class' not in open(os.path.join(folder, 'net.cir')).read().splitlines()[0]
    write('line.cir', run('netlist', 'second', '--layer', 'h1-out', '--transposed', '--sample', '3').stdout)
    assert run('netlist', '--check', 'line.cir').stdout.startswith('pass')
    assert all(r['pass'] for r in lines('cosim', 'second', '--what', 'network', '--samples', '2', '--set', 'rule=ep', '--json'))

    small = ['--no-db', '--set', 'rule=ep', '--set', 'train.epochs=1', '--set', 'dataset.train=20', '--json']
    for error in ('held', 'live'):
        core, circuit = (lines('train', 'c.yaml', *small, '--set', f'rule.error={error}', '--set', f'settle.method={method}')
                         for method in ('sweep', 'spice'))
        assert abs(circuit[0]['test_loss'] - core[0]['test_loss']) < 1e-3 * core[0]['test_loss'], (error, core, circuit)


def test_inputs_beyond_converters():
    """Standardized inputs that drivers cut are named with the key that holds them."""
    more = ['--no-db', '--set', 'train.epochs=1', '--set', 'array={model: periphery, dac_bits: 8, adc_bits: 9}']
    assert 'array.dac_range (1)' in run('train', 'c.yaml', *more).stderr
    assert 'dac_range' not in run('train', 'c.yaml', *more, '--set', 'array.dac_range=4').stderr


def test_refusals():
    refused('train', 'c.yaml', '--set', 'network.output=softmax', says=['dataset.kind', 'network.output'])
    refused('train', 'c.yaml', '--set', 'network.loss=cross_entropy', says=['network.loss', 'network.output'])
    write('bad.csv', 'a,b,c\n1,2,3\n4,five,6\n')
    refused('train', 'c.yaml', '--set', 'dataset.path=bad.csv', '--set', 'train.batch=1', says="bad.csv:3:3: 'five' is no finite")
    refused('train', 'c.yaml', '--set', 'dataset.path=', says='dataset.path')
    refused('train', 'c.yaml', '--set', 'dataset.path=/dev/zero', says=['/dev/zero', 'neither a file nor a folder'])
    refused('data', 'fetch', 'table', says='dataset.path')
    refused('train', 'c.yaml', '--set', 'dataset.targets=z', says=['dataset.targets', "no column 'z'"])
    write('twice.csv', 'a,a,y\n' + '1,2,3\n2,3,4\n' * 20)
    refused('train', 'c.yaml', '--set', 'dataset.path=twice.csv', '--set', 'dataset.features=a', says=['dataset.features', "named 'a'"])
    run('train', 'c.yaml', '--set', 'dataset.path=twice.csv', '--no-db')
    write('row.csv', 'a,b,y\n1,2,3\n')
    refused('train', 'c.yaml', '--set', 'dataset.path=row.csv', says=['dataset.test', 'one sample'])
    write('one.csv', 'a,b,y\n' + '1,2,red\n2,3,red\n' * 20)
    refused('train', 'c.yaml', '--set', 'dataset.path=one.csv', '--set', 'dataset.kind=classes', says=['dataset.kind', "'red'"])
    head = "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 4), }".ljust(117) + '\n'
    write('none.npy', b'\x93NUMPY\x01\x00' + len(head).to_bytes(2, 'little') + head.encode(), mode='wb')
    refused('train', 'c.yaml', '--set', 'dataset.path=none.npy', says='(shape (0, 4)):')


def test_parts_of_a_folder():
    """A folder with a test of its own has nothing to draw, and a matrix no line of names: both are said."""
    for part in ('train', 'test'):
        write(f'parts/{part}.csv', 'x,y,z\n' + ''.join(f'{a},{b},{c}\n' for a, b, c in ROWS))
    more = ['--set', 'dataset.path=parts', '--no-db']
    run('train', 'c.yaml', *more)
    refused('train', 'c.yaml', *more, '--set', 'dataset.split=random', says=['dataset.split', 'dataset.path', 'test.csv'])
    refused('train', 'c.yaml', '--set', 'dataset.path=none.npy', '--set', 'dataset.header=yes', says=['dataset.header', 'none.npy'])


def test_a_study_with_a_mistake():
    """A study that cannot be planned leaves what the database has of one of its name."""
    write('t.yaml', 'study: t\nbase: c.yaml\nvary: {update.rate: [0.01, 0.03]}\n')
    run('sweep', 't.yaml', '--db', 't.db')
    before = run('query', 'spread', 't', '--db', 't.db').stdout
    write('t.yaml', 'study: t\nbase: c.yaml\nvary: {dataset.path: [table.csv, nothing.csv]}\n')
    refused('sweep', 't.yaml', '--db', 't.db', says='nothing.csv')
    assert run('query', 'spread', 't', '--db', 't.db').stdout == before and 'rate=0.03' in before


def test_words_of_sections():
    """A study over the words of a section is answered by the words; where two values have one word, by what differs."""
    write('words.yaml', 'base: c.yaml\nvary: {rule: [bp, balance], update.rate: [0.01, 0.03]}\n')
    run('sweep', 'words.yaml', '--db', 'words.db')
    keys = {r['key']: r for r in lines('query', 'sensitivity', 'words', '--json', '--db', 'words.db')}
    assert keys.keys() == {'rule.name', 'update.rate'} and keys['rule.name']['best at'] in ('bp', 'balance'), keys
    points = {r['point'] for r in lines('query', 'spread', 'words', '--json', '--db', 'words.db')}
    assert points == {f'rule={r} rate={v}' for r in ('bp', 'balance') for v in (0.01, 0.03)}, points
    write('maps.yaml', 'base: c.yaml\nvary: {rule: [{name: ep, nudge: 0.1}, {name: ep, nudge: 0.5}]}\n')
    run('sweep', 'maps.yaml', '--db', 'words.db')
    points = {r['point'] for r in lines('query', 'spread', 'maps', '--json', '--db', 'words.db')}
    assert len(points) == 2 and all('nudge' in p for p in points), points
    assert 'did not complete' in run('query', 'failures', 'maps', '--db', 'words.db').stdout


if __name__ == '__main__':
    main([f for name, f in list(globals().items()) if name.startswith('test_')])
