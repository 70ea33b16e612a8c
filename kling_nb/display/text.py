"""What a terminal shows, and every front end that shows nothing better."""

from collections.abc import Iterable, Mapping, Sequence

from kling_nb.display.layout import MAX_TILES
from kling_nb.display.story import SANDBOX, changes, line, ratio, state, story, times
from kling_nb.display.view import TaskView, asked
from kling_nb.display.words import duration, joined, middle, one_line, pixels, size, when
from kling_nb.records import TaskRecord

_LABEL = 12


def task_text(
    record: TaskRecord,
    *,
    now: float,
    files: Mapping[int, str] | None = None,
    price: str | None = None,
    how_to_collect: str = "",
) -> str:
    """Return a task as lines of plain text.

    Parameters
    ----------
    record : TaskRecord
        The task.
    now : float
        Seconds since the epoch, for the running time of an unfinished task.
    files : mapping of int to str, optional
        Image index to path.
    price : str, optional
        With its currency.
    how_to_collect : str
        For an unfinished task, what brings its images.

    Returns
    -------
    str
        Id, status, model, ratio, time, paths, and what went wrong with what to do about it.
    """
    view = TaskView(record, files=files or {}, price=price, how_to_collect=how_to_collect)
    first = joined(SANDBOX if record.sandbox else "", state(record), line(view, now))
    pairs = [
        ("prompt", one_line(record.prompt, 300)),
        ("task_id", one_line(record.task_id or "", 80)),
        ("times", joined(*(f"{name} {duration(took)}" for name, took in times(record)))),
        *((f"images[{index}]", _image(view, index)) for index in view.indices()[:MAX_TILES]),
        *(("changed", one_line(f"{name}: {what}", 240)) for name, what in changes(record)),
        *(("warning", one_line(text, 400)) for text in record.warnings[:8]),
    ]
    return "\n".join([first, *labelled(pairs), *story_lines(view)])


def story_lines(view: TaskView) -> list[str]:
    """Return what there is to say of a task, indented."""
    told = story(view)
    if told is None:
        return []
    facts = f"({told.facts})" if told.facts else ""
    return ["  " + sentence for sentence in (told.what, facts, told.money, told.advice) if sentence]


def labelled(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Return labels and texts as aligned lines, leaving out what is empty."""
    return [f"  {label:<{_LABEL}} {text}" for label, text in pairs if text]


def image_text(view: TaskView, index: int) -> str:
    """Return one image as one line."""
    mark = SANDBOX if view.record.sandbox else ""
    which = f"images[{index}] of {one_line(view.record.id, 80)}"
    return joined(mark, which, _image(view, index))


def history_text(views: Sequence[TaskView], *, first: str) -> str:
    """Return tasks as a table of text, under a first line."""
    table = [
        (
            one_line(view.record.id, 40),
            when(view.record.created_at),
            ("sandbox " if view.record.sandbox else "") + state(view.record),
            f"{asked(view.record)} × {ratio(view.record)}",
            one_line(view.record.prompt, 60) or "(no prompt)",
        )
        for view in views
    ]
    widths = [max(len(row[column]) for row in table) for column in range(4)] if table else []
    lines = [
        "  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[-1]]) for row in table
    ]
    return "\n".join([first, *lines])


def _image(view: TaskView, index: int) -> str:
    image = view.image(index)
    if image.path is None:
        return f"missing: {one_line(image.problem, 200)}" if image.problem else "not saved yet"
    place = middle(view.files.get(index) or image.path, 200)
    return joined(place, pixels(image.width, image.height), size(image.size))
