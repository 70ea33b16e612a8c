"""Encoding a picture within the API's limits, and making it fit where that was asked for."""

import io
import math
from typing import TYPE_CHECKING, NamedTuple

from kling_nb.request import limits
from kling_nb.request.convert import Picture
from kling_nb.request.problems import Unsuitable

if TYPE_CHECKING:
    from PIL import Image

_JPEG_QUALITY = 95
_SHRINK_QUALITY = 90
# Of Pillow's levels, 4 gives photographs the size of the default in two thirds of its time.
_PNG_LEVEL = 4
# Skip a PNG that a sample says will be far too large: a 12-megapixel photograph takes three seconds.
_HOPELESS = 1.1
_SAMPLE_BANDS = 8


class Encoded(NamedTuple):
    """An image file within the limits.

    Parameters
    ----------
    data : bytes
        JPEG or PNG.
    media_type : str
        ``image/jpeg`` or ``image/png``.
    width, height : int
        Pixels.
    changes : tuple of str
        What was done, in words; empty when `data` is what the user gave.
    """

    data: bytes
    media_type: str
    width: int
    height: int
    changes: tuple[str, ...] = ()


def encode(picture: Picture, *, fit: bool, lossy: bool = False) -> Encoded:
    """Encode a picture: as PNG, or as JPEG where PNG would be too large.

    Parameters
    ----------
    picture : Picture
        Its sides keep the limits.
    fit : bool
        Whether pixels may be given up to keep the limit on the file's size.
    lossy : bool, optional
        Go to JPEG at once, because the source is a JPEG that is too large already.

    Returns
    -------
    Encoded
        With the picture's changes and those made here.

    Raises
    ------
    Unsuitable
        Too large, and `fit` is off.
    """
    image = picture.image
    opaque = _without_alpha(image)
    size = 0
    if opaque is None or not (lossy or _estimated_png(image) > _HOPELESS * limits.MAX_BYTES):
        data = _png(image, picture.profile)
        if len(data) <= limits.MAX_BYTES:
            return _encoded(data, image, picture, _to_png(picture))
        size = len(data)
    if opaque is not None:
        data = _jpeg(opaque, _JPEG_QUALITY, picture.profile)
        if len(data) <= limits.MAX_BYTES:
            why = "" if lossy else ", because PNG would be over 10 MB"
            return _encoded(data, opaque, picture, _to_jpeg(picture, _JPEG_QUALITY) + why)
        size = len(data)
    problem = limits.complaint(image.width, image.height, size)
    if problem and not fit:
        raise Unsuitable(problem)
    return _shrunk(picture, image if opaque is None else opaque, size)


def make_fit(picture: Picture) -> Picture:
    """Enlarge what is too small and pad what is too long.

    Parameters
    ----------
    picture : Picture
        Of any size.

    Returns
    -------
    Picture
        The same picture where its sides keep the limits already.
    """
    from PIL import Image

    image, changes = picture.image, list(picture.changes)
    plan = limits.plan(*image.size)
    if plan.scaled != image.size:
        verb = "enlarged" if plan.scaled > image.size else "reduced"
        changes.append(f"{verb} from {_px(image.size)} to {_px(plan.scaled)} px")
        image = image.resize(plan.scaled, Image.Resampling.LANCZOS)
    if plan.canvas != plan.scaled:
        how = "transparency" if "A" in image.getbands() else "the average colour of its edges"
        changes.append(f"padded from {_px(plan.scaled)} to {_px(plan.canvas)} px with {how}")
        image = _padded(image, plan.canvas)
    return picture._replace(image=image, changes=tuple(changes))


def _padded(image: "Image.Image", canvas: tuple[int, int]) -> "Image.Image":
    """Centre the image; each of the two bands takes the average colour of the edge that it touches."""
    from PIL import Image

    width, height = image.size
    left, top = (canvas[0] - width) // 2, (canvas[1] - height) // 2
    if canvas[0] > width:
        first, last = (0, 0, 1, height), (width - 1, 0, width, height)
        band = (0, 0, left, height)
    else:
        first, last = (0, 0, width, 1), (0, height - 1, width, height)
        band = (0, 0, width, top)
    padded = Image.new(image.mode, canvas, _average(image, last))
    padded.paste(_average(image, first), band)
    padded.paste(image, (left, top))
    return padded


def _average(image: "Image.Image", box: tuple[int, int, int, int]) -> tuple[int, ...]:
    """Return the mean colour of a box, fully transparent where the image has alpha."""
    from PIL import Image

    pixel = image.crop(box).resize((1, 1), Image.Resampling.BOX)
    bands = pixel.tobytes()
    return (*bands[:-1], 0) if "A" in image.getbands() else tuple(bands)


def _shrunk(picture: Picture, image: "Image.Image", size: int) -> Encoded:
    """Give up quality, then pixels, until the file is small enough; a handful of encodings at most."""
    from PIL import Image

    original = image
    transparent = "A" in image.getbands()
    if not transparent:
        data = _jpeg(image, _SHRINK_QUALITY, picture.profile)
        if len(data) <= limits.MAX_BYTES:
            return _encoded(data, image, picture, _to_jpeg(picture, _SHRINK_QUALITY))
        size = len(data)
    while True:
        # Bytes go with the area; a little less than that leaves room for noise.
        factor = min(0.95, 0.97 * math.sqrt(limits.MAX_BYTES / size))
        target = limits.smaller(*image.size, factor)
        if target == image.size:
            raise Unsuitable(f"cannot be brought under {limits.MAX_BYTES:,} bytes at {_px(image.size)} px")
        image = original.resize(target, Image.Resampling.LANCZOS, reducing_gap=3.0)
        data = _png(image, picture.profile) if transparent else _jpeg(image, _SHRINK_QUALITY, picture.profile)
        size = len(data)
        if size <= limits.MAX_BYTES:
            break
    shrunk = f"shrunk from {_px(original.size)} to {_px(image.size)} px"
    picture = picture._replace(changes=(*picture.changes, shrunk))
    word = _to_png(picture) if transparent else _to_jpeg(picture, _SHRINK_QUALITY)
    return _encoded(data, image, picture, word)


def _encoded(data: bytes, image: "Image.Image", picture: Picture, word: str) -> Encoded:
    media_type = "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"
    changes = (*picture.changes, word) if word else picture.changes
    return Encoded(data, media_type, image.width, image.height, changes)


def _to_png(picture: Picture) -> str:
    if picture.source is None:
        return "encoded as PNG"
    if picture.source == "PNG":
        return "" if picture.changes else "compressed again as PNG, without loss"
    return f"converted from {picture.source} to PNG"


def _to_jpeg(picture: Picture, quality: int) -> str:
    if picture.source is None:
        return f"encoded as JPEG of quality {quality}"
    if picture.source == "JPEG":
        return f"encoded again as JPEG of quality {quality}"
    return f"converted from {picture.source} to JPEG of quality {quality}"


def _png(image: "Image.Image", profile: bytes | None) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=_PNG_LEVEL, icc_profile=profile)
    return buffer.getvalue()


def _jpeg(image: "Image.Image", quality: int, profile: bytes | None) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling=0, icc_profile=profile)
    return buffer.getvalue()


def _estimated_png(image: "Image.Image") -> float:
    """Estimate the size of the PNG from a few bands; small images are not worth the trouble."""
    if image.width * image.height < 1_000_000:
        return 0.0
    from PIL import Image

    rows = max(8, image.height // 128)
    sample = Image.new(image.mode, (image.width, rows * _SAMPLE_BANDS))
    for band in range(_SAMPLE_BANDS):
        top = (image.height - rows) * band // (_SAMPLE_BANDS - 1)
        sample.paste(image.crop((0, top, image.width, top + rows)), (0, rows * band))
    return len(_png(sample, None)) * image.height / sample.height


def _without_alpha(image: "Image.Image") -> "Image.Image | None":
    """Return the image as a JPEG can hold it, or None when it has transparent pixels."""
    if "A" not in image.getbands():
        return image
    if image.getchannel("A").getextrema() != (255, 255):
        return None
    return image.convert(image.mode.removesuffix("A"))


def _px(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"
