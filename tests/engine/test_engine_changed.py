"""The lock that everything of a runner is guarded by: whoever waits is woken, and no interrupt leaves it held."""

import random
import signal
import threading

import pytest

from kling_nb.engine.changed import Changed

INTERRUPTS = 2_000
LONG = 60.0


@pytest.fixture
def interrupts():
    """Have one come at a random moment soon, as often as it is called."""

    def interrupt(*_):
        raise KeyboardInterrupt

    chance = random.Random(1)
    before = signal.signal(signal.SIGALRM, interrupt)
    yield lambda: signal.setitimer(signal.ITIMER_REAL, chance.uniform(2e-6, 1e-4))
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals come at a chosen moment on POSIX only")
@pytest.mark.parametrize(("so", "timeout"), [(True, 0.0), (False, 1e-6)], ids=["looking", "waiting"])
def test_no_interrupt_leaves_it_held(interrupts, so, timeout):
    changed = Changed()
    held = 0
    for _ in range(INTERRUPTS):
        try:
            interrupts()
            while True:
                changed.wait_for(lambda: so, timeout)
        except KeyboardInterrupt:
            held += changed._is_owned()
    assert held == 0


def in_threads(*works):
    threads = [threading.Thread(target=work, daemon=True) for work in works]
    for thread in threads:
        thread.start()
    return threads


def test_a_change_wakes_all_who_wait():
    changed, happened, seen = Changed(), [], []
    waiting = threading.Barrier(4)

    def wait(held):
        def look():
            seen.append(bool(happened))
            return bool(happened)

        waiting.wait()
        if not held:
            assert changed.wait_for(look, LONG)
            return
        with changed:
            while not look():
                changed.wait(LONG)

    threads = in_threads(*[lambda held=held: wait(held) for held in (True, False, None)])
    waiting.wait()
    while len(seen) < 3:
        pass
    with changed:
        happened.append(1)
        changed.notify_all()
    for thread in threads:
        thread.join(LONG)
    assert not any(thread.is_alive() for thread in threads)
    assert changed._bells == []


def test_one_is_woken_in_turn():
    changed, woken = Changed(), []

    def wait(name):
        with changed:
            waiting.append(name)
            changed.wait(LONG)
            woken.append(name)

    for name in "abc":
        waiting = []
        [thread] = in_threads(lambda name=name: wait(name))
        while True:
            with changed:
                if waiting:
                    break
    for count in (1, 2, 3):
        with changed:
            changed.notify()
        assert changed.wait_for(lambda count=count: len(woken) == count, 0.0) or thread
        while len(woken) < count:
            pass
    assert woken == ["a", "b", "c"]
    with changed:
        changed.notify()


@pytest.mark.parametrize("timeout", [0.0, -1.0, 1e-4])
def test_who_waits_no_longer_is_forgotten(timeout):
    changed = Changed()
    assert not changed.wait_for(lambda: False, timeout)
    with changed:
        changed.wait(timeout)
    assert changed._bells == []
    assert not changed._is_owned()


def test_what_comes_with_the_last_moment_counts():
    answers = iter([False, True])
    assert Changed().wait_for(lambda: next(answers), 0.0)


def test_a_timeout_beyond_all_bounds_is_long():
    changed, happened = Changed(), []
    [thread] = in_threads(lambda: changed.wait_for(lambda: bool(happened), float("inf")))
    with changed:
        happened.append(1)
        changed.notify_all()
    thread.join(LONG)
    assert not thread.is_alive()


def test_it_is_reentrant_and_one_that_raises_lets_go():
    changed = Changed()
    with changed, changed:
        assert changed._is_owned()
    with pytest.raises(ZeroDivisionError):
        changed.wait_for(lambda: 1 / 0)
    assert not changed._is_owned()
