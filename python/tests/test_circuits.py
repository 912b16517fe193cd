"""Arrays between wires, netlists, co-simulation with ngspice."""
import numpy as np

from support import ANALOG, SMALL, Case, main

import mho


def nodal(g, v_word, r_word, r_bit):
    """Currents into ground at the bottom of the bit lines: all nodes of the array by dense algebra."""
    rows, cols = g.shape
    n = 2 * rows * cols
    a, b = np.zeros((n, n)), np.zeros(n)

    def join(i, j, conductance):
        a[i, i] += conductance
        a[j, j] += conductance
        a[i, j] -= conductance
        a[j, i] -= conductance

    word, bit = np.arange(n // 2).reshape(rows, cols), n // 2 + np.arange(n // 2).reshape(rows, cols)
    for i in range(rows):
        for j in range(cols):
            join(word[i, j], bit[i, j], g[i, j])
            if j:
                join(word[i, j - 1], word[i, j], 1 / r_word)
            if i:
                join(bit[i - 1, j], bit[i, j], 1 / r_bit)
        a[word[i, 0], word[i, 0]] += 1 / r_word
        b[word[i, 0]] += v_word[i] / r_word
    for j in range(cols):
        a[bit[-1, j], bit[-1, j]] += 1 / r_bit
    x = np.linalg.solve(a, b)
    return x[bit[-1]] / r_bit, x[word], x[bit]


class Wires(Case):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(1)
        self.g, self.v = rng.uniform(1e-6, 1e-4, (7, 5)), rng.normal(0, 0.2, 7)

    def test_currents_and_nodes_are_those_of_dense_algebra(self):
        current, word, bit = nodal(self.g, self.v, 20.0, 30.0)
        for method in ('auto', 'direct', 'iterative'):
            s = mho.solve(self.g, self.v, r_word='20 ohm', r_bit=30.0, nodes=True, method=method)
            np.testing.assert_allclose(s.current, current, rtol=1e-9)
            np.testing.assert_allclose(s.node_word, word, rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(s.node_bit, bit, rtol=1e-9, atol=1e-12)
            self.assertLess(s.residual, 1e-9)

    def test_several_vectors_and_both_directions(self):
        v = np.stack([self.v, 2 * self.v])
        s = mho.solve(self.g, v, 20.0, 30.0)
        np.testing.assert_allclose(s.current[1], 2 * s.current[0], rtol=1e-9)
        np.testing.assert_allclose(mho.solve(self.g, self.v).current, self.v @ self.g, rtol=1e-12)
        # reciprocity: the transposed array, driven and sensed the other way round
        turned = mho.solve(np.ascontiguousarray(self.g[::-1, ::-1].T), self.v[::-1], 30.0, 20.0, transposed=True)
        np.testing.assert_allclose(turned.current[::-1], mho.solve(self.g, self.v, 20.0, 30.0).current, rtol=1e-9)

    def test_the_effective_matrix_is_all_reads(self):
        m = mho.effective(self.g, 20.0, '30 ohm', tolerance=1e-12)
        np.testing.assert_allclose(m.T @ self.v, mho.solve(self.g, self.v, 20.0, 30.0).current, rtol=1e-8)

    def test_ends_in_series(self):
        s = mho.solve([[1e-3]], [1.0], r_source=500, r_load='1.5 kohm')
        np.testing.assert_allclose(s.current, 1 / 3000, rtol=1e-12)

    def test_arrays_of_the_caller_are_used(self):
        room = np.empty(5)
        s = mho.solve(self.g, self.v, 20.0, 30.0, out=room)
        self.assertIs(s.current, room)

    def test_what_is_no_array_is_refused(self):
        with self.refused('v: its shape is (1, 5), expected n x 7'):
            mho.solve(self.g, np.ones(5))
        with self.refused("method: 'fast' is not auto, direct, iterative"):
            mho.solve(self.g, self.v, method='fast')
        with self.refused('expected 0 to 1e+06 S') as caught:
            mho.solve(-self.g, self.v)
        self.assertEqual((caught.error.row, caught.error.col), (0, 0))
        with self.refused('unit'):
            mho.solve(self.g, self.v, r_word='2 V')


class Netlists(Case):
    def test_netlists_are_those_of_the_command(self):
        run = mho.train(SMALL, db='runs.db', name='first')
        for words, text in ((['--layer', 'x-h1'], run.netlist('x-h1', of=f'run {run.id}')),
                            ([], run.netlist(of=f'run {run.id}')),
                            (['--network', '--sample', '3'], run.netlist_of_network(3, of=f'run {run.id}'))):
            self.assertEqual(text + '\n' * (not text.endswith('\n')), self.command('netlist', 'last', '--db', 'runs.db', *words).stdout)

    def test_a_netlist_runs_in_a_process_of_its_own(self):
        network = mho.Network({**ANALOG, 'network': {'hidden': [8]}})
        text = network.netlist('h1-out', r_word='2 ohm', r_bit=2.0, tile=(4, 4))
        checked = mho.netlist_check(text)
        self.assertTrue(checked.passed)
        self.assertEqual(checked.n, 10)

        line = next(line for line in text.splitlines() if line.startswith('* expect '))
        words = line.split()
        words[words.index('=') + 1] = '1.0'
        wrong = mho.netlist_check(text.replace(line, ' '.join(words)))
        self.assertFalse(wrong.passed)
        self.assertEqual(wrong.expected, 1.0)

    def test_a_netlist_that_may_not_is_stopped(self):
        with self.refused('shell'):
            mho.netlist_check('title\nV1 a 0 1\nR1 a 0 1\n.control\nshell touch here\n.endc\n.end\n')
        with self.refused('was stopped'):
            mho.netlist_check('title\nV1 a 0 1\nR1 a 0 1\n.control\nwhile 1\nend\n.endc\n.end\n', timeout=1)

    def test_cosimulation(self):
        run = mho.train({**ANALOG, 'network': {'hidden': [8]}}, db=None)
        before = run.network.eval().loss
        for c in run.cosim('x-h1', vectors=2) + run.cosim_of_device():
            self.assertTrue(c.passed, c)
            self.assertEqual((len(c.core), len(c.spice)), (c.n, c.n))
            self.assertTrue(np.isfinite(c.spice).all())
        self.assertEqual(run.network.eval().loss, before)  # its own reads stay noisy


if __name__ == '__main__':
    main()
