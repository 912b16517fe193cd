"""mho solve with resistances at the lines' ends, by every method, against dense nodal analysis in numpy; and the files
that an array may come from."""
import os
import subprocess
import sys
import tempfile

import numpy as np

MHO = os.environ['MHO']
folder = tempfile.mkdtemp(prefix='mho-test-')


def solve(*words, code=0, says=''):
    p = subprocess.run([MHO, 'solve', *words], cwd=folder, capture_output=True, text=True, timeout=250)
    assert p.returncode == code and says in p.stderr, f'{words}: exit {p.returncode}: {p.stderr}'
    return np.array([[float(x) for x in line.split(',')] for line in p.stdout.splitlines()]) if code == 0 else p.stderr


def put(name, array):
    np.save(os.path.join(folder, name), array)
    return name


def nodal(g, v, r_word, r_bit, source, load, transposed):
    """Currents into ground: Kirchhoff's current law at every node, where a line without wire resistance is one node, or
    none where it has no resistance at all."""
    rows, cols = g.shape
    left, bottom = (load, source) if transposed else (source, load)
    number, entries, right = {}, [], []

    def node(*name):
        return number.setdefault(name, len(number))

    def end(kind, k):
        """The voltage of a line's end, one a vector."""
        driven = (kind == 'b') == transposed
        return v[:, k] if driven else np.zeros(len(v))

    def place(kind, i, j):
        k = i if kind == 'w' else j
        wire, r_end = (r_word, left) if kind == 'w' else (r_bit, bottom)
        if wire:
            return node(kind, i, j), None
        return (node(kind, k), None) if r_end else (None, end(kind, k))

    def join(a, b, conductance):
        (p, vp), (q, vq) = a, b
        for x, y, vy in ((p, q, vq), (q, p, vp)):
            if x is None:
                continue
            entries.append((x, x, conductance))
            if y is None:
                right.append((x, conductance * vy))
            else:
                entries.append((x, y, -conductance))

    for i in range(rows):
        for j in range(cols):
            join(place('w', i, j), place('b', i, j), g[i, j])
            if r_word and j:
                join(place('w', i, j - 1), place('w', i, j), 1 / r_word)
            if r_bit and i:
                join(place('b', i - 1, j), place('b', i, j), 1 / r_bit)
    for i in range(rows):
        if r_word + left:
            join((None, end('w', i)), place('w', i, 0), 1 / (r_word + left))
    for j in range(cols):
        if r_bit + bottom:
            join((None, end('b', j)), place('b', rows - 1, j), 1 / (r_bit + bottom))

    a, b = np.zeros((len(number), len(number))), np.zeros((len(number), len(v)))
    for x, y, value in entries:
        a[x, y] += value
    for x, value in right:
        b[x] += value
    x = np.linalg.solve(a, b) if len(number) else b
    volts = lambda p: x[p[0]] if p[0] is not None else p[1]
    out = np.zeros((len(v), rows if transposed else cols))
    for i in range(rows):
        for j in range(cols):
            current = g[i, j] * (volts(place('w', i, j)) - volts(place('b', i, j)))
            if transposed:
                out[:, i] -= current
            else:
                out[:, j] += current
    return out


def cases(rng):
    """Every pattern of which resistances there are, with sizes and values by chance."""
    for pattern in range(16):
        for transposed in (False, True):
            rows, cols = rng.integers(1, 9, 2)
            g = 10 ** rng.uniform(-7, -3, (rows, cols)) * (rng.random((rows, cols)) > 0.1)
            r = [10 ** rng.uniform(-1, 4) * (pattern >> k & 1) for k in range(4)]
            yield g, rng.uniform(-1, 1, (rng.choice([1, 2, 9]), cols if transposed else rows)), r, transposed


def test_nodal():
    rng, worst = np.random.default_rng(1), {}
    spice = subprocess.run([MHO, '--version', '-v'], capture_output=True, text=True).stdout
    methods = ['auto', 'direct', 'iterative'] + ['ngspice'] * ('ngspice          yes' in spice)
    for g, v, r, transposed in cases(rng):
        expected = nodal(g, v, *r, transposed)
        words = ['--g', put('g.npy', g), '--v', put('v.npy', v), '--r-word', f'{r[0]}', '--r-bit', f'{r[1]}',
                 '--r-source', f'{r[2]}', '--r-load', f'{r[3]}'] + ['--transposed'] * transposed
        for method in methods:
            e = abs(solve(*words, '--method', method) - expected).max() / max(abs(expected).max(), 1e-300)
            assert e < (1e-6 if method == 'ngspice' else 1e-9), (method, r, g.shape, transposed, e)
            worst[method] = max(e, worst.get(method, 0))
    print('      largest error over the largest current:', ', '.join(f'{m} {e:.1e}' for m, e in worst.items()))


def test_strong_ends():
    """Ends far above and far below the devices and the wires."""
    rng = np.random.default_rng(2)
    g, v = 10 ** rng.uniform(-6, -4, (12, 10)), rng.uniform(-1, 1, (2, 12))
    for r_word, r_bit in ((2, 3), (0, 3), (2, 0), (0, 0)):
        most = 1e9 if r_word and r_bit else 1e6
        for source in (0, 1e-3, 1e4, most):
            for load in (0, 1e-3, 1e4, most):
                expected = nodal(g, v, r_word, r_bit, source, load, False)
                for method in ('auto', 'direct', 'iterative'):
                    got = solve('--g', put('g.npy', g), '--v', put('v.npy', v), '--r-word', f'{r_word}', '--r-bit', f'{r_bit}',
                                '--r-source', f'{source}', '--r-load', f'{load}', '--method', method)
                    e = abs(got - expected).max() / abs(expected).max()
                    assert e < 1e-6, (method, r_word, r_bit, source, load, e)


def test_nodes_behind_ends():
    """Kirchhoff's law at the first node of a word line and at the last one of a bit line."""
    rng = np.random.default_rng(3)
    g, v = 10 ** rng.uniform(-6, -4, (4, 3)), rng.uniform(-1, 1, (1, 4))
    for r_word, method in ((5, 'direct'), (5, 'iterative'), (0, 'auto'), (5, 'ngspice'), (0, 'ngspice')):
        try:
            current = solve('--g', put('g.npy', g), '--v', put('v.npy', v), '--r-word', f'{r_word}', '--r-bit', f'{r_word}',
                            '--r-source', '700', '--r-load', '90', '--nodes', 'n.csv', '--method', method)
        except AssertionError as e:
            assert 'ngspice' in str(e) and method == 'ngspice', e
            continue
        n = np.genfromtxt(os.path.join(folder, 'n.csv'), delimiter=',', names=True)
        word, bit = n['v_word'].reshape(g.shape), n['v_bit'].reshape(g.shape)
        device = g * (word - bit)
        assert np.allclose((v[0] - word[:, 0]) / (700 + r_word), device.sum(1), rtol=1e-6, atol=1e-12), method
        assert np.allclose(bit[-1] / (90 + r_word), current[0], rtol=1e-6, atol=1e-12), method
        assert np.allclose(device.sum(0), current[0], rtol=1e-6, atol=1e-12), method


def test_files():
    """The same array from every kind of file."""
    rng = np.random.default_rng(4)
    g = np.round(rng.integers(1, 100, (5, 4)) * 2.0 ** -20, 12)
    v = rng.integers(-3, 4, (2, 5))
    g = rng.integers(1, 100, (5, 4)) * 2.0 ** -20
    expected = v @ g
    for kind in ('f4', '>f4', 'f8', '>f8'):
        for order in 'CF':
            assert np.array_equal(solve('--g', put('g.npy', np.array(g, kind, order=order)), '--v', put('v.npy', v)), expected)
    for kind in ('i1', 'i2', '>i2', 'i4', '>i4', 'i8', '>i8'):
        for order in 'CF':
            assert np.array_equal(solve('--g', put('g.npy', g), '--v', put('v.npy', np.array(v, kind, order=order))), expected)
    for kind in ('u1', 'u2', '>u2', 'u4', 'u8', '>u8', '?'):
        assert np.array_equal(solve('--g', 'g.npy', '--v', put('v.npy', (v > 0).astype(kind))), (v > 0) @ g)
    assert np.array_equal(solve('--g', 'g.npy', '--v', put('v.npy', v[0])), expected[:1])  # one dimension is one row
    with open(os.path.join(folder, 'v3.npy'), 'wb') as f:
        np.lib.format.write_array(f, v.astype('f8'), version=(3, 0))
    assert np.array_equal(solve('--g', 'g.npy', '--v', 'v3.npy'), expected)
    with open(os.path.join(folder, 'bom.csv'), 'wb') as f:
        f.write(b'\xef\xbb\xbf' + '\r\n'.join(';'.join(str(x) for x in row) for row in v).encode())
    assert np.array_equal(solve('--g', 'g.npy', '--v', 'bom.csv'), expected)
    resistances = put('r.npy', 1 / g)
    assert np.allclose(solve('--r', resistances, '--v', put('v.npy', v)), expected, rtol=1e-14)


def test_weights():
    rng = np.random.default_rng(5)
    w, v = rng.normal(size=(6, 3)), rng.uniform(-1, 1, (2, 6))
    put('w.npy', w)
    put('v.npy', v)
    most = abs(w).max()
    assert np.allclose(solve('--w', 'w.npy', '--v', 'v.npy'), v @ w / most * 99e-6, rtol=1e-12)
    words = ['--w', 'w.npy', '--v', 'v.npy', '--w-max', '4', '--g-min', '2 uS', '--g-max', '50 uS']
    assert np.allclose(solve(*words), v @ w / 4 * 48e-6, rtol=1e-12)
    pos, neg = (2e-6 + np.maximum(s * w, 0) / 4 * 48e-6 for s in (1, -1))
    expected = nodal(pos, v, 3, 4, 100, 20, False) - nodal(neg, v, 3, 4, 100, 20, False)
    got = solve(*words, '--r-word', '3', '--r-bit', '4', '--r-source', '100', '--r-load', '20')
    assert np.allclose(got, expected, rtol=1e-9, atol=1e-9 * abs(expected).max())
    solve('--w', 'w.npy', '--v', 'v.npy', '--w-max', '1', code=2, says='beyond --w-max')
    solve('--w', 'w.npy', '--v', 'v.npy', '--g-min', '1 mS', code=2, says='--g-max')
    solve('--w', 'w.npy', '--v', 'v.npy', '--nodes', 'n.csv', code=2, says='--nodes')
    solve('--g', 'w.npy', '--v', 'v.npy', code=2, says='--w FILE')
    solve('--g', put('ohm.npy', np.full((6, 3), 1e4)), '--v', 'v.npy', code=2, says='--r FILE')
    solve('--r', put('z.npy', np.zeros((6, 3))), '--v', 'v.npy', code=2, says='at least 1 ohm')
    solve('--g', 'w.npy', '--v', 'v.npy', '--w-max', '1', code=2, says='--w FILE')
    solve('--g', 'w.npy', '--r', 'w.npy', '--v', 'v.npy', code=2, says='one of --g')


def head(text, version=1):
    """A NumPy file with this header and no numbers."""
    b = text.encode()
    return b'\x93NUMPY' + bytes([version, 0]) + len(b).to_bytes(2 if version == 1 else 4, 'little') + b


def test_bad_files():
    whole = "{'descr': '<f8', 'fortran_order': False, 'shape': (%s), }"
    for content, says in (
            (head(whole % '20000, 20000'), 'not as long as its header says'),
            (head(whole % '46341, 46341'), 'not as long as its header says'),
            (head(whole % '2147483647, 2147483647', 2), 'not as long as its header says'),
            (head(whole % '4294967297, 1') + bytes(8), 'not a matrix'),
            (head(whole % '2, 1') + bytes(17), 'not as long as its header says'),
            (head(whole % '2, 1, 1') + bytes(16), 'not a matrix'),
            (head(whole % '0, 1'), 'not a matrix'),
            (head(whole % '') + bytes(8), 'not a matrix'),
            (head(whole.replace('<f8', '<c8') % '1, 1') + bytes(8), 'not float32'),
            (head(whole.replace('<f8', '|O') % '1, 1') + bytes(8), 'not float32'),
            (head(whole % '1, 1', 9) + bytes(8), 'version 9'),
            (head(whole % '1, 1')[:40], 'cut short'),
            (b'\x93NUMPY', 'cut short'),
            (head('x' * 5000), 'header of 5000 bytes'),
            (head(whole % '1, 1') + b'\0\0\0\0\0\0\xf0\x7f', 'row 1, column 1 is no finite number'),
            (b'1,5;2,5\n', 'two kinds of separators'), (b'1,5 2,5\n', 'two kinds'), (b'1,5\t2,5\n', 'two kinds'),
            (b'\xff\xfe1\x00\n\x00', 'UTF-16')):
        with open(os.path.join(folder, 'bad'), 'wb') as f:
            f.write(content)
        put('v.npy', np.ones((1, 1)))
        limit = 'ulimit -v 1000000; ' if os.environ.get('MHO_SANITIZE', 'none') == 'none' else ''
        p = subprocess.run(['/bin/sh', '-c', limit + 'exec "$0" solve --g bad --v v.npy', MHO], cwd=folder,
                           capture_output=True, text=True, timeout=60)
        assert p.returncode == 2 and says in p.stderr and 'bad' in p.stderr, (content[:99], says, p.returncode, p.stderr)


failed = 0
for name, test in [(n, t) for n, t in globals().items() if n.startswith('test_')]:
    try:
        test()
        print('ok   ', name)
    except Exception as e:  # an assertion's text is the report
        failed += 1
        print(f'FAIL  {name}: {type(e).__name__}: {e}')
sys.exit(failed > 0)
