"""A rating as a page that stands for itself, and the files of answers that come back from it. Pure but for assets.

The page works from a disk or any web host, asks for nothing but the pictures beside it, and is forbidden by its own
policy to do anything else.
"""

import base64
import hashlib
import html as markup
import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from kling_nb.compare.page import as_script
from kling_nb.compare.rating import frontend
from kling_nb.errors import InvalidRequest
from kling_nb.request.problems import shown

KIND = "kling_nb answers"
SCHEMA = 1
MOST_BYTES = 50_000_000

# What JavaScript takes away with `trim`.
_SPACE = "\t\n\v\f\r \xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200B)))
_FIELDS = {"rating": str, "page": str, "rater": str, "saved_at": str, "answers": list}
_SAVE_AGAIN = "Ask for the file again, as the page has saved it."


def html(
    study: Mapping[str, Any],
    items: Sequence[Mapping[str, Any]],
    sheets: Sequence[Sequence[Sequence[int]]],
    pictures_folder: str = "images",
    *,
    rating: str,
    page: str,
) -> str:
    """Return the page.

    Parameters
    ----------
    study : mapping
        ``name``, ``question``, ``protocol``, ``scale``, ``count`` and ``rater``.
    items : sequence of mapping
        Each with ``item``, ``pictures``, ``prompt`` and ``references``.
    sheets : sequence
        Orders of the items, each a list of ``[place in items, 1 where left and right are exchanged]``. A rater has the
        one that `sheet_of` says.
    pictures_folder : str
        Where the pictures lie beside the page, each as its token with ``.jpg``.
    rating : str
        The id of the rating.
    page : str
        An id of this export that no other has.

    Returns
    -------
    str
        HTML.
    """
    style = frontend.read("rate.css", "page.css")
    script = frontend.script("sha256.js", "page.js")
    policy = (
        f"default-src 'none'; img-src 'self' file: data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    data = {
        "rating": rating,
        "page": page,
        "study": dict(study),
        "items": [dict(each) for each in items],
        "sheets": [[list(each) for each in sheet] for sheet in sheets],
        "pictures": pictures_folder,
    }
    parts = {
        "POLICY": markup.escape(policy, quote=False),
        "TITLE": markup.escape(str(study["name"])),
        "STYLE": style,
        "DATA": as_script(data),
        "SCRIPT": script,
    }
    pieces = frontend.read("rate.html").split("@@")
    # Every second piece is a name; what is put in is not searched for names again.
    return "".join(parts[piece] if place % 2 else piece for place, piece in enumerate(pieces))


def sheet_of(rater: str, count: int) -> int:
    """Return which of the sheets of a page a rater has.

    Parameters
    ----------
    rater : str
        The name as it was typed: it counts in Unicode's form NFC and without space around it.
    count : int
        How many sheets there are.

    Returns
    -------
    int
        FNV-1a with 32 bits of the name in UTF-8, modulo `count`.
    """
    value = 0x811C9DC5
    for byte in unicodedata.normalize("NFC", rater).strip(_SPACE).encode():
        value = (value ^ byte) * 0x01000193 % 2**32
    return value % count


def answers_text(content: Mapping[str, Any]) -> str:
    """Return the text of a file of answers, as the page writes it.

    Parameters
    ----------
    content : mapping
        ``kind``, ``schema``, ``rating``, ``page``, ``rater``, ``saved_at`` and ``answers``; a ``sha256`` that is there
        is made anew.

    Returns
    -------
    str
        JSON.
    """
    rest = {name: value for name, value in content.items() if name != "sha256"}
    return _canonical(rest | {"sha256": _digest(rest)})


def read_answers(text: str) -> dict[str, Any]:
    """Return what a file of answers holds, checked.

    Parameters
    ----------
    text : str
        The file's.

    Returns
    -------
    dict
        ``kind``, ``schema``, ``rating``, ``page``, ``rater``, ``saved_at``, ``answers`` and ``sha256``. Where an item
        has several answers, all are there in the order in which they were given; the last one counts.

    Raises
    ------
    InvalidRequest
        It is no such file, of a newer version, or was changed after it was saved.
    """
    if len(text) > MOST_BYTES:
        raise _wrong("This is no file of answers: it is larger than 50 MB.")
    try:
        content = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        raise _wrong("This is no file of answers, or only a part of one: it is not JSON.") from None
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise _wrong("This is no file of answers.")
    _check_version(content.get("schema"))
    if not _is_unchanged(content):
        raise _wrong("This file of answers was changed after it was saved.")
    for name, kind in _FIELDS.items():
        if not isinstance(content.get(name), kind):
            raise _wrong(f"This file of answers has no {name} that can be read.")
    for number, answer in enumerate(content["answers"], 1):
        if (problem := _problem(answer)) is not None:
            raise _wrong(f"Answer {number} of this file cannot be read: {problem}.")
    return content


def _check_version(schema: Any) -> None:
    if not _is_whole(schema) or schema < 1:
        raise _wrong(f"This file of answers has no version that there is: {shown(schema)}.")
    if schema > SCHEMA:
        advice = "Update kling_nb, and read the file again."
        raise InvalidRequest("This file of answers was written by a newer version.", money="", advice=advice)


def _is_unchanged(content: Mapping[str, Any]) -> bool:
    rest = {name: each for name, each in content.items() if name != "sha256"}
    try:
        return bool(content.get("sha256") == _digest(rest))
    except (ValueError, RecursionError):
        # Single surrogates, and lists within lists: no page wrote them.
        return False


def _problem(answer: Any) -> str | None:
    """Return what is wrong with an answer, as a clause; what is right for its item only the rating knows."""
    if not isinstance(answer, dict):
        return "it is no object"
    for name in ("item", "answered_at"):
        if not isinstance(answer.get(name), str):
            return f"its {name} is {shown(answer.get(name))}"
    pictures = answer.get("pictures")
    if not (isinstance(pictures, list) and 1 <= len(pictures) <= 2 and all(isinstance(each, str) for each in pictures)):
        return "its pictures are not one or two names"
    choice = answer.get("choice")
    if not (_is_whole(choice) or (isinstance(choice, str) and choice in {"left", "right", "tie", "unsure"})):
        return f"its choice is {shown(choice)}"
    time = answer.get("milliseconds")
    return None if _is_whole(time) and time >= 0 else f"its milliseconds are {shown(time)}"


def _is_whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _wrong(message: str) -> InvalidRequest:
    return InvalidRequest(message, money="", advice=_SAVE_AGAIN)


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(content).encode()).hexdigest()


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
