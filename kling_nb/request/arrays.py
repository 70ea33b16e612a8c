"""Arrays and tensors as pictures, without importing NumPy, PyTorch or any other array library.

Whoever holds an array has its library loaded already; what is needed are methods of the array itself.
"""

import sys
from typing import TYPE_CHECKING, Any

from kling_nb.request import prepare
from kling_nb.request.convert import FLOATS_SCALED, Picture, float_problem
from kling_nb.request.problems import Unsuitable

if TYPE_CHECKING:
    from PIL import Image

_CHANNELS = {1: "L", 3: "RGB", 4: "RGBA"}
_SHAPES = "an image is H×W, H×W×1, H×W×3, H×W×4 or, with channels first, 1×H×W, 3×H×W, 4×H×W"
_AMBIGUOUS = (
    "could have its channels first or last; put them last with x.permute(1, 2, 0) if it is a tensor,"
    " with x.transpose(1, 2, 0) if it is an array"
)


def is_array(value: Any) -> bool:
    """Whether a value is an array or a tensor of any library."""
    owner = type(value)
    if isinstance(value, type):
        return False
    if is_tensor(value):
        return True
    return any(hasattr(owner, name) for name in ("__array__", "__array_interface__"))


def is_tensor(value: Any) -> bool:
    """Whether a value has a tensor's way into main memory, as PyTorch's do."""
    return all(hasattr(type(value), name) for name in ("detach", "cpu", "numpy"))


def to_array(value: Any) -> Any:
    """Bring an array or tensor of any library into main memory as a NumPy array.

    Parameters
    ----------
    value : array or tensor
        Of any shape, dtype and device.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    Unsuitable
        It has masked values, or NumPy is not there to read it.
    """
    if is_tensor(value):
        tensor = value.detach().cpu()
        # NumPy has no bfloat16 and no float8.
        if any(name in str(tensor.dtype) for name in ("bfloat16", "float8")):
            tensor = tensor.float()
        return tensor.numpy()
    if hasattr(type(value), "__cuda_array_interface__") and hasattr(value, "get"):
        return value.get()
    masked = getattr(value, "mask", None)
    if hasattr(value, "filled") and getattr(masked, "any", lambda: False)():
        raise Unsuitable("has masked values; fill them with .filled(0)")
    if hasattr(type(value), "__array__"):
        value = value.__array__()
    numpy = sys.modules.get("numpy")
    if numpy is None:
        raise Unsuitable("is an array that only NumPy can read; import numpy, then try again")
    return numpy.asarray(value)


def to_picture(array: Any) -> Picture:
    """Make a picture of a NumPy array.

    Parameters
    ----------
    array : numpy.ndarray
        H×W, H×W×1, H×W×3, H×W×4, or 1×H×W, 3×H×W, 4×H×W; uint8, other integers within 0..255, uint16 in
        0..65535, floats in 0..1, or bool. Not of four axes: see `as_batch`.

    Returns
    -------
    Picture
        Mode L, RGB or RGBA.

    Raises
    ------
    Unsuitable
        Another shape, dtype or range; the message gives the one that was found.
    """
    array = _channels_last(array)
    prepare.check_pixels(array.shape[1], array.shape[0])
    array, changes = _eight_bit(array)
    return Picture(_image(array), changes=tuple(changes))


def as_batch(array: Any) -> list[Any] | None:
    """Split an array of four axes into its images; None for an array of one image.

    Parameters
    ----------
    array : numpy.ndarray
        N×H×W×C or N×C×H×W is split.
    """
    return list(array) if array.ndim == 4 else None


def _channels_last(array: Any) -> Any:
    """Return the array as H×W×C with C of 1, 3 or 4."""
    shape = tuple(array.shape)
    if len(shape) == 2:
        return array.reshape(*shape, 1)
    if len(shape) != 3:
        raise Unsuitable(f"has the shape {_by(shape)}; {_SHAPES}")
    first, last = shape[0] in _CHANNELS, shape[-1] in _CHANNELS
    if first and last:
        raise Unsuitable(f"has the shape {_by(shape)}, which {_AMBIGUOUS}")
    if not first and not last:
        raise Unsuitable(f"has the shape {_by(shape)}; {_SHAPES}")
    return array.transpose(1, 2, 0) if first else array


def _eight_bit(array: Any) -> tuple[Any, list[str]]:
    """Return the array as uint8, and what that changed, in words."""
    kind = array.dtype.kind
    if kind == "b":
        return array.astype("uint8") * 255, []
    if kind == "f":
        return _from_floats(array)
    if kind not in "iu":
        raise Unsuitable(f"has values of the type {array.dtype}; an image needs uint8, or floats from 0 to 1")
    if kind == "u" and array.dtype.itemsize == 1:
        return array, []
    low, high = int(array.min()), int(array.max())
    if low >= 0 and high <= 255:
        return array.astype("uint8"), []
    if kind == "u" and array.dtype.itemsize == 2:
        return (array >> 8).astype("uint8"), ["16-bit reduced to 8-bit"]
    raise Unsuitable(f"has {array.dtype} values from {low} to {high}; integers must lie between 0 and 255")


def _from_floats(array: Any) -> tuple[Any, list[str]]:
    problem = float_problem(float(array.min()), float(array.max()))
    if problem:
        raise Unsuitable(problem)
    # In single precision at least: half precision is too coarse to round with.
    wide = array.astype("float32") if array.dtype.itemsize < 4 else array
    # What is tolerated beyond 0..1 rounds to 0 and 255.
    return (wide * 255 + 0.5).astype("uint8"), [FLOATS_SCALED]


def _image(array: Any) -> "Image.Image":
    from PIL import Image

    height, width, channels = array.shape
    return Image.frombytes(_CHANNELS[channels], (width, height), array.tobytes())


def _by(shape: tuple[int, ...]) -> str:
    return "×".join(str(side) for side in shape) or "of a single number"
