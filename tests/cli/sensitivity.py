"""mho query sensitivity on made-up studies, against omega^2 and its interval computed here."""
import csv
import io
import json
import math
import os
import random
import sqlite3

from mho import folder, main, run, write

N, SEED = 60, 5


def study(name, keys, rows, failed=()):
    """A study whose runs have these values of the keys and these accuracies: copies of one run."""
    write('net.yaml', 'dataset: {train: 40, test: 20}\nnetwork: {hidden: [4]}\ntrain: {batch: 20, epochs: 1}\n')
    db = os.path.join(folder, f'{name}.db')
    run('train', 'net.yaml', '--db', db, '--name', 'first')
    with sqlite3.connect(db) as c:
        columns = [r[1] for r in c.execute('PRAGMA table_info(run)')]
        first = dict(zip(columns, c.execute(f"SELECT {', '.join(columns)} FROM run").fetchone()))
        c.execute('INSERT INTO study (name, config) VALUES (?, ?)',
                  (name, json.dumps({'vary': [{'keys': [k]} for k in keys]})))
        for i, (values, accuracy) in enumerate([*rows, *[(v, None) for v in failed]]):
            config = json.loads(first['config'])
            for key, value in zip(keys, values):
                section, entry = key.split('.', 1)
                node = config[section]
                *inner, last = entry.split('.')
                for part in inner:
                    node = node.setdefault(part, {})
                node[last] = value
            row = {**first, 'id': f'run{i:05d}', 'config_hash': f'c{i}', 'point_hash': f'p{i}', 'config': json.dumps(config),
                   'final_test_acc': accuracy, 'status': 'completed' if accuracy is not None else 'diverged'}
            c.execute(f"INSERT INTO run ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
            c.execute('INSERT INTO study_run (study, point_hash, run_id) VALUES (?, ?, ?)', (name, f'p{i}', row['id']))
    out = run('query', 'sensitivity', name, '--csv', '--db', db).stdout
    return {r['key']: r for r in csv.DictReader(io.StringIO(out))}


def groups(labels, accuracies):
    out = {}
    for label, accuracy in zip(labels, accuracies):
        out.setdefault(label, []).append(accuracy)
    return out


def omega(of):
    """omega^2 and F with its degrees of freedom, of values in groups."""
    everything = [v for g in of.values() for v in g]
    n, k, mean = len(everything), len(of), sum(everything) / len(everything)
    between = sum(len(g) * (sum(g) / len(g) - mean) ** 2 for g in of.values())
    total = sum((v - mean) ** 2 for v in everything)
    within = (total - between) / (n - k)
    return max((between - (k - 1) * within) / (total + within), 0), between / (k - 1) / within, k - 1, n - k


def below(f, d1, d2, noncentral, draws, rng):
    """How often an F of this noncentrality is below f, by drawing it."""
    hits = 0
    for _ in range(draws):
        top = (rng.gauss(0, 1) + math.sqrt(noncentral)) ** 2 + (rng.gammavariate((d1 - 1) / 2, 2) if d1 > 1 else 0)
        hits += top / d1 < f * rng.gammavariate(d2 / 2, 2) / d2
    return hits / draws


def close(row, column, value):
    assert abs(float(row[column]) - 100 * value) < 0.051, (column, row, value)


def test_shares():
    """A key that matters, one that matters little, one without effect."""
    rng = random.Random(SEED)
    rows = []
    for i in range(N):
        values = (0.001 * 3 ** (i % 3), 10 + i // 3 % 2, (0.1, 0.2, 0.3, 0.4)[i // 6 % 4])
        rows.append((values, 0.8 - 0.05 * (i % 3) + 0.015 * (i // 3 % 2) + 0.02 * rng.gauss(0, 1)))
    keys = ['update.rate', 'train.batch', 'rule.nudge']
    got = study('shares', keys, rows, failed=[(0.009, 10, 0.1)] * 3)
    for i, key in enumerate(keys):
        share, f, d1, d2 = omega(groups([v[i] for v, _ in rows], [a for _, a in rows]))
        close(got[key], 'explains %', share)
        low, high = float(got[key]['from %']) / 100, float(got[key]['to %']) / 100
        assert low <= share + 0.03 and share <= high, (key, low, share, high)
        # at its bounds the F that was found is as (un)likely as 1 in 40: 0.005 is four standard errors and its rounding
        for at, wanted in ((low, 0.975), (high, 0.025)):
            if at > 0:
                p = below(f, d1, d2, N * at / (1 - at), 40000, rng)
                assert abs(p - wanted) < 0.005, (key, at, p, wanted)
        assert got[key]['runs'] == str(N) and got[key]['not counted'] == '3', got[key]
    assert list(got)[0] == 'update.rate' and float(got['update.rate']['from %']) > 30, got
    assert float(got['rule.nudge']['explains %']) < 3 and float(got['rule.nudge']['from %']) == 0, got
    assert float(got['update.rate']['best at']) == 0.001, got


def test_chance():
    """Sampled keys without any effect: 0 on the mean before it is cut off, hardly above, and 0 within the interval of most."""
    rng = random.Random(SEED)
    keys = ['energy.dac_energy', 'energy.adc_time', 'energy.adc_energy', 'energy.dac_time']
    rows = [([rng.uniform(1e-13, 1e-12) for _ in keys], 0.8 + 0.05 * rng.gauss(0, 1)) for _ in range(30)]
    got = study('chance', keys, rows)
    print('      explained by chance:', [r['explains %'] for r in got.values()])
    assert sum(float(r['explains %']) for r in got.values()) < 40, got
    assert sum(float(r['from %']) == 0 for r in got.values()) >= 3, got
    for i, key in enumerate(keys):
        bins = sorted(rows, key=lambda r: r[0][i])
        share, *_ = omega(groups([j * 6 // 30 for j in range(30)], [a for _, a in bins]))
        close(got[key], 'explains %', share)
        means = [sum(a for _, a in bins[5 * j:5 * j + 5]) / 5 for j in range(6)]
        best = bins[5 * means.index(max(means)):][:5]
        low, high = (float(v) for v in got[key]['best at'].split(' to '))
        assert abs(low / best[0][0][i] - 1) < 0.005 and abs(high / best[-1][0][i] - 1) < 0.005, (got[key], best)


def test_edges():
    """One run a value has nothing to tell chance by; words have themselves as the best; no spread, no share."""
    got = study('single', ['update.rate'], [((0.1,), 0.5), ((0.2,), 0.6), ((0.3,), 0.7)])
    assert got['update.rate']['explains %'] == '' and got['update.rate']['to %'] == '', got
    assert float(got['update.rate']['best at']) == 0.3, got
    got = study('words', ['device.model'], [((m,), a) for m, a in (('linear', 0.5), ('linear', 0.6), ('pcm', 0.8), ('pcm', 0.9))])
    assert got['device.model']['best at'] == 'pcm', got
    close(got['device.model'], 'explains %', omega({'a': [0.5, 0.6], 'b': [0.8, 0.9]})[0])
    got = study('flat', ['update.rate'], [((0.1,), 0.5), ((0.1,), 0.5), ((0.2,), 0.5), ((0.2,), 0.5)])
    assert got['update.rate']['explains %'] == '', got


main([test_shares, test_chance, test_edges])
