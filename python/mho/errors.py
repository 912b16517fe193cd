"""What can go wrong, in the library's own sentences.

SPDX-License-Identifier: GPL-3.0-or-later
"""


class Error(Exception):
    """A call that failed. `str(error)` is the sentence of the library, with the place and the cure.

    code: 'ECONFIG', 'EDATA', ...; file, line: the place in a file, '' and 0 where there is none;
    row, col: of a cell of a matrix, counted from 0, -1 where there is none; run: the stored run of a training that
    failed.
    """

    def __init__(self, code, sentence, file='', line=0, row=-1, col=-1):
        super().__init__(code, sentence, file, line, row, col)
        self.code, self.sentence, self.file, self.line, self.row, self.col = code, sentence, file, line, row, col
        self.run = None

    def __str__(self):
        place = self.file
        if place and self.line > 0:
            place += f':{self.line}'
        return f'{place}: {self.sentence}' if place else self.sentence


class Interrupted(KeyboardInterrupt):
    """Ctrl-C ended a call. What had been done is kept: `run` is the stored run, or None."""

    def __init__(self, sentence, run=None):
        super().__init__(sentence)
        self.run = run


class IdleKeyWarning(UserWarning):
    """A key of a config that was set and has no effect in its experiment."""
