"""The JavaScript and the style of a rating, put together from the files beside this one."""

from functools import cache
from pathlib import Path

_ASSETS = Path(__file__).parent / "assets"
_SHARED = ("parts.js", "screens.js", "rate.js")


@cache
def read(*names: str) -> str:
    """Return some files of the assets as one text."""
    return "\n".join((_ASSETS / name).read_text(encoding="utf-8") for name in names)


def script(*more: str) -> str:
    """Return the rating as one module of JavaScript, with what its place needs besides."""
    return read(*_SHARED, *more)
