"""Giving jobs to an executor, and taking what comes back, with so many under way that memory stays bounded."""

import pickle
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

from kling_nb.compare.measures.jobs import Job, work
from kling_nb.compare.measures.units import Unit
from kling_nb.compare.measures.values import Outcome
from kling_nb.display.words import one_line
from kling_nb.errors import InvalidRequest
from kling_nb.request.problems import shown

Batch = tuple[tuple[Unit, ...], int, Callable[[], Job]]
"""What a job is of, how many bytes it carries, and what makes it."""

Keep = Callable[[Unit, Outcome], None]

_MOST_JOBS = 1_000
_MOST_BYTES = 128_000_000
_KEPT = "What was measured is kept, and measured once."
_ELSEWHERE = (
    "Define it at the top of a module that the workers can import, or use a ThreadPoolExecutor or a Dask client's "
    "executor."
)


def is_local(executor: Executor | None) -> bool:
    """Whether workers read the disk of this process, and so need no bytes sent to them."""
    return executor is None or isinstance(executor, ThreadPoolExecutor)


def checked(executor: Any, function: Callable[..., Any]) -> Executor | None:
    """Return the executor, if it is one and can be given the function.

    Raises
    ------
    InvalidRequest
        It is none, or the function cannot be sent to its processes.
    """
    if executor is None:
        return None
    if not isinstance(executor, Executor):
        # A Dask client has one.
        advice = "Give executor=client.get_executor()." if hasattr(executor, "get_executor") else ""
        message = f"executor is {shown(executor)}; it must be a concurrent.futures.Executor."
        raise InvalidRequest(message, money="", advice=advice)
    if isinstance(executor, ProcessPoolExecutor):
        try:
            pickle.dumps(function)
        except Exception as error:  # noqa: BLE001 - what cannot be pickled says so in many ways
            why = one_line(f"{type(error).__name__}: {error}", 160)
            message = f"The measure cannot be sent to another process ({why})."
            raise InvalidRequest(message, money="", advice=_ELSEWHERE) from None
    return executor


def send(batches: Iterable[Batch], executor: Executor, keep: Keep) -> None:
    """Have an executor do jobs.

    Parameters
    ----------
    batches : iterable of Batch
        Made one by one as there is room.
    executor : Executor
        Whose workers do them.
    keep : callable
        Is given each unit and what came of it, in this thread, as it comes.

    Raises
    ------
    InvalidRequest
        The executor takes no jobs, or lost one. What came before was given to `keep`, and so was whatever had come
        when this was interrupted.
    """
    flying = _Flying(keep)
    workers = getattr(executor, "_max_workers", None)
    most = 2 * workers if isinstance(workers, int) else _MOST_JOBS
    try:
        for units, size, job in batches:
            while flying.jobs and (len(flying.jobs) >= most or flying.bytes + size > _MOST_BYTES):
                flying.take()
            flying.add(_submitted(executor, job()), units, size)
        while flying.jobs:
            flying.take()
    finally:
        flying.end()


class _Flying:
    """The jobs that are under way.

    Parameters
    ----------
    keep : callable
        Is given each unit and what came of it.
    """

    def __init__(self, keep: Keep) -> None:
        self.jobs: dict[Future[list[Outcome]], tuple[tuple[Unit, ...], int]] = {}
        self.bytes = 0
        self._keep = keep
        self._landed: SimpleQueue[Future[list[Outcome]]] = SimpleQueue()

    def add(self, future: Future[list[Outcome]], units: tuple[Unit, ...], size: int) -> None:
        """Note one more."""
        self.jobs[future] = (units, size)
        self.bytes += size
        future.add_done_callback(self._landed.put)

    def take(self) -> None:
        """Wait for one, and keep what came of it."""
        future = self._landed.get()
        found = _result(future)
        units, size = self.jobs.pop(future)
        self.bytes -= size
        _keep_all(units, found, self._keep)

    def end(self) -> None:
        """After an interrupt or an error: keep what has come, and let nothing begin that has not begun."""
        for future, (units, _) in self.jobs.items():
            if not future.cancel() and future.done() and future.exception() is None:
                _keep_all(units, future.result(), self._keep)


def _keep_all(units: tuple[Unit, ...], found: list[Outcome], keep: Keep) -> None:
    for unit, outcome in zip(units, found, strict=True):
        keep(unit, outcome)


def _submitted(executor: Executor, job: Job) -> Future[list[Outcome]]:
    # Dask's scheduler remembers the last thousand messages to each worker, and is slow with large ones. What is
    # scattered goes past that; the job then has a future for an argument.
    scatter = getattr(getattr(executor, "_client", None), "scatter", None)
    try:
        return executor.submit(work, scatter(job, hash=False) if scatter else job)
    except Exception as error:
        # Any library may bring its own executor.
        raise _unusable("takes no work", error) from error


def _result(future: Future[list[Outcome]]) -> list[Outcome]:
    if future.cancelled():
        message = "The executor gave up what it was given: it was shut down, or its workers were."
        raise InvalidRequest(message, money=_KEPT, advice="Measure again with an executor that is open.")
    error = future.exception()
    if error is not None:
        raise _unusable("could not do its work", error) from error
    return future.result()


def _unusable(what: str, error: BaseException) -> InvalidRequest:
    why = one_line(f"{type(error).__name__}: {error}", 240)
    advice = (
        "Give an executor that is open, and whose workers have memory enough and can import the measure and kling_nb."
    )
    return InvalidRequest(f"The executor {what} ({why}).", money=_KEPT, advice=advice)
