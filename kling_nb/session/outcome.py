"""What became of a task, as the error that waiting for it raises. Pure."""

from typing import Any

from kling_nb import errors
from kling_nb.records import TaskRecord

UNCERTAIN_MONEY = "The task may exist and may be billed; it was not sent again."
UNCERTAIN_ADVICE = "Look for its external_task_id {} with the gateway before sending it again."


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
        return _rebuild(record, task, money=UNCERTAIN_MONEY, advice=UNCERTAIN_ADVICE.format(record.external_task_id))
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
    return errors.WaitTimeout(message, task=task)


def in_no_hands(record: TaskRecord, task: Any = None) -> errors.KlingError:
    """Return the error of waiting for a task that this kernel neither sends nor can follow."""
    message = f"Task {record.id} is {record.task_status}, and this kernel is not sending it."
    if record.task_status == "planned":
        money = "It was never sent, unless another kernel is about to: nothing is paid so far."
        return errors.KlingError(message, money=money, advice="Make the request again.", task=task)
    money = "It may be on its way from another kernel, or that one has ended; then it may exist and may be billed."
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
        return f"`%kling wait {record.id}` waits for it."
    if record.task_status == "uncertain":
        return UNCERTAIN_ADVICE.format(record.external_task_id)
    if record.task_status == "succeeded" and record.missing:
        return "`%kling resume` fetches the rest for as long as the gateway keeps it."
    return ""
