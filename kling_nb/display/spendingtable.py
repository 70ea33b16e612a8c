"""What was spent, as a table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kling_nb.display.markup import CELL, EDGE, ROW, SMALL, block, page
from kling_nb.display.words import esc, one_line, plural
from kling_nb.records import Spent

if TYPE_CHECKING:
    from kling_nb.display.bundles import Bundle

MOST_ROWS = 60
_HEAD = ("Day", "Model", "Gateway", "Tasks", "Images", "Price")


def spending_bundle(rows: Sequence[Spent], currency: str) -> "Bundle":
    """Return what was spent as a notebook shows it.

    Parameters
    ----------
    rows : sequence of Spent
        Newest first; the first sixty are shown.
    currency : str
        Of the prices.

    Returns
    -------
    data : dict
        ``text/html`` and ``text/plain``.
    metadata : dict
        Empty.
    """
    lines = [_cells(row, currency) for row in rows[:MOST_ROWS]]
    doubt = sum(row.uncertain for row in rows)
    notes = [f"{plural(doubt, 'image')} more may be billed: the answer was lost."] if doubt else []
    if len(rows) > MOST_ROWS:
        notes.append(f"The newest {MOST_ROWS} of {len(rows)} rows.")
    if not rows:
        return {"text/html": block("Nothing was spent."), "text/plain": "Nothing was spent."}, {}
    html = page(_table(lines), *(block(esc(note)) for note in notes))
    widths = [max(len(line[i]) for line in [_HEAD, *lines]) for i in range(len(_HEAD))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in [_HEAD, *lines]]
    return {"text/html": html, "text/plain": "\n".join([*(line.rstrip() for line in text), *notes])}, {}


def _cells(row: Spent, currency: str) -> tuple[str, ...]:
    price = "" if row.price is None else f"{row.price:.2f} {currency}"
    names = (one_line(row.model_name, 40), one_line(row.gateway, 60))
    return (row.day, *names, f"{row.tasks:,}", f"{row.images:,}", one_line(price, 30))


def _table(lines: Sequence[tuple[str, ...]]) -> str:
    style = f"{CELL};{SMALL};padding:2px 18px 2px 0;border-bottom:1px solid {EDGE}"
    head = "".join(f'<th style="{style}">{esc(name)}</th>' for name in _HEAD)
    body = "".join(ROW + "".join(f'<td style="{style}">{esc(cell)}</td>' for cell in line) + "</tr>" for line in lines)
    return f'<table style="border-collapse:collapse;margin:0">{ROW}{head}</tr>{body}</table>'
