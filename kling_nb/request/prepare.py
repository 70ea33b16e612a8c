"""From the bytes of a file, or pixels in memory, to a file that the API takes."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kling_nb import imagedata
from kling_nb.request import convert, fitting, limits
from kling_nb.request.convert import Picture
from kling_nb.request.fitting import Encoded
from kling_nb.request.problems import Unsuitable

if TYPE_CHECKING:
    from PIL import Image

# Formats that Pillow hands to another program, or that hold drawings and no pixels.
_REFUSED = {"EPS": "is PostScript, not pixels; save it as PNG", "WMF": "is a drawing; save it as PNG"}


def from_file(data: bytes, *, fit: bool) -> Encoded:
    """Check an image file, and convert it where its bytes cannot be sent as they are.

    Parameters
    ----------
    data : bytes
        A whole file, of any format that Pillow reads.
    fit : bool
        Whether to enlarge, pad and shrink what breaks a limit.

    Returns
    -------
    Encoded
        With `data` itself and no changes when it can go out bit for bit.

    Raises
    ------
    kling_nb.imagedata.NotAnImage
        Not an image, or damaged.
    Unsuitable
        It breaks a limit and `fit` is off.
    """
    image = imagedata.open_image(data)
    if image.format in _REFUSED:
        raise Unsuitable(_REFUSED[image.format])
    sides = limits.complaint(image.width, image.height)
    if sides and not fit:
        raise Unsuitable(sides)
    if image.format == "PNG":
        imagedata.decode(image)
    if convert.is_sendable(image, data):
        problem = limits.complaint(image.width, image.height, len(data))
        if problem is None:
            return _as_it_is(data, image)
        if not fit:
            raise Unsuitable(problem)
    # A JPEG that is too large already only grows as PNG.
    lossy = convert.source_format(image) == "JPEG" and len(data) > limits.MAX_BYTES
    return _finished(convert.normalise(image, data), fit=fit, lossy=lossy)


def from_pixels(picture: Picture, *, fit: bool) -> Encoded:
    """Encode pixels from memory as a file that the API takes.

    Parameters
    ----------
    picture : Picture
        8-bit pixels.
    fit : bool
        Whether to enlarge, pad and shrink what breaks a limit.

    Returns
    -------
    Encoded
        PNG, or JPEG where PNG would be too large.

    Raises
    ------
    Unsuitable
        It breaks a limit and `fit` is off.
    """
    return _finished(picture, fit=fit)


def from_pillow(image: "Image.Image") -> Picture:
    """Take the pixels of a Pillow image in memory, leaving the image itself alone.

    Parameters
    ----------
    image : PIL.Image.Image
        Of any mode; one that was just opened from a file may still be undecoded.

    Returns
    -------
    Picture
        A copy of its pixels.

    Raises
    ------
    kling_nb.imagedata.NotAnImage
        Its pixels cannot be decoded.
    Unsuitable
        It is empty, too large to handle, or of no usable mode.
    """
    check_pixels(image.width, image.height)
    with quiet():
        return convert.normalise(image)


def check_pixels(width: int, height: int) -> None:
    """Refuse pixels in memory of which no file can be made.

    Parameters
    ----------
    width, height : int
        Pixels.

    Raises
    ------
    Unsuitable
        None at all, or more than `kling_nb.imagedata.MAX_PIXELS`.
    """
    if not width or not height:
        raise Unsuitable(f"is empty ({width} × {height} px)")
    if width * height > imagedata.MAX_PIXELS:
        raise Unsuitable(f"is {width} × {height} px, over the limit of {imagedata.MAX_PIXELS:,} pixels in all")


def _finished(picture: Picture, *, fit: bool, lossy: bool = False) -> Encoded:
    problem = limits.complaint(*picture.image.size)
    if problem and not fit:
        raise Unsuitable(problem)
    if problem:
        picture = fitting.make_fit(picture)
    return fitting.encode(picture, fit=fit, lossy=lossy)


def _as_it_is(data: bytes, image: "Image.Image") -> Encoded:
    """Pass a file on once its last row is known to decode; a PNG has been decoded by now."""
    media_type = "image/png"
    if image.format != "PNG":
        media_type = "image/jpeg"
        imagedata.check_decodes(data)
    return Encoded(data, media_type, image.width, image.height)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep Pillow's remarks about odd metadata out of the notebook; what matters is raised.

    For the one thread that asks for something: the filters are one list for all threads, and those that work for
    it side by side would put them back as they are not.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield
