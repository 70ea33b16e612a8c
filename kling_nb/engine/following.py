"""The one follower: asks the gateway how the tasks under way are, as rarely as it can."""

import contextlib
import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from kling_nb import errors
from kling_nb.engine import backoff, polling
from kling_nb.engine.jobs import Job, after_look, ended_since
from kling_nb.records import UNDER_WAY, Failure, TaskState
from kling_nb.remote.client import ListUnavailable

if TYPE_CHECKING:
    from kling_nb.engine.runner import Runner

LIST_FROM = 3
"""From so many tasks under way on, one list call takes the place of single ones."""
TOGETHER = 0.4
"""Seconds: where one question tells of many, what is due within so short a time counts as asked for with it."""
LIST_TRIES = 3
"""Times in a row that the list may fail while single questions are answered, before it is given up."""
LIST_TRUST = 12
"""Times in a row that a list may call a task unfinished before the task itself is asked: some lists lag, or
use words that nobody knows."""
LIST_TRUST_FOR = 1.5
"""The same in usual times of a task, where they are known: a list that tells of many is asked many times in one."""
LIST_LAGS = 3
"""Tasks that were done while the list called them, and all others, unfinished, before it is given up."""
UNKNOWN_LIMIT = 20
"""Looks that may find no such task before it is called uncertain."""
UNKNOWN_FOR = 15.0
"""Seconds that these looks must cover, and the grace at least: some gateways are late to know a task."""
_NO_SUCH_TASK = (400, 404, 410)
LONGEST_NAP = 60.0
"""Seconds; whoever polls once in a thousand years must not ask the system for such a wait."""


class Follower:
    """Follows every task of a runner with one thread.

    Parameters
    ----------
    runner : Runner
        Whose tasks they are.
    succeeded : callable
        Is given each task whose images can be fetched.
    """

    def __init__(self, runner: "Runner", succeeded: Callable[[Job], None]) -> None:
        self._runner = runner
        self._succeeded = succeeded
        self._followed: dict[str, Job] = {}
        self._news: dict[str, TaskState] = {}
        self._thread: threading.Thread | None = None
        self._failures = 0
        self._not_before = 0.0
        self._lists = True
        self._list_failed = False
        self._list_failures = 0
        self._list_lags = 0
        self._begun = 0

    def follow(self, job: Job, state: TaskState | None = None) -> None:
        """Follow a task until it ends; a task that has succeeded is asked for once, for fresh URLs.

        Parameters
        ----------
        job : Job
            The task.
        state : TaskState, optional
            What the gateway has just said of it; then it is not asked at first.
        """
        with self._runner.changed:
            job.collected = False
            self._begun += 1
            job.number = self._begun
            self._followed[job.record.id] = job
            if state is not None:
                self._news[job.record.id] = state
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="kling-follow", daemon=True)
                self._thread.start()
            self._runner.changed.notify_all()

    def wake(self) -> None:
        """End a pause that was made because something was wrong."""
        with self._runner.changed:
            self._not_before = 0.0
            self._runner.changed.notify_all()

    def stop(self, join: float) -> None:
        """Wait for the thread to end."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(join)

    def _run(self) -> None:
        runner = self._runner
        while True:
            with runner.changed:
                due, at = self._due(time.monotonic())
                if not self._followed or runner.stopping:
                    # Taken off under the lock, so that a task that comes now starts a new thread.
                    self._thread = None
                    return
                if not due:
                    runner.changed.wait(min(LONGEST_NAP, max(0.002, at - time.monotonic())))
                    continue
                under_way = len(self._followed)
            try:
                self._ask(due, together=under_way >= LIST_FROM)
                self._recover(due)
            except errors.KlingError as error:
                self._back_off(error, due)
            except Exception as error:  # noqa: BLE001 - whatever happens, what is paid is followed
                self._back_off(errors.KlingError(f"{type(error).__name__}: {error}"), due)

    def _due(self, now: float) -> tuple[list[Job], float]:
        usual = {model: self._usual(model) for model in {job.record.model_name for job in self._followed.values()}}
        many = len(self._followed) if self._lists and len(self._followed) >= LIST_FROM else 1
        times = {
            job.record.id: self._next_look(job, now, usual[job.record.model_name], many)
            for job in self._followed.values()
        }
        earliest = max(min(times.values(), default=now), self._not_before)
        if earliest > now:
            return [], earliest
        soon = now + (TOGETHER if many > 1 else 0.0)
        due = [job for job in self._followed.values() if times[job.record.id] <= soon]
        # Those not asked for longest come first: one whose questions always fail must not starve the others.
        return sorted(due, key=lambda job: job.looked or 0.0), now

    def _next_look(self, job: Job, now: float, usual: polling.Typical | None, many: int) -> float:
        if job.record.task_status == "succeeded" or job.record.id in self._news:
            return now
        together = 1 if job.unlisted else many
        return polling.next_look(now, job.began, job.looked, usual, job.poll_interval, together)

    def _usual(self, model_name: str) -> polling.Typical | None:
        return polling.typical(self._runner.durations(model_name))

    def _ask(self, due: list[Job], *, together: bool) -> None:
        self._list_failed = False
        if together and self._lists:
            due = self._ask_for_list(due)
        for job in due:
            if self._runner.stopping:
                return
            self._look(job)

    def _ask_for_list(self, due: list[Job]) -> list[Job]:
        """Ask for many at once; return the due ones that must be asked for one by one."""
        try:
            listed = self._runner.remote.query_many(1, self._page())
        except ListUnavailable:
            self._lists = False
        except errors.KlingError:
            # Perhaps the list alone is in trouble; if not, the first single question fails as well.
            self._list_failed = True
        else:
            self._list_failures = 0
            return self._take_list(listed, due)
        return due

    def _page(self) -> int:
        """Return how many of the newest tasks to ask for: back to the oldest that is followed, if that is not far."""
        with self._runner.changed:
            oldest = min((job.number for job in self._followed.values()), default=self._begun)
            return min(500, max(30, min(self._begun - oldest + 10, 4 * len(self._followed))))

    def _take_list(self, listed: list[TaskState], due: list[Job]) -> list[Job]:
        """Take what a list says of the tasks followed; return the due ones that it does not name."""
        states = {state.task_id: state for state in listed}
        told: set[str] = set()
        doubted: list[Job] = []
        with self._runner.changed:
            followed = list(self._followed.values())
        ended = [job for job in followed if self._has_ended(job, states.get(job.record.task_id or ""))]
        if ended:
            # One that ends between two questions is no lag.
            self._list_lags = 0
        self._free(ended)
        for job in followed:
            state = states.get(job.record.task_id or "")
            # A list may leave out the URLs; then the task itself is asked.
            job.unlisted = state is None
            if state is None or (state.task_status == "succeeded" and not state.images):
                continue
            self._take(job, state)
            if state.task_status in UNDER_WAY and not self._trusts_list(job):
                doubted.append(job)
            told.add(job.record.id)
        if doubted:
            # One at a time: asked for all of them, a good list would be late to be asked again.
            told.remove(max(doubted, key=lambda job: job.listed).record.id)
        for state in listed:
            self._runner.found(state)
        return [job for job in due if job.record.id not in told]

    def _has_ended(self, job: Job, state: TaskState | None) -> bool:
        return state is not None and bool(job.occupies) and state.task_status not in UNDER_WAY

    def _free(self, ended: list[Job]) -> None:
        """Have the next tasks sent in the place of those that have ended, which is written down meanwhile."""
        with self._runner.changed:
            for job in ended:
                job.over = True
        for model_name in {job.record.model_name for job in ended}:
            # What goes wrong with the next tasks is not to end what is done for these.
            with contextlib.suppress(Exception):
                self._runner.queue.freed(model_name)

    def _trusts_list(self, job: Job) -> bool:
        """Count that the list calls a task unfinished; tell whether that is to be believed."""
        now = time.monotonic()
        job.listed_since = job.listed_since if job.listed else now
        job.listed += 1
        if job.listed < LIST_TRUST:
            return True
        usual = None if job.poll_interval is not None else self._usual(job.record.model_name)
        return usual is not None and now - job.listed_since < LIST_TRUST_FOR * usual.median

    def _look(self, job: Job) -> None:
        job.looked = time.monotonic()
        state = self._news.pop(job.record.id, None)
        try:
            if state is None:
                state = self._runner.remote.query(job.record.task_id or job.record.external_task_id)
        except errors.RequestRefused as error:
            if error.http_status not in _NO_SUCH_TASK:
                # A login page on the way, say: that is no word about the task.
                raise
            self._not_found(job, error)
            return
        self._failures = 0
        ended = state.task_status not in UNDER_WAY
        if job.listed >= LIST_TRUST and ended and not ended_since(job.record, state, job.unfinished_at):
            self._list_lags += 1
            self._lists = self._lists and self._list_lags < LIST_LAGS
        job.listed = 0
        if self._has_ended(job, state):
            self._free([job])
        self._take(job, state)

    def _not_found(self, job: Job, error: errors.RequestRefused) -> None:
        job.unknown_since = job.unknown_since if job.asked_in_vain else time.monotonic()
        job.asked_in_vain += 1
        if job.record.task_status == "succeeded":
            self._miss(job, error)
        elif job.asked_in_vain >= UNKNOWN_LIMIT and self._is_given_up(job):
            self._lose(job, error)

    def _is_given_up(self, job: Job) -> bool:
        return time.monotonic() - job.unknown_since >= max(UNKNOWN_FOR, job.grace)

    def _take(self, job: Job, state: TaskState) -> None:
        job.looked = time.monotonic()
        job.asked_in_vain = 0
        recovered = job.troubled
        if recovered:
            job.troubled, job.note = False, ""
        before, now = job.record, self._runner.clock()
        after = after_look(before, state, now, job.unfinished_at)
        if after.task_status in UNDER_WAY:
            job.unfinished_at = now
            if recovered or after != before:
                # Not written: the journal needs the beginning and the end, and is spared the middle.
                self._runner.announce(job, after)
            return
        with self._runner.changed:
            self._followed.pop(job.record.id, None)
        if self._runner.advance(job, after) and after.task_status == "succeeded":
            self._succeeded(job)

    def _lose(self, job: Job, error: errors.KlingError) -> None:
        """Hand a task that the gateway does not know any more to those who look for such tasks."""
        message = f"The gateway no longer knows the task: {error.message}"
        if job.record.account not in ("", self._runner.remote.key_now().mark()):
            message += " It was sent with another key than the one that counts now: use that one."
        with self._runner.changed:
            self._followed.pop(job.record.id, None)
            job.sought = True
        record = replace(job.record, task_status="uncertain", failure=Failure("RequestRefused", message))
        if self._runner.advance(job, record):
            self._runner.search(job)

    def _miss(self, job: Job, error: errors.KlingError) -> None:
        """Fall back on the addresses that are known, for the gateway has forgotten a task that succeeded."""
        with self._runner.changed:
            self._followed.pop(job.record.id, None)
        if any(image.path is None and image.url for image in job.record.images):
            self._succeeded(job)
            return
        message = f"{job.record.missing} of {job.record.n} images are missing: the gateway no longer knows the task"
        failure = Failure("ImagesMissing", f"{message} ({error.message})")
        self._runner.advance(job, replace(job.record, failure=failure), collected=True)

    def _recover(self, asked: list[Job]) -> None:
        self._failures, self._not_before = 0, 0.0
        if self._list_failed:
            self._list_failures += 1
            self._lists = self._list_failures < LIST_TRIES
        for job in self._still_followed(asked):
            if job.troubled:
                job.troubled, job.note = False, ""
                self._runner.announce(job)

    def _back_off(self, error: errors.KlingError, asked: list[Job]) -> None:
        self._failures += 1
        wait = backoff.delay(self._failures, first=1.0, longest=30.0, jitter=random.random())  # noqa: S311
        self._not_before = time.monotonic() + wait
        for job in self._still_followed(asked):
            job.troubled = True
            job.note = f"{error.message} {error.advice} The task is followed; asking again.".strip()
            self._runner.announce(job)

    def _still_followed(self, jobs: list[Job]) -> list[Job]:
        with self._runner.changed:
            return [job for job in jobs if self._followed.get(job.record.id) is job]
