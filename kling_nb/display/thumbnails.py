"""Small JPEGs under a cap of bytes: quality gives way first, then size.

The quality that just fits is found in two to four encodings, because the logarithm of a JPEG's size is
nearly a straight line in the logarithm of its quantisation step. An encoding at 512 px takes about a
millisecond; decoding the original is what costs.
"""

import contextlib
import io
import math
from typing import TYPE_CHECKING

from kling_nb import imagedata
from kling_nb.imagedata import open_image

if TYPE_CHECKING:
    from PIL import Image

THUMBNAIL_PIXELS = 512
THUMBNAIL_BYTES = 22_000
PREVIEW_PIXELS = 96
PREVIEW_BYTES = 2_500

BEST = 85
"""Above this quality a small picture grows and looks no better."""

SMALLER_BEST = 45
"""The best quality of a picture that was made smaller because even the worst did not fit."""

_WORST = 32
"""Below this quality a smaller picture looks better than a coarser one."""

_SLOPE = -0.75
"""What a doubled quantisation step does to a photograph's bytes, in logarithms; noise: -1.2."""

_CLOSE_ENOUGH = 0.9
"""A search ends at this share of the cap."""


def thumbnail(data: bytes) -> bytes:
    """Make the picture that stands for an image in a grid.

    Parameters
    ----------
    data : bytes
        A whole image file of any kind that Pillow reads.

    Returns
    -------
    bytes
        A JPEG of at most 512 px a side and 22,000 bytes, upright, on white where the image is
        transparent, without any of the file's metadata.

    Raises
    ------
    NotAnImage
        The bytes cannot be decoded.
    """
    return _small(data, THUMBNAIL_PIXELS, THUMBNAIL_BYTES)


def preview(data: bytes) -> bytes:
    """Make the picture that stands for a reference: at most 96 px and 2,500 bytes.

    Parameters
    ----------
    data : bytes
        As for `thumbnail`.

    Returns
    -------
    bytes
        A JPEG.

    Raises
    ------
    NotAnImage
        The bytes cannot be decoded.
    """
    return _small(data, PREVIEW_PIXELS, PREVIEW_BYTES)


def shrink(jpeg: bytes, pixels: int, max_bytes: int) -> bytes:
    """Make a thumbnail smaller still; one that is small enough is returned as it is.

    Parameters
    ----------
    jpeg : bytes
        A thumbnail.
    pixels : int
        The longest side wanted.
    max_bytes : int
        The most bytes wanted; below 700 or so no JPEG fits, and the smallest is returned.

    Returns
    -------
    bytes
        A JPEG.

    Raises
    ------
    NotAnImage
        The bytes cannot be decoded.
    """
    image = open_image(jpeg)
    if image.format == "JPEG" and len(jpeg) <= max_bytes and max(image.size) <= pixels:
        return jpeg
    return _small(jpeg, pixels, max_bytes)


def encode(image: "Image.Image", max_bytes: int, start: int = BEST) -> bytes:
    """Encode an RGB image at the best quality that fits, if any does.

    Parameters
    ----------
    image : PIL.Image.Image
        RGB.
    max_bytes : int
        The cap.
    start : int
        The quality tried first, and the best one given.

    Returns
    -------
    bytes
        Within the cap; or, where even the worst quality is not, that one.
    """
    fits: tuple[int, bytes] | None = None
    too_big = start + 1
    quality, slope, last = start, _SLOPE, (0.0, 0.0)
    while True:
        data = _jpeg(image, quality)
        here = (_step(quality), math.log(len(data)))
        if last[1] and here[0] != last[0]:
            slope = min(-0.2, (here[1] - last[1]) / (here[0] - last[0]))
        last = here
        if len(data) > max_bytes:
            too_big = quality
        elif quality == start or len(data) >= _CLOSE_ENOUGH * max_bytes:
            return data
        elif fits is None or quality > fits[0]:
            fits = (quality, data)
        lowest = fits[0] + 1 if fits else _WORST
        if lowest >= too_big:
            return fits[1] if fits else data
        # Aim a little under the cap, and stay strictly between what fits and what does not.
        wanted = here[0] + (math.log(0.96 * max_bytes) - here[1]) / slope
        quality = max(lowest, min(too_big - 1, _quality(wanted)))


def _small(data: bytes, pixels: int, max_bytes: int) -> bytes:
    image = decode(data, pixels)
    result = encode(image, max_bytes)
    while len(result) > max_bytes and max(image.size) > 1:
        factor = min(0.92, 0.97 * math.sqrt(max_bytes / len(result)))
        width, height = (max(1, int(side * factor)) for side in image.size)
        image = image.resize((width, height))
        result = encode(image, max_bytes, start=SMALLER_BEST)
    return result


def decode(data: bytes, pixels: int) -> "Image.Image":
    """Return the image as upright RGB of at most `pixels` a side, with no metadata."""
    image = open_image(data)
    if image.format in ("JPEG", "MPO"):
        # libjpeg decodes at a half, a quarter or an eighth for less; twice the size is kept for sharpness.
        part = max(1, max(image.size) // (2 * pixels))
        image.draft(None, (image.width // part, image.height // part))
    imagedata.decode(image)
    if image.mode in ("P", "1"):
        # Palettes and bitmaps would be resized by picking pixels.
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif image.mode.startswith("I;16"):
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    # In two steps, the first one coarse and cheap.
    image.thumbnail((pixels, pixels), reducing_gap=2.0)
    image = _flat(_upright(image))
    # A JPEG's comment would be written again.
    image.info.clear()
    return image


def _upright(image: "Image.Image") -> "Image.Image":
    from PIL import ImageOps

    # Damaged EXIF raises anything, and does not make the picture unreadable.
    with contextlib.suppress(Exception):
        # In place, which copies nothing where there is nothing to turn.
        ImageOps.exif_transpose(image, in_place=True)
    return image


def _flat(image: "Image.Image") -> "Image.Image":
    from PIL import Image

    if image.has_transparency_data:
        top = image.convert("RGBA")
        paper = Image.new("RGBA", top.size, "white")
        return Image.alpha_composite(paper, top).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _jpeg(image: "Image.Image", quality: int) -> bytes:
    # Optimised Huffman tables save 2 % at best quality and half a kilobyte of 2.5 at worst, for half a
    # millisecond; progressive files cost three times that and save nothing more at this size.
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


def _step(quality: int) -> float:
    """Return the logarithm of libjpeg's scale of the quantisation steps."""
    return math.log(50 / quality if quality < 50 else 2 - quality / 50)


def _quality(step: float) -> int:
    scale = math.exp(min(step, 4.0))
    return round(50 / scale if scale > 1 else 100 - 50 * scale)
