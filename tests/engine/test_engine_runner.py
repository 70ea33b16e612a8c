"""The runner at work: tasks from plan to saved images, slots, refusals, cancelling, closing."""

import gc
import random
import threading
import weakref
from itertools import pairwise

import pytest

from kling_nb.engine import following
from kling_nb.engine.sending import REACH
from kling_nb.engine.slots import PATIENCE
from kling_nb.errors import WorkspaceError
from kling_nb.records import ENDED
from kling_nb.remote.client import Timeouts
from kling_nb.sandbox import Sandbox
from kling_nb.workspace.owners import this_process

STEPS = ["sending", "submitted", "succeeded", "succeeded"]


def listen(job):
    """Return a list that will hold every status that listeners are told of, without repetitions."""
    told = []

    def note(changed):
        assert changed is job
        if not told or told[-1] != job.record.task_status:
            told.append(job.record.task_status)

    job.listeners.append(note)
    return told


class TestOneTask:
    def test_from_plan_to_saved_images(self, bench, sandbox):
        sandbox.hold("submitted")
        job = bench.plan(3)
        told = listen(job)
        bench.runner.submit(job)
        bench.until(lambda: job.record.task_status == "submitted")
        assert bench.stored(job).task_id == job.record.task_id == bench.entries()[0].task_id
        sandbox.hold("processing")
        bench.until(lambda: job.record.task_status == "processing")
        sandbox.finish()
        assert bench.settle(job) == ["succeeded"]
        assert told == ["sending", "submitted", "processing", "succeeded"]
        bench.check_saved(job)
        assert len({image.sha256 for image in job.record.images}) == 3
        assert [image.index for image in job.record.images] == [0, 1, 2]
        times = ("created_at", "sent_at", "submitted_at", "processing_at", "finished_at", "saved_at")
        known = [getattr(job.record, name) for name in times]
        assert known == sorted(known)
        assert job.record.units == "3"
        assert job.record.request_id
        assert (len(bench.entries()), bench.posts) == (1, 1)
        assert bench.runner.jobs == {}

    def test_few_commits(self, bench):
        job = bench.submit(9)
        bench.settle(job)
        assert bench.store.book.commits == [(job.record.id, status) for status in STEPS]

    def test_small_pictures_are_kept(self, bench):
        job = bench.submit(2, data=b"bytes of a reference")
        bench.settle(job)
        assert {bench.store.thumbnail(image.sha256) for image in job.record.images} == {b"small"}
        assert bench.store.thumbnail(f"{job.record.references[0].sha256}_96") == b"small"

    def test_small_pictures_that_cannot_be_made_cost_nothing(self, bench):
        def broken(data):
            raise OSError("no codec")

        bench.runner.thumbnail = bench.runner.preview = broken
        job = bench.submit(2, data=b"bytes")
        assert bench.settle(job) == ["succeeded"]
        bench.check_saved(job)

    def test_a_failed_task(self, bench):
        job = bench.submit(2, prompt="[sandbox: fail]")
        assert bench.settle(job) == ["failed"]
        record = bench.stored(job)
        assert record.failure.kind == "TaskFailed"
        assert "risk control" in record.failure.message
        assert (record.units, record.images, bench.entries()[0].billed) == ("0", (), 0)
        assert record.finished_at
        assert record.complete


class TestTheJournalFirst:
    def test_sending_is_committed_before_anything_leaves(self, bench, sandbox, eventually):
        fault = sandbox.faults.add("create", "hang", processed=False)
        job = bench.submit()
        eventually(lambda: bench.posts == 1)
        stored = bench.stored(job)
        assert (stored.task_status, stored.task_id, stored.submitted_at) == ("sending", None, None)
        assert stored.sent_at
        assert bench.entries() == []
        fault.release()
        assert bench.settle(job) == ["succeeded"]

    @pytest.mark.parametrize("error", [WorkspaceError("The disk is full."), RuntimeError("a bug")])
    def test_without_that_commit_nothing_is_sent(self, bench, error):
        bench.store.book.fails = lambda record: error if record.task_status == "sending" else None
        job = bench.submit()
        assert bench.settle(job) == ["failed"]
        assert bench.posts == 0
        stored = bench.stored(job)
        assert (stored.task_status, stored.sent_at) == ("failed", None)
        assert stored.failure.message == (
            "The disk is full." if isinstance(error, WorkspaceError) else "RuntimeError: a bug"
        )
        assert job.error is error

    def test_a_journal_that_is_gone_altogether(self, bench):
        bench.store.book.fails = lambda record: WorkspaceError("The disk is gone.")
        job = bench.submit()
        assert bench.settle(job) == ["failed"]
        assert bench.posts == 0
        assert bench.stored(job).task_status == "planned"

    def test_a_request_that_cannot_be_encoded_is_not_sent(self, bench):
        def broken():
            raise ValueError("no bytes")

        job = bench.submit(body=broken)
        assert bench.settle(job) == ["failed"]
        assert bench.posts == 0
        assert bench.stored(job).failure.message == "ValueError: no bytes"

    @pytest.mark.parametrize("error", [WorkspaceError("The disk is full."), RuntimeError("a bug")])
    @pytest.mark.parametrize("step", ["submitted", "succeeded"])
    def test_what_is_paid_is_followed_also_when_a_later_commit_fails(self, bench, step, error):
        failures = [error]
        bench.store.book.fails = lambda record: failures.pop() if record.task_status == step and failures else None
        job = bench.plan(2)
        notes = []
        job.listeners.append(lambda job: notes.append(job.note))
        bench.runner.submit(job)
        assert bench.settle(job) == ["succeeded"]
        assert any("It will be written as soon as that is possible." in note for note in notes)
        assert job.note == ""
        bench.check_saved(job)
        assert len(bench.entries()) == 1

    def test_what_was_never_written_is_kept_and_its_images_are_on_disk(self, bench):
        bench.store.book.fails = lambda record: WorkspaceError("Full.") if record.task_status != "sending" else None
        job = bench.submit(2)
        assert bench.settle(job) == ["succeeded"]
        assert bench.runner.jobs == {job.record.id: job}
        assert bench.stored(job).task_status == "sending"
        assert all(bench.store.read_image(image) for image in job.record.images)

    def test_images_that_are_on_disk_are_not_fetched_again(self, bench, sandbox):
        """As after a process that was killed between saving them and writing so."""
        bench.store.book.fails = lambda record: WorkspaceError("Full.") if record.saved_at else None
        job = bench.submit(3)
        bench.settle(job)
        assert bench.stored(job).missing == 3
        bench.store.book.fails = lambda record: None
        bench.restart()
        sandbox._shared.requests.clear()
        again = bench.adopt(job)
        assert bench.settle(again) == ["succeeded"]
        bench.check_saved(again)
        assert [seen for seen in sandbox.requests if seen.origin == "images"] == []
        assert [image.path for image in again.record.images] == [image.path for image in job.record.images]


class TestSlots:
    def test_are_never_exceeded(self, tmp_path, make_bench):
        with Sandbox(tmp_path / "busy", slots=20, seconds=0.03, images="constant") as sandbox:
            bench = make_bench(at=sandbox)
            dice = random.Random(5)
            jobs = [bench.submit(dice.choice([1, 1, 2, 3, 9]), limit=20) for _ in range(40)]
            assert set(bench.settle(*jobs)) == {"succeeded"}
            assert bench.posts == len(bench.entries()) == 40
            for job in jobs:
                bench.check_saved(job)
            bench.close()

    def test_are_all_used(self, bench, sandbox, eventually):
        sandbox.hold()
        jobs = bench.submit_many(12, limit=9)
        eventually(lambda: len(bench.entries()) == 9)
        assert [job.record.task_status for job in jobs[9:]] == ["planned"] * 3
        sandbox.finish(bench.entries()[0].task_id)
        eventually(lambda: len(bench.entries()) == 10)
        sandbox.release()
        assert set(bench.settle(*jobs)) == {"succeeded"}

    def test_each_model_has_its_own(self, bench, sandbox, eventually):
        sandbox.hold()
        jobs = [bench.submit(model_name=name, limit=1) for name in ("kling-v2", "kling-v2", "kling-v2-1")]
        eventually(lambda: len(bench.entries()) == 2)
        assert jobs[1].record.task_status == "planned"
        sandbox.release()
        bench.settle(*jobs)

    def test_a_task_larger_than_the_limit_runs_alone(self, bench, sandbox, eventually):
        sandbox.hold()
        first = bench.submit(1, limit=2)
        large = bench.submit(5, limit=2)
        bench.until(lambda: first.record.task_status in ("submitted", "processing"))
        assert large.record.task_status == "planned"
        hang = sandbox.faults.add("create", "hang")
        sandbox.finish()
        eventually(lambda: bench.entries(large))
        assert first.record.task_status == "succeeded"
        last = bench.submit(1, limit=2)
        assert last.record.task_status == "planned"
        assert bench.posts == 2
        hang.release()
        sandbox.release()
        assert bench.settle(first, large, last) == ["succeeded"] * 3

    def test_patience_is_not_used_up_by_tasks_of_another_model(self, bench, sandbox):
        sandbox.hold()
        first = bench.submit(3, limit=5)
        large = bench.submit(4, limit=5)
        others = bench.submit_many(PATIENCE + 2, model_name="kling-v2", limit=20)
        bench.until(lambda: all(job.record.task_id for job in (first, *others)))
        small = bench.submit(1, limit=5)
        bench.until(lambda: small.record.task_id is not None)
        assert large.record.task_status == "planned"
        sandbox.release()
        bench.settle(first, large, small, *others)


class TestFollowing:
    @pytest.fixture
    def bench(self, tmp_path, make_bench):
        with Sandbox(tmp_path / "large", slots=500, seconds=0, images="constant") as sandbox:
            bench = make_bench(at=sandbox)
            yield bench
            bench.close()

    def many_under_way(self, bench, count=30, **options):
        bench.sandbox.hold()
        jobs = bench.submit_many(count, limit=500, **options)
        bench.until(lambda: all(job.record.task_id for job in jobs))
        bench.sandbox._shared.requests.clear()
        return jobs

    def test_many_tasks_are_asked_for_with_one_call(self, bench):
        # So often that all are sent before a list has been trusted for as long as it is.
        jobs = self.many_under_way(bench, poll=0.3)
        bench.until(lambda: bench.lists >= 1)
        bench.sandbox.release()
        assert set(bench.settle(*jobs)) == {"succeeded"}
        assert bench.looks <= 3
        for job in jobs:
            bench.check_saved(job)

    def test_one_is_asked_for_by_itself(self, bench):
        job = bench.submit()
        bench.settle(job)
        assert (bench.lists, bench.looks >= 1) == (0, True)

    @pytest.mark.parametrize("shape", ["404", "405", "other"])
    def test_one_by_one_where_the_gateway_has_no_list(self, bench, shape, quick):
        bench.sandbox.faults.add("list", "no_list", times=None, shape=shape)
        jobs = self.many_under_way(bench, 10)
        bench.sandbox.release()
        assert set(bench.settle(*jobs)) == {"succeeded"}
        assert bench.looks >= 10
        assert bench.lists <= 3

    @pytest.mark.parametrize(
        ("do", "details"),
        [("status", {"status": 500}), ("html", {"status": 200}), ("reset", {}), ("truncated_json", {}), ("empty", {})],
    )
    def test_one_by_one_where_the_list_is_always_broken(self, bench, do, details, quick):
        bench.sandbox.faults.add("list", do, times=None, **details)
        jobs = self.many_under_way(bench, 10)
        bench.sandbox.release()
        assert set(bench.settle(*jobs)) == {"succeeded"}

    def test_a_list_without_images_is_not_believed(self, bench):
        bench.sandbox.faults.add("list", "missing_images", times=None, keep=0)
        jobs = self.many_under_way(bench, 8)
        bench.sandbox.release()
        assert set(bench.settle(*jobs)) == {"succeeded"}
        for job in jobs:
            bench.check_saved(job)

    @pytest.mark.parametrize("status", ["suspended", "processing"])
    def test_a_list_that_calls_done_tasks_unfinished_is_given_up(self, bench, status):
        jobs = self.many_under_way(bench, 8)
        bench.sandbox.faults.add("list", "unknown_status", times=None, status=status)
        bench.sandbox.release()
        assert set(bench.settle(*jobs)) == {"succeeded"}
        bench.sandbox._shared.requests.clear()
        jobs = self.many_under_way(bench, 4)
        bench.sandbox.release()
        assert set(bench.settle(*jobs)) == {"succeeded"}
        assert (bench.lists, bench.looks >= 4) == (0, True)

    def test_a_list_is_not_given_up_for_what_ended_after_it(self, tmp_path, make_bench, monkeypatch, eventually):
        monkeypatch.setattr(following, "LIST_LAGS", 1)
        with Sandbox(tmp_path / "slow", slots=500, seconds=100, images="constant") as sandbox:
            bench = make_bench(at=sandbox)
            jobs = bench.submit_many(8, limit=500, poll=0.01)
            bench.until(lambda: all(job.record.task_id for job in jobs))
            real = bench.client.query

            def query(some_id):
                sandbox.finish()
                return real(some_id)

            bench.client.query = query
            assert set(bench.settle(*jobs)) == {"succeeded"}
            bench.client.query = real
            more = bench.submit_many(8, limit=500, poll=0.01)
            bench.until(lambda: all(job.record.task_id for job in more))
            before = bench.lists
            eventually(lambda: bench.lists > before)
            sandbox.finish()
            bench.settle(*more)
            bench.close()

    def test_a_list_that_is_doubted_is_checked_with_one_task_at_a_time(self, bench, eventually):
        jobs = self.many_under_way(bench, 8, poll=0.01)
        eventually(lambda: bench.looks >= 3)
        paths = [each.path for each in bench.seen("GET")]
        single = [not path.endswith("multi-image2image") for path in paths]
        assert not any(one and other for one, other in pairwise(single))
        bench.sandbox.release()
        assert set(bench.settle(*jobs)) == {"succeeded"}

    def test_tasks_that_the_list_leaves_out_are_asked_for(self, bench):
        jobs = self.many_under_way(bench, 6)
        bench.sandbox.faults.add("list", "late", times=None, match=jobs[2].record.task_id)
        bench.sandbox.release()
        assert set(bench.settle(*jobs)) == {"succeeded"}
        assert bench.looks >= 1


class TestRefused:
    @pytest.mark.parametrize(
        ("switch", "kind", "status", "code"),
        [
            ("refuse", "ContentRefused", 400, "1301"),
            ("broke", "OutOfBalance", 429, "1102"),
        ],
    )
    def test_by_the_gateway(self, bench, switch, kind, status, code):
        job = bench.submit(prompt=f"[sandbox: {switch}]")
        assert bench.settle(job) == ["failed"]
        record = bench.stored(job)
        assert (record.failure.kind, record.failure.http_status, record.failure.code) == (kind, status, code)
        assert record.failure.request_id
        assert (record.task_id, record.sent_at, record.complete) == (None, None, True)
        assert type(job.error).__name__ == kind
        assert (bench.posts, bench.entries()) == (1, [])

    @pytest.mark.parametrize("code", [1302, 1303])
    def test_for_now_it_is_sent_again(self, bench, sandbox, quick, code):
        sandbox.faults.add("create", "status", times=3, status=429, code=code)
        job = bench.plan()
        notes = []
        job.listeners.append(lambda job: notes.append((job.record.task_status, job.note)))
        bench.runner.submit(job)
        assert bench.settle(job) == ["succeeded"]
        why = {1302: "The gateway is asked too often", 1303: "The account has no free slots"}[code]
        assert notes.count(("planned", f"{why} ({code}); trying again.")) == 3
        assert (bench.posts, len(bench.entries()), bench.stored(job).sends) == (4, 1, 1)
        bench.check_saved(job)

    def test_nobody_there(self, make_bench, unused_port, quick):
        bench = make_bench(f"http://127.0.0.1:{unused_port}/kling")
        job = bench.submit()
        assert bench.settle(job) == ["failed"]
        assert bench.stored(job).failure.kind == "ConnectionFailed"
        # The second time at once, then after ever longer pauses.
        assert len(quick) == REACH - 2

    def test_nobody_there_for_a_moment(self, bench, sandbox, quick):
        sandbox.stop()
        job = bench.plan()
        notes = []

        def start(job):
            notes.append(job.note)
            if "Nothing was sent; trying again." in job.note:
                sandbox.start()

        job.listeners.append(start)
        bench.runner.submit(job)
        assert bench.settle(job) == ["succeeded"]
        assert any("could not be reached" in note for note in notes)
        assert (bench.posts, bench.stored(job).sends) == (1, 1)

    def test_slots_of_refused_tasks_are_free_again(self, bench):
        jobs = [bench.submit(prompt="[sandbox: refuse]", limit=1) for _ in range(5)] + [bench.submit(limit=1)]
        assert bench.settle(*jobs) == ["failed"] * 5 + ["succeeded"]


@pytest.fixture
def unused_port():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


LOST = [
    ("lost", {}),
    ("status", {"status": 500, "processed": True}),
    ("html", {"status": 200, "processed": True}),
    ("empty", {"processed": True}),
    ("openai_error", {"status": 504, "processed": True}),
    ("truncated_json", {}),
]


class TestLost:
    @pytest.fixture
    def unseen(self, sandbox):
        """A gateway that shows no task, so that nothing is found and nothing is proven."""
        for on in ("query", "list"):
            sandbox.faults.add(on, "late", times=None)

    @pytest.mark.parametrize(("do", "details"), LOST)
    def test_is_found_and_was_sent_once(self, bench, sandbox, do, details):
        sandbox.faults.add("create", do, times=None, **details)
        job = bench.plan(2)
        told = listen(job)
        bench.runner.submit(job)
        assert bench.settle(job) == ["succeeded"]
        assert told[:3] == ["sending", "uncertain", "submitted"]
        assert (bench.posts, bench.entries(job)[0].billed) == (1, 2)
        bench.check_saved(job)

    @pytest.mark.parametrize(("do", "details"), LOST)
    def test_is_uncertain_where_nothing_is_found(self, bench, sandbox, unseen, do, details):
        sandbox.faults.add("create", do, times=None, **details)
        job = bench.submit(2)
        assert bench.settle(job) == ["uncertain"]
        assert bench.posts == 1
        assert bench.entries(job)[0].billed == 2
        record = bench.stored(job)
        assert record.task_status == "uncertain"
        assert record.sent_at
        assert (record.task_id, record.finished_at, record.complete) == (None, None, False)
        assert "The answer to the request was lost." in record.failure.message

    def test_is_sent_again_where_it_provably_never_came(self, bench, sandbox):
        bench.settle(bench.submit())
        sandbox.faults.add("create", "reset")
        job = bench.submit(2)
        assert bench.settle(job) == ["succeeded"]
        assert (bench.posts, len(bench.entries(job)), bench.stored(job).sends) == (3, 1, 2)
        bench.check_saved(job)

    def test_no_answer_in_time(self, make_bench, sandbox, unseen):
        bench = make_bench(timeouts=Timeouts(1, 1, 0.2, 1))
        fault = sandbox.faults.add("create", "hang")
        job = bench.submit()
        assert bench.settle(job) == ["uncertain"]
        fault.release()
        assert (bench.posts, bench.stored(job).failure.kind) == (1, "ConnectionFailed")

    def test_keeps_what_the_gateways_support_will_ask_for(self, bench, sandbox):
        sandbox.faults.add("create", "status", status=504, code=5002)
        job = bench.submit()
        bench.settle(job)
        failure = bench.stored(job).failure
        assert (failure.kind, failure.http_status, failure.code) == ("ServerError", 504, "5002")
        assert failure.request_id

    @pytest.mark.parametrize("found", [True, False])
    def test_by_a_prompt(self, bench, request, found):
        if not found:
            request.getfixturevalue("unseen")
        job = bench.submit(prompt="[sandbox: lost]")
        assert bench.settle(job) == ["succeeded" if found else "uncertain"]
        assert (bench.posts, len(bench.entries(job))) == (1, 1)

    def test_does_not_hold_up_the_others(self, bench, sandbox):
        sandbox.faults.add("create", "lost")
        jobs = [bench.plan(limit=1, grace=3600.0), *(bench.plan(limit=1) for _ in range(3))]
        hidden = [sandbox.faults.add(on, "late", times=None, match=bench.name + "-1") for on in ("query", "list")]
        for job in jobs:
            bench.runner.submit(job)
        assert bench.settle(*jobs[1:]) == ["succeeded"] * 3
        assert (jobs[0].record.task_status, jobs[0].settled, hidden[0].used > 0) == ("uncertain", False, True)


class TestStoppingTheQueue:
    """A refusal that would meet all the others stops them with one clear message."""

    @pytest.fixture(params=[(401, 1002, "AuthenticationFailed"), (429, 1102, "OutOfBalance")], ids=["401", "1102"])
    def refusal(self, request, sandbox):
        status, code, kind = request.param
        sandbox.faults.add("create", "status", times=None, status=status, code=code)
        return kind

    def check(self, bench, jobs, kind):
        assert {job.record.failure.kind for job in jobs} == {kind}
        assert bench.entries() == []
        for job in jobs:
            assert bench.stored(job).task_status == job.record.task_status
            assert job.record.finished_at

    def test_what_waits_is_cancelled(self, bench, refusal, sandbox):
        hang = sandbox.faults.add("create", "hang", processed=False)
        jobs = bench.submit_many(10, limit=1)
        hang.release()
        assert bench.settle(*jobs) == ["failed", *["cancelled"] * 9]
        assert bench.posts == 1
        self.check(bench, jobs, refusal)

    def test_what_has_its_slots_and_no_sender_yet_is_cancelled_too(self, bench, refusal, sandbox, eventually):
        hang = sandbox.faults.add("create", "hang", times=None, processed=False)
        jobs = bench.submit_many(30, limit=20)
        eventually(lambda: bench.posts == 4)
        hang.release()
        statuses = bench.settle(*jobs)
        assert bench.posts == statuses.count("failed") == 4
        assert statuses.count("cancelled") == 26
        self.check(bench, jobs, refusal)

    def test_a_new_task_is_sent_again(self, bench, refusal, sandbox):
        bench.settle(*bench.submit_many(3))
        sandbox.faults.clear()
        assert bench.settle(bench.submit()) == ["succeeded"]

    def test_other_refusals_stop_nothing(self, bench):
        jobs = [bench.submit(prompt="[sandbox: refuse]", limit=1), bench.submit(limit=1)]
        assert bench.settle(*jobs) == ["failed", "succeeded"]

    def test_a_key_that_cannot_be_had(self, bench):
        def no_key():
            raise OSError("the vault is sealed")

        bench.client._key = no_key
        jobs = bench.submit_many(3, limit=1)
        statuses = bench.settle(*jobs)
        assert statuses[0] == "failed"
        assert {job.record.failure.kind for job in jobs} == {"ConfigurationError"}
        assert bench.posts == 0


class TestCancel:
    def test_before_sending_sends_nothing(self, bench, sandbox):
        sandbox.hold()
        first, second, third = bench.submit_many(3, limit=1)
        told = listen(second)
        assert bench.runner.cancel([second]) == [second]
        assert told == ["cancelled"]
        assert second.settled
        assert bench.stored(second).task_status == "cancelled"
        assert bench.stored(second).finished_at
        sandbox.release()
        assert bench.settle(first, third) == ["succeeded", "succeeded"]
        assert (bench.posts, bench.entries(second)) == (2, [])
        assert bench.runner.cancel([first, second, third]) == []

    def test_what_was_sent_goes_on(self, bench, sandbox, eventually):
        fault = sandbox.faults.add("create", "hang")
        job = bench.submit()
        eventually(lambda: bench.posts == 1)
        assert bench.runner.cancel([job]) == []
        fault.release()
        assert bench.settle(job) == ["succeeded"]

    def test_what_has_its_slots_and_no_sender_yet(self, bench, sandbox, eventually):
        fault = sandbox.faults.add("create", "hang", times=None, processed=False)
        jobs = bench.submit_many(10)
        eventually(lambda: bench.posts == 4)
        cancelled = bench.runner.cancel(jobs)
        assert len(cancelled) == 6
        fault.release()
        assert sorted(bench.settle(*jobs)) == ["cancelled"] * 6 + ["succeeded"] * 4
        assert bench.posts == len(bench.entries()) == 4

    def test_from_many_threads_while_the_senders_are_busy(self, tmp_path, make_bench):
        with Sandbox(tmp_path / "large", slots=500, seconds=0, images="constant") as sandbox:
            bench = make_bench(at=sandbox)
            jobs = [bench.plan(limit=3) for _ in range(60)]
            cancelled, lock = [], threading.Lock()
            start = threading.Barrier(4)

            def cancel(seed):
                start.wait()
                for job in random.Random(seed).sample(jobs, 40):
                    mine = bench.runner.cancel([job])
                    with lock:
                        cancelled.extend(mine)

            threads = [threading.Thread(target=cancel, args=(seed,)) for seed in range(3)]
            for thread in threads:
                thread.start()
            start.wait()
            for job in jobs:
                bench.runner.submit(job)
            for thread in threads:
                thread.join()
            # One that was cancelled before it was submitted is not in the runner's hands and stays so.
            assert len({id(job) for job in cancelled}) == len(cancelled)
            bench.until(lambda: all(job.settled for job in jobs))
            for job in jobs:
                stored = bench.stored(job).task_status
                assert stored == job.record.task_status == ("cancelled" if job in cancelled else "succeeded")
                assert len(bench.entries(job)) == (0 if job in cancelled else 1)
            assert bench.posts == len(jobs) - len(cancelled)
            assert bench.runner.jobs == {}
            bench.close()


class TestClose:
    def test_stops_all_threads_and_another_runner_finishes(self, bench, sandbox, threads):
        sandbox.hold()
        jobs = bench.submit_many(3, 2, limit=10)
        waiting = bench.submit(9, limit=10)
        bench.until(lambda: all(job.record.task_status == "processing" for job in jobs))
        assert threads()
        assert bench.runner.close(join=60.0) == (3, 1, 0)
        assert threads() == []
        assert not any(job.settled for job in jobs)
        assert bench.stored(waiting).task_status == "cancelled"
        assert [record.task_status for record in bench.store.journal.unfinished()] == ["submitted"] * 3
        bench.restart()
        adopted = [bench.adopt(job) for job in jobs]
        sandbox.release()
        assert bench.settle(*adopted) == ["succeeded"] * 3
        for job in adopted:
            bench.check_saved(job)
        assert bench.posts == len(bench.entries()) == 3
        assert bench.entries(waiting) == []

    def test_while_an_answer_is_awaited_loses_nothing(self, bench, sandbox, eventually):
        fault = sandbox.faults.add("create", "hang")
        job = bench.submit(2)
        eventually(lambda: bench.posts == 1)
        assert bench.runner.close(sending=0.0, join=0.0) == (1, 0, 0)
        # Nobody may take it for lost as long as its answer may come.
        assert (bench.stored(job).task_status, bench.stored(job).owner) == ("sending", this_process())
        fault.release()
        bench.restart()
        stored = bench.stored(job)
        assert stored.owner == ""
        assert (stored.task_status, stored.task_id) == ("submitted", bench.entries(job)[0].task_id)
        assert bench.settle(bench.adopt(job)) == ["succeeded"]
        assert bench.posts == 1

    def test_waits_for_answers_and_for_what_has_its_slots(self, bench, sandbox, eventually):
        sandbox.hold()
        fault = sandbox.faults.add("create", "hang", times=None, processed=False)
        jobs = bench.submit_many(8, limit=6)
        eventually(lambda: bench.posts == 4)
        left = []
        closing = threading.Thread(target=lambda: left.append(bench.runner.close(join=60.0)))
        closing.start()
        bench.until(lambda: all(job.ended for job in jobs[6:]))
        fault.release()
        closing.join()
        assert left == [(6, 2, 0)]
        assert [bench.stored(job).task_status for job in jobs] == ["submitted"] * 6 + ["cancelled"] * 2
        assert len(bench.entries()) == bench.posts == 6
        sandbox.release()

    def test_while_images_come_loses_nothing_and_fetches_none_twice(self, bench, sandbox, eventually):
        fault = sandbox.faults.add("image", "hang", index=1)
        job = bench.submit(3)
        images = lambda: [seen for seen in sandbox.requests if seen.origin == "images"]  # noqa: E731
        eventually(lambda: len(images()) == 3 and sum(image.path is not None for image in job.record.images) == 2)
        bench.runner.close(join=0.0)
        fault.release()
        bench.restart()
        assert bench.stored(job).task_status == "succeeded"
        sandbox.faults.clear()
        before = len(images())
        adopted = bench.adopt(job)
        assert bench.settle(adopted) == ["succeeded"]
        assert len(images()) - before <= 1
        bench.check_saved(adopted)

    def test_nothing_is_sent_afterwards(self, bench, threads):
        bench.runner.close()
        job = bench.submit()
        assert threads() == []
        assert (job.record.task_status, bench.stored(job).task_status, bench.posts) == ("planned", "planned", 0)

    def test_what_has_its_slots_and_no_sender_in_time_is_cancelled(self, bench, sandbox, eventually):
        fault = sandbox.faults.add("create", "hang", times=None, processed=False)
        jobs = bench.submit_many(8)
        eventually(lambda: bench.posts == 4)
        assert bench.runner.close(sending=0.0, join=0.0) == (4, 4, 0)
        fault.release()
        bench.runner.close(join=60.0)
        assert sorted(bench.stored(job).task_status for job in jobs) == ["cancelled"] * 4 + ["submitted"] * 4
        assert bench.posts == 4

    def test_ends_a_long_pause(self, bench, sandbox, threads):
        # Without the fixture `quick`: the follower would wait for a second and more.
        sandbox.faults.add("query", "status", times=None)
        job = bench.submit()
        bench.until(lambda: job.troubled)
        bench.runner.close(join=60.0)
        assert threads() == []

    def test_twice_and_unused(self, bench):
        bench.runner.close()
        bench.runner.close()

    def test_from_a_listener(self, bench, threads, eventually):
        job = bench.plan()
        job.listeners.append(lambda job: bench.runner.close(sending=0.0, join=0.1))
        bench.runner.submit(job)
        eventually(lambda: bench.runner.stopping and not threads())
        assert bench.posts <= 1


class TestAdopt:
    def test_what_is_already_in_hand_is_not_taken_twice(self, bench, sandbox):
        sandbox.hold()
        job = bench.submit()
        bench.until(lambda: job.record.task_id is not None)
        assert bench.adopt(job) is job
        sandbox.release()
        bench.settle(job)
        again = bench.adopt(job)
        assert again is not job
        bench.settle(again)

    def test_by_two_threads_at_once(self, bench, sandbox):
        sandbox.hold()
        job = bench.submit()
        bench.until(lambda: job.record.task_id is not None)
        bench.restart()
        start, found = threading.Barrier(2), []

        def adopt():
            start.wait()
            found.append(bench.adopt(job))

        pair = [threading.Thread(target=adopt) for _ in range(2)]
        for thread in pair:
            thread.start()
        for thread in pair:
            thread.join()
        assert found[0] is found[1]
        sandbox.release()
        assert bench.settle(found[0]) == ["succeeded"]

    def test_of_a_task_whose_id_was_never_learned(self, bench, sandbox):
        sandbox.hold()
        job = bench.submit()
        bench.until(lambda: job.record.task_id is not None)
        bench.restart()
        from dataclasses import replace

        bench.store.journal.update(replace(bench.stored(job), task_id=None))
        sandbox.release()
        adopted = bench.adopt(job)
        assert bench.settle(adopted) == ["succeeded"]
        assert bench.stored(job).task_id == bench.entries(job)[0].task_id

    def test_of_a_task_that_the_gateway_does_not_know(self, bench, sandbox, monkeypatch):
        monkeypatch.setattr(following, "UNKNOWN_FOR", 0.0)
        sandbox.hold()
        job = bench.submit()
        bench.until(lambda: job.record.task_id is not None)
        for on in ("query", "list"):
            sandbox.faults.add(on, "late", times=None)
        assert bench.settle(job) == ["uncertain"]
        record = bench.stored(job)
        assert record.task_status == "uncertain"
        assert record.failure.message.startswith("The gateway no longer knows the task: ")
        assert record.task_id

    def test_a_gateway_that_is_only_late_is_given_time(self, bench, sandbox, eventually):
        late = sandbox.faults.add("query", "late", times=None)
        job = bench.submit()
        eventually(lambda: late.used > 2 * following.UNKNOWN_LIMIT)
        assert not job.settled
        sandbox.faults.clear()
        assert bench.settle(job) == ["succeeded"]

    def test_adopted_tasks_teach_nothing_about_durations(self, bench, sandbox):
        sandbox.hold()
        job = bench.submit()
        bench.until(lambda: job.record.task_id is not None)
        bench.restart()
        sandbox.release()
        bench.settle(bench.adopt(job))
        assert bench.runner.durations("kling-v2-1") == []
        bench.settle(bench.submit())
        assert len(bench.runner.durations("kling-v2-1")) == 1

    def test_what_earlier_kernels_learned_is_taken_once(self, bench):
        bench.runner.learn("kling-v2-1", lambda: [5.0, 6.0])
        bench.runner.learn("kling-v2-1", lambda: 1 / 0)
        assert bench.runner.durations("kling-v2-1") == [5.0, 6.0]


class TestMemory:
    class Body:
        def __init__(self, data):
            self.data = data

        def __call__(self):
            return self.data

    @pytest.mark.parametrize("prompt", ["a cat", "[sandbox: refuse]", "[sandbox: lost]"])
    def test_the_references_bytes_are_let_go(self, bench, prompt):
        seen = []
        job = bench.plan(prompt=prompt, data=bytes(100_000))
        job.body = self.Body(job.body())
        alive = weakref.ref(job.body)
        job.listeners.append(lambda job: seen.append(job.record.references[0].data is not None))
        bench.runner.submit(job)
        bench.settle(job)
        bench.until(lambda: job.record.references[0].data is None)
        gc.collect()
        assert alive() is None
        assert seen[0]
        assert job.record.references[0].sha256 == bench.stored(job).references[0].sha256

    def test_a_cancelled_task_lets_go_too(self, bench, sandbox):
        sandbox.hold()
        first = bench.submit(limit=1)
        job = bench.submit(limit=1, data=bytes(100_000))
        bench.runner.cancel([job])
        assert job.record.references[0].data is None
        sandbox.release()
        bench.settle(first)

    def test_settled_jobs_are_let_go(self, bench):
        job = bench.submit()
        bench.settle(job)
        bench.until(lambda: not bench.runner.jobs)
        alive = weakref.ref(job.store), job.record.id
        assert alive[1] not in bench.runner._follower._followed


class TestListeners:
    def test_that_raise_hurt_nobody(self, bench):
        def broken(job):
            raise RuntimeError("a display that was closed")

        job = bench.plan(2)
        job.listeners.append(broken)
        told = listen(job)
        bench.runner.submit(job)
        assert bench.settle(job) == ["succeeded"]
        bench.check_saved(job)
        assert told[0] == "sending"
        assert told[-1] == "succeeded"

    def test_are_told_of_the_end_before_anyone_who_waits(self, bench):
        for prompt in ("a cat", "[sandbox: fail]", "[sandbox: refuse]", "[sandbox: lost]"):
            job, told = bench.plan(prompt=prompt), []
            job.listeners.append(lambda job, told=told: told.append(job.ended))
            bench.runner.submit(job)
            bench.settle(job)
            # It is not settled before they are told, or what they show would come after the cell's end.
            assert told[-1]
            assert not any(told[:-1])

    def test_are_told_one_thing_at_a_time(self, bench):
        """Nine images come through four threads; what was begun first must not be shown last."""
        job, speaking, together, shown = bench.plan(9), [], [], []

        def show(job):
            speaking.append(job)
            together.append(len(speaking))
            state = job.ended
            threading.Event().wait(0.002)  # while others would like to speak
            shown.append(state)
            speaking.pop()

        job.listeners.append(show)
        bench.runner.submit(job)
        bench.settle(job)
        assert set(together) == {1}
        assert shown == sorted(shown)

    def test_may_ask_the_runner_things(self, bench):
        job, answers = bench.plan(), []
        job.listeners.append(lambda job: answers.append(bench.runner.cancel([job])))
        bench.runner.submit(job)
        bench.settle(job)
        assert set(map(str, answers)) == {"[]"}


class TestWait:
    def test_ends_at_its_time(self, bench):
        assert bench.runner.wait(lambda: False, 0.0) is False
        assert bench.runner.wait(lambda: False, 0.01) is False
        assert bench.runner.wait(lambda: True, 0.0) is True

    def test_a_settled_task_has_its_outcome(self, bench, sandbox, quick):
        """Whoever sees `settled` may read the record at once: also while the journal is being written."""
        sandbox.faults.add("image", "expired", times=None, index=0)
        job, early = bench.plan(2), []

        def look(record):
            early.append(job.settled)

        bench.store.book.fails = look
        bench.runner.submit(job)
        bench.settle(job)
        assert job.record.failure is not None
        assert len(early) == len(STEPS)
        assert not any(early)

    def test_every_status_that_ends_is_settled(self, bench):
        jobs = [bench.submit(prompt=prompt) for prompt in ("a", "[sandbox: fail]", "[sandbox: refuse]")]
        for status in bench.settle(*jobs):
            assert status in ENDED
