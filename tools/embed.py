#!/usr/bin/env python3
"""Text files as C strings: embed.py OUTPUT FILE...

FILE becomes `static const char NAME[]`, where NAME is the file's name with _ for what is no letter
or digit: 0002_energy.sql is energy_sql (leading digits and _ are left out). The output is included
by the one C file that uses the strings.
"""
import os
import re
import sys


def name_of(path):
    return re.sub(r'\W', '_', os.path.basename(path)).lstrip('0123456789_')


def literal(line):
    """A line as a C string; no two ? in a row, which could be read as a trigraph."""
    escaped = line.replace('\\', '\\\\').replace('"', '\\"').replace('?', '\\?')
    return f'    "{escaped}\\n"'


def main(output, *paths):
    with open(output, 'w', encoding='utf-8') as out:
        for path in paths:
            with open(path, encoding='utf-8') as f:
                lines = '\n'.join(literal(line) for line in f.read().rstrip('\n').split('\n'))
            out.write(f'/* {os.path.basename(path)} */\nstatic const char {name_of(path)}[] =\n{lines};\n\n')


if __name__ == '__main__':
    main(*sys.argv[1:])
