"""Over what a result generalises: the units that answers and measures are clustered by. Pure.

Images of one task, tasks of one prompt and answers to both are alike for reasons of their own, so they are no
independent evidence of what happens with another prompt. What is independent is the prompt: so it is the unit, where
there are several. Where the prompt is what is judged, or is the same everywhere, the unit is whatever else was varied.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kling_nb.compare.design import Design
from kling_nb.errors import InvalidRequest
from kling_nb.request.problems import shown


@dataclass(frozen=True, slots=True)
class Units:
    """What answers are clustered by.

    Parameters
    ----------
    name : str
        ``prompt``, or the axes that make a unit, joined by ``×``; empty where there is one unit.
    of : mapping
        From a cell's digest to its unit.
    """

    name: str
    of: Mapping[str, str]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(set(self.of.values()))

    def same_as(self, other: "Units") -> bool:
        """Return whether the same cells are together in a unit, whatever the units are called."""
        pairs = {(unit, other.of[digest]) for digest, unit in self.of.items()}
        return len(pairs) == self.count == other.count


def units(design: Design, by: str, clusters: Any = None) -> Units:
    """Return the unit of every cell.

    Parameters
    ----------
    design : Design
        The comparison's.
    by : str
        The axis that is judged.
    clusters : str or list of str, optional
        The axes that make a unit, where it is not the prompt.

    Raises
    ------
    InvalidRequest
        There is no such axis, or it is the one that is judged.
    """
    if clusters is not None:
        return _by_axes(design, _checked(design, by, clusters))
    others = [axis.name for axis in design.axes if axis.name != by and len(axis.levels) > 1]
    prompts = {cell.digest: str(cell.request.get("prompt", "")) for cell in design.cells}
    is_judged = any("prompt" in level.fields for level in design.axis(by).levels)
    if not is_judged and len(set(prompts.values())) > 1:
        return _by_axes(design, ["prompt"]) if "prompt" in others else Units("prompt", prompts)
    return _by_axes(design, others)


def _by_axes(design: Design, names: Sequence[str]) -> Units:
    found = {cell.digest: " × ".join(cell.coordinates[name] for name in names) for cell in design.cells}
    return Units(" × ".join(names), found)


def _checked(design: Design, by: str, clusters: Any) -> list[str]:
    names = [clusters] if isinstance(clusters, str) else clusters
    if not isinstance(names, list | tuple) or not names or not all(isinstance(name, str) for name in names):
        raise InvalidRequest(f"clusters is {shown(clusters)}; it must be an axis or a list of axes.", money="")
    for name in names:
        design.axis(name)
        if name == by:
            raise InvalidRequest(f"clusters has {shown(name)}, which is what is judged; name other axes.", money="")
    return list(names)
