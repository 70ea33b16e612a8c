"""From anything that a notebook holds to references, checked and ready to send."""

import functools
import hashlib
from typing import Any

from kling_nb import imagedata
from kling_nb.errors import InvalidRequest
from kling_nb.parallel import in_parallel
from kling_nb.records import MAX_SUBJECTS, Reference, Role
from kling_nb.request import prepare
from kling_nb.request.fitting import Encoded
from kling_nb.request.places import Leaf, Place
from kling_nb.request.problems import Unsuitable, printable, quoted, shortened
from kling_nb.request.sources import leaves

MAX_COLLECTED = 100
"""Of scenes and styles, which comparisons vary, no more than this many are taken from one value."""

_FIELDS = {"subject": "subject_images", "scene": "scene_image", "style": "style_image"}
_MAX_NAME = 200
_REMEMBERED = 4_096
_sound: dict[str, tuple[str, int, int]] = {}


def collect(value: Any, role: Role, *, name: str | None = None, fit: bool = False, start: int = 0) -> list[Reference]:
    """Turn what a notebook holds into references, with every picture decoded and checked once.

    Parameters
    ----------
    value : object
        A path, glob, http(s) URL, base64 text or data URI; bytes or an open binary file; a PIL image; an array
        (H×W, H×W×1, H×W×3 or H×W×4; uint8, uint16, bool, or floats in 0..1) or a tensor (also C×H×W); a
        matplotlib figure; an upload, an image widget or an IPython image; anything with
        ``__kling_reference__()``; or a list, dict, series, iterator or batch of these.
    role : {"subject", "scene", "style"}
        What the images are for.
    name : str, optional
        What the user called the value. Without it a file is named by its path as typed, a URL by itself, and
        anything else by what it is.
    fit : bool, optional
        Enlarge, pad or shrink what breaks a limit of the API.
    start : int, optional
        How many subjects there are already, so that a message names the right index.

    Returns
    -------
    list of Reference
        In order, at least one. ``data`` is the file as it is sent, or ``url`` is set.

    Raises
    ------
    InvalidRequest
        Naming the image, what is wrong with it and what would do.
    """
    found: list[Leaf] = []
    most = MAX_SUBJECTS if role == "subject" else MAX_COLLECTED
    unreadable: Unsuitable | None = None
    try:
        for leaf in leaves(value, Place(name or None)):
            _check_count(len(found), most, role, name)
            found.append(leaf)
    except Unsuitable as problem:
        unreadable = problem
    attempt = functools.partial(_attempt, role=role, fit=fit)
    with prepare.quiet():
        # A file from a camera takes a twentieth of a second to decode. A picture in memory is the notebook's own,
        # may be given twice, and is not to be decoded by two threads at once.
        files = iter(in_parallel(attempt, [leaf for leaf in found if leaf.data is not None]))
        outcomes = [attempt(leaf) if leaf.data is None else next(files) for leaf in found]
    if unreadable is not None:
        outcomes.append(unreadable)
    references = []
    for index, outcome in enumerate(outcomes, start):
        if isinstance(outcome, Unsuitable):
            raise InvalidRequest(f"{_label(role, index, outcome.name)} {outcome.clause}")
        references.append(outcome)
    return references


def _attempt(leaf: Leaf, role: Role, *, fit: bool) -> Reference | Unsuitable:
    try:
        return _reference(leaf, role, fit=fit)
    except Unsuitable as problem:
        return problem


def _reference(leaf: Leaf, role: Role, *, fit: bool) -> Reference:
    name = shortened(printable(leaf.name), _MAX_NAME)
    if leaf.url is not None:
        return Reference(role, name, _sha256(leaf.url.encode()), url=leaf.url, origin=leaf.origin)
    try:
        if leaf.picture is not None:
            sent = prepare.from_pixels(leaf.picture, fit=fit)
            sha256 = _sha256(sent.data)
        else:
            sent, sha256 = _from_file(leaf.data or b"", fit=fit)
    except (Unsuitable, imagedata.NotAnImage) as problem:
        raise Unsuitable(str(problem), leaf.name) from None
    return Reference(
        role,
        name,
        sha256,
        media_type=sent.media_type,
        width=sent.width,
        height=sent.height,
        size=len(sent.data),
        changes=sent.changes,
        origin=leaf.origin,
        data=sent.data,
    )


def _from_file(data: bytes, *, fit: bool) -> tuple[Encoded, str]:
    """Check a file; one that was found good as it is, to be the reference of many tasks, is decoded once."""
    sha256 = _sha256(data)
    known = _sound.get(sha256)
    if known is not None:
        return Encoded(data, *known), sha256
    sent = prepare.from_file(data, fit=fit)
    if sent.data is not data:
        return sent, _sha256(sent.data)
    if not sent.changes:
        if len(_sound) >= _REMEMBERED:
            _sound.clear()
        _sound[sha256] = (sent.media_type, sent.width, sent.height)
    return sent, sha256


def _check_count(count: int, most: int, role: Role, name: str | None) -> None:
    if count == most:
        named = f" {quoted(name)}" if name else ""
        raise InvalidRequest(f"{_FIELDS[role]}{named}: more than {most} images were given; at most {most} can be")


def _label(role: Role, index: int, name: str | None) -> str:
    field = f"{_FIELDS[role]}[{index}]" if role == "subject" else _FIELDS[role]
    return f"{field} {quoted(name)}" if name else field


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
