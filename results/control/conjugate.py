"""What the closed form of control misses by fewer or faster products: by conjugate gradients in place of rows of the Jacobian,
the error of u after every iteration, and by rows of rounded numbers (rule.tolerance), that of u and of the controls, for the
weights of a run that mho has trained and the images of MNIST that it was tested on.

    mho train --name closed --set dataset.name=mnist --set 'network.hidden=[256,256,256]' --set train.batch=128 \\
        --set update.optimizer=adam --set 'rule={name: dfc, control: linear, tolerance: 1e-6}' --set train.epochs=3
    mho export closed --weights closed
    results/control/conjugate.py closed MNIST/t10k-images-idx3-ubyte MNIST/t10k-labels-idx1-ubyte

(JJ^T + leak) u = e is solved in double precision for every one of 1000 images alone, J from numpy. Three preconditioners: none;
the matrix of the mean slopes; and the exact share of the last hidden layer with the mean of the others. An iteration is a pass
back and one forward through all layers but the first.
"""
import gzip
import sys

import numpy as np

IMAGES = 1000
LEAKS = (1, 1e-3)  # the default, and that of results/control/float.sh


def read_idx(path, header):
    opened = gzip.open if path.endswith('.gz') else open
    with opened(path, 'rb') as f:
        return np.frombuffer(f.read(), np.uint8, offset=header)


def same(x):
    return x


def rounded(x):
    """Rows of 256 numbers at most as whole multiples of a 32700th of their norm."""
    unit = np.linalg.norm(x, axis=-1, keepdims=True) / 32700
    return np.round(x / unit) * unit


def find_rows(weights, slopes, of=same):
    """J of every hidden layer, [images x outputs x neurons], the last one first, by products of factors as `of` has them. (mho
    has one unit for each 32 columns of a matrix, that of the largest.)"""
    outputs = weights[-1].T[None] * slopes[-1][:, None]
    rows = [outputs]
    for w, slope in zip(weights[-2:0:-1], slopes[-2::-1]):
        rows.append(of(rows[-1]) @ of(w).T * slope[:, None])
    return rows


def square(rows):
    return rows @ rows.transpose(0, 2, 1)


def iterate(matrix, start, exact, inverse):
    """Conjugate gradients, all images at once: the error of u over its size, [iterations x images]."""
    u, miss, errors = np.zeros_like(start), start.copy(), []
    way = near = np.einsum('scd,sd->sc', inverse, miss)
    size = np.einsum('sc,sc->s', miss, near)
    for _ in range(start.shape[1]):
        moved = np.einsum('scd,sd->sc', matrix, way)
        length = size / np.einsum('sc,sc->s', way, moved)
        u, miss = u + length[:, None] * way, miss - length[:, None] * moved
        errors.append(np.linalg.norm(u - exact, axis=1) / np.linalg.norm(exact, axis=1))

        near = np.einsum('scd,sd->sc', inverse, miss)
        size, last = np.einsum('sc,sc->s', miss, near), size
        way = near + (size / last)[:, None] * way
    return np.array(errors)


def solve(matrix, error):
    return np.linalg.solve(matrix, error[..., None])[..., 0]


def off(a, exact):
    """Differences over the size, of every image: their median and the largest."""
    share = np.linalg.norm(a - exact, axis=1) / np.linalg.norm(exact, axis=1)
    return f'{np.median(share):.0e} | {share.max():.0e}'


def lead_back(u, rows):
    return np.einsum('sc,scn->sn', u, rows)


def print_rounded(weights, slopes, error):
    rows, near = find_rows(weights, slopes), find_rows(weights, slopes, rounded)
    print('| leak | u: median | largest |', ' | '.join(f'f_{l}: median | largest' for l in (3, 2, 1)), '|\n' + '|---' * 9 + '|')
    for leak in LEAKS:
        own = (1 + leak) * np.eye(10)
        u = solve(sum(map(square, rows)) + own, error)
        v = solve(sum(map(square, near)) + own, error)
        print(f'| {leak:g} |', off(v, u), '|', ' | '.join(off(lead_back(v, b), lead_back(u, a)) for a, b in zip(rows, near)), '|')


def main():
    folder, images, labels = sys.argv[1:]
    names = ('x-h1', 'h1-h2', 'h2-h3', 'h3-out')
    weights = [np.load(f'{folder}/{n}.w.npy').astype(float) for n in names]
    z = read_idx(images, 16).reshape(-1, 784)[:IMAGES] / 255
    slopes = []
    for w in weights[:-1]:
        z = np.tanh(z @ w[:z.shape[1]])
        slopes.append(1 - z * z)
    answer = np.exp(z @ weights[-1][:z.shape[1]])
    error = np.eye(10)[read_idx(labels, 8)[:IMAGES]] - answer / answer.sum(1, keepdims=True)

    squares = [square(x) for x in find_rows(weights, slopes)]
    means = [square(x) for x in find_rows(weights, [s.mean(0)[None] for s in slopes])]
    print('| leak | preconditioner | error of u after 1, 2, ... iterations: median | largest |\n|---|---|---|---|')
    for leak in LEAKS:
        own = (1 + leak) * np.eye(10)[None]
        matrix = sum(squares) + own
        exact = solve(matrix, error)
        for name, near in (('none', own), ('mean slopes', sum(means) + own),
                           ('last layer exact', squares[0] + sum(means[1:]) + own)):
            inverse = np.broadcast_to(np.linalg.inv(near), matrix.shape)
            errors = iterate(matrix, error, exact, inverse)[:9]
            print(f'| {leak:g} | {name} |', *(f'{x:.0e}' for x in np.median(errors, 1)), '|',
                  *(f'{x:.0e}' for x in errors.max(1)), '|')
    print()
    print_rounded(weights, slopes, error)


if __name__ == '__main__':
    main()
