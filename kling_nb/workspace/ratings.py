"""The ratings of a journal, their answers, and the analyses that were fixed beforehand.

An answer is only ever added: one that is changed later is another, and which of them counts is for the reader to say.
All of it is kept as JSON, because only what reads it needs to know what is in it.
"""

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from kling_nb.workspace.database import Database

_RATING = "INSERT OR IGNORE INTO ratings VALUES (?, ?, ?, ?)"
_ANSWER = "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?)"


class StoredRating(NamedTuple):
    """A rating as the journal has it.

    Parameters
    ----------
    id, comparison : str
        Its own, and what its comparison is known by.
    created_at : float
        Seconds since the epoch.
    plan : str
        JSON.
    """

    id: str
    comparison: str
    created_at: float
    plan: str


class StoredAnswer(NamedTuple):
    """An answer as the journal has it.

    Parameters
    ----------
    rating, rater, item, answered_at : str
        What it is known by: the same is written once.
    answer : str
        JSON.
    """

    rating: str
    rater: str
    item: str
    answered_at: str
    answer: str


class Ratings:
    """The ratings of one journal.

    Parameters
    ----------
    database : Database
        Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, rating: StoredRating) -> None:
        """Write a rating, unless it is there already.

        Raises
        ------
        WorkspaceError
            It could not be written.
        """
        self._database.commit(lambda connection: connection.execute(_RATING, rating))

    def of(self, comparison: str) -> list[str]:
        """Return the plans of a comparison's ratings, oldest first."""
        query = "SELECT plan FROM ratings WHERE comparison = ? ORDER BY created_at, id"
        return [row["plan"] for row in self._database.read(query, [comparison])]

    def answer(self, rating: StoredRating, answers: Iterable[StoredAnswer]) -> int:
        """Write answers and their rating, durably, all or none; what is there already stays as it is.

        Parameters
        ----------
        rating : StoredRating
            That they are of.
        answers : iterable of StoredAnswer
            The same answer may come again.

        Returns
        -------
        int
            How many were new.

        Raises
        ------
        WorkspaceError
            They could not be written; then none was.
        """
        values = list(answers)

        def write(connection: sqlite3.Connection) -> int:
            connection.execute(_RATING, rating)
            return connection.executemany(_ANSWER, values).rowcount

        return self._database.commit(write)

    def answers(self, rating: str) -> list[str]:
        """Return the answers of a rating, in the order of time."""
        query = "SELECT answer FROM answers WHERE rating = ? ORDER BY answered_at, rater, item"
        return [row["answer"] for row in self._database.read(query, [rating])]

    def moments(self, rating: str, rater: str, item: str) -> list[str]:
        """Return when a rater has answered to an item."""
        query = "SELECT answered_at FROM answers WHERE rating = ? AND rater = ? AND item = ?"
        return [row["answered_at"] for row in self._database.read(query, [rating, rater, item])]

    def fix(self, comparison: str, created_at: float, analysis: str) -> None:
        """Write which analysis will be made; earlier ones stay.

        Raises
        ------
        WorkspaceError
            It could not be written.
        """
        insert, values = "INSERT OR IGNORE INTO analyses VALUES (?, ?, ?)", (comparison, created_at, analysis)
        self._database.commit(lambda connection: connection.execute(insert, values))

    def analyses(self, comparison: str) -> list[str]:
        """Return the analyses that were fixed for a comparison, oldest first."""
        query = "SELECT analysis FROM analyses WHERE comparison = ? ORDER BY created_at"
        return [row["analysis"] for row in self._database.read(query, [comparison])]
