"""What the API asks of an image, read from its first bytes without decoding it. Pure."""

from __future__ import annotations

import base64
import binascii
import re
import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal
from urllib.parse import urlsplit

from kling_nb.sandbox.protocol import invalid

MAX_BYTES: Final = 10_000_000
MIN_SIDE: Final = 300  # pixels
MAX_RATIO: Final = 2.5
MAX_PIXELS: Final = 89_478_485  # where Pillow begins to suspect a decompression bomb

_URL = re.compile(r"https?://", re.IGNORECASE)
_WHITESPACE = re.compile(r"\s")
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Reference:
    """An input image as the sandbox keeps it.

    Parameters
    ----------
    role : {"subject", "scene", "style"}
        What the image is for.
    digest : str
        SHA-256 of the bytes, in hexadecimal; empty for a URL.
    url : str
        Where the image is; empty for bytes.
    """

    role: Literal["subject", "scene", "style"]
    digest: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Format and size of an image: `width` and `height` in pixels."""

    format: Literal["JPEG", "PNG"]
    width: int
    height: int


def read_header(data: bytes) -> ImageHeader | None:
    """Return the format and size of a JPEG or PNG, None for anything else."""
    if data.startswith(_PNG_SIGNATURE) and data[12:16] == b"IHDR" and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return ImageHeader("PNG", width, height)
    if data.startswith(b"\xff\xd8\xff"):
        return _read_jpeg(data)
    return None


def _read_jpeg(data: bytes) -> ImageHeader | None:
    position = 2
    while position + 9 <= len(data):
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF:  # fill bytes may stand before a marker
            position += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers that have no length
            position += 2
            continue
        # C4, C8 and CC are tables; the other Cx start a frame and hold its size.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[position + 5 : position + 9])
            return ImageHeader("JPEG", width, height)
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return None


def is_web_address(text: str) -> bool:
    """Tell whether `text` is an http or https URL with a host."""
    if not _URL.match(text) or _WHITESPACE.search(text):
        return False
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bad IPv6 address or a port out of range
        return False


def parse_image(value: str, field: str, role: Literal["subject", "scene", "style"]) -> tuple[Reference, bytes | None]:
    """Check one IMAGE of a request.

    Parameters
    ----------
    value : str
        A URL or bare base64; not empty.
    field : str
        Its name in the request, for the message of a refusal.
    role : {"subject", "scene", "style"}
        What the image is for.

    Returns
    -------
    Reference, bytes or None
        The reference, and its bytes unless it is a URL.

    Raises
    ------
    Refusal
        The image breaks a rule of the API.
    """
    if _URL.match(value):
        if not is_web_address(value):
            raise invalid(f"{field}: not a valid URL")
        return Reference(role, url=value), None
    data = _decode_base64(value, field)
    check_image(data, field)
    return Reference(role, digest=sha256(data).hexdigest()), data


def _decode_base64(value: str, field: str) -> bytes:
    if value[:5].lower() == "data:":
        raise invalid(f"{field}: send bare base64, without the prefix 'data:...;base64,' in front of it")
    if _WHITESPACE.search(value):
        raise invalid(f"{field}: base64 must not contain line breaks or blanks")
    if len(value) > (MAX_BYTES + 2) // 3 * 4:
        raise invalid(f"{field}: the image is larger than 10 MB")
    try:
        return base64.b64decode(value.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise invalid(f"{field}: neither an http(s) URL nor valid base64") from None


def check_image(data: bytes, field: str) -> ImageHeader:
    """Check the bytes of an image against the limits of the API.

    Parameters
    ----------
    data : bytes
        The file.
    field : str
        Its name in the request, for the message of a refusal.

    Returns
    -------
    ImageHeader
        Format and size.

    Raises
    ------
    Refusal
        The image breaks a rule of the API.
    """
    if len(data) > MAX_BYTES:
        raise invalid(f"{field}: the image is larger than 10 MB ({len(data):,} bytes)")
    header = read_header(data)
    if header is None:
        raise invalid(f"{field}: the image is neither JPEG nor PNG")
    width, height = header.width, header.height
    size = f"this one is {width}x{height}"
    if min(width, height) < MIN_SIDE:
        raise invalid(f"{field}: each side of an image must be at least {MIN_SIDE} px; {size}")
    if max(width, height) > MAX_RATIO * min(width, height):
        raise invalid(f"{field}: the aspect ratio must be within 1:2.5 and 2.5:1; {size}")
    if width * height > MAX_PIXELS:
        raise invalid(f"{field}: the image has too many pixels; {size}")
    return header
