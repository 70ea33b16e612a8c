"""Statistics as plain sentences, which say no more than the data do."""

import math
from collections.abc import Sequence
from itertools import pairwise

from kling_nb.compare.stats.answers import Estimate
from kling_nb.compare.stats.intervals import RATERS_ARE_LEVELS
from kling_nb.compare.stats.paired import Paired
from kling_nb.compare.stats.rates import Rates
from kling_nb.compare.stats.strengths import Strengths
from kling_nb.display.words import minus

_FEW_UNITS = 5
_SAME_STRENGTH = 1e-6
_RATERS_ARE_LEVELS = (
    "Others scored the one than the other, and one of them has one rater only, or nearly: the data cannot tell raters "
    "from levels."
)
_NAMES = {
    "crossed": "test of the interval",
    "t": "t test",
    "wilcoxon": "Wilcoxon signed-rank test",
    "permutation": "permutation test",
}


def preference_words(rates: Rates, level: float = 0.95, needed: int | None = None) -> str:
    """Say which of two levels is preferred, or that the data cannot tell; only where they can is one named as better.

    Parameters
    ----------
    rates : Rates
        Of two levels.
    level : float
        Of the intervals, as it was given to `rates`.
    needed : int, optional
        How many prompts would show a difference of this size, as of `units_needed`.

    Returns
    -------
    str
        One or a few sentences.
    """
    found, first, second = rates.preference, rates.first, rates.second
    if not found.answers:
        unsure = f" {_counted(rates.unsure, 'answer was', 'answers were')} unsure." if rates.unsure else ""
        return f"There are no verdicts between {first} and {second}.{unsure}"
    if found.has_interval and found.high < 0.5:
        found, first, second = _mirrored(found), second, first
    halves = "ties count half; " if rates.tie.value > 0 else ""
    bounds = f"{_level(level)} {_bounds(found)} %; " if found.has_interval else ""
    share = f"{percent(found.value)} % ({halves}{bounds}{_behind(found)})"
    if not found.has_interval:
        said = f"{first} against {second}: {share}."
    elif found.low > 0.5:
        said = f"{first} is preferred to {second}: {share}."
    else:
        # Whoever reads a name first takes it for the winner, so that none is put first by what the data say.
        said = f"The data cannot tell which is better: {first} against {second}, {share}{_more_prompts(found, needed)}."
    ties = f"{percent(rates.tie.value)} % were ties." if rates.tie.value > 0 else ""
    unsure = (
        f"{_counted(rates.unsure, 'answer', 'answers')} “unsure” {_is(rates.unsure)} left out." if rates.unsure else ""
    )
    return _joined(said, ties, unsure, *cautions(found))


def difference_words(
    first: str, second: str, found: Estimate, *, unit: str = "", level: float = 0.95, needed: int | None = None
) -> str:
    """Say by how much one level exceeds another, or that the data cannot tell.

    Parameters
    ----------
    first, second : str
        The levels.
    found : Estimate
        First - second, as of `difference`.
    unit : str
        Of the numbers, such as "points"; empty for a number without one.
    level : float
        Of the interval.
    needed : int, optional
        How many prompts would show a difference of this size, as of `units_needed`.

    Returns
    -------
    str
        One or a few sentences.
    """
    if not found.answers:
        return f"No prompt has both {first} and {second}."
    if found.has_interval and found.high < 0:
        return difference_words(second, first, _negative(found), unit=unit, level=level)
    numbers = _numbers(found, unit, level)
    if not found.has_interval:
        size = f"{_number(abs(found.value))}{_space(unit)}"
        apart = f"{size} {'above' if found.value > 0 else 'below'} {second}" if found.value else f"level with {second}"
        return _joined(f"{first} is {apart} ({_behind(found)}).", *cautions(found))
    if found.low > 0:
        return _joined(f"{first} is above {second} by {numbers}.", *cautions(found))
    more = _more_prompts(found, needed)
    said = f"The data cannot tell which is higher: {first} − {second} is {numbers}{more}."
    return _joined(said, *cautions(found))


def mean_words(name: str, found: Estimate, *, unit: str = "", level: float = 0.95) -> str:
    """Say what the mean of a level is.

    Parameters
    ----------
    name : str
        The level.
    found : Estimate
        As of `means`.
    unit : str
        Of the numbers; empty for a number without one.
    level : float
        Of the interval.

    Returns
    -------
    str
        One or a few sentences.
    """
    if not found.answers:
        return f"There are no scores of {name}."
    if not found.has_interval:
        said = f"The mean of {name} is {_number(found.value)}{_space(unit)} ({_behind(found)})."
        return _joined(said, *cautions(found))
    return _joined(f"The mean of {name} is {_numbers(found, unit, level)}.", *cautions(found))


def strength_words(found: Strengths, level: float = 0.95) -> str:
    """Say how levels rank, and which neighbours in the ranking the data tell apart.

    Parameters
    ----------
    found : Strengths
        Of all levels.
    level : float
        Of the intervals.

    Returns
    -------
    str
        Some sentences, with the notes.
    """
    ranked = sorted(
        (name for name, one in found.estimates.items() if not math.isnan(one.value)),
        key=lambda name: -found.estimates[name].value,
    )
    said = [_ranking(found, ranked)] if len(ranked) > 1 else []
    for one, other in pairwise(ranked):
        chance = found.wins[one, other] if (one, other) in found.wins else _mirrored(found.wins[other, one])
        if not chance.has_interval:
            continue
        certain = "" if chance.low > 0.5 else f"The data cannot tell {one} and {other} apart: "
        share = f"{percent(chance.value)} % ({_level(level)} {_bounds(chance)} %)"
        said.append(f"{certain}{one} is expected to be preferred to {other} in {share}.")
    some = [found.estimates[name] for name in ranked[:1]]
    return _joined(*said, *found.notes, *(word for one in some for word in cautions(one)))


def _ranking(found: Strengths, ranked: Sequence[str]) -> str:
    """Say in which order levels are, those that are equal together."""
    groups = [[ranked[0]]]
    for one, other in pairwise(ranked):
        # Fitted numbers are equal but for rounding.
        if found.estimates[one].value - found.estimates[other].value < _SAME_STRENGTH:
            groups[-1].append(other)
        else:
            groups.append([other])
    if len(groups) == 1:
        return f"Equally strong: {', '.join(ranked)}."
    return f"From strongest to weakest: {', '.join(' = '.join(group) for group in groups)}."


def agreement_words(found: Estimate, level: float = 0.95) -> str:
    """Say how far raters agree.

    Parameters
    ----------
    found : Estimate
        Krippendorff's alpha.
    level : float
        Of the interval.

    Returns
    -------
    str
        One or a few sentences.
    """
    if not found.answers:
        return "No image was judged by two raters: nothing can be said about agreement."
    if math.isnan(found.value):
        return "All raters always gave the same answer: alpha is undefined where answers do not differ."
    if not found.has_interval:
        return _joined(f"Krippendorff's alpha is {_decimals(found.value)} ({_behind(found)}).", *cautions(found))
    interval = f"{_level(level)} {_decimals(found.low)} to {_decimals(found.high)}"
    chance = "" if found.low > 0 else "The data do not rule out that raters agree by chance only."
    return _joined(f"Krippendorff's alpha is {_decimals(found.value)} ({interval}; {_behind(found)}).", chance)


def paired_words(found: Paired, alpha: float = 0.05) -> str:
    """Say what a test found.

    Parameters
    ----------
    found : Paired
        Of two levels.
    alpha : float
        Below which adjusted p value a difference counts as found.

    Returns
    -------
    str
        One sentence.
    """
    if math.isnan(found.p):
        return (
            f"There is no {_NAMES[found.test]} of {found.first} and {found.second}: {_counted(found.units, 'prompt')}."
        )
    differ = "differ" if found.p_adjusted < alpha else "are not shown to differ"
    adjusted = "" if found.p_adjusted == found.p else f", adjusted {_p(found.p_adjusted)}"
    numbers = f"{_NAMES[found.test]}, p {_p(found.p)}{adjusted}; {_counted(found.units, 'prompt')}"
    return f"{found.first} and {found.second} {differ} ({numbers})."


def cautions(found: Estimate) -> Sequence[str]:
    """Return sentences about how little stands behind an estimate.

    Parameters
    ----------
    found : Estimate
        Any.
    """
    if not found.answers:
        return ()
    if found.units == 1:
        return ("With one prompt nothing can be said about others.",)
    if found.method == RATERS_ARE_LEVELS:
        return (_RATERS_ARE_LEVELS,)
    said = []
    if found.units <= _FEW_UNITS:
        said.append(f"Caution: {found.units} prompts are few, and the interval may mislead.")
    if not found.has_interval and "the same" in found.method:
        said.append("All prompts gave the same, so that the data do not show how much others would differ.")
    if found.raters == 1:
        said.append("With one rater nothing can be said about other raters.")
    elif found.raters == 2:
        said.append("Two raters say little about others; if they differ much, the interval is too narrow.")
    return tuple(said)


def percent(share: float) -> str:
    """Return a share in percent, without the sign; one that only rounding makes none, even or all has a decimal more.

    Parameters
    ----------
    share : float
        0 to 1.
    """
    whole = f"{100 * share:.0f}"
    exact = share in (0, 0.5, 1) or whole not in ("0", "50", "100", "-0")
    return whole if exact else f"{100 * share:.1f}"


def _numbers(found: Estimate, unit: str, level: float) -> str:
    interval = f"{_level(level)} {_number(found.low)} to {_number(found.high)}"
    return f"{_number(found.value)}{_space(unit)} ({interval}; {_behind(found)})"


def _number(value: float) -> str:
    return minus(f"{value:.3g}")


def _decimals(value: float) -> str:
    return minus(f"{value:.2f}")


def _bounds(found: Estimate) -> str:
    return f"{percent(found.low)} to {percent(found.high)}"


def _behind(found: Estimate) -> str:
    people = f", {_counted(found.raters, 'rater')}" if found.raters else ""
    return f"{_counted(found.units, 'prompt')}{people}"


def _more_prompts(found: Estimate, needed: int | None) -> str:
    if needed is None or needed <= found.units:
        return ""
    raters = " with these raters" if found.raters > 1 else ""
    return f"; about {needed:,} prompts{raters} would be needed to see a difference of this size"


def _mirrored(found: Estimate) -> Estimate:
    counts = found.units, found.raters, found.answers
    return Estimate(1 - found.value, 1 - found.high, 1 - found.low, *counts, found.method)


def _negative(found: Estimate) -> Estimate:
    counts = found.units, found.raters, found.answers
    return Estimate(-found.value, -found.high, -found.low, *counts, found.method)


def _level(level: float) -> str:
    return f"{100 * level:.3g} % interval"


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _is(number: int) -> str:
    return "is" if number == 1 else "are"


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.2g}"


def _space(unit: str) -> str:
    return f" {unit}" if unit else ""


def _joined(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)
