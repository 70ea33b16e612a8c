"""The journal's tables, and how an older journal becomes a newer one.

Each migration is one numbered function; it and the new ``user_version`` are committed together, so that
a migration that is cut off has not happened.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from kling_nb.errors import WorkspaceError

HOLDING = "saved_at IS NULL AND task_status IN ('sending', 'submitted', 'processing', 'uncertain')"
"""What may hold slots at the gateway. In the words of the index over it, without which SQLite does not use that."""


def _first(connection: sqlite3.Connection) -> None:
    connection.execute(
        """
        CREATE TABLE tasks (
            id TEXT PRIMARY KEY,
            gateway TEXT NOT NULL,
            external_task_id TEXT NOT NULL,
            task_id TEXT,
            task_status TEXT NOT NULL,
            digest TEXT NOT NULL,
            model_name TEXT NOT NULL,
            prompt TEXT NOT NULL,
            n INTEGER NOT NULL,
            created_at REAL NOT NULL,
            sent_at REAL,
            submitted_at REAL,
            processing_at REAL,
            finished_at REAL,
            saved_at REAL,
            units TEXT,
            request_id TEXT,
            request TEXT NOT NULL,
            reference_list TEXT NOT NULL,
            images TEXT NOT NULL,
            failure TEXT,
            warnings TEXT NOT NULL,
            owner TEXT NOT NULL DEFAULT '',
            UNIQUE (gateway, external_task_id)
        )
        """
    )
    connection.execute("CREATE INDEX tasks_by_time ON tasks (created_at)")
    connection.execute("CREATE INDEX tasks_by_digest ON tasks (gateway, digest)")
    connection.execute("CREATE INDEX tasks_by_task_id ON tasks (task_id)")
    connection.execute(
        "CREATE INDEX tasks_open ON tasks (id) WHERE saved_at IS NULL AND task_status NOT IN ('failed', 'cancelled')"
    )


def _second(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE tasks ADD COLUMN account TEXT NOT NULL DEFAULT ''")
    connection.execute("ALTER TABLE tasks ADD COLUMN sends INTEGER NOT NULL DEFAULT 0")
    # What was sent under the first version may exist, like anything that was sent since.
    connection.execute("UPDATE tasks SET sends = 1 WHERE sent_at IS NOT NULL")
    connection.execute("CREATE TABLE kernels (owner TEXT PRIMARY KEY, beat_at REAL NOT NULL)")
    connection.execute(
        """
        CREATE TABLE slots (
            gateway TEXT NOT NULL,
            model_name TEXT NOT NULL,
            begun INTEGER NOT NULL,
            slots INTEGER NOT NULL,
            largest INTEGER NOT NULL,
            refusals INTEGER NOT NULL,
            refused_at REAL NOT NULL,
            ceiling INTEGER NOT NULL,
            most INTEGER NOT NULL,
            PRIMARY KEY (gateway, model_name)
        )
        """
    )


def _third(connection: sqlite3.Connection) -> None:
    connection.execute(
        """
        CREATE TABLE comparisons (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            gateway TEXT NOT NULL,
            created_at REAL NOT NULL,
            seed TEXT NOT NULL,
            design TEXT NOT NULL,
            replicate INTEGER NOT NULL DEFAULT 0
        )
        """
    )
    connection.execute("CREATE INDEX comparisons_by_name ON comparisons (gateway, name)")
    connection.execute(
        """
        CREATE TABLE samples (
            gateway TEXT NOT NULL,
            digest TEXT NOT NULL,
            sample INTEGER NOT NULL,
            task TEXT NOT NULL,
            PRIMARY KEY (gateway, digest, sample)
        ) WITHOUT ROWID
        """
    )


def _fourth(connection: sqlite3.Connection) -> None:
    _measures(connection)
    _ratings(connection)


def _measures(connection: sqlite3.Connection) -> None:
    # The digest comes first: all that is known of a comparison's cells is read at once.
    connection.execute(
        """
        CREATE TABLE measures (
            digest TEXT NOT NULL,
            subject TEXT NOT NULL,
            name TEXT NOT NULL,
            version TEXT NOT NULL,
            scope TEXT NOT NULL,
            measured_at REAL NOT NULL,
            result TEXT NOT NULL,
            PRIMARY KEY (digest, subject, name, version, scope)
        ) WITHOUT ROWID
        """
    )


def _ratings(connection: sqlite3.Connection) -> None:
    connection.execute(
        "CREATE TABLE ratings (id TEXT PRIMARY KEY, comparison TEXT NOT NULL, created_at REAL NOT NULL, "
        "plan TEXT NOT NULL)"
    )
    connection.execute("CREATE INDEX ratings_by_comparison ON ratings (comparison)")
    connection.execute(
        """
        CREATE TABLE answers (
            rating TEXT NOT NULL,
            rater TEXT NOT NULL,
            item TEXT NOT NULL,
            answered_at TEXT NOT NULL,
            answer TEXT NOT NULL,
            PRIMARY KEY (rating, rater, item, answered_at)
        ) WITHOUT ROWID
        """
    )
    connection.execute(
        """
        CREATE TABLE analyses (
            comparison TEXT NOT NULL,
            created_at REAL NOT NULL,
            analysis TEXT NOT NULL,
            PRIMARY KEY (comparison, created_at)
        ) WITHOUT ROWID
        """
    )


def _fifth(connection: sqlite3.Connection) -> None:
    _indexes(connection)
    _searches(connection)


def _indexes(connection: sqlite3.Connection) -> None:
    # For what is asked for with every task that is sent, however long the history is.
    connection.execute(f"CREATE INDEX tasks_holding ON tasks (gateway, model_name, owner, n) WHERE {HOLDING}")
    connection.execute("CREATE INDEX tasks_by_external_task_id ON tasks (external_task_id)")


def _searches(connection: sqlite3.Connection) -> None:
    connection.execute(
        "CREATE TABLE search_texts (id TEXT PRIMARY KEY, created_at REAL NOT NULL, text TEXT NOT NULL) WITHOUT ROWID"
    )
    connection.execute("CREATE TABLE search_stale (id TEXT PRIMARY KEY) WITHOUT ROWID")
    connection.execute("INSERT INTO search_stale SELECT id FROM tasks")
    # In plain SQL: a kernel with an earlier version of the package may have this journal open, and writes on.
    stale = (
        "BEGIN INSERT INTO search_stale SELECT NEW.id "
        "WHERE NOT EXISTS (SELECT 1 FROM search_stale WHERE id = NEW.id); END"
    )
    columns = ("prompt", "model_name", "task_status", "reference_list", "task_id", "external_task_id", "created_at")
    changed = " OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in columns)
    connection.execute(f"CREATE TRIGGER search_inserted AFTER INSERT ON tasks {stale}")
    connection.execute(
        f"CREATE TRIGGER search_updated AFTER UPDATE OF {', '.join(columns)} ON tasks WHEN {changed} {stale}"
    )


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (_first, _second, _third, _fourth, _fifth)
SEARCHED_SINCE = 5
"""The version that has the tables of `searches`."""


def version(connection: sqlite3.Connection) -> int:
    """Return the version that a journal is at; 0 for an empty file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check(connection: sqlite3.Connection, path: Path) -> int:
    """Refuse a journal that a newer version of the package has written.

    Returns
    -------
    int
        The version it is at.

    Raises
    ------
    WorkspaceError
        With what to do.
    """
    found = version(connection)
    if found > len(MIGRATIONS):
        message = f"{path} was written by a newer kling_nb (journal version {found}; this one reads {len(MIGRATIONS)})."
        raise WorkspaceError(
            message, money="Nothing was changed.", advice="Upgrade kling_nb, or set another workspace."
        )
    return found


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a journal to the newest version, one committed step at a time.

    Parameters
    ----------
    connection : sqlite3.Connection
        In autocommit mode.
    path : Path
        For messages.

    Raises
    ------
    WorkspaceError
        The journal is newer than this package.
    """
    check(connection, path)
    while version(connection) < len(MIGRATIONS):
        try:
            connection.execute("BEGIN IMMEDIATE")
            # Another kernel may have migrated it while this one waited for the lock.
            number = version(connection)
            if number < len(MIGRATIONS):
                MIGRATIONS[number](connection)
                connection.execute(f"PRAGMA user_version = {number + 1}")
            connection.execute("COMMIT")
        except BaseException:
            # A full disk ends the transaction by itself.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
