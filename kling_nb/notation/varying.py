"""``--vary FIELD=VALUES``: which field a comparison varies, and the values as they are typed. Pure.

The values are a comma list as in a CSV file: a value in quotes may hold commas and spaces, and a doubled
quote in it is one of the text. Double and single quotes do the same.
"""

from typing import NamedTuple

from kling_nb.notation.tokenizer import QUOTES, UsageProblem, near, quote_end, shown, subscript_end, unescaped
from kling_nb.records import FIELDS

_MEANT = {
    "a": "aspect_ratio",
    "aspect": "aspect_ratio",
    "count": "n",
    "m": "model_name",
    "model": "model_name",
    "ratio": "aspect_ratio",
    "s": "subject_images",
    "scene": "scene_image",
    "style": "style_image",
    "subject": "subject_images",
    "subject_image_list": "subject_images",
}
"""What the options are called, and the API's own name, where these are not a field's."""
_REPEATS = ("sample", "samples", "seed", "seeds")


class Item(NamedTuple):
    """One value of a list.

    Parameters
    ----------
    text : str
        Without its quotes.
    quoted : bool
        Whether it was in quotes of its own: then it is text, and no variable that holds all values.
    """

    text: str
    quoted: bool = False


class Varied(NamedTuple):
    """What is to be varied, as typed.

    Parameters
    ----------
    field : str
        One of `kling_nb.records.FIELDS`.
    items : tuple of Item
        At least one.
    """

    field: str
    items: tuple[Item, ...]


def parse(text: str) -> Varied:
    """Read ``FIELD=VALUES``.

    Parameters
    ----------
    text : str
        With the quotes of the values, and without those round the whole.

    Returns
    -------
    Varied
        The field, and its values in order.

    Raises
    ------
    UsageProblem
        If there is no ``=``, no such field, or a value that is empty or not closed.
    """
    field, equals, values = text.partition("=")
    field = field.strip()
    if not equals:
        example = f"{field}=…" if field in FIELDS else "n=1,4"
        raise UsageProblem(
            f"--vary takes a field, = and its values, and {shown(text, 40)} has no =: write, for example, "
            f"`--vary {example}`, without spaces"
        )
    if field not in FIELDS:
        raise UsageProblem(_unknown(field))
    if not values.strip():
        raise UsageProblem(f"--vary {field}= has no values: write them behind the =, with commas and without spaces")
    return Varied(field, _items(field, values))


def last_item(values: str) -> int:
    """Return where the value begins that is being typed at the end of a list.

    Parameters
    ----------
    values : str
        The list so far; its last quote may be open.
    """
    start = _skip_space(values, 0)
    while True:
        end = _item_end(values, start, unfinished=True)
        if end >= len(values) or values[end] != ",":
            return start
        start = _skip_space(values, end + 1)


def _items(field: str, text: str) -> tuple[Item, ...]:
    items = []
    position = 0
    while True:
        start = _skip_space(text, position)
        end = _item_end(text, start)
        written = text[start:end].rstrip()
        if not written:
            raise UsageProblem(
                f"--vary {field}={shown(text, 40)[1:-1]} has an empty value: write no space after a comma, and a "
                f'value with spaces or commas in quotes, as in `--vary {field}="…","…"`'
            )
        quoted = written[0] in QUOTES
        items.append(Item(unescaped(written) if quoted else written, quoted))
        if end < len(text) and text[end] != ",":
            raise UsageProblem(
                f"--vary {field}=… has {shown(text[end:], 30)} behind the quote that closes {shown(written, 30)}: "
                "put a comma between two values; a quote in a quoted value is doubled"
            )
        if end == len(text):
            return tuple(items)
        position = end + 1


def _item_end(text: str, start: int, *, unfinished: bool = False) -> int:
    """Return the index of what comes after the value that begins at `start`, which should be a comma."""
    if text[start : start + 1] and text[start] in QUOTES:
        return _skip_space(text, quote_end(text, start, doubled=True, unfinished=unfinished))
    index = start
    while index < len(text) and text[index] != ",":
        index = subscript_end(text, index) if text[index] == "[" else index + 1
    return index


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def _unknown(field: str) -> str:
    """Return what to say of a field that there is not."""
    word = field.lower().lstrip("-").replace("-", "_")
    if word in _REPEATS:
        return f"there is no field {shown(field, 40)} to vary: `--samples 4` repeats every request, without a seed"
    known = word if word in FIELDS else _MEANT.get(word) or _MEANT.get(word.removesuffix("s"))
    meant = [known] if known else near(word, list(FIELDS), 1)
    hint = f"did you mean {meant[0]}?" if meant else f"it can be {', '.join(FIELDS)}"
    return f"there is no field {shown(field, 40)} to vary: {hint}"
