"""Where results are kept: in the journal, or, for a comparison from a folder, for as long as it is held."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from kling_nb.compare.measures.asking import OVER, Over
from kling_nb.compare.measures.units import Key
from kling_nb.compare.measures.values import Outcome, from_text, to_text
from kling_nb.errors import WorkspaceError
from kling_nb.workspace.measures import StoredResult


class Kept(Protocol):
    """What keeps results: `kling_nb.workspace.measures.Measures`, or `Memory`."""

    def find(self, digests: Iterable[str], name: str | None = None) -> list[StoredResult]:
        """Return the results of some requests, of one measure or of all."""

    def keep(self, results: Iterable[StoredResult]) -> None:
        """Write results, in place of earlier ones of the same measure and images."""


class Memory:
    """Results in memory.

    Parameters
    ----------
    results : iterable of StoredResult
        To begin with.
    """

    def __init__(self, results: Iterable[StoredResult] = ()) -> None:
        self._results: dict[tuple[str, ...], StoredResult] = {}
        self.keep(results)

    def find(self, digests: Iterable[str], name: str | None = None) -> list[StoredResult]:
        """Return the results of some requests, of one measure or of all."""
        among = set(digests)
        return [each for each in self._results.values() if each.digest in among and name in (None, each.name)]

    def keep(self, results: Iterable[StoredResult]) -> None:
        """Write results, in place of earlier ones of the same measure and images."""
        for each in results:
            self._results[each[:5]] = each


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one version of a measure.

    Parameters
    ----------
    name, version : str
        Of the measure.
    over : {"image", "task", "cell"}
        What it was called for.
    measured_at : float
        When it was asked for last, in seconds since the epoch.
    outcomes : mapping
        From the digest of the request and the hash of what was measured to what came of it.
    """

    name: str
    version: str
    over: Over
    measured_at: float
    outcomes: Mapping[Key, Outcome]


def known(stored: Iterable[StoredResult]) -> list[Known]:
    """Put results together by measure.

    Raises
    ------
    WorkspaceError
        One of them cannot be read.
    """
    outcomes: dict[tuple[str, str, Over], dict[Key, Outcome]] = {}
    latest: dict[tuple[str, str, Over], float] = {}
    for each in stored:
        over = next((over for over in OVER if over == each.scope), None)
        if over is None:
            # Of a later version of this package.
            continue
        which = (each.name, each.version, over)
        try:
            outcomes.setdefault(which, {})[each.digest, each.subject] = from_text(each.result)
        except (ValueError, TypeError) as error:
            message = f"A result of the measure {each.name} cannot be read ({type(error).__name__}: {error})."
            raise WorkspaceError(message, advice="Measure again with another version=.") from None
        latest[which] = max(each.measured_at, latest.get(which, 0.0))
    return [Known(*which, latest[which], found) for which, found in outcomes.items()]


class Keeper:
    """Keeps what comes of one measure, some at a time: a commit of the journal waits for the disk.

    Parameters
    ----------
    kept : Kept
        Where.
    name, version : str
        Of the measure.
    over : {"image", "task", "cell"}
        What it is called for.
    """

    _MOST = 200
    _SECONDS = 1.0

    def __init__(self, kept: Kept, name: str, version: str, over: Over) -> None:
        self._kept = kept
        self._which = (name, version, over)
        self._waiting: list[StoredResult] = []
        self._since = time.monotonic()

    def add(self, key: Key, outcome: Outcome) -> None:
        """Keep one more, at once or within moments."""
        self._waiting.append(StoredResult(*key, *self._which, time.time(), to_text(outcome)))
        if len(self._waiting) >= self._MOST or time.monotonic() - self._since > self._SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what was not written yet."""
        if self._waiting:
            # Kept twice does no harm, and an interrupt may come at any moment.
            self._kept.keep(self._waiting)
            self._waiting = []
        self._since = time.monotonic()
