"""The request in the form as code, live: the `%%kling` cell and the Python that send the same."""

from typing import Any

from kling_nb.display.words import esc_block
from kling_nb.form.parts import Parts, reveal

_LONGEST = 20_000
_NO_CELL = "This cannot be written as a cell; use the Python."
_OWN_KLING = "This form belongs to a Kling of its own settings, which the magic does not have; use the Python."


class CodeView:
    """The two texts with a button each that copies it.

    Parameters
    ----------
    parts : Parts
        Makes the widgets.
    """

    def __init__(self, parts: Parts) -> None:
        self.cell = _Code(parts, "Cell", "Copy the cell")
        self.python = _Code(parts, "Python", "Copy the Python")
        self.box = parts.column([self.cell.box, self.python.box], "kling-code")

    def show(self, cell: str | None, python: str, *, own: bool, complete: bool) -> None:
        """Show the code.

        Parameters
        ----------
        cell : str, optional
            None where the request cannot be written as a cell.
        python : str
            The Python.
        own : bool
            Whether the form's `Kling` is another one than the magic's.
        complete : bool
            Whether the request is right; what is incomplete would not run.
        """
        if own:
            cell, said = None, _OWN_KLING
        else:
            said = "" if complete else "Not complete yet."
            said = said if cell is not None else _NO_CELL
        self.cell.show(cell or "", said)
        self.python.show(python, "" if complete else "Not complete yet.")


class _Code:
    def __init__(self, parts: Parts, title: str, copy: str) -> None:
        self._title = title
        self._head = parts.html()
        self._text = parts.html()
        self.button: Any = None
        try:
            from kling_nb.form.tile import CopyButton

            self.button = parts.make(CopyButton, title=copy)
        except ImportError:
            # Without anywidget it is selected by hand.
            pass
        head = parts.row([self._head, *([self.button] if self.button is not None else [])], "kling-head")
        self.box = parts.column([head, self._text])

    def show(self, text: str, said: str) -> None:
        hint = f' <span class="kling-hint">{said}</span>' if said else ""
        self._head.value = f'<span class="kling-title">{self._title}</span>{hint}'
        self._text.value = f"<pre>{esc_block(text, _LONGEST)}</pre>" if text else ""
        if self.button is not None:
            self.button.text = text
            reveal(self.button, bool(text))
