"""What a figure is made of, and the arithmetic of its places. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from kling_nb.compare.figurecontent import Item, Side
from kling_nb.compare.figuretext import Measure, wrap

HEAD, LABEL, SMALL = 7.5, 7.0, 5.5
"""Points of type: heads of columns, labels of rows, and what is under references and in boxes."""
LINE = 1.3
"""Heights of type from one line to the next."""
INK, GREY = "#000000", "#555555"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on the page."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Words:
    """Lines of text within a box, whose height they fill.

    Parameters
    ----------
    box : Box
        Its height is that of the lines.
    lines : tuple of str
        From above.
    size : float
        Points.
    align : {"left", "center"}
        Of the lines in the box.
    bold : bool
        Whether it is a head.
    colour : str
        As ``#rrggbb``.
    """

    box: Box
    lines: tuple[str, ...]
    size: float
    align: str = "left"
    bold: bool = False
    colour: str = INK


@dataclass(frozen=True, slots=True)
class Rule:
    """A thin line from one point to another; its weight is in points."""

    x0: float
    y0: float
    x1: float
    y1: float
    weight: float
    colour: str


@dataclass(slots=True)
class Layout:
    """A page.

    Parameters
    ----------
    width, height : int
        Of the page.
    pictures : list of (Box, Item)
        Whole pixels; an item without a picture is an outlined box with words in it.
    words : list of Words
        Text.
    rules : list of Rule
        Thin lines.
    """

    width: int
    height: int = 0
    pictures: list[tuple[Box, Item]] = field(default_factory=list)
    words: list[Words] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)


def abreast(items: Sequence[Item], across: int) -> list[Sequence[Item]]:
    """Return items in lines of so many."""
    return [items[start : start + across] for start in range(0, len(items), across)]


def length(line: Sequence[Item], height: int, gap: float) -> float:
    """Return how long a line of pictures is that are so high."""
    return sum(max(1, math.floor(height * item.aspect)) for item in line) + (len(line) - 1) * gap


def level_at(heights: Sequence[float], counts: Sequence[int], room: float) -> float:
    """Return at which height all that are higher must end so that they fill the room."""
    for cap in sorted(heights, reverse=True):
        if sum(count * min(high, cap) for high, count in zip(heights, counts, strict=True)) <= room:
            break
    else:
        cap = 0.0
    higher = [(high, count) for high, count in zip(heights, counts, strict=True) if high > cap]
    if not higher:
        return cap
    others = sum(count * high for high, count in zip(heights, counts, strict=True) if high <= cap)
    return min((room - others) / sum(count for _, count in higher), max(high for high, _ in higher))


def within(widths: Sequence[float], most: float, least: float) -> list[float]:
    """Make columns narrower until they fit: the widest first, because their text is broken anyway."""
    if sum(widths) <= most:
        return list(widths)
    cap = level_at(widths, [1] * len(widths), most)
    return [min(width, max(cap, least)) for width in widths]


def groups(sides: Sequence[Side], level: int) -> list[tuple[int, int, Side]]:
    """Return where a label begins, and over how many rows or columns it goes."""
    found = []
    start = 0
    for _, group in groupby(sides, key=lambda side: side.keys[: level + 1]):
        same = list(group)
        found.append((start, len(same), same[0]))
        start += len(same)
    return found


def contained(aspect: float, width: float, height: float) -> tuple[int, int]:
    """Return the largest size of an aspect within another, in whole pixels."""
    wide = min(width, max(1.0, height) * aspect)
    return max(1, math.floor(wide)), max(1, math.floor(wide / aspect))


def best_columns(items: Sequence[Item], box: Box, caption: float, gap: float) -> int:
    """Return in how many columns pictures cover most of a box."""

    def covered(columns: int) -> float:
        rows = math.ceil(len(items) / columns)
        wide = (box.width - (columns - 1) * gap) / columns
        high = (box.height - (rows - 1) * gap) / rows - caption
        return sum(float(math.prod(contained(item.aspect, wide, high))) for item in items) if high > 1 else 0.0

    return max(range(1, len(items) + 1), key=lambda columns: (covered(columns), -columns))


def boxed(text: str, box: Box, dpi: float, measure: Measure) -> Words:
    """Return what is written in the middle of an outlined box.

    Parameters
    ----------
    text : str
        A few words.
    box : Box
        In pixels.
    dpi : float
        Pixels an inch.
    measure : callable
        Returns the width of a line.
    """
    size = SMALL * dpi / 72
    inside = box.width - 2 * size / 3
    lines = wrap(text, inside, size, measure, max(1, math.floor(box.height / (size * LINE))))
    high = len(lines) * size * LINE
    return Words(Box(box.x, box.y + (box.height - high) / 2, box.width, high), lines, SMALL, "center", colour=GREY)
