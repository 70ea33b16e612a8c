"""Sharpness. Needs NumPy."""

from typing import TYPE_CHECKING, Any

import numpy as np

from kling_nb.compare.measures.pixels import opaque

if TYPE_CHECKING:
    from PIL import Image

SIDE = 512
"""Pixels of the longer side at which sharpness is measured."""


def sharpness(image: "Image.Image", references: Any, request: Any) -> float:  # noqa: ARG001
    """Return the variance of the Laplacian of an image's luminance.

    J. L. Pech-Pacheco, G. Cristóbal, J. Chamorro-Martínez and J. Fernández-Valdivia, "Diatom autofocusing in
    brightfield microscopy: a comparative study", ICPR 2000, vol. 3, pp. 314-317. It depends on what is in the
    picture: a meadow has more of it than a face, however sharp both are. So it compares images of the same prompt, and
    says nothing across prompts. It is taken at one size for all, so blur of less than a pixel there is not seen.

    Parameters
    ----------
    image : PIL.Image.Image
        Brought to 512 pixels on its longer side, also where it is smaller.
    references, request
        Not used.

    Returns
    -------
    float
        In squares of the 256 levels of luminance (ITU-R 601-2); 0 for a plain picture.
    """
    from PIL import Image

    whole = opaque(image).convert("L")
    scale = SIDE / max(whole.size)
    size = (max(3, round(whole.width * scale)), max(3, round(whole.height * scale)))
    # Averaging before the filter makes a large picture quick, and changes next to nothing.
    light = np.asarray(whole.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0), dtype=np.float32)
    middle = light[1:-1, 1:-1]
    laplacian = light[:-2, 1:-1] + light[2:, 1:-1] + light[1:-1, :-2] + light[1:-1, 2:] - 4 * middle
    return float(laplacian.var(dtype=np.float64))
