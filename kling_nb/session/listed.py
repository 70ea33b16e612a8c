"""A long history, or what a search found in it, read from the journal page by page."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, overload

from kling_nb.errors import WorkspaceError
from kling_nb.records import TaskRecord
from kling_nb.session.task import Task

if TYPE_CHECKING:
    from kling_nb.session.session import Session

PAGE = 100
"""Tasks that are read at once; a history that is no longer than that is read when it is listed."""


class Listed(Sequence[Task]):
    """Tasks of a history, newest first, each as it was when it was first looked at.

    Parameters
    ----------
    session : Session
        Whose workspace, which exists.
    total : int
        How many there are.
    read : callable
        Reads some of them: how many newer ones to leave out, and how many at most.
    """

    def __init__(self, session: "Session", total: int, read: Callable[[int, int], list[TaskRecord]]) -> None:
        self._session = session
        self._total = total
        self._read = read
        self._pages: dict[int, list[Task]] = {}
        if total:
            self._page(0)

    def __len__(self) -> int:
        return self._total

    @overload
    def __getitem__(self, key: int) -> Task: ...
    @overload
    def __getitem__(self, key: slice) -> list[Task]: ...
    def __getitem__(self, key: int | slice) -> Task | list[Task]:
        if isinstance(key, slice):
            return [self[place] for place in range(*key.indices(len(self)))]
        place = range(len(self))[key]
        return self._page(place // PAGE)[place % PAGE]

    def _page(self, number: int) -> list[Task]:
        if number not in self._pages:
            start = number * PAGE
            found = self._read(start, PAGE)
            if len(found) < min(PAGE, len(self) - start):
                raise WorkspaceError(
                    "The history has fewer tasks than when it was listed.",
                    money="",
                    advice="List it again with kling.tasks() or `%kling history`.",
                )
            self._pages[number] = [self._session.as_task(record) for record in found]
        return self._pages[number]


def everything(session: "Session") -> Listed:
    """Return every task that there is now."""
    journal = session.workspace.journal
    listing = journal.listing()
    return Listed(session, listing.total, lambda start, count: journal.page(listing, start, count))


def found(session: "Session", search: str) -> Listed:
    """Return the tasks that mention every word of a search now."""
    journal = session.workspace.journal
    ids = journal.searches.find(search)
    return Listed(session, len(ids), lambda start, count: journal.these(ids[start : start + count]))
