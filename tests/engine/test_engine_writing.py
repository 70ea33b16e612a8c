"""What the journal could not take is written later, and what is given up may be taken by any kernel."""

import threading

import pytest

from kling_nb.engine import collecting, queue
from kling_nb.errors import WorkspaceError
from kling_nb.workspace.journal import Journal
from kling_nb.workspace.workspace import JOURNAL


@pytest.fixture
def beating(monkeypatch):
    monkeypatch.setattr(queue, "BEAT", 0.01)


@pytest.fixture
def closed(bench, monkeypatch):
    """Have the workspace not even open, as one whose folder may not be read, for as long as this is set."""
    shut = threading.Event()

    def journal(shelf):
        if shut.is_set():
            raise WorkspaceError("Permission denied.")
        return shelf.book

    monkeypatch.setattr(type(bench.store), "journal", property(journal))
    yield shut
    shut.clear()


class TestLater:
    def test_what_has_ended_is_written_with_a_beat(self, bench, beating, eventually):
        bench.store.book.fails = lambda record: WorkspaceError("Full.") if record.task_status == "succeeded" else None
        job = bench.submit(2)
        assert bench.settle(job) == ["succeeded"]
        assert job.note == "Full. It will be written as soon as that is possible."
        assert bench.stored(job).task_status == "submitted"
        bench.store.book.fails = lambda record: None
        eventually(lambda: bench.runner.jobs == {})
        bench.check_saved(job)
        assert job.note == ""

    def test_what_is_under_way_is_written_with_a_beat(self, bench, sandbox, beating, eventually):
        """Should this process die before it ends, its task must be known to the next one."""
        sandbox.hold()
        bench.store.book.fails = lambda record: WorkspaceError("Full.") if record.task_status == "submitted" else None
        job = bench.submit()
        bench.until(lambda: job.record.task_id is not None)
        assert bench.stored(job).task_status == "sending"
        bench.store.book.fails = lambda record: None
        eventually(lambda: bench.stored(job).task_id == job.record.task_id)
        sandbox.release()
        assert bench.settle(job) == ["succeeded"]
        bench.check_saved(job)

    def test_what_came_after_is_not_replaced(self, bench, sandbox, eventually):
        sandbox.hold()
        bench.store.book.fails = lambda record: WorkspaceError("Full.") if record.task_status == "submitted" else None
        job = bench.submit()
        bench.until(lambda: job.unwritten is not None)
        sandbox.release()
        assert bench.settle(job) == ["succeeded"]
        assert job.unwritten is None
        bench.check_saved(job)

    def test_closing_is_the_last_chance(self, bench):
        bench.store.book.fails = lambda record: WorkspaceError("Full.") if record.task_status == "succeeded" else None
        job = bench.submit()
        assert bench.settle(job) == ["succeeded"]
        bench.store.book.fails = lambda record: None
        bench.runner.close()
        bench.check_saved(job)

    def test_a_folder_that_may_not_be_read_for_a_while(self, bench, sandbox, beating, closed, eventually):
        sandbox.hold()
        hang = sandbox.faults.add("create", "hang", processed=True)
        job = bench.submit()
        eventually(lambda: hang.used)
        closed.set()
        hang.release()
        bench.until(lambda: job.unwritten is not None)
        # Several beats go by.
        assert not bench.runner.wait(lambda: job.settled or job.unwritten is None, 0.1)
        assert bench.runner.queue._thread.is_alive()
        closed.clear()
        sandbox.release()
        assert bench.settle(job) == ["succeeded"]
        eventually(lambda: bench.stored(job).saved_at is not None)
        assert len(bench.entries()) == 1

    def test_another_kernel_has_it_by_then(self, bench, beating, eventually):
        bench.store.book.fails = lambda record: WorkspaceError("Full.") if record.task_status == "succeeded" else None
        job = bench.submit()
        bench.settle(job)
        change = "UPDATE tasks SET owner = 'another'"
        bench.store.journal._database.commit(lambda connection: connection.execute(change))
        bench.store.book.fails = lambda record: None
        eventually(lambda: bench.runner.jobs == {})
        assert (bench.stored(job).task_status, bench.stored(job).owner, job.aside) == ("submitted", "another", True)


def test_a_round_that_goes_wrong_does_not_end_the_queues_thread(bench, sandbox, beating, monkeypatch, eventually):
    sandbox.hold()
    job = bench.submit()
    bench.until(lambda: job.record.task_id is not None)
    rounds = []

    def wrong():
        rounds.append(threading.current_thread())
        raise ZeroDivisionError

    monkeypatch.setattr(bench.runner.queue, "_beat", wrong)
    eventually(lambda: len(rounds) > 2)
    assert len(set(rounds)) == 1
    sandbox.release()
    assert bench.settle(job) == ["succeeded"]


class TestLettingGo:
    @pytest.fixture
    def other(self, bench):
        """The journal as another kernel has it, which does not know whether this process lives."""
        journal = Journal(bench.store.folder / JOURNAL, me=lambda: "another|boot|space|1|2")
        yield journal
        journal.close()

    @pytest.fixture
    def given_up(self, bench, sandbox, monkeypatch):
        """A task whose images this kernel has given up on."""
        monkeypatch.setattr(collecting, "TRIES", 1)
        sandbox.faults.add("image", "not_json", times=None)
        job = bench.submit(2)
        assert bench.settle(job) == ["succeeded"]
        sandbox.faults.clear()
        return job

    def test_another_kernel_may_take_what_this_one_gave_up(self, bench, given_up, other):
        assert bench.stored(given_up).missing == 2
        assert other.leases.take(given_up.record.id).owner == "another|boot|space|1|2"

    def test_this_kernel_may_take_it_again(self, bench, given_up, other):
        assert bench.store.journal.leases.take(given_up.record.id).owner == bench.me()
        again = bench.adopt(given_up)
        assert other.leases.take(given_up.record.id) is None
        assert bench.settle(again) == ["succeeded"]
        bench.check_saved(again)

    def test_what_is_complete_is_nobodys_to_take_up(self, bench):
        job = bench.submit()
        bench.settle(job)
        assert bench.stored(job).owner == bench.me()

    def test_in_doubt_it_is_free_when_nothing_more_is_done_and_taken_again_when_it_turns_up(
        self, bench, sandbox, other, quick
    ):
        sandbox.faults.add("query", "late", times=None)
        sandbox.faults.add("list", "late", times=None)
        job = bench.submit(prompt="[sandbox: lost] a cat", grace=0.0)
        bench.until(lambda: job.record.task_status == "uncertain")
        if not job.settled:
            assert other.leases.take(job.record.id) is None
        assert bench.settle(job) == ["uncertain"]
        assert bench.stored(job).owner == ""
        (entry,) = bench.entries()
        sandbox.faults.clear()
        state = bench.client.query(job.record.external_task_id)
        assert bench.runner.found(state)
        assert bench.settle(job) == ["succeeded"]
        bench.check_saved(job)
        assert (bench.stored(job).task_id, bench.stored(job).owner) == (entry.task_id, bench.me())
