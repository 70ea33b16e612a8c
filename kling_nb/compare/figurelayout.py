"""Where everything of a figure goes. Pure: from what is shown, and how wide text is, to places on a page.

Lengths are pixels at the figure's resolution, from the upper left corner; pictures stand on whole ones, so that
nothing that is drawn has to be resampled once more.
"""

import math
from collections.abc import Sequence

from kling_nb.compare.figurecontent import Content, Item, Side
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
    within,
)
from kling_nb.compare.figuresizes import Room, Sizes
from kling_nb.compare.figuresizes import sizes as choose_sizes
from kling_nb.compare.figuretext import Measure, wrap

_PALE = "#c4c4c4"
_STRONG_RULE, _RULE = 0.7, 0.35
_MARGIN, _GAP, _NARROW_GAP, _PAD = 3.0, 6.0, 2.0, 4.0
_WIDEST_REFERENCE, _NARROWEST_REFERENCE = 68.0, 34.0
_WIDEST_LABELS, _ROOMY_LABELS = 0.24, 0.4
_NARROWEST_LABEL = 22.0
SMALLEST_IMAGE = 26.0
"""Points, in height: images become no smaller so that a page suffices."""
_MOST_HEAD_LINES, _MOST_LABEL_LINES, _LEAST_LABEL_LINES = 3, 9, 4


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
        sizes = choose_sizes(content.cells, len(content.columns), self._room(room, head, labels))
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
                self._cell(cell, Box(column_x[at], row_y[index], columns[at], sizes.talls[index]), sizes, index)
        self._labels(label_x, labels, row_y, sizes)
        self._references(references, reference_x, reference, row_y, sizes)
        self._rules(row_y, sizes, [*label_x, column_x[0]])
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
        wide = min(0.3 / count, 0.6 / (1 + len(self._content.columns))) * self._page.width
        return max(self._px(_NARROWEST_REFERENCE), min(self._px(_WIDEST_REFERENCE), 0.14 * self._page.width, wide))

    def _label_widths(self) -> list[float]:
        natural = self._natural_labels()
        # Many columns of images need the room more.
        most = _WIDEST_LABELS * self._page.width * min(1.0, 4 / (1 + len(self._content.columns)))
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

    def _room(self, width: float, head: float, labels: Sequence[float]) -> Room:
        note = self._line(SMALL) + self._px(_PAD) if self._content.note else 0.0
        high = self._most - head - note - 2 * self._px(_MARGIN)
        return Room(
            width,
            high,
            between=self._px(_GAP),
            above=2 * self._px(_PAD) + 1,
            gap=self._px(_NARROW_GAP),
            smallest=self._px(SMALLEST_IMAGE),
            labels=tuple(self._label_height(row, labels, high / len(self._content.rows)) for row in self._content.rows),
        )

    def _label_height(self, row: Side, labels: Sequence[float], share: float) -> float:
        """Return how high a row's own label is in the least, or as much of it as there is room for."""
        if not labels:
            return 0.0
        most = max(1, min(_LEAST_LABEL_LINES, math.floor(share / self._line(LABEL)) - 1))
        return max(1, len(self._wrapped(row.labels[-1], labels[-1], LABEL, most))) * self._line(LABEL)

    def _share(self, sizes: Sizes, labels: list[float], room: float) -> tuple[list[float], list[float]]:
        """Give what the images leave free to the labels first, and then to all columns alike."""
        columns = len(sizes.widths)
        free = max(0.0, room - (columns - 1) * self._px(_GAP) - sum(sizes.widths))
        roomy = within(self._natural_labels(), _ROOMY_LABELS * self._page.width, self._px(_NARROWEST_LABEL))
        wanted = [max(0.0, new - old) for new, old in zip(roomy, labels, strict=True)]
        given = min(1.0, free / sum(wanted)) if sum(wanted) else 0.0
        grown = [old + given * more for old, more in zip(labels, wanted, strict=True)]
        rest = max(0.0, free - given * sum(wanted)) / max(1, columns)
        return grown, [width + rest for width in sizes.widths]

    # ---- heads -----------------------------------------------------------------------------------------

    def _head_height(self, width: float) -> float:
        """Return about how high the heads are, which is needed before it is known how wide columns are."""
        levels = len(self._content.columns[0].labels) if self._content.columns else 0
        high = 0.0
        for level in range(levels):
            group = groups(self._content.columns, level)
            lines = max(len(self._wrapped(side.labels[level], width * count, HEAD)) for _, count, side in group)
            high += lines * self._line(HEAD) + self._px(_PAD)
            high += self._line(SMALL) if self._content.column_axes[level] else 0.0
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
        across = Box(column_x[0], 0, self._page.width - self._px(_MARGIN) - column_x[0], 0)
        levels = len(self._content.columns[0].labels) if self._content.columns else 0
        for level in range(levels):
            if self._content.column_axes[level]:
                y += self._line(SMALL)
                self._write(self._content.column_axes[level], across, SMALL, bottom=y)
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

    def _row_places(self, sizes: Sizes, y: float) -> tuple[list[int], float]:
        places = []
        for index in range(len(self._content.rows)):
            y += self._px(_PAD)
            places.append(math.ceil(y))
            y = places[-1] + sizes.talls[index] + self._px(_PAD)
        return places, y

    def _cell(self, items: Sequence[Item], box: Box, sizes: Sizes, row: int) -> None:
        if not items:
            high = self._line(LABEL)
            middle = Box(box.x, box.y + (box.height - high) / 2, box.width, high)
            self._page.words.append(Words(middle, ("–",), LABEL, "center", colour=GREY))
            return
        gap, high = self._px(_NARROW_GAP), sizes.heights[row]
        lines = abreast(items, sizes.across)
        widest = max(length(line, high, gap) for line in lines)
        left = box.x + max(0.0, (box.width - widest) / 2)
        y = box.y + (box.height - len(lines) * high - (len(lines) - 1) * gap) / 2
        for line in lines:
            x = left
            for item in line:
                wide = max(1, math.floor(high * item.aspect))
                self._page.pictures.append((Box(math.floor(x), math.floor(y), wide, high), item))
                x += wide + gap
            y += high + gap

    def _labels(self, label_x: Sequence[float], labels: Sequence[float], row_y: Sequence[int], sizes: Sizes) -> None:
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
        self, which: Sequence[int], places: Sequence[float], width: float, row_y: Sequence[int], sizes: Sizes
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

    def _span(self, start: int, count: int, row_y: Sequence[int], sizes: Sizes) -> Box:
        last = start + count - 1
        return Box(0, row_y[start], 0, row_y[last] + sizes.talls[last] - row_y[start])

    def _tiles(self, items: Sequence[Item], box: Box, *, top: bool = False, one_line: bool = False) -> None:
        """Place references into a box as large as they go in, each with its role below."""
        caption, gap = self._line(SMALL), self._px(_NARROW_GAP)
        columns = len(items) if one_line else best_columns(items, box, caption, gap)
        rows = math.ceil(len(items) / columns)
        wide = (box.width - (columns - 1) * gap) / columns
        high = (box.height - (rows - 1) * gap) / rows - caption
        wide = min(wide, self._px(_WIDEST_REFERENCE)) if one_line else wide
        left = box.x + (box.width - columns * wide - (columns - 1) * gap) / 2
        # One less, because they are moved to whole pixels.
        sizes = [contained(item.aspect, wide - 1, high - 1) for item in items]
        # Above one another, they stand as close as they are high, and not as the box would have them.
        talls = [
            max(each[1] for each in sizes[row * columns : (row + 1) * columns]) + caption + 1 for row in range(rows)
        ]
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

    def _rules(self, row_y: Sequence[int], sizes: Sizes, label_x: Sequence[float]) -> None:
        """Draw a line between rows, from where the outermost label changes; not through one that goes on."""
        rows, right = self._content.rows, self._page.width - self._px(_MARGIN)
        for index in range(1, len(rows)):
            y = (row_y[index - 1] + sizes.talls[index - 1] + row_y[index]) / 2
            pairs = zip(rows[index - 1].keys, rows[index].keys, strict=True)
            level = next((level for level, (before, after) in enumerate(pairs) if before != after), 0)
            outer = level < len(rows[index].keys) - 1
            self._page.rules.append(Rule(label_x[level], y, right, y, _RULE, GREY if outer else _PALE))

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
