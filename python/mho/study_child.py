"""The process that trains a study: `mho.sweep` starts it, because the library forks a worker a run, which a process
with threads, as that of a notebook, must not.

It reads what to do as JSON from its standard input, and writes events and the result as lines of JSON.

SPDX-License-Identifier: GPL-3.0-or-later
"""
import ctypes
import json
import math
import signal
import sys

from .declarations import CODE_VERSION, CONSTANTS
from .errors import Error
from .experiment import registry
from .library import Handle, callbacks, encoded, lib, structs, text_at, texts

WHAT = {CONSTANTS[f'MHO_STUDY_{word.upper()}']: word for word in ('planned', 'started', 'epoch', 'ended', 'tick')}
NUMBERS = ('epoch', 'epochs', 'train_acc', 'test_acc', 'val_acc', 'wall_s', 'test_loss', 'test_rms', 'total', 'ended',
           'running', 'failed', 'left_s')
PR_SET_PDEATHSIG = 1


def say(line):
    print(json.dumps(line), flush=True)


def known(number):
    return None if isinstance(number, float) and not math.isfinite(number) else number


def as_dict(event):
    """An mho_study_event of a run, and what is known of the run."""
    run = event.run[0]
    found = {name: known(getattr(event, name)) for name in NUMBERS}
    found.update(what=WHAT[event.what], run=run.id.decode(), sets=text_at(run.label), seed=run.seed, point=run.point,
                 state=lib.mho_plan_state_word(run.state).decode(), error=event.error and event.error.decode())
    return found


def take(_user, event):
    e = event[0]
    if WHAT[e.what] == 'planned':
        idle = [e.plan[0].idle[i] for i in range(e.plan[0].n_idle)]
        say({'idle': [f'{k.key.decode()}: {k.why.decode()} (in {k.runs} runs)' for k in idle]})
    elif e.run:
        say({'event': as_dict(e)})


def study_of(order):
    words = order['set']
    if order.get('path') is not None:
        return Handle(lib.mho_study_read, lib.mho_study_free, registry, encoded(order['path']), len(words), texts(words))
    return Handle(lib.mho_study_text, lib.mho_study_free, registry, encoded(order['text']), encoded(order['name']),
                  len(words), texts(words))


def train(order, stop):
    context = structs['mho_context'](stop=ctypes.addressof(stop))
    options = structs['mho_study_options'](db=encoded(order['db']), code_version=CODE_VERSION.encode(),
                                           event=callbacks['event_call'](take), **order['options'])
    result, study = structs['mho_study_result'](), study_of(order)
    lib.mho_study_train(context, study, registry, options, result)
    numbers = {name: getattr(result, name) for name, _ in result._fields_}
    say({'result': {'study': lib.mho_study_name(study).decode(), **numbers}})


def main():
    stop = ctypes.c_int(0)

    def request(*_):
        stop.value = 1

    signal.signal(signal.SIGINT, request)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # it ends with the process that started it
    try:
        train(json.load(sys.stdin), stop)
    except Error as why:
        say({'error': why.args})


if __name__ == '__main__':
    main()
