"""Studies, whose runs are processes of their own."""
import os
import signal
import threading

from support import SMALL, Case, main

import mho

STUDY = {'study': 'sizes', 'base': {**SMALL, 'train': {'epochs': 1, 'batch': 20}},
         'vary': {'network.hidden': [[8], [16]]}, 'seeds': 2}


class Studies(Case):
    def test_a_study_is_trained_once(self):
        events = []
        result = mho.sweep(STUDY, db='runs.db', jobs=2, on_event=events.append)
        self.assertEqual((result.study, result.total, result.completed, result.failed), ('sizes', 4, 4, 0))
        ended = [e for e in events if e['what'] == 'ended']
        self.assertEqual(sorted((e['sets'], e['seed']) for e in ended),
                         [('hidden=16', 1), ('hidden=16', 2), ('hidden=8', 1), ('hidden=8', 2)])
        self.assertEqual({e['state'] for e in ended}, {'done'})
        self.assertEqual(mho.sweep(STUDY, db='runs.db').present, 4)

        alone = mho.train(STUDY['base'], set={'network.hidden': [8]}, seed=2, db=None)
        db = mho.db('runs.db')
        run = next(e['run'] for e in ended if e['sets'] == 'hidden=8' and e['seed'] == 2)
        self.assertEqual(db.run(run).epochs[0].loss, alone.epochs[0].loss)
        self.assertEqual(len(db.studies()), 2)

    def test_a_wrong_study_raises_the_sentence(self):
        with self.refused('did you mean'):
            mho.sweep({**STUDY, 'vary': {'network.hiden': [[8]]}}, db='runs.db')
        with self.refused('missing.yaml'):
            mho.sweep('missing.yaml', db='runs.db')

    def test_a_file_finds_its_base_beside_it(self):
        os.mkdir('folder')
        with open('folder/base.yaml', 'w', encoding='utf-8') as f:
            f.write('network: {hidden: [8]}\ntrain: {epochs: 1, batch: 20}\n')
        with open('folder/noise.yaml', 'w', encoding='utf-8') as f:
            f.write('base: base.yaml\nvary: {update.rate: [0.001, 0.002]}\n')
        result = mho.sweep('folder/noise.yaml', db='runs.db')
        self.assertEqual((result.study, result.completed), ('noise', 2))

    def test_ctrl_c_keeps_what_is_done(self):
        long = {**STUDY, 'base': {**SMALL, 'train': {'epochs': 2000, 'batch': 20}}, 'seeds': 1}

        def interrupt(event):
            if event['what'] == 'epoch' and not pressed:
                pressed.append(event)
                threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        pressed = []
        with self.assertRaises(mho.Interrupted):
            mho.sweep(long, db='runs.db', jobs=1, on_event=interrupt)
        self.assertEqual({r['status'] for r in mho.db('runs.db').records('SELECT status FROM run')}, {'interrupted'})

    def test_an_error_in_a_callback_ends_it(self):
        def fail(event):
            raise LookupError('nothing found')
        with self.assertRaisesRegex(LookupError, 'nothing found'):
            mho.sweep({**STUDY, 'base': {**SMALL, 'train': {'epochs': 20000, 'batch': 20}}, 'seeds': 1}, db='runs.db', jobs=1,
                      on_event=fail)
        self.assertEqual({r['status'] for r in mho.db('runs.db').records('SELECT status FROM run')}, {'interrupted'})


if __name__ == '__main__':
    main()
