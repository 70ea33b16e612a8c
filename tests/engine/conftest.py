"""A sandbox, a workspace and a runner between them; and what one wants to know of the three."""

import itertools
import json
import threading
import time
from dataclasses import replace

import pytest

from kling_nb.engine import backoff
from kling_nb.engine.jobs import Job
from kling_nb.engine.runner import Runner
from kling_nb.key import Secret
from kling_nb.records import Reference, SlotLimit, TaskRecord
from kling_nb.remote.client import Client, Timeouts
from kling_nb.remote.download import Downloader
from kling_nb.sandbox import Sandbox
from kling_nb.workspace.journal import Journal
from kling_nb.workspace.owners import this_process
from kling_nb.workspace.workspace import JOURNAL, Workspace

URL = "https://example.com/cat.png"
KEY = "a-key-of-no-importance"
PATIENT = 60.0
"""Seconds after which a test gives up; none waits for so long when all is well."""


class Book:
    """A journal that counts, remembers, and can be made to fail."""

    def __init__(self, journal):
        self._journal = journal
        self.leases = Desk(self, journal.leases)
        self.commits = []
        self.fails = lambda record: None

    def update(self, *records):
        self.check(records)
        written = self._journal.update(*records)
        self.note(records)
        return written

    def check(self, records):
        for record in records:
            error = self.fails(record)
            if error is not None:
                raise error

    def note(self, records):
        self.commits += [(record.id, record.task_status) for record in records]

    def __getattr__(self, name):
        return getattr(self._journal, name)


class Desk:
    """The leases of such a journal: what they commit counts as well."""

    def __init__(self, book, leases):
        self._book = book
        self._leases = leases

    def begin(self, record, mine, limit):
        self._book.check([record])
        begun = self._leases.begin(record, mine, limit)
        if begun.verdict == "begun":
            self._book.note([begun.record])
        return begun

    def acknowledge(self, record):
        self._book.check([record])
        ours = self._leases.acknowledge(record)
        self._book.note([record])
        return ours

    def __getattr__(self, name):
        return getattr(self._leases, name)


class Shelf(Workspace):
    """A workspace with such a journal, as a process of some name has it open."""

    def __init__(self, folder, me):
        super().__init__(folder)
        folder.mkdir(exist_ok=True)
        self.book = Book(Journal(folder / JOURNAL, me=me))

    @property
    def journal(self):
        return self.book

    def close(self):
        self.book.close()


class Bench:
    """Everything that the engine needs, and tasks to give it.

    Without `probes` the limit of the first task of a model is as good as proven, and nothing goes beyond it.
    """

    def __init__(
        self,
        folder,
        sandbox,
        base_url=None,
        key=KEY,
        timeouts=None,
        clock=time.time,
        probes=False,
        me=this_process,
        first=1,
    ):
        self.sandbox = sandbox
        self.store = Shelf(folder, me)
        self.me = me
        self.numbers = itertools.count(first)
        self.name = f"bench{id(self):x}"
        self.clock = clock
        self.probes = probes
        base_url = base_url or sandbox.base_url
        self.client = Client(base_url, lambda: Secret(key), timeouts or Timeouts(2.0, 5.0, 5.0, 5.0))
        self.pictures = Downloader(base_url)
        self.runner = self.new_runner()

    def new_runner(self):
        small = lambda data: b"small"  # noqa: E731
        return Runner(self.client, self.pictures, thumbnail=small, preview=small, clock=lambda: self.clock())

    def restart(self):
        """End this runner and begin another, as a new kernel would."""
        self.runner.close(join=PATIENT)
        self.runner = self.new_runner()

    def plan(
        self, n=1, *, prompt="a cat", model_name="kling-v2-1", limit=20, data=None, poll=0.01, body=None, grace=0.05
    ):
        """Journal a task and return its job, unsent."""
        number = next(self.numbers)
        request = {"model_name": model_name, "prompt": prompt, "subject_image_list": [{"subject_image": URL}], "n": n}
        request["external_task_id"] = f"{self.name}-{number}"
        record = TaskRecord(
            id=f"20260101-000000-{number:05}",
            gateway="sandbox",
            request=request,
            digest=f"digest-{number}",
            references=(Reference("subject", "cat", f"{number:064}", url=None if data else URL, data=data),),
            external_task_id=request["external_task_id"],
            created_at=self.clock(),
            owner=self.me(),
        )
        self.store.journal.insert([record])
        slots = self.store.journal.slots
        if not self.probes and slots.read("sandbox", model_name) is None:
            # Refused so often and so lately that it is not tried again for ten minutes.
            slots.write("sandbox", model_name, SlotLimit(limit, limit, refusals=9, refused_at=self.clock()))
        return Job(record, self.store, body or (lambda: json.dumps(request).encode()), limit, poll, grace)

    def submit(self, *args, **options):
        job = self.plan(*args, **options)
        self.runner.submit(job)
        return job

    def submit_many(self, count, *args, **options):
        return [self.submit(*args, **options) for _ in range(count)]

    def adopt(self, job, poll=0.01, grace=0.05, body=None, **options):
        """Take over a task as a new kernel would: from what is in the journal."""
        return self.runner.adopt(Job(self.stored(job), self.store, body or body_of_nothing, 20, poll, grace, **options))

    def body(self, job):
        """What sends a job's request once more."""
        return lambda: json.dumps(job.record.request).encode()

    def until(self, done):
        assert self.runner.wait(done, PATIENT), "it did not happen in time"

    def settle(self, *jobs):
        """Wait until jobs are settled; return their statuses."""
        self.until(lambda: all(job.settled for job in jobs))
        return [job.record.task_status for job in jobs]

    def stored(self, job):
        return self.store.journal.get(job.record.id)

    def entries(self, job=None):
        """What the sandbox has billed, for one task or all."""
        found = self.sandbox.ledger.entries()
        return [entry for entry in found if job is None or entry.external_task_id == job.record.external_task_id]

    def seen(self, method=None, ending=""):
        """Requests to the API so far."""
        return [
            seen
            for seen in self.sandbox.requests
            if seen.origin == "api" and seen.method == (method or seen.method) and seen.path.endswith(ending)
        ]

    @property
    def posts(self):
        return len(self.seen("POST"))

    @property
    def lists(self):
        return len(self.seen("GET", "multi-image2image"))

    @property
    def looks(self):
        return len(self.seen("GET")) - self.lists

    def check_saved(self, job):
        """Every image of a task is on disk and in the journal, as served."""
        record = self.stored(job)
        assert record.task_status == "succeeded"
        assert record.saved_at is not None
        assert record.failure is None
        assert record.missing == 0
        assert replace(record, references=()) == replace(job.record, references=())
        for image in record.images:
            assert len(self.store.read_image(image)) == image.size

    def close(self):
        self.runner.close(join=PATIENT)
        self.client.close()
        self.pictures.close()
        self.store.close()


def body_of_nothing():
    raise AssertionError("a task that exists was sent again")


def engine_threads():
    return [
        thread for thread in threading.enumerate() if thread.name.startswith("kling-") and "sandbox" not in thread.name
    ]


@pytest.fixture
def sandbox(tmp_path):
    with Sandbox(tmp_path / "sandbox", seconds=0, images="constant") as started:
        yield started


@pytest.fixture
def make_bench(tmp_path, sandbox):
    """Make benches; all are closed when the test ends, and no thread is left."""
    made = []

    def make(base_url=None, *, at=None, folder=None, **options):
        folder = folder or tmp_path / f"workspace{len(made)}"
        made.append(Bench(folder, at or sandbox, base_url, **options))
        return made[-1]

    yield make
    for bench in made:
        bench.close()
    assert engine_threads() == []


@pytest.fixture
def bench(make_bench):
    return make_bench()


@pytest.fixture
def quick(monkeypatch):
    """Let the engine wait a hundredth of a second where it would wait for seconds."""
    asked = []

    def delay(failures, *, first, longest, jitter):
        asked.append(failures)
        return 0.01

    monkeypatch.setattr(backoff, "delay", delay)
    return asked


@pytest.fixture(scope="session")
def threads():
    return engine_threads


@pytest.fixture(scope="session")
def eventually():
    """Wait until something is so that the engine does not announce."""

    def wait(done):
        tick, deadline = threading.Event(), time.monotonic() + PATIENT
        while not done():
            assert time.monotonic() < deadline, "it did not happen in time"
            tick.wait(0.002)

    return wait
