"""A rating in the notebook: a widget that asks a desk for everything, and keeps nothing of it in its state.

What goes over is in messages alone, so that a saved notebook has neither pictures nor answers. Every message of the
page has an ``id`` and is answered, in order, by ``{"kind": "reply", "id", "value"}``, with the picture as its buffer,
or by ``{"kind": "failed", "id", "message"}``. The page asks again for what was lost on the way, so that the desk may
be given the same answer twice.
"""

import logging
from typing import TYPE_CHECKING, Any, Protocol

import anywidget

from kling_nb.compare.rating import frontend
from kling_nb.display.notes import note_html
from kling_nb.errors import KlingError

if TYPE_CHECKING:
    from collections.abc import Callable

_logger = logging.getLogger(__name__)

_UNREADABLE = "A picture of this item cannot be read; ask whoever made the rating."
_GONE = (
    "A rating was here, and its kernel has gone. The answers are kept: run `%load_ext kling_nb` and this cell again to "
    "go on."
)
_ELSEWHERE = (
    "Where widgets cannot be shown, `export_rating` writes the rating as a page that any browser opens, and its "
    "answers come back as files."
)
_NOWHERE = "<a rating of kling_nb; it needs a notebook, or export_rating, which writes it as a page>"
# The static text is there while the widget beside it is not. A front end that waits for a widget without a kernel would
# say "Loading widget..." for ever.
_CHILD = ".jp-OutputArea-child"
_STATIC = f"{_CHILD}:has(> .jp-OutputArea-output .kling-rating-static)"
_STYLE = (
    f"{_STATIC}:has(+ {_CHILD} .kling-rate) {{ display: none; }} "
    f"{_STATIC} + {_CHILD}:not(:has(.kling-rate, .kling-rating-plain)) {{ display: none; }}"
)
_PLAIN_HTML = f'<div class="kling-rating-plain">{note_html(_ELSEWHERE)}</div>'
_STATIC_HTML = (
    f'<div class="kling-rating-static"><style>{_STYLE}</style>{note_html(_GONE)}{note_html(_ELSEWHERE)}</div>'
)


class Desk(Protocol):
    """What a rating is about, and where its answers go; nothing that it gives names what is compared.

    JupyterLab has a thread of the kernel's for what widgets send, where the kernel can: it is asked there, one question
    at a time, also while a cell runs. In other places it is asked between cells.
    """

    def study(self) -> dict[str, Any]:
        """Return ``name``, ``question``, ``protocol``, ``scale``, ``count`` and ``rater``.

        Where the rater is known and has been here before, ``answered`` is how many have an answer.
        """
        ...

    def start(self, rater: str) -> dict[str, Any]:
        """Return ``items`` in this rater's order, ``answered`` and ``revealed``.

        ``answered`` has the last choice of each item that has one; whoever was shown the result sees the end alone.
        It may be asked again, by a page that was reloaded. A `KlingError` refuses the rater.
        """
        ...

    def picture(self, token: str) -> bytes:
        """Return a picture as JPEG.

        What a `KlingError` says of it is for the log; the page is told only that it cannot be read.
        """
        ...

    def answer(self, rater: str, answer: dict[str, Any]) -> None:
        """Store an answer of a rater who has started, durably.

        The same one, by ``item`` and ``answered_at``, may come more than once. After a `KlingError` the page
        shows its message, keeps the answer and offers to send it again.
        """
        ...

    def reveal(self, rater: str, moment: str | None = None) -> str:
        """Return the result as HTML for a rater who has started, in which every text is escaped.

        ``moment`` is the page's time, as in its answers.
        """
        ...


class RatingWidget(anywidget.AnyWidget):
    """A rating in a notebook, answered with keys or clicks.

    Parameters
    ----------
    desk : Desk
        Has the items and takes the answers.
    **traits
        As of any widget; none of its own is in its state.
    """

    _esm = frontend.script("notebook.js")
    _css = frontend.read("rate.css")

    def __init__(self, desk: Desk, **traits: Any) -> None:
        super().__init__(**traits)
        self._desk = desk
        self._is_taken_over = False
        self._answers: dict[str, Callable[[dict[str, Any]], tuple[Any, bytes | None]]] = {
            "hello": self._hello,
            "start": self._start,
            "picture": self._picture,
            "answer": self._answer,
            "reveal": lambda message: (self._desk.reveal(str(message.get("rater") or ""), message.get("at")), None),
        }
        self.on_msg(self._take)

    def take_over(self) -> None:
        """Say that a newer form of the same rater is open: this one asks for no more answers.

        What was answered before and is still on its way is stored all the same.
        """
        self._is_taken_over = True
        self.send({"kind": "taken over"})

    def _hello(self, _message: dict[str, Any]) -> tuple[Any, None]:
        if self._is_taken_over:
            return {"taken_over": True}, None
        return {"study": self._desk.study()}, None

    def _start(self, message: dict[str, Any]) -> tuple[Any, None]:
        if self._is_taken_over:
            raise KlingError("This rating goes on in a newer form.", money="")
        return self._desk.start(str(message.get("rater") or "")), None

    def _picture(self, message: dict[str, Any]) -> tuple[None, bytes]:
        try:
            return None, self._desk.picture(str(message.get("picture")))
        except KlingError as error:
            # Its text names the file, and the file's name has the prompt, which may be what is hidden.
            _logger.error("A picture of a rating cannot be read: %s", error)  # noqa: TRY400 - the text says it all
            raise KlingError(_UNREADABLE, money="") from None

    def _answer(self, message: dict[str, Any]) -> tuple[Any, None]:
        self._desk.answer(str(message.get("rater") or ""), dict(message["answer"]))
        return None, None

    def _take(self, _widget: Any, message: Any, _buffers: Any) -> None:
        if not isinstance(message, dict) or message.get("kind") not in self._answers:
            return
        reply: dict[str, Any] = {"kind": "reply", "id": message.get("id")}
        buffer = None
        try:
            reply["value"], buffer = self._answers[message["kind"]](message)
        except KeyboardInterrupt:
            self.send(reply | {"kind": "failed", "message": "The kernel was interrupted."})
            raise
        except KlingError as error:
            reply |= {"kind": "failed", "message": str(error)}
        except Exception as error:
            # Its text may name what a rater must not know, and an exception of a callback would be seen nowhere.
            _logger.exception("A message of a rating could not be answered.")
            reply |= {"kind": "failed", "message": f"This went wrong in the kernel, with a {type(error).__name__}."}
        self.send(reply, None if buffer is None else [buffer])

    def _repr_mimebundle_(self, **_kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle = super()._repr_mimebundle_()
        if bundle is None:
            return None
        data, metadata = bundle
        return data | {"text/plain": _NOWHERE, "text/html": _PLAIN_HTML}, metadata

    def _ipython_display_(self) -> None:
        """Display a text that is seen only without the widget, and then the widget."""
        from IPython.core.getipython import get_ipython
        from IPython.display import display

        running = get_ipython()
        if running is None or getattr(running, "kernel", None) is None:
            display({"text/plain": _NOWHERE}, raw=True)  # type: ignore[no-untyped-call]
            return
        display({"text/html": _STATIC_HTML, "text/plain": _NOWHERE}, raw=True)  # type: ignore[no-untyped-call]
        data, metadata = self._repr_mimebundle_() or ({}, {})
        display(data, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]
