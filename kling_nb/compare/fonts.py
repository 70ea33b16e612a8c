"""Which installed fonts can write what a figure says."""

import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from kling_nb.errors import ConfigurationError

FIRST = "DejaVu Sans"
"""Comes with matplotlib, and has Latin, Greek, Cyrillic and many signs."""
_NO_FONTS = ("Last Resort", "Noto Color Emoji", "Apple Color Emoji", "Segoe UI Emoji")
_HAN = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC", "FULLWIDTH", "HALFWIDTH", "KANGXI")
_SHAPED = (
    *("DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL", "TELUGU", "KANNADA", "MALAYALAM", "SINHALA"),
    *("KHMER", "MYANMAR", "TIBETAN", "MONGOLIAN"),
)
_MOST_NAMED = 8


class Has(Protocol):
    """Tells which of some characters a family has, in every weight that is used."""

    def __call__(self, family: str, characters: Collection[str]) -> set[str]:
        """Return those that it has."""
        ...


@dataclass(frozen=True, slots=True)
class Choice:
    """Fonts for a figure.

    Parameters
    ----------
    families : tuple of str
        What one has not, the next has.
    missing : tuple of str
        Characters that none has.
    """

    families: tuple[str, ...]
    missing: tuple[str, ...]


def needed(texts: Iterable[str]) -> set[str]:
    """Return the characters that a font must have: not spaces, nor what only controls how others are shown."""
    return {each for text in texts for each in text if not each.isspace() and not _is_control(each)}


def without_controls(text: str, *, shaping: bool) -> str:
    """Return text without what would come out as an empty box: variant selectors, and joiners where nothing joins."""
    return "".join(each for each in text if not _is_selector(each) and (shaping or not _is_control(each)))


def choose(characters: Collection[str], families: Sequence[str], has: Has) -> Choice:
    """Choose as few families as have all characters, as far as any does.

    Parameters
    ----------
    characters : collection of str
        As of `needed`.
    families : sequence of str
        Installed; the earlier is preferred among those that have equally many.
    has : callable
        Tells what a family has.

    Returns
    -------
    Choice
        With `FIRST` before all others.
    """
    chosen, missing = [FIRST], set(characters) - has(FIRST, characters)
    rest = [each for each in families if each != FIRST and not each.startswith(_NO_FONTS)]
    while missing:
        found = {family: has(family, missing) for family in rest}
        best = max(rest, key=lambda family: len(found[family]), default="")
        if not best or not found[best]:
            break
        chosen.append(best)
        missing -= found[best]
        rest = [family for family in rest if found[family] and family != best]
    return Choice(tuple(chosen), tuple(sorted(missing)))


def script(character: str) -> str:
    """Return the script of a character, as a person calls it: ``Han, kana or Hangul``, ``Devanagari``, ``symbols``."""
    name = unicodedata.name(character, "")
    if name.startswith(_HAN):
        return "Chinese, Japanese or Korean"
    if unicodedata.category(character)[0] in "SC" or not name:
        return "symbols or emoji"
    return name.partition(" ")[0].capitalize()


def lacking(missing: Sequence[str], unnoticed: Sequence[str] = ()) -> ConfigurationError:
    """Return the error that says which characters no font has, and what helps.

    Parameters
    ----------
    missing : sequence of str
        The characters.
    unnoticed : sequence of str
        Files of fonts that have them, and that matplotlib has not listed.
    """
    scripts = list(dict.fromkeys(script(each) for each in missing))
    shown = ", ".join(f"{each} (U+{ord(each):04X})" for each in missing[:_MOST_NAMED])
    more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
    rename = 'figure(..., labels={"as it is": "as it is to be"}) writes something else instead.'
    if unnoticed:
        calls = "; ".join(f'matplotlib.font_manager.fontManager.addfont("{each}")' for each in unnoticed)
        advice = f"One is installed that matplotlib has not noticed: {calls}. Or {rename}"
    else:
        fonts = " and ".join(_package(each) for each in scripts)
        advice = f"Install {fonts} and restart the kernel; or {rename}"
    return ConfigurationError(
        f"No installed font that matplotlib knows has {shown}{more}: {', '.join(scripts)}.", money="", advice=advice
    )


def _package(name: str) -> str:
    if name == "Chinese, Japanese or Korean":
        return "Noto Sans CJK"
    return "Noto Emoji (the one without colours)" if name == "symbols or emoji" else f"Noto Sans {name}"


def unshaped(texts: Iterable[str]) -> str:
    """Return the first text that reads from right to left or whose letters change by their neighbours; or nothing."""
    return next((text for text in texts if any(_needs_shaping(each) for each in text)), "")


def cannot_shape(text: str, version: str) -> ConfigurationError:
    """Return the error that says that this matplotlib would write a text wrongly."""
    name = script(next(each for each in text if _needs_shaping(each)))
    return ConfigurationError(
        f"matplotlib {version} cannot write {name}, as in {text[:40]!r}: it neither joins letters nor goes leftwards.",
        money="",
        advice="Upgrade to matplotlib 3.11; or give labels={...: ...} with what is to be drawn from left to right.",
    )


def _needs_shaping(character: str) -> bool:
    if character.isascii():
        return False
    leftwards = unicodedata.bidirectional(character) in ("R", "AL")
    return leftwards or unicodedata.name(character, "").startswith(_SHAPED)


def _is_selector(character: str) -> bool:
    return "\ufe00" <= character <= "\ufe0f" or character == "\u00ad" or "\U000e0100" <= character <= "\U000e01ef"


def _is_control(character: str) -> bool:
    return _is_selector(character) or unicodedata.category(character) in ("Cf", "Cc")


# ---- what is installed -------------------------------------------------------------------------------


def installed() -> tuple[list[str], Has]:
    """Return the families that matplotlib has found, the best first, and what tells their characters.

    Returns
    -------
    list of str
        Without italics: upright families of one weight or several.
    callable
        As `Has`.
    """
    from matplotlib.font_manager import FontProperties, fontManager

    names = {entry.name for entry in fontManager.ttflist if entry.style == "normal"}
    opened: dict[str, list[Any]] = {}

    def has(family: str, characters: Collection[str]) -> set[str]:
        if family not in opened:
            opened[family] = _faces(family, fontManager, FontProperties)
        if not opened[family]:
            return set()
        return {each for each in characters if all(_draws(face, each) for face in opened[family])}

    return sorted(names, key=_preference), has


def _preference(family: str) -> tuple[bool, bool, bool, str]:
    return not family.startswith("Noto Sans"), "Sans" not in family, "Mono" in family, family


def _faces(family: str, manager: Any, properties: Callable[..., Any]) -> list[Any]:
    """Open what matplotlib would write with: one file for each weight."""
    found = {}
    for weight in ("normal", "bold"):
        try:
            path = manager.findfont(properties(family=[family], weight=weight), fallback_to_default=False)
            found[path] = open_face(path)
        except (ValueError, OSError, RuntimeError):
            return []
    return list(found.values())


def open_face(path: Any) -> Any:
    """Open a font file of matplotlib's list; of a collection, the face that is meant."""
    from matplotlib.ft2font import FT2Font

    index = getattr(path, "face_index", 0)
    return cast("Any", FT2Font)(str(getattr(path, "path", path)), **({"face_index": index} if index else {}))


def _draws(face: Any, character: str) -> bool:
    """Tell whether a font has a character, and as an outline: coloured emoji are pictures, and come out empty."""
    if not face.get_char_index(ord(character)):
        return False
    try:
        face.load_char(ord(character))
        return len(face.get_path()[0]) > 0
    except RuntimeError:
        return False


def unnoticed(characters: Collection[str]) -> list[str]:
    """Return font files on this machine that have some characters, and that matplotlib has not listed.

    It lists fonts once and keeps the list in a file, so that one that was installed since is not in it.
    """
    from matplotlib.font_manager import findSystemFonts, fontManager

    known = {str(entry.fname) for entry in fontManager.ttflist}
    missing, found = set(characters), []
    for path in sorted(set(findSystemFonts()) - known, key=lambda path: ("Regular" not in path, path)):
        try:
            face = open_face(path)
            has = {each for each in missing if _draws(face, each)}
        except (OSError, RuntimeError):
            continue
        if has:
            found.append(path)
            missing -= has
    return found if not missing else []


def is_postscript(family: str) -> bool:
    """Tell whether a family's outlines are PostScript's (CFF), which cannot be embedded as TrueType."""
    from matplotlib.font_manager import FontProperties, fontManager

    path = fontManager.findfont(FontProperties(family=[family]), fallback_to_default=False)
    with Path(str(getattr(path, "path", path))).open("rb") as file:
        tag = file.read(4)
        if tag == b"ttcf":
            file.seek(12 + 4 * int(getattr(path, "face_index", 0)))
            file.seek(int.from_bytes(file.read(4), "big"))
            tag = file.read(4)
    return tag == b"OTTO"
