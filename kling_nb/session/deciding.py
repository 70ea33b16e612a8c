"""What only the user can decide about a task: to send it, perhaps for the second time, or to close it."""

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from kling_nb.errors import InvalidRequest
from kling_nb.records import Failure, TaskRecord
from kling_nb.session.gateway import in_hand
from kling_nb.session.task import Task

if TYPE_CHECKING:
    from kling_nb.session.session import Session

_CLOSED = "Its answer was lost, and it was closed with --forget. It may exist and may be billed."


def send_it(session: "Session", some_id: str, *, yes: bool) -> Task:
    """Have a task sent that was never sent, or that is looked for once more and then sent again.

    Parameters
    ----------
    session : Session
        Whose workspace and gateway.
    some_id : str
        Its id, of any kind.
    yes : bool
        Whether the user has agreed to more than ``confirm_above`` images.

    Returns
    -------
    Task
        On its way.

    Raises
    ------
    InvalidRequest
        There is no such task, it is in other hands, it is known to have been sent, or nobody agreed.
    ConfigurationError
        There is no key, or ``max_images`` is reached.
    """
    task = session.task(some_id)
    record = _in_no_hands(session, task, "sent")
    if record.gateway != session.gateway_name:
        raise InvalidRequest(
            f"Task {record.id} was meant for {record.gateway}, and this session uses {session.gateway_name}."
        )
    if record.task_status not in ("planned", "cancelled", "sending", "uncertain"):
        advice = "`%kling resume` collects it." if not record.complete else "Make the request anew to have it twice."
        raise InvalidRequest(f"Task {record.id} is {record.task_status}: it is not sent again.", advice=advice)
    if record.task_id is not None and record.task_status == "uncertain":
        raise InvalidRequest(
            f"The gateway took task {record.id}, as {record.task_id}: sending it again would make a second one.",
            money="It is paid, once.",
            advice="`%kling resume` looks for it again, with the key that it was sent with.",
        )
    session.may_spend(record.n, yes=yes)
    if record.task_status == "cancelled":
        # Never sent: as if it were planned anew.
        planned = replace(record, task_status="planned", finished_at=None, failure=None)
        session.workspace.journal.update(planned)
    if not session.take_over(task, send="anyway") and task.job is None:
        raise _in_other_hands(record, "sent")
    return task


def forget(session: "Session", some_id: str) -> tuple[Task, str]:
    """Close a task for good, as far as this workspace is concerned.

    Parameters
    ----------
    session : Session
        Whose workspace.
    some_id : str
        Its id, of any kind.

    Returns
    -------
    Task, str
        The task, and what was done in words.

    Raises
    ------
    InvalidRequest
        There is no such task, it is in other hands, or it is complete or under way.
    """
    task = session.task(some_id)
    if task.cancel():
        return task, f"Task {task.id} was cancelled before it was sent: nothing to pay."
    record = _in_no_hands(session, task, "closed")
    now = time.time()
    if record.task_status == "planned":
        changed = replace(record, task_status="cancelled", finished_at=now)
        said = "was never sent, and is cancelled: nothing to pay."
    elif record.task_status in ("sending", "uncertain"):
        # Its time of sending stays: it may be billed.
        changed = replace(record, task_status="failed", finished_at=now, failure=Failure("ConnectionFailed", _CLOSED))
        said = "is closed. It may exist at the gateway and may be billed."
    elif record.task_status == "succeeded" and not record.complete:
        changed = replace(record, saved_at=now)
        said = f"is closed, with {record.missing} of {record.n} images missing. It is paid."
    else:
        money = "" if record.complete else "It is paid."
        advice = "" if record.complete else "`%kling resume` collects it."
        message = f"Task {record.id} is {record.task_status}: there is nothing to forget."
        raise InvalidRequest(message, money=money, advice=advice)
    if not session.workspace.journal.update(changed):
        raise _in_other_hands(record, "closed")
    return task, f"Task {record.id} {said}"


def _in_no_hands(session: "Session", task: Task, done: str) -> TaskRecord:
    record = session.stored(task.id) or task.record
    if task.live or in_hand(record.id):
        raise InvalidRequest(
            f"Task {record.id} is {record.task_status} and in the hands of this kernel, so it cannot be {done} now.",
            money=_money(done),
            advice=f"`%kling wait {record.id}` waits for what becomes of it.",
        )
    if not session.workspace.journal.leases.is_free(record.owner):
        raise _in_other_hands(record, done)
    return record


def _in_other_hands(record: TaskRecord, done: str) -> InvalidRequest:
    # What is under way is paid, and neither sent again nor closed, whoever has it in hand.
    under_way = record.task_status in ("submitted", "processing")
    advice = f"`%kling wait {record.id}` waits for it." if under_way else "When that kernel has ended, it can."
    message = f"Task {record.id} is {record.task_status} and in another kernel's hands: it cannot be {done} here."
    return InvalidRequest(message, money=_money(done), advice=advice)


def _money(done: str) -> str | None:
    """Return what is to be said of money: nothing where there was nothing to send."""
    return "" if done == "closed" else None
