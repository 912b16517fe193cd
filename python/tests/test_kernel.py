"""In a real kernel of Jupyter, spoken to as a notebook does: the bar moves, the stop button saves, ngspice is spawned."""
import sqlite3
import unittest

from support import Case, main
from test_training import stored

import mho

try:
    import ipykernel
    from jupyter_client.manager import start_new_kernel
    MISSING = None
except ImportError as why:
    MISSING = f'no kernel is started: {why}'

LONG = {'network': {'hidden': [128, 64]}, 'train': {'epochs': 6, 'batch': 20, 'seed': 3},
        'device': {'model': 'soft_bounds', 'cycle_to_cycle': 0.3}, 'update': {'scheme': 'accumulate'}}
MINUTES = 600  # s, after which a kernel that does not answer has failed

#: Names of the commands of this process's children, as long as it is entered.
CHILDREN = '''
import glob, os, threading

class Children:
    def __enter__(self):
        self.seen, self.done = set(), threading.Event()
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def look(self):
        while not self.done.wait(0.002):
            for path in glob.glob('/proc/[0-9]*/stat'):
                try:
                    with open(path) as f:
                        is_child = f.read().rpartition(')')[2].split()[1] == str(os.getpid())
                    with open(path.replace('stat', 'cmdline')) as f:
                        words = f.read()
                except OSError:
                    continue
                if is_child:
                    self.seen.add(words)

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
'''


class Said:
    """What a kernel has sent of a cell."""

    def __init__(self, cell):
        self.cell, self.text, self.messages, self.error = cell, '', [], None

    def take(self, message):
        if message['parent_header'].get('msg_id') != self.cell:
            return
        self.messages.append(message)
        content = message['content']
        if message['msg_type'] == 'stream':
            self.text += content['text']
        if message['msg_type'] == 'error':
            self.error = (content['ename'], content['evalue'])

    def is_idle(self):
        return any(m['msg_type'] == 'status' and m['content']['execution_state'] == 'idle' for m in self.messages)


@unittest.skipIf(MISSING is not None, MISSING or '')
class Kernel(Case):
    def setUp(self):
        super().setUp()
        self.manager, self.client = start_new_kernel(kernel_name='python3', cwd=self.folder)
        self.addCleanup(self.manager.shutdown_kernel, now=True)
        self.addCleanup(self.client.stop_channels)
        self.run_cell('import mho')

    def begin(self, source):
        """A cell whose error does not abort those that follow within a tenth of a second."""
        return Said(self.client.execute(source, store_history=False, stop_on_error=False))

    def until(self, is_enough, said):
        """Take what the kernel sends, until that."""
        while not is_enough(said):
            said.take(self.client.get_iopub_msg(timeout=MINUTES))
        return said

    def run_cell(self, source):
        said = self.until(Said.is_idle, self.begin(source))
        self.assertIsNone(said.error, said.text)
        return said

    def stopped(self, source):
        """What a cell says whose stop button is pressed when it has said 'epoch'."""
        said = self.until(lambda s: 'epoch' in s.text, self.begin(source))
        self.manager.interrupt_kernel()
        return self.until(Said.is_idle, said)

    # ------------------------------------------------------------ bars

    def test_a_bar_moves(self):
        has_widgets = 'True' in self.run_cell('from mho.progress import has_widgets\nprint(has_widgets())').text
        said = self.run_cell(f'run = mho.train({LONG!r}, db=None)')
        if has_widgets:
            shown = [m['content']['data'] for m in said.messages if m['msg_type'] == 'display_data']
            self.assertIn('application/vnd.jupyter.widget-view+json', shown[0])
            values = [m['content']['data'].get('state', {}).get('value') for m in said.messages if m['msg_type'] == 'comm_msg']
            self.assertIn(6, values)
        else:
            self.assertIn('100%', said.text)
            self.assertRegex(said.text, r'6\.0/6 .*test \d\d\.\d\d %')
            self.assertGreater(said.text.count('\r'), 1)
        self.assertEqual(self.run_cell(f'mho.train({LONG!r}, db=None, progress=False);').text, '')

    def test_a_bar_of_a_study(self):
        study = {'study': 's', 'base': {'network': {'hidden': [8]}, 'train': {'epochs': 1}}, 'seeds': 3}
        said = self.run_cell(f'print(mho.sweep({study!r}, db="runs.db", jobs=2).completed)')
        self.assertIn('3\n', said.text)
        self.assertTrue('3.0/3' in said.text or any(m['msg_type'] == 'comm_msg' for m in said.messages), said.text)

    # ------------------------------------------------------------ the stop button

    def test_a_stopped_run_is_saved_and_goes_on(self):
        cell = f"mho.train({LONG!r}, db='cut.db', on_epoch=lambda e: print('epoch', flush=True), progress=False)"
        said = self.stopped(cell)
        self.assertEqual(said.error[0], 'Interrupted')
        self.assertRegex(said.error[1], r"it is stored, go on with mho.resume\('\w+'\)")
        cut = mho.db('cut.db').run()
        self.assertEqual(cut.status, 'interrupted')
        self.assertLess(len(cut.epochs), 6)

        self.assertIn('completed', self.run_cell("print(mho.resume('last', db='cut.db', progress=False).status)").text)
        mho.train(LONG, db='whole.db')
        self.assertEqual(stored('cut.db'), stored('whole.db'))

    def test_a_run_in_memory_goes_on(self):
        self.run_cell(f'network = mho.Network({LONG!r})')
        said = self.stopped("network.train(on_epoch=lambda e: print('epoch', flush=True), progress=False)")
        self.assertEqual(said.error[0], 'Interrupted')
        losses = self.run_cell('network.train(progress=False)\nprint(*[e.loss.hex() for e in network.epochs])').text.split()
        whole = mho.Network(LONG)
        whole.train()
        self.assertEqual(losses, [e.loss.hex() for e in whole.epochs])

    def test_a_stopped_study_goes_on(self):
        study = {'study': 's', 'base': {**LONG, 'train': {'epochs': 4, 'batch': 20}}, 'seeds': 4}
        cell = f"print(mho.sweep({study!r}, db='runs.db', jobs=1, progress=False, on_event=lambda e: print('epoch' * (e['what'] == 'epoch'))))"
        said = self.stopped(cell)
        self.assertEqual(said.error[0], 'Interrupted')
        again = self.run_cell(cell)
        self.assertRegex(again.text, r'total=4, .*failed=0, cut=0')
        statuses = sqlite3.connect('runs.db').execute('SELECT status, count(*) FROM run GROUP BY status').fetchall()
        self.assertEqual(statuses, [('completed', 4)])

    # ------------------------------------------------------------ ngspice

    def test_ngspice_is_a_process_of_its_own(self):
        self.run_cell(CHILDREN)
        said = self.run_cell("""
network = mho.Network({'network': {'hidden': [8]}, 'device': 'linear', 'update': {'scheme': 'accumulate'}})
with Children() as children:
    checked = mho.netlist_check(network.netlist('h1-out'))
print(checked.passed, any('mho.spice_child' in words for words in children.seen))
print(all(c.passed for c in network.cosim('h1-out', vectors=1)))
""")
        self.assertEqual(said.text.split(), ['True', 'True', 'True'])


if __name__ == '__main__':
    main()
