"""Paths as they are shown where others will read them."""

import os
from pathlib import Path

from kling_nb.session.places import shown


def private(path: Path) -> str:
    """Return a path from the notebook's folder or from ``~``, which names no user; whole where it is in neither."""
    text = shown(path)
    if not Path(text).is_absolute():
        return text
    return without_home(text)


def without_home(text: str) -> str:
    """Return a text with ``~`` in place of the user's home."""
    try:
        home = f"{Path.home()}{os.sep}"
    except RuntimeError:
        return text
    return text.replace(home, f"~{os.sep}")
