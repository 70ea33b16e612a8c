"""The results of a form, newest first, kept up to date by one thread while something is under way."""

import threading
from typing import TYPE_CHECKING, Any

from kling_nb.display.words import joined, one_line, plural
from kling_nb.engine.changed import Changed
from kling_nb.form.coding import written_path
from kling_nb.form.entries import Entry
from kling_nb.form.runs import Run
from kling_nb.notation.writing import Source

if TYPE_CHECKING:
    from kling_nb.form.form import Form
    from kling_nb.session.session import Session
    from kling_nb.session.task import Task

TICK = 1.0
"""Seconds between two updates of the running time when nothing happens."""
_QUICK = 0.1


class Results:
    """The runs of a form.

    Parameters
    ----------
    form : Form
        Whose.
    """

    def __init__(self, form: "Form") -> None:
        self._form = form
        self._lock = Changed()
        self._runs: list[Run] = []
        self._shown: set[Run] = set()
        self._bell = threading.Event()
        self._thread: threading.Thread | None = None
        self._stopped = False
        self.box = form.parts.column([])

    @property
    def runs(self) -> list[Run]:
        """Newest first."""
        with self._lock:
            return list(self._runs)

    def add(self, asked: Any, session: "Session") -> Run:
        """Make room for a request that is about to be sent.

        Parameters
        ----------
        asked : Request or TaskRecord
            What is asked for.
        session : Session
            Where.
        """
        title = joined(plural(asked.n, "image"), one_line(asked.prompt or "no prompt", 80))
        run = Run(self._form.parts, title, session, self)
        with self._lock:
            self._runs.insert(0, run)
        self._arrange()
        return run

    def start(self, run: Run, task: "Task") -> None:
        """Show a task in the place of its run, and go on showing how it is."""
        run.task = task
        self._refresh(run)
        job = task.job
        if job is not None:
            job.listeners.append(lambda _job: self._bell.set())
        with self._lock:
            if self._stopped or self._thread is not None:
                self._bell.set()
                return
            self._thread = threading.Thread(target=self._watch, name="kling-form-results", daemon=True)
            self._thread.start()

    def fail(self, run: Run, error: BaseException) -> None:
        """Show in the place of a run why nothing was sent."""
        run.fail(error)
        with self._lock:
            self._shown.add(run)
            self._lock.notify_all()
        self._form.results_changed()

    def is_current(self) -> bool:
        """Tell whether this runs in the results' own thread."""
        return threading.current_thread() is self._thread

    def settle(self, timeout: float) -> bool:
        """Wait until everything that has ended is shown, also in what the notebook keeps."""

        def shown() -> bool:
            return self._stopped or all(run.live or run in self._shown for run in self._runs)

        return self._lock.wait_for(shown, timeout)

    def stop(self, join: float) -> None:
        """End the thread."""
        with self._lock:
            self._stopped, thread = True, self._thread
        self._bell.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(join)

    def close(self) -> None:
        """Close the widgets."""
        for run in self.runs:
            run.close()
        self._form.results_changed()

    # ---- what a run asks for -----------------------------------------------------------------------

    def use_image(self, task: "Task", index: int, role: Any) -> str:
        """Use a result as a reference of the next request; return what was done, in words."""
        image = next((each for each in task.images if each.index == index), None)
        if image is None:
            return "That picture is not there any more."
        return self._form.references.use(Entry(Source(written_path(image.path)), image), role)

    def same_again(self, run: Run) -> None:
        """Send the same once more, where it was sent."""
        if run.task is not None:
            self._form.sending.once_more(run.task, run.session)

    def load_task(self, task: "Task") -> None:
        """Put a task's request into the form."""
        self._form.load(task=task)

    def say(self, message: str) -> None:
        """Show what went wrong with a click."""
        self._form.whole.say(message)

    def dismissed(self, run: Run) -> None:
        """Take a run off the form."""
        with self._lock:
            self._runs = [each for each in self._runs if each is not run]
        self._arrange()
        run.close()
        self._form.results_changed()

    # ---- inside ------------------------------------------------------------------------------------

    def _arrange(self) -> None:
        self.box.children = tuple(run.box for run in self.runs)

    def _watch(self) -> None:
        begun = False
        while True:
            ended = [run for run in self._left() if not run.live]
            for run in self._left():
                # What ends meanwhile is shown once more.
                self._refresh(run)
            if ended or not begun:
                begun = True
                self._form.results_changed()
            with self._lock:
                self._shown.update(ended)
                self._lock.notify_all()
                if self._stopped or self._shown.issuperset(self._runs):
                    # Under the lock, so that a run that starts now starts a new thread.
                    self._thread = None
                    return
            if all(run.live for run in self._left()):
                self._bell.wait(TICK)
            self._bell.clear()

    def _left(self) -> list[Run]:
        with self._lock:
            return [run for run in self._runs if run not in self._shown]

    def _refresh(self, run: Run) -> None:
        try:
            run.refresh()
        except Exception as error:  # noqa: BLE001 - whatever cannot be shown is said in its place
            if run.live:
                run.say(error)
            else:
                run.fail(error)
