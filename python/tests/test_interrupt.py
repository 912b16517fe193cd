"""Ctrl-C: what has been done is kept, and what goes on from there has the bits of what was never interrupted."""
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time

from support import ANALOG, PACKAGE, Case, main
from test_training import stored, unclocked

import mho

LONG = {**ANALOG, 'train': {'epochs': 6, 'batch': 20, 'seed': 3}, 'network': {'hidden': [128, 64]}}

#: A cell of a notebook that trains; its kernel gets SIGINT.
CELL = '''
import mho, sys
config = {config!r}
try:
    mho.train(config, db='cut.db', on_epoch=lambda e: print('epoch', flush=True))
except KeyboardInterrupt as why:
    assert type(why) is mho.Interrupted, why
    print('stopped', why.run.status, len(why.run.epochs), flush=True)
    print(why, flush=True)
else:
    print('completed', flush=True)
'''


def interrupt_soon(after):
    """SIGINT for this process, as a notebook's button sends it."""
    timer = threading.Timer(after, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return timer


def interrupt_at_once(epoch):
    """SIGINT at the end of the first epoch: for trainings that are over soon."""
    if epoch.epoch == 1:
        os.kill(os.getpid(), signal.SIGINT)


class Interrupt(Case):
    def test_a_run_is_saved_and_goes_on(self):
        whole = mho.train(LONG, db='whole.db')
        child = subprocess.Popen([sys.executable, '-c', CELL.format(config=LONG)], stdout=subprocess.PIPE, text=True,
                                 env={**os.environ, 'PYTHONPATH': PACKAGE})
        child.stdout.readline()
        time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        said = child.communicate(timeout=120)[0]
        self.assertIn('stopped interrupted', said)
        self.assertRegex(said, r"interrupted .* it is stored, go on with mho.resume\('\w+'\)")

        cut = mho.db('cut.db').run()
        self.assertLess(len(cut.epochs), len(whole.epochs))
        run = mho.resume(cut.id, db='cut.db')
        self.assertEqual(run.status, 'completed')
        self.assertEqual(stored('cut.db'), stored('whole.db'))

    def test_in_the_thread_of_a_kernel(self):
        before = signal.getsignal(signal.SIGINT)
        timer = interrupt_soon(0.4)
        with self.assertRaises(mho.Interrupted) as caught:
            mho.train({**LONG, 'train': {'epochs': 500, 'batch': 20}}, db='runs.db')
        timer.join()
        self.assertEqual(signal.getsignal(signal.SIGINT), before)
        self.assertEqual(caught.exception.run.status, 'interrupted')
        batch = sqlite3.connect('runs.db').execute('SELECT batch FROM checkpoint').fetchone()
        self.assertIsNotNone(batch)

    def test_the_command_goes_on_with_a_run_of_python(self):
        with self.assertRaises(mho.Interrupted):
            mho.train(LONG, db='runs.db', on_epoch=interrupt_at_once)
        self.command('train', '--resume', 'last', '--db', 'runs.db')
        mho.train(LONG, db='whole.db')
        self.assertEqual(stored('runs.db'), stored('whole.db'))

    def test_in_memory_training_goes_on(self):
        whole = mho.Network(LONG)
        whole.train()
        network = mho.Network(LONG)
        with self.assertRaises(mho.Interrupted):
            network.train(on_epoch=interrupt_at_once)
        self.assertLess(len(network.epochs), 6)
        network.train()
        self.assertEqual([e.loss for e in network.epochs], [e.loss for e in whole.epochs])
        self.assertEqual(unclocked(network.save()), unclocked(whole.save()))

    def test_a_run_that_python_trains_is_nobody_elses(self):
        child = subprocess.Popen([sys.executable, '-c', CELL.format(config={**LONG, 'train': {'epochs': 500, 'batch': 20}})],
                                 stdout=subprocess.PIPE, text=True, env={**os.environ, 'PYTHONPATH': PACKAGE})
        child.stdout.readline()
        said = self.command('train', '--resume', 'last', '--db', 'cut.db', code=2).stderr
        self.assertIn(f'is being trained by process {child.pid}', said)
        with self.refused(f'is being trained by process {child.pid}'):
            mho.resume('last', db='cut.db')
        child.send_signal(signal.SIGINT)
        self.assertIn('stopped', child.communicate(timeout=120)[0])

    def test_a_solve_stops(self):
        import numpy as np
        g = np.random.default_rng(1).uniform(1e-6, 1e-4, (1500, 1500))
        timer = interrupt_soon(0.2)
        try:
            with self.assertRaises(mho.Interrupted):
                for _ in range(100):
                    mho.solve(g, np.ones((20, 1500)), 1.0, 1.0, method='iterative')
        finally:
            timer.join()

    def test_what_ignores_ctrl_c_goes_on(self):
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            timer = interrupt_soon(0.1)
            self.assertEqual(mho.train(ANALOG, db=None).status, 'completed')
            timer.join()
        finally:
            signal.signal(signal.SIGINT, before)


if __name__ == '__main__':
    main()
