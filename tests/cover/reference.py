"""The physics of a network on crossbars, in double precision with numpy and scipy; nothing here is
mho's.

Conventions, of docs/physics.md and of 'mho solve':
  * A crossbar has a row for every input and a column for every output; the last row is the bias,
    whose input is 1.
  * W = (G+ - G-)/g_unit, and a read of x is x W; transposed it is W e, of the same devices.
  * A word line is driven at its left end and a bit line is sensed at its bottom end, over a
    segment of wire each.
"""
import numpy as np
import scipy.sparse
import scipy.sparse.linalg


class NotSettled(Exception):
    """The network has no fixed point that iteration finds: the cell says nothing."""


# ---------------------------------------------------------------- wires

def effective_conductance(g, r_word, r_bit):
    """Geff [rows x cols] of one tile g (S): I[j] = sum_i Geff[i, j] V[i].

    Kirchhoff's current law at the nodes of word lines, w(i, j), and of bit lines, b(i, j):
      w(i, j): (w(i, j) - w(i, j-1))/r_word + (w(i, j) - w(i, j+1))/r_word + G (w - b) = 0,  w(i, -1) = V[i]
      b(i, j): (b(i, j) - b(i-1, j))/r_bit  + (b(i, j) - b(i+1, j))/r_bit  + G (b - w) = 0,  b(rows, j) = 0 V
    """
    law, source, word, bit = lines(g.shape, r_word, r_bit)
    law = scipy.sparse.csc_matrix(law + cells(g, word, bit))
    voltage = scipy.sparse.linalg.splu(law).solve(source)
    return (voltage[bit[-1], :] / r_bit).T


def lines(shape, r_word, r_bit):
    """Kirchhoff's law of the wires alone: law [nodes x nodes] (S), source [nodes x rows] (S),
    numbers of the nodes.
    """
    rows, cols = shape
    word = np.arange(rows * cols).reshape(rows, cols)
    bit = rows * cols + word
    law = np.zeros((2 * rows * cols, 2 * rows * cols))
    source = np.zeros((2 * rows * cols, rows))
    for a, b, r in ((word[:, :-1], word[:, 1:], r_word), (bit[:-1], bit[1:], r_bit)):
        join(law, a, b, 1 / r)
    law[word[:, 0], word[:, 0]] += 1 / r_word  # the drivers
    source[word[:, 0], np.arange(rows)] = 1 / r_word
    law[bit[-1], bit[-1]] += 1 / r_bit  # virtual ground
    return law, source, word, bit


def join(law, a, b, conductance):
    """Add a conductance between the nodes a and b; each pair once."""
    np.add.at(law, (a, a), conductance)
    np.add.at(law, (b, b), conductance)
    np.add.at(law, (a, b), -conductance)
    np.add.at(law, (b, a), -conductance)


def cells(g, word, bit):
    """Kirchhoff's law of the cells alone."""
    law = np.zeros((2 * word.size, 2 * word.size))
    join(law, word, bit, g)
    return law


def through_wires(g_pos, g_neg, wires):
    """Both banks as they are read through their wires; wires: None, or r_word, r_bit, tile,
    neighbour.

    A logical matrix is cut into tiles from its first row and column on. With 'neighbour' a tile
    holds pairs of
    columns, G+ and then G-, so that half as many columns of the matrix fit into it.
    """
    if not wires:
        return g_pos, g_neg
    rows, cols = wires['tile']
    if wires['neighbour']:
        cols //= 2
    out = [np.zeros_like(g_pos), np.zeros_like(g_neg)]
    for i in range(0, g_pos.shape[0], rows):
        for j in range(0, g_pos.shape[1], cols):
            at = np.s_[i:i + rows, j:j + cols]
            if wires['neighbour']:
                pair = np.empty((g_pos[at].shape[0], 2 * g_pos[at].shape[1]))
                pair[:, 0::2] = g_pos[at]
                pair[:, 1::2] = g_neg[at]
                pair = effective_conductance(pair, wires['r_word'], wires['r_bit'])
                out[0][at] = pair[:, 0::2]
                out[1][at] = pair[:, 1::2]
            else:
                out[0][at] = effective_conductance(g_pos[at], wires['r_word'], wires['r_bit'])
                out[1][at] = effective_conductance(g_neg[at], wires['r_word'], wires['r_bit'])
    return out


# ---------------------------------------------------------------- devices

def drifted(g, drift, t, g_min, g_max):
    """Conductances g (S) at time t (s) after programming; drift: None, or its law and numbers.

    power:        G (t/t0)^-nu
    exponential:  of g = (G - g_min)/(g_max - g_min):  rest + (g - rest) exp(-(t - t0)/tau)
    """
    if not drift or t <= drift['t0']:
        return g
    if drift['law'] == 'power':
        return g * (t / drift['t0']) ** -drift['nu']
    part = (g - g_min) / (g_max - g_min)
    part = drift['rest'] + (part - drift['rest']) * np.exp(-(t - drift['t0']) / drift['tau'])
    return g_min + part * (g_max - g_min)


def current_terms(g, iv, read_voltage):
    """The current of cells g at v read_voltage as a sum of f(v) M: [(f, M)], M in S, over
    read_voltage.

    ohmic: G V;  sinh: G sinh(b V)/b;  polynomial: G (V + k2 V^2 + k3 V^3);
    hfo2: G V + NL2 V^2 + NL3 V^3 with Milo's fit (IEEE T-ED 68, 3832, 2021) in x = log10 G, for 50
    to 225 uS;
    outside the curvature keeps the part of G V that it has at the end of that range.
    """
    if iv['law'] == 'ohmic':
        return [(lambda v: v, g)]
    if iv['law'] == 'sinh':
        b = iv['b'] * read_voltage
        return [(lambda v: np.sinh(b * v) / b, g)]
    if iv['law'] == 'polynomial':
        k2, k3 = iv['k2'] * read_voltage, iv['k3'] * read_voltage ** 2
        return [(lambda v: v + k2 * v ** 2 + k3 * v ** 3, g)]
    inside = np.clip(g, 50e-6, 225e-6)
    x = np.log10(inside)
    nl2 = 1.388e-4 * x ** 3 + 1.541e-3 * x ** 2 + 5.711e-3 * x + 7.063e-3
    nl3 = 8.871e-5 * x ** 2 + 6.7919e-4 * x + 1.2968e-3
    return [(lambda v: v, g), (lambda v: v ** 2, g / inside * nl2 * read_voltage),
            (lambda v: v ** 3, g / inside * nl3 * read_voltage ** 2)]


def currents_between_wires(g, v_in, r_word, r_bit, iv):
    """Currents (A) of one tile of cells with an I-V law, at input voltages v_in, by Newton's
    method on Kirchhoff's law.

    Unknown are the voltages of all nodes, of word lines and then of bit lines; a cell carries I(G,
    V_word - V_bit).
    """
    law, source, word, bit = lines(g.shape, r_word, r_bit)
    v = np.linalg.solve(law + cells(g, word, bit), source @ v_in)
    (bend, _), = current_terms(g, iv, 1.0)
    for _ in range(50):
        across = v[word] - v[bit]
        amps = g * bend(across)
        slope = g * (bend(across + 1e-6) - bend(across - 1e-6)) / 2e-6
        rest = law @ v - source @ v_in
        np.add.at(rest, word, amps)
        np.add.at(rest, bit, -amps)
        step = np.linalg.solve(law + cells(slope, word, bit), rest)
        v = v - step
        if np.abs(step).max() < 1e-15:
            break
    return v[bit[-1]] / r_bit


# ---------------------------------------------------------------- circuits around a crossbar

def quantized(x, bits, full_scale):
    """The nearest of 2^bits - 1 codes around 0 over +-full_scale."""
    most = 2 ** (bits - 1) - 1
    return np.clip(np.rint(x * most / full_scale), -most, most) * full_scale / most


class Crossbar:
    """One connection: devices, wires, I-V law, noise and converters of its reads.

    g_pos, g_neg: conductances (S) at the time of the read; g_unit (S): conductance of a weight of
    1.
    circuits: dict with dac_bits, adc_bits, full_scale, analog (neurons are not converted), depth
    (rows, columns of
    a tile whose currents one converter sees), sigma (noise of a cell, of its conductance).
    """

    def __init__(self, g_pos, g_neg, g_unit, wires=None, iv=None, read_voltage=0.2, circuits=None,
                 fixed_current=False):
        pos, neg = through_wires(g_pos, g_neg, wires)
        self.g_unit, self.shape = g_unit, g_pos.shape
        self.g_pos, self.g_neg = g_pos, g_neg
        self.circuits = circuits or {}
        iv = iv or {'law': 'ohmic'}
        # Between wires a law is an approximation on the effective matrix: bent voltages go through
        # the wires; the
        # curvature of hfo2, which is another one for every cell, is that of the cells alone.
        linear = zip(current_terms(pos, iv, read_voltage)[:1], current_terms(neg, iv, read_voltage)[:1])
        curved = zip(current_terms(g_pos, iv, read_voltage)[1:], current_terms(g_neg, iv, read_voltage)[1:])
        self.terms = [(f, (p - n) / g_unit) for pair in (linear, curved) for (f, p), (_, n) in pair]
        sigma = self.circuits.get('sigma', 0)
        negative = 0 if fixed_current else g_neg ** 2  # a fixed current has no noise
        self.variance = sigma ** 2 * (g_pos ** 2 + negative) / g_unit ** 2
        self.deviates = [0, 0]

    def draw(self, rng, n):
        """New noise of every line for n samples, forward and transposed; it stays for all reads of
        a sample.
        """
        self.deviates = [rng.standard_normal((n, self.shape[1])), rng.standard_normal((n, self.shape[0]))]

    def read(self, x, transposed=False, neurons_in=True, neurons_out=True):
        """y = x W, or x W^T, as the circuits bring it out; x [n x inputs] in units of an
        activity.
        """
        c = self.circuits
        if c.get('dac_bits') and not (c.get('analog') and neurons_in):
            x = quantized(x, c['dac_bits'], 1)
        converted = c.get('adc_bits') and not (c.get('analog') and neurons_out)
        depth = c['depth'][transposed] if converted else x.shape[1]
        y = 0
        for first in range(0, x.shape[1], depth):
            part = np.s_[first:first + depth]
            y = y + self.sums(x[:, part], part, transposed, converted)
        return y

    def sums(self, x, part, transposed, converted):
        """What one tile of inputs gives, after its converter if there is one."""
        c = self.circuits
        sums = 0
        for f, m in self.terms:
            sums = sums + f(x) @ (m.T if transposed else m)[part]
        if c.get('sigma'):
            variance = x ** 2 @ (self.variance.T if transposed else self.variance)[part]
            sums = sums + np.sqrt(variance) * self.deviates[int(transposed)]
        return quantized(sums, c['adc_bits'], c['full_scale']) if converted else sums


# ---------------------------------------------------------------- networks: states are arrays [n x units]

RHO = {
    'tanh': np.tanh,
    'sigmoid': lambda a: 1 / (1 + np.exp(-a)),
    'hard_sigmoid': lambda a: np.clip(a, 0, 1),
    'relu': lambda a: np.maximum(a, 0),
}


def softmax(a):
    p = np.exp(a - a.max(1, keepdims=True))
    return p / p.sum(1, keepdims=True)


def losses(logits, label):
    """Cross-entropy of every sample."""
    return -np.log(softmax(logits)[np.arange(len(label)), label])


class Dense:
    """All inputs at once, and one more row with input 1 where the crossbar has one."""

    def __init__(self, crossbar, inputs, from_image=False, to_readout=False):
        self.crossbar = crossbar
        self.inputs = inputs
        self.bias = crossbar.shape[0] > inputs
        self.neurons_in, self.neurons_out = not from_image, not to_readout

    def forward(self, z):
        x = np.hstack([z, np.ones((len(z), 1))]) if self.bias else z
        return self.crossbar.read(x, False, self.neurons_in, self.neurons_out)

    def back(self, e):
        return self.crossbar.read(e, True, self.neurons_out, True)[:, :self.inputs]


class Convolution:
    """A crossbar of (channel, y, x) rows that is read once for every position of its kernel over
    an image.

    Units of what comes out lie position after position, the channels of a position side by side.
    """

    def __init__(self, crossbar, channels, height, width, kernel, from_image):
        self.dense = Dense(crossbar, channels * kernel * kernel, from_image)
        self.crossbar = crossbar
        self.shape = (channels, height, width)
        self.kernel = kernel
        self.out = (height - kernel + 1, width - kernel + 1)

    def forward(self, z):
        image = z.reshape(len(z), *self.shape)
        out = []
        for y in range(self.out[0]):
            for x in range(self.out[1]):
                patch = image[:, :, y:y + self.kernel, x:x + self.kernel]
                out.append(self.dense.forward(patch.reshape(len(z), -1)))
        return np.hstack(out)


class Pool:
    """Maximum over size x size windows; feedback goes to the winner of each, the first one of
    equals.
    """

    def __init__(self, channels, height, width, size):
        at = np.arange(height * width * channels).reshape(height, width, channels)
        self.windows = []  # [windows x units of a window], position after position, channels side by side
        for y in range(height // size):
            for x in range(width // size):
                for c in range(channels):
                    self.windows.append(at[y * size:(y + 1) * size, x * size:(x + 1) * size, c].ravel())
        self.windows = np.array(self.windows)

    def winners(self, z):
        """[n x windows] numbers of the winning units."""
        best = np.argmax(z[:, self.windows], axis=2)
        return np.take_along_axis(self.windows[None], best[:, :, None], axis=2)[:, :, 0]


class Network:
    """Layers 0 (input), 1 .. L (hidden), L + 1 (read-out) and what joins them. Where outputs hold
    states, layer L has them, and the read-out answers with its activities.

    reads: {(from, to): Dense or Convolution}, from < to; feedback: a set of (from, to), from > to,
    each the transposed
    read of (to, from). alpha scales links between hidden layers, beta those that lead back from
    one of them.
    """

    def __init__(self, sizes, reads, feedback, rho, alpha, beta, pools, states):
        self.states = states
        self.sizes, self.reads, self.feedback = sizes, reads, feedback
        self.rho, self.alpha, self.beta = RHO[rho], alpha, beta
        self.pools = pools
        self.last = len(sizes) - 1

    def pooled(self, layer, z):
        """Activity as links out of the layer read it."""
        if layer not in self.pools:
            return z[layer]
        return np.take_along_axis(z[layer], self.pools[layer].winners(z[layer]), 1)

    def spread(self, layer, back, winners):
        """What leads back into a pooled layer goes to the winners of its windows."""
        if layer not in self.pools:
            return back
        out = np.zeros((len(back), self.sizes[layer]))
        np.put_along_axis(out, winners[layer], back, 1)
        return out

    def into(self, layer, z, winners):
        """Summed input of a layer without the nudge: alpha sum z W + beta sum z W^T."""
        a = np.zeros((len(z[0]), self.sizes[layer]))
        for (source, target), read in self.reads.items():
            if target == layer:
                scale = self.alpha if source > 0 and target < self.last else 1
                a = a + scale * read.forward(self.pooled(source, z))
        for source, target in self.feedback:
            if target == layer and source < self.last:
                a = a + self.beta * self.spread(layer, self.reads[target, source].back(z[source]), winners)
        return a

    def readout(self, z):
        """Logits, or states."""
        return z[self.last - 1] if self.states else self.into(self.last, z, None)

    def losses(self, answer, label):
        """Of every sample, from what readout says: cross-entropy, or half the squared error."""
        if not self.states:
            return losses(answer, label)
        return 0.5 * ((answer - np.eye(answer.shape[1])[label]) ** 2).sum(1)

    def error(self, z, label):
        """p - y of the softmax read-out, z - y of states."""
        p = self.readout(z).copy() if self.states else softmax(self.readout(z))
        p[np.arange(len(label)), label] -= 1
        return p

    def nudge_into(self, layer, e, strength, winners):
        """-beta_f (p - y) W_L^T, over the links from the read-out; -beta_f (z - y) into states."""
        if self.states:
            return -strength * e if layer == self.last - 1 else 0
        if (self.last, layer) not in self.feedback:
            return 0
        return -strength * self.spread(layer, self.reads[layer, self.last].back(e), winners)

    def settle(self, image, label, order='sweep', steps=0, start=None, strength=0.0, live=False):
        """States of a phase: [image, h1, ..., hL].

        start, strength: those of a nudged phase, which begins at the free states with beta_f;
        live: the error is that
        of the present states. order: synchronous, all layers at once; or sweep, each with the
        newest neighbours, from
        the read-out down when nudged. steps: most of them; without, states must come to rest.
        In sweeps the winners of poolings are those of the first one; the synchronous map chooses
        them in every step.
        """
        hidden = range(1, self.last)
        if start:
            z = States([v.copy() for v in start])
            z.winners = dict(start.winners)
        else:
            z = States([image] + [np.zeros((len(image), n)) for n in self.sizes[1:-1]])
            z.winners = {k: pool.winners(z[k]) for k, pool in self.pools.items()}
        error = self.error(z, label) if strength else None
        for t in range(steps or 3000):
            before = list(z)
            winners = dict(z.winners)
            if live and strength:
                error = self.error(z, label)
            for layer in reversed(hidden) if strength and order == 'sweep' else hidden:
                a = self.into(layer, before if order == 'synchronous' else z, winners)
                if strength:
                    a = a + self.nudge_into(layer, error, strength, winners)
                z[layer] = self.rho(a)
                if layer in self.pools and (order == 'synchronous' or (t == 0 and not strength)):
                    z.winners[layer] = self.pools[layer].winners(z[layer])
                    winners = winners if order == 'synchronous' else z.winners
            change = max(np.abs(a - b).max() for a, b in zip(z[1:], before[1:]))
            if not np.isfinite(change) or change < 1e-13:
                break
        if not np.isfinite(change) or (not steps and change > 1e-11):
            raise NotSettled(f'states still move by {change:.1e}')
        return z


class States(list):
    """Activities of the layers, with the winners of their poolings."""
    winners = None

    def hidden(self):
        return np.hstack(self[1:])
