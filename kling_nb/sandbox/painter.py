"""Painting a result: a collage of the references, worth looking at, marked SANDBOX.

The subjects are cut out like paper and laid on the scene, or on a painted one; the style gives its
colours and its texture to the whole. The pictures of one task differ in arrangement, light and view.
"""

from __future__ import annotations

import io
import random
import zlib
from dataclasses import dataclass
from typing import Final, Literal

from PIL import Image, ImageChops, ImageFilter

from kling_nb.sandbox import backdrop, compose
from kling_nb.sandbox.canvas import cover, glow, grain, picture, point_of_interest
from kling_nb.sandbox.layout import Plan, plan
from kling_nb.sandbox.lettering import add_band, add_watermark, drawable
from kling_nb.sandbox.palette import Colour, colours, graded, matched, papers, turned, washed

# The colour of the light, its strength, and the brightness and saturation it leaves.
_LIGHT: Final[dict[str, tuple[Colour, float, float, float]]] = {
    "noon": ((255, 250, 235), 0.30, 1.05, 1.08),
    "golden": ((255, 186, 96), 0.62, 1.02, 1.10),
    "dusk": ((255, 120, 110), 0.52, 0.90, 1.05),
    "cool": ((130, 190, 255), 0.48, 1.00, 0.96),
    "rose": ((255, 150, 190), 0.46, 1.04, 1.02),
    "mist": ((225, 232, 240), 0.62, 1.08, 0.78),
    "night": ((110, 130, 255), 0.46, 0.72, 1.00),
    "spring": ((190, 255, 150), 0.36, 1.06, 1.12),
    "amber": ((255, 160, 60), 0.50, 0.94, 1.16),
}


@dataclass(frozen=True, slots=True)
class Commission:
    """What is to be painted.

    Parameters
    ----------
    seed : str
        The same seed and index give the same bytes.
    index : int
        Which of the task's pictures.
    n : int
        How many there are.
    size : tuple of int
        Width and height in pixels.
    prompt, model_name : str
        For the caption.
    references : tuple of (role, bytes or str)
        The files, or the URLs, with their roles; at least one subject.
    watermarked : bool
        Whether this is the watermarked copy.
    """

    seed: str
    index: int
    n: int
    size: tuple[int, int]
    prompt: str
    model_name: str
    references: tuple[tuple[Literal["subject", "scene", "style"], bytes | str], ...]
    watermarked: bool = False


def paint(commission: Commission) -> bytes:
    """Paint one result.

    Parameters
    ----------
    commission : Commission
        What to paint.

    Returns
    -------
    bytes
        A PNG of the commissioned size.
    """
    image = _marked(_collage(commission), commission)
    buffer = io.BytesIO()
    # Run lengths pack such pictures better than the search for repetitions, and sooner.
    image.save(buffer, "PNG", compress_level=1, compress_type=zlib.Z_RLE)
    return buffer.getvalue()


def _collage(commission: Commission) -> Image.Image:
    short = min(commission.size)
    by_role: dict[str, list[Image.Image]] = {"subject": [], "scene": [], "style": []}
    for role, source in commission.references:
        by_role[role].append(picture(source, short if role != "style" else 384))
    sources = [source for role, source in commission.references if role == "subject"]
    subjects = by_role["subject"]
    chosen = plan(
        commission.seed,
        commission.index,
        commission.size,
        [subject.width / subject.height for subject in subjects],
        commission.prompt,
        has_scene=bool(by_role["scene"]),
    )
    rng = random.Random(f"{commission.seed}/{commission.index}/details")
    found = [colour for subject in subjects for colour in colours(subject, 3)]
    if by_role["scene"]:
        image = backdrop.scene_behind(by_role["scene"][0], chosen, commission.size)
    else:
        image = backdrop.painted(chosen, commission.size, found, rng)
    sheets = papers(colours((by_role["style"] + subjects)[0]), rng)
    if chosen.finish != "soft":
        compose.add_papers(image, chosen, sheets, rng)
    if chosen.finish == "paper":
        compose.add_confetti(image, chosen, sheets, rng)
    if chosen.hue:
        image = turned(image, chosen.hue)
    for piece in chosen.pieces:
        subject = subjects[piece.subject]
        focus = point_of_interest(subject)
        pictured = isinstance(sources[piece.subject], bytes)
        compose.add_piece(image, piece, subject, focus, chosen.finish, rng, mirrorable=pictured)
    if by_role["style"]:
        image = _styled(image, by_role["style"][0])
    return _lit(image, chosen, rng)


def _styled(image: Image.Image, style: Image.Image) -> Image.Image:
    """Give the whole picture the style's colours and its texture."""
    tinted = matched(image, style, 0.85)
    # Strokes: detail below a few pixels becomes patches with clear edges, as of a brush.
    small = tinted.reduce(3).filter(ImageFilter.MedianFilter(3))
    small = small.filter(ImageFilter.UnsharpMask(2, 130, 2))
    painted = Image.blend(tinted, small.resize(image.size, Image.Resampling.BICUBIC), 0.7)
    # The style's own relief, as if the collage were painted on it.
    relief = cover(style.convert("L"), image.size).filter(ImageFilter.GaussianBlur(1))
    texture = relief.point(lambda level: 128 + (level - 128) * 0.45)
    return ImageChops.soft_light(painted, Image.merge("RGB", (texture, texture, texture)))


def _lit(image: Image.Image, chosen: Plan, rng: random.Random) -> Image.Image:
    """Put the light of the plan's mood on the picture, then darken its corners, then grain."""
    light, strength, brightness, saturation = _LIGHT[chosen.mood]
    width, height = image.size
    image = graded(image, brightness, saturation)
    place = (width * chosen.light[0], height * chosen.light[1])
    image = washed(image, light, glow(image.size, place, 0.67 * max(image.size)), strength)
    image = compose.vignette(image, 0.3)
    noise = grain(image.size, rng).point(lambda level: 128 + (level - 128) * 0.09)
    return ImageChops.overlay(image, Image.merge("RGB", (noise, noise, noise)))


def _marked(image: Image.Image, commission: Commission) -> Image.Image:
    if commission.watermarked:
        image = add_watermark(image)
    title = f"{commission.model_name}   {commission.index + 1} of {commission.n}"
    return add_band(image, title, drawable(commission.prompt))
