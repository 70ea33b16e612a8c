"""Outlines for cut paper, as points between -1 and 1, and masks made of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageDraw

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

Outline = list[tuple[float, float]]

_STEPS: Final = 180
_OVERSAMPLING: Final = 2


def _round(radius: Callable[[float], float]) -> Outline:
    angles = [2 * math.pi * step / _STEPS for step in range(_STEPS)]
    return [(radius(angle) * math.cos(angle), radius(angle) * math.sin(angle)) for angle in angles]


def circle(_rng: random.Random) -> Outline:
    """Return a circle."""
    return _round(lambda _: 1.0)


def pebble(rng: random.Random) -> Outline:
    """Return an uneven round shape, as if cut by hand."""
    waves = [(order, rng.uniform(0.2, 1) * 0.11 / order, rng.uniform(0, 6.3)) for order in (2, 3, 4)]
    raw = _round(lambda angle: 1 + sum(size * math.cos(order * angle + turn) for order, size, turn in waves))
    return _fitted(raw)


def squircle(_rng: random.Random) -> Outline:
    """Return a square with very round corners."""
    return _round(lambda angle: (math.cos(angle) ** 4 + math.sin(angle) ** 4) ** -0.25)


def scallop(rng: random.Random) -> Outline:
    """Return a rosette: a circle with a wavy edge."""
    petals = rng.choice((9, 10, 12))
    return _fitted(_round(lambda angle: 1 + 0.055 * math.cos(petals * angle)))


def arch(_rng: random.Random) -> Outline:
    """Return a window with a round top."""
    top = [
        (math.cos(math.pi + math.pi * step / 60), 0.9 * math.sin(math.pi + math.pi * step / 60) - 0.1)
        for step in range(61)
    ]
    return [*top, (1.0, 1.0), (-1.0, 1.0)]


def torn(rng: random.Random) -> Outline:
    """Return a rectangle of torn paper."""
    points: Outline = []
    corners = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]
    for start, end in zip(corners, corners[1:] + corners[:1], strict=True):
        for step in range(26):
            share = step / 26
            inward = 1 - rng.uniform(0, 0.035)
            x = start[0] + (end[0] - start[0]) * share
            y = start[1] + (end[1] - start[1]) * share
            points.append((x * inward, y * inward))
    return points


def _fitted(outline: Outline) -> Outline:
    reach = max(max(abs(x), abs(y)) for x, y in outline)
    return [(x / reach, y / reach) for x, y in outline]


CUTS: Final[dict[str, Callable[[random.Random], Outline]]] = {
    "circle": circle,
    "pebble": pebble,
    "squircle": squircle,
    "scallop": scallop,
    "arch": arch,
    "torn": torn,
}


def mask(size: tuple[int, int], outline: Outline, scale: float = 1.0) -> Image.Image:
    """Return the inside of an outline as a mask with smooth edges.

    Parameters
    ----------
    size : tuple of int
        Width and height in pixels.
    outline : list of tuple of float
        Points between -1 and 1.
    scale : float
        1 fills the size.

    Returns
    -------
    PIL.Image.Image
        H×W, uint8: 255 inside.
    """
    width, height = size[0] * _OVERSAMPLING, size[1] * _OVERSAMPLING
    large = Image.new("L", (width, height), 0)
    points = [(width / 2 * (1 + x * scale), height / 2 * (1 + y * scale)) for x, y in outline]
    ImageDraw.Draw(large).polygon(points, fill=255)
    return large.reduce(_OVERSAMPLING)
