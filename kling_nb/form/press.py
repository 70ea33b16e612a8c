"""A button that sends only what stood on the page when it was pressed."""

from collections.abc import Callable, Sequence
from typing import Any

from kling_nb.form.parts import Parts, reveal

Input = tuple[Any, str]
"""A widget whose value counts, and the trait that front ends know it by."""


class Press:
    """A button, with what the user saw when pressing it.

    A press can overtake the changes that were made before it, while the kernel is at work. So the button's own
    JavaScript tells the kernel what the fields showed; where the kernel knows something else, nothing is done, and
    the user is told. Where that JavaScript cannot load, a plain button stands in.

    Parameters
    ----------
    parts : Parts
        Makes the widgets.
    label, title : str
        What it says, and what it says of itself.
    kind : {"primary", "warning"}
        How it looks.
    inputs : sequence of (widget, str)
        What counts.
    pressed : callable
        Called when the kernel knows what the user saw.
    behind : callable
        Called when it does not.
    """

    def __init__(
        self,
        parts: Parts,
        label: str,
        title: str,
        kind: str,
        inputs: Sequence[Input],
        pressed: Callable[[], None],
        behind: Callable[[], None],
    ) -> None:
        self._inputs = list(inputs)
        self._pressed = pressed
        self._behind = behind
        self._shown = True
        self._alive = False
        self.live: Any = None
        look = "kling-generate"
        try:
            from kling_nb.form.tile import PressButton

            ids = [[widget.model_id, name] for widget, name in self._inputs]
            self.live = parts.make(PressButton, label=label, title=title, kind=kind, inputs=ids)
            self.live.on_msg(self._take)
            look += " kling-stands-in"
        except ImportError:
            # Without anywidget the plain button is all there is.
            pass
        self.plain = parts.button(label, title, pressed, look=look, button_style=kind)
        self.plain.observe(self._follow, ["description", "disabled"])

    @property
    def parts(self) -> list[Any]:
        """The widgets, to be put into a row."""
        return [self.plain] if self.live is None else [self.live, self.plain]

    def reveal(self, shown: bool) -> None:
        """Show it, or hide it."""
        self._shown = shown
        reveal(self.plain, shown and not self._alive)
        if self.live is not None:
            reveal(self.live, shown)

    def _follow(self, _change: Any) -> None:
        if self.live is not None:
            with self.live.hold_trait_notifications():
                self.live.label, self.live.disabled = self.plain.description, self.plain.disabled

    def _take(self, _widget: Any, message: Any, _buffers: Any) -> None:
        kind = message.get("kind") if isinstance(message, dict) else None
        if kind == "ready":
            self._alive = True
            self.reveal(self._shown)
        elif kind == "press":
            self.live.send({"kind": "taken"})
            if message.get("values") != [getattr(widget, name) for widget, name in self._inputs]:
                self._behind()
            elif not self.plain.disabled:
                self._pressed()
