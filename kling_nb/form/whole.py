"""The form put together: what stands where."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from kling_nb.display.words import esc
from kling_nb.errors import KlingError
from kling_nb.form import again
from kling_nb.form.entries import look
from kling_nb.form.parts import reveal
from kling_nb.form.references import pick_list
from kling_nb.notation.pictures import picture_variables

if TYPE_CHECKING:
    from kling_nb.form.form import Form
    from kling_nb.records import Role
    from kling_nb.request import Request

_STYLE = (Path(__file__).parent / "style.css").read_text()


class Whole:
    """The form as one box.

    Parameters
    ----------
    form : Form
        Whose parts are put together.
    hiding : str
        A style that hides what stands in the notebook for a form that is gone.
    """

    def __init__(self, form: "Form", hiding: str) -> None:
        self._form = form
        self._warned: object = None
        parts = self._parts = form.parts
        self.message = parts.html(look="kling-problem")
        self.warnings = parts.html()
        self.variables = parts.make(widgets.Dropdown, options=[("", "")], description="Variable")
        self.earlier = parts.make(widgets.Dropdown, options=[("", "")], description="Earlier request")
        slots = [slot.layout() for slot in form.references.slots]
        children = [
            parts.html(f"<style>{_STYLE}</style>{hiding}"),
            parts.make(widgets.GridBox, slots, look="kling-slots"),
            self._pick(),
            form.fields.layout(form.session.settings.model_name),
            self._fold("More options", form.fields.more(), "kling-more"),
            form.paying.box,
            self.warnings,
            self.message,
            self._fold("The same as code", form.code.box, "kling-as-code"),
            form.results.box,
        ]
        # With a layout of its own, which is for those who put the form into theirs.
        self.box = widgets.VBox(children, _dom_classes=("kling-form",))
        self.refresh_lists()

    def show_warnings(self, request: "Request | None") -> None:
        """Show what the user should know although it can be sent."""
        # Telling a place needs the files' metadata, so it is not done at every key.
        about = request and (request.references, request.model_name, request.callback_url)
        if about == self._warned:
            return
        self._warned = about
        warnings = request.warnings if request is not None else ()
        self.warnings.value = "<br>".join(f"Note: {esc(warning, 400)}." for warning in warnings)

    def say(self, message: str) -> None:
        """Show what went wrong with something that was clicked; empty text takes it away."""
        self.message.value = f'<span role="alert">{esc(message, 800)}</span>' if message else ""

    def refresh_lists(self) -> None:
        """Look for picture variables and earlier tasks anew."""
        names = picture_variables(self._form.namespace())
        self.variables.options = pick_list(names)
        self._form.references.offer(names)
        self.refresh_earlier()

    def _look_anew(self) -> None:
        self.refresh_lists()
        self._form.references.retry()

    def refresh_earlier(self) -> None:
        """Look for earlier tasks anew; what is chosen stays chosen."""
        try:
            found = again.history(self._form.session)
        except KlingError as error:
            self.say(str(error))
            return
        if tuple(found) != tuple(self.earlier.options):
            chosen = self.earlier.value
            self.earlier.options = found
            if chosen in [some_id for _, some_id in found]:
                self.earlier.value = chosen

    def _pick(self) -> Any:
        uses = [self._button(f"as {role}", f"Use the variable as {role}", self._use(role)) for role in _ROLES]
        load = self._button("Load", "Put the earlier request into the form", self._load)
        refresh = self._button("Refresh", "Look for variables and earlier requests again", self._look_anew)
        rows = [[self.variables, *uses], [self.earlier, load, refresh]]
        return self._parts.row([self._parts.row(row, "kling-pick") for row in rows], "kling-pick")

    def _use(self, role: "Role") -> Callable[[], None]:
        def use() -> None:
            chosen = self.variables.value
            if not chosen:
                self.say("Choose a variable first; Refresh looks for new ones.")
                return
            full = self._form.references.use(look(chosen, self._form.namespace()), role)
            self.say(full if "first" in full else "")

        return use

    def _load(self) -> None:
        if self.earlier.value:
            self._form.load(task=self._form.session.task(self.earlier.value))
        else:
            self.say("Choose an earlier request first; Refresh looks for new ones.")

    def _button(self, label: str, tooltip: str, clicked: Callable[[], Any]) -> Any:
        return self._parts.button(label, tooltip, clicked, self.say)

    def _fold(self, title: str, content: Any, name: str) -> Any:
        # An accordion's titles cannot be reached with the keyboard.
        said: dict[str, Any] = {"description": f"▸ {title}", "tooltip": f"Show or hide: {title}"}
        switch = self._parts.make(widgets.ToggleButton, look="kling-switch", **said)
        reveal(content, False)

        def turned(change: Any) -> None:
            reveal(content, bool(change["new"]))
            switch.description = f"{'▾' if change['new'] else '▸'} {title}"

        switch.observe(turned, "value")
        return self._parts.column([switch, content], name)


_ROLES: tuple["Role", ...] = ("subject", "scene", "style")
