"""Who works on which task, when several kernels share a workspace.

A task belongs to the process that its row names. Every taking is one transaction that looks and writes, so
that two kernels can neither send the same task nor together fill more slots than there are.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Literal, NamedTuple

from kling_nb.records import TaskRecord
from kling_nb.workspace import rows, schema
from kling_nb.workspace.database import Database
from kling_nb.workspace.owners import is_free, this_process

HELD_UP = 900.0
"""Seconds for which a task that nobody follows is thought to hold slots at the gateway."""
_FORGOTTEN = 30 * 86_400.0

_POOL = f"{schema.HOLDING} AND gateway = ? AND model_name = ?"
_THEIRS = (
    "SELECT tasks.owner, beat_at, sum(n) AS n FROM tasks LEFT JOIN kernels ON kernels.owner = tasks.owner "  # noqa: S608
    f"WHERE {_POOL} AND task_status != 'uncertain' AND tasks.owner != ? GROUP BY tasks.owner"
)
_GHOSTS = f"SELECT coalesce(sum(n), 0) AS n FROM tasks WHERE {_POOL} AND sent_at > ?"  # noqa: S608


class Begun(NamedTuple):
    """Whether a task may be sent now.

    Parameters
    ----------
    verdict : {"begun", "full", "taken"}
        Journalled as ``sending``; or other kernels hold the slots; or the task is not this process's to
        send any more.
    record : TaskRecord
        As the journal has it now.
    theirs : int
        Slots that other kernels hold.
    """

    verdict: Literal["begun", "full", "taken"]
    record: TaskRecord
    theirs: int = 0


class Leases:
    """The leases of one journal, as this process holds and sees them.

    Parameters
    ----------
    database : Database
        Where they are.
    clock : callable
        Returns seconds since the epoch.
    me : callable
        Returns the name of this process.
    """

    def __init__(
        self, database: Database, clock: Callable[[], float] = time.time, me: Callable[[], str] = this_process
    ) -> None:
        self._database = database
        self._clock = clock
        self._me = me

    def begin(self, record: TaskRecord, mine: int, limit: int) -> Begun:
        """Journal a task as being sent, if it is this process's and slots are free.

        Parameters
        ----------
        record : TaskRecord
            As it is to be written: ``sending``.
        mine : int
            Slots of its gateway and model that this process holds, without this task.
        limit : int
            Slots that there are. A task larger than that may begin when nothing else holds any.

        Returns
        -------
        Begun
            Durable when it says so.

        Raises
        ------
        WorkspaceError
            It could not be written; then the task must not be sent.
        """

        def begin(connection: sqlite3.Connection) -> Begun:
            found = connection.execute("SELECT * FROM tasks WHERE id = ?", [record.id]).fetchone()
            mine_to_write = (record.owner, self._me())
            # Uncertain is one that the user would have sent again all the same.
            unsent = found is None or found["task_status"] in ("planned", "uncertain")
            if found is not None and not (unsent and found["owner"] in mine_to_write):
                return Begun("taken", rows.from_row(dict(found)))
            theirs = self._theirs(connection.execute(_THEIRS, self._pool(record)).fetchall())
            if theirs and mine + theirs + record.n > limit:
                return Begun("full", replace(record, task_status="planned"), theirs)
            connection.execute(rows.UPSERT, {**rows.to_row(record), "me": self._me()})
            return Begun("begun", record, theirs)

        return self._database.commit(begin)

    def acknowledge(self, record: TaskRecord) -> bool:
        """Write down that the gateway took a task, whoever has it in hand: what is known to be paid is known.

        A machine that slept may hear so when another kernel has long given the task up.

        Parameters
        ----------
        record : TaskRecord
            ``submitted``, with its ``task_id``.

        Returns
        -------
        bool
            Whether it is this process's now; False when another kernel knows it under another ``task_id``.

        Raises
        ------
        WorkspaceError
            It could not be written.
        """

        def acknowledge(connection: sqlite3.Connection) -> bool:
            found = connection.execute("SELECT owner, task_id FROM tasks WHERE id = ?", [record.id]).fetchone()
            if found is not None and found["task_id"] not in (None, record.task_id):
                return False
            # A process that is closing lets go of it with the same step.
            ours = replace(record, owner=self._me() if record.owner else "")
            connection.execute(rows.UPSERT, {**rows.to_row(ours), "me": found["owner"] if found else ""})
            return True

        return self._database.commit(acknowledge)

    def is_sending(self, some_id: str) -> bool:
        """Tell whether a task is still this process's to send."""
        found = self._database.read("SELECT task_status, owner FROM tasks WHERE id = ?", [some_id])
        return bool(found) and (found[0]["task_status"], found[0]["owner"]) == ("sending", self._me())

    def theirs(self, record: TaskRecord) -> int:
        """Return how many slots of a task's gateway and model other living kernels hold."""
        return self._theirs(self._database.read(_THEIRS, self._pool(record)))

    def ghosts(self, record: TaskRecord) -> int:
        """Return how many slots the workspace's tasks may hold at the gateway, whoever sent them.

        More than are known to: also those whose answer was lost, and those that a dead kernel left.
        """
        values = [record.gateway, record.model_name, self._clock() - HELD_UP]
        return int(self._database.read(_GHOSTS, values)[0]["n"])

    def take(self, some_id: str) -> TaskRecord | None:
        """Take a task over, unless a living kernel has it.

        Parameters
        ----------
        some_id : str
            Ours.

        Returns
        -------
        TaskRecord or None
            As it is now, and this process's; None when it belongs to another, or there is no such task.
        """
        me = self._me()

        def take(connection: sqlite3.Connection) -> TaskRecord | None:
            found = connection.execute(
                "SELECT tasks.*, beat_at FROM tasks LEFT JOIN kernels ON kernels.owner = tasks.owner WHERE id = ?",
                [some_id],
            ).fetchone()
            if found is None:
                return None
            record = rows.from_row(dict(found))
            if record.owner != me:
                if not is_free(record.owner, found["beat_at"], self._clock()):
                    return None
                connection.execute("UPDATE tasks SET owner = ? WHERE id = ?", [me, some_id])
                self.sign(connection)
            return replace(record, owner=me)

        return self._database.commit(take)

    def is_free(self, owner: str) -> bool:
        """Tell whether what an owner had in hand may be taken over; this process's own may."""
        if owner == self._me():
            return True
        found = self._database.read("SELECT beat_at FROM kernels WHERE owner = ?", [owner])
        return is_free(owner, found[0]["beat_at"] if found else None, self._clock())

    def others(self) -> int:
        """Return how many other kernels that have used this workspace are alive, as far as can be told."""
        found = self._database.read("SELECT owner, beat_at FROM kernels WHERE owner != ?", [self._me()])
        now = self._clock()
        return sum(not is_free(row["owner"], row["beat_at"], now) for row in found)

    def release(self, ids: Iterable[str]) -> None:
        """Let go of tasks, so that any kernel may take them."""
        values = [(each, self._me()) for each in ids]
        let_go = "UPDATE tasks SET owner = '' WHERE id = ? AND owner = ?"
        self._database.commit(lambda connection: connection.executemany(let_go, values))

    def beat(self) -> None:
        """Give a sign of life, for kernels on other machines; forget those long silent."""

        def beat(connection: sqlite3.Connection) -> None:
            self.sign(connection)
            connection.execute("DELETE FROM kernels WHERE beat_at < ?", [self._clock() - _FORGOTTEN])

        self._database.commit(beat)

    def sign(self, connection: sqlite3.Connection) -> None:
        """Give a sign of life within a transaction of the caller's."""
        connection.execute("INSERT OR REPLACE INTO kernels VALUES (?, ?)", [self._me(), self._clock()])

    def _pool(self, record: TaskRecord) -> list[str]:
        return [record.gateway, record.model_name, self._me()]

    def _theirs(self, found: list[sqlite3.Row]) -> int:
        now = self._clock()
        return sum(row["n"] for row in found if not is_free(row["owner"], row["beat_at"], now))
