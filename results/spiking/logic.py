#!/usr/bin/env python3
"""logic.py - AND, OR and XOR as rates: 0.15 for 0, 0.75 for 1, and 0.5 beside them, on LINES lines each. To train on 240 samples,
of all four patterns as many, or with --equal of both classes as many; to test every pattern 25 times. Writes FOLDER/and,
FOLDER/or, FOLDER/xor with train.csv and test.csv. Usage: results/spiking/logic.py FOLDER [LINES [--equal]], LINES: 4"""
import pathlib
import sys

FUNCTIONS = {'and': lambda a, b: a & b, 'or': lambda a, b: a | b, 'xor': lambda a, b: a ^ b}
PATTERNS = [(a, b) for a in (0, 1) for b in (0, 1)]
RATE = {0: 0.15, 1: 0.75}
SAMPLES = 240

folder = pathlib.Path(sys.argv[1])
lines = int(sys.argv[2]) if len(sys.argv) > 2 else 4
has_equal_classes = '--equal' in sys.argv

for name, function in FUNCTIONS.items():
    label = {pattern: function(*pattern) for pattern in PATTERNS}

    def row(pattern):
        rates = [RATE[pattern[0]]] * lines + [RATE[pattern[1]]] * lines + [0.5] * lines
        return ','.join(str(rate) for rate in rates) + f',{label[pattern]}\n'

    def times(pattern):
        of_class = list(label.values()).count(label[pattern])
        return SAMPLES // 2 // of_class if has_equal_classes else SAMPLES // 4

    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / 'train.csv').write_text(''.join(row(p) * times(p) for p in PATTERNS))
    (folder / name / 'test.csv').write_text(''.join(row(p) for p in PATTERNS) * 25)
