"""Telling whether a function is the one that it was: a hash of what it does, as far as Python can tell.

What counts: its bytecode and constants; defaults and what it closes over; and of the globals that it reads, plain
data (numbers, text, lists, arrays) and the functions of its own module, in turn. Not its file, its lines or its name.

What cannot be told and so does not count: globals that are neither, such as the weights of a model, functions of
other modules, files that it reads. Where the function itself holds such a thing, as a default or in its closure, it
is refused, since two functions of one text would pass for the same.
"""

import dis
import functools
import hashlib
import pathlib
import types
from collections.abc import Callable, Iterator
from typing import Any

from kling_nb.request.problems import kind

_LENGTH = 16
_ATOMS = (type(None), bool, int, float, complex, str, bytes, type(...), range, pathlib.PurePath)


class Untold(ValueError):
    """It cannot be told whether the function is the one that it was; the message says why, as a clause."""


def fingerprint(function: Callable[..., Any]) -> str:
    """Return a hash of what a function does.

    Parameters
    ----------
    function : callable
        A function written in Python, or a `functools.partial` of one.

    Returns
    -------
    str
        16 hexadecimal digits; others for another version of Python, whose bytecode differs.

    Raises
    ------
    Untold
        It is an object of another kind, or holds one.
    """
    if not isinstance(function, types.FunctionType | functools.partial):
        message = f"it is not a function but a {kind(function)}, and what it holds may have changed"
        raise Untold(message)
    root: Any = function
    while isinstance(root, functools.partial):
        root = root.func
    try:
        described = _Description(getattr(root, "__module__", None)).of(function, "", strict=True)
    except RecursionError:
        message = "what it holds is too deeply nested"
        raise Untold(message) from None
    return hashlib.sha256(repr(described).encode(errors="surrogatepass")).hexdigest()[:_LENGTH]


class _Description:
    """Describes things by nested tuples whose text is the same for the same things.

    Parameters
    ----------
    module : str, optional
        Whose functions are followed.
    """

    def __init__(self, module: str | None) -> None:
        self._module = module
        self._seen: dict[int, int] = {}

    def of(self, thing: Any, name: str, *, strict: bool) -> tuple[Any, ...]:
        """Return a description of one thing.

        Parameters
        ----------
        thing : object
            Anything.
        name : str
            What the function calls it.
        strict : bool
            Whether to refuse what cannot be told; its type stands for it otherwise.
        """
        if isinstance(thing, _ATOMS):
            return (type(thing).__name__, repr(thing))
        if isinstance(thing, tuple | list):
            return (type(thing).__name__, *(self.of(each, name, strict=strict) for each in thing))
        if isinstance(thing, set | frozenset):
            return (type(thing).__name__, *sorted(repr(self.of(each, name, strict=strict)) for each in thing))
        if isinstance(thing, dict):
            items = [self.of(each, name, strict=strict) for item in thing.items() for each in item]
            return ("dict", *items)
        if isinstance(thing, types.CodeType):
            return self._code(thing)
        return self._object(thing, name, strict=strict)

    def _object(self, thing: Any, name: str, *, strict: bool) -> tuple[Any, ...]:
        cached = getattr(thing, "__wrapped__", None)
        if isinstance(thing, functools._lru_cache_wrapper) and isinstance(cached, types.FunctionType):
            thing = cached
        if isinstance(thing, types.FunctionType):
            followed = strict or thing.__module__ == self._module
            return self._function(thing) if followed else ("function", thing.__module__, thing.__qualname__)
        if isinstance(thing, functools.partial):
            held = (thing.func, thing.args, thing.keywords)
            return ("partial", *(self.of(each, name, strict=strict) for each in held))
        if isinstance(thing, types.ModuleType):
            return ("module", thing.__name__)
        if isinstance(thing, type):
            return ("type", thing.__module__, thing.__qualname__)
        if isinstance(thing, types.BuiltinFunctionType) and isinstance(thing.__self__, types.ModuleType | None):
            return ("builtin", thing.__module__, thing.__qualname__)
        if kind(thing).startswith("numpy.") and hasattr(thing, "tobytes") and not thing.dtype.hasobject:
            return ("array", str(thing.dtype), thing.shape, hashlib.sha256(thing.tobytes()).hexdigest())
        if strict:
            message = f"it holds {name or 'an object'}, a {kind(thing)}, which may have changed"
            raise Untold(message)
        return ("object", kind(thing))

    def _function(self, function: types.FunctionType) -> tuple[Any, ...]:
        if id(function) in self._seen:
            return ("again", self._seen[id(function)])
        self._seen[id(function)] = len(self._seen)
        code = function.__code__
        held = {
            "defaults": self.of(function.__defaults__, "a default", strict=True),
            "keywords": self.of(function.__kwdefaults__, "a default", strict=True),
            "closure": tuple(
                self._cell(cell, name) for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True)
            ),
            "globals": tuple(
                (name, self.of(function.__globals__[name], name, strict=False))
                for name in sorted(set(_globals_read(code)))
                if name in function.__globals__
            ),
        }
        return ("function", self._code(code), tuple(held.items()))

    def _cell(self, cell: Any, name: str) -> tuple[Any, ...]:
        try:
            held = cell.cell_contents
        except ValueError:
            # What is not there yet, as within a function that is just being defined.
            return ("empty",)
        return self.of(held, name, strict=True)

    def _code(self, code: types.CodeType) -> tuple[Any, ...]:
        facts = (code.co_code, code.co_exceptiontable, code.co_names, code.co_flags, code.co_argcount)
        return ("code", *map(repr, facts), self.of(code.co_consts, "a constant", strict=True))


def _globals_read(code: types.CodeType) -> Iterator[str]:
    """Yield the names of the globals that code reads, also in functions within it."""
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield str(step.argval)
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            yield from _globals_read(each)
