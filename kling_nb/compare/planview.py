"""What a comparison would take, and how it gets on. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from kling_nb.compare.arrange import Table
from kling_nb.compare.design import Design
from kling_nb.compare.gridhtml import references_html
from kling_nb.compare.records import ComparisonRecord
from kling_nb.compare.text import signs
from kling_nb.display import Bundle, progress_html, progress_line
from kling_nb.display.markup import CELL, EDGE, SMALL, block, mark, page, rows
from kling_nb.display.words import duration, esc, esc_advice, joined, one_line, plural
from kling_nb.records import TaskRecord

_MOST_CELLS = 150
_MOST_LEVELS = 12


class Costs(NamedTuple):
    """What is still to be asked for.

    Parameters
    ----------
    tasks, images : int
        That the gateway has not been asked for yet.
    price : str, optional
        Of them, with the currency.
    slots : int
        That the account is known to have.
    seconds : float, optional
        That they will take; None where nothing is known.
    """

    tasks: int
    images: int
    price: str | None
    slots: int
    seconds: float | None


def expected_seconds(images: int, largest: int, slots: int, usual: float | None) -> float | None:
    """Return how long tasks will take: their work spread over the slots, and at least one task's time.

    Parameters
    ----------
    images : int
        In all; a task holds as many slots as it makes images.
    largest : int
        The most images of one task, which runs alone where there are fewer slots.
    slots : int
        Of the account.
    usual : float, optional
        Seconds of one task.
    """
    if usual is None or not images:
        return None
    return usual * max(1.0, images / max(slots, min(largest, images)))


def plan_bundle(record: ComparisonRecord, costs: Costs, previews: dict[str, bytes], table: Table) -> Bundle:
    """Return a plan as a notebook shows it: axes, cells, and what running it takes.

    Parameters
    ----------
    record : ComparisonRecord
        With the design.
    costs : Costs
        Of what is still to be asked for.
    previews : dict of str to bytes
        A small JPEG of each reference, by hash.
    table : Table
        The cells as they would be shown.

    Returns
    -------
    data, metadata : dict
    """
    design = record.design
    sandbox = record.gateway == "sandbox"
    pairs = [(axis.name, _levels(design, axis.name, previews)) for axis in design.axes]
    pairs += [("in every cell", references_html(table.references, previews))]
    pairs += [(name, esc(value, 400)) for name, value in facts(record, costs)]
    html = page(
        block(mark(sandbox) + f"<b>{esc(f'Comparison {record.name}: a plan', 200)}</b>"),
        rows(pairs),
        *(block(esc(f"Note: {warning}.", 400)) for warning in warnings(design)),
        block(esc_advice(advice(costs))),
    )
    lines = [f"Comparison {record.name}: a plan"]
    lines += [f"  {axis.name}: {one_line(', '.join(axis.labels), 300)}" for axis in design.axes]
    lines += [f"  {name}: {value}" for name, value in facts(record, costs)]
    lines += [f"  Note: {warning}." for warning in warnings(design)]
    account = {"id": record.id, "name": record.name, "gateway": record.gateway, "seed": record.seed}
    metadata = {"kling_nb": {"comparison": {**account, "tasks": costs.tasks, "images": costs.images}}}
    return {"text/html": html, "text/plain": "\n".join([*lines, advice(costs)])}, metadata


def facts(record: ComparisonRecord, costs: Costs) -> list[tuple[str, str]]:
    """Return what a plan comes to, as names and words."""
    design = record.design
    left_out = f"{plural(design.left_out, 'combination')} left out" if design.left_out else ""
    levels = " × ".join(str(len(axis.levels)) for axis in design.axes)
    cells = joined(plural(len(design.cells), "cell") + (f" ({levels})" if levels else ""), left_out)
    samples = f"{plural(design.samples, 'task')} a cell" if design.samples > 1 else ""
    known = design.tasks - costs.tasks
    paid = f"{known:,} of them asked for already" if known else ""
    price = "nothing is billed" if record.gateway == "sandbox" else costs.price or "price unknown"
    still = [joined(plural(costs.tasks, "task"), plural(costs.images, "image"), price)] if costs.tasks else []
    time = duration(costs.seconds) if costs.seconds is not None else "unknown until some tasks have run"
    return [
        ("cells", joined(cells, samples)),
        ("tasks", joined(plural(design.tasks, "task"), plural(design.images, "image"), paid)),
        *(("to be sent", words) for words in still),
        *((name, words) for name, words in (("slots", f"{costs.slots}"), ("expected time", time)) if costs.tasks),
        ("order", f"at random, by seed {record.seed}"),
    ]


def advice(costs: Costs) -> str:
    """Return what to do with a plan."""
    return "Nothing is sent yet: `.run()` sends it." if costs.tasks else "Everything was asked for already."


def warnings(design: Design) -> list[str]:
    """Return what the user should know of any cell, each once."""
    return list(dict.fromkeys(warning for cell in design.cells for warning in cell.warnings))


def progress(
    records: Sequence[TaskRecord], table: Table, notes: Sequence[str], *, now: float, expected: float | None
) -> tuple[str, str]:
    """Return how a comparison gets on, as HTML and as a line of a terminal.

    Parameters
    ----------
    records : sequence of TaskRecord
        What was asked for.
    table : Table
        The cells as they are now.
    notes : sequence of str
        What the user should know.
    now : float
        Seconds since the epoch.
    expected : float, optional
        Seconds that a task takes.
    """
    html = progress_html(list(records), now=now, expected=expected, notes=list(notes))
    if len(table.rows) * len(table.columns) <= _MOST_CELLS:
        legend = "✓ done, … under way, · planned, ✕ failed, ⊘ refused, ! images missing, ? uncertain"
        html = page(html, _signs_html(table), block(f'<span style="opacity:0.7">{esc(legend)}</span>'))
    return html, " ".join([progress_line(list(records), now=now, expected=expected), *notes])


def _levels(design: Design, name: str, previews: dict[str, bytes]) -> str:
    axis = design.axis(name)
    shown = [_level(level.label, references_html(level.references, previews)) for level in axis.levels[:_MOST_LEVELS]]
    more = len(axis.levels) - len(shown)
    return "".join(shown) + (f"<div>and {plural(more, 'more level')}</div>" if more > 0 else "")


def _level(label: str, pictures: str) -> str:
    return f'<div style="margin:0 0 2px 0">{esc(label, 160)}{"<br>" + pictures if pictures else ""}</div>'


def _signs_html(table: Table) -> str:
    cell = f"{CELL};padding:1px 8px;border:1px solid {EDGE};font-weight:normal"
    style = f"{SMALL};border-collapse:collapse;margin:4px 0"
    if not (table.row_axes or table.column_axes):
        return f'<table style="{style}"><tr><td style="{cell}">{esc(signs(table.cells[0][0]))}</td></tr></table>'
    heads = "".join(f'<th scope="col" style="{cell}">{esc(" / ".join(line.labels), 40)}</th>' for line in table.columns)
    body = "".join(
        f'<tr><th scope="row" style="{cell}">{esc(" / ".join(line.labels), 60)}</th>'
        + "".join(f'<td style="{cell}">{esc(signs(each))}</td>' for each in cells)
        + "</tr>"
        for line, cells in zip(table.rows, table.cells, strict=True)
    )
    return (
        f'<table style="{style}"><thead><tr><th style="{cell}"></th>{heads}</tr></thead><tbody>{body}</tbody></table>'
    )
