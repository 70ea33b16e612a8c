"""Cut paper: the shapes behind, and the subjects with their edges and shadows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from kling_nb.sandbox.canvas import cover, soft
from kling_nb.sandbox.shapes import CUTS, mask, pebble

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from kling_nb.sandbox.layout import Piece, Plan
    from kling_nb.sandbox.palette import Colour

PAPER: Final = (250, 246, 238)
_EDGES: Final = {"paper": 0.016, "bare": 0.003}  # width as a fraction of the shorter side


def add_papers(ground: Image.Image, plan: Plan, papers: Sequence[Colour], rng: random.Random) -> None:
    """Lay coloured papers behind the hero and across the ground, in place."""
    width, height = ground.size
    short = min(ground.size)
    hero = plan.pieces[-1]
    centre = (width * hero.centre[0], height * hero.centre[1])
    reach = hero.height * short
    away = 1 if hero.centre[0] < 0.5 else -1
    _lay(ground, pebble(rng), (1.5 * reach, 1.28 * reach), (centre[0], centre[1]), papers[0])
    sun = (centre[0] + away * 0.52 * reach, centre[1] - 0.34 * reach)
    _lay(ground, CUTS["circle"](rng), (0.52 * reach, 0.52 * reach), sun, papers[1])
    # A hill at the foot, cut by the lower edge; its top shows above the band.
    foot = (width * (0.5 - 0.22 * away), height + 0.2 * short)
    _lay(ground, CUTS["circle"](rng), (1.5 * width, 0.84 * short), foot, papers[2])


def _lay(
    ground: Image.Image,
    outline: list[tuple[float, float]],
    size: tuple[float, float],
    centre: tuple[float, float],
    colour: Colour,
) -> None:
    whole = (max(8, round(size[0])), max(8, round(size[1])))
    shape = mask(whole, outline)
    place = (round(centre[0] - whole[0] / 2), round(centre[1] - whole[1] / 2))
    _cast_shadow(ground, shape, place, 0.012 * min(ground.size), 0.3)
    ground.paste(colour, place, shape)


def add_confetti(ground: Image.Image, plan: Plan, papers: Sequence[Colour], rng: random.Random) -> None:
    """Scatter a few small dots, rings and leaves around the hero, in place."""
    width, height = ground.size
    short = min(ground.size)
    hero = plan.pieces[-1]
    layer = Image.new("RGBA", (width * 2, height * 2), (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    for number in range(9):
        angle = 2 * math.pi * (number + rng.random() * 0.8) / 9
        distance = (0.58 + 0.24 * rng.random()) * hero.height * short * 2
        x = 2 * width * hero.centre[0] + distance * 1.1 * math.cos(angle)
        y = 2 * height * hero.centre[1] + distance * 0.95 * math.sin(angle)
        radius = rng.uniform(0.008, 0.02) * short * 2
        colour = (*rng.choice(tuple(papers)), 255)
        box = (x - radius, y - radius, x + radius, y + radius)
        if number % 3 == 0:
            draw.ellipse(box, outline=colour, width=max(3, round(radius * 0.36)))
        elif number % 3 == 1:
            draw.ellipse(box, fill=colour)
        else:
            draw.regular_polygon((x, y, radius * 1.2), 3, rng.uniform(0, 120), fill=colour)
    small = layer.reduce(2)
    ground.paste(small, (0, 0), small)


def add_piece(
    ground: Image.Image,
    piece: Piece,
    subject: Image.Image,
    focus: tuple[float, float],
    finish: str,
    rng: random.Random,
    *,
    mirrorable: bool = True,
) -> None:
    """Cut a subject out and lay it on the ground, in place.

    Parameters
    ----------
    ground : PIL.Image.Image
        H×W×3, uint8.
    piece : Piece
        Where, how large and in what shape.
    subject : PIL.Image.Image
        H×W×3, uint8.
    focus : tuple of float
        What to have in the middle of the shape, as fractions of the subject's sides.
    finish : {"paper", "soft", "bare"}
        How its edge looks.
    rng : random.Random
        For the outline.
    mirrorable : bool
        Whether left and right of the subject may be swapped; not of one with words on it.
    """
    short = min(ground.size)
    height = round(piece.height * short)
    size = (max(16, round(height * piece.stretch)), max(16, height))
    outline = CUTS[piece.cut](rng)
    view = cover(subject, size, focus, piece.zoom)
    if piece.mirrored and mirrorable:
        view = ImageOps.mirror(view)
    if finish == "soft":
        layer, outer = view, soft(mask(size, outline, 0.8), 0.05 * height)
    else:
        inner = mask(size, outline, 1 - 2 * _EDGES[finish] * short / min(size))
        layer = Image.new("RGB", size, PAPER)
        layer.paste(view, (0, 0), inner)
        outer = mask(size, outline)
    tilted = layer.rotate(piece.tilt, Image.Resampling.BILINEAR, expand=True, fillcolor=PAPER)
    shape = outer.rotate(piece.tilt, Image.Resampling.BILINEAR, expand=True)
    place = (
        round(ground.width * piece.centre[0] - tilted.width / 2),
        round(ground.height * piece.centre[1] - tilted.height / 2),
    )
    if finish != "soft":
        _cast_shadow(ground, shape, place, 0.024 * short, 0.5)
    ground.paste(tilted, place, shape)


def _cast_shadow(
    ground: Image.Image,
    shape: Image.Image,
    place: tuple[int, int],
    drop: float,
    strength: float,
) -> None:
    """Darken the ground beside a shape: below it and a little to the right."""
    # A shadow has no detail: it is made at a quarter of the size.
    margin = round(drop)
    small = shape.resize((max(1, shape.width // 4), max(1, shape.height // 4)), Image.Resampling.BOX)
    blurred = ImageOps.expand(small, margin, 0).filter(ImageFilter.GaussianBlur(0.3 * drop))
    shade = blurred.point(lambda level: level * strength)
    shadow = shade.resize((shade.width * 4, shade.height * 4), Image.Resampling.BILINEAR)
    where = (place[0] - 4 * margin + round(0.4 * drop), place[1] - 4 * margin + round(drop))
    ground.paste((16, 14, 26), where, shadow)


def vignette(image: Image.Image, strength: float) -> Image.Image:
    """Darken the corners of a picture a little."""
    ramp = Image.radial_gradient("L").point(lambda level: 255 - strength * max(0, level - 110) * 255 / 145)
    dark = ramp.resize(image.size, Image.Resampling.BILINEAR)
    return ImageChops.multiply(image, Image.merge("RGB", (dark, dark, dark)))
