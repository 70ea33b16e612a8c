"""Searches through a history of any length: every task's words as one text, folded once, in a table of its own.

SQL knows upper and lower case of ASCII only, so the text is folded here. Triggers in plain SQL name the tasks whose
text is to be folded anew; so another kernel may go on writing tasks that knows nothing of all this, and what is named
is read in full until it has been folded.
"""

import sqlite3
from contextlib import suppress

from kling_nb.errors import WorkspaceError
from kling_nb.workspace import rows, schema
from kling_nb.workspace.database import Database

READ_IN_FULL = 100
"""So many tasks may be named before a search folds them: it does not write for a few."""
_AT_ONCE = 5_000
"""Tasks that are folded in one commit, so that other kernels need not wait for all of them."""
_MOST_WORDS = 20
"""Of a search are looked for in SQL, which takes no condition of any length."""

_STALE = "SELECT * FROM tasks WHERE id IN (SELECT id FROM search_stale)"
_FIRST_STALE = (
    "SELECT search_stale.id AS stale, tasks.id, created_at, prompt, model_name, task_status, reference_list, task_id, "
    "external_task_id FROM search_stale LEFT JOIN tasks ON tasks.id = search_stale.id ORDER BY search_stale.id LIMIT ?"
)
_FOLD = "INSERT OR REPLACE INTO search_texts (id, created_at, text) VALUES (?, ?, ?)"


class Searches:
    """The searches of one journal.

    Parameters
    ----------
    database : Database
        Where the tasks are.
    read_only : bool
        Whether nothing is written.
    """

    def __init__(self, database: Database, *, read_only: bool = False) -> None:
        self._database = database
        self._read_only = read_only

    def find(self, search: str) -> list[str]:
        """Return the ids of the tasks that mention every word, newest first.

        Parameters
        ----------
        search : str
            As for `rows.mentions`.
        """
        if self._database.version < schema.SEARCHED_SINCE:
            found = self._mentioned("SELECT * FROM tasks", search)
        else:
            if not self._read_only:
                # A journal that cannot be written can be searched all the same.
                with suppress(WorkspaceError):
                    self._fold()
            # In this order: what is folded between the two is in both of them, not in neither.
            found = self._mentioned(_STALE, search)
            found.update(self._folded(search))
        return sorted(found, key=lambda some_id: (found[some_id], some_id), reverse=True)

    def _folded(self, search: str) -> dict[str, float]:
        """Return when the tasks were made, by id, whose folded text has every word."""
        words = list(dict.fromkeys(rows.folded(search).split()))
        sought = [rows.as_text(word) for word in words[:_MOST_WORDS]]
        has_all = "".join(" AND instr(text, ?)" for _ in sought)
        query = f"SELECT id, created_at FROM search_texts WHERE id NOT IN (SELECT id FROM search_stale){has_all}"  # noqa: S608 - our own words
        if sought == words:
            return {str(row["id"]): float(row["created_at"]) for row in self._database.read(query, sought)}
        # More words than SQL is asked for, or one that is no text: those that are left are read.
        return self._mentioned(f"SELECT * FROM tasks WHERE id IN (SELECT id FROM ({query}))", search, sought)  # noqa: S608

    def _mentioned(self, query: str, search: str, values: list[str] | None = None) -> dict[str, float]:
        records = (rows.from_row(dict(row)) for row in self._database.read(query, values or ()))
        return {record.id: record.created_at for record in records if rows.mentions(record, search)}

    def _fold(self) -> None:
        while self._database.read("SELECT count(*) FROM search_stale")[0][0] > READ_IN_FULL:
            self._database.commit(_fold_some)


def _fold_some(connection: sqlite3.Connection) -> None:
    # What is read and what is written as one step: nobody changes it in between.
    found = connection.execute(_FIRST_STALE, [_AT_ONCE]).fetchall()
    texts = [(row["stale"], row["created_at"], rows.as_text(rows.searched_in(dict(row)))) for row in found if row["id"]]
    connection.executemany(_FOLD, texts)
    connection.execute("DELETE FROM search_stale WHERE id <= ?", [found[-1]["stale"]] if found else [""])
