"""A noisy sine, for run.sh: y = sin x + noise with x uniform in -pi to pi, 400 rows to learn from and 2000 to test.
Usage: make_sine.py FOLDER SEED..."""
import math
import os
import random
import sys

NOISE = 0.1

for seed in map(int, sys.argv[2:]):
    draw = random.Random(seed)
    folder = os.path.join(sys.argv[1], str(seed))
    os.makedirs(folder, exist_ok=True)
    for name, rows in ('train', 400), ('test', 2000):
        with open(os.path.join(folder, name + '.csv'), 'w', encoding='utf-8') as f:
            f.write('x,y\n')
            for _ in range(rows):
                x = draw.uniform(-math.pi, math.pi)
                f.write(f'{x:.6f},{math.sin(x) + draw.gauss(0, NOISE):.6f}\n')
