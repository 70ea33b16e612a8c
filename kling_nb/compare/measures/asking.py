"""What is asked for: a function with the name, version and scope by which its results are known."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from kling_nb.compare.levels import VARIANT
from kling_nb.compare.measures.fingerprint import Untold, fingerprint
from kling_nb.errors import ConfigurationError, InvalidRequest
from kling_nb.records import FIELDS
from kling_nb.request.problems import near, shown
from kling_nb.session.history import COLUMNS

Over = Literal["image", "task", "cell"]
OVER: tuple[Over, ...] = ("image", "task", "cell")
ROLES = ("subject", "scene", "style")
BUILT_IN = ("aspect_ratio", "count", "near_duplicates", "diversity", "sharpness", "palette_distance")

_TAKEN = {
    "comparison",
    "digest",
    "sample",
    "state",
    VARIANT,
    *FIELDS,
    *COLUMNS,
    *(f"{column}_sent" for column in COLUMNS),
}
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Measure:
    """A function, and by what its results are known.

    Parameters
    ----------
    function : callable
        Takes an image (or several), references and a request.
    name, version : str
        By which its results are known.
    over : {"image", "task", "cell"}
        What it is called once for.
    roles : tuple of str
        The roles of the references whose bytes it reads.
    built_in : bool
        Whether it is one of this package.
    told : bool
        Whether the version was told from the function itself.
    """

    function: Callable[..., Any]
    name: str
    version: str
    over: Over
    roles: tuple[str, ...] = ROLES
    built_in: bool = False
    told: bool = False


def asked(function: Any, name: Any = None, version: Any = None, over: Any = None) -> Measure:
    """Return what is asked for, or say what is wrong with it.

    Parameters
    ----------
    function : callable or str
        Or the name of one of `BUILT_IN`.
    name, version, over : str, optional
        As given.

    Raises
    ------
    InvalidRequest
        One of them cannot be.
    ConfigurationError
        NumPy is not installed, and a built-in measure needs it.
    """
    if over is not None and over not in OVER:
        raise InvalidRequest(f"over is {shown(over)}; it must be one of {', '.join(OVER)}.", money="")
    if isinstance(function, str):
        return _built_in(function, {"name": name, "version": version, "over": over})
    if not callable(function):
        raise InvalidRequest(
            f"The measure is {shown(function)}; it must be a function of image, references and request, or one of "
            f"{', '.join(BUILT_IN)}.",
            money="",
        )
    if inspect.iscoroutinefunction(function):
        raise InvalidRequest("The measure is asynchronous; it must be an ordinary function.", money="")
    known_as = _name(function, name)
    told = version is None
    return Measure(function, known_as, _version(function, known_as, version), over or "image", told=told)


def _built_in(name: str, given: dict[str, Any]) -> Measure:
    if name not in BUILT_IN:
        meant = near(name, BUILT_IN, 1)
        hint = f"did you mean {meant[0]}?" if meant else f"there are {', '.join(BUILT_IN)}."
        raise InvalidRequest(f"There is no built-in measure {shown(name)}; {hint}", money="")
    try:
        from kling_nb.compare.measures.builtin import MEASURES
    except ImportError:
        raise ConfigurationError(
            "The built-in measures need numpy, which is not installed.", money="", advice="Run `%pip install numpy`."
        ) from None
    found = MEASURES[name]
    for field, value in given.items():
        if value is not None and value != getattr(found, field):
            raise InvalidRequest(
                f"{name} is built in, and its {field} is {getattr(found, field)}; leave {field}= out.", money=""
            )
    return found


def _name(function: Any, name: Any) -> str:
    if name is None:
        name = getattr(function, "__name__", "<lambda>")
        if name == "<lambda>":
            raise InvalidRequest("The measure has no name of its own; give one with name=.", money="")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= _LONGEST or not name.isprintable() or "." in name:
        # A measure of several numbers has the columns name.key.
        message = f"name is {shown(name)}; it must be text of 1 to {_LONGEST} characters, without a full stop."
        raise InvalidRequest(message, money="")
    name = name.strip()
    if name in BUILT_IN:
        raise InvalidRequest(f"{name} is the name of a built-in measure; give another with name=.", money="")
    if name in _TAKEN:
        raise InvalidRequest(f"{name} is a column of every comparison; give another name with name=.", money="")
    return str(name)


def _version(function: Any, name: str, version: Any) -> str:
    if version is None:
        try:
            return fingerprint(function)
        except Untold as error:
            advice = "Give version=, and another one whenever its results may have changed."
            raise InvalidRequest(f"The version of {name} cannot be told: {error}.", money="", advice=advice) from None
    text = str(version) if isinstance(version, int) and not isinstance(version, bool) else version
    if not isinstance(text, str) or not text.strip() or not text.isprintable() or len(text) > _LONGEST:
        raise InvalidRequest(
            f"version is {shown(version)}; it must be a number, or text of 1 to {_LONGEST} characters.", money=""
        )
    return text
