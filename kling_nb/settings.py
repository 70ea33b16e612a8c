"""Settings: where each comes from, and what makes it valid.

In order: the argument, then what this kernel was told (`%kling login`, `%kling sandbox`), then
`%config` (for the magic), then the environment, then ``.env``, then, for the key, Colab's secrets and
the keyring, then the default. The key is looked up anew for every request, so that a new login or a
rotated key counts at once.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kling_nb.errors import ConfigurationError
from kling_nb.key import KeySource, dotenv_values, kernel

DEFAULT_BASE_URL = "https://api.quickrouter.ai/kling"
API_PATH = "/v1/images/multi-image2image"


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, resolved and checked.

    Parameters
    ----------
    key : KeySource
        Looks the key up when it is needed.
    base_url : str
        Everything before ``/v1/…``, without a slash at its end.
    workspace : Path
        The folder that outlives the kernel, absolute.
    sandbox : bool
        Whether the local stand-in is used instead of ``base_url``.
    model_name : str
        Sent when a request names none.
    slots : int
        How many images may be in the making at once.
    price_per_image : float, optional
        In ``currency``; None shows no price.
    currency : str
        For example ``USD``.
    confirm_above : int
        More images than this in one call need an answer.
    max_images : int, optional
        A hard stop for this session.
    timeout : float
        Seconds after which a wait raises `WaitTimeout`.
    grace : float
        Seconds during which a lost create is looked up before it may be called absent.
    poll_interval : float, optional
        Seconds between two looks at a task; None learns it.
    sources : mapping of str to str
        From each setting that was given to where it was.
    """

    key: KeySource
    base_url: str
    workspace: Path
    sandbox: bool
    model_name: str
    slots: int
    price_per_image: float | None
    currency: str
    confirm_above: int
    max_images: int | None
    timeout: float
    grace: float
    poll_interval: float | None
    sources: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)


def resolve(
    arguments: Mapping[str, Any],
    config: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Resolve and check every setting.

    Parameters
    ----------
    arguments : mapping
        What was passed to `kling_nb.Kling`; None means not given.
    config : mapping, optional
        What ``%config KlingMagics…`` set.
    environ : mapping, optional
        Instead of `os.environ`.

    Returns
    -------
    Settings
        Complete and valid.

    Raises
    ------
    ConfigurationError
        Unknown or unusable; the message names the setting and where it came from.
    """
    unknown = set(arguments) - set(_SETTINGS) - {"api_key"}
    if unknown:
        from difflib import get_close_matches

        name, known = min(unknown), ("api_key", *_SETTINGS)
        near = [other for other in known if other.startswith(name)] or get_close_matches(name, known, 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        message = f"There is no setting {name!r}.{hint}"
        raise ConfigurationError(message, advice=f"The settings are: {', '.join(known)}.")
    layers: list[tuple[str, Mapping[str, Any]]] = [
        ("{name}", arguments),
        ("`%kling sandbox`", {"sandbox": kernel.sandbox}),
        ("%config KlingMagics.{name}", config or {}),
        # Not in a variable of its own: some tracebacks show those, and the key may be in the environment.
        ("{variable} in the environment", _by_name(os.environ if environ is None else environ)),
        ("{variable} in .env", _by_name(dotenv_values())),
    ]
    found = {name: _first(name, setting, layers) for name, setting in _SETTINGS.items()}
    values = {name: value for name, (value, _) in found.items()}
    sources = {name: place for name, (_, place) in found.items() if place}
    if values["sandbox"]:
        values["workspace"] = values["workspace"] / "sandbox"
    key = arguments.get("api_key")
    key = key if isinstance(key, KeySource) else KeySource(key)
    key.check()
    return Settings(key=key, sources=sources, **values)


def changed(settings: Settings) -> dict[str, str]:
    """Return the settings that differ from their default, and where each comes from.

    Parameters
    ----------
    settings : Settings
        Resolved.

    Returns
    -------
    dict of str to str
        From name to place.
    """
    usual = {name: setting.default() for name, setting in _SETTINGS.items()}
    if settings.sandbox:
        usual["workspace"] = usual["workspace"] / "sandbox"
    return {name: place for name, place in settings.sources.items() if getattr(settings, name) != usual[name]}


def _by_name(variables: Mapping[str, str | None]) -> dict[str, str]:
    found = {name: variables.get(setting.variable) for name, setting in _SETTINGS.items()}
    return {name: value for name, value in found.items() if value not in (None, "")}


def _first(name: str, setting: "_Setting", layers: list[tuple[str, Mapping[str, Any]]]) -> tuple[Any, str]:
    """Return a setting and where it was given; the default was nowhere."""
    for source, values in layers:
        value = values.get(name)
        if value is not None:
            place = source.format(name=name, variable=setting.variable)
            try:
                return setting.parse(value), "the argument of Kling" if place == name else place
            except ValueError as error:
                raise ConfigurationError(f"{place} is {_shown(value)!r}: {error}") from None
    return setting.default(), ""


def _shown(value: Any) -> str:
    # An address may hold a password, or a key in its query.
    return re.sub(r"(?s)([?#]).+", r"\1…", re.sub(r"(?s)//.*@.*", "//…", str(value)))[:200]


def check_base_url(text: Any) -> str:
    """Check a base URL: https, or http on loopback, and nothing behind the path.

    Parameters
    ----------
    text : str
        As the user gave it; the create path at its end is taken off.

    Returns
    -------
    str
        Without a slash at its end.

    Raises
    ------
    ValueError
        With the reason as its message.
    """
    url = str(text).strip().rstrip("/").removesuffix(API_PATH).removesuffix("/v1").rstrip("/")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # half an IPv6 address, or no number where the port is
        usable = False
    if not usable or not url.isprintable() or " " in url:
        raise ValueError("it must be an address such as " + DEFAULT_BASE_URL)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError("it must use https, because the key travels with every request")
    if any(character in url for character in "@?#"):
        raise ValueError("it must hold no user name, query or fragment")
    # The journal tells gateways apart by this text.
    return parts._replace(netloc=parts.netloc.lower()).geturl()


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address literal is this machine itself."""
    import ipaddress

    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _boolean(value: Any) -> bool:
    text = str(value).strip().lower()
    if text in ("1", "true", "yes", "on"):
        return True
    if text in ("0", "false", "no", "off"):
        return False
    raise ValueError("it must be on or off")


def _whole(low: int) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        try:
            number = int(str(value))
        except ValueError:
            raise ValueError("it must be a whole number") from None
        if isinstance(value, bool) or number < low:
            raise ValueError(f"it must be a whole number of at least {low}")
        return number

    return parse


def _number(unit: str, *, zero: bool) -> Callable[[Any], float]:
    def parse(value: Any) -> float:
        try:
            number = float(value)
        except (ValueError, TypeError, OverflowError):
            raise ValueError(f"it must be a number{unit}") from None
        if isinstance(value, bool) or not (0 <= number < float("inf")) or (number == 0 and not zero):
            kind, limit = ("number", ", at least 0") if zero else ("positive number", "")
            raise ValueError(f"it must be a {kind}{unit}{limit}")
        return number

    return parse


def _text(value: Any) -> str:
    text = str(value).strip()
    if not text:
        raise ValueError("it must not be empty")
    return text


def _folder(value: Any) -> Path:
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str) or "\0" in text:
        raise ValueError("it must be a path")
    try:
        return _home() / Path(_text(text)).expanduser()
    except RuntimeError:
        raise ValueError("there is no such home folder") from None


def _home() -> Path:
    return kernel.folder or Path.cwd()


@dataclass(frozen=True, slots=True)
class _Setting:
    variable: str
    parse: Callable[[Any], Any]
    default: Callable[[], Any] = field(default=lambda: None)


_SETTINGS = {
    "base_url": _Setting("KLING_BASE_URL", check_base_url, lambda: DEFAULT_BASE_URL),
    "workspace": _Setting("KLING_WORKSPACE", _folder, lambda: _home() / "kling_runs"),
    "sandbox": _Setting("KLING_SANDBOX", _boolean, lambda: False),
    "model_name": _Setting("KLING_MODEL_NAME", _text, lambda: "kling-v2-1"),
    "slots": _Setting("KLING_SLOTS", _whole(1), lambda: 5),
    "price_per_image": _Setting("KLING_PRICE_PER_IMAGE", _number("", zero=True)),
    "currency": _Setting("KLING_CURRENCY", _text, lambda: "USD"),
    "confirm_above": _Setting("KLING_CONFIRM_ABOVE", _whole(0), lambda: 36),
    "max_images": _Setting("KLING_MAX_IMAGES", _whole(0)),
    "timeout": _Setting("KLING_TIMEOUT", _number(" of seconds", zero=False), lambda: 1800.0),
    "grace": _Setting("KLING_GRACE", _number(" of seconds", zero=True), lambda: 120.0),
    "poll_interval": _Setting("KLING_POLL_INTERVAL", _number(" of seconds", zero=True)),
}

SETTINGS = frozenset(_SETTINGS)
"""The names of all settings but the key."""
VARIABLES = frozenset(setting.variable for setting in _SETTINGS.values())
"""The environment variables of all settings but the key."""
