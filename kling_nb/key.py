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

    Raises
    ------
    ConfigurationError
        It is neither.
    """

    def __init__(self, given: Any = None) -> None:
        self._given: Secret | Callable[[], Any] | None = Secret(given) if isinstance(given, str) else given
        self._slow: Secret | None = None
        if not (given is None or isinstance(given, (str, Secret)) or callable(given)):
            message = f"api_key must be text or a function that returns it, not {type(given).__name__}."
            raise ConfigurationError(message, advice=HOW_TO_GIVE_A_KEY)

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
        # No function that raises has the key in a variable: some tracebacks show those.
        found = self._search()
        return None if found is None else _checked(Secret(_bare(found.reveal())))

    def _search(self) -> Secret | None:
        if isinstance(self._given, Secret):
            return self._given
        if self._given is not None:
            return _asked(self._given)
        if kernel.login is not None:
            return kernel.login
        quick = _secret(os.environ.get(KEY_VARIABLE)) or _secret(dotenv_values().get(KEY_VARIABLE))
        if quick is None and self._slow is None:
            self._slow = _colab_secret() or _keyring_secret()
        return quick or self._slow


def _secret(value: Any) -> Secret | None:
    return Secret(value) if isinstance(value, str) and value else None


def _asked(function: Callable[[], Any]) -> Secret | None:
    answer = function()
    if answer is None or isinstance(answer, Secret):
        return answer
    if isinstance(answer, str):
        return Secret(answer)
    message = f"The API key must be text, not {type(answer).__name__}."
    del answer
    raise ConfigurationError(message, advice=HOW_TO_GIVE_A_KEY)


def _bare(text: str) -> str:
    word, _, rest = text.strip().replace("\t", " ").partition(" ")
    return rest.strip() if word.lower() == "bearer" else text.strip()


def _checked(key: Secret) -> Secret:
    if not _is_usable(key.reveal()):
        message = "The API key is empty or holds spaces or characters that no key has."
        raise ConfigurationError(message, advice=HOW_TO_GIVE_A_KEY)
    return key


def _is_usable(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def _colab_secret() -> Secret | None:
    if "google.colab" not in sys.modules:
        return None
    from google.colab import userdata

    try:
        return _secret(userdata.get(KEY_VARIABLE))
    except Exception:  # noqa: BLE001 - Colab raises its own types for "no such secret" and "not allowed"
        return None


def _keyring_secret() -> Secret | None:
    try:
        import keyring

        return _secret(keyring.get_password(KEYRING_SERVICE, KEY_VARIABLE))
    except Exception:  # noqa: BLE001 - without keyring, or its daemon, this fails in many ways; none is ours
        return None


def dotenv_values() -> Mapping[str, str | None]:
    """Return the variables of the nearest ``.env`` at or above the working directory.

    Raises
    ------
    ConfigurationError
        It cannot be read.
    """
    folder = Path.cwd()
    for place in (folder, *folder.parents):
        if (place / ".env").is_file():
            from dotenv import dotenv_values as read

            try:
                return read(place / ".env")
            except (OSError, UnicodeError) as error:
                message = f"{place / '.env'} cannot be read: {error}."
                raise ConfigurationError(message, advice="Save it as text in UTF-8.") from None
    return {}
