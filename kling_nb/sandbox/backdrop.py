"""What is behind the subjects: the scene, or a painted one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFilter, ImageOps

from kling_nb.sandbox.canvas import cover, glow, gradient
from kling_nb.sandbox.palette import Colour, lively, mix

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from kling_nb.sandbox.layout import Plan


def scene_behind(scene: Image.Image, plan: Plan, size: tuple[int, int]) -> Image.Image:
    """Return the part of a scene that the plan shows. H×W×3, uint8."""
    view = cover(scene, size, plan.scene_focus, plan.scene_zoom)
    return ImageOps.mirror(view) if plan.scene_mirrored else view


def painted(plan: Plan, size: tuple[int, int], found: Sequence[Colour], rng: random.Random) -> Image.Image:
    """Paint something to stand on, in the subjects' own colours.

    Parameters
    ----------
    plan : Plan
        Names the backdrop and the place of the light.
    size : tuple of int
        Width and height in pixels.
    found : sequence of tuple of int
        The subjects' main colours.
    rng : random.Random
        For the details.

    Returns
    -------
    PIL.Image.Image
        H×W×3, uint8.
    """
    lead = found[0] if found else (90, 140, 190)
    painters: dict[str, Callable[..., Image.Image]] = {
        "hills": _hills,
        "waves": _waves,
        "rays": _rays,
        "stars": _stars,
    }
    # A little out of focus, as a background is; that also smooths the edges of its shapes.
    return painters[plan.backdrop](plan, size, lead, rng).filter(ImageFilter.GaussianBlur(0.9))


def _sky(size: tuple[int, int], lead: Colour, *, night: bool = False) -> Image.Image:
    if night:
        top = lively(lead, value=0.16, shift=0.55)
        return gradient(size, [top, lively(lead, value=0.32, shift=0.6), mix(top, lead, 0.6)])
    top = lively(lead, value=0.78, shift=0.48)
    low = mix(lively(lead, value=0.98, shift=0.03), (255, 246, 230), 0.55)
    return gradient(size, [top, mix(top, low, 0.55), low, low])


def _ridge(size: tuple[int, int], level: float, height: float, rng: random.Random) -> list[tuple[float, float]]:
    """Return the outline of a soft ridge: a sum of slow waves, closed below the picture."""
    width, tall = size
    waves = [(rng.uniform(0.7, 1.3) * order, rng.uniform(0, 6.3), 1 / order) for order in (1, 2, 4)]
    points = []
    for x in range(0, width + 8, 8):
        run = 2 * math.pi * x / width
        lift = sum(share * math.sin(pace * run + start) for pace, start, share in waves)
        points.append((float(x), tall * (level + height * lift)))
    return [*points, (float(width + 8), float(tall)), (0.0, float(tall))]


def _disc(image: Image.Image, plan: Plan, colour: Colour, radius: float) -> None:
    """Put a sun or moon into the sky, with its glow."""
    width, height = image.size
    # The light comes from a corner; its disc hangs a little further in, to be seen.
    centre = (width * (0.24 if plan.light[0] < 0.5 else 0.76), height * 0.24)
    halo = glow(image.size, centre, radius * 2.8).point(lambda level: level * 0.7)
    image.paste(Image.new("RGB", image.size, colour), (0, 0), halo)
    box = (centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius)
    ImageDraw.Draw(image).ellipse(box, fill=mix(colour, (255, 255, 255), 0.45))


def _hills(plan: Plan, size: tuple[int, int], lead: Colour, rng: random.Random) -> Image.Image:
    image = _sky(size, lead)
    _disc(image, plan, mix(lively(lead, value=1.0), (255, 236, 190), 0.6), 0.12 * min(size))
    hue = rng.choice((0.24, 0.42, 0.62))
    near, far = lively(lead, value=0.36, shift=hue + 0.05), lively(lead, value=0.92, shift=hue)
    haze = mix(far, (255, 248, 232), 0.55)
    for step in range(4):
        _slope(image, _ridge(size, 0.5 + 0.13 * step, 0.055, rng), haze, mix(far, near, step / 3))
    return image


def _slope(image: Image.Image, outline: list[tuple[float, float]], haze: Colour, body: Colour) -> None:
    """Fill a ridge, its foot veiled in haze: what stands in front comes out the better."""
    top = round(min(y for _, y in outline))
    size = (image.width, image.height - top)
    shape = Image.new("1", size, 0)
    ImageDraw.Draw(shape).polygon([(x, y - top) for x, y in outline], fill=1)
    image.paste(gradient(size, [body, mix(body, haze, 0.45), haze]), (0, top), shape)


def _waves(plan: Plan, size: tuple[int, int], lead: Colour, rng: random.Random) -> Image.Image:
    image = _sky(size, lead)
    _disc(image, plan, (255, 214, 150), 0.11 * min(size))
    width, height = size
    draw = ImageDraw.Draw(image)
    deep, light = (18, 74, 112), (128, 204, 208)
    rows = 7
    for row in range(rows):
        base = height * (0.5 + 0.075 * row)
        length = width / (9 - 0.7 * row)
        start = rng.uniform(0, length)
        points = [
            (float(x), base - 0.022 * height * abs(math.sin(math.pi * (x + start) / length)))
            for x in range(0, width + 8, 8)
        ]
        below = [(float(width + 8), float(height)), (0.0, float(height))]
        draw.polygon(points + below, fill=mix(light, deep, row / (rows - 1)))
        draw.line(points, fill=mix(light, (255, 255, 255), 0.6), width=max(2, height // 350))
    return image


def _rays(plan: Plan, size: tuple[int, int], lead: Colour, rng: random.Random) -> Image.Image:
    width, height = size
    first = mix(lively(lead, value=0.94), (255, 244, 222), 0.42)
    second = mix(lively(lead, value=0.9, shift=0.06), (255, 244, 222), 0.12)
    image = Image.new("RGB", size, first)
    draw = ImageDraw.Draw(image)
    hero = plan.pieces[-1].centre
    centre, reach = (width * hero[0], height * hero[1]), float(width + height)
    count = rng.choice((14, 16, 18))
    turn = rng.uniform(0, math.pi)
    for step in range(count):
        angles = (turn + 2 * math.pi * (step + part) / count for part in (0.0, 0.5))
        tips = [(centre[0] + reach * math.cos(angle), centre[1] + reach * math.sin(angle)) for angle in angles]
        draw.polygon([centre, *tips], fill=second)
    halo = glow(size, centre, 0.53 * max(size)).point(lambda level: level * 0.55)
    image.paste(Image.new("RGB", size, (255, 252, 240)), (0, 0), halo)
    return image


def _stars(plan: Plan, size: tuple[int, int], lead: Colour, rng: random.Random) -> Image.Image:
    image = _sky(size, lead, night=True)
    width, height = size
    draw = ImageDraw.Draw(image)
    for _ in range(220):
        x, y = rng.uniform(0, width), rng.uniform(0, 0.8 * height)
        radius = rng.choice((1, 1, 1, 2, 2, 3)) * height / 700
        shade = rng.randint(170, 255)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), (shade, shade, 235))
    _disc(image, plan, (250, 240, 205), 0.1 * min(size))
    draw = ImageDraw.Draw(image)
    dark = lively(lead, value=0.1, shift=0.55)
    for step in range(3):
        draw.polygon(_ridge(size, 0.66 + 0.11 * step, 0.05, rng), fill=mix(dark, lead, 0.3 - 0.13 * step))
    return image
