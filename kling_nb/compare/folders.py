"""A new folder, of which there is all or nothing.

It is written under another name beside its place and renamed when it is whole.
"""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kling_nb.errors import InvalidRequest, WorkspaceError
from kling_nb.request.problems import shown


def checked(folder: Any) -> Path:
    """Return the absolute path of a folder to make.

    Parameters
    ----------
    folder : str or path
        There is nothing of that name yet.

    Raises
    ------
    InvalidRequest
        There is something of that name, or it is no name.
    """
    if not isinstance(folder, str | os.PathLike) or not str(folder).strip() or "\0" in str(folder):
        raise InvalidRequest(f"folder is {shown(folder)}; it must be the name of a folder to make.", money="")
    target = Path(folder).expanduser().absolute()
    if os.path.lexists(target):
        raise _exists(target)
    return target


@contextlib.contextmanager
def whole(target: Path) -> Iterator[Path]:
    """Fill a folder beside its place, and put it there when all of it is written.

    Parameters
    ----------
    target : Path
        As of `checked`; folders around it are made.

    Yields
    ------
    Path
        The folder to fill.

    Raises
    ------
    InvalidRequest
        There is something of that name by now.
    WorkspaceError
        It cannot be written; nothing is left of it.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.parent / f".{target.name[:40]}.writing-{secrets.token_hex(6)}"
        aside.mkdir()
    except OSError as error:
        raise _unwritable(target, error) from error
    try:
        yield aside
        # What came to be there meanwhile stays: a folder is put in the place of nothing, or of an empty folder.
        aside.rename(target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            shutil.rmtree(aside)
        if isinstance(error, OSError):
            raise _exists(target) if os.path.lexists(target) else _unwritable(target, error) from error
        raise


def _exists(target: Path) -> InvalidRequest:
    what = "The folder" if target.is_dir() else "The file"
    return InvalidRequest(f"{what} {target} exists, and was not touched.", money="", advice="Choose another name.")


def _unwritable(target: Path, error: OSError) -> WorkspaceError:
    advice = "Choose a folder that can be written and has space."
    return WorkspaceError(f"{target} cannot be written: {error.strerror or error}.", money="", advice=advice)
