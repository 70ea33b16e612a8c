"""What was served against what was asked for: shape and number. Needs nothing but the pictures' headers."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)


def aspect_ratio(image: "Image.Image", references: Any, request: Mapping[str, Any]) -> dict[str, float]:  # noqa: ARG001
    """Return the shape that was asked for and the one that was served, as width by height.

    Parameters
    ----------
    image : PIL.Image.Image
        As it is shown: turned where its EXIF data says so.
    references : tuple
        Not used.
    request : mapping
        With ``aspect_ratio``, such as ``16:9``. Where none was asked for, the gateway has its own, and there is
        nothing to compare with.

    Returns
    -------
    dict
        ``served``; ``asked``, and ``off``: by which part of what was asked for the served ratio differs from it. 0
        is as asked, 0.01 one percent too wide or too narrow. Sizes are whole pixels, so a little is always off.
    """
    width, height = image.size
    if image.getexif().get(_ORIENTATION) in _TURNED:
        width, height = height, width
    served = width / height
    wish = request.get("aspect_ratio")
    if wish is None:
        return {"served": served}
    across, _, down = str(wish).partition(":")
    asked = int(across) / int(down)
    return {"asked": asked, "served": served, "off": abs(served / asked - 1)}


def count(images: Sequence[Any], references: Any, request: Mapping[str, Any]) -> dict[str, int]:  # noqa: ARG001
    """Return how many images a task asked for, and how many of them are here.

    Parameters
    ----------
    images : sequence
        Of one task, as saved. A task without any image is not measured; its state says why.
    references : tuple
        Not used.
    request : mapping
        With ``n``.

    Returns
    -------
    dict
        ``asked``, ``served`` and ``missing``. An image that was made and could not be fetched is missing, too.
    """
    asked = int(request["n"])
    return {"asked": asked, "served": len(images), "missing": max(0, asked - len(images))}
