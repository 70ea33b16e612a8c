"""How many slots an account has: learned from what is taken and what is refused. Pure.

The limit is neither documented for an account nor told by the API; a create above it is refused with 1303,
and nothing is made or billed. So the queue goes one task beyond what is known, one at a time, until it is
refused. A refusal shows a ceiling: below it the queue goes on to try at once, beyond it now and then.

Whoever else uses the account makes a limit seem lower than it is. So where more was held before, it is tried
again soon. Every success beyond the ceiling allows the next try at once, but only many make the pauses short
again, which double with every refusal: so a limit that stays costs few of them.
"""

import math
from dataclasses import replace

from kling_nb.records import SlotLimit

AGAIN = 60.0
"""Seconds after a refusal before the queue goes beyond the ceiling again; doubled by every further refusal."""
SOON = 2.0
"""The same, up to AGAIN, where more was held before: someone else uses the account, and may be gone soon."""
AGAIN_AT_MOST = 600.0
ALONE = 3
"""Refusals that a task takes while nothing else runs before it is held to be too large."""


def beginning(remembered: SlotLimit | None, setting: int) -> SlotLimit:
    """Return what to begin with: what was learned, unless the user has changed the setting since.

    Parameters
    ----------
    remembered : SlotLimit or None
        From an earlier kernel.
    setting : int
        Slots that the settings name.
    """
    if remembered is not None and remembered.begun == setting:
        return remembered
    return SlotLimit(begun=setting, slots=setting)


def reach(limit: SlotLimit, now: float) -> float:
    """Return how many slots one task alone may fill, to see whether there are more than is known.

    Parameters
    ----------
    limit : SlotLimit
        What is known.
    now : float
        Seconds since the epoch; a clock that was set back ends the pause.

    Returns
    -------
    float
        The ceiling during the pause after a refusal, and infinity otherwise.
    """
    if not limit.refusals:
        return math.inf
    first, longest = (SOON, AGAIN) if 0 < limit.ceiling < limit.most else (AGAIN, AGAIN_AT_MOST)
    pause = min(longest, first * 2.0 ** min(limit.refusals - 1, 10))
    return limit.ceiling if 0 <= now - limit.refused_at < pause else math.inf


def taken(limit: SlotLimit, n: int, occupied: int) -> SlotLimit:
    """Return what is known after a create was taken.

    Parameters
    ----------
    limit : SlotLimit
        What was known.
    n : int
        Of the task.
    occupied : int
        Slots that this workspace's tasks hold now, with it; perhaps fewer, for one may have ended unseen.
    """
    if occupied > max(limit.slots, limit.ceiling):
        # It may have got the place of one that ended unseen: then a refusal follows, and the pause is no shorter.
        limit = replace(limit, refusals=max(0, limit.refusals - 1), refused_at=0.0, ceiling=0)
    slots, most = max(limit.slots, occupied), max(limit.most, occupied)
    return replace(limit, slots=slots, largest=max(limit.largest, n), most=most)


def refused(limit: SlotLimit, n: int, occupied: int, now: float, *, together: bool = False) -> SlotLimit:
    """Return what is known after a create was refused with 1303.

    Parameters
    ----------
    limit : SlotLimit
        What was known.
    n : int
        Of the task.
    occupied : int
        Slots that this workspace's tasks may hold at the gateway at most, without it. Then the account has
        fewer than ``occupied + n``, or someone else uses it as well.
    now : float
        Seconds since the epoch.
    together : bool
        Whether it was under way together with one that was refused before, and does not count again.
    """
    if occupied == 0 and n <= max(1, limit.largest):
        # Alone, and no larger than what was taken before: then others use the account, and they come and go.
        # What the refusals before it have shown may have been their doing as well.
        return replace(limit, refusals=0, ceiling=0)
    ceiling = occupied + n - 1
    # Where fewer are left than were thought to work, what is held now is all that is known to.
    slots = limit.slots if ceiling >= limit.slots else occupied or ceiling
    # A little less than the most that were ever held, and nothing lowered yet: then one of those got the place of a
    # task that had ended unseen, most likely where it was the last success, and so many there never were.
    little = limit.largest if limit.refused_at == 0.0 else 1
    mistaken = limit.slots == limit.most and limit.most - ceiling <= little
    return replace(
        limit,
        slots=slots,
        most=min(limit.most, ceiling) if mistaken else limit.most,
        refusals=limit.refusals + (not together),
        refused_at=now,
        ceiling=min(limit.ceiling or ceiling, ceiling),
    )


def is_too_large(limit: SlotLimit, n: int, refused_alone: int) -> bool:
    """Tell whether a task will never get the slots that it needs.

    Parameters
    ----------
    limit : SlotLimit
        What is known.
    n : int
        Of the task.
    refused_alone : int
        How often it was refused while nothing else ran. A task no larger than one that was taken before
        waits: somebody else is using the account.
    """
    return refused_alone >= ALONE and n > max(1, limit.largest)
