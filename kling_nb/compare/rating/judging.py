"""Answers from a function instead of a person: a model as judge, or a rater that is simulated."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kling_nb.compare.rating.desk import Desk
from kling_nb.errors import InvalidRequest
from kling_nb.imagedata import open_image
from kling_nb.request.problems import shown

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True, slots=True)
class Shown:
    """One item as a rater sees it, and nothing more.

    Parameters
    ----------
    question : str
        What is asked.
    images : tuple of PIL.Image.Image
        RGB; of a pair the left one first.
    prompt : str or None
        None where it would tell which level is which.
    references : mapping of str to PIL.Image.Image
        By what they are for: ``subject 1``, ``scene``, ``style``; without those that would tell.
    """

    question: str
    images: "tuple[Image.Image, ...]"
    prompt: str | None
    references: "dict[str, Image.Image]"


def judge(desk: Desk, function: Callable[[Shown], Any], rater: str) -> int:
    """Answer everything that a rater has not answered.

    Parameters
    ----------
    desk : Desk
        Of the rating.
    function : callable
        Returns the answer to an item.
    rater : str
        What its answers are kept under.

    Returns
    -------
    int
        How many were answered now.

    Raises
    ------
    InvalidRequest
        It is no function, what it returns is no answer, or the rater has seen the result; earlier answers are kept.
    """
    if not callable(function):
        raise InvalidRequest(f"function is {shown(function)}; it must be a function of what a rater sees.", money="")
    begun = desk.start(rater)
    left = [item for item in begun["items"] if item["item"] not in begun["answered"]]
    if left:
        desk.check_blind(rater)
    pictures: dict[str, Image.Image] = {}

    def picture(token: str) -> "Image.Image":
        # References come again and again.
        if token not in pictures:
            pictures[token] = open_image(desk.picture(token))
        return pictures[token].copy()

    for item in left:
        references = {each["name"]: picture(each["picture"]) for each in item["references"] if each["picture"]}
        images = tuple(open_image(desk.picture(token)) for token in item["pictures"])
        seen = Shown(desk.exhibit.plan.question, images, item["prompt"], references)
        began = time.monotonic()
        choice = function(seen)
        took = round(1000 * (time.monotonic() - began))
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        said = {"item": item["item"], "pictures": item["pictures"], "choice": _plain(choice)}
        desk.answer(rater, said | {"milliseconds": took, "answered_at": now})
    return len(left)


def _plain(choice: Any) -> Any:
    """Return a number of numpy's as Python's."""
    return choice.item() if hasattr(choice, "item") and not isinstance(choice, str) else choice
