"""Progress bars of tqdm, in terminals and notebooks, where tqdm is there.

SPDX-License-Identifier: GPL-3.0-or-later
"""
import sys


def in_notebook():
    shell = sys.modules.get('IPython') and sys.modules['IPython'].get_ipython()
    return shell is not None and type(shell).__name__ == 'ZMQInteractiveShell'


def wanted(progress):
    """Whether a bar is shown: as asked for, else in a notebook and on a terminal."""
    if progress is not None:
        return bool(progress)
    return in_notebook() or (sys.stderr is not None and sys.stderr.isatty())


def has_widgets():
    """Whether there are widgets of notebooks that tqdm can use: those before release 7 it fails with."""
    try:
        import ipywidgets
    except ImportError:
        return False
    return int(ipywidgets.__version__.split('.')[0]) >= 7


def new_tqdm(total, unit='epoch'):
    """A bar of tqdm: a widget in a notebook that has some, else text; None without tqdm."""
    try:
        if in_notebook() and has_widgets():
            from tqdm.notebook import tqdm
        else:
            from tqdm import tqdm
    except ImportError:
        return None
    return tqdm(total=total, unit=unit, bar_format='{l_bar}{bar}| {n:.1f}/{total} [{elapsed}<{remaining}{postfix}]')


class NoBar:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def epoch(self, epoch):
        pass

    def ended(self, event):
        pass


class Bar(NoBar):
    """A bar over epochs, which moves with the batches of each."""

    def __init__(self, context, tqdm, done):
        self.context, self.tqdm, self.done = context, tqdm, done
        self.move(done)

    def __enter__(self):
        self.context.show(self.step)
        return self

    def __exit__(self, *_):
        self.context.show(None)
        self.tqdm.close()

    def step(self, what, batches, total):
        """After a batch."""
        if what == b'train':
            self.move(self.done + batches / total)

    def move(self, to):
        self.tqdm.update(to - self.tqdm.n)

    def epoch(self, epoch):
        """After an epoch."""
        self.done = epoch.epoch
        is_class = epoch.test_acc == epoch.test_acc
        score = f'test {100 * epoch.test_acc:.2f} %' if is_class else f'test rms {epoch.test_rms:.4g}'
        self.tqdm.set_postfix_str(score, refresh=False)
        self.move(epoch.epoch)


def bar(context, total, progress, done=0):
    """A bar of so many epochs, of which some are done; nothing where none is wanted or there is no tqdm."""
    tqdm = new_tqdm(total) if wanted(progress) else None
    return NoBar() if tqdm is None else Bar(context, tqdm, done)


class CountBar(NoBar):
    """A bar over the runs of a study."""

    def __init__(self, tqdm):
        self.tqdm = tqdm

    def __exit__(self, *_):
        self.tqdm.close()

    def ended(self, event):
        self.tqdm.total = event['total']
        self.tqdm.update(event['ended'] - self.tqdm.n)


def count_bar(progress):
    """A bar of runs; nothing where none is wanted or there is no tqdm."""
    tqdm = new_tqdm(None, 'run') if wanted(progress) else None
    return NoBar() if tqdm is None else CountBar(tqdm)
