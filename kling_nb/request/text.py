"""What a text stands for: a file, a glob, a URL, a data URI or base64."""

import base64
import binascii
import glob
import itertools
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from kling_nb.request import urls
from kling_nb.request.problems import Unsuitable, listed, near, quoted

MAX_READ = 500_000_000
"""A file of more bytes than this is not read: no image that fits the API needs as many."""

_BASE64_AT_LEAST = 64
_BASE64 = re.compile(r"[A-Za-z0-9+/_\-\s]+={0,2}\s*")
_MAX_NEIGHBOURS = 5_000


class Found(NamedTuple):
    """What a text turned out to be.

    Parameters
    ----------
    name : str
        What to call it when the user gave no name.
    data : bytes, optional
        The file's bytes.
    url : str, optional
        The URL, for what the server fetches itself.
    is_match : bool
        Whether it is one of a glob's files, which are told apart by their own names.
    """

    name: str
    data: bytes | None = None
    url: str | None = None
    is_match: bool = False


def find(text: str) -> Iterator[Found]:
    """Find what a text stands for: one thing, or each file of a glob.

    Parameters
    ----------
    text : str
        A path (``~`` is expanded), a glob, an http(s) URL, a data URI, or the base64 of an image.

    Yields
    ------
    Found
        With either bytes or a URL.

    Raises
    ------
    Unsuitable
        It stands for nothing, or for something that cannot be sent.
    """
    stripped = text.strip()
    if not stripped:
        raise Unsuitable("is an empty text; give a file, a glob or an http(s) URL")
    scheme = urls.scheme(stripped)
    if scheme == "data":
        yield _data_uri(stripped)
    elif scheme:
        problem = urls.problem(stripped)
        if problem:
            raise Unsuitable(problem)
        yield Found(stripped, url=stripped)
    else:
        yield from _find_files(text)


def read(path: Path) -> bytes:
    """Read a file that the user named.

    Parameters
    ----------
    path : pathlib.Path
        A regular file.

    Returns
    -------
    bytes

    Raises
    ------
    Unsuitable
        It is a folder or a device, is far too large, or cannot be read.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            inside = quoted(str(path / "*.png"))
            raise Unsuitable(f"is a folder; give a file in it, or a glob such as {inside}")
        if not stat.S_ISREG(status.st_mode):
            raise Unsuitable("is not a regular file")
        if status.st_size > MAX_READ:
            raise Unsuitable(f"is {status.st_size:,} bytes, far more than an image that could be sent")
        return path.read_bytes()
    except OSError as error:
        raise Unsuitable(f"cannot be read ({error.strerror or error})") from None


def decode_base64(text: str) -> bytes | None:
    """Return the bytes of a base64 text, or None for a text that is none.

    Parameters
    ----------
    text : str
        Standard or URL-safe base64, with or without line breaks and padding.
    """
    if len(text) < _BASE64_AT_LEAST or not _BASE64.fullmatch(text):
        return None
    packed = "".join(text.split()).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except binascii.Error:
        return None


def _find_files(text: str) -> Iterator[Found]:
    for candidate in dict.fromkeys((text, text.strip())):
        path = _expanded(candidate)
        if _exists(path):
            yield Found(candidate, read(path))
            return
    text = text.strip()
    data = decode_base64(text)
    if data is not None:
        yield Found("base64 text", data)
    elif glob.has_magic(text):
        yield from _matches(text)
    else:
        raise Unsuitable(_not_found(text))


def _expanded(text: str) -> Path:
    path = Path(text)
    try:
        return path.expanduser()
    except (RuntimeError, ValueError):  # "~name" of nobody, which may be a file's name; or no path at all
        return path


def _exists(path: Path) -> bool:
    """Whether there is anything at this path; a text that cannot be a path at all is at none."""
    try:
        path.stat()
    except PermissionError:
        return True  # reading it says what is wrong
    except (OSError, ValueError):
        return False
    return True


def matches(text: str) -> list[str]:
    """Return the files of a glob in their natural order; none for a text that is a file's own name, or no glob.

    Parameters
    ----------
    text : str
        As of `find`.
    """
    if any(_exists(_expanded(each)) for each in (text, text.strip())) or not glob.has_magic(text):
        return []
    return _files_of(text.strip())


def _files_of(pattern: str) -> list[str]:
    try:
        found = glob.glob(str(_expanded(pattern)), recursive=True)  # noqa: PTH207 - takes absolute patterns too
    except (OSError, ValueError, re.error):
        found = []
    return sorted((name for name in found if not os.path.isdir(name)), key=_natural)  # noqa: PTH112 - as glob's


def _matches(pattern: str) -> Iterator[Found]:
    files = _files_of(pattern)
    if not files:
        raise Unsuitable(f"matches no file{_where(pattern)}")
    for name in files:
        try:
            data = read(Path(name))
        except Unsuitable as problem:
            problem.name = name
            raise
        yield Found(name, data, is_match=True)


def _natural(text: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sort ``img2`` before ``img10``, and upper case beside lower."""
    parts = re.split(r"([0-9]+)", text.casefold())
    return [(int(part), 0, "") if part.isdecimal() else (-1, 1, part) for part in parts], text


def _data_uri(text: str) -> Found:
    head, comma, payload = text.partition(",")
    if not comma:
        raise Unsuitable("is a data URI without a comma, and so without data")
    media_type, *parameters = head[len("data:") :].split(";")
    data: bytes | None = unquote_to_bytes(payload)
    if "base64" in (parameter.strip().lower() for parameter in parameters):
        data = decode_base64((data or b"").decode("ascii", "replace"))
        if data is None:
            raise Unsuitable("is a data URI whose base64 is damaged, or too short for an image")
    return Found(f"data URI ({media_type})" if media_type else "data URI", data)


def _not_found(text: str) -> str:
    if len(text) > 1000:
        return f"is a text of {len(text):,} characters that is neither a file nor the base64 of an image"
    if text.lower().startswith("www."):
        return f"is neither a file{_where(text)} nor a URL; for a web address write {quoted('https://' + text)}"
    path = _expanded(text)
    if path.suffix or path.parent != Path():
        return f"does not exist{_where(text)}{_nearest(path)}"
    return f"is neither a file{_where(text)} nor a glob, an http(s) URL or base64{_nearest(path)}"


def _where(text: str) -> str:
    """Say which folder relative names are looked up in: a notebook's is easily another than meant."""
    if _expanded(text).is_absolute():
        return ""
    return f" in the working directory ({Path.cwd()})"


def _nearest(path: Path) -> str:
    folder = path.parent
    if not _exists(folder):
        names = near(folder.name, _names(folder.parent))
        hint = f"; near it: {listed(str(folder.parent / name) for name in names)}" if names else ""
        return f"; there is no folder {quoted(str(folder))}{hint}"
    names = near(path.name, _names(folder))
    return f"; near it: {listed(str(folder / name) for name in names)}" if names else ""


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in itertools.islice(entries, _MAX_NEIGHBOURS)]
    except (OSError, ValueError):
        return []
