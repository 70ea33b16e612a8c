"""The row that sends: what a request takes, why it cannot be sent, and the second click for a large one."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kling_nb.display.words import esc, esc_advice, joined, plural
from kling_nb.errors import ConfigurationError, KlingError
from kling_nb.form.parts import Parts, reveal
from kling_nb.form.press import Input, Press

if TYPE_CHECKING:
    from kling_nb.session.session import Session

_PATIENCE = 2.0
"""Seconds between two looks for a key where there was none."""
NO_KEY = (
    "There is no API key. `%kling login` in another cell asks for it, unseen; or set KLING_API_KEY. "
    "The sandbox needs none and costs nothing."
)

_BEHIND = (
    '<br><span role="alert">Nothing was sent: the kernel was busy, and had not heard of your last changes. '
    "Press again when it has.</span>"
)
_HEARD = '<br><span role="alert">Nothing was sent before; now your changes are in. Press again.</span>'


class Paying:
    """The widgets of the row.

    Parameters
    ----------
    parts : Parts
        Makes the widgets.
    inputs : sequence of (widget, str)
        What the user sees of the request, and agrees to.
    generate : callable
        Called when the user has agreed.
    use_sandbox : callable
        Called when the user chooses the sandbox.
    look_again : callable
        Called when the user says that there is a key now.
    """

    def __init__(
        self,
        parts: Parts,
        inputs: Sequence[Input],
        generate: Callable[[], None],
        use_sandbox: Callable[[], None],
        look_again: Callable[[], None],
    ) -> None:
        self._generate = generate
        self._asked = self._ready = False
        self._n = 0
        self._looked: tuple[float, str] = (0.0, "")
        self._limit = 0
        self._question = self._told = ""
        self._late = ""
        self._first = Press(parts, "Generate", "Send the request", "primary", inputs, self._clicked, self._behind)
        self.button = self._first.plain
        # In another place than the first, or a double click would be an agreement.
        title = "Send the request, large as it is"
        self._second = Press(parts, "", title, "warning", inputs, self._agreed, self._behind)
        self.agree = self._second.plain
        self.back = parts.button("Do not send", "Go back without sending", lambda: self._ask(asked=False))
        self.why = parts.html(look="kling-why")
        self.sandbox = parts.button("Use the sandbox", "No key, no cost, painted pictures", use_sandbox)
        self.retry = parts.button("Look again", "Look for a key again", look_again)
        self.box = parts.row(
            [*self._first.parts, self.back, *self._second.parts, self.why, self.sandbox, self.retry], "kling-go"
        )
        self._ask(asked=False)

    def show(self, session: "Session", n: int | None, why: str) -> None:
        """Show what the request takes, or why it cannot be sent.

        Parameters
        ----------
        session : Session
            Where it would be sent.
        n : int, optional
            Images; None where the request is not right.
        why : str
            What to do first.
        """
        missing = "" if session.settings.sandbox else self._missing_key(session)
        reveal(self.sandbox, bool(missing))
        reveal(self.retry, bool(missing))
        self._ready = n is not None and not why and not missing
        said = " ".join(part for part in (why, missing) if part)
        takes = _takes(session, n) if n is not None else ""
        warning = f'<span role="status">{esc_advice(said, 600)}</span>' if said else ""
        self._late = self._late and _HEARD
        self._tell("<br>".join(part for part in (esc(takes, 300), warning) if part))
        self._limit = session.settings.confirm_above
        self._question = takes
        self._n = n or 0
        self._ask(asked=False)

    def refuse(self, why: str) -> None:
        """Show why nothing at all can be sent."""
        self._ready = False
        self._tell(f'<span role="alert">{esc_advice(why, 600)}</span>')
        self._ask(asked=False)

    def _tell(self, html: str) -> None:
        self._told = html
        # It stays until the next press, for the changes come in just then.
        self.why.value = html + self._late

    def forget_key(self) -> None:
        """Look for the key anew at the next chance."""
        self._looked = (0.0, "")

    def _missing_key(self, session: "Session") -> str:
        at, said = self._looked
        now = time.monotonic()
        if at and (not said or now - at < _PATIENCE):
            return said
        try:
            said = "" if session.settings.key.find() else NO_KEY
        except ConfigurationError as error:
            said = str(error)
        self._looked = (now, said)
        return said

    def _clicked(self) -> None:
        self._late = ""
        self._tell(self._told)
        if self._n > self._limit:
            self._ask(asked=True)
        else:
            self._generate()

    def _behind(self) -> None:
        """Say that the kernel hears of the last changes only now: what it takes is shown before it is sent."""
        self._late = _BEHIND
        self._tell(self._told)
        self._ask(asked=False)

    def _agreed(self) -> None:
        if self._asked:
            self._late = ""
            self._tell(self._told)
            self._ask(asked=False)
            self._generate()

    def _ask(self, *, asked: bool) -> None:
        self._asked = asked
        self.agree.description = f"Yes, send: {self._question}" if asked else "Yes, send"
        self.button.disabled = asked or not self._ready
        self._second.reveal(asked)
        reveal(self.back, asked)


def _takes(session: "Session", n: int) -> str:
    cost = "nothing is billed" if session.settings.sandbox else session.price(n) or "price unknown"
    where = "sandbox" if session.settings.sandbox else session.address
    return joined(plural(n, "image"), _slots(session, n), cost, where)


def _slots(session: "Session", n: int) -> str:
    """Say how many of the slots that the account is known to have a request takes."""
    try:
        slots = session.workspace.journal.slots if session.workspace.exists else None
        known = slots.read(session.gateway_name, session.settings.model_name) if slots is not None else None
    except KlingError:
        # It is said where it matters, when something is sent.
        known = None
    if known is None:
        return plural(n, "slot")
    if n > known.slots:
        return f"{plural(n, 'slot')}, more than the {known.slots} that are known: it runs alone"
    return f"{n} of {plural(known.slots, 'slot')}"
