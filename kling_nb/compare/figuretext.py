"""Text broken into lines for a figure, by measured widths. Pure."""

import re
import unicodedata
from collections.abc import Callable

Measure = Callable[[str, float], float]
"""Returns the width of a line of text at a size, both in the same unit."""

ELLIPSIS = "…"
_IDEOGRAPHIC = (
    "CJK",
    "HIRAGANA",
    "KATAKANA",
    "BOPOMOFO",
    "IDEOGRAPHIC",
    "FULLWIDTH",
    "THAI",
    "LAO",
    "KHMER",
    "MYANMAR",
)
_NOT_AT_THE_START = "、。，．：；？！）」』】〉》〕］｝ー々ゝゞぁぃぅぇぉっゃゅょァィゥェォッャュョ・…,.;:!?)]}’”"


def wrap(text: str, width: float, size: float, measure: Measure, most: int) -> tuple[str, ...]:
    """Break text into lines; without hyphens, because what is quoted must be quoted exactly.

    Parameters
    ----------
    text : str
        White space of any kind is one space.
    width : float
        That no line exceeds, but for a single character that is wider.
    size : float
        Of the type, in the unit of ``width``.
    measure : callable
        Returns a line's width.
    most : int
        Lines; what is longer ends in an ellipsis.

    Returns
    -------
    tuple of str
        Broken at spaces, between characters where a script has none, and anywhere in what is too long for a line.
    """
    lines: list[str] = []
    line = ""
    for piece in _pieces(text):
        if measure((line + piece).rstrip(), size) <= width:
            line += piece
            continue
        if line.strip():
            lines.append(line.rstrip())
            line = ""
        rest = piece
        while measure(rest.rstrip(), size) > width and len(rest.rstrip()) > 1:
            count = _fitting(rest, width, size, measure)
            lines.append(rest[:count])
            rest = rest[count:]
        line = rest
    if line.strip():
        lines.append(line.rstrip())
    if len(lines) <= most:
        return tuple(lines)
    kept = lines[: max(1, most)]
    kept[-1] = _shortened(kept[-1], width, size, measure)
    return tuple(kept)


def _pieces(text: str) -> list[str]:
    """Return what a line may end after, with the spaces that follow it."""
    pieces: list[str] = []
    for word in re.findall(r"\S+\s*", " ".join(text.split())):
        start = 0
        for index in range(1, len(word)):
            if word[index] not in _NOT_AT_THE_START and not _is_mark(word[index]) and not word[index].isspace():
                before = word[index - 1]
                if _breaks(before) or (_breaks(word[index]) and not unicodedata.category(before).startswith("P")):
                    pieces.append(word[start:index])
                    start = index
        pieces.append(word[start:])
    return pieces


def _breaks(character: str) -> bool:
    return ord(character) > 0x0E00 and unicodedata.name(character, "").startswith(_IDEOGRAPHIC)


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) in ("Mn", "Mc", "Me", "Cf", "Sk")


def _fitting(text: str, width: float, size: float, measure: Measure) -> int:
    """Return how many characters fit into a line; at least one, and never a mark without its letter."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if measure(text[:middle], size) <= width else (low, middle - 1)
    while 1 < low < len(text) and _is_mark(text[low]):
        low -= 1
    return low


def _shortened(line: str, width: float, size: float, measure: Measure) -> str:
    kept = line
    while kept and measure(kept.rstrip() + ELLIPSIS, size) > width:
        kept = kept[:-1]
    return kept.rstrip(" ,.;:") + ELLIPSIS
