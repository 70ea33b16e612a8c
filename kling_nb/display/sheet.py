"""One picture of all images with a caption, for where HTML does not reach: PDF, slides, previews."""

import contextlib
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from kling_nb.display import thumbnails
from kling_nb.display.layout import MAX_TILES, aspect, grid
from kling_nb.display.lettering import drawable, font_of, wrapped
from kling_nb.display.story import SANDBOX, model, ratio
from kling_nb.display.view import TaskView, Tile, asked
from kling_nb.display.words import joined, one_line, plural, when
from kling_nb.imagedata import NotAnImage, facts

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

MAX_BYTES = 60_000

_DRAWN = 1
"""Of all kept sheets: to be raised with any change of what is drawn."""

_MARGIN = 20
_GAP = 10
_NARROWEST = 560
_SMALLEST = 0.2
"""The scale at which the pictures stop shrinking: what is left is mostly caption, some 10 kB."""

_PROMPT_SIZE, _FACTS_SIZE = 19, 15
_INK, _GREY, _RULE = (17, 17, 17), (96, 96, 96), (170, 170, 170)


def contact_sheet(view: TaskView, max_bytes: int = MAX_BYTES) -> bytes | None:
    """Draw all images of a task on white, with a caption that identifies them.

    Parameters
    ----------
    view : TaskView
        The sheet is made of its thumbnails.
    max_bytes : int
        The most bytes wanted.

    Returns
    -------
    bytes or None
        A JPEG; None where the task has no picture.
    """
    return sheet([Tile(view, index) for index in view.indices()], max_bytes)


def sheet(tiles: Sequence[Tile], max_bytes: int = MAX_BYTES) -> bytes | None:
    """Draw chosen images of one task or several on white.

    Parameters
    ----------
    tiles : sequence of Tile
        The first nine are drawn. The caption is that of the first one's task.
    max_bytes : int
        The most bytes wanted.

    Returns
    -------
    bytes or None
        A JPEG; None where not one of them has a readable picture.
    """
    shown = list(tiles)[:MAX_TILES]
    pictures = [_open(tile) for tile in shown]
    if not any(pictures):
        return None
    try:
        return _within(max_bytes, shown, pictures)
    except ImportError:
        return None  # A Pillow built without FreeType cannot write, and a sheet says what it shows.


def kept_sheet(tiles: Sequence[Tile], max_bytes: int = MAX_BYTES) -> bytes | None:
    """Return the same as `sheet`, drawn once: drawing takes longer than all the rest of a grid together.

    Parameters
    ----------
    tiles : sequence of Tile
        Those of a view that keeps nothing are drawn each time.
    max_bytes : int
        The most bytes wanted.
    """
    keep = tiles[0].view.keep if tiles else None
    if keep is None:
        return sheet(tiles, max_bytes)
    name = f"{_recipe(tiles[:MAX_TILES], max_bytes)}_sheet"
    # One that cannot be read or kept is drawn.
    with contextlib.suppress(Exception):
        kept = keep.thumbnail(name)
        if kept is not None:
            facts(kept)
            return kept
    drawn = sheet(tiles, max_bytes)
    if drawn is not None:
        with contextlib.suppress(Exception):
            keep.keep_thumbnail(name, drawn)
    return drawn


def _recipe(tiles: Sequence[Tile], max_bytes: int) -> str:
    """Return a hash of everything that a sheet is drawn from."""
    import PIL

    parts: list[object] = [_DRAWN, PIL.__version__, max_bytes, len(tiles)]
    for tile in tiles:
        record, small = tile.view.record, tile.view.thumbnails.get(tile.index)
        parts += [record.id, model(record), record.prompt, ratio(record), asked(record), record.sandbox]
        parts += [when(record.created_at), aspect(record, tile.view.image(tile.index))]
        parts += [None if small is None else hashlib.sha256(small).hexdigest()]
    return hashlib.sha256(repr(parts).encode(errors="backslashreplace")).hexdigest()


def _within(max_bytes: int, shown: Sequence[Tile], pictures: Sequence["Image.Image | None"]) -> bytes:
    caption = _Caption(shown)
    # Spending many more bytes than the thumbnails have would only record their artefacts faithfully.
    known = sum(len(tile.view.thumbnails.get(tile.index, b"")) for tile in shown)
    cap = min(max_bytes, 8_000 + known * 5 // 4)
    scale, start = 1.0, thumbnails.BEST
    while True:
        page = _page(shown, pictures, caption, scale)
        data = thumbnails.encode(page, cap, start)
        if len(data) <= cap or scale < _SMALLEST:
            return data
        # The pictures shrink, the caption stays legible.
        start = thumbnails.SMALLER_BEST
        scale *= min(0.9, 0.97 * (cap / len(data)) ** 0.6)


def _open(tile: Tile) -> "Image.Image | None":
    data = tile.view.thumbnails.get(tile.index)
    try:
        return thumbnails.decode(data, thumbnails.THUMBNAIL_PIXELS) if data else None
    except NotAnImage:
        return None


def _page(
    tiles: Sequence[Tile], pictures: Sequence["Image.Image | None"], caption: "_Caption", scale: float
) -> "Image.Image":
    from PIL import Image, ImageDraw

    shape = grid(
        [
            picture.width / picture.height if picture else aspect(tile.view.record, tile.view.image(tile.index))
            for tile, picture in zip(tiles, pictures, strict=True)
        ],
        gap=_GAP,
    )
    cells = [
        _cell(picture, tile, max(16, round(width * scale)))
        for tile, picture, width in zip(tiles, pictures, shape.pictures, strict=True)
    ]
    column = max(cell.width for cell in cells)
    rows = [cells[start : start + shape.columns] for start in range(0, len(cells), shape.columns)]
    width = max(_NARROWEST, shape.columns * (column + _GAP) - _GAP) + 2 * _MARGIN
    lines = caption.lines(width - 2 * _MARGIN)
    height = sum(max(cell.height for cell in row) + _GAP for row in rows) + 2 * _MARGIN
    page = Image.new("RGB", (width, height + sum(line.height for line in lines)), "white")
    top = _MARGIN
    for row in rows:
        for place, cell in enumerate(row):
            page.paste(cell, (_MARGIN + place * (column + _GAP), top))
        top += max(cell.height for cell in row) + _GAP
    _write(ImageDraw.Draw(page), lines, top)
    return page


def _cell(picture: "Image.Image | None", tile: Tile, width: int) -> "Image.Image":
    from PIL import Image, ImageDraw

    if picture:
        height = max(1, round(width * picture.height / picture.width))
        # Half the cost of the default filter, and as good for making a picture a little smaller.
        return picture.resize((width, height), Image.Resampling.HAMMING)
    height = max(1, round(width / aspect(tile.view.record, tile.view.image(tile.index))))
    blank = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(blank)
    draw.rectangle((0, 0, width - 1, height - 1), outline=_RULE)
    draw.text((width / 2, height / 2), "missing", fill=_GREY, font=font_of(_FACTS_SIZE), anchor="mm")
    return blank


class _Line(NamedTuple):
    text: str
    size: int
    height: int
    boxed: str = ""


class _Caption:
    """The words under the pictures, in what the one font that Pillow brings along can draw."""

    def __init__(self, tiles: Sequence[Tile]) -> None:
        views = list({tile.view.record.id: tile.view for tile in tiles}.values())
        record = views[0].record
        self._prompt = drawable(one_line(record.prompt, 400), "prompt", len(record.prompt))
        self._mark = SANDBOX if any(view.record.sandbox for view in views) else ""
        images = plural(len(tiles), "image")
        if len(views) > 1:
            self._prompt = ""
            self._facts = [joined(images, f"of {plural(len(views), 'task')}"), ""]
            return
        if len(tiles) < asked(record):
            images = f"{len(tiles)} of {plural(asked(record), 'image')}"
        self._facts = [
            joined(drawable(model(record), "model"), ratio(record), images),
            joined(when(record.created_at), drawable(one_line(record.id, 60), "id")),
        ]

    def lines(self, width: int) -> list[_Line]:
        """Return the caption broken to a width in pixels."""
        prompt = wrapped(self._prompt, _PROMPT_SIZE, width)
        one = joined(*self._facts)
        mark_width = font_of(_FACTS_SIZE).getlength(self._mark) + 30 if self._mark else 0
        fits = font_of(_FACTS_SIZE).getlength(one) + mark_width <= width
        facts = [one] if fits else [fact for fact in self._facts if fact]
        lines = [_Line(text, _PROMPT_SIZE, 26) for text in prompt]
        lines += [_Line(fact, _FACTS_SIZE, 23) for fact in facts]
        marked = len(prompt)
        lines[marked] = lines[marked]._replace(boxed=self._mark)
        return lines


def _write(draw: "ImageDraw.ImageDraw", lines: Sequence[_Line], top: int) -> None:
    for line in lines:
        font, left = font_of(line.size), _MARGIN
        middle = top + line.height // 2
        if line.boxed:
            wide = round(font.getlength(line.boxed))
            draw.rectangle((left, middle - 10, left + wide + 14, middle + 10), outline=_INK)
            draw.text((left + 7, middle), line.boxed, fill=_INK, font=font, anchor="lm")
            left += wide + 26
        ink = _INK if line.size == _PROMPT_SIZE else _GREY
        draw.text((left, middle), line.text, fill=ink, font=font, anchor="lm")
        top += line.height
