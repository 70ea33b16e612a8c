"""What is shown of a task: its record, and the small pictures and places that go with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from kling_nb.records import ImageRecord, TaskRecord


class Keep(Protocol):
    """Where small pictures are kept by name; a `Workspace` is one."""

    def thumbnail(self, name: str) -> bytes | None: ...  # noqa: D102
    def keep_thumbnail(self, name: str, jpeg: bytes) -> None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task with everything that showing it needs, so that showing touches no disk but for its sheet.

    Parameters
    ----------
    record : TaskRecord
        The facts.
    thumbnails : mapping of int to bytes
        Image index to JPEG, as `thumbnail` makes it (512 px and 22,000 bytes at most).
    previews : mapping of str to bytes
        Reference's sha256 to JPEG, as `preview` makes it (96 px and 2,500 bytes at most).
    links : mapping of int to str
        Image index to relative href, percent-encoded segment by segment; no entry, no link.
    files : mapping of int to str
        Image index to the path that is shown as text.
    price : str, optional
        With its currency, for example ``0.22 USD``; None where it is not known.
    how_to_collect : str
        For an unfinished task, a sentence or command that brings its images.
    keep : Keep, optional
        Where its contact sheet is kept once it has been drawn.
    """

    record: TaskRecord
    thumbnails: Mapping[int, bytes] = field(default_factory=dict)
    previews: Mapping[str, bytes] = field(default_factory=dict)
    links: Mapping[int, str] = field(default_factory=dict)
    files: Mapping[int, str] = field(default_factory=dict)
    price: str | None = None
    how_to_collect: str = ""
    keep: Keep | None = field(default=None, repr=False, compare=False)

    def image(self, index: int) -> ImageRecord:
        """Return the image with this index, or an empty record where the gateway named none."""
        for image in self.record.images:
            if image.index == index:
                return image
        return ImageRecord(index)

    def indices(self) -> list[int]:
        """Return the indices to show: those asked for and those that came, in order."""
        wanted = set(range(asked(self.record))) if self.record.task_status == "succeeded" else set()
        return sorted(wanted | {image.index for image in self.record.images} | set(self.thumbnails))


@dataclass(frozen=True, slots=True)
class Tile:
    """One image among those shown together.

    Parameters
    ----------
    view : TaskView
        The task.
    index : int
        Which of its images.
    """

    view: TaskView
    index: int


def asked(record: TaskRecord) -> int:
    """Return how many images were asked for; 1 where the request does not say it in digits."""
    try:
        return max(1, min(record.n, 99))
    except (KeyError, TypeError, ValueError, OverflowError):
        return 1


def saved(record: TaskRecord) -> int:
    """Return how many images are on disk."""
    return sum(image.path is not None for image in record.images)
