"""The form: everything that the magic can do, by pointing.

Widgets in here are thin: what is decided is decided by pure functions and by the rooms below. Threads touch
traits only, because output that a thread makes lands in whichever cell is running.
"""

from kling_nb.form.making import made
from kling_nb.form.places import all_open

__all__ = ["all_open", "made"]
