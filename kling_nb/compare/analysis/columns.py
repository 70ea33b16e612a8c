"""What raters said of images and what was measured, as columns of the table of images. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any

from kling_nb.compare.added import Spot
from kling_nb.compare.measures.data import columns as measured_columns
from kling_nb.compare.measures.measured import Measured
from kling_nb.compare.rating.tidy import Rated, by_picture
from kling_nb.compare.records import Filled


def of_ratings(ratings: Sequence[Rated], taken: Iterable[str]) -> dict[str, dict[Spot, Any]]:
    """Return two columns for each rating: what an image's answers come to, and how many there are.

    Parameters
    ----------
    ratings : sequence of Rated
        With their answers.
    taken : iterable of str
        Names of columns that mean something else.
    """
    used = set(taken)
    found: dict[str, dict[Spot, Any]] = {}
    for rated in ratings:
        name = rated.plan.criterion if rated.plan.criterion not in used else f"{rated.plan.criterion} (rating)"
        used |= {name, f"{name} (answers)"}
        known = {(each.digest, each.sample, each.index): value for each, value in by_picture(rated).items()}
        if known:
            found[name] = {spot: value for spot, (value, _) in known.items()}
            found[f"{name} (answers)"] = {spot: count for spot, (_, count) in known.items()}
    return found


def of_measures(measured: Iterable[Measured], filled: Sequence[Filled]) -> dict[str, dict[Spot, Any]]:
    """Return the columns of measures; what was measured over a task or a cell is said of each of its images.

    Parameters
    ----------
    measured : iterable of Measured
        Each of another name.
    filled : sequence of Filled
        The comparison's cells.
    """
    spots: list[Spot] = [
        (each.cell.digest, sample, index)
        for each in filled
        for sample, task in enumerate(each.samples)
        for index in ([image.index for image in task.images] if task is not None and task.images else [None])
    ]
    return {
        name: {spot: value for spot, value in zip(spots, values, strict=True) if value is not None}
        for name, values in measured_columns(measured, filled).items()
    }
