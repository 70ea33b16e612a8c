"""A lock that an interrupt cannot leave held, and whose holders tell of changes.

A ``threading.Condition`` takes and gives back its lock in Python. An interrupt that reaches the main thread between
the two leaves the lock held for ever, and with it stands everything that this process has under way. Here the
``with`` statement meets a lock in C, where no interrupt comes in between; and nothing is held while the main thread
waits.
"""

import time
from _thread import RLock, allocate_lock
from collections.abc import Callable
from contextlib import suppress
from threading import TIMEOUT_MAX
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _thread import LockType


class Changed(RLock):  # type: ignore[misc]  # final for typeshed, not for CPython
    """A reentrant lock with a list of those who wait for a change."""

    def __init__(self) -> None:
        self._bells: list[LockType] = []

    def notify(self) -> None:
        """Wake the one who has waited longest; the lock is held."""
        if self._bells:
            self._bells.pop(0).release()

    def notify_all(self) -> None:
        """Wake all who wait; the lock is held."""
        bells, self._bells = self._bells, []
        for bell in bells:
            bell.release()

    def wait(self, timeout: float | None = None) -> None:
        """Wait for a change in a thread that no interrupt reaches, which is any but the main one.

        Parameters
        ----------
        timeout : float, optional
            Seconds; as long as it takes where not given.
        """
        bell = self._bell()
        # Held once: those who wait take it for that.
        self.release()
        try:
            self._listen(bell, timeout)
        finally:
            self.acquire()
            self._forget(bell)

    def wait_for(self, done: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until something is so, in any thread; the lock is not held by the caller.

        Parameters
        ----------
        done : callable
            Asked after every change, with the lock held: it must be quick.
        timeout : float, optional
            Seconds; as long as it takes where not given.

        Returns
        -------
        bool
            What ``done`` said last.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            with self:
                if done():
                    return True
                bell = self._bell()
            left = None if deadline is None else deadline - time.monotonic()
            if left is None or left > 0:
                self._listen(bell, left)
            with self:
                self._forget(bell)
                if deadline is not None and time.monotonic() >= deadline:
                    return done()

    def _bell(self) -> "LockType":
        bell = allocate_lock()
        bell.acquire()
        self._bells.append(bell)
        return bell

    def _listen(self, bell: "LockType", timeout: float | None) -> None:
        bell.acquire(timeout=-1 if timeout is None else min(max(0.0, timeout), TIMEOUT_MAX))

    def _forget(self, bell: "LockType") -> None:
        with suppress(ValueError):
            self._bells.remove(bell)
