"""Waiting for tasks in the main thread, with progress, and keeping a display up to date without waiting."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from kling_nb.engine.jobs import Job
from kling_nb.engine.polling import typical
from kling_nb.engine.runner import Runner
from kling_nb.errors import InvalidRequest, WaitInterrupted, WaitTimeout
from kling_nb.records import TaskRecord
from kling_nb.session.outcome import in_words
from kling_nb.session.screen import Screen

if TYPE_CHECKING:
    from kling_nb.session.session import Session
    from kling_nb.session.task import Task

TICK = 0.5
"""Seconds between two updates of the progress when nothing happens."""
_LAST_LOOKS = 15.0
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
        raise interrupted(runner, jobs) from None
    return True


def watch_elsewhere(session: "Session", task: "Task", screen: Screen, timeout: float) -> float:
    """Wait for a task that another kernel has in hand; take it over should that kernel end.

    Parameters
    ----------
    session : Session
        Whose workspace.
    task : Task
        The task.
    screen : Screen
        Where progress is shown.
    timeout : float
        Seconds.

    Returns
    -------
    float
        The seconds that are left, when it is in no other kernel's hands any more.

    Raises
    ------
    WaitInterrupted
        The user pressed Interrupt; the other kernel goes on.
    WaitTimeout
        The other kernel has it still.
    """
    deadline = time.monotonic() + timeout
    note = ["Another kernel of this workspace has the task in hand."]
    try:
        while True:
            record = task.record
            free = not session.in_other_hands(record)
            # Nothing to take over is a task that waits for the user's word; or a third kernel was quicker.
            if record.complete or (free and (session.take_over(task) or not session.in_other_hands(task.record))):
                return max(0.0, deadline - time.monotonic())
            if record.failure is not None and not _looked_for(record, session.settings.grace):
                return 0.0
            if time.monotonic() >= deadline:
                raise WaitTimeout(f"Task {record.id} is still {record.task_status} after {timeout:g} s. {note[0]}")
            screen.progress([record], now=time.time(), expected=None, notes=note)
            time.sleep(min(TICK, max(0.0, deadline - time.monotonic())))
    except KeyboardInterrupt:
        screen.done()
        raise WaitInterrupted(f"Interrupted. {note[0]} It goes on with it.") from None


def _looked_for(record: TaskRecord, grace: float) -> bool:
    """Tell whether the kernel that sent a task may still be looking for it."""
    return record.task_status == "uncertain" and time.time() < (record.sent_at or 0.0) + grace + _LAST_LOOKS


def _show(runner: Runner, jobs: Sequence[Job], screen: Screen) -> None:
    usual = typical(runner.durations(jobs[0].record.model_name)) if jobs else None
    screen.progress(
        [job.record for job in jobs],
        now=runner.clock(),
        expected=usual.median if usual else None,
        notes=list(dict.fromkeys(job.note for job in jobs if job.note)),
    )


@contextlib.contextmanager
def interruptible(task: "Task") -> Iterator[None]:
    """Have an interrupt that comes at any moment cancel what was not sent, and say what is under way.

    Parameters
    ----------
    task : Task
        The task.

    Raises
    ------
    WaitInterrupted
        In place of a bare KeyboardInterrupt.
    """
    try:
        yield
    except WaitInterrupted:
        raise
    except KeyboardInterrupt:
        raise task.interrupted() from None


def interrupted(runner: Runner, jobs: Sequence[Job]) -> WaitInterrupted:
    """Cancel what was not sent, and return the interrupt that says what is under way and how to collect it."""
    while True:
        try:
            runner.cancel(jobs)
            return WaitInterrupted(_what_is_left(jobs))
        except KeyboardInterrupt:
            # Pressed again, out of impatience: what was not sent is to be cancelled all the more.
            continue


def _what_is_left(jobs: Sequence[Job]) -> str:
    cancelled = [job for job in jobs if job.record.task_status == "cancelled"]
    left = [job for job in jobs if not job.settled]
    going_on = [job for job in left if job.record.task_status in ("submitted", "processing", "succeeded")]
    sending = sum(job.record.task_status in ("planned", "sending") for job in left)
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
    if sending:
        said.append(
            f"{in_words(sending)} being sent at this moment, and not sent again: "
            "`%kling history` shows what comes of it."
        )
    doubtful = len(left) - len(going_on) - sending
    if doubtful:
        said.append(
            f"{in_words(doubtful)} uncertain, because the answer was lost: looked for on in the background, and not "
            "sent twice. `%kling resume` looks again."
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
