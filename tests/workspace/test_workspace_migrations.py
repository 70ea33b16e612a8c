"""Migrations: a step happens with its version or not at all, and once, however many kernels try."""

import collections
import sqlite3
import subprocess
import sys
import threading

import pytest

from kling_nb.errors import WorkspaceError
from kling_nb.workspace import rows, schema
from kling_nb.workspace.journal import Journal
from kling_nb.workspace.notice import unfinished
from kling_nb.workspace.owners import this_process


def state(path):
    """The version, and every table and index with its definition."""
    connection = sqlite3.connect(path)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        return version, connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    finally:
        connection.close()


def write_first_version(path, *records):
    """Leave a journal as the first version of the package wrote it."""
    connection = sqlite3.connect(path)
    schema.MIGRATIONS[0](connection)
    known = [row[1] for row in connection.execute("PRAGMA table_info(tasks)")]
    insert = f"INSERT INTO tasks ({', '.join(known)}) VALUES ({', '.join(':' + name for name in known)})"
    connection.executemany(insert, [rows.to_row(record) for record in records])
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()


def test_what_was_sent_under_the_first_version_may_exist(tmp_path, record):
    path = tmp_path / "journal.sqlite3"
    write_first_version(path, record(1), record(2, sent_at=5.0, task_status="uncertain", owner="host|boot|1|2"))
    journal = Journal(path)
    assert journal.get(record(1).id) == record(1)
    sent = journal.get(record(2).id)
    assert (sent.sends, sent.account, sent.sent_at) == (1, "", 5.0)
    assert journal.slots.read(sent.gateway, sent.model_name) is None
    assert journal.leases.take(sent.id).owner == this_process()
    journal.close()
    assert state(path)[0] == len(schema.MIGRATIONS)


def test_the_first_version_is_read_as_it_is(tmp_path, record, neighbour):
    path = tmp_path / "journal.sqlite3"
    write_first_version(path, record(1, task_status="submitted", owner=neighbour), record(2, owner="|||"))
    reader = Journal(path, read_only=True)
    assert [task.sends for task in reader.newest()] == [0, 0]
    reader.close()
    assert unfinished(tmp_path) == ""
    assert state(path)[0] == 1


def test_a_new_journal_is_at_the_newest_version(journal):
    version, tables = state(journal.path)
    assert version == len(schema.MIGRATIONS)
    assert "tasks" in dict(tables)


def test_opening_again_changes_nothing(journal):
    before = journal.path.read_bytes()
    Journal(journal.path).close()
    assert journal.path.read_bytes() == before


def test_a_migration_that_fails_midway_has_not_happened(journal, record, monkeypatch):
    journal.insert([record()])
    journal.close()
    before = state(journal.path)

    def broken(connection):
        connection.execute("ALTER TABLE tasks ADD COLUMN colour TEXT")
        connection.execute("UPDATE tasks SET colour = 'red', prompt = 'overwritten'")
        connection.execute("CREATE TABLE more (x)")
        raise RuntimeError("cut off")

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
    with pytest.raises(RuntimeError, match="cut off"):
        Journal(journal.path)
    assert state(journal.path) == before
    monkeypatch.undo()
    again = Journal(journal.path)
    assert again.get(record().id) == record()
    again.close()


def test_a_migration_with_a_mistake_in_its_sql_has_not_happened(journal, monkeypatch):
    journal.close()
    before = state(journal.path)

    def broken(connection):
        connection.execute("CREATE TABLE more (x)")
        connection.execute("CREATE TABEL less (x)")

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
    with pytest.raises(WorkspaceError, match="syntax error"):
        Journal(journal.path)
    assert state(journal.path) == before


def test_the_steps_before_a_broken_one_are_kept(tmp_path, monkeypatch):
    def third(connection):
        connection.execute("CREATE TABLE third (x)")

    def broken(connection):
        raise RuntimeError

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, third, broken))
    with pytest.raises(RuntimeError):
        Journal(tmp_path / "journal.sqlite3")
    version, tables = state(tmp_path / "journal.sqlite3")
    assert version == len(schema.MIGRATIONS) - 1
    assert "third" in dict(tables)


def test_a_process_that_dies_in_a_migration_leaves_the_old_version(journal, record):
    journal.insert([record()])
    journal.close()
    before = state(journal.path)
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from kling_nb.workspace import schema\n"
        "from kling_nb.workspace.journal import Journal\n"
        "def deadly(connection):\n"
        "    connection.execute('PRAGMA cache_size = 1')\n"
        "    connection.execute('CREATE TABLE more (x)')\n"
        "    connection.execute('INSERT INTO more VALUES (randomblob(200000))')\n"
        "    os._exit(9)\n"
        "schema.MIGRATIONS = (*schema.MIGRATIONS, deadly)\n"
        "Journal(Path(sys.argv[1]))\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(journal.path)]).returncode == 9
    assert state(journal.path) == before


def test_kernels_that_open_at_once_migrate_once(tmp_path, monkeypatch):
    path = tmp_path / "journal.sqlite3"
    Journal(path).close()
    runs, looks = [], collections.Counter()
    changed = threading.Condition()
    real = schema.version

    def version(connection):
        found = real(connection)
        with changed:
            looks[threading.get_ident()] += 1
            changed.notify_all()
        return found

    def second(connection):
        # Goes on when all have seen the old version, and so want to migrate.
        with changed:
            assert changed.wait_for(lambda: len(looks) == 4 and min(looks.values()) >= 2, 20)
        runs.append(1)
        connection.execute("CREATE TABLE second (x)")

    monkeypatch.setattr(schema, "version", version)
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, second))
    problems = []

    def open_it():
        try:
            Journal(path).close()
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert runs == [1]
    assert state(path)[0] == len(schema.MIGRATIONS)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_newer_journal_is_refused_and_left_alone(journal, read_only):
    journal._database.commit(lambda connection: connection.execute("PRAGMA user_version = 7"))
    journal.close()
    before = journal.path.read_bytes()
    with pytest.raises(WorkspaceError, match=r"newer kling_nb .journal version 7; this one reads ") as caught:
        Journal(journal.path, read_only=read_only)
    assert caught.value.money == "Nothing was changed."
    assert "Upgrade kling_nb" in caught.value.advice
    assert journal.path.read_bytes() == before


def test_the_notice_counts_what_is_unfinished_and_writes_nothing(journal, record, neighbour):
    assert unfinished(journal.path.parent) == ""
    others = [record(1, owner=neighbour), record(7, owner=neighbour, task_status="submitted")]
    journal.insert([*others, record(2, task_status="failed"), record(3, task_status="succeeded", saved_at=1.0)])
    assert unfinished(journal.path.parent) == ""
    journal.insert([record(4)])
    one = unfinished(journal.path.parent)
    assert one == "1 task of an earlier session is not finished: `%kling resume`."
    journal.insert([record(5, task_status="uncertain"), record(6, task_status="sending")])
    before = journal.path.read_bytes()
    assert unfinished(journal.path.parent) == (
        "3 tasks of an earlier session are not finished, 1 of them uncertain: `%kling resume`."
    )
    assert journal.path.read_bytes() == before
    with pytest.raises(WorkspaceError):
        unfinished(journal.path.parent / "nowhere")
