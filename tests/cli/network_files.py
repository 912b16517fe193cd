"""What the tests of network files share: digits, a reference in NumPy, and writers of the formats that use none of mho.

A network is a list of layers, each a dict: w [out x in] or [out x in x k x k], b, stride, padding, norm (scale, shift, mean,
variance), rho ('relu', ...), pool, mean (windows of means), before (windows before rho), flat ('Flatten' or 'Reshape')."""
import io
import json
import os
import struct
import zipfile

import numpy as np

SOURCE = os.environ['MHO_SOURCE']
RHO = {'relu': lambda a: np.maximum(a, 0), 'tanh': np.tanh, 'sigmoid': lambda a: 1 / (1 + np.exp(-a)), None: lambda a: a}
EPSILON = 1e-5


def digits():
    """The test images [360 x 64], 0 to 1, and their labels."""
    with open(os.path.join(SOURCE, 'src/data/digits_table.inc'), encoding='utf-8') as f:
        rows = [line.split('"')[1] for line in f if line.startswith('"')]
    x = np.array([[int(c, 17) for c in row[1:]] for row in rows]) / 16
    return x[1437:], np.array([int(row[0]) for row in rows])[1437:]


# ---------------------------------------------------------------- the reference

def convolve(z, w, stride, padding):
    z = np.pad(z, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    k = w.shape[2]
    patches = np.lib.stride_tricks.sliding_window_view(z, (k, k), (2, 3))[:, :, ::stride, ::stride]
    return np.einsum('ncyxab,ocab->noyx', patches, w)


def windows(z, p, of):
    n, c, h, w = z.shape
    return of(z[:, :, :h // p * p, :w // p * p].reshape(n, c, h // p, p, w // p, p), (3, 5))


def forward(net, x):
    """The sums of the read-out, in double precision. x: [n x inputs], or images."""
    z = np.asarray(x, float)
    for layer in net:
        w, b = layer['w'].astype(float), layer.get('b')
        if w.ndim == 2:
            a = z.reshape(len(z), -1) @ w.T
        else:
            a = convolve(z, w, layer.get('stride', 1), layer.get('padding', 0))
        wide = (slice(None),) + (None,) * (a.ndim - 2)
        a = a + (b.astype(float)[wide] if b is not None else 0)
        if 'norm' in layer:
            scale, shift, mean, variance = (v.astype(float)[wide] for v in layer['norm'])
            a = (a - mean) / np.sqrt(variance + EPSILON) * scale + shift
        of, rho = np.mean if layer.get('mean') else np.max, RHO[layer.get('rho')]
        if layer.get('before'):
            z = rho(windows(a, layer['pool'], of))
        else:
            z = windows(rho(a), layer['pool'], of) if layer.get('pool') else rho(a)
    return z


def softmax(a):
    p = np.exp(a - a.max(1, keepdims=True))
    return p / p.sum(1, keepdims=True)


def score(a, y):
    """Accuracy and mean cross-entropy of sums."""
    return float((a.argmax(1) == y).mean()), float(-np.log(softmax(a)[np.arange(len(y)), y]).mean())


# ---------------------------------------------------------------- weights by name

def state_dict(net, names=None):
    out = {}
    for i, layer in enumerate(net):
        name = names[i] if names else f'{2 * i}'
        out[name + '.weight'] = layer['w']
        if layer.get('b') is not None:
            out[name + '.bias'] = layer['b']
    return out


def npz(arrays, packed=False):
    f = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(f, **arrays)
    return f.getvalue()


def bfloat(v):
    """The upper halves of float32."""
    return (np.ascontiguousarray(v, '<f4').view('<u4') >> 16).astype('<u2')


def safetensors(arrays, dtype='F32'):
    """As the library of that name writes: arrays by their names."""
    pack = {'F16': lambda v: v.astype('<f2'), 'F32': lambda v: v.astype('<f4'), 'F64': lambda v: v.astype('<f8'), 'BF16': bfloat}[dtype]
    header, body = {'__metadata__': {'format': 'pt'}}, b''
    for name in sorted(arrays):
        data = pack(arrays[name]).tobytes()
        header[name] = {'dtype': dtype, 'shape': list(arrays[name].shape), 'data_offsets': [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    return struct.pack('<Q', len(text)) + text + body


def read_npz(data):
    return dict(np.load(io.BytesIO(data)))


def read_safetensors(data):
    n, = struct.unpack('<Q', data[:8])
    header = json.loads(data[8:8 + n])
    out = {}
    for name, one in header.items():
        if name != '__metadata__':
            begin, end = one['data_offsets']
            assert one['dtype'] == 'F32' and (8 + n) % 8 == 0
            out[name] = np.frombuffer(data[8 + n + begin:8 + n + end], '<f4').reshape(one['shape'])
    return out


def members(data):
    return zipfile.ZipFile(io.BytesIO(data))


# ---------------------------------------------------------------- ONNX, by the numbers of onnx.proto3

def varint(v):
    v &= 2 ** 64 - 1
    out = b''
    while v > 127:
        out += bytes([v & 127 | 128])
        v >>= 7
    return out + bytes([v])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack('<f', value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(name, v, how='raw'):
    """how: raw, float_data (packed), double, half, int64."""
    head = b''.join(field(1, int(d)) for d in v.shape)
    types = {'raw': 1, 'float_data': 1, 'double': 11, 'half': 10, 'int64': 7}
    body = {'raw': lambda: field(9, v.astype('<f4').tobytes()), 'float_data': lambda: field(4, v.astype('<f4').tobytes()),
            'double': lambda: field(10, v.astype('<f8').tobytes()),
            'half': lambda: field(5, b''.join(varint(int(u)) for u in v.astype('<f2').ravel().view('<u2'))),
            'int64': lambda: field(7, b''.join(varint(int(u)) for u in v.ravel()))}[how]()
    return head + field(2, types[how]) + field(8, name) + body


def attribute(name, v):
    if isinstance(v, int):
        return field(1, name) + field(3, v) + field(20, 2)
    if isinstance(v, float):
        return field(1, name) + field(2, v) + field(20, 1)
    if isinstance(v, str):
        return field(1, name) + field(4, v) + field(20, 3)
    return field(1, name) + b''.join(field(8, i) for i in v) + field(20, 7)


def node(op, inputs, output, **attributes):
    return (b''.join(field(1, i) for i in inputs) + field(2, output) + field(3, output + '_' + op) + field(4, op) +
            b''.join(field(5, attribute(k, v)) for k, v in attributes.items()))


def value(name, dims):
    shape = b''.join(field(1, field(2, d) if isinstance(d, str) else field(1, d)) for d in dims)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))


def model(nodes, constants, dims, output, outputs=10):
    graph = b''.join(field(1, n) for n in nodes) + field(2, 'graph') + b''.join(field(5, c) for c in constants)
    graph += field(11, value('input', dims)) + field(12, value(output, ['N', outputs]))
    return field(1, 8) + field(2, 'test') + field(7, graph) + field(8, field(1, '') + field(2, 13))


OPERATOR = {'relu': 'Relu', 'tanh': 'Tanh', 'sigmoid': 'Sigmoid'}


class Graph:
    def __init__(self, how='raw'):
        self.nodes, self.constants, self.last, self.how = [], [], 'input', how

    def constant(self, name, v, how=None):
        self.constants.append(tensor(name, np.asarray(v), how or self.how))
        return name

    def add(self, op, *inputs, **attributes):
        out = f'v{len(self.nodes)}'
        self.nodes.append(node(op, [self.last, *inputs], out, **attributes))
        self.last = out


def add_layer(g, i, layer, matmul):
    w, b = layer['w'], layer.get('b')
    if layer.get('flat') == 'Reshape':
        g.add('Reshape', g.constant(f's{i}', np.array([-1, w.shape[1]]), 'int64'))
    elif layer.get('flat'):
        g.add('Flatten', axis=1)
    if w.ndim == 4:
        g.add('Conv', g.constant(f'l{i}.weight', w), *([g.constant(f'l{i}.bias', b)] if b is not None else []), kernel_shape=w.shape[2:],
              strides=[layer.get('stride', 1)] * 2, pads=[layer.get('padding', 0)] * 4, dilations=[1, 1], group=1)
    elif matmul:
        g.add('MatMul', g.constant(f'l{i}.weight', w.T))
        if b is not None:
            g.add('Add', g.constant(f'l{i}.bias', b))
    else:
        g.add('Gemm', g.constant(f'l{i}.weight', w), *([g.constant(f'l{i}.bias', b)] if b is not None else []), transB=1, alpha=1.0, beta=1.0)
    if 'norm' in layer:
        g.add('BatchNormalization', *(g.constant(f'n{i}.{k}', v) for k, v in enumerate(layer['norm'])), epsilon=EPSILON)
    steps = [('rho', layer.get('rho')), ('pool', layer.get('pool'))]
    for what, of in reversed(steps) if layer.get('before') else steps:
        if of and what == 'rho':
            g.add(OPERATOR[of])
        elif of:
            g.add('AveragePool' if layer.get('mean') else 'MaxPool', kernel_shape=[of] * 2, strides=[of] * 2)


def onnx(net, dims, how='raw', matmul=False, softmax_op=None):
    g = Graph(how)
    for i, layer in enumerate(net):
        add_layer(g, i, layer, matmul)
    if softmax_op:
        g.add(softmax_op, axis=1)
    return model(g.nodes, g.constants, dims, g.last, len(net[-1]['w']))
