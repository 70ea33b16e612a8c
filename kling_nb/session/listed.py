"""The whole history, read from the journal page by page: it may have a hundred thousand tasks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from kling_nb.errors import WorkspaceError
from kling_nb.session.task import Task

if TYPE_CHECKING:
    from kling_nb.session.session import Session

PAGE = 100
"""Tasks that are read at once; a history that is no longer than that is read when it is listed."""


class Listed(Sequence[Task]):
    """Every task that there was when it was made, newest first, each as it was when it was first looked at.

    Parameters
    ----------
    session : Session
        Whose workspace, which exists.
    """

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._listing = session.workspace.journal.listing()
        self._pages: dict[int, list[Task]] = {}
        if self._listing.total:
            self._page(0)

    def __len__(self) -> int:
        return self._listing.total

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
            found = self._session.workspace.journal.page(self._listing, start, PAGE)
            if len(found) < min(PAGE, len(self) - start):
                raise WorkspaceError(
                    "The history has fewer tasks than when it was listed.",
                    money="",
                    advice="List it again with kling.tasks() or `%kling history`.",
                )
            self._pages[number] = [self._session.as_task(record) for record in found]
        return self._pages[number]
