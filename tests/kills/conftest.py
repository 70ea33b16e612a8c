"""Trials: a sandbox, a workspace, and processes at work between them that die where they are told to."""

import contextlib
import hashlib
import io
import json
import os
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from kling_nb.sandbox import Sandbox
from kling_nb.workspace.notice import unfinished
from kling_nb.workspace.workspace import Workspace

SIZES = (1, 3, 2, 1)
SIGKILL = 9
STEPS = (
    "engine/",
    "workspace/",
    "remote/client",
    "remote/download",
    "session/session",
    "session/resuming",
    "compare/running",
)
"""Where something is done that may be half done; what only looks or shows is left alone."""


class Trial:
    """One account, one workspace, and what a notebook's user does with them.

    `unique_external_ids` is off: the gateway would take an id twice, and bill it twice.
    """

    def __init__(self, folder, order, slots=20):
        self.folder = folder
        self._order = order
        folder.mkdir()
        buffer = io.BytesIO()
        Image.new("RGB", (320, 300), "teal").save(buffer, "PNG")
        (folder / "cat.png").write_bytes(buffer.getvalue())
        self.workspace = Workspace(folder / "runs")
        self.sandbox = Sandbox(
            folder / "gateway", seconds=0.05, images="constant", slots=slots, unique_external_ids=False
        ).start()

    def live(
        self,
        do,
        die=None,
        *,
        interrupt=None,
        order=None,
        record=False,
        key="a-key-of-no-importance",
        slots=20,
        sizes=SIZES,
    ):
        """Let a process do something; return whether it died, and what it left to read."""
        result = self.folder / f"result of {key}.json"
        result.unlink(missing_ok=True)
        ended = (order or self._order)(
            do=do,
            die=die,
            interrupt=interrupt,
            record=record,
            folder=str(self.folder),
            result=str(result),
            base_url=self.sandbox.base_url,
            grace=0.2,
            slots=slots,
            sizes=sizes,
            key=key,
        )
        return ended["signal"] == SIGKILL, json.loads(result.read_text()) if result.exists() else {}

    @property
    def tasks(self):
        return self.workspace.journal.newest() if self.workspace.exists else []

    def billed(self, record=None):
        return [
            entry
            for entry in self.sandbox.ledger.entries()
            if record is None or entry.external_task_id == record.external_task_id
        ]

    def check_what_is_billed(self):
        """Nothing is billed twice or unknown to the journal, and all that is billed is on disk."""
        known = {record.external_task_id for record in self.tasks}
        assert {entry.external_task_id for entry in self.billed()} <= known
        for record in self.tasks:
            entries = self.billed(record)
            assert len(entries) <= 1, f"{record.id} is billed {len(entries)} times"
            if entries:
                self.check_collected(record)
            else:
                assert record.task_status in ("planned", "uncertain", "cancelled", "failed"), record

    def check_collected(self, record):
        assert (record.task_status, record.missing) == ("succeeded", 0), record
        assert record.saved_at is not None
        for image in record.images:
            path = self.workspace.folder / image.path
            assert hashlib.sha256(path.read_bytes()).hexdigest() == image.sha256
            assert json.loads(path.with_suffix(".json").read_text())["task"]["id"] == record.id
        paths = [image.path for each in self.tasks for image in each.images]
        assert len(paths) == len(set(paths))

    def check_whole(self):
        """The journal is intact, and no file has half of its content."""
        connection = sqlite3.connect(self.workspace.folder / "journal.sqlite3")
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()
        for path in self.workspace.folder.joinpath("references").glob("[!.]*"):
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem
        for path in self.workspace.folder.joinpath("images").glob("[!.]*.json"):
            json.loads(path.read_text())

    def check_nothing_remains(self):
        assert {record.task_status for record in self.tasks} <= {"succeeded"}
        assert unfinished(self.workspace.folder) == "" if self.workspace.exists else True
        assert sum(entry.billed for entry in self.billed()) == sum(record.n for record in self.tasks)

    def close(self):
        self.workspace.close()
        self.sandbox.stop()


@contextlib.contextmanager
def zygotes():
    """Have a process do what an order says; it returns how it ended."""
    script = Path(__file__).with_name("zygote.py")
    # Its settings are in its orders: whoever runs the tests may have others.
    free = {name: value for name, value in os.environ.items() if not name.startswith("KLING_")}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    zygote = subprocess.Popen([sys.executable, str(script)], env=free, text=True, **pipes)

    def give(**what):
        zygote.stdin.write(json.dumps(what) + "\n")
        zygote.stdin.flush()
        line = zygote.stdout.readline()
        assert line, "the zygote itself has died"
        return json.loads(line)

    yield give
    zygote.stdin.close()
    zygote.wait(30)
    zygote.stdout.close()


@pytest.fixture(scope="session")
def order():
    """Let one process do something."""
    with zygotes() as give:
        yield give


@pytest.fixture(scope="session")
def other_order():
    """Let another process do something at the same time."""
    with zygotes() as give:
        yield give


@pytest.fixture
def new_trial(tmp_path, order):
    made = []

    def make(**options):
        made.append(Trial(tmp_path / f"trial{len(made)}", order, **options))
        return made[-1]

    yield make
    for trial in made:
        trial.close()


@pytest.fixture(scope="session")
def points(tmp_path_factory, order):
    """Where a process can die, by what it does and by room of the package."""

    def record():
        found = {}
        trial = Trial(tmp_path_factory.mktemp("points") / "trial", order)
        trial.sandbox.faults.add("create", "lost", after=1)
        found["work"] = trial.live("work", record=True)[1]["points"]
        # What a process that died left: one task sent, one lost, images to fetch.
        other = Trial(tmp_path_factory.mktemp("points") / "trial", order)
        other.sandbox.hold()
        assert other.live("work", ["engine/following:Follower._take", "call", 6])[0]
        other.sandbox.release()
        found["resume"] = other.live("resume", record=True)[1]["points"]
        cell = Trial(tmp_path_factory.mktemp("points") / "trial", order)
        found["generate"] = cell.live("generate", record=True, sizes=(2, 1))[1]["points_in_main"]
        study = Trial(tmp_path_factory.mktemp("points") / "trial", order)
        seen = study.live("compare", record=True)[1]
        found |= {"compare": seen["points"], "compare in main": seen["points_in_main"]}
        for each in (trial, other, cell, study):
            each.close()
        return {do: by_room(places) for do, places in found.items()}

    return record()


def by_room(places):
    rooms = {}
    for point in places:
        rooms.setdefault(point[0].partition(":")[0], []).append(point)
    return {room: sorted(rooms[room]) for room in sorted(rooms) if room.startswith(STEPS)}


@pytest.fixture(scope="session")
def choose(points):
    """Choose a point, by seed: the rooms in turn, then one of a room's points."""

    def pick(do, seed, again):
        rooms = list(points[do])
        room = rooms[(seed + again) % len(rooms)]
        return random.Random(f"{do} {seed} {again}").choice(points[do][room])

    return pick
