"""Weights, conductances and answers as NumPy arrays: the library reads and writes the caller's memory."""
import tracemalloc

import numpy as np

from support import ANALOG, SMALL, Case, main

import mho

#: A connection of more than a million weights.
LARGE = {'dataset': {'train': 20, 'test': 20}, 'network': {'hidden': [1024, 1024]}, 'train': {'epochs': 1, 'batch': 20}}


def memory_of(function):
    """Bytes that Python and NumPy allocate while a function runs, at most."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    result = function()
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    return peak, result


class Arrays(Case):
    def test_a_million_weights_in_and_out_without_a_copy(self):
        network = mho.Network(LARGE)
        room = np.empty((1024, 1024), np.float32)
        peak, w = memory_of(lambda: network.weights('h1-h2', out=room))
        self.assertIs(w, room)
        self.assertTrue(np.shares_memory(w, room))
        self.assertLess(peak, room.nbytes / 100)

        peak, fresh = memory_of(lambda: network.weights('h1-h2'))
        self.assertLess(peak, 1.01 * room.nbytes)
        self.assertEqual(fresh.tobytes(), room.tobytes())

        wanted = np.random.default_rng(1).normal(0, 0.02, room.shape).astype(np.float32)
        peak, clipped = memory_of(lambda: network.set_weights('h1-h2', wanted))
        self.assertLess(peak, room.nbytes / 100)
        self.assertEqual(clipped, 0)
        self.assertEqual(network.weights('h1-h2').tobytes(), wanted.tobytes())

    def test_a_million_conductances_too(self):
        network = mho.Network({**LARGE, 'device': {'model': 'soft_bounds', 'g_min': '1 uS', 'g_max': '101 uS'},
                               'update': {'scheme': 'accumulate'}})
        room = np.empty((1024, 1024))
        peak, g = memory_of(lambda: network.conductances('h1-h2', 'pos', out=room))
        self.assertIs(g, room)
        self.assertLess(peak, room.nbytes / 100)
        self.assertTrue((g >= 1e-6 - 1e-12).all() and (g <= 101e-6 + 1e-12).all())

        wanted = np.random.default_rng(1).uniform(1e-6, 101e-6, room.shape)
        peak, clipped = memory_of(lambda: network.set_conductances('h1-h2', 'pos', wanted))
        self.assertLess(peak, room.nbytes / 100)
        self.assertEqual(clipped, 0)
        np.testing.assert_allclose(network.conductances('h1-h2', 0), wanted, rtol=1e-5, atol=1e-11)

    def test_weights_follow_from_conductances(self):
        """w = w_max sum gain g, with g normalized to the device's range."""
        for device in ({'model': 'soft_bounds'}, {'model': 'linear', 'mapping': 'reference'}, {'model': 'linear', 'mapping': 'offset'}):
            network = mho.Network({**SMALL, 'device': device, 'update': {'scheme': 'accumulate'}})
            keys = network.experiment.dict()['device']
            c = network.connections['x-h1']
            w = np.zeros((c.rows, c.cols))
            for bank, gain in zip(c.banks, c.gains):
                w += gain * (network.conductances('x-h1', bank) - keys['g_min']) / (keys['g_max'] - keys['g_min'])
            np.testing.assert_allclose(c.w_max * w, network.weights('x-h1'), atol=2e-6 * c.w_max, err_msg=str(device))

    def test_any_array_is_taken(self):
        network = mho.Network(SMALL)
        w = np.arange(64 * 16).reshape(16, 64).T / 2048  # columns first, doubles
        network.set_weights('x-h1', w)
        np.testing.assert_array_equal(network.weights('x-h1'), w.astype(np.float32))
        network.set_weights('x-h1', (w * 0).tolist())
        self.assertFalse(network.weights('x-h1').any())

    def test_what_does_not_fit_is_refused(self):
        network = mho.Network(ANALOG)
        with self.refused('x-h1: its shape is (16, 64), expected 64 x 16'):
            network.set_weights('x-h1', np.zeros((16, 64)))
        with self.refused("there is no connection 'h9' (there are x-h1, h1-out)"):
            network.weights('h9')
        with self.refused('out must be a writable array of float32'):
            network.weights('x-h1', out=np.empty((64, 16)))
        with self.refused('out must be a writable array'):
            network.weights('x-h1', out=np.empty((16, 64), np.float32).T)
        with self.refused("there is no bank 'up' (there are pos, neg)"):
            network.conductances('x-h1', 'up')
        with self.refused('no finite number', ) as caught:
            w = np.zeros((64, 16))
            w[5, 3] = np.nan
            network.set_weights('x-h1', w)
        self.assertEqual((caught.error.row, caught.error.col), (5, 3))
        with self.refused("'valid' is not train, validation or test"):
            network.inputs('valid')
        with self.refused('samples 300 to 399: there are 360'):
            network.inputs('test', 300, 100)

    def test_answers_are_those_of_an_evaluation(self):
        network = mho.Network({**SMALL, 'network': {'hidden': [16], 'neuron': 'tanh'}})
        network.train()
        x, labels = network.inputs('test')
        y = network.predict(x)
        self.assertEqual((y.shape, y.dtype, labels.dtype), ((360, 10), np.float32, np.uint8))
        self.assertEqual(np.mean(y.argmax(1) == labels), network.eval().accuracy)

        states, unsettled = network.settle(x)
        hidden = np.tanh(x @ network.weights('x-h1'))
        np.testing.assert_allclose(states['h1'], hidden, atol=1e-5)
        logits = np.exp(hidden @ network.weights('h1-out'))
        np.testing.assert_allclose(states['out'], logits / logits.sum(1, keepdims=True), atol=1e-5)
        self.assertEqual((states['out'].tobytes(), unsettled), (y.tobytes(), 0))

    def test_the_gradient_is_that_of_backpropagation(self):
        network = mho.Network({**SMALL, 'rule': 'bp', 'network': {'hidden': [16], 'neuron': 'tanh'}})
        x, labels = network.inputs('train', 0, 20)
        h = np.tanh(x @ network.weights('x-h1'))
        y = np.exp(h @ network.weights('h1-out'))
        error = y / y.sum(1, keepdims=True) - np.eye(10)[labels]
        np.testing.assert_allclose(network.gradient('h1-out', 0, 20), h.T @ error / 20, atol=1e-5)

    def test_a_state_comes_back_from_bytes(self):
        network, other = mho.Network(ANALOG), mho.Network(ANALOG)
        network.train()
        other.load(network.save())
        self.assertEqual(other.weights('x-h1').tobytes(), network.weights('x-h1').tobytes())
        with self.refused():
            other.load(network.save()[:-9])
        with self.refused():
            mho.Network(SMALL).load(network.save())

    def test_layers_and_connections(self):
        network = mho.Network({**ANALOG, 'network': {'hidden': [16, 8], 'biases': True}})
        self.assertEqual(network.layers, {'x': 64, 'h1': 16, 'h2': 8, 'out': 10})
        c = network.connections['h1-h2']
        self.assertEqual((c.source, c.target, c.role, c.rows, c.cols, c.banks, c.gains, c.trained, c.bias),
                         ('h1', 'h2', 'forward', 17, 8, ('pos', 'neg'), (1.0, -1.0), True, True))


class Samples(Case):
    def test_digits_from_memory_train_to_the_same_bits(self):
        """The pixels of the digits as arrays of this program's: what training makes of them is the same."""
        named = mho.Network({**SMALL, 'dataset': 'digits'})
        parts = {}
        for part in ('train', 'test'):
            x, labels = named.inputs(part)
            parts[part] = (x.astype(np.float64), labels)
        own = mho.train(SMALL, data=mho.Data(**parts))
        named.train()
        self.assertEqual([(e.loss, e.test_acc) for e in own.epochs], [(e.loss, e.test_acc) for e in named.epochs])
        self.assertEqual(own.weights('x-h1').tobytes(), named.weights('x-h1').tobytes())
        self.assertEqual((own.id, own.status), ('', 'completed'))

    def test_images_with_channels_reach_a_convolution(self):
        rng = np.random.default_rng(1)
        x, y = rng.integers(0, 256, (40, 3, 8, 8), np.uint8), np.arange(40) % 4
        data = mho.Data((x, y), (x, y), validation=(x[:5], y[:5]))
        config = {'network': {'topology': 'conv', 'conv': '4x3 8', 'neuron': 'relu'}, 'train': {'epochs': 1, 'batch': 10}}
        run = mho.train(config, data=data)
        self.assertFalse(np.isnan(run.epochs[0].val_acc))
        np.testing.assert_allclose(run.inputs('train', 0, 2)[0].reshape(2, 3, 8, 8), x[:2] / 255, atol=1e-6)

    def test_values_in_their_own_units(self):
        rng = np.random.default_rng(1)
        x = rng.normal(5, 2, (200, 3))
        y = 10 + x @ [1.0, -2.0, 0.5]
        run = mho.train({'network': {'hidden': [16], 'output': 'linear'}, 'train': {'epochs': 3, 'batch': 10}},
                        data=mho.Data((x[:150], y[:150]), (x[150:], y[150:]), normalize=True))
        inputs, targets = run.inputs('test')
        mean, spread = x[:150].mean(0), x[:150].std(0)
        np.testing.assert_allclose(inputs, (x[150:] - mean) / spread, atol=1e-5)
        np.testing.assert_allclose(run.in_own_units(targets)[:, 0], y[150:], rtol=1e-5)
        answers = run.in_own_units(run.predict(inputs))[:, 0]
        self.assertAlmostEqual(np.sqrt(np.mean((answers - y[150:]) ** 2)), run.final_test_rms, places=4)
        self.assertTrue(np.isnan(run.final_test_acc))

    def test_what_cannot_be_samples_is_refused(self):
        x, y = np.zeros((4, 3)), np.zeros(4, int)
        with self.refused('4 samples have 3 targets'):
            mho.Data((x, y[:3]), (x, y))
        with self.refused('test: its features are 2, those of train 3'):
            mho.Data((x, y), (x[:, :2], y))
        with self.refused('classes are integers from 0 to 255'):
            mho.Data((x, y + 300), (x, y))
        with self.refused('samples of your own are in no run database'):
            mho.train(SMALL, data=mho.Data((x, y), (x, y)), db='runs.db')


if __name__ == '__main__':
    main()
