"""The runner: one for each gateway and key of a process. Its threads send, follow and collect.

A few sender threads, a few collector threads, one follower; all daemons, started when there is something
to do. Everything that they share is guarded by one lock, ``changed``, which is notified at every
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

from kling_nb.engine import writing
from kling_nb.engine.changed import Changed
from kling_nb.engine.collecting import Collector
from kling_nb.engine.crew import Crew
from kling_nb.engine.following import Follower
from kling_nb.engine.jobs import Job, Pictures, Remote, after_cancel, before_sending
from kling_nb.engine.queue import Queue
from kling_nb.engine.searching import Searcher
from kling_nb.engine.sending import send
from kling_nb.records import Failure, TaskRecord, TaskState

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
    uncertain : int
        Tasks whose answer was lost, and which were being looked for.
    """

    under_way: int
    cancelled: int
    uncertain: int = 0


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
        self.changed = Changed()
        self.stopping = False
        self._cancelling = threading.RLock()
        self.jobs: dict[str, Job] = {}
        self.queue = Queue(self, self._start)
        self._durations: dict[str, deque[float]] = {}
        self._senders = Crew("kling-send", SENDERS)
        self._collector = Collector(self, Crew("kling-collect", COLLECTORS))
        self._follower = Follower(self, self._collector.collect)
        self._searcher = Searcher(self)

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
        self.queue.add(job)

    def adopt(self, job: Job) -> Job:
        """Take over a task that was sent: follow it, collect its images, or look for it.

        Parameters
        ----------
        job : Job
            ``submitted``, ``processing``, ``succeeded`` with images missing, or ``uncertain``.

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
            self.queue.holds(job)
        self.queue.keep_time()
        if job.record.task_status == "uncertain":
            self._searcher.search(job)
        else:
            self._follower.follow(job)
        return job

    def cancel(self, jobs: Iterable[Job]) -> list[Job]:
        """Cancel those of the jobs that have not begun to be sent.

        Returns
        -------
        list of Job
            Which they were.
        """
        jobs, unsent = list(jobs), []

        def cancel() -> None:
            with self._cancelling:
                unsent.extend(self.queue.give_up(jobs))
                for job in unsent:
                    self.drop(job)

        if threading.current_thread().name.startswith("kling-"):
            cancel()
            return unsent
        # In a thread of its own: an interrupt that comes meanwhile must not leave some of them neither to be
        # sent nor cancelled.
        thread = threading.Thread(target=cancel, name="kling-cancel", daemon=True)
        thread.start()
        thread.join()
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
        cancelled = self.cancel(self.queue.waiting())
        with contextlib.suppress(KeyboardInterrupt):
            self.wait(lambda: not any(job.record.task_status == "sending" for job in self.jobs.values()), sending)
        with self.changed:
            late = [job for job in self.jobs.values() if not job.claimed]
        cancelled += self.cancel(late)
        with self.changed:
            self.stopping = True
            unended = [job for job in self.jobs.values() if not job.ended]
            uncertain = sum(job.record.task_status == "uncertain" for job in unended)
            left = Left(len(unended) - uncertain, len(cancelled), uncertain)
            self.changed.notify_all()
        deadline = time.monotonic() + join
        for part in (self._senders, self._collector, self._follower, self._searcher, self.queue):
            part.stop(max(0.0, deadline - time.monotonic()))
        self._release()
        return left

    # ---- for the engine's own threads ------------------------------------------------------------

    def advance(
        self,
        job: Job,
        record: TaskRecord,
        *,
        collected: bool = False,
        note: str = "",
        written: TaskRecord | None = None,
        write: Callable[[TaskRecord], bool] | None = None,
    ) -> bool:
        """Write what a task has become to its journal, then let everyone see it.

        When the journal cannot be written the task goes on, with a note: what has been paid must be
        followed also when the disk is full. The next step saves it, or the queue's thread at its next beat.

        A process that was thought dead, because its machine slept, finds that another has taken its task
        over: then it lets go of it.

        Parameters
        ----------
        job : Job
            The task.
        record : TaskRecord
            As it is now.
        collected : bool
            Whether nothing remains to be fetched.
        note : str
            What to tell the user for as long as it is so.
        written : TaskRecord, optional
            What a process that comes after this one is to find, where that is something else.
        write : callable, optional
            Writes it to the journal where that is not a plain update; returns whether the task is ours.

        Returns
        -------
        bool
            Whether it is still this process's to go on with.
        """
        written = written or record
        if self.stopping:
            # Nobody here goes on with it, so any kernel may.
            record, written = replace(record, owner=""), replace(written, owner="")
        job.note = writing.write(job, written, write) or note
        if job.unwritten is not None:
            # Its thread writes it later, and may have ended when there was nothing in hand.
            self.queue.keep_time()
        self.announce(job, record, collected=collected)
        return not job.aside

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
            held = job.occupies
            job.record = record or job.record
            if job.occupies:
                self.queue.holds(job)
            job.collected = collected or job.collected
            job.telling += 1
            freed = bool(held and not job.occupies)
            self.changed.notify_all()
            listeners = list(job.listeners)
        try:
            if freed and job.record.task_status != "planned":
                # What goes wrong with the next tasks is not to end what is done for this one.
                with contextlib.suppress(Exception):
                    self.queue.freed(job.record.model_name)
            # One after the other: what a listener shows must not be overtaken by what it began to show before.
            with job.speaking:
                for listener in listeners:
                    # A display that fails must not end the thread that follows what is paid.
                    with contextlib.suppress(Exception):
                        listener(job)
        finally:
            writing.let_go(self, job)
            self._told(job)

    def _told(self, job: Job) -> None:
        with self.changed:
            job.telling -= 1
            if job.ended:
                job.let_go_of_bytes()
            # What the journal could not take is kept here until it can.
            if job.settled and job.unwritten is None and self.jobs.get(job.record.id) is job:
                del self.jobs[job.record.id]
                self._learn(job)
            self.changed.notify_all()

    def drop(self, job: Job) -> None:
        """Record that a task is not sent, because it is not wanted any more."""
        self.advance(job, after_cancel(job, self.clock()))

    def pause(self, seconds: float) -> None:
        """Wait in one of the engine's threads, but not beyond the end of the runner."""
        self.changed.wait_for(lambda: self.stopping, seconds)

    def follow(self, job: Job, state: TaskState | None = None) -> None:
        """Hand a task that is known to exist to the follower, with what is known of it."""
        with self.changed:
            self.jobs[job.record.id] = job
        self._follower.follow(job, state)

    def search(self, job: Job) -> None:
        """Have a task looked for whose create's answer was lost."""
        self._searcher.search(job)

    def found(self, state: TaskState) -> bool:
        """Take up a task that was looked for, where a list names it.

        Returns
        -------
        bool
            Whether it was.
        """
        return self._searcher.found(state)

    def send_again(self, job: Job) -> None:
        """Queue a task once more that is known, or held by the user, not to exist."""
        # Sent without proof, it is in doubt for whoever comes next until it is known what came of it.
        self.advance(job, before_sending(job.record), written=job.record if job.insist else None)
        with self.changed:
            if self.stopping:
                return
            job.claimed = job.sought = False
            self.jobs[job.record.id] = job
        self.queue.add(job)

    def wake(self) -> None:
        """Ask at once for what is asked for later because something was wrong: it may be right again."""
        self._follower.wake()

    def stop_queue(self, failure: Failure) -> None:
        """Cancel everything that has not begun to be sent, because all of it would be refused like this."""
        with self.changed:
            jobs = list(self.jobs.values())
        for job in self.queue.claim(jobs):
            self.advance(job, after_cancel(job, self.clock(), failure))

    def durations(self, model_name: str) -> list[float]:
        """Return how long tasks of a model have taken here lately, in seconds."""
        with self.changed:
            return list(self._durations.get(model_name, ()))

    def learn(self, model_name: str, look_up: Callable[[], Iterable[float]]) -> None:
        """Have it looked up how long tasks of a model took in earlier kernels, unless that is known already."""
        if model_name not in self._durations:
            durations = deque(look_up(), maxlen=50)
            with self.changed:
                self._durations.setdefault(model_name, durations)

    def _learn(self, job: Job) -> None:
        record = job.record
        # Claimed: sent by this process. The end of one taken over was seen late, perhaps days late.
        if job.claimed and record.task_status == "succeeded" and record.submitted_at and record.finished_at:
            times = self._durations.setdefault(record.model_name, deque(maxlen=50))
            times.append(max(0.0, record.finished_at - record.submitted_at))

    def _start(self, job: Job) -> None:
        self._senders.do(functools.partial(send, self, job))

    def _release(self) -> None:
        """Let other kernels take what this one left; one that has ended needs not say so."""
        with self.changed:
            # The answer to what is just being sent is still to be written, and lets go of it.
            jobs = [job for job in self.jobs.values() if job.record.task_status != "sending"]
        for store in {id(job.store): job.store for job in jobs}.values():
            with contextlib.suppress(Exception):
                store.journal.leases.release([job.record.id for job in jobs if job.store is store])
