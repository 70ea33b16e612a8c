"""An account, a workspace and a kernel between them, each row of the matrix with its own."""

import functools
import hashlib
import io
import json
import threading
import time

import pytest
from PIL import Image

import kling_nb.kling as facade
from kling_nb import Kling, KlingError
from kling_nb.engine import backoff, following
from kling_nb.key import kernel
from kling_nb.remote import download
from kling_nb.remote.client import Client, Timeouts
from kling_nb.sandbox import Sandbox
from kling_nb.session import gateway

KEY = "a-key-of-no-importance"
NOTHING_PAID = ("Nothing was sent", "nothing is billed", "nothing is to pay", "never sent", "not bill")


class Household:
    """What a user has and sees: an account, a workspace, a kernel, and what becomes of a request."""

    def __init__(self, folder):
        self.folder = folder
        # The gateway would take an id twice, and bill it twice.
        self.sandbox = Sandbox(folder / "gateway", seconds=0, images="constant", unique_external_ids=False).start()
        self.workspace = folder / "runs"
        buffer = io.BytesIO()
        Image.new("RGB", (320, 300), "teal").save(buffer, "PNG")
        self.cat = buffer.getvalue()
        self.settings = {"poll_interval": 0.01, "grace": 0.05, "timeout": 60}
        self.kling = self.open()

    def open(self):
        base_url = self.sandbox.base_url
        return Kling(api_key=KEY, base_url=base_url, workspace=self.workspace, **self.settings)

    def restart(self, **settings):
        """Forget everything but what is on disk, as a new kernel does."""
        gateway.close_all()
        self.settings.update(settings)
        self.kling = self.open()

    def generate(self, n=2, **fields):
        """Ask for images; return the task and the error that the user sees, if any."""
        try:
            return self.kling.generate("a cat", **{"subject_images": self.cat, "n": n, **fields}), None
        except KlingError as error:
            return error.task, error

    def until(self, done):
        tick, deadline = threading.Event(), time.monotonic() + 20
        while not done():
            assert time.monotonic() < deadline, "it did not happen in time"
            tick.wait(0.005)

    def until_it_is_under_way(self, task):
        assert self.kling.session.gateway.runner.wait(lambda: task.record.task_id is not None, 20)

    def make_a_control(self):
        """Have the account a task that is known to exist."""
        assert self.generate(1)[1] is None
        self.sandbox._shared.requests.clear()

    @property
    def newest(self):
        return self.kling.tasks()[0]

    @property
    def creates(self):
        return sum(seen.method == "POST" for seen in self.sandbox.requests)

    def billed(self, task):
        entries = self.sandbox.ledger.entries()
        return sum(entry.billed for entry in entries if entry.external_task_id == task.external_task_id)

    def check_outcome(self, task, error, *, images, billed):
        """What the user is told is so, in the ledger and on disk."""
        assert self.billed(task) == billed
        self.check_disk(task, images)
        if error is not None:
            says_unpaid = any(words in error.money for words in NOTHING_PAID)
            assert not (billed and says_unpaid), error.money
            assert billed or "is paid" not in error.money, error.money
            assert error.message
            assert error.message.partition("\n")[0][:40] in task.bundle()[0]["text/plain"].replace("\n", " ")

    def check_disk(self, task, images):
        """Images are there, whole, and nothing that looks like one and is not."""
        record = self.kling.task(task.id).record
        saved = [image for image in record.images if image.path is not None]
        assert len(saved) == images
        for image in saved:
            path = self.workspace / image.path
            assert hashlib.sha256(path.read_bytes()).hexdigest() == image.sha256
            assert json.loads(path.with_suffix(".json").read_text())["image"]["index"] == image.index
        mine = set()
        for note in self.workspace.glob("images/*.json"):
            if json.loads(note.read_text())["task"]["id"] == task.id:
                mine.add(note.stem)
        assert mine == {(self.workspace / image.path).stem for image in saved}
        assert list(self.workspace.rglob(".writing-*")) == []

    def check_collected(self, task, n=2):
        """All of it came in the end, and was paid once."""
        again = self.kling.task(task.id)
        assert (again.task_status, again.error, again.record.complete) == ("succeeded", None, True)
        self.check_outcome(again, None, images=n, billed=n)

    def collect_later(self, task):
        """The fault is over, and another kernel finishes what it left; nothing is sent for it."""
        sent = self.creates
        # In this order, or the kernel that is about to end may still finish it itself.
        self.restart()
        self.sandbox.faults.clear()
        assert self.kling.resume().message == "1 task of 1 collected."
        assert self.creates == sent
        self.check_collected(task)

    def close(self):
        gateway.close_all()
        self.sandbox.stop()


@pytest.fixture
def house(tmp_path, quick):
    """Everything that one row needs, and nothing of it afterwards."""

    def forget():
        gateway.close_all()
        facade._default.clear()
        facade._config.clear()
        kernel.login = kernel.sandbox = kernel.folder = None

    forget()
    made = Household(tmp_path)
    yield made
    made.close()
    forget()


@pytest.fixture
def quick(monkeypatch):
    """Let the engine wait a hundredth of a second where it would wait for seconds."""
    monkeypatch.setattr(backoff, "delay", lambda failures, *, first, longest, jitter: 0.01)
    monkeypatch.setattr(following, "UNKNOWN_FOR", 0.05)


@pytest.fixture
def hasty(monkeypatch):
    """Let the clients give up on an answer after half a second."""
    half = Timeouts(connect=2.0, read=0.5, create=0.5, write=2.0, whole=0.5)
    monkeypatch.setattr(gateway, "Client", functools.partial(Client, timeouts=half))
    monkeypatch.setattr(download, "_READ", 0.5)
