"""How many slots an account has: learned from what is taken and what is refused. Pure.

The limit is neither documented for an account nor told by the API; a create above it is refused with 1303,
and nothing is made or billed. So the queue goes one task beyond what is known, one at a time, until it is
refused, and comes back to try now and then.
"""

from dataclasses import replace

from kling_nb.records import SlotLimit

AGAIN = 60.0
"""Seconds after a refusal before the queue goes beyond the limit again; doubled by every further refusal."""
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


def may_probe(limit: SlotLimit, now: float) -> bool:
    """Tell whether one task may go beyond the limit, to see whether there is more.

    Parameters
    ----------
    limit : SlotLimit
        What is known.
    now : float
        Seconds since the epoch; a clock that was set back allows it.
    """
    if not limit.refusals:
        return True
    pause = min(AGAIN_AT_MOST, AGAIN * 2.0 ** min(limit.refusals - 1, 10))
    return not 0 <= now - limit.refused_at < pause


def taken(limit: SlotLimit, n: int, occupied: int) -> SlotLimit:
    """Return what is known after a create was taken.

    Parameters
    ----------
    limit : SlotLimit
        What was known.
    n : int
        Of the task.
    occupied : int
        Slots that this workspace's tasks hold now, with it.
    """
    if occupied > limit.slots:
        limit = replace(limit, slots=occupied, refusals=0)
    return replace(limit, largest=max(limit.largest, n)) if n > limit.largest else limit


def refused(limit: SlotLimit, n: int, occupied: int, now: float) -> SlotLimit:
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
    """
    # Alone, and no larger than what was taken before: then others use the account, and they come and go.
    crowded = occupied == 0 and n <= max(1, limit.largest)
    slots = limit.slots if crowded else max(1, min(limit.slots, occupied + n - 1))
    return replace(limit, slots=slots, refusals=limit.refusals + 1, refused_at=now)


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
