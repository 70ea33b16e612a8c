"""Finding a key again, however it is written and wherever it is put."""

import base64
import html
import io
import json
import re
import secrets
import sqlite3
import string
from contextlib import closing
from urllib.parse import quote

from PIL import Image

PIECE = 12
"""Consecutive characters of a key that count as the key."""
_STEP = PIECE // 2

_ESCAPE = re.compile(
    rb"\\+(?:u00|x)([0-9a-fA-F]{2})|%([0-9a-fA-F]{2})|&#0*(\d{1,3});|&#[xX]0*([0-9a-fA-F]{1,2});|\\(/)"
)
_MAY_ESCAPE = re.compile(rb"[\\%&]")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{400,}={0,2}")


class Mark:
    """A key like no other. Its repr hides it, for it is a variable of the tests' own frames.

    Parameters
    ----------
    key : str, optional
        The key; random otherwise.
    """

    def __init__(self, key=None):
        letters = string.ascii_letters + string.digits
        self._key = key or "sk-LEAK-" + "".join(secrets.choice(letters) for _ in range(32))
        # Every run of PIECE characters holds one of these whole.
        self._anchors = {
            text[start : start + _STEP]: (text, start, piece)
            for text, piece in self._written()
            for start in range(0, len(text) - _STEP + 1, _STEP)
        }
        self._anchor = re.compile(b"|".join(map(re.escape, self._anchors)))

    def __repr__(self):
        return "<Mark>"

    def __deepcopy__(self, memo):
        return self

    @property
    def key(self):
        return self._key

    def _written(self):
        key = self._key.encode()
        yield from ((key, PIECE), (key[::-1], PIECE), (key.hex().encode(), 2 * PIECE))
        for text in (key, b"Bearer " + key):
            for before in range(3):
                # The outermost letters depend on what stands around the key.
                whole = base64.b64encode(bytes(before) + text)[4:-4]
                yield whole, 2 * PIECE
                yield whole.translate(bytes.maketrans(b"+/", b"-_")), 2 * PIECE

    def spellings(self):
        """Return the key as it may be written, by the name of the manner."""
        key = self._key
        return {
            "raw": key,
            "reversed": key[::-1],
            "hex": key.encode().hex(),
            **{f"base64 after {n}": base64.b64encode(bytes(n) + key.encode() + b"...").decode() for n in range(3)},
            **{f"Bearer after {n}": base64.b64encode(bytes(n) + f"Bearer {key}".encode()).decode() for n in range(3)},
            "urlsafe base64": base64.urlsafe_b64encode(f"Bearer {key}".encode()).decode(),
            "URL": quote(key, safe=""),
            "URL, every letter": "".join(f"%{ord(letter):02x}" for letter in key),
            "URL, twice": "".join(f"%25{ord(letter):02X}" for letter in key),
            "JSON, hyphens": key.replace("-", "\\u002d"),
            "JSON, every letter": "".join(f"\\u00{ord(letter):02X}" for letter in key),
            "JSON in JSON": json.dumps("".join(f"\\u00{ord(letter):02x}" for letter in key)),
            "Python": "".join(f"\\x{ord(letter):02x}" for letter in key),
            "HTML": "".join(f"&#{ord(letter)};" for letter in key),
            "HTML, hexadecimal": "".join(f"&#x{ord(letter):x};" for letter in key),
            "UTF-16": key.encode("utf-16-le").decode("latin-1"),
            "UTF-16, the other way": key.encode("utf-16-be").decode("latin-1"),
            "its beginning": key[:PIECE] + "…",
            "its end": "…" + key[-PIECE:],
            "a piece of it": "…" + key[7 : 7 + PIECE] + "…",
        }

    def is_in(self, text):
        """Tell whether the key, or a piece of it, is in something, in any spelling."""
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text)
        return len(data) >= PIECE and any(self._is_written_in(view) for view in _views(data))

    def must_not_be_in(self, text, where):
        __tracebackhide__ = True
        if self.is_in(text):
            raise AssertionError(f"the key is in {where}: {str(text)[:2000]}")

    def _is_written_in(self, data):
        found = self._anchor.search(data)
        while found:
            text, start, piece = self._anchors[found[0]]
            if _length_at(data, found.start(), text, start) >= piece:
                return True
            found = self._anchor.search(data, found.start() + 1)
        return False


def _length_at(data, position, text, at):
    """Return how many characters at a place of the data are those at a place of a text, to both sides."""
    before = after = 0
    while before < min(at, position) and data[position - before - 1] == text[at - before - 1]:
        before += 1
    while at + after < len(text) and data[position + after : position + after + 1] == text[at + after : at + after + 1]:
        after += 1
    return before + after


def _views(data):
    """Yield something as it is, and as those would read it for whom it is meant."""
    yield data
    if b"\0" in data:
        yield data.replace(b"\0", b"")
    plain = data
    for _ in range(3 if _MAY_ESCAPE.search(data) else 0):
        unescaped = _ESCAPE.sub(_letter, plain)
        if unescaped == plain:
            break
        plain = unescaped
        yield plain
    if b"&" in data:
        yield html.unescape(data.decode("latin-1")).encode("utf-8", "replace")
    for blob in _BASE64.findall(data) if len(data) >= 400 else ():
        inside = base64.b64decode(blob[: len(blob) // 4 * 4])
        yield inside
        yield from _in_picture(inside)


def _letter(match):
    two, percent, decimal, hexadecimal, slash = match.groups()
    if slash:
        return slash
    number = int(decimal) if decimal else int(two or percent or hexadecimal, 16)
    return bytes([number]) if number < 256 else match[0]


def texts_in(*folders, skip=()):
    """Yield everything below folders: names, bytes as they are, and what is packed within."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            yield f"the name {path}", str(path.relative_to(folder))
            if path.is_symlink() and not path.exists():
                continue
            if path.is_file() and path.name not in skip:
                yield from texts_of(path)


def texts_of(path):
    data = path.read_bytes()
    yield str(path), data
    if data.startswith(b"SQLite format 3"):
        yield from _rows(path)
    for text in _in_picture(data):
        yield f"{path} (metadata)", text


def _rows(path):
    with closing(sqlite3.connect(path)) as database:
        # Whatever is in a column, also what is text by declaration only.
        database.text_factory = bytes
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in database.execute(f'SELECT * FROM "{table.decode()}"'):
                yield f"{path}, table {table.decode()}", b"\n".join(_as_bytes(value) for value in row)


def _as_bytes(value):
    return value if isinstance(value, bytes) else str(value).encode()


def _in_picture(data):
    """Yield the metadata of a picture, unpacked."""
    if not data.startswith((b"\x89PNG", b"\xff\xd8", b"RIFF")):
        return
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.format == "PNG":
                # Its texts may come behind the pixels.
                image.load()
            found = {**image.info, **getattr(image, "text", {}), **dict(image.getexif())}
    except (OSError, SyntaxError, ValueError):
        return
    for name, value in found.items():
        yield _as_bytes(name) + b" " + _as_bytes(value)
