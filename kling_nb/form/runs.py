"""What came of the requests of a form: a card for each, with progress, grid, error and what to do next."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from kling_nb.display import note_html, progress_html
from kling_nb.display.words import esc, plural
from kling_nb.engine.polling import typical
from kling_nb.errors import KlingError
from kling_nb.form.parts import Parts, close, reveal
from kling_nb.records import Role

if TYPE_CHECKING:
    from kling_nb.session.session import Session
    from kling_nb.session.task import Task

DOUBLE_CLICK = 1.0
"""Seconds within which a second click for the very same thing is taken for a part of the first."""


class Run:
    """One request that was sent from the form, or is about to be.

    Parameters
    ----------
    parts : Parts
        Makes the widgets.
    title : str
        What is asked for, in words.
    session : Session
        Where.
    listener : object
        Has ``use_image``, ``same_again``, ``load_task``, ``dismissed`` and ``say``.
    """

    def __init__(self, parts: Parts, title: str, session: "Session", listener: Any) -> None:
        self._parts = parts
        self.session = session
        self.task: Task | None = None
        self.failed = ""
        self._listener = listener
        self._shown = ""
        self._remark = ""
        self._asked_at = 0.0
        self.head = parts.html(f'<span class="kling-title">{esc(title, 120)}</span>')
        self.progress = parts.html('<span role="status">Sending…</span>')
        self.result = parts.make(widgets.Output)
        self.which = parts.make(widgets.Dropdown, options=[("images[0]", 0)], description="Use", look="kling-which")
        self.uses = [self._use(role) for role in ("subject", "scene", "style")]
        self.again = self._button("Same again", "Ask for the same once more: new images, and paid again", self._again)
        self.load = self._button("Load this request", "Put this request into the form above", self._load)
        self.cancel = self._button("Cancel", "Cancel the task while it is not sent", self._cancel)
        self.done = parts.html(look="kling-done")
        tooltip = "Take this off the form; what was sent goes on, and nothing is deleted"
        self.dismiss = self._button("", tooltip, self._dismiss, look="kling-small kling-sign-clear")
        self._actions = parts.row([self.which, *self.uses, self.again, self.load], "kling-actions")
        for part in (self.cancel, self.result, self._actions):
            reveal(part, False)
        top = parts.row([self.head, parts.row([self.cancel, self.dismiss])], "kling-head")
        self.box = parts.column([top, self.progress, self.result, self._actions, self.done], "kling-run")

    @property
    def live(self) -> bool:
        """Whether something may still happen to it."""
        return not self.failed and (self.task is None or self.task.live)

    @property
    def sending(self) -> bool:
        """Whether it is not known yet what becomes of the click."""
        return not self.failed and self.task is None

    def say(self, error: BaseException) -> None:
        """Show what goes wrong with showing a task that goes on."""
        said = str(error) if isinstance(error, KlingError) else f"{type(error).__name__}: {error}"
        self.progress.value = note_html(said, "problem")

    def fail(self, error: BaseException) -> None:
        """Show why nothing was sent."""
        said = str(error) if isinstance(error, KlingError) else f"{type(error).__name__}: {error}"
        self.failed = said or type(error).__name__
        self.progress.value = note_html(self.failed, "problem")

    def refresh(self) -> None:
        """Show how the task is now."""
        task = self.task
        if task is None or self.failed:
            return
        if task.live:
            self._show_progress(task)
        else:
            self._show_result(task)

    def _show_progress(self, task: "Task") -> None:
        record, job = task.record, task.job
        runner = self.session.gateway.runner
        usual = typical(runner.durations(record.model_name))
        note = [job.note] if job is not None and job.note else []
        note += [self._remark] if self._remark else []
        self.progress.value = progress_html(
            [record], now=time.time(), expected=usual.median if usual else None, notes=note
        )
        reveal(self.progress, True)
        reveal(self.cancel, record.task_status == "planned")

    def _show_result(self, task: "Task") -> None:
        data, metadata = task.bundle()
        html = str(data["text/html"])
        if html == self._shown:
            return
        self._shown = html
        count = len(task.images)
        # Through the front end's own output, which finds the files that the links of the grid lead to.
        shown = {"text/html": html, "text/plain": data["text/plain"]}
        self.result.outputs = ({"output_type": "display_data", "data": shown, "metadata": metadata},)
        self.which.options = [(f"images[{image.index}]", image.index) for image in task.images] or [("–", None)]
        for part in (self.which, *self.uses):
            reveal(part, count > 0)
        reveal(self.which, count > 1)
        self.again.tooltip = f"Ask for the same once more: {plural(task.n, 'new image')}, {self._cost}"
        for part in (self._actions, self.result):
            reveal(part, True)
        for part in (self.progress, self.cancel):
            reveal(part, False)

    def static_html(self) -> str:
        """Return what a notebook without its kernel shows of it."""
        return note_html(self.failed, "problem") if self.failed else self._shown

    def close(self) -> None:
        """Close the widgets."""
        close(self.box)

    def _use(self, role: Role) -> Any:
        def clicked() -> None:
            if self.task is not None:
                self._say_done(self._listener.use_image(self.task, self.which.value, role))

        return self._button(f"as {role}", f"Use this image as {role} of the next request", clicked)

    def _button(self, label: str, tooltip: str, clicked: Callable[[], None], **traits: Any) -> Any:
        return self._parts.button(label, tooltip, clicked, self._listener.say, **traits)

    def _again(self) -> None:
        task = self.task
        if task is None:
            return
        settings = self.session.settings
        if task.n > settings.confirm_above and not self._asked_at:
            self._ask(f"Yes, {task.n} images again: {self._cost}")
        elif not self._asked_at or time.monotonic() - self._asked_at >= DOUBLE_CLICK:
            self._ask("")
            self._listener.same_again(self)

    @property
    def _cost(self) -> str:
        if self.session.settings.sandbox:
            return "nothing is billed"
        return self.session.price(self.task.n if self.task else 0) or "price unknown"

    def _ask(self, question: str) -> None:
        self._asked_at = time.monotonic() if question else 0.0
        self.again.description = question or "Same again"
        self.again.button_style = "warning" if question else ""

    def _load(self) -> None:
        if self.task is not None:
            self._listener.load_task(self.task)
            self._say_done("It is in the form above now.")

    def _say_done(self, what: str) -> None:
        """Say it here, for the form itself may be out of sight; and take back a question that was not answered."""
        self._ask("")
        self.done.value = f'<span role="status">{esc(what, 200)}</span>'

    def _cancel(self) -> None:
        if self.task is not None and not self.task.cancel():
            self._remark = "It is sent already, and cannot be cancelled at the API."
            self.refresh()

    def _dismiss(self) -> None:
        self._listener.dismissed(self)
