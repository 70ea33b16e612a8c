"""What became of a task, as the error that waiting for it raises. Pure."""

from typing import Any

from kling_nb import errors
from kling_nb.records import TaskRecord

UNCERTAIN_MONEY = "The task may exist and may be billed; sending it again might pay twice, so it was not."
UNCERTAIN_ADVICE = (
    "`%kling resume` looks for it again (its external_task_id is {external_task_id}); "
    "`%kling resume --send {id}` sends it again, and `%kling resume --forget {id}` closes it."
)


def advice_of_doubt(record: TaskRecord) -> str:
    """Return what the user can do about a task of which it is not known whether it exists."""
    if record.task_id is not None:
        return (
            f"`%kling resume` looks for it again (its task_id is {record.task_id}), with the key that it was sent "
            f"with; `%kling resume --forget {record.id}` closes it."
        )
    return UNCERTAIN_ADVICE.format(external_task_id=record.external_task_id, id=record.id)


def in_words(count: int) -> str:
    """Return a number of tasks in words: ``1 task``, ``4 tasks``."""
    return "1 task" if count == 1 else f"{count} tasks"


def error_of(record: TaskRecord, task: Any = None) -> errors.KlingError | None:
    """Return the error that a settled task stands for.

    Parameters
    ----------
    record : TaskRecord
        The task.
    task : object, optional
        To be carried by the error.

    Returns
    -------
    KlingError or None
        None for a task that has succeeded with all its images, or has not ended.
    """
    failure = record.failure
    if record.task_status == "cancelled":
        if failure is None:
            return errors.KlingError(f"Task {record.id} was cancelled.", money="It was never sent.", task=task)
        return _rebuild(record, task, money="This task was never sent, because an earlier one was refused so.")
    if record.task_status == "uncertain":
        money = UNCERTAIN_MONEY if record.task_id is None else "The gateway had taken the task, so it is paid, once."
        return _rebuild(record, task, money=money, advice=advice_of_doubt(record))
    if failure is None:
        return None
    # A task that failed without having been sent was refused or never left.
    unsent = record.task_status == "failed" and record.sent_at is None
    return _rebuild(record, task, otherwise="No task was made, and nothing is to pay." if unsent else None)


def still_going_on(record: TaskRecord, seconds: float, note: str, task: Any = None) -> errors.WaitTimeout:
    """Return the error of a wait that ended before the task did."""
    more = f" {note}" if note else ""
    message = f"Task {record.id} is still {record.task_status} after {seconds:g} s of waiting.{more}"
    if record.task_status == "planned":
        money = "It is not sent yet, and so not paid; it is sent when the account has free slots."
        return errors.WaitTimeout(message, money=money, advice="`%kling wait` goes on waiting.", task=task)
    if record.task_status in ("sending", "uncertain"):
        money = "It may be paid; what becomes of it is seen to in the background, and nothing is sent twice."
        return errors.WaitTimeout(message, money=money, task=task)
    return errors.WaitTimeout(message, task=task)


def in_no_hands(record: TaskRecord, task: Any = None) -> errors.KlingError:
    """Return the error of waiting for a task that this kernel neither sends nor can follow."""
    message = f"Task {record.id} is {record.task_status}, and this kernel is not sending it."
    if record.task_status == "planned":
        advice = f"`%kling resume --send {record.id}` sends it, and `%kling resume --forget {record.id}` closes it."
        return errors.KlingError(message, money="It was never sent: nothing is paid.", advice=advice, task=task)
    money = "Its kernel has ended, so it may exist and may be billed."
    return errors.KlingError(message, money=money, advice="`%kling resume` says what became of it.", task=task)


def _rebuild(
    record: TaskRecord, task: Any, *, money: str | None = None, advice: str | None = None, otherwise: str | None = None
) -> errors.KlingError:
    """Make the error of a failure anew; ``otherwise`` is the money of kinds that say nothing of it."""
    failure = record.failure
    if failure is None:
        return errors.ConnectionFailed(
            f"Task {record.id} was being sent when its process ended.", money=money, advice=advice, task=task
        )
    found = getattr(errors, failure.kind, None)
    kind = found if isinstance(found, type) and issubclass(found, errors.KlingError) else errors.KlingError
    if money is None and not kind.default_money:
        money = otherwise
    advice = failure.advice if advice is None else advice
    if issubclass(kind, errors.APIError):
        refused: type[errors.APIError] = kind
        return refused(
            failure.message,
            http_status=failure.http_status,
            code=failure.code,
            request_id=failure.request_id,
            money=money,
            advice=advice,
            task=task,
        )
    return kind(failure.message, money=money, advice=advice, task=task)


def how_to_collect(record: TaskRecord) -> str:
    """Return what the user can do to get the images of an unfinished task; empty when it is complete."""
    if record.task_status in ("submitted", "processing"):
        return f"`%kling wait {record.id}` waits for it; after a restart of the kernel, `%kling resume` collects it."
    if record.task_status in ("planned", "sending"):
        return (
            f"`%kling wait {record.id}` waits for it; if its kernel has ended, "
            f"`%kling resume --send {record.id}` sends it."
        )
    if record.task_status == "uncertain":
        return advice_of_doubt(record)
    if record.task_status == "succeeded" and record.missing:
        return "`%kling resume` fetches the rest for as long as the gateway keeps it."
    return ""
