"""Two processes on one workspace: they share the slots, and never work on the same task."""

import contextlib
import threading
import time

import pytest

BOTH = ("one-key", "another-key")
PATIENT = 60.0


@contextlib.contextmanager
def at_once(*lives):
    """Let processes live at the same time; after the block, all have ended, and how is in the list."""
    ended = [None] * len(lives)

    def run(place, life):
        ended[place] = life()

    threads = [threading.Thread(target=run, args=(place, life)) for place, life in enumerate(lives)]
    for thread in threads:
        thread.start()
    yield ended
    for thread in threads:
        thread.join(PATIENT)


def until(done):
    tick, deadline = threading.Event(), time.monotonic() + PATIENT
    while not done():
        assert time.monotonic() < deadline, "it did not happen in time"
        tick.wait(0.005)


@pytest.fixture
def kernels(order, other_order):
    return [{"order": order, "key": BOTH[0]}, {"order": other_order, "key": BOTH[1]}]


def asked(trial):
    """Which keys asked for which tasks."""
    found = {}
    for seen in trial.sandbox.requests:
        name = seen.path.rpartition("/")[2]
        if seen.origin == "api" and seen.method == "GET" and name.isdigit():
            found.setdefault(name, set()).add(seen.headers["authorization"].removeprefix("Bearer "))
    return found


@pytest.mark.promise("two kernels work in one workspace")
def test_the_slots_are_shared_and_everything_is_paid_once(new_trial, kernels):
    trial = new_trial(slots=5)
    sizes = (1, 2, 3, 1, 5, 2, 1)
    with at_once(*[lambda each=each: trial.live("work", slots=5, sizes=sizes, **each) for each in kernels]) as ended:
        pass
    assert [(died, result["error"]) for died, result in ended] == [(False, "")] * 2
    trial.check_what_is_billed()
    trial.check_nothing_remains()
    trial.check_whole()
    assert len(trial.tasks) == 2 * len(sizes)
    refused = sum(seen.method == "POST" for seen in trial.sandbox.requests) - len(trial.billed())
    # Each looks once whether there are more slots than it was told; nothing else is refused.
    assert refused <= 4


def test_what_a_dead_kernel_left_is_collected_by_one_of_two(new_trial, kernels):
    trial = new_trial()
    trial.sandbox.hold()
    assert trial.live("work", ["engine/following:Follower._take", "call", 9])[0]
    left = [record.task_id for record in trial.tasks if record.task_id]
    assert len(left) >= 3
    trial.sandbox._shared.requests.clear()
    with at_once(*[lambda each=each: trial.live("resume", **each) for each in kernels]) as ended:
        until(lambda: set(asked(trial)) >= set(left) or len(trial.sandbox.requests) > 20)
        trial.sandbox.release()
    assert [(died, result["error"]) for died, result in ended] == [(False, "")] * 2
    trial.check_what_is_billed()
    assert all(len(keys) == 1 for keys in asked(trial).values()), asked(trial)
    images = [seen.path for seen in trial.sandbox.requests if seen.origin == "images"]
    assert len(images) == len(set(images)) == sum(record.n for record in trial.tasks if record.task_id)


@pytest.mark.promise("one of them dies")
def test_what_another_kernel_has_in_hand_is_waited_for_and_taken_over_when_it_dies(new_trial, kernels):
    one, other = kernels
    trial = new_trial()
    trial.sandbox.hold()
    die = ["engine/following:Follower._take", "call", 400]
    with at_once(lambda: trial.live("work", die, **one), lambda: wait_for_it(trial, other)) as ended:
        until(lambda: ended[0] is not None)
        trial.sandbox.release()
    assert ended[0][0], "the first process was not killed"
    assert (ended[1][0], ended[1][1]["error"]) == (False, "")
    trial.check_what_is_billed()
    trial.check_nothing_remains()


def wait_for_it(trial, kernel):
    until(lambda: [record.task_id is not None for record in trial.tasks] == [True] * 4)
    return trial.live("wait", **kernel)
