"""Pictures as arrays: small, without transparency, and in CIELAB. Needs NumPy."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
"""From linear sRGB to XYZ under D65 (IEC 61966-2-1)."""

_EDGE = (6 / 29) ** 3


def opaque(image: "Image.Image") -> "Image.Image":
    """Return a picture in RGB, what is transparent on white.

    Parameters
    ----------
    image : PIL.Image.Image
        Of any mode.

    Returns
    -------
    PIL.Image.Image
        Of mode RGB.
    """
    from PIL import Image

    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image if image.mode == "RGB" else image.convert("RGB")


def small(image: "Image.Image", width: int, height: int) -> "NDArray[np.uint8]":
    """Return a picture brought to a size by averaging, whatever its shape was.

    Parameters
    ----------
    image : PIL.Image.Image
        Of any mode and size.
    width, height : int
        Pixels.

    Returns
    -------
    numpy.ndarray
        height × width × 3, uint8, RGB.
    """
    from PIL import Image

    # Decoding a JPEG at reduced size would be quicker, and would make the value depend on the file's format.
    return np.asarray(opaque(image).resize((width, height), Image.Resampling.BOX))


def lab(rgb: "NDArray[np.uint8]") -> "NDArray[np.float64]":
    """Return colours in CIELAB, under D65 and for the 2° observer.

    CIE 1976, in CIE 15:2004, "Colorimetry"; sRGB as in IEC 61966-2-1.

    Parameters
    ----------
    rgb : numpy.ndarray
        … × 3, uint8, sRGB.

    Returns
    -------
    numpy.ndarray
        … × 3, float64: L* from 0 to 100, a* and b* from about -110 to 110.
    """
    coded = rgb / 255.0
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    # Rows add up to the white point, so that white is exactly (100, 0, 0).
    ratio = linear @ (_TO_XYZ / _TO_XYZ.sum(axis=1, keepdims=True)).T
    root = np.where(ratio > _EDGE, np.cbrt(ratio), ratio * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = root[..., 0], root[..., 1], root[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
