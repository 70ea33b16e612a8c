"""One connection to the journal's file: opened, guarded, and its troubles put into words.

``BEGIN IMMEDIATE`` because a deferred transaction that begins to write after another kernel did fails at
once, whatever the time-out. The rollback journal and not WAL, which network file systems lack;
``synchronous=EXTRA`` because with the rollback journal only that makes a commit survive a power cut.
"""

import ctypes
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from kling_nb.errors import WorkspaceError
from kling_nb.workspace import schema

_BUSY_SECONDS = 30
_Result = TypeVar("_Result")


class _Step:
    """Something to be written, and what came of it."""

    def __init__(self, work: Callable[[sqlite3.Connection], Any]) -> None:
        self.work = work
        self.done = False
        self.result: Any = None
        self.error: BaseException | None = None


class Database:
    """One connection to a workspace's journal. Safe to use from several threads.

    Parameters
    ----------
    path : Path
        The SQLite file.
    read_only : bool
        Never creates, migrates or writes; an empty file is an empty journal.

    Raises
    ------
    WorkspaceError
        The file cannot be opened, is damaged, or is newer than this package.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._line = threading.Lock()
        self._steps: list[_Step] = []
        with self._explained():
            self._connection = _open_to_read(path) if read_only else _open(f"{_uri(path)}?mode=rwc", path)
        self._file = _identity(path)

    @property
    def in_place(self) -> bool:
        """Whether the file of that name is still the one that is open: someone may delete or move it."""
        return _identity(self.path) == self._file

    @property
    def version(self) -> int:
        """The version that the journal is at; 0 for an empty file."""
        return int(self.read("PRAGMA user_version")[0][0])

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    def leave_open(self) -> None:
        """Let go of the connection without closing it, in a process that was forked.

        SQLite must not touch it there, not even to close it: that could take back what the parent is just
        writing. So it is kept from ever being collected, also at the end of the process.
        """
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))

    def read(self, query: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        """Return the rows that a query finds."""
        with self._explained(), self._lock:
            return self._connection.execute(query, values).fetchall()

    def commit(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Read and write as one step, durably: all of it or, when anything is raised, nothing.

        What several threads want at once is flushed once: a flush to the disk takes longer than everything else
        that is done for a task, and a dozen threads wait for theirs. Each step stands alone all the same: one that
        fails leaves no trace and takes no other with it.

        Parameters
        ----------
        work : callable
            Given the connection. It must not wait for anything, may be called in another thread, and is called
            again, alone, when it has failed or what it was to be written with has.

        Returns
        -------
        object
            What it returned, once that is on the disk.
        """
        if threading.current_thread() is threading.main_thread():
            # Interrupts come there, and could leave open what has become of the steps of others.
            return self._write(work)
        step = _Step(work)
        with self._line:
            self._steps.append(step)
        with self._lock:
            if not step.done:
                self._write_all()
        if step.error is not None:
            raise step.error
        result: _Result = step.result
        return result

    def _write_all(self) -> None:
        """Do every step that waits; the lock is held."""
        with self._line:
            steps, self._steps = self._steps, []
        alone = steps
        if len(steps) > 1:
            # What goes wrong is met again by the step that it comes from.
            with suppress(BaseException):
                alone = self._write(lambda connection: [step for step in steps if not _do(step, connection)])
        for step in alone:
            try:
                step.result = self._write(step.work)
            except BaseException as error:  # noqa: BLE001 - raised in the thread that asked for it
                step.error = error
        for step in steps:
            step.done = True

    def _write(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        # No context manager: an interrupt between two calls of its own would leave the transaction open.
        with self._explained(), self._lock:
            try:
                # Inside, because an interrupt that came while it waited for another kernel is raised after it.
                self._connection.execute("BEGIN IMMEDIATE")
                result = work(self._connection)
                self._connection.execute("COMMIT")
            except BaseException:
                # A full disk ends the transaction by itself.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            return result

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise WorkspaceError(f"The journal {self.path} cannot be used: {error}.") from error


def _do(step: _Step, connection: sqlite3.Connection) -> bool:
    """Do one step of several; tell whether it is done, or undone."""
    connection.execute("SAVEPOINT step")
    try:
        step.result = step.work(connection)
    except Exception:
        if not connection.in_transaction:
            # A full disk ends the transaction by itself, and with it the steps before this one.
            raise
        connection.execute("ROLLBACK TO step")
        return False
    finally:
        if connection.in_transaction:
            connection.execute("RELEASE step")
    return True


def _open(uri: str, path: Path) -> sqlite3.Connection:
    connection = _connect(uri)
    try:
        connection.execute("PRAGMA synchronous = EXTRA")
        schema.migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _open_to_read(path: Path) -> sqlite3.Connection:
    connection = _connect(f"{_uri(path)}?mode=ro")
    try:
        found = schema.check(connection, path)
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorname != "SQLITE_READONLY_ROLLBACK":
            raise
        # A process died while it wrote. Before anyone can read, half a commit must be taken back, which
        # SQLite does when it may write.
        _open(f"{_uri(path)}?mode=rw", path).close()
        return _open_to_read(path)
    except BaseException:
        connection.close()
        raise
    if found == 0:
        # A process died between making the file and the tables.
        connection.close()
        return _open(":memory:", path)
    return connection


def _connect(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    return connection


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _uri(path: Path) -> str:
    return path.absolute().as_uri()
