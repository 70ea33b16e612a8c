"""One step: send a create, once, and say what became of it."""

import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from kling_nb import errors
from kling_nb.engine.jobs import Job, after_create, failure_of
from kling_nb.remote.client import AnswerLost

if TYPE_CHECKING:
    from kling_nb.engine.runner import Runner

_STOPS_THE_QUEUE = (errors.AuthenticationFailed, errors.OutOfBalance, errors.ConfigurationError)


def send(runner: "Runner", job: Job) -> None:
    """Send a task that has its slots. Never raises: the outcome is in the job.

    Parameters
    ----------
    runner : Runner
        Whose thread this is.
    job : Job
        ``sending`` in memory, ``planned`` in the journal.
    """
    with runner.changed:
        if job.claimed or runner.stopping:
            return
        job.claimed = True
    try:
        body = job.body()
        # Durably, before anything leaves: a process that dies from here on leaves a trace of a task
        # that may exist.
        runner.advance(job, replace(job.record, sent_at=runner.clock()), must_save=True)
    except Exception as error:  # noqa: BLE001 - a thread must not die with a task in its hands
        _give_up(runner, job, error)
        return
    try:
        state = runner.remote.create(body)
    except AnswerLost as lost:
        _lose(runner, job, lost.cause)
    except errors.KlingError as error:
        _give_up(runner, job, error)
    except Exception as error:  # noqa: BLE001 - it may have been sent, so it may be paid
        _lose(runner, job, error)
    else:
        runner.advance(job, after_create(job.record, state, runner.clock()))
        _keep_previews(runner, job)
        with runner.changed:
            job.let_go_of_bytes()
            job.began = time.monotonic()
        runner.follow(job)


def _give_up(runner: "Runner", job: Job, error: Exception) -> None:
    """Record that it was refused or never left: there is no task, and nothing to pay."""
    job.error = error
    failure = failure_of(error)
    if isinstance(error, _STOPS_THE_QUEUE):
        # First, while this task still holds its slots: freeing them would start the next ones.
        runner.stop_queue(failure)
    runner.advance(
        job, replace(job.record, task_status="failed", sent_at=None, finished_at=runner.clock(), failure=failure)
    )


def _lose(runner: "Runner", job: Job, error: Exception) -> None:
    """Record that the answer did not come: the task may exist, and may be paid."""
    job.error = error
    failure = failure_of(error)
    message = f"The answer to the request was lost. {failure.message}"
    runner.advance(job, replace(job.record, task_status="uncertain", failure=replace(failure, message=message)))


def _keep_previews(runner: "Runner", job: Job) -> None:
    for reference in job.record.references:
        name = f"{reference.sha256}_96"
        # A picture that cannot be made small is still a reference: the grid then shows its name alone.
        with contextlib.suppress(Exception):
            if reference.data is not None and job.store.thumbnail(name) is None:
                job.store.keep_thumbnail(name, runner.preview(reference.data))
