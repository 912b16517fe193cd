#!/usr/bin/env python3
"""Weights that a deep network of resistors can begin with: a folder for train.from.

  PYTHONPATH=python results/resistive/deep_start.py SEED FOLDER

1568 and ten layers of 64 nodes. Conductances that are drawn alike average over 64 nodes of one sign: what differs between two
images shrinks to 0.15 of it in every layer, and behind five of them all that is left are the sums of both halves. So here a
node is joined with the one of its own number in the next layer by 0.5, with the others by what is drawn in +-0.002 and not
below 0; the first and the last connection are mho's own.
"""
import sys

import numpy as np

import mho

LAYERS, NODES, STRONG, WEAK = 10, 64, 0.5, 0.002


def main():
    seed, folder = int(sys.argv[1]), sys.argv[2]
    network = mho.Network({'dynamics': 'resistive', 'dataset': {'name': 'mnist', 'train': 100, 'test': 100},
                           'network': {'hidden': [NODES] * LAYERS}}, seed=seed, threads=1)
    draw = np.random.default_rng(seed)
    for name in list(network.connections)[1:-1]:
        g = network.weights(name)
        g[:NODES] = WEAK * np.maximum(draw.uniform(-1, 1, (NODES, NODES)), 0) + STRONG * np.eye(NODES)
        network.set_weights(name, g)
    network.export(folder)


if __name__ == '__main__':
    main()
