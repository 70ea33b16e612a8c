"""A process is killed wherever it may be; whoever comes after pays nothing twice and loses nothing."""

import pytest

KILLS = 200
QUICK = 13
LOST = (
    None,
    ("create", "lost", {"after": 1}),
    ("create", "reset", {"after": 2}),
    ("create", "html", {"after": 1, "processed": True}),
    ("create", "status", {"status": 504, "code": 5002, "after": 1}),
    ("create", "truncated_json", {}),
)


def killed(new_trial, choose, seed):
    """Kill one process at work and, in the same workspace, one that resumes; return the trial and the points."""
    again = 0
    while True:
        trial = new_trial()
        fault = LOST[seed % len(LOST)]
        if fault is not None:
            on, do, details = fault
            trial.sandbox.faults.add(on, do, **details)
        work = choose("work", seed, again)
        died, _ = trial.live("work", work)
        if died and trial.tasks:
            break
        assert trial.tasks or not trial.billed()
        # It was dead before there was anything to lose, or never came there: some steps depend on luck.
        again += 1
        assert again < 10, "no process could be killed"
        trial.close()
    resume = choose("resume", seed, 0)
    died, _ = trial.live("resume", resume)
    return trial, [work, resume] if died else [work]


@pytest.mark.parametrize("seed", [pytest.param(n, marks=[] if n < QUICK else pytest.mark.slow) for n in range(KILLS)])
@pytest.mark.promise("the kernel is killed, at any moment")
def test_killed_anywhere_it_is_paid_once_and_every_image_is_there(new_trial, choose, seed):
    trial, points = killed(new_trial, choose, seed)
    died, result = trial.live("resume")
    assert (died, result["error"]) == (False, ""), points
    trial.check_what_is_billed()
    died, result = trial.live("send")
    assert (died, result["error"]) == (False, ""), points
    trial.check_what_is_billed()
    trial.check_nothing_remains()
    trial.check_whole()


def test_the_points_are_spread_over_all_steps(points):
    work, resume = set(points["work"]), set(points["resume"])
    steps = {"engine/sending", "engine/following", "engine/collecting", "engine/queue", "engine/searching"}
    rooms = {"remote/client", "remote/download", "workspace/database", "workspace/files", "workspace/leases"}
    assert steps | rooms <= work
    assert {"engine/following", "engine/collecting", "session/resuming", "workspace/leases"} <= resume
    commits = [point for point in points["work"]["workspace/database"] if "c_call execute" in point[1]]
    assert commits, "no process would die between a BEGIN and its COMMIT"
