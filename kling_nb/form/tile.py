"""The picture of a slot as a widget: drag and drop, paste and choosing files need JavaScript of our own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from kling_nb.form.uploads import MOST_BYTES, Assembly, Refused, Upload

_HERE = Path(__file__).parent


class Tile(anywidget.AnyWidget):
    """A tile that takes files and shows a thumbnail, which is no part of the widget's state.

    Parameters
    ----------
    title : str
        Of its slot.
    several : bool
        Whether more than one file may be given at a time.
    slot : str
        Names the slot to other tiles that it is dragged to.
    **traits
        As of any widget.
    """

    _esm = (_HERE / "tile.js").read_text()

    title = traitlets.Unicode("").tag(sync=True)
    filled = traitlets.Unicode("").tag(sync=True)
    several = traitlets.Bool(False).tag(sync=True)
    slot = traitlets.Unicode("").tag(sync=True)
    most_bytes = traitlets.Int(MOST_BYTES).tag(sync=True)

    def __init__(self, title: str, slot: str, *, several: bool, **traits: Any) -> None:
        super().__init__(title=title, slot=slot, several=several, **traits)
        self._assembly = Assembly()
        self._thumbnail: bytes | None = None
        self._on: dict[str, Callable[[Any], None]] = {}
        self.on_msg(self._take)

    def listen(self, **listeners: Callable[[Any], None]) -> None:
        """Say what to do with what comes: ``ready``, ``upload``, ``text``, ``moved`` and ``clear``."""
        self._on.update(listeners)

    def show(self, thumbnail: bytes | None, filled: str) -> None:
        """Show a picture.

        Parameters
        ----------
        thumbnail : bytes, optional
            A small JPEG; None shows none.
        filled : str
            What fills the slot, in words; empty when nothing does.
        """
        self._thumbnail = thumbnail
        self.filled = filled
        self._send_thumbnail()

    def _send_thumbnail(self) -> None:
        self.send({"kind": "thumbnail"}, [self._thumbnail] if self._thumbnail else None)

    def _take(self, _widget: Any, message: Any, buffers: list[Any]) -> None:
        kind = message.get("kind") if isinstance(message, dict) else None
        if kind == "chunk":
            self._take_chunk(message, buffers)
            return
        if kind == "ready":
            self._send_thumbnail()
        value = message.get({"text": "text", "moved": "from"}.get(str(kind), "")) if kind else None
        listener = self._on.get(str(kind))
        if listener is not None:
            listener(value)

    def _take_chunk(self, message: dict[str, Any], buffers: list[Any]) -> None:
        some_id = message.get("id")
        try:
            upload: Upload | None = self._assembly.take(message, buffers)
        except Refused as refused:
            self.send({"kind": "refused", "id": some_id, "message": str(refused)})
            return
        self.send({"kind": "ack", "id": some_id, "step": message.get("step")})
        if upload is not None:
            self._on["upload"](upload)


class CopyButton(anywidget.AnyWidget):
    """A button that puts a text into the clipboard; shows nothing where its JavaScript cannot load."""

    _esm = (_HERE / "copy.js").read_text()

    text = traitlets.Unicode("").tag(sync=True)
    label = traitlets.Unicode("Copy").tag(sync=True)
    title = traitlets.Unicode("Copy").tag(sync=True)
    alive = traitlets.Bool(False).tag(sync=True)


class PressButton(anywidget.AnyWidget):
    """A button that tells what the fields showed when it was pressed; see `kling_nb.form.press`."""

    _esm = (_HERE / "press.js").read_text()

    label = traitlets.Unicode("").tag(sync=True)
    title = traitlets.Unicode("").tag(sync=True)
    kind = traitlets.Unicode("primary").tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)
    inputs: traitlets.List[Any] = traitlets.List().tag(sync=True)
