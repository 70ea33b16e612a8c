"""Writing into pictures with the one font that Pillow brings along, so that a picture is the same everywhere."""

from functools import lru_cache
from typing import TYPE_CHECKING, cast
from unicodedata import combining, normalize

from kling_nb.display.words import plural

if TYPE_CHECKING:
    from PIL import ImageFont

_SIZE = 15
_SPELLINGS = str.maketrans(
    {"–": "-", "—": "-", "‐": "-", "−": "-", "„": '"', "«": '"', "»": '"', "ß": "ss", "ø": "o", "Ø": "O"}
    | {"æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ł": "l", "Ł": "L", "đ": "d", "ı": "i", "\u00a0": " "}
)


def wrapped(text: str, size: int, width: int, most: int = 3) -> list[str]:
    """Return text broken into lines of at most so many pixels; what does not fit ends with an ellipsis.

    Parameters
    ----------
    text : str
        To write.
    size : int
        Of the font, in pixels.
    width : int
        Pixels.
    most : int
        Lines.
    """
    font, lines, line = font_of(size), [], ""
    words = text.split()
    for word in words:
        tried = f"{line} {word}" if line else word
        if not line or font.getlength(tried) <= width:
            line = tried
        else:
            lines.append(line)
            line = word
    lines = [*lines, line] if line else lines
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1] + " …"]
    return [fitted(line, font, width) for line in lines]


def fitted(line: str, font: "ImageFont.FreeTypeFont", width: int) -> str:
    """Return a line cut to so many pixels."""
    while line and font.getlength(line) > width:
        line = line[: -max(2, len(line) // 20)] + "…"
    return line


def drawable(text: str, what: str, length: int = 0) -> str:
    """Return text in the letters that the font has, or say that it is in others.

    Accents are dropped rather than drawn as boxes. No font is looked for on the machine, so that a
    task gives the same sheet everywhere.

    Parameters
    ----------
    text : str
        To write.
    what : str
        What it is, for saying that it cannot be written.
    length : int
        Characters, where `text` is only their beginning.
    """
    plain = "".join(char for char in normalize("NFKD", text.translate(_SPELLINGS)) if not combining(char))
    kept = "".join(char for char in plain if char.isspace() or _has(char)).strip()
    if 2 * len(kept) >= len(plain):
        return kept
    return f"[{what} of {plural(length or len(text), 'character')} in a script that this sheet cannot write]"


@lru_cache(maxsize=512)
def _has(char: str) -> bool:
    font = font_of(_SIZE)
    return bytes(font.getmask(char)) != bytes(font.getmask("\U0010fffe"))


@lru_cache(maxsize=4)
def font_of(size: int) -> "ImageFont.FreeTypeFont":
    """Return the font in a size, in pixels; a Pillow without FreeType raises ImportError."""
    from PIL import ImageFont

    # Asked for by size it is always this kind.
    return cast("ImageFont.FreeTypeFont", ImageFont.load_default(size))
