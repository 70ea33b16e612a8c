"""A few threads for what lets go of the interpreter: decoding, hashing, files.

Not a ThreadPoolExecutor: its futures are waited for with conditions, which an interrupt of the main thread can leave
held, and its threads would then be waited for without end.
"""

import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

THREADS = 2
"""More are of no use on most machines that a notebook runs on, and take from what else the kernel does."""


def in_parallel(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
    """Return what some work makes of each item, in the order of the items.

    Parameters
    ----------
    work : callable
        Safe to be called from several threads.
    items : iterable
        Any number.

    Raises
    ------
    Exception
        The first that the work raised, in the order of the items.
    """
    wanted = list(items)
    if len(wanted) < 2:
        return [work(item) for item in wanted]
    results: dict[int, _Result] = {}
    failures: dict[int, Exception] = {}
    # One iterator for all of them: each place is handed out once.
    places = iter(range(len(wanted)))

    def run() -> None:
        for place in places:
            try:
                results[place] = work(wanted[place])
            except Exception as error:  # noqa: BLE001 - raised by the thread that asked for it
                failures[place] = error

    threads = [threading.Thread(target=run, name="kling-parallel", daemon=True) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for place in range(len(wanted)):
        if place in failures:
            raise failures[place]
    return [results[place] for place in range(len(wanted))]
