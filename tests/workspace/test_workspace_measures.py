"""Results of measures in the journal: read by request and by measure, replaced, never half written."""

import sqlite3
from dataclasses import replace

import pytest

from kling_nb.errors import WorkspaceError
from kling_nb.workspace import rows, schema
from kling_nb.workspace.comparisons import StoredComparison
from kling_nb.workspace.journal import Journal
from kling_nb.workspace.measures import StoredResult


def result(digest="d1", subject="s1", name="sharpness", **changes):
    plain = StoredResult(digest, subject, name, "1", "image", 5.0, '{"value":1}')
    return plain._replace(**changes)


def test_results_are_found_by_request_and_by_measure(journal):
    every = [result(), result(subject="s2"), result("d2"), result(name="hue"), result(version="2")]
    journal.measures.keep(every)
    assert set(journal.measures.find(["d1", "d2"])) == set(every)
    assert set(journal.measures.find(["d1"], "sharpness")) == {every[0], every[1], every[4]}
    assert journal.measures.find(["d3"]) == journal.measures.find([]) == journal.measures.find(["d1"], "x") == []


def test_a_result_takes_the_place_of_the_same(journal):
    journal.measures.keep([result(), result(scope="cell")])
    journal.measures.keep([result(measured_at=6.0, result='{"value":2}')])
    assert set(journal.measures.find(["d1"])) == {result(measured_at=6.0, result='{"value":2}'), result(scope="cell")}


def test_more_requests_than_one_statement_takes(journal):
    every = {result(f"d{number}") for number in range(1200)}
    journal.measures.keep(every)
    assert set(journal.measures.find([each.digest for each in every])) == every


def test_results_that_cannot_be_written_are_not_written(journal):
    with pytest.raises(WorkspaceError):
        journal.measures.keep([result(), result(name=None)])
    assert journal.measures.find(["d1"]) == []


def test_a_journal_of_the_third_version_keeps_what_it_has(tmp_path, record):
    path = tmp_path / "journal.sqlite3"
    planned = replace(record(1), digest="d1", gateway="sandbox")
    connection = sqlite3.connect(path)
    for step in schema.MIGRATIONS[:3]:
        step(connection)
    connection.execute("PRAGMA user_version = 3")
    connection.execute(rows.INSERT, rows.to_row(planned))
    connection.execute("INSERT INTO samples VALUES ('sandbox', 'd1', 0, ?)", [planned.id])
    connection.execute("INSERT INTO comparisons VALUES ('c', 'study', 'sandbox', 1.0, 'seed', '{}', 0)")
    connection.commit()
    connection.close()
    journal = Journal(path)
    assert journal.get(planned.id) == planned
    assert journal.comparisons.tasks("sandbox", ["d1"]) == {("d1", 0): planned}
    assert journal.comparisons.find("sandbox", "study") == [
        StoredComparison("c", "study", "sandbox", 1.0, "seed", "{}", 0)
    ]
    assert journal.measures.find(["d1"]) == []
    journal.measures.keep([result()])
    journal.close()
    again = Journal(path, read_only=True)
    assert again.measures.find(["d1"]) == [result()]
    again.close()
