"""Answers as tables: one row an answer, and what an image's answers come to. Pure but for pandas."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from kling_nb.compare.levels import Axis
from kling_nb.compare.rating.items import Item, context
from kling_nb.compare.rating.records import UNSURE, Answer, Picture, RatingPlan, newest
from kling_nb.session.frames import pandas


class Rated(NamedTuple):
    """A rating with all that belongs to it.

    Parameters
    ----------
    plan : RatingPlan
        What was asked.
    axis : Axis
        That it was asked by.
    items : tuple of Item
        What can be judged now.
    answers : list of Answer
        All, also those that were changed later, or are about images that the comparison has no more.
    """

    plan: RatingPlan
    axis: Axis
    items: tuple[Item, ...]
    answers: Sequence[Answer]

    @property
    def by_token(self) -> dict[str, Item]:
        """The items by their tokens."""
        return {item.token: item for item in self.items}

    @property
    def counting(self) -> list[Answer]:
        """The answers that count: each rater's last of every item that is there."""
        there = self.by_token
        return [each for each in newest(self.answers) if each.item in there]


def preferred(answer: Answer, item: Item) -> str:
    """Return which of a pair was preferred, whichever side it was on: ``first``, ``second``, ``tie`` or ``unsure``."""
    if answer.choice not in ("left", "right"):
        return str(answer.choice)
    chosen = answer.pictures[0 if answer.choice == "left" else 1]
    return "first" if chosen == item.pictures[0] else "second"


def rows(rated: Rated) -> list[dict[str, Any]]:
    """Return one row an answer, in the order of time.

    Parameters
    ----------
    rated : Rated
        A rating and its answers.

    Returns
    -------
    list of dict
        ``criterion``, ``rater``, ``answered_at``, ``seconds``; the other axes; for pairs ``left`` and ``right``
        (labels), ``choice`` and ``preferred`` (a label, ``tie`` or ``unsure``); for a scale ``level`` and ``value``;
        ``sample``, ``index``, ``item``, ``counts``, ``source``.
    """
    items, counting = rated.by_token, set(map(id, newest(rated.answers)))
    found = []
    for each in sorted(rated.answers, key=lambda each: (each.answered_at, each.rater)):
        item = items.get(each.item)
        if item is None:
            continue
        names = dict(zip(item.pictures, item.levels, strict=True))
        own: dict[str, Any] = {
            "criterion": rated.plan.criterion,
            "rater": each.rater,
            "answered_at": each.answered_at,
            "seconds": each.milliseconds / 1000,
            **dict(context(item.cell, rated.plan.by)),
        }
        own |= _said(each, item, [names[picture] for picture in each.pictures])
        first = each.pictures[0]
        own |= {"sample": first.sample, "index": first.index, "item": each.item}
        found.append(own | {"counts": id(each) in counting, "source": each.source})
    return found


def _said(answer: Answer, item: Item, shown: list[str]) -> dict[str, Any]:
    if len(shown) == 1:
        value = None if answer.choice == UNSURE else answer.choice
        return {"level": shown[0], "choice": str(answer.choice), "value": value}
    which = preferred(answer, item)
    told = dict(zip(("first", "second"), item.levels, strict=True)).get(which, which)
    return {"left": shown[0], "right": shown[1], "choice": answer.choice, "preferred": told}


def answers_frame(ratings: Sequence[Rated]) -> Any:
    """Return the answers of ratings as a pandas data frame.

    Raises
    ------
    ConfigurationError
        pandas is not installed.
    """
    pd = pandas()
    found = [row for rated in ratings for row in rows(rated)]
    # What one rating has and another has not, stands where it stands in the first that has it.
    order = ["left", "right", "level", "choice", "preferred", "value", "sample", "index", "item", "counts", "source"]
    names = dict.fromkeys(name for row in found for name in row if name not in order)
    there = {name for row in found for name in row}
    made = pd.DataFrame(found, columns=[*names, *(name for name in order if name in there)])
    if len(made):
        made["answered_at"] = pd.to_datetime(made["answered_at"], utc=True, format="ISO8601")
        if "value" in made:
            made["value"] = made["value"].astype("Int64")
    return made


def by_picture(rated: Rated) -> dict[Picture, tuple[float, int]]:
    """Return what the answers come to for each image.

    Parameters
    ----------
    rated : Rated
        A rating and its answers.

    Returns
    -------
    dict
        From the image to a number and how many answers are behind it: on a scale the mean, between its ends; of pairs
        the share in which the image was preferred, 0..1, a tie for half. Without a "cannot tell".
    """
    items = rated.by_token
    found: dict[Picture, list[float]] = {}
    for each in rated.counting:
        if each.choice == UNSURE:
            continue
        if rated.plan.protocol == "scale":
            found.setdefault(each.pictures[0], []).append(float(each.choice))
            continue
        which = preferred(each, items[each.item])
        share = {"first": 1.0, "tie": 0.5, "second": 0.0}[which]
        first, second = items[each.item].pictures
        found.setdefault(first, []).append(share)
        found.setdefault(second, []).append(1 - share)
    return {picture: (sum(values) / len(values), len(values)) for picture, values in found.items()}
