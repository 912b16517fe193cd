"""Studies: many trainings that answer one question.

SPDX-License-Identifier: GPL-3.0-or-later
"""

from __future__ import annotations
import json
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections import namedtuple
from typing import Any, Callable

from .database import DEFAULT, Database
from .errors import Error, IdleKeyWarning, Interrupted
from .experiment import as_yaml, assignments, is_path
from .progress import count_bar

#: How the runs of a study ended. present: ended in an earlier session; cut: interrupted, to be resumed.
StudyResult = namedtuple('StudyResult', 'study total present completed diverged stopped failed cut wall_s')


def order_of(study, name, set):
    """What is to be swept: of a file its whole path, of a dict or text YAML."""
    words = {'set': assignments(set)}
    if is_path(study):
        return {'path': os.path.abspath(study), **words}
    return {'text': study if isinstance(study, str) else as_yaml(dict(study)), 'name': name, **words}


def sweep(study: dict[str, Any] | str | os.PathLike, *, db: str | os.PathLike | Database = DEFAULT, name: str = 'study',
          jobs: int | None = None, threads: int = 1, set: dict[str, Any] | None = None, retry: bool = False,
          again: bool = False, on_event: Callable[[dict[str, Any]], Any] | None = None,
          progress: bool | None = None) -> StudyResult:
    """Train what a study lacks, each run in a process of its own: a StudyResult. The runs are in the database.

    study: a YAML file, its text, or a dict, as `mho sweep --help` describes it. name: of a text or dict without one.
    jobs: runs at a time, None: one per processor; threads: of each. set: keys on top of the base.
    retry: failed runs and those stopped early, too; again: everything once more.
    on_event(event): called with a dict for every run that starts, has had an epoch, or has ended.

    Interrupted at any moment, the same call goes on; a config that the database has is not trained again. Ctrl-C ends
    the runs under way after their batch, saved, and raises mho.Interrupted.
    """
    database = Database.of(db)
    options = {'jobs': jobs or 0, 'threads': threads, 'retry': retry, 'again': again}
    order = {'db': os.path.abspath(database.path), 'options': options, **order_of(study, name, set)}
    child = Child(order)
    with count_bar(progress) as shown:
        for line in child.lines():
            if line.get('idle'):
                warnings.warn('no effect: ' + '; '.join(line['idle']), IdleKeyWarning, stacklevel=2)
            if 'event' in line:
                shown.ended(line['event'])
                child.guarded(on_event, line['event'])
    return child.result()


class Child:
    """The process that trains a study."""

    def __init__(self, order):
        package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        path = os.pathsep.join(filter(None, [package, os.environ.get('PYTHONPATH')]))
        self.last, self.failure, self.interrupted = {}, None, False
        self.process = subprocess.Popen([sys.executable, '-m', 'mho.study_child'], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, env={**os.environ, 'PYTHONPATH': path},
                                        start_new_session=True)  # Ctrl-C of a terminal is this process's to pass on
        self.process.stdin.write(json.dumps(order).encode())
        self.process.stdin.close()

    def stop(self, *_):
        self.interrupted = True
        self.process.send_signal(signal.SIGINT)

    def guarded(self, function, *args):
        """A callback of the user's, whose exception ends the study and is raised then."""
        if function is None or self.failure is not None:
            return
        try:
            function(*args)
        except BaseException as why:
            self.failure = why
            self.process.send_signal(signal.SIGINT)

    def lines(self):
        """What the process says, until it ends. Meanwhile Ctrl-C stops the runs."""
        in_main = threading.current_thread() is threading.main_thread()
        before = signal.signal(signal.SIGINT, self.stop) if in_main else None
        try:
            for text in self.process.stdout:
                self.last = json.loads(text)
                yield self.last
        finally:
            self.process.stdout.close()
            self.process.wait()
            if in_main:
                signal.signal(signal.SIGINT, before)

    def result(self):
        if self.failure is not None:
            raise self.failure
        if 'result' in self.last:
            return StudyResult(**self.last['result'])
        if 'error' not in self.last:
            raise Error('EIO', f'the process of the study ended with code {self.process.returncode}')
        why = Error(*self.last['error'])
        raise Interrupted(why.sentence) if why.code == 'EINTERRUPTED' else why
