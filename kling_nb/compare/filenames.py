"""What the files of a saved comparison are called, so that each says which cell it is of. Pure.

Every name begins with a number that no other has, so that names never collide, sort as the design does, and mean
nothing to any file system, whatever the labels are.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kling_nb.compare.levels import short_name
from kling_nb.imagedata import EXTENSIONS
from kling_nb.records import Reference
from kling_nb.workspace.names import slug

_LABELS = 60
"""Characters that the labels have in a name; twice as many bytes."""


class ImageName(NamedTuple):
    """Which image of a comparison a file is, each number from 0.

    Parameters
    ----------
    cell, sample, image : int
        The cell's place in the design, the sample's in the cell, the image's in the task.
    """

    cell: int
    sample: int
    image: int


def image_stem(where: ImageName, labels: Sequence[str], cells: int) -> str:
    """Return the name of an image's file without its extension.

    Parameters
    ----------
    where : ImageName
        Which image.
    labels : sequence of str
        Of its cell.
    cells : int
        How many there are; it says how many digits the number has.

    Returns
    -------
    str
        For example ``07_kling-v2_a-cat-in-space_sample1_image2``; at most 90 characters and 180 bytes.
    """
    number = str(where.cell + 1).zfill(len(str(cells)))
    return "_".join([number, *_slugs(labels), f"sample{where.sample + 1}", f"image{where.image + 1}"])


def reference_names(references: Sequence[Reference]) -> dict[str, str]:
    """Return the names of references' files, by hash.

    Parameters
    ----------
    references : sequence of Reference
        Each content once; those sent as URLs have no file.

    Returns
    -------
    dict
        From sha256 to, for example, ``01_cat.png``.
    """
    kept = [each for each in references if each.url is None]
    digits = len(str(len(kept)))
    return {
        each.sha256: f"{str(number).zfill(max(2, digits))}_{_cut(slug(short_name(each.name)), _LABELS)}"
        f"{extension(each.media_type)}"
        for number, each in enumerate(kept, start=1)
    }


def extension(media_type: str | None) -> str:
    """Return the ending of a file by its content's type, with the dot."""
    return EXTENSIONS.get(media_type or "", ".img")


def _slugs(labels: Iterable[str]) -> list[str]:
    every = list(labels)
    # Short labels leave their room to long ones.
    room, found = _LABELS - len(every), {}
    for left, place in enumerate(sorted(range(len(every)), key=lambda place: len(slug(every[place])))):
        found[place] = _cut(slug(every[place]), max(1, room // (len(every) - left)))
        room -= len(found[place])
    return [found[place] for place in range(len(every))]


def _cut(text: str, room: int) -> str:
    kept = text[:room]
    while len(kept.encode()) > 2 * room and len(kept) > 1:
        kept = kept[:-1]
    return kept.rstrip("-") or "x"
