"""A page of a comparison as one picture, for where HTML does not reach: PDF, slides, previews."""

from typing import TYPE_CHECKING

from kling_nb.compare.arrange import Line, Table
from kling_nb.compare.gridhtml import Pictures, images_of
from kling_nb.compare.records import Filled
from kling_nb.compare.states import state
from kling_nb.display import thumbnails
from kling_nb.display.lettering import drawable, font_of, wrapped
from kling_nb.imagedata import NotAnImage
from kling_nb.parallel import in_parallel

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

MAX_BYTES = 60_000
_MARGIN, _GAP = 16, 6
_LABEL = 130
_TITLE, _SIZE, _HEIGHT = 17, 13, 17
_ACROSS = 2
_WIDTHS = (150, 110, 80, 56, 40)
_INK, _GREY, _RULE = (17, 17, 17), (96, 96, 96), (190, 190, 190)


def table_sheet(table: Table, pictures: Pictures, title: str, max_bytes: int = MAX_BYTES) -> bytes | None:
    """Draw a page's rows and columns on white, with their labels.

    Parameters
    ----------
    table : Table
        What is on the page.
    pictures : Pictures
        Its small pictures.
    title : str
        Above it.
    max_bytes : int
        The most bytes wanted.

    Returns
    -------
    bytes or None
        A JPEG; None where there is no picture.
    """
    if not pictures.thumbnails:
        return None
    # Once for all widths: opening them takes longer than drawing.
    all_opened = in_parallel(_opened, pictures.thumbnails.values())
    opened = {key: image for key, image in zip(pictures.thumbnails, all_opened, strict=True) if image is not None}
    try:
        for width in _WIDTHS:
            resized = {key: _resized(image, width) for key, image in opened.items()}
            data = thumbnails.encode(_Sheet(table, resized, width).draw(title), max_bytes)
            if len(data) <= max_bytes:
                break
    except ImportError:
        return None  # A Pillow built without FreeType cannot write, and a sheet says what it shows.
    return data


class _Sheet:
    """A sheet with pictures of one width."""

    def __init__(self, table: Table, pictures: dict[tuple[str, int], "Image.Image"], width: int) -> None:
        self._table = table
        self._width = width
        self._pictures = pictures
        most = max(
            (len(images_of(task)) for row in table.cells for each in row if each for task in each.samples), default=1
        )
        self._across = max(1, min(_ACROSS, most))
        self._column = self._across * (width + _GAP) + _GAP
        self._labels = _LABEL if table.row_axes else 0

    def draw(self, title: str) -> "Image.Image":
        """Return the sheet."""
        from PIL import Image, ImageDraw

        heads = [self._words(line, self._column - _GAP) for line in self._table.columns]
        rows = [self._row(index) for index in range(len(self._table.rows))]
        top = _MARGIN + 26
        head = max((len(words) for words in heads), default=0) * _HEIGHT + _GAP
        width = max(420, self._labels + len(heads) * self._column) + 2 * _MARGIN
        height = top + head + sum(height + _GAP for height, _ in rows) + _MARGIN
        sheet = Image.new("RGB", (width, height), "white")
        draw = ImageDraw.Draw(sheet)
        draw.text((_MARGIN, _MARGIN), drawable(title, "title"), fill=_INK, font=font_of(_TITLE))
        for place, words in enumerate(heads):
            self._write(draw, words, _MARGIN + self._labels + place * self._column, top)
        top += head
        for (height, cells), line in zip(rows, self._table.rows, strict=True):
            draw.line((_MARGIN, top - _GAP // 2, width - _MARGIN, top - _GAP // 2), fill=_RULE)
            self._write(draw, self._words(line, _LABEL - _GAP), _MARGIN, top)
            for place, parts in enumerate(cells):
                self._place(sheet, draw, parts, _MARGIN + self._labels + place * self._column, top)
            top += height + _GAP
        return sheet

    def _words(self, line: Line, width: int) -> list[str]:
        texts = [drawable(label, "label") for label in line.labels]
        return [word for text in texts for word in wrapped(text, _SIZE, width, 2)]

    def _row(self, index: int) -> tuple[int, list[list["Image.Image | str"]]]:
        cells = [self._parts(each) for each in self._table.cells[index]]
        labels = len(self._words(self._table.rows[index], _LABEL - _GAP)) * _HEIGHT
        return max([labels, *(self._height(parts) for parts in cells)]), cells

    def _parts(self, filled: Filled | None) -> list["Image.Image | str"]:
        parts: list[Image.Image | str] = []
        for task in filled.samples if filled is not None else ():
            images = [(task, image) for image in images_of(task)] if task is not None else []
            parts += [self._pictures.get((record.id, image.index), "missing") for record, image in images]
            parts += [] if images else [state(task)]
        return parts

    def _height(self, parts: list["Image.Image | str"]) -> int:
        lines = [parts[start : start + self._across] for start in range(0, len(parts), self._across)]
        return sum(max(_tall(part) for part in line) + _GAP for line in lines)

    def _place(
        self, sheet: "Image.Image", draw: "ImageDraw.ImageDraw", parts: list["Image.Image | str"], left: int, top: int
    ) -> None:
        for start in range(0, len(parts), self._across):
            line = parts[start : start + self._across]
            for place, part in enumerate(line):
                at = (left + place * (self._width + _GAP), top)
                if isinstance(part, str):
                    draw.text(at, part, fill=_GREY, font=font_of(_SIZE))
                else:
                    sheet.paste(part, at)
            top += max(_tall(part) for part in line) + _GAP

    def _write(self, draw: "ImageDraw.ImageDraw", words: list[str], left: int, top: int) -> None:
        for number, word in enumerate(words):
            draw.text((left, top + number * _HEIGHT), word, fill=_INK, font=font_of(_SIZE))


def _opened(jpeg: bytes) -> "Image.Image | None":
    try:
        return thumbnails.decode(jpeg, 2 * _WIDTHS[0])
    except NotAnImage:
        return None


def _resized(image: "Image.Image", width: int) -> "Image.Image":
    from PIL import Image

    return image.resize((width, max(1, round(width * image.height / image.width))), Image.Resampling.HAMMING)


def _tall(part: "Image.Image | str") -> int:
    return _HEIGHT if isinstance(part, str) else part.height
