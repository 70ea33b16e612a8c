"""The sandbox's memory of what was asked for and billed: one SQLite row a task.

Several processes may share the file; every decision that reads before it writes does both in one
``BEGIN IMMEDIATE`` transaction.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

from kling_nb.sandbox.imagefile import Reference
from kling_nb.sandbox.tasks import Entry, Task, summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BUSY_TIMEOUT: Final = 30.0  # seconds to wait for another process

_SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS tasks (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id TEXT NOT NULL UNIQUE,
    external_task_id TEXT NOT NULL,
    model_name TEXT NOT NULL,
    prompt TEXT NOT NULL,
    aspect_ratio TEXT NOT NULL,
    n INTEGER NOT NULL,
    watermark INTEGER NOT NULL,
    inputs TEXT NOT NULL,
    callback_url TEXT NOT NULL,
    digest TEXT NOT NULL,
    sample INTEGER NOT NULL,
    created_at REAL NOT NULL,
    seconds REAL NOT NULL,
    ends_at REAL NOT NULL,
    failure TEXT NOT NULL,
    held TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS by_external_id ON tasks (external_task_id) WHERE external_task_id != '';
CREATE INDEX IF NOT EXISTS by_digest ON tasks (digest);
CREATE INDEX IF NOT EXISTS by_end ON tasks (ends_at);
CREATE INDEX IF NOT EXISTS by_hold ON tasks (held) WHERE held != '';
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT OR IGNORE INTO facts VALUES ('secret', lower(hex(randomblob(32))));
COMMIT;
"""
_INSERT = """
INSERT INTO tasks (task_id, external_task_id, model_name, prompt, aspect_ratio, n, watermark, inputs,
    callback_url, digest, sample, created_at, seconds, ends_at, failure, held)
VALUES (:task_id, :external_task_id, :model_name, :prompt, :aspect_ratio, :n, :watermark, :inputs,
    :callback_url, :digest, :sample, :created_at, :seconds, :ends_at, :failure, :held)
"""


class DuplicateIdError(Exception):
    """The account already has a task with this `external_task_id`."""


class NoSlotsError(Exception):
    """The tasks in parallel would need more slots than the account has."""


class Ledger:
    """What was asked for and billed. Survives restarts; may be shared by processes.

    Parameters
    ----------
    path : Path
        The SQLite file; created if missing.
    clock : callable
        Returns the time in seconds since the epoch.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        with closing(self._connect()) as connection:
            connection.executescript(_SCHEMA)

    def __repr__(self) -> str:
        return f"<Ledger {self._path.name}: {len(self.entries())} tasks>"

    def entries(self) -> list[Entry]:
        """Return one entry a task, oldest first, with its status as of now."""
        with self._reading() as connection:
            rows = connection.execute("SELECT * FROM tasks ORDER BY sequence").fetchall()
        now = self._clock()
        return [summarise(_task(row), now) for row in rows]

    def billed_images(self) -> int:
        """Return how many images were charged in all."""
        return sum(entry.billed for entry in self.entries())

    def billed(self, external_task_id: str) -> int:
        """Return how many images were charged under one `external_task_id`."""
        return sum(entry.billed for entry in self.entries() if entry.external_task_id == external_task_id)

    def open(self) -> None:
        """Keep one connection open, so that a look-up costs no more than its query."""
        with self._lock:
            if self._connection is None:
                self._connection = self._connect()

    def close(self) -> None:
        """Close the connection. The ledger stays readable: each later call opens its own."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def add(self, task: Task, *, slots: int, unique: bool) -> Task:
        """Write down a new task, if the account has room for it.

        Parameters
        ----------
        task : Task
            The task; its `sample` is counted here.
        slots : int
            Images in parallel that the account may have of one model.
        unique : bool
            Whether a repeated `external_task_id` is an error.

        Returns
        -------
        Task
            The task as written.

        Raises
        ------
        DuplicateIdError, NoSlotsError
            Nothing was written.
        """
        with self._writing() as connection:
            if unique and task.external_task_id and self._knows(connection, task.external_task_id):
                raise DuplicateIdError
            (taken,) = connection.execute(
                "SELECT coalesce(sum(n), 0) FROM tasks WHERE (held != '' OR ends_at > ?) AND model_name = ?",
                (task.created_at, task.model_name),
            ).fetchone()
            if taken + task.n > slots:
                raise NoSlotsError
            (sample,) = connection.execute("SELECT count(*) FROM tasks WHERE digest = ?", (task.digest,)).fetchone()
            written = replace(task, sample=sample)
            connection.execute(_INSERT, _row(written))
        return written

    @staticmethod
    def _knows(connection: sqlite3.Connection, external_task_id: str) -> bool:
        query = "SELECT 1 FROM tasks WHERE external_task_id = ? AND external_task_id != ''"
        return connection.execute(query, (external_task_id,)).fetchone() is not None

    def find(self, name: str) -> Task | None:
        """Return a task by its `task_id`, else the newest with that `external_task_id`."""
        with self._reading() as connection:
            row = connection.execute("SELECT * FROM tasks WHERE task_id = ?", (name,)).fetchone()
            if row is None:
                row = connection.execute(
                    "SELECT * FROM tasks WHERE external_task_id = ? AND external_task_id != ''"
                    " ORDER BY sequence DESC LIMIT 1",
                    (name,),
                ).fetchone()
        return None if row is None else _task(row)

    def page(self, number: int, size: int) -> list[Task]:
        """Return one page of the tasks, newest first; pages count from 1."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT * FROM tasks ORDER BY sequence DESC LIMIT ? OFFSET ?",
                (size, (number - 1) * size),
            ).fetchall()
        return [_task(row) for row in rows]

    def hold(self, status: str) -> None:
        """Keep every unfinished task in `status` until `release`."""
        with self._writing() as connection:
            connection.execute("UPDATE tasks SET held = ? WHERE held != '' OR ends_at > ?", (status, self._clock()))

    def release(self) -> None:
        """Let time decide again about every task that is held."""
        with self._writing() as connection:
            connection.execute("UPDATE tasks SET held = '' WHERE held != ''")

    def finish(self, name: str | None) -> int:
        """End unfinished tasks now: all, or the one with that id. Return how many."""
        now = self._clock()
        with self._writing() as connection:
            cursor = connection.execute(
                "UPDATE tasks SET held = '', ends_at = min(ends_at, :now)"
                " WHERE (held != '' OR ends_at > :now)"
                " AND (:name IS NULL OR task_id = :name OR external_task_id = :name)",
                {"now": now, "name": name},
            )
            return cursor.rowcount

    def secret(self) -> bytes:
        """Return the random secret of this ledger; every process gets the same."""
        with self._reading() as connection:
            (value,) = connection.execute("SELECT value FROM facts WHERE name = 'secret'").fetchone()
        return bytes.fromhex(value)

    def _connect(self) -> sqlite3.Connection:
        # `check_same_thread` is off because the lock lets one thread in at a time.
        connection = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._connection is not None:
                yield self._connection
            else:
                with closing(self._connect()) as connection:
                    yield connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise


def _row(task: Task) -> dict[str, Any]:
    inputs = json.dumps([asdict(item) for item in task.references])
    return {**asdict(task), "inputs": inputs, "watermark": int(task.watermark)}


def _task(row: sqlite3.Row) -> Task:
    facts = dict(row)
    del facts["sequence"]
    references = tuple(Reference(**item) for item in json.loads(facts.pop("inputs")))
    return Task(**{**facts, "watermark": bool(facts["watermark"]), "references": references})
