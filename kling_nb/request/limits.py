"""The API's limits on an input image, and how `fit` meets them: arithmetic on sizes, no pixels."""

import math
from fractions import Fraction
from typing import NamedTuple

MAX_BYTES = 10_000_000
MIN_SIDE = 300
MAX_RATIO = Fraction(5, 2)

MAX_PADDED_PIXELS = 24_000_000
"""Padding a very long image may not make a canvas of more pixels than a large camera does."""


class Plan(NamedTuple):
    """How an image is made to fit.

    Parameters
    ----------
    scaled : tuple of int
        Width and height that the picture itself is resized to, in pixels.
    canvas : tuple of int
        Width and height after padding, in pixels.
    """

    scaled: tuple[int, int]
    canvas: tuple[int, int]


def too_long(width: int, height: int) -> bool:
    """Whether the longer side is more than 2.5 times the shorter one."""
    return max(width, height) > MAX_RATIO * min(width, height)


def complaint(width: int, height: int, size: int = 0) -> str | None:
    """Say which limits an image breaks, and what `fit` would do about it.

    Parameters
    ----------
    width, height : int
        Pixels.
    size : int, optional
        Bytes of the file as it would be sent; 0 where it is not known yet.

    Returns
    -------
    str or None
        A clause that follows the image's name, or None when every limit is kept.
    """
    facts, rules, cures = [], [], []
    small = min(width, height) < MIN_SIDE
    long = too_long(width, height)
    if small or long:
        facts.append(f"{width} × {height} px")
    if small:
        rules.append(f"each side must be at least {MIN_SIDE} px")
        cures.append("enlarge")
    if long:
        facts[0] += f" ({_ratio(width, height)})"
        rules.append("the aspect ratio must lie between 1:2.5 and 2.5:1")
        cures.append("pad")
    if size > MAX_BYTES:
        facts.append(f"{size:,} bytes")
        rules.append(f"the file may have at most {MAX_BYTES:,} bytes (10 MB)")
        cures.append("shrink")
    if not facts:
        return None
    return f"is {' and '.join(facts)}; {' and '.join(rules)}. Use --fit (fit=True) to {' and '.join(cures)} it."


def plan(width: int, height: int) -> Plan:
    """Plan how an image of any size keeps the limits on its sides and its aspect ratio.

    What is too small is enlarged, what is too long is padded on its long sides; nothing is cropped.

    Parameters
    ----------
    width, height : int
        Pixels, at least 1.

    Returns
    -------
    Plan
        Equal to the size given where nothing is to be done.
    """
    long, short = max(width, height), min(width, height)
    padded = too_long(width, height)
    canvas_short = _shortest(long) if padded else short
    scale = Fraction(1)
    if canvas_short < MIN_SIDE:
        scale = Fraction(MIN_SIDE, canvas_short)
    elif padded and long * canvas_short > MAX_PADDED_PIXELS:
        scale = Fraction(math.sqrt(MAX_PADDED_PIXELS / (long * canvas_short)))
    new_short = max(1, round(short * scale))
    new_long = max(new_short, round(long * scale))
    new_canvas = max(new_short, _shortest(new_long), MIN_SIDE)
    scaled, canvas = (new_long, new_short), (new_long, new_canvas)
    return Plan(scaled, canvas) if width >= height else Plan(scaled[::-1], canvas[::-1])


def smaller(width: int, height: int, factor: float) -> tuple[int, int]:
    """Return a smaller size of the same shape that still keeps the limits.

    Parameters
    ----------
    width, height : int
        Pixels, within the limits.
    factor : float
        Between 0 and 1, of each side.

    Returns
    -------
    tuple of int
        Width and height; the shorter side is never below `MIN_SIDE`.
    """
    long, short = max(width, height), min(width, height)
    new_short = max(MIN_SIDE, int(short * factor))
    new_long = min(max(new_short, long * new_short // short), int(new_short * MAX_RATIO))
    return (new_long, new_short) if width >= height else (new_short, new_long)


def _ratio(width: int, height: int) -> str:
    """Return a ratio with as many digits as it takes to see that it is over the limit."""
    ratio = max(width, height) / min(width, height)
    text = next((text for digits in (3, 4, 6) if (text := f"{ratio:.{digits}g}") != "2.5"), f"{ratio}")
    return f"1:{text}" if width < height else f"{text}:1"


def _shortest(long: int) -> int:
    """Return the shortest other side that a side of this length may have."""
    return math.ceil(long / MAX_RATIO)
