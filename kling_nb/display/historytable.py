"""The history: one row a task, newest first."""

from collections.abc import Sequence

from kling_nb.display import thumbnails
from kling_nb.display.bundles import Bundle
from kling_nb.display.grid import alt
from kling_nb.display.layout import aspect
from kling_nb.display.markup import CELL, EDGE, ROW, SMALL, block, linked, mark, mono, muted, page, picture
from kling_nb.display.metadata import plain
from kling_nb.display.story import SANDBOX, elapsed, finished, model, price, ratio, state, story
from kling_nb.display.text import history_text
from kling_nb.display.view import TaskView, asked
from kling_nb.display.words import duration, esc, joined, one_line, plural, when
from kling_nb.imagedata import NotAnImage

MOST_ROWS = 20
_PICTURES = 3
_HEIGHT = 48
_PIXELS, _BYTES = 96, 1_600


def history_bundle(views: Sequence[TaskView], *, now: float, total: int | None = None) -> Bundle:
    """Return a list of tasks as a notebook shows it.

    Parameters
    ----------
    views : sequence of TaskView
        Newest first; the first twenty are shown.
    now : float
        Seconds since the epoch.
    total : int, optional
        How many tasks there are, where `views` is only their beginning.

    Returns
    -------
    data : dict
        ``text/html`` and ``text/plain``.
    metadata : dict
        ``kling_nb``: the ids of the tasks shown.
    """
    shown = list(views)[:MOST_ROWS]
    first = _first(len(shown), len(views) if total is None else max(total, len(views)), shown)
    html = page(block(esc(first), "margin:0 0 6px 0"), _table(shown, now))
    ids = [view.record.id for view in shown]
    return {"text/html": html, "text/plain": history_text(shown, first=first)}, {
        "kling_nb": plain({"tasks": ids, "total": total})
    }


def _first(shown: int, total: int, views: Sequence[TaskView]) -> str:
    if not total:
        return "No tasks."
    mark = SANDBOX if views and all(view.record.sandbox for view in views) else ""
    count = plural(total, "task") if shown == total else f"{shown} of {plural(total, 'task')}"
    return joined(mark, f"{count}, newest first")


def _table(views: Sequence[TaskView], now: float) -> str:
    if not views:
        return ""
    bold = f"{CELL};font-weight:bold;padding:4px 12px 4px 0"
    head = "".join(
        f'<th align="left" width="{width}" style="{bold};width:{width}">{name}</th>'
        for name, width in (("Images", "25%"), ("Request", "42%"), ("Task", "33%"))
    )
    body = "".join(_row(view, now) for view in views)
    style = f"{SMALL};table-layout:fixed;width:100%;max-width:1000px;border-collapse:collapse;margin:0"
    return (
        f'<table border="0" width="1000" style="{style}"><thead>{ROW}{head}</tr></thead><tbody>{body}</tbody></table>'
    )


def _row(view: TaskView, now: float) -> str:
    record = view.record
    took = elapsed(record, now)
    told = story(view)
    request = [
        esc(record.prompt, 180) or muted("no prompt"),
        muted(esc(joined(model(record), ratio(record), plural(asked(record), "image")), 200)),
    ]
    status = f"<b>{esc(state(record))}</b>" if told else esc(state(record))
    facts = joined(
        status,
        duration(took) if took is not None and finished(record) else "",
        esc(price(view)),
    )
    task = [
        mark(record.sandbox) + facts,
        esc(told.what, 160) if told and told.problem else "",
        muted(esc(when(record.created_at))),
        mono(one_line(record.id, 80)),
    ]
    cell = f"{CELL};padding:6px 12px 6px 0;border-top:1px solid {EDGE};overflow-wrap:break-word"
    columns = (_strip(view), "<br>".join(request), "<br>".join(line for line in task if line))
    return ROW + "".join(f'<td style="{cell}">{content}</td>' for content in columns) + "</tr>"


def _strip(view: TaskView) -> str:
    """Return the first few pictures, side by side."""
    indices = [index for index in view.indices() if view.thumbnails.get(index)]
    pictures = [_small(view, index) for index in indices[:_PICTURES]]
    more = len(indices) - len(pictures)
    # Inline blocks that share the column, so that they stay side by side on a narrow page.
    share = {1: 100, 2: 46}.get(len(pictures), 27)
    style = f"display:inline-block;vertical-align:top;margin:0 4px 4px 0;max-width:{share}%"
    strip = " ".join(f'<span style="{style}">{shown}</span>' for shown in pictures if shown)
    return f"{strip} {muted(f'+{more}')}" if more else strip


def _small(view: TaskView, index: int) -> str:
    try:
        jpeg = thumbnails.shrink(view.thumbnails[index], _PIXELS, _BYTES)
    except NotAnImage:
        return ""
    shape = aspect(view.record, view.image(index))
    width = max(16, min(_PIXELS, round(_HEIGHT * shape)))
    return linked(picture(jpeg, alt(view, index), width), view.links.get(index))
