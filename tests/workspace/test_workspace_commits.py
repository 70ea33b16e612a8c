"""A step is written whole or not at all, whatever happens to the thread that asks for it."""

import signal
import sqlite3
import threading
from contextlib import closing
from queue import SimpleQueue

import pytest

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
