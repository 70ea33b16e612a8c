"""A comparison's table and its plan as plain text. Pure."""

from kling_nb.compare.arrange import Table
from kling_nb.compare.records import Filled
from kling_nb.compare.states import STATES, counts
from kling_nb.display.words import one_line

_WIDEST = 24
_SIGNS = {
    "done": "✓",
    "under way": "…",
    "planned": "·",
    "images missing": "!",
    "failed": "✕",
    "refused": "⊘",
    "uncertain": "?",
}


def table_text(table: Table) -> str:
    """Return rows and columns with a sign for each sample: ``✓`` done, ``…`` under way, ``·`` planned, ``✕`` failed."""
    heads = [" / ".join(line.labels) for line in table.columns]
    rows = [[" / ".join(line.labels), *map(signs, cells)] for line, cells in zip(table.rows, table.cells, strict=True)]
    lines = [["", *heads], *rows] if table.row_axes or table.column_axes else [row[1:] for row in rows]
    widths = [
        min(_WIDEST, max(len(one_line(line[column], _WIDEST)) for line in lines)) for column in range(len(lines[0]))
    ]
    return "\n".join(
        "  ".join(one_line(cell, _WIDEST).ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def signs(filled: Filled | None) -> str:
    """Return a cell's samples as signs: ``✓✓·``, or counted where there are many."""
    if filled is None:
        return "–"
    found = counts([filled])
    if found.total() > 6:
        return " ".join(f"{found[name]}{_SIGNS[name]}" for name in STATES if found[name])
    return "".join(_SIGNS[name] * found[name] for name in STATES)
