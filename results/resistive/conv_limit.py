#!/usr/bin/env python3
"""What keeps a convolutional network of resistors short of learning: the layers of run.sh CONV by backpropagation, in PyTorch.

  MHO_DATA=folder results/resistive/conv_limit.py KIND EPOCHS

KIND signed: weights of both signs, relu. conductances: weights not below 0, inputs of both signs, half of the nodes held from
below at 0 and half from above, as diodes hold them, each layer before an ideal amplifier. averages: the same, but a node's
voltage is the mean of what it is joined with, weighted by conductances, times 4. Nothing is loaded by the layer behind it.
CIFAR-10 in $MHO_DATA/cifar10; kernels of 3 x 3 with stride 2, squared error, Adam with a rate of .001, batches of 32, seed 1.
"""
import glob
import os
import sys

import numpy as np
import torch
from torch.nn import functional as F

CHANNELS, CLASSES, BATCH, RATE, GAIN, INPUT_GAIN = (32, 64, 128), 10, 32, 1e-3, 4, 20


def load(pattern):
    """Images [n, 3, 32, 32] in -1 to 1, and labels."""
    files = sorted(glob.glob(os.path.join(os.environ['MHO_DATA'], 'cifar10', pattern)))
    rows = np.concatenate([np.fromfile(f, dtype=np.uint8).reshape(-1, 3073) for f in files])
    images = rows[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / 127.5 - 1
    return torch.tensor(images), torch.tensor(rows[:, 0].astype(np.int64))


class Net:
    def __init__(self, kind):
        self.kind, self.weights, self.biases, self.signs = kind, [], [], []
        before = 3 if kind == 'signed' else 6
        for channels in CHANNELS:
            self.add((channels, before, 3, 3))
            half = torch.ones(channels)
            half[channels // 2:] = -1
            self.signs.append(half.view(1, -1, 1, 1))
            before = channels
        self.add((CLASSES, before * 16))

    def add(self, shape):
        reach = np.prod(shape[1:]) ** -0.5 * (3 ** 0.5 if self.kind == 'signed' else 1)
        w = (torch.rand(shape) * 2 - 1) * reach
        self.weights.append((w if self.kind == 'signed' else w.clamp(min=0)).requires_grad_())
        self.biases.append(torch.zeros(shape[0], requires_grad=True))

    def clip(self):
        if self.kind != 'signed':
            for w in self.weights:
                w.data.clamp_(min=0)

    def layer(self, i, x):
        w, b = self.weights[i], self.biases[i]
        is_last = i == len(CHANNELS)
        x = x.flatten(1) if is_last else x
        product = F.linear if is_last else lambda v, w, b=None: F.conv2d(v, w, b, stride=2, padding=1)
        y = product(x, w, b)
        if self.kind == 'averages':
            y = GAIN * y / (product(torch.ones_like(x[:1]), w) + 1e-6)
        if is_last:
            return y
        return F.relu(y) if self.kind == 'signed' else F.relu(y * self.signs[i]) * self.signs[i]

    def __call__(self, x):
        if self.kind != 'signed':
            x = torch.cat([x, -x], 1)
        if self.kind == 'averages':
            x = INPUT_GAIN * x
        for i in range(len(CHANNELS) + 1):
            x = self.layer(i, x)
        return x


def right(net, images, labels):
    with torch.no_grad():
        return sum((net(images[k:k + 1000]).argmax(1) == labels[k:k + 1000]).sum().item() for k in range(0, len(images), 1000))


def main():
    kind, epochs = sys.argv[1], int(sys.argv[2])
    torch.manual_seed(1)
    torch.set_num_threads(1)
    images, labels = load('data_batch_*.bin')
    test = load('test_batch.bin')
    net = Net(kind)
    optimizer = torch.optim.Adam(net.weights + net.biases, RATE)

    for epoch in range(1, epochs + 1):
        hits = 0
        for batch in torch.randperm(len(images)).split(BATCH):
            out = net(images[batch])
            hits += (out.argmax(1) == labels[batch]).sum().item()
            loss = 0.5 * (out - F.one_hot(labels[batch], CLASSES)).square().sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            net.clip()
        print(f'{kind} epoch {epoch}: train {100 * hits / len(images):.2f} %, test {100 * right(net, *test) / len(test[1]):.2f} %',
              flush=True)


if __name__ == '__main__':
    main()
