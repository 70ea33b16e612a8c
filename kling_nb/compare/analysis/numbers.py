"""Numbers as people read them: shares, means and their intervals with the digits that mean something. Pure."""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kling_nb.compare.stats import Estimate


def share(value: float) -> str:
    """Return a share, 0..1, in percent."""
    return "–" if math.isnan(value) else f"{100 * value:.0f} %"


def share_with(estimate: "Estimate") -> str:
    """Return a share with its interval: ``64 % [55, 72]``."""
    if math.isnan(estimate.value):
        return "–"
    if math.isnan(estimate.low):
        return share(estimate.value)
    return f"{share(estimate.value)} [{100 * estimate.low:.0f}, {100 * estimate.high:.0f}]"


def number_with(estimate: "Estimate") -> str:
    """Return a number with its interval: ``3.42 [3.11, 3.73]``; two digits of the interval's half width count."""
    if math.isnan(estimate.value):
        return "–"
    if math.isnan(estimate.low):
        return number(estimate.value, estimate.value)
    width = (estimate.high - estimate.low) / 2
    return " ".join(
        [
            number(estimate.value, width),
            f"[{number(estimate.low, width)}, {number(estimate.high, width)}]",
        ]
    )


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
    text = f"{value:,.{digits}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) else text.replace("-", "")


def probability(p: float) -> str:
    """Return a p value: ``p = 0.032``, ``p < 0.001``."""
    if math.isnan(p):
        return "–"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.995 else "p = 1"
