"""From a spread to an interval."""

import math

from scipy import special

from kling_nb.compare.stats.answers import Estimate
from kling_nb.compare.stats.crossed import Spread

ONE_UNIT = "no interval: one prompt"
NO_SPREAD = "no interval: all prompts gave the same"
RATERS_ARE_LEVELS = "no interval: raters cannot be told from levels"
NOTHING = "no answers"
EQUAL_SHARES = "Clopper-Pearson on prompts"


def t_quantile(level: float, df: float) -> float:
    """Return how many standard errors an interval reaches to each side.

    Parameters
    ----------
    level : float
        Such as 0.95.
    df : float
        Degrees of freedom of Student's distribution.
    """
    return float(special.stdtrit(df, (1 + level) / 2))


def t_interval(value: float, spread: Spread, level: float, size: float) -> tuple[float, float, str]:
    """Return Student's interval.

    Parameters
    ----------
    value : float
        The estimate.
    spread : Spread
        Its variance and degrees of freedom.
    level : float
        Such as 0.95.
    size : float
        The largest of the numbers that it was made from, by which rounding is told from a spread.

    Returns
    -------
    low, high : float
        nan with one unit. nan too where all units gave the same: a width of zero would say that all others will.
    method : str
        In short words.
    """
    if math.isnan(spread.variance):
        return math.nan, math.nan, ONE_UNIT
    if spread.variance <= (1e-12 * size) ** 2:
        return math.nan, math.nan, NO_SPREAD
    reach = t_quantile(level, spread.df) * math.sqrt(spread.variance)
    return value - reach, value + reach, f"t on prompt means{_how(spread)}"


def share_interval(value: float, spread: Spread, level: float, units: int) -> tuple[float, float, str]:
    """Return an interval for a share, which never leaves 0 to 1 and has a width also at their ends.

    Parameters
    ----------
    value : float
        The share, 0 to 1.
    spread : Spread
        Its variance and degrees of freedom.
    level : float
        Such as 0.95.
    units : int
        How many units.

    Returns
    -------
    low, high : float
        nan with one unit.
    method : str
        In short words.

    Notes
    -----
    Wilson's (1927) interval with the effective number of answers, value × (1 - value) / variance, for the number, and
    Student's quantile for the normal one; one of the intervals for clustered surveys that Dean & Pagano (2015,
    *Journal of Survey Statistics and Methodology* 3) and Franco, Little, Louis & Slud (2019, same, 7) compare.

    Where all units have the same share (no tie was ever given, say) the spread says nothing. Each unit then counts as
    one answer in the exact interval of Clopper & Pearson (1934), in the form with the beta distribution that Korn &
    Graubard (1998, *Survey Methodology* 24) use for an effective number. That is the worst case, answers of one unit
    that all go together, and so it covers more than it says.
    """
    if math.isnan(spread.variance):
        return math.nan, math.nan, ONE_UNIT
    if _are_equal(value, spread):
        return *clopper_pearson(value, units, level), EQUAL_SHARES
    number = value * (1 - value) / spread.variance
    return *wilson(value, number, t_quantile(level, spread.df)), f"Wilson on prompt means{_how(spread)}"


def t_p(value: float, spread: Spread, size: float) -> float:
    """Return the two-sided p value of 0 that belongs to `t_interval`; nan where there is no interval.

    Parameters
    ----------
    value, spread, size
        As of `t_interval`.
    """
    if math.isnan(spread.variance) or spread.variance <= (1e-12 * size) ** 2:
        return math.nan
    return 2 * float(special.stdtr(spread.df, -abs(value) / math.sqrt(spread.variance)))


def share_p(value: float, spread: Spread, units: int) -> float:
    """Return the two-sided p value of one half that belongs to `share_interval`; nan where there is no interval.

    Parameters
    ----------
    value, spread, units
        As of `share_interval`.

    Notes
    -----
    Wilson's interval holds the shares that a score test does not reject, and Clopper and Pearson's those that neither
    tail of the binomial test does; these are the tests.
    """
    if math.isnan(spread.variance):
        return math.nan
    if _are_equal(value, spread):
        wins = value * units
        at_least = float(special.betainc(wins, units - wins + 1, 0.5)) if wins > 0 else 1.0
        at_most = float(special.betainc(units - wins, wins + 1, 0.5)) if wins < units else 1.0
        return min(2 * min(at_least, at_most), 1.0)
    number = value * (1 - value) / spread.variance
    return 2 * float(special.stdtr(spread.df, -2 * abs(value - 0.5) * math.sqrt(number)))


def wilson(share: float, number: float, quantile: float) -> tuple[float, float]:
    """Return Wilson's interval for a share (Wilson 1927, *JASA* 22; method 3 of Newcombe 1998, *Stat. Med.* 17).

    Parameters
    ----------
    share : float
        0 to 1.
    number : float
        How many answers, or how many independent ones they are worth.
    quantile : float
        1.96 for a 95 % interval of independent answers.
    """
    square = quantile**2 / number
    middle = (share + square / 2) / (1 + square)
    reach = math.sqrt(share * (1 - share) * square + square**2 / 4) / (1 + square)
    return min(max(middle - reach, 0.0), share), max(min(middle + reach, 1.0), share)


def clopper_pearson(share: float, number: float, level: float) -> tuple[float, float]:
    """Return the exact interval for a share, as quantiles of the beta distribution (Clopper & Pearson 1934).

    Parameters
    ----------
    share : float
        0 to 1.
    number : float
        How many answers; need not be whole, nor share × number (Korn & Graubard 1998).
    level : float
        Such as 0.95.
    """
    wins, tail = share * number, (1 - level) / 2
    low = float(special.betaincinv(wins, number - wins + 1, tail)) if wins > 0 else 0.0
    high = float(special.betaincinv(wins + 1, number - wins, 1 - tail)) if wins < number else 1.0
    return low, high


def nothing() -> Estimate:
    """Return what is known where nobody answered."""
    return Estimate(math.nan, math.nan, math.nan, 0, 0, 0, NOTHING)


def _are_equal(value: float, spread: Spread) -> bool:
    return spread.variance <= 1e-24 or value <= 0 or value >= 1


def _how(spread: Spread) -> str:
    return f"{' crossed with raters' if spread.crossed else ''}, {spread.df:.1f} df"
