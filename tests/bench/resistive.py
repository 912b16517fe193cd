"""Networks of resistors against ngspice, SciPy and the bytes they have to move, in one run.

  PYTHONPATH=python /usr/bin/python3 tests/bench/resistive.py build/mho [--images 6000] [--samples 3] [--threads 1 2] [--net 1H]

XS (1568-100-10) is trained on some images of MNIST. Test images are then brought to rest by mho (one thread, batches of
4), by two ways of SciPy (the convex program by L-BFGS-B with bounds, and Cholesky factors of the nodes whose diodes do not
conduct, until no diode switches), and by .op of ngspice, reading the netlist not counted: seconds of a processor. All have
to agree.

Then 1H (1568-1024-10) learns at batch 4: seconds an epoch of 60,000, scaled from --images, beside the floor. Each batch
changes every conductance, so that all of them are read and written once at the least; the rate is that of a loop which
does just that to as many bytes, on as many threads.
"""
import argparse
import json
import os
import subprocess
import tempfile
import threading
import time

import numpy as np
import scipy
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

import mho

EPOCH, BATCH, GAIN = 60000, 4, 100.0
HIDDEN = {'XS': ([100], GAIN), '1H': ([1024], 480.0)}


def config(net, images, **more):
    hidden, gain = HIDDEN[net]
    words = {'dynamics': 'resistive', 'dataset': 'mnist', 'dataset.train': images, 'network.hidden': hidden,
             'resistive.input_gain': gain, 'train.epochs': 1, **more}
    return [word for key, value in words.items() for word in ('--set', f'{key}={value}')]


class Circuit:
    """XS as a convex quadratic program in the voltages of its hidden and output nodes."""

    def __init__(self, network):
        w = [network.weights(name).astype(np.float64) for name in network.connections]
        (self.first, bias1), (second, bias2) = [(m[:-1], m[-1]) for m in w]
        self.bias, self.hidden = np.concatenate([bias1, bias2]), len(bias1)
        loads = np.concatenate([self.first.sum(0) + second.sum(1), second.sum(0)])
        self.a = np.diag(loads)
        self.a[:self.hidden, self.hidden:] = -second
        self.a[self.hidden:, :self.hidden] = -second.T
        self.side = np.zeros(len(loads))  # 1: kept at or above 0, -1: at or below
        self.side[:self.hidden] = np.where(np.arange(self.hidden) < self.hidden // 2, 1, -1)
        self.bounds = [{1: (0, None), -1: (None, 0), 0: (None, None)}[s] for s in self.side]

    def currents(self, x):
        b = self.bias.copy()
        v = GAIN * np.concatenate([x, -x])
        b[:self.hidden] += v @ self.first
        return b

    def by_program(self, x):
        b = self.currents(x)
        return minimize(lambda v: (0.5 * v @ self.a @ v - b @ v, self.a @ v - b), np.zeros(len(b)), jac=True,
                        method='L-BFGS-B', bounds=self.bounds, options={'ftol': 1e-16, 'gtol': 1e-9, 'maxiter': 10000}).x

    def by_factors(self, x):
        b = self.currents(x)
        off = np.ones(len(b), bool)  # nodes whose diode does not conduct
        while True:
            v = np.zeros(len(b))
            v[off] = cho_solve(cho_factor(self.a[np.ix_(off, off)]), b[off])
            wanted = np.where(off, self.side * v >= 0, self.side * (b - self.a @ v) > 0)
            if (wanted == off).all():
                return v
            off = wanted


def best(call, repeats, clock=time.process_time):
    times = []
    for _ in range(repeats):
        start = clock()
        call()
        times.append(clock() - start)
    return min(times)


def far(v, exact):
    return np.abs(v - exact).max() / np.abs(exact).max()


def settles(o, db):
    run = mho.train({'dynamics': 'resistive', 'dataset': {'name': 'mnist', 'train': o.images}, 'train': {'epochs': 1}},
                    db=db, name='XS', threads=1, progress=False)
    circuit, x = Circuit(run.network), run.network.inputs(n=200)[0]
    exact = np.array([circuit.by_factors(each) for each in x])
    ways = {'SciPy, Cholesky until no diode switches': (circuit.by_factors, exact)}
    ways['SciPy, L-BFGS-B with bounds'] = circuit.by_program, np.array([circuit.by_program(each) for each in x])
    rows = [(name, best(lambda: [way(each) for each in x], 3) / len(x), far(v, exact)) for name, (way, v) in ways.items()]

    start = time.process_time(), time.perf_counter()
    found = [c for c in run.network.cosim_of_network(samples=o.samples) if c.quantity.startswith('free voltages')]
    share = (time.process_time() - start[0]) / (time.perf_counter() - start[1])  # of a processor that it got
    spice = np.hstack([c.spice.reshape(o.samples, -1) for c in found])
    rows.append(('ngspice, .op', share * found[0].spice_s / o.samples / 2, far(spice, exact[:o.samples])))

    own = []
    for sweeps in (4, 8, 16, 32):
        network = run.under({'settle.free': sweeps})
        v = np.hstack(list(network.settle(x)[0].values())[:2])  # nodes; then comes what they answer
        own.append((sweeps, best(lambda: network.settle(x), 200) / len(x), far(v, exact)))
    rest = next((row for row in own if row[2] < 1e-5), own[-1])
    for sweeps, seconds, error in own:
        print(f'  mho, {sweeps:2} sweeps{"":26} {1e6 * seconds:12.1f} us a settle, {error:.0e} from rest')
    for name, seconds, error in rows:
        print(f'  {name:41} {1e6 * seconds:12.1f} us a settle, {error:.0e} from rest: '
              f'{seconds / rest[1]:.3g} times mho at {rest[0]} sweeps')


def move(bytes_, threads):
    """Seconds of a loop over so many bytes, each thread over its part, that reads and writes them once."""
    parts = np.array_split(np.ones(bytes_ // 4, np.float32), threads)
    rounds = 200

    def work(part):
        for _ in range(rounds):
            np.multiply(part, np.float32(1), out=part)

    def together():
        crew = [threading.Thread(target=work, args=(part,)) for part in parts]
        for t in crew:
            t.start()
        for t in crew:
            t.join()

    return best(together, 5, time.perf_counter) / rounds


def epochs(o, db):
    inputs = 1568
    hidden = HIDDEN[o.net][0][0]
    held = 4 * (inputs * hidden + 10 * hidden)
    for threads in o.threads:
        (seconds, cpu), (_, start) = (learn(o, images, threads, db) for images in (o.images, BATCH))
        scale, floor = EPOCH / o.images, move(held, threads) * EPOCH / BATCH
        print(f'  {threads} threads: {seconds * scale:6.1f} s an epoch of {EPOCH}, {(cpu - start) * scale:.1f} s of processors; '
              f'floor {floor:.2f} s, {2 * held / 1e6:.1f} MB a batch at {2e-9 * held * EPOCH / BATCH / floor:.1f} GB/s: '
              f'processors {(cpu - start) * scale / (floor * threads):.1f} times that')


def learn(o, images, threads, db):
    """Seconds of an epoch, and what the whole command took of processors."""
    before = os.times()
    words = [o.program, 'train', *config(o.net, images, **{'dataset.test': BATCH}), '--db', db, '--threads', str(threads), '--json']
    lines = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()
    after = os.times()
    row = next(r for r in map(json.loads, lines) if r['event'] == 'epoch')
    return row['wall_s'], after.children_user + after.children_system - before.children_user - before.children_system


def main():
    p = argparse.ArgumentParser()
    p.add_argument('program')
    p.add_argument('--images', type=int, default=6000)
    p.add_argument('--samples', type=int, default=3, help='test images that ngspice settles')
    p.add_argument('--threads', type=int, nargs='*', default=[1, 2])
    p.add_argument('--net', choices=HIDDEN, default='1H')
    o = p.parse_args()
    print(f'{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, NumPy {np.__version__}, SciPy {scipy.__version__}')
    with tempfile.TemporaryDirectory() as folder:
        print('XS, a settle of the free phase')
        settles(o, os.path.join(folder, 'runs.db'))
        print(f'{o.net}, batch {BATCH}')
        epochs(o, os.path.join(folder, 'runs.db'))


if __name__ == '__main__':
    main()
