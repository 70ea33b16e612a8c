"""A comparison as it is stored, and what came of its cells."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast, get_args

from kling_nb.compare.design import MOST_TASKS, Cell, Design
from kling_nb.compare.levels import Axis, Level
from kling_nb.errors import WorkspaceError
from kling_nb.records import REFERENCE_FIELDS, Reference, Role, TaskRecord
from kling_nb.workspace.rows import reference_facts, to_json

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class ComparisonRecord:
    """A comparison, apart from its tasks.

    Parameters
    ----------
    id : str
        Ours; sorts by time.
    name : str
        The user's; the id where none was given.
    gateway : str
        The base URL, or ``sandbox``.
    created_at : float
        Seconds since the epoch.
    seed : str
        Of the order in which its tasks are asked for.
    design : Design
        Axes, cells and samples.
    replicate : int
        0 for a comparison that was designed. A rerun has a number of its own, which keeps its samples apart from
        those that were asked for before.
    """

    id: str
    name: str
    gateway: str
    created_at: float
    seed: str
    design: Design
    replicate: int = 0

    @property
    def first_sample(self) -> int:
        """What the journal calls its first sample; however a comparison grows, it never meets another's."""
        return self.replicate * MOST_TASKS


@dataclass(frozen=True, slots=True)
class Filled:
    """A cell with what came of it.

    Parameters
    ----------
    cell : Cell
        Which.
    samples : tuple of (TaskRecord or None)
        The task of each sample; None where none was asked for, or only one that was never sent.
    """

    cell: Cell
    samples: tuple[TaskRecord | None, ...]


def place(seed: str, digest: str, sample: int) -> bytes:
    """Return where in the order of asking a task stands: as random as a hash, and the same however a design grows.

    Parameters
    ----------
    seed : str
        The comparison's.
    digest : str
        The cell's.
    sample : int
        From 0.
    """
    return hashlib.sha256(f"{seed} {digest} {sample}".encode()).digest()


def filled(design: Design, tasks: Mapping[tuple[str, int], TaskRecord]) -> tuple[Filled, ...]:
    """Put tasks into the cells that they were asked for.

    Parameters
    ----------
    design : Design
        The cells.
    tasks : mapping
        From digest and sample to the newest task of them.

    Returns
    -------
    tuple of Filled
        In the order of the design.
    """
    return tuple(
        Filled(cell, tuple(_real(tasks.get((cell.digest, sample))) for sample in range(design.samples)))
        for cell in design.cells
    )


def _real(record: TaskRecord | None) -> TaskRecord | None:
    return None if record is None or record.task_status == "cancelled" else record


# ---- as JSON -----------------------------------------------------------------------------------------


def to_text(design: Design) -> str:
    """Return a design as JSON; the same for the same design."""
    return to_json(to_data(design))


def to_data(design: Design) -> dict[str, Any]:
    """Return a design as plain data, without the pictures' bytes: each is named by its hash, and described once."""
    levels = [level for axis in design.axes for level in axis.levels]
    pictures = [*design.references, *(each for level in levels for each in level.references)]
    # One picture may have two roles or names. Last, because equal designs are found by their text, as it always was.
    pictures += [each for cell in design.cells for each in cell.references]
    return {
        "schema": SCHEMA,
        "samples": design.samples,
        "axes": [
            {
                "name": axis.name,
                "levels": [{"label": level.label, "fields": _named(level.fields)} for level in axis.levels],
            }
            for axis in design.axes
        ],
        "cells": [
            {
                "coordinates": dict(cell.coordinates),
                "request": dict(cell.request),
                "digest": cell.digest,
                "references": [_key(each) for each in cell.references],
                "warnings": list(cell.warnings),
            }
            for cell in design.cells
        ],
        "references": {_key(each): reference_facts(each) for each in pictures},
    }


def from_data(data: Mapping[str, Any]) -> Design:
    """Return the design of plain data; its pictures have no bytes.

    Raises
    ------
    WorkspaceError
        It was written by a newer version, or is no design.
    """
    found = data.get("schema")
    if isinstance(found, int) and found > SCHEMA:
        raise WorkspaceError(
            f"The comparison was written by a newer kling_nb (version {found} of designs; this one reads {SCHEMA}).",
            money="Nothing was changed.",
            advice="Upgrade kling_nb.",
        )
    try:
        known = _Known({name: _reference(facts) for name, facts in data["references"].items()})
        axes = tuple(
            Axis(axis["name"], tuple(Level(each["label"], _values(each["fields"], known)) for each in axis["levels"]))
            for axis in data["axes"]
        )
        cells = tuple(
            Cell(
                each["coordinates"],
                each["request"],
                each["digest"],
                tuple(known[name] for name in each["references"]),
                tuple(each["warnings"]),
            )
            for each in data["cells"]
        )
        return Design(axes, cells, int(data["samples"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WorkspaceError(f"The comparison's design cannot be read ({type(error).__name__}: {error}).") from None


def without_bytes(references: Iterable[Reference]) -> tuple[Reference, ...]:
    """Return references without what is in the workspace anyway."""
    return tuple(replace(each, data=None) for each in references)


def _key(reference: Reference) -> str:
    # The same picture may be a subject here and a style there, under two names.
    return f"{reference.role} {reference.sha256[:16]} {reference.name}"


def _named(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        field: [_key(each) for each in value] if isinstance(value, tuple) else value for field, value in fields.items()
    }


def _values(fields: Mapping[str, Any], known: Mapping[str, Reference]) -> dict[str, Any]:
    return {
        field: tuple(known[name] for name in value) if field in REFERENCE_FIELDS and value is not None else value
        for field, value in fields.items()
    }


class _Known(dict[str, Reference]):
    """References by their key; of a picture with two roles or names only one may have been written."""

    def __missing__(self, key: str) -> Reference:
        role, sha256, name = key.split(" ", 2)
        for each in self.values():
            if each.sha256.startswith(sha256) and role in get_args(Role):
                return replace(each, role=cast("Role", role), name=name)
        raise KeyError(key)


def _reference(facts: Mapping[str, Any]) -> Reference:
    return Reference(**{**facts, "changes": tuple(facts["changes"])})
