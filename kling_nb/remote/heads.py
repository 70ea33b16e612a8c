"""What the head of an answer says: the clock of the gateway, and the pause that it asks for."""

import time
from email.utils import parsedate_to_datetime

LONGEST_WAIT = 300.0
"""Seconds; a gateway that asks for a longer pause is asked again all the same."""


def date(header: str | None) -> tuple[float, float] | None:
    """Read a Date header.

    Returns
    -------
    tuple of float or None
        Seconds since the epoch there, and when it was read, on a clock that nobody sets.
    """
    try:
        return parsedate_to_datetime(header or "").timestamp(), time.monotonic()
    except (ValueError, OverflowError):
        return None


def pause(header: str | None) -> float | None:
    """Read a Retry-After, in seconds; as a date it says no more than the queue's own patience."""
    text = (header or "").strip()
    return min(float(text), LONGEST_WAIT) if text.isascii() and text.isdigit() else None
