"""Files that are whole or not there: written aside, flushed to disk, then moved into place."""

import contextlib
import os
import stat
import time
from pathlib import Path

from kling_nb.errors import WorkspaceError

_TEMPORARY = ".writing-"
_ABANDONED = 3600.0
_NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)


def write(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a file so that it is never seen half-written.

    Parameters
    ----------
    path : Path
        An existing file is replaced.
    data : bytes
        All of it.
    durable : bool
        Whether it must survive a power cut.

    Raises
    ------
    WorkspaceError
        The disk is full or cannot be written; nothing is left behind.
    """
    temporary = _aside(path, data, durable=durable)
    try:
        os.replace(temporary, path)  # noqa: PTH105 - a str and a Path
    except OSError as error:
        _forget(temporary)
        raise _unwritable(path, error) from error
    if durable:
        _flush_folder(path.parent)


def write_new(path: Path, data: bytes) -> bool:
    """Write a file durably, unless there is one of that name.

    Parameters
    ----------
    path : Path
        Where.
    data : bytes
        All of it.

    Returns
    -------
    bool
        False when the name was taken; that file is untouched.

    Raises
    ------
    WorkspaceError
        The disk is full or cannot be written; nothing is left behind.
    """
    temporary = _aside(path, data, durable=True)
    try:
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError:
            # A file system without hard links: the name is taken first, and the content put in place of it.
            try:
                os.close(os.open(path, _NEW))
            except FileExistsError:
                return False
            try:
                os.replace(temporary, path)  # noqa: PTH105
            except OSError:
                _forget(str(path))
                raise
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        _forget(temporary)
    _flush_folder(path.parent)
    return True


def make_folder(path: Path) -> None:
    """Create a folder and its parents where they are missing.

    Raises
    ------
    WorkspaceError
        It cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def names_in(folder: Path) -> set[str]:
    """Return the names of what is in a folder.

    Raises
    ------
    WorkspaceError
        It cannot be read.
    """
    try:
        return {path.name for path in folder.iterdir()}
    except OSError as error:
        raise _unreadable(folder, error) from error


def is_file(path: Path) -> bool:
    """Tell whether there is a file of that name.

    Raises
    ------
    WorkspaceError
        That cannot be seen: it may be there.
    """
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _unreadable(path, error) from error


def remove(path: Path) -> None:
    """Remove a file as far as that is possible."""
    _forget(str(path))


def tidy(folder: Path) -> None:
    """Remove what processes that were killed while they wrote have left in a folder.

    Parameters
    ----------
    folder : Path
        Need not exist.
    """
    # One that is still being written is younger: the largest picture takes seconds.
    before = time.time() - _ABANDONED
    with contextlib.suppress(OSError):
        for path in folder.glob(f"{_TEMPORARY}*"):
            if path.stat().st_mtime < before:
                path.unlink(missing_ok=True)


def read(path: Path) -> bytes | None:
    """Return a file's bytes, or None when there is no such file.

    Raises
    ------
    WorkspaceError
        It is there and cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, error) from error


def _aside(path: Path, data: bytes, *, durable: bool) -> str:
    temporary = f"{path.parent}{os.sep}{_TEMPORARY}{os.urandom(8).hex()}"
    try:
        # Not by tempfile, whose files are private: who may read a picture is what the user's umask says.
        with os.fdopen(os.open(temporary, _NEW, 0o666), "wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
    except OSError as error:
        _forget(temporary)
        raise _unwritable(path, error) from error
    except BaseException:
        _forget(temporary)
        raise
    return temporary


def _flush_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):  # some file systems cannot flush a folder
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _forget(temporary: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(temporary)  # noqa: PTH108


def _unreadable(path: Path, error: OSError) -> WorkspaceError:
    return WorkspaceError(f"{path} cannot be read: {error.strerror or error}.")


def _unwritable(path: Path, error: OSError) -> WorkspaceError:
    return WorkspaceError(f"{path} cannot be written: {error.strerror or error}.")
