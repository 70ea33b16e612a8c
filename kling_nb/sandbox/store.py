"""The folder: references by content, and painted images once they were asked for."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_STRIPES: Final = 16


class Store:
    """Files of the sandbox; each is written whole or not at all.

    Parameters
    ----------
    folder : Path
        Where they are kept; created if missing.
    """

    def __init__(self, folder: Path) -> None:
        self._references = folder / "references"
        self._images = folder / "images"
        self._references.mkdir(parents=True, exist_ok=True)
        self._images.mkdir(exist_ok=True)
        # A lock for each of a few stripes: two first requests for one image paint it once.
        self._locks = [threading.Lock() for _ in range(_STRIPES)]

    def keep_reference(self, digest: str, data: bytes) -> bool:
        """Keep the bytes of a reference. Return whether they are new."""
        path = self._references / digest
        if path.exists():
            return False
        _write(path, data)
        return True

    def reference(self, digest: str) -> bytes:
        """Return the bytes of a reference."""
        return (self._references / digest).read_bytes()

    def image(self, name: str, paint: Callable[[], bytes]) -> bytes:
        """Return an image from the folder, painted first if it is not there.

        Parameters
        ----------
        name : str
            Name of the file, without directories.
        paint : callable
            Returns the bytes of the file.

        Returns
        -------
        bytes
            The file.
        """
        path = self._images / name
        with self._locks[hash(name) % _STRIPES]:
            try:
                return path.read_bytes()
            except FileNotFoundError:
                data = paint()
                _write(path, data)
                return data


def _write(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
