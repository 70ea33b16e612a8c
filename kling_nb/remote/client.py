"""The API client: create, query one, query many. The only holder of the key.

Creates are never repeated here, whatever happens: whether it is safe is the engine's decision.
"""

import contextlib
import functools
import json
import logging
import re
import ssl
import threading
import time
from collections.abc import Callable, Generator
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import httpx

from kling_nb import errors
from kling_nb._version import __version__
from kling_nb.key import Secret
from kling_nb.records import TaskState
from kling_nb.remote import envelopes, heads, refusals
from kling_nb.remote.patience import Patience
from kling_nb.remote.pieces import Sent, content_of, headers_of
from kling_nb.settings import API_PATH, is_loopback

USER_AGENT = f"kling_nb/{__version__}"
MAX_ANSWER = 64_000_000
"""Bytes of an answer that are read at most: 500 tasks of nine long URLs are a tenth of it."""
IDLE = 3.0
"""Seconds that a connection is kept for the next request. Many servers hang up after five: a create that
meets the hanging up would count as lost."""

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
        For the whole of an answer from its first piece on, so that one that drips holds nobody up, and for its
        head beyond the wait for it.
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


class _Bearer(httpx.Auth):
    """Puts the key into the one header; no variable of ours ever has it bare."""

    def __init__(self, key: Secret) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if self._key.reveal():
            request.headers["Authorization"] = f"Bearer {self._key.reveal()}"
        yield request


_asking = threading.local()


def _discreet(record: logging.LogRecord) -> bool:
    """Take the key of this thread's request out of what is logged of its answer's head."""
    key: Secret | None = getattr(_asking, "key", None)
    if key is not None:
        record.msg, record.args = key.taken_out_of(record.getMessage()), None
    return True


@functools.cache
def _log_discreetly() -> None:
    for name in ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy"):
        logging.getLogger(name).addFilter(_discreet)


@functools.lru_cache(maxsize=100)
def _parsed(url: str) -> httpx.URL:
    """Return an address in httpx's own form: taking it apart costs as much as the rest of a request's head."""
    return httpx.URL(url)


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
        The address would send the key in the clear, or the environment's proxy or certificates cannot be used.
    """

    def __init__(self, base_url: str, key: Callable[[], Secret], timeouts: Timeouts | None = None) -> None:
        self._url = base_url + API_PATH
        self._key = key
        self._timeouts = timeouts or Timeouts()
        self._patience = Patience()
        self._told: tuple[float, float] | None = None
        self._reading = threading.Lock()
        self._read_before: dict[str, tuple[Any, TaskState]] = {}
        parts = urlsplit(base_url)
        loopback = is_loopback(parts.hostname or "")
        if parts.scheme != "https" and not loopback:
            raise errors.ConfigurationError("base_url must use https, because the key travels with every request.")
        _log_discreetly()
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
            # Whoever names a proxy may name a user and a password with it.
            why = re.sub(r"//[^/\s]*@", "//…@", str(error))
            raise errors.ConfigurationError(f"The proxy of the environment cannot be used: {why}.") from None
        except OSError as error:
            message = f"The certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be used: {error}."
            raise errors.ConfigurationError(message, advice="Correct the variable, or unset it.") from None

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def create(self, body: Sent, key: Secret | None = None) -> TaskState:
        """Ask for a task, once.

        Parameters
        ----------
        body : bytes or Pieces
            The JSON of the request, whole or as it is wanted.
        key : Secret, optional
            From `key_now`; asked for now where not given.

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
        key = key or self.key_now()
        status, content, wait = self._exchange("POST", self._url, key, body)
        envelope = envelopes.read(content)
        state = envelopes.read_task(envelope.data, envelope.request_id) if envelope.ok else None
        if state is not None and 200 <= status < 300:
            return state
        refusal = refusals.error_for(status, envelope)
        refusal.retry_after = wait
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
        status, envelope = self._get(f"{self._url}/{quote(some_id, safe='')}")
        state = envelopes.read_task(envelope.data, envelope.request_id) if envelope.ok else None
        if state is None or status >= 300:
            raise refusals.error_for(status, envelope)
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
        status, envelope = self._get(f"{self._url}?pageNum={page}&pageSize={size}")
        with self._reading:
            tasks = envelopes.read_tasks(envelope.data, self._read_before) if envelope.ok and status < 300 else None
        if tasks is not None:
            return tasks
        error = refusals.error_for(status, envelope)
        if isinstance(error, (errors.RequestRefused, errors.NotPermitted)):
            raise ListUnavailable(str(error)) from error
        raise error

    def _get(self, url: str) -> tuple[int, envelopes.Envelope]:
        try:
            status, content, _ = self._exchange("GET", url, self.key_now(), None)
        except AnswerLost as lost:
            raise lost.cause from None
        return status, envelopes.read(content)

    def key_now(self) -> Secret:
        """Return the key that counts now.

        Raises
        ------
        ConfigurationError
            There is none, or the user's function for it failed.
        """
        try:
            return self._key()
        except errors.KlingError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it says nothing of a request, for there was none
            failed = f"The API key could not be looked up ({type(error).__name__})."
        raise errors.ConfigurationError(failed)

    def _exchange(self, method: str, url: str, key: Secret, body: Sent | None) -> tuple[int, bytes, float | None]:
        """Send one request and read its answer, without the key should that be repeated in it.

        Returns
        -------
        int, bytes, float or None
            The status, the body, and the seconds that the gateway asks to wait.

        Raises
        ------
        ConnectionFailed, ConfigurationError
            It never left.
        AnswerLost
            It left, at least in part, and there is no whole answer.
        """
        problem: Exception
        try:
            if self._http.is_closed:
                raise httpx.ConnectError("the client is closed")
            status, content, wait = self._send(method, url, key, body)
            return status, _without(key, content), wait
        except _NEVER_LEFT as error:
            why = _words(error, key)
            problem = errors.ConnectionFailed(f"{_host(url)} could not be reached ({why}).", money="Nothing was sent.")
        except httpx.HTTPError as error:
            problem = AnswerLost(_broken(url, error, key))
        except (httpx.InvalidURL, UnicodeError) as error:
            problem = errors.ConfigurationError(f"base_url cannot be used: {envelopes.one_line(error, 200)}.")
        # Out here, so that it leads to no error of httpx's: they hold the request, and that the key.
        raise problem

    def _send(self, method: str, url: str, key: Secret, body: Sent | None) -> tuple[int, bytes, float | None]:
        limits = self._timeouts
        timeout = httpx.Timeout(
            limits.read if body is None else limits.create,
            connect=limits.connect,
            write=limits.write,
            pool=None,
        )
        request = self._http.build_request(
            method,
            _parsed(url),
            headers=headers_of(body),
            content=content_of(body),
            timeout=timeout,
            extensions={"trace": self._patience.trace},
        )
        self._patience.begin((limits.read if body is None else limits.create) + limits.whole)
        _asking.key = key
        try:
            with contextlib.closing(self._http.send(request, auth=_Bearer(key), stream=True)) as answer:
                content = self._read(answer)
        finally:
            del _asking.key
        self._told = heads.date(answer.headers.get("Date")) or self._told
        return answer.status_code, content, heads.pause(answer.headers.get("Retry-After"))

    @property
    def time_there(self) -> float | None:
        """What the gateway's clock says now, in seconds since the epoch; None until an answer has told."""
        return None if self._told is None else self._told[0] + time.monotonic() - self._told[1]

    def _read(self, answer: httpx.Response) -> bytes:
        pieces, size = [], 0
        deadline = time.monotonic() + self._timeouts.whole
        for piece in answer.iter_bytes():
            pieces.append(piece)
            size += len(piece)
            if size > MAX_ANSWER:
                break
            if time.monotonic() > deadline:
                raise httpx.ReadTimeout("the answer did not end")
        return b"".join(pieces)


def _host(url: str) -> str:
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] or url


def _broken(url: str, error: httpx.HTTPError, key: Secret) -> errors.ConnectionFailed:
    if isinstance(error, httpx.TimeoutException):
        why = "did not answer in time"
    else:
        why = f"broke the connection ({_words(error, key)})"
    return errors.ConnectionFailed(f"{_host(url)} {why} after the request was sent.", money="")


def _without(key: Secret, content: bytes) -> bytes:
    """Take the key out of what a gateway says, before any of it is cut to length."""
    encoding = json.detect_encoding(content)
    text = content.decode(encoding, "surrogateescape" if encoding.startswith("utf-8") else "replace")
    return key.taken_out_of(text).encode("utf-8", "surrogateescape")


def _words(error: Exception, key: Secret) -> str:
    return envelopes.one_line(key.taken_out_of(str(error)), 200) or type(error).__name__
