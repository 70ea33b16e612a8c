"""An analysis that was fixed beforehand: which one, and when. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from kling_nb.errors import InvalidRequest, WorkspaceError
from kling_nb.request.problems import shown
from kling_nb.workspace.sidecar import iso

TESTS = ("crossed", "t", "wilcoxon", "permutation")
CORRECTIONS = {"holm": "holm", "benjamini-hochberg": "bh", "none": "none"}
"""What they are called here, and in the statistics."""
USUAL_TEST, USUAL_CORRECTION = "crossed", "holm"
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Analysis:
    """What will be analysed, and how.

    Parameters
    ----------
    by : str
        The axis whose levels are compared.
    criterion : tuple of str
        The questions and measures that decide, by name.
    test : str
        ``crossed``, ``t``, ``wilcoxon`` or ``permutation``.
    correction : str
        For several comparisons: ``holm``, ``benjamini-hochberg`` or ``none``.
    clusters : tuple of str
        The axes that make a unit; empty for the prompt.
    note : str
        In the user's words.
    created_at : str
        When it was fixed; UTC in ISO 8601.
    answers : int
        How many answers and measured numbers of these criteria there were by then.
    counts : mapping of str to int
        The same for each criterion.
    """

    by: str
    criterion: tuple[str, ...]
    test: str
    correction: str
    clusters: tuple[str, ...]
    note: str
    created_at: str
    answers: int
    counts: Mapping[str, int] = field(default_factory=dict, repr=False)

    def when(self, criterion: str) -> str:
        """When it was fixed, and after how many answers to a criterion, in a few words."""
        # Analyses of an earlier version have the sum over their criteria only.
        answers = self.counts.get(criterion, self.answers)
        were = "answer was" if answers == 1 else "answers were"
        after = f"after {answers:,} {were} in" if answers else "before the first answer"
        return f"on {self.created_at[:16].replace('T', ' ')} UTC, {after}"

    def differing(self, *, test: str, correction: str) -> list[str]:
        """Return in what an analysis as it is made differs from this one, a few words each.

        Parameters
        ----------
        test, correction : str
            As they are used.
        """
        used = {"test": (test, self.test), "correction": (correction, self.correction)}
        return [f"{name} {now}, fixed {then}" for name, (now, then) in used.items() if now != then]


def when_fixed(analyses: Sequence[Analysis], criterion: str) -> str:
    """Return when the analysis of a criterion was fixed, each time that it was, in a sentence.

    Parameters
    ----------
    analyses : sequence of Analysis
        Of the criterion, oldest first; the last one holds.
    criterion : str
        Its name.
    """
    return f"Analysis fixed {'; fixed anew '.join(each.when(criterion) for each in analyses)}."


def fixed(
    *,
    by: str,
    criterion: Any,
    test: Any,
    correction: Any,
    clusters: Sequence[str],
    note: Any,
    now: float,
    counts: Mapping[str, int],
) -> Analysis:
    """Return an analysis, if it can be made.

    Raises
    ------
    InvalidRequest
        One line for each problem.
    """
    problems = problems_of(test, correction)
    names = [criterion] if isinstance(criterion, str) else criterion
    if not isinstance(names, list | tuple) or not names or not all(isinstance(n, str) and n.strip() for n in names):
        problems.append(f"criterion is {shown(criterion)}; it must be the name of a question or measure, or several")
    if not isinstance(note, str) or len(note) > _LONGEST:
        problems.append(f"note is {shown(note)}; it must be a text of at most {_LONGEST:,} characters")
    if problems:
        raise InvalidRequest("\n".join(problems), money="Nothing was stored.")
    created_at, answers = iso(now) or "", sum(counts.values())
    return Analysis(by, tuple(names), test, correction, tuple(clusters), note, created_at, answers, dict(counts))


def problems_of(test: Any, correction: Any) -> list[str]:
    """Return what is wrong with a test and a correction, one line each."""
    problems = []
    if test not in TESTS:
        problems.append(f"test is {shown(test)}; there are {', '.join(TESTS)}")
    if correction not in CORRECTIONS:
        problems.append(f"correction is {shown(correction)}; there are {', '.join(CORRECTIONS)}")
    return problems


def analysis_data(analysis: Analysis) -> dict[str, Any]:
    """Return an analysis as plain data."""
    return {**asdict(analysis), "criterion": list(analysis.criterion), "clusters": list(analysis.clusters)}


def analysis_from(data: Mapping[str, Any]) -> Analysis:
    """Return the analysis of plain data.

    Raises
    ------
    WorkspaceError
        It is none.
    """
    try:
        return Analysis(
            by=str(data["by"]),
            criterion=tuple(str(each) for each in data["criterion"]),
            test=str(data["test"]),
            correction=str(data["correction"]),
            clusters=tuple(str(each) for each in data["clusters"]),
            note=str(data["note"]),
            created_at=str(data["created_at"]),
            answers=int(data["answers"]),
            counts={str(name): int(count) for name, count in data.get("counts", {}).items()},
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise WorkspaceError(f"An analysis cannot be read ({type(error).__name__}: {error}).", money="") from None
