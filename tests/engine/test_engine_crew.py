"""A few threads that do what they are given."""

import threading

import pytest

from kling_nb.engine.crew import Crew

PATIENT = 30.0


@pytest.fixture
def crew():
    made = []

    def make(size):
        made.append(Crew("test-crew", size))
        return made[-1]

    yield make
    for one in made:
        one.stop(PATIENT)
    assert names() == []


def names():
    return sorted(thread.name for thread in threading.enumerate() if thread.name.startswith("test-crew"))


def test_no_thread_before_there_is_work(crew):
    crew(3)
    assert names() == []


def test_one_thread_does_things_in_order(crew):
    done, end = [], threading.Event()
    one = crew(1)
    for number in range(200):
        one.do(lambda number=number: done.append(number))
    one.do(end.set)
    assert end.wait(PATIENT)
    assert done == list(range(200))
    assert names() == ["test-crew-1"]


def test_all_work_at_once_and_never_more_than_the_size(crew):
    one = crew(4)
    together = threading.Barrier(5)
    now, most, lock = [0], [0], threading.Lock()

    def work():
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        together.wait(PATIENT)
        with lock:
            now[0] -= 1

    for _ in range(12):
        one.do(work)
    for _ in range(3):
        together.wait(PATIENT)
    assert most == [4]
    assert len(names()) == 4


def test_a_free_thread_is_used_again(crew):
    one = crew(4)
    for _ in range(20):
        done = threading.Event()
        one.do(done.set)
        assert done.wait(PATIENT)
        # Whoever sets the event may not be waiting again yet, so a second one may have been started.
    assert len(names()) <= 4


def test_work_never_waits_for_a_busy_thread_while_another_could_be_started(crew):
    """Each piece of work waits for the next one: it only ends if all of them run at the same time."""
    for _ in range(200):
        one = crew(2)
        first, second = threading.Event(), threading.Event()
        warm = threading.Event()
        one.do(warm.set)
        assert warm.wait(PATIENT)
        one.do(lambda second=second, first=first: (second.wait(PATIENT), first.set()))
        one.do(second.set)
        assert first.wait(5), "the second piece of work was left waiting behind the first"
        one.stop(PATIENT)


def test_what_raises_is_shown_and_does_not_cost_a_thread(crew, monkeypatch):
    shown = []
    monkeypatch.setattr(threading, "excepthook", shown.append)
    one = crew(2)
    done = threading.Event()
    for _ in range(10):
        one.do(lambda: 1 / 0)
    one.do(done.set)
    assert done.wait(PATIENT)
    one.stop(PATIENT)
    assert [args.exc_type for args in shown] == [ZeroDivisionError] * 10


class TestStop:
    def test_waits_for_what_is_being_done_and_drops_the_rest(self, crew):
        one = crew(1)
        begun, go_on, done = threading.Event(), threading.Event(), []
        one.do(lambda: (begun.set(), go_on.wait(PATIENT), done.append("first")))
        one.do(lambda: done.append("second"))
        assert begun.wait(PATIENT)
        one.stop(0.0)
        go_on.set()
        one.stop(PATIENT)
        assert done == ["first"]
        assert names() == []

    def test_nothing_is_taken_afterwards(self, crew):
        one = crew(2)
        one.stop(PATIENT)
        one.do(lambda: pytest.fail("work was taken after the end"))
        assert names() == []

    def test_from_one_of_its_own_threads(self, crew):
        one = crew(2)
        done = threading.Event()
        one.do(lambda: (one.stop(PATIENT), done.set()))
        assert done.wait(PATIENT)

    def test_idle_threads_end(self, crew):
        one = crew(3)
        together = threading.Barrier(4)
        for _ in range(3):
            one.do(lambda: together.wait(PATIENT) and None)
        together.wait(PATIENT)
        one.stop(PATIENT)
        assert names() == []

    def test_twice(self, crew):
        one = crew(1)
        one.do(lambda: None)
        one.stop(PATIENT)
        one.stop(PATIENT)


def test_threads_are_daemons(crew):
    seen, done = [], threading.Event()
    crew(1).do(lambda: (seen.append(threading.current_thread().daemon), done.set()))
    assert done.wait(PATIENT)
    assert seen == [True]
