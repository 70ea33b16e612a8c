"""Waiting for tasks in the main thread, with progress, and keeping a display up to date without waiting."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kling_nb.engine.jobs import Job
from kling_nb.engine.polling import typical
from kling_nb.engine.runner import Runner
from kling_nb.errors import InvalidRequest, WaitInterrupted
from kling_nb.session.outcome import in_words
from kling_nb.session.screen import Screen

if TYPE_CHECKING:
    from kling_nb.session.task import Task

TICK = 0.5
"""Seconds between two updates of the progress when nothing happens."""
QUICK = 0.1
"""Seconds between two updates at least, however much happens."""


def seconds_of(timeout: float | None, default: float) -> float:
    """Return how long to wait, in seconds.

    Parameters
    ----------
    timeout : float, optional
        As the user gave it.
    default : float
        Where it is not given.

    Returns
    -------
    float
        0 only looks; infinity waits for ever.

    Raises
    ------
    InvalidRequest
        It is no such number.
    """
    if timeout is None:
        return default
    try:
        seconds = float(timeout)
    except (TypeError, ValueError, OverflowError):
        seconds = -1.0
    if isinstance(timeout, bool) or not seconds >= 0:
        raise InvalidRequest(f"timeout is {str(timeout)[:80]!r}; it must be a number of seconds")
    return seconds


def watch(runner: Runner, jobs: Sequence[Job], screen: Screen, timeout: float) -> bool:
    """Wait until tasks are settled, showing how they get on.

    Parameters
    ----------
    runner : Runner
        Whose tasks they are.
    jobs : sequence of Job
        The tasks.
    screen : Screen
        Where progress is shown.
    timeout : float
        Seconds.

    Returns
    -------
    bool
        Whether all are settled; False when the time-out came first.

    Raises
    ------
    WaitInterrupted
        The user pressed Interrupt: what was not sent is cancelled, the rest is followed on.
    """
    deadline = time.monotonic() + timeout

    def settled() -> bool:
        return all(job.settled for job in jobs)

    try:
        while not settled():
            _show(runner, jobs, screen)
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            before = [job.record for job in jobs]
            runner.wait(lambda before=before: settled() or [job.record for job in jobs] != before, min(TICK, left))  # type: ignore[misc]
            if not settled():
                runner.wait(settled, min(QUICK, max(0.0, deadline - time.monotonic())))
    except KeyboardInterrupt:
        screen.done()
        raise WaitInterrupted(_interrupt(runner, jobs)) from None
    return True


def _show(runner: Runner, jobs: Sequence[Job], screen: Screen) -> None:
    usual = typical(runner.durations(jobs[0].record.model_name)) if jobs else None
    screen.progress(
        [job.record for job in jobs],
        now=runner.clock(),
        expected=usual.median if usual else None,
        notes=list(dict.fromkeys(job.note for job in jobs if job.note)),
    )


def _interrupt(runner: Runner, jobs: Sequence[Job]) -> str:
    cancelled = runner.cancel(jobs)
    going_on = [job for job in jobs if not job.settled]
    said = []
    if cancelled:
        said.append(f"{in_words(len(cancelled))} not sent: cancelled, nothing to pay.")
    if going_on:
        ids = ", ".join(job.record.id for job in going_on[:3]) + (", …" if len(going_on) > 3 else "")
        which = going_on[0].record.id if len(going_on) == 1 else ""
        said.append(
            f"{in_words(len(going_on))} under way ({ids}): paid once, and followed on in the background. "
            f"`%kling wait{' ' + which if which else ''}` collects; after a restart of the kernel, `%kling resume`."
        )
    return " ".join(["Interrupted.", *said])


def keep_current(task: "Task", job: Job, screen: Screen) -> None:
    """Keep what is shown of a task up to date from the engine's threads, until it is settled.

    Parameters
    ----------
    task : Task
        The task.
    job : Job
        The same in the engine's hands.
    screen : Screen
        Where it is shown.
    """

    def changed(job: Job) -> None:
        if job.ended:
            screen.bundle(task.bundle())
        else:
            screen.progress([job.record], now=time.time(), expected=None, notes=[job.note] if job.note else [])

    job.listeners.append(changed)
    # In turn with the engine's threads, or this first progress could come after the result.
    with job.speaking:
        changed(job)
