"""The queue: which planned task is sent when, so that the account's slots are full and not overrun.

Its thread keeps time: it ends the pauses after a refusal, looks whether other kernels have freed slots, and
gives signs of life for as long as this process has tasks in hand.
"""

import bisect
import contextlib
import functools
import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from kling_nb import errors
from kling_nb.engine import backoff, limits, slots
from kling_nb.engine.jobs import Job, Store, still_uncertain
from kling_nb.engine.writing import write_again
from kling_nb.records import SlotLimit

if TYPE_CHECKING:
    from kling_nb.engine.runner import Runner

BEAT = 15.0
"""Seconds between two signs of life."""
LOOK = 1.0
"""Seconds between two looks at the slots of other kernels, which nobody announces."""
AHEAD = 100
"""Tasks of a model, from the oldest on, among which it is chosen what starts: a queue of thousands is not gone through
with every task that ends."""
_EVERYTHING = ""
NO_SLOTS = "1303"


class Queue:
    """The planned tasks of a runner.

    Parameters
    ----------
    runner : Runner
        Whose tasks they are.
    start : callable
        Has a task sent, in another thread.
    """

    def __init__(self, runner: "Runner", start: Callable[[Job], None]) -> None:
        self._runner = runner
        self._start = start
        self._waiting: dict[str, list[Job]] = {}
        self._holding: dict[str, Job] = {}
        self._added = 0
        self._limits: dict[str, SlotLimit] = {}
        self._remembering = threading.Lock()
        self._theirs: dict[str, int] = {}
        self._closed_until: dict[str, float] = {}
        self._refused: dict[str, int] = {}
        self._bell = threading.Event()
        self._thread: threading.Thread | None = None

    # ---- what comes in -----------------------------------------------------------------------------

    def add(self, job: Job) -> None:
        """Have a planned task sent as soon as there are slots for it."""
        pool = job.record.model_name
        if pool not in self._limits:
            remembered = None
            # It can be learned anew.
            with contextlib.suppress(errors.KlingError):
                remembered = job.store.journal.slots.read(job.record.gateway, pool)
            with self._runner.changed:
                self._limits.setdefault(pool, limits.beginning(remembered, job.limit))
        with self._runner.changed:
            self._added += 1
            job.order = self._added
            self._waiting.setdefault(pool, []).append(job)
        self.keep_time()
        self.dispatch()

    def keep_time(self) -> None:
        """Have the thread run while this process has tasks in hand."""
        with self._runner.changed:
            if (self._thread is None or not self._thread.is_alive()) and not self._runner.stopping:
                self._thread = threading.Thread(target=self._keep_time, name="kling-queue", daemon=True)
                self._thread.start()

    def claim(self, jobs: Iterable[Job]) -> list[Job]:
        """Take jobs away from the senders; return those that no sender had begun with."""
        with self._runner.changed:
            unsent = [job for job in jobs if not job.claimed and job.record.task_status in ("planned", "sending")]
            for job in unsent:
                job.claimed = True
            if unsent:
                for pool, waiting in list(self._waiting.items()):
                    self._keep_waiting(pool, [job for job in waiting if not job.claimed])
            return unsent

    def give_up(self, jobs: Iterable[Job]) -> list[Job]:
        """Take jobs away from the senders; those on their way are not sent a second time."""
        with self._runner.changed:
            jobs = list(jobs)
            for job in jobs:
                job.unwanted, job.insist = True, job.insist and not job.sought
                if job.when_absent == "send":
                    job.when_absent = "ask"
            return self.claim(jobs)

    def waiting(self) -> list[Job]:
        """Return what waits for slots."""
        with self._runner.changed:
            return sorted((job for jobs in self._waiting.values() for job in jobs), key=lambda job: job.order)

    def holds(self, job: Job) -> None:
        """Count the slots of a task that has been given some, for as long as it has them; the lock is held."""
        self._holding[job.record.id] = job

    # ---- what became of a create -------------------------------------------------------------------

    def taken(self, job: Job) -> None:
        """Learn from a create that was taken, and go on."""
        pool = job.record.model_name
        with self._runner.changed:
            # What is under way may be refused yet.
            under_way = sum(each.record.n for each in self._under_way(pool))
            occupied = self._mine(pool) - under_way + self._theirs.get(pool, 0)
            self._refused[pool] = self._refused[_EVERYTHING] = 0
            learned = self._learn(pool, limits.taken(self._limits[pool], job.record.n, occupied))
        self._remember(job, learned)
        self.dispatch()

    def full(self, job: Job, theirs: int) -> None:
        """Have a task wait that was not begun, because other kernels hold the slots."""
        with self._runner.changed:
            self._theirs[job.record.model_name] = theirs
            job.record = replace(job.record, task_status="planned")
        if job.unwanted:
            self._runner.drop(job)
            return
        with self._runner.changed:
            self._insert(job)
        job.note = "Another kernel of this workspace has the slots; waiting for them."
        self._bell.set()
        self._runner.announce(job)

    def refused(self, job: Job, error: errors.TooManyRequests) -> bool:
        """Have a task wait that the gateway would not take now: nothing was made.

        Parameters
        ----------
        job : Job
            ``sending``.
        error : TooManyRequests
            What the gateway said.

        Returns
        -------
        bool
            False when it would be refused for ever.
        """
        pool, n = job.record.model_name, job.record.n
        slotless = error.code == NO_SLOTS
        if slotless:
            occupied = self._occupied_at_most(job)
            with self._runner.changed:
                known, now = self._limits[pool], self._runner.clock()
                # Under way already when another was refused: that is one refusal.
                together = (job.record.sent_at or now) < known.refused_at
                learned = self._learn(pool, limits.refused(known, n, occupied, now, together=together))
            self._remember(job, learned)
            job.refused_alone += occupied == 0
            if limits.is_too_large(self._limits[pool], n, job.refused_alone):
                return False
        if job.unwanted:
            self._runner.drop(job)
            return True
        self._close(pool if slotless else _EVERYTHING, error.retry_after or 0.0)
        why = "The account has no free slots" if slotless else "The gateway is asked too often"
        # Nothing was made, so this time does not count as one that may have.
        again = replace(job.record, task_status="planned", sent_at=None, sends=job.record.sends - 1)
        note = f"{why} ({error.code or error.http_status}); trying again."
        self._runner.advance(job, again, note=note, written=still_uncertain(again) if job.insist else None)
        with self._runner.changed:
            if not self._runner.stopping:
                self._insert(job)
            else:
                job.claimed = False
        self._bell.set()
        return True

    def fitting(self, job: Job) -> int:
        """Return the largest ``n`` that the account seems to have slots for."""
        limit = self._limits[job.record.model_name]
        return max(1, limit.largest, min(limit.slots, job.record.n - 1))

    def freed(self, pool: str) -> None:
        """Go on at once where a task has ended: its slots are free."""
        with self._runner.changed:
            self._closed_until.pop(pool, None)
        self.dispatch()

    # ---- what goes out -----------------------------------------------------------------------------

    def dispatch(self) -> None:
        """Start what may start."""
        with self._runner.changed:
            if self._runner.stopping or not self._waiting:
                return
            state = {name: pool for name in self._waiting if (pool := self._pool(name)).has_room}
            first = sorted((job for name in state for job in self._waiting[name][:AHEAD]), key=lambda job: job.order)
            chosen = set(slots.startable([_as_waiting(job) for job in first], state))
            starting = [job for job in first if job.record.id in chosen]
            if not starting:
                return
            for name in {job.record.model_name for job in starting}:
                self._pass_over(name, chosen)
            for job in starting:
                name = job.record.model_name
                # Beyond the limit goes only what begins alone, or to see whether there is more.
                job.allowed = max(state[name].limit, self._mine(name) + self._theirs.get(name, 0) + job.record.n)
                # Not yet written: from here on it counts as occupying slots.
                job.record = replace(job.record, task_status="sending")
                job.over, job.note = False, ""
                self.holds(job)
        for job in starting:
            self._start(job)

    def stop(self, join: float) -> None:
        """Wait for the thread to end."""
        self._bell.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(join)

    def others(self, job: Job) -> int:
        """Return the slots that this process's other tasks of the same model hold."""
        with self._runner.changed:
            return self._mine(job.record.model_name) - job.occupies

    def _pass_over(self, pool: str, chosen: set[str]) -> None:
        """Take those chosen out of the line, and count how many went before each of the others."""
        waiting = self._waiting[pool]
        left: list[Job] = []
        later = 0
        for job in reversed(waiting[:AHEAD]):
            if job.record.id in chosen:
                later += 1
            else:
                job.passed += later
                left.append(job)
        self._keep_waiting(pool, left[::-1] + waiting[AHEAD:])

    def _keep_waiting(self, pool: str, jobs: list[Job]) -> None:
        if jobs:
            self._waiting[pool] = jobs
        else:
            self._waiting.pop(pool, None)

    def _pool(self, pool: str) -> slots.Pool:
        now = time.monotonic()
        limit = self._limits[pool]
        return slots.Pool(
            limit.slots,
            self._mine(pool) + self._theirs.get(pool, 0),
            reach=0 if self._under_way(pool) else limits.reach(limit, self._runner.clock()),
            gentle=limit.ceiling > 0,
            closed=any(self._closed_until.get(each, 0.0) > now for each in (pool, _EVERYTHING)),
        )

    def _mine(self, pool: str) -> int:
        return sum(job.occupies for job in self._holders() if job.record.model_name == pool)

    def _under_way(self, pool: str) -> list[Job]:
        return [job for job in self._holders() if job.record.task_status == "sending" and job.record.model_name == pool]

    def _holders(self) -> list[Job]:
        # Not all that this process has in hand: thousands may wait.
        self._holding = {some_id: job for some_id, job in self._holding.items() if job.occupies}
        return list(self._holding.values())

    def _insert(self, job: Job) -> None:
        job.claimed = False
        bisect.insort(self._waiting.setdefault(job.record.model_name, []), job, key=lambda each: each.order)

    def _learn(self, pool: str, limit: SlotLimit) -> SlotLimit | None:
        if limit == self._limits[pool]:
            return None
        self._limits[pool] = limit
        return limit

    def _remember(self, job: Job, learned: SlotLimit | None) -> None:
        if learned is None:
            return
        pool = job.record.model_name
        # In turn, and what is known by then: others may have learned more meanwhile. It can be learned anew.
        with self._remembering, contextlib.suppress(errors.KlingError):
            job.store.journal.slots.write(job.record.gateway, pool, self._limits[pool])

    def _occupied_at_most(self, job: Job) -> int:
        mine = self.others(job)
        try:
            return max(mine, job.store.journal.leases.ghosts(job.record) - job.record.n)
        except errors.KlingError:
            return mine

    def _close(self, pool: str, at_least: float) -> None:
        now = time.monotonic()
        with self._runner.changed:
            # Those that were under way together are refused together, which is one refusal.
            if self._closed_until.get(pool, 0.0) <= now:
                self._refused[pool] = self._refused.get(pool, 0) + 1
            jitter = random.random()  # noqa: S311 - no secret
            seconds = max(at_least, backoff.delay(self._refused[pool] or 1, first=1.0, longest=30.0, jitter=jitter))
            # Nor does the second of them shorten the pause that the gateway asked the first one to make.
            self._closed_until[pool] = max(self._closed_until.get(pool, 0.0), now + seconds)

    # ---- the thread --------------------------------------------------------------------------------

    def _keep_time(self) -> None:
        beaten = time.monotonic()
        while True:
            self._bell.wait(self._nap(beaten))
            self._bell.clear()
            with self._runner.changed:
                stopping = self._runner.stopping
                if stopping or not self._runner.jobs:
                    self._thread = None
                    break
            steps = [self._look_at_others, self.dispatch]
            if time.monotonic() - beaten >= BEAT:
                beaten = time.monotonic()
                steps = [self._beat, functools.partial(write_again, self._runner), *steps]
            for step in steps:
                # Whatever goes wrong may go right the next time, and nobody else does it.
                with contextlib.suppress(Exception):
                    step()
        if stopping:
            # The last chance, before the process ends.
            write_again(self._runner)

    def _nap(self, beaten: float) -> float:
        now = time.monotonic()
        with self._runner.changed:
            pools = list(self._waiting)
            ends = [self._closed_until.get(pool, 0.0) for pool in (*pools, _EVERYTHING)] if pools else []
            looks = [now + LOOK] if any(self._theirs.get(pool) for pool in pools) else []
        return max(0.01, min([each for each in ends if each > now] + looks + [beaten + BEAT]) - now)

    def _beat(self) -> None:
        with self._runner.changed:
            stores: dict[int, Store] = {id(job.store): job.store for job in self._runner.jobs.values()}
        for store in stores.values():
            # The next one may succeed; a process of this machine needs none.
            with contextlib.suppress(errors.KlingError):
                store.journal.leases.beat()

    def _look_at_others(self) -> None:
        with self._runner.changed:
            asking = {pool: jobs[0] for pool, jobs in self._waiting.items() if self._theirs.get(pool)}
        for pool, job in asking.items():
            with contextlib.suppress(errors.KlingError):
                theirs = job.store.journal.leases.theirs(job.record)
                with self._runner.changed:
                    self._theirs[pool] = theirs


def _as_waiting(job: Job) -> slots.Waiting:
    return slots.Waiting(job.record.id, job.record.model_name, job.record.n, job.passed)
