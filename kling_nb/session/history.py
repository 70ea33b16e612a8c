"""Many tasks together: the history, and what was spent."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from kling_nb.display import Bundle, history_bundle
from kling_nb.records import TaskRecord
from kling_nb.session.echo import ShownOnce
from kling_nb.session.frames import pandas
from kling_nb.session.places import shown
from kling_nb.session.task import Task
from kling_nb.session.views import view_of
from kling_nb.workspace.sidecar import iso

if TYPE_CHECKING:
    from kling_nb.session.session import Session

SHOWN = 20


class TaskList(Sequence[Task], ShownOnce):
    """Tasks, newest first; a table in a notebook.

    Parameters
    ----------
    tasks : sequence of Task
        The tasks; those of a long history are read when they are looked at.
    session : Session
        Where they were found.
    total : int, optional
        How many there are in all, where this is a part.
    """

    def __init__(self, tasks: Sequence[Task], session: "Session", total: int | None = None) -> None:
        self._tasks = tasks
        self._session = session
        self._total = total

    def to_dataframe(self) -> Any:
        """Return one row an image; a task without images is one row, with its status.

        Returns
        -------
        pandas.DataFrame
            With the API's names as columns; times are UTC.

        Raises
        ------
        ConfigurationError
            pandas is not installed.
        """
        pd = pandas()
        rows = [row for task in self for row in rows_of(task.record, self._session.workspace.folder)]
        frame = pd.DataFrame(rows, columns=list(COLUMNS))
        for name in ("created_at", "finished_at"):
            frame[name] = pd.to_datetime(frame[name], utc=True)
        return frame

    def bundle(self) -> Bundle:
        """Return what a front end shows: data by MIME type, and metadata."""
        views = [
            view_of(task.record, self._session.workspace, price=self._session.price(task.n, task.record))
            for task in self[:SHOWN]
        ]
        return history_bundle(views, now=time.time(), total=max(len(self), self._total or 0))

    def __len__(self) -> int:
        return len(self._tasks)

    @overload
    def __getitem__(self, key: int) -> Task: ...
    @overload
    def __getitem__(self, key: slice) -> "TaskList": ...
    def __getitem__(self, key: int | slice) -> "Task | TaskList":
        found = self._tasks[key]
        return found if isinstance(found, Task) else TaskList(found, self._session)

    def __iter__(self) -> Iterator[Task]:
        return iter(self._tasks)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TaskList | list) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "\n".join(map(repr, self)) or "no tasks"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:  # noqa: ARG002 - IPython's signature
        return self.bundle()


COLUMNS: tuple[str, ...] = (
    "id",
    "task_id",
    "external_task_id",
    "task_status",
    "model_name",
    "prompt",
    "n",
    "aspect_ratio",
    "subject_images",
    "scene_image",
    "style_image",
    "created_at",
    "finished_at",
    "seconds",
    "final_unit_deduction",
    "gateway",
    "failure",
    "index",
    "path",
    "width",
    "height",
    "sha256",
)


def rows_of(record: TaskRecord, folder: Path) -> list[dict[str, Any]]:
    """Return a task as rows of a data frame: one an image, or one that says how the task stands.

    Parameters
    ----------
    record : TaskRecord
        The task.
    folder : Path
        Of the workspace.

    Returns
    -------
    list of dict
        By the names of `COLUMNS`.
    """
    names: dict[str, list[str]] = {"subject": [], "scene": [], "style": []}
    for reference in record.references:
        names[reference.role].append(reference.name)
    took = record.finished_at - record.submitted_at if record.finished_at and record.submitted_at else None
    common = {
        "id": record.id,
        "task_id": record.task_id,
        "external_task_id": record.external_task_id,
        "task_status": record.task_status,
        "model_name": record.model_name,
        "prompt": record.prompt,
        "n": record.n,
        "aspect_ratio": record.request.get("aspect_ratio"),
        "subject_images": ", ".join(names["subject"]),
        "scene_image": ", ".join(names["scene"]) or None,
        "style_image": ", ".join(names["style"]) or None,
        "created_at": iso(record.created_at),
        "finished_at": iso(record.finished_at),
        "seconds": took,
        "final_unit_deduction": record.units,
        "gateway": record.gateway,
        "failure": record.failure.message if record.failure else None,
    }
    if not record.images:
        return [{**common, "index": None, "path": None, "width": None, "height": None, "sha256": None}]
    return [
        {
            **common,
            "index": image.index,
            "path": shown(folder / image.path) if image.path else None,
            "width": image.width,
            "height": image.height,
            "sha256": image.sha256,
        }
        for image in record.images
    ]
