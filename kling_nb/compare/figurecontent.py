"""What a figure shows of a comparison: which picture in which place, and what is written beside it. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from kling_nb.compare.arrange import Line, Table
from kling_nb.compare.gridhtml import images_of
from kling_nb.compare.levels import VARIANT
from kling_nb.compare.records import Filled
from kling_nb.compare.states import STATES, state
from kling_nb.display.words import one_line
from kling_nb.errors import InvalidRequest
from kling_nb.records import ImageRecord, Reference, TaskRecord
from kling_nb.request.problems import shown

_SELF_EVIDENT = ("prompt", "model_name", VARIANT)
_LONGEST_LABEL, _LONGEST_TEXT = 120, 1000
_ROLES = ("subject", "scene", "style")
_MISSING = "image missing"
_REFERENCES = "References"
_SANDBOX = "SANDBOX: made by the local stand-in for the API, not by a model."

Rename = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Item:
    """A picture, or the outlined box in place of one.

    Parameters
    ----------
    aspect : float
        Width by height.
    words : str
        In the box, where there is no picture; under a reference, its role.
    image : ImageRecord, optional
        The generated image.
    reference : Reference, optional
        The input image.
    """

    aspect: float
    words: str = ""
    image: ImageRecord | None = None
    reference: Reference | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """A row or a column.

    Parameters
    ----------
    labels : tuple of str
        By axis, the outermost first, as they are written.
    keys : tuple of str
        The same before renaming: neighbours that share these share a label.
    references : tuple of tuple of Item
        For each label.
    """

    labels: tuple[str, ...]
    keys: tuple[str, ...]
    references: tuple[tuple[Item, ...], ...]


@dataclass(frozen=True, slots=True)
class Content:
    """Everything that is on a figure, without a place.

    Parameters
    ----------
    row_axes, column_axes : tuple of str
        Above the columns of labels, and above the heads; empty where it goes without saying.
    rows, columns : tuple of Side
        In order.
    cells : tuple of tuple of tuple of Item
        By row, then column; a cell without items is not in the design.
    common : tuple of Item
        References of all cells.
    heading : str
        Above the references.
    note : str
        Below all; empty without one.
    """

    row_axes: tuple[str, ...]
    column_axes: tuple[str, ...]
    rows: tuple[Side, ...]
    columns: tuple[Side, ...]
    cells: tuple[tuple[tuple[Item, ...], ...], ...]
    common: tuple[Item, ...]
    heading: str
    note: str

    def texts(self) -> list[str]:
        """Return everything that is written."""
        sides = [*self.rows, *self.columns]
        items = [each for row in self.cells for cell in row for each in cell]
        items += [*self.common, *(each for side in sides for level in side.references for each in level)]
        labels = [label for side in sides for label in side.labels]
        return [self.heading, self.note, *self.row_axes, *self.column_axes, *labels, *(each.words for each in items)]


def content(
    table: Table, *, images: Any, references: bool, sandbox: bool, labels: Mapping[str, str] | None = None
) -> Content:
    """Decide what is shown.

    Parameters
    ----------
    table : Table
        The comparison in rows and columns.
    images : {"first", "all"} or int
        Of every cell: its first image that is there, all of them, or one by its place among all that its samples
        were asked for, from 0.
    references : bool
        Whether to show the input images.
    sandbox : bool
        Whether it is to say that no model made the images.
    labels : mapping, optional
        From what would be written to what is written.

    Returns
    -------
    Content
        With a box for every image that is wanted and is not there.

    Raises
    ------
    InvalidRequest
        ``images`` is something else, or no cell has so many; or ``labels`` renames what is not there.
    """
    _check_choice(images, table)
    # What is not in this figure and could be in the next one may be renamed all the same.
    used = {*table.row_axes, *table.column_axes, *STATES, *_ROLES, _MISSING, _REFERENCES, _SANDBOX}
    known = {one_line(old, _LONGEST_LABEL): new for old, new in (labels or {}).items()}

    def rename(text: str) -> str:
        key = one_line(text, _LONGEST_LABEL)
        used.add(key)
        return one_line(known.get(key, text), _LONGEST_TEXT)

    by_column = zip(*table.cells, strict=True)
    found = Content(
        tuple(rename(name) for name in table.row_axes),
        # That "kling-v2" is a model is plain; a bare "none" or "16:9" says too little.
        tuple("" if name in _SELF_EVIDENT else rename(name) for name in table.column_axes),
        tuple(
            _side(line, _in_full(line, table.row_axes, cells), rename, references=references)
            for line, cells in zip(table.rows, table.cells, strict=True)
        ),
        tuple(
            _side(line, _in_full(line, table.column_axes, cells), rename, references=references)
            for line, cells in zip(table.columns, by_column, strict=True)
        ),
        tuple(tuple(_cell(filled, images, rename) for filled in row) for row in table.cells),
        _references(table.references, rename) if references else (),
        rename(_REFERENCES),
        rename(_SANDBOX) if sandbox else "",
    )
    for old in known:
        if old not in used:
            near = get_close_matches(old, used, 1)
            hint = f"did you mean {near[0]!r}?" if near else "give the text as it is in the figure."
            raise InvalidRequest(f"labels: nothing in the figure is called {old!r}; {hint}", money="")
    return found


def _check_choice(images: Any, table: Table) -> None:
    if images in ("first", "all") and isinstance(images, str):
        return
    if isinstance(images, bool) or not isinstance(images, int):
        raise InvalidRequest(f'images is {shown(images)}; it can be "first", "all" or a number from 0.', money="")
    cells = [each for row in table.cells for each in row if each is not None]
    most = max((len(each.samples) * each.cell.n for each in cells), default=1)
    if not 0 <= images < most:
        raise InvalidRequest(f"images is {images}; the cells have images 0 to {most - 1}.", money="")


def _in_full(line: Line, axes: Sequence[str], cells: Iterable[Filled | None]) -> tuple[str, ...]:
    """Return the labels of a line, and in place of the beginning of a prompt all of it."""
    prompt = next((str(each.cell.request.get("prompt", "")) for each in cells if each is not None), "")
    return tuple(
        prompt if axis == "prompt" and label == one_line(prompt, _LONGEST_LABEL) else label
        for axis, label in zip(axes, line.labels, strict=True)
    )


def _side(line: Line, texts: Iterable[str], rename: Rename, *, references: bool) -> Side:
    pictures = line.references if references else ((),) * len(line.labels)
    return Side(
        tuple(rename(text) for text in texts),
        line.labels,
        tuple(_references(level, rename) for level in pictures),
    )


def _references(references: Iterable[Reference], rename: Rename) -> tuple[Item, ...]:
    return tuple(Item(_aspect(each.width, each.height), rename(each.role), reference=each) for each in references)


def _cell(filled: Filled | None, images: Any, rename: Rename) -> tuple[Item, ...]:
    if filled is None:
        return ()
    sent = _ratio(filled)
    if images == "all":
        return tuple(each for record in filled.samples for each in _sample(record, sent, rename))
    places = [each for record in filled.samples for each in _places(record, filled.cell.n, sent, rename)]
    if images == "first":
        return (next((each for each in places if each.image is not None), places[0]),)
    return (places[images] if images < len(places) else Item(sent, rename("no such image")),)


def _sample(record: TaskRecord | None, sent: float, rename: Rename) -> list[Item]:
    """Return a sample's images, or the one box that says why it has none."""
    pictures = images_of(record)
    if not pictures:
        return [Item(sent, rename(state(record)))]
    missing = max(0, record.n - len(pictures)) if record is not None else 0
    return [*(_item(each, sent, rename) for each in pictures), *[Item(sent, rename(_MISSING))] * missing]


def _places(record: TaskRecord | None, n: int, sent: float, rename: Rename) -> list[Item]:
    """Return one item for each image that a sample was asked for, in the API's order."""
    pictures = {each.index: each for each in images_of(record)}
    if not pictures:
        return [Item(sent, rename(state(record)))] * n
    return [
        _item(pictures[index], sent, rename) if index in pictures else Item(sent, rename(_MISSING))
        for index in range(n)
    ]


def _item(image: ImageRecord, sent: float, rename: Rename) -> Item:
    if image.path is None:
        return Item(sent, rename(_MISSING))
    return Item(_aspect(image.width, image.height), image=image)


def _ratio(filled: Filled) -> float:
    """Return the shape that a cell's images have or would have."""
    pictures = [each for record in filled.samples for each in images_of(record) if each.width and each.height]
    if pictures:
        return _aspect(pictures[0].width, pictures[0].height)
    width, _, height = str(filled.cell.request.get("aspect_ratio") or "16:9").partition(":")
    return int(width) / int(height) if width.isdigit() and height.isdigit() and int(height) else 16 / 9


def _aspect(width: int | None, height: int | None) -> float:
    return width / height if width and height else 1.0
