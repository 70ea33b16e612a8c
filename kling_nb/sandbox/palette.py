"""Colours: what a picture is made of, and how to give its mood to another."""

from __future__ import annotations

import colorsys
import math
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageChops, ImageStat

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

Colour = tuple[int, int, int]

_LEVELS: Final = 256
_LUMA: Final = (0.299, 0.587, 0.114)


def colours(image: Image.Image, count: int = 6) -> list[Colour]:
    """Return the main colours of a picture, the most telling first.

    Parameters
    ----------
    image : PIL.Image.Image
        H×W×3, uint8.
    count : int
        How many at most.

    Returns
    -------
    list of tuple of int
        Red, green and blue of each.
    """
    small = image.convert("RGB").resize((64, 64), Image.Resampling.BOX)
    reduced = small.quantize(12, Image.Quantize.MEDIANCUT)
    flat = reduced.getpalette() or []
    found = reduced.getcolors() or []
    weighed = []
    for share, index in found:
        if not isinstance(index, int):
            continue
        red, green, blue = flat[3 * index : 3 * index + 3]
        colour = (red, green, blue)
        _, saturation, value = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)
        weighed.append(((0.15 + saturation * value) * share**0.5, colour))
    return [colour for _, colour in sorted(weighed, reverse=True)][:count]


def lively(colour: Colour, *, value: float | None = None, shift: float = 0.0) -> Colour:
    """Return a fresher cousin of a colour: for paper and skies.

    Parameters
    ----------
    colour : tuple of int
        Red, green and blue.
    value : float or None
        Brightness from 0 to 1; None keeps it within a pleasant range.
    shift : float
        How far round the wheel of hues to go, as a fraction of it.
    """
    hue, saturation, brightness = colorsys.rgb_to_hsv(*(part / 255 for part in colour))
    saturation = min(0.72, 0.22 + 0.9 * saturation)
    brightness = min(0.95, max(0.5, brightness)) if value is None else value
    mixed = colorsys.hsv_to_rgb((hue + shift) % 1.0, saturation, brightness)
    return (round(mixed[0] * 255), round(mixed[1] * 255), round(mixed[2] * 255))


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Return the colour `share` of the way from the first to the second."""
    parts = [round(a + (b - a) * share) for a, b in zip(first, second, strict=True)]
    return (parts[0], parts[1], parts[2])


def papers(found: Sequence[Colour], rng: random.Random) -> list[Colour]:
    """Return five papers that go together: the picture's own colours, and complements of them."""
    lead = found[0] if found else (214, 154, 84)
    other = found[1] if len(found) > 1 else lead
    sheets = [
        lively(lead, value=0.94),
        lively(lead, value=0.90, shift=0.45 + rng.uniform(0, 0.1)),
        lively(other, value=0.96, shift=rng.choice((-0.08, 0.08))),
        mix(lively(lead, value=0.98), (255, 250, 240), 0.6),
        lively(lead, value=0.42, shift=0.55),
    ]
    # Dark paper stays last: it is for details only.
    turn = rng.randrange(4)
    return sheets[turn:4] + sheets[:turn] + sheets[4:]


def matched(image: Image.Image, model: Image.Image, strength: float) -> Image.Image:
    """Give a picture the tones and tints of another.

    Mean and spread of each channel of YCbCr are moved towards the model's: lightness less than
    colour, and no spread by much, so that the motif stays readable.

    Parameters
    ----------
    image, model : PIL.Image.Image
        H×W×3, uint8, of any two sizes.
    strength : float
        From 0 (unchanged) to 1.

    Returns
    -------
    PIL.Image.Image
        H×W×3, uint8.
    """
    ours = image.convert("YCbCr")
    theirs = model.convert("YCbCr").resize((128, 128), Image.Resampling.BOX)
    our, their = ImageStat.Stat(ours.reduce(4)), ImageStat.Stat(theirs)
    table: list[int] = []
    for channel, share in enumerate((0.3, 1.0, 1.0)):
        spread = min(1.35, max(0.8, their.stddev[channel] / max(1.0, our.stddev[channel])))
        table += [
            round(level + strength * share * (_moved(level, our, their, channel, spread) - level))
            for level in range(_LEVELS)
        ]
    return ours.point(table).convert("RGB")


def _moved(level: int, our: ImageStat.Stat, their: ImageStat.Stat, channel: int, spread: float) -> float:
    moved = their.mean[channel] + (level - our.mean[channel]) * spread
    return min(255.0, max(0.0, moved))


def turned(image: Image.Image, degrees: float) -> Image.Image:
    """Turn all hues of a picture by some degrees, keeping the greys."""
    # A rotation about the grey axis: one multiplication a pixel, where going to HSV and back is slow.
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    same = cosine + (1 - cosine) / 3
    one, two = (1 - cosine) / 3 - sine / 3**0.5, (1 - cosine) / 3 + sine / 3**0.5
    return image.convert("RGB", (same, one, two, 0, two, same, one, 0, one, two, same, 0))


def graded(image: Image.Image, brightness: float, saturation: float) -> Image.Image:
    """Multiply the brightness and the saturation of a picture; 1 keeps them."""
    rows: list[float] = []
    for channel in range(3):
        grey = [brightness * (1 - saturation) * weight for weight in _LUMA]
        grey[channel] += brightness * saturation
        rows += [*grey, 0.0]
    return image.convert("RGB", tuple(rows))


def washed(image: Image.Image, light: Colour, mask: Image.Image, strength: float) -> Image.Image:
    """Screen a coloured light over a picture where a mask (H×W, uint8) lets it."""
    lit = ImageChops.screen(image, Image.new("RGB", image.size, light))
    return Image.composite(lit, image, mask.point(lambda value: value * strength))
