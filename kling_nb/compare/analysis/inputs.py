"""Answers and measured numbers as the statistics take them. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from kling_nb.compare.analysis.units import Units
from kling_nb.compare.design import Cell
from kling_nb.compare.measures.units import Place
from kling_nb.compare.rating.records import UNSURE
from kling_nb.compare.rating.tidy import Rated, preferred
from kling_nb.compare.stats import Score, Verdict


def verdicts(rated: Rated, units: Units) -> list[Verdict]:
    """Return the answers to a question about pairs; which side was which is forgotten."""
    items = rated.by_token
    return [
        Verdict(
            unit=units.of[items[each.item].cell.digest],
            rater=each.rater,
            first=items[each.item].levels[0],
            second=items[each.item].levels[1],
            choice=preferred(each, items[each.item]),
            item=each.item,
        )
        for each in rated.counting
    ]


def scores(rated: Rated, units: Units) -> list[Score]:
    """Return the answers on a scale, without those that could not tell."""
    items = rated.by_token
    return [
        Score(
            units.of[items[each.item].cell.digest],
            each.rater,
            items[each.item].levels[0],
            float(each.choice),
            each.item,
        )
        for each in rated.counting
        if each.choice != UNSURE
    ]


def measured(values: Mapping[Place, float], by: str, cells: Iterable[Cell], units: Units) -> list[Score]:
    """Return the numbers that were measured of images, tasks or cells.

    Parameters
    ----------
    values : mapping
        From what was measured to its number.
    by : str
        The axis whose levels are compared.
    cells : iterable of Cell
        Of the design.
    units : Units
        What they are clustered by.
    """
    labels = {cell.digest: cell.coordinates[by] for cell in cells}
    return [
        Score(units.of[place[0]], "", labels[place[0]], value, " ".join(map(str, place)))
        for place, value in values.items()
        if place[0] in labels
    ]


def others_than(level: str) -> str:
    """Return what all the others than a level are called together, which is never the level's own label."""
    return f"not {level}"


def against_all(found: Sequence[Verdict], level: str) -> list[Verdict]:
    """Return the verdicts on one level, whichever other it was compared with.

    Parameters
    ----------
    found : sequence of Verdict
        On all pairs of levels.
    level : str
        Which comes first in what is returned; after it come `others_than` it.
    """
    others = others_than(level)
    turned = {"first": "second", "second": "first"}
    made = []
    for each in found:
        if level not in (each.first, each.second):
            continue
        choice = each.choice if each.first == level else turned.get(each.choice, each.choice)
        made.append(Verdict(each.unit, each.rater, level, others, choice, each.item))
    return made
