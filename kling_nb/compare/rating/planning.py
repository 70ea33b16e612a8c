"""From what `Comparison.rate` is given to the plan of a rating, or one line for everything that is wrong."""

from collections.abc import Mapping, Sequence
from typing import Any

from kling_nb.compare.design import Design
from kling_nb.compare.levels import Axis
from kling_nb.compare.rating.records import Protocol, RatingPlan, identity
from kling_nb.display.words import one_line
from kling_nb.errors import InvalidRequest
from kling_nb.request.problems import shown

_LONGEST_QUESTION = 500
_LONGEST_NAME = 120
_MOST_VALUES = 11
_UNCHANGED = "Nothing was stored."


def planned(
    comparison: str,
    design: Design,
    *,
    question: Any,
    by: Any,
    protocol: Any,
    criterion: Any,
    scale: Any,
    levels: Any,
    images: Any,
    now: float,
) -> RatingPlan:
    """Return the plan of a rating.

    Parameters
    ----------
    comparison : str
        What it is known by.
    design : Design
        Its axes.
    question, by, protocol, criterion, scale, levels, images
        As of `Comparison.rate`.
    now : float
        Seconds since the epoch.

    Raises
    ------
    InvalidRequest
        One line for each problem.
    """
    problems: list[str] = []
    if not isinstance(question, str) or not question.strip() or len(question) > _LONGEST_QUESTION:
        problems.append(
            f"question is {shown(question)}; it must be a text of at most {_LONGEST_QUESTION} characters, such as "
            '"Which one shows the same cat as the reference?"'
        )
    text = question.strip() if isinstance(question, str) else ""
    name = one_line(text, _LONGEST_NAME) if criterion is None else criterion
    if not _is_name(name) and (text or criterion is not None):
        problems.append(
            f"criterion is {shown(criterion)}; it must be a text of one line, at most {_LONGEST_NAME} characters"
        )
    if protocol not in ("pairs", "scale"):
        problems.append(f'protocol is {shown(protocol)}; it must be "pairs" (which is better) or "scale" (how good)')
    if images is not None and (isinstance(images, bool) or not isinstance(images, int) or images < 1):
        problems.append(f"images is {shown(images)}; it must be how many of a task's images are judged, at least 1")
    axis = _axis(design, by, problems)
    wanted = _levels(axis, levels, problems) if axis is not None else ()
    values = _scale(scale, protocol, problems)
    if problems or axis is None:
        raise InvalidRequest("\n".join(problems), money=_UNCHANGED)
    how: Protocol = "pairs" if protocol == "pairs" else "scale"
    some_id = identity(comparison, name, text, axis.name, how, values, wanted, images or 0)
    seed = identity("seed", comparison, some_id)
    return RatingPlan(some_id, comparison, name, text, axis.name, how, values, wanted, images or 0, seed, now)


def checked_rater(rater: Any) -> str:
    """Return a rater's name or code.

    Raises
    ------
    InvalidRequest
        It is no text of one line.
    """
    if not isinstance(rater, str) or not _is_name(rater.strip()):
        raise InvalidRequest(
            f"rater is {shown(rater)}; it must be a name or code of one line, at most {_LONGEST_NAME} characters.",
            money=_UNCHANGED,
        )
    return rater.strip()


def check_criterion(plan: RatingPlan, known: Sequence[RatingPlan]) -> RatingPlan:
    """Return the rating that has begun, where it is the same; a criterion has one question.

    Raises
    ------
    InvalidRequest
        There is another question under that name.
    """
    for each in known:
        if each.id == plan.id:
            return each
    for each in known:
        if each.criterion == plan.criterion:
            differs = _difference(each, plan)
            raise InvalidRequest(
                f"The criterion {shown(plan.criterion)} has answers already, with {differs}.",
                money=_UNCHANGED,
                advice="Give the same again to go on with it, or another criterion= for another question.",
            )
    return plan


def _difference(one: RatingPlan, other: RatingPlan) -> str:
    for name in ("question", "by", "protocol", "scale", "levels", "images"):
        if getattr(one, name) != getattr(other, name):
            value = getattr(one, name)
            said = {"levels": "all levels", "images": "all images"}.get(name) if not value else None
            return said or f"{name}={_as_given(name, value)}"
    return "something else"


def _as_given(name: str, value: Any) -> str:
    if name == "scale":
        return repr(dict(value)) if any(label for _, label in value) else repr((value[0][0], value[-1][0]))
    return repr(list(value) if isinstance(value, tuple) else value)


def _axis(design: Design, by: Any, problems: list[str]) -> Axis | None:
    several = [axis for axis in design.axes if len(axis.levels) > 1]
    names = ", ".join(axis.name for axis in several)
    if by is None:
        if len(several) == 1:
            return several[0]
        problems.append(
            f"by= must say whose levels are judged: {names}"
            if several
            else "nothing is varied in this comparison, so there is nothing to judge blind"
        )
        return None
    axis = next((axis for axis in design.axes if axis.name == by), None)
    if axis is None:
        problems.append(f"by is {shown(by)}, which is no axis of this comparison; there {_there(names)}")
    elif len(axis.levels) < 2:
        problems.append(f"by is {shown(by)}, which has one level only ({axis.labels[0]}): there is nothing to compare")
        axis = None
    return axis


def _there(names: str) -> str:
    return f"are {names}" if "," in names else f"is {names}" if names else "is none with several levels"


def _levels(axis: Axis, levels: Any, problems: list[str]) -> tuple[str, ...]:
    if levels is None:
        return ()
    given = [levels] if isinstance(levels, str) else list(levels) if isinstance(levels, Sequence | set) else None
    if given is None or not all(isinstance(each, str) for each in given):
        problems.append(f"levels is {shown(levels)}; it must be a list of labels: {', '.join(axis.labels)}")
        return ()
    unknown = [each for each in given if each not in axis.labels]
    if unknown:
        problems.append(f"{axis.name} has no level {shown(unknown[0])}; there are {', '.join(axis.labels)}")
    elif len(set(given)) < 2:
        problems.append("levels must name at least two: there is nothing to compare with one")
    return tuple(label for label in axis.labels if label in given)


def _scale(scale: Any, protocol: Any, problems: list[str]) -> tuple[tuple[int, str], ...]:
    if protocol != "scale":
        if scale is not None:
            problems.append('scale is for protocol="scale"; leave it out')
        return ()
    if scale is None:
        scale = (1, 5)
    values: dict[Any, Any] = {}
    if isinstance(scale, Mapping):
        values = dict(scale)
    elif isinstance(scale, tuple | list) and len(scale) == 2 and all(_is_whole(each) for each in scale):
        values = dict.fromkeys(range(scale[0], min(scale[1], scale[0] + _MOST_VALUES) + 1), "")
    right = all(_is_whole(value) and isinstance(label, str) for value, label in values.items())
    if not right or not 2 <= len(values) <= _MOST_VALUES:
        problems.append(
            f"scale is {shown(scale)}; it must be the lowest and the highest value, such as (1, 5), or values with "
            f'their words, such as {{0: "no", 1: "partly", 2: "yes"}}, at most {_MOST_VALUES} of them'
        )
        return ()
    return tuple(sorted((int(value), one_line(label, 60)) for value, label in values.items()))


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= 1000


def _is_name(text: Any) -> bool:
    return isinstance(text, str) and bool(text.strip()) and one_line(text, _LONGEST_NAME) == text
