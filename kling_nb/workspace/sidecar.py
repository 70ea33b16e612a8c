"""The JSON beside each image: everything needed to say how it was made. Pure.

Times are UTC in ISO 8601. Paths are relative to the workspace. No picture's bytes and no key are in it.
"""

from datetime import UTC, datetime
from typing import Any

from kling_nb._version import __version__
from kling_nb.records import ImageRecord, TaskRecord
from kling_nb.workspace.rows import reference_facts

SCHEMA = "kling_nb image 1"
EXTENSIONS = {"image/jpeg": ".jpg", "image/png": ".png"}


def describe(record: TaskRecord, image: ImageRecord) -> dict[str, Any]:
    """Return the record of one image.

    Parameters
    ----------
    record : TaskRecord
        The task.
    image : ImageRecord
        One of its images.

    Returns
    -------
    dict
        Ready for JSON.
    """
    return {
        "schema": SCHEMA,
        "kling_nb": __version__,
        "sandbox": record.sandbox,
        "image": {
            "index": image.index,
            "sha256": image.sha256,
            "media_type": image.media_type,
            "width": image.width,
            "height": image.height,
            "size": image.size,
        },
        "task": {
            "id": record.id,
            "task_id": record.task_id,
            "external_task_id": record.external_task_id,
            "request_id": record.request_id,
            "gateway": record.gateway,
            "digest": record.digest,
            "final_unit_deduction": record.units,
        },
        "request": dict(record.request),
        "references": [_reference(item) for item in map(reference_facts, record.references)],
        "times": {
            "planned": iso(record.created_at),
            "sent": iso(record.sent_at),
            "submitted": iso(record.submitted_at),
            "processing": iso(record.processing_at),
            "finished": iso(record.finished_at),
        },
    }


def _reference(facts: dict[str, Any]) -> dict[str, Any]:
    if facts["url"] is None:
        facts["path"] = reference_path(facts["sha256"], facts["media_type"])
    return facts


def reference_path(sha256: str, media_type: str | None) -> str:
    """Return where a reference's bytes are kept, relative to the workspace."""
    return f"references/{sha256}{EXTENSIONS.get(media_type or '', '.bin')}"


def iso(when: float | None) -> str | None:
    """Return a time as UTC in ISO 8601, to the millisecond."""
    if when is None:
        return None
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
