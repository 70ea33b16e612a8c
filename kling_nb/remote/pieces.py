"""Bodies that are made while they are sent."""

from collections.abc import Iterator
from typing import Protocol


class Pieces(Protocol):
    """A body whose length is known before it is there; it may be gone through again."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[bytes]: ...


Sent = bytes | Pieces


def content_of(body: Sent | None) -> bytes | Iterator[bytes] | None:
    """Return a body as httpx takes it."""
    return body if body is None or isinstance(body, bytes) else iter(body)
