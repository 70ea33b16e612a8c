"""What a comparison offers of results. Loads nothing before it is used."""

import time
from typing import TYPE_CHECKING, Any, Literal

from kling_nb.compare.measuring import Measuring
from kling_nb.compare.rating.entry import Ratable
from kling_nb.errors import KlingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kling_nb.compare.added import Extra, Spot
    from kling_nb.compare.analysis.fixed import Analysis
    from kling_nb.compare.analysis.summary import Summary
    from kling_nb.compare.measures.units import Place
    from kling_nb.compare.rating.records import RatingPlan

Format = Literal["markdown", "latex", "dataframe"]


class Analysable(Ratable, Measuring):
    """The results of a comparison; a part of `Comparison`."""

    def summary(
        self,
        criterion: "str | Sequence[str] | None" = None,
        by: str | None = None,
        *,
        test: str | None = None,
        correction: str | None = None,
        clusters: "str | Sequence[str] | None" = None,
    ) -> "Summary":
        """Return what the answers and measures say of the levels of an axis, and how sure that is.

        Intervals are of 95 %, clustered by prompt, and by rater as well where there are several, because images of a
        task, tasks of a prompt and answers of a rater are not independent. See `kling_nb.compare.stats`.

        Parameters
        ----------
        criterion : str or list of str, optional
            Questions and measures by name; all otherwise. A measure with the name of a question is called
            ``name (measure)``.
        by : str, optional
            The axis whose levels are compared; the one that was rated, otherwise.
        test : {"crossed", "t", "wilcoxon", "permutation"}, optional
            As fixed beforehand, or the one that belongs to the interval: crossed with raters where there are several,
            with p < 0.05, before correction, exactly where the interval excludes no difference. The others are paired
            tests over units, about these raters only.
        correction : {"holm", "benjamini-hochberg", "none"}, optional
            For several pairs of levels; as fixed beforehand, or Holm's.
        clusters : str or list of str, optional
            The axes that make a unit, where it is not the prompt.

        Returns
        -------
        Summary
            In a notebook it shows tables and sentences; its fields have the numbers.

        Raises
        ------
        InvalidRequest
            There is nothing to summarise, or no such criterion or axis.
        ConfigurationError
            numpy or scipy is not installed.
        """
        from kling_nb.compare.analysis.making import summary

        return summary(self, criterion, by, test=test, correction=correction, clusters=clusters)

    def table(
        self,
        format: Format = "markdown",  # noqa: A002 - as pandas and others call it
        criterion: "str | Sequence[str] | None" = None,
        by: str | None = None,
        **how: Any,
    ) -> Any:
        """Return the results as a table for a paper: levels as rows, criteria and measures as columns, with intervals.

        Parameters
        ----------
        format : {"markdown", "latex", "dataframe"}
            LaTeX needs the package booktabs.
        criterion, by, **how
            As of `summary`.

        Returns
        -------
        str or pandas.DataFrame
            With notes below: units, raters, answers and methods. The data frame has them in ``attrs["notes"]``.

        Raises
        ------
        InvalidRequest, ConfigurationError
            As `summary`.
        """
        from kling_nb.compare.analysis.making import checked_format

        checked_format(format)
        return self.summary(criterion, by, **how).table(format)

    def preregister(
        self,
        criterion: "str | Sequence[str]",
        by: str | None = None,
        *,
        test: str = "crossed",
        correction: str = "holm",
        clusters: "str | Sequence[str] | None" = None,
        note: str = "",
    ) -> "Analysis":
        """Fix beforehand which analysis will be made; it is stored with its date, and with how many answers there were.

        Parameters
        ----------
        criterion : str or list of str
            The questions and measures that decide, by the names they have or will have.
        by, test, correction, clusters
            As of `summary`.
        note : str
            What else was decided, such as when raters stop.

        Returns
        -------
        Analysis
            As stored. It can be fixed anew; earlier ones stay, with their dates, in the manifest as well.

        Raises
        ------
        InvalidRequest
            With everything that is wrong, one line each; nothing was stored.
        """
        from kling_nb.compare.analysis.fixed import analysis_data
        from kling_nb.compare.analysis.making import preregistered

        now = time.time()
        how = {"test": test, "correction": correction, "clusters": clusters, "note": note}
        made = preregistered(self, criterion, by, now=now, **how)
        self.ratings_kept.fix(analysis_data(made), now)
        return made

    def numbers(self) -> "dict[str, dict[Place, float]]":
        """Return what was measured, by column: from an image, task or cell to its number."""
        found: dict[str, dict[Place, float]] = {}
        for each in self.measures.values():
            for place, value in each.values.items():
                for column, number in each.numbers(value).items():
                    found.setdefault(column, {})[place] = float(number)
        return found

    def added(self) -> "dict[str, dict[Spot, Any]]":
        """Return what is known of each image beyond its task, by column: what raters said, and what was measured."""
        from kling_nb.compare.analysis.columns import of_measures, of_ratings
        from kling_nb.compare.frames import columns

        measured = of_measures(self.measures.values(), self.filled())
        return of_ratings(self.rated, [*columns(self.record), *measured]) | measured

    def extra(self) -> "Extra":
        """Return what its folder holds beyond design, tasks and files: answers, measures and results."""
        from kling_nb.compare.analysis.extra import extra

        return extra(self)

    @property
    def analyses(self) -> "list[Analysis]":
        """The analyses that were fixed beforehand, oldest first."""
        from kling_nb.compare.analysis.fixed import analysis_from

        return [analysis_from(each) for each in self.ratings_kept.analyses()]

    def _result(self, plan: "RatingPlan") -> str:
        from kling_nb.display.markup import block
        from kling_nb.display.words import esc

        try:
            return self.summary(plan.criterion, by=plan.by).html()
        except KlingError as error:
            return block(esc(error.message, 600))
