"""``--vary`` and ``--samples``: from what was typed to a comparison that runs."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from kling_nb import kling as facade
from kling_nb.notation.names import Found, Namespace, find, variable
from kling_nb.notation.tokenizer import UsageProblem, shown
from kling_nb.notation.varying import Item, Varied
from kling_nb.records import REFERENCE_FIELDS
from kling_nb.session.screen import screen

if TYPE_CHECKING:
    from kling_nb.compare.comparison import Comparison
    from kling_nb.magics.options import Call

_NONE = ("none", "None")
_MAY_BE_NONE = (*REFERENCE_FIELDS, "aspect_ratio")
_ONE = (str, bytes, bytearray, memoryview, os.PathLike)


def compare(
    shell: Any, call: "Call", fields: Mapping[str, Any], namespace: Namespace, typed: Callable[[str], str]
) -> "Comparison":
    """Run the comparison that a line asks for, and show it.

    Parameters
    ----------
    shell : InteractiveShell
        Where ``-o`` binds it.
    call : Call
        The line.
    fields : mapping
        What all its cells have, by the API's names; what is empty is not given.
    namespace : Namespace
        The variables that there are.
    typed : callable
        Puts the notebook's variables into a prompt.

    Returns
    -------
    Comparison
        Shown already; not run where only its plan was asked for.

    Raises
    ------
    UsageProblem, InvalidRequest
        The line or the design is wrong; nothing was sent.
    KlingError
        As of `kling_nb.compare.comparison.Comparison.run`.
    """
    options = call.options
    given = {
        **{name: value for name, value in fields.items() if value not in (None, [])},
        "vary": _all_levels(options["vary"], namespace, typed) or None,
        "samples": 1 if options["samples"] is None else options["samples"],
        "fit": options["fit"],
    }
    from kling_nb.compare.planning import NameTaken

    kling = facade.default()
    try:
        made = kling.compare(**given, name=options["out"])
    except NameTaken:
        # The variable is bound anew, and what it named before is found by its id.
        made = kling.compare(**given)
    where = screen(quiet=call.silenced or options["quiet"])
    if options["out"]:
        shell.push({options["out"]: made})
    if options["dry_run"]:
        where.bundle(made.plan().bundle())
        made.shown()
        return made
    made.run_on(where, yes=options["yes"], background=options["background"])
    if options["background"] and not where.in_background:
        which = options["out"] or f"kling.comparison({made.name!r})"
        where.note(f"Comparison {made.name} is under way; `{which}.run()` waits for it and shows it.")
    return made


def _all_levels(varied: Iterable[Varied], namespace: Namespace, typed: Callable[[str], str]) -> dict[str, Any]:
    """Return the levels by field, or say everything that is wrong with them at once."""
    found, problems = {}, []
    for each in varied:
        try:
            found[each.field] = levels(each, namespace, typed)
        except UsageProblem as problem:
            problems.append(str(problem))
    if problems:
        raise UsageProblem("\n".join(problems))
    return found


def levels(varied: Varied, namespace: Namespace, typed: Callable[[str], str]) -> Any:
    """Return the levels that typed values stand for.

    Parameters
    ----------
    varied : Varied
        The field and its values.
    namespace : Namespace
        The variables that there are.
    typed : callable
        Puts the notebook's variables into a prompt; not into those that a variable holds.

    Returns
    -------
    list or mapping
        As `Kling.compare` takes them: what a single variable holds as it is, otherwise a list.

    Raises
    ------
    UsageProblem
        If a value is found nowhere, or cannot be one of that field.
    """
    field, items = varied
    only = items[0] if len(items) == 1 and not items[0].quoted and not _is_none(field, items[0], namespace) else None
    if field in REFERENCE_FIELDS:
        found = find(only.text, namespace) if only is not None else None
        if found is not None and _holds_levels(found.value):
            return _named(found)
        return [level for item in items for level in _pictures(field, item, namespace)]
    if only is not None:
        several = _several(field, only.text, namespace)
        if several is not None:
            return several
    if field == "prompt":
        return [typed(item.text) for item in items]
    if field == "n":
        return [_whole(item.text) for item in items]
    return [None if _is_none(field, item, namespace) else item.text for item in items]


def _is_none(field: str, item: Item, namespace: Namespace) -> bool:
    return field in _MAY_BE_NONE and not item.quoted and item.text in _NONE and item.text not in namespace


def _pictures(field: str, item: Item, namespace: Namespace) -> Iterator[Any]:
    """Yield the level that one value stands for, or one for each file of a glob."""
    from kling_nb.request import NamedSource
    from kling_nb.request.text import matches

    if _is_none(field, item, namespace):
        yield None
        return
    found = find(item.text, namespace)
    files = matches(item.text) if found.value is item.text else []
    if files:
        yield from (NamedSource(name, name) for name in files)
    else:
        yield _picture(*found) if isinstance(found.value, list | tuple) else NamedSource(*found)


def _several(field: str, text: str, namespace: Namespace) -> Any:
    """Return what a variable holds that a single bare word names; None for a word that can be no variable.

    Such a word is nothing but the name of a variable: as a value it would be a comparison of one level, and that is
    more often a slip of the pen, which would be paid.
    """
    try:
        found = variable(text, namespace)
    except UsageProblem as problem:
        raise UsageProblem(f"--vary {field}=…: {problem}. {_instead(field, text)}") from None
    if found is None or _holds_levels(found.value):
        return None if found is None else found.value
    kind = shown(type(found.value).__name__, 40)[1:-1]
    raise UsageProblem(
        f"--vary {field}=…: the variable {shown(text, 40)} is of type {kind}, no collection. {_instead(field, text)}"
    )


def _instead(field: str, text: str) -> str:
    listed = "Name a list or a dict of the notebook, or write the values with commas between"
    text_too = f'; as a single text: `--vary {field}="{shown(text, 40)[1:-1]}"`'
    return listed + (text_too if field in {"prompt", "model_name"} else "")


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UsageProblem(f"--vary n=… takes whole numbers, and {shown(text, 40)} is none") from None


def _holds_levels(value: Any) -> bool:
    """Tell whether a value is a collection, and no picture: the type is asked, as a proxy's value may lie."""
    kind = type(value)
    if issubclass(kind, _ONE) or hasattr(kind, "__kling_reference__") or hasattr(kind, "read"):
        return False
    return issubclass(kind, Iterable) and getattr(value, "ndim", 1) == 1


def _named(found: Found) -> Any:
    """Return a variable's pictures, each named as one would write it."""
    value, name = found
    if isinstance(value, Mapping):
        return {key: _picture(each, f"{name}[{key!r}]") for key, each in value.items()}
    pairs = value.items() if hasattr(value, "items") else enumerate(value)
    return [_picture(each, f"{name}[{_plain(key)!r}]") for key, each in pairs]


def _plain(key: Any) -> Any:
    return key.item() if hasattr(key, "item") else key


def _picture(value: Any, name: str) -> Any:
    """Return a picture, or several, by their name; a file or a URL has its own already."""
    from kling_nb.request import NamedSource

    if isinstance(value, list | tuple):
        return [_picture(each, f"{name}[{index}]") for index, each in enumerate(value)]
    return value if value is None or isinstance(value, str | os.PathLike) else NamedSource(value, name)
