"""Who has a task in hand: a process, told apart from every other that ever ran.

A process id alone comes back after a while, so the machine's boot and the process's start are named too.
"""

import functools
import os
import socket
from pathlib import Path


@functools.cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Return when a process started, in the kernel's own ticks; empty where that is not told."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return ""
    # The name in parentheses may hold anything; the start is the 20th field behind it.
    fields = stat.rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else ""


def this_process() -> str:
    """Return the name of the process that this runs in."""
    pid = os.getpid()
    return f"{socket.gethostname()}|{_boot()}|{pid}|{_started(pid)}"


def is_gone(owner: str) -> bool:
    """Tell whether an owner is known to have ended.

    Parameters
    ----------
    owner : str
        As `this_process` names one.

    Returns
    -------
    bool
        False for a process of another machine, and wherever it cannot be told: then it may be alive.
    """
    parts = owner.split("|")
    if len(parts) != 4 or parts[0] != socket.gethostname() or os.name != "posix":
        return False
    if parts[1] != _boot():
        return True
    pid = int(parts[2]) if parts[2].isdecimal() else 0
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return parts[3] != _started(pid)
