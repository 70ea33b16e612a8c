"""The slots of an account as they are learned by sending tasks: limits and packing together, in made-up time."""

import random

import pytest

from kling_nb.engine import backoff, limits
from kling_nb.engine.slots import PATIENCE, Pool, Waiting, startable

SECONDS = 20.0
"""A task's, from its beginning to its end."""
BETWEEN = 0.5
"""A create's, from its sending to its answer."""
SETTING = 5
BEGINNING = 1_000_000.0


class Account:
    """An account, someone else who uses it, and a queue that sends tasks to it as the package's does.

    Parameters
    ----------
    slots : int
        Which the queue is not told.
    sizes : iterable of int
        The ``n`` of the tasks.
    others : callable
        Returns the slots that someone else has, so many seconds after the beginning.
    unseen : float
        Seconds from the end of a task until the queue hears of it.
    """

    def __init__(self, slots, sizes, others=lambda after: 0, unseen=0.0):
        self.slots = slots
        self.others = lambda now: min(slots, others(now - BEGINNING))
        self.unseen = unseen
        self.waiting = [Waiting(f"{number:03}", "m", n) for number, n in enumerate(sizes)]
        self.running = []
        self.sending = []
        self.limit = limits.beginning(None, SETTING)
        self.now = BEGINNING
        self.closed_until = 0.0
        self.in_a_row = 0
        self.refusals = []
        self.idle = []

    @property
    def busy(self):
        return sum(task.n for _, task in self.running)

    @property
    def mine(self):
        return self.busy + sum(task.n for task in self.sending)

    def run(self, until=lambda: False):
        """Go on until nothing waits; each step is the time that a create takes."""
        for _ in range(20_000):
            if until() or not (self.waiting or self.sending):
                return self
            self.dispatch()
            self.now += BETWEEN
            self.answer()
            self.end()
        raise AssertionError("a task was never taken")

    def dispatch(self):
        closed = self.closed_until > self.now
        may = limits.reach(self.limit, self.now)
        pool = Pool(self.limit.slots, self.mine, reach=may, gentle=self.limit.ceiling > 0, closed=closed)
        chosen = startable(self.waiting, {"m": pool})
        if chosen:
            self.sending = [task for task in self.waiting if task.id in chosen]
            self.waiting = [
                task._replace(passed=task.passed + sum(later.id in chosen for later in self.waiting[place + 1 :]))
                for place, task in enumerate(self.waiting)
                if task.id not in chosen
            ]
        free = self.slots - self.others(self.now) - self.mine
        held_up = next((place for place, task in enumerate(self.waiting) if task.passed >= PATIENCE), len(self.waiting))
        if not closed and not self.sending and any(task.n <= free for task in self.waiting[: held_up + 1]):
            self.idle.append(self.now)

    def answer(self):
        together = False
        while self.sending:
            task = self.sending[0]
            theirs = self.others(self.now)
            held = sum(each.n for ends, each in self.running if ends > self.now)
            if held + theirs + task.n <= self.slots:
                self.running.append((self.now + SECONDS, self.sending.pop(0)))
                self.limit = limits.taken(self.limit, task.n, self.busy)
                self.in_a_row = 0
                continue
            self.limit = limits.refused(self.limit, task.n, self.mine - task.n, self.now, together=together)
            self.waiting = sorted([*self.waiting, self.sending.pop(0)])
            self.refusals.append(self.now)
            self.in_a_row += not together
            together = True
            self.closed_until = self.now + backoff.delay(self.in_a_row, first=1.0, longest=30.0, jitter=1.0)

    def end(self):
        left = [task for task in self.running if task[0] + self.unseen > self.now]
        if len(left) < len(self.running):
            self.closed_until = 0.0
        self.running = left


def mixed(count, largest, seed=1):
    chance = random.Random(seed)
    return [chance.randint(1, largest) for _ in range(count)]


def in_the_first_minute(account):
    return sum(at < BEGINNING + limits.AGAIN for at in account.refusals)


@pytest.mark.parametrize("slots", [3, 5, 7, 12, 20])
@pytest.mark.parametrize("unseen", [0.0, 2.0])
@pytest.mark.parametrize("seed", range(10))
def test_a_limit_that_stays_is_found_with_few_refusals_and_leaves_no_slot_idle(slots, unseen, seed):
    account = Account(slots, mixed(60, min(4, slots), seed), unseen=unseen).run()
    assert in_the_first_minute(account) <= 2
    # Later ones ask whether there are more by now; and each costs nothing but the second that follows it.
    assert len(account.refusals) <= 3 + 2 * (account.now - BEGINNING) / limits.AGAIN
    assert account.idle == []


@pytest.mark.parametrize("slots", [3, 5, 7, 12, 20])
def test_it_is_found_before_the_first_tasks_have_ended(slots):
    account = Account(slots, mixed(60, min(4, slots)))
    account.run(lambda: account.now >= BEGINNING + SECONDS)
    assert (account.limit.slots, account.limit.ceiling) == (slots, slots)
    assert len(account.refusals) <= 3


@pytest.mark.parametrize("slots", [3, 5, 7, 12, 20])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_also_where_all_tasks_are_alike(slots, n):
    account = Account(slots, [n] * 60).run()
    assert in_the_first_minute(account) <= 2
    assert len(account.refusals) <= 3 + (account.now - BEGINNING) / limits.AGAIN
    assert account.idle == []


@pytest.mark.parametrize("slots", [12, 20])
@pytest.mark.parametrize("left", [0, 3, 6])
@pytest.mark.parametrize("lasts", [40.0, 200.0])
def test_after_others_have_gone_the_slots_are_filled_within_a_handful_of_tasks(slots, left, lasts):
    begins = 100.0

    def others(after):
        return slots - left if begins <= after < begins + lasts else 0

    account = Account(slots, mixed(200, 4, seed=3), others)
    gone = BEGINNING + begins + lasts
    account.run(lambda: account.now >= gone)
    while_crowded = sum(at >= BEGINNING + begins for at in account.refusals)
    assert while_crowded <= 6 + lasts / 20
    account.run(lambda: account.mine >= slots - 3)
    assert account.now - gone <= 3 * SECONDS
