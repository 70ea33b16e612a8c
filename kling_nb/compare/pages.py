"""A comparison's table in pages of at most so many images. Pure."""

from collections.abc import Sequence

from kling_nb.compare.arrange import Table
from kling_nb.compare.records import Filled

MOST_IMAGES = 60
MOST_CELLS = 120


def pages(table: Table, most_images: int = MOST_IMAGES, most_cells: int = MOST_CELLS) -> list[Table]:
    """Split a table into parts that can be shown at once: whole rows, or where one is too long, parts of rows.

    Parameters
    ----------
    table : Table
        All of it.
    most_images : int
        On one page; a single cell that holds more is a page of its own.
    most_cells : int
        Likewise.

    Returns
    -------
    list of Table
        At least one; every cell is on just one of them.
    """
    sizes = [[size_of(each) for each in row] for row in table.cells]
    parts = []
    for start, stop in _strips(sizes, most_images, most_cells):
        first = 0
        for last in _breaks([sum(row[start:stop]) for row in sizes], stop - start, most_images, most_cells):
            parts.append(table.part(slice(first, last), slice(start, stop)))
            first = last
    return parts


def size_of(filled: Filled | None) -> int:
    """Return how many images a cell has, or would have."""
    if filled is None:
        return 0
    return sum(max(len(record.images), 1) if record is not None else 1 for record in filled.samples)


def _strips(sizes: Sequence[Sequence[int]], most_images: int, most_cells: int) -> list[tuple[int, int]]:
    """Return where columns are cut, so that the longest row of each part fits on a page."""
    columns = len(sizes[0])
    cuts, start = [], 0
    for column in range(columns):
        longest = max(sum(row[start : column + 1]) for row in sizes)
        if column > start and (longest > most_images or column + 1 - start > most_cells):
            cuts.append((start, column))
            start = column
    return [*cuts, (start, columns)]


def _breaks(images: Sequence[int], columns: int, most_images: int, most_cells: int) -> list[int]:
    """Return the row after the last of each page."""
    found, held, first = [], 0, 0
    for row, count in enumerate(images):
        if row > first and (held + count > most_images or (row + 1 - first) * columns > most_cells):
            found.append(row)
            held, first = 0, row
        held += count
    return [*found, len(images)]
