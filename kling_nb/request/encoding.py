"""A request's body as bytes, and its digest, both from its summary.

A summary is the documented body with ``sha256:<hex>`` in place of each picture's base64. It is what the
journal keeps, so a request can be sent, and compared with others, without its `Request`.
"""

import base64
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

PREFIX = "sha256:"

# Neither changes what the server makes: one says where to report, the other is fresh for each task.
_NOT_CONTENT = frozenset({"external_task_id", "callback_url"})
_IMAGE_FIELDS = frozenset({"scene_image", "style_image"})
# A multiple of three bytes has base64 without padding, so that the pieces join; a quarter of a megabyte stays in the
# processor's cache from the encoding to the sending.
_CHUNK = 3 * 2**16


class Body:
    """A request's body, JSON in UTF-8, whose pictures become base64 only on their way out.

    So the peak is the pictures themselves, and the first bytes leave before the last are encoded. It can be gone
    through more than once.

    Parameters
    ----------
    parts : list of bytes
        JSON and pictures in turn, beginning and ending with JSON.
    """

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        pictures, texts = self._parts[1::2], self._parts[0::2]
        return sum(map(len, texts)) + sum((len(data) + 2) // 3 * 4 for data in pictures)

    def __iter__(self) -> Iterator[bytes]:
        for number, part in enumerate(self._parts):
            if number % 2:
                yield from _base64_pieces(part)
            else:
                yield part

    def __bytes__(self) -> bytes:
        # Joined, all pieces would be there twice.
        whole = io.BytesIO()
        whole.writelines(self)
        return whole.getvalue()


def encode_summary(summary: Mapping[str, Any], read: Callable[[str], bytes]) -> Body:
    """Encode the body that a summary stands for.

    Parameters
    ----------
    summary : mapping
        As `Request.summary` returns it, or as read back from JSON.
    read : callable
        Returns the bytes of a picture by its hexadecimal sha256.

    Returns
    -------
    Body
        With every picture read.
    """
    parts = [b""]

    def write_image(value: str) -> None:
        if value.startswith(PREFIX):
            parts[-1] += b'"'
            parts.extend((read(value.removeprefix(PREFIX)), b'"'))
        else:
            parts[-1] += _json(value)

    parts[-1] += b"{"
    for position, (field, value) in enumerate(summary.items()):
        parts[-1] += (b", " if position else b"") + _json(field) + b": "
        if field == "subject_image_list":
            for index, item in enumerate(value):
                parts[-1] += b'%b{"subject_image": ' % (b", " if index else b"[")
                write_image(item["subject_image"])
                parts[-1] += b"}"
            parts[-1] += b"]" if value else b"[]"
        elif field in _IMAGE_FIELDS:
            write_image(value)
        else:
            parts[-1] += _json(value)
    parts[-1] += b"}"
    return Body(parts)


def digest_of(summary: Mapping[str, Any]) -> str:
    """Return the digest of a request by what the server is asked to make.

    Parameters
    ----------
    summary : mapping
        As `Request.summary` returns it, or as read back from JSON.

    Returns
    -------
    str
        Hexadecimal sha256; the same whatever the pictures are called, and without regard to
        ``external_task_id`` and ``callback_url``.
    """
    content = {field: value for field, value in summary.items() if field not in _NOT_CONTENT}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def bare_base64(data: bytes) -> str:
    """Return base64 as the API wants it: no data URI in front, no line breaks."""
    return base64.b64encode(data).decode("ascii")


def _base64_pieces(data: bytes) -> Iterator[bytes]:
    view = memoryview(data)
    for start in range(0, len(view), _CHUNK):
        yield base64.b64encode(view[start : start + _CHUNK])


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
