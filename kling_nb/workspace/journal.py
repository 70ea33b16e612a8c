"""The journal: every task, committed before it is paid for and after every step.

``BEGIN IMMEDIATE`` because a deferred transaction that begins to write after another kernel did fails at
once, whatever the time-out. The rollback journal and not WAL, which network file systems lack;
``synchronous=EXTRA`` because with the rollback journal only that makes a commit survive a power cut.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from kling_nb.errors import InvalidRequest, WorkspaceError
from kling_nb.records import TaskRecord
from kling_nb.workspace import rows, schema

_INSERT = f"INSERT INTO tasks ({', '.join(rows.COLUMNS)}) VALUES ({', '.join(':' + c for c in rows.COLUMNS)})"  # noqa: S608
_UPDATE = f"UPDATE tasks SET {', '.join(f'{c} = :{c}' for c in rows.COLUMNS)} WHERE id = :id"  # noqa: S608
_OPEN = "saved_at IS NULL AND task_status NOT IN ('failed', 'cancelled')"
_BUSY_SECONDS = 30


class Journal:
    """One connection to a workspace's journal. Safe to use from several threads.

    Parameters
    ----------
    path : Path
        The SQLite file.
    read_only : bool
        Never creates, migrates or writes.

    Raises
    ------
    WorkspaceError
        The file cannot be opened, is damaged, or is newer than this package.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._lock = threading.RLock()
        with self._explained():
            self._connection = _connect(path, read_only=read_only)
            try:
                (schema.check if read_only else schema.migrate)(self._connection, path)
            except BaseException:
                self._connection.close()
                raise

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
        except sqlite3.IntegrityError:
            known = [r for r in records if self._has_external_id(r)]
            name = known[0].external_task_id if known else records[0].id
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
        clauses, values = [], []
        for number, word in enumerate(search.split(), 1):
            clauses.append(
                "(prompt || ' ' || model_name || ' ' || task_status || ' ' || reference_list || ' ' || id || ' '"
                f" || coalesce(task_id, '') || ' ' || external_task_id) LIKE ?{number} ESCAPE '!'"
            )
            values.append(f"%{_escape(word)}%")
        where = f"WHERE {' AND '.join(clauses)} " if clauses else ""
        return self._select(f"{where}ORDER BY created_at DESC, id DESC LIMIT {-1 if limit is None else limit}", values)

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
        """Return how long the newest tasks of a gateway and model took, in seconds."""
        with self._explained(), self._lock:
            found = self._connection.execute(
                "SELECT finished_at - submitted_at FROM tasks WHERE gateway = ? AND model_name = ? "
                "AND task_status = 'succeeded' AND finished_at > submitted_at ORDER BY created_at DESC LIMIT ?",
                [gateway, model_name, limit],
            ).fetchall()
        return [float(row[0]) for row in found]

    def _has_external_id(self, record: TaskRecord) -> bool:
        return bool(
            self._select(
                "WHERE gateway = ? AND external_task_id = ? LIMIT 1",
                [record.gateway, record.external_task_id],
            )
        )

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
        except sqlite3.IntegrityError:
            raise
        except (sqlite3.Error, OSError) as error:
            raise WorkspaceError(f"The journal {self.path} cannot be used: {error}.") from error


def _connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    mode = "ro" if read_only else "rwc"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.row_factory = sqlite3.Row
    if not read_only:
        connection.execute("PRAGMA synchronous = EXTRA")
    return connection


def _escape(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
