"""The HTML of images and of a task: a table of pictures, one line, and what there is to say."""

from collections.abc import Sequence

from kling_nb.display.layout import MAX_TILES, aspect, grid
from kling_nb.display.markup import CELL, FAINT, ROW, SMALL, STRONG, block, linked, mark, muted, picture
from kling_nb.display.markup import aside as aside_html
from kling_nb.display.story import changes, finished, line, state
from kling_nb.display.view import TaskView, Tile, asked
from kling_nb.display.words import esc, esc_middle, joined, one_line, pixels, plural, size

_GAP = 8


def alt(view: TaskView, index: int) -> str:
    """Return what an image shows, for who cannot see it: the prompt and which of how many."""
    record = view.record
    prompt = one_line(record.prompt, 100) or "generated image"
    which = f"image {index + 1} of {max(asked(record), index + 1)}"
    return f"{prompt} ({which}{', sandbox' if record.sandbox else ''})"


def images_html(tiles: Sequence[Tile], *, numbered: bool) -> str:
    """Return pictures in a table.

    Parameters
    ----------
    tiles : sequence of Tile
        The first nine are shown, the others counted.
    numbered : bool
        Whether each picture says its index.

    Returns
    -------
    str
        HTML; empty without tiles.
    """
    shown = list(tiles)[:MAX_TILES]
    if not shown:
        return ""
    shape = grid([aspect(tile.view.record, tile.view.image(tile.index)) for tile in shown], gap=_GAP)
    column = shape.width + _GAP
    cell = f"{CELL};padding:0 {_GAP}px {_GAP}px 0"
    # In per cent: in a fixed layout, columns in pixels would not let the table shrink with the page.
    share = 100 // shape.columns
    cells = [
        f'<td width="{share}%" style="{cell}">{_tile(tile, width, column, numbered)}</td>'
        for tile, width in zip(shown, shape.pictures, strict=True)
    ]
    # A short last row is filled up, so that its pictures keep their columns where styles are stripped.
    cells += [f'<td width="{share}%" style="{cell}"></td>'] * (-len(cells) % shape.columns)
    body = "".join(
        f"{ROW}{''.join(cells[start : start + shape.columns])}</tr>" for start in range(0, len(cells), shape.columns)
    )
    width = column * shape.columns
    style = f"table-layout:fixed;width:100%;max-width:{width}px;border-collapse:collapse;margin:0"
    table = f'<table border="0" width="{width}" style="{style}"><tbody>{body}</tbody></table>'
    more = len(tiles) - len(shown)
    return table + (block(muted(f"and {plural(more, 'more image')}")) if more > 0 else "")


def _tile(tile: Tile, width: int, column: int, numbered: bool) -> str:
    view, index = tile.view, tile.index
    jpeg = view.thumbnails.get(index)
    if jpeg:
        image = view.image(index)
        title = joined(pixels(image.width, image.height), size(image.size), "open the full image")
        shown = linked(picture(jpeg, alt(view, index), width), view.links.get(index), title)
    else:
        shown = _blank(view, index, width, column)
    caption = f"images[{index}]"
    small = f'<div style="font-size:11px;opacity:0.7;margin-top:2px">{caption}</div>'
    return shown + (small if numbered else "")


def _blank(view: TaskView, index: int, width: int, column: int) -> str:
    image = view.image(index)
    which = f"image {index + 1} of {max(asked(view.record), index + 1)}"
    if image.path is not None:
        where = esc_middle(view.files.get(index) or image.path)
        text = f"{which}: {linked(where, view.links.get(index))}"
    elif image.problem:
        text = f"{which} is missing: {esc(image.problem, 240)}"
    else:
        text = f"{which} is {'missing' if finished(view.record) else 'on its way'}"
    # Padding in per cent is of the column's width, so the cell is about as tall as a picture would be.
    shape = aspect(view.record, image)
    tall = max(6, round(50 / shape * min(1.0, width / column)) - 6)
    style = (
        f"max-width:{max(80, width - 26)}px;padding:{tall}% 12px;border:1px dashed {STRONG};border-radius:3px;"
        f"background-color:{FAINT};{SMALL};overflow-wrap:break-word"
    )
    return f'<div style="{style}">{text}</div>'


def line_html(view: TaskView, now: float) -> str:
    """Return the line under the pictures, which print keeps: mark, status if it matters, facts."""
    record = view.record
    simply_done = record.task_status == "succeeded" and finished(record) and record.failure is None
    status = "" if simply_done else f"<b>{esc(state(record))}</b> · "
    return block(mark(record.sandbox) + status + esc(line(view, now), 400), "margin:4px 0")


def warnings_html(view: TaskView) -> str:
    """Return what the user should know although the request was sent: warnings, and what was changed to send it."""
    changed = [f"{esc(name, 80)} was changed to be sent: {esc(what, 200)}" for name, what in changes(view.record)]
    return aside_html([*(esc(warning, 400) for warning in view.record.warnings[:8]), *changed])
