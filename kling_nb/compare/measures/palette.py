"""How far an image's colours are from those of the style reference. Needs NumPy."""

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

from kling_nb.compare.measures.pixels import lab, small

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL import Image

    from kling_nb.compare.measures.jobs import ReferenceImage

SIDE = 48
"""Pixels of each side of the picture whose colours are taken."""

_DIRECTIONS = 64
_MOST_KEPT = 64


def palette_distance(image: "Image.Image", references: "Sequence[ReferenceImage]", request: Any) -> float | None:  # noqa: ARG001
    """Return how far an image's colours must be moved to become those of the style reference.

    That is the earth mover's distance of the two clouds of colours in CIELAB (Y. Rubner, C. Tomasi and L. J. Guibas,
    "The earth mover's distance as a metric for image retrieval", IJCV 40, 2000), in its sliced form: the mean over
    64 directions of the distance of the clouds' shadows (J. Rabin, G. Peyré, J. Delon and M. Bernot, "Wasserstein
    barycenter and its application to texture mixing", SSVM 2011). It is taken twice, because a random direction sees
    half of a difference in space: two plain pictures are as far apart as their colours are, within 2 percent. Where
    in the picture a colour is does not matter.

    Parameters
    ----------
    image : PIL.Image.Image
        Averaged to 48 × 48 pixels, so that a fine pattern counts as the colour that it is from afar.
    references : sequence of ReferenceImage
        The one whose role is style.
    request : mapping
        Not used.

    Returns
    -------
    float or None
        In units of CIELAB, where 2.3 is about what one can just tell apart; 0 for the same colours in the same
        amounts. None without a style reference, and for one that was sent as a URL, of which there are no bytes.
    """
    style = next((each for each in references if each.role == "style" and each.has_image), None)
    if style is None:
        return None
    return float(2 * np.abs(shadows(image) - _of_reference(style)).mean())


def shadows(image: "Image.Image") -> "NDArray[np.float64]":
    """Return an image's colours as they fall on each direction, sorted.

    Parameters
    ----------
    image : PIL.Image.Image
        Of any mode and size.

    Returns
    -------
    numpy.ndarray
        64 × 2304, float64, in units of CIELAB.
    """
    colours = lab(small(image, SIDE, SIDE)).reshape(-1, 3)
    return np.sort(_directions() @ colours.T, axis=1)


def _directions() -> "NDArray[np.float64]":
    """Return unit vectors spread evenly over a half sphere, by a Fibonacci lattice: 64 × 3, float64."""
    number = np.arange(_DIRECTIONS)
    height = (number + 0.5) / _DIRECTIONS
    angle = number * np.pi * (3 - np.sqrt(5))
    radius = np.sqrt(1 - height**2)
    return np.stack([height, radius * np.cos(angle), radius * np.sin(angle)], axis=1)


_known: "OrderedDict[str, NDArray[np.float64]]" = OrderedDict()
_lock = threading.Lock()


def _of_reference(style: "ReferenceImage") -> "NDArray[np.float64]":
    """Return a reference's shadows: many images have the same one."""
    with _lock:
        if style.sha256 in _known:
            return _known[style.sha256]
    found = shadows(style.image)
    with _lock:
        _known[style.sha256] = found
        while len(_known) > _MOST_KEPT:
            _known.popitem(last=False)
    return found
