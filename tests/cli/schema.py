"""docs/schema.md says what src/store/schema.sql does, and its worked queries answer something."""
import os
import re
import subprocess

from mho import lines, main, run, write

TOP = os.environ['MHO_SOURCE']


def text(name):
    with open(os.path.join(TOP, name), encoding='utf-8') as f:
        return f.read()


def test_up_to_date():
    made = subprocess.run(['python3', os.path.join(TOP, 'tools', 'schema_doc.py')], capture_output=True, text=True, check=True).stdout
    assert made == text('docs/schema.md'), 'run: python3 tools/schema_doc.py > docs/schema.md'


def test_complete():
    page = text('docs/schema.md')
    for table in lines('query', "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'", '--json', '--db', 'q.db'):
        part = page[page.index(f'### {table["name"]}\n'):].split('\n### ')[0].split('\n## ')[0]
        for c in lines('query', f'SELECT name FROM pragma_table_xinfo(\'{table["name"]}\')', '--json', '--db', 'q.db'):
            assert f'| `{c["name"]}` |' in part, (table, c)


def test_queries():
    queries = re.findall(r'^-- (\d+)\. (.*?)\n(.*?;)\n', text('docs/queries.sql') + '\n', flags=re.M | re.S)
    assert [int(q[0]) for q in queries] == list(range(1, 11))
    for number, question, sql in queries:
        rows = lines('query', sql, '--json', '--db', 'q.db')
        assert rows, f'{number}. {question}: no rows'


write('noise.yaml', """study: noise
base:
  network: {hidden: [16]}
  device: {model: soft_bounds, cycle_to_cycle: 0.3, variation: {step: 0.2, g_low: 0.1}}
  update: {scheme: pulses, rate: 0.01}
  train: {epochs: 4, batch: 20}
vary:
  array.read_noise: [5e-4, 5e-3]
  device.step_up, device.step_down: [0.002, 0.02]
seeds: 2
""")
run('sweep', 'noise.yaml', '--db', 'q.db', '--jobs', '1')
main([test_up_to_date, test_complete, test_queries])
