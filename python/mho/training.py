"""Training, logged to a run database or kept in memory.

SPDX-License-Identifier: GPL-3.0-or-later
"""

from __future__ import annotations
import ctypes
import math
import os
from typing import Any, Callable, Optional

from .context import Context
from .data import Data
from .database import DEFAULT, Database
from .declarations import CODE_VERSION
from .errors import Error, Interrupted
from .experiment import Config, Experiment, registry
from .library import callbacks, encoded, lib, structs
from .network import Epoch, Network, fields
from .progress import bar
from .run import Run, stored_run

OnEpoch = Callable[[Epoch], Optional[bool]]
STORED = object()  # db: the default file, unless the samples are the program's own


def train(config: Config = None, *, data: Data | None = None, db: str | os.PathLike | Database | None = STORED,
          name: str | None = None, seed: int | None = None, set: dict[str, Any] | None = None,
          start: str | os.PathLike | None = None, threads: int | None = None, on_epoch: OnEpoch | None = None,
          progress: bool | None = None, strict: bool = False) -> Run:
    """Train a network as a config says: an mho.Run.

    config, set, seed, strict: as of mho.Experiment; data: as of mho.Network.
    db: the run database, a file or an mho.Database (default results/runs.db, as of the command); None: nothing is
       stored, and the run's network is kept in memory. Samples of one's own (data) are never stored.
    name: of the stored run. start: begin with the weights of that stored run (id or name), or of a folder.
    threads: of the library, None: one per processor. Results do not depend on it.
    on_epoch(epoch): called after each epoch, an mho.Epoch; True ends the training there.
    progress: a bar of tqdm, where it is there; None: in notebooks and on terminals.

    The same config and seed give the same bits as `mho train`. Ctrl-C finishes the batch and raises mho.Interrupted,
    whose `run` is stored; mho.resume goes on from there, bit for bit.
    """
    if data is not None and db is not STORED and db is not None:
        raise Error('EINVAL', 'samples of your own are in no run database: leave out db')
    database = None if db is None or data is not None else Database.of(DEFAULT if db is STORED else db)
    found = start_of(start, database)
    experiment = config if isinstance(config, Experiment) else Experiment(config, set, seed, strict, found)
    if database is None:
        return train_in_memory(experiment, data, threads, on_epoch, progress)

    def call(context, options, result):
        options.name = encoded(name)
        lib.mho_train(context, experiment, options, result)

    return Logged(database, on_epoch, threads).run(call, experiment.dict()['train']['epochs'], progress)


def start_of(start, database):
    """train.from as the config has it: the whole path of a folder, or the id of a run."""
    if start is None:
        return {}
    is_folder = os.path.isdir(start)
    if not is_folder and database is None:
        raise Error('EINVAL', f"start: '{start}' is no folder, and without db there are no runs")
    return {'train.from': os.path.realpath(start) if is_folder else database.find(start)}


def resume(run: str = 'last', *, db: str | os.PathLike | Database = DEFAULT, threads: int | None = None,
           on_epoch: OnEpoch | None = None, progress: bool | None = None) -> Run:
    """Go on with a stored run (id, name, id prefix, 'last') from its last checkpoint: the same bits as if it had never
    been interrupted."""
    database = Database.of(db)
    before = stored_run(database, database.find(run))

    def call(context, options, result):
        lib.mho_train_resume(context, registry, before.id.encode(), options, result)

    return Logged(database, on_epoch, threads).run(call, before.wanted_epochs, progress, len(before.epochs))


class Logged:
    """A training that the library logs to a database."""

    def __init__(self, database, on_epoch, threads):
        self.database, self.on_epoch, self.threads = database, on_epoch, threads
        self.context, self.result, self.ends = Context(threads), structs['mho_train_result'](), False

    def run(self, call, epochs, progress, done=0):
        """The stored run. call(context, options, result) trains it."""
        with self.database.writer() as store, bar(self.context, epochs, progress, done) as self.shown:
            options = structs['mho_train_options'](
                store=store.address, code_version=CODE_VERSION.encode(), epoch=callbacks['epoch_call'](self.epoch),
                stop=callbacks['stop_call'](self.stop))
            try:
                self.context.run(call, self.context, options, self.result)
            except Interrupted as why:
                raise self.cut(why) from None
            except Error as why:
                why.run = self.stored()
                if not self.ends:
                    raise
        return self.stored()

    def epoch(self, _user, _run, row):
        self.ends = self.context.here(self.after_epoch, fields(Epoch, row[0]))

    def after_epoch(self, epoch):
        self.shown.epoch(epoch)
        return bool(self.on_epoch(epoch)) if self.on_epoch else False

    def stop(self, _user, _run, _row, why, capacity):
        failure = self.context.failure
        sentence = 'on_epoch ended it' if failure is None else f'on_epoch raised {type(failure).__name__}: {failure}'
        if not self.ends and failure is None:
            return False
        ctypes.memmove(why, sentence.encode()[:capacity - 1] + b'\0', min(len(sentence.encode()), capacity - 1) + 1)
        return True

    def stored(self):
        run = self.result.run.decode()
        return stored_run(self.database, run, self.threads) if run else None

    def cut(self, why):
        """What Ctrl-C left."""
        run = self.stored()
        cure = f"; it is stored, go on with mho.resume('{run.id}')" if run and run.status == 'interrupted' else ''
        return Interrupted(f'{why}{cure}', run)


def train_in_memory(experiment, data, threads, on_epoch, progress):
    network = Network(experiment, data, threads)
    try:
        network.train(on_epoch, progress)
    except Interrupted as why:
        raise Interrupted(str(why), run_in_memory(network)) from None
    return run_in_memory(network)


def run_in_memory(network):
    """What a database would say of a training."""
    epochs, wanted = network.epochs, network.experiment.dict()['train']['epochs']
    record = {'id': '', 'status': 'completed' if len(epochs) == wanted else 'interrupted', 'best_epoch': 0}
    if epochs:
        last, best = epochs[-1], best_of(epochs)
        record.update(best_epoch=best.epoch, wall_s=math.fsum(e.wall_s + e.eval_s for e in epochs),
                      final_test_acc=last.test_acc, best_test_acc=best.test_acc, train_acc=last.train_acc,
                      val_acc=last.val_acc, final_test_loss=last.test_loss, best_test_loss=best.test_loss,
                      val_loss=last.val_loss, final_test_rms=last.test_rms, best_test_rms=best.test_rms)
    return Run(None, record, epochs, network)


def best_of(epochs):
    """The epoch that validation says is best, without it the test: by accuracy, or by the loss of values."""
    def score(epoch):
        known = [epoch.val_acc, -epoch.val_loss, epoch.test_acc, -epoch.test_loss]
        return next((s for s in known if not math.isnan(s)), -math.inf)
    return max(epochs, key=score)
