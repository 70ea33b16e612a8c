"""The API key: a secret from where the user keeps it to the one header that carries it."""

import os
import sys
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from kling_nb.errors import ConfigurationError

KEY_VARIABLE = "KLING_API_KEY"
KEYRING_SERVICE = "kling_nb"

HOW_TO_GIVE_A_KEY = (
    "Give a key with `%kling login`, the environment variable KLING_API_KEY, a .env file or "
    "Kling(api_key=…); `%kling sandbox on` (or Kling(sandbox=True)) needs none."
)


class Secret:
    """A key that shows itself to nobody who does not ask: not in a repr, a log or a pickle.

    Parameters
    ----------
    value : str
        The key.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the key itself, for the one place that puts it into a header."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        message = "a key is never pickled"
        raise TypeError(message)


@dataclass(slots=True)
class KernelState:
    """What the user told this kernel, for as long as it lives."""

    login: Secret | None = None
    sandbox: bool | None = None
    folder: Path | None = None


kernel = KernelState()


class KeySource:
    """Where the key comes from; asked again for every request.

    Parameters
    ----------
    given : str or callable, optional
        The ``api_key`` argument: the key, or a function that returns it (for keys that expire).
    """

    def __init__(self, given: str | Callable[[], str] | None = None) -> None:
        self._given: Secret | Callable[[], str] | None = Secret(given) if isinstance(given, str) else given
        self._slow: Secret | None = None

    def __repr__(self) -> str:
        return "KeySource(…)"

    @property
    def identity(self) -> Hashable:
        """What tells two sources apart, so that those who share a key share its threads."""
        return self._given if self._given is not None else "wherever the user keeps it"

    def current(self) -> Secret:
        """Return the key that counts now.

        Raises
        ------
        ConfigurationError
            There is none, or it cannot be a Bearer key.
        """
        found = self.find()
        if found is None:
            message = "There is no API key."
            raise ConfigurationError(message, advice=HOW_TO_GIVE_A_KEY)
        return found

    def find(self) -> Secret | None:
        """Return the key that counts now, or None."""
        text = self._search()
        return None if text is None else Secret(_bearer(text))

    def _search(self) -> str | None:
        if isinstance(self._given, Secret):
            return self._given.reveal()
        if self._given is not None:
            return self._given()
        if kernel.login is not None:
            return kernel.login.reveal()
        quick = os.environ.get(KEY_VARIABLE) or dotenv_values().get(KEY_VARIABLE)
        if quick:
            return quick
        if self._slow is None:
            stored = _colab_secret() or _keyring_secret()
            self._slow = Secret(stored) if stored else None
        return self._slow.reveal() if self._slow else None


def _bearer(text: Any) -> str:
    if not isinstance(text, str):
        message = f"The API key must be text, not {type(text).__name__}."
        raise ConfigurationError(message, advice=HOW_TO_GIVE_A_KEY)
    key = text.strip()
    if key.lower().startswith("bearer "):
        key = key[7:].strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        message = "The API key is empty or holds spaces or characters that no key has."
        raise ConfigurationError(message, advice=HOW_TO_GIVE_A_KEY)
    return key


def _colab_secret() -> str | None:
    if "google.colab" not in sys.modules:
        return None
    from google.colab import userdata

    try:
        value = userdata.get(KEY_VARIABLE)
    except Exception:  # noqa: BLE001 - Colab raises its own types for "no such secret" and "not allowed"
        return None
    return value if isinstance(value, str) else None


def _keyring_secret() -> str | None:
    try:
        import keyring
    except ImportError:
        return None
    try:
        value = keyring.get_password(KEYRING_SERVICE, KEY_VARIABLE)
    except Exception:  # noqa: BLE001 - a machine without a keyring daemon fails in many ways; none is ours
        return None
    return value if isinstance(value, str) else None


def dotenv_values() -> Mapping[str, str | None]:
    """Return the variables of the nearest ``.env`` at or above the working directory."""
    folder = Path.cwd()
    for place in (folder, *folder.parents):
        if (place / ".env").is_file():
            from dotenv import dotenv_values as read

            return read(place / ".env")
    return {}
