"""Collecting what is known to exist: what this process has under way, and what an earlier kernel left."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from kling_nb.errors import WaitTimeout
from kling_nb.records import Failure, TaskRecord
from kling_nb.session.history import TaskList
from kling_nb.session.outcome import in_words
from kling_nb.session.screen import Screen
from kling_nb.session.task import Task
from kling_nb.session.watching import seconds_of, watch
from kling_nb.workspace.owners import is_gone, this_process

if TYPE_CHECKING:
    from kling_nb.session.session import Session

STILL_SENDING = 300.0
"""Seconds for which a create may be on its way in another kernel that is alive."""


class Resumed(TaskList):
    """The tasks that were collected, and what is to be said of the others.

    Parameters
    ----------
    tasks : sequence of Task
        Followed and collected.
    session : Session
        Where they are.
    remarks : list of str
        One sentence for each kind of task that nothing was done about.
    """

    def __init__(self, tasks: Sequence[Task], session: "Session", remarks: list[str]) -> None:
        super().__init__(tasks, session)
        self.remarks = remarks

    @property
    def message(self) -> str:
        """What was done and what remains, in words."""
        whole = sum(task.record.complete for task in self)
        first = f"{in_words(whole)} of {len(self)} collected." if self else "Nothing to collect."
        return " ".join([first, *self.remarks])


def resume(session: "Session", where: Screen, timeout: float | None = None) -> Resumed:
    """Follow and download what an earlier kernel left; sends nothing.

    Parameters
    ----------
    session : Session
        Whose workspace and gateway.
    where : Screen
        Shows the progress.
    timeout : float, optional
        Seconds; the setting of that name where not given.

    Returns
    -------
    Resumed
        What became of each; a task that failed is among them, and raises nothing.

    Raises
    ------
    WaitTimeout
        Some are still under way; they are followed on.
    """
    tasks: list[Task] = []
    remarks: dict[str, int] = {}
    records = session.workspace.journal.unfinished() if session.workspace.exists else []
    for record in records:
        task = session.as_task(record)
        remark = _take(session, task, record)
        if remark is None:
            tasks.append(task)
        else:
            remarks[remark] = remarks.get(remark, 0) + 1
    _watch_all(session, tasks, where, timeout)
    return Resumed(tasks, session, [remark.replace("{}", in_words(count), 1) for remark, count in remarks.items()])


def wait_for_all(session: "Session", where: Screen, timeout: float | None = None) -> TaskList:
    """Wait for everything that this process has under way.

    Parameters
    ----------
    session : Session
        Whose gateway.
    where : Screen
        Shows the progress.
    timeout : float, optional
        Seconds; the setting of that name where not given.

    Returns
    -------
    TaskList
        The tasks, settled.

    Raises
    ------
    WaitTimeout
        Some are still under way.
    """
    runner = session.gateway.runner
    with runner.changed:
        jobs = [job for job in runner.jobs.values() if job.store is session.workspace]
    tasks = [Task(session, job.record, job) for job in jobs]
    _watch_all(session, tasks, where, timeout)
    return TaskList(tasks, session)


def _take(session: "Session", task: Task, record: TaskRecord) -> str | None:
    """Take a task in hand, or return why not, with ``{}`` where the number of such tasks goes."""
    if record.gateway != session.gateway_name:
        return f"{{}} at {record.gateway}: use that gateway to collect."
    if task.live:
        return None
    # It may have gone on since the list was read.
    record = session.stored(record.id) or record
    # This very process has it in no session's hands: then it will not be sent any more.
    gone = is_gone(record.owner) or record.owner == this_process()
    if record.task_status == "planned":
        if not gone:
            return "{} waiting for free slots in another kernel: not sent yet, nothing to collect."
        session.workspace.journal.update(replace(record, task_status="cancelled", finished_at=time.time()))
        return "{} never sent, because the kernel ended before: cancelled, nothing to pay."
    if record.task_status == "sending":
        if not gone and time.time() - (record.sent_at or 0.0) < STILL_SENDING:
            return "{} being sent just now, perhaps by another kernel: try again in a few minutes."
        message = "Its process ended while it was being sent, so it is not known whether the task exists."
        record = replace(record, task_status="uncertain", failure=Failure("ConnectionFailed", message))
        session.workspace.journal.update(record)
    if record.task_status == "uncertain":
        return "{} uncertain: whether the gateway has the task is not known (`%kling history uncertain`)."
    session.take_over(task)
    return None


def _watch_all(session: "Session", tasks: Sequence[Task], where: Screen, timeout: float | None) -> None:
    jobs = [task.job for task in tasks if task.job is not None]
    seconds = seconds_of(timeout, session.settings.timeout)
    if jobs and not watch(session.gateway.runner, jobs, where, seconds):
        left = sum(not job.settled for job in jobs)
        raise WaitTimeout(f"{in_words(left)} still under way after {seconds:g} s of waiting.")
