#!/usr/bin/python3
"""An epoch of equilibrium propagation in mho against an epoch of backpropagation in PyTorch: same net, MNIST, one machine.

usage: tests/bench/versus_torch.py [--epochs N] [--rounds N] [--seed N] [--mho build/mho] [NET ...]

NET is one of those in NETS below (default: all). First the fastest PyTorch setting is looked for: one and two threads of its
own, with OpenBLAS' kernels as it chooses them and by hand, waiting actively and passively. Then the two programs train in turn,
ROUNDS times each, so that both see the same machine; a round is a process of its own with the data in memory. Printed are the
median seconds of a training epoch over all rounds and epochs but each process's first, their ratio, and the test accuracies
after each epoch, means over the rounds' seeds.
Needs Debian's python3-torch, and MNIST in $MHO_DATA/mnist. Run it on an idle machine, without OPENBLAS_* in the
environment.
"""
import argparse
import gzip
import importlib.util
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

NETS = {  # name: hidden layers, feedback scale beta_i
    '2x512': ([512] * 2, 0.01),
    '3x512': ([512] * 3, 0.01),
    '5x64': ([64] * 5, 0.01),
    '10x64': ([64] * 10, 0.01),
}
BATCH = 500


def idx(name):
    folder = os.path.join(os.environ['MHO_DATA'], 'mnist')
    with gzip.open(os.path.join(folder, name + '.gz')) as f:
        data = f.read()
    return data[16:] if 'images' in name else data[8:]


def train_torch(hidden, threads, epochs, seed):
    """Child process: prints one JSON object with the seconds and the test accuracy of every epoch."""
    import torch

    def tensors(part):
        x = torch.frombuffer(bytearray(idx(part + '-images-idx3-ubyte')), dtype=torch.uint8)
        y = torch.frombuffer(bytearray(idx(part + '-labels-idx1-ubyte')), dtype=torch.uint8)
        return x.reshape(-1, 784).float() / 255, y.long()

    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    x, y = tensors('train')
    x_test, y_test = tensors('t10k')
    cut = torch.randperm(len(x))  # batches are cut once, their order is shuffled
    x, y = x[cut].split(BATCH), y[cut].split(BATCH)
    layers, n = [], 784
    for h in hidden:
        layers += [torch.nn.Linear(n, h, bias=False), torch.nn.Tanh()]
        n = h
    net = torch.nn.Sequential(*layers, torch.nn.Linear(n, 10, bias=False))
    for p in net.parameters():
        torch.nn.init.xavier_uniform_(p)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    seconds, accuracy = [], []
    for _ in range(epochs):
        start = time.perf_counter()
        for i in torch.randperm(len(x)).tolist():
            loss = torch.nn.functional.cross_entropy(net(x[i]), y[i])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        seconds.append(time.perf_counter() - start)
        with torch.no_grad():
            accuracy.append((net(x_test).argmax(1) == y_test).float().mean().item())
    print(json.dumps({'seconds': seconds, 'accuracy': accuracy, 'version': torch.__version__}))


def run_torch(hidden, setting, epochs, seed):
    threads, kernels, wait = setting
    env = dict(os.environ, OMP_WAIT_POLICY=wait, **({'OPENBLAS_CORETYPE': kernels} if kernels else {}))
    words = [sys.executable, __file__, '--child', ','.join(map(str, hidden)), str(threads), str(epochs), str(seed)]
    return json.loads(subprocess.run(words, env=env, check=True, stdout=subprocess.PIPE).stdout)


def run_mho(mho, hidden, beta, epochs, seed):
    with tempfile.TemporaryDirectory() as folder:
        words = [mho, 'train', '--json', '--db', os.path.join(folder, 'runs.db'), '--seed', str(seed), '--threads', '2']
        for key, value in {'dataset': 'mnist', 'network.hidden': hidden, 'feedback.scale': beta, 'train.batch': BATCH,
                           'train.epochs': epochs}.items():
            words += ['--set', f'{key}={value}']
        lines = subprocess.run(words, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.splitlines()
    rows = [e for e in map(json.loads, lines) if e['event'] == 'epoch']
    return {'seconds': [e['wall_s'] for e in rows], 'accuracy': [e['test_acc'] for e in rows],
            'sweeps': statistics.mean(e['settle_steps'] for e in rows)}


def best_setting(hidden):
    best = None
    for setting in itertools.product((1, 2), ('', 'SkylakeX', 'Haswell'), ('ACTIVE', 'PASSIVE')):
        try:
            seconds = min(run_torch(hidden, setting, 3, 1)['seconds'][1:])
        except subprocess.CalledProcessError:  # kernels that this processor does not have
            continue
        if best is None or seconds < best[0]:
            best = seconds, setting
    return best[1]


def percent(a):
    return ' '.join(f'{100 * v:.2f}' for v in a)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--epochs', type=int, default=5)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--mho', default='build/mho')
    parser.add_argument('nets', nargs='*', choices=[*NETS, []], metavar='NET')
    options = parser.parse_args()
    if not importlib.util.find_spec('torch'):
        parser.error(f'{sys.executable} has no PyTorch: apt install python3-torch, and run this file with /usr/bin/python3')
    if 'MHO_DATA' not in os.environ:
        parser.error('MHO_DATA is not set: it names the folder that holds mnist/')
    print('| net | PyTorch BP, s | mho EP, s | mho / PyTorch | sweeps | test % after each epoch, PyTorch BP | mho EP | PyTorch setting |')
    print('|---|---|---|---|---|---|---|---|')
    for name in options.nets or NETS:
        hidden, beta = NETS[name]
        setting = best_setting(hidden)
        times, accuracy, sweeps = {'torch': [], 'mho': []}, {'torch': [], 'mho': []}, []
        for r in range(options.rounds):
            torch = run_torch(hidden, setting, options.epochs, options.seed + r)
            mho = run_mho(options.mho, hidden, beta, options.epochs, options.seed + r)
            times['torch'] += torch['seconds'][1:]
            times['mho'] += mho['seconds'][1:]
            accuracy['torch'].append(torch['accuracy'])
            accuracy['mho'].append(mho['accuracy'])
            sweeps.append(mho['sweeps'])
        t, m = (statistics.median(times[k]) for k in ('torch', 'mho'))
        how = f'{setting[0]} thread(s), {setting[1] or "default"} kernels, {setting[2].lower()} wait'
        curves = {k: percent(map(statistics.mean, zip(*a))) for k, a in accuracy.items()}
        print(f'| {name} | {t:.3f} | {m:.3f} | {m / t:.2f} | {statistics.mean(sweeps):.2f} | {curves["torch"]} | '
              f'{curves["mho"]} | {torch["version"]}, {how} |', flush=True)


if __name__ == '__main__':
    if len(sys.argv) == 6 and sys.argv[1] == '--child':
        train_torch([int(n) for n in sys.argv[2].split(',')], *map(int, sys.argv[3:]))
    else:
        main()
