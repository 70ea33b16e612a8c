"""What came of a measure: a value for every image, task or cell, or why there is none."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kling_nb.compare.design import Design
from kling_nb.compare.measures.asking import Over
from kling_nb.compare.measures.units import Place
from kling_nb.compare.measures.values import Failure, Number, Value
from kling_nb.display import Bundle
from kling_nb.display.words import joined, plural


@dataclass(frozen=True, slots=True)
class Measured:
    """The results of one version of a measure, as far as a comparison has been measured.

    Parameters
    ----------
    name, version : str
        Of the measure.
    over : {"image", "task", "cell"}
        What it was called once for.
    values : mapping
        By place: the digest of the cell, and for a task also the sample, for an image also its index. A value is a
        number, a dict of numbers by name, or None where the measure does not apply.
    failures : mapping
        By place: why there is no value.
    design : Design, optional
        What the places are of, for labels.
    """

    name: str
    version: str
    over: Over
    values: Mapping[Place, Value]
    failures: Mapping[Place, Failure]
    design: Design | None = field(default=None, repr=False, compare=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the numbers: the measure's own, or ``name.key`` where it gave a dict."""
        return tuple(dict.fromkeys(column for value in self.values.values() for column in self.numbers(value)))

    def numbers(self, value: Value) -> dict[str, Number]:
        """Return a value's numbers by column."""
        if value is None:
            return {}
        if isinstance(value, Mapping):
            return {f"{self.name}.{key}": number for key, number in value.items()}
        return {self.name: value}

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield one row a place: labels (the digest, without a design), sample and index, numbers, and the failure."""
        labels = {cell.digest: dict(cell.coordinates) for cell in self.design.cells} if self.design else {}
        parts = ("digest", "sample", "index")
        for place in (*self.values, *(each for each in self.failures if each not in self.values)):
            own: dict[str, Any] = dict(zip(parts, place, strict=False))
            own = labels[place[0]] | own if place[0] in labels else own
            failure = self.failures.get(place)
            yield own | self.numbers(self.values.get(place)) | {"failure": failure and str(failure)}

    def to_dataframe(self) -> Any:
        """Return one row for each image, task or cell that was measured.

        Returns
        -------
        pandas.DataFrame
            A column for each axis (categorical), then ``digest`` of the cell, ``sample`` and ``index`` as far as the
            measure tells them apart, a column for each number, and ``failure``.

        Raises
        ------
        ConfigurationError
            pandas is not installed.
        """
        from kling_nb.session.frames import pandas

        pd = pandas()
        axes = self.design.axes if self.design else ()
        place = ("digest", "sample", "index")[: {"cell": 1, "task": 2, "image": 3}[self.over]]
        names = [*(axis.name for axis in axes), *place, *self.columns, "failure"]
        made = pd.DataFrame(list(self.rows()), columns=names)
        for axis in axes:
            made[axis.name] = pd.Categorical(made[axis.name], categories=list(axis.labels), ordered=True)
        return made

    def __len__(self) -> int:
        return len(self.values)

    def __str__(self) -> str:
        failed = f"{len(self.failures):,} failed" if self.failures else ""
        without = sum(value is None for value in self.values.values())
        return joined(self.name, plural(len(self.values), self.over), without and f"{without:,} not applicable", failed)

    def __repr__(self) -> str:
        return f"<Measured {self}>"

    def bundle(self) -> Bundle:
        """Return what a front end shows: a short table by level."""
        from kling_nb.compare.measures.summary import bundle

        return bundle(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:  # noqa: ARG002 - IPython's signature
        return self.bundle()
