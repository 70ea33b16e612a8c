"""Which of the notebook's variables may hold pictures, told by their types alone."""

import itertools
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from kling_nb.notation.names import IMAGE_SUFFIXES, Namespace

IMAGE_PACKAGES = frozenset({"PIL", "numpy", "torch", "matplotlib", "kling_nb", "tensorflow", "jax", "cv2", "imageio"})
NO_REFERENCE = 9
_NEVER_AN_IMAGE = (type, FunctionType, BuiltinFunctionType, MethodType, int, float, complex, type(None))
_BEGINNINGS = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")
_LIKELY_SHAPES = (2, 3, 4)
_WITHOUT_SHAPE = frozenset({("PIL.Image", "Image"), ("matplotlib.figure", "FigureBase")})


def rank(kind: type) -> int:
    """Return how likely a value of a type is a picture: 0 is most likely, `NO_REFERENCE` is never."""
    if issubclass(kind, _NEVER_AN_IMAGE):
        return NO_REFERENCE
    for each in kind.__mro__:
        if "__kling_reference__" in vars(each) or str(each.__module__).partition(".")[0] in IMAGE_PACKAGES:
            return 0
    return 1 if issubclass(kind, (str, bytes, list, tuple, dict)) else 2


def picture_variables(namespace: Namespace) -> list[str]:
    """Return the names of the variables that hold pictures, as far as can be told without opening any.

    Parameters
    ----------
    namespace : Namespace
        The notebook's variables.

    Returns
    -------
    list of str
        In the order of their making. Offered names may still turn out to be no pictures, and any other name
        may be typed.
    """
    return [name for name in namespace.names() if _holds_pictures(namespace[name])]


def _holds_pictures(value: Any, depth: int = 0) -> bool:
    try:
        if isinstance(value, str):
            text = value[:1000].lower()
            address = text.startswith(("http://", "https://", "data:image/"))
            return address or any(text.endswith(suffix) for suffix in IMAGE_SUFFIXES)
        if isinstance(value, (bytes, bytearray)):
            return bytes(value[:4]).startswith(_BEGINNINGS)
        if hasattr(type(value), "__fspath__"):
            return _holds_pictures(str(value), depth)
        if isinstance(value, dict):
            value = list(itertools.islice(value.values(), 1))
        if isinstance(value, (list, tuple)):
            return depth < 2 and bool(value) and _holds_pictures(value[0], depth + 1)
        return rank(type(value)) == 0 and _is_shaped_like_one(value)
    except Exception:  # noqa: BLE001 - whatever a value of the user's does when it is looked at
        return False


def _is_shaped_like_one(value: Any) -> bool:
    """Tell whether an array has the axes of a picture; what is no array may be one."""
    shape = getattr(value, "shape", None)
    if shape is None:
        # An axis or a line of a plot is of such a package too, and so is everything else in it.
        kinds = {(str(each.__module__), each.__name__) for each in type(value).__mro__}
        return hasattr(type(value), "__kling_reference__") or not _WITHOUT_SHAPE.isdisjoint(kinds)
    return len(shape) in _LIKELY_SHAPES and min(sorted(shape)[-2:]) >= 8
