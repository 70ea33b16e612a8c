"""A page of a comparison as HTML: labelled rows and columns, references beside those that use them, all images.

Like all of the notebook's HTML it is a plain table with inline styles that an untrusted JupyterLab keeps.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby

from kling_nb.compare.arrange import Line, Table
from kling_nb.compare.records import Filled
from kling_nb.compare.states import state
from kling_nb.display.markup import CLEAR, EDGE, FAINT, SMALL, STRONG, block, linked, muted, picture
from kling_nb.display.words import esc, joined, one_line, pixels, plural
from kling_nb.records import ImageRecord, Reference, TaskRecord

WIDTH = 1000
"""Pixels of the whole; narrower pages shrink it."""
_LABEL = 150
_WIDEST, _NARROWEST = 240, 72
_GAP = 4
_LINE = f"1px solid {EDGE}"


class Pictures:
    """What a page shows of its tasks.

    Parameters
    ----------
    thumbnails : mapping of (str, int) to bytes
        From a task's id and an image's index to a JPEG.
    previews : mapping of str to bytes
        From a reference's sha256 to a JPEG.
    links : mapping of (str, int) to str
        From a task's id and an image's index to a relative href.
    """

    def __init__(
        self,
        thumbnails: Mapping[tuple[str, int], bytes],
        previews: Mapping[str, bytes],
        links: Mapping[tuple[str, int], str],
    ) -> None:
        self.thumbnails = thumbnails
        self.previews = previews
        self.links = links


def image_width(table: Table) -> int:
    """Return how wide an image of a page is, in pixels."""
    most = max((len(images_of(record)) for each in _cells(table) for record in each.samples), default=1)
    columns = max(1, len(table.columns))
    across = max(1, min(most, 4 if columns == 1 else 3 if columns == 2 else 2))
    room = (WIDTH - _LABEL * len(table.row_axes)) // columns - 12
    return max(_NARROWEST, min(_WIDEST, room // across - 2 * _GAP))


def table_html(table: Table, pictures: Pictures) -> str:
    """Return a page's table.

    Parameters
    ----------
    table : Table
        What is on the page.
    pictures : Pictures
        Its small pictures.

    Returns
    -------
    str
        HTML.
    """
    width = image_width(table)
    # Repeats of one request have nothing to be labelled with.
    levels = max(1, len(table.column_axes)) if table.row_axes or table.column_axes else 0
    head = "".join(_head(table, level, pictures) for level in range(levels))
    body = "".join(_row(table, index, width, pictures) for index in range(len(table.rows)))
    style = f"{SMALL};border-collapse:collapse;margin:4px 0 8px 0;max-width:100%;border:{_LINE}"
    above = f"<thead>{head}</thead>" if head else ""
    return f'<table border="1" style="{style}">{above}<tbody>{body}</tbody></table>'


def references_html(references: Sequence[Reference], previews: Mapping[str, bytes], *, size: int = 56) -> str:
    """Return pictures in a line, each with its role and name; empty without any."""
    shown = "".join(_reference(each, previews.get(each.sha256), size) for each in references)
    return f"<div>{shown}</div>" if shown else ""


def images_of(record: TaskRecord | None) -> tuple[ImageRecord, ...]:
    """Return the images of a task that has any."""
    return record.images if record is not None and record.task_status == "succeeded" else ()


def _cells(table: Table) -> list[Filled]:
    return [each for row in table.cells for each in row if each is not None]


def _head(table: Table, level: int, pictures: Pictures) -> str:
    last = level == max(1, len(table.column_axes)) - 1
    names = [_header(f"<b>{esc(name)}</b>", width=_LABEL) if last else _header("") for name in table.row_axes]
    if not table.column_axes:
        return _tr("".join([*names, _header("")]))
    cells = []
    for _, lines in groupby(table.columns, key=lambda line: line.labels[: level + 1]):
        group = list(lines)
        label = _label(table.column_axes[level], group[0].labels[level])
        shown = references_html(group[0].references[level], pictures.previews)
        cells.append(_header(label + shown, span=len(group), columns=True))
    return _tr("".join([*names, *cells]))


def _row(table: Table, index: int, width: int, pictures: Pictures) -> str:
    line = table.rows[index]
    heads = []
    for level in range(len(table.row_axes)):
        same = _run(table.rows, index, level)
        if same:
            shown = references_html(line.references[level], pictures.previews)
            heads.append(_header(_text(line.labels[level]) + shown, span=same, width=_LABEL))
    cells = [_cell(each, width, pictures) for each in table.cells[index]]
    return _tr("".join([*heads, *cells]))


def _run(rows: Sequence[Line], index: int, level: int) -> int:
    """Return over how many rows a label goes that begins here; 0 where it has begun before."""
    labels = rows[index].labels[: level + 1]
    if index and rows[index - 1].labels[: level + 1] == labels:
        return 0
    following = index
    while following < len(rows) and rows[following].labels[: level + 1] == labels:
        following += 1
    return following - index


def _tr(content: str) -> str:
    return f'<tr style="background-color:{CLEAR}">{content}</tr>'


def _header(content: str, *, span: int = 1, columns: bool = False, width: int | None = None) -> str:
    spans = f' {"colspan" if columns else "rowspan"}="{span}"' if span > 1 else ""
    wide = f' width="{width}"' if width else ""
    style = f"border:{_LINE};padding:4px 8px;text-align:left;vertical-align:top;font-weight:normal"
    style += f";background-color:{FAINT};overflow-wrap:break-word"
    style += f";max-width:{width}px" if width else ""
    return (
        f'<th{spans}{wide} align="left" scope="{"colgroup" if columns else "rowgroup"}" style="{style}">{content}</th>'
    )


def _label(axis: str, label: str) -> str:
    return f"{muted(esc(axis, 40))} {_text(label)}"


def _text(label: str) -> str:
    return f"<b>{esc(label, 160)}</b>"


def _cell(filled: Filled | None, width: int, pictures: Pictures) -> str:
    style = f"border:{_LINE};padding:4px;text-align:left;vertical-align:top"
    if filled is None:
        return f'<td style="{style}">{muted("not in the design")}</td>'
    several = len(filled.samples) > 1
    samples = [
        _sample(filled, number, record, width, pictures, several=several)
        for number, record in enumerate(filled.samples)
    ]
    return f'<td style="{style}">{"".join(samples)}</td>'


def _sample(
    filled: Filled, number: int, record: TaskRecord | None, width: int, pictures: Pictures, *, several: bool
) -> str:
    where = f"sample {number + 1}: " if several else ""
    how = state(record)
    images = images_of(record)
    if record is None or not images:
        failure = record.failure.message if record is not None and record.failure is not None else ""
        said = f"<b>{esc(where + how)}</b>" + (f"<br>{esc(failure, 160)}" if failure else "")
        style = (
            f"{SMALL};margin:2px;padding:6px 8px;border:1px dashed {STRONG};border-radius:3px;max-width:{width * 2}px"
        )
        return f'<div style="{style}">{said}</div>'
    shown = "".join(_image(filled, number, record, image, width, pictures) for image in images)
    note = muted(esc(joined(where.rstrip(": "), how if how != "done" else ""))) if several or how != "done" else ""
    return f'<div style="margin:0 0 4px 0">{shown}{block(note)}</div>'


def _image(filled: Filled, number: int, record: TaskRecord, image: ImageRecord, width: int, pictures: Pictures) -> str:
    about = describe(filled, number, image.index, sandbox=record.sandbox)
    jpeg = pictures.thumbnails.get((record.id, image.index))
    if jpeg is None:
        said = esc(image.problem or "the file is not there any more", 120)
        style = f"display:inline-block;width:{width}px;margin:{_GAP}px;padding:6px;border:1px dashed {STRONG}"
        return f'<div style="{style}">image {image.index + 1}: {said}</div>'
    title = joined(about, pixels(image.width, image.height), f"task {record.id}")
    shown = linked(picture(jpeg, about, width), pictures.links.get((record.id, image.index)), title)
    return f'<div style="display:inline-block;vertical-align:top;max-width:100%;margin:{_GAP}px">{shown}</div>'


def describe(filled: Filled, number: int, index: int, *, sandbox: bool) -> str:
    """Return which image of a comparison it is, in words: the labels of its cell, the sample and the image."""
    said = [f"{axis}: {label}" for axis, label in filled.cell.coordinates.items()]
    said += [f"sample {number + 1}"] if len(filled.samples) > 1 else []
    return one_line(", ".join([*said, f"image {index + 1}", *(["sandbox"] if sandbox else [])]), 240)


def _reference(reference: Reference, jpeg: bytes | None, size: int) -> str:
    name = one_line(reference.name, 60)
    caption = f'<div style="font-size:11px;opacity:0.7">{esc(reference.role)}: {esc(name, 40)}</div>'
    shown = muted("URL" if reference.url else "no preview")
    if jpeg:
        shown = picture(jpeg, f"{reference.role}: {name}", size)
    style = "display:inline-block;vertical-align:top;margin:4px 8px 2px 0;max-width:160px"
    return f'<div style="{style}">{shown}{caption}</div>'


def count_of(table: Table) -> str:
    """Return what is on a page, in words."""
    images = sum(len(images_of(record)) for each in _cells(table) for record in each.samples)
    return joined(plural(len(_cells(table)), "cell"), plural(images, "image"))
