"""A comparison without what is nobody else's business, for a folder that goes out into the world. Pure.

Left out are where on its disk somebody kept a picture, and the addresses that tasks reported to, which may hold a
secret. None of it changes an image, or the digest of a request.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from kling_nb.compare.design import Cell, Design
from kling_nb.compare.records import ComparisonRecord
from kling_nb.records import Reference, TaskRecord


def public(record: ComparisonRecord) -> ComparisonRecord:
    """Return a comparison as anybody may see it."""
    axes = tuple(
        replace(axis, levels=tuple(replace(level, fields=_fields(level.fields)) for level in axis.levels))
        for axis in record.design.axes
    )
    cells = tuple(_cell(cell) for cell in record.design.cells)
    return replace(record, design=Design(axes, cells, record.design.samples))


def public_task(task: TaskRecord) -> TaskRecord:
    """Return a task as anybody may see it."""
    return replace(
        task,
        request=_request(task.request),
        references=_references(task.references),
        warnings=_warnings(task.warnings, task.references),
    )


def _cell(cell: Cell) -> Cell:
    return replace(
        cell,
        request=_request(cell.request),
        references=_references(cell.references),
        warnings=_warnings(cell.warnings, cell.references),
    )


def _fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _references(value) if isinstance(value, tuple) else value for name, value in fields.items()}


def _request(request: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in request.items() if name != "callback_url"}


def _references(references: Iterable[Reference]) -> tuple[Reference, ...]:
    return tuple(replace(each, name=_name(each.name), data=None) for each in references)


def _warnings(warnings: Iterable[str], references: Iterable[Reference]) -> tuple[str, ...]:
    known = [each.name for each in references if _name(each.name) != each.name]
    found = []
    for warning in warnings:
        said = warning
        for name in known:
            said = said.replace(name, _name(name))
        found += [] if said.startswith("callback_url") else [said]
    return tuple(found)


def _name(name: str) -> str:
    """Return the last part of a path that begins at the root or at somebody's home."""
    windows = PureWindowsPath(name)
    if PurePosixPath(name).is_absolute() or windows.drive or name.startswith("~"):
        return (windows if windows.drive else PurePosixPath(name)).name or "picture"
    return name
