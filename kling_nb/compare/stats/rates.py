"""How often one level is preferred to another."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from kling_nb.compare.stats.answers import Estimate, Verdict, checked_level
from kling_nb.compare.stats.cells import Cells, Floats, cells
from kling_nb.compare.stats.crossed import spread
from kling_nb.compare.stats.intervals import nothing, share_interval, share_p

_AS_NUMBERS = {"first": (1.0, 0.0, 0.0, 1.0), "tie": (0.0, 1.0, 0.0, 0.5), "second": (0.0, 0.0, 1.0, 0.0)}
"""Win, tie, loss and preference of the first level."""
_PREFERENCE = 3
"""The column in which one half is no difference."""
_MIRRORED = {"first": "second", "second": "first"}


@dataclass(frozen=True, slots=True)
class Rates:
    """How often one level is preferred to another.

    Parameters
    ----------
    first, second : str
        The levels.
    win, tie, loss : Estimate
        Shares of the answers, 0 to 1, seen from the first level.
    preference : Estimate
        The share of wins and half of the ties, 0 to 1; 0.5 is no preference.
    unsure : int
        How many answered "unsure"; they are left out of everything else.
    """

    first: str
    second: str
    win: Estimate
    tie: Estimate
    loss: Estimate
    preference: Estimate
    unsure: int


def rates(verdicts: Iterable[Verdict], first: str, second: str, level: float = 0.95) -> Rates:
    """Return how often one level is preferred to another.

    Parameters
    ----------
    verdicts : iterable of Verdict
        All of a study; those about other levels are left out, those the other way round are turned.
    first, second : str
        The levels.
    level : float
        Of the intervals.

    Returns
    -------
    Rates
        Shares are means of unit means, and a unit's mean is one of its raters', so that a prompt with more answers
        counts no more than others.

    Raises
    ------
    ValueError
        The level of the intervals does not lie between 0 and 1.

    Notes
    -----
    With one rater the intervals are about that rater's answers to other prompts; with several also about other
    raters. For the formulas see `crossed` and `intervals.share_interval`.
    """
    checked_level(level)
    counted, unsure = verdict_cells(verdicts, first, second)
    if not counted.units:
        return Rates(first, second, nothing(), nothing(), nothing(), nothing(), unsure)
    weights = counted.weights()
    win, tie, loss, preference = (
        _share(counted, weights, column, level, is_even=place == _PREFERENCE)
        for place, column in enumerate(counted.means.T)
    )
    return Rates(first, second, win, tie, loss, preference, unsure)


def verdict_cells(verdicts: Iterable[Verdict], first: str, second: str) -> tuple[Cells, int]:
    """Return the verdicts about two levels as numbers.

    Parameters
    ----------
    verdicts : iterable of Verdict
        All of a study.
    first, second : str
        The levels.

    Returns
    -------
    Cells
        With the columns win, tie, loss and preference, 0 to 1, seen from the first level.
    unsure : int
        How many answers are left out because they are "unsure".
    """
    units, raters, numbers, unsure = [], [], [], 0
    for verdict in verdicts:
        if verdict.first == first and verdict.second == second:
            choice = verdict.choice
        elif verdict.first == second and verdict.second == first:
            choice = _MIRRORED.get(verdict.choice, verdict.choice)
        else:
            continue
        if choice == "unsure":
            unsure += 1
            continue
        units.append(verdict.unit)
        raters.append(verdict.rater)
        numbers.append(_AS_NUMBERS[choice])
    return cells(units, raters, np.array(numbers, np.float64).reshape(-1, 4)), unsure


def _share(counted: Cells, weights: Floats, column: Floats, level: float, *, is_even: bool) -> Estimate:
    value = float(weights @ column)
    moved = spread(counted.unit, counted.rater, weights * (column - value), weights)
    # Rounding must not take a share out of its range.
    value = min(max(value, 0.0), 1.0)
    low, high, method = share_interval(value, moved, level, len(counted.units))
    found = Estimate(value, low, high, len(counted.units), counted.people, counted.answers, method)
    return replace(found, p=share_p(value, moved, len(counted.units))) if is_even else found
