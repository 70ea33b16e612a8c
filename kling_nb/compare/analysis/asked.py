"""What is asked for: whose levels are compared, and under which criteria. Pure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kling_nb.compare.design import Design
from kling_nb.errors import InvalidRequest
from kling_nb.request.problems import shown

if TYPE_CHECKING:
    from kling_nb.compare.rating.tidy import Rated

_HOW = '.rate("Which is better?", by="{by}") asks raters; .measure("sharpness") measures.'


def axis_of(
    design: Design, by: Any, rated: "Sequence[Rated]", criterion: Any = None, *, is_measured: bool = True
) -> str:
    """Return the axis whose levels are compared.

    Parameters
    ----------
    design : Design
        The comparison's.
    by : str or None
        As it was given; otherwise the one that the criterion is rated by, or everything is.
    rated : sequence of Rated
        The comparison's.
    criterion : str, sequence of str or None
        As it was given.
    is_measured : bool
        Whether there is a result without any answer.

    Raises
    ------
    InvalidRequest
        There is none of that name, it has one level, it must be said which, or there are no results of any.
    """
    if by is not None:
        if len(design.axis(by).levels) < 2:
            raise InvalidRequest(f"by is {shown(by)}, which has one level only: there is nothing to compare.", money="")
        return str(by)
    several = [axis.name for axis in design.axes if len(axis.levels) > 1]
    names = [criterion] if isinstance(criterion, str) else criterion if isinstance(criterion, list | tuple) else []
    of_these = {each.plan.by for each in rated if each.plan.criterion in names}
    asked = of_these or {each.plan.by for each in rated if each.answers}
    only = list(asked) if asked else several
    if len(only) == 1:
        return only[0]
    if not asked and not is_measured:
        advice = _HOW.format(by=several[0]) if several else ""
        raise InvalidRequest("There are no answers and no measures yet.", money="", advice=advice)
    raise InvalidRequest(f"by= must say whose levels are compared: {', '.join(sorted(asked) or several)}", money="")


def wanted(criterion: Any, known: Sequence[str], by: str) -> list[str]:
    """Return the criteria that are asked for.

    Parameters
    ----------
    criterion : str, sequence of str or None
        As it was given; all otherwise.
    known : sequence of str
        Those that there are.
    by : str
        The axis.

    Raises
    ------
    InvalidRequest
        There is none, or none of that name.
    """
    if not known:
        raise InvalidRequest(
            f"There are no answers and no measures by {by} yet.",
            money="",
            advice=_HOW.format(by=by),
        )
    if criterion is None:
        return list(known)
    names = [criterion] if isinstance(criterion, str) else criterion
    if not isinstance(names, list | tuple) or not names:
        raise InvalidRequest(f"criterion is {shown(criterion)}; it must be a name or a list of names.", money="")
    for name in names:
        if name not in known:
            raise InvalidRequest(
                f"There is no criterion {shown(name)} by {by}; there are {', '.join(known)}.", money=""
            )
    return list(dict.fromkeys(names))
