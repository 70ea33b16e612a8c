"""How many columns a grid has and how large its pictures are, on a page and on a sheet."""

from collections.abc import Sequence
from typing import NamedTuple

from kling_nb.records import ImageRecord, TaskRecord

GRID_WIDTH = 920
"""Pixels that a full row takes; narrower pages shrink it."""

MAX_TILES = 9
"""What a task can hold; more than this from a server is counted, not shown."""

_HEIGHTS = {1: 480, 2: 360, 3: 300}
"""The tallest picture, by rows: a grid should be seen without scrolling, or nearly so."""

_LANDSCAPE = {1: 1, 2: 2, 3: 3, 4: 2}
_PORTRAIT = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 3, 7: 4, 8: 4, 9: 5}


class Grid(NamedTuple):
    """A grid's shape.

    Parameters
    ----------
    columns, rows : int
        Cells.
    width : int
        Pixels of a column.
    pictures : tuple of int
        Pixels of each picture's width, in order.
    """

    columns: int
    rows: int
    width: int
    pictures: tuple[int, ...]


def grid(aspects: Sequence[float], *, gap: int = 8) -> Grid:
    """Lay out pictures of these aspects.

    Parameters
    ----------
    aspects : sequence of float
        Width over height of each picture; at least one.
    gap : int
        Pixels between columns.

    Returns
    -------
    Grid
        With every picture at most 512 px wide, its thumbnail's size.
    """
    count = len(aspects)
    widest = max(aspects)
    table = _PORTRAIT if widest < 0.8 else _LANDSCAPE
    columns = table.get(count, 3)
    rows = -(-count // columns)
    tallest = _HEIGHTS.get(rows, 300)
    room = min(512, (GRID_WIDTH - gap * (columns - 1)) // columns)
    pictures = tuple(max(48, min(room, round(tallest * aspect), round(512 * aspect))) for aspect in aspects)
    return Grid(columns, rows, max(pictures), pictures)


def aspect(record: TaskRecord, image: ImageRecord) -> float:
    """Return an image's width over its height: its own, or as asked, or the API's default of 16:9."""
    if image.width and image.height and image.width > 0 and image.height > 0:
        return _sane(image.width / image.height)
    width, _, height = str(record.request.get("aspect_ratio") or "16:9").partition(":")
    if width.isdecimal() and height.isdecimal() and len(width + height) < 9 and int(width) and int(height):
        return _sane(int(width) / int(height))
    return 16 / 9


def _sane(value: float) -> float:
    return max(0.2, min(5.0, value))
