"""Networks of other programs, in and out: state_dicts and files, compared with NumPy in double precision and PyTorch."""
import os
import sys
import unittest

import numpy as np

from support import SOURCE, Case, main

import mho

sys.path.append(os.path.join(SOURCE, 'tests', 'cli'))
import network_files as nf  # noqa: E402: the command's tests have the reference and writers that share nothing with mho

try:
    import torch
except ImportError:
    torch = None

X, Y = nf.digits()
RELU = {'network.neuron': 'relu'}
CONV = {'network.neuron': 'relu', 'network.conv': '[5x3p1, pool2, 7x2, 12]'}


def mlp(seed=1):
    rng = np.random.default_rng(seed)
    return [{'w': rng.normal(size=(24, 64)).astype('f4') / 5, 'b': rng.normal(size=24).astype('f4'), 'rho': 'relu'},
            {'w': rng.normal(size=(10, 24)).astype('f4') / 3, 'b': rng.normal(size=10).astype('f4')}]


def answers(net, x):
    a = nf.forward(net, x)
    e = np.exp(a - a.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


class Exchange(Case):
    def test_a_state_dict_answers_as_numpy_does(self):
        net = mlp()
        run = mho.import_network(nf.state_dict(net), set=RELU, name='net', db='runs.db')
        self.assertEqual((run.kind, run.status, run.name), ('programmed', 'completed', 'net'))
        self.assertLess(np.abs(run.predict(X) - answers(net, X)).max(), 1e-6)
        self.assertAlmostEqual(run.final_test_acc, (nf.forward(net, X).argmax(1) == Y).mean(), delta=1e-9)
        self.assertEqual(mho.db('runs.db').run('net').predict(X).tobytes(), run.predict(X).tobytes())

    def test_files_and_the_command_say_the_same(self):
        net = mlp()
        state = nf.state_dict(net)
        for ending, data in (('npz', nf.npz(state)), ('safetensors', nf.safetensors(state)), ('onnx', nf.onnx(net, ['N', 64]))):
            with open(f'net.{ending}', 'wb') as f:
                f.write(data)
            run = mho.import_network(f'net.{ending}', set=RELU, mean=0.3, std=[0.4], db='runs.db')
            self.command('import', f'--{ending}', f'net.{ending}', '--set', 'network.neuron=relu', '--mean', '0.3', '--std', '0.4',
                         '--db', 'runs.db')
            theirs = mho.db('runs.db').run()
            self.assertNotEqual(run.id, theirs.id)
            self.assertEqual(run.network.save(), theirs.network.save())
            self.assertLess(np.abs(run.predict(X) - answers(net, (X - .3) / .4)).max(), 2e-6)

    def test_layers_in_another_order(self):
        net = mlp()
        state = nf.state_dict(net, ['second', 'first'])
        back = dict(reversed(list(state.items())))
        with self.refused("'second' reads 64 numbers"):
            mho.import_network(back, set=RELU, db='runs.db')
        run = mho.import_network(back, set=RELU, layers=['second', 'first'], db='runs.db')
        self.assertLess(np.abs(run.predict(X) - answers(net, X)).max(), 1e-6)

    def test_a_config_of_any_kind(self):
        state = nf.state_dict(mlp())
        kinds = [{'network': {'neuron': 'relu'}, 'device': {'card': 'ecram'}}, 'network: {neuron: relu}\ndevice: {card: ecram}']
        with open('card.yaml', 'w', encoding='utf-8') as f:
            f.write(kinds[1])
        found = [mho.import_network(state, config=config, db='runs.db', seed=4) for config in (*kinds, 'card.yaml')]
        same = {(run.final_test_acc, run.weights('x-h1').tobytes()) for run in found}
        self.assertEqual(len(same), 1)
        other = mho.import_network(state, config=kinds[0], set={'train.seeds.chip': 5}, db='runs.db')
        chips = [run.network.experiment.dict()['train']['seeds']['chip'] for run in (*found, other)]
        self.assertEqual(chips, [4, 4, 4, 5])
        self.assertNotEqual(found[0].conductances('x-h1', 'pos').std(), 0)

    def test_it_comes_back(self):
        net = mlp()
        state = nf.state_dict(net)
        run = mho.import_network(state, set=RELU, db='runs.db')
        own = run.state_dict()
        self.assertEqual(list(own), ['h1.weight', 'h1.bias', 'out.weight', 'out.bias'])
        again = run.state_dict(list(dict.fromkeys(name.rpartition('.')[0] for name in state)))
        self.assertEqual({k: v.tolist() for k, v in again.items()}, {k: v.tolist() for k, v in state.items()})
        for ending, read in (('npz', nf.read_npz), ('safetensors', nf.read_safetensors)):
            run.export(f'out.{ending}')
            with open(f'out.{ending}', 'rb') as f:
                self.assertEqual({k: v.tolist() for k, v in read(f.read()).items()}, {k: v.tolist() for k, v in own.items()})
        run.export('out.onnx')
        twin = mho.import_network('out.onnx', db='runs.db')
        self.assertEqual(twin.predict(X).tobytes(), run.predict(X).tobytes())
        run.export('folder')
        self.assertTrue(os.path.exists('folder/weights.json'))

    def test_onto_a_network_of_ones_own_samples(self):
        rng = np.random.default_rng(3)
        x = rng.normal(size=(90, 64)).astype('f4')
        net, data = mlp(), mho.Data(train=(x, np.arange(90) % 10), test=(x, np.arange(90) % 10))
        config = {'network': {'hidden': [24], 'neuron': 'relu', 'biases': True}, 'rule': 'bp', 'train': {'batch': 10, 'epochs': 1}}
        network = mho.Network(config, data)
        network.import_network(nf.state_dict(net))
        self.assertLess(np.abs(network.predict(x) - answers(net, x)).max(), 1e-6)
        before = network.weights('x-h1')
        network.train()
        self.assertNotEqual(network.weights('x-h1').tobytes(), before.tobytes())

        ranges = {}
        for headroom in (True, False):
            network = mho.Network({**config, 'device': {'model': 'linear', 'weight_range': 9}, 'update': {'scheme': 'accumulate'}}, data)
            network.import_network(nf.state_dict(net), headroom=headroom)
            ranges[headroom] = network.connections['x-h1'].w_max
        self.assertGreater(ranges[True], ranges[False])
        with self.refused('network.hidden'):
            mho.Network({**config, 'network': {'hidden': [25], 'neuron': 'relu', 'biases': True}}, data).import_network(nf.state_dict(net))

    def test_what_is_wrong(self):
        state = nf.state_dict(mlp())
        with self.refused('network.neuron') as caught:
            mho.import_network(state, db='runs.db')
        self.assertEqual(caught.error.file, '')
        with self.refused('NAME.weight') as caught:
            mho.import_network({'a': [1.0]}, set=RELU, db='runs.db')
        self.assertEqual((caught.error.file, caught.error.code), ('', 'EDATA'))
        with self.refused('did you mean network.') as caught:
            mho.import_network(state, set=RELU, config={'network': {'hiden': [3]}}, db='runs.db')
        self.assertNotIn('config.yaml', str(caught.error))
        with self.refused('none.onnx'):
            mho.import_network('none.onnx', db='runs.db')
        run = mho.import_network(state, set=RELU, db='runs.db')
        with self.refused('layers: 1 names for 2 layers: h1, out'):
            run.state_dict(['one'])
        with self.refused("the name 'a.npz' says the format"):
            run.export('a.npz', csv=True)
        residual = mho.Network({'network': {'topology': 'residual', 'hidden': [8, 8, 8, 8]}})
        with self.refused('no chain'):
            residual.state_dict()


@unittest.skipIf(torch is None, 'PyTorch is not here')
class Torch(Case):
    def test_a_lenet_there_and_back(self):
        """On ideal arrays its answers, on a card after a day others; what goes back answers as the card's arrays do."""
        torch.manual_seed(1)
        nn = torch.nn
        net = nn.Sequential(nn.Conv2d(1, 5, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(5, 7, 2), nn.ReLU(), nn.Flatten(),
                            nn.Linear(63, 12), nn.ReLU(), nn.Linear(12, 10))
        images = torch.tensor(X, dtype=torch.float32).reshape(-1, 1, 8, 8)

        def ask():
            with torch.no_grad():
                return torch.softmax(net(images).double(), 1).numpy()

        run = mho.import_network(net.state_dict(), set=CONV, name='lenet', db='runs.db')
        self.assertLess(np.abs(run.predict(X) - ask()).max(), 1e-6)
        chip = mho.db('runs.db').run(run.program(set={'device.card': 'pcm'}, name='card')[0].run)
        chip.age('1d')
        self.assertGreater(np.abs(chip.predict(X) - ask()).max(), 1e-3)
        names = ['0', '3', '6', '8']
        chip.age(0)
        net.load_state_dict({name: torch.tensor(w) for name, w in chip.state_dict(names).items()})
        self.assertLess(np.abs(chip.predict(X) - ask()).max(), 1e-5)

    def test_tensors_of_any_type(self):
        net = mlp()
        state = {name: torch.tensor(w, requires_grad=True) for name, w in nf.state_dict(net).items()}
        run = mho.import_network(state, set=RELU, db='runs.db')
        self.assertLess(np.abs(run.predict(X) - answers(net, X)).max(), 1e-6)
        half = {name: w.detach().bfloat16() for name, w in state.items()}
        rounded = [{**layer, 'w': half[f'{name}.weight'].float().numpy(), 'b': half[f'{name}.bias'].float().numpy()}
                   for layer, name in zip(net, dict.fromkeys(n.rpartition('.')[0] for n in state))]
        run = mho.import_network(half, set=RELU, db='runs.db')
        self.assertLess(np.abs(run.predict(X) - answers(rounded, X)).max(), 1e-6)


if __name__ == '__main__':
    main()
