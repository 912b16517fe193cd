"""The notebooks of examples/notebooks in a real kernel: each runs from top to end, and has found what it says."""
import glob
import json
import os
import re
import unittest

from support import SOURCE, Case, main

try:
    import ipykernel
    import matplotlib
    import nbclient
    import nbformat
    import pandas
    MISSING = None
except ImportError as why:
    MISSING = f'no notebook is run: {why}'

try:
    import torch
except ImportError:
    torch = None

FOLDER = os.path.join(SOURCE, 'examples', 'notebooks')

#: What must hold at the end of each, in its kernel. Accuracies are far above chance (10 %), of one seed: smoke tests.
FOUND = {
    'own_device': '''
within = (table.low <= table.known) & (table.known <= table.high)
assert within.sum() >= 3, table
assert runs['my device'].final_test_acc > 0.7 and runs['numbers'].final_test_acc > 0.7, runs
assert set(found) == set(changes) and all(len(a) == 3 for a in found.values())
assert [r['name'] for r in mho.db('notebook.db').records('SELECT name FROM run ORDER BY id')] == ['numbers', 'mine']
''',
    'pytorch_card': '''
assert difference < 1e-6, difference
assert len(aging) == 36 and aging.accuracy.min() > 50, aging
assert 0 < abs(chip.effective('x-h1')).sum() < 0.9 * abs(written).sum()
assert abs(accuracy() - 100 * after_a_month) < 1e-9
''',
    'study': '''
assert len(runs) == 32 and len(points) == 8 and (points['count'] == 4).all(), points
stored = db.studies().sort_values('test_acc_mean').test_acc_mean
assert abs(100 * stored.to_numpy() - points['mean'].sort_values().to_numpy()).max() < 1e-9
assert mho.sweep(study, db='notebook.db', progress=False).present == 32
assert asked[0].accuracy == best.final_test_acc > asked[-1].accuracy
''',
}


def path_of(name):
    return os.path.join(FOLDER, f'{name}.ipynb')


class AsCommitted(Case):
    def test_every_notebook_is_known(self):
        names = {os.path.basename(p).removesuffix('.ipynb') for p in glob.glob(path_of('*'))}
        self.assertEqual(names, set(FOUND))

    def test_without_outputs(self):
        for name in FOUND:
            with open(path_of(name), encoding='utf-8') as f:
                text = f.read()
            notebook = json.loads(text)
            self.assertEqual((notebook['nbformat'], notebook['metadata']['kernelspec']['name']), (4, 'python3'))
            for cell in notebook['cells']:
                if cell['cell_type'] == 'code':
                    self.assertEqual((cell['outputs'], cell['execution_count']), ([], None), name)
            again = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + '\n'
            self.assertEqual(text, again, f'{name}: not as nbformat writes it')

    def test_links_lead_somewhere(self):
        followed = 0
        for name in FOUND:
            with open(path_of(name), encoding='utf-8') as f:
                for target in re.findall(r'\]\(([^)]+)\)', f.read()):
                    self.assertTrue(os.path.exists(os.path.join(FOLDER, target)), f'{name}: {target}')
                    followed += 1
        self.assertGreater(followed, 3)


@unittest.skipIf(MISSING is not None, MISSING or '')
class InAKernel(Case):
    def executed(self, name, *more, first=None):
        """A notebook, or its first cells, with further ones, run in this test's folder."""
        notebook = nbformat.read(path_of(name), 4)
        notebook.cells = notebook.cells[:first] + [nbformat.v4.new_code_cell(source) for source in more]
        client = nbclient.NotebookClient(notebook, timeout=600, kernel_name='python3',
                                         resources={'metadata': {'path': self.folder}})
        client.execute()
        return notebook

    def outputs(self, notebook, kind):
        return [o.data[kind] for cell in notebook.cells if cell.cell_type == 'code'
                for o in cell.outputs if kind in o.get('data', {})]

    def test_own_device(self):
        notebook = self.executed('own_device', FOUND['own_device'])
        self.assertEqual(len(self.outputs(notebook, 'image/png')), 3)

    @unittest.skipIf(torch is None, 'PyTorch is not here')
    def test_pytorch_card(self):
        notebook = self.executed('pytorch_card', FOUND['pytorch_card'])
        self.assertEqual(len(self.outputs(notebook, 'image/png')), 2)

    def test_study(self):
        notebook = self.executed('study', FOUND['study'])
        self.assertEqual(len(self.outputs(notebook, 'image/png')), 1)
        self.assertIn('<iframe srcdoc=', self.outputs(notebook, 'text/html')[-1])

    def test_what_fails_is_seen(self):
        with self.assertRaises(nbclient.exceptions.CellExecutionError):
            self.executed('study', 'assert mho.__version__ == "0.0.1"', first=3)


if __name__ == '__main__':
    main()
