"""Searches: what they find is what mentions the words, whoever wrote the tasks, folded or not."""

import itertools
import sqlite3
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kling_nb.workspace import rows, schema, searches
from kling_nb.workspace.journal import Journal

COUNT = itertools.count()
NAMES = ((8, "caf\udce8"), (9, "caf\udce9"))
ODD = 'aAkK\u212aßsſ%_!"\\ ée\u0301猫İ'


def folded(journal):
    """The ids of the tasks whose text is there, and of those that are to be folded anew."""
    there = {row[0] for row in journal._database.read("SELECT id FROM search_texts")}
    return there, {row[0] for row in journal._database.read("SELECT id FROM search_stale")}


def found(journal, words):
    return [task.id for task in journal.newest(words)]


@pytest.fixture
def early(monkeypatch):
    """Every search folds what there is."""
    monkeypatch.setattr(searches, "READ_IN_FULL", 0)


@given(st.lists(st.text(ODD, max_size=6), max_size=4), st.text(ODD, min_size=1, max_size=3), st.integers(0, 4))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_found_is_what_mentions_it(tmp_path, monkeypatch, record, prompts, search, in_full):
    monkeypatch.setattr(searches, "READ_IN_FULL", in_full)
    journal = Journal(tmp_path / f"{next(COUNT)}.sqlite3")
    records = [record(number, request={"prompt": prompt}) for number, prompt in enumerate(prompts, 1)]
    journal.insert(records)
    expected = [each.id for each in reversed(records) if rows.mentions(each, search)]
    assert found(journal, search) == expected or not search.strip()
    assert journal.searches.find(search) == expected
    journal.close()


@pytest.mark.parametrize("in_full", [0, 100])
def test_a_search_of_very_many_words_is_still_a_search(journal, record, monkeypatch, in_full):
    monkeypatch.setattr(searches, "READ_IN_FULL", in_full)
    journal.insert([record()])
    assert found(journal, "cat " * 3000) == [record().id]
    words = " ".join(f"w{number}" for number in range(40))
    journal.insert([record(2, request={"prompt": words}), record(3, request={"prompt": words[:-1]})])
    assert found(journal, words) == [record(2).id]


@pytest.mark.parametrize("in_full", [0, 100])
def test_names_that_are_no_text_are_found(journal, record, monkeypatch, in_full):
    monkeypatch.setattr(searches, "READ_IN_FULL", in_full)
    [reference] = record().references
    journal.insert([record(n, references=(replace(reference, name=name),)) for n, name in NAMES])
    assert found(journal, "caf\udce9") == [record(9).id]
    assert found(journal, "caf") == [record(9).id, record(8).id]


@given(st.text(ODD), st.lists(st.text(ODD + "\udce9\x00"), max_size=3), st.none() | st.text(ODD))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_text_of_a_row_is_that_of_its_task(record, prompt, names, task_id):
    [reference] = record().references
    made = record(
        request={"prompt": prompt}, task_id=task_id, references=tuple(replace(reference, name=name) for name in names)
    )
    assert rows.searched_in(rows.to_row(made)) == rows.searched(made)


def test_what_a_task_becomes_is_found_as_that(journal, record, early):
    journal.insert([record(1), record(2)])
    assert found(journal, "planned") == [record(2).id, record(1).id]
    journal.update(record(1, task_status="submitted", task_id="8123"))
    assert found(journal, "planned") == [record(2).id]
    assert found(journal, "SUBMITTED 8123") == [record(1).id]
    assert folded(journal) == ({record(1).id, record(2).id}, set())


def test_what_is_not_searched_for_is_not_folded_anew(journal, record, early):
    journal.insert([record(1)])
    assert found(journal, "cat") == [record(1).id]
    journal.update(record(1, finished_at=5.0, warnings=("something",)))
    assert folded(journal) == ({record(1).id}, set())


def test_a_search_in_a_short_history_writes_nothing(journal, record):
    journal.insert([record(number) for number in range(1, searches.READ_IN_FULL + 1)])
    before = journal.path.read_bytes()
    assert len(found(journal, "cat")) == searches.READ_IN_FULL
    assert journal.path.read_bytes() == before
    journal.insert([record(searches.READ_IN_FULL + 1)])
    assert len(found(journal, "cat")) == searches.READ_IN_FULL + 1
    assert folded(journal) == ({task.id for task in journal.newest()}, set())


def test_a_history_of_any_length_is_folded_in_portions(journal, record, early, monkeypatch):
    monkeypatch.setattr(searches, "_AT_ONCE", 3)
    journal.insert([record(number) for number in range(1, 11)])
    assert len(found(journal, "cat")) == 10
    assert [len(ids) for ids in folded(journal)] == [10, 0]


def test_what_a_kernel_of_an_earlier_version_writes_is_found(journal, record, early):
    journal.insert([record(1)])
    assert found(journal, "cat") == [record(1).id]
    other = sqlite3.connect(journal.path, isolation_level=None)
    # As it has always written: it knows these columns, and nothing of searches.
    other.execute(rows.INSERT, rows.to_row(record(2, request={"prompt": "a Rose"})))
    dog = rows.to_row(record(1, request={"prompt": "a dog"}))
    other.execute("UPDATE tasks SET prompt = :prompt, request = :request WHERE id = :id", dog)
    other.close()
    assert found(journal, "rose") == [record(2).id]
    assert found(journal, "wearing") == []
    assert found(journal, "dog") == [record(1).id]


def write_fourth_version(path, *records):
    connection = sqlite3.connect(path)
    for step in schema.MIGRATIONS[:4]:
        step(connection)
    connection.execute("PRAGMA user_version = 4")
    connection.executemany(rows.INSERT, [rows.to_row(each) for each in records])
    connection.commit()
    connection.close()


def test_an_earlier_journal_is_searched_as_it_is_and_when_it_is_a_newer_one(tmp_path, record, early):
    path = tmp_path / "journal.sqlite3"
    write_fourth_version(path, record(1), record(2, request={"prompt": "eine Straße"}))
    reader = Journal(path, read_only=True)
    assert found(reader, "STRASSE") == [record(2).id]
    assert reader.version == 4
    reader.close()
    journal = Journal(path)
    assert found(journal, "STRASSE") == [record(2).id]
    assert folded(journal) == ({record(1).id, record(2).id}, set())
    journal.close()


@pytest.mark.parametrize("in_full", [0, 100])
def test_a_journal_that_is_only_read_is_searched(journal, record, monkeypatch, in_full):
    journal.insert([record(1, request={"prompt": "été"})])
    assert found(journal, "wearing") == []
    monkeypatch.setattr(searches, "READ_IN_FULL", in_full)
    reader = Journal(journal.path, read_only=True)
    assert found(reader, "ÉTÉ") == [record(1).id]
    reader.close()
    assert folded(journal) == (set(), {record(1).id})


def test_a_journal_that_cannot_be_written_is_searched(journal, record, early):
    journal.insert([record(1)])
    journal._database.read("PRAGMA query_only = 1")
    assert found(journal, "cat") == [record(1).id]
    assert folded(journal) == (set(), {record(1).id})
