"""Where everything of a figure goes. Pure: from what is shown, and how wide text is, to places on a page.

Lengths are pixels at the figure's resolution, from the upper left corner; pictures stand on whole ones, so that
nothing that is drawn has to be resampled once more.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kling_nb.compare.figurecontent import Content, Item
from kling_nb.compare.figureparts import (
    GREY,
    HEAD,
    INK,
    LABEL,
    LINE,
    SMALL,
    Box,
    Layout,
    Rule,
    Words,
    abreast,
    best_columns,
    contained,
    groups,
    length,
    level_at,
    within,
)
from kling_nb.compare.figuretext import Measure, wrap

_PALE = "#c4c4c4"
_STRONG_RULE, _RULE = 0.7, 0.35
_MARGIN, _GAP, _NARROW_GAP, _PAD = 3.0, 6.0, 2.0, 4.0
_WIDEST_REFERENCE, _NARROWEST_REFERENCE = 68.0, 34.0
_WIDEST_LABELS, _ROOMY_LABELS = 0.24, 0.4
_NARROWEST_LABEL = 22.0
SMALLEST_IMAGE = 26.0
"""Points, in height: images become no smaller so that a page suffices."""
_MOST_HEAD_LINES, _MOST_LABEL_LINES = 3, 9


@dataclass(frozen=True, slots=True)
class _Sizes:
    """How large the images are: the height in each row, the width of each column, and how many stand abreast."""

    heights: tuple[int, ...]
    widths: tuple[int, ...]
    across: int


class Composer:
    """Lays one figure out.

    Parameters
    ----------
    content : Content
        What is on it.
    width : int
        Pixels.
    dpi : float
        Pixels an inch.
    height : float
        Pixels that it should not exceed; it does where images would become smaller than `SMALLEST_IMAGE`.
    measure : callable
        Returns the width in pixels of a line at a size in pixels.
    bold : callable
        The same for bold type.
    """

    def __init__(
        self, content: Content, width: int, dpi: float, height: float, measure: Measure, bold: Measure
    ) -> None:
        self._content = content
        self._point = dpi / 72
        self._page = Layout(width)
        self._most = height
        self._measure = measure
        self._bold = bold

    def smallest(self) -> float:
        """Return the least side of a generated image or box, in points; for an empty table, infinity."""
        shown = {id(each) for row in self._content.cells for cell in row for each in cell}
        sides = [min(box.width, box.height) for box, item in self._page.pictures if id(item) in shown]
        return min(sides, default=math.inf) / self._point

    def lay_out(self) -> Layout:
        """Return the page."""
        content, page = self._content, self._page
        references = self._reference_columns()
        reference = self._reference_width(len(references))
        labels = self._label_widths()
        left = len(references) * (reference + self._px(_GAP)) + sum(each + self._px(_GAP) for each in labels)
        room = page.width - 2 * self._px(_MARGIN) - left
        head = self._head_height(room / max(1, len(content.columns)))
        sizes = self._sizes(room, head)
        labels, columns = self._share(sizes, labels, room)
        x = self._px(_MARGIN)
        reference_x: list[float] = []
        label_x: list[float] = []
        column_x: list[float] = []
        for places, widths in ((reference_x, [reference] * len(references)), (label_x, labels), (column_x, columns)):
            for wide in widths:
                places.append(x)
                x += wide + self._px(_GAP)
        row_y, bottom = self._row_places(sizes, self._heads(reference_x, label_x, labels, column_x, columns))
        for index, row in enumerate(content.cells):
            for at, cell in enumerate(row):
                self._cell(cell, Box(column_x[at], row_y[index], columns[at], self._tall(sizes, index)), sizes, index)
        self._labels(label_x, labels, row_y, sizes)
        self._references(references, reference_x, reference, row_y, sizes)
        self._rules(row_y, sizes, label_x[0] if label_x else column_x[0])
        self._end(bottom)
        return page

    # ---- sizes -----------------------------------------------------------------------------------------

    def _px(self, points: float) -> float:
        return points * self._point

    def _line(self, size: float) -> float:
        return self._px(size) * LINE

    def _reference_columns(self) -> list[int]:
        """Return which columns of references there are: -1 for those of all cells, then the levels of the rows."""
        levels = range(len(self._content.row_axes))
        used = [level for level in levels if any(row.references[level] for row in self._content.rows)]
        return [-1] * bool(self._content.common) + used

    def _reference_width(self, count: int) -> float:
        if not count:
            return 0.0
        wide = 0.3 * self._page.width / count
        return max(self._px(_NARROWEST_REFERENCE), min(self._px(_WIDEST_REFERENCE), 0.14 * self._page.width, wide))

    def _label_widths(self) -> list[float]:
        natural = self._natural_labels()
        most = _WIDEST_LABELS * self._page.width
        return within(natural, most, self._px(_NARROWEST_LABEL))

    def _natural_labels(self) -> list[float]:
        """Return how wide the columns of labels would be if nothing was broken."""
        return [
            max(
                self._px(_NARROWEST_LABEL),
                self._measure(name, self._px(SMALL)) + 1,
                *(self._measure(row.labels[level], self._px(LABEL)) + 1 for row in self._content.rows),
            )
            for level, name in enumerate(self._content.row_axes)
        ]

    def _sizes(self, room: float, head: float) -> _Sizes:
        """Choose how many images stand abreast in a cell so that they become as large as the page allows."""
        most = max((len(cell) for row in self._content.cells for cell in row), default=1)
        # A last line with more than one gap in it looks as if images were missing.
        choices = [count for count in range(1, most + 1) if -most % count <= 1] or [1]
        found = [self._sizes_for(across, room, head) for across in choices]
        return max(found, key=lambda sizes: (min(sizes.heights, default=0), sizes.across))

    def _sizes_for(self, across: int, room: float, head: float) -> _Sizes:
        cells, gap, columns = self._content.cells, self._px(_NARROW_GAP), len(self._content.columns)
        lines = [[abreast(cell, across) for cell in row] for row in cells]
        weights = [
            max([sum(item.aspect for item in line) for row in lines for line in row[at]], default=1.0)
            for at in range(columns)
        ]
        total = sum(weights) or 1.0
        widths = [(room - (columns - 1) * self._px(_GAP)) * weight / total for weight in weights]
        fitting = [
            min(
                [
                    (widths[at] - (len(line) - 1) * gap) / sum(item.aspect for item in line)
                    for at in range(columns)
                    for line in row[at]
                ],
                default=self._px(SMALLEST_IMAGE),
            )
            for row in lines
        ]
        counts = [max([len(cell) for cell in row], default=1) or 1 for row in lines]
        fixed = head + sum((count - 1) * gap + 2 * self._px(_PAD) for count in counts) + self._line(SMALL) * 2
        cap = level_at(fitting, counts, self._most - fixed)
        heights = [max(1, math.floor(min(high, max(cap, self._px(SMALLEST_IMAGE))))) for high in fitting]
        needed = [
            max(
                [length(line, high, gap) for row, high in zip(lines, heights, strict=True) for line in row[at]],
                default=1,
            )
            for at in range(columns)
        ]
        return _Sizes(tuple(heights), tuple(math.ceil(each) for each in needed), across)

    def _share(self, sizes: _Sizes, labels: list[float], room: float) -> tuple[list[float], list[float]]:
        """Give what the images leave free to the labels first, and then to all columns alike."""
        columns = len(sizes.widths)
        free = max(0.0, room - (columns - 1) * self._px(_GAP) - sum(sizes.widths))
        roomy = within(self._natural_labels(), _ROOMY_LABELS * self._page.width, self._px(_NARROWEST_LABEL))
        wanted = [max(0.0, new - old) for new, old in zip(roomy, labels, strict=True)]
        given = min(1.0, free / sum(wanted)) if sum(wanted) else 0.0
        grown = [old + given * more for old, more in zip(labels, wanted, strict=True)]
        rest = max(0.0, free - given * sum(wanted)) / max(1, columns)
        return grown, [width + rest for width in sizes.widths]

    def _tall(self, sizes: _Sizes, row: int) -> float:
        """Return how high a row's images are together."""
        count = max((len(abreast(cell, sizes.across)) for cell in self._content.cells[row]), default=1) or 1
        return count * sizes.heights[row] + (count - 1) * self._px(_NARROW_GAP)

    # ---- heads -----------------------------------------------------------------------------------------

    def _head_height(self, width: float) -> float:
        """Return about how high the heads are, which is needed before it is known how wide columns are."""
        levels = len(self._content.columns[0].labels) if self._content.columns else 0
        high = 0.0
        for level in range(levels):
            group = groups(self._content.columns, level)
            lines = max(len(self._wrapped(side.labels[level], width * count, HEAD)) for _, count, side in group)
            high += lines * self._line(HEAD) + self._px(_PAD)
            high += self._head_picture() if any(side.references[level] for _, _, side in group) else 0.0
        return max(high, self._line(SMALL)) + self._px(_PAD + _MARGIN)

    def _head_picture(self) -> float:
        return self._px(_NARROWEST_REFERENCE + _PAD) + self._line(SMALL)

    def _wrapped(self, text: str, width: float, size: float, most: int = _MOST_HEAD_LINES) -> tuple[str, ...]:
        return wrap(text, width, self._px(size), self._bold if size == HEAD else self._measure, most)

    def _heads(
        self,
        reference_x: Sequence[float],
        label_x: Sequence[float],
        labels: Sequence[float],
        column_x: Sequence[float],
        columns: Sequence[float],
    ) -> float:
        """Write what is above the rows; return where they begin."""
        y = self._px(_MARGIN)
        levels = len(self._content.columns[0].labels) if self._content.columns else 0
        for level in range(levels):
            y = self._head_level(level, y, column_x, columns, last=level == levels - 1)
        bottom = max(y, self._px(_MARGIN) + self._line(SMALL))
        if reference_x:
            end = label_x[0] if label_x else column_x[0]
            wide = end - self._px(_GAP) - reference_x[0]
            self._write(self._content.heading, Box(reference_x[0], 0, wide, 0), SMALL, bottom=bottom)
        for x, wide, name in zip(label_x, labels, self._content.row_axes, strict=True):
            self._write(name, Box(x, 0, wide, 0), SMALL, bottom=bottom)
        bottom += self._px(_PAD) / 2
        start = self._px(_MARGIN)
        self._page.rules.append(Rule(start, bottom, self._page.width - start, bottom, _STRONG_RULE, INK))
        return bottom

    def _head_level(
        self, level: int, y: float, column_x: Sequence[float], columns: Sequence[float], *, last: bool
    ) -> float:
        spans = [
            (column_x[start], column_x[start + count - 1] + columns[start + count - 1] - column_x[start], side)
            for start, count, side in groups(self._content.columns, level)
        ]
        wrapped = [self._wrapped(side.labels[level], wide, HEAD) for _, wide, side in spans]
        high = max(len(lines) for lines in wrapped) * self._line(HEAD)
        picture = self._head_picture() if any(side.references[level] for _, _, side in spans) else 0.0
        for (x, wide, side), lines in zip(spans, wrapped, strict=True):
            top = y + high - len(lines) * self._line(HEAD)
            if lines:
                box = Box(x, top, wide, len(lines) * self._line(HEAD))
                self._page.words.append(Words(box, lines, HEAD, "center", bold=True))
            if side.references[level]:
                self._tiles(side.references[level], Box(x, y + high, wide, picture - self._px(_PAD) / 2), one_line=True)
            if not last:
                under = y + high + picture + self._px(1)
                self._page.rules.append(Rule(x, under, x + wide, under, _RULE, INK))
        return y + high + picture + (0.0 if last else self._px(_PAD))

    def _write(self, text: str, box: Box, size: float, *, bottom: float) -> None:
        lines = self._wrapped(text, box.width, size, 1)
        if lines:
            high = len(lines) * self._line(size)
            self._page.words.append(Words(Box(box.x, bottom - high, box.width, high), lines, size, colour=GREY))

    # ---- rows ------------------------------------------------------------------------------------------

    def _row_places(self, sizes: _Sizes, y: float) -> tuple[list[int], float]:
        places = []
        for index in range(len(self._content.rows)):
            y += self._px(_PAD)
            places.append(math.ceil(y))
            y = places[-1] + self._tall(sizes, index) + self._px(_PAD)
        return places, y

    def _cell(self, items: Sequence[Item], box: Box, sizes: _Sizes, row: int) -> None:
        if not items:
            high = self._line(LABEL)
            middle = Box(box.x, box.y + (box.height - high) / 2, box.width, high)
            self._page.words.append(Words(middle, ("–",), LABEL, "center", colour=GREY))
            return
        gap, high = self._px(_NARROW_GAP), sizes.heights[row]
        lines = abreast(items, sizes.across)
        widest = max(length(line, high, gap) for line in lines)
        left = box.x + max(0.0, (box.width - widest) / 2)
        y = box.y
        for line in lines:
            x = left
            for item in line:
                wide = max(1, math.floor(high * item.aspect))
                self._page.pictures.append((Box(math.floor(x), math.floor(y), wide, high), item))
                x += wide + gap
            y += high + gap

    def _labels(self, label_x: Sequence[float], labels: Sequence[float], row_y: Sequence[int], sizes: _Sizes) -> None:
        for level, (x, wide) in enumerate(zip(label_x, labels, strict=True)):
            for start, count, side in groups(self._content.rows, level):
                box = self._span(start, count, row_y, sizes)
                most = min(_MOST_LABEL_LINES, max(1, math.floor(box.height / self._line(LABEL))))
                lines = self._wrapped(side.labels[level], wide, LABEL, most)
                if lines:
                    high = len(lines) * self._line(LABEL)
                    place = Box(x, box.y + (box.height - high) / 2, wide, high)
                    self._page.words.append(Words(place, lines, LABEL))

    def _references(
        self, which: Sequence[int], places: Sequence[float], width: float, row_y: Sequence[int], sizes: _Sizes
    ) -> None:
        for level, x in zip(which, places, strict=True):
            if level < 0:
                box = self._span(0, len(row_y), row_y, sizes)
                self._tiles(self._content.common, Box(x, box.y, width, box.height), top=True)
                continue
            for start, count, side in groups(self._content.rows, level):
                if side.references[level]:
                    box = self._span(start, count, row_y, sizes)
                    self._tiles(side.references[level], Box(x, box.y, width, box.height))

    def _span(self, start: int, count: int, row_y: Sequence[int], sizes: _Sizes) -> Box:
        last = start + count - 1
        return Box(0, row_y[start], 0, row_y[last] + self._tall(sizes, last) - row_y[start])

    def _tiles(self, items: Sequence[Item], box: Box, *, top: bool = False, one_line: bool = False) -> None:
        """Place references into a box as large as they go in, each with its role below."""
        caption, gap = self._line(SMALL), self._px(_NARROW_GAP)
        columns = len(items) if one_line else best_columns(items, box, caption, gap)
        rows = math.ceil(len(items) / columns)
        wide = (box.width - (columns - 1) * gap) / columns
        high = (box.height - (rows - 1) * gap) / rows - caption
        wide = min(wide, self._px(_WIDEST_REFERENCE)) if one_line else wide
        left = box.x + (box.width - columns * wide - (columns - 1) * gap) / 2
        sizes = [contained(item.aspect, wide, high) for item in items]
        # Above one another, they stand as close as they are high, and not as the box would have them.
        talls = [max(each[1] for each in sizes[row * columns : (row + 1) * columns]) + caption for row in range(rows)]
        y = box.y if top else box.y + max(0.0, (box.height - sum(talls) - (rows - 1) * gap) / 2)
        for index, (item, (width, height)) in enumerate(zip(items, sizes, strict=True)):
            row, at = divmod(index, columns)
            x = left + at * (wide + gap)
            upper = y + sum(talls[:row]) + row * gap
            place = Box(
                math.floor(x + (wide - width) / 2), math.floor(upper + talls[row] - caption - height), width, height
            )
            self._page.pictures.append((place, item))
            lines = self._wrapped(item.words, wide, SMALL, 1)
            if lines:
                under = Box(x, upper + talls[row] - caption, wide, caption)
                self._page.words.append(Words(under, lines, SMALL, "center", colour=GREY))

    # ---- lines and the end -----------------------------------------------------------------------------

    def _rules(self, row_y: Sequence[int], sizes: _Sizes, left: float) -> None:
        """Draw a line between rows, from where the outermost label changes."""
        rows, right = self._content.rows, self._page.width - self._px(_MARGIN)
        for index in range(1, len(rows)):
            y = (row_y[index - 1] + self._tall(sizes, index - 1) + row_y[index]) / 2
            changed = rows[index].keys[:1] != rows[index - 1].keys[:1] and len(rows[index].keys) > 1
            self._page.rules.append(Rule(left, y, right, y, _RULE, GREY if changed else _PALE))

    def _end(self, bottom: float) -> None:
        page, margin = self._page, self._px(_MARGIN)
        page.rules.append(Rule(margin, bottom, page.width - margin, bottom, _STRONG_RULE, INK))
        if self._content.note:
            wide = page.width - 2 * margin
            lines = self._wrapped(self._content.note, wide, SMALL)
            high = len(lines) * self._line(SMALL)
            box = Box(margin, bottom + self._px(_PAD) / 2, wide, high)
            page.words.append(Words(box, lines, SMALL, colour=GREY))
            bottom = box.y + high
        page.height = math.ceil(bottom + margin)
