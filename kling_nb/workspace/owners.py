"""Who has a task in hand: a process, told apart from every other that ever ran.

A process id alone comes back after a while, and means nothing in another container, so the machine's boot,
the space of process ids and the process's start are named too.
"""

import functools
import os
import socket
from pathlib import Path

UNREACHABLE = 60.0
"""Seconds after its last sign of life for which a process of another machine is taken to be alive."""

_PARTS = 5


@functools.cache
def _machine() -> tuple[str, str, str]:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = ""
    try:
        # Containers of one machine may share its name, and each counts its processes from 1.
        space = Path("/proc/self/ns/pid").readlink().name.strip("pid:[]")
    except OSError:
        space = ""
    return socket.gethostname().replace("|", " "), boot, space


def _started(pid: int) -> str:
    """Return when a process started, in the kernel's own ticks; empty where that is not told."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return ""
    # The name in parentheses may hold anything; the state comes behind it, and the start as the 20th field.
    fields = stat.rpartition(")")[2].split()
    if len(fields) <= 19:
        return ""
    # One that has ended, and whose parent has not looked yet, does nothing any more.
    return "ended" if fields[0] in ("Z", "X") else fields[19]


def this_process() -> str:
    """Return the name of the process that this runs in."""
    return _name(os.getpid())


@functools.cache
def _name(pid: int) -> str:
    # Asked for with every step of every task; a process that was forked has another number.
    return "|".join((*_machine(), str(pid), _started(pid)))


def is_gone(owner: str) -> bool:
    """Tell whether an owner is known to have ended.

    Parameters
    ----------
    owner : str
        As `this_process` names one.

    Returns
    -------
    bool
        False for a process of another machine or container, and wherever it cannot be told: then it may be
        alive.
    """
    parts = owner.split("|")
    host, boot, space = _machine()
    if len(parts) != _PARTS or parts[0] != host or os.name != "posix":
        return False
    if parts[1] != boot:
        return True
    if parts[2] != space:
        return False
    pid = int(parts[3]) if parts[3].isdecimal() else 0
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return parts[4] != _started(pid)


def is_free(owner: str, beat_at: float | None, now: float) -> bool:
    """Tell whether what an owner had in hand may be taken over.

    Parameters
    ----------
    owner : str
        As `this_process` names one; empty when it let go by itself.
    beat_at : float or None
        When it last gave a sign of life, in seconds since the epoch.
    now : float
        The time.

    Returns
    -------
    bool
        At once for a process of this machine that has ended; `UNREACHABLE` seconds after its last sign of
        life for one that cannot be looked at. Never for one that runs here, also when it is suspended.
    """
    if not owner or is_gone(owner):
        return True
    if os.name == "posix" and tuple(owner.split("|")[:3]) == _machine():
        return False
    return beat_at is None or now - beat_at > UNREACHABLE
