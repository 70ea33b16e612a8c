"""Cancelling many tasks while somebody goes on pressing Interrupt."""

import os
import signal

import pytest

from kling_nb.session.watching import interrupted


@pytest.fixture
def waiting(bench, sandbox):
    """Tasks that wait, and whose cancelling interrupts whoever cancels, once for each of them."""
    sandbox.faults.add("create", "status", times=None, status=429, code=1302, retry_after="60")
    first = bench.submit()
    bench.until(lambda: "asked too often" in first.note)
    jobs = [first, *bench.submit_many(20)]
    pressed = []

    def press(record):
        if record.task_status == "cancelled" and len(pressed) < 5:
            pressed.append(record.id)
            os.kill(os.getpid(), signal.SIGINT)

    bench.store.book.fails = press
    return jobs


def test_an_interrupt_leaves_none_of_them_in_between(bench, waiting):
    with pytest.raises(KeyboardInterrupt):
        bench.runner.cancel(waiting)
    while True:
        try:
            assert bench.settle(*waiting) == ["cancelled"] * 21
            break
        except KeyboardInterrupt:
            continue
    assert [bench.stored(job).task_status for job in waiting] == ["cancelled"] * 21
    assert bench.entries() == []


def test_the_message_counts_what_was_cancelled_however_often_it_was_pressed(bench, waiting):
    said = None
    while said is None:
        try:
            said = interrupted(bench.runner, waiting).message
        except KeyboardInterrupt:
            continue
    assert said == "Interrupted. 21 tasks not sent: cancelled, nothing to pay."
    assert bench.entries() == []
