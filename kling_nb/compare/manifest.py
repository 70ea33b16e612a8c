"""The manifest of a saved comparison: everything about it but the pictures themselves. Pure.

``manifest.json`` is one object::

    schema        1; a reader refuses a larger one
    kind          "kling_nb comparison"
    kling_nb      version of the package that wrote it
    created_at    when the folder was written, UTC in ISO 8601
    comparison    id, name, gateway, created_at, seed, replicate
    design        samples, axes with their levels, cells with their requests, references: as the journal has it
    tasks         digest and sample of the cell, and the task's record: its fields as the journal has them (times are
                  seconds since the epoch), without who sent it
    references    from a reference's sha256 to its file
    files         path, sha256 and size in bytes of every file but this one

Paths are POSIX, relative to the folder. Other keys are for what is added later: they are kept when a folder is loaded
and saved again.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple

from kling_nb._version import __version__
from kling_nb.compare import records
from kling_nb.compare.design import Design
from kling_nb.compare.records import ComparisonRecord, Filled
from kling_nb.errors import WorkspaceError
from kling_nb.records import ImageRecord, Reference, TaskRecord
from kling_nb.request import digest_of
from kling_nb.workspace import rows
from kling_nb.workspace.sidecar import iso

SCHEMA = 1
KIND = "kling_nb comparison"
NAME = "manifest.json"
_NOBODYS = ("owner", "account")
_AS_JSON = ("request", "reference_list", "images", "failure", "warnings")
_ADVICE = "Use the folder as it was saved."


class SavedFile(NamedTuple):
    """One file of the folder.

    Parameters
    ----------
    path : str
        POSIX, relative to the folder.
    sha256 : str
        Hexadecimal hash of its bytes.
    size : int
        Bytes.
    """

    path: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a folder says of its comparison.

    Parameters
    ----------
    record : ComparisonRecord
        Which.
    tasks : mapping
        From digest and sample, from 0, to the task; its images' paths are relative to the folder.
    references : mapping of str to str
        From a reference's sha256 to its file.
    files : tuple of SavedFile
        All but the manifest.
    created_at : float
        When the folder was written, in seconds since the epoch.
    version : str
        Of the package that wrote it.
    more : mapping
        Keys that this version does not know.
    """

    record: ComparisonRecord
    tasks: Mapping[tuple[str, int], TaskRecord]
    references: Mapping[str, str]
    files: tuple[SavedFile, ...]
    created_at: float
    version: str = __version__
    more: Mapping[str, Any] = field(default_factory=dict)


def tasks_of(filled: Iterable[Filled]) -> dict[tuple[str, int], TaskRecord]:
    """Return the tasks of cells by digest and sample."""
    return {
        (each.cell.digest, sample): task
        for each in filled
        for sample, task in enumerate(each.samples)
        if task is not None
    }


def to_text(manifest: Manifest) -> str:
    """Return a manifest as JSON that people can read."""
    record = manifest.record
    known = {
        "schema": SCHEMA,
        "kind": KIND,
        "kling_nb": manifest.version,
        "created_at": iso(manifest.created_at),
        "comparison": {
            "id": record.id,
            "name": record.name,
            "gateway": record.gateway,
            "created_at": iso(record.created_at),
            "seed": record.seed,
            "replicate": record.replicate,
        },
        "design": records.to_data(record.design),
        "tasks": [
            {"digest": digest, "sample": sample, **_task_data(task)}
            for (digest, sample), task in manifest.tasks.items()
        ],
        "references": dict(manifest.references),
        "files": [each._asdict() for each in manifest.files],
    }
    more = {name: value for name, value in manifest.more.items() if name not in known}
    return rows.to_json(known | more, indent=1) + "\n"


def from_text(text: str, where: str, *, verify: bool = True) -> Manifest:
    """Read a manifest.

    Parameters
    ----------
    text : str
        JSON.
    where : str
        Of the file, for messages.
    verify : bool
        Whether each cell's request must be the one that its digest stands for.

    Returns
    -------
    Manifest
        Every path in it stays in the folder.

    Raises
    ------
    WorkspaceError
        It was written by a newer version, or is no manifest, or was changed.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable(where, f"it is not JSON: {error}") from None
    if not isinstance(data, dict) or data.get("kind") != KIND:
        raise _unreadable(where, "it is not the manifest of a saved comparison")
    schema = data.get("schema")
    if not isinstance(schema, int):
        raise _unreadable(where, "it does not say which version it is of")
    if schema > SCHEMA:
        raise WorkspaceError(
            f"{where} was written by a newer kling_nb (manifest version {schema}; this one reads {SCHEMA}).",
            money="Nothing was changed.",
            advice="Upgrade kling_nb.",
        )
    try:
        manifest = _manifest(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _unreadable(where, f"{type(error).__name__}: {error}") from None
    if verify:
        _check_cells(manifest.record.design, where)
    return manifest


def _manifest(data: Mapping[str, Any]) -> Manifest:
    facts = data["comparison"]
    record = ComparisonRecord(
        id=str(facts["id"]),
        name=str(facts["name"]),
        gateway=str(facts["gateway"]),
        created_at=_seconds(facts["created_at"]),
        seed=str(facts["seed"]),
        design=_design(data["design"]),
        replicate=int(facts.get("replicate", 0)),
    )
    known = {"schema", "kind", "kling_nb", "created_at", "comparison", "design", "tasks", "references", "files"}
    return Manifest(
        record,
        {(str(each["digest"]), int(each["sample"])): _task(each) for each in data["tasks"]},
        {str(sha256): _inside(path) for sha256, path in data["references"].items()},
        tuple(SavedFile(_inside(each["path"]), str(each["sha256"]), int(each["size"])) for each in data["files"]),
        _seconds(data["created_at"]),
        str(data["kling_nb"]),
        {name: value for name, value in data.items() if name not in known},
    )


def _design(data: Mapping[str, Any]) -> Design:
    names = list(data["references"])
    facts = _known(Reference, [data["references"][name] for name in names])
    design = records.from_data({**data, "references": dict(zip(names, facts, strict=True))})
    axes = {axis.name: set(axis.labels) for axis in design.axes}
    if design.samples < 1:
        message = "there is no sample"
        raise ValueError(message)
    places = {tuple(cell.coordinates.items()) for cell in design.cells}
    if not places or len(places) < len(design.cells):
        message = "there is no cell, or one twice"
        raise ValueError(message)
    for cell in design.cells:
        if cell.coordinates.keys() != axes.keys() or any(
            each not in axes[axis] for axis, each in cell.coordinates.items()
        ):
            message = f"the cell {cell.name} is not one of the axes"
            raise ValueError(message)
        if not isinstance(cell.request["n"], int) or not isinstance(cell.request["model_name"], str):
            message = f"the cell {cell.name} has no request"
            raise ValueError(message)  # noqa: TRY004 - like whatever else is wrong with the file
    return design


def _task_data(task: TaskRecord) -> dict[str, Any]:
    row = {name: value for name, value in rows.to_row(task).items() if name not in _NOBODYS}
    return row | {name: None if row[name] is None else json.loads(row[name]) for name in _AS_JSON}


def _task(data: Mapping[str, Any]) -> TaskRecord:
    row = {name: value for name, value in data.items() if name in rows.COLUMNS}
    row["reference_list"] = _known(Reference, row["reference_list"])
    row["images"] = _known(ImageRecord, row["images"])
    row |= {name: None if row[name] is None else json.dumps(row[name]) for name in _AS_JSON}
    task = rows.from_row(row)
    # Read once, so that what is no number does not come to light in the middle of a page.
    task.n.bit_length()
    return replace(task, images=tuple(replace(each, path=each.path and _inside(each.path)) for each in task.images))


def _known(kind: type, items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    names = {each.name for each in fields(kind)}
    return [{name: value for name, value in item.items() if name in names} for item in items]


def _check_cells(design: Design, where: str) -> None:
    for cell in design.cells:
        if digest_of(cell.request) != cell.digest:
            raise WorkspaceError(
                f"{where} was changed: the request of the cell {cell.name} is not the one that was saved.",
                money="",
                advice=_ADVICE,
            )


def _inside(path: Any) -> str:
    """Return a path that stays in the folder; a manifest may come from anywhere."""
    text = str(path)
    windows = PureWindowsPath(text)
    if not text or windows.drive or windows.root or ".." in windows.parts or "\\" in text or "\0" in text:
        message = f"the path {text!r} leads out of the folder"
        raise ValueError(message)
    return str(PurePosixPath(text))


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _unreadable(where: str, why: str) -> WorkspaceError:
    return WorkspaceError(f"{where} cannot be read as a comparison ({why}).", money="", advice=_ADVICE)
