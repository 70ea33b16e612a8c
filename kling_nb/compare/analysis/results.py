"""What an analysis found, as plain records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kling_nb.compare.records import Filled
from kling_nb.compare.states import state

if TYPE_CHECKING:
    from kling_nb.compare.analysis.fixed import Analysis
    from kling_nb.compare.stats import Estimate, Paired, Rates, Strengths

Kind = Literal["pairs", "scale", "measure"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of the tasks of one level.

    Parameters
    ----------
    level : str
        Its label.
    tasks, done, failed, refused, images : int
        Tasks in the design; those with all their images; those that failed; those that the API's content rules did not
        let through; images that are there.
    """

    level: str
    tasks: int
    done: int
    failed: int
    refused: int
    images: int


@dataclass(frozen=True, slots=True)
class Contrast:
    """Two levels under one criterion.

    Parameters
    ----------
    first, second : str
        Labels, in the order of the axis.
    rates : Rates or None
        How often each was preferred, for pairs.
    difference : Estimate or None
        Of the means, first less second, for scales and measures.
    test : Paired or None
        Over units; None where it cannot be made.
    said : str
        What follows, in a sentence.
    """

    first: str
    second: str
    rates: "Rates | None"
    difference: "Estimate | None"
    test: "Paired | None"
    said: str


@dataclass(frozen=True, slots=True)
class Result:
    """What one question or measure says.

    Parameters
    ----------
    criterion : str
        Its name.
    question : str
        As raters read it; empty for a measure.
    kind : {"pairs", "scale", "measure"}
        What it rests on.
    values : mapping of str to Estimate
        For each level: of pairs the share in which it was preferred to others, 0..1, a tie for half; otherwise the
        mean.
    contrasts : tuple of Contrast
        Every two levels.
    strengths : Strengths or None
        Bradley-Terry, for pairs of more than two levels.
    alpha : Estimate or None
        Krippendorff's, where there are several raters.
    answers, unsure, raters, units : int
        How many there are; for a measure ``answers`` counts numbers. The other three do not count what could not tell.
    clusters : str
        What intervals are clustered by; empty where there is one unit.
    test, correction : str
        Which paired test, and how it is corrected for several pairs of levels.
    is_fixed : bool or None
        Whether it is among what was fixed beforehand, and analysed as was fixed; None where nothing was.
    analyses : tuple of Analysis
        As they were fixed beforehand for this criterion, oldest first; the last one holds.
    differing : tuple of str
        In what it differs from that one.
    """

    criterion: str
    question: str
    kind: Kind
    values: "Mapping[str, Estimate]"
    contrasts: tuple[Contrast, ...]
    strengths: "Strengths | None"
    alpha: "Estimate | None"
    answers: int
    unsure: int
    raters: int
    units: int
    clusters: str = ""
    test: str = ""
    correction: str = ""
    is_fixed: bool | None = None
    analyses: "tuple[Analysis, ...]" = ()
    differing: tuple[str, ...] = ()


def outcomes(by: str, labels: Sequence[str], filled: Sequence[Filled]) -> tuple[Outcome, ...]:
    """Return what came of the tasks of every level.

    Parameters
    ----------
    by : str
        The axis.
    labels : sequence of str
        Of its levels.
    filled : sequence of Filled
        The comparison's cells.
    """
    found = []
    for label in labels:
        tasks = [task for each in filled if each.cell.coordinates[by] == label for task in each.samples]
        states = [state(task) for task in tasks]
        images = sum(image.path is not None for task in tasks if task is not None for image in task.images)
        found.append(
            Outcome(label, len(tasks), states.count("done"), states.count("failed"), states.count("refused"), images)
        )
    return tuple(found)
