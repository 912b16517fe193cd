#!/usr/bin/env python3
"""bias.py - how far gradients of EP with finite nudges are from the limit of small ones, without noise.

A gradient is the change of the weights by one update of plain SGD from the initial weights, over all training images of the
digits; the limit is centred nudging with a nudge of 1e-3, the difference settled itself. Prints a table: for every stencil,
by its largest nudge, the largest over the hidden connections of |g - g_limit|/|g_limit|, mean over the seeds.
Usage: bias.py MHO FOLDER, a folder for the runs; needs numpy."""
import subprocess
import sys

import numpy

mho, folder = sys.argv[1:3]
STENCILS = [("one-sided", {"phases": "one_sided"}, 1),
            ("centred", {"phases": "centred"}, 1),
            ("4 points", {"phases": "points", "points": 4}, 2),
            ("4 points, order 1", {"phases": "points", "points": 4, "order": 1}, 2),
            ("6 points, order 3", {"phases": "points", "points": 6, "order": 3}, 3),
            ("6 points", {"phases": "points", "points": 6}, 3)]
LARGEST = [0.05, 0.1, 0.2, 0.5, 1, 2]
NETS = {"2 layers": "[32,32]", "5 layers": "[32,32,32,32,32]"}
SEEDS = [1, 2, 3]
RATE = 10.0


def weights(hidden, seed, rate, rule):
    """The weights of all connections after one update, a list of arrays."""
    db, out = f"{folder}/bias.db", f"{folder}/weights"
    words = ["--set", f"network.hidden={hidden}", "--set", "feedback.scale=0.1", "--set", "settle.difference=direct",
             "--set", "settle.free=60", "--set", "settle.nudged=60", "--set", "update.optimizer=sgd",
             "--set", f"update.rate={rate:g}", "--set", "train.batch=1437", "--set", "train.epochs=1"]
    for key, value in rule.items():
        words += ["--set", f"rule.{key}={value}"]
    subprocess.run(["rm", "-rf", db, out], check=True)
    subprocess.run([mho, "train", "--db", db, "--name", "one", "--threads", "1", "--seed", str(seed)] + words, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run([mho, "export", "one", "--db", db, "--weights", out], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    layers = len(hidden.split(","))
    names = ["x-h1"] + [f"h{k}-h{k + 1}" for k in range(1, layers)] + [f"h{layers}-out"]
    return [numpy.load(f"{out}/{name}.w.npy").astype(float) for name in names]


print("| net | stencil | " + " | ".join(f"{v:g}" for v in LARGEST) + " |")
print("|---|---|" + "---|" * len(LARGEST))
for net, hidden in NETS.items():
    start = {seed: weights(hidden, seed, 1e-12, {"phases": "centred"}) for seed in SEEDS}
    limit = {seed: weights(hidden, seed, RATE, {"phases": "centred", "nudge": 1e-3}) for seed in SEEDS}
    for name, rule, multiple in STENCILS:
        row = []
        for largest in LARGEST:
            errors = []
            for seed in SEEDS:
                w = weights(hidden, seed, RATE, dict(rule, nudge=f"{largest / multiple:.6g}"))
                errors.append(max(numpy.linalg.norm(a - b) / numpy.linalg.norm(b - c)
                                  for a, b, c in list(zip(w, limit[seed], start[seed]))[:-1]))
            row.append(f"{numpy.mean(errors):.1e}")
        print(f"| {net} | {name} | " + " | ".join(row) + " |", flush=True)
