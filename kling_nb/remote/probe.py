"""One cheap question to a gateway: is it there, and does it take the key? Nothing is made, nothing is paid."""

import contextlib
import time
from collections.abc import Callable
from typing import NamedTuple

from kling_nb import errors
from kling_nb.key import Secret
from kling_nb.remote.client import Client, ListUnavailable, Timeouts

_NO_TASK = "kling_nb-doctor"
"""An id that no task has. A gateway that looks for it has taken the key."""


class Reply(NamedTuple):
    """What came of the question.

    Parameters
    ----------
    seconds : float
        Until the answer, with connecting.
    listed : bool
        Whether the gateway answers the list call.
    error : KlingError or None
        What it said instead of an answer that can be used.
    ahead : float or None
        How many seconds this machine's clock is before the gateway's, where that tells its own.
    """

    seconds: float
    listed: bool
    error: errors.KlingError | None = None
    ahead: float | None = None


def ask(base_url: str, key: Callable[[], Secret] | None, seconds: float) -> Reply:
    """Ask a gateway for the newest task of the account, on a connection of its own.

    Parameters
    ----------
    base_url : str
        Everything before ``/v1/…``.
    key : callable, optional
        Returns the key; without one the question goes without.
    seconds : float
        That each step of it may take at most.

    Returns
    -------
    Reply
        Also of a gateway that is not there.

    Raises
    ------
    ConfigurationError
        There is no key that can be sent, or the environment's proxy or certificates cannot be used.
    """
    limits = Timeouts(connect=seconds, read=seconds, create=seconds, write=seconds, whole=seconds)
    with contextlib.closing(Client(base_url, key or (lambda: Secret("")), limits)) as client:
        began = time.monotonic()
        listed, error = _list(client)
        took = time.monotonic() - began
        there = client.time_there
        ahead = None if there is None else time.time() - there
        if error is not None and not listed:
            error = _query(client)
    return Reply(took, listed, error, ahead)


def _list(client: Client) -> tuple[bool, errors.KlingError | None]:
    """Return whether the list call is answered, or may be another time, and what is wrong."""
    try:
        client.query_many(1, 1)
    except ListUnavailable as unavailable:
        return False, errors.KlingError(str(unavailable))
    except errors.APIError as error:
        # A success that cannot be read may be a gateway's own idea of a list.
        return (error.http_status or 500) >= 300, error
    except errors.ConnectionFailed as error:
        return True, error
    return True, None


def _query(client: Client) -> errors.KlingError | None:
    """Ask for a task that is not there, which a gateway without the list call says of it, too."""
    try:
        client.query(_NO_TASK)
    except errors.RequestRefused as error:
        # Without a code it was no gateway that said so, for every web server answers 404; and with 1202 it was one
        # that has no tasks there.
        return None if error.code not in (None, "1202") else error
    except (errors.APIError, errors.ConnectionFailed) as error:
        return error
    return None
