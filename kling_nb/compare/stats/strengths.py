"""Bradley-Terry strengths of all levels, with intervals that know of prompts and raters."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import special

from kling_nb.compare.stats import fitting
from kling_nb.compare.stats.answers import Estimate, Verdict, checked_level
from kling_nb.compare.stats.cells import Floats, Indices, column_totals, numbered
from kling_nb.compare.stats.crossed import spread
from kling_nb.compare.stats.intervals import NOTHING, nothing, t_interval

_POINTS = {"first": 1.0, "tie": 0.5, "second": 0.0}
NO_MAXIMUM = "no interval: some levels never lost to others"
_AN_EXTRA_TIE = 0.5


@dataclass(frozen=True, slots=True)
class Strengths:
    """How strong all levels are.

    Parameters
    ----------
    estimates : dict of str to Estimate
        The strength of each level on the log scale; they add to 0.
    differences : dict of (str, str) to Estimate
        First - second for each pair in the order of the levels; more certain than the strengths make believe, because
        those of two levels move together.
    wins : dict of (str, str) to Estimate
        The expected probability that the first is preferred to the second, 0 to 1.
    notes : tuple of str
        Sentences about what the data cannot tell.
    """

    estimates: dict[str, Estimate]
    differences: dict[tuple[str, str], Estimate]
    wins: dict[tuple[str, str], Estimate]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Answers:
    """Answers as numbers: who, about what, which levels, and what the first got of one point."""

    unit: Indices
    rater: Indices
    first: Indices
    second: Indices
    points: Floats
    people: int

    def only(self, levels: Indices) -> "_Answers":
        kept = np.isin(self.first, levels) & np.isin(self.second, levels)
        place = np.searchsorted(levels, self.first[kept]), np.searchsorted(levels, self.second[kept])
        return _Answers(self.unit[kept], self.rater[kept], *place, self.points[kept], self.people)

    def table(self, levels: int) -> Floats:
        wins = np.zeros((levels, levels))
        np.add.at(wins, (self.first, self.second), self.points)
        np.add.at(wins, (self.second, self.first), 1 - self.points)
        return wins


def strengths(verdicts: Iterable[Verdict], levels: Sequence[str], level: float = 0.95) -> Strengths:
    """Return how strong all levels are, each answer counting alike and a tie as half a win for each.

    Parameters
    ----------
    verdicts : iterable of Verdict
        All of a study; "unsure", and verdicts about other levels, are left out.
    levels : sequence of str
        Two or more, without repetition.
    level : float
        Of the intervals.

    Returns
    -------
    Strengths
        Where a level never lost to some others (or a group of levels to the rest), its strength is beyond all bounds.
        Then numbers are shown for which every pair that was compared has one more tie, without intervals and with
        a note. Levels that were not compared with the largest group of them, directly or through others, have nan.

    Raises
    ------
    ValueError
        The level of the intervals does not lie between 0 and 1, or a level is given twice.

    Notes
    -----
    The estimates are those of Bradley & Terry (1952). The variance is the sandwich of White (1982, *Econometrica* 50)
    for wrong models, its inner part clustered by units crossed with raters as in `crossed`; there the share of a cell
    is what it adds to the information on the contrast in question. Between two levels this is nearly the preference
    of `rates` on another scale, except that answers instead of units count alike.
    """
    checked_level(level)
    if len(set(levels)) < len(levels):
        raise ValueError(f"a level is given twice among {', '.join(levels)}")
    answers = _numbers(verdicts, levels)
    table = answers.table(len(levels))
    pairs = list(combinations(levels, 2))
    if not answers.points.size:
        empty = nothing()
        note = "There are no answers to compare levels by."
        return Strengths(
            dict.fromkeys(levels, empty), dict.fromkeys(pairs, empty), dict.fromkeys(pairs, empty), (note,)
        )
    connected = fitting.groups(table, beaten_both_ways=False)
    group = connected[0]
    notes = _apart(levels, connected)
    inside = answers.only(group)
    wins = inside.table(len(group))
    names = [levels[index] for index in group]
    if len(fitting.groups(wins, beaten_both_ways=True)) > 1:
        notes += _separated(names, wins)
        found = _bare(inside, names, wins)
    else:
        found = _with_intervals(inside, names, wins, level)
    unknown = Estimate(math.nan, math.nan, math.nan, 0, 0, 0, NOTHING)
    estimates = {name: found.get((name,), unknown) for name in levels}
    differences = {pair: found.get(pair, unknown) for pair in pairs}
    return Strengths(estimates, differences, {pair: _chance(one) for pair, one in differences.items()}, tuple(notes))


_Found = dict[tuple[str, ...], Estimate]
"""Strengths by (level,), differences by (first, second)."""


def _numbers(verdicts: Iterable[Verdict], levels: Sequence[str]) -> _Answers:
    place = {name: index for index, name in enumerate(levels)}
    kept = [each for each in verdicts if each.choice in _POINTS and each.first in place and each.second in place]
    unit, _ = numbered([each.unit for each in kept])
    rater, raters = numbered([each.rater for each in kept])
    first = np.array([place[each.first] for each in kept], np.intp)
    second = np.array([place[each.second] for each in kept], np.intp)
    points = np.array([_POINTS[each.choice] for each in kept], np.float64)
    return _Answers(unit, rater, first, second, points, sum(1 for name in raters if name))


def _contrasts(names: Sequence[str]) -> tuple[list[tuple[str, ...]], Floats]:
    """Return what is estimated, and as what sum of strengths."""
    unit = np.eye(len(names))
    keys: list[tuple[str, ...]] = [(name,) for name in names]
    rows = [unit[index] - 1 / len(names) for index in range(len(names))]
    for one, other in combinations(range(len(names)), 2):
        keys.append((names[one], names[other]))
        rows.append(unit[one] - unit[other])
    return keys, np.array(rows)


def _with_intervals(answers: _Answers, names: Sequence[str], wins: Floats, level: float) -> _Found:
    fitted = fitting.fit(wins)
    keys, rows = _contrasts(names)
    # How much each contrast moves with one point more for the first of an answer: answers × contrasts.
    pull = (rows @ fitting.inverse(fitting.information(fitted, wins))).T
    pull = pull[answers.first] - pull[answers.second]
    chance = special.expit(fitted[answers.first] - fitted[answers.second])
    scores = pull * (answers.points - chance)[:, None]
    shares = pull**2 * (chance * (1 - chance))[:, None]
    place, cell = np.unique(answers.unit * (answers.rater.max() + 1) + answers.rater, return_inverse=True)
    unit, rater = np.divmod(place, answers.rater.max() + 1)
    scores, shares = column_totals(cell, scores), column_totals(cell, shares)
    shares /= shares.sum(axis=0)
    found: _Found = {}
    behind = _behind(answers)
    for key, value, score, share in zip(keys, rows @ fitted, scores.T, shares.T, strict=True):
        low, high, method = t_interval(float(value), spread(unit, rater, score, share), level, 1.0)
        found[key] = Estimate(float(value), low, high, *behind, method)
    return found


def _bare(answers: _Answers, names: Sequence[str], wins: Floats) -> _Found:
    fitted = fitting.fit(wins + _AN_EXTRA_TIE * (wins + wins.T > 0))
    keys, rows = _contrasts(names)
    values, behind = zip(keys, rows @ fitted, strict=True), _behind(answers)
    return {key: Estimate(float(value), math.nan, math.nan, *behind, NO_MAXIMUM) for key, value in values}


def _behind(answers: _Answers) -> tuple[int, int, int]:
    """Return how many units, raters and answers there are."""
    return len(np.unique(answers.unit)), min(len(np.unique(answers.rater)), answers.people), len(answers.points)


def _chance(difference: Estimate) -> Estimate:
    low, value, high = (float(special.expit(each)) for each in (difference.low, difference.value, difference.high))
    counts = difference.units, difference.raters, difference.answers
    return Estimate(value, low, high, *counts, difference.method)


def _apart(levels: Sequence[str], connected: list[Indices]) -> list[str]:
    notes = []
    for group in connected[1:]:
        names = ", ".join(levels[index] for index in group)
        verb = "was" if len(group) == 1 else "were"
        rest = ", ".join(levels[index] for index in connected[0])
        notes.append(
            f"{names} {verb} not compared with {rest}, directly or through others, and cannot be ranked with them."
        )
    return notes


def _separated(names: Sequence[str], wins: Floats) -> list[str]:
    notes = []
    for index, name in enumerate(names):
        if not wins[:, index].any():
            notes.append(f"{name} never lost: the data set no upper bound to its strength.")
        if not wins[index].any():
            notes.append(f"{name} never won: the data set no lower bound to its strength.")
    if not notes:
        notes.append("Some levels never lost to some others: the data set no bound to how much stronger they are.")
    more = "The strengths shown count one more tie for each pair that was compared, and have no intervals."
    return [*notes, more]
