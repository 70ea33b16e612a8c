"""What a task's state means: what happened, what of the money and the images, what to do next."""

from typing import NamedTuple

from kling_nb import errors
from kling_nb.display.view import TaskView, asked, saved
from kling_nb.display.words import duration, joined, one_line, plural
from kling_nb.records import Failure, TaskRecord

SANDBOX = "SANDBOX"

_STATES = {
    "planned": "waiting",
    "sending": "sending",
    "submitted": "queued",
    "processing": "generating",
    "succeeded": "succeeded",
    "failed": "failed",
    "uncertain": "uncertain",
    "cancelled": "cancelled",
}

_MAY_BE_BILLED = " and may be billed"
_PAID = "The task is paid once and goes on, also without this notebook."


class Story(NamedTuple):
    """Three sentences about a task that has not simply succeeded.

    Parameters
    ----------
    what : str
        What happened.
    money : str
        What became of the money and the images.
    advice : str
        What to do next.
    facts : str
        What to quote to a gateway's support.
    problem : bool
        Whether something went wrong, as opposed to not being ready.
    """

    what: str
    money: str
    advice: str
    facts: str = ""
    problem: bool = True


def state(record: TaskRecord) -> str:
    """Return the status in one or two words of plain English."""
    if record.task_status == "succeeded":
        if lost(record):
            return f"{saved(record)} of {plural(asked(record), 'image')} saved"
        if not finished(record):
            return "downloading"
    return _STATES.get(record.task_status) or one_line(record.task_status, 40) or "unknown"


def lost(record: TaskRecord) -> bool:
    """Return whether the task succeeded and images are missing that are no longer being fetched."""
    gave_up = record.saved_at is not None or record.failure is not None
    return record.task_status == "succeeded" and gave_up and saved(record) < asked(record)


def finished(record: TaskRecord) -> bool:
    """Return whether nothing more will happen by itself."""
    if record.task_status == "succeeded":
        return record.saved_at is not None or lost(record) or saved(record) >= asked(record)
    return record.task_status in ("failed", "cancelled", "uncertain")


def story(view: TaskView) -> Story | None:
    """Return what there is to say of a task, or None of one whose images are all there.

    Parameters
    ----------
    view : TaskView
        Its `how_to_collect` is the advice of an unfinished task.

    Returns
    -------
    Story or None
        In plain text; commands stand between backticks.
    """
    record = view.record
    if finished(record) and record.task_status == "succeeded" and not lost(record):
        return None
    told = _ended(view) if finished(record) else _under_way(view)
    if record.sandbox:
        told = told._replace(what=told.what.replace(_MAY_BE_BILLED, ""), money="The sandbox bills nothing.")
    what, money, advice, facts = (one_line(sentence, 600) for sentence in told[:4])
    return Story(what, money, advice, facts, told.problem)


def _ended(view: TaskView) -> Story:
    record = view.record
    if record.task_status == "cancelled":
        why = joined(_message(record.failure), _facts(record.failure))
        return Story("Cancelled before it was sent.", "Nothing was sent and nothing is billed.", "", why, bool(why))
    if record.task_status == "uncertain":
        lost_answer = _message(record.failure) or "The answer to the request was lost."
        if record.task_id:
            what = f"{lost_answer} It had taken the task before."
            return Story(what, "The task is paid, once.", view.how_to_collect, _facts(record.failure))
        what = f"{lost_answer} The task may exist{_MAY_BE_BILLED}."
        return Story(what, "", view.how_to_collect, _facts(record.failure))
    if record.task_status == "succeeded":
        missing = asked(record) - saved(record)
        what = f"{missing} of {plural(asked(record), 'image')} could not be saved."
        return _failed(record.failure, "ImagesMissing", what)
    failed = _failed(record.failure, "TaskFailed", "The task failed, and the gateway did not say why.")
    if record.sent_at is None and not failed.money:
        return failed._replace(money="No task was made, and nothing is to pay.")
    return failed


def _under_way(view: TaskView) -> Story:
    record = view.record
    paid = {"submitted", "processing", "succeeded"}
    what = {
        "planned": "Waiting for a free slot; nothing has been sent yet.",
        "sending": "The request is being sent.",
        "submitted": "The gateway has the task and has not started on it.",
        "processing": "The images are being generated.",
        "succeeded": f"The images are being downloaded: {saved(record)} of {asked(record)} saved.",
    }.get(record.task_status, f"Its status is {one_line(record.task_status, 60)!r}.")
    money = _PAID if record.task_status in paid else ""
    return Story(what, money, view.how_to_collect, "", False)


def _failed(failure: Failure | None, default: str, what: str) -> Story:
    kind = getattr(errors, failure.kind if failure else default, None)
    if not (isinstance(kind, type) and issubclass(kind, errors.KlingError)):
        kind = errors.KlingError
    advice = (failure.advice if failure else None) or kind.default_advice
    return Story(_message(failure) or what, kind.default_money, advice, _facts(failure))


def _message(failure: Failure | None) -> str:
    return failure.message if failure else ""


def _facts(failure: Failure | None) -> str:
    if failure is None:
        return ""
    named = (("HTTP", failure.http_status), ("code", failure.code), ("request_id", failure.request_id))
    return ", ".join(f"{name} {one_line(value, 80)}" for name, value in named if value)


def times(record: TaskRecord) -> list[tuple[str, float]]:
    """Return the task's phases with their seconds, each only where both its ends are known.

    Parameters
    ----------
    record : TaskRecord
        The task.

    Returns
    -------
    list of (str, float)
        ``queued``, ``generating``, ``downloading``, in this order.
    """
    ends = [
        ("queued", record.submitted_at, record.processing_at),
        ("generating", record.processing_at, record.finished_at),
        ("downloading", record.finished_at, record.saved_at),
    ]
    if record.processing_at is None:
        # Seen only at its end: the two phases cannot be told apart.
        ends.insert(0, ("queued and generating", record.submitted_at, record.finished_at))
    return [(name, max(0.0, end - start)) for name, start, end in ends if start is not None and end is not None]


def elapsed(record: TaskRecord, now: float) -> float | None:
    """Return the seconds from sending to the end, or to `now`; None for what was never sent."""
    start = record.sent_at if record.sent_at is not None else record.submitted_at
    if start is None:
        return None
    end = record.saved_at if record.saved_at is not None else record.finished_at
    if end is None or not finished(record):
        # What ended without its time being known has no duration worth showing.
        end = None if finished(record) else now
    return None if end is None else max(0.0, end - start)


def ratio(record: TaskRecord) -> str:
    """Return the aspect ratio asked for, or that none was."""
    return one_line(record.request.get("aspect_ratio") or "default ratio", 20)


def model(record: TaskRecord) -> str:
    """Return the model asked, also of a request that names none."""
    return one_line(record.request.get("model_name") or "no model named", 60)


def changes(record: TaskRecord) -> list[tuple[str, str]]:
    """Return which references do not look to the gateway as they did to the user, by name, and why.

    Pixels from memory have to be encoded somehow, and losing nothing by it is nothing to tell.
    """
    told = []
    for reference in record.references[:6]:
        said = [change for change in reference.changes if change != "encoded as PNG"]
        if said:
            told.append((reference.name, "; ".join(said)))
    return told


def price(view: TaskView) -> str:
    """Return the price of what is or may be billed; empty for the sandbox and for what was not made."""
    record = view.record
    free = record.sandbox or record.task_status in ("failed", "cancelled")
    return "" if free else one_line(view.price or "", 40)


def line(view: TaskView, now: float) -> str:
    """Return the one line that identifies a task wherever it is shown or printed.

    Parameters
    ----------
    view : TaskView
        The task.
    now : float
        Seconds since the epoch.

    Returns
    -------
    str
        Model, ratio, images, time, price and id, in plain text, without the sandbox's mark.
    """
    record = view.record
    took = elapsed(record, now)
    time = "" if took is None else duration(took) + ("" if finished(record) else " so far")
    images = plural(asked(record), "image")
    return joined(model(record), ratio(record), images, time, price(view), one_line(record.id, 80))
