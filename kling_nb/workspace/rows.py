"""A task as a row of the journal, and back. Pure."""

import json
import unicodedata
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
    "owner",
    "account",
    "sends",
)
_DERIVED = ("model_name", "prompt", "n")
_JSON = ("request", "reference_list", "images", "failure", "warnings")
COLUMNS = (*_PLAIN, *_DERIVED, *_JSON)
INSERT = f"INSERT INTO tasks ({', '.join(COLUMNS)}) VALUES ({', '.join(':' + name for name in COLUMNS)})"  # noqa: S608
# What a task was planned as stays as it is, and so do the indexes over that: they need not be written anew.
_PLANNED = ("id", "gateway", "external_task_id", "digest", "created_at", "model_name", "prompt", "n")
_BECOME = [name for name in COLUMNS if name not in _PLANNED]
# A task under way is written anew when someone has deleted the journal: it may be paid. One that another
# process has taken over meanwhile is that process's to write. One that nobody has in hand any more was let go
# of when nothing was known to be left to do for it: what turns up later is written down, unless somebody found
# another task in the meantime.
UPSERT = (
    f"{INSERT} ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _BECOME)} "
    "WHERE tasks.owner IN (excluded.owner, :me) "
    "OR (tasks.owner = '' AND (tasks.task_id IS NULL OR tasks.task_id = excluded.task_id))"
)

_REFERENCE_FIELDS = tuple(field.name for field in fields(Reference) if field.name != "data")


def to_row(record: TaskRecord) -> dict[str, Any]:
    """Return a task as the values of `COLUMNS`; the references' bytes are not among them."""
    row: dict[str, Any] = {name: getattr(record, name) for name in (*_PLAIN, *_DERIVED)}
    row["request"] = to_json(dict(record.request))
    row["reference_list"] = to_json([reference_facts(reference) for reference in record.references])
    row["images"] = to_json([asdict(image) for image in record.images])
    row["failure"] = None if record.failure is None else to_json(asdict(record.failure))
    row["warnings"] = to_json(list(record.warnings))
    return row


def from_row(row: Mapping[str, Any]) -> TaskRecord:
    """Return the task that a row holds."""
    failure = row["failure"]
    # An older journal that is only read has not all of the columns.
    there = row.keys()
    return TaskRecord(
        **{name: row[name] for name in _PLAIN if name in there},
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


def mentions(record: TaskRecord, search: str) -> bool:
    """Tell whether every word of a search occurs in a task's prompt, model, status, reference names or ids.

    Parameters
    ----------
    record : TaskRecord
        The task.
    search : str
        Words; upper and lower case are alike in every script.
    """
    text = searched(record)
    return all(word in text for word in folded(search).split())


def searched(record: TaskRecord) -> str:
    """Return the text in which words are looked for, folded."""
    names = (reference.name for reference in record.references)
    ids = (record.id, record.task_id or "", record.external_task_id)
    return folded("\n".join((record.prompt, record.model_name, record.task_status, *names, *ids)))


def searched_in(row: Mapping[str, Any]) -> str:
    """Return the same of a row, of which nothing else is read: there may be a hundred thousand."""
    names = (item["name"] for item in json.loads(row["reference_list"]))
    ids = (row["id"], row["task_id"] or "", row["external_task_id"])
    return folded("\n".join((row["prompt"], row["model_name"], row["task_status"], *names, *ids)))


def folded(text: str) -> str:
    """Return text in which upper and lower case, and two ways to write an accent, are alike in every script."""
    # A Mac writes the accents of file names as characters of their own.
    return unicodedata.normalize("NFC", text).casefold()


def as_text(text: str) -> str:
    """Return text that UTF-8 can hold: something else stands where Python has single surrogates."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Return JSON that people can read and that UTF-8 can hold.

    The name of a file need not be text: Python stands single surrogates in for bytes that are no UTF-8.
    They come back as they were, at the price of escapes for everything that is not ASCII.
    """
    separators = (",", ":") if indent is None else None
    text = json.dumps(value, ensure_ascii=False, separators=separators, indent=indent)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=separators, indent=indent)
    return text
