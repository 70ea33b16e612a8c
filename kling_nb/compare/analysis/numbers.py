"""Numbers as people read them: shares, means and their intervals with the digits that mean something. Pure."""

import math

from kling_nb.compare.stats import Estimate, percent
from kling_nb.display.words import minus


def share(value: float) -> str:
    """Return a share, 0..1, in percent."""
    return "–" if math.isnan(value) else f"{percent(value)} %"


def share_with(estimate: Estimate) -> str:
    """Return a share with its interval: ``64 % [55, 72]``."""
    if math.isnan(estimate.value):
        return "–"
    if math.isnan(estimate.low):
        return share(estimate.value)
    return f"{share(estimate.value)} [{percent(estimate.low)}, {percent(estimate.high)}]"


def number_with(estimate: Estimate, spread: float | None = None) -> str:
    """Return a number with its interval: ``3.42 [3.11, 3.73]``.

    Parameters
    ----------
    estimate : Estimate
        The number.
    spread : float, optional
        Two of whose digits are written; half the width of the interval otherwise.
    """
    if math.isnan(estimate.value):
        return "–"
    width = half_width(estimate)
    spread = spread or width
    if math.isnan(width):
        return number(estimate.value, spread if spread and not math.isnan(spread) else estimate.value)
    said = f"{number(estimate.low, spread)}, {number(estimate.high, spread)}"
    return f"{number(estimate.value, spread)} [{said}]"


def half_width(estimate: Estimate) -> float:
    """Return half the width of an interval; nan where there is none."""
    return (estimate.high - estimate.low) / 2


def number(value: float, spread: float) -> str:
    """Return a number with as many digits as its spread gives meaning to.

    Parameters
    ----------
    value : float
        What is written.
    spread : float
        Two of whose digits are written.
    """
    if math.isnan(value):
        return "–"
    size = abs(spread) or abs(value)
    digits = 2 if size == 0 else max(0, min(6, 1 - math.floor(math.log10(size))))
    return minus(f"{value:,.{digits}f}")


def probability(p: float) -> str:
    """Return a p value: ``p = 0.032``, ``p < 0.001``."""
    if math.isnan(p):
        return "–"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.995 else "p = 1"
