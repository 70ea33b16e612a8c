"""The form: everything that the magic can do, by pointing."""

import contextlib
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import traitlets

from kling_nb import errors
from kling_nb.display.words import plural
from kling_nb.engine.crew import Crew
from kling_nb.form import again, places
from kling_nb.form.checking import Checked, check
from kling_nb.form.code import CodeView
from kling_nb.form.coding import written, written_path
from kling_nb.form.fields import Fields
from kling_nb.form.given import entry_of
from kling_nb.form.parts import Parts, close
from kling_nb.form.paying import Paying
from kling_nb.form.press import Input
from kling_nb.form.references import References
from kling_nb.form.results import Results
from kling_nb.form.sending import Order, Sending
from kling_nb.form.showing import Showing
from kling_nb.form.whole import Whole
from kling_nb.notation.names import Namespace
from kling_nb.notation.writing import cell, escaped, python
from kling_nb.records import Role, TaskRecord
from kling_nb.session.echo import ShownOnce

if TYPE_CHECKING:
    from kling_nb.form.entries import Entry
    from kling_nb.session.session import Session
    from kling_nb.session.task import Task

_SECONDS = 60.0
_CLOSING = 5.0


class Form(traitlets.HasTraits):
    """A form that makes requests, sends them and shows what comes.

    In a notebook it shows itself. Made by `Kling.form` and ``%kling form``.

    Parameters
    ----------
    session : callable
        Returns the session to use now.
    use_sandbox : callable
        Turns to the sandbox.
    owner : callable
        Returns the variable of the `Kling` that the form belongs to (None for that of the magic), and the code
        that comes before it is used.
    let_go : callable
        Called when the form is closed.

    Attributes
    ----------
    request : Request or None
        What would be sent now; None while something is wrong. Observable; set in other threads too.
    tasks : tuple of Task
        What was sent from here, newest last. Observable.
    """

    request = traitlets.Any(None, allow_none=True, read_only=True)
    tasks = traitlets.Tuple((), read_only=True)

    def __init__(
        self,
        session: "Callable[[], Session]",
        use_sandbox: Callable[[], None],
        owner: Callable[[], tuple[str | None, str]],
        let_go: Callable[[], None],
    ) -> None:
        super().__init__()
        self._session = session
        self._use_sandbox = use_sandbox
        self._owner = owner
        self._let_go = let_go
        self._lock = threading.RLock()
        self._closed = False
        self._ready = False
        self._checked = Checked(None, None, {})
        self._echo = ShownOnce()
        self._crew = Crew("kling-form", 1)
        self.parts = Parts()
        self.fields = Fields(self.parts, self.refresh)
        self.references = References(self.parts, self.namespace, self._keep, self.refresh, self._crew, self._lock)
        self.code = CodeView(self.parts)
        self.sending = Sending(self, self._crew)
        self.paying = Paying(
            self.parts, self._inputs(), self.sending.clicked, self._turn_to_sandbox, self._look_for_key
        )
        self.results = Results(self)
        self._showing = Showing(self)
        self.whole = Whole(self, self._showing.hiding)
        self._ready = True
        left = places.take_place(self)
        for form in left:
            # The same cell was run again: what its form has under way goes on here.
            form.close()
            for task in form.tasks:
                if task.live:
                    self.follow(task)
        self.refresh()

    # ---- from Python -------------------------------------------------------------------------------

    @property
    def session(self) -> "Session":
        """Where requests go now."""
        return self._session()

    @property
    def widget(self) -> Any:
        """The form as one widget, to be put into a layout of your own."""
        return self.whole.box

    @property
    def problems(self) -> Mapping[str, str]:
        """What is wrong, by field; empty when `request` can be sent."""
        self.settle()
        checked = self._check()
        return dict(checked.problems) | ({"references": checked.why} if checked.why and not checked.problems else {})

    def load(
        self,
        *,
        prompt: str | None = None,
        subject_images: Any = None,
        scene_image: Any = None,
        style_image: Any = None,
        task: "Task | None" = None,
        fit: bool = False,
        **fields: Any,
    ) -> "Form":
        """Put values into the form; what is not given stays as it is.

        Parameters
        ----------
        prompt : str, optional
            As it is to be sent: braces in it are text.
        subject_images, scene_image, style_image : reference, optional
            As for `Kling.generate`.
        task : Task, optional
            Everything of an earlier task; the other arguments count more.
        fit : bool
            Make pictures fit the API's limits.
        **fields
            ``n``, ``aspect_ratio``, ``model_name``, ``callback_url``, ``external_task_id``, ``watermark``, ``reuse``.

        Returns
        -------
        Form
            This one.

        Raises
        ------
        InvalidRequest
            There is no such field, or it cannot take the value.
        """
        values: dict[str, Any] = {}
        found: list[tuple[Role, Entry]] = []
        if task is not None:
            if not isinstance(getattr(task, "record", None), TaskRecord):
                raise errors.InvalidRequest(f"task is a {type(task).__name__}; give a task, such as kling.task(id).")
            values |= again.fields_of(task.record)
            found = again.entries_of(self.session, task.record, written_path)
        unknown = sorted(fields.keys() - self.fields.values().keys())
        if unknown:
            raise errors.InvalidRequest(f"The form has no field {unknown[0]!r}.")
        values |= {name: value for name, value in fields.items() if value is not None}
        if prompt is not None:
            text: Any = prompt
            values["prompt"] = escaped(text) if isinstance(text, str) else text
        given: dict[Role, Any] = {"subject": subject_images, "scene": scene_image, "style": style_image}
        roles = {role for role, value in given.items() if value is not None or task is not None}
        for role, value in given.items():
            if value is not None:
                found = [each for each in found if each[0] != role]
                found += [(role, entry) for entry in entry_of(value, role, self.namespace(), fit=fit)]
        self.fields.load(values)
        if roles:
            self.references.load(found, roles)
        return self

    def generate(self, *, yes: bool = False) -> "Task":
        """Send what is in the form, and return at once; the result comes in below the form, too.

        Parameters
        ----------
        yes : bool
            Agree to more than ``confirm_above`` images.

        Returns
        -------
        Task
            On its way.

        Raises
        ------
        InvalidRequest
            Something in the form is wrong.
        ConfigurationError, WorkspaceError
            Nothing was sent.
        """
        self.settle()
        if self._checked.request is None:
            # What was missing may be there now.
            self.refresh()
        order = self.order()
        if order.request is None:
            raise errors.InvalidRequest("\n".join([self._checked.why, *self._checked.problems.values()]))
        return self.sending.now(order, yes=yes)

    def follow(self, task: "Task") -> None:
        """Show a task below the form, as if it had been sent from here."""
        run = self.results.add(task.record, self.session)
        self.sending.add(task)
        self.results.start(run, task)

    def settle(self, timeout: float = _SECONDS) -> bool:
        """Wait until all pictures were looked at, what was clicked is sent, and what has ended is shown.

        Parameters
        ----------
        timeout : float
            Seconds.

        Returns
        -------
        bool
            Whether that was so in time.
        """
        if self._crew.is_current() or self.results.is_current():
            # An observer of the form's own threads, which would wait for themselves.
            return False
        done = threading.Event()
        self._crew.do(done.set)
        return self._closed or (done.wait(timeout) and self.results.settle(timeout))

    def close(self) -> None:
        """Take the form away, with its threads and comms; tasks under way are followed on."""
        if not self._closed and any(run.sending for run in self.results.runs):
            # What was clicked is sent, and not dropped without a word.
            self.settle(_CLOSING)
        with self._lock:
            if self._closed:
                return
            self._closed = True
        places.leave(self)
        self._crew.stop(join=5.0)
        self.results.stop(join=5.0)
        close(self.whole.box)
        self.whole.box.layout.close()
        self.results.close()
        self.parts.close()
        self._showing.left()
        self._let_go()

    def show(self) -> None:
        """Show the form in the running cell."""
        self._showing.show()

    def shown(self) -> None:
        """Leave out the next echo in the execution that has shown it."""
        self._echo.shown()

    def _ipython_display_(self) -> None:
        with contextlib.suppress(NotImplementedError):
            self._echo._ipython_display_()
            return
        self._showing.show()

    def __repr__(self) -> str:
        state = "closed" if self._closed else plural(len(self.tasks), "task")
        return f"<kling_nb form: {state}>"

    def results_changed(self) -> None:
        """Have the notebook keep the results as they are now."""
        if self._closed:
            return
        self._showing.update()
        self.whole.refresh_earlier()

    # ---- inside ------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Check everything anew, and show what came of it."""
        if not self._ready or self._closed:
            return
        with self._lock:
            try:
                session, checked = self.session, self._check()
            except errors.KlingError as error:
                # A setting went wrong after the form was made.
                self._checked = Checked(None, None, {}, str(error))
                self.paying.refuse(str(error))
            else:
                self._checked = checked
                self.fields.show(checked.prompt, checked.problems)
                self.paying.show(session, checked.request.n if checked.request else None, checked.why)
                self._show_code(checked, session)
                self.whole.show_warnings(checked.request)
        self.tell("request", lambda: self._checked.request)

    def tell(self, name: str, now: Callable[[], Any]) -> None:
        """Set a trait that several threads change: whoever comes last sets the newest value."""
        try:
            while (value := now()) != getattr(self, name):
                self.set_trait(name, value)
        except Exception as error:  # noqa: BLE001 - an observer of the user's; what was sent goes on
            self.whole.say(f"What observes form.{name} raised {type(error).__name__}: {error}")

    def _check(self) -> Checked:
        values, busy = self.fields.values(), self.references.busy
        model_name = self.session.settings.model_name
        return check(values, self.references.entries, self.namespace(), model_name, busy=busy)

    def _show_code(self, checked: Checked, session: "Session") -> None:
        values, entries = self.fields.values(), self.references.entries
        request = written(values, entries, checked.prompt or "", session.settings)
        name, start = self._owner()
        complete = checked.request is not None
        own = name is not None
        self.code.show(cell(request), start + python(request, name), own=own, complete=complete)

    def _inputs(self) -> list[Input]:
        return [*self.fields.inputs(), *((slot.source, "value") for slot in self.references.slots)]

    def namespace(self) -> Namespace:
        """Return the notebook's variables."""
        return Namespace(places.variables())

    def _keep(self, name: str, data: bytes) -> str:
        return written_path(self.session.workspace.keep_upload(name, data))

    def order(self) -> Order:
        """Return what would be sent, as it is shown: a variable in the prompt may have changed since."""
        with self._lock:
            return Order(self._checked.request, self.fields.values(), list(self.references.entries), self.session)

    def _turn_to_sandbox(self) -> None:
        self._use_sandbox()
        self._look_for_key()
        self.whole.refresh_lists()

    def _look_for_key(self) -> None:
        self.paying.forget_key()
        self.refresh()
