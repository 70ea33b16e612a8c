"""How far raters agree: Krippendorff's alpha."""

import math
from collections.abc import Iterable
from typing import Literal, get_args

import numpy as np

from kling_nb.compare.stats.answers import Estimate, Score, Verdict, checked_level
from kling_nb.compare.stats.cells import Floats, Indices, numbered, totals
from kling_nb.compare.stats.intervals import NO_SPREAD, NOTHING, ONE_UNIT, t_quantile

Scale = Literal["nominal", "ordinal", "interval"]
SCALES: tuple[str, ...] = get_args(Scale)
_IN_ORDER = {"second": 0.0, "tie": 1.0, "first": 2.0}
ONE_VALUE = "undefined: one value only"
FULL = "no interval: full agreement"
ONE_PROMPT_DECIDES = "no interval: all disagreement is in one prompt"


def alpha(answers: Iterable[Verdict | Score], scale: Scale = "nominal", level: float = 0.95) -> Estimate:
    """Return how far raters agree on the same images.

    Parameters
    ----------
    answers : iterable of Verdict or Score
        What is judged is the item and its levels; things with fewer than two answers say nothing. "unsure" is left
        out.
    scale : {"nominal", "ordinal", "interval"}
        What differences mean: none is greater than another; only the order counts; the numbers count. For verdicts
        a tie lies between the two levels.
    level : float
        Of the interval.

    Returns
    -------
    Estimate
        1 for full agreement, 0 for what chance gives. nan where nobody answered twice, or all said the same, which
        leaves nothing to agree about.

    Raises
    ------
    ValueError
        The scale is none of the three, or the level does not lie between 0 and 1.

    Notes
    -----
    Krippendorff (2011, *Computing Krippendorff's alpha-reliability*): 1 - observed / expected disagreement over pairs
    of answers. The interval is the jackknife over prompts (Tukey 1958): alpha without each prompt in turn, Student's
    quantile with prompts - 1 degrees of freedom, on the scale of log(1 - alpha), on which alpha is nearly normal and
    cannot exceed 1. It is about other prompts and the same raters. In simulated studies of 12 and 48 prompts and three
    raters it covered 92 to 96 % at 95 %, least at 12 prompts and a nominal alpha of 0.3.
    """
    checked_level(level)
    if scale not in SCALES:
        raise ValueError(f"scale is {scale!r}; it must be one of {', '.join(SCALES)}")
    unit, thing, values, raters = _numbers(answers)
    if not values.size:
        return Estimate(math.nan, math.nan, math.nan, 0, 0, 0, NOTHING)
    value = _alpha(thing, values, scale)
    low, high, method = _interval(value, _without_each(unit, thing, values, scale), level)
    return Estimate(value, low, high, len(np.unique(unit)), raters, len(values), method)


def _numbers(answers: Iterable[Verdict | Score]) -> tuple[Indices, Indices, Floats, int]:
    """Return unit, thing and value of each answer about what was answered twice, and how many raters gave them."""
    given: dict[tuple[str, ...], tuple[str, str, float]] = {}
    for each in answers:
        if isinstance(each, Score):
            key: tuple[str, ...] = (each.unit, each.item, each.level)
            value = each.value
        elif each.choice in _IN_ORDER:
            key = (each.unit, each.item, each.first, each.second)
            value = _IN_ORDER[each.choice]
        else:
            continue
        # A rater who is asked twice must not pass for two who agree.
        given.setdefault((each.rater, *key), (each.unit, "\0".join(key), value))
    thing, _ = numbered(name for _, name, _ in given.values())
    kept = np.bincount(thing)[thing] > 1
    unit, _ = numbered(name for name, _, _ in given.values())
    values = np.array([value for _, _, value in given.values()], np.float64)
    people = {rater for (rater, *_), useful in zip(given, kept, strict=True) if useful and rater}
    return unit[kept], thing[kept], values[kept], len(people)


def _alpha(thing: Indices, values: Floats, scale: Scale) -> float:
    """Return alpha; nan where there is no disagreement to expect.

    Ordinal differences are those of the values' mean ranks: Krippendorff's sum over the values between two, with
    half of their own, is the difference of their mean ranks.
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    if len(counts) < 2:
        return math.nan
    placed: Floats = (np.cumsum(counts) - counts / 2)[place] if scale == "ordinal" else values
    placed = placed - placed.mean()
    everything = np.zeros(len(thing), np.intp)
    apart = _same_kind if scale == "nominal" else _squares
    _, thing = np.unique(thing, return_inverse=True)
    sizes = np.bincount(thing)
    observed = float((apart(thing, placed, place) / (sizes - 1)).sum()) / len(values)
    expected = float(apart(everything, placed, place).sum()) / (len(values) * (len(values) - 1))
    # Rounding must not pass for disagreement, which would be all there is.
    return 1 - observed / expected if observed > 1e-12 * expected else 1.0


def _same_kind(group: Indices, _: Floats, place: Indices) -> Floats:
    """Return for each group how many ordered pairs of answers differ."""
    pairs, counts = np.unique(group * (place.max() + 1) + place, return_counts=True)
    return np.bincount(group) ** 2 - totals(pairs // (place.max() + 1), counts.astype(np.float64) ** 2)


def _squares(group: Indices, values: Floats, _: Indices) -> Floats:
    """Return for each group the squared differences over all ordered pairs of answers."""
    return 2 * (np.bincount(group) * totals(group, values**2) - totals(group, values) ** 2)


def _without_each(unit: Indices, thing: Indices, values: Floats, scale: Scale) -> Floats:
    """Return alpha without each unit in turn."""
    units = np.unique(unit)
    if len(units) < 2:
        return np.array([])
    return np.array([_alpha(thing[unit != one], values[unit != one], scale) for one in units])


def _interval(value: float, without: Floats, level: float) -> tuple[float, float, str]:
    if math.isnan(value):
        return math.nan, math.nan, ONE_VALUE
    if value >= 1:
        return math.nan, math.nan, FULL
    if not without.size:
        return math.nan, math.nan, ONE_UNIT
    if np.isnan(without).any() or (without >= 1).any():
        return math.nan, math.nan, ONE_PROMPT_DECIDES
    count = len(without)
    logs = np.log(1 - without)
    error = math.sqrt((count - 1) / count * float(((logs - logs.mean()) ** 2).sum()))
    if error <= 1e-12:
        return math.nan, math.nan, NO_SPREAD
    reach = math.exp(t_quantile(level, count - 1) * error)
    # Alpha is never far below -1, where the two of each pair always differ.
    return min(value, max(1 - (1 - value) * reach, -1.0)), 1 - (1 - value) / reach, "jackknife over prompts"
