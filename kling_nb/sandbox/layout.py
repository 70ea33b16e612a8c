"""What goes where: the plan of one picture. Pure, and the same for the same seed."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

# Places as (along the longer side, along the shorter side, height as a fraction of the shorter
# side), the hero first.
_ARRANGEMENTS: Final[dict[str, tuple[tuple[float, float, float], ...]]] = {
    "hero": ((0.50, 0.50, 0.80), (0.17, 0.64, 0.46), (0.83, 0.62, 0.46), (0.80, 0.22, 0.32)),
    "left": ((0.30, 0.50, 0.84), (0.70, 0.36, 0.50), (0.85, 0.72, 0.40), (0.58, 0.78, 0.30)),
    "right": ((0.70, 0.50, 0.84), (0.29, 0.62, 0.50), (0.13, 0.30, 0.38), (0.44, 0.22, 0.28)),
    "steps": ((0.63, 0.44, 0.72), (0.28, 0.60, 0.56), (0.90, 0.74, 0.38), (0.12, 0.24, 0.32)),
    "close": ((0.44, 0.56, 1.06), (0.84, 0.66, 0.46), (0.86, 0.22, 0.32), (0.11, 0.20, 0.28)),
    "row": ((0.50, 0.48, 0.66), (0.20, 0.54, 0.56), (0.80, 0.54, 0.56), (0.36, 0.16, 0.26)),
}
_PAIR_ROW: Final = ((0.34, 0.48, 0.70), (0.68, 0.54, 0.62))

_FINISHES: Final = ("paper", "soft", "paper", "bare", "paper", "soft", "bare", "paper", "paper")
_CUTS: Final = ("pebble", "circle", "arch", "squircle", "scallop", "torn")
_ROUND: Final = ("pebble", "circle")
MOODS: Final = ("noon", "golden", "dusk", "cool", "rose", "mist", "night", "spring", "amber")
BACKDROPS: Final = ("hills", "rays", "waves", "stars")

# A word of the prompt may decide what is behind the subjects.
_HINTS: Final = (
    ("stars", ("night", "star", "space", "moon", "galax", "星", "夜", "宇宙")),
    ("waves", ("sea", "ocean", "wave", "beach", "surf", "water", "海", "浪", "水")),
    ("hills", ("hill", "mountain", "forest", "field", "desert", "garden", "山", "林")),
    ("rays", ("poster", "party", "hero", "pop", "sun", "日", "光")),
)


@dataclass(frozen=True, slots=True)
class Piece:
    """One subject cut out of its picture.

    Parameters
    ----------
    subject : int
        Which of the subjects.
    centre : tuple of float
        Where its middle is, as fractions of width and height.
    height : float
        Its height as a fraction of the shorter side.
    stretch : float
        Its width over its height.
    cut : str
        Name of its outline; see `shapes`.
    tilt : float
        Degrees against the clock.
    mirrored : bool
        Whether left and right are swapped.
    zoom : float
        How close the view of the subject is; 1 shows as much as fits.
    """

    subject: int
    centre: tuple[float, float]
    height: float
    stretch: float
    cut: str
    tilt: float
    mirrored: bool
    zoom: float


@dataclass(frozen=True, slots=True)
class Plan:
    """How one picture is to look.

    Parameters
    ----------
    pieces : tuple of Piece
        The subjects, the ones in front last.
    finish : {"paper", "soft", "bare"}
        A paper edge, no edge at all, or a thin one.
    backdrop : {"hills", "rays", "waves", "stars"}
        What is painted behind if there is no scene.
    mood : str
        The light.
    light : tuple of float
        Where it comes from, as fractions of width and height.
    hue : float
        Degrees by which the colours behind the subjects are turned.
    scene_focus : tuple of float
        The middle of the view of the scene.
    scene_zoom : float
        How close that view is.
    scene_mirrored : bool
        Whether left and right of the scene are swapped.
    """

    pieces: tuple[Piece, ...]
    finish: str
    backdrop: str
    mood: str
    light: tuple[float, float]
    hue: float
    scene_focus: tuple[float, float]
    scene_zoom: float
    scene_mirrored: bool


def plan(
    seed: str,
    index: int,
    size: tuple[int, int],
    shapes: Sequence[float],
    prompt: str,
    *,
    has_scene: bool,
) -> Plan:
    """Decide how the picture `index` of a task is to look.

    Of one task, each picture has another arrangement, light, cut and view: those are drawn without
    replacement, and only the rest by chance.

    Parameters
    ----------
    seed : str
        Of the task.
    index : int
        Of the picture.
    size : tuple of int
        Width and height in pixels.
    shapes : sequence of float
        Width over height of each subject; there are 1 to 4.
    prompt : str
        Words in it may decide the backdrop.
    has_scene : bool
        Whether a scene is behind the subjects.

    Returns
    -------
    Plan
        The plan.
    """
    deck = random.Random(f"{seed}/deck")
    arrangement = _dealt(deck, tuple(_ARRANGEMENTS), index)
    cut = _dealt(deck, _CUTS, index)
    mood = _dealt(deck, MOODS, index)
    backdrop = _dealt(deck, BACKDROPS, index)
    turn = deck.randrange(len(_FINISHES))
    rng = random.Random(f"{seed}/{index}")
    focus_x = (0.12, 0.88, 0.5)[index % 3] + rng.uniform(-0.1, 0.1)
    finish = _FINISHES[(index + turn) % len(_FINISHES)]
    if finish == "soft":
        # Without an edge only round shapes look right, and only where there is a scene to melt into.
        finish, cut = ("soft", deck.choice(_ROUND)) if has_scene else ("bare", cut)
    pieces = _pieces(rng, arrangement, cut, size, shapes, index, rounded=finish == "soft")
    return Plan(
        pieces=pieces,
        finish=finish,
        backdrop=_hinted(prompt) if index % 2 == 0 and _hinted(prompt) else backdrop,
        mood=mood,
        light=(rng.choice((0.08, 0.92)) + rng.uniform(-0.05, 0.05), rng.uniform(-0.05, 0.18)),
        hue=(0.0, 10.0, -10.0, 5.0, -16.0, 16.0, -5.0, 24.0, -24.0)[index % 9],
        scene_focus=(focus_x, rng.uniform(0.3, 0.7)),
        scene_zoom=(1.0, 1.3, 1.12, 1.5)[index % 4],
        scene_mirrored=index % 2 == 1,
    )


def _dealt(deck: random.Random, choices: Sequence[str], index: int) -> str:
    shuffled = list(choices)
    deck.shuffle(shuffled)
    return shuffled[index % len(shuffled)]


def _hinted(prompt: str) -> str:
    words = prompt.lower()
    return next((name for name, hints in _HINTS if any(hint in words for hint in hints)), "")


def _pieces(
    rng: random.Random,
    arrangement: str,
    cut: str,
    size: tuple[int, int],
    shapes: Sequence[float],
    index: int,
    *,
    rounded: bool,
) -> tuple[Piece, ...]:
    subjects = len(shapes)
    # The nearer to a square, the smaller the pieces, and the more they stand above each other.
    slim = min(1.0, (max(size) / min(size) - 1) / 0.6)
    roomy, spread = 0.8 + 0.2 * slim, 1.5 - 0.5 * slim
    places: Sequence[tuple[float, float, float]] = _ARRANGEMENTS[arrangement]
    if subjects == 2 and arrangement in {"row", "hero"}:
        places = _PAIR_ROW  # two side by side: a hero in the middle would push the other aside
    elif subjects == 1 and arrangement not in {"left", "right", "close"}:
        places = ((0.5, 0.48, 0.86),)
    upright = size[1] > size[0]
    # No piece so wide that the others have no place beside it.
    widest = (0.95 if upright or subjects == 1 else 0.6) * size[0] / min(size)
    pieces = []
    for rank, (along, across, height) in enumerate(places[:subjects]):
        off = min(0.9, max(0.12, 0.5 + (across - 0.5) * (spread if rank else 1)))
        centre = (off, along) if upright else (along, off)
        others = [name for name in (_ROUND if rounded else _CUTS) if name != cut]
        chosen = cut if rank == 0 else rng.choice(others)
        subject = (index + rank) % subjects
        stretch = _stretch(chosen, shapes[subject])
        pieces.append(
            Piece(
                subject=subject,
                centre=(
                    centre[0] + rng.uniform(-0.015, 0.015),
                    # Above the band at the foot.
                    0.93 * (centre[1] + rng.uniform(-0.015, 0.015)) - 0.005,
                ),
                # A wide piece is less high: about the same share of the picture for all.
                height=min(
                    roomy * height * rng.uniform(0.96, 1.06) * math.pow(stretch, -0.45),
                    widest / stretch,
                ),
                stretch=stretch,
                cut=chosen,
                tilt=rng.uniform(-9, 9) if rank else rng.uniform(-5, 5),
                mirrored=rng.random() < 0.5,
                zoom=(1.0, 1.08, 1.18)[(index + rank) % 3],
            )
        )
    return tuple(reversed(pieces))


def _stretch(cut: str, shape: float) -> float:
    """Return width over height of a cut: towards that of its subject, as far as it suits it."""
    if cut == "arch":
        return min(1.1, max(0.8, math.pow(shape, 0.5)))
    if cut in {"torn", "squircle"}:
        return min(1.5, max(0.7, shape))
    return min(1.3, max(0.8, math.pow(shape, 0.7)))
