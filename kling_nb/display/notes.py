"""One sentence to the user, where nothing else needs showing."""

from typing import Literal

from kling_nb.display.markup import aside, page
from kling_nb.display.words import esc_advice, one_line

Kind = Literal["info", "problem"]

_LONGEST = 1000


def note_html(message: str, kind: Kind = "info") -> str:
    """Return a sentence as HTML.

    Parameters
    ----------
    message : str
        Plain text; commands in it stand between backticks.
    kind : {"info", "problem"}
        A problem is set in bold behind a darker bar.

    Returns
    -------
    str
        HTML.
    """
    sentence = esc_advice(message, _LONGEST)
    return page(aside([f"<b>{sentence}</b>" if kind == "problem" else sentence], problem=kind == "problem"))


def note_text(message: str, kind: Kind = "info") -> str:
    """Return a sentence as one line of a terminal.

    Parameters
    ----------
    message : str
        Plain text.
    kind : {"info", "problem"}
        A problem says so.

    Returns
    -------
    str
        Plain text.
    """
    return ("kling_nb: problem: " if kind == "problem" else "kling_nb: ") + one_line(message, _LONGEST)
