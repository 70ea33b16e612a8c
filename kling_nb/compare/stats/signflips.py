"""Distributions over all signs that paired differences could have had."""

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from kling_nb.compare.stats.cells import Floats

MOST_EXACT = 20
"""Up to so many differences all signs of their mean are gone through: a million."""
MOST_RANKED = 200
"""Up to so many differences all signs of their ranks are counted."""
_DRAWS = 99_999
_SEED = 20_240_001
_BATCH = 2_000


def mean_p(values: Floats) -> float:
    """Return how often random signs give a sum at least as far from 0: the randomisation test of Fisher (1935).

    Parameters
    ----------
    values : ndarray of float
        The differences, at least one of them not 0.

    Returns
    -------
    float
        Two-sided, exact up to 20 differences. Beyond, from 99,999 draws of signs that are the same each time, with
        the observed ones counted among them (Phipson & Smyth 2010, *Stat. Appl. Genet. Mol. Biol.* 9).
    """
    values = np.sort(values[values != 0])
    far = abs(float(values.sum())) - 1e-10 * float(np.abs(values).sum())
    if len(values) <= MOST_EXACT:
        sums = np.zeros(1)
        for value in values:
            sums = np.concatenate([sums - value, sums + value])
        return float((np.abs(sums) >= far).mean())
    draw = np.random.default_rng(_SEED)
    reached = 1
    for start in range(0, _DRAWS, _BATCH):
        signs = draw.integers(0, 2, (min(_BATCH, _DRAWS - start), len(values))) * 2 - 1
        reached += int((np.abs(signs @ values) >= far).sum())
    return reached / (_DRAWS + 1)


def rank_p(ranks: Floats, positive: float) -> float:
    """Return how often random signs give a sum of positive ranks at least as far from its mean.

    Parameters
    ----------
    ranks : ndarray of float
        Of the absolute differences; mean ranks where some are equal.
    positive : float
        The sum of the ranks of positive differences.

    Returns
    -------
    float
        Two-sided. Exact up to 200 differences, also with equal ones, by counting sums (Wilcoxon 1945, *Biometrics
        Bulletin* 1, for unequal ones). Beyond, the normal approximation with the exact variance, sum of ranks² / 4.
    """
    middle = float(ranks.sum()) / 2
    if len(ranks) > MOST_RANKED:
        return float(special.erfc(abs(positive - middle) / math.sqrt(float((ranks**2).sum()) / 4) / math.sqrt(2)))
    chances = _sums(np.rint(2 * ranks).astype(np.intp))
    away = np.abs(np.arange(len(chances)) - 2 * middle)
    return min(float(chances[away >= 2 * abs(positive - middle) - 1e-6].sum()), 1.0)


def _sums(doubled: npt.NDArray[np.intp]) -> Floats:
    """Return the probability of each sum, where each number is in it with probability 1/2."""
    chances = np.zeros(int(doubled.sum()) + 1)
    chances[0] = 1.0
    for number in doubled:
        moved = np.zeros_like(chances)
        moved[number:] = chances[: len(chances) - number]
        chances = (chances + moved) / 2
    return chances
