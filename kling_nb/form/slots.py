"""One reference slot as widgets: a tile, a field for path, URL or variable, and what is said of the picture."""

import secrets
import threading
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from kling_nb.display.words import esc, joined
from kling_nb.form.entries import Entry
from kling_nb.form.parts import Parts, close, reveal, revealed
from kling_nb.form.uploads import Upload

MOST_FALLBACK = 9_000_000
"""Bytes of a file that ipywidgets' own upload brings; a little more ends the connection without a word."""


class Slot:
    """The widgets of a slot; what is done with them is told to a listener.

    Parameters
    ----------
    parts : Parts
        Makes the widgets.
    index : int
        From 0; subjects first.
    title : str
        For people.
    several : bool
        Whether more than one file may be given at a time.
    listener : object
        Has ``typed``, ``uploaded``, ``cleared``, ``dragged``, ``moved`` and ``cured``.
    """

    def __init__(self, parts: Parts, index: int, title: str, listener: Any, *, several: bool) -> None:
        self._parts = parts
        self.index = index
        self.title = title
        # Tiles of other forms can be dragged here, too.
        self.name = secrets.token_hex(8)
        self._listener = listener
        self._showing: int | None = None
        self._shown: object = None
        self.tile = self._make_tile(several=several)
        self.upload: Any = None
        self.picture = parts.html()
        self._fallback = parts.column([], "kling-fallback")
        self.renew_upload()
        self.source = parts.make(
            widgets.Combobox,
            look="kling-source",
            description=f'<span class="kling-unseen">{title}: </span>Path, URL or variable',
            description_allow_html=True,
            placeholder="cat.png",
            continuous_update=False,
        )
        self.source.observe(self._on_source, "value")
        self.status = parts.html(look="kling-status")
        fits = f"Make the picture of {title} fit the API's limits"
        self.cure = parts.button("", fits, self._tell("cured"), look="kling-cure")
        # A sign would be read out in place of the tooltip, so the style draws it.
        self.clear = self._sign("clear", f"Clear {title}", self._tell("cleared"))
        self.left = self._sign("left", f"Move {title} to the left", lambda: listener.moved(index, index - 1))
        self.right = self._sign("right", f"Move {title} to the right", lambda: listener.moved(index, index + 1))
        self.show(None, busy=False, neighbours=(False, False))

    def _sign(self, name: str, tooltip: str, clicked: Callable[[], None]) -> Any:
        return self._parts.button("", tooltip, clicked, look=f"kling-small kling-sign-{name}")

    def _make_tile(self, *, several: bool) -> Any:
        try:
            from kling_nb.form.tile import Tile
        except ImportError:
            # Without anywidget there is no dropping and pasting; everything else works.
            return None
        tile = self._parts.make(Tile, self.title, self.name, several=several)
        tile.listen(
            ready=lambda _: self._on_ready(),
            upload=lambda upload: self._listener.uploaded(self.index, upload),
            text=lambda text: self._listener.typed(self.index, str(text)),
            moved=lambda origin: self._listener.dragged(origin, self.index),
            clear=lambda _: self._listener.cleared(self.index),
        )
        return tile

    def _tell(self, name: str) -> Callable[[], None]:
        return lambda: getattr(self._listener, name)(self.index)

    @property
    def alive(self) -> bool:
        """Whether the tile's JavaScript runs, so that files can be dropped and pasted."""
        return not revealed(self._fallback)

    def _on_ready(self) -> None:
        reveal(self._fallback, False)
        self.picture.value = ""

    def renew_upload(self) -> None:
        """Put a new upload button in place of the last, whose counter and content cannot be taken away."""
        # Without its icon: the font of Notebook 7 that has it is not there.
        described = {"description": "Choose a file", "tooltip": f"{self.title}: a file"}
        self.upload = self._parts.make(widgets.FileUpload, accept="image/*", icon="", **described)
        self.upload.observe(self._on_upload, "value")
        hint = self._parts.html('<span class="kling-hint">up to 9 MB; larger by path</span>')
        tooltip = "Replace an upload button that does not answer"
        again = self._parts.button("New button", tooltip, self.renew_upload, look="kling-small")
        left = self._fallback.children[1:]
        self._fallback.children = (self.picture, self.upload, hint, again)
        for part in left:
            close(part)

    def _on_upload(self, change: Any) -> None:
        files = change["new"]
        if not files:
            return
        upload = Upload(str(files[0]["name"]), bytes(files[0]["content"]))
        # Whatever stays in a widget's state may be stored in the notebook.
        self.upload.value = ()
        self.renew_upload()
        self._listener.uploaded(self.index, upload)

    def _on_source(self, change: Any) -> None:
        # What is typed while another thread shows something is not lost.
        if self._showing != threading.get_ident():
            self._listener.typed(self.index, str(change["new"]))

    def offer(self, names: list[str]) -> None:
        """Offer variables in the field."""
        self.source.options = tuple(names)

    def show(self, entry: Entry | None, *, busy: bool, neighbours: tuple[bool, bool]) -> None:
        """Show what the slot holds.

        Parameters
        ----------
        entry : Entry, optional
            None where it is empty.
        busy : bool
            Whether the picture is being looked at.
        neighbours : (bool, bool)
            Whether it can be moved to the left and to the right.
        """
        now = (entry, busy, neighbours)
        if now == self._shown:
            return
        self._shown = now
        filled = entry is not None
        name = entry.source.text if entry else ""
        small = entry.thumbnail if entry else None
        self._showing = threading.get_ident()
        try:
            self.source.value = name
        finally:
            self._showing = None
        if self.tile is not None:
            self.tile.show(small, name)
        # The tile shows its own; what is here is in the widget's state, which the notebook may store.
        self.picture.value = _image(small, f"{self.title}: {name}") if small and not self.alive else ""
        self.status.value = _status(entry, busy=busy)
        self.cure.description = f"{entry.cure[:1].upper()}{entry.cure[1:]} it" if entry and entry.cure else ""
        reveal(self.cure, bool(entry and entry.cure and not busy))
        reveal(self.clear, filled, keep_place=True)
        reveal(self.left, filled and neighbours[0], keep_place=True)
        reveal(self.right, filled and neighbours[1], keep_place=True)

    def layout(self) -> Any:
        """Return the slot as a box."""
        title = self._parts.html(f'<span class="kling-title">{esc(self.title)}</span>')
        head = self._parts.row([title, self._parts.row([self.left, self.right, self.clear])], "kling-head")
        parts = [head, self._fallback, self.source, self.status, self.cure]
        if self.tile is not None:
            parts.insert(1, self.tile)
        return self._parts.column(parts, "kling-slot")


def _status(entry: Entry | None, *, busy: bool) -> str:
    if busy:
        return '<span role="status">Looking at it…</span>'
    if entry is None:
        return ""
    if entry.problem:
        return f'<span class="kling-problem" role="alert">{esc(entry.problem, 400)}</span>'
    text = entry.source.text
    # Of a long path the field shows the beginning; the end says more.
    name = text.replace("\\", "/").rpartition("/")[2] if not entry.source.is_variable and len(text) > 20 else ""
    return esc(joined(name if entry.reference and not entry.reference.url else "", entry.facts), 300)


def _image(jpeg: bytes, alt: str) -> str:
    return f'<img class="kling-picture" src="data:image/jpeg;base64,{b64encode(jpeg).decode()}" alt="{esc(alt, 200)}">'
