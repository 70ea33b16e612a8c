"""A few daemon threads that do what they are given, started when there is something to do.

Not a ThreadPoolExecutor: that one keeps the interpreter from ending until its work is done, and the end
of a script must wait for nothing (the journal holds it).
"""

import queue
import threading
import time
from collections.abc import Callable


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
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._idle = 0
        self._stopped = False

    def do(self, work: Callable[[], None]) -> None:
        """Have something done by the next free thread; it must not raise."""
        with self._lock:
            if self._stopped:
                return
            self._work.put(work)
            if self._idle < self._work.qsize() and len(self._threads) < self._size:
                thread = threading.Thread(target=self._run, name=f"{self._name}-{len(self._threads) + 1}", daemon=True)
                self._threads.append(thread)
                thread.start()

    def stop(self, join: float) -> None:
        """End the threads when they have done what they are doing.

        Parameters
        ----------
        join : float
            Seconds to wait for them at most.
        """
        with self._lock:
            self._stopped = True
            threads = list(self._threads)
        for _ in threads:
            self._work.put(None)
        deadline = time.monotonic() + join
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            work = self._work.get()
            with self._lock:
                self._idle -= 1
            if work is None or self._stopped:
                return
            work()
