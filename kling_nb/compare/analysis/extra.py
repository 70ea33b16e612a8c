"""What the folder of a comparison holds of its answers, measures and results."""

from typing import TYPE_CHECKING, Any

from kling_nb.compare.added import Extra
from kling_nb.compare.analysis.table import Lines
from kling_nb.compare.measures.data import to_data
from kling_nb.compare.rating.tidy import rows
from kling_nb.errors import KlingError

if TYPE_CHECKING:
    from kling_nb.compare.analysis.entry import Analysable
    from kling_nb.compare.analysis.summary import Summary

_NAMED = 6


def extra(comparison: "Analysable") -> Extra:
    """Return it.

    Parameters
    ----------
    comparison : Analysable
        Which.
    """
    rated, measured = comparison.rated, list(comparison.measures.values())
    answers = [row for each in rated for row in rows(each)]
    raters = list(dict.fromkeys(str(row["rater"]) for row in answers))
    named = ", ".join(raters[:_NAMED]) + (" and others" if len(raters) > _NAMED else "")
    return Extra(
        manifest=comparison.ratings_kept.data() | ({"measures": to_data(measured)} if measured else {}),
        columns=comparison.added(),
        answers=answers,
        results=_results(comparison) | {"answers": len(answers)},
        notes=[f"The folder names its raters: {named}."] if raters else [],
    )


def _results(comparison: "Analysable") -> dict[str, Any]:
    """Return the results for every axis that was judged or is the only one, as the page shows them."""
    bys = dict.fromkeys(each.plan.by for each in comparison.rated if each.counting)
    found = []
    for by in bys or [None]:
        try:
            found.append(_shown(comparison.summary(by=by)))
        except KlingError:
            # There are none, or what they need is not installed; the answers are in the folder all the same.
            continue
    return {"summaries": found} if found else {}


def _shown(summary: "Summary") -> dict[str, Any]:
    return {
        "by": summary.by,
        "sentences": summary.sentences,
        "table": _table(summary.lines()),
        "criteria": [
            {
                "name": each.criterion,
                "question": each.question,
                "tables": [_table(lines) for lines in (summary.contrasts(each), summary.strengths(each)) if lines],
                "notes": summary.remarks(each),
            }
            for each in summary.results
        ],
    }


def _table(lines: Lines) -> dict[str, Any]:
    return {"head": list(lines.head), "rows": [list(row) for row in lines.rows], "notes": list(lines.notes)}
