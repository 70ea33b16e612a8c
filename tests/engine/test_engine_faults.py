"""What gateways and networks do to a runner, and what is left of a task afterwards."""

import http.server
import json
import shutil
import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest

from kling_nb.engine import following
from kling_nb.engine.jobs import Job, after_look, merge_images
from kling_nb.records import ImageRecord, TaskRecord, TaskState
from kling_nb.sandbox import Sandbox

READ_FAULTS = [
    ("status", {"status": 500, "code": 5000}),
    ("status", {"status": 503, "code": 5001}),
    ("status", {"status": 429, "code": 1302}),
    ("status", {"status": 401, "code": 1004}),
    ("status", {"status": 403, "code": 1103}),
    ("openai_error", {}),
    ("html", {"status": 502}),
    ("html", {"status": 200}),
    ("empty", {}),
    ("not_json", {}),
    ("truncated_json", {}),
    ("wrong_length", {}),
    ("reset", {}),
    ("redirect", {"location": "https://login.example.com/"}),
]


@pytest.fixture
def notes():
    """Collect the notes of jobs as listeners see them."""

    def collect(*jobs):
        seen = []
        for job in jobs:
            job.listeners.append(lambda job: seen.append(job.note))
        return seen

    return collect


class TestQueriesThatFail:
    @pytest.mark.parametrize(("do", "details"), READ_FAULTS)
    def test_are_asked_again(self, bench, sandbox, quick, notes, do, details):
        fault = sandbox.faults.add("query", do, times=4, **details)
        job = bench.plan(2)
        seen = notes(job)
        bench.runner.submit(job)
        assert bench.settle(job) == ["succeeded"]
        assert fault.used == 4
        assert quick[:4] == [1, 2, 3, 4]
        assert sum("The task is followed; asking again." in note for note in seen) == 4
        assert (job.note, job.troubled) == ("", False)
        bench.check_saved(job)
        assert bench.posts == 1

    @pytest.mark.parametrize(
        ("do", "details"), [("html", {"status": 200}), ("empty", {}), ("redirect", {"location": "https://e.com/"})]
    )
    def test_however_often_are_never_an_unknown_task(self, bench, sandbox, quick, monkeypatch, do, details):
        monkeypatch.setattr(following, "UNKNOWN_FOR", 0.0)
        sandbox.faults.add("query", do, times=following.UNKNOWN_LIMIT + 10, **details)
        assert bench.settle(bench.submit()) == ["succeeded"]

    @pytest.mark.parametrize(("do", "details"), READ_FAULTS)
    def test_also_for_many_tasks(self, bench, sandbox, quick, do, details):
        sandbox.hold()
        jobs = bench.submit_many(5)
        bench.until(lambda: all(job.record.task_id for job in jobs))
        for on in ("list", "query"):
            sandbox.faults.add(on, do, times=3, **details)
        sandbox.release()
        assert bench.settle(*jobs) == ["succeeded"] * 5
        assert [job.note for job in jobs] == [""] * 5
        assert bench.posts == 5

    @pytest.mark.promise("the gateway or the network goes away for a while")
    def test_a_gateway_that_goes_away_and_comes_back(self, bench, sandbox, quick, notes):
        sandbox.hold()
        jobs = bench.submit_many(4)
        bench.until(lambda: all(job.record.task_status == "processing" for job in jobs))
        seen = notes(*jobs)
        sandbox.stop()
        bench.until(lambda: all(job.troubled for job in jobs))
        assert not any(job.settled for job in jobs)
        sandbox.start()
        sandbox.release()
        assert bench.settle(*jobs) == ["succeeded"] * 4
        assert any("could not be reached" in note for note in seen)

    def test_for_one_task_alone_do_not_starve_the_others(self, bench, sandbox, quick):
        sandbox.faults.add("list", "no_list", times=None)
        sandbox.hold()
        jobs = bench.submit_many(6)
        bench.until(lambda: all(job.record.task_id for job in jobs))
        sandbox.faults.add("query", "status", times=None, match=jobs[0].record.task_id)
        sandbox.release()
        assert bench.settle(*jobs[1:]) == ["succeeded"] * 5
        assert not jobs[0].settled
        sandbox.faults.clear()
        assert bench.settle(jobs[0]) == ["succeeded"]

    def test_say_nothing_about_tasks_that_have_ended(self, bench, sandbox, quick):
        sandbox.faults.add("list", "no_list", times=None)
        sandbox.hold()
        jobs = bench.submit_many(6)
        bench.until(lambda: all(job.record.task_status == "processing" for job in jobs))
        sandbox.faults.add("query", "status", times=None, match=jobs[5].record.task_id)
        troubled_after_the_end = []
        for job in jobs:
            job.listeners.append(
                lambda job: (
                    troubled_after_the_end.append(job) if job.record.task_status == "succeeded" and job.note else None
                )
            )
        sandbox.release()
        bench.settle(*jobs[:5])
        bench.until(lambda: jobs[5].troubled)
        sandbox.faults.clear()
        bench.settle(*jobs)
        assert troubled_after_the_end == []

    def test_words_that_nobody_knows_are_no_end(self, bench, sandbox, eventually):
        fault = sandbox.faults.add("query", "unknown_status", times=None)
        job = bench.submit()
        eventually(lambda: fault.used > 3)
        assert job.record.task_status == "processing"
        sandbox.faults.clear()
        assert bench.settle(job) == ["succeeded"]

    @pytest.mark.parametrize(
        ("do", "details"), [("reseller", {"inner": "data"}), ("text_code", {}), ("status_spelling", {})]
    )
    def test_other_envelopes_are_no_fault(self, bench, sandbox, do, details):
        for on in ("create", "query", "list"):
            sandbox.faults.add(on, do, times=None, **details)
        job = bench.submit(2)
        assert bench.settle(job) == ["succeeded"]
        bench.check_saved(job)

    def test_an_error_of_our_own_does_not_end_the_following(self, bench, quick):
        real, failures = bench.client.query, [ZeroDivisionError("a bug"), MemoryError()]

        def query(some_id):
            if failures:
                raise failures.pop()
            return real(some_id)

        bench.client.query = query
        assert bench.settle(bench.submit()) == ["succeeded"]

    def test_an_interval_beyond_all_bounds_does_not_end_the_following(self, bench, sandbox):
        sandbox.hold()
        slow = bench.submit(poll=1e12)
        bench.until(lambda: slow.record.task_id is not None)
        sandbox.release()
        assert bench.settle(bench.submit()) == ["succeeded"]
        assert bench.runner._follower._thread.is_alive()
        assert not slow.settled


class TestImages:
    @pytest.mark.parametrize(
        ("do", "details"),
        [
            ("reset", {}),
            ("status", {"status": 500}),
            ("status", {"status": 429}),
            ("html", {"status": 200}),
            ("html", {"status": 503}),
            ("empty", {}),
            ("wrong_length", {"by": 100}),
            ("wrong_length", {"by": -200}),
        ],
    )
    def test_that_come_at_last(self, bench, sandbox, quick, do, details):
        fault = sandbox.faults.add("image", do, times=7, index=1, **details)
        job = bench.submit(3)
        assert bench.settle(job) == ["succeeded"]
        assert fault.used == 7
        bench.check_saved(job)

    @pytest.mark.parametrize(("do", "details"), [("wrong_type", {}), ("drip", {"piece": 2000, "seconds": 0.001})])
    def test_that_come_oddly(self, bench, sandbox, do, details):
        sandbox.faults.add("image", do, times=None, **details)
        job = bench.submit(2)
        assert bench.settle(job) == ["succeeded"]
        bench.check_saved(job)
        assert {image.media_type for image in job.record.images} == {"image/jpeg"}

    @pytest.mark.parametrize(
        ("do", "details", "why"),
        [
            ("expired", {"status": 403}, "is not served there (HTTP 403)"),
            ("expired", {"status": 404}, "is not served there (HTTP 404)"),
            ("reset", {}, "did not come ("),
            ("html", {"status": 200}, "is an HTML page, not an image"),
            ("not_json", {}, "is not an image of a known format"),
            ("status", {"status": 500}, "was answered with HTTP 500"),
            ("redirect", {"location": "http://169.254.169.254/"}, "is not https"),
            ("bomb", {}, "over the limit of 100,000,000 pixels"),
        ],
    )
    def test_that_never_come_are_said_and_the_others_saved(self, bench, sandbox, quick, do, details, why):
        fault = sandbox.faults.add("image", do, times=None, index=1, **details)
        job = bench.submit(3)
        assert bench.settle(job) == ["succeeded"]
        assert fault.used <= 8
        record = bench.stored(job)
        assert (record.task_status, record.saved_at, record.missing) == ("succeeded", None, 1)
        assert record.failure.kind == "ImagesMissing"
        assert record.failure.message.startswith("1 of 3 images are missing: Image 2 ")
        assert why in record.failure.message
        assert why in record.images[1].problem
        assert [image.path is not None for image in record.images] == [True, False, True]
        assert record.images[1].url
        assert replace(job.record, references=(), owner="") == replace(record, references=())
        # Later, somewhere else: only what is missing is fetched.
        sandbox.faults.clear()
        bench.restart()
        sandbox._shared.requests.clear()
        again = bench.adopt(job)
        assert bench.settle(again) == ["succeeded"]
        bench.check_saved(again)
        assert len([seen for seen in sandbox.requests if seen.origin == "images"]) == 1
        assert again.record.images[0] == record.images[0]
        assert bench.posts == 0

    def test_fewer_than_asked_for(self, bench, sandbox):
        sandbox.faults.add("query", "missing_images", times=None, keep=2)
        job = bench.submit(3)
        assert bench.settle(job) == ["succeeded"]
        record = bench.stored(job)
        assert record.failure.message == "1 of 3 images are missing: the gateway served 2 of 3 images."
        assert [image.path is not None for image in record.images] == [True, True, False]
        sandbox.faults.clear()
        again = bench.adopt(job)
        bench.settle(again)
        bench.check_saved(again)

    def test_none_at_all(self, bench, sandbox):
        sandbox.faults.add("query", "missing_images", times=None, keep=0)
        job = bench.submit(2)
        assert bench.settle(job) == ["succeeded"]
        assert bench.stored(job).failure.message == "2 of 2 images are missing: the gateway served 0 of 2 images."

    def test_a_folder_that_cannot_be_written(self, bench, quick):
        folder = bench.store.folder / "images"
        shutil.rmtree(folder, ignore_errors=True)
        folder.write_bytes(b"a file where a folder should be")
        job = bench.submit(2)
        assert bench.settle(job) == ["succeeded"]
        record = bench.stored(job)
        assert record.failure.kind == "ImagesMissing"
        assert "2 of 2 images are missing" in record.failure.message
        assert str(folder) in record.images[0].problem
        folder.unlink()
        folder.mkdir()
        again = bench.adopt(job)
        bench.settle(again)
        bench.check_saved(again)


class TestAfterTheEnd:
    """A task that has succeeded, of which images are missing, is taken up again."""

    @pytest.fixture
    def half(self, bench, sandbox, quick):
        sandbox.faults.add("image", "reset", times=None, index=1)
        job = bench.submit(2)
        bench.settle(job)
        sandbox.faults.clear()
        bench.restart()
        assert bench.stored(job).missing == 1
        return job

    def test_the_old_address_is_tried_where_the_gateway_has_forgotten_the_task(self, bench, sandbox, half):
        sandbox.faults.add("query", "late", times=None)
        again = bench.adopt(half)
        assert bench.settle(again) == ["succeeded"]
        bench.check_saved(again)

    def test_where_that_is_gone_too_it_is_said(self, bench, sandbox, half):
        sandbox.faults.add("query", "late", times=None)
        sandbox.faults.add("image", "expired", times=None)
        again = bench.adopt(half)
        assert bench.settle(again) == ["succeeded"]
        record = bench.stored(half)
        assert record.failure.message == "1 of 2 images are missing: Image 2 is not served there (HTTP 403)."
        assert (record.missing, record.task_status) == (1, "succeeded")

    def test_where_there_was_no_address_it_is_said(self, bench, sandbox, half):
        stored = bench.stored(half)
        bench.store.journal.update(replace(stored, images=(stored.images[0], ImageRecord(1))))
        sandbox.faults.add("query", "late", times=None)
        bench.settle(bench.adopt(half))
        assert "1 of 2 images are missing: the gateway no longer knows the task" in bench.stored(half).failure.message

    @pytest.mark.parametrize(
        ("do", "details"),
        [
            ("status_spelling", {"succeed": "failed"}),
            ("status_spelling", {"succeed": "expired"}),
            ("unknown_status", {}),
        ],
    )
    def test_it_does_not_become_a_failed_or_unfinished_one(self, bench, sandbox, half, do, details):
        sandbox.faults.add("query", do, times=None, **details)
        sandbox.faults.add("query", "missing_images", times=None, keep=0)
        again = bench.adopt(half)
        assert bench.settle(again) == ["succeeded"]
        bench.check_saved(again)

    def test_trouble_with_the_question_is_waited_out(self, bench, sandbox, half):
        sandbox.faults.add("query", "status", times=3)
        again = bench.adopt(half)
        assert bench.settle(again) == ["succeeded"]
        bench.check_saved(again)


class Resigning:
    """A gateway that signs its addresses anew at every question; only the newest signature is good."""

    def __init__(self, port, image):
        self.port, self.image = port, image
        self.signature = 0
        self.trouble = 0
        self.questions = 0

    def answer(self, path):
        if path.startswith("/images"):
            return (200, self.image) if path.endswith(f"signature={self.signature}") else (403, b"expired")
        self.questions += 1
        if self.questions > 1 and self.trouble:
            self.trouble -= 1
            return 503, b"<html>"
        self.signature += 1
        url = f"http://127.0.0.1:{self.port}/images/0?signature={self.signature}"
        task = {"task_id": "1", "task_status": "succeed", "task_result": {"images": [{"index": 0, "url": url}]}}
        return 200, json.dumps({"code": 0, "data": task}).encode()


@contextmanager
def resigning(image):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = gateway.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        gateway = Resigning(server.server_port, image)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield gateway
        finally:
            server.shutdown()
            thread.join()


class TestSignatures:
    @pytest.fixture
    def image(self, bench):
        job = bench.submit()
        bench.settle(job)
        return bench.store.read_image(job.record.images[0])

    @pytest.mark.parametrize("trouble", [0, 3])
    @pytest.mark.promise("an image's address has expired")
    def test_an_expired_address_is_asked_for_anew(self, make_bench, image, quick, trouble):
        with resigning(image) as gateway:
            gateway.trouble = trouble
            bench = make_bench(f"http://127.0.0.1:{gateway.port}/kling")
            job = bench.plan()
            bench.store.journal.update(replace(job.record, task_status="submitted", task_id="1", submitted_at=1.0))
            first, real = [], bench.pictures.fetch

            def fetch(url):
                if not first:
                    first.append(url)
                    gateway.signature += 1  # while the answer was on its way, the signature ran out
                return real(url)

            bench.pictures.fetch = fetch
            adopted = bench.adopt(job)
            assert bench.settle(adopted) == ["succeeded"]
            bench.check_saved(adopted)
            assert gateway.questions == 2 + trouble
            bench.close()


RECORD = TaskRecord(
    "id", "sandbox", {"n": 3, "model_name": "m"}, "d", (), "e", 1.0, task_status="submitted", task_id="1"
)


def served(*indices, url="u"):
    return tuple(ImageRecord(index, f"{url}{index}") for index in indices)


class TestLooks:
    """What a look at a task makes of it, without a gateway."""

    def test_does_not_go_back(self):
        processing = after_look(RECORD, TaskState("1", "processing"), 5.0)
        assert (processing.task_status, processing.processing_at) == ("processing", 5.0)
        assert after_look(processing, TaskState("1", "submitted"), 6.0) == processing
        assert after_look(processing, TaskState("1", "processing"), 6.0) == processing

    def test_the_first_time_counts(self):
        done = after_look(RECORD, TaskState("1", "succeeded", images=served(0, 1, 2), units="3"), 7.0)
        again = after_look(done, TaskState("1", "succeeded", images=served(0, 1, 2, url="v")), 9.0)
        assert (again.finished_at, again.units) == (7.0, "3")
        assert [image.url for image in again.images] == ["v0", "v1", "v2"]

    @pytest.mark.parametrize(
        ("created", "updated", "unfinished", "ended"),
        [
            # The gateway's clock may go wrong by any amount; only what it measures counts.
            (1000.0, 1030.0, 20.0, 40.0),
            (1000.0, 1030.0, 0.0, 40.0),
            # It was still going on then, or has not been yet, or never began.
            (1000.0, 1030.0, 45.0, 50.0),
            (1000.0, 1041.0, 20.0, 50.0),
            (1000.0, 1000.0, 0.0, 50.0),
            (1000.0, 990.0, 0.0, 50.0),
            (None, 1030.0, 20.0, 50.0),
            (1000.0, None, 20.0, 50.0),
        ],
    )
    def test_it_ended_when_the_gateway_says_so_if_that_can_be(self, created, updated, unfinished, ended):
        state = TaskState("1", "succeeded", created_at=created, updated_at=updated, images=served(0, 1, 2))
        assert after_look(replace(RECORD, submitted_at=10.0), state, 50.0, unfinished).finished_at == ended
        assert after_look(RECORD, state, 50.0, unfinished).finished_at == 50.0

    def test_a_failure_is_said(self):
        assert after_look(RECORD, TaskState("1", "failed", "why"), 7.0).failure.message == "The task failed: why"
        assert "no reason" in after_look(RECORD, TaskState("1", "failed"), 7.0).failure.message

    def test_a_success_stays_one(self):
        saved = replace(served(0)[0], path="images/0.png")
        done = replace(RECORD, task_status="succeeded", images=(saved, *served(1, 2)), finished_at=5.0)
        for status in ("failed", "processing", "submitted"):
            after = after_look(done, TaskState("1", status), 9.0)
            assert after.task_status == "succeeded"
            assert after.images == done.images

    @pytest.mark.parametrize(
        ("indices", "expected"),
        [((0, 1, 2), [0, 1, 2]), ((1, 2, 3), [1, 2, 3]), ((0, 2), [0, 1, 2]), ((7,), [0, 1, 7]), ((), [0, 1, 2])],
    )
    def test_as_many_as_were_asked_for(self, indices, expected):
        images = merge_images(RECORD, TaskState("1", "succeeded", images=served(*indices)))
        assert [image.index for image in images] == expected
        assert [image.index for image in images if image.url] == sorted(indices)
        for image in images:
            assert bool(image.problem) is (image.url is None)

    def test_more_than_were_asked_for(self):
        images = merge_images(RECORD, TaskState("1", "succeeded", images=served(0, 1, 2, 3)))
        assert [image.url for image in images] == ["u0", "u1", "u2", "u3"]

    def test_images_without_an_address_are_counted_out(self):
        state = TaskState("1", "succeeded", images=(*served(0, 1), ImageRecord(2)))
        assert merge_images(RECORD, state)[2].problem == "the gateway served 2 of 3 images"

    @pytest.mark.parametrize("indices", [(), (0,), (1, 2), (0, 1, 2), (4, 5, 6), (2,)])
    def test_what_is_saved_is_never_dropped(self, indices):
        saved = replace(ImageRecord(5, "old"), path="images/5.png", sha256="x")
        record = replace(RECORD, images=(saved,))
        images = merge_images(record, TaskState("1", "succeeded", images=served(*indices)))
        assert [image.path for image in images if image.index == 5] == ["images/5.png"]
        assert len({image.index for image in images}) == len(images) >= 3


def test_jobs_are_compared_by_identity(bench):
    one, other = (Job(RECORD, bench.store, lambda: b"", 1) for _ in range(2))
    assert one != other
    assert len({one, other}) == 2


def test_a_sandbox_in_a_resellers_envelope(tmp_path, make_bench):
    with Sandbox(tmp_path / "reseller", seconds=0, images="constant", envelope="reseller") as sandbox:
        bench = make_bench(at=sandbox)
        jobs = bench.submit_many(5, 2)
        assert bench.settle(*jobs) == ["succeeded"] * 5
        for job in jobs:
            bench.check_saved(job)
        bench.close()
