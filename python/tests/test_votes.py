"""Votes by proportion, held against numpy on the responses of the neurons; what is stored of them."""
import numpy as np

from support import Case, main

import mho

#: Inputs that fire once, at a time without chance, so that an image is answered alike whenever it is shown.
BASE = {'dataset': {'name': 'digits', 'train': 300, 'test': 200}, 'dynamics': 'spiking', 'train': {'epochs': 2},
        'settle': {'encode': {'kind': 'latency'}}, 'neuron': {'threshold': {'value': 3, 'law': 'fixed'}}}
STDP = {**BASE, 'rule': 'stdp', 'network': {'hidden': [40], 'votes': 'proportion'}}
CONFIGS = {
    'clock': STDP,
    'events': {**STDP, 'settle': {'method': 'events', 'time': '60 ms', 'encode': {'kind': 'latency'}}},
    'two layers': {**STDP, 'network': {'hidden': [50, 40], 'votes': 'proportion'},
                   'neuron': {'threshold': {'value': 1, 'law': 'fixed'}, 'inhibit': 'none', 'winners': 'all'}},
    'csdp': {**BASE, 'rule': {'name': 'csdp', 'negative': 'blend'}, 'neuron': {'threshold': {'value': 2e-3, 'law': 'fixed'}},
             'network': {'hidden': [40], 'output': 'votes', 'votes': 'proportion', 'context': 'none'}},
}


def responses(net, part):
    """Activities of the neurons that vote, to the part's images; and its labels."""
    x, labels = net.inputs(part)
    states, _ = net.settle(x)
    layers = list(net.layers)
    return states[layers[-2]].astype(float), labels, states[layers[-1]].astype(float)


def proportions(z, labels):
    mean = np.stack([z[labels == c].mean(axis=0) for c in range(10)], axis=1)
    total = mean.sum(axis=1, keepdims=True)
    return np.divide(mean, total, out=np.zeros_like(mean), where=total > 0)


def votes(z, p):
    y = z @ p
    total = y.sum(axis=1, keepdims=True)
    return np.divide(y, total, out=np.zeros_like(y), where=total > 0)


class Votes(Case):
    def test_votes_are_shares_of_responses(self):
        for name, config in CONFIGS.items():
            with self.subTest(name):
                run = mho.train(config, db=None, threads=1)
                z, labels, _ = responses(run.network, 'train')
                p = proportions(z, labels)
                z, labels, y = responses(run.network, 'test')
                expected = votes(z, p)
                self.assertGreater(np.count_nonzero((p > 0).sum(axis=1) > 1), 20)  # neurons that vote for several classes
                np.testing.assert_allclose(y, expected, atol=2e-6)
                self.assertAlmostEqual(run.final_test_acc, (y.argmax(axis=1) == labels).mean(), places=9)

    def test_they_answer(self):
        for name in ('clock', 'events'):
            self.assertGreater(mho.train(CONFIGS[name], db=None).final_test_acc, 0.3)

    def test_they_learn_no_other_weights(self):
        by_label = {**STDP, 'network': {'hidden': [40]}}
        one, other = (mho.train(c, db=None, threads=1) for c in (STDP, by_label))
        self.assertEqual(one.weights('x-h1').tobytes(), other.weights('x-h1').tobytes())
        self.assertNotEqual(one.final_test_acc, other.final_test_acc)

    def test_they_are_stored(self):
        run = mho.train(STDP, db='runs.db', name='run', threads=1)
        z, labels, _ = responses(run.network, 'train')
        p = proportions(z, labels)
        noisy = run.under({'array.read_noise': 0.2})
        z, _, y = responses(noisy, 'test')
        self.assertFalse(np.array_equal(z, responses(run.network, 'test')[0]))
        np.testing.assert_allclose(y, votes(z, p), atol=2e-6)
        self.assertEqual(noisy.eval('test').accuracy, (y.argmax(axis=1) == noisy.inputs('test')[1]).mean())

        fresh = mho.Network(STDP, threads=2)
        fresh.load(run.network.save())
        x, _ = fresh.inputs('test')
        self.assertEqual(fresh.predict(x).tobytes(), run.network.predict(x).tobytes())

    def test_a_resume_goes_on_with_them(self):
        whole = mho.train(STDP, db=None, threads=1)
        mho.train(STDP, db='runs.db', on_epoch=lambda e: e.epoch == 1, threads=1)
        resumed = mho.resume(db='runs.db', threads=2)
        self.assertEqual([e.test_acc for e in resumed.epochs], [e.test_acc for e in whole.epochs])
        self.assertEqual(resumed.epochs[-1].train_acc, whole.epochs[-1].train_acc)

    def test_other_votes_of_a_run_are_refused(self):
        mho.train({**STDP, 'train': {'epochs': 1}}, db='runs.db')
        said = self.command('eval', 'last', '--db', 'runs.db', '--set', 'network.votes=label', code=2).stderr
        self.assertIn('network.votes: run', said)

    def test_without_votes_the_key_is_idle(self):
        with self.assertWarnsRegex(mho.IdleKeyWarning, 'network.votes: no neurons vote'):
            mho.Experiment({'network.votes': 'proportion'})


if __name__ == '__main__':
    main()
