"""What can go wrong, as one tree.

::

    KlingError
    ├── InvalidRequest       (also ValueError)    the request is wrong; nothing was sent
    ├── ConfigurationError                        a setting or the key is missing or wrong; nothing was sent
    ├── ConnectionFailed                          the gateway was not reached, or its answer was lost
    ├── APIError             http_status, code, request_id
    │   ├── AuthenticationFailed  401, 1000-1004  fix the key
    │   ├── OutOfBalance          1100-1102       top up the account
    │   ├── NotPermitted          1103, 1304      another model, account or address
    │   ├── RequestRefused        1200-1203, 413  correct the request
    │   ├── ContentRefused        1300, 1301      change the prompt or the pictures
    │   ├── TooManyRequests       1302, 1303      later, or fewer at a time
    │   └── ServerError           5xx, unreadable the gateway's own trouble
    ├── TaskFailed           task                 the API accepted the task and could not make the images
    ├── ImagesMissing        task                 the task succeeded and not every image is on disk
    ├── WaitTimeout          (also TimeoutError)  the wait ended; the task did not
    └── WorkspaceError                            the folder or the journal cannot be read or written

Every error has three parts: ``message`` (what happened), ``money`` (what that means for the bill and
the images) and ``advice`` (what to do next). In a notebook it shows the user's own lines and these
three, and none of this package's frames.
"""

import os
import re
import sys
import traceback
from typing import Any

_TYPED_KEY = r"""((?i:api_key)["'\])]*\s*[=:,]\s*|\b(?:Kling|Secret)\(\s*)[bBfFrRuU]*(["']).*?(?<!\\)(?:\2|$)"""
_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep  # noqa: PTH100, PTH120 - pathlib costs load time


class KlingError(Exception):
    """The root of every error that kling_nb raises on purpose.

    Parameters
    ----------
    message : str
        What happened, in one sentence.
    money : str, optional
        What became of the user's money and images.
    advice : str, optional
        What to do next.
    task : object, optional
        The task concerned, if there is one.
    """

    default_money = ""
    default_advice = ""

    def __init__(self, message: str, *, money: str | None = None, advice: str | None = None, task: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.money = self.default_money if money is None else money
        self.advice = self.default_advice if advice is None else advice
        self.task = task

    def details(self) -> list[str]:
        """Return the technical facts worth quoting to a gateway's support, one a line."""
        return []

    def __str__(self) -> str:
        return "\n".join(line for line in (self.message, *self.details(), self.money, self.advice) if line)

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows instead of its own traceback."""
        return render(self)


class InvalidRequest(KlingError, ValueError):
    """The request is wrong in a way that can be seen before sending; nothing was sent."""

    default_money = "Nothing was sent."


class ConfigurationError(KlingError):
    """A setting or the key is missing or unusable; nothing was sent."""

    default_money = "Nothing was sent."


class ConnectionFailed(KlingError):
    """The gateway could not be reached, or the connection broke before its answer came."""

    default_advice = "Check the network and base_url."


class APIError(KlingError):
    """The gateway answered, and the answer is an error.

    Parameters
    ----------
    message : str
        The gateway's own words, shortened.
    http_status : int, optional
        The status of the HTTP answer.
    code : str, optional
        The API's error code, as text.
    request_id : str, optional
        The gateway's id of this answer, for its support.
    retry_after : float, optional
        Seconds that the gateway asks to wait.
    money, advice, task
        As for `KlingError`.
    """

    default_money = "The request was refused: nothing was made and nothing is billed."

    def __init__(
        self,
        message: str,
        *,
        http_status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        money: str | None = None,
        advice: str | None = None,
        task: Any = None,
    ) -> None:
        super().__init__(message, money=money, advice=advice, task=task)
        self.http_status = http_status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after

    def details(self) -> list[str]:
        """Return the HTTP status, the code and the request id as one line."""
        facts = (
            ("HTTP", self.http_status),
            ("code", self.code),
            ("request_id", self.request_id),
        )
        return ["(" + ", ".join(f"{name} {value}" for name, value in facts if value) + ")"] * any(
            value for _, value in facts
        )


class AuthenticationFailed(APIError):
    """The key is missing, wrong, not yet valid or expired (401, 1000 to 1004)."""

    default_advice = "Give a valid key with `%kling login` or KLING_API_KEY, then send again."


class OutOfBalance(APIError):
    """The account is in arrears or its balance or package is used up (1100 to 1102)."""

    default_advice = "Top up the account or its resource package, then send again."


class NotPermitted(APIError):
    """The account may not use this model, endpoint or network address (1103, 1304)."""

    default_advice = "Choose another model_name, or ask the gateway to open this one to the account."


class RequestRefused(APIError):
    """The gateway found the request itself wrong (1200 to 1203, 404, 413)."""

    default_advice = "Correct what the message names, then send again."


class ContentRefused(APIError):
    """Platform policy or content safety refused the prompt or a picture (1300, 1301)."""

    default_advice = "Change the prompt or the pictures; sending the same again is refused again."


class TooManyRequests(APIError):
    """Too many requests a second, or too many tasks in parallel (1302, 1303)."""

    default_advice = "Send it again when the tasks under way have ended."


class ServerError(APIError):
    """The gateway failed, or answered what cannot be read (5xx)."""

    default_money = ""
    default_advice = "Try again later."


class TaskFailed(KlingError):
    """The API took the task and reports that it failed."""

    default_money = "No image was made; the API does not bill failed tasks."
    default_advice = "Change what the message names, then send a new task."


class ImagesMissing(KlingError):
    """The task succeeded, and at least one of its images is not on disk."""

    default_money = "The task is paid. What arrived is saved."
    default_advice = "`%kling resume` fetches the rest for as long as the gateway keeps it."


class WaitTimeout(KlingError, TimeoutError):
    """The wait ended before the task did; the task goes on and is followed."""

    default_money = "The task is paid once and goes on."
    default_advice = "`%kling wait` goes on waiting; after a restart, `%kling resume` collects it."


class WorkspaceError(KlingError):
    """The workspace folder or its journal cannot be read or written."""

    default_advice = "Check that the folder can be written and has space, or set another workspace."


class WaitInterrupted(KeyboardInterrupt):
    """A KeyboardInterrupt that says what is still under way and how to collect it.

    Parameters
    ----------
    message : str
        What is under way, and the command that collects it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def _render_traceback_(self) -> list[str]:
        return render(self)


def render(error: BaseException) -> list[str]:
    """Return an error as lines for a person: their own frames, then the message.

    Parameters
    ----------
    error : BaseException
        The error, with the traceback it was caught with.

    Returns
    -------
    list of str
        Lines without colour codes: a notebook, a terminal and a saved file show the same.
    """
    lines = []
    for frame in traceback.extract_tb(error.__traceback__):
        place = _place(frame.filename)
        if place:
            source = _as_typed(place, frame.lineno) or frame.line or ""
            # A key in the user's own file is to go into no output, which is saved with the notebook.
            source = re.sub(_TYPED_KEY, r"\1…", source)
            lines.append(f"{place}, line {frame.lineno}:  {source}".rstrip())
    name = "KeyboardInterrupt" if isinstance(error, KeyboardInterrupt) else type(error).__name__
    first, *rest = str(error).splitlines() or [""]
    return [*lines, f"{name}: {first}", *rest]


def place_of(error: BaseException) -> str:
    """Return the innermost of the user's own places that an error came through.

    Parameters
    ----------
    error : BaseException
        The error, with the traceback it was caught with.

    Returns
    -------
    str
        A file or cell and the line; empty when it came through none.
    """
    frames = [(_place(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    return next((f"{place}, line {line}" for place, line in reversed(frames) if place), "")


def _as_typed(place: str, number: int | None) -> str:
    """Return a line of a cell as it was typed, where IPython has made a call out of a magic."""
    shell_module = sys.modules.get("IPython")
    shell = shell_module.get_ipython() if shell_module else None
    cell = re.fullmatch(r"Cell In\[(\d+)\]", place)
    if shell is None or cell is None or shell.history_manager is None or not number:
        return ""
    typed = list(shell.history_manager.input_hist_raw)
    lines = typed[int(cell[1])].splitlines() if int(cell[1]) < len(typed) else []
    line = lines[number - 1].strip() if number <= len(lines) else ""
    return line if "%" in line else ""


def _place(filename: str) -> str:
    """Return how to call a frame's file, or nothing for frames that are not the user's."""
    shell_module = sys.modules.get("IPython")
    shell = shell_module.get_ipython() if shell_module else None
    if shell is not None:
        named = shell.compile.format_code_name(filename)
        if named:
            return " ".join(named)
    inside = filename.startswith((_PACKAGE, "<"))
    installed = f"{os.sep}site-packages{os.sep}" in filename or filename.startswith(
        os.path.dirname(os.__file__)  # noqa: PTH120
    )
    return "" if inside or installed else filename
