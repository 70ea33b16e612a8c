"""A measure in a short table: each number over all, and by the levels of each axis. Pure."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from kling_nb.compare.measures.measured import Measured
from kling_nb.compare.measures.values import Number
from kling_nb.display import Bundle
from kling_nb.display.markup import CELL, EDGE, ROW, SMALL, aside, block, page
from kling_nb.display.words import esc, one_line, plural

_MOST_LEVELS = 12
_MOST_COLUMNS = 8
_MOST_FAILURES = 3
_HEAD = ("n", "mean", "min", "max")


class Line(NamedTuple):
    """One number over some places.

    Parameters
    ----------
    column : str
        Which number.
    axis, label : str
        Of the level; both empty where it is all places.
    n : int
        Values.
    mean, low, high : float
        Of them.
    """

    column: str
    axis: str
    label: str
    n: int
    mean: float
    low: Number
    high: Number


def lines(measured: Measured) -> Iterator[Line]:
    """Yield each number over all places and by level, in the order of the design; levels without values are left out.

    Parameters
    ----------
    measured : Measured
        With its design; without one it is over all places only.
    """
    found: dict[tuple[str, str, str], list[Number]] = {}
    axes = measured.design.axes if measured.design else ()
    cells = {cell.digest: cell.coordinates for cell in measured.design.cells} if measured.design else {}
    for place, value in measured.values.items():
        labels = cells.get(place[0], {})
        for column, number in measured.numbers(value).items():
            for axis, label in (("", ""), *labels.items()):
                found.setdefault((column, axis, label), []).append(number)
    levels = [("", ""), *((axis.name, label) for axis in axes for label in axis.labels)]
    for column in measured.columns:
        for axis, label in levels:
            if some := found.get((column, axis, label)):
                yield Line(column, axis, label, len(some), sum(some) / len(some), min(some), max(some))


def bundle(measured: Measured) -> Bundle:
    """Return what a front end shows of a measure: data by MIME type, and metadata."""
    shown, more = _short(list(lines(measured)))
    failures = Counter(str(failure) for failure in measured.failures.values())
    said = [f"{count} × {text}" for text, count in failures.most_common(_MOST_FAILURES)]
    if len(failures) > _MOST_FAILURES:
        said.append(f"and {plural(len(failures) - _MOST_FAILURES, 'other failure')}; .failures has all of them")
    notes = [*([f"{plural(more, 'more line')} in .to_dataframe()"] if more else []), *said]
    html = page(
        block(f"<b>{esc(measured)}</b>"), _table(shown), aside(map(esc, notes), problem=bool(said)) if notes else ""
    )
    text = "\n".join([str(measured), *map(_as_text, shown), *(one_line(each, 300) for each in notes)])
    return {"text/html": html, "text/plain": text}, {}


def _short(every: list[Line]) -> tuple[list[Line], int]:
    """Return the lines that are shown, and how many are not."""
    columns = list(dict.fromkeys(line.column for line in every))[:_MOST_COLUMNS]
    levels: Counter[tuple[str, str]] = Counter()
    kept = []
    for line in every:
        levels[line.column, line.axis] += 1
        if line.column in columns and levels[line.column, line.axis] <= _MOST_LEVELS:
            kept.append(line)
    return kept, len(every) - len(kept)


def _numbers(line: Line) -> tuple[str, ...]:
    return f"{line.n:,}", *(f"{number:.4g}" for number in (line.mean, line.low, line.high))


def _what(line: Line) -> str:
    return f"{line.axis}: {line.label}" if line.axis else line.column


def _as_text(line: Line) -> str:
    numbers = ", ".join(f"{name} {number}" for name, number in zip(_HEAD, _numbers(line), strict=True))
    return f"{'  ' if line.axis else ''}{one_line(_what(line), 60)}: {numbers}"


def _table(shown: list[Line]) -> str:
    if not shown:
        return ""
    left, right = f"{CELL};padding:2px 12px 2px 0", "text-align:right;padding:2px 0 2px 16px"
    head = "".join(f'<th align="right" style="{right};font-weight:normal;opacity:0.7">{name}</th>' for name in _HEAD)
    body = []
    for line in shown:
        name = esc(_what(line), 80)
        first, edge = ("", ";padding-left:16px") if line.axis else (f";border-top:1px solid {EDGE}", "")
        numbers = "".join(f'<td align="right" style="{right}{first}">{number}</td>' for number in _numbers(line))
        named = name if line.axis else f"<b>{name}</b>"
        body.append(f'{ROW}<td align="left" style="{left}{edge}{first}">{named}</td>{numbers}</tr>')
    table = f"<thead>{ROW}<th></th>{head}</tr></thead><tbody>{''.join(body)}</tbody>"
    return f'<table border="0" style="{SMALL};margin:4px 0 8px 0">{table}</table>'
