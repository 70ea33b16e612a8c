"""How alike the images of a cell are: near-duplicates, and the spread of the rest. Needs NumPy."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kling_nb.compare.measures.pixels import lab, opaque, small

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

SIDE = 16
BITS = SIDE * SIDE
MOST_BITS = 25
"""Of the 256 bits of a hash: the most that near-duplicates differ in."""

MOST_COLOUR = 10.0
"""The most that the mean colours of near-duplicates differ in, in CIELAB."""

_ONES = np.array([number.bit_count() for number in range(256)], dtype=np.uint8)


class Look(NamedTuple):
    """What is kept of an image to find its like.

    Parameters
    ----------
    exact : bytes
        Hash of its size and all its pixels.
    bits : numpy.ndarray
        32, uint8: difference hash.
    colour : numpy.ndarray
        3, float64: mean colour in CIELAB.
    """

    exact: bytes
    bits: "NDArray[np.uint8]"
    colour: "NDArray[np.float64]"


def near_duplicates(images: Sequence["Image.Image"], references: Any, request: Any) -> dict[str, int] | None:  # noqa: ARG001
    """Return how many images of a cell are another one once more, or nearly.

    Two images are near-duplicates where their difference hashes (N. Krawetz, "Kind of Like That", The Hacker Factor
    Blog, 2013; here of 16 × 16 bits: is each place of a 17 × 16 picture brighter than its left neighbour?) differ in
    at most 25 of 256 bits, and their mean colours by at most 10 in CIELAB. That finds an image that was encoded again,
    scaled, or made a little lighter; it does not find one that was mirrored, cropped or turned. Plain pictures of one
    colour are near-duplicates of one another.

    Parameters
    ----------
    images : sequence of PIL.Image.Image
        Of all samples of one cell.
    references, request
        Not used.

    Returns
    -------
    dict or None
        ``near``: images that have a near-duplicate; ``exact``: those of them that have one with exactly the same
        pixels. None for a single image.
    """
    looks = [look(image) for image in images]
    if len(looks) < 2:
        return None
    bits = np.stack([each.bits for each in looks])
    colours = np.stack([each.colour for each in looks])
    near = 0
    for number in range(len(looks)):
        differing = _ONES[bits ^ bits[number]].sum(axis=1, dtype=np.int64)
        apart = np.linalg.norm(colours - colours[number], axis=1)
        near += int(np.count_nonzero((differing <= MOST_BITS) & (apart <= MOST_COLOUR)) > 1)
    often = Counter(each.exact for each in looks)
    return {"near": near, "exact": sum(count for count in often.values() if count > 1)}


def look(image: "Image.Image") -> Look:
    """Return what is kept of an image to find its like.

    Parameters
    ----------
    image : PIL.Image.Image
        Of any mode and size.
    """
    from PIL import Image

    whole = opaque(image)
    exact = hashlib.sha256(f"{whole.width} {whole.height} ".encode() + whole.tobytes()).digest()
    grey = np.asarray(whole.convert("L").resize((SIDE + 1, SIDE), Image.Resampling.BOX), dtype=np.int16)
    colour = lab(np.asarray(whole.resize((SIDE, SIDE), Image.Resampling.BOX))).mean(axis=(0, 1))
    return Look(exact, np.packbits(grey[:, 1:] > grey[:, :-1]), colour)


def diversity(images: Iterable["Image.Image"], references: Any, request: Any) -> float | None:  # noqa: ARG001
    """Return how far the images of a cell are apart on average, in layout and colour.

    Each image is averaged to 16 × 16 places and compared place by place in CIELAB; the distance of two images is the
    root of the mean of the squared colour differences (CIE 1976), and the diversity the mean over all pairs. It sees
    where which colours are and nothing else: two cats in the same pose and light are alike, the same cat at the
    left and at the right is not. It is not LPIPS, and no measure of content; for those give a function of your own.

    Parameters
    ----------
    images : iterable of PIL.Image.Image
        Of all samples of one cell.
    references, request
        Not used.

    Returns
    -------
    float or None
        In units of CIELAB, where 2.3 is about what one can just tell apart; 0 for the same image again and again. None
        for a single image.
    """
    found = [lab(small(image, SIDE, SIDE)).ravel() / SIDE for image in images]
    if len(found) < 2:
        return None
    points = np.stack(found)
    apart = [np.linalg.norm(points[number:] - points[number - 1], axis=1).sum() for number in range(1, len(points))]
    return float(sum(apart) / (len(points) * (len(points) - 1) / 2))
