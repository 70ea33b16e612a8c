"""What the Tab key offers on a `%kling` line."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from kling_nb.magics.options import COMMANDS, OPTIONS, Option, split_option
from kling_nb.magics.questionmark import MAGIC_START
from kling_nb.notation.names import Namespace, files
from kling_nb.notation.pictures import NO_REFERENCE, rank
from kling_nb.notation.prompt import insertable
from kling_nb.notation.tokenizer import QUOTES, Token, next_token
from kling_nb.notation.varying import last_item
from kling_nb.records import ASPECT_RATIOS, FIELDS, MAX_N, MODEL_NAMES, REFERENCE_FIELDS

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, MatcherAPIv2, SimpleMatcherResult

_MOST_MATCHES = 200
_KNOWN = {
    "model_name": MODEL_NAMES,
    "aspect_ratio": (*ASPECT_RATIOS, "none"),
    "n": tuple(str(n) for n in range(1, MAX_N + 1)),
    "scene_image": ("none",),
    "style_image": ("none",),
}
"""What the fields of a comparison may be, as far as it is known."""
_TABLES = frozenset({"numpy", "pandas", "polars"})


class Match(NamedTuple):
    """One thing that may be put in the fragment's place, and what it is."""

    text: str
    kind: str


class Completions(NamedTuple):
    """What may follow.

    Parameters
    ----------
    fragment : str
        The end of the line that a match replaces; empty where something new begins.
    matches : list of Match
        In the order to offer them.
    """

    fragment: str
    matches: list[Match]


class _Sources(NamedTuple):
    namespace: Namespace
    list_files: Callable[[str], Iterable[str]]
    list_tasks: Callable[[], Iterable[str]]


def complete(
    text: str,
    namespace: Namespace,
    list_files: Callable[[str], Iterable[str]] = files,
    list_tasks: Callable[[], Iterable[str]] = tuple,
) -> Completions | None:
    """Return what may come at the end of an unfinished line.

    Parameters
    ----------
    text : str
        The line up to the cursor, or the cell up to the cursor: the last line counts, unless the cell
        begins with ``%%kling``; then all lines below the first are the prompt.
    namespace : Namespace
        The variables to offer.
    list_files : callable, optional
        From the beginning of a path to the paths that begin so.
    list_tasks : callable, optional
        Returns the ids that ``show`` and ``wait`` may be given.

    Returns
    -------
    Completions or None
        None where this is no `%kling` line, and Python's own completion should do.
    """
    sources = _Sources(namespace, list_files, list_tasks)
    head, newline, _ = text.partition("\n")
    cell = re.match(r"\s*%%kling(?=\s|$)", head)
    if cell and newline:
        return _prompt(text, namespace)
    if cell:
        line = head[cell.end() :]
        return _on_line(line.lstrip(), sources, in_cell=True) if line else None
    line = _logical_line(text)
    magic = re.match(MAGIC_START, line)
    return _on_line(line[magic.end() :], sources, in_cell=False) if magic else None


def make_matcher(
    namespace: Callable[[], Namespace],
    list_files: Callable[[str], Iterable[str]] = files,
    list_tasks: Callable[[], Iterable[str]] = tuple,
) -> "MatcherAPIv2":
    """Return a matcher for ``ip.Completer.custom_matchers``.

    Parameters
    ----------
    namespace : callable
        Returns the variables at the moment of the key press.
    list_files, list_tasks : callable, optional
        As for `complete`.

    Returns
    -------
    callable
        Keeps every other matcher out of a `%kling` line, and itself out of every other line.
    """
    from IPython.core.completer import SimpleCompletion, context_matcher

    def kling_matcher(context: "CompletionContext") -> "SimpleMatcherResult":
        lines = context.full_text.split("\n")[: context.cursor_line]
        found = complete("\n".join([*lines, context.text_until_cursor]), namespace(), list_files, list_tasks)
        if found is None:
            return {"completions": [], "suppress": False}
        return {
            "completions": _Exclusive(SimpleCompletion(text, type=kind) for text, kind in found.matches),
            "matched_fragment": found.fragment,
            "ordered": True,
            "suppress": True,
        }

    matcher: MatcherAPIv2 = context_matcher(identifier="kling_nb.kling_matcher", priority=100)(kling_matcher)
    return matcher


class _Exclusive(list[Any]):
    """Completions that keep others out even when there are none.

    IPython lets a matcher silence the others only if it has something to say itself; inside a prompt,
    where a word is a word, the 200 names that Python would offer are worse than nothing.
    """

    def __len__(self) -> int:
        return max(1, super().__len__())


# --- where the cursor is -------------------------------------------------------------------------


def _logical_line(text: str) -> str:
    """Return the last line, with those before it that a backslash continues."""
    lines = text.split("\n")
    first = len(lines) - 1
    while first and lines[first - 1].endswith("\\"):
        first -= 1
    return " ".join([line[:-1] for line in lines[first:-1]] + lines[-1:])


def _on_line(line: str, sources: _Sources, *, in_cell: bool) -> Completions:
    """Return what may come at the end of the words after the magic's name."""
    words, last = _words(line)
    if words and not in_cell:
        command = next((each for each in COMMANDS if each.name == words[0].text), None)
        if command is not None:
            typed = line[last:] if len(words) == 1 else None
            return _argument(command.task, command.choices, typed, sources)
    given, option = set[str](), None
    for word in words:
        if option is not None:
            option = None
            continue
        option, _, value = split_option(word.text)
        if option is None:
            return Completions("", []) if in_cell else _prompt(line, sources.namespace)
        given.add(option.destination)
        if value is not None or not option.metavar:
            option = None
    fragment = line[last:]
    if option is not None:
        return _values(option, fragment, words, sources, in_cell=in_cell)
    option, _, value = split_option(fragment)
    if option is not None and option.metavar and value is not None:
        return _values(option, value, words, sources, in_cell=in_cell)
    return _option(fragment, given, sources, first=not words, in_cell=in_cell)


def _words(line: str) -> tuple[list[Token], int]:
    """Return the finished words, and where the one begins that is being typed."""
    words: list[Token] = []
    token = next_token(line, unfinished=True)
    while token is not None:
        if token.end == len(line):
            return words, token.start
        words.append(token)
        token = next_token(line, token.end, unfinished=True)
    return words, len(line)


def _prompt(text: str, namespace: Namespace) -> Completions:
    """Return the variables that an open brace may be closed on."""
    brace = re.search(r"(?<!\{)\{([^\W\d]\w*)?$", text)
    if brace is None:
        return Completions("", [])
    fragment = brace[1] or ""
    names = [each for each in namespace.names() if each.startswith(fragment)]
    texts = [Match(each, "variable") for each in names if insertable(namespace[each]) is not None]
    return Completions(fragment, texts[:_MOST_MATCHES])


# --- what to offer there -------------------------------------------------------------------------


def _argument(task: bool, choices: tuple[str, ...], typed: str | None, sources: _Sources) -> Completions:
    """Return what a command may be followed by; `typed` is None from its second word on."""
    if typed is None:
        return Completions("", [])
    ids = _listed(sources.list_tasks) if task else []
    words = [Match(each, "keyword") for each in choices] + [Match(each, "task") for each in ids]
    return Completions(typed, [each for each in words if each.text.startswith(typed)])


def _option(fragment: str, given: set[str], sources: _Sources, *, first: bool, in_cell: bool) -> Completions:
    """Return what may come where an option, the first word or the prompt's first word is typed."""
    matches = [
        Match(name, "option")
        for each in OPTIONS
        if each.repeatable or each.destination not in given
        for name in each.names
    ]
    if first and not in_cell:
        matches = [Match(each.name, "command") for each in COMMANDS] + matches
    found = [each for each in matches if each.text.startswith(fragment)]
    if not found and not in_cell and not fragment.startswith("-"):
        return _prompt(fragment, sources.namespace)
    return Completions(fragment, found)


def _values(option: Option, fragment: str, words: Sequence[Token], sources: _Sources, *, in_cell: bool) -> Completions:
    """Return what may come as an option's value."""
    if option.kind == "levels":
        return _levels(fragment, words, sources, in_cell=in_cell)
    if option.kind == "reference":
        return Completions(fragment, _references(fragment, sources, in_cell=in_cell)[:_MOST_MATCHES])
    return Completions(fragment, [Match(each, "value") for each in option.values() if each.startswith(fragment)])


def _levels(fragment: str, words: Sequence[Token], sources: _Sources, *, in_cell: bool) -> Completions:
    """Return a field that is not varied yet, or what may come as the last of a field's values."""
    if fragment.startswith(tuple(QUOTES)):
        return _prompt(fragment, sources.namespace)
    field, equals, values = fragment.partition("=")
    if not equals:
        varied = {word.text.removeprefix("--vary=").partition("=")[0] for word in words}
        names = [f"{each}=" for each in FIELDS if each.startswith(field) and each not in varied]
        return Completions(fragment, [Match(name, "field") for name in names])
    start = last_item(values)
    typed, before = values[start:], values[:start].split(",")
    if field == "prompt" and "{" in typed:
        return _prompt(typed, sources.namespace)
    known = [each for each in _KNOWN.get(field, ()) if each not in before]
    matches = [Match(each, "value") for each in known if each.startswith(typed)]
    if field in REFERENCE_FIELDS:
        matches += _references(typed, sources, in_cell=in_cell, listed=True)
    elif field in FIELDS and not start:
        namespace = sources.namespace
        names = [name for name in namespace.names() if name.startswith(typed)]
        matches += [Match(name, "variable") for name in sorted(names) if _is_collection(namespace[name])]
    return Completions(typed, matches[:_MOST_MATCHES])


def _is_collection(value: Any) -> bool:
    """Tell whether a value may hold the levels of a field."""
    kind = type(value)
    if issubclass(kind, (list, tuple, dict, range)):
        return True
    is_table = kind.__name__ in {"Series", "Index", "ndarray"} and kind.__module__.partition(".")[0] in _TABLES
    return is_table and getattr(value, "ndim", 1) == 1


def _references(fragment: str, sources: _Sources, *, in_cell: bool, listed: bool = False) -> list[Match]:
    """Return the variables and pictures whose name begins with what is typed, images first.

    A comma within a name ends it where it is one of those that are `listed`.
    """
    quote = fragment[:1] if fragment[:1] in QUOTES else ""
    typed = fragment.removeprefix(quote)
    names = []
    if not quote and (not typed or typed.isidentifier()):
        names = [name for name in sources.namespace.names() if name.startswith(typed)]
    ranks = {name: rank(type(sources.namespace[name])) for name in names}
    matches = [
        Match(name, "variable")
        for name in sorted(names, key=lambda name: (ranks[name], name))
        if ranks[name] < NO_REFERENCE
    ]
    for path in _listed(lambda: sources.list_files(typed)):
        word = _as_word(path, quote, sources.namespace, in_cell=in_cell, listed=listed)
        if word:
            matches.append(Match(word, "path"))
    return matches


def _as_word(path: str, quote: str, namespace: Namespace, *, in_cell: bool, listed: bool) -> str:
    """Return a path as it must be typed to be one word, and to be a path; nothing if it cannot be."""
    needs_quotes = any(map(str.isspace, path)) or path[0] in QUOTES or (in_cell and path[0] == "#")
    needs_quotes = needs_quotes or (listed and "," in path)
    if not quote and not needs_quotes:
        return f"./{path}" if path in namespace else path
    mark = quote or next((each for each in QUOTES if each not in path), "")
    if not mark or mark in path:
        return ""
    return mark + path + ("" if path.endswith("/") else mark)  # an open quote lets the path go on


def _listed(source: Callable[[], Iterable[str]]) -> list[str]:
    try:
        return list(source())
    except Exception:  # noqa: BLE001 - IPython would print the traceback into the line being typed
        return []
