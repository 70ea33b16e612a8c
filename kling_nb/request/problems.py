"""How this room says what is wrong: clauses that follow the name of the field or the reference."""

import difflib
import reprlib
from collections.abc import Iterable
from typing import Any

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 60
_REPR.maxlong = 40


class Unsuitable(ValueError):
    """A value cannot be a reference; the message is a clause such as ``is empty``.

    Parameters
    ----------
    clause : str
        What is wrong, as it follows the reference's name.
    name : str, optional
        The name of the reference, filled in where it is known.
    """

    def __init__(self, clause: str, name: str | None = None) -> None:
        super().__init__(clause)
        self.clause = clause
        self.name = name


class RuleBroken(ValueError):
    """A field of a request breaks a rule; the message names the field, the value and the rule."""


def shown(value: Any) -> str:
    """Return a value as a short text on one line, whatever its own repr does.

    Parameters
    ----------
    value : object
        Anything.

    Returns
    -------
    str
        At most about a hundred characters; texts are in double quotes.
    """
    if isinstance(value, str):
        return quoted(value)
    try:
        text = _REPR.repr(value)
    except Exception:  # noqa: BLE001 - a message must not fail because of what it is about
        text = f"<{kind(value)}>"
    return shortened(printable(" ".join(text.split())), 100)


def quoted(text: str, limit: int = 80) -> str:
    """Return a text in double quotes, on one line, shortened in the middle."""
    return f'"{shortened(printable(text), limit)}"'


def printable(text: str) -> str:
    """Return a text with every character that does not print written as its escape."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def shortened(text: str, limit: int) -> str:
    """Return a text of at most `limit` characters, with an ellipsis in the middle of a longer one."""
    if len(text) <= limit:
        return text
    half = (limit - 1) // 2
    return f"{text[: limit - 1 - half]}…{text[-half:]}"


def kind(value: Any) -> str:
    """Return the type of a value as a person would write it: ``pandas.DataFrame``, ``int``."""
    owner = type(value)
    module = str(getattr(owner, "__module__", "")).partition(".")[0]
    name = getattr(owner, "__qualname__", "object")
    return name if module in {"builtins", "__main__", ""} else f"{module}.{name}"


def near(word: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Return the known words that are most like a mistyped one, best first, whatever their case."""
    by_folded: dict[str, str] = {}
    for candidate in known:
        by_folded.setdefault(candidate.casefold(), candidate)
    matches = difflib.get_close_matches(word.casefold(), by_folded, n=count, cutoff=0.6)
    return [by_folded[match] for match in matches]


def listed(words: Iterable[str]) -> str:
    """Return words as quoted text with commas: ``"hat.png", "cat.png"``."""
    return ", ".join(quoted(word) for word in words)
