"""The end of one's patience with a server, whatever it does to keep each single wait short."""

import threading
import time
from collections.abc import Mapping
from typing import Any

import httpx


class Patience:
    """Has every wait of a thread's requests end with the time for the whole.

    A server that drips its headers, or hints without end, never lets a single wait run out, and until the
    headers are there nobody but the connection itself gets to look at the clock.
    """

    def __init__(self) -> None:
        self._here = threading.local()

    def begin(self, seconds: float) -> None:
        """Give this thread's next requests so many seconds in all."""
        self._here.deadline = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that this thread has left.

        Raises
        ------
        httpx.ReadTimeout
            None.
        """
        left: float = self._here.deadline - time.monotonic()
        if left <= 0:
            raise httpx.ReadTimeout("the time for the whole is over")
        return left

    def trace(self, event: str, facts: Mapping[str, Any]) -> None:
        """Watch a new connection: httpx's ``trace`` extension, for every request that may open one."""
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            stream = facts["return_value"]
            read = stream.read

            def read_in_time(size: int, timeout: float | None = None) -> bytes:
                left = self.left()
                data: bytes = read(size, timeout=left if timeout is None else min(timeout, left))
                return data

            stream.read = read_in_time
