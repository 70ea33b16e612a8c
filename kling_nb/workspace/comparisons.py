"""The comparisons of a journal, and which task stands for which sample of which cell.

A cell is known by its gateway, its request's digest and the number of the sample, whichever comparison asks
for it, so that what is paid is paid once. Who may ask for a sample is decided in one transaction that looks and
writes, so that two kernels never ask for the same.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kling_nb.records import TaskRecord
from kling_nb.workspace import rows
from kling_nb.workspace.database import Database
from kling_nb.workspace.leases import Leases

_AT_ONCE = 500


class StoredComparison(NamedTuple):
    """A comparison as the journal has it.

    Parameters
    ----------
    id, name, gateway : str
        Ours, the user's, and where it is asked for.
    created_at : float
        Seconds since the epoch.
    seed : str
        Of the order of its tasks.
    design : str
        JSON.
    replicate : int
        0 for a comparison that was designed, another number for one that asks for the same once more.
    """

    id: str
    name: str
    gateway: str
    created_at: float
    seed: str
    design: str
    replicate: int = 0


class Comparisons:
    """The comparisons of one journal.

    Parameters
    ----------
    database : Database
        Where they are.
    leases : Leases
        Of the same journal.
    """

    def __init__(self, database: Database, leases: Leases) -> None:
        self._database = database
        self._leases = leases

    def save(self, comparison: StoredComparison) -> None:
        """Write a comparison, unless it is there already.

        Raises
        ------
        WorkspaceError
            It could not be written.
        """
        marks = ", ".join("?" * len(StoredComparison._fields))
        insert = f"INSERT OR IGNORE INTO comparisons VALUES ({marks})"  # noqa: S608
        self._database.commit(lambda connection: connection.execute(insert, comparison))

    def find(self, gateway: str, name: str) -> list[StoredComparison]:
        """Return the comparisons of an id or a name at a gateway, newest first."""
        return self._select("WHERE gateway = ?1 AND (id = ?2 OR name = ?2)", [gateway, name])

    def equal(self, gateway: str, name: str | None, design: str) -> StoredComparison | None:
        """Return the newest comparison of the same design, if there is one.

        Parameters
        ----------
        gateway : str
            Where.
        name : str, optional
            Of that name; of any, but no rerun, where it is None.
        design : str
            JSON.
        """
        among = "(name = ?2 OR (?2 = '' AND replicate = 0))"
        found = self._select(f"WHERE gateway = ?1 AND design = ?3 AND {among}", [gateway, name or "", design])
        return found[0] if found else None

    def newest(self, gateway: str, limit: int) -> list[StoredComparison]:
        """Return comparisons at a gateway, newest first."""
        return self._select("WHERE gateway = ?", [gateway])[:limit]

    def tasks(self, gateway: str, digests: Iterable[str]) -> dict[tuple[str, int], TaskRecord]:
        """Return the newest task of every sample of some cells.

        Parameters
        ----------
        gateway : str
            Where.
        digests : iterable of str
            Of the cells.

        Returns
        -------
        dict
            From digest and sample to its task.
        """
        found, every = {}, list(digests)
        for start in range(0, len(every), _AT_ONCE):
            some = every[start : start + _AT_ONCE]
            among = f"samples.digest IN ({', '.join('?' * len(some))})"
            for row in self._database.read(f"{_TASKS} WHERE samples.gateway = ? AND {among}", [gateway, *some]):
                found[row["digest"], row["sample"]] = rows.from_row(dict(row))
        return found

    def claim(
        self, wanted: Sequence[tuple[TaskRecord, int]], replacing: Iterable[str] = ()
    ) -> list[tuple[TaskRecord, int]]:
        """Write new tasks for samples that have none, durably; of the others, nothing.

        Parameters
        ----------
        wanted : sequence of (TaskRecord, int)
            A planned task, and the sample that it would stand for.
        replacing : iterable of str
            Ids of tasks that have failed, in whose place another may come.

        Returns
        -------
        list of (TaskRecord, int)
            Those that are this process's to send now.

        Raises
        ------
        WorkspaceError
            It could not be written; then nothing was.
        """
        may_go = set(replacing)

        def claim(connection: sqlite3.Connection) -> list[tuple[TaskRecord, int]]:
            claimed = []
            for record, sample in wanted:
                key = [record.gateway, record.digest, sample]
                found = connection.execute(_TASK_OF, key).fetchone()
                if found is None or found["id"] in may_go or rows.from_row(dict(found)).unmade:
                    connection.execute(rows.INSERT, rows.to_row(record))
                    connection.execute("INSERT OR REPLACE INTO samples VALUES (?, ?, ?, ?)", [*key, record.id])
                    claimed.append((record, sample))
            self._leases.sign(connection)
            return claimed

        return self._database.commit(claim)

    def _select(self, clause: str, values: list[str]) -> list[StoredComparison]:
        names = ", ".join(StoredComparison._fields)
        order = "ORDER BY created_at DESC, id DESC"
        found = self._database.read(f"SELECT {names} FROM comparisons {clause} {order}", values)  # noqa: S608
        return [StoredComparison(*row) for row in found]


_TASKS = "SELECT samples.sample, tasks.* FROM samples JOIN tasks ON tasks.id = samples.task"
_TASK_OF = f"{_TASKS} WHERE samples.gateway = ? AND samples.digest = ? AND samples.sample = ?"
