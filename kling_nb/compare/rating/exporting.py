"""A rating as a folder that opens in any browser: for raters who have no notebook.

The page has pictures under names that say nothing, and does not know which is which: only the workspace does.
"""

import secrets
from pathlib import Path
from typing import Any

from kling_nb.compare import folders
from kling_nb.compare.progress import Progress
from kling_nb.compare.rating import ratingpage
from kling_nb.compare.rating.desk import Exhibit, readable
from kling_nb.compare.rating.sheets import sheet
from kling_nb.display.words import plural
from kling_nb.session.screen import Screen

_SHEETS = 32
"""Orders that the page chooses from by the rater's name."""


def export(exhibit: Exhibit, folder: Any, where: Screen) -> Path:
    """Write a rating as a folder.

    Parameters
    ----------
    exhibit : Exhibit
        What the rating is about.
    folder : str or path
        There is nothing of that name yet.
    where : Screen
        Shows progress.

    Returns
    -------
    Path
        The folder, absolute.

    Raises
    ------
    InvalidRequest
        There is something of that name, or it is no name.
    WorkspaceError
        It cannot be written, or a picture cannot be read; nothing is left of it.
    """
    target = folders.checked(folder)
    sources = dict(exhibit.sources())
    progress = Progress(where, f"Writing {plural(len(sources), 'picture')}", len(sources))
    items, sheets = _drawn(exhibit)
    try:
        with folders.whole(target) as aside:
            (aside / "images").mkdir()
            for name, read in sources.items():
                (aside / "images" / f"{name}.jpg").write_bytes(readable(read))
                progress.step()
            study = exhibit.study(None)
            text = ratingpage.html(study, items, sheets, rating=exhibit.plan.id, page=secrets.token_hex(12))
            (aside / "index.html").write_text(text, encoding="utf-8", newline="\n")
    except BaseException:
        where.done()
        raise
    progress.end(f"Wrote {plural(len(items), 'item')} to rate into {target.name}.")
    return target


def _drawn(exhibit: Exhibit) -> tuple[list[dict[str, Any]], list[list[list[int]]]]:
    """Return the items in an order and with sides that tell nothing, and the orders in which they are shown."""
    plan = exhibit.plan
    # Sorted by their tokens, which are as random as a hash.
    ranked = sorted(range(len(exhibit.items)), key=lambda place: exhibit.items[place].token)
    places = {place: rank for rank, place in enumerate(ranked)}
    shown = [exhibit.item(exhibit.items[place]) for place in range(len(exhibit.items))]
    swapped = [each["pictures"] != sorted(each["pictures"]) for each in shown]
    sheets = [
        [
            [places[turn.place], int(turn.flipped != swapped[turn.place])]
            for turn in sheet(exhibit.items, plan.seed, f"page {number}")
        ]
        for number in range(_SHEETS)
    ]
    return [shown[place] | {"pictures": sorted(shown[place]["pictures"])} for place in ranked], sheets
