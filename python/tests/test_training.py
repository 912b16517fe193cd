"""Training from Python: the bits of the command, callbacks, errors, what is stored, two threads at once."""
import json
import sqlite3
import threading

from support import ANALOG, SMALL, Case, main

import mho

#: Of a checkpoint: how long its epochs took, and the checksum at its end.
CLOCK, CHECKSUM = slice(112, 120), slice(-8, None)

CONFIGS = {
    'equilibrium': SMALL,
    'analog': ANALOG,
    'backpropagation': {**SMALL, 'rule': {'name': 'bp'}},
    'sweep': {**SMALL, 'settle': {'method': 'sweep'}, 'update': {'optimizer': 'adam', 'rate': 1e-3}},
    'pulses': {**SMALL, 'device': {'model': 'linear', 'mapping': 'reference'}, 'update': {'scheme': 'stochastic'}},
    'tiki_taka': {**SMALL, 'device': 'soft_bounds', 'update': {'scheme': 'tiki_taka'}},
    'wires': {**ANALOG, 'array': {'wire': {'r_word': '2 ohm', 'r_bit': '2 ohm'}}},
}


def stored(path):
    """Epochs and the last checkpoint of the newest run, without their times."""
    db = sqlite3.connect(path)
    run = db.execute('SELECT max(id) FROM run').fetchone()[0]
    epochs = db.execute('SELECT epoch, loss, train_acc, test_acc, pulses, reads, energy_j FROM epoch WHERE run_id = ? '
                        'ORDER BY epoch', (run,)).fetchall()
    blob = bytearray(db.execute("SELECT data FROM checkpoint WHERE kind = 'last' AND run_id = ?", (run,)).fetchone()[0])
    return epochs, unclocked(blob)


def unclocked(blob):
    blob = bytearray(blob)
    blob[CLOCK] = blob[CHECKSUM] = bytes(8)
    return bytes(blob)


class Training(Case):
    def same_bits(self, name):
        config = CONFIGS[name]
        with open('config.yaml', 'w', encoding='utf-8') as f:
            json.dump(config, f)
        self.command('train', 'config.yaml', '--db', f'{name}-command.db', '--threads', '1')
        run = mho.train(config, db=f'{name}.db', threads=2)
        in_memory = mho.train(config, db=None, threads=1)

        epochs, state = stored(f'{name}-command.db')
        self.assertEqual(stored(f'{name}.db'), (epochs, state))
        self.assertEqual([e.test_acc for e in run.epochs], [e[3] for e in epochs])
        self.assertEqual([e.loss for e in in_memory.epochs], [e[1] for e in epochs])
        for connection in in_memory.connections:
            self.assertEqual(in_memory.weights(connection).tobytes(), run.weights(connection).tobytes())

    def test_the_bits_are_those_of_the_command(self):
        for name in CONFIGS:
            with self.subTest(name):
                self.same_bits(name)

    def test_a_config_is_a_dict_a_text_or_a_file(self):
        with open('small.yaml', 'w', encoding='utf-8') as f:
            f.write('network: {hidden: [16]}\ntrain: {epochs: 2, batch: 20}\n')
        dicts = mho.Experiment(SMALL).dict()
        self.assertEqual(mho.Experiment('small.yaml').dict(), dicts)
        self.assertEqual(mho.Experiment('network: {hidden: [16]}\ntrain: {epochs: 2, batch: 20}').dict(), dicts)
        changed = mho.Experiment(SMALL, set={'train.epochs': 5, 'network.hidden': [8, 4]}, seed=7).dict()
        self.assertEqual((changed['train']['epochs'], changed['train']['seed'], changed['network']['hidden']), (5, 7, [8, 4]))
        self.assertEqual(mho.Experiment().dict()['dataset']['name'], 'digits')

    def test_numbers_of_numpy_are_numbers(self):
        import numpy as np
        config = {'network': {'hidden': np.array([16])}, 'update': {'rate': np.float64(1e-5)}, 'train.epochs': np.int64(2)}
        self.assertEqual(mho.Experiment(config).dict()['update']['rate'], 1e-5)

    def test_a_wrong_key_raises_the_sentence_of_the_command(self):
        for config, says in (({'train': {'epoch': 3}}, 'did you mean train.epochs?'),
                             ({'device': {'model': 'soft_bounds', 'g_min': '5 V'}}, 'device.g_min'),
                             ({'train': {'batch': 0}}, 'train.batch')):
            with self.refused(says) as caught:
                mho.train(config, db=None)
            with open('wrong.yaml', 'w', encoding='utf-8') as f:
                json.dump(config, f)
            said = self.command('train', 'wrong.yaml', '--no-db', code=2).stderr
            self.assertIn(caught.error.sentence, said)
            self.assertEqual((caught.error.code, caught.error.file), ('ECONFIG', ''))
        with self.refused('wrong.yaml:1: '):
            mho.Experiment('wrong.yaml')
        with self.refused('missing.yaml'):
            mho.Experiment('missing.yaml')

    def test_a_key_without_effect_is_said_or_refused(self):
        idle = {**SMALL, 'device': {'stuck_on': 0.1}}
        with self.assertWarnsRegex(mho.IdleKeyWarning, 'device.stuck_on: '):
            mho.Experiment(idle)
        with self.refused('device.stuck_on'):
            mho.Experiment(idle, strict=True)

    def test_epochs_are_told_and_may_end_it(self):
        told = []
        config = {**SMALL, 'train': {'epochs': 4, 'batch': 20}}
        run = mho.train(config, db='runs.db', on_epoch=lambda e: told.append(e) or e.epoch == 2)
        self.assertEqual([e.epoch for e in told], [1, 2])
        self.assertEqual((run.status, len(run.epochs), run.error), ('interrupted', 2, 'on_epoch ended it'))
        self.assertEqual(run.epochs[1].loss, told[1].loss)
        kept = mho.train(config, db=None, on_epoch=lambda e: e.epoch == 2)
        self.assertEqual((kept.status, len(kept.epochs)), ('interrupted', 2))

    def test_callbacks_run_in_the_callers_thread(self):
        threads = []
        for db in ('runs.db', None):
            mho.train(SMALL, db=db, on_epoch=lambda e: threads.append(threading.current_thread()) and None)
        self.assertEqual(set(threads), {threading.current_thread()})

    def test_an_error_in_a_callback_ends_the_run_stored(self):
        def fail(epoch):
            raise LookupError('nothing found')
        for db in ('runs.db', None):
            with self.assertRaisesRegex(LookupError, 'nothing found'):
                mho.train({**SMALL, 'train': {'epochs': 50, 'batch': 20}}, db=db, on_epoch=fail)
        run = mho.db('runs.db').run()
        self.assertEqual((run.status, len(run.epochs)), ('interrupted', 1))
        self.assertIn('LookupError: nothing found', run.error)

    def test_a_run_that_diverges_raises_and_is_stored(self):
        config = {**SMALL, 'network': {'hidden': [16, 16], 'neuron': 'linear'}, 'update': {'rate': 1000, 'optimizer': 'sgd'}, 'rule': 'bp'}
        with self.refused('the loss is no longer finite in epoch 1') as caught:
            mho.train(config, db='runs.db')
        self.assertEqual((caught.error.code, caught.error.run.status), ('EDIVERGED', 'diverged'))
        self.assertIn('diverged, 0 epochs', repr(mho.db('runs.db').run()))

    def test_what_is_in_memory_is_what_is_stored(self):
        run, kept = mho.train(ANALOG, db='runs.db'), mho.train(ANALOG, db=None)
        for word in ('status', 'best_epoch', 'final_test_acc', 'best_test_acc', 'train_acc'):
            self.assertEqual(getattr(run, word), getattr(kept, word), word)
        self.assertEqual(unclocked(run.network.save()), unclocked(kept.network.save()))

    def test_a_run_starts_from_another(self):
        first = mho.train(SMALL, db='runs.db', name='first')
        second = mho.train({**SMALL, 'train': {'epochs': 1, 'batch': 20}}, db='runs.db', start='first')
        self.assertGreater(second.epochs[0].train_acc, first.epochs[0].train_acc + 0.1)
        first.export('weights')
        third = mho.train({**SMALL, 'train': {'epochs': 1, 'batch': 20}}, db=None, start='weights')
        self.assertEqual(third.epochs[0].loss, second.epochs[0].loss)
        with self.refused("'nothing' is no folder"):
            mho.train(SMALL, db=None, start='nothing')

    def test_two_threads_train_at_once(self):
        alone = {seed: mho.train(ANALOG, db=None, seed=seed, threads=1).epochs for seed in (1, 2)}
        found = {}

        def train(seed, db):
            found[seed, db] = mho.train(ANALOG, db=db, seed=seed, threads=1).epochs
        threads = [threading.Thread(target=train, args=(seed, db)) for seed in alone for db in (None, 'runs.db')]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for (seed, db), epochs in found.items():
            self.assertEqual([e.loss for e in epochs], [e.loss for e in alone[seed]], (seed, db))
        self.assertEqual(len(found), 4)
        self.assertEqual([r['status'] for r in mho.db('runs.db').records('SELECT status FROM run')], ['completed'] * 2)

    def test_a_bar_moves_with_the_batches(self):
        from mho import context, progress
        moved = []

        class Tqdm:
            n, closed = 0, False

            def update(self, by):
                self.n += by
                moved.append(self.n)

            def set_postfix_str(self, text, refresh):
                self.text = text

            def close(self):
                self.closed = True

        tqdm, before = Tqdm(), (progress.new_tqdm, context.INTERVAL)
        progress.new_tqdm, context.INTERVAL = lambda total, unit='epoch': tqdm, 1e-4
        try:
            run = mho.train({**SMALL, 'network': {'hidden': [256, 256]}}, db='runs.db', progress=True)
        finally:
            progress.new_tqdm, context.INTERVAL = before
        self.assertEqual((moved[0], moved[-1], tqdm.closed), (0, 2, True))
        self.assertEqual(sorted(moved), moved)
        within = [n for n in moved if n != int(n)]
        self.assertGreater(len(within), 3)
        self.assertEqual(tqdm.text, f'test {100 * run.epochs[1].test_acc:.2f} %')


if __name__ == '__main__':
    main()
