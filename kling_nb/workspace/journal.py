"""The journal: every task, committed before it is paid for and after every step.

``BEGIN IMMEDIATE`` because a deferred transaction that begins to write after another kernel did fails at
once, whatever the time-out. The rollback journal and not WAL, which network file systems lack;
``synchronous=EXTRA`` because with the rollback journal only that makes a commit survive a power cut.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from kling_nb.errors import InvalidRequest, WorkspaceError
from kling_nb.records import Spent, TaskRecord
from kling_nb.workspace import rows, schema

_INSERT = f"INSERT INTO tasks ({', '.join(rows.COLUMNS)}) VALUES ({', '.join(':' + c for c in rows.COLUMNS)})"  # noqa: S608
# A task under way is written anew when someone has deleted the journal: it may be paid.
_UPDATE = f"{_INSERT} ON CONFLICT (id) DO UPDATE SET {', '.join(f'{c} = excluded.{c}' for c in rows.COLUMNS)}"
_OPEN = "saved_at IS NULL AND task_status NOT IN ('failed', 'cancelled')"
_BUSY_SECONDS = 30


class Journal:
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
        with self._explained():
            self._connection = _open_to_read(path) if read_only else _open(f"{_uri(path)}?mode=rwc", path)
        self._file = _identity(path)

    @property
    def in_place(self) -> bool:
        """Whether the file of that name is still the one that is open: someone may delete or move it."""
        return _identity(self.path) == self._file

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    def insert(self, records: Iterable[TaskRecord]) -> None:
        """Write new tasks, all or none, durably.

        Parameters
        ----------
        records : iterable of TaskRecord
            Whose ids and external ids are new.

        Raises
        ------
        InvalidRequest
            The journal already knows one of the external ids on its gateway.
        WorkspaceError
            It could not be written; then nothing was.
        """
        records = list(records)
        try:
            with self._transaction() as connection:
                connection.executemany(_INSERT, [rows.to_row(record) for record in records])
        except WorkspaceError as error:
            name = self._used_twice(records) if isinstance(error.__cause__, sqlite3.IntegrityError) else None
            if name is None:
                raise
            message = f"external_task_id {name!r} was already used for an earlier task."
            raise InvalidRequest(message, advice=f"Choose another; `%kling show {name}` shows that task.") from None

    def update(self, *records: TaskRecord) -> None:
        """Write what tasks have become, in one commit.

        Raises
        ------
        WorkspaceError
            It could not be written.
        """
        with self._transaction() as connection:
            connection.executemany(_UPDATE, [rows.to_row(record) for record in records])

    def get(self, some_id: str) -> TaskRecord | None:
        """Return the task of an id.

        Parameters
        ----------
        some_id : str
            Ours, whole or its end or beginning where that is one task's only; the ``task_id``; or the
            ``external_task_id``.

        Returns
        -------
        TaskRecord or None
            None when there is no such task, or more than one that it might mean.
        """
        # What is no text (half a surrogate pair) cannot be asked for, and names nothing.
        some_id = some_id.encode(errors="replace").decode()
        exact = self._select("WHERE id = ?1 OR task_id = ?1 OR external_task_id = ?1 ORDER BY id DESC", [some_id])
        if exact:
            return exact[0]
        if len(some_id) < 4:
            return None
        pattern = _escape(some_id)
        near = self._select(
            "WHERE id LIKE ?1 ESCAPE '!' OR id LIKE ?2 ESCAPE '!' LIMIT 2", [f"{pattern}%", f"%{pattern}"]
        )
        return near[0] if len(near) == 1 else None

    def newest(self, search: str = "", limit: int | None = None) -> list[TaskRecord]:
        """Return tasks, newest first.

        Parameters
        ----------
        search : str
            Words that must all occur in the prompt, the model, the status, a reference's name or an id.
        limit : int, optional
            At most so many.
        """
        if not search.strip():
            return self._select("ORDER BY created_at DESC, id DESC LIMIT ?", [-1 if limit is None else max(0, limit)])
        # Not in SQL, which knows upper and lower case of ASCII only, and the references as JSON.
        everything = self._select("ORDER BY created_at DESC, id DESC", [])
        found = (record for record in everything if rows.mentions(record, search))
        return list(islice(found, None if limit is None else max(0, limit)))

    def count(self) -> int:
        """Return how many tasks there are."""
        with self._explained(), self._lock:
            return int(self._connection.execute("SELECT count(*) FROM tasks").fetchone()[0])

    def unfinished(self) -> list[TaskRecord]:
        """Return the tasks that something remains to be done for, oldest first."""
        return self._select(f"WHERE {_OPEN} ORDER BY created_at, id", [])

    def same(self, gateway: str, digest: str) -> TaskRecord | None:
        """Return the newest finished task of the same request at the same gateway."""
        found = self._select(
            "WHERE gateway = ? AND digest = ? AND task_status = 'succeeded' AND saved_at IS NOT NULL "
            "ORDER BY created_at DESC LIMIT 1",
            [gateway, digest],
        )
        return found[0] if found else None

    def durations(self, gateway: str, model_name: str, limit: int = 50) -> list[float]:
        """Return how long the newest tasks of a gateway and model took, in seconds.

        Longer than an hour took only those that a later kernel collected, and they say nothing.
        """
        with self._explained(), self._lock:
            found = self._connection.execute(
                "SELECT finished_at - submitted_at FROM tasks WHERE gateway = ? AND model_name = ? "
                "AND task_status = 'succeeded' AND finished_at > submitted_at AND finished_at < submitted_at + 3600 "
                "ORDER BY created_at DESC LIMIT ?",
                [gateway, model_name, limit],
            ).fetchall()
        return [float(row[0]) for row in found]

    def spent(self) -> list[Spent]:
        """Return what was asked for by day (local time), model and gateway, newest first, without prices."""
        with self._explained(), self._lock:
            found = self._connection.execute(
                "SELECT date(created_at, 'unixepoch', 'localtime') AS day, model_name, gateway, "
                "sum(task_status NOT IN ('uncertain', 'sending')) AS tasks, "
                "sum(n * (task_status NOT IN ('uncertain', 'sending'))) AS images, "
                "sum(n * (task_status IN ('uncertain', 'sending'))) AS uncertain FROM tasks "
                "WHERE task_status NOT IN ('planned', 'failed', 'cancelled') GROUP BY 1, 2, 3 ORDER BY 1 DESC, 2, 3"
            ).fetchall()
        return [Spent(**dict(row)) for row in found]

    def _used_twice(self, records: Sequence[TaskRecord]) -> str | None:
        seen: set[tuple[str, str]] = set()
        for record in records:
            name = (record.gateway, record.external_task_id)
            if name in seen or self._select("WHERE gateway = ? AND external_task_id = ? LIMIT 1", name):
                return record.external_task_id
            seen.add(name)
        return None

    def _select(self, clause: str, values: Sequence[object]) -> list[TaskRecord]:
        with self._explained(), self._lock:
            found = self._connection.execute(f"SELECT * FROM tasks {clause}", values).fetchall()  # noqa: S608
        return [rows.from_row(row) for row in found]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._explained(), self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise WorkspaceError(f"The journal {self.path} cannot be used: {error}.") from error


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


def _escape(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
