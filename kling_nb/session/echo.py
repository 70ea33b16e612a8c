"""Showing a thing once although it is both shown and returned.

A magic shows its result itself, so that loops and several magics in a cell show everything, and returns
it, so that it can be assigned. IPython then echoes a returned value once more; that echo is left out, in
the same execution only, so that the name alone in the next cell shows it again.
"""

import sys


class ShownOnce:
    """Leaves out its next echo in the execution that has shown it."""

    _shown_at: int | None = None

    def shown(self) -> None:
        """Remember that this execution shows it already."""
        self._shown_at = _execution_count()

    def _ipython_display_(self) -> None:
        shown_at, self._shown_at = self._shown_at, None
        if shown_at is None or shown_at != _execution_count():
            # IPython then goes on to the other representations.
            raise NotImplementedError


def _execution_count() -> int | None:
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module else None
    return None if shell is None else int(shell.execution_count)
