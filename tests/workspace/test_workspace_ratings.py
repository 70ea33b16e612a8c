"""The journal's ratings, answers and fixed analyses: added, never changed, and there for every kernel."""

import sqlite3
import threading

import pytest

from kling_nb.errors import WorkspaceError
from kling_nb.workspace import schema
from kling_nb.workspace.journal import Journal
from kling_nb.workspace.ratings import StoredAnswer, StoredRating

RATING = StoredRating("r", "seed", 1.0, "plan")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path):
    made = Journal(path)
    yield made
    made.close()


def answer(number, rating="r", rater="ana"):
    return StoredAnswer(rating, rater, f"item {number}", f"2026-01-01T00:00:{number:02d}Z", f'{{"n": {number}}}')


def test_a_rating_is_written_once_and_found_by_its_comparison(journal):
    journal.ratings.save(StoredRating("b", "seed", 2.0, "second"))
    journal.ratings.save(StoredRating("a", "seed", 1.0, "first"))
    journal.ratings.save(StoredRating("a", "seed", 9.0, "another"))
    journal.ratings.save(StoredRating("c", "other", 3.0, "third"))
    assert journal.ratings.of("seed") == ["first", "second"]
    assert journal.ratings.of("none") == []


def test_answers_are_there_for_another_kernel_in_the_order_of_time(journal, path):
    assert journal.ratings.answer(RATING, [answer(2), answer(1)]) == 2
    assert journal.ratings.answer(RATING._replace(id="other"), [answer(3, rating="other")]) == 1
    other = Journal(path)
    assert other.ratings.answers("r") == ['{"n": 1}', '{"n": 2}']
    other.close()


def test_the_same_answer_is_written_once(journal):
    assert journal.ratings.answer(RATING, [answer(1), answer(2)]) == 2
    assert journal.ratings.answer(RATING, [answer(2)._replace(answer="other"), answer(3)]) == 1
    assert journal.ratings.answers("r") == ['{"n": 1}', '{"n": 2}', '{"n": 3}']


def test_all_answers_or_none(journal, path):
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON answers WHEN NEW.item = 'item 3' BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    connection.close()
    with pytest.raises(WorkspaceError, match="full"):
        journal.ratings.answer(RATING, [answer(1), answer(2), answer(3)])
    assert journal.ratings.answers("r") == []
    assert journal.ratings.of("seed") == []


def test_answers_and_their_rating_are_one_commit(journal):
    said = []
    journal._database._connection.set_trace_callback(said.append)
    assert journal.ratings.answer(RATING, [answer(1)]) == 1
    assert journal.ratings.answer(RATING, [answer(2), answer(1)]) == 1
    journal._database._connection.set_trace_callback(None)
    assert said.count("COMMIT") == 2
    assert journal.ratings.of("seed") == ["plan"]


def test_several_kernels_answer_at_once_and_none_is_lost(path):
    Journal(path).close()

    def answers(rater):
        journal = Journal(path)
        for number in range(20):
            journal.ratings.answer(RATING, [answer(number, rater=rater)])
        journal.close()

    threads = [threading.Thread(target=answers, args=(rater,)) for rater in ("ana", "bo", "cy")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal = Journal(path)
    assert len(journal.ratings.answers("r")) == 60
    journal.close()


def test_analyses_stay_in_the_order_of_time(journal):
    journal.ratings.fix("seed", 2.0, "later")
    journal.ratings.fix("seed", 1.0, "earlier")
    journal.ratings.fix("other", 3.0, "another")
    assert journal.ratings.analyses("seed") == ["earlier", "later"]


def test_a_journal_of_the_third_version_gets_its_tables(path):
    connection = sqlite3.connect(path, isolation_level=None)
    for number, migration in enumerate(schema.MIGRATIONS[:3], 1):
        migration(connection)
        connection.execute(f"PRAGMA user_version = {number}")
    connection.close()
    journal = Journal(path)
    assert journal.ratings.answer(RATING, [answer(1)]) == 1
    journal.close()
