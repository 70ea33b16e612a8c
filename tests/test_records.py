"""The facts that rooms hand to one another: frozen, comparable, and right about themselves."""

from dataclasses import FrozenInstanceError, fields, replace

import pytest

from kling_nb import records
from kling_nb.records import ENDED, UNDER_WAY, Failure, ImageRecord, Reference, TaskRecord, TaskState

STATUSES = records.TaskStatus.__args__


@pytest.fixture
def task():
    return TaskRecord(
        id="20261122-143005-abcde",
        gateway="https://gateway.example/kling",
        request={"model_name": "kling-v2-1", "prompt": "a cat", "n": 3},
        digest="d",
        references=(),
        external_task_id="mine",
        created_at=1.0,
    )


@pytest.mark.parametrize("kind", [Reference, Failure, ImageRecord, TaskState, TaskRecord])
def test_they_are_frozen_and_have_no_other_fields(kind):
    known = {"role": "subject", "name": "cat", "sha256": "ab", "kind": "TaskFailed", "message": "m", "index": 0}
    known |= {"task_id": "T", "task_status": "submitted", "id": "i", "gateway": "g", "request": {}, "digest": "d"}
    known |= {"references": (), "external_task_id": "e", "created_at": 0.0}
    some = kind(**{field.name: known[field.name] for field in fields(kind) if field.name in known})
    name = fields(kind)[0].name
    with pytest.raises(FrozenInstanceError):
        setattr(some, name, "changed")
    assert not hasattr(some, "__dict__")
    assert replace(some) == some


def test_the_statuses_are_those_of_the_design():
    assert STATUSES == (
        "planned",
        "sending",
        "submitted",
        "processing",
        "succeeded",
        "failed",
        "uncertain",
        "cancelled",
    )
    assert {"succeeded", "failed", "cancelled"} == ENDED
    assert {"submitted", "processing"} == UNDER_WAY


def test_a_task_says_what_it_asked_for(task):
    assert (task.n, task.model_name, task.prompt) == (3, "kling-v2-1", "a cat")
    assert task.task_status == "planned"
    assert replace(task, request={"model_name": "m", "n": 1}).prompt == ""


def test_only_the_sandbox_is_the_sandbox(task):
    assert not task.sandbox
    assert replace(task, gateway=records.SANDBOX_GATEWAY).sandbox
    assert not replace(task, gateway="https://sandbox").sandbox


@pytest.mark.parametrize(("saved", "missing"), [(0, 3), (1, 2), (3, 0)])
def test_missing_counts_what_is_not_on_disk(task, saved, missing):
    images = tuple(ImageRecord(index, path="images/x.png" if index < saved else None) for index in range(3))
    assert replace(task, images=images).missing == missing
    assert replace(task, images=images[:saved]).missing == missing


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("saved_at", [None, 5.0])
def test_complete_is_when_nothing_remains_to_be_done(task, status, saved_at):
    wanted = status in ("failed", "cancelled") or (status == "succeeded" and saved_at is not None)
    assert replace(task, task_status=status, saved_at=saved_at).complete is wanted


def test_a_references_bytes_are_neither_compared_nor_shown():
    some = Reference("subject", "cat", "ab", data=b"PIXELS")
    assert some == replace(some, data=None)
    assert hash(some) == hash(replace(some, data=None))
    assert "PIXELS" not in repr(some)
