"""The grid of a comparison: pages of labelled rows and columns, each as a notebook shows it."""

import json
from base64 import b64encode
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kling_nb.compare.arrange import Table
from kling_nb.compare.gridhtml import Pictures, count_of, image_width, images_of, references_html, table_html
from kling_nb.compare.pages import pages
from kling_nb.compare.sheet import MAX_BYTES as SHEET_BYTES
from kling_nb.compare.sheet import table_sheet
from kling_nb.compare.states import counts, in_words
from kling_nb.compare.text import table_text
from kling_nb.display import Bundle, shrink
from kling_nb.display.bundles import MOST_BYTES
from kling_nb.display.markup import block, mark, muted, page
from kling_nb.display.story import SANDBOX
from kling_nb.display.words import esc, esc_advice, joined
from kling_nb.errors import InvalidRequest
from kling_nb.imagedata import NotAnImage, facts
from kling_nb.parallel import in_parallel
from kling_nb.request.problems import shown

if TYPE_CHECKING:
    from kling_nb.compare.records import ComparisonRecord

Look = Callable[[Table], Pictures]
"""Returns the small pictures of what is on a page."""
_OVERHEAD = 700
"""Bytes of HTML for an image, besides the picture itself."""
_LEAST = 1_500


class Grid:
    """A comparison as a table of images; shows its first page.

    Parameters
    ----------
    record : ComparisonRecord
        Of which.
    table : Table
        All of it.
    look : callable
        Returns the small pictures of what is on a page.
    number : int
        The page that is shown, from 1.
    """

    def __init__(self, record: "ComparisonRecord", table: Table, look: Look, number: Any = 1) -> None:
        self._record = record
        self._table = table
        self._look = look
        self._pages = pages(table)
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= len(self._pages):
            there = f"there are pages 1 to {len(self._pages)}" if len(self._pages) > 1 else "there is one page"
            raise InvalidRequest(f"page is {shown(number)}; {there}.", money="")
        self._number = number

    def __len__(self) -> int:
        return len(self._pages)

    def page(self, number: int) -> "Grid":
        """Return another page of it.

        Parameters
        ----------
        number : int
            From 1.

        Raises
        ------
        InvalidRequest
            There is no such page.
        """
        return Grid(self._record, self._table, self._look, number)

    def bundle(self) -> Bundle:
        """Return what a front end shows: data by MIME type, and metadata."""
        return self.bundle_with("")

    def bundle_with(self, note: str) -> Bundle:
        """Return what a front end shows, with a sentence above it."""
        part = self._pages[self._number - 1]
        pictures = _within(self._look(part), part)
        head, common = self._head(part), references_html(part.references, pictures.previews)
        html = page(
            block(mark(self._record.gateway == "sandbox") + head),
            block(esc_advice(note)) if note else "",
            block(muted("In every cell:") + common) if common else "",
            table_html(part, pictures),
            block(muted(esc_advice(self._more()))),
        )
        text = "\n".join(part for part in (self._title(), note, table_text(part), self._more()) if part)
        data: dict[str, Any] = {"text/html": html, "text/plain": text}
        metadata: dict[str, Any] = {"kling_nb": self._account(part)}
        title = joined(SANDBOX if self._record.gateway == "sandbox" else "", self._title())
        jpeg = table_sheet(part, pictures, title)
        if jpeg is not None:
            data["image/jpeg"] = b64encode(jpeg).decode("ascii")
            _, width, height = facts(jpeg)
            metadata["image/jpeg"] = {"width": width, "height": height, "alt": self._title()}
        return data, metadata

    def _title(self) -> str:
        filled = [each for row in self._table.cells for each in row if each is not None]
        return joined(f"Comparison {self._record.name}", in_words(counts(filled)))

    def _head(self, part: Table) -> str:
        paged = f"page {self._number} of {len(self._pages)}: {count_of(part)}" if len(self._pages) > 1 else ""
        return f"<b>{esc(self._title(), 300)}</b>" + (f" · {esc(paged)}" if paged else "")

    def _more(self) -> str:
        if len(self._pages) == 1:
            return ""
        following = self._number % len(self._pages) + 1
        return f"`.grid(page={following})` shows page {following} of {len(self._pages)}."

    def _account(self, part: Table) -> dict[str, Any]:
        cells = [
            {
                "coordinates": dict(each.cell.coordinates),
                "digest": each.cell.digest,
                "tasks": [record.id if record is not None else None for record in each.samples],
            }
            for row in part.cells
            for each in row
            if each is not None
        ]
        facts = {"id": self._record.id, "name": self._record.name, "gateway": self._record.gateway}
        return {"comparison": {**facts, "seed": self._record.seed, "cells": cells}}

    def __repr__(self) -> str:
        return "\n".join(
            part for part in (self._title(), table_text(self._pages[self._number - 1]), self._more()) if part
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:  # noqa: ARG002 - IPython's signature
        return self.bundle()


def _within(pictures: Pictures, part: Table) -> Pictures:
    """Make a page's pictures small enough for what one output may add to a notebook."""
    tasks = [record for row in part.cells for each in row if each is not None for record in each.samples]
    cells = len(
        json.dumps([each.cell.digest + str(each.cell.coordinates) for row in part.cells for each in row if each])
    )
    count = max(1, sum(len(images_of(record)) for record in tasks))
    others = sum(len(small) for small in pictures.previews.values()) * 4 // 3 * 2
    room = MOST_BYTES - 12_000 - SHEET_BYTES * 4 // 3 - 2 * cells - others - count * _OVERHEAD
    most = max(_LEAST, room // count * 3 // 4)
    wide = 2 * image_width(part)

    def smaller(jpeg: bytes) -> bytes | None:
        try:
            return shrink(jpeg, wide, most)
        except NotAnImage:
            return None

    # Pillow lets go of the interpreter for nearly all of it.
    shrunk = zip(pictures.thumbnails, in_parallel(smaller, pictures.thumbnails.values()), strict=True)
    small = {key: jpeg for key, jpeg in shrunk if jpeg is not None}
    return Pictures(small, pictures.previews, pictures.links)
