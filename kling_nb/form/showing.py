"""How a form appears in the notebook, and what of it stays there without a kernel."""

import secrets
from typing import TYPE_CHECKING, Any

from kling_nb.form import places

if TYPE_CHECKING:
    from kling_nb.form.form import Form

_NOWHERE = (
    "The form needs a notebook (JupyterLab, Notebook 7, VS Code, Colab, Voila). `%kling` does the same in a line."
)


class Showing:
    """The outputs of a form: a static one, hidden while the form is alive, and the widget.

    A saved notebook that is opened without its kernel shows the static one, with the newest results.

    Parameters
    ----------
    form : Form
        Whose.
    """

    def __init__(self, form: "Form") -> None:
        self._form = form
        self._handle: Any = None
        self._last = ""
        self._closed = False
        self.name = f"kling-static-{secrets.token_hex(4)}"

    @property
    def hiding(self) -> str:
        """The style that hides the static output while the form is there and has its kernel."""
        return places.hiding_html(self.name)

    def show(self) -> None:
        """Display the form in the running cell."""
        from IPython.display import DisplayHandle, display

        if not places.is_notebook():
            display({"text/plain": _NOWHERE}, raw=True)  # type: ignore[no-untyped-call]
            return
        if self._handle is None:
            self._handle = DisplayHandle()  # type: ignore[no-untyped-call]
            self._handle.display(self._static(), raw=True)
        bundle = dict(self._form.widget._repr_mimebundle_())
        # What stands where no widget can be shown.
        bundle |= {"text/html": places.PLAIN_HTML, "text/plain": "<kling_nb form>"}
        display(bundle, raw=True)  # type: ignore[no-untyped-call]

    def update(self) -> None:
        """Have the notebook keep the results as they are now; may be called in any thread."""
        if self._handle is None:
            return
        static = self._static()
        if static["text/html"] != self._last:
            self._last = static["text/html"]
            self._handle.update(static, raw=True)

    def left(self) -> None:
        """Show that the form is gone; its results stay."""
        self._last = ""
        self._closed = True
        self.update()

    def _static(self) -> dict[str, str]:
        results = [html for run in self._form.results.runs if (html := run.static_html())]
        return {
            "text/html": places.static_html(self.name, results, closed=self._closed),
            "text/plain": repr(self._form),
        }
