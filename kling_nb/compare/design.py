"""The design of a comparison: axes, cells and samples, checked before anything is paid."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kling_nb.compare.levels import VARIANT, Axis, Resolve, axes
from kling_nb.display.words import plural
from kling_nb.errors import InvalidRequest
from kling_nb.records import FIELDS, REFERENCE_FIELDS, Reference
from kling_nb.request.problems import RuleBroken, shown
from kling_nb.request.rules import RULES

if TYPE_CHECKING:
    from kling_nb.request import Request

Where = Callable[[Mapping[str, str]], bool]
_SHARED = (*FIELDS, "watermark", "callback_url")
MOST_TASKS = 100_000
_MOST_PROBLEMS = 40


def _by_labels(coordinates: Mapping[str, str]) -> str:
    """Say what ``where`` is given, by an axis and a label of the design."""
    axis, label = next(iter(coordinates.items()), ("n", "4"))
    return f"It is given each cell's labels by axis: where=lambda cell: cell[{axis!r}] != {label!r}."


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination of levels, and the request that is made for it.

    Parameters
    ----------
    coordinates : mapping
        From axis to label.
    request : mapping
        The body with ``sha256:<hex>`` in place of each picture's bytes, as `TaskRecord.request`.
    digest : str
        Of the request by content; by it the cell is known.
    references : tuple of Reference
        Subjects in order, then scene, then style.
    warnings : tuple of str
        What the user should know although it can be sent.
    """

    coordinates: Mapping[str, str]
    request: Mapping[str, Any]
    digest: str
    references: tuple[Reference, ...]
    warnings: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """How many images a task of it asks for."""
        return int(self.request["n"])

    @property
    def name(self) -> str:
        """Its labels, in the order of the axes."""
        return " × ".join(self.coordinates.values()) or "the only cell"


@dataclass(frozen=True, slots=True)
class Design:
    """What is compared.

    Parameters
    ----------
    axes : tuple of Axis
        What is varied, in the order given; none where one request is repeated.
    cells : tuple of Cell
        In the order of the levels, the first axis slowest; without those that were left out.
    samples : int
        Tasks a cell. There is no seed: each is a new sample.
    """

    axes: tuple[Axis, ...]
    cells: tuple[Cell, ...]
    samples: int

    @property
    def tasks(self) -> int:
        """How many there are in all."""
        return len(self.cells) * self.samples

    @property
    def images(self) -> int:
        """How many are asked for in all."""
        return sum(cell.n for cell in self.cells) * self.samples

    @property
    def left_out(self) -> int:
        """How many combinations of levels have no cell."""
        return math.prod(len(axis.levels) for axis in self.axes) - len(self.cells)

    @property
    def references(self) -> tuple[Reference, ...]:
        """Every picture that is sent, each content once."""
        return tuple({each.sha256: each for cell in self.cells for each in cell.references}.values())

    def axis(self, name: str) -> Axis:
        """Return an axis by its name.

        Raises
        ------
        InvalidRequest
            There is none of that name.
        """
        for axis in self.axes:
            if axis.name == name:
                return axis
        names = ", ".join(axis.name for axis in self.axes)
        there = f"there are {names}" if names else "nothing is varied"
        raise InvalidRequest(f"There is no axis {shown(name)}; {there}.", money="")


def design(shared: Mapping[str, Any], vary: Any, variants: Any, samples: Any, where: Any, resolve: Resolve) -> Design:
    """Make a design, or say everything that is wrong with it at once.

    Parameters
    ----------
    shared : mapping
        The fields that all cells have; None means not given.
    vary, variants : mapping, optional
        As of `kling_nb.compare.levels.axes`.
    samples : int
        Tasks a cell.
    where : callable, optional
        Takes a cell's labels by axis, and tells whether it belongs to the design.
    resolve : callable
        Opens and checks references.

    Returns
    -------
    Design
        Every request valid, every picture as it would be sent.

    Raises
    ------
    InvalidRequest
        One line for each problem.
    """
    found, problems = axes(vary, variants, resolve)
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
        problems.append(f"samples is {shown(samples)}; it must be a whole number, at least 1")
    if where is not None and not callable(where):
        problems.append(f"where is {shown(where)}; it must be a function. {_by_labels({})}")
    if not found and not problems and samples == 1:
        problems.append(
            "nothing is varied: give vary={field: levels} or variants={label: fields}, or samples= above 1 for "
            "repeats of one request"
        )
    varied = {field for axis in found if axis.name != VARIANT for field in (axis.name,)}
    common = _common(shared, varied, resolve, problems)
    if problems:
        raise InvalidRequest("\n".join(_first(problems)))
    cells = _cells(_combinations(found, samples, where), common)
    return Design(tuple(found), tuple(cells), samples)


def _common(shared: Mapping[str, Any], varied: set[str], resolve: Resolve, problems: list[str]) -> dict[str, Any]:
    common: dict[str, Any] = {}
    for name, value in shared.items():
        if value is None:
            continue
        if name in varied:
            problems.append(f"{name} is varied, and given for all cells as well; leave one of the two out")
        elif name == "external_task_id":
            problems.append("external_task_id names one task, and a comparison has many; leave it out")
        elif name not in _SHARED:
            problems.append(f"there is no field {shown(name)}; there are {', '.join(_SHARED)}")
        else:
            try:
                common[name] = resolve(name, value) if name in REFERENCE_FIELDS else RULES[name](value)
            except InvalidRequest as error:
                problems += error.message.splitlines()
            except RuleBroken as error:
                problems.append(str(error))
    return common


def _combinations(
    found: Sequence[Axis], samples: int, where: Where | None
) -> list[tuple[dict[str, str], dict[str, Any]]]:
    count = math.prod(len(axis.levels) for axis in found) * samples
    if count > MOST_TASKS:
        raise InvalidRequest(f"The axes and samples span {plural(count, 'task')}; at most {MOST_TASKS:,} can be.")
    kept = []
    for levels in itertools.product(*(axis.levels for axis in found)):
        coordinates = {axis.name: level.label for axis, level in zip(found, levels, strict=True)}
        fields = {field: value for level in levels for field, value in level.fields.items()}
        if where is None or _belongs(where, coordinates):
            kept.append((coordinates, fields))
    if not kept:
        first = {axis.name: axis.labels[0] for axis in found}
        raise InvalidRequest("where= leaves no cell.", advice=_by_labels(first))
    return kept


def _belongs(where: Where, coordinates: Mapping[str, str]) -> bool:
    try:
        return bool(where(dict(coordinates)))
    except Exception as error:  # noqa: BLE001 - it is the user's, and may raise anything
        message = f"where= raised {type(error).__name__}: {error}, for the cell {dict(coordinates)}."
        raise InvalidRequest(message, advice=_by_labels(coordinates)) from None


def _cells(kept: Sequence[tuple[dict[str, str], dict[str, Any]]], common: Mapping[str, Any]) -> list[Cell]:
    # Here, because pydantic is nothing for those to wait for who look at what has been made.
    from kling_nb.request import Request

    cells: list[Cell] = []
    problems: dict[str, list[str]] = {}
    for coordinates, fields in kept:
        given = {name: _single(name, value) for name, value in {**common, **fields}.items() if value is not None}
        try:
            cells.append(_cell(coordinates, Request.checked(**given)))
        except InvalidRequest as error:
            for line in error.message.splitlines():
                problems.setdefault(line, []).append(" × ".join(coordinates.values()))
    said = [
        f"{line} ({plural(len(where), 'cell')}, the first is {where[0]})" if where[0] else line
        for line, where in problems.items()
    ]
    said = said or _repeated(cells)
    if said:
        raise InvalidRequest("\n".join(_first(said)))
    return cells


def _cell(coordinates: Mapping[str, str], request: "Request") -> Cell:
    return Cell(coordinates, request.summary(), request.digest, request.references, request.warnings)


def _single(name: str, value: Any) -> Any:
    return value if name == "subject_images" or name not in REFERENCE_FIELDS else value[0]


def _repeated(cells: Sequence[Cell]) -> list[str]:
    seen: dict[str, Cell] = {}
    said = []
    for cell in cells:
        first = seen.setdefault(cell.digest, cell)
        if first is not cell:
            said.append(f"the cells {first.name} and {cell.name} are the same request; for repeats give samples=")
    return said


def _first(problems: Sequence[str]) -> list[str]:
    more = len(problems) - _MOST_PROBLEMS
    return [*problems[:_MOST_PROBLEMS], *([f"and {plural(more, 'more problem')}"] if more > 0 else [])]
