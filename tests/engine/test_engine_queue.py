"""The queue: what is refused waits and is sent again, the slots are learned, and kernels share them."""

import time
from dataclasses import replace

import pytest

from kling_nb.engine import queue
from kling_nb.engine.limits import ALONE
from kling_nb.errors import WorkspaceError
from kling_nb.records import SlotLimit
from kling_nb.sandbox import Sandbox

MODEL = "kling-v2-1"
OTHER = "kling-v2"


def refuse(sandbox, code=1303, **options):
    return sandbox.faults.add("create", "status", status=429, code=code, **options)


@pytest.fixture
def account(tmp_path):
    """Make gateways with few slots."""
    made = []

    def make(slots, **options):
        made.append(Sandbox(tmp_path / f"account{len(made)}", slots=slots, images="constant", **options).start())
        return made[-1]

    yield make
    for sandbox in made:
        sandbox.stop()


@pytest.fixture
def endless(monkeypatch):
    """Let a pause after a refusal last until something ends it."""
    asked = []

    def delay(failures, *, first, longest, jitter):
        asked.append(failures)
        return 3600.0

    monkeypatch.setattr(queue.backoff, "delay", delay)
    return asked


def learned(bench, model_name=MODEL):
    return bench.store.journal.slots.read("sandbox", model_name)


def pause(bench, pool):
    """Seconds for which nothing of a model is sent."""
    return bench.runner.queue._closed_until.get(pool, 0.0) - time.monotonic()


class TestRefusedForNow:
    def test_it_waits_ever_longer_and_goes_on(self, bench, sandbox, quick):
        refuse(sandbox, times=4)
        job = bench.submit()
        assert bench.settle(job) == ["succeeded"]
        assert quick[:4] == [1, 2, 3, 4]
        assert (bench.posts, len(bench.entries())) == (5, 1)

    def test_what_was_taken_begins_the_counting_anew(self, bench, sandbox, quick):
        refuse(sandbox, times=2)
        bench.settle(bench.submit())
        sandbox.faults.clear()
        refuse(sandbox)
        bench.settle(bench.submit())
        assert quick[:3] == [1, 2, 1]

    def test_those_that_were_under_way_together_are_refused_once(self, bench, sandbox, endless, eventually):
        hang = sandbox.faults.add("create", "hang", times=4, processed=False)
        refuse(sandbox, times=4)
        jobs = bench.submit_many(4)
        eventually(lambda: hang.used == 4)
        hang.release()
        bench.until(lambda: all(job.note for job in jobs))
        assert endless == [1, 1, 1, 1]
        bench.runner.cancel(jobs)

    def test_it_keeps_its_place(self, bench, sandbox, quick):
        refuse(sandbox)
        jobs = bench.submit_many(3, limit=1)
        assert bench.settle(*jobs) == ["succeeded"] * 3
        order = [entry.external_task_id for entry in bench.entries()]
        assert order == [job.record.external_task_id for job in jobs]

    def test_for_want_of_slots_other_models_go_on(self, bench, sandbox, endless):
        refuse(sandbox)
        job = bench.submit()
        bench.until(lambda: job.note)
        assert bench.settle(bench.submit(model_name=OTHER)) == ["succeeded"]
        assert job.record.task_status == "planned"
        bench.runner.cancel([job])

    def test_asked_too_often_nothing_is_sent(self, bench, sandbox, endless):
        refuse(sandbox, 1302)
        jobs = [bench.submit()]
        bench.until(lambda: jobs[0].note)
        jobs.append(bench.submit(model_name=OTHER))
        assert [job.record.task_status for job in jobs] == ["planned"] * 2
        assert bench.posts == 1
        assert learned(bench).refusals == 9
        assert bench.runner.cancel(jobs) == jobs
        assert bench.settle(*jobs) == ["cancelled"] * 2

    def test_an_end_frees_slots_and_ends_the_pause(self, bench, sandbox, endless):
        sandbox.hold()
        first = bench.submit()
        bench.until(lambda: first.record.task_id is not None)
        refuse(sandbox)
        second = bench.submit()
        bench.until(lambda: second.note)
        sandbox.release()
        assert bench.settle(first, second) == ["succeeded"] * 2
        assert bench.posts == 3

    def test_interrupted_meanwhile_it_is_not_sent_again(self, bench, sandbox, endless, eventually):
        hang = sandbox.faults.add("create", "hang", processed=False)
        refuse(sandbox)
        job = bench.submit()
        eventually(lambda: hang.used)
        assert bench.runner.cancel([job]) == []
        hang.release()
        assert bench.settle(job) == ["cancelled"]
        assert (bench.posts, bench.entries(), bench.stored(job).sends) == (1, [], 0)

    def test_after_the_end_of_the_runner_it_is_anyones_to_send(self, bench, sandbox, endless, eventually):
        hang = sandbox.faults.add("create", "hang", processed=False)
        refuse(sandbox)
        job = bench.submit()
        eventually(lambda: hang.used)
        assert bench.runner.close(sending=0.0, join=0.0) == (1, 0, 0)
        hang.release()
        eventually(lambda: bench.stored(job).task_status == "planned")
        stored = bench.stored(job)
        assert (stored.owner, stored.sent_at, stored.sends) == ("", None, 0)


class TestRetryAfter:
    @pytest.mark.parametrize(("code", "pool"), [(1302, ""), (1303, MODEL)])
    def test_is_honoured(self, bench, sandbox, quick, code, pool):
        refuse(sandbox, code, retry_after="200")
        job = bench.submit()
        bench.until(lambda: job.note)
        assert 100.0 < pause(bench, pool) <= 200.0
        bench.runner.cancel([job])

    def test_does_not_shorten_the_pause(self, bench, sandbox, endless):
        refuse(sandbox, retry_after="1")
        job = bench.submit()
        bench.until(lambda: job.note)
        assert pause(bench, MODEL) > 3000.0
        bench.runner.cancel([job])

    def test_of_the_first_holds_for_those_refused_with_it(self, bench, sandbox, quick, eventually):
        hang = sandbox.faults.add("create", "hang", times=2, processed=False)
        refuse(sandbox, retry_after="200")
        refuse(sandbox)
        jobs = bench.submit_many(2)
        eventually(lambda: hang.used == 2)
        hang.release()
        bench.until(lambda: all(job.note for job in jobs))
        assert pause(bench, MODEL) > 100.0
        bench.runner.cancel(jobs)


class TestLearning:
    def test_the_slots_are_found_and_remembered(self, make_bench, account, quick, eventually):
        sandbox = account(6, seconds=0)
        sandbox.hold()
        bench = make_bench(at=sandbox, probes=True)
        jobs = bench.submit_many(10, limit=3)
        eventually(lambda: (learned(bench) or SlotLimit(0, 0)).refusals)
        assert len(bench.entries()) == 6
        known = learned(bench)
        assert replace(known, refused_at=0.0) == SlotLimit(3, 6, largest=1, refusals=1, ceiling=6, most=6)
        assert known.refused_at > 0
        sandbox.release()
        assert bench.settle(*jobs) == ["succeeded"] * 10

    def test_another_runner_begins_with_what_was_learned(self, make_bench, account, eventually):
        sandbox = account(6, seconds=0)
        bench = make_bench(at=sandbox, probes=True)
        known = SlotLimit(3, 6, 1, 1, time.time(), ceiling=6, most=6)
        bench.store.journal.slots.write("sandbox", MODEL, known)
        sandbox.hold()
        jobs = bench.submit_many(10, limit=3)
        eventually(lambda: len(bench.entries()) == 6)
        bench.until(lambda: sum(job.record.task_id is not None for job in jobs) == 6)
        assert (bench.posts, [job.record.task_status for job in jobs[6:]]) == (6, ["planned"] * 4)
        sandbox.release()
        assert bench.settle(*jobs) == ["succeeded"] * 10
        assert learned(bench) == known

    def test_after_a_refusal_smaller_ones_go_up_to_the_ceiling_at_once(self, make_bench, account, endless, eventually):
        sandbox = account(7, seconds=0)
        bench = make_bench(at=sandbox, probes=True)
        sandbox.hold()
        first = bench.submit(3, limit=3)
        bench.until(lambda: first.record.task_id is not None)
        jobs = [bench.submit(n, limit=3) for n in (5, 1, 2, 1)]
        bench.until(lambda: jobs[0].note)
        # The pause is over.
        bench.runner.queue.freed(MODEL)
        eventually(lambda: len(bench.entries()) == 4)
        eventually(lambda: learned(bench).slots == 7)
        assert (bench.posts, jobs[0].record.task_status) == (5, "planned")
        assert replace(learned(bench), refused_at=0.0) == SlotLimit(3, 7, 3, 1, ceiling=7, most=7)
        sandbox.release()
        assert bench.settle(first, *jobs) == ["succeeded"] * 5

    def test_what_is_still_under_way_is_not_yet_known_to_fit(self, make_bench, account, endless, eventually):
        sandbox = account(2, seconds=0)
        bench = make_bench(at=sandbox, probes=True)
        sandbox.hold()
        hang = sandbox.faults.add("create", "hang", after=2, times=3, processed=False)
        refuse(sandbox, after=2, times=3)
        jobs = bench.submit_many(5, limit=5)
        eventually(lambda: hang.used == 3 and (learned(bench) or SlotLimit(0, 0)).most == 2)
        assert learned(bench) == SlotLimit(5, 5, largest=1, most=2)
        hang.release()
        bench.until(lambda: sum(bool(job.note) for job in jobs) == 3)
        known = bench.runner.queue._limits[MODEL]
        # Together they are one refusal.
        assert (known.refusals, known.most) == (1, 2)
        assert 2 <= known.slots <= known.ceiling <= 4
        sandbox.release()
        assert bench.settle(*jobs) == ["succeeded"] * 5

    def test_after_a_crowded_phase_they_run_side_by_side_again(self, make_bench, account, quick, eventually):
        sandbox = account(20, seconds=0)
        bench = make_bench(at=sandbox, probes=True)
        sandbox.hold()
        fault = refuse(sandbox, times=None)
        jobs = bench.submit_many(10, limit=5)
        # They are sent one at a time by now, and so none is refused beside one that is taken.
        eventually(lambda: fault.used > 8 and (known := learned(bench)) and (known.slots, known.refusals) == (1, 0))
        sandbox.faults.clear()
        eventually(lambda: len(bench.entries()) == 10 and learned(bench).most == 10)
        sandbox.release()
        assert bench.settle(*jobs) == ["succeeded"] * 10

    def test_another_setting_begins_anew(self, make_bench, account, eventually):
        bench = make_bench(at=account(20, seconds=0), probes=True)
        bench.store.journal.slots.write("sandbox", MODEL, SlotLimit(3, 1, 1, 9, time.time()))
        assert bench.settle(*bench.submit_many(4, limit=4)) == ["succeeded"] * 4
        assert learned(bench).begun == 4

    def test_a_memory_that_cannot_be_used_costs_nothing(self, bench):
        class Broken:
            def read(self, *key):
                raise WorkspaceError("The disk is gone.")

            write = read

        bench.probes = True
        bench.store.book.slots = Broken()
        assert bench.settle(*bench.submit_many(3, limit=2)) == ["succeeded"] * 3


class TestTooLarge:
    def test_it_fails_with_the_n_that_fits(self, make_bench, account, quick):
        bench = make_bench(at=account(4, seconds=0), probes=True)
        job = bench.submit(6, limit=4)
        assert bench.settle(job) == ["failed"]
        failure = bench.stored(job).failure
        assert (failure.kind, failure.code) == ("TooManyRequests", "1303")
        assert f"n=6 was refused {ALONE} times while nothing else was running" in failure.message
        assert "Ask for n=4 or fewer" in job.error.advice
        assert (bench.posts, bench.entries()) == (ALONE, [])
        assert bench.settle(bench.submit(4, limit=4)) == ["succeeded"]

    def test_it_does_not_count_what_was_refused_beside_others(self, make_bench, account, quick, eventually):
        sandbox = account(6, seconds=0)
        bench = make_bench(at=sandbox, probes=True)
        sandbox.hold()
        first = bench.submit(3, limit=20)
        bench.until(lambda: first.record.task_id is not None)
        large = bench.submit(6, limit=20)
        eventually(lambda: bench.posts > 1)
        bench.until(lambda: large.note)
        # Now it is known not to fit beside the first, and waits for its end.
        assert (large.record.task_status, large.refused_alone) == ("planned", 0)
        sandbox.release()
        assert bench.settle(first, large) == ["succeeded"] * 2

    def test_what_another_kernel_may_have_left_at_the_gateway_counts_as_another(self, bench, sandbox, quick):
        """Then it was not refused alone."""
        ghost = bench.plan(3)
        dead = replace(ghost.record, task_status="submitted", sent_at=time.time(), owner="", task_id="T-0")
        bench.store.journal.update(dead)
        refuse(sandbox, times=ALONE + 2)
        job = bench.submit(6)
        assert bench.settle(job) == ["succeeded"]
        assert job.refused_alone == 0

    def test_what_was_taken_before_waits_however_often_it_is_refused(self, bench, sandbox, quick):
        """Someone else uses the account, and will not for ever."""
        bench.settle(bench.submit(6))
        refuse(sandbox, times=ALONE + 3)
        assert bench.settle(bench.submit(6)) == ["succeeded"]


class TestSeveralKernels:
    FIRST, SECOND = "one|boot|space|1|1", "two|boot|space|2|2"

    @pytest.fixture
    def pair(self, make_bench, tmp_path, monkeypatch):
        """Two kernels with one workspace and one account."""
        monkeypatch.setattr(queue, "LOOK", 0.01)

        def make(sandbox):
            folder = tmp_path / "shared"
            return [
                make_bench(at=sandbox, folder=folder, me=lambda name=name: name, first=first)
                for name, first in ((self.FIRST, 1), (self.SECOND, 1000))
            ]

        return make

    def test_never_exceed_the_slots_together(self, pair, account):
        sandbox = account(7, seconds=0.02)
        benches = pair(sandbox)
        jobs = [(bench, bench.submit(n, limit=7)) for _ in range(4) for n in (1, 2, 3) for bench in benches]
        for bench in benches:
            mine = [job for whose, job in jobs if whose is bench]
            assert set(bench.settle(*mine)) == {"succeeded"}
        # The account would have refused what is too much.
        assert benches[0].posts == len(benches[0].entries()) == len(jobs)

    def test_one_waits_for_what_the_other_has(self, pair, account):
        sandbox = account(20, seconds=0)
        one, two = pair(sandbox)
        sandbox.hold()
        first = one.submit(4, limit=5)
        one.until(lambda: first.record.task_id is not None)
        second = two.submit(2, limit=5)
        two.until(lambda: second.note)
        assert second.note == "Another kernel of this workspace has the slots; waiting for them."
        assert (two.stored(second).task_status, two.posts) == ("planned", 1)
        # It is not tried again and again.
        assert two.runner.queue._theirs[MODEL] == 4
        small = two.submit(1, limit=5)
        two.until(lambda: small.record.task_id is not None)
        sandbox.release()
        assert one.settle(first) == ["succeeded"]
        assert two.settle(second, small) == ["succeeded"] * 2

    def test_a_task_that_another_has_taken_is_let_go_of(self, pair, account):
        sandbox = account(20, seconds=0)
        one, two = pair(sandbox)
        job = one.plan()
        one.store.journal.leases.release([job.record.id])
        taken = two.store.journal.leases.take(job.record.id)
        one.runner.submit(job)
        one.until(lambda: job.settled)
        one.runner.close(join=60.0)
        assert (job.aside, job.record, one.posts) == (True, replace(taken, references=job.record.references), 0)
        assert one.runner.jobs == {}

    def test_what_is_taken_over_while_it_is_followed_is_let_go_of(self, pair, account):
        """As when this machine slept, and the other kernel held it to be dead."""
        sandbox = account(20, seconds=0)
        one, two = pair(sandbox)
        sandbox.hold()
        job = one.submit(2)
        one.until(lambda: job.record.task_id is not None)
        one.store.journal.leases.release([job.record.id])
        assert two.store.journal.leases.take(job.record.id)
        adopted = two.adopt(job)
        sandbox.release()
        assert two.settle(adopted) == ["succeeded"]
        one.until(lambda: job.settled)
        assert job.aside
        assert two.stored(job).owner == self.SECOND
        two.check_saved(adopted)


def test_signs_of_life_are_given_while_there_are_tasks(bench, sandbox, monkeypatch, eventually):
    monkeypatch.setattr(queue, "BEAT", 0.01)
    sandbox.hold()
    job = bench.submit()
    seen = lambda: bench.store.journal._database.read("SELECT beat_at FROM kernels")[0]["beat_at"]  # noqa: E731
    first = seen()
    eventually(lambda: seen() > first)
    sandbox.release()
    bench.settle(job)
    eventually(lambda: bench.runner.queue._thread is None)


class TestManyWait:
    def test_the_oldest_go_first_and_only_they_are_looked_at(self, bench, sandbox, monkeypatch):
        monkeypatch.setattr(queue, "AHEAD", 3)
        sandbox.hold()
        first = bench.submit(limit=4, n=4)
        jobs = [*bench.submit_many(6, n=2), bench.submit(n=1)]
        bench.until(lambda: first.record.task_status in ("submitted", "processing"))
        assert bench.runner.queue.waiting() == jobs
        sandbox.release()
        assert bench.settle(first, *jobs) == ["succeeded"] * 8
        sent = sorted(jobs, key=lambda job: job.record.sent_at)
        # Two of n=2 at a time; the one of n=1, beyond those looked at, does not go ahead of them.
        assert sent[-1] is jobs[-1] or sent.index(jobs[-1]) >= 4

    def test_models_wait_apart(self, bench, sandbox):
        sandbox.hold()
        held = bench.submit(limit=4, n=4)
        waiting = bench.submit_many(3, n=2)
        other = bench.submit(n=2, model_name=OTHER, limit=4)
        bench.until(lambda: other.record.task_status in ("submitted", "processing"))
        assert bench.runner.queue.waiting() == waiting
        assert bench.runner.cancel(waiting[1:]) == waiting[1:]
        assert bench.runner.queue.waiting() == waiting[:1]
        sandbox.release()
        assert bench.settle(held, waiting[0], other) == ["succeeded"] * 3
        assert bench.runner.queue.waiting() == []
