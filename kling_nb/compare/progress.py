"""How far files are, said once it takes longer than a moment."""

import time
from collections.abc import Sequence

from kling_nb.display.markup import block, muted
from kling_nb.display.words import esc
from kling_nb.session.screen import Screen

_MOMENT = 1.0
_OFTEN = 0.25


class Progress:
    """Counts files on a screen.

    Parameters
    ----------
    where : Screen
        Where it is shown, after a second.
    what : str
        What is being done.
    total : int
        How many there are to count.
    """

    def __init__(self, where: Screen, what: str, total: int) -> None:
        self._where = where
        self._what = what
        self._total = total
        self._count = 0
        self._last = time.monotonic() + _MOMENT - _OFTEN
        self._is_shown = False

    def step(self) -> None:
        """Count one."""
        self._count += 1
        now = time.monotonic()
        if now - self._last >= _OFTEN:
            self._last, self._is_shown = now, True
            line = f"{self._what}: {self._count} of {self._total}"
            self._where.live(block(muted(esc(line))), line)

    def end(self, message: str, notes: Sequence[str] = (), remarks: Sequence[str] = ()) -> None:
        """Say what the user should know, or, where progress was shown, that all is done.

        Parameters
        ----------
        message : str
            What was done.
        notes : sequence of str
            What is not as it should be, in sentences.
        remarks : sequence of str
            What else the user should know.
        """
        if notes:
            self._where.note(" ".join([message, *notes, *remarks]), problem=True)
        elif self._is_shown or remarks:
            self._where.note(" ".join([message, *remarks]))
        else:
            self._where.done()
