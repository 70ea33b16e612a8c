"""Where progress and results are shown: a notebook's output, a terminal's line, or nowhere.

In a notebook everything goes through one display handle, because an update of a handle reaches its own
cell from any thread, in every front end that was tried.
"""

import contextlib
import sys
from typing import Any, Literal

from kling_nb.display import Bundle, note_html, note_text, progress_html, progress_line
from kling_nb.display.words import one_line
from kling_nb.records import TaskRecord

_LONGEST = 400
"""Characters of a terminal's line with all its notes."""


class Screen:
    """Shows nothing: for `-q`, for scripts without a terminal, and as the base of the others."""

    in_background = False
    """Whether it can be updated after its cell has ended."""

    def progress(self, records: list[TaskRecord], *, now: float, expected: float | None, notes: list[str]) -> None:
        """Show how tasks are getting on.

        Parameters
        ----------
        records : list of TaskRecord
            The tasks.
        now : float
            Seconds since the epoch.
        expected : float, optional
            Seconds that such tasks take.
        notes : list of str
            What the user should know.
        """

    def live(self, html: str, line: str) -> None:
        """Show progress of the caller's own making: as HTML, or as one line where there is none."""

    def bundle(self, bundle: Bundle) -> None:
        """Show a result in place of the progress."""

    def note(self, message: str, *, problem: bool = False) -> None:
        """Show one sentence in place of the progress."""

    def done(self) -> None:
        """End without a result of its own."""


class NotebookScreen(Screen):
    """One display handle of a notebook's cell."""

    in_background = True

    def __init__(self) -> None:
        self._handle: Any = None
        self._last: dict[str, Any] | None = None

    def progress(self, records: list[TaskRecord], *, now: float, expected: float | None, notes: list[str]) -> None:
        """Show it as a small block of HTML; the same twice is sent once."""
        html = progress_html(records, now=now, expected=expected, notes=notes)
        self.live(html, progress_line(records, now=now, expected=expected))

    def live(self, html: str, line: str) -> None:
        """Show it in the cell's output; the same twice is sent once."""
        self._send({"text/html": html, "text/plain": line}, {})

    def bundle(self, bundle: Bundle) -> None:
        """Show a result in place of the progress."""
        self._send(*bundle)

    def note(self, message: str, *, problem: bool = False) -> None:
        """Show one sentence in place of the progress."""
        kind: Literal["problem", "info"] = "problem" if problem else "info"
        self._send({"text/html": note_html(message, kind), "text/plain": note_text(message, kind)}, {})

    def _send(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        if data == self._last:
            return
        self._last = data
        if self._handle is None:
            from IPython.display import DisplayHandle

            self._handle = DisplayHandle()  # type: ignore[no-untyped-call]
            self._handle.display(data, metadata=metadata, raw=True)
        else:
            self._handle.update(data, metadata=metadata, raw=True)


class TerminalScreen(Screen):
    """One changing line on standard error; results as text. The line is the prompt's when the cell has ended."""

    def __init__(self) -> None:
        self._open = False

    def progress(self, records: list[TaskRecord], *, now: float, expected: float | None, notes: list[str]) -> None:
        """Overwrite the line."""
        self.live("", " ".join([progress_line(records, now=now, expected=expected), *notes]))

    def live(self, html: str, line: str) -> None:  # noqa: ARG002 - a terminal shows the line
        """Overwrite the line."""
        self._write(f"\r\x1b[K{one_line(line, _LONGEST)}")
        self._open = True

    def bundle(self, bundle: Bundle) -> None:
        """Print the result's text."""
        self.done()
        sys.stdout.write(str(bundle[0]["text/plain"]) + "\n")

    def note(self, message: str, *, problem: bool = False) -> None:
        """Print one sentence."""
        self.done()
        sys.stdout.write(note_text(message, "problem" if problem else "info") + "\n")

    def done(self) -> None:
        """Wipe the line."""
        if self._open:
            self._write("\r\x1b[K")
            self._open = False

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()


def screen(*, quiet: bool = False) -> Screen:
    """Return the screen of where this code runs.

    Parameters
    ----------
    quiet : bool
        Show nothing, wherever it is.

    Returns
    -------
    Screen
        A notebook's, where IPython runs without a terminal; a terminal's, where there is one.
    """
    if quiet:
        return Screen()
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module else None
    if shell is not None and type(shell).__name__ != "TerminalInteractiveShell":
        return NotebookScreen()
    if sys.stderr is not None and sys.stderr.isatty():
        return TerminalScreen()
    return Screen()
