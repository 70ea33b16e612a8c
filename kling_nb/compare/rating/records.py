"""A rating as it is stored: its plan, and the answers that were given. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from kling_nb.errors import WorkspaceError

Protocol = Literal["pairs", "scale"]
Choice = str | int
"""``left``, ``right``, ``tie`` or ``unsure``; on a scale one of its values, or ``unsure``."""
_PROTOCOLS: dict[Any, Protocol] = {"pairs": "pairs", "scale": "scale"}
SIDES = ("left", "right", "tie", "unsure")
UNSURE = "unsure"
RESULT = "result"
"""Stands for the item in what is no answer: that a rater was shown the result. No item's token is like it."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One image of a comparison.

    Parameters
    ----------
    digest : str
        Of its cell.
    sample : int
        From 0.
    index : int
        Of the image in its task, from 0.
    sha256 : str
        Hexadecimal hash of its bytes.
    """

    digest: str
    sample: int
    index: int
    sha256: str


@dataclass(frozen=True, slots=True)
class RatingPlan:
    """One question about a comparison, and how it is asked.

    Parameters
    ----------
    id : str
        Ours; follows from all the rest but the seed and the time, so that the same question is the same rating.
    comparison : str
        The seed of the comparison, which it keeps however it grows.
    criterion : str
        What tables call it; one criterion has one question.
    question : str
        As raters read it.
    by : str
        The axis whose levels are judged, and hidden.
    protocol : {"pairs", "scale"}
        Which of two is better, or how good one is.
    scale : tuple of (int, str)
        The values that can be answered and their words; empty for pairs.
    levels : tuple of str
        The levels that are judged; empty for all.
    images : int
        How many images of a task are judged, drawn at random; 0 for all.
    seed : str
        Of order and sides.
    created_at : float
        Seconds since the epoch.
    """

    id: str
    comparison: str
    criterion: str
    question: str
    by: str
    protocol: Protocol
    scale: tuple[tuple[int, str], ...]
    levels: tuple[str, ...]
    images: int
    seed: str
    created_at: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What one rater said of one item.

    Parameters
    ----------
    rating : str
        Its id.
    rater : str
        A name or code.
    item : str
        The token of what was judged, whichever side it was on.
    pictures : tuple of Picture
        As shown: the left one first, or the only one.
    choice : str or int
        A side, ``tie`` or ``unsure``; on a scale a value of it, or ``unsure``.
    milliseconds : int
        From both pictures being on the screen to the answer, without the time that the page was hidden.
    answered_at : str
        UTC in ISO 8601, by the rater's clock.
    source : str
        The id of the exported page that it came from; empty for the form.
    """

    rating: str
    rater: str
    item: str
    pictures: tuple[Picture, ...]
    choice: Choice
    milliseconds: int
    answered_at: str
    source: str = ""


def newest(answers: Sequence[Answer]) -> list[Answer]:
    """Return the answers that count: of each rater's to one item the last.

    Parameters
    ----------
    answers : sequence of Answer
        Of one or several ratings.

    Returns
    -------
    list of Answer
        By rating, rater and time.
    """
    found: dict[tuple[str, str, str], Answer] = {}
    for each in sorted(answers, key=lambda each: (each.rating, each.rater, each.answered_at)):
        key = (each.rating, each.rater, each.item)
        found.pop(key, None)
        found[key] = each
    return list(found.values())


def seeing(plan: RatingPlan, rater: str, moment: str) -> Answer:
    """Return what is stored, among the answers, of a rater who is shown the result.

    Raises
    ------
    ValueError
        That is no moment in ISO 8601.
    """
    moment_of(moment)
    return Answer(plan.id, rater, RESULT, (), UNSURE, 0, moment)


def moment_of(text: str) -> datetime:
    """Return a moment in ISO 8601; UTC where it says nothing else.

    Raises
    ------
    ValueError
        It is none.
    """
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def identity(*facts: Any) -> str:
    """Return an id that follows from some facts: 16 hexadecimal digits."""
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


# ---- as JSON -----------------------------------------------------------------------------------------


def plan_data(plan: RatingPlan) -> dict[str, Any]:
    """Return a plan as plain data."""
    return {**asdict(plan), "scale": [list(each) for each in plan.scale], "levels": list(plan.levels)}


def plan_from(data: Mapping[str, Any]) -> RatingPlan:
    """Return the plan of plain data.

    Raises
    ------
    WorkspaceError
        It is none.
    """
    try:
        return RatingPlan(
            id=str(data["id"]),
            comparison=str(data["comparison"]),
            criterion=str(data["criterion"]),
            question=str(data["question"]),
            by=str(data["by"]),
            protocol=_PROTOCOLS[data["protocol"]],
            scale=tuple((int(value), str(label)) for value, label in data["scale"]),
            levels=tuple(str(each) for each in data["levels"]),
            images=int(data["images"]),
            seed=str(data["seed"]),
            created_at=float(data["created_at"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WorkspaceError(f"A rating cannot be read ({type(error).__name__}: {error}).", money="") from None


def answer_data(answer: Answer) -> dict[str, Any]:
    """Return an answer as plain data."""
    return {**asdict(answer), "pictures": [asdict(each) for each in answer.pictures]}


def answer_from(data: Mapping[str, Any]) -> Answer:
    """Return the answer of plain data.

    Raises
    ------
    WorkspaceError
        It is none.
    """
    try:
        return Answer(
            rating=str(data["rating"]),
            rater=str(data["rater"]),
            item=str(data["item"]),
            pictures=tuple(
                Picture(str(each["digest"]), int(each["sample"]), int(each["index"]), str(each["sha256"]))
                for each in data["pictures"]
            ),
            choice=_choice(data["choice"]),
            milliseconds=int(data["milliseconds"]),
            answered_at=str(data["answered_at"]),
            source=str(data.get("source", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WorkspaceError(f"An answer cannot be read ({type(error).__name__}: {error}).", money="") from None


def _choice(value: Any) -> Choice:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if value not in SIDES:
        message = f"there is no choice {value!r}"
        raise ValueError(message)
    return str(value)
