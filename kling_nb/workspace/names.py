"""What files are called, so that a person can find them. Pure."""

import re
import time
import unicodedata

_SLUG_LENGTH = 40


def slug(prompt: str) -> str:
    """Return the beginning of a prompt as part of a file name.

    Parameters
    ----------
    prompt : str
        Any text, also none.

    Returns
    -------
    str
        Letters and digits of any script with their accents, joined by hyphens; at most 40 characters and
        80 bytes; never empty and never anything that a file system gives a meaning to.
    """
    text = unicodedata.normalize("NFC", prompt.lower())
    spaced = "".join(character if _belongs(character) else " " for character in text)
    words = re.findall(r"[^\W_]\S*", spaced)
    name = ""
    for word in words:
        longer = f"{name}-{word}" if name else word
        if len(longer) > _SLUG_LENGTH or len(longer.encode()) > 2 * _SLUG_LENGTH:
            break
        name = longer
    return name or _cut(words[0]) if words else "image"


def _belongs(character: str) -> bool:
    # Vowel signs of many scripts are marks on a letter; variation selectors are marks that nobody sees.
    mark = unicodedata.category(character) in ("Mn", "Mc") and not "\ufe00" <= character <= "\ufe0f"
    return mark or character.isalnum()


def _cut(word: str) -> str:
    word = word[:_SLUG_LENGTH]
    while len(word.encode()) > 2 * _SLUG_LENGTH:
        word = word[:-1]
    return word


def stem(prompt: str, created_at: float, index: int) -> str:
    """Return the name of an image file without its extension.

    Parameters
    ----------
    prompt : str
        Of the task.
    created_at : float
        Seconds since the epoch; shown in local time, which is what the person's clock said.
    index : int
        Of the image, from 0; counted from 1 in the name.

    Returns
    -------
    str
        For example ``2026-11-22_143005_a-cat-wearing-the-hat_1``.
    """
    when = time.strftime("%Y-%m-%d_%H%M%S", time.localtime(created_at))
    return f"{when}_{slug(prompt)}_{index + 1}"


def upload(name: str, sha256: str) -> str:
    """Return the file name of something that was dropped on a form.

    Parameters
    ----------
    name : str
        As it was called elsewhere.
    sha256 : str
        Hexadecimal hash of its content.

    Returns
    -------
    str
        For example ``cat-1a2b3c4d.png``.
    """
    base, _, extension = name.rpartition(".")
    is_one = base and extension.isascii() and extension.isalnum() and len(extension) <= 5
    return f"{slug(base if is_one else name)}-{sha256[:8]}.{extension.lower() if is_one else 'img'}"
