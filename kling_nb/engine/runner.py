"""The runner: one for each gateway and key of a process. Its threads send, follow and collect.

A few sender threads, a few collector threads, one follower; all daemons, started when there is something
to do. Everything that they share is guarded by one condition, ``changed``, which is notified at every
step; nothing slow is done while it is held.
"""

import contextlib
import functools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

from kling_nb.engine import slots
from kling_nb.engine.collecting import Collector
from kling_nb.engine.crew import Crew
from kling_nb.engine.following import Follower
from kling_nb.engine.jobs import Job, Pictures, Remote
from kling_nb.engine.sending import send
from kling_nb.errors import KlingError
from kling_nb.records import Failure, TaskRecord

SENDERS = 4
COLLECTORS = 4


class Left(NamedTuple):
    """What a runner leaves when it is closed.

    Parameters
    ----------
    under_way : int
        Tasks that were sent and are not collected.
    cancelled : int
        Tasks that were not sent.
    """

    under_way: int
    cancelled: int


class Runner:
    """Sends, follows and collects the tasks of one gateway and key.

    Parameters
    ----------
    remote : Remote
        The API client.
    pictures : Pictures
        The image downloader, which does not know the key.
    thumbnail, preview : callable
        Make small JPEGs of an image and of a reference, from bytes to bytes.
    clock : callable
        Returns seconds since the epoch.
    """

    def __init__(
        self,
        remote: Remote,
        pictures: Pictures,
        *,
        thumbnail: Callable[[bytes], bytes],
        preview: Callable[[bytes], bytes],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.remote = remote
        self.pictures = pictures
        self.thumbnail = thumbnail
        self.preview = preview
        self.clock = clock
        self.changed = threading.Condition(threading.RLock())
        self.stopping = False
        self.jobs: dict[str, Job] = {}
        self._waiting: list[Job] = []
        self._durations: dict[str, deque[float]] = {}
        self._senders = Crew("kling-send", SENDERS)
        self._collector = Collector(self, Crew("kling-collect", COLLECTORS))
        self._follower = Follower(self, self._collector.collect)

    def submit(self, job: Job) -> None:
        """Take a planned task over; it is sent as soon as slots are free.

        Parameters
        ----------
        job : Job
            Already in its journal, as ``planned``.
        """
        with self.changed:
            if job.claimed:
                return
            self.jobs[job.record.id] = job
            self._waiting.append(job)
        self._dispatch()

    def adopt(self, job: Job) -> Job:
        """Take over a task that exists at the gateway: follow it, or collect its images.

        Parameters
        ----------
        job : Job
            ``submitted``, ``processing``, or ``succeeded`` with images missing.

        Returns
        -------
        Job
            The one that this process already has of that id, if it is not settled.
        """
        with self.changed:
            present = self.jobs.get(job.record.id)
            if present is not None and not present.settled:
                return present
            self.jobs[job.record.id] = job
        self._follower.follow(job)
        return job

    def cancel(self, jobs: Iterable[Job]) -> list[Job]:
        """Cancel those of the jobs that have not begun to be sent.

        Returns
        -------
        list of Job
            Which they were.
        """
        with self.changed:
            unsent = self._claim(jobs)
        for job in unsent:
            self.advance(job, replace(job.record, task_status="cancelled", finished_at=self.clock()))
        return unsent

    def wait(self, done: Callable[[], bool], timeout: float) -> bool:
        """Wait in the calling thread until something is so; an interrupt ends the wait at once.

        Parameters
        ----------
        done : callable
            Asked after every change, with the lock held: it must be quick.
        timeout : float
            Seconds.

        Returns
        -------
        bool
            What ``done`` said last.
        """
        with self.changed:
            return self.changed.wait_for(done, timeout)

    def close(self, *, sending: float = 30.0, join: float = 5.0) -> "Left":
        """Stop the threads. What is under way stays in the journal, for `resume`.

        What has its slots is still sent, for somebody asked for it; what waits for slots is cancelled, for
        nobody would send it.

        Parameters
        ----------
        sending : float
            Seconds to wait at most for requests that are being sent.
        join : float
            Seconds to wait for the threads at most.

        Returns
        -------
        Left
            How many tasks are under way, and how many were cancelled.
        """
        if threading.current_thread().name.startswith("kling-"):
            # A listener that closes the runner stands in the way of the very request it would wait for.
            sending = 0.0
        with self.changed:
            waiting = list(self._waiting)
        cancelled = self.cancel(waiting)
        with contextlib.suppress(KeyboardInterrupt):
            self.wait(lambda: not any(job.record.task_status == "sending" for job in self.jobs.values()), sending)
        with self.changed:
            late = [job for job in self.jobs.values() if not job.claimed]
        cancelled += self.cancel(late)
        with self.changed:
            self.stopping = True
            left = Left(sum(not job.ended for job in self.jobs.values()), len(cancelled))
            self.changed.notify_all()
        deadline = time.monotonic() + join
        for part in (self._senders, self._collector, self._follower):
            part.stop(max(0.0, deadline - time.monotonic()))
        return left

    # ---- for the engine's own threads ------------------------------------------------------------

    def advance(self, job: Job, record: TaskRecord, *, must_save: bool = False, collected: bool = False) -> None:
        """Write what a task has become to its journal, then let everyone see it.

        Parameters
        ----------
        job : Job
            The task.
        record : TaskRecord
            As it is now.
        must_save : bool
            Raise when the journal cannot be written. Otherwise the task goes on, with a note: what has
            been paid must be followed also when the disk is full, and the next step saves it.
        collected : bool
            Whether nothing remains to be fetched.

        Raises
        ------
        Exception
            With ``must_save`` only; a `WorkspaceError`, unless there is a bug.
        """
        try:
            job.store.journal.update(record)
            job.note = ""
        except Exception as error:
            if must_save:
                raise
            said = error.message if isinstance(error, KlingError) else f"{type(error).__name__}: {error}."
            job.note = f"{said} It will be written with the next step."
        self.announce(job, record, collected=collected)

    def announce(self, job: Job, record: TaskRecord | None = None, *, collected: bool = False) -> None:
        """Tell everyone who waits for or displays a task that it has changed; writes nothing.

        Parameters
        ----------
        job : Job
            The task.
        record : TaskRecord, optional
            What it is now, where that has changed.
        collected : bool
            Whether nothing remains to be fetched.
        """
        with self.changed:
            job.record = record or job.record
            job.collected = collected or job.collected
            job.telling += 1
            freed = not job.occupies
            self.changed.notify_all()
            listeners = list(job.listeners)
        try:
            if freed:
                self._dispatch()
            # One after the other: what a listener shows must not be overtaken by what it began to show before.
            with job.speaking:
                for listener in listeners:
                    # A display that fails must not end the thread that follows what is paid.
                    with contextlib.suppress(Exception):
                        listener(job)
        finally:
            self._told(job)

    def _told(self, job: Job) -> None:
        with self.changed:
            job.telling -= 1
            if job.ended:
                job.let_go_of_bytes()
            # What the journal could not take is kept here until it can.
            if job.settled and (job.troubled or not job.note) and self.jobs.get(job.record.id) is job:
                del self.jobs[job.record.id]
                self._learn(job)
            self.changed.notify_all()

    def pause(self, seconds: float) -> None:
        """Wait in one of the engine's threads, but not beyond the end of the runner."""
        with self.changed:
            self.changed.wait_for(lambda: self.stopping, seconds)

    def follow(self, job: Job) -> None:
        """Hand a task that was just submitted to the follower."""
        self._follower.follow(job)

    def stop_queue(self, failure: Failure) -> None:
        """Cancel everything that has not begun to be sent, because all of it would be refused like this."""
        with self.changed:
            unsent = self._claim(self.jobs.values())
        for job in unsent:
            record = replace(job.record, task_status="cancelled", finished_at=self.clock(), failure=failure)
            self.advance(job, record)

    def durations(self, model_name: str) -> list[float]:
        """Return how long tasks of a model have taken here lately, in seconds."""
        with self.changed:
            return list(self._durations.get(model_name, ()))

    def learn(self, model_name: str, durations: Iterable[float]) -> None:
        """Add how long tasks of a model took in earlier kernels, unless that is known already."""
        with self.changed:
            if model_name not in self._durations:
                self._durations[model_name] = deque(durations, maxlen=50)

    def _claim(self, jobs: Iterable[Job]) -> list[Job]:
        """Take jobs away from the senders, with the lock held; return those that no sender had begun with."""
        unsent = [job for job in jobs if not job.claimed and job.record.task_status in ("planned", "sending")]
        for job in unsent:
            job.claimed = True
        self._waiting = [job for job in self._waiting if not job.claimed]
        return unsent

    def _learn(self, job: Job) -> None:
        record = job.record
        # Claimed: sent by this process. The end of one taken over was seen late, perhaps days late.
        if job.claimed and record.task_status == "succeeded" and record.submitted_at and record.finished_at:
            times = self._durations.setdefault(record.model_name, deque(maxlen=50))
            times.append(max(0.0, record.finished_at - record.submitted_at))

    def _dispatch(self) -> None:
        with self.changed:
            if self.stopping:
                return
            busy: dict[str, int] = {}
            for job in self.jobs.values():
                if job.occupies:
                    busy[job.record.model_name] = busy.get(job.record.model_name, 0) + job.occupies
            chosen = set(slots.startable([_as_waiting(job) for job in self._waiting], busy))
            starting = [job for job in self._waiting if job.record.id in chosen]
            left = []
            for place, job in enumerate(self._waiting):
                if job.record.id not in chosen:
                    job.passed += sum(
                        later.record.id in chosen and later.record.model_name == job.record.model_name
                        for later in self._waiting[place + 1 :]
                    )
                    left.append(job)
            self._waiting = left
            for job in starting:
                # Not yet written: from here on it counts as occupying slots.
                job.record = replace(job.record, task_status="sending")
        for job in starting:
            self._senders.do(functools.partial(send, self, job))


def _as_waiting(job: Job) -> slots.Waiting:
    return slots.Waiting(job.record.id, job.record.model_name, job.record.n, job.limit, job.passed)
