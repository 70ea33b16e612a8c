"""What a measure may return, and what is made of it. Pure."""

import json
import math
import numbers
from collections.abc import Mapping
from typing import Any, NamedTuple

from kling_nb.request.problems import kind, shown

Number = int | float
Value = Number | dict[str, Number] | None
"""A number, several by name, or None where the measure does not apply."""

WANTED = "a number, a dict of text to number, or None where it does not apply"
_LONGEST_KEY = 80
_MOST_WHOLE = 2**53


class NotAValue(ValueError):
    """What a function returned is no value; the message is a clause such as ``returned text ("sharp")``."""


class Failure(NamedTuple):
    """Why there is no value.

    Parameters
    ----------
    kind : str
        The name of the exception; ``NotAValue`` where something else than a value was returned.
    message : str
        Its text, and where in the user's code it was raised.
    """

    kind: str
    message: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}" if self.message else self.kind


class Outcome(NamedTuple):
    """What one call came to.

    Parameters
    ----------
    value : int, float, dict of str to number, or None
        As returned, as plain Python; None also where it failed.
    failure : Failure, optional
        Why there is no value.
    """

    value: Value
    failure: Failure | None = None


def value_of(returned: Any) -> Value:
    """Return what a function returned as plain Python.

    Parameters
    ----------
    returned : object
        A number, also of NumPy or an array or tensor without dimensions (True and False are 1 and 0), a mapping of
        text to those, or None.

    Returns
    -------
    int, float, dict of str to number, or None
        Finite. Of a mapping what is None is left out; if that is all of it, the measure does not apply.

    Raises
    ------
    NotAValue
        It is something else, or not finite.
    """
    if returned is None:
        return None
    if not isinstance(returned, Mapping):
        return _number(returned, "returned")
    if not returned:
        message = "returned an empty dict"
        raise NotAValue(message)
    found = {
        _key(key): None if item is None else _number(item, f"returned, for {shown(key)},")
        for key, item in returned.items()
    }
    return {key: item for key, item in found.items() if item is not None} or None


def _key(key: Any) -> str:
    if not isinstance(key, str) or not key.strip() or not key.isprintable() or len(key) > _LONGEST_KEY:
        message = f"returned a dict with {shown(key)} as a key, which must be text of 1 to {_LONGEST_KEY} characters"
        raise NotAValue(message)
    return str(key)


def _number(item: Any, returned: str) -> Number:
    if isinstance(item, str | bytes):
        message = f"{returned} text ({shown(item)})"
        raise NotAValue(message)
    plain: Any = item.item() if getattr(item, "shape", None) == () and callable(getattr(item, "item", None)) else item
    if not isinstance(plain, numbers.Real):
        what = shown(item) if isinstance(item, list | tuple | set | Mapping) else f"a {kind(item)}"
        message = f"{returned} {what}"
        raise NotAValue(message)
    try:
        as_float = float(plain)
    except OverflowError:
        as_float = math.inf
    if not math.isfinite(as_float):
        message = f"{returned} {shown(plain)}, which is not finite"
        raise NotAValue(message)
    # A page in a browser reads larger whole numbers as fractions anyway.
    return int(plain) if isinstance(plain, numbers.Integral) and abs(int(plain)) <= _MOST_WHOLE else as_float


# ---- as JSON -----------------------------------------------------------------------------------------


def to_text(outcome: Outcome) -> str:
    """Return what a call came to as JSON."""
    found = {"failure": list(outcome.failure)} if outcome.failure else {"value": outcome.value}
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def from_text(text: str) -> Outcome:
    """Return what JSON says that a call came to.

    Raises
    ------
    ValueError
        It is none.
    """
    data = json.loads(text)
    if not isinstance(data, dict) or not data.keys() & {"failure", "value"}:
        message = "it is no result of a measure"
        raise ValueError(message)
    if "failure" in data:
        kind_of, message = data["failure"]
        return Outcome(None, Failure(str(kind_of), str(message)))
    return Outcome(value_of(data["value"]))
