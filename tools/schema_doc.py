"""Writes docs/schema.md: the tables and views of src/store/schema.sql with the meaning of every column, and the worked queries
of docs/queries.sql. Usage: python3 tools/schema_doc.py > docs/schema.md"""
import os
import re

top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def read(name):
    with open(os.path.join(top, name), encoding='utf-8') as f:
        return f.read()


def cell(text):
    return text.strip().replace('|', '\\|')


def table(name, body, note, copied):
    """A table's columns: name, type, meaning (the comment behind it and the comment lines that follow)."""
    lines = [f'### {name}', '']
    if note:
        lines += [note[0].upper() + note[1:] + '.', '']
    lines += ['| column | type | meaning |', '|---|---|---|']
    rows, keys = [], []
    for line in body.splitlines():
        column = re.match(r'  (\w+)\s+(TEXT|INTEGER|REAL|BLOB|ANY)\b(.*?)(?:\s--\s(.*))?$', line)
        if column:
            kind = column[2] + (', not null' if 'NOT NULL' in column[3] else '')
            parent = re.search(r'REFERENCES (\w+)', column[3])
            words = re.search(r' IN \((.*?)\)', column[3])
            meaning = column[4] or (f'of the {parent[1]}' if parent else words[1].replace("'", '') if words else '')
            if name == 'run' and column[1] in copied:
                meaning = f'config key {copied[column[1]]}' + (f': {meaning}' if meaning else '')
            rows.append([column[1], kind + (', key' if 'PRIMARY KEY' in column[3] else ''), meaning])
        elif re.match(r'\s+(PRIMARY KEY|UNIQUE) \(', line):
            keys.append(line.strip().rstrip(','))
        elif rows and (more := re.search(r'CHECK .*--\s*(.*)$', line)):
            rows[-1][2] = more[1]
    lines += [f'| `{n}` | {k} | {cell(m)} |' for n, k, m in rows]
    return lines + [''] + ([', '.join(keys) + '.', ''] if keys else [])


def main():
    schema = read('src/store/schema.sql')
    version = re.search(r'user_version = (\d+)', schema)[1]
    copied = dict(re.findall(r"(\w+) = json_extract\(new.config, '\$\.([^']*)'\)", schema))
    out = ['# The run database', '',
           '<!-- written by: python3 tools/schema_doc.py > docs/schema.md -->', '',
           f'One SQLite file, schema {version}; any tool that opens SQLite reads it. `mho db schema` prints the SQL with all its '
           'comments, `mho query` asks read-only questions. Dates are ISO 8601 UTC text, accuracies and fractions 0 to 1, quantities '
           'in SI units. NULL: not known (yet), or not asked for.', '', '## Tables', '']
    for name, note, body in re.findall(r'^CREATE TABLE (\w+) \((?: -- ([^\n]*))?\n(.*?)^\) STRICT', schema, flags=re.M | re.S):
        out += table(name, body, note, copied)
    out += ['## Views', '',
            '`v_run` is a run and its config\'s main keys, one row a run; `test_acc` is short for `final_test_acc`. Conditions of '
            '`mho runs --where` are on its columns.', '']
    out += ['`v_study` has one row a grid point, that is of the runs that differ in nothing but seeds, in each study they belong to '
            '(`study` is NULL for those in none): `n` completed runs, their mean and sample standard deviation, and beside them how '
            'many diverged or are unfinished.', '', '```sql']
    views = schema[schema.index('CREATE VIEW v_run'):schema.index('CREATE VIEW v_study')]
    out += [re.sub(r'\n-- One row a grid point.*', '', views, flags=re.S).strip(), '```', '', '## Ten questions of a design study', '']
    head, *queries = re.split(r'^-- (?=\d+\. )', read('docs/queries.sql'), flags=re.M)
    out += [re.sub(r'^-- ?', '', head, flags=re.M).strip(), '']
    for q in queries:
        question, sql = q.split('\n', 1)
        out += [question, '', '```sql', sql.strip(), '```', '']
    print('\n'.join(out).rstrip())


main()
