r"""Words of a magic's line, each with its place in it.

``shlex`` will not do: it eats the quotes of ``refs["a"]`` and the backslashes of ``C:\pics``, and
takes the apostrophe of ``cat's`` for an open quote. Here

* white space ends a word;
* a quote quotes only where it opens a word, or its value after ``name=`` or ``--name=``;
* after ``name=``, also after ``--option=name=``, a comma begins another value, which a quote may open as
  well, and a doubled quote within quotes is one of the text (``prompt="a cat, asleep","a ""big"" hat"``);
* a backslash is a backslash;
* the brackets of a subscript hold together (``refs["my cat"]``, ``images[a, b]``), but only where
  their content can be one: a lone ``[`` in a file name is a letter like any other.
"""

from typing import NamedTuple

QUOTES = "\"'"

_DEEPEST = 20  # brackets in brackets; a thousand `[` are not worth a thousand looks ahead
_NAME_BEFORE_EQUALS = frozenset("-_")


class UsageProblem(ValueError):
    """What is wrong with a line, where, and what to do about it, in one line of text.

    Nothing has been sent when it is raised.
    """


class Token(NamedTuple):
    """One word of a line.

    Parameters
    ----------
    text : str
        The word without its quotes.
    start, end : int
        Where it stands in the line, its quotes included.
    quoted : bool
        Whether a part of it was in quotes.
    """

    text: str
    start: int
    end: int
    quoted: bool


def tokenize(text: str) -> list[Token]:
    """Split a line into its words.

    Parameters
    ----------
    text : str
        The line.

    Returns
    -------
    list of Token
        In order; between them there is nothing but white space.

    Raises
    ------
    UsageProblem
        If a quote is opened and never closed.
    """
    tokens = []
    token = next_token(text)
    while token is not None:
        tokens.append(token)
        token = next_token(text, token.end)
    return tokens


def next_token(text: str, position: int = 0, *, unfinished: bool = False) -> Token | None:
    """Return the first word at or after a position.

    Parameters
    ----------
    text : str
        The line.
    position : int, default 0
        Where to begin; not inside a word.
    unfinished : bool, default False
        The line is still being typed: an open quote reaches to its end.

    Returns
    -------
    Token or None
        None when only white space is left.

    Raises
    ------
    UsageProblem
        If the word opens a quote that is never closed, unless `unfinished`.
    """
    start = index = _skip_space(text, position)
    if start == len(text):
        return None
    parts: list[str] = []
    quoted = listed = False
    value_start = start
    while index < len(text) and not text[index].isspace():
        end = index + 1
        if text[index] in QUOTES and index == value_start:
            end = quote_end(text, index, doubled=listed, unfinished=unfinished)
            parts.append(unescaped(text[index:end]) if listed else text[index + 1 : end].removesuffix(text[index]))
            quoted = True
        else:
            if text[index] == "[":
                end = subscript_end(text, index)
            elif text[index] == "=" and not listed and _is_name(text[value_start:index]):
                listed = not text.startswith("-", value_start)
                value_start = end
            elif text[index] == "," and listed:
                value_start = end
            parts.append(text[index:end])
        index = end
    return Token("".join(parts), start, index, quoted)


def shown(text: str, limit: int = 60) -> str:
    """Return a user's text as a message quotes it: short, on one line, without control characters.

    Parameters
    ----------
    text : str
        Anything.
    limit : int, default 60
        The most characters to show.
    """
    line = " ".join(text.split())
    if len(line) > limit:
        line = line[: limit - 1] + "…"
    return "‘" + "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line) + "’"


def near(word: str, candidates: list[str], count: int = 3, cutoff: float = 0.6) -> list[str]:
    """Return the candidates that a word may be a misspelling of, best first.

    Parameters
    ----------
    word : str
        As typed.
    candidates : list of str
        What it could have been.
    count : int, default 3
        The most to return.
    cutoff : float, default 0.6
        How alike they must be, from 0 to 1.
    """
    import difflib  # only a mistake needs it

    lowered: dict[str, str] = {}
    for candidate in candidates:
        lowered.setdefault(candidate.lower(), candidate)
    return [lowered[match] for match in difflib.get_close_matches(word.lower(), lowered, count, cutoff)]


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def _is_name(text: str) -> bool:
    """Whether ``text=`` names an option or a field, as the ``=`` within a URL does not."""
    return bool(text) and all(c.isalnum() or c in _NAME_BEFORE_EQUALS for c in text)


def unescaped(text: str) -> str:
    """Return what is in the quotes round a text, in which a doubled quote is one.

    Parameters
    ----------
    text : str
        Begins with a quote; the last one may be missing.
    """
    quote = text[0]
    inside = text[1:-1] if len(text) > 1 and text[-1] == quote else text[1:]
    return inside.replace(quote * 2, quote)


def quote_end(text: str, start: int, *, doubled: bool, unfinished: bool = False) -> int:
    """Return the index after the quote that closes the one at `start`.

    Parameters
    ----------
    text : str
        The line.
    start : int
        Where the quote is that opens.
    doubled : bool
        Whether two quotes in a row are one of the text.
    unfinished : bool, default False
        The line is still being typed: an open quote reaches to its end.

    Raises
    ------
    UsageProblem
        If it is never closed, unless `unfinished`.
    """
    quote = text[start]
    end = text.find(quote, start + 1)
    while doubled and end >= 0 and text.startswith(quote, end + 1):
        end = text.find(quote, end + 2)
    if end >= 0:
        return end + 1
    if unfinished:
        return len(text)
    raise UsageProblem(f"the quote that opens {shown(text[start:], 30)} is never closed: close it, or leave it out")


def subscript_end(text: str, start: int) -> int:
    """Return the index after the ``]`` that closes the ``[`` at `start`, or after that ``[`` alone.

    White space belongs to a subscript only in quotes and beside ``[``, ``]``, ``,`` and ``:``; the
    prompt's words after a file named ``cat[1.png`` are thereby kept out.

    Parameters
    ----------
    text : str
        The line.
    start : int
        Where the bracket is that opens.
    """
    index, depth, previous, spaced = start, 0, "[", False
    while index < len(text):
        character = text[index]
        if character.isspace():
            spaced = True
            index += 1
            continue
        if spaced and previous not in "[,:" and character not in "],:":
            break
        if character in QUOTES and previous in "[,:":
            index = text.find(character, index + 1)
            if index < 0:
                break
        depth += (character == "[") - (character == "]")
        if depth == 0:
            return index + 1
        if depth > _DEEPEST:
            break
        previous, spaced = character, False
        index += 1
    return start + 1
