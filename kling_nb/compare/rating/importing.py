"""Reading the answers that a rater sent back."""

import os
from pathlib import Path
from typing import Any

from kling_nb.compare.rating import ratingpage
from kling_nb.compare.rating.desk import Exhibit, read_answer
from kling_nb.compare.rating.planning import checked_rater
from kling_nb.compare.rating.records import Answer, RatingPlan
from kling_nb.compare.rating.storing import Store
from kling_nb.display.words import plural
from kling_nb.errors import InvalidRequest
from kling_nb.request.problems import shown

_KEPT = "Nothing was imported; the file is as it was."


def read(file: Any) -> dict[str, Any]:
    """Return what an answers file says, as far as the file itself can be checked.

    Raises
    ------
    InvalidRequest
        There is no such file, it is no answers file, or it was changed after it was saved.
    """
    if not isinstance(file, str | os.PathLike) or not str(file).strip() or "\0" in str(file):
        raise InvalidRequest(f"file is {shown(file)}; it must be the name of an answers file.", money="")
    path = Path(file).expanduser()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else "it is no text"
        raise InvalidRequest(f"The answers file {path} cannot be read: {said}.", money="") from None
    try:
        return ratingpage.read_answers(text)
    except InvalidRequest as error:
        raise InvalidRequest(f"{path.name}: {error.message}", money=_KEPT, advice=error.advice) from None


def rating_of(found: dict[str, Any], plans: list[RatingPlan]) -> RatingPlan:
    """Return the rating that an answers file is about.

    Raises
    ------
    InvalidRequest
        It is none of these.
    """
    for plan in plans:
        if plan.id == found["rating"]:
            return plan
    there = f"it has {', '.join(shown(plan.criterion) for plan in plans)}" if plans else "it has no rating yet"
    raise InvalidRequest(
        f"These answers are to a rating of another comparison; {there}.",
        money=_KEPT,
        advice="Import them into the comparison whose rating was exported, with kling.comparison(name).",
    )


def answers_of(found: dict[str, Any], exhibit: Exhibit, store: Store, rater: Any) -> list[Answer]:
    """Return the answers of a file, every one checked.

    Parameters
    ----------
    found : dict
        As of `read`.
    exhibit : Exhibit
        What the rating is about.
    store : Store
        What has been answered.
    rater : str, optional
        Instead of the name in the file.

    Raises
    ------
    InvalidRequest
        An answer is about something that is not there, is there already as another rater's, or the rater has answered
        elsewhere as well.
    """
    name = checked_rater(found["rater"] if rater is None else rater)
    items = {item.token: item for item in exhibit.items}
    unknown = sum(each["item"] not in items for each in found["answers"])
    if unknown:
        raise InvalidRequest(
            f"{plural(unknown, 'answer')} of {len(found['answers'])} are about images that this comparison does not "
            "have as it is now.",
            money=_KEPT,
            advice="Import them into the comparison as it was when it was exported.",
        )
    source = str(found["page"])
    answers = [read_answer(each, exhibit.plan, items, name, source) for each in found["answers"]]
    known = store.answers(exhibit.plan)
    # Only the rater's name may be another: the same second, on the same page.
    given = {(each.item, each.answered_at, source) for each in answers}
    twin = next(
        (each for each in known if each.rater != name and (each.item, each.answered_at, each.source) in given), None
    )
    if twin is not None:
        raise InvalidRequest(
            f"These answers are there already, as those of {shown(twin.rater)}.",
            money=_KEPT,
            advice=f"Import a later file of the same rater under that name: "
            f'import_answers(file, rater="{twin.rater}").',
        )
    where = _elsewhere(answers, [each for each in known if each.rater == name], source)
    if where:
        raise InvalidRequest(
            f"There are answers of a rater {shown(name)} already, given {where}; two people may have the same name.",
            money=_KEPT,
            advice=f'Import these under another one: import_answers(file, rater="{name} 2").',
        )
    return answers


def _elsewhere(answers: list[Answer], known: list[Answer], source: str) -> str:
    """Return where someone of the same name has answered who need not be the same person; empty where nobody has."""
    for each in known:
        if each.source != source:
            return "on another page" if each.source else "in a notebook"
    # One export may have gone to several people. A file has all that its page knows of a rater, so of two files of one
    # person the later one has all of the earlier.
    there, here = set(known), set(answers)
    return "" if there <= here or here <= there else "on the same page and not in this file"
