"""The measures that come with the package. Needs NumPy."""

from kling_nb.compare.measures.alike import diversity, near_duplicates
from kling_nb.compare.measures.asking import Measure
from kling_nb.compare.measures.palette import palette_distance
from kling_nb.compare.measures.served import aspect_ratio, count
from kling_nb.compare.measures.sharp import sharpness

# A measure whose results change in any way gets another version: those in journals are then computed anew.
_ALL = (
    Measure(aspect_ratio, "aspect_ratio", "1", "image", roles=(), built_in=True),
    Measure(count, "count", "1", "task", roles=(), built_in=True),
    Measure(near_duplicates, "near_duplicates", "1", "cell", roles=(), built_in=True),
    Measure(diversity, "diversity", "1", "cell", roles=(), built_in=True),
    Measure(sharpness, "sharpness", "1", "image", roles=(), built_in=True),
    Measure(palette_distance, "palette_distance", "1", "image", roles=("style",), built_in=True),
)

MEASURES = {measure.name: measure for measure in _ALL}
"""By name."""
