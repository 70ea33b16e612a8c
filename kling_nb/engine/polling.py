"""When to ask for a task again. Pure.

Reads are free but not nothing, and an answer that comes a second late costs a person a second. Tasks of
one gateway and model take similar times, so the first look comes when the quickest of them were done.
"""

from collections.abc import Sequence
from typing import NamedTuple

SHORTEST = 0.5
LONGEST = 10.0
FIRST = 60.0
"""Seconds after which the first look comes at the latest. Tasks that were collected long after their end, by
a later kernel, seem to have taken days."""
_ENOUGH = 3


class Typical(NamedTuple):
    """How long tasks take, in seconds.

    Parameters
    ----------
    early : float
        When one in ten was done.
    median : float
        When half of them were done.
    """

    early: float
    median: float


def typical(durations: Sequence[float]) -> Typical | None:
    """Summarise how long earlier tasks took.

    Parameters
    ----------
    durations : sequence of float
        Seconds.

    Returns
    -------
    Typical or None
        None when there are too few to say.
    """
    known = sorted(duration for duration in durations if duration > 0)
    if len(known) < _ENOUGH:
        return None
    return Typical(known[len(known) // 10], known[len(known) // 2])


def next_look(
    now: float, began_at: float, looked_at: float | None, usual: Typical | None, fixed: float | None = None
) -> float:
    """Return when to ask for a task.

    Parameters
    ----------
    now : float
        The time.
    began_at : float
        When the task was submitted.
    looked_at : float or None
        When it was last asked for.
    usual : Typical, optional
        How long tasks of this kind take.
    fixed : float, optional
        The user's own interval, in seconds.

    Returns
    -------
    float
        A time; at or before ``now`` means at once. A clock that was set back does not delay it by more
        than one interval.
    """
    if fixed is not None:
        return min(now, began_at if looked_at is None else looked_at) + fixed
    if looked_at is None:
        wait = min(FIRST, max(SHORTEST, 0.9 * usual.early)) if usual else 2 * SHORTEST
        return min(now, began_at) + wait
    elapsed = max(0.0, now - began_at)
    interval = 0.15 * elapsed
    if usual is not None and elapsed < 2 * usual.median:
        interval = 0.1 * usual.median
    return min(now, looked_at) + min(LONGEST, max(SHORTEST, interval))
