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


def headers_of(body: Sent | None) -> dict[str, str]:
    """Return the headers of a request with a body, or with none."""
    if body is None:
        # What a cache on the way knew some time ago would prove nothing.
        return {"Cache-Control": "no-cache"}
    # Not in chunks of unknown length: many gateways refuse those.
    return {"Content-Type": "application/json", "Content-Length": str(len(body))}
