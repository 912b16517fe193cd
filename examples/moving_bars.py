"""Moving bars as spikes: python3 examples/moving_bars.py FILE.npz

A bar as long as the picture moves over 8 x 8 pixels in 80 ms: to the right, to the left, down or up, which is its class. A
pixel spikes as the bar comes by, nine times of ten and within some milliseconds; some others do so at random. How often a
pixel spikes tells nothing, only when. Needs NumPy; the same file every time.
"""
import sys

import numpy as np

SIDE, SECONDS, TRAIN, TEST = 8, 80e-3, 400, 100
draw = np.random.default_rng(1)


def bar(direction):
    """Times and pixels of the spikes of one bar."""
    row, column = np.divmod(np.arange(SIDE * SIDE), SIDE)
    way = (column, SIDE - 1 - column, row, SIDE - 1 - row)[direction]
    time = (way + 0.5) / SIDE * SECONDS + draw.normal(0, 2e-3, way.shape)
    seen = draw.random(way.shape) < 0.9
    noise = draw.random(way.shape) < 0.05
    times = np.concatenate([time[seen], draw.uniform(0, SECONDS, noise.sum())])
    pixels = np.concatenate([np.nonzero(seen)[0], np.nonzero(noise)[0]])
    return np.clip(times, 0, SECONDS), pixels


def part(n):
    """Rows time, pixel, sample of n bars, and their classes."""
    classes = draw.integers(0, 4, n)
    rows = [np.stack([t, p, np.full(len(t), s)], 1) for s, (t, p) in enumerate(map(bar, classes))]
    return np.concatenate(rows), classes


x_train, y_train = part(TRAIN)
x_test, y_test = part(TEST)
np.savez_compressed(sys.argv[1], x_train_events=x_train, y_train=y_train, x_test_events=x_test, y_test=y_test)
