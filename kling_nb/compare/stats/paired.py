"""Tests of paired differences between levels, one difference a unit."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from kling_nb.compare.stats import signflips
from kling_nb.compare.stats.answers import Score, Verdict
from kling_nb.compare.stats.cells import Floats
from kling_nb.compare.stats.means import paired_cells
from kling_nb.compare.stats.rates import verdict_cells

Test = Literal["crossed", "t", "wilcoxon", "permutation"]
Correction = Literal["holm", "bh", "none"]
Differences = Mapping[tuple[str, str], npt.ArrayLike]
"""From a pair of levels to the differences first - second, one a unit."""


@dataclass(frozen=True, slots=True)
class Paired:
    """What a test says of one pair of levels.

    Parameters
    ----------
    first, second : str
        The levels.
    test : {"crossed", "t", "wilcoxon", "permutation"}
        Which test.
    statistic : float
        Student's t; the sum of the ranks of positive differences; for crossed and permutation the mean difference.
    p : float
        Two-sided; nan where there is no test, as with one unit.
    p_adjusted : float
        Corrected for the number of pairs.
    effect : float
        For Wilcoxon the matched-pairs rank-biserial correlation, -1 to 1; for the others Cohen's d of the differences,
        mean / standard deviation. nan where it is undefined.
    units : int
        How many differences.
    """

    first: str
    second: str
    test: str
    statistic: float
    p: float
    p_adjusted: float
    effect: float
    units: int


def paired(
    values: Differences,
    test: Test = "t",
    correction: Correction = "holm",
    crossed: Mapping[tuple[str, str], float] | None = None,
) -> list[Paired]:
    """Test whether differences are 0 on the whole.

    Parameters
    ----------
    values : mapping
        From (first, second) to differences, one a unit, as of `score_differences` and `verdict_differences`.
    test : {"crossed", "t", "wilcoxon", "permutation"}
        The one that belongs to the interval, crossed with raters where that is; Student's t test (1908, *Biometrika*
        6); Wilcoxon's signed-rank test, which leaves out differences of 0; the sign-flip permutation test of the mean.
    correction : {"holm", "bh", "none"}
        Holm's, which bounds the chance of any false finding; Benjamini & Hochberg's, which bounds the share of false
        ones among the findings; none.
    crossed : mapping, optional
        From a pair to the p value of the crossed test, as of `Estimate.p`.

    Returns
    -------
    list of Paired
        In the order of the mapping.

    Raises
    ------
    ValueError
        There is no such test or correction, or a difference is not finite.

    Notes
    -----
    With several raters a unit's difference is a mean over raters, and all tests but the crossed one are about other
    units and these raters only: where raters differ, they often find what other raters would not. The rank-biserial
    correlation is (positive - negative ranks) / all ranks (Kerby 2014, *Comprehensive Psychology* 3).
    """
    if test not in _TESTS:
        raise ValueError(f"test is {test!r}; it must be one of {', '.join(_TESTS)}")
    if correction not in _CORRECTIONS:
        raise ValueError(f"correction is {correction!r}; it must be one of {', '.join(_CORRECTIONS)}")
    found = []
    for (first, second), given in values.items():
        numbers = np.asarray(given, np.float64).ravel()
        if not np.isfinite(numbers).all():
            raise ValueError(f"the differences of {first} and {second} are not all finite numbers")
        numbers = _without_rounding(numbers)
        statistic, p, effect = _TESTS[test](numbers) if len(numbers) > 1 else (math.nan, math.nan, math.nan)
        p = (crossed or {}).get((first, second), math.nan) if test == "crossed" else p
        found.append(Paired(first, second, test, statistic, p, p, effect, len(numbers)))
    adjusted = adjust([one.p for one in found], correction)
    return [replace(one, p_adjusted=p) for one, p in zip(found, adjusted, strict=True)]


def adjust(ps: Sequence[float], correction: Correction = "holm") -> list[float]:
    """Correct p values for their number.

    Parameters
    ----------
    ps : sequence of float
        nan is left alone and not counted.
    correction : {"holm", "bh", "none"}
        Holm (1979, *Scandinavian Journal of Statistics* 6) or Benjamini & Hochberg (1995, *JRSS B* 57).

    Raises
    ------
    ValueError
        There is no such correction.
    """
    if correction not in _CORRECTIONS:
        raise ValueError(f"correction is {correction!r}; it must be one of {', '.join(_CORRECTIONS)}")
    given = np.array(ps, np.float64)
    known = ~np.isnan(given)
    given[known] = _CORRECTIONS[correction](given[known])
    return [float(p) for p in given]


def score_differences(scores: Iterable[Score], levels: Sequence[str]) -> dict[tuple[str, str], Floats]:
    """Return the differences of unit means, in the unit of the scores.

    Parameters
    ----------
    scores : iterable of Score
        All of a study.
    levels : sequence of str
        Of which each pair is compared, in this order.

    Returns
    -------
    dict of (str, str) to ndarray
        First - second, for each unit that has both.
    """
    given = list(scores)
    found = {}
    for first, second in combinations(levels, 2):
        both = paired_cells(given, first, second)
        found[first, second] = np.array([]) if both is None else _minus(both[0].unit_means(), both[1].unit_means())
    return found


def verdict_differences(verdicts: Iterable[Verdict], levels: Sequence[str]) -> dict[tuple[str, str], Floats]:
    """Return the share of wins less that of losses for each unit, -1 to 1; 0 is no preference.

    Parameters
    ----------
    verdicts : iterable of Verdict
        All of a study; "unsure" is left out.
    levels : sequence of str
        Of which each pair is compared, in this order.

    Returns
    -------
    dict of (str, str) to ndarray
        For each unit with a verdict about both.
    """
    given = list(verdicts)
    found: dict[tuple[str, str], Floats] = {}
    for first, second in combinations(levels, 2):
        counted, _ = verdict_cells(given, first, second)
        shares = counted.unit_means() if counted.units else np.empty((0, 4))
        found[first, second] = shares[:, 0] - shares[:, 2]
    return found


def units_needed(values: npt.ArrayLike, level: float = 0.95, power: float = 0.8) -> int | None:
    """Return about how many units would show a difference of the size observed, with the same raters.

    Parameters
    ----------
    values : array_like of float
        The differences, one a unit.
    level : float
        Of the interval that is to exclude 0.
    power : float
        How probable that is to be.

    Returns
    -------
    int, or None
        None where the data do not say: fewer than six units, no difference or no spread, or more than 10,000.

    Notes
    -----
    The normal approximation with Guenther's (1981, *The American Statistician* 35) addition for Student's
    distribution, z²/2. It takes the observed difference for the true one, which is only a guess.
    """
    numbers = np.asarray(values, np.float64).ravel()
    if len(numbers) < _FEWEST_TO_PLAN:
        return None
    mean, deviation = float(numbers.mean()), float(numbers.std(ddof=1))
    if abs(mean) <= 1e-12 or deviation <= 1e-12:
        return None
    tail, strong = float(special.ndtri((1 + level) / 2)), float(special.ndtri(power))
    needed = (tail + strong) ** 2 * (deviation / mean) ** 2 + tail**2 / 2
    return math.ceil(needed) if needed <= _MOST_TO_PLAN else None


_FEWEST_TO_PLAN = 6
_MOST_TO_PLAN = 10_000


def _without_rounding(values: Floats) -> Floats:
    """Return differences in which those that only rounding keeps from 0 are 0."""
    return np.where(np.abs(values) > 1e-12 * np.abs(values).max(initial=0), values, 0.0)


def _minus(first: Floats, second: Floats) -> Floats:
    found: Floats = first[:, 0] - second[:, 0]
    return found


def _t(values: Floats) -> tuple[float, float, float]:
    mean, deviation = float(values.mean()), float(values.std(ddof=1))
    if deviation <= 1e-12 * float(np.abs(values).max()):
        return math.nan, math.nan, math.nan
    statistic = mean / deviation * math.sqrt(len(values))
    p = 2 * float(special.stdtr(len(values) - 1, -abs(statistic)))
    return statistic, p, mean / deviation


def _wilcoxon(values: Floats) -> tuple[float, float, float]:
    kept = values[values != 0]
    if not kept.size:
        return 0.0, 1.0, 0.0
    # Sizes that only rounding tells apart share a rank.
    sizes = np.round(np.abs(kept) / np.abs(kept).max(), 10)
    _, place, counts = np.unique(sizes, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    positive, everything = float(ranks[kept > 0].sum()), float(ranks.sum())
    return positive, signflips.rank_p(ranks, positive), 2 * positive / everything - 1


def _crossed(values: Floats) -> tuple[float, float, float]:
    # Its p value is not to be had from the means over raters.
    return float(values.mean()), math.nan, _size(values)


def _size(values: Floats) -> float:
    deviation = float(values.std(ddof=1))
    return float(values.mean()) / deviation if deviation > 1e-12 * float(np.abs(values).max()) else math.nan


def _permutation(values: Floats) -> tuple[float, float, float]:
    if not values.any():
        return 0.0, 1.0, math.nan
    return float(values.mean()), signflips.mean_p(values), _size(values)


def _holm(ps: Floats) -> Floats:
    order = np.argsort(ps, kind="stable")
    stepped = np.maximum.accumulate(ps[order] * np.arange(len(ps), 0, -1))
    return _put_back(stepped, order)


def _benjamini_hochberg(ps: Floats) -> Floats:
    order = np.argsort(ps, kind="stable")
    stepped = np.minimum.accumulate((ps[order] * len(ps) / np.arange(1, len(ps) + 1))[::-1])[::-1]
    return _put_back(stepped, order)


def _put_back(stepped: Floats, order: npt.NDArray[np.intp]) -> Floats:
    found = np.empty_like(stepped)
    found[order] = np.minimum(stepped, 1)
    return found


def _as_they_are(ps: Floats) -> Floats:
    return ps


_TESTS: dict[str, Callable[[Floats], tuple[float, float, float]]] = {
    "crossed": _crossed,
    "t": _t,
    "wilcoxon": _wilcoxon,
    "permutation": _permutation,
}
_CORRECTIONS: dict[str, Callable[[Floats], Floats]] = {
    "holm": _holm,
    "bh": _benjamini_hochberg,
    "none": _as_they_are,
}
