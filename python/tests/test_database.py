"""The run database as frames, stored runs under other conditions, programmed chips, reports."""
import math
import sqlite3
import sys

from support import ANALOG, SMALL, Case, main

import mho


class Databases(Case):
    def test_answers_are_those_of_sqlite(self):
        mho.train(ANALOG, db='runs.db', name='first')
        mho.train(SMALL, db='runs.db', name='second')
        db, plain = mho.db('runs.db'), sqlite3.connect('runs.db')
        for sql in ('SELECT * FROM epoch ORDER BY run_id, epoch', 'SELECT * FROM layer_epoch ORDER BY 1, 2, 3',
                    "SELECT name, NULL AS none, 3 AS three, 2.5 AS real FROM run"):
            cursor = plain.execute(sql)
            names, rows = db.answer(sql)
            self.assertEqual(names, [d[0] for d in cursor.description])
            self.assertEqual([tuple(r) for r in rows], cursor.fetchall())
        self.assertEqual(db.records('SELECT name FROM run WHERE seed = ?1', 3), [{'name': 'first'}])
        with self.refused('only a statement that reads is allowed'):
            db.query('DELETE FROM run')
        with self.refused('nothing.db'):
            mho.db('nothing.db').runs()

    def test_frames(self):
        run = mho.train(SMALL, db='runs.db', name='first')
        db = mho.db('runs.db')
        runs, epochs = db.runs(), db.epochs('first')
        try:
            import pandas
        except ImportError:
            self.assertEqual((runs[0]['name'], len(epochs)), ('first', 2))
            return
        self.assertIsInstance(runs, pandas.DataFrame)
        self.assertEqual(list(runs['name']), ['first'])
        self.assertEqual(list(epochs['test_acc']), [e.test_acc for e in run.epochs])
        self.assertEqual(list(db.layers()['name'].unique()), ['x-h1', 'h1-out'])
        self.assertEqual(len(db.runs('test_acc > ?1', 2)), 0)

    def test_without_pandas_there_are_dicts(self):
        mho.train(SMALL, db='runs.db', name='first')
        before = sys.modules.get('pandas')
        sys.modules['pandas'] = None  # as if it were not installed
        try:
            self.assertEqual(mho.db('runs.db').runs()[0]['name'], 'first')
        finally:
            sys.modules.pop('pandas')
            if before is not None:
                sys.modules['pandas'] = before

    def test_a_stored_run_comes_back(self):
        run = mho.train(ANALOG, db='runs.db', name='first')
        again = mho.db('runs.db').run('first')
        self.assertEqual((again.id, again.name, again.status, again.best_epoch), (run.id, 'first', 'completed', run.best_epoch))
        self.assertEqual([str(e) for e in again.epochs], [str(e) for e in run.epochs])
        self.assertEqual(again.weights('x-h1').tobytes(), run.weights('x-h1').tobytes())
        with self.refused("nothing"):
            mho.db('runs.db').run('nothing')
        with self.assertRaises(AttributeError):
            run.nothing

    def test_it_is_asked_while_a_run_is_trained(self):
        found = []
        mho.train(SMALL, db='runs.db', on_epoch=lambda e: found.append(len(mho.db('runs.db').runs())) and None)
        self.assertEqual(found, [1, 1])

    def test_an_evaluation_is_that_of_the_command(self):
        import json
        drifting = {**ANALOG, 'device': {'model': 'soft_bounds', 'drift': {'law': 'power', 'nu': 0.05}}}
        run = mho.train(drifting, db='runs.db')
        said = json.loads(self.command('eval', 'last', '--db', 'runs.db', '--json', '--draws', '3', '--after', '1d', '--set',
                                       'array.read_noise=0.05').stdout)
        now, later = run.eval(after=[0, '1d'], draws=3, set={'array.read_noise': 0.05})
        for found, told in ((now, said), (later, said['after'][0])):
            self.assertAlmostEqual(found.accuracy, told['accuracy'], places=9)
            self.assertAlmostEqual(found.loss, told['loss'], places=8)
            self.assertAlmostEqual(found.deviation, told['std'], places=9)
        self.assertTrue(math.isnan(run.eval().deviation))
        self.assertEqual(run.eval().accuracy, run.final_test_acc)
        self.assertEqual(run.network.eval(after=86400).loss, run.eval(after='1d').loss)
        self.assertNotEqual(run.eval(after='1d').loss, run.eval().loss)
        with self.refused('device.levels', 'mho program'):
            run.eval(set={'device.levels': 4})
        with self.refused('dataset.validation 0'):
            run.eval('validation')
        kept = mho.train(SMALL, db=None)
        with self.refused('are of stored runs'):
            kept.eval(draws=2)
        self.assertEqual(kept.eval().accuracy, kept.final_test_acc)

    def test_chips_are_those_of_the_command(self):
        import json
        run, told = mho.train(SMALL, db='runs.db', name='first'), []
        onto = {'device.model': 'soft_bounds', 'device.levels': 16}
        chips = run.program(chips=2, set=onto, name='chip', on_chip=told.append)
        words = [w for key, value in onto.items() for w in ('--set', f'{key}={value}')]
        said = [json.loads(line) for line in self.command('program', 'first', '--db', 'runs.db', '--chips', '2', '--json', *words).stdout.splitlines()]
        self.assertEqual(told, chips)
        for chip, line in zip(chips, said):
            self.assertEqual((chip.seed, chip.clipped, len(chip.connections)), (line['seed'], line['clipped'], 2))
            self.assertAlmostEqual(chip.accuracy, line['accuracy'], places=9)
            self.assertAlmostEqual(chip.connections[0].rms, line['connections'][0]['rms'], places=9)
        stored = mho.db('runs.db').run(chips[1].run)
        self.assertEqual((stored.kind, stored.parent, stored.name), ('programmed', run.id, 'chip-2'))
        self.assertEqual(stored.eval().accuracy, chips[1].accuracy)

        run.export('weights')
        from_folder = mho.program('weights', db=None, set=onto, seed=chips[0].seed)
        self.assertEqual((from_folder[0].run, from_folder[0].accuracy), ('', chips[0].accuracy))

    def test_a_report_is_shown_inline(self):
        run = mho.train(ANALOG, db='runs.db', name='first')
        self.command('report', 'first', '--db', 'runs.db', '-o', 'page.html')
        with open('page.html', encoding='utf-8') as f:
            page = f.read()
        self.assertEqual(run.report().html, page)
        run.report().save('own.html')
        with open('own.html', encoding='utf-8') as f:
            self.assertEqual(f.read(), page)
        self.assertTrue(run._repr_html_().startswith('<iframe srcdoc="'))
        self.assertNotIn('<script', run._repr_html_())
        self.assertIsNone(mho.train(SMALL, db=None)._repr_html_())


if __name__ == '__main__':
    main()
