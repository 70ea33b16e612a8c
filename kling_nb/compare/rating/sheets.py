"""In which order a rater judges, and what is on which side. Pure.

Both follow from the rating's seed and the rater, so that a rater who goes on elsewhere finds the same. Every rater has
an order of their own. Of the pairs of the same two levels, each level is on the left in half, but for one where their
number is odd; which halves is drawn anew for every rater.
"""

from collections.abc import Sequence
from typing import NamedTuple

from kling_nb.compare.rating.items import Item, token


class Turn(NamedTuple):
    """One item as a rater sees it.

    Parameters
    ----------
    place : int
        Of the item among all.
    flipped : bool
        Whether the second picture is on the left.
    """

    place: int
    flipped: bool


def sheet(items: Sequence[Item], seed: str, rater: str) -> list[Turn]:
    """Return all items in a rater's order.

    Parameters
    ----------
    items : sequence of Item
        Of one rating.
    seed : str
        The rating's.
    rater : str
        Whose.
    """
    groups: dict[tuple[str, ...], list[int]] = {}
    for place, item in enumerate(items):
        groups.setdefault(item.levels, []).append(place)
    flipped = [False] * len(items)
    for levels, places in groups.items():
        if len(levels) < 2:
            continue
        starts = int(token(seed, "starts", rater, *levels), 16) % 2
        shuffled = sorted(places, key=lambda place: token(seed, "side", rater, items[place].token))
        for number, place in enumerate(shuffled):
            flipped[place] = bool((number + starts) % 2)
    order = sorted(range(len(items)), key=lambda place: token(seed, "order", rater, items[place].token))
    return [Turn(place, flipped[place]) for place in order]
