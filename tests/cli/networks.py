"""mho import and export of networks that other programs have trained.

Without PyTorch networks are drawn, written by writers that share nothing with mho (network_files.py), and what mho answers to
all test images (accuracy and mean cross-entropy, which any wrong weight would change) is compared with NumPy in double
precision. With Debian's python3-torch networks are trained there, exported by it, and come back to it."""
import os
import struct
import sys

import numpy as np

import mho
import network_files as nf
from mho import folder, lines, refused, run, write

DB = ['--db', 'n.db']
X, Y = nf.digits()
IMAGES = X.reshape(-1, 1, 8, 8)
rng = np.random.default_rng(7)
SETS = lambda *sets: [w for s in sets for w in ('--set', s)]


def drawn(*shape):
    """Weights such that sums are of order 1, or biases."""
    fan_in = np.prod(shape[1:]) if len(shape) > 1 else 4
    return (rng.normal(size=shape) * 1.5 / np.sqrt(fan_in)).astype('f4')


def dense(out, n, rho=None, **more):
    return {'w': drawn(out, n), 'b': drawn(out), 'rho': rho, **more}


def conv(out, n, k, rho=None, **more):
    return {'w': drawn(out, n, k, k), 'b': drawn(out), 'rho': rho, **more}


def normalization(n):
    return tuple(v.astype('f4') for v in (rng.uniform(.5, 2, n), rng.normal(size=n), rng.normal(size=n), rng.uniform(.2, 3, n)))


def mlp(rho='relu'):
    return [dense(24, 64, rho), dense(18, 24, rho), dense(10, 18)]


def lenet(rho='relu'):
    return [conv(5, 1, 3, rho, padding=1, pool=2), conv(7, 5, 2, rho), dense(12, 63, rho, flat='Flatten'), dense(10, 12)]


def imported(data, ending, *words, **more):
    """The chip of a network's file."""
    write('net.' + ending, data, 'wb')
    chip, done = lines('import', '--' + ending, 'net.' + ending, *words, '--json', *DB, **more)
    assert chip['event'] == 'chip' and done['event'] == 'done' and done['chips'] == 1
    return chip


def same(chip, net, x, within=2e-6):
    accuracy, loss = nf.score(nf.forward(net, x), Y)
    assert abs(chip['accuracy'] - accuracy) < 1e-9 and abs(chip['loss'] - loss) < within * max(1, loss), (chip, accuracy, loss)


# ---------------------------------------------------------------- in

def test_formats():
    """One network in every format and type of numbers gives the same answers, those of NumPy to rounding."""
    net = mlp()
    state, relu = nf.state_dict(net), SETS('network.neuron=relu')
    for data, ending in ((nf.npz(state), 'npz'), (nf.npz(state, packed=True), 'npz'),
                         (nf.npz({k: np.asfortranarray(v) for k, v in state.items()}), 'npz'),
                         (nf.npz({k: v.astype('>f8') for k, v in state.items()}), 'npz'),
                         (nf.safetensors(state), 'safetensors'), (nf.safetensors(state, 'F64'), 'safetensors')):
        same(imported(data, ending, *relu), net, X)
    for more in ({}, {'matmul': True}, {'how': 'float_data'}, {'how': 'double'}, {'softmax_op': 'Softmax'}, {'softmax_op': 'LogSoftmax'}):
        same(imported(nf.onnx(net, ['N', 64], **more), 'onnx'), net, X)

    half = [{**l, 'w': l['w'].astype('f2').astype('f4'), 'b': l['b'].astype('f2').astype('f4')} for l in net]
    same(imported(nf.npz({k: v.astype('f2') for k, v in state.items()}), 'npz', *relu), half, X)
    same(imported(nf.safetensors(state, 'F16'), 'safetensors', *relu), half, X)
    same(imported(nf.onnx(net, ['N', 64], how='half'), 'onnx'), half, X)
    cut = lambda v: (v.view('u4') >> 16 << 16).view('f4')
    upper = [{**l, 'w': cut(l['w']), 'b': cut(l['b'])} for l in net]
    same(imported(nf.safetensors(state, 'BF16'), 'safetensors', *relu), upper, X)


def test_neurons():
    """Every neuron that a file can name; networks without biases; neurons in the last layer, whose activities are the answer."""
    for rho in ('relu', 'tanh', 'sigmoid', None):
        net = mlp(rho)
        same(imported(nf.onnx(net, ['N', 64]), 'onnx'), net, X)
    net = [{'w': l['w'], 'rho': l['rho']} for l in mlp('tanh')]
    same(imported(nf.onnx(net, ['N', 64]), 'onnx'), net, X)
    same(imported(nf.npz(nf.state_dict(net)), 'npz', *SETS('network.neuron=tanh')), net, X)
    net = [net[0], {**dense(18, 24, 'tanh')}, {'w': drawn(10, 18)}]  # biases in one layer only
    same(imported(nf.onnx(net, ['N', 64]), 'onnx'), net, X)

    net = [dense(20, 64, 'sigmoid'), dense(10, 20, 'sigmoid')]
    z = nf.forward(net, X)
    chip = imported(nf.onnx(net, ['N', 64]), 'onnx')
    loss = .5 * ((z - np.eye(10)[Y]) ** 2).sum(1).mean()
    assert abs(chip['accuracy'] - (z.argmax(1) == Y).mean()) < 1e-9 and abs(chip['loss'] - loss) < 2e-6, (chip, loss)


def test_convolutions():
    """Strides, paddings, windows of the largest before and behind neurons, several channels into a dense layer."""
    nets = [lenet(), lenet('tanh'),
            [conv(4, 1, 3, 'relu', stride=2, padding=1), conv(6, 4, 3, 'relu', padding=2, pool=3), dense(10, 24, flat='Reshape')],
            [conv(6, 1, 2, 'relu', pool=3, before=True), dense(10, 24, flat='Flatten')],
            [conv(3, 1, 8, 'sigmoid'), dense(10, 3, flat='Flatten')]]
    for net in nets:
        same(imported(nf.onnx(net, ['N', 1, 8, 8]), 'onnx'), net, IMAGES)

    net, layers = lenet(), SETS('network.neuron=relu', 'network.conv=[5x3p1, pool2, 7x2, 12]')
    same(imported(nf.npz(nf.state_dict(net)), 'npz', *layers), net, IMAGES)
    names = ['features.0', 'features.3', 'classifier.1', 'classifier.3']  # by name the classifier would come first
    for names in (names, ['conv9', 'conv10', 'fc1', 'fc2']):
        same(imported(nf.safetensors(nf.state_dict(net, names)), 'safetensors', *layers), net, IMAGES)
    odd = nf.state_dict(net, ['d', 'c', 'b', 'a'])
    same(imported(nf.safetensors(odd), 'safetensors', *layers, '--layers', 'd,c,b,a'), net, IMAGES)
    flat = [dense(9, 64, 'relu', flat='Flatten'), dense(10, 9)]
    same(imported(nf.onnx(flat, [1, 1, 8, 8]), 'onnx'), flat, X)


def test_foldings():
    """Normalizations of a batch, means over windows and the normalization of inputs become weights that answer the same."""
    nets = [
        [conv(4, 1, 3, 'relu', pool=2, mean=True), dense(10, 36, flat='Flatten')],
        [conv(4, 1, 2, 'relu', pool=2, mean=True), dense(10, 36, flat='Flatten')],  # a border is left out
        [conv(4, 1, 3, 'tanh', padding=1, pool=2, mean=True), conv(5, 4, 3, 'tanh', padding=1), dense(10, 80, flat='Flatten')],
        [conv(4, 1, 2, 'tanh', pool=3, mean=True), conv(5, 4, 2, 'tanh'), dense(10, 5, flat='Flatten')],
        [conv(4, 1, 3, 'relu', stride=2, padding=1, pool=2, mean=True, before=True), dense(10, 16, flat='Flatten')],
        [{**conv(4, 1, 3, 'relu', padding=1, pool=2), 'norm': normalization(4)}, {**dense(12, 64, 'relu', flat='Flatten'), 'norm': normalization(12)},
         dense(10, 12)]]
    for net in nets:
        same(imported(nf.onnx(net, ['N', 1, 8, 8]), 'onnx'), net, IMAGES, within=5e-6)

    net = mlp()
    same(imported(nf.onnx(net, ['N', 64]), 'onnx', '--mean', '0.3', '--std', '0.4'), net, (X - .3) / .4, within=5e-6)
    same(imported(nf.onnx(net, ['N', 64]), 'onnx', '--std', '0.0625'), net, 16 * X, within=5e-6)
    columns = rng.uniform(0, 1, 64), rng.uniform(.5, 2, 64)
    words = [','.join(map(str, v)) for v in columns]
    same(imported(nf.onnx(net, ['N', 64]), 'onnx', '--mean', words[0], '--std', words[1]), net, (X - columns[0]) / columns[1], within=5e-6)
    net = [conv(4, 1, 3, 'relu'), dense(10, 144, flat='Flatten')]
    same(imported(nf.onnx(net, ['N', 1, 8, 8]), 'onnx', '--mean', '0.3', '--std', '0.4'), net, (IMAGES - .3) / .4, within=5e-6)
    # with a padding zeros stand beside the inputs: a spread alone is exact there
    net = lenet()
    same(imported(nf.onnx(net, ['N', 1, 8, 8]), 'onnx', '--std', '0.4'), net, IMAGES / .4, within=5e-6)


def test_constants():
    """Weights that come by way of other operators: Constant, Identity and Transpose; a pad of nothing; biases listed as inputs."""
    net = [dense(9, 64, 'relu'), dense(10, 9)]
    g = nf.Graph()
    g.nodes += [nf.field(2, 'w0') + nf.field(4, 'Constant') + nf.field(5, nf.field(1, 'value') + nf.field(5, nf.tensor('', net[0]['w'])) + nf.field(20, 4)),
                nf.node('Transpose', ['w0'], 'w0t', perm=[1, 0]), nf.node('Identity', ['b0'], 'b0i')]
    g.constant('b0', net[0]['b'])
    g.add('Pad', g.constant('none', np.zeros(4, int), 'int64'))
    g.add('MatMul', 'w0t')
    g.nodes.append(nf.node('Add', ['b0i', g.last], 'sum'))
    g.last = 'sum'
    g.add('Relu')
    g.add('Identity')
    g.add('Dropout')
    g.add('Gemm', g.constant('w1', net[1]['w']), g.constant('b1', net[1]['b'] / 2), transB=1, alpha=.5, beta=2.0)
    half = [net[0], {'w': net[1]['w'] / 2, 'b': net[1]['b']}]
    same(imported(nf.model(g.nodes, g.constants, ['N', 64], g.last), 'onnx'), half, X)


def test_values():
    """Of a table of values every answer is compared, one by one; the read-out is linear by itself."""
    x, net = rng.normal(size=(60, 6)), [dense(11, 6, 'tanh'), dense(3, 11)]
    write('values.csv', ''.join(','.join(map(repr, map(float, row))) + '\n' for row in np.hstack([x, np.zeros((60, 3))])))
    data = SETS('dataset.name=table', 'dataset.path=values.csv', 'dataset.targets=7-9', 'dataset.normalize=none', 'dataset.test=20', 'train.batch=10')
    chip = imported(nf.onnx(net, ['N', 6]), 'onnx', *data)
    rows = [r.split(',') for r in run('query', '--csv', f"SELECT sample, value, answer FROM prediction WHERE run_id = '{chip['run']}'", *DB).stdout.splitlines()[1:]]
    got, want = np.zeros((20, 3)), nf.forward(net, x[40:])
    assert len(rows) == 60
    for sample, value, answer in rows:
        got[int(sample), int(value)] = float(answer)
    assert np.abs(got - want).max() < 1e-6 * np.abs(want).max(), np.abs(got - want).max()


# ---------------------------------------------------------------- what becomes of it

def state_of(name, ending):
    run('export', name, '--weights', f'out.{ending}', *DB)
    with open(os.path.join(folder, f'out.{ending}'), 'rb') as f:
        return f.read()


def with_weights(net, state):
    """The layers of a network with the weights that mho wrote."""
    names = [f'h{i + 1}' for i in range(len(net) - 1)] + ['out']
    assert list(state) == [n + e for n in names for e in ('.weight', '.bias')], list(state)
    return [{**l, 'w': state[n + '.weight'], 'b': state[n + '.bias']} for n, l in zip(names, net)]


def test_back():
    """What was imported is exported again with the same answers, number by number, in every format; ONNX comes back."""
    for net, dims, x in ((mlp('tanh'), ['N', 64], X), (lenet(), ['N', 1, 8, 8], IMAGES)):
        chip, want = imported(nf.onnx(net, dims), 'onnx', '--name', 'back'), nf.forward(net, x)
        for ending, read in (('npz', nf.read_npz), ('safetensors', nf.read_safetensors)):
            got = nf.forward(with_weights(net, read(state_of('back', ending))), x)
            assert np.abs(got - want).max() < 1e-6, np.abs(got - want).max()
        assert nf.members(state_of('back', 'npz')).testzip() is None
        assert state_of('back', 'npz') == state_of('back', 'npz')
        again = imported(state_of('back', 'onnx'), 'onnx')
        assert (again['accuracy'], again['loss']) == (chip['accuracy'], chip['loss'])


def test_what_was_trained_here():
    """Networks of mho's own training, with devices, wires and forward_scale: the file answers what the run does."""
    base = ['network.hidden=[14, 12]', 'network.biases=true', 'rule=bp', 'train.epochs=2']
    for more in ([], ['network.forward_scale=0.7', 'network.neuron=sigmoid'], ['device=linear', 'update.scheme=accumulate'],
                 ['device=linear', 'array.wire.r_word=5 ohm', 'array.wire.r_bit=5 ohm'], ['network.output=state', 'network.loss=squared'],
                 ['network.topology=conv', 'network.conv=[4x3s2p1, pool2, 9]', 'network.hidden=[128, 128]', 'network.neuron=relu']):
        run('train', *SETS(*base, *more), '--name', 'here', *DB)
        trained, = lines('eval', 'here', '--json', *DB)
        for ending in ('onnx', 'npz', 'safetensors'):
            structure = [s for s in base[:2] + more if s.startswith('network.') and not s.startswith('network.forward_scale')]
            words = [] if ending == 'onnx' else SETS(*structure, *([] if any('neuron' in s for s in more) else ['network.neuron=tanh']))
            chip = imported(state_of('here', ending), ending, *words)
            assert chip['accuracy'] == trained['accuracy'] and abs(chip['loss'] - trained['loss']) < 1e-6 * max(1, trained['loss']), (more, ending)


def test_other_verbs():
    """eval, program, report, show, netlist, settle, train --from, in a run of each kind of network."""
    for net, dims, x, settable in ((mlp('tanh'), ['N', 64], X, []), (lenet(), ['N', 1, 8, 8], IMAGES, [])):
        chip = imported(nf.onnx(net, dims), 'onnx', '--name', 'v')
        assert lines('eval', 'v', '--json', *DB)[0]['loss'] == chip['loss'], 'eval'
        onto, done = lines('program', 'v', '--set', 'device.card=pcm', '--name', 'vp', '--json', *DB)
        assert done['source'] == chip['accuracy'] and onto['clipped'] < .02, (done, onto)
        aged = lines('eval', 'vp', '--after', '1d', '--json', *DB)[0]['after'][0]
        assert aged['loss'] != onto['loss'], aged
        direct = imported(nf.onnx(net, dims), 'onnx', '--set', 'device.card=pcm', '--seed', '2', '--name', 'vd')
        # the same chip, by way of ideal devices or at once
        assert direct['loss'] == onto['loss'] and direct['clipped'] == onto['clipped'], (direct, onto)
        run('report', 'vp', '-o', 'v.html', *DB)
        run('show', 'v', *DB)
        run('netlist', 'vp', '--layer', 'x-h1', '-o', 'v.cir', *DB)
        run('settle', 'v', '--sample', '0', '--set', 'rule=ep', '--set', 'feedback.scale=0', *DB)

        write('v.yaml', run('show', 'v', '--config', *DB).stdout)
        run('train', 'v.yaml', '--set', 'train.epochs=10', '--set', 'update.optimizer=adam', '--set', 'update.rate=3e-3', '--from', 'v', '--name', 'on', *DB)
        row, = lines('show', 'on', '--json', *DB)
        assert row['final_test_acc'] > chip['accuracy'] + .2, (row['final_test_acc'], chip['accuracy'])
        row, = lines('show', 'v', '--json', *DB)
        assert (row['kind'], row.get('parent'), row['status']) == ('programmed', None, 'completed'), row


def test_mappings():
    """On every mapping that holds both signs, without write errors, the network is the same; on what is coarse it is another."""
    net = mlp('tanh')
    want = imported(nf.onnx(net, ['N', 64]), 'onnx')
    for mapping in ('differential', 'reference', 'one_sided', 'offset'):
        chip = imported(nf.onnx(net, ['N', 64]), 'onnx', *SETS('device=linear', f'device.mapping={mapping}'))
        assert chip['accuracy'] == want['accuracy'] and abs(chip['loss'] - want['loss']) < 1e-4 and chip['clipped'] == 0, (mapping, chip)
        top = [max(np.abs(l['w']).max(), np.abs(l['b']).max()) for l in net]
        assert all(c['w_max'] >= t * (1 - 1e-6) for c, t in zip(chip['connections'], top))
    coarse = imported(nf.onnx(net, ['N', 64]), 'onnx', *SETS('device=linear', 'device.levels=8'))
    assert abs(coarse['loss'] - want['loss']) > 1e-3


# ---------------------------------------------------------------- what is refused

def refuses(data, ending, says, *words):
    write('bad.' + ending, data, 'wb')
    refused('import', '--' + ending, 'bad.' + ending, *words, *DB, says=says)


def graph(*nodes, dims=('N', 64), constants=(), output=None):
    return nf.model(nodes, constants, dims, output or f'v{len(nodes) - 1}')


def test_refused_operators():
    w = nf.tensor('w', drawn(64, 64))
    first = nf.node('MatMul', ['input', 'w'], 'v0')
    for nodes, says in (
            ([nf.node('LSTM', ['input'], 'v0')], ['LSTM', 'are taken, no others']),
            ([first, nf.node('Gelu', ['v0'], 'v1')], 'Gelu'),
            ([first, nf.node('Add', ['v0', 'input'], 'v1')], 'residual'),
            ([first, nf.node('Relu', ['v0'], 'r'), nf.node('Add', ['r', 'v0'], 'v2')], 'residual'),
            ([nf.node('BatchNormalization', ['input', 'w', 'w', 'w', 'w'], 'v0')], 'right behind'),
            ([nf.node('Softmax', ['input'], 'v0', axis=1)], 'right behind'),
            ([first, nf.node('Softmax', ['v0'], 'v1', axis=0)], 'axis'),
            ([first, nf.node('Softmax', ['v0'], 's', axis=1), nf.node('MatMul', ['s', 'w'], 'v2')], 'behind the softmax'),
            ([nf.node('Relu', ['input'], 'v0')], 'follow a layer'),
            ([first, nf.node('Relu', ['v0'], 'r'), nf.node('Tanh', ['r'], 'v2')], 'another activation'),
            ([first, nf.node('Relu', ['v0'], 'r'), nf.node('MatMul', ['r', 'w'], 'm'), nf.node('Tanh', ['m'], 't'), nf.node('MatMul', ['t', 'w'], 'v4')],
             'one kind in all layers'),
            ([nf.node('Gemm', ['input', 'w'], 'v0', transA=1)], 'transA'),
            ([nf.node('Gemm', ['input', 'w'], 'v0', alpha=float('nan'))], ['is nan', 'factors']),
            ([nf.node('Gemm', ['input', 'w'], 'v0', alpha=float('inf'))], ['inf', 'factors']),
            ([nf.node('MaxPool', ['input'], 'v0', kernel_shape=[2, 2], strides=[2, 2])], 'follow a convolution'),
            ([nf.node('Reshape', ['input', 'input'], 'v0')], 'computed'),
            ([nf.node('MatMul', ['input', 'missing'], 'v0')], 'no constant matrix'),
            ([first], 'one layer'),
            ([nf.node('MatMul', ['w', 'w'], 'v0')], 'no chain of operators')):
        refuses(graph(*nodes, constants=[w]), 'onnx', says)
    k = nf.tensor('k', drawn(4, 1, 3, 3))
    for attributes, says in (({'group': 2}, 'groups'), ({'dilations': [2, 2]}, 'dilations'), ({'strides': [1, 2]}, 'square'),
                             ({'pads': [0, 0, 1, 1]}, 'side to side'), ({'auto_pad': 'SAME_UPPER'}, 'auto_pad'),
                             ({'strides': [1 << 40, 1 << 40]}, 'larger than'), ({'pads': [1 << 20] * 4}, '2^27')):
        refuses(graph(nf.node('Conv', ['input', 'k'], 'v0', **attributes), dims=('N', 1, 8, 8), constants=[k]), 'onnx', says)
    for attributes, says in (({'kernel_shape': [2, 2], 'strides': [1, 1]}, 'side by side'), ({'kernel_shape': [9, 9], 'strides': [9, 9]}, 'larger than'),
                             ({'kernel_shape': [4, 4], 'strides': [4, 4], 'ceil_mode': 1}, 'ceil_mode')):
        refuses(graph(nf.node('Conv', ['input', 'k'], 'v0'), nf.node('MaxPool', ['v0'], 'v1', **attributes), dims=('N', 1, 8, 8), constants=[k]),
                'onnx', says)


def test_refused_weights():
    state, relu = nf.state_dict(mlp()), SETS('network.neuron=relu')
    refuses(nf.npz(state), 'npz', 'network.neuron')
    refuses(nf.npz(nf.state_dict(lenet())), 'npz', ['network.conv', '5x3'], *relu)
    refuses(nf.npz(nf.state_dict(lenet())), 'npz', 'inputs and', *relu, '--set', 'network.conv=[5x3p1, 7x2, 12]')
    refuses(nf.npz({**state, '1.running_mean': np.ones(3)}), 'npz', 'batch normalization', *relu)
    refuses(nf.npz({**state, 'in_proj': np.ones((3, 3))}), 'npz', 'neither NAME.weight', *relu)
    refuses(nf.npz({**state, '1.weight': np.ones(3)}), 'npz', 'expected the weights', *relu)
    refuses(nf.npz({**state, '4.bias': np.ones(3)}), 'npz', '3 biases for 10', *relu)
    refuses(nf.npz({'a.weight': np.ones((5, 64)), 'b.weight': np.ones((10, 6))}), 'npz', '--layers', *relu)
    refuses(nf.npz({**state, '0.weight': np.full((24, 64), np.nan)}), 'npz', 'finite', *relu)
    refuses(nf.npz({**state, '0.weight': np.full((24, 64), 1e300)}), 'npz', 'single precision', *relu)
    refuses(nf.npz(state), 'npz', 'no layer', *relu, '--layers', '0,2,5')
    refuses(nf.npz(state), 'npz', 'there twice', *relu, '--layers', '0,0,2')
    refuses(nf.npz(state), 'npz', '2 of 3 layers', *relu, '--layers', '0,2')
    refuses(nf.npz({'a.weight': np.ones((10, 64))}), 'npz', 'one layer', *relu)
    refuses(nf.npz({}), 'npz', ['not a zip file', 'no weights'][1], *relu)
    write('values.csv', '1,2,3,4,5,6,7,8,9\n' * 200)
    refuses(nf.npz(state), 'npz', 'dataset.name', *relu, *SETS('dataset.name=table', 'dataset.path=values.csv', 'dataset.targets=7-9'))
    refuses(nf.npz(state), 'npz', 'network.hidden', *relu, '--set', 'network.hidden=[24, 19]')
    refuses(nf.npz(state), 'npz', 'network.topology', *relu, '--set', 'network.hidden=[24]')
    refuses(nf.npz(state), 'npz', 'network.biases', *relu, '--set', 'network.biases=false')


def test_refused_config():
    """Keys that say another network than an ONNX model does."""
    data, image = nf.onnx(mlp(), ['N', 64]), nf.onnx(lenet(), ['N', 1, 8, 8])
    for key, says in (('network.neuron=tanh', 'network.neuron'), ('network.output=state', 'network.output'),
                      ('network.topology=residual', ''), ('network.forward_scale=0', 'forward_scale')):
        write('net.onnx', data, 'wb')
        if says:
            refused('import', '--onnx', 'net.onnx', '--set', key, *DB, says=says)
        else:  # without a skip residual is a chain
            run('import', '--onnx', 'net.onnx', '--set', key, *DB)
    refuses(image, 'onnx', 'network.conv', '--set', 'network.conv=[5x3p1, pool2, 7x2s2, 12]')
    refuses(image, 'onnx', '--mean', '--mean', '0.3')
    refuses(data, 'onnx', '--mean', '--mean', '1,2,3')
    refuses(data, 'onnx', '1 channel', '--mean', '0,3')
    refuses(data, 'onnx', '4 numbers', '--std', '1,2,3,4')
    refuses(nf.onnx([dense(24, 64, 'relu'), dense(12, 24)], ['N', 64]), 'onnx', 'dataset.name')
    refuses(data, 'onnx', '--std', '--std', '0')
    refuses(data, 'onnx', 'as many', '--mean', '1,2', '--std', '1,2,3,4')
    refuses(data, 'onnx', '--layers', '--layers', 'a')
    refused('import', '--onnx', 'none.onnx', *DB, says='No such file')
    for words in (['train', '--from', 'net.onnx'], ['train', '--set', 'train.from=net.onnx'], ['program', 'net.onnx']):
        refused(*words, *DB, says='mho import')
    refused('import', '--onnx', 'net.onnx', 'runs.jsonl', *DB, says='either a network')
    refused('import', 'runs.jsonl', '--mean', '1', *DB, says='go with a network')
    refused('import', '--onnx', 'net.onnx', '--mean', 'x', *DB, says='list of numbers')
    run('train', *SETS('network.topology=residual', 'network.hidden=[8, 8, 8, 8]', 'train.epochs=1'), '--name', 'res', *DB)
    refused('export', 'res', '--weights', 'res.onnx', *DB, says='no chain')
    run('train', *SETS('network.neuron=hard_sigmoid', 'train.epochs=1', 'network.hidden=[8]'), '--name', 'hs', *DB)
    refused('export', 'hs', '--weights', 'hs.onnx', *DB, says='hard_sigmoid')
    p = run('export', 'hs', '--weights', 'hs.npz', *DB)
    assert 'no feedback' in p.stderr
    assert not os.path.exists(os.path.join(folder, 'hs.onnx'))


# ---------------------------------------------------------------- files that are none

def zip_bomb(size, said=None):
    """A member of so many zeros, or that is said to be so large."""
    data = bytearray(nf.npz({'0.weight': np.zeros((size, 1000), 'f4')}, packed=True))
    at = data.index(b'PK\1\2')
    if said:
        data[at + 24:at + 28] = struct.pack('<I', said)
    return bytes(data)


def test_hostile():
    """Cut short, changed and lying files: a sentence and exit 2, within the memory that the file justifies."""
    state, relu = nf.state_dict([dense(4, 64, 'relu'), dense(10, 4)]), SETS('network.neuron=relu')
    files = {'npz': nf.npz(state), 'safetensors': nf.safetensors(state), 'onnx': nf.onnx([dense(4, 64, 'relu'), dense(10, 4)], ['N', 64])}
    for ending, data in files.items():
        for n in (0, 1, 7, 8, 9, 30, 100, len(data) // 2, len(data) - 1):
            refuses(data[:n], ending, f'bad.{ending}', *relu)
        for k in range(25):
            changed = bytearray(data)
            for at in rng.integers(0, min(len(data), 400 if ending == 'safetensors' else len(data)), 3):
                changed[at] = rng.integers(256)
            write('bad.' + ending, bytes(changed), 'wb')
            p = run('import', '--' + ending, 'bad.' + ending, *relu, *DB, code=None)
            assert p.returncode in (0, 2) and (p.returncode == 0 or len(p.stderr.splitlines()) == 1), (ending, k, p)
        refuses(files['onnx' if ending != 'onnx' else 'npz'], ending, 'bad.' + ending, *relu)

    refuses(zip_bomb(10, said=4000000000), 'npz', 'larger than what is taken', *relu)
    refuses(zip_bomb(10, said=1000000000), 'npz', 'larger than it can be', *relu)
    header = lambda h, body=b'': struct.pack('<Q', len(h)) + h + body
    deep = b'{"a.weight":' + b'[' * 100000 + b']' * 100000 + b'}'
    entry = '{"a.weight": {"dtype": "F32", "shape": %s, "data_offsets": %s}}'
    for data, says in ((header(deep), 'JSON'), (struct.pack('<Q', 1 << 62) + b'{}', 'length of its header'), (header(b'{}', b'xxxx'), '0 of 4'),
                       (header((entry % ('[-1, -4]', '[0, 16]')).encode(), b'x' * 16), 'a.weight'),
                       (header((entry % ('[4294967296, 4294967296]', '[0, 0]')).encode()), 'data_offsets'),
                       (header((entry % ('[1, 4]', '[-16, 0]')).encode(), b'x' * 16), 'data_offsets'),
                       (header((entry % ('[1, 4]', '[0, 17]')).encode(), b'x' * 16), 'data_offsets'),
                       (header((entry % ('[1, 1, 1, 1, 4]', '[0, 16]')).encode(), b'x' * 16), 'at most 4'),
                       (header(b'{"a": {"dtype": "I8", "shape": [4], "data_offsets": [0, 4]}}', b'xxxx'), 'I8')):
        refuses(data, 'safetensors', says, *relu)
    big = nf.field(1, 1 << 31) + nf.field(1, 1 << 31) + nf.field(2, 1) + nf.field(8, 'w') + nf.field(9, b'1234')
    refuses(graph(nf.node('MatMul', ['input', 'w'], 'v0'), constants=[big]), 'onnx', 'fewer numbers')
    outside = nf.field(1, 1) + nf.field(2, 1) + nf.field(8, 'w') + nf.field(13, nf.field(1, 'location') + nf.field(2, '/etc/passwd'))
    refuses(graph(nf.node('MatMul', ['input', 'w'], 'v0'), constants=[outside]), 'onnx', 'one file')


# ---------------------------------------------------------------- PyTorch

def trained(net, shape, mean=0.0, std=1.0):
    """The network, trained on the digits in seconds, and its answers to the test images."""
    with open(os.path.join(nf.SOURCE, 'src/data/digits_table.inc'), encoding='utf-8') as f:
        rows = [line.split('"')[1] for line in f if line.startswith('"')][:1437]
    x = torch.tensor([[int(c, 17) / 16 for c in row[1:]] for row in rows]).reshape(-1, *shape)
    y = torch.tensor([int(row[0]) for row in rows])
    optimizer = torch.optim.Adam(net.parameters(), 4e-3)
    for _ in range(12):
        for i in torch.randperm(len(x)).split(50):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net((x[i] - mean) / std), y[i]).backward()
            optimizer.step()
    net.eval()
    with torch.no_grad():
        answers = net((torch.tensor(X, dtype=torch.float32).reshape(-1, *shape) - mean) / std).double().numpy()
    return answers


def from_torch(net, shape, name, *words):
    path = os.path.join(folder, 'torch.onnx')
    torch.onnx.export(net, torch.zeros(1, *shape), path)
    chip, _ = lines('import', '--onnx', 'torch.onnx', *words, '--name', name, '--json', *DB)
    return chip


def on_cards(name, accuracy):
    """One chip (a smoke test) of each of three cards, after a day: it still answers far better than chance."""
    for card in ('ecram', 'pcm', 'reram_es'):
        onto, _ = lines('program', name, '--set', 'device.card=' + card, '--name', card, '--json', *DB)
        aged = lines('eval', card, '--after', '1d', '--json', *DB)[0]['after'][0]
        print(f'      {name} on {card}: {100 * accuracy:.2f} % ideal, {100 * onto["accuracy"]:.2f} % written, {100 * aged["accuracy"]:.2f} % after a day')
        assert onto['accuracy'] > .5 and aged['accuracy'] > .4, (card, onto['accuracy'], aged['accuracy'])


def test_torch_mlp():
    nn = torch.nn
    net = nn.Sequential(nn.Linear(64, 40), nn.BatchNorm1d(40), nn.Tanh(), nn.Dropout(.1), nn.Linear(40, 24), nn.Tanh(), nn.Linear(24, 10))
    answers = trained(net, (64,), .3, .4)
    accuracy, loss = nf.score(answers, Y)
    assert accuracy > .85
    chip = from_torch(net, (64,), 'mlp', '--mean', '0.3', '--std', '0.4')
    assert abs(chip['accuracy'] - accuracy) < 1e-9 and abs(chip['loss'] - loss) < 3e-6, (chip, accuracy, loss)
    on_cards('mlp', accuracy)

    back = nn.Sequential(nn.Linear(64, 40), nn.Tanh(), nn.Linear(40, 24), nn.Tanh(), nn.Linear(24, 10))
    state = nf.read_safetensors(state_of('mlp', 'safetensors'))
    back.load_state_dict(dict(zip(back.state_dict(), map(torch.tensor, map(np.copy, state.values())))))
    got = back(torch.tensor(X, dtype=torch.float32)).detach().double().numpy()
    assert np.abs(got - answers).max() < 1e-5 * np.abs(answers).max(), np.abs(got - answers).max()


def test_torch_lenet():
    nn = torch.nn
    layers = lambda: nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 2), nn.ReLU(), nn.Flatten(),
                                   nn.Linear(144, 40), nn.ReLU(), nn.Linear(40, 10))
    net = layers()
    answers = trained(net, (1, 8, 8))
    accuracy, loss = nf.score(answers, Y)
    assert accuracy > .85
    chip = from_torch(net, (1, 8, 8), 'lenet')
    assert abs(chip['accuracy'] - accuracy) < 1e-9 and abs(chip['loss'] - loss) < 2e-6, (chip, accuracy, loss)
    by_name = imported(nf.npz({k: v.numpy() for k, v in net.state_dict().items()}), 'npz',
                       *SETS('network.neuron=relu', 'network.conv=[6x3p1, pool2, 16x2, 40]'))
    assert (by_name['accuracy'], by_name['loss']) == (chip['accuracy'], chip['loss'])
    on_cards('lenet', accuracy)

    back, state = layers(), nf.read_npz(state_of('lenet', 'npz'))
    back.load_state_dict(dict(zip(net.state_dict(), map(torch.tensor, state.values()))))
    got = back(torch.tensor(IMAGES, dtype=torch.float32)).detach().double().numpy()
    assert np.abs(got - answers).max() < 1e-6, np.abs(got - answers).max()


def test_torch_means():
    nn = torch.nn
    net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Sigmoid(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(128, 20), nn.Sigmoid(),
                        nn.Linear(20, 10), nn.Softmax(1))
    torch.manual_seed(2)
    net.eval()
    with torch.no_grad():
        p = net(torch.tensor(IMAGES, dtype=torch.float32)).double().numpy()
    chip = from_torch(net, (1, 8, 8), 'means')
    loss = -np.log(p[np.arange(360), Y]).mean()
    assert abs(chip['accuracy'] - (p.argmax(1) == Y).mean()) < 1e-9 and abs(chip['loss'] - loss) < 2e-6, (chip, loss)


tests = [t for n, t in sorted(globals().items()) if n.startswith('test_')]
try:
    import torch
    torch.manual_seed(1)
    torch.set_num_threads(1)
except ImportError:
    print('without python3-torch networks are drawn, and none is trained')
    tests = [t for t in tests if 'torch' not in t.__name__]
if len(sys.argv) > 1:
    tests = [t for t in tests if t.__name__ in sys.argv[1:]]
mho.main(tests)
