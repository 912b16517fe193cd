"""Runs: trainings and programmed chips, as they are now or as a database has them.

SPDX-License-Identifier: GPL-3.0-or-later
"""

from __future__ import annotations
import ctypes
import math
from typing import TYPE_CHECKING, Any, Callable, Sequence

from .chips import program
from .context import Context
from .errors import Error
from .experiment import Experiment, assignments, registry
from .library import Handle, lib, structs, texts
from .network import Epoch, Evaluation, Network, fields, part_number
from .quantities import seconds

if TYPE_CHECKING:
    from .chips import Chip
    from .database import Report

STATED = ('final_test_acc', 'best_test_acc', 'train_acc', 'val_acc', 'final_test_loss', 'best_test_loss', 'val_loss',
          'final_test_rms', 'best_test_rms', 'best_epoch', 'wall_s')


def number(value):
    return math.nan if value is None else value


class Run:
    """A training, and its network at the end of it.

    id: '' of a run that is not stored; name, status: as `mho runs` shows them; epochs: a list of mho.Epoch.
    final_test_acc, best_test_acc, best_epoch, ...: as the columns of table run in docs/schema.md; NaN: not known.
    What a Network has a Run has, too: run.weights('x-h1'), run.predict(x), run.eval(after='1d').
    """

    def __init__(self, database, record, epochs, network=None, threads=None):
        self.database, self.epochs, self.threads = database, epochs, threads
        self.id, self.name, self.status = record['id'], record.get('name'), record['status']
        self.kind, self.parent, self.error = record.get('kind', 'trained'), record.get('parent'), record.get('error')
        self.wanted_epochs = record.get('epochs')
        for word in STATED:
            setattr(self, word, number(record.get(word)))
        self.loaded = network

    def __repr__(self):
        score = ''
        if not math.isnan(self.final_test_acc):
            score = f', test {100 * self.final_test_acc:.2f} %'
        elif not math.isnan(self.final_test_rms):
            score = f', test rms {self.final_test_rms:.4g}'
        return f'<mho.Run {self.id or "not stored"} {self.status}, {len(self.epochs)} epochs{score}>'

    # ------------------------------------------------------------ its network

    @property
    def network(self) -> Network:
        """The network after the last epoch: of a stored run from its last checkpoint."""
        if self.loaded is None:
            self.loaded = self.under()
        return self.loaded

    def under(self, set: dict[str, Any] | None = None, checkpoint: str = 'last') -> Network:
        """The stored network under other conditions: keys on top, as far as its state is the same under them
        ({'array.read_noise': 0.02}); checkpoint 'last' or 'best'."""
        self.must_be_stored()
        words, id = assignments(set), self.id.encode()
        row = structs['mho_checkpoint_row']()
        with self.database.reader() as store:
            handle = Handle(lib.mho_train_stored_experiment, lib.mho_experiment_free, store, registry, id, len(words),
                            texts(words))
            lib.mho_store_checkpoint_get(store, id, checkpoint.encode(), row)
        try:
            network = Network(Experiment.of_handle(handle), threads=self.threads, bring=False)
            lib.mho_trainer_load(network, row.blob)
        finally:
            lib.mho_blob_free(row.blob)
        return network

    def must_be_stored(self):
        if not self.id:
            raise Error('EINVAL', 'this run is not stored: train it with db=FILE')

    def __getattr__(self, name):
        if name.startswith('_') or not hasattr(Network, name):
            raise AttributeError(f"a Run has no '{name}'")
        return getattr(self.network, name)

    # ------------------------------------------------------------ what is done with it

    def eval(self, part: str = 'test', after: float | str | Sequence[float | str] = 0, draws: int = 1,
             set: dict[str, Any] | None = None, checkpoint: str = 'last') -> Evaluation | list[Evaluation]:
        """Evaluate the stored network, as it was or under other conditions: an mho.Evaluation, of several times a list.

        part: 'test', 'train', 'validation'. after: time since programming, '1d' or seconds, or a list of them.
        draws: of the noise of reads; accuracy (or rms) and loss are means over them, deviation is the standard
        deviation of the accuracy (or rms). set: keys on top, {'array.read_noise': 0.02}. checkpoint: 'last', 'best'.
        A run that is not stored is evaluated as its network is: without draws, set and checkpoint."""
        if not self.id:
            if draws != 1 or set or checkpoint != 'last':
                raise Error('EINVAL', 'draws, set and checkpoint are of stored runs: train it with db=FILE')
            return each_time(lambda time: self.network.eval(part, time or None), after)
        times = after if isinstance(after, (list, tuple)) else [after]
        found = evaluate(self, part, [seconds(t) for t in times], draws, assignments(set), checkpoint)
        return found if isinstance(after, (list, tuple)) else found[0]

    def program(self, chips: int = 1, set: dict[str, Any] | None = None, name: str | None = None,
                seed: int | None = None, on_chip: Callable[[Chip], Any] | None = None) -> list[Chip]:
        """Write its weights onto new chips, each evaluated and stored: see mho.program."""
        self.must_be_stored()
        return program(self.id, db=self.database, chips=chips, set=set, name=name, seed=seed, on_chip=on_chip,
                       threads=self.threads)

    def report(self) -> Report:
        """Its page, shown inline by notebooks: an mho.Report."""
        self.must_be_stored()
        return self.database.report(self.id)

    def _repr_html_(self):
        return self.report()._repr_html_() if self.id else None


def each_time(function, after):
    return [function(t) for t in after] if isinstance(after, (list, tuple)) else function(after)


def evaluate(run, part, times, draws, words, checkpoint):
    """A stored run at several times, s: a list of Evaluations."""
    context, words, epoch = Context(run.threads), texts(words), ctypes.c_int()
    time = (ctypes.c_double * len(times))(*times)
    out = (structs['mho_evaluated'] * len(times))()
    options = structs['mho_evaluate_options'](
        checkpoint=checkpoint.encode(), part=part_number(part), n_times=len(times), time=ctypes.addressof(time),
        draws=draws, n_set=len(words), set=ctypes.addressof(words))
    with run.database.reader() as store:
        context.run(lib.mho_evaluate, context, registry, store, run.id.encode(), options, out, ctypes.byref(epoch))
    return [mean_of(e) for e in out]


def mean_of(evaluated):
    """The last draw with the means over all of them."""
    last, word = fields(Evaluation, evaluated.last), 'accuracy'
    if not math.isnan(last.rms):
        word = 'rms'
    return last._replace(loss=evaluated.loss, deviation=evaluated.deviation, **{word: evaluated.score})


def stored_run(database, id, threads=None):
    """The run of that id."""
    record = database.records('SELECT * FROM run WHERE id = ?1', id)[0]
    columns = ', '.join(Epoch._fields)
    rows = database.records(f'SELECT {columns} FROM epoch WHERE run_id = ?1 ORDER BY epoch', id)
    epochs = [Epoch(*map(number, row.values())) for row in rows]
    return Run(database, record, epochs, threads=threads)
