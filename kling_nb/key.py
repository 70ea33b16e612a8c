"""The API key: a secret from where the user keeps it to the one header that carries it."""

import base64
import json
import os
import re
import sys
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from kling_nb.errors import ConfigurationError, place_of

KEY_VARIABLE = "KLING_API_KEY"
KEYRING_SERVICE = "kling_nb"
SHORTEST = 8
"""Characters from which on a key is taken out of what others say; a shorter one is a word, no secret."""
_ESCAPES = re.compile(r"[\\%&]")

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

    def mark(self) -> str:
        """Return eight hexadecimal digits that tell this key from others, and from which nobody finds it.

        Keys that are made anew every half hour, of the vendor's older kind, are alike when their issuer is.
        """
        whose = _issuer(self) or self._value
        import hashlib

        return hashlib.sha256(b"kling_nb account\0" + whose.encode("utf-8", "surrogatepass")).hexdigest()[:8]

    def taken_out_of(self, text: str) -> str:
        """Return a text with ``…`` in place of the key, however its letters are written there.

        Parameters
        ----------
        text : str
            From outside: plain, JSON, HTML, a URL, also escaped more than once.
        """
        if len(self._value) < SHORTEST:
            return text
        # Letter by letter it takes longer than everything else that is done with an answer.
        if self._value in text or _ESCAPES.search(text):
            text = re.sub("".join(map(_spellings, self._value)), "…", text)
        # What is cut off may be so within the key.
        ends = (self._value[:length] for length in range(len(self._value) - 1, SHORTEST - 1, -1))
        end = next((end for end in ends if text.endswith(end)), None)
        return text if end is None else text.removesuffix(end) + "…"

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


def _issuer(key: Secret) -> str:
    """Return the ``iss`` of a key that is a JSON Web Token (RFC 7519), else nothing."""
    claims = key.reveal().split(".")[1:2] if key.reveal().count(".") == 2 else []
    try:
        issuer = [json.loads(base64.urlsafe_b64decode(each + "==")).get("iss") for each in claims]
    except (ValueError, AttributeError, RecursionError):
        return ""
    return issuer[0] if issuer and isinstance(issuer[0], str) else ""


def _spellings(letter: str) -> str:
    """Return a pattern for a letter as it is, and as JSON, Python, URLs and HTML may escape it."""
    code = ord(letter)
    digits = f"(?i:{code:02x})"
    # A bounded number of backslashes, or a long run of them would take for ever.
    plain, escaped = rf"\\{{0,8}}{re.escape(letter)}", rf"\\{{1,8}}(?:u00|x){digits}"
    return rf"(?:{plain}|{escaped}|%(?:25)*{digits}|&\#(?:0*{code}|[xX]0*{digits});?)"


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
        The ``api_key`` argument: the key, or a function that returns it (for keys that expire). What is
        neither is refused by `check`, when whoever gave it has it in no variable any more.
    """

    def __init__(self, given: Any = None) -> None:
        self._slow: Secret | None = None
        self._wrong = ""
        self._given: Secret | Callable[[], Any] | None = None
        if isinstance(given, str):
            self._given = Secret(given)
        elif given is None or isinstance(given, Secret) or callable(given):
            self._given = given
        else:
            self._wrong = type(given).__name__

    def __repr__(self) -> str:
        return "KeySource(…)"

    @property
    def identity(self) -> Hashable:
        """What tells two sources apart, so that those who share a key share its threads."""
        return self._given if self._given is not None else "wherever the user keeps it"

    @property
    def is_function(self) -> bool:
        """Whether a function of the user's gives it."""
        return self._given is not None and not isinstance(self._given, Secret)

    def check(self) -> None:
        """Make sure that it was given text, a function or nothing.

        Raises
        ------
        ConfigurationError
            It was something else.
        """
        if self._wrong:
            message = f"api_key must be text or a function that returns it, not {self._wrong}."
            raise ConfigurationError(message, advice=HOW_TO_GIVE_A_KEY)

    def current(self) -> Secret:
        """Return the key that counts now.

        Raises
        ------
        ConfigurationError
            There is none, it cannot be a Bearer key, or the function for it failed.
        """
        found = self.find()
        if found is None:
            message = "There is no API key."
            raise ConfigurationError(message, advice=HOW_TO_GIVE_A_KEY)
        return found

    def find(self) -> Secret | None:
        """Return the key that counts now, or None."""
        # No function that raises has the key in a variable: some tracebacks show those.
        self.check()
        found = self._search()
        return None if found is None else _checked(Secret(_bare(found.reveal())))

    def places(self) -> list[str]:
        """Return where keys are, in words; the first is where the one comes from that counts.

        A function that was given is not called. Slow places are asked only where no other has a key.
        """
        self.check()
        found = []
        if self._given is not None:
            given = "the argument api_key of Kling"
            found.append(f"{given}, a function" if self.is_function else given)
        if kernel.login is not None:
            found.append("`%kling login`")
        if os.environ.get(KEY_VARIABLE):
            found.append(f"{KEY_VARIABLE} in the environment")
        if dotenv_values().get(KEY_VARIABLE):
            found.append(f"{KEY_VARIABLE} in {dotenv_file()}")
        if not found and _colab_secret() is not None:
            found.append("Colab's secrets")
        if not found and _keyring_secret() is not None:
            found.append("the keyring")
        return found

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
    try:
        answer = function()
    except Exception as error:  # noqa: BLE001 - a user's own function
        where = place_of(error)
        failed = f"The function that gives the API key failed: {type(error).__name__}{f' in {where}' if where else ''}."
    else:
        if answer is None or isinstance(answer, Secret):
            return answer
        if isinstance(answer, str):
            return Secret(answer)
        failed = f"The API key must be text, not {type(answer).__name__}."
        del answer
    # Out here, so that it leads to no error of that function's, whose words or variables may hold the key.
    raise ConfigurationError(failed, advice=f"Call the function by itself to see why. {HOW_TO_GIVE_A_KEY}")


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
    file = dotenv_file()
    if file is None:
        return {}
    from dotenv import dotenv_values as read

    try:
        return read(file)
    except (OSError, UnicodeError) as error:
        message = f"{file} cannot be read: {error}."
    # Out here, because an error of decoding holds the whole file.
    raise ConfigurationError(message, advice="Save it as text in UTF-8.")


def dotenv_file() -> Path | None:
    """Return the nearest ``.env`` at or above the working directory, if there is one."""
    folder = Path.cwd()
    return next((place / ".env" for place in (folder, *folder.parents) if (place / ".env").is_file()), None)
