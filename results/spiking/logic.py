#!/usr/bin/env python3
"""logic.py - AND, OR and XOR as rates: 0.15 for 0, 0.75 for 1, and a third line of 0.5; ten times each pattern to train on, each
once to test. Writes FOLDER/and, FOLDER/or, FOLDER/xor with train.csv and test.csv. Usage: results/spiking/logic.py FOLDER"""
import pathlib
import sys

FUNCTIONS = {'and': lambda a, b: a & b, 'or': lambda a, b: a | b, 'xor': lambda a, b: a ^ b}
RATE = {0: 0.15, 1: 0.75}

for name, function in FUNCTIONS.items():
    folder = pathlib.Path(sys.argv[1]) / name
    folder.mkdir(parents=True, exist_ok=True)
    rows = ''.join(f'{RATE[a]},{RATE[b]},0.5,{function(a, b)}\n' for a in (0, 1) for b in (0, 1))
    (folder / 'train.csv').write_text(10 * rows)
    (folder / 'test.csv').write_text(rows)
