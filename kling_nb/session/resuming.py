"""Collecting what is known to exist: what this process has under way, and what an earlier kernel left."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kling_nb.errors import WaitTimeout
from kling_nb.records import TaskRecord
from kling_nb.session.deciding import send_it
from kling_nb.session.history import TaskList
from kling_nb.session.outcome import in_words
from kling_nb.session.screen import Screen
from kling_nb.session.task import Task
from kling_nb.session.watching import seconds_of, watch

if TYPE_CHECKING:
    from kling_nb.session.session import Session

_NEVER_SENT = "{} never sent, nothing to pay: `%kling resume --send` sends, `%kling resume --forget ID` closes."
_UNCERTAIN = (
    "{} uncertain, because the gateway neither shows nor provably lacks what was sent: "
    "`%kling resume --send ID` sends it again, `%kling resume --forget ID` closes it."
)
_ELSEWHERE = "{} in the hands of another kernel, which goes on with it."


class Resumed(TaskList):
    """The tasks that were taken in hand, and what is to be said of the others.

    Parameters
    ----------
    tasks : sequence of Task
        Looked for, followed, collected or sent.
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
        real = [task for task in self if task.task_status not in ("planned", "uncertain")]
        whole = sum(task.task_status == "succeeded" and task.record.complete for task in real)
        failed = sum(task.task_status == "failed" for task in real)
        part = sum(task.task_status == "succeeded" and not task.record.complete for task in real)
        first = f"{in_words(whole)} of {len(real)} collected"
        first += f", {failed} failed" * bool(failed) + f", {part} with images missing" * bool(part) + "."
        return " ".join([first if real else "Nothing to collect.", *self.remarks])


def resume(
    session: "Session",
    where: Screen,
    timeout: float | None = None,
    *,
    send: bool | str = False,
    yes: bool = False,
) -> Resumed:
    """Look for, follow and download what an earlier kernel left; send it only when told to.

    Parameters
    ----------
    session : Session
        Whose workspace and gateway.
    where : Screen
        Shows the progress.
    timeout : float, optional
        Seconds; the setting of that name where not given.
    send : bool or str
        Also send what was never sent, or provably never came; or, with an id, that task alone, also when that
        is uncertain.
    yes : bool
        Whether the user has agreed to more than ``confirm_above`` images.

    Returns
    -------
    Resumed
        What became of each; a task that failed is among them, and raises nothing.

    Raises
    ------
    InvalidRequest
        The task of that id cannot be sent, or nobody agreed.
    WaitTimeout
        Some are still under way; they are followed on.
    """
    remarks: dict[str, int] = {}
    session.workspace.tidy()
    if isinstance(send, str):
        tasks = [send_it(session, send, yes=yes)]
    else:
        tasks = _take_all(session, remarks, send=send, yes=yes)
    watch_all(session, tasks, where, timeout)
    for task in tasks:
        remark = {"planned": _NEVER_SENT, "uncertain": _UNCERTAIN}.get(task.task_status)
        if remark is not None and not task.live:
            remarks[remark] = remarks.get(remark, 0) + 1
    said = [remark.replace("{}", in_words(count), 1) for remark, count in remarks.items()]
    return Resumed(_newest_first(tasks), session, said)


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
    watch_all(session, tasks, where, timeout)
    return TaskList(_newest_first(tasks), session)


def _newest_first(tasks: Sequence[Task]) -> list[Task]:
    return sorted(tasks, key=lambda task: (task.record.created_at, task.id), reverse=True)


def _take_all(session: "Session", remarks: dict[str, int], *, send: bool, yes: bool) -> list[Task]:
    """Take in hand what can be; note what cannot."""
    records = session.workspace.journal.unfinished() if session.workspace.exists else []
    found = [(task := session.as_task(record), _why_not(session, task, record, send=send)) for record in records]
    tasks = [task for task, remark in found if remark is None]
    for remark in (remark for _, remark in found if remark is not None):
        remarks[remark] = remarks.get(remark, 0) + 1
    idle = [task for task in tasks if not task.live]
    if send:
        may_be_sent = ("planned", "sending", "uncertain")
        session.may_spend(sum(task.n for task in idle if task.task_status in may_be_sent), yes=yes)
    for task in idle:
        if not session.take_over(task, send="absent" if send else "nothing") and task.job is None:
            # Another kernel was quicker.
            tasks.remove(task)
            remarks[_ELSEWHERE] = remarks.get(_ELSEWHERE, 0) + 1
    return tasks


def _why_not(session: "Session", task: Task, record: TaskRecord, *, send: bool) -> str | None:
    """Return why nothing is done about a task, with ``{}`` where the number of such tasks goes."""
    if record.gateway != session.gateway_name:
        return f"{{}} at {record.gateway}: use that gateway to collect."
    if task.live:
        return None
    if session.in_other_hands(record):
        return _ELSEWHERE
    return _NEVER_SENT if record.task_status == "planned" and not send else None


def watch_all(session: "Session", tasks: Sequence[Task], where: Screen, timeout: float | None) -> None:
    """Wait until tasks are settled, with progress.

    Raises
    ------
    WaitTimeout
        Some are still under way.
    """
    jobs = [task.job for task in tasks if task.job is not None]
    seconds = seconds_of(timeout, session.settings.timeout)
    if jobs and not watch(session.gateway.runner, jobs, where, seconds):
        left = [job.record.task_status for job in jobs if not job.settled]
        message = f"{in_words(len(left))} still under way after {seconds:g} s of waiting."
        waiting = left.count("planned")
        if not waiting:
            raise WaitTimeout(message)
        money = f"{in_words(waiting)} of them not sent yet, and so not paid; the others are paid once and go on."
        raise WaitTimeout(message, money=money if waiting < len(left) else "None of them is sent yet: nothing is paid.")
