"""References by name: what an image on the command line is called, and where it is found.

A name is tried as a variable of the notebook, then as a file or glob, then it is a URL. Nothing that
is typed is ever run: a variable's name may have attributes and subscripts behind it, and that is all.
"""

import ast
import itertools
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from kling_nb.notation.tokenizer import UsageProblem, near, shown

IMAGE_SUFFIXES = frozenset({".avif", ".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

_MISSING: Any = object()
_SHELL_NAMES = frozenset({"In", "Out", "exit", "quit", "get_ipython", "open"})
_LONGEST_EXPRESSION = 500
_MOST_ENTRIES = 2000


class Found(NamedTuple):
    """What a reference on the command line stands for.

    Parameters
    ----------
    value : object
        A variable's value; the text itself for a file, a glob or a URL, which another room opens.
    name : str
        As typed.
    """

    value: Any
    name: str


class Namespace:
    """The variables that a line can see: mappings, the nearest first.

    Parameters
    ----------
    *mappings : mapping
        For example the locals of the calling function, then the shell's ``user_ns``. Builtins belong
        to neither, and so are no variables.
    """

    __slots__ = ("_mappings",)

    def __init__(self, *mappings: Mapping[str, Any]) -> None:
        self._mappings = mappings

    def __getitem__(self, name: str) -> Any:
        for mapping in self._mappings:
            value = mapping.get(name, _MISSING)
            if value is not _MISSING:
                return value
        raise KeyError(name)

    def __contains__(self, name: str) -> bool:
        return any(name in mapping for mapping in self._mappings)

    def names(self) -> list[str]:
        """Return the user's own public names: no modules, and nothing of the shell's."""
        variables: dict[str, Any] = {}
        for mapping in reversed(self._mappings):
            variables.update(mapping)
        return [
            name
            for name, value in variables.items()
            # Asked of its type: an object's own `__class__` may raise, as a proxy's of nothing does.
            if not name.startswith("_") and name not in _SHELL_NAMES and not issubclass(type(value), ModuleType)
        ]


class _NotFound(Exception):
    """A step from a variable to its part went wrong; the text says which, and how."""


def find(text: str, namespace: Namespace) -> Found:
    """Find what a reference on the command line stands for.

    Parameters
    ----------
    text : str
        As typed: ``cat``, ``refs["a"]``, ``df.img[3]``, ``./cat``, ``refs/*.png``, ``https://…``.
    namespace : Namespace
        The variables that there are.

    Returns
    -------
    Found
        The value, and the name as typed.

    Raises
    ------
    UsageProblem
        If it is found nowhere, naming the nearest variables and files.
    """
    if text[:5].lower() == "data:" or text[:8].lower().startswith(("http://", "https://")):
        return Found(text, text)
    failure = ""
    expression = _parsed(text)  # never of `./cat`, which no Python can be
    if expression is not None:
        try:
            return Found(_value(expression, namespace), text)
        except _NotFound as problem:
            failure = str(problem)
    kind = _kind_of_path(text)
    if kind == "file":
        return Found(text, text)
    if kind == "folder":
        raise UsageProblem(
            f"{shown(text)} is a folder: name a picture in it, or several with a glob such as "
            f"{shown(text.rstrip('/') + '/*.png')}"
        )
    raise UsageProblem(_not_found(text, expression, failure, namespace))


# --- variables -----------------------------------------------------------------------------------


def variable(text: str, namespace: Namespace) -> Found | None:
    """Find what a variable stands for, with attributes and subscripts.

    Parameters
    ----------
    text : str
        As typed: ``prompts``, ``df.prompt``, ``studies["cats"]``.
    namespace : Namespace
        The variables that there are.

    Returns
    -------
    Found or None
        None for a text that can be no variable, as ``kling-v2`` and ``4`` cannot.

    Raises
    ------
    UsageProblem
        If it could be one and there is none, naming the nearest variables.
    """
    expression = _parsed(text)
    if expression is None:
        return None
    try:
        return Found(_value(expression, namespace), text)
    except _NotFound as problem:
        likely = [] if str(problem) else near(_root(expression), namespace.names())
        nearest = f"; nearest: {', '.join(likely)}" if likely else ""
        raise UsageProblem(str(problem) or f"{shown(text, 40)} is no variable of the notebook{nearest}") from None


def _parsed(text: str) -> ast.expr | None:
    """Return a name with attributes and subscripts as a tree, or None for anything else."""
    if len(text) > _LONGEST_EXPRESSION:
        return None
    try:
        with warnings.catch_warnings():
            # A backslash in `refs["C:\pics"]` is Python's business, and not worth a warning here.
            warnings.simplefilter("ignore")
            tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    # Round brackets and a comment leave no trace in the tree: ``cat#2.png`` is no variable `cat`.
    plain = text.lstrip()[0] != "(" and text.count("#") == ast.unparse(tree).count("#")
    return tree if plain and _is_path(tree) else None


def _is_path(node: ast.expr) -> bool:
    """Whether a tree is a name with nothing but attributes and subscripts."""
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Subscript):
            if not _is_index(node.slice):
                return False
        elif not isinstance(node, ast.Attribute):
            return False
        node = node.value
    return True


def _is_index(node: ast.expr) -> bool:
    if isinstance(node, ast.Slice):
        return all(_is_index(part) for part in (node.lower, node.upper, node.step) if part is not None)
    if isinstance(node, ast.Tuple):
        return all(_is_index(part) for part in node.elts)
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.USub) and _is_number(node.operand)
    return isinstance(node, ast.Constant) or _is_path(node)


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)


def _value(node: ast.expr, namespace: Namespace) -> Any:
    """Return what a tree that `_is_path` admitted stands for."""
    if isinstance(node, ast.Name):
        try:
            return namespace[node.id]
        except KeyError:
            raise _NotFound("") from None
    if isinstance(node, ast.Attribute):
        owner = _value(node.value, namespace)
        try:
            return getattr(owner, node.attr)
        except Exception as problem:  # noqa: BLE001 - a property of the user's may raise anything
            raise _NotFound(_failure(node, problem)) from None
    assert isinstance(node, ast.Subscript)  # noqa: S101 - there is no fourth kind, and mypy cannot know
    owner, index = _value(node.value, namespace), _index(node.slice, namespace)
    try:
        return owner[index]
    except Exception as problem:  # noqa: BLE001 - so may a `__getitem__`
        raise _NotFound(_failure(node, problem) + _has(owner, index)) from None


def _index(node: ast.expr, namespace: Namespace) -> Any:
    if isinstance(node, ast.Slice):
        parts = (node.lower, node.upper, node.step)
        return slice(*(None if part is None else _index(part, namespace) for part in parts))
    if isinstance(node, ast.Tuple):
        return tuple(_index(part, namespace) for part in node.elts)
    if isinstance(node, ast.UnaryOp):
        return -_index(node.operand, namespace)
    if isinstance(node, ast.Constant):
        return node.value
    try:
        return _value(node, namespace)
    except _NotFound as problem:
        raise _NotFound(str(problem) or f"there is no variable {_root(node)}") from None


def _failure(node: ast.Attribute | ast.Subscript, problem: Exception) -> str:
    """Return which step went wrong and how, in the words of the error that it raised."""
    said = f"{type(problem).__name__}: {problem}" if str(problem) else type(problem).__name__
    return f"{shown(ast.unparse(node), 40)} raised {shown(said, 80)[1:-1]}"


def _has(owner: Any, index: Any) -> str:
    """Return what a plain container has instead of an index that it has not."""
    if isinstance(owner, list | tuple):
        return f" (it has {len(owner)})"
    if not isinstance(owner, dict) or not owner:
        return ""
    keys = [key for key in list(owner)[:_MOST_ENTRIES] if isinstance(key, str)]
    likely = (near(index, keys) if isinstance(index, str) else []) or list(owner)[:4]
    return f" (it has {', '.join(shown(repr(key), 30)[1:-1] for key in likely)}{', …' * (len(owner) > len(likely))})"


# --- files ---------------------------------------------------------------------------------------


def files(prefix: str) -> list[str]:
    """Return the pictures and folders whose path begins with what is typed so far.

    Parameters
    ----------
    prefix : str
        The beginning of a path, which may begin with ``~``.

    Returns
    -------
    list of str
        Paths that begin with `prefix`, folders with a slash at their end; hidden ones only where
        the dot is typed.
    """
    folder, name = _split(prefix)
    found = [
        folder + entry.name + "/" * is_folder
        for entry, is_folder in _entries(folder)
        if (entry.name.startswith(name) if name else not entry.name.startswith("."))
        and (is_folder or _is_picture(entry.name))
    ]
    return sorted(found)


def _split(path: str) -> tuple[str, str]:
    """Return a path's folder, as typed and with its separator, and the name in it."""
    end = max(path.rfind("/"), path.rfind(os.sep)) + 1
    return path[:end], path[end:]


def _is_picture(name: str) -> bool:
    return name[name.rfind(".") :].lower() in IMAGE_SUFFIXES


def _entries(folder: str) -> list[tuple[os.DirEntry[str], bool]]:
    """Return what is in a folder and which of it is a folder; nothing where that cannot be read."""
    try:
        with os.scandir(Path(folder or ".").expanduser()) as entries:
            return [(entry, entry.is_dir()) for entry in itertools.islice(entries, _MOST_ENTRIES)]
    except (OSError, ValueError, RuntimeError):
        return []


def _kind_of_path(text: str) -> str:
    """Return ``file``, also for a glob that matches, ``folder``, or nothing."""
    if not text.strip():
        return ""
    try:
        path = Path(text).expanduser()
        if path.exists():
            return "folder" if path.is_dir() else "file"
        import glob  # most references are variables or plain files

        matches = glob.has_magic(text) and any(glob.iglob(str(path), recursive=True))  # noqa: PTH207 - may be absolute
    except (OSError, ValueError, RuntimeError):  # too long, a null byte, no home
        return ""
    return "file" if matches else ""


def _not_found(text: str, expression: ast.expr | None, failure: str, namespace: Namespace) -> str:
    """Return the line that says what was tried and what is nearest."""
    likely = []
    if expression is not None and not failure:
        likely = near(_root(expression), namespace.names())
    folder, name = _split(text)
    names = {entry.name: entry.name + "/" * is_folder for entry, is_folder in _entries(folder)}
    stems = {each.rpartition(".")[0]: each for each in names if _is_picture(each)}
    both = {**stems, **names}
    likely += dict.fromkeys(folder + both[match] for match in near(name, list(both)))
    nearest = f"; nearest: {', '.join(shown(each)[1:-1] for each in dict.fromkeys(likely))}" if likely else ""
    if expression is None:
        return f"{shown(text)} is no {_missing_kind(text)}{nearest}"
    if not failure:
        return f"{shown(text)} is neither a variable nor a file{nearest}"
    return f"{failure}, and no file is called {shown(text)}{nearest}"


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    assert isinstance(node, ast.Name)  # noqa: S101 - `_is_path` admits nothing else
    return node.id


def _missing_kind(text: str) -> str:
    """Return what a text that can only be a path could have been, and why it is not."""
    if "://" in text:
        return "reference: a URL begins with http:// or https://"
    if set("*?") & set(text):
        return "file, and matches none as a glob"
    if set("()[]{}'\"") & set(text):
        return (
            "file, and what is more than a name with attributes and subscripts is not looked up: put it into a "
            "variable, and name that"
        )
    return "file"
