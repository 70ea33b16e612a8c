"""A stand-in for the multi-image-to-image API, on this machine: no key, no network, no money.

``python -m kling_nb.sandbox --port 8000`` runs it in a terminal; `Sandbox` runs it inside a program.
It speaks the API strictly (a misspelled field is an error), keeps a ledger of what it would have
billed, paints its results from the references, and marks every one of them SANDBOX.

A prompt may ask for an outcome, to see what it looks like:

===================== ========================================================================
in the prompt         what happens
===================== ========================================================================
``[sandbox: fail]``   the task fails: "... risk control ..."; nothing is billed
``[sandbox: refuse]`` the request is refused: HTTP 400, code 1301, content safety
``[sandbox: broke]``  the request is refused: HTTP 429, code 1102, balance used up
``[sandbox: busy]``   the request is refused: HTTP 429, code 1303, too many tasks in parallel
``[sandbox: slow]``   the task takes ten times as long
``[sandbox: lost]``   the task is made and billed, and the connection is cut before the answer
===================== ========================================================================

What a gateway or a network can do besides is ordered by a script: see `kling_nb.sandbox.faults`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kling_nb.sandbox.app import Seen
    from kling_nb.sandbox.callbacks import Callback
    from kling_nb.sandbox.faults import Fault, Faults
    from kling_nb.sandbox.ledger import Ledger
    from kling_nb.sandbox.sandbox import Sandbox
    from kling_nb.sandbox.tasks import Entry

__all__ = ["Callback", "Entry", "Fault", "Faults", "Ledger", "Sandbox", "Seen"]

_HOMES = {
    "Callback": "callbacks",
    "Entry": "tasks",
    "Fault": "faults",
    "Faults": "faults",
    "Ledger": "ledger",
    "Sandbox": "sandbox",
    "Seen": "app",
}


def __getattr__(name: str) -> Any:
    # Importing this package imports neither Werkzeug nor Pillow; using it does.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
