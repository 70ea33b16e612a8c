"""What is asked of the journal with every task takes the same work after three thousand tasks as after a hundred."""

from dataclasses import replace

import pytest

from kling_nb.workspace.journal import Journal

FEW, MANY = 100, 3_000
GATEWAY, MODEL = "https://gateway.example/kling", "kling-v2-1"


class Counted:
    """A journal with a history of finished tasks, and a few that are under way."""

    def __init__(self, path, make, count):
        self.make, self.count = make, count
        self.journal = Journal(path)
        times = {"sent_at": 1.0, "submitted_at": 2.0, "finished_at": 30.0, "saved_at": 31.0}
        done = [
            make(number, task_status="succeeded", task_id=f"t{number}", account="mine", **times)
            for number in range(1, count + 1)
        ]
        busy = [self.busy(number) for number in range(count + 1, count + 4)]
        self.journal.insert(done + busy)

    def busy(self, number):
        return self.make(number, task_status="submitted", task_id=f"t{number}", account="mine", owner="o|o|o|1|1")

    def steps(self, work):
        """How many steps SQLite's machine makes, which no clock and no other process changes."""
        taken = [0]

        def step():
            taken[0] += 1
            return 0

        connection = self.journal._database._connection
        connection.set_progress_handler(step, 1)
        try:
            result = work(self)
        finally:
            connection.set_progress_handler(None, 1)
        assert result is not None
        return taken[0]


@pytest.fixture(scope="module")
def histories(tmp_path_factory, record):
    made = [Counted(tmp_path_factory.mktemp("growth") / "journal.sqlite3", record, count) for count in (FEW, MANY)]
    yield made
    for each in made:
        each.journal.close()


def last(history):
    return history.make(history.count)


WORK = {
    "find by id": lambda it: it.journal.get(last(it).id),
    "find by the gateway's id": lambda it: it.journal.get("t7"),
    "find by external id": lambda it: it.journal.get(last(it).external_task_id),
    "find the same request": lambda it: it.journal.same(GATEWAY, last(it).digest),
    "what is left to do": lambda it: it.journal.unfinished(),
    "how long tasks take": lambda it: it.journal.durations(GATEWAY, MODEL),
    "what the gateway has made": lambda it: it.journal.known(it.busy(it.count + 1)),
    "slots of other kernels": lambda it: it.journal.leases.theirs(last(it)),
    "slots that may be held": lambda it: it.journal.leases.ghosts(last(it)),
    "whether it is sent": lambda it: it.journal.leases.is_sending(last(it).id),
    "plan": lambda it: (it.journal.insert([it.make(it.count + 5)]), True),
    "begin": lambda it: it.journal.leases.begin(it.make(it.count + 5, task_status="sending", sent_at=1.0), 0, 9),
    "acknowledge": lambda it: it.journal.leases.acknowledge(it.busy(it.count + 5)),
    "write": lambda it: it.journal.update(replace(it.busy(it.count + 5), finished_at=9.0)),
    "newest": lambda it: it.journal.newest(limit=20),
}


def test_no_step_of_a_task_takes_longer_after_a_long_history(histories):
    few, many = histories
    taken = {name: (few.steps(work), many.steps(work)) for name, work in WORK.items()}
    assert all(steps > 5 for steps, _ in taken.values())
    assert {name: steps for name, steps in taken.items() if steps[1] > 1.2 * steps[0]} == {}
