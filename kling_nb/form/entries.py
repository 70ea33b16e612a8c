"""What fills a slot: where it comes from, how it is written as code, and what became of looking at it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from kling_nb.display import thumbnail
from kling_nb.display.words import joined, pixels, plural, size
from kling_nb.errors import InvalidRequest, KlingError
from kling_nb.form.uploads import Upload
from kling_nb.imagedata import EXTENSIONS, NotAnImage
from kling_nb.notation.names import Namespace, find
from kling_nb.notation.tokenizer import UsageProblem
from kling_nb.notation.writing import Source
from kling_nb.records import Reference, Role

Keep = Callable[[str, bytes], str]
"""Stores a file's bytes under a name like the one given, and returns the path as it is written."""

_CURE = re.compile(r"\s*Use --fit \(fit=True\) to ([a-z, ]+) it\.")
_FIELD = r"(?:subject_images(?:\[\d+\])?|scene_image|style_image)"


@dataclass(frozen=True, slots=True)
class Entry:
    """What one slot holds.

    Parameters
    ----------
    source : Source
        How it is written as code.
    value : object
        What was found under that name; anything that can be a reference.
    reference : Reference, optional
        As it would be sent; None where something is wrong.
    thumbnail : bytes, optional
        A small JPEG.
    problem : str
        What is wrong, in words.
    cure : str
        What fitting would do about it, for example ``enlarge``; empty when it would not help.
    fit : bool
        Whether it is made to fit.
    """

    source: Source
    value: Any = None
    reference: Reference | None = None
    thumbnail: bytes | None = None
    problem: str = ""
    cure: str = ""
    fit: bool = False

    @property
    def facts(self) -> str:
        """What it is, in words: size, format, weight and what is changed."""
        image = self.reference
        if image is None:
            return ""
        if image.url:
            return "URL: the server fetches it"
        kind = (image.media_type or "").rpartition("/")[2].upper()
        changed = f"; {', '.join(image.changes)}" if image.changes else ", sent as it is"
        return joined(pixels(image.width, image.height), f"{kind} {size(image.size)}{changed}")


def look(text: str, namespace: Namespace) -> Entry:
    """Find what a text names, without opening it.

    Parameters
    ----------
    text : str
        A variable, a path, a glob or a URL.
    namespace : Namespace
        The notebook's variables.

    Returns
    -------
    Entry
        With a value, or with a problem.
    """
    text = text.strip()
    try:
        value = find(text, namespace).value
    except UsageProblem as problem:
        return Entry(Source(text), problem=_sentence(str(problem)))
    return Entry(Source(text, value is not text), value)


def read(entry: Entry, role: Role, namespace: Namespace, keep: Keep) -> list[Entry]:
    """Open what an entry names, and check it.

    Parameters
    ----------
    entry : Entry
        With a value.
    role : {"subject", "scene", "style"}
        Of the slot.
    namespace : Namespace
        The notebook's variables, to write the parts of a list by name.
    keep : callable
        Stores what has no name.

    Returns
    -------
    list of Entry
        One for each picture; a single one with a problem where there is none.
    """
    from kling_nb.request import collect

    # What was there before is not passed off as what is there now.
    entry = replace(entry, reference=None, thumbnail=None)
    try:
        references = collect(entry.value, role, name=entry.source.text or None, fit=entry.fit)
        if role != "subject" and len(references) > 1:
            return [replace(entry, problem=f"It gives {len(references)} pictures, and this slot takes one.")]
        if len(references) == 1 and entry.source.text:
            return [_complete(entry, references[0])]
        return [_complete(_named(reference, entry, namespace, keep), reference) for reference in references]
    except InvalidRequest as error:
        return [_with_problem(entry, str(error.message))]
    except KlingError as error:
        return [replace(entry, problem=_sentence(str(error.message)))]


def receive(upload: Upload, role: Role, namespace: Namespace, keep: Keep, *, fit: bool) -> list[Entry]:
    """Take a file that came from the browser.

    Parameters
    ----------
    upload : Upload
        The file.
    role, namespace, keep
        As of `read`.
    fit : bool
        Whether it is made to fit.

    Returns
    -------
    list of Entry
        One. The file is kept where it is a picture, so that code can name it; anything else is not.
    """
    found = read(Entry(Source(upload.name), upload.data, fit=fit), role, namespace, keep)[0]
    if found.problem and not found.cure:
        return [replace(found, value=None)]
    try:
        path = keep(upload.name, upload.data)
    except KlingError as error:
        return [Entry(Source(upload.name), problem=_sentence(str(error.message)))]
    return [replace(found, source=Source(path), value=path, reference=_renamed(found.reference, path))]


def look_again(entry: Entry, namespace: Namespace) -> Entry:
    """Return an entry with what its variable holds now."""
    if not entry.source.is_variable:
        return entry
    now = look(entry.source.text, namespace)
    return replace(now, fit=entry.fit)


def _named(reference: Reference, entry: Entry, namespace: Namespace, keep: Keep) -> Entry:
    """Return an entry for one of several pictures, by a name under which it is found again."""
    if reference.url is not None:
        return Entry(Source(reference.url), reference.url, fit=entry.fit)
    from kling_nb.request import collect

    found = look(reference.name, namespace)
    if not found.problem:
        try:
            again = collect(found.value, reference.role, name=reference.name, fit=entry.fit)
        except InvalidRequest:
            again = []
        if [each.sha256 for each in again] == [reference.sha256]:
            return replace(found, fit=entry.fit)
    # What has no name gets a file: its bytes as they are sent, which are sent as they are.
    extension = EXTENSIONS.get(reference.media_type or "", "")
    path = keep(reference.name.removesuffix(extension) + extension, reference.data or b"")
    return Entry(Source(path), path)


def _complete(entry: Entry, reference: Reference) -> Entry:
    small = None
    if reference.data is not None:
        try:
            small = thumbnail(reference.data)
        except NotAnImage:
            small = None
    return replace(entry, reference=reference, thumbnail=small, problem="", cure="")


def _with_problem(entry: Entry, message: str) -> Entry:
    from kling_nb.request.problems import quoted

    cure = _CURE.search(message)
    # The slot says itself which one it is; which of a list or a glob it is, only the message says.
    name = re.escape(quoted(entry.source.text))
    clause = re.sub(rf"\A{_FIELD}(?: {name})?:? (?:is (?=\d))?", "", _CURE.sub("", message))
    clause = re.sub(r"\A(?=(?:is|has|was|gives|cannot|contains|matches) )", "It ", clause)
    return replace(entry, problem=_sentence(clause), cure=cure[1].strip() if cure and not entry.fit else "")


def _renamed(reference: Reference | None, name: str) -> Reference | None:
    return None if reference is None else replace(reference, name=name)


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!", "…")) else text + "."


def too_many(count: int, free: int) -> str:
    """Say that a source gives more pictures than there are slots left."""
    return f"It gives {plural(count, 'picture')}, and {plural(free, 'slot is', 'slots are')} free."
