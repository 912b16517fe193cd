"""Seconds an epoch of backpropagation in PyTorch, for comparison: tanh net, Adam 1e-3, batch 500, data in memory.

Usage: torch_bp.py 512,512 [threads]. The data are random, of MNIST's size. Prints the best of 3 epochs.
"""
import sys
import time

import torch

hidden = [int(n) for n in sys.argv[1].split(',')]
torch.set_num_threads(int(sys.argv[2]) if len(sys.argv) > 2 else 2)
torch.manual_seed(1)
x = torch.rand(60000, 784)
y = torch.randint(0, 10, (60000,))
layers, n = [], 784
for h in hidden:
    layers += [torch.nn.Linear(n, h, bias=False), torch.nn.Tanh()]
    n = h
net = torch.nn.Sequential(*layers, torch.nn.Linear(n, 10, bias=False))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
best = 1e9
for epoch in range(4):  # the first one warms up
    start = time.perf_counter()
    for i in torch.randperm(120).tolist():
        loss = torch.nn.functional.cross_entropy(net(x[500 * i:500 * i + 500]), y[500 * i:500 * i + 500])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch:
        best = min(best, time.perf_counter() - start)
print(f'PyTorch {torch.__version__} backpropagation {sys.argv[1]}: {best:.3f} s/epoch, {torch.get_num_threads()} threads')
