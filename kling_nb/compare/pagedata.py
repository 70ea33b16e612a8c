"""What the page of a saved comparison knows, as plain data. Pure.

The page's scripts read it, and nothing else: what they show is here, in words where words are needed.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import quote

from kling_nb._version import __version__
from kling_nb.compare.added import Extra
from kling_nb.compare.arrange import sides
from kling_nb.compare.design import Cell
from kling_nb.compare.levels import Axis
from kling_nb.compare.records import ComparisonRecord, Filled
from kling_nb.compare.states import counts, in_words, state
from kling_nb.display.words import clean, duration, joined, one_line, pixels, plural, size, when
from kling_nb.records import SANDBOX_GATEWAY, ImageRecord, Reference, TaskRecord

Said = Callable[[int], list[list[str]]]
_LONGEST = 10_000
_STATES = {
    "planned": "not asked for",
    "under way": "under way when this was saved",
    "uncertain": "uncertain: the answer was lost",
    "images missing": "an image is missing",
}


class Files(NamedTuple):
    """What there is in the folder.

    Parameters
    ----------
    references : mapping of str to str
        From a reference's sha256 to its file.
    thumbnails : collection of str
        Their paths.
    """

    references: Mapping[str, str]
    thumbnails: Collection[str]


def data(
    record: ComparisonRecord, filled: Sequence[Filled], files: Files, saved_at: float, extra: Extra | None = None
) -> dict[str, Any]:
    """Return all that the page shows.

    Parameters
    ----------
    record : ComparisonRecord
        Which comparison.
    filled : sequence of Filled
        Its cells; the images' paths are relative to the folder.
    files : Files
        What there is in the folder.
    saved_at : float
        In seconds since the epoch.
    extra : Extra, optional
        What raters said and what was measured.

    Returns
    -------
    dict
        Ready for JSON.
    """
    extra = extra or Extra()
    pictures = _pictures(record)
    numbers = {key: number for number, key in enumerate(pictures)}
    rows, columns = sides(record.design)
    levels = {axis.name: {label: number for number, label in enumerate(axis.labels)} for axis in record.design.axes}
    return {
        "name": clean(record.name, 200),
        "sandbox": record.gateway == SANDBOX_GATEWAY,
        "summary": _summary(filled),
        "axes": [
            {
                "name": axis.name,
                "levels": [clean(label, 200) for label in axis.labels],
                "brings": sorted({numbers[key] for key in _brought(axis) if key in numbers}),
            }
            for axis in record.design.axes
        ],
        "rows": list(rows),
        "columns": list(columns),
        "references": [_reference(each, files) for each in pictures.values()],
        "cells": [
            {
                "at": [levels[axis][label] for axis, label in each.cell.coordinates.items()],
                "references": [numbers[_key(reference)] for reference in each.cell.references],
                "facts": _asked(each.cell),
                "prompt": clean(each.cell.request.get("prompt", ""), _LONGEST),
                "samples": [
                    _sample(task, files, _said(extra, each.cell.digest, number))
                    for number, task in enumerate(each.samples)
                ],
            }
            for each in filled
        ],
        "results": dict(extra.results),
        "made": _made(record, filled, saved_at),
    }


def _summary(filled: Sequence[Filled]) -> str:
    images = sum(image.path is not None for each in filled for task in each.samples for image in _images(task))
    return joined(plural(len(filled), "cell"), in_words(counts(filled)), plural(images, "image"))


def _pictures(record: ComparisonRecord) -> dict[tuple[str, str], Reference]:
    return {_key(each): each for cell in record.design.cells for each in cell.references}


def _brought(axis: Axis) -> list[tuple[str, str]]:
    """Return the pictures that the levels of an axis set."""
    return [_key(each) for level in axis.levels for each in level.references]


def _key(reference: Reference) -> tuple[str, str]:
    return reference.role, reference.sha256


def _reference(reference: Reference, files: Files) -> dict[str, Any]:
    path = files.references.get(reference.sha256)
    small = f"thumbnails/{PurePosixPath(path).stem}.jpg" if path else None
    return {
        "role": reference.role,
        "name": one_line(reference.name, 120),
        "source": _address(path),
        "small": _address(small if small in files.thumbnails else path),
        "size": joined(pixels(reference.width, reference.height), size(reference.size)),
        # An address is shown, and never asked for: the page stays within its folder.
        "url": clean(reference.url, 1000) if reference.url else None,
    }


def _asked(cell: Cell) -> list[list[str]]:
    known = {"model_name": "Model", "aspect_ratio": "Aspect ratio", "n": "Images asked for"}
    return [[label, one_line(cell.request[name])] for name, label in known.items() if name in cell.request]


def _said(extra: Extra, digest: str, sample: int) -> Said:
    """Return what there is to say of an image of a sample, by its index."""

    def said(index: int) -> list[list[str]]:
        found = [(name, values.get((digest, sample, index))) for name, values in extra.columns.items()]
        return [[one_line(name, 120), _shown(value)] for name, value in found if value is not None]

    return said


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else one_line(value)


def _sample(task: TaskRecord | None, files: Files, more: Said) -> dict[str, Any]:
    how = state(task)
    said = _STATES.get(how, how)
    if task is None:
        return {"state": how, "said": said, "facts": [], "images": []}
    failure = clean(task.failure.message, 600) if task.failure is not None else ""
    took = task.finished_at - task.submitted_at if task.finished_at and task.submitted_at else None
    facts: list[tuple[str, str | None]] = [
        ("Task", task.id),
        ("task_id", task.task_id),
        ("external_task_id", task.external_task_id),
        ("request_id", task.request_id),
        ("Sent", when(task.sent_at)),
        ("Finished", when(task.finished_at)),
        ("Took", duration(took) if took is not None else None),
        ("Units deducted", task.units),
    ]
    return {
        "state": how,
        "said": f"{said}: {failure}" if failure else said,
        "facts": [[label, one_line(value)] for label, value in facts if value],
        "images": [_image(image, files, more) for image in _images(task)],
    }


def _images(task: TaskRecord | None) -> tuple[ImageRecord, ...]:
    return task.images if task is not None and task.task_status == "succeeded" else ()


def _image(image: ImageRecord, files: Files, more: Said) -> dict[str, Any]:
    if image.path is None:
        return {"index": image.index, "problem": clean(image.problem or "it is not there", 300)}
    small = f"thumbnails/{PurePosixPath(image.path).stem}.jpg"
    return {
        "index": image.index,
        "source": _address(image.path),
        "small": _address(small if small in files.thumbnails else image.path),
        "width": image.width,
        "height": image.height,
        "facts": [
            ["Size", joined(pixels(image.width, image.height), size(image.size), image.media_type)],
            ["File", image.path],
            ["SHA-256", image.sha256 or ""],
            *more(image.index),
        ],
    }


def _made(record: ComparisonRecord, filled: Sequence[Filled], saved_at: float) -> list[list[str]]:
    design = record.design
    tasks = [task for each in filled for task in each.samples if task is not None]
    sent = [task.sent_at for task in tasks if task.sent_at]
    ended = [task.finished_at for task in tasks if task.finished_at]
    crossed = " × ".join(f"{axis.name} ({plural(len(axis.levels), 'level')})" for axis in design.axes)
    left_out = f", {plural(design.left_out, 'combination')} left out" if design.left_out else ""
    repeats = f"{plural(design.samples, 'task')} a cell"
    gateway = (
        "sandbox: drawn on the author's machine by a stand-in for the API" if _is_sandbox(record) else record.gateway
    )
    facts = [
        ["Design", f"{crossed or 'one request'}: {plural(len(design.cells), 'cell')}{left_out}, {repeats}"],
        ["Repeats", "The API has no seed; each task is a new sample, and so is every image of it."],
        ["Order", f"Tasks were asked for in a random order, drawn from the seed {record.seed}."],
        ["Outcome", in_words(counts(filled))],
        ["Gateway", gateway],
        ["Designed", when(record.created_at)],
        ["Sent", _span(sent)],
        ["Finished", _span(ended)],
        ["Saved", joined(when(saved_at), f"kling_nb {__version__}")],
        ["Comparison", joined(record.id, f"replicate {record.replicate}" if record.replicate else "")],
    ]
    return [[label, clean(value, 1000)] for label, value in facts if value]


def _is_sandbox(record: ComparisonRecord) -> bool:
    return record.gateway == SANDBOX_GATEWAY


def _span(moments: Sequence[float]) -> str:
    if not moments:
        return ""
    first, last = when(min(moments)), when(max(moments))
    return first if first == last else f"{first} to {last}"


def _address(path: str | None) -> str | None:
    """Return a path as a relative address, each segment percent-encoded."""
    return None if path is None else "/".join(quote(part, safe="") for part in PurePosixPath(path).parts)
