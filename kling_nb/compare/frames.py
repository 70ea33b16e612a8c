"""A comparison as rows: one an image, with a column for each axis."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kling_nb.compare.added import Added
from kling_nb.compare.design import Cell
from kling_nb.compare.records import ComparisonRecord, Filled
from kling_nb.compare.states import state
from kling_nb.records import TaskRecord
from kling_nb.session.frames import pandas
from kling_nb.session.history import COLUMNS, rows_of

_TIMES = ("created_at", "finished_at")
_WHOLE = ("n", "index", "width", "height")
_NOTHING: Added = {}


def columns(record: ComparisonRecord, added: Added = _NOTHING) -> list[str]:
    """Return the names of the columns: the comparison, its axes, the sample and its state, then the API's names."""
    axes = [axis.name for axis in record.design.axes]
    rest = [f"{name}_sent" if name in axes else name for name in COLUMNS]
    return ["comparison", *axes, "sample", "state", *rest, *added]


def rows(
    record: ComparisonRecord, filled: Sequence[Filled], folder: Path, added: Added = _NOTHING
) -> list[dict[str, Any]]:
    """Return one row an image; a sample without images is one row.

    Parameters
    ----------
    record : ComparisonRecord
        Whose axes are columns.
    filled : sequence of Filled
        Its cells.
    folder : Path
        That images' paths are relative to.
    added : mapping
        Further columns.

    Returns
    -------
    list of dict
        By the names of `columns`.
    """
    axes = {axis.name for axis in record.design.axes}
    found = []
    for each in filled:
        for number, task in enumerate(each.samples):
            own = {"comparison": record.name, **each.cell.coordinates, "sample": number, "state": state(task)}
            for row in rows_of(task, folder) if task is not None else [_planned(each.cell, record)]:
                more = {name: of.get((each.cell.digest, number, row["index"])) for name, of in added.items()}
                found += [own | {f"{name}_sent" if name in axes else name: value for name, value in row.items()} | more]
    return found


def frame(record: ComparisonRecord, filled: Sequence[Filled], folder: Path, added: Added = _NOTHING) -> Any:
    """Return the rows as a pandas data frame, the axes as ordered categories.

    Raises
    ------
    ConfigurationError
        pandas is not installed.
    """
    pd = pandas()
    made = pd.DataFrame(rows(record, filled, folder, added), columns=columns(record, added))
    for axis in record.design.axes:
        made[axis.name] = pd.Categorical(made[axis.name], categories=list(axis.labels), ordered=True)
    for name in _TIMES:
        made[name] = pd.to_datetime(made[name], utc=True)
    for name in _WHOLE:
        # The axis n has labels, and what was sent beside it.
        column = f"{name}_sent" if f"{name}_sent" in made else name
        made[column] = made[column].astype("Int64")
    return made


def _planned(cell: Cell, record: ComparisonRecord) -> dict[str, Any]:
    """Return the row of a sample that was not asked for: what would be sent, and nothing else."""
    task = TaskRecord("", record.gateway, cell.request, cell.digest, cell.references, "", record.created_at)
    known = rows_of(task, Path())[0]
    unknown = dict.fromkeys(("id", "task_id", "external_task_id", "created_at"))
    return known | unknown | {"task_status": "planned"}
