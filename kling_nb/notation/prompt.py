"""The prompt: what is taken off round it, and the notebook's variables in it."""

import keyword
import math
import re
from collections.abc import Callable, Iterable
from numbers import Number
from typing import Any

from kling_nb.notation.tokenizer import QUOTES, UsageProblem, near, shown

# What stands in the braces is taken as far as a brace or a space; whether it is a name is asked of
# Python, which knows more letters than ``\w``.
_BRACES = r"\{\{([^\s{}]+)\}\}|\{([^\s{}]+)\}"


def unquoted(text: str) -> str:
    """Take one pair of quotes off, if it is one pair round the whole.

    Parameters
    ----------
    text : str
        Without white space at its ends.

    Returns
    -------
    str
        What was in the quotes, stripped; anything else as it is. ``"a" and "b"`` is two pairs, and stays.
        The apostrophe of ``'the cat's hat'`` is between two letters, and closes nothing.
    """
    if len(text) < 2 or text[0] not in QUOTES or text[-1] != text[0]:
        return text
    inside = text[1:-1]
    rest = re.sub(r"(?<=\w)'(?=\w)", "", inside) if text[0] == "'" else inside
    return text if text[0] in rest else inside.strip()


def python_name(text: str) -> str | None:
    """Return a variable's name as Python stores it, or None if no variable can have it.

    Parameters
    ----------
    text : str
        As typed. Python stores ``µ`` (the key) as ``μ`` (the letter), for example.
    """
    if not text.isidentifier() or keyword.iskeyword(text):
        return None
    if text.isascii():
        return text
    import unicodedata

    return unicodedata.normalize("NFKC", text)


def insertable(value: Any) -> str | None:
    """Return the text of a value that may be put into a prompt, or None.

    Parameters
    ----------
    value : object
        Text and numbers may, numpy's included. A truth value, nan and infinity are a mistake more
        often than a wish, and what is none of these is one always.
    """
    try:
        if isinstance(value, str):
            return str.__str__(value)  # the text itself, also of an Enum's member
        if isinstance(value, bool) or not isinstance(value, Number) or isinstance(value, complex):
            return None
        return str(value) if math.isfinite(value) else None  # type: ignore[arg-type]  # checked by the except
    except Exception:  # noqa: BLE001 - a value of the user's own may raise anything
        # No real number, or (ValueError) more digits than Python is ready to write.
        return None


def variables(prompt: str) -> list[str]:
    """Return the names that a prompt asks for, each once, in order.

    Parameters
    ----------
    prompt : str
        As typed.
    """
    found = (match[2] for match in re.finditer(_BRACES, prompt))
    return list(dict.fromkeys(python_name(name) or name for name in found if name and name.isidentifier()))


def interpolate(prompt: str, lookup: Callable[[str], Any], names: Iterable[str] = ()) -> str:
    """Put the notebook's variables into a prompt.

    Parameters
    ----------
    prompt : str
        ``{name}`` is replaced by the variable's text or number, ``{{name}}`` by the text ``{name}``.
        Every other brace stays: around anything that is not an identifier, or with spaces inside.
    lookup : callable
        From a name to its value; a LookupError or a NameError says that there is none. Each name
        is looked up once.
    names : iterable of str, optional
        The names that there are, to suggest one. Read only when one is missing.

    Returns
    -------
    str
        The prompt to send. What was put in is not looked at again.

    Raises
    ------
    UsageProblem
        If a name is unknown, or its value is neither text nor a finite number.
    """
    values: dict[str, str] = {}

    def replacement(match: re.Match[str]) -> str:
        escaped, name = match.groups()
        if escaped is not None:
            return f"{{{escaped}}}" if escaped.isidentifier() else match[0]
        if not name.isidentifier():
            return match[0]
        if name not in values:
            values[name] = _text_of(name, lookup, names)
        return values[name]

    return re.sub(_BRACES, replacement, prompt)


def _text_of(name: str, lookup: Callable[[str], Any], names: Iterable[str]) -> str:
    instead = f"write {{{{{name}}}}} for the text itself, or give --raw to leave all braces alone"
    variable = python_name(name)
    if variable is None:
        raise UsageProblem(f"{{{name}}} in the prompt is a word of Python's own, not a variable: {instead}")
    try:
        value = lookup(variable)
    except (LookupError, NameError):
        likely = near(name, list(names))
        nearest = f" (nearest: {', '.join(likely)})" if likely else ""
        raise UsageProblem(f"{{{name}}} in the prompt is not a variable here{nearest}: define it, {instead}") from None
    text = insertable(value)
    if text is None:
        raise UsageProblem(
            f"{{{name}}} in the prompt is {_kind_of(value)}, and only text and numbers go into a prompt: {instead}"
        )
    return text


def _kind_of(value: Any) -> str:
    if issubclass(type(value), bool | float) or value is None:
        return repr(value)
    return f"of type {shown(type(value).__name__, 40)}"
