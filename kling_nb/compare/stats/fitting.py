"""Bradley-Terry strengths from a table of wins."""

import numpy as np
import numpy.typing as npt
from scipy import special

from kling_nb.compare.stats.cells import Floats

_STEPS = 100
_CLOSE = 1e-10


def fit(wins: Floats) -> Floats:
    """Return the strengths of greatest likelihood.

    Parameters
    ----------
    wins : ndarray of float, levels × levels
        How often the level of the row won over that of the column; a tie is half a win for each. Every level must
        reach every other over wins (Ford 1957, *American Mathematical Monthly* 64), or there is no maximum.

    Returns
    -------
    ndarray of float
        On the log scale, centred: P(i wins over j) = 1 / (1 + exp(strength j - strength i)).

    Raises
    ------
    ArithmeticError
        The search did not come to an end.

    Notes
    -----
    Newton's method on the log likelihood of Bradley & Terry (1952, *Biometrika* 39), which is concave; a step that
    would lower it is halved.
    """
    strengths = np.zeros(len(wins))
    before = _log_likelihood(strengths, wins)
    for _ in range(_STEPS):
        expected = (wins + wins.T) * chances(strengths)
        step = inverse(information(strengths, wins)) @ (wins - expected).sum(axis=1)
        while (after := _log_likelihood(strengths + step, wins)) < before - 1e-9 * abs(before):
            step = step / 2
        strengths, before = strengths + step, after
        if float(np.abs(step).max()) < _CLOSE:
            centred: Floats = strengths - strengths.mean()
            return centred
    raise ArithmeticError("the strengths did not settle")


def chances(strengths: Floats) -> Floats:
    """Return the probability that the level of the row wins over that of the column.

    Parameters
    ----------
    strengths : ndarray of float
        On the log scale.
    """
    found: Floats = special.expit(strengths[:, None] - strengths[None, :])
    return found


def information(strengths: Floats, wins: Floats) -> Floats:
    """Return minus the second derivatives of the log likelihood.

    Parameters
    ----------
    strengths : ndarray of float
        On the log scale.
    wins : ndarray of float, levels × levels
        As for `fit`.
    """
    chance = chances(strengths)
    weight = (wins + wins.T) * chance * (1 - chance)
    np.fill_diagonal(weight, 0)
    found: Floats = np.diag(weight.sum(axis=1)) - weight
    return found


def inverse(matrix: Floats) -> Floats:
    """Return the inverse of an information matrix among strengths that add to 0.

    Parameters
    ----------
    matrix : ndarray of float
        Of connected levels; its rows add to 0.
    """
    even = np.full_like(matrix, 1 / len(matrix))
    found: Floats = np.linalg.inv(matrix + even) - even
    return found


def groups(wins: Floats, *, beaten_both_ways: bool) -> list[npt.NDArray[np.intp]]:
    """Return the levels in groups within which strengths can be compared.

    Parameters
    ----------
    wins : ndarray of float, levels × levels
        As for `fit`.
    beaten_both_ways : bool
        Whether wins must lead from each level of a group to each other; otherwise that they were compared at all,
        directly or through others, is enough.

    Returns
    -------
    list of ndarray of int
        The largest first, then in the order of the levels.
    """
    reached = (wins > 0) | np.eye(len(wins), dtype=bool)
    if not beaten_both_ways:
        reached |= reached.T
    # Each product of the matrix with itself doubles how many wins a way may have.
    for _ in range(len(wins).bit_length()):
        reached = reached @ reached
    found = {tuple(np.flatnonzero(row)) for row in reached & reached.T}
    return [np.array(group, np.intp) for group in sorted(found, key=lambda group: (-len(group), group))]


def _log_likelihood(strengths: Floats, wins: Floats) -> float:
    return float((wins * special.log_expit(strengths[:, None] - strengths[None, :])).sum())
