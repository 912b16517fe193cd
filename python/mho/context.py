"""What a long call works with: threads, a stop that Ctrl-C sets, messages, progress.

Python's own handler of Ctrl-C runs only between two steps of the interpreter, never inside a call of the library. A
long call therefore runs in a thread of its own, while the caller's thread waits, handles signals, and does what the
library calls back.

SPDX-License-Identifier: GPL-3.0-or-later
"""
import ctypes
import logging
import queue
import signal
import threading

from .declarations import CONSTANTS
from .errors import Interrupted
from .library import Handle, callbacks, lib, structs

logger = logging.getLogger('mho')

INTERVAL = 0.1  # s between two looks at how far a call is
NOBODY = callbacks['progress_call']()


def log_message(_user, level, message):
    warns = level == CONSTANTS['MHO_LOG_WARNING']
    logger.log(logging.WARNING if warns else logging.INFO, '%s', message.decode('utf-8', 'replace'))


class Stop:
    """Ctrl-C asks the call under way to stop, as long as this is entered in the main thread."""

    def __init__(self, flag):
        self.flag, self.before = flag, None

    def request(self, *_):
        self.flag.value = 1

    def __enter__(self):
        self.flag.value = 0
        in_main = threading.current_thread() is threading.main_thread()
        if in_main and signal.getsignal(signal.SIGINT) not in (signal.SIG_IGN, None):
            self.before = signal.signal(signal.SIGINT, self.request)
        return self

    def __exit__(self, *_):
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)


class Context:
    """An mho_context. It must live as long as what was made with it.

    threads: of the library; None: one per processor. A quiet context has a progress only if one is asked for.
    """

    def __init__(self, threads=None):
        self.pool = Handle(lib.mho_pool_new, lib.mho_pool_free, threads or 0)
        self.flag = ctypes.c_int(0)
        self.events = queue.SimpleQueue()
        self.failure, self.look = None, None
        self.struct = structs['mho_context'](pool=self.pool.address, log=callbacks['log_call'](log_message),
                                             stop=ctypes.addressof(self.flag))

    @property
    def _as_parameter_(self):
        return ctypes.byref(self.struct)

    def show(self, progress):
        """Tell progress(what, done, total) some times a second how far calls are from here on; None: nobody.

        The library would call after every batch, which takes longer than a small batch may. So it finds a function to
        call only when the waiting thread has put one there, and the function takes itself away."""
        def step(_user, what, done, total, _note):
            self.struct.progress = NOBODY
            self.later(progress, what, done, total)
        self.look = callbacks['progress_call'](step) if progress else None
        self.struct.progress = self.look or NOBODY

    def here(self, function, *args):
        """Call a function in the thread that waits for a call; its result. An exception stops the call."""
        reply = queue.SimpleQueue()
        self.events.put((function, args, reply))
        return reply.get()

    def later(self, function, *args):
        """The same without waiting for it."""
        self.events.put((function, args, None))

    def run(self, function, *args):
        """A long call: what it returns, or its mho.Error. After Ctrl-C mho.Interrupted, also where the call could not be
        stopped, and the exception of a callback that it called `here`."""
        done = []

        def work():
            try:
                done.append((function(*args), None))
            except BaseException as why:  # it is raised again where the caller waits
                done.append((None, why))
            self.events.put(None)

        self.failure = None
        worker = threading.Thread(target=work, name='mho', daemon=True)
        with Stop(self.flag):
            worker.start()
            self.serve()
            worker.join()
        if self.failure is not None:
            raise self.failure
        result, why = done[0]
        was_stopped = self.flag.value and (why is None or getattr(why, 'code', '') == 'EINTERRUPTED')
        if was_stopped:
            raise Interrupted(str(why or 'interrupted'))
        if why is not None:
            raise why
        return result

    def next_event(self):
        """What the call asks for next. As long as it asks nothing it is looked at now and then."""
        while self.look is not None:
            try:
                return self.events.get(timeout=INTERVAL)
            except queue.Empty:
                self.struct.progress = self.look
        return self.events.get()

    def serve(self):
        """Do what the call asks for, until it ends."""
        while True:
            event = self.next_event()
            if event is None:
                return
            function, args, reply = event
            result = None
            try:
                result = function(*args)
            except BaseException as why:  # of a callback of the user's: the call ends, and then it is raised
                self.failure = self.failure or why
                self.flag.value = 1
            if reply is not None:
                reply.put(result)
