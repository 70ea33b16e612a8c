"""The machine-readable account of a task that goes into its output's metadata."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from kling_nb.records import Failure, ImageRecord, Reference, TaskRecord

VERSION = 1
"""Of the shape of ``metadata["kling_nb"]``."""

_LONGEST = 4000
_MOST_CHARACTERS = 40_000
_MOST_ITEMS = 50
_DEEPEST = 6

_Item = TypeVar("_Item")


def task_metadata(record: TaskRecord, *, price: str | None = None) -> dict[str, Any]:
    """Return what a program needs to know of a task, as JSON would hold it.

    Parameters
    ----------
    record : TaskRecord
        The task.
    price : str, optional
        With its currency.

    Returns
    -------
    dict
        Without what is not known. The request is the body as sent, each picture as its hash.
    """
    moments = ("created_at", "sent_at", "submitted_at", "processing_at", "finished_at", "saved_at")
    account = {
        "version": VERSION,
        "id": record.id,
        "task_id": record.task_id,
        "external_task_id": record.external_task_id,
        "request_id": record.request_id,
        "gateway": record.gateway,
        "sandbox": record.sandbox,
        "task_status": record.task_status,
        "request": record.request,
        "digest": record.digest,
        "references": [reference_metadata(reference) for reference in record.references],
        "images": [_image(image) for image in record.images],
        "times": _known({name: getattr(record, name) for name in moments}),
        "units": record.units,
        "price": None if record.sandbox else price,
        "failure": _failure(record.failure),
        "warnings": list(record.warnings) or None,
    }
    return dict(plain(_known(account)))


def reference_metadata(reference: Reference) -> dict[str, Any]:
    """Return a reference by name and hash, never by its bytes."""
    names = ("role", "name", "sha256", "url", "media_type", "width", "height", "size", "origin")
    facts = {name: getattr(reference, name) for name in names}
    return _known({**facts, "changes": list(reference.changes) or None})


def plain(value: Any) -> Any:
    """Return a value as JSON and UTF-8 can hold it: finite, and not too much of it."""
    return _Plain().copy(value, _DEEPEST)


class _Plain:
    """Copies values within one allowance of characters, so that no server can fill a notebook."""

    def __init__(self) -> None:
        self._left = _MOST_CHARACTERS

    def copy(self, value: Any, depth: int) -> Any:
        self._left -= 10
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else None
        if depth and isinstance(value, Mapping):
            return {self._text(name, 100): self.copy(item, depth - 1) for name, item in self._some(value.items())}
        if depth and isinstance(value, Iterable) and not isinstance(value, str | bytes | bytearray):
            return [self.copy(item, depth - 1) for item in self._some(value)]
        return self._text(value, _LONGEST)

    def _some(self, items: Iterable[_Item]) -> Iterator[_Item]:
        for item, _ in zip(items, range(_MOST_ITEMS), strict=False):
            if self._left <= 0:
                return
            yield item

    def _text(self, value: Any, limit: int) -> str:
        text = str(value)[: max(40, min(limit, self._left))]
        self._left -= len(text)
        # Lone surrogates, as of an undecodable file name, would stop the message from being sent.
        return text.encode("utf-8", "replace").decode("utf-8")


def _image(image: ImageRecord) -> dict[str, Any]:
    # Not its URL: that is signed, long, and dead within days.
    names = ("index", "path", "sha256", "media_type", "width", "height", "size", "problem")
    return _known({name: getattr(image, name) for name in names})


def _failure(failure: Failure | None) -> dict[str, Any] | None:
    if failure is None:
        return None
    names = ("kind", "message", "http_status", "code", "request_id")
    return _known({name: getattr(failure, name) for name in names})


def _known(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}
