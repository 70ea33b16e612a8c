"""Measured values as columns of a data frame, and as plain data for the manifest, and back. Pure."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from kling_nb.compare.measures.asking import OVER, Over
from kling_nb.compare.measures.measured import Measured
from kling_nb.compare.measures.results import Known
from kling_nb.compare.measures.units import Place, units
from kling_nb.compare.measures.values import Failure, Number, Value
from kling_nb.compare.records import Filled
from kling_nb.errors import WorkspaceError
from kling_nb.workspace.measures import StoredResult

_PARTS: dict[Over, int] = {"cell": 0, "task": 1, "image": 2}
"""How many numbers a place has beside the cell's digest."""


def columns(measured: Iterable[Measured], filled: Sequence[Filled]) -> dict[str, list[Number | None]]:
    """Return measured values by column, one for each row of `kling_nb.compare.frames.rows`.

    Parameters
    ----------
    measured : iterable of Measured
        Each of another name.
    filled : sequence of Filled
        The cells that the rows are of.

    Returns
    -------
    dict
        From the column, ``name`` or ``name.key``, to a number or None for each row. What was measured over a task or a
        cell stands in each of its rows: whoever averages those averages over cells first.
    """
    places: list[tuple[str, int, int | None]] = [
        (each.cell.digest, sample, index)
        for each in filled
        for sample, task in enumerate(each.samples)
        for index in ([image.index for image in task.images] if task is not None and task.images else [None])
    ]
    found: dict[str, list[Number | None]] = {}
    for each in measured:
        length = _PARTS[each.over] + 1
        by_place = {place: each.numbers(value) for place, value in each.values.items()}
        rows = [by_place.get(place[:length], {}) for place in places]  # type: ignore[arg-type]
        found |= {column: [row.get(column) for row in rows] for column in each.columns}
    return found


# ---- as plain data -----------------------------------------------------------------------------------


def to_data(measured: Iterable[Measured]) -> list[dict[str, Any]]:
    """Return what was measured as plain data, for the manifest's key ``measures``.

    Each measure is ``name``, ``version``, ``over``, and from a cell's digest to a list, ``values``
    (``[sample, index, value]``; of a task without the index, of a cell the value alone) and ``failures`` (the same
    with the exception's name). A failure's message is left out: it may tell of somebody's disk.
    """
    return [
        {
            "name": each.name,
            "version": each.version,
            "over": each.over,
            "values": _grouped(each.values, lambda value: value),
            "failures": _grouped(each.failures, lambda failure: failure.kind),
        }
        for each in measured
    ]


def _grouped(items: Mapping[Place, Any], plain: Callable[[Any], Any]) -> dict[str, list[list[Any]]]:
    found: dict[str, list[list[Any]]] = {}
    for place, item in items.items():
        found.setdefault(place[0], []).append([*place[1:], plain(item)])
    return found


def from_data(data: Any) -> list[Measured]:
    """Return what plain data says was measured.

    Parameters
    ----------
    data : list
        As `to_data` returned it. Unknown keys are passed over.

    Raises
    ------
    WorkspaceError
        It is something else.
    """
    try:
        return [_measured(each) for each in data]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        message = f"The measures cannot be read ({type(error).__name__}: {error})."
        raise WorkspaceError(message, money="", advice="Use the folder as it was saved.") from None


def _measured(data: Mapping[str, Any]) -> Measured:
    over = next(each for each in (*OVER, None) if each in (data["over"], None))
    if over is None:
        message = f"over is {data['over']!r}"
        raise ValueError(message)
    values = _ungrouped(data["values"], over, _value)
    failures = _ungrouped(data["failures"], over, lambda kind: Failure(_text(kind), ""))
    if values.keys() & failures.keys():
        message = "there is a value where there is a failure"
        raise ValueError(message)
    return Measured(_text(data["name"]), _text(data["version"]), over, values, failures)


def _ungrouped(data: Mapping[str, Any], over: Over, made: Callable[[Any], Any]) -> dict[Place, Any]:
    found: dict[Place, Any] = {}
    for digest, items in data.items():
        for *numbers, item in items:
            if len(numbers) != _PARTS[over] or not all(type(each) is int and each >= 0 for each in numbers):
                message = f"{numbers} is no place of a measure over each {over}"
                raise ValueError(message)
            place: Any = (digest, *numbers)
            if place in found:
                message = f"{numbers} is there twice"
                raise ValueError(message)
            found[place] = made(item)
    return found


def _value(item: Any) -> Value:
    if isinstance(item, dict):
        if not item:
            message = "a value is an empty object"
            raise ValueError(message)
        return {_text(key): _number(each) for key, each in item.items()}
    return None if item is None else _number(item)


def _number(item: Any) -> Number:
    if type(item) not in (int, float) or not math.isfinite(item):
        message = f"{item!r} is no number"
        raise ValueError(message)
    return item  # type: ignore[no-any-return]


def _text(item: Any) -> str:
    if not isinstance(item, str) or not item:
        message = f"{item!r} is no text"
        raise TypeError(message)
    return item


# ---- from and to results -----------------------------------------------------------------------------


def placed(known: Known, filled: Sequence[Filled]) -> Measured:
    """Return what is known of a measure at the places of a comparison.

    Parameters
    ----------
    known : Known
        By what was measured; what a comparison does not have any more is passed over.
    filled : sequence of Filled
        Its cells.
    """
    values: dict[Place, Value] = {}
    failures: dict[Place, Failure] = {}
    for unit in units(filled, known.over):
        outcome = known.outcomes.get(unit.key)
        if outcome is None:
            continue
        if outcome.failure is None:
            values[unit.place] = outcome.value
        else:
            failures[unit.place] = outcome.failure
    return Measured(known.name, known.version, known.over, values, failures)


def newest(known: Iterable[Known], filled: Sequence[Filled]) -> list[Measured]:
    """Return the version of each measure that was asked for last, by name, at the places of a comparison.

    Parameters
    ----------
    known : iterable of Known
        All versions, of these cells and maybe of images that are not in them.
    filled : sequence of Filled
        The cells.
    """
    found: dict[str, Measured] = {}
    for each in sorted(known, key=lambda each: each.measured_at, reverse=True):
        if each.name not in found:
            measured = placed(each, filled)
            if measured.values or measured.failures:
                found[each.name] = measured
    return [found[name] for name in sorted(found)]


def stored(measured: Iterable[Measured], filled: Sequence[Filled]) -> list[StoredResult]:
    """Return what was measured as results by what was measured, as they were before they were saved.

    Parameters
    ----------
    measured : iterable of Measured
        Of a manifest.
    filled : sequence of Filled
        The cells that it is of.
    """
    from kling_nb.compare.measures.values import Outcome, to_text

    found = []
    for each in measured:
        for unit in units(filled, each.over):
            if unit.place in each.failures:
                outcome = Outcome(None, each.failures[unit.place])
            elif unit.place in each.values:
                outcome = Outcome(each.values[unit.place])
            else:
                continue
            found.append(StoredResult(*unit.key, each.name, each.version, each.over, 0.0, to_text(outcome)))
    return found
