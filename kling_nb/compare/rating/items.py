"""What is judged: pairs of images that differ in one axis alone, or single images. Pure.

A pair is matched on everything else: its two cells have the same labels on all other axes, and its two images the same
sample and the same place among their task's images. What has failed or was refused has no image, and so no pair.
"""

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kling_nb.compare.design import Cell
from kling_nb.compare.levels import Axis
from kling_nb.compare.rating.records import Picture, RatingPlan
from kling_nb.compare.records import Filled
from kling_nb.records import Reference, TaskRecord

_FIELDS = {"subject": "subject_images", "scene": "scene_image", "style": "style_image"}
Context = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to judge.

    Parameters
    ----------
    token : str
        Says nothing of what it is; the same whichever side its images are on.
    pictures : tuple of Picture
        For a pair in the order of the axis, not of the sides.
    levels : tuple of str
        The label of each picture.
    cell : Cell
        The first picture's; of it, what `prompt_of` and `references_of` return may be shown.
    """

    token: str
    pictures: tuple[Picture, ...]
    levels: tuple[str, ...]
    cell: Cell


def judged(plan: RatingPlan, axis: Axis) -> tuple[str, ...]:
    """Return the labels that are judged, in the order of their axis."""
    return tuple(label for label in axis.labels if not plan.levels or label in plan.levels)


def items(plan: RatingPlan, axis: Axis, filled: Sequence[Filled]) -> list[Item]:
    """Return everything that can be judged.

    Parameters
    ----------
    plan : RatingPlan
        What is asked.
    axis : Axis
        That it is asked by.
    filled : sequence of Filled
        The comparison's cells with what came of them.

    Returns
    -------
    list of Item
        In the order of the design; empty where there is nothing to judge.
    """
    wanted = judged(plan, axis)
    contexts: dict[Context, dict[str, Filled]] = {}
    for each in filled:
        label = each.cell.coordinates[plan.by]
        if label in wanted:
            contexts.setdefault(context(each.cell, plan.by), {})[label] = each
    found = []
    for cells in contexts.values():
        there = [label for label in wanted if label in cells]
        if plan.protocol == "scale":
            found += [_item(plan, cells, (label,), (each,)) for label in there for each in _singles(plan, cells[label])]
        else:
            for pair in itertools.combinations(there, 2):
                found += [_item(plan, cells, pair, each) for each in _pairs(plan, *(cells[label] for label in pair))]
    return found


def context(cell: Cell, by: str) -> Context:
    """Return a cell's labels on all axes but one."""
    return tuple((name, label) for name, label in cell.coordinates.items() if name != by)


def token(seed: str, *facts: object) -> str:
    """Return a name that says nothing to anyone without the seed: 24 hexadecimal digits."""
    return hashlib.sha256(repr((seed, *facts)).encode()).hexdigest()[:24]


def picture_token(plan: RatingPlan, picture: Picture) -> str:
    """Return the name of an image in a rating."""
    return token(plan.seed, picture.digest, picture.sample, picture.index, picture.sha256)


def _item(plan: RatingPlan, cells: Mapping[str, Filled], levels: tuple[str, ...], some: tuple[Picture, ...]) -> Item:
    name = token(plan.seed, *sorted(picture_token(plan, each) for each in some))
    return Item(name, some, levels, cells[levels[0]].cell)


def _singles(plan: RatingPlan, filled: Filled) -> Iterator[Picture]:
    for sample, task in enumerate(filled.samples):
        there = _pictures(filled.cell, sample, task)
        yield from (there[place] for place in _drawn(plan, sample, sorted(there)))


def _pairs(plan: RatingPlan, one: Filled, other: Filled) -> Iterator[tuple[Picture, Picture]]:
    for sample, (task, others) in enumerate(zip(one.samples, other.samples, strict=True)):
        first, second = _pictures(one.cell, sample, task), _pictures(other.cell, sample, others)
        for place in _drawn(plan, sample, sorted(first.keys() & second.keys())):
            yield first[place], second[place]


def _pictures(cell: Cell, sample: int, task: TaskRecord | None) -> dict[int, Picture]:
    images = task.images if task is not None and task.task_status == "succeeded" else ()
    return {
        each.index: Picture(cell.digest, sample, each.index, each.sha256)
        for each in images
        if each.path is not None and each.sha256
    }


def _drawn(plan: RatingPlan, sample: int, places: list[int]) -> list[int]:
    """Return the places of a task's images that are judged: the same in every cell of a context."""
    if not plan.images or plan.images >= len(places):
        return places
    return sorted(sorted(places, key=lambda place: token(plan.seed, "drawn", sample, place))[: plan.images])


# ---- what a rater may see of it ------------------------------------------------------------------------


def prompt_of(item: Item, axis: Axis) -> str | None:
    """Return an item's prompt; None where it would tell which level is which, or there is none."""
    told = item.cell.request.get("prompt")
    return None if not told or any("prompt" in level.fields for level in axis.levels) else str(told)


def references_of(item: Item, axis: Axis) -> tuple[Reference, ...]:
    """Return an item's references, without those that not every level has."""
    return tuple(each for each in item.cell.references if all(_has(level.fields, each) for level in axis.levels))


def _has(fields: Mapping[str, object], reference: Reference) -> bool:
    name = _FIELDS[reference.role]
    if name not in fields:
        return True
    value = fields[name]
    return isinstance(value, tuple) and any(each.sha256 == reference.sha256 for each in value)
