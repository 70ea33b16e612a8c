"""A step is written whole or not at all, whatever happens to the thread that asks for it."""

import signal
import sqlite3
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from queue import SimpleQueue

import pytest

from kling_nb.errors import WorkspaceError
from kling_nb.workspace.database import Database

WAIT = 30.0


@pytest.fixture
def database(tmp_path):
    database = Database(tmp_path / "journal.sqlite3")
    yield database
    database.close()


@pytest.fixture
def interruptible():
    """A signal that interrupts as Ctrl-C does, whatever the test runner makes of that."""
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    yield lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGALRM)
    signal.signal(signal.SIGALRM, previous)


def owners(database):
    """What the steps below have written, by another connection: only what is committed is seen."""
    with closing(sqlite3.connect(database.path)) as other:
        return sorted(row[0] for row in other.execute("SELECT owner FROM kernels"))


def sign(owner):
    return lambda connection: connection.execute("INSERT INTO kernels VALUES (?, 0)", [owner]).rowcount


def test_an_interrupt_while_another_kernel_writes_leaves_no_transaction_open(database, interruptible):
    other = sqlite3.connect(database.path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    begun = SimpleQueue()
    # No Python of ours is run in between: the signal is noticed when the call that waits returns.
    database._connection.set_trace_callback(begun.put)

    def interrupt():
        begun.get(timeout=WAIT)
        interruptible()
        other.rollback()
        other.close()

    helper = threading.Thread(target=interrupt)
    helper.start()
    with pytest.raises(KeyboardInterrupt):
        database.commit(sign("interrupted"))
    helper.join(WAIT)
    assert not database._connection.in_transaction
    assert owners(database) == []
    assert database.commit(sign("later")) == 1
    assert owners(database) == ["later"]


# ---- several threads at once ---------------------------------------------------------------------


class Gathered:
    """Holds the first step open until others wait behind it, and counts the commits."""

    def __init__(self, database, waiting):
        self.database, self.waiting = database, waiting
        self.pool = ThreadPoolExecutor(16)
        self.commits = []
        database._connection.set_trace_callback(lambda sql: self.commits.append(sql) if sql == "COMMIT" else None)

    def __enter__(self):
        begun, go_on = threading.Event(), threading.Event()

        def first(connection):
            begun.set()
            assert go_on.wait(WAIT)
            return sign("first")(connection)

        self.go_on = go_on
        self.futures = [self.pool.submit(self.database.commit, first)]
        assert begun.wait(WAIT)
        return self

    def add(self, work):
        self.futures.append(self.pool.submit(self.database.commit, work))
        return self.futures[-1]

    def __exit__(self, *_):
        try:
            while len(self.database._steps) < self.waiting:
                threading.Event().wait(0.001)
        finally:
            self.go_on.set()
            self.pool.shutdown(wait=True)


def test_what_waits_is_committed_together(database):
    with Gathered(database, 8) as gathered:
        for number in range(8):
            gathered.add(sign(f"owner {number}"))
    assert [future.result() for future in gathered.futures] == [1] * 9
    assert len(gathered.commits) == 2
    assert len(owners(database)) == 9


def test_a_step_that_fails_leaves_no_trace_and_takes_no_other_with_it(database):
    def half(connection):
        sign("half")(connection)
        return sign("first")(connection)

    def odd(connection):
        sign("odd")(connection)
        raise KeyError("odd")

    with Gathered(database, 4) as gathered:
        good = [gathered.add(sign("before")), gathered.add(sign("after"))]
        twice, strange = gathered.add(half), gathered.add(odd)
    assert [future.result() for future in good] == [1, 1]
    with pytest.raises(WorkspaceError) as caught:
        twice.result()
    assert isinstance(caught.value.__cause__, sqlite3.IntegrityError)
    with pytest.raises(KeyError):
        strange.result()
    assert owners(database) == ["after", "before", "first"]


def test_a_transaction_that_ends_by_itself_is_done_again_without_what_ended_it(database):
    def full(connection):
        connection.execute("ROLLBACK")
        raise sqlite3.OperationalError("database or disk is full")

    with Gathered(database, 3) as gathered:
        before, ended, after = gathered.add(sign("one")), gathered.add(full), gathered.add(sign("two"))
    assert [before.result(), after.result()] == [1, 1]
    with pytest.raises(WorkspaceError, match="full"):
        ended.result()
    assert owners(database) == ["first", "one", "two"]
    assert database.commit(sign("later")) == 1


def test_an_interrupt_while_another_thread_writes_leaves_it_undone(database, interruptible):
    main = threading.main_thread().ident

    def interrupt():
        while sys._current_frames()[main].f_code.co_name != "_write":
            threading.Event().wait(0.001)
        interruptible()

    with Gathered(database, 0) as gathered:
        gathered.pool.submit(interrupt)
        # A lock is waited for in pieces that a signal ends.
        with pytest.raises(KeyboardInterrupt):
            database.commit(sign("interrupted"))
    assert owners(database) == ["first"]


def test_the_main_thread_which_alone_is_interrupted_does_no_step_of_others(database):
    database._steps.append(left := object())
    assert database.commit(sign("mine")) == 1
    assert database._steps == [left]
