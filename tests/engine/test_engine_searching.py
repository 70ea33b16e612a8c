"""Looking for tasks whose answer was lost: when, how long, and what is done about what is not found."""

import time
from dataclasses import replace

import pytest

from kling_nb.engine import following, searching
from kling_nb.engine.jobs import Job
from kling_nb.engine.lookup import Look
from kling_nb.engine.searching import FIRST, LATER, LONGEST, SENDS, decide, next_look
from kling_nb.records import TaskRecord

GRACE = 120.0
ABSENT, SHOWN_NOTHING = Look(proven=True), Look()


def lost_job(*, sends=1, task_id=None, **options):
    record = TaskRecord("id", "sandbox", {"n": 1}, "d", (), "x", 1.0, "uncertain", task_id, sends=sends)
    return Job(record, None, None, 5, grace=GRACE, **options)


class TestDecide:
    @pytest.mark.parametrize(
        ("look", "waited", "decision"),
        [
            (ABSENT, 0.0, "wait"),
            (ABSENT, GRACE - 0.1, "wait"),
            (ABSENT, GRACE, "send"),
            (SHOWN_NOTHING, GRACE - 0.1, "wait"),
            (SHOWN_NOTHING, GRACE, "uncertain"),
            (SHOWN_NOTHING, 1e9, "uncertain"),
            (ABSENT._replace(whole=False), GRACE, "wait"),
            (ABSENT._replace(whole=False), GRACE + LATER - 0.1, "wait"),
            (ABSENT._replace(whole=False), GRACE + LATER, "send"),
            (SHOWN_NOTHING._replace(whole=False), GRACE + LATER, "uncertain"),
        ],
    )
    def test_absence_counts_after_the_grace_and_where_it_is_proven(self, look, waited, decision):
        assert decide(lost_job(), look, waited=waited) == decision

    @pytest.mark.parametrize(
        ("job", "decision"),
        [
            (lost_job(when_absent="ask"), "aside"),
            (lost_job(when_absent="nothing"), "uncertain"),
            (lost_job(sends=SENDS - 1), "send"),
            (lost_job(sends=SENDS), "uncertain"),
            (lost_job(sends=SENDS, when_absent="ask"), "aside"),
            (lost_job(task_id="T-1"), "uncertain"),
            (lost_job(task_id="T-1", when_absent="ask"), "uncertain"),
        ],
    )
    def test_what_is_provably_absent_is_sent_again_unless_something_speaks_against_it(self, job, decision):
        assert decide(job, ABSENT, waited=GRACE) == decision

    @pytest.mark.parametrize("look", [ABSENT, SHOWN_NOTHING, SHOWN_NOTHING._replace(whole=False)])
    def test_the_users_word_needs_no_proof(self, look):
        assert decide(lost_job(sends=9, when_absent="ask", insist=True), look, waited=0.0) == "send"


class TestNextLook:
    @pytest.mark.parametrize(
        ("now", "looks", "expected"),
        [
            (100.0, 0, 100.0),
            (100.0, 1, 100.0 + FIRST),
            (104.0, 2, 106.0),
            (140.0, 3, 140.0 + LONGEST),
            (100.0 + GRACE - 0.5, 9, 100.0 + GRACE),
            (100.0 + GRACE, 9, 100.0 + GRACE + LATER),
            (9999.0, 99, 9999.0 + LATER),
        ],
    )
    def test_ever_later_and_once_at_the_end_of_the_grace(self, now, looks, expected):
        assert next_look(now, 100.0, looks, 100.0 + GRACE) == expected


@pytest.fixture
def hasty(monkeypatch):
    """Let a hundredth of a second pass between two looks."""
    monkeypatch.setattr(searching, "FIRST", 0.01)
    monkeypatch.setattr(searching, "LONGEST", 0.01)
    monkeypatch.setattr(searching, "LATER", 0.01)


@pytest.fixture
def control(bench):
    """A task that the gateway shows, so that it is believed when it does not show another."""
    job = bench.submit()
    assert bench.settle(job) == ["succeeded"]
    return job


def hide(bench, job=None):
    """Have the gateway show no task, or all but one."""
    match = job and job.record.external_task_id
    return [bench.sandbox.faults.add(on, "late", times=None, match=match) for on in ("query", "list")]


def lose(bench, *, arrives=True, **options):
    """Submit a task whose answer is lost and which is not shown."""
    job = bench.plan(2, **options)
    hidden = hide(bench, job)
    bench.sandbox.faults.add("create", "lost" if arrives else "reset")
    bench.runner.submit(job)
    return job, hidden[0]


@pytest.mark.usefixtures("hasty")
class TestFoundLate:
    def test_within_the_grace(self, bench, sandbox, eventually):
        job, hidden = lose(bench, grace=3600.0)
        eventually(lambda: hidden.used > 3)
        assert (job.record.task_status, job.settled) == ("uncertain", False)
        assert "Looking whether the gateway has the task; nothing is sent twice." in job.note
        sandbox.faults.clear()
        assert bench.settle(job) == ["succeeded"]
        bench.check_saved(job)
        assert (bench.posts, len(bench.entries(job)), job.record.sends) == (1, 1, 1)

    def test_also_after_it_was_called_uncertain(self, bench, sandbox, control):
        job, _ = lose(bench)
        job.when_absent = "nothing"
        assert bench.settle(job) == ["uncertain"]
        assert (bench.stored(job).task_status, job.note) == ("uncertain", "")
        assert job.record.id not in bench.runner.jobs
        sandbox.faults.clear()
        bench.until(lambda: job.record.task_status == "succeeded" and job.settled)
        bench.check_saved(job)
        assert (bench.posts, len(bench.entries(job))) == (2, 1)

    def test_what_was_called_uncertain_is_not_sent_when_its_absence_is_proven_later(
        self, bench, sandbox, control, eventually
    ):
        """The user has been told, and may have acted on it."""
        job = bench.plan(2)
        hide(bench)
        sandbox.faults.add("create", "reset")
        bench.runner.submit(job)
        assert bench.settle(job) == ["uncertain"]
        sandbox.faults.clear()
        lists = bench.lists
        eventually(lambda: bench.lists > lists + 3)
        assert (job.record.task_status, bench.posts) == ("uncertain", 2)

    def test_while_the_gateway_could_not_be_asked(self, bench, sandbox, control, eventually):
        job, _ = lose(bench, arrives=False)
        broken = sandbox.faults.add("query", "status", times=None, message="maintenance")
        eventually(lambda: broken.used > 5)
        assert (job.settled, bench.posts) == (False, 2)
        assert "maintenance" in job.note
        sandbox.faults.clear()
        assert bench.settle(job) == ["succeeded"]
        assert len(bench.entries(job)) == 1

    def test_what_the_search_is_given_up_for_stays_uncertain(self, bench, monkeypatch, eventually):
        monkeypatch.setattr(searching, "LOOK_FOR", 0.0)
        job, _ = lose(bench)
        assert bench.settle(job) == ["uncertain"]
        eventually(lambda: not bench.runner._searcher._searches)


def test_whatever_a_list_names_is_taken_up(bench, sandbox):
    """The next look of its own would come in a minute."""
    job, _ = lose(bench)
    assert bench.settle(job) == ["uncertain"]
    sandbox.faults.clear()
    sandbox.hold()
    others = bench.submit_many(following.LIST_FROM)
    bench.until(lambda: job.record.task_id is not None)
    sandbox.release()
    assert bench.settle(job, *others) == ["succeeded"] * 4
    bench.check_saved(job)
    assert bench.posts == 4


def test_what_a_list_names_while_its_absence_is_proven_is_not_sent(bench, sandbox, control, monkeypatch):
    job = bench.plan(2, grace=0.0)
    hide(bench, job)
    sandbox.faults.add("create", "lost")
    real = bench.client.query_many

    def query_many(page, size):
        listed = [state for state in real(page, size) if state.task_id == control.record.task_id]
        sandbox.faults.clear()
        assert bench.runner.found(bench.client.query(job.record.external_task_id))
        monkeypatch.undo()
        return listed

    monkeypatch.setattr(bench.client, "query_many", query_many)
    bench.runner.submit(job)
    assert bench.settle(job) == ["succeeded"]
    bench.check_saved(job)
    assert (bench.posts, len(bench.entries(job)), bench.stored(job).sends) == (2, 1, 1)


class TestSentAgain:
    def test_at_most_so_often(self, bench, sandbox, control):
        sandbox.faults.add("create", "reset", times=None)
        job = bench.submit(2)
        assert bench.settle(job) == ["uncertain"]
        assert (bench.posts, bench.stored(job).sends, bench.entries(job)) == (1 + SENDS, SENDS, [])

    def test_until_it_comes(self, bench, sandbox, control):
        sandbox.faults.add("create", "reset", times=SENDS - 1)
        job = bench.submit(2)
        assert bench.settle(job) == ["succeeded"]
        assert (bench.posts, bench.stored(job).sends, len(bench.entries(job))) == (1 + SENDS, SENDS, 1)
        bench.check_saved(job)

    def test_never_where_absence_is_not_proven(self, bench, sandbox):
        job, _ = lose(bench, arrives=False)
        assert bench.settle(job) == ["uncertain"]
        assert (bench.posts, bench.stored(job).sends) == (1, 1)

    def test_is_a_task_as_planned_in_the_journal(self, bench, sandbox, control, eventually):
        sandbox.faults.add("create", "reset")
        hang = sandbox.faults.add("create", "hang", after=1)
        job = bench.submit(2)
        eventually(lambda: hang.used)
        written = [status for some_id, status in bench.store.book.commits if some_id == job.record.id]
        assert written == ["sending", "uncertain", "planned", "sending"]
        hang.release()
        bench.settle(job)

    def test_a_refusal_of_the_second_time_does_not_undo_the_first(self, bench, sandbox, control):
        """It came after all, and the gateway does not take an id twice."""
        job, _ = lose(bench)
        assert bench.settle(job) == ["uncertain"]
        assert (bench.posts, len(bench.entries(job)), bench.stored(job).sends) == (3, 1, 2)
        assert "was lost" in bench.stored(job).failure.message
        sandbox.faults.clear()
        bench.restart()
        again = bench.adopt(job)
        assert bench.settle(again) == ["succeeded"]
        assert bench.posts == 3

    @pytest.mark.parametrize(("when_absent", "status"), [("ask", "planned"), ("nothing", "uncertain")])
    def test_not_where_the_user_is_to_be_asked(self, bench, control, when_absent, status):
        job, _ = lose(bench, arrives=False)
        job.when_absent = when_absent
        assert bench.settle(job) == [status]
        assert (bench.posts, bench.entries(job)) == (2, [])
        stored = bench.stored(job)
        # Whoever the user tells, in whichever kernel, may take it.
        assert (stored.task_status, stored.owner, stored.sent_at is None) == (status, "", status == "planned")
        assert stored.sends == 1
        assert bench.runner.jobs == {}

    def test_not_after_an_interrupt(self, bench, sandbox, control, hasty, eventually):
        job, hidden = lose(bench, arrives=False, grace=3600.0)
        eventually(lambda: hidden.used > 1)
        assert bench.runner.cancel([job]) == []
        job.grace = 0.0
        bench.runner.search(job)
        assert bench.settle(job) == ["planned"]
        assert (bench.posts, bench.entries(job)) == (2, [])


class TestInsisting:
    def left(self, bench, *, arrives):
        job, _ = lose(bench, arrives=arrives)
        assert bench.settle(job) == ["uncertain"]
        bench.restart()
        return job

    def test_sends_without_proof(self, bench):
        job = self.left(bench, arrives=False)
        again = bench.adopt(job, grace=3600.0, insist=True, body=bench.body(job))
        bench.until(lambda: bench.posts == 2)
        bench.sandbox.faults.clear()
        assert bench.settle(again) == ["succeeded"]
        assert (len(bench.entries(job)), bench.stored(job).sends, again.insist) == (1, 2, False)

    def test_leaves_it_in_doubt_for_whoever_comes_next_while_it_waits(self, bench, quick):
        job = self.left(bench, arrives=False)
        bench.sandbox.faults.clear()
        refusals = bench.sandbox.faults.add("create", "status", times=None, status=429, code=1302)
        again = bench.adopt(job, grace=3600.0, insist=True, body=bench.body(job))
        bench.until(lambda: refusals.used > 3 and again.record.task_status == "planned")
        assert bench.stored(job).task_status in ("uncertain", "sending")
        bench.runner.cancel([again])
        assert bench.settle(again) == ["uncertain"]
        assert bench.stored(job).task_status == "uncertain"
        # Cancelled while it was just being sent and refused, it has been sent twice.
        assert bench.stored(job).sends in (1, 2)

    def test_sends_nothing_that_is_found(self, bench):
        job = self.left(bench, arrives=True)
        bench.sandbox.faults.clear()
        assert bench.settle(bench.adopt(job, insist=True)) == ["succeeded"]
        assert bench.posts == 1

    def test_is_still_uncertain_where_the_id_is_refused_as_used(self, bench):
        job = self.left(bench, arrives=True)
        again = bench.adopt(job, insist=True, body=bench.body(job))
        assert bench.settle(again) == ["uncertain"]
        assert (bench.posts, len(bench.entries(job))) == (2, 1)

    @pytest.mark.parametrize(("status", "code"), [(401, 1002), (429, 1102)])
    def test_is_still_uncertain_where_it_could_not_be_sent(self, bench, status, code):
        """That nothing came of it this time says nothing of the first time."""
        job = self.left(bench, arrives=True)
        bench.sandbox.faults.add("create", "status", status=status, code=code)
        again = bench.adopt(job, insist=True, body=bench.body(job))
        assert bench.settle(again) == ["uncertain"]
        assert bench.stored(job).failure.code == str(code)
        assert bench.stored(job).sent_at


@pytest.mark.promise("the machine's clock is changed")
@pytest.mark.usefixtures("hasty")
class TestClocks:
    def test_set_forward_shortens_no_wait(self, bench, control, eventually):
        job, hidden = lose(bench, arrives=False, grace=3600.0)
        eventually(lambda: hidden.used > 0)
        bench.clock = lambda: time.time() + 86_400.0
        used = hidden.used
        eventually(lambda: hidden.used > used + 5)
        assert (job.record.task_status, job.settled, bench.posts) == ("uncertain", False, 2)

    def test_set_back_makes_no_wait_endless(self, bench, control):
        bench.clock = lambda: time.time() - 86_400.0
        job, _ = lose(bench, arrives=False)
        bench.until(lambda: bench.posts >= 3)
        bench.sandbox.faults.clear()
        assert bench.settle(job) == ["succeeded"]

    @pytest.mark.parametrize("set_back", [pytest.param(0.0, marks=pytest.mark.slow), 86_400.0])
    def test_what_an_earlier_kernel_sent_has_waited_since_then(self, bench, control, set_back):
        job, _ = lose(bench, arrives=False)
        job.when_absent = "nothing"
        bench.settle(job)
        bench.restart()
        if not set_back:
            stored = bench.stored(job)
            bench.store.journal.update(replace(stored, sent_at=stored.sent_at - 200.0))
        bench.clock = lambda: time.time() - set_back
        grace = 120.0 if not set_back else 0.05
        assert bench.settle(bench.adopt(job, grace=grace, when_absent="ask")) == ["planned"]

    def test_set_forward_between_two_kernels_shortens_no_wait(self, bench, control, eventually):
        job, hidden = lose(bench, arrives=False)
        job.when_absent = "nothing"
        bench.settle(job)
        bench.restart()
        bench.clock = lambda: time.time() + 86_400.0
        used = hidden.used
        again = bench.adopt(job, grace=3600.0, body=bench.body(job))
        eventually(lambda: hidden.used > used + 3)
        assert (again.record.task_status, again.settled, bench.posts) == ("uncertain", False, 2)


class TestTakenWhileThisMachineSlept:
    def taken_by_another(self, bench, job, status):
        change = "UPDATE tasks SET owner = 'another|boot|space|1|2', task_status = ? WHERE id = ?"
        bench.store.journal._database.commit(lambda connection: connection.execute(change, [status, job.record.id]))

    @pytest.mark.parametrize("status", ["planned", "uncertain", "cancelled", "failed"])
    def test_an_answer_that_comes_late_is_written_down_all_the_same(self, bench, sandbox, status, eventually):
        fault = sandbox.faults.add("create", "hang", processed=False)
        job = bench.submit(2)
        eventually(lambda: bench.posts == 1)
        self.taken_by_another(bench, job, status)
        fault.release()
        assert bench.settle(job) == ["succeeded"]
        bench.check_saved(job)
        assert len(bench.entries(job)) == 1

    def test_what_was_not_sent_yet_is_left_to_the_other(self, bench, sandbox, eventually):
        sandbox.stop()
        job = bench.plan(2)
        job.listeners.append(
            lambda job: self.taken_by_another(bench, job, "planned") if "trying again" in job.note else None
        )
        bench.runner.submit(job)
        bench.until(lambda: job.settled)
        sandbox.start()
        assert (job.aside, bench.stored(job).task_status, bench.entries()) == (True, "planned", [])


class TestForgottenByTheGateway:
    @pytest.fixture(autouse=True)
    def quickly_given_up(self, monkeypatch):
        monkeypatch.setattr(following, "UNKNOWN_FOR", 0.0)

    def forgotten(self, bench, **options):
        bench.sandbox.hold()
        job = bench.submit(2, **options)
        bench.until(lambda: job.record.task_id is not None)
        return job, hide(bench, job)[0]

    def test_is_looked_for_and_taken_up_when_it_turns_up_again(self, bench, hasty, eventually):
        job, _ = self.forgotten(bench)
        assert bench.settle(job) == ["uncertain"]
        before = bench.stored(job)
        assert before.failure.message.startswith("The gateway no longer knows the task: ")
        bench.sandbox.faults.clear()
        bench.sandbox.release()
        bench.until(lambda: job.record.task_status == "succeeded" and job.settled)
        assert (job.record.task_id, job.record.submitted_at) == (before.task_id, before.submitted_at)
        bench.check_saved(job)
        assert bench.posts == 1

    def test_is_never_sent_again(self, bench, control):
        """It did exist, whatever is proven now."""
        job, _ = self.forgotten(bench)
        assert bench.settle(job) == ["uncertain"]
        assert (bench.posts, len(bench.entries(job))) == (2, 1)
        bench.restart()
        assert bench.settle(bench.adopt(job)) == ["uncertain"]

    def test_is_not_given_up_before_the_grace(self, bench, eventually):
        job, hidden = self.forgotten(bench, grace=3600.0)
        eventually(lambda: hidden.used > 2 * following.UNKNOWN_LIMIT)
        assert job.record.task_status in ("submitted", "processing")


class TestClosing:
    def test_says_how_many_are_looked_for(self, bench, eventually, threads):
        job, hidden = lose(bench, grace=3600.0)
        eventually(lambda: hidden.used > 0)
        assert bench.runner.close(join=60.0) == (0, 0, 1)
        assert threads() == []
        assert (bench.stored(job).task_status, bench.stored(job).owner) == ("uncertain", "")
        bench.sandbox.faults.clear()
        bench.restart()
        assert bench.settle(bench.adopt(job)) == ["succeeded"]
        assert bench.posts == 1

    def test_a_second_search_takes_the_place_of_the_first(self, bench, sandbox, control):
        """As when the user says `resume --send` while the task is still looked for."""
        job, _ = lose(bench, arrives=False)
        job.when_absent = "nothing"
        bench.settle(job)
        again = bench.adopt(job, body=bench.body(job))
        assert again is not job
        sandbox.faults.clear()
        assert bench.settle(again) == ["succeeded"]
        assert (job.record.task_status, len(bench.entries(job))) == ("uncertain", 1)
        assert replace(bench.stored(job), references=()) == replace(again.record, references=())
