"""Answers as arrays: one cell for each unit and rater, with the mean of what that rater answered for that unit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Cells:
    """The answers of each rater for each unit.

    Parameters
    ----------
    unit, rater : ndarray of int, one a cell
        Which unit and rater, counted from 0 without gaps.
    means : ndarray of float, cells × columns
        The mean of the answers in the cell.
    counts : ndarray of float, one a cell
        How many answers.
    units, raters : tuple of str
        The labels, in order of the numbers.
    """

    unit: Indices
    rater: Indices
    means: Floats
    counts: Floats
    units: tuple[str, ...]
    raters: tuple[str, ...]

    @property
    def answers(self) -> int:
        """How many answers there are in all."""
        return int(self.counts.sum())

    @property
    def people(self) -> int:
        """How many raters; a measure is none."""
        return sum(1 for rater in self.raters if rater)

    def weights(self) -> Floats:
        """Return the share of each cell in the mean of unit means: units count alike, and a unit's raters alike."""
        return 1 / (len(self.units) * np.bincount(self.unit)[self.unit])

    def unit_means(self) -> Floats:
        """Return the mean over raters for each unit, units × columns."""
        return column_totals(self.unit, self.means) / np.bincount(self.unit)[:, None]


def totals(group: Indices, numbers: Floats) -> Floats:
    """Return the sum of the numbers of each group.

    Parameters
    ----------
    group : ndarray of int
        Counted from 0, one a number.
    numbers : ndarray of float
        Any.
    """
    return np.asarray(np.bincount(group, numbers), np.float64)


def column_totals(group: Indices, columns: Floats) -> Floats:
    """Return the sums of the rows of each group.

    Parameters
    ----------
    group : ndarray of int
        Counted from 0, one a row.
    columns : ndarray of float, rows × columns
        Any.
    """
    return np.column_stack([totals(group, column) for column in columns.T])


def numbered(labels: Iterable[str]) -> tuple[Indices, tuple[str, ...]]:
    """Count labels from 0, sorted, so that the order of the answers is nothing.

    Parameters
    ----------
    labels : iterable of str
        Any, with repetitions.

    Returns
    -------
    numbers : ndarray of int
        One for each label.
    names : tuple of str
        The label of each number.
    """
    given = list(labels)
    names = tuple(sorted(set(given)))
    place = {name: number for number, name in enumerate(names)}
    return np.array([place[label] for label in given], np.intp), names


def cells(units: Sequence[str], raters: Sequence[str], columns: Floats) -> Cells:
    """Put answers together by unit and rater.

    Parameters
    ----------
    units, raters : sequence of str
        Of each answer.
    columns : ndarray of float, answers × columns
        The answers as numbers.

    Returns
    -------
    Cells
        Only of units and raters that occur together.
    """
    unit, unit_names = numbered(units)
    rater, rater_names = numbered(raters)
    place, cell = np.unique(unit * len(rater_names) + rater, return_inverse=True)
    counts = np.bincount(cell).astype(np.float64)
    return Cells(
        unit=place // max(len(rater_names), 1),
        rater=place % max(len(rater_names), 1),
        means=column_totals(cell, columns) / counts[:, None],
        counts=counts,
        units=unit_names,
        raters=rater_names,
    )
