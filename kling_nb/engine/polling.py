"""When to ask for a task again. Pure.

Reads are free but not nothing, and an answer that comes a second late costs a person a second. Tasks of
one gateway and model take similar times, so the first look comes when the quickest of them were done.
"""

from collections.abc import Sequence
from typing import NamedTuple

SHORTEST = 0.02
"""Seconds between two looks at least, where it is known how long tasks take. A gateway whose tasks take a second is
asked no more often for each of them than one whose tasks take a minute."""
GUESSING = 0.5
"""The same where nothing is known; a fifth of it where one question tells of many."""
LONGEST = 10.0
FIRST = 60.0
"""Seconds after which the first look comes at the latest. Tasks that were collected long after their end, by
a later kernel, seem to have taken days."""
MANY = 5
"""Where one question tells of more tasks than that, the looks come closer together: not quite two a task."""
_ENOUGH = 3


class Typical(NamedTuple):
    """How long tasks take, in seconds.

    Parameters
    ----------
    early : float
        When one in five was done: a look before that would mostly be in vain.
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
    return Typical(known[len(known) // 5], known[len(known) // 2])


def next_look(
    now: float,
    began_at: float,
    looked_at: float | None,
    usual: Typical | None,
    fixed: float | None = None,
    together: int = 1,
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
    together : int
        How many tasks the question tells of.

    Returns
    -------
    float
        A time; at or before ``now`` means at once. A clock that was set back does not delay it by more
        than one interval.
    """
    if fixed is not None:
        return min(now, began_at if looked_at is None else looked_at) + fixed
    guessing = GUESSING / 5 if together > 1 else GUESSING
    if looked_at is None:
        wait = min(FIRST, max(SHORTEST, usual.early)) if usual else 2 * guessing
        return min(now, began_at) + wait
    elapsed = max(0.0, now - began_at)
    if usual is None:
        # Of many that began together one in ten may end any moment.
        interval, least = (0.05 if together > MANY else 0.15) * elapsed, guessing
    else:
        # Twice the usual time and more: the later it is, the less is known of when it ends.
        interval = 0.105 * max(usual.median, elapsed - usual.median) * min(1.0, MANY / together)
        least = SHORTEST
    return min(now, looked_at) + min(LONGEST, max(least, interval))
