"""A task as a row of the journal, and back. Pure."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from kling_nb.records import Failure, ImageRecord, Reference, TaskRecord

_PLAIN = (
    "id",
    "gateway",
    "external_task_id",
    "task_id",
    "task_status",
    "digest",
    "created_at",
    "sent_at",
    "submitted_at",
    "processing_at",
    "finished_at",
    "saved_at",
    "units",
    "request_id",
)
_DERIVED = ("model_name", "prompt", "n")
_JSON = ("request", "reference_list", "images", "failure", "warnings")
COLUMNS = (*_PLAIN, *_DERIVED, *_JSON)

_REFERENCE_FIELDS = tuple(field.name for field in fields(Reference) if field.name != "data")


def to_row(record: TaskRecord) -> dict[str, Any]:
    """Return a task as the values of `COLUMNS`; the references' bytes are not among them."""
    row: dict[str, Any] = {name: getattr(record, name) for name in (*_PLAIN, *_DERIVED)}
    row["request"] = _dump(dict(record.request))
    row["reference_list"] = _dump([reference_facts(reference) for reference in record.references])
    row["images"] = _dump([asdict(image) for image in record.images])
    row["failure"] = None if record.failure is None else _dump(asdict(record.failure))
    row["warnings"] = _dump(list(record.warnings))
    return row


def from_row(row: Mapping[str, Any]) -> TaskRecord:
    """Return the task that a row holds."""
    failure = row["failure"]
    return TaskRecord(
        **{name: row[name] for name in _PLAIN},
        request=json.loads(row["request"]),
        references=tuple(
            Reference(**{**item, "changes": tuple(item["changes"])}) for item in json.loads(row["reference_list"])
        ),
        images=tuple(ImageRecord(**item) for item in json.loads(row["images"])),
        failure=Failure(**json.loads(failure)) if failure else None,
        warnings=tuple(json.loads(row["warnings"])),
    )


def reference_facts(reference: Reference) -> dict[str, Any]:
    """Return everything about a reference but its bytes."""
    facts = {name: getattr(reference, name) for name in _REFERENCE_FIELDS}
    facts["changes"] = list(reference.changes)
    return facts


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
