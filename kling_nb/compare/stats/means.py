"""The mean of each level, and the difference between two."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from kling_nb.compare.stats.answers import Estimate, Score, checked_level
from kling_nb.compare.stats.cells import Cells, cells, totals
from kling_nb.compare.stats.crossed import Side, Spread, spread, spread_apart
from kling_nb.compare.stats.intervals import RATERS_ARE_LEVELS, nothing, t_interval, t_p

_FEW_IN_COMMON = 0.3
"""Below this share of both means, raters who scored both levels do not make the others' strictness known."""
_ROUNDING = 1e-12
"""What a difference can be of its numbers by rounding alone."""


def means(scores: Iterable[Score], levels: Sequence[str], level: float = 0.95) -> dict[str, Estimate]:
    """Return the mean of each level.

    Parameters
    ----------
    scores : iterable of Score
        All of a study.
    levels : sequence of str
        Whose means are wanted, in this order.
    level : float
        Of the intervals.

    Returns
    -------
    dict of str to Estimate
        In the unit of the scores. The mean of unit means; a unit's mean is one of its raters', a rater's one of the
        images.

    Raises
    ------
    ValueError
        The level of the intervals does not lie between 0 and 1.

    Notes
    -----
    Student's interval with the variance and degrees of freedom of `crossed`. The intervals of two levels may overlap
    although they differ, because both move with the prompts; for that see `difference`.
    """
    checked_level(level)
    given = list(scores)
    return {name: _mean(score_cells(given, name), level) for name in levels}


def difference(scores: Iterable[Score], first: str, second: str, level: float = 0.95) -> Estimate:
    """Return by how much one level exceeds another, paired by unit.

    Parameters
    ----------
    scores : iterable of Score
        All of a study.
    first, second : str
        The levels.
    level : float
        Of the interval.

    Returns
    -------
    Estimate
        The mean of first - second over the units that have both, in the unit of the scores. Where the same raters
        scored both, their strictness cancels. Where others did, it stays in the interval; there is none where one of
        the levels then has one rater, or nearly: raters cannot be told from levels.

    Raises
    ------
    ValueError
        The level of the interval does not lie between 0 and 1.

    Notes
    -----
    Student's interval with the variance and degrees of freedom of `crossed`. With one rater it is the paired t
    interval on unit means. Where raters who scored both levels have less than three tenths of both means, what raters
    add is found on each side by itself. In simulated studies of 12 to 48 prompts with two, three and five raters a side
    such intervals covered 92 to 98 % at 95 %; with two a side who shared the prompts out between them, 87 to 97 %, for
    two people do not show what others would say.
    """
    checked_level(level)
    both = paired_cells(scores, first, second)
    if both is None:
        return nothing()
    one, other = both
    value = float(one.weights() @ one.means[:, 0]) - float(other.weights() @ other.means[:, 0])
    largest = max(float(np.abs(side.means).max()) for side in both)
    # What only rounding keeps from 0 would be printed as a number.
    value = value if abs(value) > _ROUNDING * largest else 0.0
    is_apart = _in_common(one, other) < _FEW_IN_COMMON
    moved = spread_apart(_side(one), _side(other, -1.0)) if is_apart else _spread_together(one, other)
    people = len({label for side in both for label in side.raters if label})
    behind = len(one.units), people, one.answers + other.answers
    if moved is None:
        return Estimate(value, math.nan, math.nan, *behind, RATERS_ARE_LEVELS)
    low, high, method = t_interval(value, moved, level, largest)
    return Estimate(value, low, high, *behind, method, t_p(value, moved, largest))


def _in_common(one: Cells, other: Cells) -> float:
    """Return which share of both means the same raters have, 0 to 1."""
    shares = [dict(zip(side.raters, totals(side.rater, side.weights()), strict=True)) for side in (one, other)]
    return float(sum(min(share, shares[1].get(rater, 0.0)) for rater, share in shares[0].items()))


def _side(found: Cells, sign: float = 1.0) -> Side:
    weights, values = found.weights(), found.means[:, 0]
    return Side(found.unit, found.rater, sign * weights * (values - weights @ values), weights)


def _spread_together(one: Cells, other: Cells) -> Spread:
    """Return how far the difference would move, where raters who scored both are one."""
    sides = ((1.0, one), (-1.0, other))
    labels = sorted({*one.raters, *other.raters})
    place = np.array([sign for sign, side in sides for _ in side.unit])
    unit = np.concatenate([side.unit for _, side in sides])
    rater = np.concatenate([[labels.index(side.raters[index]) for index in side.rater] for _, side in sides])
    weight = np.concatenate([side.weights() for _, side in sides])
    centred = np.concatenate([side.means[:, 0] - side.weights() @ side.means[:, 0] for _, side in sides])
    keys, cell = np.unique(unit * len(labels) + rater, return_inverse=True)
    return spread(
        keys // len(labels),
        keys % len(labels),
        totals(cell, place * weight * centred),
        totals(cell, weight / 2),
    )


def score_cells(scores: Iterable[Score], level: str, among: frozenset[str] | None = None) -> Cells:
    """Return the scores of one level.

    Parameters
    ----------
    scores : iterable of Score
        All of a study.
    level : str
        The level of the axis.
    among : frozenset of str, optional
        Units; others are left out.

    Returns
    -------
    Cells
        With one column.
    """
    kept = [each for each in scores if each.level == level and (among is None or each.unit in among)]
    values = np.array([each.value for each in kept], np.float64).reshape(-1, 1)
    return cells([each.unit for each in kept], [each.rater for each in kept], values)


def paired_cells(scores: Iterable[Score], first: str, second: str) -> tuple[Cells, Cells] | None:
    """Return the scores of two levels in the units that have both, the units in the same order.

    Parameters
    ----------
    scores : iterable of Score
        All of a study.
    first, second : str
        The levels.

    Returns
    -------
    tuple of Cells, or None
        None where no unit has both.
    """
    given = list(scores)
    has = [{each.unit for each in given if each.level == level} for level in (first, second)]
    common = frozenset(has[0] & has[1])
    if not common:
        return None
    return score_cells(given, first, common), score_cells(given, second, common)


def _mean(found: Cells, level: float) -> Estimate:
    if not found.units:
        return nothing()
    weights, values = found.weights(), found.means[:, 0]
    value = float(weights @ values)
    moved = spread(found.unit, found.rater, weights * (values - value), weights)
    low, high, method = t_interval(value, moved, level, float(np.abs(values).max()))
    return Estimate(value, low, high, len(found.units), found.people, found.answers, method)
