"""Axes and their levels: what is varied, and what each value is called."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from kling_nb.display.words import one_line
from kling_nb.errors import InvalidRequest
from kling_nb.records import FIELDS, REFERENCE_FIELDS, Reference
from kling_nb.request.problems import RuleBroken, shown
from kling_nb.request.rules import RULES

VARIANT = "variant"
"""The axis of whole-request variants."""
NONE = "none"
"""What a level without a value is called, where it is not named."""
_MOST_LEVELS = 10_000
_LONGEST_LABEL = 120


@dataclass(frozen=True, slots=True)
class Level:
    """One value of an axis.

    Parameters
    ----------
    label : str
        What it is called in grids and tables; unique on its axis.
    fields : mapping
        The request's fields that it sets: the axis' own, or several for a variant. Pictures are tuples of
        `Reference`; None leaves a field out.
    """

    label: str
    fields: Mapping[str, Any]

    @property
    def references(self) -> tuple[Reference, ...]:
        """The pictures among its values."""
        return tuple(each for value in self.fields.values() if isinstance(value, tuple) for each in value)


@dataclass(frozen=True, slots=True)
class Axis:
    """What is varied.

    Parameters
    ----------
    name : str
        The field, or ``variant``.
    levels : tuple of Level
        At least one, in the order given.
    """

    name: str
    levels: tuple[Level, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in order."""
        return tuple(level.label for level in self.levels)


Resolve = Callable[[str, Any], tuple[Reference, ...]]
"""Turns what a notebook holds into the references of a field; raises InvalidRequest."""


def axes(vary: Any, variants: Any, resolve: Resolve) -> tuple[list[Axis], list[str]]:
    """Read what is to be varied.

    Parameters
    ----------
    vary : mapping, optional
        From field to levels: a list, or a mapping of labels to values. None is a level.
    variants : mapping, optional
        From label to the fields of a whole-request variant.
    resolve : callable
        Opens and checks references.

    Returns
    -------
    axes : list of Axis
        In the order given, variants last.
    problems : list of str
        Everything that is wrong, one line each; then the axes are incomplete.
    """
    found: list[Axis] = []
    problems: list[str] = []
    for name, value, what in (("vary", vary, "levels"), ("variants", variants, "their own fields")):
        if value is not None and not isinstance(value, Mapping):
            problems.append(f"{name} is {shown(value)}; it must be a mapping, such as {{...: {what}}}")
    if problems:
        return [], problems
    for field, levels in (vary or {}).items():
        if field not in FIELDS:
            problems.append(_unknown(field))
            continue
        pairs = _pairs(field, levels, problems)
        found.append(Axis(field, tuple(_levels(field, pairs, resolve, problems))))
    if variants:
        found.append(Axis(VARIANT, tuple(_variants(variants, vary or {}, resolve, problems))))
    return found, problems


def _pairs(field: str, levels: Any, problems: list[str]) -> list[tuple[str | None, Any]]:
    """Return the levels with their labels, None where these are to be found."""
    picture = field in REFERENCE_FIELDS and getattr(levels, "ndim", 1) != 1
    if isinstance(levels, str | bytes) or not isinstance(levels, Iterable) or picture:
        known = f"{shown(levels)} is none"
        problems.append(f"{field}: levels are a list, or a mapping of labels to values, and {known}")
        return []
    pairs: list[tuple[str | None, Any]] = []
    if isinstance(levels, Mapping):
        pairs += [(one_line(label, _LONGEST_LABEL), value) for label, value in levels.items()]
        if any(not label for label, _ in pairs):
            problems.append(f"{field}: a label is empty")
    else:
        pairs += [(None, value) for value in levels]
    problems += [f"{field}: the label {label!r} is given twice" for label in _twice(label for label, _ in pairs)]
    if not pairs:
        problems.append(f"{field}: there are no levels")
    if len(pairs) > _MOST_LEVELS:
        problems.append(f"{field}: there are {len(pairs):,} levels; at most {_MOST_LEVELS:,} can be")
        return []
    return pairs


def _levels(field: str, pairs: Sequence[tuple[str | None, Any]], resolve: Resolve, problems: list[str]) -> list[Level]:
    values, labels = [], []
    for number, (label, value) in enumerate(pairs, start=1):
        try:
            values.append(_value(field, value, resolve))
        except (InvalidRequest, RuleBroken) as error:
            problems += [f"{field}, level {label or number}: {line}" for line in _said(error)]
            continue
        labels.append(_label(field, values[-1]) if label is None else label)
    if pairs and pairs[0][0] is None:
        labels = _distinct(labels)
    same = _same(values)
    problems += [f"{field}: the levels {labels[one]!r} and {labels[other]!r} are the same" for one, other in same]
    return [Level(label, {field: value}) for label, value in zip(labels, values, strict=True)]


def _variants(
    variants: Mapping[Any, Any], vary: Mapping[str, Any], resolve: Resolve, problems: list[str]
) -> list[Level]:
    levels = []
    for label, fields in variants.items():
        name = one_line(label, _LONGEST_LABEL)
        if not name or not isinstance(fields, Mapping):
            problems.append(f"variants: {label!r} must be a name, and have fields as a mapping")
            continue
        resolved: dict[str, Any] = {}
        for field, value in fields.items():
            if field not in FIELDS:
                problems.append(f"variant {name!r}: {_unknown(field)}")
            elif field in vary:
                problems.append(f"variant {name!r}: {field} is varied already, and cannot be set as well")
            else:
                try:
                    resolved[field] = _value(field, value, resolve)
                except (InvalidRequest, RuleBroken) as error:
                    problems += [f"variant {name!r}: {line}" for line in _said(error)]
        levels.append(Level(name, resolved))
    problems += [f"variants: the label {label!r} is given twice" for label in _twice(level.label for level in levels)]
    return levels


def _value(field: str, value: Any, resolve: Resolve) -> Any:
    if value is None:
        return None
    return resolve(field, value) if field in REFERENCE_FIELDS else RULES[field](value)


def _said(error: InvalidRequest | RuleBroken) -> list[str]:
    return (error.message if isinstance(error, InvalidRequest) else str(error)).splitlines()


def _label(field: str, value: Any) -> str:
    if value is None:
        return NONE
    if field in REFERENCE_FIELDS:
        return one_line(" + ".join(short_name(reference.name) for reference in value), _LONGEST_LABEL)
    return one_line(value, _LONGEST_LABEL)


def short_name(name: str) -> str:
    """Return the end of a path or URL, without its extension."""
    last = name.rstrip("/").replace("\\", "/").rpartition("/")[2] or name
    stem, dot, extension = last.rpartition(".")
    return stem if dot and stem and extension.isalnum() and len(extension) <= 5 else last


def _distinct(labels: Sequence[str]) -> list[str]:
    """Tell labels apart that were found more than once: of two files of one name in two folders, say."""
    twice, taken = set(_twice(labels)), set(labels)
    found = []
    for label in labels:
        number = 1
        while label in twice and f"{label} ({number})" in taken:
            number += 1
        found.append(f"{label} ({number})" if label in twice else label)
        taken.add(found[-1])
    return found


def _same(values: Sequence[Any]) -> list[tuple[int, int]]:
    """Return pairs of equal values; references are equal by content and order."""
    first: dict[Any, int] = {}
    pairs = []
    for index, value in enumerate(values):
        key = tuple(reference.sha256 for reference in value) if isinstance(value, tuple) else (type(value), value)
        before = first.setdefault(key, index)
        if before != index:
            pairs.append((before, index))
    return pairs


def _twice(labels: Iterable[str | None]) -> list[str]:
    seen: set[str] = set()
    twice: dict[str, None] = {}
    for label in labels:
        if label in seen:
            twice[label] = None
        elif label:
            seen.add(label)
    return list(twice)


def _unknown(field: Any) -> str:
    name = str(field)
    near = get_close_matches(name, FIELDS, 1)
    hint = f"did you mean {near[0]}?" if near else f"it can be {', '.join(FIELDS)}"
    return f"there is no field {shown(name)} to vary; {hint}"
