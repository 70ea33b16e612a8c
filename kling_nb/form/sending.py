"""From what is in a form to a task that is on its way: what was agreed to, and nothing else."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kling_nb import errors
from kling_nb.engine.crew import Crew
from kling_nb.form import again, runs
from kling_nb.form.checking import check
from kling_nb.form.entries import Entry
from kling_nb.form.runs import Run

if TYPE_CHECKING:
    from kling_nb.form.form import Form
    from kling_nb.request import Request
    from kling_nb.session.session import Session
    from kling_nb.session.task import Task


@dataclass(frozen=True, slots=True)
class Order:
    """What was in the form when it was agreed to."""

    request: "Request | None"
    values: Mapping[str, Any]
    entries: Sequence[Entry | None]
    session: "Session"


class Sending:
    """Sends what is agreed to; clicks in turn, in the form's thread.

    Parameters
    ----------
    form : Form
        Whose.
    crew : Crew
        Its thread.
    """

    def __init__(self, form: "Form", crew: Crew) -> None:
        self._form = form
        self._crew = crew
        self._last: tuple[object, float] = (None, 0.0)
        self.sent: list[Task] = []

    def clicked(self) -> None:
        """Have sent what is shown, as its user has agreed to by a click."""
        order = self._form.order()
        if order.request is None:
            self._form.refresh()
        elif not self._is_repeated(order.request.digest):
            run = self._form.results.add(order.request, order.session)
            self._crew.do(lambda: self._send_for(run, lambda: self._send(order, yes=True)))

    def now(self, order: Order, *, yes: bool) -> "Task":
        """Send an order in the calling thread; what goes wrong is shown and raised."""
        run = self._form.results.add(order.request, order.session)
        try:
            task = self._send(order, yes=yes)
        except BaseException as error:
            self._form.results.fail(run, error)
            raise
        self._form.results.start(run, task)
        return task

    def once_more(self, task: "Task", session: "Session") -> None:
        """Have a task's request sent once more, where it was sent before."""
        if self._is_repeated(task.id):
            return
        run = self._form.results.add(task.record, session)

        def send() -> "Task":
            new = session.submit(again.request_of(session, task.record), yes=True)
            self.add(new)
            return new

        self._crew.do(lambda: self._send_for(run, send))

    def add(self, task: "Task") -> None:
        """Count a task among those that were sent from the form."""
        self.sent.append(task)
        self._form.tell("tasks", lambda: tuple(self.sent))

    def _is_repeated(self, what: object) -> bool:
        (before, at), now = self._last, time.monotonic()
        if what == before and now - at < runs.DOUBLE_CLICK:
            return True
        self._last = (what, now)
        return False

    def _send_for(self, run: Run, send: "Callable[[], Task]") -> None:
        try:
            task = send()
        except Exception as error:  # noqa: BLE001 - shown in the run's place, where the user looks
            self._form.results.fail(run, error)
            return
        self._form.results.start(run, task)

    def _send(self, order: Order, *, yes: bool) -> "Task":
        entries, changed = self._form.references.look_again(order.entries)
        model_name = order.session.settings.model_name
        request = check(order.values, entries, self._form.namespace(), model_name, busy=False).request
        if changed or request is None or order.request is None or request.digest != order.request.digest:
            what = " and ".join(changed) or "What the prompt takes from a variable"
            self._form.refresh()
            raise errors.InvalidRequest(
                f"{what} has changed since it was shown.", advice="Look at the form, and generate again."
            )
        task = order.session.same(request) if order.values["reuse"] else None
        task = task or order.session.submit(request, yes=yes)
        self.add(task)
        return task
