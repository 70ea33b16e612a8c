"""Telling a `callback_url` of status changes: on loopback hosts only.

One thread serves all tasks of a sandbox; it starts with the first task that has a callback and ends
when none is left.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from kling_nb.sandbox.protocol import SUBMITTED, UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Callable

    from kling_nb.sandbox.tasks import Task

_LOOK: Final = 0.05  # seconds between looks at the clock, which may be a test's own
_TIMEOUT: Final = 5.0  # seconds for one callback
_JOIN: Final = 10.0


@dataclass(frozen=True, slots=True)
class Callback:
    """A status change that somebody asked to be told of.

    Parameters
    ----------
    url : str
        Who asked.
    task_id : str
        The task.
    status : str
        Its new status.
    outcome : str
        The HTTP status of the answer, what went wrong, or "not called" where the host is not this
        machine.
    """

    url: str
    task_id: str
    status: str
    outcome: str


def is_loopback(url: str) -> bool:
    """Tell whether a URL is on this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Callbacks:
    """The callbacks of a sandbox.

    Parameters
    ----------
    find : callable
        Returns a task by its id.
    describe : callable
        Returns the body of a callback.
    """

    def __init__(self, find: Callable[[str], Task | None], describe: Callable[[Task], dict[str, Any]]) -> None:
        self._find = find
        self._describe = describe
        self._changed = threading.Condition()
        self._told: dict[str, str] = {}  # the last status told, of each task that is followed
        self._done: list[Callback] = []
        self._thread: threading.Thread | None = None
        self._connection: http.client.HTTPConnection | None = None
        self._stopping = False

    @property
    def done(self) -> list[Callback]:
        """The status changes so far."""
        with self._changed:
            return list(self._done)

    def follow(self, task: Task) -> None:
        """Tell of the changes of a new task, if it asks for that."""
        if not task.callback_url:
            return
        with self._changed:
            self._told[task.task_id] = SUBMITTED
            if self._thread is None and not self._stopping:
                self._thread = threading.Thread(target=self._run, name="kling-sandbox-callbacks", daemon=True)
                self._thread.start()

    def look(self) -> None:
        """Look at the tasks now: something other than time has changed them."""
        with self._changed:
            self._changed.notify()

    def start(self) -> None:
        """Allow callbacks (again)."""
        with self._changed:
            self._stopping = False

    def stop(self) -> None:
        """End the thread; tasks that are not over will not be told of."""
        with self._changed:
            self._stopping = True
            self._told.clear()
            self._changed.notify()
            thread, connection = self._thread, self._connection
        if connection is not None and connection.sock is not None:
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                connection = None  # it ended by itself
        if thread is not None:
            thread.join(_JOIN)

    def _run(self) -> None:
        while True:
            with self._changed:
                following = dict(self._told)
                if not following or self._stopping:
                    self._thread = None
                    return
            for task_id, told in following.items():
                self._check(task_id, told)
            with self._changed:
                if self._told and not self._stopping:
                    self._changed.wait(_LOOK)

    def _check(self, task_id: str, told: str) -> None:
        task = self._find(task_id)
        if task is None:
            return
        body = self._describe(task)
        status = body["task_status"]
        if status == told:
            return
        outcome = self._post(task.callback_url, body) if is_loopback(task.callback_url) else ""
        with self._changed:
            self._done.append(Callback(task.callback_url, task_id, status, outcome or "not called"))
            if status in UNFINISHED and task_id in self._told:
                self._told[task_id] = status
            else:
                self._told.pop(task_id, None)

    def _post(self, url: str, body: dict[str, Any]) -> str:
        parts = urlsplit(url)
        if parts.scheme.lower() != "http":
            return "only http is called"
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=_TIMEOUT)
        with self._changed:
            self._connection = connection
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            payload = json.dumps(body).encode()
            connection.request("POST", target, payload, {"Content-Type": "application/json"})
            response = connection.getresponse()
            response.read(65_536)
            return str(response.status)
        except (OSError, http.client.HTTPException, ValueError) as problem:
            return f"{type(problem).__name__}: {problem}"
        finally:
            with self._changed:
                self._connection = None
            connection.close()
