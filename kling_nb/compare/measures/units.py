"""What a measure is called once for: an image, a task's images or a cell's, with what they are known by. Pure."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kling_nb.compare.design import Cell
from kling_nb.compare.measures.asking import Over
from kling_nb.compare.records import Filled
from kling_nb.records import ImageRecord

Place = tuple[str] | tuple[str, int] | tuple[str, int, int]
"""The digest of a cell; then the sample, from 0; then the image's index in its task, from 0."""

Key = tuple[str, str]
"""The digest of a request, and the hash of the image or images."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What a measure is called once for.

    Parameters
    ----------
    place : tuple
        Where in the comparison it is.
    cell : Cell
        With the request.
    images : tuple of ImageRecord
        Saved; at least one.
    """

    place: Place
    cell: Cell
    images: tuple[ImageRecord, ...]

    @property
    def key(self) -> Key:
        """What its results are known by: the same images of the same request are measured once."""
        if len(self.place) == 3:
            return self.cell.digest, str(self.images[0].sha256)
        hashes = " ".join(str(image.sha256) for image in self.images)
        return self.cell.digest, hashlib.sha256(hashes.encode()).hexdigest()


def units(filled: Sequence[Filled], over: Over) -> list[Unit]:
    """Return what there is to measure, in the order of the design.

    Parameters
    ----------
    filled : sequence of Filled
        Cells with their tasks.
    over : {"image", "task", "cell"}
        What the measure is called once for.

    Returns
    -------
    list of Unit
        Of images that are saved; a task or a cell without any is none.
    """
    return [unit for each in filled for unit in _units(each, over) if unit.images]


def _units(filled: Filled, over: Over) -> Iterator[Unit]:
    cell = filled.cell
    saved = [
        (sample, tuple(image for image in task.images if image.path is not None and image.sha256))
        for sample, task in enumerate(filled.samples)
        if task is not None
    ]
    if over == "cell":
        yield Unit((cell.digest,), cell, tuple(image for _, images in saved for image in images))
        return
    for sample, images in saved:
        if over == "task":
            yield Unit((cell.digest, sample), cell, images)
        else:
            for image in images:
                yield Unit((cell.digest, sample, image.index), cell, (image,))


def spread(count: int, first: int) -> list[int]:
    """Return the numbers below a count, beginning with some that lie evenly among them.

    Parameters
    ----------
    count : int
        How many there are.
    first : int
        How many of them come first.
    """
    if count <= first:
        return list(range(count))
    chosen = [number * count // first for number in range(first)]
    among = set(chosen)
    return chosen + [number for number in range(count) if number not in among]
