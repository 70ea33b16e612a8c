"""The journal against a plain dictionary: several kernels, deaths, clocks, and a file that someone deletes."""

import itertools
import tempfile
from collections import defaultdict
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from kling_nb.errors import InvalidRequest, WorkspaceError
from kling_nb.records import URLS_LIVE, Failure, ImageRecord, Spent, TaskRecord
from kling_nb.workspace import searches
from kling_nb.workspace.journal import Journal
from kling_nb.workspace.leases import HELD_UP
from kling_nb.workspace.owners import UNREACHABLE, this_process

START = 1_795_357_805.0
DAY = 86_400.0
STATUSES = ("planned", "sending", "submitted", "processing", "succeeded", "failed", "uncertain", "cancelled")
# What has succeeded is summed up in most ways, and what is planned is begun.
OFTEN = (*STATUSES, "succeeded", "planned")
HOLDING = ("sending", "submitted", "processing")
GATEWAYS, MODELS, DIGESTS, ACCOUNTS = ("sandbox", "https://g"), ("kling-v2", "kling-v2-1"), ("d", "e"), ("", "a", "b")
PROMPTS = ("a cat", "a Hat of 100%", "été_")

KERNEL = st.integers(0, 2)
TASK = st.integers(0, 40)
FATE = st.tuples(st.sampled_from(OFTEN), st.booleans(), st.sampled_from((20.0, 4000.0, -1.0)))
PLAN = st.tuples(
    *map(st.sampled_from, (GATEWAYS, MODELS, PROMPTS, DIGESTS, ACCOUNTS)), st.integers(1, 9), st.booleans(), FATE
)


class Kernels(RuleBasedStateMachine):
    """Kernel 0 is this process, which lives; the others are of machines that cannot be looked at."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "journal.sqlite3"
        self.now = START
        self.names = [this_process(), "far|boot|space|1|1", "farther|boot|space|2|1"]
        self.journals = [None, None, None]
        self.number = 0
        self.tasks = {}
        self.beats = {}
        self.latest = {}
        self.journal(0)

    def teardown(self):
        for journal in self.journals:
            if journal is not None:
                journal.close()
        self.folder.cleanup()

    def journal(self, kernel):
        """Return a kernel's journal, opened anew when the file is another one, as a workspace does."""
        journal = self.journals[kernel]
        if journal is not None and not journal.in_place:
            journal.close()
            journal = None
        if journal is None:
            journal = Journal(self.path, me=lambda: self.names[kernel], clock=lambda: self.now)
            # What survives a power cut is tested elsewhere.
            journal._database._connection.execute("PRAGMA synchronous = OFF")
            self.journals[kernel] = journal
        return journal

    def pick(self, number):
        """Return one of the tasks that there ever were, also of a journal that was deleted."""
        ids = sorted(self.latest)
        return self.latest[ids[number % len(ids)]]

    def plan(self, kernel, facts, name=None):
        gateway, model_name, prompt, digest, account, n, owned, fate = facts
        self.number += 1
        planned = TaskRecord(
            id=f"20261122-143005-{self.number:05d}",
            gateway=gateway,
            request={"model_name": model_name, "prompt": prompt, "n": n},
            digest=digest,
            references=(),
            external_task_id=name or f"kling_nb-{self.number}",
            created_at=START + 40_000.0 * self.number,
            owner=self.names[kernel] if owned else "",
            account=account,
        )
        return self.becomes(planned, *fate)

    def is_free(self, owner):
        if owner == this_process():
            return False
        return not owner or owner not in self.beats or self.now - self.beats[owner] > UNREACHABLE

    def store(self, record):
        self.tasks[record.id] = self.latest[record.id] = record

    # ---- what kernels do -------------------------------------------------------------------------

    @initialize(plans=st.lists(PLAN, min_size=4, max_size=6))
    def begin_with_some(self, plans):
        self.insert(0, plans[:2])
        self.insert(1, plans[2:])

    @rule(kernel=KERNEL, plans=st.lists(PLAN, min_size=1, max_size=3))
    def insert(self, kernel, plans):
        records = [self.plan(kernel, facts) for facts in plans]
        self.journal(kernel).insert(records)
        for record in records:
            self.store(record)
        self.beats[self.names[kernel]] = self.now

    @rule(kernel=KERNEL, facts=PLAN, number=TASK, twins=st.booleans(), before=st.booleans())
    def insert_what_is_known(self, kernel, facts, number, twins, before):
        new, known = self.plan(kernel, facts), self.pick(number)
        twin = new if twins or known.id not in self.tasks else known
        again = replace(self.plan(kernel, facts, twin.external_task_id), gateway=twin.gateway)
        batch = [new, again]
        with pytest.raises(InvalidRequest, match=twin.external_task_id):
            self.journal(kernel).insert(batch[::-1] if before else batch)

    @rule(kernel=KERNEL, number=TASK, mine=st.integers(0, 9), limit=st.integers(1, 20), as_owner=st.booleans())
    def begin(self, kernel, number, mine, limit, as_owner):
        me, before = self.names[kernel], self.pick(number)
        record = replace(
            before,
            task_status="sending",
            sent_at=self.now,
            sends=before.sends + 1,
            # What is sent again was never saved.
            saved_at=None,
            owner=before.owner if as_owner else me,
        )
        stored = self.tasks.get(record.id)
        theirs = self.theirs(record, me)
        unsent = stored is None or stored.task_status in ("planned", "uncertain")
        if stored is not None and not (unsent and stored.owner in (me, record.owner)):
            expected = ("taken", stored, 0)
        elif theirs and mine + theirs + record.n > limit:
            expected = ("full", replace(record, task_status="planned"), theirs)
        else:
            expected = ("begun", record, theirs)
            self.store(record)
        assert self.journal(kernel).leases.begin(record, mine, limit) == expected

    @rule(kernel=KERNEL, numbers=st.lists(TASK, min_size=1, max_size=3), fate=FATE, as_owner=st.booleans())
    def update(self, kernel, numbers, fate, as_owner):
        records = {}
        for before in map(self.pick, numbers):
            owner = before.owner if as_owner else self.names[kernel]
            records[before.id] = replace(self.becomes(before, *fate), owner=owner)
        lost = [record.id for record in records.values() if not self.may_write(kernel, record)]
        assert self.journal(kernel).update(*records.values()) is not bool(lost)
        for record in records.values():
            if record.id not in lost:
                self.store(record)

    def may_write(self, kernel, record):
        stored = self.tasks.get(record.id)
        if stored is None or stored.owner in (record.owner, self.names[kernel]):
            return True
        return stored.owner == "" and stored.task_id in (None, record.task_id)

    def becomes(self, before, status, saved, took):
        done = status == "succeeded"
        known = status in ("submitted", "processing", "succeeded")
        return replace(
            before,
            task_status=status,
            task_id=f"T-{before.id[-5:]}" if known else before.task_id,
            sent_at=None if status == "planned" else before.sent_at or self.now,
            submitted_at=self.now - took if done else before.submitted_at,
            finished_at=self.now if done else None,
            saved_at=self.now if done and saved else None,
            images=(ImageRecord(0, url="https://i/0.png"),) if done else (),
            failure=Failure("TaskFailed", "why", 200, "5") if status == "failed" else None,
        )

    @rule(kernel=KERNEL, number=TASK)
    def take(self, kernel, number):
        me, stored = self.names[kernel], self.tasks.get(self.pick(number).id)
        taken = self.journal(kernel).leases.take(self.pick(number).id)
        if stored is None or (stored.owner != me and not self.is_free(stored.owner)):
            assert taken is None
            return
        assert taken == replace(stored, owner=me)
        if stored.owner != me:
            self.store(taken)
            self.beats[me] = self.now

    @rule(kernel=KERNEL, numbers=st.sets(TASK, max_size=4))
    def release(self, kernel, numbers):
        ids = {self.pick(number).id for number in numbers}
        self.journal(kernel).leases.release(ids)
        for stored in [self.tasks[some_id] for some_id in ids if some_id in self.tasks]:
            if stored.owner == self.names[kernel]:
                self.store(replace(stored, owner=""))

    @rule(kernel=KERNEL)
    def beat(self, kernel):
        self.journal(kernel).leases.beat()
        self.beats[self.names[kernel]] = self.now
        self.beats = {name: at for name, at in self.beats.items() if at >= self.now - 30 * DAY}

    # ---- what happens to them --------------------------------------------------------------------

    @rule(seconds=st.sampled_from((1.0, UNREACHABLE, UNREACHABLE + 1, HELD_UP, 31 * DAY, -100.0)))
    def wait(self, seconds):
        self.now += seconds

    @rule(kernel=KERNEL)
    def reopen(self, kernel):
        self.journal(kernel).close()
        self.journals[kernel] = None

    @rule(kernel=KERNEL)
    def fail_midway(self, kernel):
        def fail(connection):
            connection.execute("UPDATE tasks SET owner = 'nobody', task_status = 'failed'")
            connection.execute("DELETE FROM kernels")
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            self.journal(kernel)._database.commit(fail)

    @precondition(lambda self: self.tasks)
    @rule(kernel=st.integers(1, 2))
    def die_midway(self, kernel):
        """Leave what a process leaves that is killed in a commit; its successor has another name."""
        journal = self.journal(kernel)
        connection = journal._database._connection
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE tasks SET owner = 'nobody', warnings = hex(zeroblob(9000))")
        half = {path: path.read_bytes() for path in (self.path, Path(f"{self.path}-journal"))}
        connection.execute("ROLLBACK")
        journal.close()
        for path, data in half.items():
            path.write_bytes(data)
        self.journals[kernel] = None
        self.names[kernel] = f"far|boot|space|{kernel}|{self.names[kernel].rpartition('|')[2]}1"

    @precondition(lambda self: len(self.tasks) > 5)
    @rule()
    def delete(self):
        self.path.unlink()
        self.tasks, self.beats = {}, {}
        self.journal(0)

    # ---- what they read --------------------------------------------------------------------------

    def newest(self, wanted=lambda record: True):
        return sorted(filter(wanted, self.tasks.values()), key=lambda record: record.created_at, reverse=True)

    def theirs(self, record, me):
        return sum(
            other.n
            for other in self.tasks.values()
            if other.task_status in HOLDING
            and (other.gateway, other.model_name) == (record.gateway, record.model_name)
            and other.owner != me
            and not (other.owner == "" or self.is_free(other.owner))
        )

    @rule(kernel=KERNEL, number=TASK)
    def ask_for_slots(self, kernel, number):
        record, leases = self.pick(number), self.journal(kernel).leases
        assert leases.theirs(record) == self.theirs(record, self.names[kernel])
        ghosts = sum(
            other.n
            for other in self.tasks.values()
            if other.task_status in (*HOLDING, "uncertain")
            and (other.gateway, other.model_name) == (record.gateway, record.model_name)
            and (other.sent_at or 0.0) > self.now - HELD_UP
        )
        assert leases.ghosts(record) == ghosts
        for owner in (*self.names, record.owner):
            assert leases.is_free(owner) == (owner == self.names[kernel] or self.is_free(owner))

    @rule(
        kernel=KERNEL, words=st.sampled_from(("cat", "HAT a", "100%", "ÉTÉ", "_", "kling-v2-1", "failed", "T-0", "x"))
    )
    def search(self, kernel, words):
        def mentions(record):
            facts = (record.prompt, record.model_name, record.task_status, record.id, record.task_id or "")
            text = "\n".join((*facts, record.external_task_id)).casefold()
            return all(word in text for word in words.casefold().split())

        assert self.journal(kernel).newest(words) == self.newest(mentions)
        assert self.journal(kernel).newest(words, limit=2) == self.newest(mentions)[:2]
        assert self.journal(kernel).newest(limit=3) == self.newest()[:3]

    @rule(kernel=KERNEL, number=TASK, cut=st.sampled_from((0, -5, -4, -3, 16)))
    def get(self, kernel, number, cut):
        record, journal = self.pick(number), self.journal(kernel)
        assert journal.get(record.external_task_id) == self.tasks.get(record.id)
        name = record.id[cut:] if cut <= 0 else record.id[:cut]
        near = [task for task in self.tasks.values() if task.id.startswith(name) or task.id.endswith(name)]
        assert journal.get(name) == (near[0] if len(near) == 1 and len(name) >= 4 else None)
        named = [task for task in self.tasks.values() if task.task_id == f"T-{record.id[-5:]}"]
        assert journal.get(f"T-{record.id[-5:]}") == (named[0] if named else None)

    def check_sums(self, journal):
        assert journal.spent() == self.spent()
        for gateway, digest in itertools.product(GATEWAYS, DIGESTS):
            done = self.newest(
                lambda task, key=(gateway, digest): (
                    task.task_status == "succeeded" and task.saved_at and (task.gateway, task.digest) == key
                )
            )
            assert journal.same(gateway, digest) == (done[0] if done else None)
        for gateway, model_name in itertools.product(GATEWAYS, MODELS):
            took = [
                task.finished_at - task.submitted_at
                for task in self.newest()
                if (task.gateway, task.model_name, task.task_status) == (gateway, model_name, "succeeded")
            ]
            assert journal.durations(gateway, model_name) == [each for each in took if 0 < each < 3600]

    def spent(self):
        sums = defaultdict(lambda: [0, 0, 0])
        for task in self.tasks.values():
            if task.task_status not in ("planned", "failed", "cancelled"):
                day = datetime.fromtimestamp(task.created_at).strftime("%Y-%m-%d")
                known = task.task_status not in ("sending", "uncertain")
                add = (1, task.n, 0) if known else (0, 0, task.n)
                sums[day, task.model_name, task.gateway] = [
                    a + b for a, b in zip(sums[day, task.model_name, task.gateway], add, strict=True)
                ]
        lines = [Spent(*key, *values) for key, values in sums.items()]
        lines.sort(key=lambda line: (line.model_name, line.gateway))
        return sorted(lines, key=lambda line: line.day, reverse=True)

    @rule(kernel=KERNEL, number=TASK)
    def list_open_and_known(self, kernel, number):
        def is_open(task):
            forgotten = task.task_status == "succeeded" and task.finished_at < self.now - URLS_LIVE
            return task.saved_at is None and task.task_status not in ("failed", "cancelled") and not forgotten

        record = self.pick(number)
        is_control = lambda task: (  # noqa: E731
            (task.gateway, task.account) == (record.gateway, record.account)
            and record.account
            and task.task_id
            and task.submitted_at
            and task.id != record.id
        )
        assert self.journal(kernel).unfinished() == self.newest(is_open)[::-1]
        assert self.journal(kernel).known(record) == self.newest(is_control)[:20]

    # ---- what always holds -----------------------------------------------------------------------

    @invariant()
    def the_journal_is_what_it_should_be(self):
        # First of all, for it must cope with what a process has left that was killed.
        reader = Journal(self.path, read_only=True, clock=lambda: self.now)
        try:
            assert reader.newest() == self.newest()
            assert reader.count() == len(self.tasks)
            self.check_sums(reader)
            beats = reader._database.read("SELECT owner, beat_at FROM kernels")
            assert {row["owner"]: row["beat_at"] for row in beats} == self.beats
            with pytest.raises(WorkspaceError, match="readonly"):
                reader.leases.beat()
            self.check_file(reader._database.read)
        finally:
            reader.close()

    def check_file(self, read):
        assert [tuple(row) for row in read("PRAGMA integrity_check")] == [("ok",)]
        names = [tuple(row) for row in read("SELECT gateway, external_task_id FROM tasks")]
        assert len(names) == len(set(names))


ALWAYS = settings(derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True)
def folding_early(monkeypatch):
    """Searches of histories this short meet tasks that are folded, and tasks that are not."""
    monkeypatch.setattr(searches, "READ_IN_FULL", 3)


def test_kernels_that_share_a_journal():
    run_state_machine_as_test(Kernels, settings=settings(ALWAYS, max_examples=60, stateful_step_count=30))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kernels_that_share_a_journal_for_long():
    run_state_machine_as_test(Kernels, settings=settings(ALWAYS, max_examples=250, stateful_step_count=60))
