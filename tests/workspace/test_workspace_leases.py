"""Leases: of several kernels exactly one has a task, and together they stay within the slots."""

import itertools
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from kling_nb.workspace import leases, owners
from kling_nb.workspace.journal import Journal
from kling_nb.workspace.owners import UNREACHABLE, is_free, this_process

FAR, FARTHER = "far-away|boot|space|1|1", "farther-away|boot|space|1|1"
NOW = 1_795_400_000.0


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def kernel(tmp_path, clock):
    """Open the journal as a process of some name."""
    opened = []

    def open_it(name=None):
        opened.append(Journal(tmp_path / "journal.sqlite3", me=(lambda: name) if name else this_process, clock=clock))
        return opened[-1]

    yield open_it
    for journal in opened:
        journal.close()


@pytest.fixture(scope="module")
def ended():
    """The name of a process of this machine that has ended."""
    parts = this_process().split("|")
    return "|".join([*parts[:4], f"{parts[4]}0"])


def sending(record, number, **changes):
    return record(number, task_status="sending", sent_at=NOW, **changes)


# ---- who is free ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("silent", "free"), [(0.0, False), (UNREACHABLE - 0.1, False), (UNREACHABLE, False), (UNREACHABLE + 0.1, True)]
)
def test_a_kernel_that_cannot_be_looked_at_is_alive_for_a_minute(kernel, clock, silent, free):
    kernel(FAR).leases.beat()
    clock.now += silent
    assert kernel().leases.is_free(FAR) is free


def test_a_clock_that_was_set_back_makes_nobody_free(kernel, clock):
    kernel(FAR).leases.beat()
    clock.now -= 86_400.0
    assert not kernel().leases.is_free(FAR)


def test_a_kernel_that_never_gave_a_sign_of_life_is_free(kernel):
    assert kernel().leases.is_free(FAR)


@pytest.mark.parametrize("silent", [0.0, 1e9])
def test_a_process_of_this_machine_is_looked_at(silent, neighbour, ended):
    assert not is_free(neighbour, NOW - silent, NOW)
    assert not is_free(neighbour, None, NOW)
    assert is_free(ended, NOW - silent, NOW)
    assert is_free("", NOW - silent, NOW)


def test_its_own_may_be_taken(kernel):
    assert kernel(FAR).leases.is_free(FAR)
    assert kernel().leases.is_free(this_process())


def test_a_sign_of_life_is_given_with_every_plan(kernel, record):
    kernel(FAR).insert([record(1, owner=FAR)])
    assert not kernel().leases.is_free(FAR)


def test_the_long_silent_are_forgotten(kernel, clock):
    far, own = kernel(FAR), kernel(FARTHER)
    far.leases.beat()
    for days, known in ((30, {FAR, FARTHER}), (1, {FARTHER})):
        clock.now += days * 86_400.0
        own.leases.beat()
        assert {row["owner"] for row in own._database.read("SELECT owner FROM kernels")} == known


# ---- taking over and letting go ------------------------------------------------------------------


def test_a_task_is_taken_when_nobody_has_it(kernel, record, ended):
    own = kernel(FAR)
    own.insert([record(1, task_status="uncertain"), record(2, owner=ended), record(3, owner=FARTHER)])
    for number in (1, 2, 3):
        taken = own.leases.take(record(number).id)
        assert taken.owner == FAR
        assert own.get(taken.id) == taken
    assert own.leases.take("no such task") is None


def test_a_living_kernels_task_is_not_taken(kernel, clock, record, neighbour):
    own = kernel(FAR)
    kernel(FARTHER).insert([record(1, owner=FARTHER), record(2, owner=neighbour)])
    clock.now += UNREACHABLE
    assert [own.leases.take(record(number).id) for number in (1, 2)] == [None, None]
    assert (own.get(record(1).id).owner, own.get(record(2).id).owner) == (FARTHER, neighbour)
    clock.now += 0.1
    assert own.leases.take(record(1).id).owner == FAR
    assert own.leases.take(record(2).id) is None


def test_what_was_taken_is_taken_again_by_its_taker_alone(kernel, record):
    own, other = kernel(FAR), kernel(FARTHER)
    own.insert([record()])
    first = own.leases.take(record().id)
    assert own.leases.take(record().id) == first
    assert other.leases.take(record().id) is None


def test_who_takes_gives_a_sign_of_life(kernel, record):
    """Or the next kernel would take it from one that is not known to be alive."""
    kernel().insert([record()])
    own = kernel(FAR)
    assert own.leases.take(record().id)
    assert not kernel().leases.is_free(FAR)


def test_a_task_is_let_go_of_by_its_owner_alone(kernel, record):
    own, other = kernel(FAR), kernel(FARTHER)
    own.insert([record(1, owner=FAR), record(2, owner=FAR), record(3, owner=FARTHER)])
    other.leases.release([record(1).id])
    own.leases.release([record(2).id, record(3).id, "no such task"])
    assert [own.get(record(number).id).owner for number in (1, 2, 3)] == [FAR, "", FARTHER]


def test_who_has_lost_a_task_writes_nothing_of_it(kernel, clock, record):
    own, other = kernel(FAR), kernel(FARTHER)
    mine, lost = record(1, owner=FAR), record(2, owner=FAR)
    own.insert([mine, lost])
    clock.now += UNREACHABLE + 1
    taken = other.leases.take(lost.id)
    assert own.update(replace(lost, task_status="failed")) is False
    assert own.update(replace(mine, units="1"), replace(lost, task_status="failed")) is False
    assert own.get(lost.id) == taken
    assert own.get(mine.id).units == "1"
    assert own.update(replace(mine, units="2")) is True
    assert other.update(replace(taken, task_status="failed")) is True
    assert own.get(lost.id).task_status == "failed"


def test_who_was_let_have_it_back_may_write_again(kernel, clock, record):
    own, other = kernel(FAR), kernel(FARTHER)
    own.insert([record(owner=FAR)])
    clock.now += UNREACHABLE + 1
    assert other.leases.take(record().id)
    assert own.update(record(owner=FAR)) is False
    other.leases.release([record().id])
    assert own.update(own.leases.take(record().id)) is True


def test_what_nobody_has_may_be_written_unless_it_is_another_task_by_now(kernel, record):
    own, other = kernel(FAR), kernel(FARTHER)
    own.insert([record(owner="")])
    assert other.update(record(owner=FARTHER, task_status="submitted", task_id="T-1")) is True
    other.leases.release([record().id])
    assert own.update(record(owner=FAR, task_status="submitted", task_id="T-2")) is False
    assert own.get(record().id).task_id == "T-1"


# ---- beginning -----------------------------------------------------------------------------------


def test_what_begins_is_written_before_it_is_said(kernel, record):
    own = kernel(FAR)
    own.insert([record(owner=FAR)])
    begun = own.leases.begin(sending(record, 1, owner=FAR), 0, 5)
    assert begun.verdict == "begun"
    assert kernel().get(record().id) == begun.record == sending(record, 1, owner=FAR)


@pytest.mark.parametrize(
    "now",
    [
        {"owner": FARTHER},
        {"owner": ""},
        *({"owner": FAR, "task_status": status} for status in ("sending", "submitted", "failed", "cancelled")),
    ],
)
def test_what_is_not_its_own_or_was_sent_does_not_begin(kernel, record, now):
    own = kernel(FAR)
    stored = record(**now)
    own.insert([stored])
    assert own.leases.begin(sending(record, 1, owner=FAR), 0, 5) == ("taken", stored, 0)
    assert own.get(record().id) == stored


def test_what_the_user_would_have_sent_without_proof_begins(kernel, record):
    own = kernel(FAR)
    own.insert([record(owner=FAR, task_status="uncertain")])
    assert own.leases.begin(sending(record, 1, owner=FAR), 0, 5).verdict == "begun"
    assert own.get(record().id).task_status == "sending"


def test_what_someone_has_deleted_begins_and_is_written_anew(kernel, record):
    own = kernel(FAR)
    assert own.leases.begin(sending(record, 1, owner=FAR), 0, 5).verdict == "begun"
    assert own.get(record().id) == sending(record, 1, owner=FAR)


@pytest.mark.parametrize(
    ("mine", "n", "limit", "verdict"),
    [(0, 2, 5, "begun"), (0, 3, 5, "full"), (1, 2, 5, "full"), (0, 9, 20, "begun"), (0, 9, 11, "full")],
)
def test_other_kernels_slots_are_counted(kernel, record, mine, n, limit, verdict):
    own = kernel(FAR)
    some = record(1, owner=FAR, request={"n": n})
    kernel(FARTHER).insert([some, sending(record, 2, owner=FARTHER, request={"n": 3})])
    begun = own.leases.begin(replace(some, task_status="sending"), mine, limit)
    assert (begun.verdict, begun.theirs) == (verdict, 3)
    assert own.get(some.id).task_status == begun.record.task_status == ("sending" if verdict == "begun" else "planned")


def test_one_larger_than_the_limit_begins_where_no_other_kernel_is_at_work(kernel, record):
    own = kernel(FAR)
    own.insert([record(owner=FAR, request={"n": 9})])
    assert own.leases.begin(sending(record, 1, owner=FAR, request={"n": 9}), 0, 5).verdict == "begun"


def test_only_what_holds_slots_of_the_same_kind_counts(kernel, clock, record, ended):
    own, there = kernel(FAR), kernel(FARTHER)
    counted = ("sending", "submitted", "processing")
    others = ("planned", "succeeded", "failed", "uncertain", "cancelled")
    there.insert([record(n, owner=FARTHER, task_status=status) for n, status in enumerate((*counted, *others), 1)])
    assert own.leases.theirs(record()) == 2 * len(counted)
    there.insert(
        [
            sending(record, 11, owner=FARTHER, gateway="sandbox"),
            sending(record, 12, owner=FARTHER, request={"model_name": "kling-v2"}),
            sending(record, 13, owner=FARTHER, saved_at=1.0),
            sending(record, 14, owner=FAR),
            sending(record, 15, owner=ended),
            sending(record, 16, owner=""),
        ]
    )
    assert own.leases.theirs(record()) == 2 * len(counted)
    assert own.leases.theirs(record(gateway="sandbox")) == 2
    assert there.leases.theirs(record()) == 0  # for FAR gave no sign of life
    clock.now += UNREACHABLE + 1
    assert own.leases.theirs(record()) == 0


def test_ghosts_are_all_that_may_hold_slots_whoever_sent_them(kernel, clock, record, ended):
    own = kernel(FAR)
    holds = ("sending", "submitted", "processing", "uncertain")
    others = ("planned", "succeeded", "failed", "cancelled")
    whose = (FAR, ended, "", FARTHER) * 2
    own.insert(
        [
            record(number, owner=owner, task_status=status, sent_at=NOW)
            for number, (status, owner) in enumerate(zip((*holds, *others), whose, strict=True), 1)
        ]
    )
    own.insert([sending(record, 9, gateway="sandbox"), sending(record, 10, request={"model_name": "kling-v2"})])
    own.insert([replace(sending(record, 11), sent_at=NOW - leases.HELD_UP / 2)])
    assert own.leases.ghosts(record()) == 2 * (len(holds) + 1)
    clock.now += leases.HELD_UP / 2
    assert own.leases.ghosts(record()) == 2 * len(holds)
    clock.now += leases.HELD_UP / 2
    assert own.leases.ghosts(record()) == 0


# ---- races ---------------------------------------------------------------------------------------


def race(*works):
    """Let functions run at the same time; return what they return."""
    start, results = threading.Barrier(len(works)), [None] * len(works)

    def run(place, work):
        start.wait()
        results[place] = work()

    threads = [threading.Thread(target=run, args=(place, work)) for place, work in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_two_that_take_at_once_take_each_task_once(kernel, record):
    own, other = kernel(FAR), kernel(FARTHER)
    own.insert([record(number) for number in range(15)])
    ids = [record(number).id for number in range(15)]
    won = race(*(lambda k=k: {each for each in ids if k.leases.take(each)} for k in (own, other)))
    assert sorted([*won[0], *won[1]]) == ids
    for each in ids:
        assert own.get(each).owner == (FAR if each in won[0] else FARTHER)


def test_two_that_begin_at_once_begin_each_task_once(kernel, record):
    """As when both were told that it is theirs."""
    own, other = kernel(FAR), kernel(FARTHER)
    own.insert([record(number, owner=FAR) for number in range(15)])
    wanted = [sending(record, number, owner=FAR) for number in range(15)]
    begun = race(
        *(lambda k=k: [some.id for some in wanted if k.leases.begin(some, 0, 99)[0] == "begun"] for k in (own, other))
    )
    assert sorted([*begun[0], *begun[1]]) == [some.id for some in wanted]


def test_two_that_begin_at_once_stay_within_the_slots(kernel, record):
    kernels = {FAR: kernel(FAR), FARTHER: kernel(FARTHER)}
    for number, (name, journal) in enumerate(kernels.items()):
        journal.insert([record(100 * number + each, owner=name, request={"n": 1}) for each in range(8)])

    def begin_all(name, first):
        mine = 0
        for each in range(8):
            some = sending(record, first + each, owner=name, request={"n": 1})
            mine += kernels[name].leases.begin(some, mine, 9).verdict == "begun"
        return mine

    begun = race(lambda: begin_all(FAR, 0), lambda: begin_all(FARTHER, 100))
    # Each may fill what the other does not, and one that is alone in the beginning has all of its eight.
    assert sum(begun) == 9


TAKER = """
import sys
from dataclasses import replace
from pathlib import Path
from kling_nb.workspace.journal import Journal

journal = Journal(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for some in reversed(journal.unfinished()):
    taken = journal.leases.take(some.id)
    if taken is not None:
        begun = journal.leases.begin(replace(taken, task_status="sending", sent_at=1.0), 0, 99)
        print(some.id, begun.verdict, flush=True)
print("done", flush=True)
sys.stdin.readline()
"""


def test_processes_that_race_for_tasks_begin_each_once(journal, record):
    journal.insert([record(number) for number in range(20)])
    children = [
        subprocess.Popen(
            [sys.executable, "-c", TAKER, str(journal.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    # Both live until the end: what a process has that ended may be taken.
    said = [list(itertools.takewhile(lambda line: line != "done\n", child.stdout)) for child in children]
    assert sorted(line.split()[0] for lines in said for line in lines) == [record(number).id for number in range(20)]
    assert {line.split()[1] for lines in said for line in lines} == {"begun"}
    names = {record.owner for record in journal.newest()}
    assert not any(owners.is_gone(name) for name in names)
    for child in children:
        with child:
            child.stdin.close()
    assert all(journal.leases.take(record(number).id).task_status == "sending" for number in range(20))


# ---- a journal that is gone ----------------------------------------------------------------------


def test_a_journal_that_someone_has_deleted_is_written_anew(workspace, record):
    workspace.journal.insert([record(1, owner=this_process())])
    workspace.journal.path.unlink()
    paid = record(1, owner=this_process(), task_status="submitted", task_id="T-1")
    assert workspace.journal.update(paid) is True
    fresh = Journal(workspace.journal.path, read_only=True)
    assert fresh.newest() == [paid]
    fresh.close()
    workspace.journal.path.unlink()
    assert workspace.journal.leases.begin(sending(record, 2, owner=this_process()), 0, 5).verdict == "begun"
    workspace.journal.leases.beat()
    assert [some.id for some in workspace.journal.newest()] == [record(2).id]
