"""The physics of a network on crossbars, in double precision with numpy and scipy; nothing here is mho's.

Conventions, of the README and of 'mho solve':
  * A crossbar has a row for every input and a column for every output; the last row is the bias, whose input is 1.
  * W = (G+ - G-)/g_unit, and a read of x is x W; transposed it is W e, of the same devices.
  * A word line is driven at its left end and a bit line is sensed at its bottom end, over a segment of wire each.
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
    rows, cols = g.shape
    n = rows * cols
    word = np.arange(n).reshape(rows, cols)
    bit = n + word
    law = scipy.sparse.lil_matrix((2 * n, 2 * n))
    source = np.zeros((2 * n, rows))

    def join(a, b, conductance):
        law[a, a] += conductance
        law[b, b] += conductance
        law[a, b] -= conductance
        law[b, a] -= conductance

    for i in range(rows):
        for j in range(cols):
            join(word[i, j], bit[i, j], g[i, j])
            if j > 0:
                join(word[i, j - 1], word[i, j], 1 / r_word)
            if i > 0:
                join(bit[i - 1, j], bit[i, j], 1 / r_bit)
    for i in range(rows):  # the driver of unit voltage
        law[word[i, 0], word[i, 0]] += 1 / r_word
        source[word[i, 0], i] = 1 / r_word
    for j in range(cols):  # virtual ground
        law[bit[-1, j], bit[-1, j]] += 1 / r_bit
    voltage = scipy.sparse.linalg.splu(law.tocsc()).solve(source)
    return (voltage[bit[-1, :], :] / r_bit).T


def through_wires(g_pos, g_neg, wires):
    """Both banks as they are read through their wires; wires: None, or r_word, r_bit, tile, neighbour.

    A logical matrix is cut into tiles from its first row and column on. With 'neighbour' a tile holds pairs of
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


def current(g, v, iv):
    """Current (A) of cells g at voltages v (V) by an I-V law.

    ohmic: G V;  sinh: G sinh(b V)/b;  polynomial: G (V + k2 V^2 + k3 V^3);
    hfo2: G V + NL2 V^2 + NL3 V^3 with Milo's fit (IEEE T-ED 68, 3832, 2021) in x = log10 G, for 50 to 225 uS;
    outside the curvature keeps the part of G V that it has at the end of that range.
    """
    if iv['law'] == 'ohmic':
        return g * v
    if iv['law'] == 'sinh':
        return g * np.sinh(iv['b'] * v) / iv['b']
    if iv['law'] == 'polynomial':
        return g * (v + iv['k2'] * v ** 2 + iv['k3'] * v ** 3)
    inside = np.clip(g, 50e-6, 225e-6)
    x = np.log10(inside)
    nl2 = 1.388e-4 * x ** 3 + 1.541e-3 * x ** 2 + 5.711e-3 * x + 7.063e-3
    nl3 = 8.871e-5 * x ** 2 + 6.7919e-4 * x + 1.2968e-3
    return g * v + g / inside * (nl2 * v ** 2 + nl3 * v ** 3)


# ---------------------------------------------------------------- circuits around a crossbar

def quantized(x, bits, full_scale):
    """The nearest of 2^bits - 1 codes around 0 over +-full_scale."""
    most = 2 ** (bits - 1) - 1
    return np.clip(np.rint(x * most / full_scale), -most, most) * full_scale / most


class Crossbar:
    """One connection: devices, wires, I-V law, noise and converters of its reads.

    g_pos, g_neg: conductances (S) at the time of the read; g_unit (S): conductance of a weight of 1.
    circuits: dict with dac_bits, adc_bits, full_scale, analog (neurons are not converted), depth (rows, columns of
    a tile whose currents one converter sees), sigma (noise of a cell, of its conductance).
    """

    def __init__(self, g_pos, g_neg, g_unit, wires=None, iv=None, read_voltage=0.2, circuits=None, fixed_current=False):
        self.g_pos, self.g_neg = through_wires(g_pos, g_neg, wires)
        self.g_unit = g_unit
        self.iv = iv or {'law': 'ohmic'}
        self.read_voltage = read_voltage
        self.circuits = circuits or {}
        self.w = (self.g_pos - self.g_neg) / g_unit
        sigma = self.circuits.get('sigma', 0)
        negative = 0 if fixed_current else g_neg ** 2  # a fixed current has no noise
        self.variance = sigma ** 2 * (g_pos ** 2 + negative) / g_unit ** 2
        self.deviates = [np.zeros(self.w.shape[1]), np.zeros(self.w.shape[0])]

    def draw(self, rng):
        """New noise of every line, forward and transposed; it stays for all reads of a sample."""
        self.deviates = [rng.standard_normal(n) for n in (self.w.shape[1], self.w.shape[0])]

    def read(self, x, transposed=False, neurons_in=True, neurons_out=True):
        """y = x W, or W x transposed, as the circuits bring it out. x in units of an activity, [inputs]."""
        c = self.circuits
        analog = c.get('analog', False)
        if c.get('dac_bits') and not (analog and neurons_in):
            x = quantized(x, c['dac_bits'], 1)
        convert = c.get('adc_bits') and not (analog and neurons_out)
        g_pos, g_neg = (self.g_pos.T, self.g_neg.T) if transposed else (self.g_pos, self.g_neg)
        variance = self.variance.T if transposed else self.variance
        depth = c['depth'][transposed] if convert else len(x)
        y = 0
        for first in range(0, len(x), depth):
            part = np.s_[first:first + depth]
            volt = (x[part] * self.read_voltage)[:, None]
            amps = current(g_pos[part], volt, self.iv) - current(g_neg[part], volt, self.iv)
            sums = amps.sum(0) / (self.g_unit * self.read_voltage)
            if c.get('sigma'):
                sums = sums + np.sqrt((x[part] ** 2) @ variance[part]) * self.deviates[int(transposed)]
            y = y + (quantized(sums, c['adc_bits'], c['full_scale']) if convert else sums)
        return y


# ---------------------------------------------------------------- networks

RHO = {
    'tanh': np.tanh,
    'hard_sigmoid': lambda a: np.clip(a, 0, 1),
    'relu': lambda a: np.maximum(a, 0),
}


def softmax(a):
    p = np.exp(a - a.max())
    return p / p.sum()


class Dense:
    """All inputs at once, and one more row with input 1 where the crossbar has one."""

    def __init__(self, crossbar, inputs, from_image=False, to_readout=False):
        self.crossbar = crossbar
        self.inputs = inputs
        self.bias = crossbar.w.shape[0] > inputs
        self.ends = {'neurons_in': not from_image, 'neurons_out': not to_readout}

    def forward(self, z):
        x = np.append(z, 1.0) if self.bias else z
        return self.crossbar.read(x, **self.ends)

    def back(self, e):
        y = self.crossbar.read(e, transposed=True, neurons_in=self.ends['neurons_out'], neurons_out=True)
        return y[:self.inputs]


class Convolution:
    """A crossbar of (channel, y, x) rows that is read once for every position of its kernel over an image.

    Units of what comes out lie position after position, the channels of a position side by side.
    """

    def __init__(self, crossbar, channels, height, width, kernel, from_image):
        self.dense = Dense(crossbar, channels * kernel * kernel, from_image)
        self.shape = (channels, height, width)
        self.kernel = kernel
        self.out = (height - kernel + 1, width - kernel + 1, crossbar.w.shape[1])

    def forward(self, z):
        image = z.reshape(self.shape)
        out = np.empty(self.out)
        for y in range(self.out[0]):
            for x in range(self.out[1]):
                patch = image[:, y:y + self.kernel, x:x + self.kernel]
                out[y, x, :] = self.dense.forward(patch.ravel())
        return out.ravel()


class Pool:
    """Maximum over size x size windows; feedback goes to the winner of each, the first one of equals."""

    def __init__(self, channels, height, width, size):
        self.shape = (height, width, channels)
        self.size = size

    def winners(self, z):
        """Numbers of the winning units, position after position, channels side by side."""
        height, width, channels = self.shape
        z = z.reshape(self.shape)
        at = np.arange(z.size).reshape(self.shape)
        out = []
        for y in range(height // self.size):
            for x in range(width // self.size):
                for c in range(channels):
                    window = np.s_[y * self.size:(y + 1) * self.size, x * self.size:(x + 1) * self.size, c]
                    out.append(at[window].ravel()[np.argmax(z[window])])
        return np.array(out)


class Network:
    """Layers 0 (input), 1 .. L (hidden), L + 1 (read-out) and what joins them.

    reads: {(from, to): Dense or Convolution}, from < to; links back: feedback, a set of (from, to) with from > to,
    each the transposed read of (to, from). alpha scales links between hidden layers, beta those that lead back.
    """

    def __init__(self, sizes, reads, feedback, rho, alpha, beta, pools=None):
        self.sizes, self.reads, self.feedback = sizes, reads, feedback
        self.rho, self.alpha, self.beta = RHO[rho], alpha, beta
        self.pools = pools or {}
        self.last = len(sizes) - 1

    def pooled(self, layer, z):
        return z[layer][self.pools[layer].winners(z[layer])] if layer in self.pools else z[layer]

    def into(self, layer, z, winners):
        """Summed input of a layer without the nudge."""
        a = np.zeros(self.sizes[layer])
        for (source, target), read in self.reads.items():
            if target == layer:
                scale = self.alpha if source > 0 and target < self.last else 1
                a += scale * read.forward(self.pooled(source, z))
        for source, target in self.feedback:
            if target == layer and source < self.last:
                a += self.beta * self.spread(layer, self.reads[target, source].back(z[source]), winners)
        return a

    def spread(self, layer, back, winners):
        """What leads back into a pooled layer goes to the winners of its windows."""
        if layer not in self.pools:
            return back
        out = np.zeros(self.sizes[layer])
        out[winners[layer]] = back
        return out

    def readout(self, z):
        a = np.zeros(self.sizes[-1])
        for (source, target), read in self.reads.items():
            if target == self.last:
                a += read.forward(self.pooled(source, z))
        return a

    def error(self, z, label):
        p = softmax(self.readout(z))
        p[label] -= 1
        return p

    def nudge_into(self, layer, e, strength, winners):
        """-beta_f (p - y) B of the links from the read-out."""
        a = np.zeros(self.sizes[layer])
        if (self.last, layer) in self.feedback:
            a -= strength * self.spread(layer, self.reads[layer, self.last].back(e), winners)
        return a

    def choose(self, z):
        return {layer: pool.winners(z[layer]) for layer, pool in self.pools.items()}

    def settle(self, image, label, strength=0.0, live=False, start=None, order='sweep', steps=0, hold=True, all_steps=None):
        """States of a phase: [image, h1, ..., hL]. strength: beta_f of the nudged phase, which begins at start.

        steps 0: until nothing changes by more than 1e-13. order: sweep (newest neighbours, from the read-out down when
        nudged) or synchronous. hold: keep the winners of poolings from the first sweep on, or choose them in every step.
        """
        hidden = list(range(1, self.last))
        z = [image.copy()] + [np.zeros(n) for n in self.sizes[1:-1]]
        if start is not None:
            z = [v.copy() for v in start]
        held = self.error(z, label) if strength and not live else None
        winners = self.choose(z)
        if start is not None and hold:
            winners = start.winners
        for t in range(steps or 20000):
            e = self.error(z, label) if strength and live else held
            before = [v.copy() for v in z]
            source = before if order == 'synchronous' else z
            for layer in reversed(hidden) if strength and order == 'sweep' else hidden:
                a = self.into(layer, source, winners)
                if strength:
                    a += self.nudge_into(layer, e, strength, winners)
                z[layer] = self.rho(a)
                if layer in self.pools and not hold and order == 'sweep':
                    winners[layer] = self.pools[layer].winners(z[layer])
                if layer in self.pools and hold and t == 0 and start is None:
                    winners[layer] = self.pools[layer].winners(z[layer])
            if order == 'synchronous' and not hold:
                winners = self.choose(z)
            change = max(np.abs(a - b).max() for a, b in zip(z[1:], before[1:]))
            if not steps and change < 1e-13:
                break
        else:
            if not steps:
                raise NotSettled(f'still moves by {change:.1e}')
        out = States(z)
        out.winners = winners
        return out


class States(list):
    """Activities of the layers, with the winners of their poolings."""
    winners = None

    def hidden(self):
        return np.concatenate(self[1:])


def loss(logits, label):
    return -np.log(softmax(logits)[label])
