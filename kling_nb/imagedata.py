"""Image files as bytes: what they are, how large, and whether they can be decoded.

Everything here looks at bytes and touches no disk. Pillow is imported on first use, because loading
the extension must not.
"""

import contextlib
import io
import threading
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 100_000_000
"""An image of more pixels than this is taken for a decompression bomb."""

MAX_SCANS = 1_000
"""A JPEG may be drawn over and over, in a hundred bytes a time; honest ones have a dozen scans."""

EXTENSIONS = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "image/bmp": ".bmp",
    "image/tiff": ".tif",
    "image/avif": ".avif",
}


class NotAnImage(ValueError):
    """The bytes are not an image that can be read; the message says how."""


class Facts(NamedTuple):
    """What the header of an image file says.

    Parameters
    ----------
    media_type : str
        For example ``image/png``.
    width, height : int
        Pixels, as stored (before any EXIF rotation).
    """

    media_type: str
    width: int
    height: int


def open_image(data: bytes) -> "Image.Image":
    """Open image bytes lazily: the header is read, the pixels are not.

    Parameters
    ----------
    data : bytes
        A whole image file.

    Returns
    -------
    PIL.Image.Image
        Not yet decoded.

    Raises
    ------
    NotAnImage
        Empty, of no known format, or of more than `MAX_PIXELS` pixels.
    """
    from PIL import Image, UnidentifiedImageError

    if not data:
        message = "is empty (0 bytes)"
        raise NotAnImage(message)
    try:
        with _without_warning(Image.DecompressionBombWarning):
            image = Image.open(io.BytesIO(data))
    except Image.DecompressionBombError:
        raise NotAnImage(_too_many_pixels()) from None
    except UnidentifiedImageError:
        raise NotAnImage(_what_it_looks_like(data)) from None
    except Exception as error:  # noqa: BLE001 - as in `decode`
        message = f"cannot be read as an image ({str(error)[:120]})"
        raise NotAnImage(message) from None
    if image.width * image.height > MAX_PIXELS:
        raise NotAnImage(_too_many_pixels(image.width, image.height))
    return image


@contextlib.contextmanager
def _without_warning(category: type[Warning]) -> Iterator[None]:
    """Silence what Pillow says between one and two times its own limit of pixels; ours is checked after it."""
    # The filters are one list for all threads: putting them back in a background thread would undo what a
    # cell sets meanwhile.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category)
        yield


def facts(data: bytes) -> Facts:
    """Read type and size from the header, by content and never by name.

    Parameters
    ----------
    data : bytes
        A whole image file.

    Returns
    -------
    Facts
        Media type, width and height.

    Raises
    ------
    NotAnImage
        As `open_image`.
    """
    from PIL import Image

    image = open_image(data)
    media_type = Image.MIME.get(image.format or "", "application/octet-stream")
    # A camera's JPEG with a second picture behind it says MPO; what is sent and shown is a JPEG.
    return Facts("image/jpeg" if image.format == "MPO" else media_type, image.width, image.height)


def check_decodes(data: bytes) -> Facts:
    """Decode the whole image once, to find files that are cut off or damaged.

    ``Image.verify`` misses JPEGs that end early; decoding finds them, and draft mode lets libjpeg do
    so at an eighth of the size. Only the formats of `EXTENSIONS` are decoded: others Pillow hands to another
    program, as PostScript to Ghostscript, and what is checked may come from anywhere.

    Parameters
    ----------
    data : bytes
        A whole image file.

    Returns
    -------
    Facts
        Media type, width and height at full size.

    Raises
    ------
    NotAnImage
        As `open_image`, and when it is of another format or its pixels cannot be decoded.
    """
    found = facts(data)
    image = open_image(data)
    if found.media_type not in EXTENSIONS:
        message = f"is {image.format}, which is not opened here"
        raise NotAnImage(message)
    if image.format in ("JPEG", "MPO"):
        if data.count(b"\xff\xda") > MAX_SCANS:
            message = f"is a JPEG of more than {MAX_SCANS:,} scans, which would take hours to decode"
            raise NotAnImage(message)
        image.draft(image.mode, (max(1, image.width // 8), max(1, image.height // 8)))
    decode(image)
    return found


def decode(image: "Image.Image") -> None:
    """Decode the pixels of an opened image, in place.

    Parameters
    ----------
    image : PIL.Image.Image
        As `open_image` returns it.

    Raises
    ------
    NotAnImage
        The pixels cannot be decoded.
    """
    from PIL import Image

    try:
        with _strictly():
            image.load()
    except Image.DecompressionBombError:
        raise NotAnImage(_too_many_pixels()) from None
    except Exception as error:  # noqa: BLE001 - what Pillow's plugins raise on damaged data is not limited
        message = f"is cut off or damaged ({str(error)[:120]})"
        raise NotAnImage(message) from None


_decoding = threading.Lock()
_decoders = 0
_lenient = False


def begin_anew() -> None:
    """Forget, in a process that was just forked, the decoding that threads of its parent are in the midst of."""
    global _decoding, _decoders
    if _decoders:
        from PIL import ImageFile

        ImageFile.LOAD_TRUNCATED_IMAGES = _lenient
    _decoding, _decoders = threading.Lock(), 0


@contextlib.contextmanager
def _strictly() -> Iterator[None]:
    """Have Pillow refuse cut files although a notebook told it, for all its own, to fill them up with grey."""
    from PIL import ImageFile

    # The first decoder keeps the notebook's choice and the last one restores it; they may run at once.
    global _decoders, _lenient  # noqa: PLW0603 - it mirrors a global of Pillow's
    with _decoding:
        if not _decoders:
            _lenient = ImageFile.LOAD_TRUNCATED_IMAGES
            ImageFile.LOAD_TRUNCATED_IMAGES = False
        _decoders += 1
    try:
        yield
    finally:
        with _decoding:
            _decoders -= 1
            if not _decoders:
                ImageFile.LOAD_TRUNCATED_IMAGES = _lenient


def _too_many_pixels(width: int | None = None, height: int | None = None) -> str:
    size = f"{width} × {height} px" if width and height else "far too many pixels"
    return f"would unpack to {size}, over the limit of {MAX_PIXELS:,} pixels"


def _what_it_looks_like(data: bytes) -> str:
    head = data[:256].lstrip().lower()
    if head.startswith((b"<!doctype", b"<html")):
        return "is an HTML page, not an image"
    if head.startswith((b"<svg", b"<?xml")):
        return "is SVG or XML, which the API does not take; save it as PNG"
    if head.startswith(b"%pdf"):
        return "is a PDF, not an image"
    if head.startswith((b"{", b"[")):
        return "is JSON, not an image"
    return "is not an image of a known format"
