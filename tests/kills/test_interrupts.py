"""An interrupt comes wherever the main thread may be; nothing is sent twice, and nothing that is paid is lost."""

import pytest

INTERRUPTS = 120
QUICK = 10


@pytest.mark.parametrize(
    "seed", [pytest.param(n, marks=[] if n < QUICK else pytest.mark.slow) for n in range(INTERRUPTS)]
)
@pytest.mark.promise("you interrupt a cell")
def test_interrupted_anywhere_nothing_is_lost_and_it_is_said_what_is_under_way(new_trial, choose, seed):
    trial = new_trial()
    point = choose("generate", seed, 0)
    died, result = trial.live("generate", interrupt=point, sizes=(2, 1))
    assert not died
    error = result["error"]
    assert not error or error.startswith(("WaitInterrupted: Interrupted", "KeyboardInterrupt")), (point, error)
    for record in trial.tasks:
        # What was not sent is not left for somebody to send by mistake, and the rest was followed on.
        assert record.complete, (point, record)
    trial.check_what_is_billed()
    died, result = trial.live("resume")
    assert (died, result["error"]) == (False, "")
    trial.check_what_is_billed()
