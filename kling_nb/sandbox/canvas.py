"""References as pictures: decoded safely, in RGB, upright, and no larger than needed."""

from __future__ import annotations

import io
import random
from typing import Final
from urllib.parse import unquote, urlsplit

from PIL import Image, ImageDraw, ImageFilter, ImageOps

from kling_nb.sandbox.lettering import drawable, fitted, font

PANEL: Final = (720, 540)  # pixels of the placeholder for a URL


def is_decodable(data: bytes) -> bool:
    """Tell whether the pixels of a JPEG or PNG can be read to their end."""
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            image.draft("RGB", (max(1, image.width // 8), max(1, image.height // 8)))
            image.load()
    except Exception:  # noqa: BLE001 - broken files raise nearly anything from Pillow's decoders
        return False
    return True


def picture(source: bytes | str, side: int) -> Image.Image:
    """Return a reference as an RGB picture.

    Parameters
    ----------
    source : bytes or str
        The file, or its URL: the sandbox fetches nothing and shows a panel with the name instead.
    side : int
        The picture is reduced until its shorter side has this many pixels; never enlarged.

    Returns
    -------
    PIL.Image.Image
        H×W×3, uint8.
    """
    if isinstance(source, str):
        return _panel(source)
    with Image.open(io.BytesIO(source), formats=("JPEG", "PNG")) as image:
        image.draft("RGB", (side, side))
        upright = _opaque(_turned_upright(image))
    scale = side / min(upright.size)
    if scale < 1:
        size = (round(upright.width * scale), round(upright.height * scale))
        upright = upright.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    return upright


def _turned_upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - broken EXIF raises nearly anything, and matters little here
        return image


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits: convert() would clip instead of scale
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    ground = Image.new("RGBA", layer.size, (236, 232, 224, 255))
    return Image.alpha_composite(ground, layer).convert("RGB")


def _panel(url: str) -> Image.Image:
    """Make the placeholder of an image that is elsewhere: its host and file name on paper."""
    rng = random.Random(url)
    parts = urlsplit(url)
    host = drawable(parts.hostname or "") or "elsewhere"
    name = drawable(unquote(parts.path.rsplit("/", 1)[-1])) or "image"
    hue = rng.randrange(256)
    width, height = PANEL
    base = Image.merge("HSV", [Image.new("L", PANEL, value) for value in (hue, 90, 205)])
    panel = base.convert("RGB")
    draw = ImageDraw.Draw(panel, "RGBA")
    for _ in range(7):
        radius = rng.randint(60, 190)
        x, y = rng.randint(0, width), rng.randint(0, height)
        shade = (255, 255, 255, 34) if rng.random() < 0.5 else (0, 0, 0, 22)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=shade)
    # A frame with a hill and a sun: the usual sign for a picture that is not shown.
    draw.rounded_rectangle((285, 130, 435, 250), 14, outline="white", width=7)
    draw.ellipse((312, 152, 340, 180), fill="white")
    draw.polygon([(298, 238), (345, 190), (372, 216), (396, 182), (424, 238)], fill="white")
    for text, size, y in ((name, 44, 320), (host, 28, 375)):
        face = font(size)
        line = fitted(text, 400, face.getlength)
        draw.text((width / 2, y), line, "white", face, "mm")
    return panel


def cover(
    image: Image.Image,
    size: tuple[int, int],
    focus: tuple[float, float] = (0.5, 0.5),
    zoom: float = 1.0,
) -> Image.Image:
    """Fill a size with a part of a picture, without distortion.

    Parameters
    ----------
    image : PIL.Image.Image
        H×W×3, uint8.
    size : tuple of int
        Width and height to fill, in pixels.
    focus : tuple of float
        What to have in the middle if possible, as fractions of width and height.
    zoom : float
        1 shows as much as fits; 2 half of that.

    Returns
    -------
    PIL.Image.Image
        H×W×3, uint8.
    """
    wanted = size[0] / size[1]
    width = min(image.width, image.height * wanted) / zoom
    height = width / wanted
    # The outer max() and min() are against rounding: a box may not leave the picture by a hair.
    left = max(0.0, min(focus[0] * image.width - width / 2, image.width - width))
    top = max(0.0, min(focus[1] * image.height - height / 2, image.height - height))
    right, bottom = min(image.width, left + width), min(image.height, top + height)
    return image.resize(size, Image.Resampling.BICUBIC, (left, top, right, bottom))


def point_of_interest(image: Image.Image) -> tuple[float, float]:
    """Guess what a picture is about: where its detail is, as fractions of width and height."""
    side = 24
    edges = image.convert("L").resize((side, side)).filter(ImageFilter.FIND_EDGES)
    inner = ImageOps.crop(edges, 2)  # the filter leaves false edges along the border
    weights = inner.tobytes()
    span = side - 4
    total = sum(weights) or 1
    x = sum(weight * (index % span) for index, weight in enumerate(weights)) / total
    y = sum(weight * (index // span) for index, weight in enumerate(weights)) / total
    return ((x + 2.5) / side, (y + 2.5) / side)


def soft(image: Image.Image, radius: float) -> Image.Image:
    """Blur by a large radius in pixels, quickly: at a quarter of the size."""
    small = image.resize((max(1, image.width // 4), max(1, image.height // 4)), Image.Resampling.BOX)
    blurred = small.filter(ImageFilter.GaussianBlur(radius / 4))
    return blurred.resize(image.size, Image.Resampling.BICUBIC)


def gradient(size: tuple[int, int], colours: list[tuple[int, int, int]]) -> Image.Image:
    """Return a smooth vertical run through some colours, from top to bottom."""
    column = Image.new("RGB", (1, len(colours)))
    column.putdata(colours)
    height = size[1]
    # From the middle of the first pixel to that of the last: the ends keep their colours.
    run = column.resize((1, height), Image.Resampling.BILINEAR, (0, 0.5, 1, len(colours) - 0.5))
    return run.resize(size)


def glow(size: tuple[int, int], centre: tuple[float, float], reach: float) -> Image.Image:
    """Return a round light, 255 in its centre and 0 from `reach` pixels on. H×W, uint8."""
    rim = round(255 * (1 - 0.5**0.5))  # of Pillow's gradient, in the middle of an edge
    levels = [max(0, 255 - level - rim) * 255 // (255 - rim) for level in range(256)]
    disc = Image.radial_gradient("L").point(levels)
    # At a quarter of the size: nothing in it is finer than that.
    small = Image.new("L", (max(1, size[0] // 4), max(1, size[1] // 4)), 0)
    side = max(2, round(reach / 2))
    spot = disc.resize((side, side), Image.Resampling.BILINEAR)
    small.paste(spot, (round(centre[0] / 4 - side / 2), round(centre[1] / 4 - side / 2)))
    return small.resize(size, Image.Resampling.BILINEAR)


def grain(size: tuple[int, int], rng: random.Random) -> Image.Image:
    """Return fine repeatable noise about a mean of 128. H×W, uint8."""
    width, height = size
    noise = Image.frombytes("L", size, rng.randbytes(width * height))
    return noise.filter(ImageFilter.BoxBlur(1))
