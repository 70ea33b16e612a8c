"""The widgets of one form: what they share, and how they are shown, hidden and closed."""

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from kling_nb.errors import KlingError

_GONE = "kling-gone"
_UNSEEN = "kling-invisible"


class Parts:
    """Makes the widgets of a form, all with one layout, and one style a kind.

    Each of them would have its own, and a comm each: more messages at once than a kernel keeps for a reader who is
    late (1,000). What they look like is said by class names.
    """

    def __init__(self) -> None:
        self._layout = widgets.Layout()
        self._styles: dict[type, widgets.Widget] = {}

    def make(self, kind: Callable[..., Any], /, *args: Any, look: str = "", **traits: Any) -> Any:
        """Make a widget.

        Parameters
        ----------
        kind : type
            Of it.
        *args, **traits
            As it takes them.
        look : str
            Names of its style sheet's classes, separated by spaces.
        """
        style = getattr(kind, "style", None)
        if style is not None:
            if style.klass not in self._styles:
                self._styles[style.klass] = style.klass()
            traits["style"] = self._styles[style.klass]
        return kind(*args, layout=self._layout, _dom_classes=tuple(look.split()), **traits)

    def html(self, value: str = "", look: str = "") -> Any:
        """Make a text."""
        return self.make(widgets.HTML, value, look=look)

    def column(self, children: list[Any], look: str = "") -> Any:
        """Make a box whose children stand below each other."""
        return self.make(widgets.VBox, children, look=look)

    def row(self, children: list[Any], look: str = "") -> Any:
        """Make a box whose children stand beside each other."""
        return self.make(widgets.HBox, children, look=look)

    def button(
        self,
        label: str,
        tooltip: str,
        clicked: Callable[[], Any],
        say: Callable[[str], None] | None = None,
        **traits: Any,
    ) -> Any:
        """Make a button.

        Parameters
        ----------
        label, tooltip : str
            What it says, and what it says of itself.
        clicked : callable
            What it does.
        say : callable, optional
            Is told what `clicked` raises, because that would appear nowhere in a notebook; and "" before.
        **traits
            As for `make`.
        """
        made = self.make(widgets.Button, description=label, tooltip=tooltip, **traits)

        def safely(_button: Any) -> None:
            if say is None:
                clicked()
                return
            say("")
            try:
                clicked()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is said
                say(str(error) if isinstance(error, KlingError) else f"{type(error).__name__}: {error}")

        made.on_click(safely)
        return made

    def close(self) -> None:
        """Close what the widgets share, after the last of them."""
        self._layout.close()
        for style in self._styles.values():
            style.close()


def reveal(widget: Any, shown: bool, *, keep_place: bool = False) -> None:
    """Show a widget, or hide it.

    Parameters
    ----------
    widget : DOMWidget
        Which.
    shown : bool
        Whether it is to be seen.
    keep_place : bool
        Whether its place stays free while it is hidden.
    """
    name = _UNSEEN if keep_place else _GONE
    if shown:
        widget.remove_class(name)
    else:
        widget.add_class(name)


def revealed(widget: Any) -> bool:
    """Whether a widget is shown, as far as it is up to itself."""
    return not {_GONE, _UNSEEN} & set(widget._dom_classes)


def close(widget: Any) -> None:
    """Close a widget and all that is in it, so that no comm of theirs is left."""
    for child in getattr(widget, "children", ()):
        close(child)
    widget.close()
