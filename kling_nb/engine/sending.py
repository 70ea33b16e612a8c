"""One step: send a create, once, and say what became of it."""

import contextlib
import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from kling_nb import errors
from kling_nb.engine import backoff
from kling_nb.engine.jobs import Job, after_create, after_loss, failure_of, still_uncertain
from kling_nb.remote.client import AnswerLost

if TYPE_CHECKING:
    from kling_nb.engine.runner import Runner
    from kling_nb.key import Secret
    from kling_nb.records import TaskState
    from kling_nb.remote.pieces import Sent

REACH = 5
"""Times that a gateway is tried to be reached; the second time at once, all within about ten seconds."""

_STOPS_THE_QUEUE = (errors.AuthenticationFailed, errors.OutOfBalance, errors.ConfigurationError)


class _Cancelled(Exception):
    """The task was cancelled while it waited to be sent."""


def send(runner: "Runner", job: Job) -> None:
    """Send a task that has its slots. Never raises: the outcome is in the job.

    Parameters
    ----------
    runner : Runner
        Whose thread this is.
    job : Job
        ``sending`` in memory, ``planned`` in the journal.
    """
    if not _claim(runner, job):
        return
    try:
        key = runner.remote.key_now()
        body = job.body()
        begun = _begin(runner, job, key)
    except Exception as error:  # noqa: BLE001 - a thread must not die with a task in its hands
        _give_up(runner, job, error)
        return
    if not begun:
        return
    try:
        state = _create(runner, job, body, key)
    except _Cancelled:
        return
    except Exception as error:  # noqa: BLE001 - as above
        _go_wrong(runner, job, error)
    else:
        _go_on(runner, job, state)


def _claim(runner: "Runner", job: Job) -> bool:
    with runner.changed:
        if job.claimed or runner.stopping:
            return False
        job.claimed = True
        return True


def _begin(runner: "Runner", job: Job, key: "Secret") -> bool:
    """Journal it as being sent; return whether it may be.

    Durably, before anything leaves: a process that dies from here on leaves a trace of a task that may
    exist.
    """
    before = job.record
    record = replace(before, task_status="sending", sent_at=runner.clock(), account=key.mark(), sends=before.sends + 1)
    begun = job.store.journal.leases.begin(record, runner.queue.others(job), job.allowed)
    if begun.verdict == "full":
        runner.queue.full(job, begun.theirs)
        return False
    if begun.verdict == "taken":
        # Another kernel thought this one dead, and has closed it or is at work on it.
        job.aside = True
    runner.announce(job, replace(begun.record, references=before.references))
    if job.aside:
        runner.queue.dispatch()
    return not job.aside


def _create(runner: "Runner", job: Job, body: "Sent", key: "Secret") -> "TaskState":
    """Send it; try again where it provably never left."""
    for attempt in range(1, REACH + 1):
        if attempt > 1 and not job.store.journal.leases.is_sending(job.record.id):
            # This machine slept, and another kernel has taken the task over, closed it or sent it.
            job.aside = True
            runner.announce(job)
            raise _Cancelled
        try:
            return runner.remote.create(body, key)
        except errors.ConnectionFailed as error:
            if job.unwanted:
                runner.drop(job)
                raise _Cancelled from None
            if attempt == REACH or runner.stopping:
                raise
            job.note = f"{error.message} Nothing was sent; trying again."
            runner.announce(job)
            if attempt > 1:
                _pause(runner, job, attempt - 1)
    raise AssertionError


def _pause(runner: "Runner", job: Job, attempt: int) -> None:
    with runner.changed:
        # As if no sender had it: an interrupt may cancel it, for nothing has left.
        job.claimed = False
    runner.pause(backoff.delay(attempt, first=1.0, longest=8.0, jitter=random.random()))  # noqa: S311
    if not _claim(runner, job):
        raise _Cancelled


def _go_on(runner: "Runner", job: Job, state: "TaskState") -> None:
    """Record that it was taken, and have it followed."""
    taken = after_create(job.record, state, runner.clock())
    # Asked for the journal only where it may fail, and again with each later try.
    ours = runner.advance(job, taken, write=lambda record: job.store.journal.leases.acknowledge(record))  # noqa: PLW0108
    with runner.changed:
        job.insist = False
        job.began = time.monotonic()
    if ours:
        # First of all: what comes after may fail, and the task is paid.
        runner.follow(job)
    runner.queue.taken(job)
    _keep_previews(runner, job)
    with runner.changed:
        job.let_go_of_bytes()


def _go_wrong(runner: "Runner", job: Job, error: Exception) -> None:
    """Record what came instead of a good answer."""
    if isinstance(error, AnswerLost):
        _lose(runner, job, error.cause)
    elif isinstance(error, errors.TooManyRequests):
        if not runner.queue.refused(job, error):
            _give_up(runner, job, _too_large(runner, job, error))
    elif isinstance(error, errors.KlingError):
        _refuse(runner, job, error)
    else:
        # It may have been sent, so it may be paid.
        _lose(runner, job, error)


def _refuse(runner: "Runner", job: Job, error: errors.KlingError) -> None:
    """Record a refusal, unless it may mean that the task exists already."""
    if job.record.sends > 1 and isinstance(error, errors.RequestRefused):
        # Its id was sent before, and a gateway that takes an id once refuses it the second time.
        job.when_absent = "nothing"
        _lose(runner, job, error)
        return
    _give_up(runner, job, error)


def _give_up(runner: "Runner", job: Job, error: Exception) -> None:
    """Record that it was refused or never left: there is no task, and nothing to pay."""
    job.error = error
    failure = failure_of(error)
    if isinstance(error, _STOPS_THE_QUEUE):
        # First, while this task still holds its slots: freeing them would start the next ones.
        runner.stop_queue(failure)
    if job.insist:
        runner.advance(job, still_uncertain(job.record, failure))
        return
    runner.advance(
        job, replace(job.record, task_status="failed", sent_at=None, finished_at=runner.clock(), failure=failure)
    )


def _lose(runner: "Runner", job: Job, error: Exception) -> None:
    """Record that the answer did not come, and have the task looked for."""
    job.error = error
    job.insist = False
    job.sought = True
    if runner.advance(job, after_loss(job.record, failure_of(error))):
        runner.search(job)


def _too_large(runner: "Runner", job: Job, error: errors.TooManyRequests) -> errors.TooManyRequests:
    fits = runner.queue.fitting(job)
    return errors.TooManyRequests(
        f"The account seems to have no {job.record.n} slots for {job.record.model_name}: n={job.record.n} was refused "
        f"{job.refused_alone} times while nothing else was running. {error.message}",
        http_status=error.http_status,
        code=error.code,
        request_id=error.request_id,
        advice=f"Ask for n={fits} or fewer in one task, and for more tasks.",
    )


def _keep_previews(runner: "Runner", job: Job) -> None:
    for reference in job.record.references:
        name = f"{reference.sha256}_96"
        # A picture that cannot be made small is still a reference: the grid then shows its name alone.
        with contextlib.suppress(Exception):
            if reference.data is not None and job.store.thumbnail(name) is None:
                job.store.keep_thumbnail(name, runner.preview(reference.data))
