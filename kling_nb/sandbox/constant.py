"""The constant image: one small JPEG for everybody, made different by a comment.

For load tests: serving it costs no painting, and yet no two images have the same hash.
"""

from __future__ import annotations

import io
from functools import cache


@cache
def _base() -> bytes:
    from PIL import Image, ImageDraw, ImageFont

    # Alike in all ratios on purpose: 512 px square.
    image = Image.new("RGB", (512, 512), (38, 70, 83))
    draw = ImageDraw.Draw(image)
    draw.ellipse((96, 60, 416, 380), fill=(233, 196, 106))
    draw.rectangle((0, 400, 512, 512), fill=(42, 157, 143))
    font = ImageFont.load_default(64)
    draw.text((256, 456), "SANDBOX", font=font, fill=(255, 255, 255), anchor="mm")
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def constant_image(name: str) -> bytes:
    """Return the constant JPEG with `name` in a comment segment.

    Parameters
    ----------
    name : str
        What makes this image different from the others.

    Returns
    -------
    bytes
        A JPEG of 512x512 pixels.
    """
    base = _base()
    comment = name.encode()
    segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
    return base[:2] + segment + base[2:]
