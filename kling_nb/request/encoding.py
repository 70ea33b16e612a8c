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
# A multiple of three bytes has base64 without padding, so that the pieces join.
_CHUNK = 3 * 2**18


def encode_summary(summary: Mapping[str, Any], read: Callable[[str], bytes]) -> bytes:
    """Encode the body that a summary stands for.

    The pictures are turned into base64 piece by piece, straight into the result: the peak is the body itself.

    Parameters
    ----------
    summary : mapping
        As `Request.summary` returns it, or as read back from JSON.
    read : callable
        Returns the bytes of a picture by its hexadecimal sha256.

    Returns
    -------
    bytes
        JSON in UTF-8.
    """
    body = io.BytesIO()
    write = body.write
    write(b"{")
    for position, (field, value) in enumerate(summary.items()):
        write(b", " if position else b"")
        write(_json(field) + b": ")
        if field == "subject_image_list":
            write(b"[")
            for index, item in enumerate(value):
                write(b", " if index else b"")
                write(b'{"subject_image": ')
                _write_image(write, item["subject_image"], read)
                write(b"}")
            write(b"]")
        elif field in _IMAGE_FIELDS:
            _write_image(write, value, read)
        else:
            write(_json(value))
    write(b"}")
    return body.getvalue()


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


def _write_image(write: Callable[[bytes], object], value: str, read: Callable[[str], bytes]) -> None:
    if not value.startswith(PREFIX):
        write(_json(value))
        return
    write(b'"')
    for piece in _base64_pieces(read(value.removeprefix(PREFIX))):
        write(piece)
    write(b'"')


def _base64_pieces(data: bytes) -> Iterator[bytes]:
    view = memoryview(data)
    for start in range(0, len(view), _CHUNK):
        yield base64.b64encode(view[start : start + _CHUNK])


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
