"""References that Python gives a form, with a name where they have one in the notebook."""

import os
from typing import Any

from kling_nb.form.entries import Entry, look
from kling_nb.notation.names import Namespace
from kling_nb.notation.writing import Source
from kling_nb.records import Role
from kling_nb.request.text import decode_base64


def entry_of(value: Any, role: Role, namespace: Namespace, *, fit: bool) -> list[Entry]:
    """Return entries for what Python gave as the references of a role.

    Parameters
    ----------
    value : object
        As for `Kling.generate`; a list of subjects gives an entry each.
    role : {"subject", "scene", "style"}
        What they are for.
    namespace : Namespace
        The notebook's variables.
    fit : bool
        Whether they are made to fit.
    """
    # A list that has a name is written by its name, and its parts by theirs.
    if role == "subject" and isinstance(value, (list, tuple)) and not _name(value, namespace):
        return [_entry(each, namespace, fit=fit) for each in value]
    return [_entry(value, namespace, fit=fit)]


def _entry(value: Any, namespace: Namespace, *, fit: bool) -> Entry:
    name = _name(value, namespace)
    if name:
        return Entry(Source(name, is_variable=True), value, fit=fit)
    text = str(value) if isinstance(value, str) or hasattr(type(value), "__fspath__") else ""
    is_there = os.path.exists(text)  # noqa: PTH110 - takes any text
    if not is_there:
        text = text.strip()
    if look(text, namespace).source.is_variable:
        # The text of a variable's name would be taken for the variable.
        return Entry(Source(f"./{text}"), value, fit=fit)
    # A picture as text has no name.
    return Entry(Source("" if not is_there and decode_base64(text) else text), value, fit=fit)


def _name(value: Any, namespace: Namespace) -> str:
    if isinstance(value, (str, bytes, int)):
        # Equal texts are often the same object, whatever they were meant for.
        return ""
    return next((name for name in namespace.names() if namespace[name] is value), "")
