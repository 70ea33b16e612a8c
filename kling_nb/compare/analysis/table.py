"""Results as a table: in Markdown, in LaTeX, for a terminal, as HTML, and as a data frame. Pure but for pandas."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kling_nb.display.markup import CELL, EDGE, ROW, SMALL
from kling_nb.display.words import esc, one_line
from kling_nb.session.frames import pandas

if TYPE_CHECKING:
    from kling_nb.compare.analysis.summary import Summary

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "−": "$-$",
    "–": "--",
    "×": r"$\times$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "α": r"$\alpha$",
} | {each: f"\\{each}" for each in "&%$#_{}"}


@dataclass(frozen=True, slots=True)
class Lines:
    """A table of words.

    Parameters
    ----------
    head : tuple of str
        Names of the columns; the first is what the rows are.
    rows : tuple of tuple of str
        As long as the head.
    notes : tuple of str
        Sentences below it.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def markdown(lines: Lines) -> str:
    """Return a table in GitHub's Markdown."""
    widths = _widths(lines, _markdown)

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(_markdown(cell).ljust(width) for cell, width in zip(cells, widths, strict=True))} |"

    rule = f"|{'|'.join('-' * (width + 2) for width in widths)}|"
    table = "\n".join([line(lines.head), rule, *map(line, lines.rows)])
    return "\n\n".join([table, *map(_markdown, lines.notes)]) + "\n"


def latex(lines: Lines) -> str:
    """Return a table in LaTeX, with the rules of the package booktabs; the notes are comments below."""
    body = [" & ".join(map(_latex, cells)) + r" \\" for cells in (lines.head, *lines.rows)]
    columns = "l" + "r" * (len(lines.head) - 1)
    table = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", body[0], r"\midrule", *body[1:], r"\bottomrule"]
    return "\n".join([*table, r"\end{tabular}", *(f"% {one_line(note, 2000)}" for note in lines.notes)]) + "\n"


def text(lines: Lines) -> str:
    """Return a table for a terminal."""
    widths = _widths(lines, str)
    rows = [
        "  ".join(cell.ljust(w) for cell, w in zip(cells, widths, strict=True)) for cells in (lines.head, *lines.rows)
    ]
    return "\n".join(row.rstrip() for row in rows)


def html(lines: Lines) -> str:
    """Return a table as HTML, without its notes."""
    style = f"{CELL};{SMALL};padding:2px 18px 2px 0;border-bottom:1px solid {EDGE}"
    head = "".join(f'<th style="{style}">{esc(name)}</th>' for name in lines.head)
    body = "".join(
        ROW
        + "".join(
            f'<th style="{style}">{esc(cell)}</th>' if place == 0 else f'<td style="{style}">{esc(cell)}</td>'
            for place, cell in enumerate(cells)
        )
        + "</tr>"
        for cells in lines.rows
    )
    return f'<table style="border-collapse:collapse;margin:4px 0 8px 0">{ROW}{head}</tr>{body}</table>'


def frame(summary: "Summary") -> Any:
    """Return the results as a pandas data frame: a row for each level.

    Returns
    -------
    pandas.DataFrame
        For each criterion its value, and ``…_low`` and ``…_high`` for the interval; then ``tasks``, ``failed``,
        ``refused`` and ``images``. ``attrs["notes"]`` has the notes.

    Raises
    ------
    ConfigurationError
        pandas is not installed.
    """
    pd = pandas()
    rows = []
    for outcome in summary.outcomes:
        row: dict[str, Any] = {}
        for result in summary.results:
            estimate = result.values.get(outcome.level)
            for tail in ("value", "low", "high"):
                name = result.criterion if tail == "value" else f"{result.criterion}_{tail}"
                row[name] = getattr(estimate, tail) if estimate is not None else float("nan")
        row |= {name: getattr(outcome, name) for name in ("tasks", "failed", "refused", "images")}
        rows.append(row)
    made = pd.DataFrame(rows, index=pd.Index(summary.labels, name=summary.by))
    made.attrs["notes"] = list(summary.lines().notes)
    return made


def _widths(lines: Lines, said: Any) -> list[int]:
    return [max(len(said(cells[place])) for cells in (lines.head, *lines.rows)) for place in range(len(lines.head))]


def _markdown(cell: str) -> str:
    return re.sub(r"([\\|*_`<>\[\]])", r"\\\1", one_line(cell, 2000))


def _latex(cell: str) -> str:
    made = "".join(_LATEX.get(each, each) for each in one_line(cell, 2000))
    # At the beginning of a row it would be an argument of the row before.
    return f"{{[}}{made[1:]}" if made.startswith("[") else made
