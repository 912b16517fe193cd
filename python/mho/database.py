"""Run databases: one SQLite file, asked by SQL; answers as frames.

SPDX-License-Identifier: GPL-3.0-or-later
"""

from __future__ import annotations
import contextlib
import ctypes
import os
from typing import TYPE_CHECKING, Any, Dict, List, Union

from .declarations import CONSTANTS
from .library import Handle, callbacks, encoded, lib, taken, texts

if TYPE_CHECKING:
    import pandas

    from .run import Run

DEFAULT = 'results/runs.db'

#: What questions are answered with.
Frame = Union['pandas.DataFrame', List[Dict[str, Any]]]


def value(cell):
    """A cell of an answer: None, int, float, str or bytes."""
    kind = cell.type
    if kind == CONSTANTS['MHO_CELL_NULL']:
        return None
    if kind == CONSTANTS['MHO_CELL_INT']:
        return cell.i
    if kind == CONSTANTS['MHO_CELL_REAL']:
        return cell.d
    if kind == CONSTANTS['MHO_CELL_TEXT']:
        return cell.text.decode('utf-8', 'replace')
    return None  # what a blob has in it the library does not show


def frame(names: list[str], rows: list) -> Frame:
    """A pandas DataFrame, where pandas is there; else a list of dicts."""
    try:
        import pandas
    except ImportError:
        return [dict(zip(names, row)) for row in rows]
    return pandas.DataFrame(rows, columns=names)


class Database:
    """A run database. It is opened anew for every question, so that any thread may ask, also while a run is trained.

    Answers are pandas frames, or lists of dicts where pandas is not there. docs/schema.md has the tables."""

    def __init__(self, path: str | os.PathLike = DEFAULT):
        self.path = os.fspath(path)

    @classmethod
    def of(cls, db):
        return db if isinstance(db, cls) else cls(db)

    def __repr__(self):
        return f'<mho.Database {self.path}>'

    # ------------------------------------------------------------ opened

    @contextlib.contextmanager
    def opened(self, mode):
        store = Handle(lib.mho_store_open, lib.mho_store_close, encoded(self.path), CONSTANTS[mode])
        try:
            yield store
        finally:
            store.close()

    def reader(self):
        return self.opened('MHO_STORE_READ')

    def writer(self):
        return self.opened('MHO_STORE_WRITE')

    # ------------------------------------------------------------ asked

    def answer(self, sql: str, *args: Any, timeout: float = 0) -> tuple[list[str], list[list[Any]]]:
        """(names, rows) of one read-only statement."""
        names, rows = [], []

        def take(_user, n, columns, cells):
            if not cells:
                columns = ctypes.cast(columns, ctypes.POINTER(ctypes.c_char_p))
                names.extend(columns[i].decode() for i in range(n))
            else:
                rows.append([value(cells[i]) for i in range(n)])
            return True

        words = [str(a) for a in args]
        with self.reader() as store:
            lib.mho_store_query(store, encoded(sql), len(words), texts(words), timeout, callbacks['row_call'](take), None)
        return names, rows

    def records(self, sql: str, *args: Any) -> list[dict[str, Any]]:
        """The same as a list of dicts."""
        names, rows = self.answer(sql, *args)
        return [dict(zip(names, row)) for row in rows]

    def query(self, sql: str, *args: Any, timeout: float = 0) -> Frame:
        """A frame of one read-only statement, with args for ?1, ?2, ...; timeout: s, 0: none."""
        return frame(*self.answer(sql, *args, timeout=timeout))

    def runs(self, where: str | None = None, *args: Any) -> Frame:
        """A frame of runs, oldest first, with the columns of view v_run; where: a condition on them, in SQL."""
        condition = f' WHERE {where}' if where else ''
        return self.query(f'SELECT * FROM v_run{condition} ORDER BY id', *args)

    def epochs(self, run: str = 'last') -> Frame:
        """A frame of a run's epochs: table epoch."""
        return self.query('SELECT * FROM epoch WHERE run_id = ?1 ORDER BY epoch', self.find(run))

    def layers(self, run: str = 'last') -> Frame:
        """A frame of a run's connections after each epoch: table layer_epoch."""
        return self.query('SELECT * FROM layer_epoch WHERE run_id = ?1 ORDER BY epoch, layer', self.find(run))

    def studies(self) -> Frame:
        """A frame of studies, one row a grid point: view v_study."""
        return self.query('SELECT * FROM v_study WHERE study IS NOT NULL')

    # ------------------------------------------------------------ runs

    def find(self, run: str = 'last') -> str:
        """The id of a run: of an id, a name, an id prefix, or 'last'."""
        id = ctypes.create_string_buffer(CONSTANTS['MHO_ID_MAX'])
        with self.reader() as store:
            lib.mho_store_find(store, encoded(run), ctypes.addressof(id))
        return id.value.decode()

    def run(self, run: str = 'last', threads: int | None = None) -> Run:
        """A stored run: an mho.Run."""
        from .run import stored_run
        return stored_run(self, self.find(run), threads)

    def report(self, run: str = 'last') -> Report:
        """The page of a run, which notebooks show inline."""
        out = ctypes.c_void_p()
        id = self.find(run)
        with self.reader() as store:
            lib.mho_report_text(lib.mho_report_find(b'run'), store, id.encode(), None, ctypes.byref(out))
        return Report(taken(out.value))


class Report:
    """A page of HTML, shown inline by notebooks."""

    def __init__(self, html):
        self.html = html

    def save(self, path: str | os.PathLike) -> None:
        with open(path, 'w', encoding='utf-8') as f:
            f.write(self.html)

    def _repr_html_(self):
        """The page in a frame of its own, so that its style does not touch the notebook's."""
        import html
        return f'<iframe srcdoc="{html.escape(self.html)}" style="width: 100%; height: 40em; border: 0"></iframe>'
