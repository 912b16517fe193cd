"""What Python adds to an epoch, and how long `import mho` takes: an MNIST net trained in turn by the command and by the
package, without and with a progress bar, each several times.

  PYTHONPATH=python tests/bench/python.py build/mho [--rounds 5] [--images 60000] [--batch 20] [--hidden 64]

It prints the median seconds of an epoch (training alone, as both record it) and the ratio to the command's, and of the
whole process of an import. Small batches and a small net show the most of what is done a batch.
"""
import argparse
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

import mho

CONFIG = '{{dataset: {{name: mnist, train: {images}, test: 1000}}, network: {{hidden: [{hidden}]}}, train: {{epochs: 1, batch: {batch}}}}}'


class NoTqdm:
    """A bar that shows nothing: what mho itself does for it is timed."""

    n = 0

    def update(self, by):
        self.n += by

    def set_postfix_str(self, text, refresh):
        pass

    def close(self):
        pass


def by_command(program, config, db):
    subprocess.run([program, 'train', config, '--db', db, '--threads', '1'], check=True, capture_output=True)
    return sqlite3.connect(db).execute('SELECT wall_s FROM epoch ORDER BY run_id DESC').fetchone()[0]


def by_python(config, db, bar):
    run = mho.train(config, db=db, threads=1, progress=bar, on_epoch=lambda epoch: None)
    return run.epochs[0].wall_s


def import_seconds(statement):
    start = time.perf_counter()
    subprocess.run([sys.executable, '-c', statement], check=True)
    return time.perf_counter() - start


def main():
    p = argparse.ArgumentParser()
    p.add_argument('program')
    for name, value in (('rounds', 5), ('images', 60000), ('batch', 20), ('hidden', 64)):
        p.add_argument(f'--{name}', type=int, default=value)
    o = p.parse_args()
    from mho import progress
    progress.new_tqdm = lambda total, unit='epoch': NoTqdm()

    with tempfile.TemporaryDirectory() as folder:
        config, db = os.path.join(folder, 'config.yaml'), os.path.join(folder, 'runs.db')
        with open(config, 'w', encoding='utf-8') as f:
            f.write(CONFIG.format(**vars(o)))
        ways = {'command': lambda: by_command(o.program, config, db), 'python': lambda: by_python(config, db, False),
                'python, bar': lambda: by_python(config, db, True)}
        seconds = {way: [] for way in ways}
        for _ in range(o.rounds):
            for way, train in ways.items():
                seconds[way].append(train())

    command = statistics.median(seconds['command'])
    for way, times in seconds.items():
        median = statistics.median(times)
        print(f'{way:12} {median:7.3f} s an epoch ({min(times):.3f} to {max(times):.3f}), {100 * (median / command - 1):+.2f} %')
    for statement in ('pass', 'import mho', 'import numpy'):
        times = [import_seconds(statement) for _ in range(4 * o.rounds)]
        print(f'{statement:12} {1000 * statistics.median(times):7.1f} ms ({1000 * min(times):.1f} at best)')


if __name__ == '__main__':
    main()
