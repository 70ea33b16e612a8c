"""Writing down what tasks have become, also later where the journal could not be written at once."""

import contextlib
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from kling_nb.engine.jobs import Job
from kling_nb.errors import KlingError
from kling_nb.records import TaskRecord

if TYPE_CHECKING:
    from kling_nb.engine.runner import Runner

LATER = "It will be written as soon as that is possible."


def write(job: Job, record: TaskRecord, how: Callable[[TaskRecord], bool] | None = None) -> str:
    """Write what a task has become; what cannot be written now is kept with the job.

    Parameters
    ----------
    job : Job
        The task; set aside when it is found to be another process's.
    record : TaskRecord
        What is to be found in the journal.
    how : callable, optional
        Where it is not a plain update; returns whether the task is this process's.

    Returns
    -------
    str
        What went wrong, for the user; empty when it is written.
    """
    # The journal is asked for with each try: it is opened anew once it can be read again.
    how = how or (lambda record: job.store.journal.update(record))  # noqa: PLW0108
    # In turn, so that what is written late never replaces what came after it.
    with job.writing:
        try:
            ours = how(record)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the journal
            job.unwritten = functools.partial(how, record)
            said = error.message if isinstance(error, KlingError) else f"{type(error).__name__}: {error}."
            return f"{said} {LATER}"
        job.unwritten = None
    job.aside = job.aside or not ours
    return ""


def write_again(runner: "Runner") -> None:
    """Write what could not be written before; what still cannot be is tried again with the next beat.

    A task that has ended takes no other step that would write it.
    """
    with runner.changed:
        jobs = [job for job in runner.jobs.values() if job.unwritten is not None]
    for job in jobs:
        with job.writing:
            # Another job of the same task has read the journal as it is, and goes on from there.
            if job.unwritten is None or runner.jobs.get(job.record.id) is not job:
                continue
            try:
                ours = job.unwritten()
            except Exception:  # noqa: BLE001, S112 - as above; the user has been told
                continue
            job.unwritten = None
        with runner.changed:
            job.aside = job.aside or not ours
            job.note = "" if job.note.endswith(LATER) else job.note
        runner.announce(job)


def let_go(runner: "Runner", job: Job) -> None:
    """Let any kernel take a task that this process does nothing more for, although something remains to be done.

    Images that did not come may come to another kernel, later; and what is to become of a task in doubt, the
    user may say in any of them. Called before the task counts as settled: so long nobody here can have taken
    it up again.
    """
    with runner.changed:
        over = job.ended and not job.aside and job.unwritten is None and not job.record.complete
        if not over or runner.jobs.get(job.record.id) is not job:
            return
    # At the latest the end of this process sets it free.
    with contextlib.suppress(Exception):
        job.store.journal.leases.release([job.record.id])
