"""The journal: every task, committed before it is paid for and after every step."""

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from kling_nb.errors import InvalidRequest, WorkspaceError
from kling_nb.records import URLS_LIVE, Spent, TaskRecord
from kling_nb.workspace import rows
from kling_nb.workspace.comparisons import Comparisons
from kling_nb.workspace.database import Database
from kling_nb.workspace.leases import Leases
from kling_nb.workspace.measures import Measures
from kling_nb.workspace.owners import this_process
from kling_nb.workspace.ratings import Ratings
from kling_nb.workspace.searches import Searches
from kling_nb.workspace.slotmemory import SlotMemory

_AT_ONCE = 500
"""Ids that are asked for in one query; SQLite takes no more than 999 in some places."""
_OPEN = "saved_at IS NULL AND task_status NOT IN ('failed', 'cancelled')"


class Listing(NamedTuple):
    """The tasks that there were at some time.

    Parameters
    ----------
    total : int
        How many.
    created_at : float
        Of the newest, in seconds since the epoch.
    id : str
        The same one's.
    """

    total: int
    created_at: float
    id: str


class Journal:
    """One connection to a workspace's journal. Safe to use from several threads.

    Parameters
    ----------
    path : Path
        The SQLite file.
    read_only : bool
        Never creates, migrates or writes; an empty file is an empty journal.
    me : callable
        Returns the name of this process.
    clock : callable
        Returns seconds since the epoch.

    Raises
    ------
    WorkspaceError
        The file cannot be opened, is damaged, or is newer than this package.
    """

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool = False,
        me: Callable[[], str] = this_process,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self._me = me
        self._clock = clock
        self._database = Database(path, read_only=read_only)
        self.leases = Leases(self._database, clock, me)
        self.slots = SlotMemory(self._database)
        self.comparisons = Comparisons(self._database, self.leases)
        self.measures = Measures(self._database)
        self.ratings = Ratings(self._database)
        self.searches = Searches(self._database, read_only=read_only)

    @property
    def in_place(self) -> bool:
        """Whether the file of that name is still the one that is open: someone may delete or move it."""
        return self._database.in_place

    @property
    def version(self) -> int:
        """The version of its tables."""
        return self._database.version

    def close(self) -> None:
        """Close the connection."""
        self._database.close()

    def leave_open(self) -> None:
        """Let go of the connection without closing it, in a process that was forked."""
        self._database.leave_open()

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
        values = [rows.to_row(record) for record in records]

        def write(connection: sqlite3.Connection) -> None:
            connection.executemany(rows.INSERT, values)
            self.leases.sign(connection)

        try:
            self._database.commit(write)
        except WorkspaceError as error:
            name = self._used_twice(records) if isinstance(error.__cause__, sqlite3.IntegrityError) else None
            if name is None:
                raise
            message = f"external_task_id {name!r} was already used for an earlier task."
            raise InvalidRequest(message, advice=f"Choose another; `%kling show {name}` shows that task.") from None

    def update(self, *records: TaskRecord) -> bool:
        """Write what tasks have become, in one commit.

        Parameters
        ----------
        *records : TaskRecord
            Which this process has in hand, or of whose owner the record knows.

        Returns
        -------
        bool
            False when another process has taken one of them over: that one is as it was.

        Raises
        ------
        WorkspaceError
            It could not be written; then nothing was.
        """
        me = self._me()
        values = [{**rows.to_row(record), "me": me} for record in records]
        written = self._database.commit(lambda connection: connection.executemany(rows.UPSERT, values).rowcount)
        return written == len(records)

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
        # The plus signs here and below have SQLite take the index that leads to few, not one that only sorts.
        exact = self._select("WHERE id = ?1 OR task_id = ?1 OR external_task_id = ?1 ORDER BY +id DESC", [some_id])
        if exact:
            return exact[0]
        if len(some_id) < 4:
            return None
        pattern = _escape(some_id)
        ids = "SELECT id FROM tasks WHERE id LIKE ?1 ESCAPE '!' OR id LIKE ?2 ESCAPE '!' LIMIT 2"
        near = self._select(f"WHERE id IN ({ids})", [f"{pattern}%", f"%{pattern}"])
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
        found = self.searches.find(search)
        return self.these(found if limit is None else found[: max(0, limit)])

    def these(self, ids: Sequence[str]) -> list[TaskRecord]:
        """Return the tasks of some ids, in their order, without those that are not there."""
        found: dict[str, TaskRecord] = {}
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            marks = ", ".join("?" * len(some))
            found.update((record.id, record) for record in self._select(f"WHERE id IN ({marks})", some))
        return [found[some_id] for some_id in ids if some_id in found]

    def listing(self) -> Listing:
        """Return which tasks there are now; those that come later are in no page of it."""
        newest = (
            "SELECT (SELECT count(*) FROM tasks), created_at, id FROM tasks ORDER BY created_at DESC, id DESC LIMIT 1"
        )
        found = self._database.read(newest)
        return Listing(*found[0]) if found else Listing(0, 0.0, "")

    def page(self, listing: Listing, start: int, count: int) -> list[TaskRecord]:
        """Return tasks of a listing, as they are now, newest first.

        Parameters
        ----------
        listing : Listing
            As it was returned.
        start : int
            How many newer ones to leave out.
        count : int
            At most so many.
        """
        clause = "WHERE (created_at, id) <= (?, ?) ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?"
        return self._select(clause, [listing.created_at, listing.id, count, start])

    def count(self) -> int:
        """Return how many tasks there are."""
        return int(self._database.read("SELECT count(*) FROM tasks")[0][0])

    def unfinished(self) -> list[TaskRecord]:
        """Return the tasks that something remains to be done for, oldest first.

        Images that never came are given up when their URLs are dead.
        """
        dead = "task_status = 'succeeded' AND finished_at IS NOT NULL AND finished_at < ?"
        return self._select(f"WHERE {_OPEN} AND NOT ({dead}) ORDER BY +created_at, id", [self._clock() - URLS_LIVE])

    def known(self, record: TaskRecord, limit: int = 20) -> list[TaskRecord]:
        """Return tasks that the gateway is known to have made for the account of another task, newest first.

        Parameters
        ----------
        record : TaskRecord
            With its ``account``; one without has no known others.
        limit : int
            At most so many.
        """
        if not record.account:
            return []
        clause = (
            "WHERE +gateway = ? AND account = ? AND task_id IS NOT NULL AND id != ? AND submitted_at IS NOT NULL "
            "ORDER BY created_at DESC, id DESC LIMIT ?"
        )
        return self._select(clause, [record.gateway, record.account, record.id, limit])

    def same(self, gateway: str, digest: str) -> TaskRecord | None:
        """Return the newest finished task of the same request at the same gateway."""
        found = self._select(
            "WHERE gateway = ? AND digest = ? AND task_status = 'succeeded' AND saved_at IS NOT NULL "
            "ORDER BY created_at DESC LIMIT 1",
            [gateway, digest],
        )
        return found[0] if found else None

    def models(self, gateway: str) -> list[str]:
        """Return the models that tasks of a gateway have asked for."""
        found = self._database.read(
            "SELECT DISTINCT model_name FROM tasks WHERE gateway = ? ORDER BY model_name", [gateway]
        )
        return [str(row[0]) for row in found]

    def durations(
        self,
        gateway: str,
        model_name: str,
        limit: int = 50,
        *,
        until: Literal["finished_at", "saved_at"] = "finished_at",
    ) -> list[float]:
        """Return how long the newest tasks of a gateway and model took, in seconds.

        Longer than an hour took only those that a later kernel collected, and they say nothing.
        """
        found = self._database.read(
            f"SELECT {until} - submitted_at FROM tasks WHERE +gateway = ? AND model_name = ? "  # noqa: S608 - our own names
            f"AND task_status = 'succeeded' AND {until} > submitted_at AND {until} < submitted_at + 3600 "
            "ORDER BY created_at DESC LIMIT ?",
            [gateway, model_name, limit],
        )
        return [float(row[0]) for row in found]

    def spent(self) -> list[Spent]:
        """Return what was asked for by day (local time), model and gateway, newest first, without prices."""
        found = self._database.read(
            "SELECT date(created_at, 'unixepoch', 'localtime') AS day, model_name, gateway, "
            "sum(task_status NOT IN ('uncertain', 'sending')) AS tasks, "
            "sum(n * (task_status NOT IN ('uncertain', 'sending'))) AS images, "
            "sum(n * (task_status IN ('uncertain', 'sending'))) AS uncertain FROM tasks "
            "WHERE task_status NOT IN ('planned', 'failed', 'cancelled') GROUP BY 1, 2, 3 ORDER BY 1 DESC, 2, 3"
        )
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
        found = self._database.read(f"SELECT * FROM tasks {clause}", values)  # noqa: S608
        return [rows.from_row(dict(row)) for row in found]


def _escape(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
