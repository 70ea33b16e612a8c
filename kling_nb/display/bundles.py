"""Tasks and images as the MIME bundles that a notebook shows and stores."""

import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from kling_nb.display.details import details_html
from kling_nb.display.grid import alt, images_html, line_html, warnings_html
from kling_nb.display.layout import MAX_TILES
from kling_nb.display.markup import block, mark, muted, page, story_html
from kling_nb.display.metadata import plain, task_metadata
from kling_nb.display.sheet import MAX_BYTES as SHEET_BYTES
from kling_nb.display.sheet import kept_sheet
from kling_nb.display.story import story
from kling_nb.display.text import image_text, task_text
from kling_nb.display.view import TaskView, Tile, asked
from kling_nb.display.words import esc, joined, one_line, pixels, plural, size
from kling_nb.imagedata import facts

Bundle = tuple[dict[str, Any], dict[str, Any]]
"""Data by MIME type, and metadata."""

MOST_BYTES = 400_000
"""What one output may add to a notebook, written as JSON."""

LEAST_SHEET = 12_000


def task_bundle(view: TaskView, *, now: float) -> Bundle:
    """Return a task as a notebook shows it.

    Parameters
    ----------
    view : TaskView
        The task.
    now : float
        Seconds since the epoch, for the running time of an unfinished task.

    Returns
    -------
    data : dict
        ``text/html``, ``text/plain`` and, where there is a picture, ``image/jpeg`` in base64.
    metadata : dict
        ``kling_nb``: request, references, ids, times, images and status, for machines.
    """
    tiles = [Tile(view, index) for index in view.indices()]
    html = page(
        images_html(tiles, numbered=len(tiles) > 1),
        line_html(view, now),
        story_html(story(view)),
        warnings_html(view),
        details_html(view),
    )
    text = task_text(view.record, now=now, files=view.files, price=view.price, how_to_collect=view.how_to_collect)
    return _bundle(html, text, tiles, task_metadata(view.record, price=view.price))


def image_bundle(view: TaskView, index: int) -> Bundle:
    """Return one image of a task as a notebook shows it.

    Parameters
    ----------
    view : TaskView
        The task.
    index : int
        Which of its images.

    Returns
    -------
    data, metadata : dict
        As of `task_bundle`.
    """
    return images_bundle([(view, index)])


def images_bundle(chosen: Sequence[tuple[TaskView, int]]) -> Bundle:
    """Return a list of images, of one task or several, as a notebook shows it.

    Parameters
    ----------
    chosen : sequence of (TaskView, int)
        Tasks and indices; the first nine are shown.

    Returns
    -------
    data, metadata : dict
        As of `task_bundle`; ``metadata["kling_nb"]["images"]`` names the task and index of each.
    """
    tiles = [Tile(view, index) for view, index in chosen]
    html = page(images_html(tiles, numbered=len(tiles) > 1), _source(tiles))
    text = "\n".join(image_text(tile.view, tile.index) for tile in tiles[:MAX_TILES]) or "no images"
    more = len(tiles) - MAX_TILES
    text += f"\nand {plural(more, 'more image')}" if more > 0 else ""
    named = [
        {"id": tile.view.record.id, "index": tile.index, "sha256": tile.view.image(tile.index).sha256} for tile in tiles
    ]
    return _bundle(html, text, tiles, {"images": plain(named)})


def _source(tiles: Sequence[Tile]) -> str:
    """Return the line that says where images come from."""
    views = list({tile.view.record.id: tile.view for tile in tiles}.values())
    if not views:
        return block(muted("no images"))
    sandbox = mark(any(view.record.sandbox for view in views))
    if len(views) > 1:
        return block(sandbox + muted(f"{plural(len(tiles), 'image')} of {plural(len(views), 'task')}"), "margin:4px 0")
    view = views[0]
    record, index = view.record, tiles[0].index
    if len(tiles) == 1:
        image = view.image(index)
        which = f"image {index + 1} of {max(asked(record), index + 1)}"
        own = joined(which, pixels(image.width, image.height), size(image.size))
    else:
        own = plural(len(tiles), "image")
    return block(sandbox + esc(joined(own, one_line(record.id, 80)), 300), "margin:4px 0")


def _alt(tiles: Sequence[Tile]) -> str:
    if not tiles:
        return ""
    if len(tiles) == 1:
        return alt(tiles[0].view, tiles[0].index)
    record = tiles[0].view.record
    mark = ", sandbox" if any(tile.view.record.sandbox for tile in tiles) else ""
    return f"{one_line(record.prompt, 100) or 'generated images'} ({plural(len(tiles), 'image')}{mark})"


def _bundle(html: str, text: str, tiles: Sequence[Tile], account: dict[str, Any]) -> Bundle:
    data: dict[str, Any] = {"text/html": html, "text/plain": text}
    metadata: dict[str, Any] = {"kling_nb": account}
    # A sheet is the one part that can give way; a long prompt in a script that JSON escapes needs it.
    room = MOST_BYTES - len(json.dumps([data, metadata])) - 2_000
    jpeg = kept_sheet(tiles, max(LEAST_SHEET, min(SHEET_BYTES, room * 3 // 4)))
    if jpeg is not None:
        data["image/jpeg"] = b64encode(jpeg).decode("ascii")
        _, width, height = facts(jpeg)
        metadata["image/jpeg"] = {"width": width, "height": height, "alt": _alt(tiles)}
    return data, metadata
