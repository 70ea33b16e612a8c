"""How the samples of a comparison stand, and what that comes to. Pure."""

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from kling_nb.compare.records import Filled
from kling_nb.display.words import joined, plural
from kling_nb.records import TaskRecord

State = Literal["planned", "under way", "done", "images missing", "failed", "refused", "uncertain"]
STATES: tuple[State, ...] = ("done", "under way", "planned", "images missing", "failed", "refused", "uncertain")
_RISK = "risk control"
_SAID: dict[State, str] = {"images missing": "with images missing"}


def state(record: TaskRecord | None) -> State:
    """Return how one sample stands.

    Parameters
    ----------
    record : TaskRecord, optional
        Its task; None where none was asked for.

    Returns
    -------
    str
        ``refused`` is what the API's content rules did not let through, by its error code or by the words of a
        failed task ("risk control").
    """
    if record is None or record.task_status in ("planned", "cancelled"):
        return "planned"
    if record.task_status == "uncertain":
        return "uncertain"
    if record.task_status == "failed":
        return "refused" if _is_refused(record) else "failed"
    if record.task_status != "succeeded" or (not record.complete and record.failure is None):
        return "under way"
    return "images missing" if record.missing else "done"


def _is_refused(record: TaskRecord) -> bool:
    failure = record.failure
    return failure is not None and (failure.kind == "ContentRefused" or _RISK in failure.message.lower())


def counts(filled: Iterable[Filled]) -> Counter[State]:
    """Return how many samples stand how."""
    return Counter(state(record) for each in filled for record in each.samples)


def in_words(found: Counter[State]) -> str:
    """Return how samples stand, in words: ``44 of 48 tasks done · 3 failed``."""
    total = found.total()
    done = found["done"]
    others = [f"{found[name]} {_SAID.get(name, name)}" for name in STATES[1:] if found[name]]
    return joined(f"{done} of {plural(total, 'task')} done" if others else f"{plural(total, 'task')} done", *others)
