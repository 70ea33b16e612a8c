"""The pictures that a rater sees: all encoded alike, and with nothing in them but pixels."""

import io
import math
import threading
from collections import OrderedDict
from collections.abc import Callable

from kling_nb.display.thumbnails import decode

SURROUND = (128, 128, 128)
"""Middle grey, as around the pictures on the screen."""
_PIXELS = 1600
_BAND = 0.08
"""Of the longer side: the sandbox's band at the foot of its pictures, which names model and prompt."""
_QUALITY = 92


def plain(data: bytes, *, cover: bool = False) -> bytes:
    """Return a picture as a rater may see it.

    A served file may name its model, and kinds of file look unlike when they are compressed unlike; so every picture is
    encoded anew in the same way.

    Parameters
    ----------
    data : bytes
        A whole image file of any kind that Pillow reads.
    cover : bool
        Whether it is one of the sandbox's, whose band is to be covered.

    Returns
    -------
    bytes
        A JPEG of quality 92 and at most 1,600 px a side, upright, on white where it is transparent, without metadata.

    Raises
    ------
    NotAnImage
        The bytes cannot be decoded.
    """
    image = decode(data, _PIXELS)
    if cover:
        image.paste(SURROUND, (0, image.height - math.ceil(_BAND * max(image.size)), *image.size))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY, subsampling=0)
    return buffer.getvalue()


class Pictures:
    """Pictures as raters may see them, the last ones kept: several raters see the same.

    Parameters
    ----------
    most : int
        Bytes that are kept.
    """

    def __init__(self, most: int = 40_000_000) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[str, bool], bytes] = OrderedDict()
        self._size = 0
        # Where the kernel can, a form asks in a thread of its own while a cell runs.
        self._lock = threading.Lock()

    def plain(self, sha256: str, read: Callable[[], bytes], *, cover: bool = False) -> bytes:
        """Return a picture as `plain` makes it.

        Parameters
        ----------
        sha256 : str
            Of its file.
        read : callable
            Returns the file.
        cover : bool
            As of `plain`.
        """
        key = (sha256, cover)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = plain(read(), cover=cover)
        with self._lock:
            self._size += len(made) - len(self._kept.pop(key, b""))
            self._kept[key] = made
            while self._size > self._most and len(self._kept) > 1:
                self._size -= len(self._kept.popitem(last=False)[1])
        return made
