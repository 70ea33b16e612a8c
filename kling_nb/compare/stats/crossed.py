"""How far an estimate would move with other units and other raters: two crossed clusters.

The estimate is a weighted mean, or behaves like one: a sum of scores, one for each cell of unit × rater. The model is
the one of generalizability theory for a crossed design, score = unit + rater + rest, all random (Brennan,
*Generalizability Theory*, 2001). The three variances are found by equating three sums of squares (over units, over
raters, over cells) with what the model expects of them, which in a complete table is the analysis of variance. The
sum of the parts is the two-way clustered variance of Cameron, Gelbach & Miller (2011, *Journal of Business & Economic
Statistics* 29), freed of its bias with few clusters. The degrees of freedom are Satterthwaite's (1946, *Biometrics
Bulletin* 2) over the three; those of each way of clustering alone are Bell & McCaffrey's (2002, *Survey Methodology*
28). In the simplest case, one rater and units of equal weight, all this is the t interval on unit means.

What does not hold: with normal parts in a complete table, 95 % intervals cover 92.5 to 97 % with three raters (94 to 97
with five), whatever the shares of the parts. With two it is 93 to 97 % only where raters make up less than about half
of the variance of the estimate; at four fifths of it, 88 to 90 %. Two raters cannot show what others would say.
"""

from dataclasses import dataclass

import numpy as np

from kling_nb.compare.stats.cells import Floats, Indices, totals

_FEWEST_RATERS = 1.5
"""Below this effective number of raters (1 / the sum of squared shares) nearly all answers are one rater's, and
nothing can be learned about others; two raters with four answers of five and one of five are near it."""

_FEWEST_UNITS = 1.002
"""Below this effective number of units, 999 parts of 1,000 are one unit's, and it counts as one."""
_NOTHING = 1e-9
"""A share that rounding has left of none, which must not decide between two intervals."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How far an estimate would move.

    Parameters
    ----------
    variance : float
        Of the estimate, in its unit squared; nan with one unit.
    df : float
        Degrees of freedom of the variance.
    crossed : bool
        Whether other raters are meant as well; otherwise it is about other units and the same raters.
    """

    variance: float
    df: float
    crossed: bool


def spread(unit: Indices, rater: Indices, scores: Floats, weights: Floats) -> Spread:
    """Return how far an estimate would move.

    Parameters
    ----------
    unit, rater : ndarray of int, one a cell
        Which unit and rater, counted from 0.
    scores : ndarray of float, one a cell
        What the cell adds to the estimate's error: for a weighted mean, weight × (value - mean). They add to 0.
    weights : ndarray of float, one a cell
        The share of the cell in the estimate; they add to 1.

    Returns
    -------
    Spread
        With nan where one unit has all the weight, or nearly all.

    Notes
    -----
    Where the variance of raters is estimated as zero or less, they differ by no more than the rest explains, and the
    interval is that of clustering by units alone.
    """
    weights = np.where(weights > _NOTHING, weights, 0.0)
    by_rater = totals(rater, weights)
    of_units, df_units = _of_units(unit, scores, weights)
    if np.isnan(of_units) or not _are_several(by_rater):
        return Spread(of_units, df_units, crossed=False)
    parts = _parts(unit, rater, scores, weights)
    if parts[1] <= _NOTHING * float(scores @ scores):
        return Spread(of_units, df_units, crossed=True)
    _, df_raters = _one_way(by_rater)
    df_rest = _df_rest(len(weights), totals(unit, weights), by_rater)
    variance = max(of_units, float(parts.sum()))
    rest = max(float(parts[2]), 0.0)
    of_raters = float(parts[1]) + rest
    doubt = of_units**2 / df_units + of_raters**2 / df_raters + rest**2 / df_rest
    df = min(max(variance**2 / doubt, min(df_units, df_raters)), df_units + df_raters)
    return Spread(variance, df, crossed=True)


@dataclass(frozen=True, slots=True)
class Side:
    """The cells of one of two levels that have raters of their own; all arrays as of `spread`.

    Parameters
    ----------
    unit, rater : ndarray of int, one a cell
        Units are numbered alike on both sides; raters on each from 0.
    scores : ndarray of float, one a cell
        What the cell adds to the error of the difference. They add to 0 on each side.
    weights : ndarray of float, one a cell
        They add to 1 on each side, and to the same for every unit.
    """

    unit: Indices
    rater: Indices
    scores: Floats
    weights: Floats


def spread_apart(one: Side, other: Side) -> Spread | None:
    """Return how far a difference would move with other units, and with other raters on each side.

    Parameters
    ----------
    one, other : Side
        A rater who is on both counts as two.

    Returns
    -------
    Spread, or None
        None where a side has one rater, or nearly: then raters cannot be told from sides.

    Notes
    -----
    The variance over units is that of `spread`. To it comes what raters add on each side, found around that side's
    own mean, for the two means differ by what is asked. Where that is zero or less in all, units stand alone.
    """
    sides = one, other
    unit, scores, weights = (
        np.concatenate([getattr(each, name) for each in sides]) for name in ("unit", "scores", "weights")
    )
    of_units, df_units = _of_units(unit, scores, weights / 2)
    if np.isnan(of_units):
        return Spread(np.nan, np.nan, crossed=False)
    variance, smallest, largest, doubt = of_units, df_units, df_units, of_units**2 / df_units
    for each in sides:
        by_rater = totals(each.rater, each.weights)
        if not _are_several(by_rater):
            return None
        _, of_raters, of_rest = (float(part) for part in _parts(each.unit, each.rater, each.scores, each.weights))
        _, df_raters = _one_way(by_rater)
        rest = max(of_rest, 0.0)
        variance += of_raters * _not_in_units(each, by_rater)
        doubt += max(of_raters + rest, 0.0) ** 2 / df_raters
        doubt += rest**2 / _df_rest(len(each.weights), totals(each.unit, each.weights), by_rater)
        smallest, largest = min(smallest, df_raters), largest + df_raters
    if variance - of_units <= _NOTHING * float(scores @ scores):
        return Spread(of_units, df_units, crossed=True)
    return Spread(variance, min(max(variance**2 / doubt, smallest), largest), crossed=True)


def _of_units(unit: Indices, scores: Floats, weights: Floats) -> tuple[float, float]:
    """Return the variance over units alone and its degrees of freedom; nan where one has nearly all the weight."""
    by_unit = totals(unit, weights)
    if 1 / float(by_unit @ by_unit) < _FEWEST_UNITS:
        return np.nan, np.nan
    expected, df = _one_way(by_unit)
    return float((totals(unit, scores) ** 2).sum() * (by_unit @ by_unit)) / expected, df


def _not_in_units(side: Side, by_rater: Floats) -> float:
    """Return how much of the raters' part is not in the variance over units: less than all where units differ in them.

    It is worked out as in `_parts`, for units of equal weight.
    """
    count = len(np.unique(side.unit))
    in_units = count * float(side.weights @ side.weights) / float(by_rater @ by_rater) - 1
    return 1 - in_units / (count - 1)


def _df_rest(cells: int, by_unit: Floats, by_rater: Floats) -> int:
    return max(cells - int(np.count_nonzero(by_unit)) - int(np.count_nonzero(by_rater)) + 1, 1)


def _are_several(by_rater: Floats) -> bool:
    return 1 / float(by_rater @ by_rater) >= _FEWEST_RATERS


def _expected(shares: Floats) -> float:
    """Return what the sum of squared totals of independent clusters of variance 1 is expected to be: tr B below."""
    square = float(shares @ shares)
    return square - 2 * float((shares * shares) @ shares) + square**2


def _one_way(shares: Floats) -> tuple[float, float]:
    """Return the same as `_expected`, and the degrees of freedom of the sum, also where one share is nearly all.

    With B the matrix of the quadratic form they are (tr B)² / tr B² (Bell & McCaffrey 2002). B is the square of
    diag(shares) - shares × shares. Its entries are summed without being written down, for there may be thousands of
    shares; what is beside a share is summed from the others and, for pairs, from the larger one, so that nothing
    cancels. Equal shares give clusters - 1.
    """
    kept = np.sort(shares[shares > 0])[::-1]
    others, squares = (_before(each) + _after(each) for each in (kept, kept**2))
    diagonal = (kept * others) ** 2 + kept**2 * squares
    trace, whole = float(diagonal.sum()), float(kept.sum())
    # Beside the diagonal stands, for i before j, share i × share j × (bent i - whole × share j).
    bent = squares - kept * others
    second, third, fourth = (_after(kept**power) for power in (2, 3, 4))
    beside = float(kept**2 @ (bent**2 * second - 2 * whole * bent * third + whole**2 * fourth))
    return trace, max(trace**2 / (float(diagonal @ diagonal) + 2 * beside), 1.0)


def _before(numbers: Floats) -> Floats:
    """Return for each number the sum of those before it."""
    return np.concatenate([[0.0], np.cumsum(numbers[:-1])])


def _after(numbers: Floats) -> Floats:
    """Return for each number the sum of those after it."""
    return _before(numbers[::-1])[::-1]


def _parts(unit: Indices, rater: Indices, scores: Floats, weights: Floats) -> Floats:
    """Return what units, raters and the rest add to the variance of the estimate; each may be negative.

    Entry (i, j) of the system is what one unit of variance of part j adds to the sum of squares i, worked out for
    score = weight × (value - weighted mean).
    """
    by_unit, by_rater = totals(unit, weights), totals(rater, weights)
    cell = weights**2
    units, raters, rest = (float(shares @ shares) for shares in (by_unit, by_rater, weights))
    across = rest - 2 * float((weights * by_unit[unit]) @ by_rater[rater]) + units * raters
    within_units = rest * (1 + units) - 2 * float(cell @ by_unit[unit])
    within_raters = rest * (1 + raters) - 2 * float(cell @ by_rater[rater])
    system = np.array(
        [
            [_expected(by_unit), across, within_units],
            [across, _expected(by_rater), within_raters],
            [within_units, within_raters, _expected(weights)],
        ]
    )
    squares = np.array([sums @ sums for sums in (totals(unit, scores), totals(rater, scores), scores)])
    # Where each unit has one rater, unit and rest are the same thing; where each rater has one unit, rater and rest.
    told_apart = np.array([len(unit) > np.count_nonzero(by_unit), len(rater) > np.count_nonzero(by_rater), True])
    size = np.array([units, raters, rest])
    found = np.zeros(3)
    found[told_apart] = np.linalg.lstsq((system / size)[:, told_apart], squares, rcond=None)[0]
    return found
