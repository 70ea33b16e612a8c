"""What was measured of images, so that nothing is measured twice.

A result belongs to a measure (name, version, and whether it is called for an image, a task or a cell), to what was
measured (the hash of an image, or of the hashes of several) and to the digest of the request, because references and
request are arguments, too.
"""

from collections.abc import Iterable
from typing import NamedTuple

from kling_nb.workspace.database import Database

_AT_ONCE = 500


class StoredResult(NamedTuple):
    """One result as the journal has it.

    Parameters
    ----------
    digest : str
        Of the request.
    subject : str
        Hexadecimal sha256 of the image, or of several images' hashes.
    name, version, scope : str
        The measure, and whether it was called for an image, a task or a cell.
    measured_at : float
        Seconds since the epoch; of a result that was asked for again, when it was asked for last.
    result : str
        JSON.
    """

    digest: str
    subject: str
    name: str
    version: str
    scope: str
    measured_at: float
    result: str


class Measures:
    """The results of one journal.

    Parameters
    ----------
    database : Database
        Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, digests: Iterable[str], name: str | None = None) -> list[StoredResult]:
        """Return the results of some requests, of one measure or of all.

        Parameters
        ----------
        digests : iterable of str
            Of the requests.
        name : str, optional
            Of the measure, in all its versions.
        """
        found, every = [], list(digests)
        for start in range(0, len(every), _AT_ONCE):
            some = every[start : start + _AT_ONCE]
            among = f"digest IN ({', '.join('?' * len(some))})"
            rows = self._database.read(f"{_SELECT} WHERE {among} AND (name = ? OR ? IS NULL)", [*some, name, name])
            found += [StoredResult(*row) for row in rows]
        return found

    def keep(self, results: Iterable[StoredResult]) -> None:
        """Write results, in place of earlier ones of the same measure and images, in one commit.

        Raises
        ------
        WorkspaceError
            They could not be written; then none was.
        """
        marks = ", ".join("?" * len(StoredResult._fields))
        insert = f"INSERT OR REPLACE INTO measures VALUES ({marks})"  # noqa: S608
        values = list(results)
        self._database.commit(lambda connection: connection.executemany(insert, values))


_SELECT = f"SELECT {', '.join(StoredResult._fields)} FROM measures"  # noqa: S608
