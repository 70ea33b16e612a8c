"""What a folder's disk is like, found without leaving anything on it."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

_MOUNTS = Path("/proc/self/mountinfo")
_REMOTE = ("nfs", "cifs", "smb", "9p", "afs", "lustre", "gpfs", "beegfs", "ceph", "glusterfs", "ncpfs", "fuse.")
_LOCAL_ALL_THE_SAME = ("fuse.fuse-overlayfs", "fuse.gocryptfs", "fuse.lxcfs")


class Disk(NamedTuple):
    """A disk as one folder sees it.

    Parameters
    ----------
    nearest : Path
        The folder itself, or the nearest one above it that is there.
    unwritable : str
        Why nothing can be written, in words; empty when something can.
    free : int or None
        Bytes; None where that is not told.
    remote : str
        The kind of file system, where it is likely to be behind a network; empty otherwise.
    """

    nearest: Path
    unwritable: str
    free: int | None
    remote: str


def look_at(folder: Path) -> Disk:
    """Return what the disk of a folder is like.

    Parameters
    ----------
    folder : Path
        Absolute; need not be there, and is not made.
    """
    nearest = next(place for place in (folder, *folder.parents) if _is_there(place) or place == place.parent)
    try:
        free: int | None = shutil.disk_usage(nearest).free
    except OSError:
        free = None
    return Disk(nearest, _unwritable(nearest, itself=nearest == folder), free, _remote(nearest))


def _is_there(place: Path) -> bool:
    try:
        return place.exists()
    except OSError:
        return False


def _unwritable(place: Path, *, itself: bool) -> str:
    if not place.is_dir():
        return f"{place} is no folder"
    if not itself:
        # Nothing is tried in a folder that is not ours.
        return "" if os.access(place, os.W_OK | os.X_OK) else f"{place} cannot be written"
    try:
        with tempfile.TemporaryFile(dir=place, prefix=".writing-", buffering=0) as file:
            file.write(b"x" * 4096)
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""


def _remote(place: Path) -> str:
    """Return the kind of a file system that is likely to be behind a network; on Linux only."""
    try:
        mounts = [line.split(" ") for line in _MOUNTS.read_text(errors="replace").splitlines()]
        whole = str(place.resolve())
    except OSError:
        return ""
    # "36 35 98:0 /root /mount/point options - type source options"; a blank in a name is written \040.
    kinds = {
        fields[4].replace("\\040", " "): fields[fields.index("-") + 1]
        for fields in mounts
        if len(fields) > 6 and "-" in fields
    }
    inside = [point for point in kinds if f"{whole}/".startswith(f"{point.rstrip('/')}/")]
    kind = kinds[max(inside, key=len)] if inside else ""
    return kind if kind.startswith(_REMOTE) and kind not in _LOCAL_ALL_THE_SAME else ""
