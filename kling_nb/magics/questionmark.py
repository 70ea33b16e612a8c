"""A prompt that asks: keeps IPython from taking `%kling … ?` for a request for help.

IPython rewrites a line that ends in ``?`` before any magic sees it, so that ``%kling -s cat what is
this?`` would open the help of ``this``, and ``x = %kling … ?`` would leave the old ``x`` without a word.
It leaves a line alone that has white space after the ``?``, and strips that before it calls the magic:
one space at the end of the line saves the prompt and changes no letter of it.
"""

import re

# An optional assignment and the magic's name; `completion` looks for the same.
MAGIC_START = r"[ \t]*(?:[^\s=%#!?][^=%#\n]*=[ \t]*)?%kling[ \t]+"

# A comment, a string that ends on its line, or quotes that may open one that does not.
_STRINGS = r"""#.*|('''|\"\"\")|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'"""


def keep_questions(lines: list[str]) -> list[str]:
    """Put a space behind the final question marks of `%kling` lines that have words.

    Parameters
    ----------
    lines : list of str
        A cell's lines with their ends, as ``ip.input_transformers_cleanup`` hands them over.

    Returns
    -------
    list of str
        The lines. ``%kling?``, ``%kling??`` and ``?%kling`` stay a request for help, a cell that begins with
        ``%%`` stays as it is (IPython takes nothing in it for help), and so does what looks like such a line
        inside a triple-quoted string. Strings are told apart without parsing Python: in doubt, one space
        is put at the end of a line of text.
    """
    if not lines or lines[0].startswith("%%") or not any("%kling" in line for line in lines):
        return lines
    kept: list[str] = []
    asking = False  # within a `%kling` line that a backslash continues
    fence = ""  # the quotes of the triple-quoted string that the line begins in
    for line in lines:
        starts = not fence and re.match(MAGIC_START + r"[^\s?]", line) is not None
        if asking or starts:
            asking = line.rstrip("\r\n").endswith("\\")
            kept.append(re.sub(r"\?(?=[\r\n]*\Z)", "? ", line))
            continue
        if fence or not line.lstrip().startswith(("%", "!")):
            fence = _open_fence(line, fence)
        kept.append(line)
    return kept


def _open_fence(line: str, fence: str) -> str:
    """Return the triple quotes that are open at the end of a line, given those open at its start."""
    position = 0
    while True:
        if fence:
            end = line.find(fence, position)
            if end < 0:
                return fence
            fence, position = "", end + len(fence)
        match = re.compile(_STRINGS).search(line, position)
        if match is None:
            return ""
        fence, position = match[1] or "", match.end()
