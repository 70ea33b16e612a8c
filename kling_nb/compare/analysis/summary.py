"""The results of a comparison as the user holds them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kling_nb.compare.analysis import table as tables
from kling_nb.compare.analysis.fixed import when_fixed
from kling_nb.compare.analysis.numbers import half_width, number_with, probability, share, share_with
from kling_nb.compare.analysis.results import Contrast, Outcome, Result
from kling_nb.compare.analysis.table import Lines
from kling_nb.compare.analysis.wording import PROMPT, intervals
from kling_nb.display.markup import aside, block, details, heading, muted, page
from kling_nb.display.words import esc, joined, plural

if TYPE_CHECKING:
    from kling_nb.display import Bundle

_TESTS = {
    "crossed": "test that belongs to the interval,",
    "t": "paired t test",
    "wilcoxon": "Wilcoxon signed-rank test",
    "permutation": "sign-flip permutation test",
}
_WHAT = {"pairs": "share of answers that prefer it, a tie for half", "scale": "mean answer", "measure": "mean"}
_CORRECTED = {"holm": "Holm's correction", "benjamini-hochberg": "Benjamini and Hochberg's correction"}


@dataclass(frozen=True, slots=True)
class Summary:
    """What answers and measures say of the levels of one axis. Made by `Comparison.summary`.

    Parameters
    ----------
    name : str
        The comparison's.
    by : str
        The axis.
    labels : tuple of str
        Of its levels, in order.
    outcomes : tuple of Outcome
        What came of the tasks, by level.
    results : tuple of Result
        One for each question and measure.
    """

    name: str
    by: str
    labels: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    results: tuple[Result, ...]

    @property
    def sentences(self) -> list[str]:
        """What follows, in plain words: one sentence for every two levels under every criterion."""
        return [
            f"{result.criterion}{self._status(result)}: {said}"
            for result in self.results
            for said in [each.said for each in result.contrasts] or [_nothing(result)]
        ]

    def table(self, format: str = "markdown") -> Any:  # noqa: A002 - as pandas and others call it
        """Return it as a table; see `Comparison.table`."""
        if format == "dataframe":
            return tables.frame(self)
        return tables.latex(self.lines()) if format == "latex" else tables.markdown(self.lines())

    def lines(self) -> Lines:
        """Return the main table: levels as rows, criteria and measures as columns."""
        is_lost = any(each.failed or each.refused for each in self.outcomes)
        head = [self.by, *(result.criterion for result in self.results), "images"]
        # As many digits in all of a column.
        spreads = [
            max((half_width(each) for each in result.values.values() if each.has_interval), default=None)
            for result in self.results
        ]
        rows = []
        for outcome in self.outcomes:
            cells = [outcome.level]
            for result, spread in zip(self.results, spreads, strict=True):
                estimate = result.values.get(outcome.level)
                if estimate is None:
                    cells.append("–")
                else:
                    cells.append(share_with(estimate) if result.kind == "pairs" else number_with(estimate, spread))
            cells.append(f"{outcome.images:,}")
            rows.append((*cells, f"{outcome.failed} / {outcome.refused}") if is_lost else tuple(cells))
        return Lines((*head, "failed / refused") if is_lost else tuple(head), tuple(rows), tuple(self.notes()))

    def notes(self) -> list[str]:
        """Return what must stand below the table."""
        found = []
        for result in self.results:
            how = intervals({label: each.method for label, each in result.values.items()}, result.clusters)
            what = _WHAT[result.kind] + self._averaged(result)
            counts = [plural(result.units, _unit(result))]
            counts += [plural(result.raters, "rater")] if result.raters else []
            counts += [plural(result.answers, "value" if result.kind == "measure" else "answer")]
            counts += [f"{result.unsure} could not tell"] if result.unsure else []
            known = [what, how, ", ".join(counts)] if result.answers else ["no answers", *counts[-1:]]
            found.append(f"{result.criterion}{self._status(result)}: {'; '.join(known)}.")
            found[-1] = " ".join([found[-1], *self._analysed(result)])
        return found

    def _averaged(self, result: Result) -> str:
        raters = ", there over raters" if result.raters > 1 else ""
        return f", averaged within each {_unit(result)}{raters}, then over {_unit(result)}s" if result.raters else ""

    def _analysed(self, result: Result) -> list[str]:
        found = [] if _unit(result) == PROMPT else [f"A unit is a level of {result.clusters}."]
        if result.analyses:
            found.append(when_fixed(result.analyses, result.criterion))
        if result.differing:
            found.append(f"This is another analysis than the fixed one: {'; '.join(result.differing)}.")
        return found

    def _status(self, result: Result) -> str:
        return "" if result.is_fixed in (None, True) else " (exploratory)"

    # ---- one criterion -----------------------------------------------------------------------------

    def contrasts(self, result: Result) -> Lines:
        """Return a table of every two levels under one criterion."""
        if result.kind == "pairs":
            head: tuple[str, ...] = ("pair", "first better", "tie", "second better", "first preferred", "test")
        else:
            head = ("pair", "difference", "test")
        return Lines(head, tuple(_contrast(each) for each in result.contrasts))

    def strengths(self, result: Result) -> Lines | None:
        """Return the Bradley-Terry strengths under one criterion, where there are more than two levels."""
        if result.strengths is None:
            return None
        rows = tuple((label, number_with(each)) for label, each in result.strengths.estimates.items())
        return Lines((self.by, "strength (log odds)"), rows, result.strengths.notes)

    def remarks(self, result: Result) -> list[str]:
        """Return what else there is to say of one criterion: the test, the ranking, and how far raters agree."""
        tested = [each.test.units for each in result.contrasts if each.test is not None]
        found = [self._tested(result, min(tested), max(tested))] if tested else []
        found += result.strengths.notes if result.strengths is not None else ()
        if result.alpha is not None:
            scale = "nominal" if result.kind == "pairs" else "interval"
            found.append(f"Krippendorff's alpha between raters (for {scale} data): {number_with(result.alpha)}.")
        return found

    # ---- as a notebook shows it ---------------------------------------------------------------------

    def bundle(self) -> "Bundle":
        """Return what a front end shows: data by MIME type, and metadata."""
        return {"text/html": self.html(), "text/plain": self.text()}, {}

    def html(self) -> str:
        """Return it as HTML that needs no style sheet."""
        lines = self.lines()
        parts = [
            block(f"<b>{esc(self.name)}</b> {muted(esc(f'by {self.by}'))}"),
            aside([esc(each, 600) for each in self.sentences]),
            tables.html(lines),
            block(muted("<br>".join(esc(note, 600) for note in lines.notes))),
        ]
        parts += [details(f"{each.criterion}: every two levels", self._details(each)) for each in self.results]
        return page(*parts)

    def text(self) -> str:
        """Return it for a terminal."""
        lines = self.lines()
        return "\n\n".join(["\n".join(self.sentences), tables.text(lines), "\n".join(lines.notes)])

    def _details(self, result: Result) -> str:
        parts = [block(esc(result.question, 600))] if result.question else []
        parts.append(tables.html(self.contrasts(result)))
        strengths = self.strengths(result)
        if strengths is not None:
            parts += [heading("Bradley-Terry"), tables.html(strengths)]
        parts += [block(muted(esc(remark, 600))) for remark in self.remarks(result)]
        return "".join(parts)

    def _tested(self, result: Result, fewest: int, most: int) -> str:
        corrected = _CORRECTED.get(result.correction) if len(result.contrasts) > 1 else None
        over = plural(most, _unit(result)) if fewest == most else f"{fewest:,} to {plural(most, _unit(result))}"
        if result.test != "crossed":
            about = "about these raters only" if result.raters > 1 else None
        else:
            before = ", before correction," if corrected else ""
            about = f"p < 0.05{before} where the interval excludes no difference"
        return joined(f"{_TESTS[result.test]} over {over}", about, corrected) + "."

    def __repr__(self) -> str:
        return self.text()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> "Bundle":  # noqa: ARG002 - IPython's signature
        return self.bundle()


def _unit(result: Result) -> str:
    return PROMPT if result.clusters in ("", PROMPT) else "unit"


def _nothing(result: Result) -> str:
    """Return why two levels cannot be compared, in a sentence."""
    if result.values:
        has = "values" if result.kind == "measure" else "answers"
        return f"Only “{next(iter(result.values))}” has {has} so far: there is nothing to compare it with."
    unsure = f" {plural(result.unsure, 'answer was', 'answers were')} unsure." if result.unsure else ""
    return f"There are no answers to compare levels by.{unsure}"


def _contrast(each: Contrast) -> tuple[str, ...]:
    pair = f"{each.first} – {each.second}"
    test = "–" if each.test is None else probability(each.test.p_adjusted)
    if each.rates is not None:
        rates = each.rates
        shares = (share(rates.win.value), share(rates.tie.value), share(rates.loss.value))
        return (pair, *shares, share_with(rates.preference), test)
    return (pair, "–" if each.difference is None else number_with(each.difference), test)
