"""A few daemon threads that do what they are given, started when there is something to do.

Not a ThreadPoolExecutor: that one keeps the interpreter from ending until its work is done, and the end
of a script must wait for nothing (the journal holds it).
"""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable

from kling_nb.engine.changed import Changed


class Crew:
    """At most ``size`` threads that take work in order.

    Parameters
    ----------
    name : str
        Of the threads.
    size : int
        How many at most.
    """

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._size = size
        self._work: deque[Callable[[], None]] = deque()
        self._threads: list[threading.Thread] = []
        self._changed = Changed()
        self._idle = 0
        self._stopped = False

    def do(self, work: Callable[[], None]) -> None:
        """Have something done by the next free thread; it should not raise."""
        with self._changed:
            if self._stopped:
                return
            self._work.append(work)
            if self._idle < len(self._work) and len(self._threads) < self._size:
                thread = threading.Thread(target=self._run, name=f"{self._name}-{len(self._threads) + 1}", daemon=True)
                thread.start()
                self._threads.append(thread)
            self._changed.notify()

    def is_current(self) -> bool:
        """Tell whether this runs in one of the crew's threads."""
        with self._changed:
            return threading.current_thread() in self._threads

    def stop(self, join: float) -> None:
        """End the threads when they have done what they are doing; what was not begun is dropped.

        Parameters
        ----------
        join : float
            Seconds to wait for them at most.
        """
        with self._changed:
            self._stopped = True
            threads = list(self._threads)
            self._changed.notify_all()
        deadline = time.monotonic() + join
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        while True:
            with self._changed:
                # Counted under the lock together with the taking: a thread that has work is never taken for
                # a free one, or work would wait behind it while another thread could be started.
                self._idle += 1
                while not (self._work or self._stopped):
                    self._changed.wait()
                self._idle -= 1
                if self._stopped:
                    return
                work = self._work.popleft()
            try:
                work()
            except Exception:  # noqa: BLE001 - a bug; it is shown, and the thread has the work of others to do
                threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))
            del work
