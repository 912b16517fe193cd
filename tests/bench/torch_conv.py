"""Seconds an epoch of backpropagation of a convolutional net in PyTorch, for comparison with conv.c: 32x5, pool 2,
64x5, pool 2, 10, clip(u, 0, 1), AdamW, batch 128, data in memory.

Usage: torch_conv.py [threads] [samples]. The data are random, of MNIST's size. Prints the best of 3 passes over the
samples (60000), scaled to 60000.
"""
import sys
import time

import torch
from torch import nn

threads = int(sys.argv[1]) if len(sys.argv) > 1 else 2
samples = int(sys.argv[2]) if len(sys.argv) > 2 else 60000
torch.set_num_threads(threads)
torch.manual_seed(1)
x = torch.rand(samples, 1, 28, 28)
y = torch.randint(0, 10, (samples,))


class Clip(nn.Module):
    def forward(self, u):
        return u.clamp(0, 1)


net = nn.Sequential(nn.Conv2d(1, 32, 5), Clip(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 5), Clip(), nn.MaxPool2d(2),
                    nn.Flatten(), nn.Linear(1024, 10))
optimizer = torch.optim.AdamW(net.parameters(), lr=2e-4, weight_decay=1e-6)
best = 1e9
for epoch in range(4):  # the first one warms up
    start = time.perf_counter()
    for i in torch.randperm(samples // 128).tolist():
        loss = nn.functional.cross_entropy(net(x[128 * i:128 * i + 128]), y[128 * i:128 * i + 128])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch:
        best = min(best, time.perf_counter() - start)
print(f'PyTorch {torch.__version__} backpropagation 32x5 pool2 64x5 pool2 10: {best * 60000 / samples:.2f} s/epoch, '
      f'{torch.get_num_threads()} threads')
