#!/usr/bin/env python3
"""Weights to start from, normal around a mean with a relative spread, cut at 0 and 1, as a folder for mho train --from.

Usage: results/spiking/start_weights.py FOLDER SPREAD SEED [MEAN] [ROWS COLUMNS]
"""
import json
import os
import sys

import numpy

folder, spread, seed = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
mean = float(sys.argv[4]) if len(sys.argv) > 4 else 0.5
shape = tuple(int(v) for v in sys.argv[5:7]) if len(sys.argv) > 6 else (784, 300)
w = numpy.random.default_rng(seed).normal(mean, spread * mean, shape).clip(0, 1).astype(numpy.float64)
os.makedirs(folder, exist_ok=True)
numpy.save(os.path.join(folder, 'x-h1.w.npy'), w)
# the device whose weights these are, so that a weight of 1 stays the largest that cells hold (w_max)
device = {'model': 'exp_step', 'card': '', 'mapping': 'single', 'g_min': 1e-6, 'g_max': 1e-4, 'weight_range': 3.0, 'start': 0.5,
          'zero_shift': False, 'zero_error': 0.0, 'chip': 1.0}
matrices = [{'name': 'x-h1', 'rows': shape[0], 'cols': shape[1], 'w_max': 1.0}]
with open(os.path.join(folder, 'weights.json'), 'w', encoding='utf-8') as f:
    json.dump({'mho': 'weights', 'version': 1, 'device': device, 'matrices': matrices}, f, indent=1)
