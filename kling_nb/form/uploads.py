"""Files that come from the browser in chunks, put together again. Pure, but for its own memory."""

from dataclasses import dataclass, field
from typing import Any

CHUNK = 1024 * 1024
"""Bytes of a chunk: a message of over 10 MB ends the connection to the browser without a word."""
MOST_BYTES = 200_000_000
"""Of a file; larger ones are given by path."""
_MOST_OPEN = 8
_LONGEST_NAME = 255


@dataclass(slots=True)
class Upload:
    """A file as the browser gave it.

    Parameters
    ----------
    name : str
        As it is called there, without its folder.
    data : bytes
        All of it.
    number, count : int
        Which of the files that were given together, from 0, and how many these are.
    """

    name: str
    data: bytes = field(repr=False)
    number: int = 0
    count: int = 1


class Refused(ValueError):
    """A chunk cannot be taken; the message is for the user."""


class Assembly:
    """Puts chunks together; each must follow the one before it."""

    def __init__(self) -> None:
        self._open: dict[str, list[bytes]] = {}

    def take(self, message: dict[str, Any], buffers: list[Any]) -> Upload | None:
        """Take one chunk.

        Parameters
        ----------
        message : dict
            ``id``, ``step``, ``steps``, ``name``, ``size``, ``number`` and ``count``.
        buffers : list of buffer
            One, with the bytes.

        Returns
        -------
        Upload or None
            The file, when this was its last chunk.

        Raises
        ------
        Refused
            It is out of turn, or too large; the file is forgotten.
        """
        some_id, step, steps = str(message.get("id")), message.get("step"), message.get("steps")
        parts = self._open.pop(some_id, [])
        if step != len(parts) or not isinstance(steps, int) or step >= steps or len(buffers) != 1:
            raise Refused("The file did not arrive whole. Drop it again, or give its path.")
        parts.append(bytes(buffers[0]))
        if sum(map(len, parts)) > MOST_BYTES:
            raise Refused(f"At most {MOST_BYTES // 1_000_000} MB can be dropped. Give the path instead.")
        if step + 1 < steps:
            self._open[some_id] = parts
            # Files that were broken off are not kept for ever.
            while len(self._open) > _MOST_OPEN:
                self._open.pop(next(iter(self._open)))
            return None
        name = str(message.get("name") or "").replace("\\", "/").rpartition("/")[2][:_LONGEST_NAME]
        number, count = _whole(message.get("number"), 0), _whole(message.get("count"), 1)
        return Upload(name or "picture", b"".join(parts), number, count)


def _whole(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) and value >= 0 else otherwise
