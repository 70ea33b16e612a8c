"""Words on pictures: the SANDBOX band, the caption, the watermark. Pillow's bundled font only."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Final, cast

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Callable

MARK: Final = "SANDBOX"
CREAM: Final = (255, 248, 232)
INK: Final = (18, 20, 28)
_UNKNOWN: Final = "\U0010fffd"  # no font has it: drawn as the box for a missing character


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return the bundled font at a size in pixels."""
    return cast("ImageFont.FreeTypeFont", ImageFont.load_default(size))


@cache
def _is_drawable(character: str) -> bool:
    face = font(16)
    return bytes(face.getmask(character)) != bytes(face.getmask(_UNKNOWN))


def drawable(text: str) -> str:
    """Return `text` on one line if the font has (nearly) all of it, else nothing.

    The bundled font is plain Latin: accents are left out, and a caption in another script is left
    out altogether, as boxes would be worse than none.
    """
    line = " ".join(text.split())
    shown = [_shown(character) for character in line]
    missing = shown.count("")
    return "".join(shown).strip() if missing <= 0.1 * len(line) else ""


def _shown(character: str) -> str:
    if character == " " or _is_drawable(character):
        return character
    plain = unicodedata.normalize("NFKD", character)[0]
    return plain if plain != character and _is_drawable(plain) else ""


def fitted(text: str, width: float, measure: Callable[[str], float]) -> str:
    """Shorten `text` until it is `width` pixels wide, with an ellipsis if something was cut."""
    if measure(text) <= width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if measure(text[:middle].rstrip() + "…") <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…" if low else ""


def band_height(size: tuple[int, int]) -> int:
    """Return the height in pixels of the SANDBOX band at the foot of a picture."""
    return round(1.34 * _mark_size(size))


def _mark_size(size: tuple[int, int]) -> int:
    # Of the longer side, so that the word is nine pixels high on a thumbnail of 150.
    return round(0.058 * max(size))


def add_band(image: Image.Image, title: str, words: str) -> Image.Image:
    """Mark a picture: a translucent band with SANDBOX, and a caption beside it.

    Parameters
    ----------
    image : PIL.Image.Image
        H×W×3, uint8; unchanged.
    title : str
        First line of the caption.
    words : str
        Second line, shortened to fit.

    Returns
    -------
    PIL.Image.Image
        H×W×3, uint8.
    """
    width, height = image.size
    tall, cap = band_height(image.size), _mark_size(image.size)
    top = height - tall
    strip = image.crop((0, top, width, height))
    marked = image.copy()
    marked.paste(Image.blend(strip, Image.new("RGB", strip.size, INK), 0.66), (0, top))
    draw = ImageDraw.Draw(marked)
    rule = max(2, cap // 22)
    draw.rectangle((0, top, width, top + rule - 1), fill=CREAM)
    left, middle = round(0.42 * cap), top + (tall + rule) // 2
    end = _spaced(draw, (left, middle), cap)
    margin = round(0.36 * cap)
    _caption(draw, (end + margin, middle), width - left - end - margin, cap, (title, words))
    return marked


def _spaced(draw: ImageDraw.ImageDraw, place: tuple[int, int], size: int) -> int:
    """Draw the mark with open spacing and a heavier stroke; return where it ends."""
    x, y = place
    face = font(round(0.86 * size))
    stroke = max(1, size // 30)
    for letter in MARK:
        draw.text((x, y), letter, CREAM, face, "lm", stroke_width=stroke, stroke_fill=CREAM)
        x += round(face.getlength(letter) + 0.1 * size)
    return x


def _caption(
    draw: ImageDraw.ImageDraw,
    place: tuple[int, int],
    width: int,
    cap: int,
    lines: tuple[str, str],
) -> None:
    x, y = place
    draw.line((x, y - 0.36 * cap, x, y + 0.36 * cap), CREAM, max(1, cap // 40))
    x += round(0.3 * cap)
    width -= round(0.3 * cap)
    sizes = (round(0.34 * cap), round(0.29 * cap))
    heights = (y - 0.22 * cap, y + 0.24 * cap) if lines[1] else (y, y)
    for text, size, middle in zip(lines, sizes, heights, strict=True):
        face = font(size)
        draw.text((x, middle), fitted(text, width, face.getlength), CREAM, face, "lm")


def add_watermark(image: Image.Image) -> Image.Image:
    """Return a copy with the word WATERMARK laid over it in slanted rows."""
    width, height = image.size
    face = font(max(24, min(image.size) // 12))
    reach = round((width**2 + height**2) ** 0.5)
    layer = Image.new("L", (reach, reach), 0)
    draw = ImageDraw.Draw(layer)
    row = round(face.size * 3.2)
    step = round(face.getlength("WATERMARK") * 1.5)
    for number, y in enumerate(range(row // 2, reach, row)):
        for x in range(-(number % 2) * step // 2, reach, step):
            draw.text((x, y), "WATERMARK", 96, face)
    slanted = layer.rotate(24, Image.Resampling.BILINEAR)
    box = ((reach - width) // 2, (reach - height) // 2)
    mask = slanted.crop((*box, box[0] + width, box[1] + height))
    marked = image.copy()
    marked.paste((255, 255, 255), (0, 0), mask)
    return marked
