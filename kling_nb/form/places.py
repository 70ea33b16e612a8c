"""Where a form stands: its cell, what the notebook keeps of it, and when it is put away."""

import sys
import weakref
from typing import TYPE_CHECKING, Any

from kling_nb.display.markup import page
from kling_nb.display.notes import note_html

if TYPE_CHECKING:
    from kling_nb.form.form import Form

MOST_BYTES = 400_000
"""What the notebook keeps of a form's results."""
_LEFT = (
    "A form of kling_nb was here, and its kernel has gone. For a new one run `%load_ext kling_nb`, then this cell "
    "again; it takes the place of the results below, and `%kling history` lists them."
)
_CLOSED = "This form was closed. `%kling history` lists what was made; running this cell again opens a new one."

_NO_WIDGETS = "Where widgets cannot be shown, `%kling` does the same in a line: `%kling help`."
PLAIN_HTML = f'<div class="kling-plain">{note_html(_NO_WIDGETS)}</div>'
# In a trusted notebook without its kernel, JupyterLab would say "Loading widget..." for ever.
_OUTPUT = ".jp-OutputArea-child:has(> .jp-OutputArea-output > .{name})"
_WAITING = f"{_OUTPUT} + .jp-OutputArea-child:not(:has(.kling-form, .kling-plain))"

_open: "dict[str, list[tuple[int, weakref.ref[Form]]]]" = {}


def shell() -> Any:
    """Return the running IPython shell, or None."""
    module = sys.modules.get("IPython")
    return module.get_ipython() if module else None


def variables() -> dict[str, Any]:
    """Return the notebook's variables."""
    running = shell()
    found: dict[str, Any] = running.user_ns if running is not None else vars(sys.modules["__main__"])
    return found


def is_notebook() -> bool:
    """Tell whether widgets can be shown here: in a kernel, not in a terminal or a script."""
    running = shell()
    return running is not None and getattr(running, "kernel", None) is not None


def take_place(form: "Form") -> list["Form"]:
    """Note which cell a form is made in; return the forms that an earlier run of the same cell has left."""
    cell, run = _cell()
    known = [(at, made) for at, made in _open.get(cell, []) if made() is not None]
    left = [found for at, made in known if at != run and (found := made()) is not None] if cell else []
    kept = [(at, made) for at, made in known if made() not in left]
    _open[cell] = [*kept, (run, weakref.ref(form))]
    return left


def leave(form: "Form") -> None:
    """Forget a form that was closed."""
    for cell, known in list(_open.items()):
        _open[cell] = [(at, made) for at, made in known if made() not in (None, form)]
        if not _open[cell]:
            del _open[cell]


def all_open() -> list["Form"]:
    """Return every form that is not closed."""
    return [found for known in _open.values() for _, made in known if (found := made()) is not None]


def _cell() -> tuple[str, int]:
    """Return the id of the running cell, where the front end tells it, and the number of its execution."""
    running = shell()
    if running is None:
        return "", 0
    parent = getattr(running, "parent_header", None)
    metadata = parent.get("metadata", {}) if isinstance(parent, dict) else {}
    some_id = metadata.get("cellId") if isinstance(metadata, dict) else None
    return str(some_id or ""), int(running.execution_count)


def hiding_html(name: str) -> str:
    """Return the part of a form that hides what stands in the notebook for it, while the form has its kernel."""
    alive = f".kling-form:not(.jupyter-widgets-disconnected) .{name}-hidden"
    # With the room of the output itself, which is not nothing in a narrow Notebook 7.
    both = f":is(.{name}, {_OUTPUT.format(name=name)})"
    return f'<style class="{name}-hidden">body:has({alive}) {both} {{ display: none; }}</style>'


def static_html(name: str, results: list[str], *, closed: bool = False) -> str:
    """Return what stands in the notebook for a form: hidden by the form while that is there.

    Parameters
    ----------
    name : str
        Of the form, as a class.
    results : list of str
        HTML of its runs, newest first; as many are kept as fit into a budget.
    closed : bool
        Whether it was put away while its kernel runs.
    """
    kept, room = [], MOST_BYTES
    for html in results:
        room -= len(html)
        if room < 0:
            break
        kept.append(html)
    more = len(results) - len(kept)
    said = _CLOSED if closed else _LEFT
    said += f" {more} of its {len(results)} results are not kept here." if more else ""
    style = f"<style>{_WAITING.format(name=name)} {{ display: none; }}</style>"
    return f'<div class="{name}">{style}{note_html(said)}{page(*kept)}</div>'
