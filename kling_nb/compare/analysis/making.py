"""From a comparison's answers and measures to its summary."""

import itertools
import math
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kling_nb.compare.analysis.asked import axis_of, wanted
from kling_nb.compare.analysis.fixed import CORRECTIONS, USUAL_CORRECTION, USUAL_TEST, Analysis, fixed, problems_of
from kling_nb.compare.analysis.results import Contrast, Kind, Result, outcomes
from kling_nb.compare.analysis.units import Units, units
from kling_nb.compare.analysis.wording import worded
from kling_nb.compare.design import Design
from kling_nb.compare.rating.records import UNSURE
from kling_nb.errors import ConfigurationError, InvalidRequest
from kling_nb.request.problems import shown

if TYPE_CHECKING:
    from kling_nb.compare.analysis.entry import Analysable
    from kling_nb.compare.analysis.summary import Summary
    from kling_nb.compare.measures.units import Place
    from kling_nb.compare.rating.tidy import Rated
    from kling_nb.compare.stats import Estimate, Rates, Score, Verdict

    _Numbers = dict[str, dict[Place, float]]

_FORMATS = ("markdown", "latex", "dataframe")


def summary(
    comparison: "Analysable", criterion: Any, by: Any, *, test: Any, correction: Any, clusters: Any
) -> "Summary":
    """Return the summary of a comparison; see `Analysable.summary`."""
    _has_what_it_needs()
    from kling_nb.compare.analysis.summary import Summary

    design, rated, numbers = comparison.record.design, comparison.rated, comparison.numbers()
    axis = axis_of(design, by, rated, criterion, is_measured=bool(numbers))
    problems = problems_of(test or USUAL_TEST, correction or USUAL_CORRECTION)
    if problems:
        raise InvalidRequest("\n".join(problems), money="")
    found = {each.plan.criterion: each for each in rated if each.plan.by == axis and each.counting}
    numbers = _qualified(numbers, found)
    plans = [each for each in comparison.analyses if each.by == axis]
    results = []
    for name in wanted(criterion, [*found, *numbers], axis):
        its = tuple(each for each in plans if name in each.criterion)
        how = _How.of(design, axis, its[-1] if its else None, test, correction, clusters)
        result = how.asked(found[name]) if name in found else how.measured(name, numbers[name])
        differing = tuple(how.differing(its[-1])) if its else ()
        is_fixed = bool(its) and not differing if plans else None
        results.append(replace(result, is_fixed=is_fixed, analyses=its, differing=differing))
    labels = design.axis(axis).labels
    return Summary(
        name=comparison.record.name,
        by=axis,
        labels=labels,
        outcomes=outcomes(axis, labels, comparison.filled()),
        results=tuple(results),
    )


def preregistered(
    comparison: "Analysable",
    criterion: Any,
    by: Any,
    *,
    test: Any,
    correction: Any,
    clusters: Any,
    note: Any,
    now: float,
) -> Analysis:
    """Return an analysis as it is fixed now; see `Analysable.preregister`."""
    rated, numbers = comparison.rated, comparison.numbers()
    axis = axis_of(comparison.record.design, by, rated, criterion)
    # For its messages.
    units(comparison.record.design, axis, clusters)
    names = [criterion] if isinstance(criterion, str) else criterion
    asked = {each.plan.criterion for each in rated if each.plan.by == axis and each.counting}
    known = Counter({name: len(values) for name, values in _qualified(numbers, asked).items()})
    for each in rated:
        known[each.plan.criterion] += len(each.counting) if each.plan.by == axis else 0
    counts = {name: known[name] for name in names if isinstance(name, str)} if isinstance(names, list | tuple) else {}
    axes = [clusters] if isinstance(clusters, str) else clusters or []
    return fixed(
        by=axis,
        criterion=criterion,
        test=test,
        correction=correction,
        clusters=axes,
        note=note,
        now=now,
        counts=counts,
    )


def checked_format(some: Any) -> None:
    """Refuse a format that there is not.

    Raises
    ------
    InvalidRequest
        With those that there are.
    """
    if some not in _FORMATS:
        raise InvalidRequest(f"format is {shown(some)}; there are {', '.join(_FORMATS)}.", money="")


def _qualified(numbers: "_Numbers", asked: Container[str]) -> "_Numbers":
    """Return the numbers of measures by names that no question has."""
    found: _Numbers = {}
    for name, values in numbers.items():
        own = name
        while own in asked or (own != name and own in numbers):
            own += " (measure)"
        found[own] = values
    return found


def _has_what_it_needs() -> None:
    try:
        import numpy as np  # noqa: F401
        import scipy  # noqa: F401
    except ImportError as error:
        raise ConfigurationError(
            f"Statistics need {error.name}, which is not installed.", advice="Run `%pip install 'kling_nb[compare]'`."
        ) from None


def _within(estimate: "Estimate", least: float, most: float) -> "Estimate":
    # With nan first, an interval that is not there stays so.
    return replace(estimate, low=max(estimate.low, least), high=min(estimate.high, most))


class _How:
    """How results are made of answers and numbers.

    Parameters
    ----------
    design : Design
        The comparison's.
    by : str
        The axis.
    of : Units
        What answers are clustered by.
    test, correction : str
        As of `Analysable.summary`.
    """

    def __init__(self, design: Design, by: str, of: Units, test: Any, correction: str) -> None:
        self._design, self._by, self._units = design, by, of
        self._labels = design.axis(by).labels
        self._test: Any = test
        self._correction = correction

    @classmethod
    def of(cls, design: Design, by: str, plan: Analysis | None, test: Any, correction: Any, clusters: Any) -> "_How":
        """Return how it is made as asked for, or else as was fixed, or else as is usual."""
        if plan is not None:
            test, correction = test or plan.test, correction or plan.correction
            clusters = clusters if clusters is not None else list(plan.clusters) or None
        return cls(design, by, units(design, by, clusters), test or USUAL_TEST, correction or USUAL_CORRECTION)

    def differing(self, plan: Analysis) -> list[str]:
        """Return in what it differs from an analysis that was fixed, a few words each."""
        found = plan.differing(test=self._test, correction=self._correction)
        fixed_units = units(self._design, plan.by, list(plan.clusters) or None)
        # The same units may go by another name, as with axes in another order.
        if not self._units.same_as(fixed_units):
            found.append(f"clusters {self._units.name or 'none'}, fixed {fixed_units.name or 'none'}")
        return found

    def asked(self, rated: "Rated") -> Result:
        """Return what a question says."""
        from kling_nb.compare.analysis import inputs

        plan = rated.plan
        unsure = sum(each.choice == UNSURE for each in rated.counting)
        if plan.protocol == "scale":
            ends = plan.scale[0][0], plan.scale[-1][0]
            return self._means(plan.criterion, plan.question, "scale", inputs.scores(rated, self._units), unsure, ends)
        return self._pairs(plan.criterion, plan.question, inputs.verdicts(rated, self._units), unsure)

    def measured(self, name: str, values: Mapping[Any, float]) -> Result:
        """Return what a measure says."""
        from kling_nb.compare.analysis import inputs

        found = inputs.measured(values, self._by, self._design.cells, self._units)
        return self._means(name, "", "measure", found, 0)

    def _pairs(self, name: str, question: str, found: "list[Verdict]", unsure: int) -> Result:
        from kling_nb.compare import stats
        from kling_nb.compare.analysis import inputs

        there = [label for label in self._labels if any(label in (each.first, each.second) for each in found)]
        asked = {(each.first, each.second) for each in found}
        pairs = [pair for pair in itertools.combinations(there, 2) if pair in asked]
        shares = {pair: stats.rates(found, *pair) for pair in pairs}
        crossed = {pair: rates.preference.p for pair, rates in shares.items()}
        tests = self._tests(pairs, stats.verdict_differences(found, there), crossed)
        contrasts = []
        for pair, rates in shares.items():
            contrasts.append(Contrast(*pair, rates, None, tests.get(pair), self._preferred(rates)))
        values = {
            label: stats.rates(inputs.against_all(found, label), label, inputs.others_than(label)).preference
            for label in there
        }
        strengths = stats.strengths(found, there) if len(there) > 2 else None
        told = [each for each in found if each.choice != UNSURE]
        alpha = self._alpha(told, "nominal")
        return self._result(name, question, "pairs", values, contrasts, told, unsure, strengths=strengths, alpha=alpha)

    def _means(
        self,
        name: str,
        question: str,
        kind: Kind,
        found: "list[Score]",
        unsure: int,
        ends: tuple[float, float] = (-math.inf, math.inf),
    ) -> Result:
        from kling_nb.compare import stats

        there = [label for label in self._labels if any(each.level == label for each in found)]
        pairs = list(itertools.combinations(there, 2))
        apart = {pair: stats.difference(found, *pair) for pair in pairs}
        crossed = {pair: each.p for pair, each in apart.items()}
        tests = self._tests(pairs, stats.score_differences(found, there), crossed)
        contrasts = []
        for pair in pairs:
            # What lies beyond the ends of a scale is no answer; nor is it in an interval.
            difference = _within(apart[pair], ends[0] - ends[1], ends[1] - ends[0])
            contrasts.append(Contrast(*pair, None, difference, tests.get(pair), self._differs(*pair, difference)))
        values = {label: _within(each, *ends) for label, each in stats.means(found, there).items()}
        alpha = self._alpha(found, "interval")
        return self._result(name, question, kind, values, contrasts, found, unsure, alpha=alpha)

    def _preferred(self, rates: "Rates") -> str:
        from kling_nb.compare import stats

        def say(first: str, second: str) -> str:
            return stats.preference_words(replace(rates, first=first, second=second))

        return worded(say, rates.first, rates.second, self._units.name)

    def _differs(self, first: str, second: str, difference: "Estimate") -> str:
        from kling_nb.compare import stats

        def say(one: str, other: str) -> str:
            return stats.difference_words(one, other, difference)

        return worded(say, first, second, self._units.name)

    def _tests(
        self, pairs: Sequence[tuple[str, str]], values: Mapping[Any, Any], crossed: Mapping[tuple[str, str], float]
    ) -> dict[tuple[str, str], Any]:
        from kling_nb.compare import stats

        enough = {pair: values[pair] for pair in pairs if len(values.get(pair, ())) > 1}
        corrected: Any = CORRECTIONS[self._correction]
        found = stats.paired(enough, self._test, corrected, crossed) if enough else []
        return {(each.first, each.second): each for each in found}

    def _alpha(self, found: "Sequence[Verdict | Score]", scale: Any) -> Any:
        from kling_nb.compare import stats

        return stats.alpha(found, scale) if len({each.rater for each in found}) > 1 else None

    def _result(
        self,
        name: str,
        question: str,
        kind: Kind,
        values: Any,
        contrasts: Sequence[Contrast],
        found: "Sequence[Verdict | Score]",
        unsure: int,
        *,
        strengths: Any = None,
        alpha: Any = None,
    ) -> Result:
        raters = len({each.rater for each in found if each.rater})
        units = len({each.unit for each in found})
        made = tuple(contrasts)
        return Result(
            name,
            question,
            kind,
            values,
            made,
            strengths,
            alpha,
            len(found),
            unsure,
            raters,
            units,
            clusters=self._units.name,
            test=self._test,
            correction=self._correction,
        )
