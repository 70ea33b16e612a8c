"""A comparison's process is killed, interrupted or not alone; every cell is paid for once, and none is lost."""

import threading

import pytest

TRIALS = 60
QUICK = 4
IMAGES = 12
"""Of the comparison: two prompts, one and two images, two samples."""

seeds = pytest.mark.parametrize(
    "seed", [pytest.param(n, marks=[] if n < QUICK else pytest.mark.slow) for n in range(TRIALS)]
)


def finish(trial, where):
    """Let another process go on, and see that the design was asked for once."""
    died, result = trial.live("compare")
    assert (died, result["error"]) == (False, ""), where
    trial.check_what_is_billed()
    assert sum(entry.billed for entry in trial.billed()) == IMAGES, where
    prompts = sorted((entry.prompt, entry.n) for entry in trial.billed())
    assert prompts == sorted([("a cat", 1), ("a cat", 2), ("a dog", 1), ("a dog", 2)] * 2), where
    found = trial.workspace.journal.comparisons.tasks(trial.sandbox.base_url, {task.digest for task in trial.tasks})
    assert len(found) == 8
    assert {task.task_status for task in found.values()} == {"succeeded"}
    trial.check_whole()


@seeds
@pytest.mark.promise("a comparison is interrupted, or its kernel is killed")
def test_killed_anywhere_the_next_kernel_goes_on(new_trial, choose, seed):
    trial = new_trial()
    if seed % 3 == 1:
        trial.sandbox.faults.add("create", "lost", after=seed % 5)
    point = choose("compare", seed, 0)
    trial.live("compare", point)
    finish(trial, point)
    trial.check_nothing_remains()


@seeds
@pytest.mark.promise("a comparison is interrupted, or its kernel is killed")
def test_interrupted_anywhere_the_next_run_goes_on(new_trial, choose, seed):
    trial = new_trial()
    point = choose("compare in main", seed, 0)
    died, result = trial.live("compare", interrupt=point)
    assert not died
    assert not result["error"] or result["error"].startswith(("WaitInterrupted: ", "KeyboardInterrupt")), result
    for record in trial.tasks:
        assert record.complete, (point, record)
    finish(trial, point)


def test_two_kernels_share_one_comparison(new_trial, order, other_order):
    trial = new_trial(slots=5)
    ended = []
    kernels = [
        threading.Thread(
            target=lambda each=each, key=key: ended.append(trial.live("compare", order=each, key=key, slots=5))
        )
        for each, key in ((order, "one-key"), (other_order, "another-key"))
    ]
    for kernel in kernels:
        kernel.start()
    for kernel in kernels:
        kernel.join(60)
    assert [(died, result["error"]) for died, result in ended] == [(False, "")] * 2
    finish(trial, "two kernels")
    trial.check_nothing_remains()
