"""How large the images of a figure can be. Pure; lengths are pixels."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kling_nb.compare.figurecontent import Item
from kling_nb.compare.figureparts import abreast, length

_NEARLY = 0.8

Cells = Sequence[Sequence[Sequence[Item]]]
"""By row, then column."""


@dataclass(frozen=True, slots=True)
class Room:
    """What there is for images.

    Parameters
    ----------
    width : float
        For all columns and what is between them.
    height : float
        For all rows.
    between : float
        From one column to the next.
    above : float
        Of each row, beyond its images and labels.
    gap : float
        Between the images of a cell.
    smallest : float
        Height of an image below which the page is made higher instead.
    labels : tuple of float
        How high the label of each row is.
    """

    width: float
    height: float
    between: float
    above: float
    gap: float
    smallest: float
    labels: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large the images are.

    Parameters
    ----------
    heights : tuple of int
        Of the images in each row.
    talls : tuple of int
        Of each row: its images, one above the other, or its label.
    widths : tuple of int
        Of each column: what its images need.
    across : int
        How many images stand abreast in a cell.
    """

    heights: tuple[int, ...]
    talls: tuple[int, ...]
    widths: tuple[int, ...]
    across: int


def sizes(cells: Cells, columns: int, room: Room) -> Sizes:
    """Choose how many images stand abreast in a cell, so that they become as large as there is room.

    Parameters
    ----------
    cells : sequence of sequence of sequence of Item
        What is in each.
    columns : int
        How many there are.
    room : Room
        What there is.
    """
    most = max((len(cell) for row in cells for cell in row), default=1)
    # A last line with more than one gap in it looks as if images were missing.
    choices = [count for count in range(1, most + 1) if -most % count <= 1] or [1]
    found = [_sizes_for(cells, columns, room, across) for across in choices]
    largest = max(sum(each.heights) for each in found)
    # A page of half the height is worth images that are a little smaller.
    return [each for each in found if sum(each.heights) >= _NEARLY * largest][-1]


def _sizes_for(cells: Cells, columns: int, room: Room, across: int) -> Sizes:
    lines = [[abreast(cell, across) for cell in row] for row in cells]
    counts = [max([1, *(len(cell) for cell in row)]) for row in lines]
    fitting = _fitting(lines, _widths(lines, columns, room), room)

    def talls(cap: float) -> list[int]:
        found = []
        for high, count, label in zip(fitting, counts, room.labels, strict=True):
            each = max(1, math.floor(min(high, cap)))
            found.append(math.ceil(max(count * each + (count - 1) * room.gap, label)))
        return found

    cap = _highest(lambda cap: sum(talls(cap)) + len(lines) * room.above <= room.height, room.smallest, max(fitting))
    heights = [max(1, math.floor(min(high, cap))) for high in fitting]
    needed = [
        max([length(line, high, room.gap) for row, high in zip(lines, heights, strict=True) for line in row[at]] or [1])
        for at in range(columns)
    ]
    return Sizes(tuple(heights), tuple(talls(cap)), tuple(math.ceil(each) for each in needed), across)


def _widths(lines: Sequence[Sequence[Sequence[Sequence[Item]]]], columns: int, room: Room) -> list[float]:
    """Divide the width so that the widest images of all columns become equally high."""
    weights = [
        max([sum(item.aspect for item in line) for row in lines for line in row[at]] or [1.0]) for at in range(columns)
    ]
    free = room.width - (columns - 1) * room.between
    return [free * weight / sum(weights) for weight in weights]


def _fitting(lines: Sequence[Sequence[Sequence[Sequence[Item]]]], widths: Sequence[float], room: Room) -> list[float]:
    """Return how high the images of each row are when the widest of its lines fills its column."""
    return [
        min(
            [
                (width - (len(line) - 1) * room.gap) / sum(item.aspect for item in line)
                for cell, width in zip(row, widths, strict=True)
                for line in cell
            ]
            or [room.smallest]
        )
        for row in lines
    ]


def _highest(fits: Callable[[float], bool], low: float, high: float) -> float:
    """Return the largest number of a range that fits, or the smallest where none does."""
    if high <= low or fits(high):
        return max(low, high)
    # A hundredth of a pixel is less than can be drawn.
    while high - low > 0.01:
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
