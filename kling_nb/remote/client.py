"""The API client: create, query one, query many. The only holder of the key.

Creates are never repeated here, whatever happens: whether it is safe is the engine's decision.
"""

import functools
import ssl
import time
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import httpx

from kling_nb import errors
from kling_nb._version import __version__
from kling_nb.key import Secret
from kling_nb.records import TaskState
from kling_nb.remote import envelopes, refusals
from kling_nb.settings import API_PATH, is_loopback

USER_AGENT = f"kling_nb/{__version__}"
MAX_ANSWER = 64_000_000
"""Bytes of an answer that are read at most: 500 tasks of nine long URLs are a tenth of it."""
IDLE = 3.0
"""Seconds that a connection is kept for the next request. Many servers hang up after five: a create that
meets the hanging up would count as lost."""
SECRET_LENGTH = 8
"""Characters from which on a key is taken out of what a gateway says; a shorter one is a word, no secret."""

_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, httpx.PoolTimeout)


class Timeouts(NamedTuple):
    """Seconds that the client waits.

    Parameters
    ----------
    connect : float
        For a connection.
    read : float
        Between two pieces of the answer to a query.
    create : float
        Between two pieces of the answer to a create, which some gateways hold back until queued.
    write : float
        Between two pieces of the request.
    whole : float
        For the whole of an answer from its first piece on, so that one that drips holds nobody up.
    """

    connect: float = 10.0
    read: float = 30.0
    create: float = 90.0
    write: float = 60.0
    whole: float = 120.0


class AnswerLost(Exception):
    """A create was sent and its answer did not come or cannot be read: the task may exist.

    Parameters
    ----------
    cause : KlingError
        What to tell the user.
    """

    def __init__(self, cause: errors.ConnectionFailed | errors.APIError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class ListUnavailable(Exception):
    """The gateway does not answer the list call in a way that can be used: ask one by one."""


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Return the one TLS context of this process; building it costs more than a request."""
    return httpx.create_ssl_context()


class Client:
    """Speaks to one gateway. Safe to use from several threads.

    Parameters
    ----------
    base_url : str
        Everything before ``/v1/…``.
    key : callable
        Returns the key that counts now.
    timeouts : Timeouts, optional
        Seconds.

    Raises
    ------
    ConfigurationError
        The address would send the key in the clear, or its proxy cannot be spoken to.
    """

    def __init__(self, base_url: str, key: Callable[[], Secret], timeouts: Timeouts | None = None) -> None:
        self._url = base_url + API_PATH
        self._key = key
        self._timeouts = timeouts or Timeouts()
        parts = urlsplit(base_url)
        loopback = is_loopback(parts.hostname or "")
        if parts.scheme != "https" and not loopback:
            raise errors.ConfigurationError("base_url must use https, because the key travels with every request.")
        try:
            self._http = httpx.Client(
                verify=tls_context() if parts.scheme == "https" else False,
                # A proxy for the world must not be asked for this machine itself.
                trust_env=not loopback,
                follow_redirects=False,
                headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
                limits=httpx.Limits(max_connections=20, max_keepalive_connections=20, keepalive_expiry=IDLE),
            )
        except (ImportError, ValueError) as error:
            raise errors.ConfigurationError(f"The proxy of the environment cannot be used: {error}.") from None

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def create(self, body: bytes) -> TaskState:
        """Ask for a task, once.

        Parameters
        ----------
        body : bytes
            The JSON of the request.

        Returns
        -------
        TaskState
            The task as the gateway acknowledges it.

        Raises
        ------
        AnswerLost
            It was sent, and whether the task exists is not known.
        KlingError
            It was refused, or never left: no task exists.
        """
        key = self._key_now()
        try:
            status, content = self._exchange("POST", self._url, key, body)
        except httpx.HTTPError as error:
            raise AnswerLost(_broken(self._url, error, key)) from None
        envelope = envelopes.read(content)
        state = envelopes.read_task(envelope.data, envelope.request_id) if envelope.ok else None
        if state is not None and 200 <= status < 300:
            return state
        refusal = _hide(refusals.error_for(status, envelope), key)
        if refusals.leaves_a_doubt(status, envelope):
            # A refusal's "nothing is billed, send it again" would not be true here.
            refusal.money = refusal.advice = ""
            raise AnswerLost(refusal)
        raise refusal

    def query(self, some_id: str) -> TaskState:
        """Ask for one task.

        Parameters
        ----------
        some_id : str
            The ``task_id``, or the ``external_task_id`` where the gateway takes it.

        Returns
        -------
        TaskState
            As it is now.

        Raises
        ------
        APIError
            The gateway refuses or cannot answer; `RequestRefused` when it knows no such task.
        ConnectionFailed
            It could not be asked.
        """
        status, envelope, key = self._get(f"{self._url}/{quote(some_id, safe='')}")
        state = envelopes.read_task(envelope.data, envelope.request_id) if envelope.ok else None
        if state is None or status >= 300:
            raise _hide(refusals.error_for(status, envelope), key)
        return state

    def query_many(self, page: int = 1, size: int = 500) -> list[TaskState]:
        """Ask for the newest tasks of the account.

        Parameters
        ----------
        page : int
            From 1 to 1,000.
        size : int
            Tasks a page, from 1 to 500.

        Returns
        -------
        list of TaskState
            Newest first.

        Raises
        ------
        ListUnavailable
            This gateway does not forward the call, or answers it with something else.
        APIError, ConnectionFailed
            As `query`.
        """
        status, envelope, key = self._get(f"{self._url}?pageNum={page}&pageSize={size}")
        tasks = envelopes.read_tasks(envelope.data) if envelope.ok and status < 300 else None
        if tasks is not None:
            return tasks
        error = _hide(refusals.error_for(status, envelope), key)
        if isinstance(error, (errors.RequestRefused, errors.NotPermitted)):
            raise ListUnavailable(str(error))
        raise error

    def _get(self, url: str) -> tuple[int, envelopes.Envelope, Secret]:
        key = self._key_now()
        try:
            status, content = self._exchange("GET", url, key, None)
        except httpx.HTTPError as error:
            raise _broken(self._url, error, key) from None
        return status, envelopes.read(content), key

    def _key_now(self) -> Secret:
        try:
            return self._key()
        except errors.KlingError:
            raise
        except Exception as error:
            # The user's own function: what it raises says nothing of a request, for there was none.
            message = f"The function that gives the API key failed ({type(error).__name__})."
            raise errors.ConfigurationError(message) from error

    def _exchange(self, method: str, url: str, key: Secret, body: bytes | None) -> tuple[int, bytes]:
        """Send one request and read its answer, without the key should that be repeated in it.

        Raises
        ------
        ConnectionFailed, ConfigurationError
            It never left.
        httpx.HTTPError
            It left, at least in part, and there is no whole answer.
        """
        try:
            if self._http.is_closed:
                raise httpx.ConnectError("the client is closed")
            status, content = self._send(method, url, key, body)
        except _NEVER_LEFT as error:
            raise _unreachable(url, error, key) from None
        except (httpx.InvalidURL, UnicodeError) as error:
            raise errors.ConfigurationError(f"base_url cannot be used: {envelopes.one_line(error, 200)}.") from None
        return status, _without(key, content)

    def _send(self, method: str, url: str, key: Secret, body: bytes | None) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {key.reveal()}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        limits = self._timeouts
        timeout = httpx.Timeout(
            limits.read if body is None else limits.create,
            connect=limits.connect,
            write=limits.write,
            pool=None,
        )
        with self._http.stream(method, url, headers=headers, content=body, timeout=timeout) as answer:
            pieces, size = [], 0
            deadline = time.monotonic() + limits.whole
            for piece in answer.iter_bytes():
                pieces.append(piece)
                size += len(piece)
                if size > MAX_ANSWER:
                    break
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer did not end")
            return answer.status_code, b"".join(pieces)


def _host(url: str) -> str:
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] or url


def _unreachable(url: str, error: httpx.HTTPError, key: Secret) -> errors.ConnectionFailed:
    why = _words(error, key)
    return errors.ConnectionFailed(f"{_host(url)} could not be reached ({why}).", money="Nothing was sent.")


def _broken(url: str, error: httpx.HTTPError, key: Secret) -> errors.ConnectionFailed:
    if isinstance(error, httpx.TimeoutException):
        why = "did not answer in time"
    else:
        why = f"broke the connection ({_words(error, key)})"
    return errors.ConnectionFailed(f"{_host(url)} {why} after the request was sent.", money="")


def _words(error: Exception, key: Secret) -> str:
    said = _without(key, str(error).encode("utf-8", "replace")).decode("utf-8", "replace")
    return envelopes.one_line(said, 200) or type(error).__name__


def _without(key: Secret, content: bytes) -> bytes:
    """Take the key out of what a gateway says, before any of it is cut to length."""
    secret = key.reveal().encode()
    return content.replace(secret, "…".encode()) if len(secret) >= SECRET_LENGTH else content


def _hide(error: errors.APIError, key: Secret) -> errors.APIError:
    """Take the key out of a message once more: in JSON it may have been written with escapes."""
    secret = key.reveal()
    if len(secret) < SECRET_LENGTH:
        return error
    error.message = error.message.replace(secret, "…")
    error.args = (error.message,)
    for name in ("code", "request_id"):
        if secret in (getattr(error, name) or ""):
            setattr(error, name, None)
    return error
