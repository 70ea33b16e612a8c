"""Which task stands for which sample, when two kernels ask at the same moment."""

import threading
from dataclasses import replace

import pytest

from kling_nb.records import Failure
from kling_nb.workspace.comparisons import StoredComparison
from kling_nb.workspace.journal import Journal


@pytest.fixture
def planned(record):
    def made(number, digest="d1", **changes):
        return replace(record(number), digest=digest, gateway="sandbox", task_status="planned", **changes)

    return made


def test_a_sample_is_claimed_once(journal, planned):
    first = planned(1)
    assert journal.comparisons.claim([(first, 0)]) == [(first, 0)]
    assert journal.comparisons.claim([(planned(2), 0), (planned(3), 1)]) == [(planned(3), 1)]
    assert journal.get(planned(2).id) is None
    found = journal.comparisons.tasks("sandbox", ["d1", "d2"])
    assert {key: task.id for key, task in found.items()} == {("d1", 0): first.id, ("d1", 1): planned(3).id}
    assert journal.comparisons.tasks("elsewhere", ["d1"]) == {}


@pytest.mark.parametrize(
    ("changes", "free"),
    [
        ({"task_status": "planned"}, False),
        ({"task_status": "sending"}, False),
        ({"task_status": "uncertain"}, False),
        ({"task_status": "succeeded"}, False),
        ({"task_status": "cancelled"}, True),
        ({"task_status": "failed", "failure": Failure("TaskFailed", 'says "AuthenticationFailed"')}, False),
        ({"task_status": "failed", "failure": Failure("ContentRefused", "no")}, False),
        ({"task_status": "failed", "failure": Failure("AuthenticationFailed", "no")}, True),
        ({"task_status": "failed", "failure": Failure("OutOfBalance", "no")}, True),
    ],
)
def test_another_may_take_the_place_of_what_the_gateway_never_made(journal, planned, changes, free):
    journal.comparisons.claim([(planned(1), 0)])
    journal.update(replace(planned(1), **changes))
    assert bool(journal.comparisons.claim([(planned(2), 0)])) == free
    assert journal.comparisons.tasks("sandbox", ["d1"])["d1", 0].id == planned(2 if free else 1).id


def test_a_failed_one_is_replaced_when_told_to(journal, planned):
    journal.comparisons.claim([(planned(1), 0)])
    journal.update(replace(planned(1), task_status="failed", failure=Failure("TaskFailed", "no")))
    assert journal.comparisons.claim([(planned(2), 0)], replacing=[planned(1).id]) == [(planned(2), 0)]
    # Told so by two kernels, it is replaced once.
    assert journal.comparisons.claim([(planned(3), 0)], replacing=[planned(1).id]) == []


def test_two_kernels_that_claim_at_once_share_the_samples(tmp_path, planned):
    path = tmp_path / "journal.sqlite3"
    Journal(path).close()
    begin, claimed = threading.Barrier(2), {}

    def kernel(me, first):
        journal = Journal(path, me=lambda: me)
        begin.wait()
        wanted = [(planned(first + number, digest=f"d{number}", owner=me), 0) for number in range(40)]
        claimed[me] = [
            digest for each in wanted for (task, _) in journal.comparisons.claim([each]) for digest in [task.digest]
        ]
        journal.close()

    kernels = [threading.Thread(target=kernel, args=(f"a|b|{number}|d", 100 * number)) for number in (1, 2)]
    for each in kernels:
        each.start()
    for each in kernels:
        each.join(60)
    taken = [digest for some in claimed.values() for digest in some]
    assert sorted(taken) == sorted(f"d{number}" for number in range(40))


def test_many_cells_are_found_at_once(journal, planned):
    wanted = [(planned(number, digest=f"d{number}"), number % 3) for number in range(1200)]
    assert len(journal.comparisons.claim(wanted)) == 1200
    found = journal.comparisons.tasks("sandbox", [f"d{number}" for number in range(1200)])
    assert found == {(task.digest, sample): task for task, sample in wanted}


def test_comparisons_are_found_by_name_and_design(journal):
    def stored(some_id, name, at, design="x", replicate=0):
        return StoredComparison(some_id, name, "sandbox", at, "seed", design, replicate)

    old, new, other = stored("1", "study", 1.0), stored("2", "study", 2.0, "y"), stored("3", "other", 3.0)
    again = stored("4", "other again", 4.0, replicate=7)
    for each in (old, new, other, again, replace_seed(old)):
        journal.comparisons.save(each)
    find = journal.comparisons.find
    assert [find("sandbox", name) for name in ("study", "1", "nothing")] == [[new, old], [old], []]
    assert journal.comparisons.equal("sandbox", "study", "x") == old
    assert journal.comparisons.equal("sandbox", None, "x") == other
    assert journal.comparisons.equal("sandbox", "nothing", "x") is None
    assert journal.comparisons.newest("sandbox", 2) == [again, other]
    assert journal.comparisons.newest("elsewhere", 2) == []


def replace_seed(comparison):
    """The same once more, as a second run saves it: it is there already, and stays as it was."""
    return comparison._replace(seed="another")
