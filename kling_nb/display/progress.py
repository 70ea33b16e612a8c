"""How tasks under way are getting on: a small block of HTML, or one line of a terminal."""

from collections import Counter
from collections.abc import Sequence

from kling_nb.display.markup import FAINT, STRONG, block, mark, muted, page
from kling_nb.display.story import SANDBOX, elapsed, finished, lost, model, ratio, state
from kling_nb.display.view import asked, saved
from kling_nb.display.words import clock, esc, esc_advice, joined, one_line, plural
from kling_nb.records import TaskRecord

_MOST_LINES = 5
"""Above this many tasks only their sum is shown."""

_BAR_WIDTH = 240
_LINE = 79
_ORDER = ("succeeded", "processing", "submitted", "sending", "planned", "failed", "uncertain", "cancelled")


def progress_html(
    records: Sequence[TaskRecord], *, now: float, expected: float | None, notes: Sequence[str] = ()
) -> str:
    """Return the state of tasks as plain HTML, to be put in place of the last.

    Parameters
    ----------
    records : sequence of TaskRecord
        The tasks that are waited for.
    now : float
        Seconds since the epoch.
    expected : float, optional
        Seconds that a task is expected to take; None where nothing is known.
    notes : sequence of str
        Sentences to add; commands in them stand between backticks.

    Returns
    -------
    str
        A line and a bar for each of up to five tasks; for more, one line and one bar.
    """
    if len(records) > _MOST_LINES:
        shown = block(_mark(records) + esc(_counts(records, now), 300)) + _bar(_share(records, now, expected))
    else:
        shown = "".join(
            block(mark(record.sandbox) + _line_html(record, now))
            + ("" if finished(record) else _bar(_share([record], now, expected)))
            for record in records
        )
    return page(shown, *(block(muted(esc_advice(note, 400))) for note in list(notes)[:8]))


def progress_line(records: Sequence[TaskRecord], *, now: float, expected: float | None) -> str:
    """Return the state of tasks as the one changing line of a terminal.

    Parameters
    ----------
    records : sequence of TaskRecord
        The tasks that are waited for.
    now : float
        Seconds since the epoch.
    expected : float, optional
        Seconds that a task is expected to take.

    Returns
    -------
    str
        At most 79 characters, without a line end.
    """
    words = joined(*_words(records[0], now)) if len(records) == 1 else _counts(records, now)
    sandbox = SANDBOX if any(record.sandbox for record in records) else ""
    share = _share(records, now, expected)
    bar = "" if share is None else "[" + "#" * round(10 * share) + "." * (10 - round(10 * share)) + "] "
    return one_line(bar + joined(sandbox, words), _LINE)


def _line_html(record: TaskRecord, now: float) -> str:
    facts = joined(model(record), ratio(record), one_line(record.id, 80))
    doing, *rest = _words(record, now)
    return f"<b>{esc(doing)}</b> · {esc(joined(*rest))} · {muted(esc(facts, 240))}"


def _words(record: TaskRecord, now: float) -> list[str]:
    took = elapsed(record, now)
    images = plural(asked(record), "image")
    if record.task_status == "succeeded" and not lost(record):
        images = f"{saved(record)} of {images} saved"
    return [state(record), "" if took is None else clock(took), "" if lost(record) else images]


def _counts(records: Sequence[TaskRecord], now: float) -> str:
    by_state = Counter(state(record) for record in sorted(records, key=_rank))
    states = ", ".join(f"{count} {name}" for name, count in by_state.items())
    took = [seconds for seconds in (elapsed(record, now) for record in records) if seconds is not None]
    images = f"{sum(map(saved, records))} of {plural(sum(map(asked, records)), 'image')} saved"
    return joined(f"{plural(len(records), 'task')}: {states}", images, clock(max(took)) if took else "")


def _rank(record: TaskRecord) -> int:
    status = record.task_status
    return _ORDER.index(status) if status in _ORDER else len(_ORDER)


def _mark(records: Sequence[TaskRecord]) -> str:
    return mark(any(record.sandbox for record in records))


def _share(records: Sequence[TaskRecord], now: float, expected: float | None) -> float | None:
    """Return how much of the whole is done, from 0 to 1; None where nothing can be said."""
    if not records:
        return None
    shares = [_one_share(record, now, expected) for record in records]
    known = [share for share in shares if share is not None]
    return sum(known) / len(shares) if known else None


def _one_share(record: TaskRecord, now: float, expected: float | None) -> float | None:
    if finished(record):
        return 1.0 if record.task_status == "succeeded" else None
    took = elapsed(record, now)
    if took is None or not expected or expected <= 0:
        return None
    # Late tasks creep towards the end and never claim to be there.
    late = took / expected
    return min(0.8 * late, 0.94 - 0.14 / max(1.0, late))


def _bar(share: float | None) -> str:
    if share is None:
        return ""
    filled = max(1, min(_BAR_WIDTH, round(share * _BAR_WIDTH)))
    return (
        f'<div style="width:{_BAR_WIDTH}px;max-width:100%;height:5px;margin:3px 0 6px 0;border-radius:3px;'
        f'background-color:{FAINT}"><div style="width:{filled}px;max-width:100%;height:5px;'
        f'border-radius:3px;background-color:{STRONG}"></div></div>'
    )
