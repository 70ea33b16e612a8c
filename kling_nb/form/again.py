"""An earlier task as the beginning of a new request: its fields, its pictures as they were sent."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kling_nb.display.words import joined, one_line, plural, when
from kling_nb.errors import WorkspaceError
from kling_nb.form.entries import Entry
from kling_nb.notation.writing import Source, escaped
from kling_nb.records import Reference, Role, TaskRecord
from kling_nb.workspace.sidecar import reference_path

if TYPE_CHECKING:
    from kling_nb.request import Request
    from kling_nb.session.session import Session

_MOST = 50


def fields_of(record: TaskRecord) -> dict[str, Any]:
    """Return the fields of a task as the form shows them; its own external id is not used twice."""
    sent = record.request
    watermark = sent.get("watermark_info")
    return {
        "prompt": escaped(record.prompt),
        "n": record.n,
        "aspect_ratio": sent.get("aspect_ratio"),
        "model_name": record.model_name,
        "callback_url": sent.get("callback_url"),
        "external_task_id": None,
        "watermark": bool(isinstance(watermark, dict) and watermark.get("enabled")),
    }


def entries_of(session: "Session", record: TaskRecord, written: Callable[[Any], str]) -> list[tuple[Role, Entry]]:
    """Return the references of a task as entries: their bytes are in the workspace.

    Parameters
    ----------
    session : Session
        Whose workspace.
    record : TaskRecord
        The task.
    written : callable
        Returns a path as it is written.
    """
    return [(reference.role, _entry(session, reference, written)) for reference in record.references]


def _entry(session: "Session", reference: Reference, written: Callable[[Any], str]) -> Entry:
    if reference.url:
        return Entry(Source(reference.url), reference.url)
    if _is_still(reference):
        return Entry(Source(reference.name), reference.name)
    path = written(session.workspace.folder / reference_path(reference.sha256, reference.media_type))
    try:
        # Another picture under its name would be sent without a word.
        session.workspace.read_reference(reference)
    except WorkspaceError as error:
        return Entry(Source(path), problem=str(error.message))
    return Entry(Source(path), path)


def _is_still(reference: Reference) -> bool:
    """Tell whether the file that a picture was sent from is as it was then: its name says more than a hash."""
    if reference.changes:
        return False
    try:
        return hashlib.sha256(Path(reference.name).read_bytes()).hexdigest() == reference.sha256
    except (OSError, ValueError):
        return False


def request_of(session: "Session", record: TaskRecord) -> "Request":
    """Return the same request again, to be sent under an external id of its own.

    Raises
    ------
    WorkspaceError
        A stored reference is missing or was changed.
    """
    from kling_nb.request import Request

    read = session.workspace.read_reference
    pictures = [each if each.url else replace(each, data=read(each)) for each in record.references]
    roles: dict[str, list[Reference]] = {"subject": [], "scene": [], "style": []}
    for picture in pictures:
        roles[picture.role].append(picture)
    sent, watermark = record.request, record.request.get("watermark_info")
    return Request.checked(
        model_name=record.model_name,
        prompt=record.prompt or None,
        subject_images=tuple(roles["subject"]),
        scene_image=next(iter(roles["scene"]), None),
        style_image=next(iter(roles["style"]), None),
        n=record.n,
        aspect_ratio=sent.get("aspect_ratio"),
        callback_url=sent.get("callback_url"),
        watermark=watermark.get("enabled") if isinstance(watermark, dict) else None,
    )


def history(session: "Session") -> list[tuple[str, Any]]:
    """Return the newest tasks as a list to pick from."""
    tasks = session.tasks(limit=_MOST)
    named = [
        (joined(when(task.record.created_at), one_line(task.prompt, 50) or "no prompt", *_facts(task.record)), task.id)
        for task in tasks
    ]
    return [(plural(len(tasks), "earlier task") if tasks else "none yet", ""), *named]


def _facts(record: TaskRecord) -> tuple[str, ...]:
    """Return what tells requests of the same minute and prompt apart."""
    ratio = str(record.request.get("aspect_ratio") or "")
    return plural(record.n, "image"), ratio, record.task_status, record.id.rpartition("-")[2]
