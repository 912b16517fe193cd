#!/usr/bin/env python3
"""digits_split.py - the 8x8 digits as the independent run of CSDP's published program cuts them: 1078 images to train on, 359
to validate on (and 360 that it leaves alone), stratified, pixels over 16. Writes train.csv and test.csv into a folder.
Usage: results/spiking/digits_split.py FOLDER"""
import pathlib
import sys

import numpy
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
digits = load_digits()
train, rest = train_test_split(numpy.arange(len(digits.target)), test_size=0.4, random_state=271890601, stratify=digits.target)
validate, _ = train_test_split(rest, test_size=0.5, random_state=271890602, stratify=digits.target[rest])
for name, rows in ('train', train), ('test', validate):
    table = numpy.column_stack([digits.data[rows] / 16, digits.target[rows]])
    numpy.savetxt(folder / f'{name}.csv', table, fmt='%.4g', delimiter=',')
