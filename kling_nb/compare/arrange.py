"""Which axes go on rows and which on columns, and which cells meet where. Pure."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kling_nb.compare.design import Design
from kling_nb.compare.levels import VARIANT
from kling_nb.compare.records import Filled
from kling_nb.errors import InvalidRequest
from kling_nb.records import Reference
from kling_nb.request.problems import shown

_METHODS = (VARIANT, "model_name")
_MOST_COLUMNS = 6


@dataclass(frozen=True, slots=True)
class Line:
    """A row or a column.

    Parameters
    ----------
    labels : tuple of str
        One for each of the axes of its side, the outermost first.
    references : tuple of tuple of Reference
        For each label, the pictures that its level brings, but for those that every cell of the table uses.
    """

    labels: tuple[str, ...]
    references: tuple[tuple[Reference, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """Cells in rows and columns.

    Parameters
    ----------
    row_axes, column_axes : tuple of str
        The outermost first; together all axes.
    rows, columns : tuple of Line
        In the order of the levels; those without a cell are left out.
    cells : tuple of tuple of (Filled or None)
        By row, then column; None where the design has none.
    references : tuple of Reference
        That every cell uses.
    """

    row_axes: tuple[str, ...]
    column_axes: tuple[str, ...]
    rows: tuple[Line, ...]
    columns: tuple[Line, ...]
    cells: tuple[tuple[Filled | None, ...], ...]
    references: tuple[Reference, ...]

    def part(self, rows: slice, columns: slice) -> "Table":
        """Return some rows and columns of it."""
        cells = tuple(row[columns] for row in self.cells[rows])
        return Table(self.row_axes, self.column_axes, self.rows[rows], self.columns[columns], cells, self.references)


def sides(design: Design, rows: Any = None, columns: Any = None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Decide which axes are rows and which are columns.

    Parameters
    ----------
    design : Design
        With the axes.
    rows, columns : str or list of str, optional
        As the user wishes; axes that are on neither are the innermost rows.

    Returns
    -------
    (tuple of str, tuple of str)
        Rows and columns. Without a wish, methods (variants, or models) are columns, as papers have it.

    Raises
    ------
    InvalidRequest
        There is no such axis, or it is named twice.
    """
    names = [axis.name for axis in design.axes]
    wished = [_named(value, side, names) for value, side in ((rows, "rows"), (columns, "columns"))]
    twice = [name for name in names if sum(side.count(name) for side in wished) > 1]
    if twice:
        raise InvalidRequest(f"The axis {twice[0]} is given twice among rows and columns.", money="")
    on_rows, on_columns = wished
    free = [name for name in names if name not in on_rows + on_columns]
    if columns is None and free:
        methods = [name for name in free if name in _METHODS]
        best = methods[0] if methods else free[-1]
        if methods or on_rows or len(free) > 1 or len(design.axis(best).levels) <= _MOST_COLUMNS:
            on_columns = [best]
            free.remove(best)
    return tuple(on_rows + free), tuple(on_columns)


def _named(value: Any, side: str, names: Sequence[str]) -> list[str]:
    if value is None:
        return []
    wished = [value] if isinstance(value, str) else list(value) if isinstance(value, Iterable) else [value]
    for name in wished:
        if name not in names:
            there = f"there are {', '.join(names)}" if names else "nothing is varied"
            raise InvalidRequest(f"{side}: there is no axis {shown(name)}; {there}.", money="")
    return wished


def arrange(design: Design, filled: Sequence[Filled], rows: Any = None, columns: Any = None) -> Table:
    """Put cells into rows and columns.

    Parameters
    ----------
    design : Design
        The axes.
    filled : sequence of Filled
        Its cells.
    rows, columns
        As of `sides`.

    Returns
    -------
    Table
        In which every cell is once.

    Raises
    ------
    InvalidRequest
        As `sides`.
    """
    row_axes, column_axes = sides(design, rows, columns)
    by_place = {(_at(each, row_axes), _at(each, column_axes)): each for each in filled}
    on_rows = _lines(design, row_axes, {row for row, _ in by_place})
    on_columns = _lines(design, column_axes, {column for _, column in by_place})
    everywhere = _common(filled)
    return Table(
        row_axes,
        column_axes,
        tuple(_line(design, row_axes, row, everywhere) for row in on_rows),
        tuple(_line(design, column_axes, column, everywhere) for column in on_columns),
        tuple(tuple(by_place.get((row, column)) for column in on_columns) for row in on_rows),
        everywhere,
    )


def _at(filled: Filled, axes: Iterable[str]) -> tuple[str, ...]:
    return tuple(filled.cell.coordinates[axis] for axis in axes)


def _lines(design: Design, axes: Sequence[str], there: set[tuple[str, ...]]) -> list[tuple[str, ...]]:
    every = itertools.product(*(design.axis(name).labels for name in axes))
    return [labels for labels in every if labels in there]


def _line(design: Design, axes: Sequence[str], labels: tuple[str, ...], everywhere: tuple[Reference, ...]) -> Line:
    known = {(each.role, each.sha256) for each in everywhere}
    found = []
    for name, label in zip(axes, labels, strict=True):
        level = next(each for each in design.axis(name).levels if each.label == label)
        found.append(tuple(each for each in level.references if (each.role, each.sha256) not in known))
    return Line(labels, tuple(found))


def _common(cells: Sequence[Filled]) -> tuple[Reference, ...]:
    """Return the pictures that all of some cells use in the same role."""
    if not cells:
        return ()
    shared = {(each.role, each.sha256) for each in cells[0].cell.references}
    for filled in cells[1:]:
        shared &= {(each.role, each.sha256) for each in filled.cell.references}
    return tuple(each for each in cells[0].cell.references if (each.role, each.sha256) in shared)
