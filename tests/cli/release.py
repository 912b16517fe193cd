"""Databases, checkpoints, exports and configs of earlier releases open with the present program."""
import json
import os
import re
import shutil

from mho import folder, lines, main, refused, run

HOME = os.path.join(os.environ['MHO_SOURCE'], 'tests', 'fixtures', 'release_0.1')
SLACK = 0.03  # of an accuracy: sums are rounded differently from one processor to another


def copied(name):
    path = os.path.join(folder, name)
    shutil.copy(os.path.join(HOME, name), path)
    return path


def query(db, sql):
    return lines('query', '--db', db, '--json', sql)


def migrated(name):
    """A database that reading alone refuses, with the cure, which is taken."""
    db = copied(name)
    refused('runs', '--db', db, says=['written by an older mho', 'mho db migrate'])
    run('db', 'migrate', '--db', db)
    return db


def test_lists():
    db = migrated('runs.db')
    names = [r['name'] for r in query(db, 'SELECT name FROM run ORDER BY id')]
    assert names[:2] == ['complete', 'interrupted'] and len(names) == 4, names
    shown = run('show', 'complete', '--db', db).stdout
    assert 'best 76.00 % in epoch 7, last 73.00 % (test)' in shown, shown
    points = query(db, "SELECT n FROM v_study WHERE study = 'fixture'")
    assert [p['n'] for p in points] == [1, 1], points


def test_checkpoint_evaluates():
    db = migrated('runs.db')
    for best, stored in (([], 0.73), (['--checkpoint', 'best'], 0.76)):
        out = json.loads(run('eval', 'complete', '--db', db, '--json', *best).stdout.splitlines()[-1])
        assert abs(out['accuracy'] - stored) <= SLACK, (out, stored)


def test_checkpoint_goes_on():
    db = copied('runs.db')
    run('train', '--resume', 'interrupted', '--db', db)
    (row,) = query(db, "SELECT status, epochs_done, final_test_acc FROM run WHERE name = 'interrupted'")
    assert row['status'] == 'completed' and row['epochs_done'] == 40, row
    assert row['final_test_acc'] > 0.7, row


def test_export_is_taken_in():
    db = os.path.join(folder, 'new.db')
    run('import', os.path.join(HOME, 'runs.jsonl.gz'), '--db', db)
    out = json.loads(run('eval', 'complete', '--db', db, '--json').stdout.splitlines()[-1])
    assert abs(out['accuracy'] - 0.73) <= SLACK, out


def test_config_means_the_same():
    """The config trains, and is the config of the stored run: the hash of its keys is the same."""
    db = copied('runs.db')
    p = run('train', os.path.join(HOME, 'config.yaml'), '--db', db, '--name', 'again')
    assert 'mho: warning' not in p.stderr.replace('mho: warning: matrix products', ''), p.stderr
    rows = query(db, "SELECT config_hash, final_test_acc FROM run WHERE name IN ('complete', 'again')")
    assert rows[0]['config_hash'] == rows[1]['config_hash'], rows
    assert abs(rows[0]['final_test_acc'] - rows[1]['final_test_acc']) <= SLACK, rows


def test_study_takes_stored_runs():
    """The runs that are there are taken into the study, and none is trained again."""
    db = copied('runs.db')
    p = run('sweep', os.path.join(HOME, 'study.yaml'), '--db', db)
    assert len(query(db, 'SELECT id FROM run')) == 4, p.stdout


def text(*path):
    with open(os.path.join(os.environ['MHO_SOURCE'], *path), encoding='utf-8') as f:
        return f.read()


def test_version():
    """The command, the headers, the build, the list of changes, the citation and the packages name one version."""
    version = run('--version').stdout.split()[1]
    for name, said in (('include/mho/base.h', f'#define MHO_VERSION "{version}"'), ('meson.build', f"version: '{version}'"),
                       ('CITATION.cff', f'\nversion: {version}\n'), ('python/mho/declarations.py', f"VERSION = '{version}'"),
                       ('debian/changelog', f'mho ({version}) ')):
        assert said in text(name), f'{name} does not say {version}'
    assert re.search(r'^## (\d\S*)', text('CHANGELOG.md'), re.M)[1] == version


if __name__ == '__main__':
    main([f for name, f in sorted(globals().items()) if name.startswith('test_')])
