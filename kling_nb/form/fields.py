"""The fields of the form but for the references: prompt, count, shape, model and the rest."""

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets
from traitlets import TraitError

from kling_nb.display.words import esc, esc_block
from kling_nb.errors import InvalidRequest
from kling_nb.form.parts import Parts
from kling_nb.records import ASPECT_RATIOS, MAX_N, MAX_PROMPT, MODEL_NAMES
from kling_nb.request.problems import RuleBroken
from kling_nb.request.rules import RULES

_NEAR_THE_END = 200


class Fields:
    """The widgets of the fields, and what they hold.

    Parameters
    ----------
    parts : Parts
        Makes the widgets.
    changed : callable
        Called after every change that a person or Python makes.
    """

    def __init__(self, parts: Parts, changed: Callable[[], None]) -> None:
        self._parts = parts
        self._changed = changed
        self._loading = False
        make = parts.make
        self.prompt = make(
            widgets.Textarea,
            look="kling-prompt",
            description="Prompt",
            placeholder="What to make of the pictures. {name} is a variable of the notebook.",
            rows=4,
        )
        self.count = parts.html()
        self.sent = parts.html()
        self.n = make(
            widgets.ToggleButtons,
            look="kling-n",
            options=[(str(count), count) for count in range(1, MAX_N + 1)],
            description="Images",
            tooltips=[f"{count} image{'s' * (count > 1)}" for count in range(1, MAX_N + 1)],
        )
        self.aspect_ratio = make(
            widgets.ToggleButtons,
            look="kling-ratio",
            options=[("auto", ""), *((ratio, ratio) for ratio in ASPECT_RATIOS)],
            description="Shape",
            tooltips=["The API chooses", *(f"Aspect ratio {ratio}" for ratio in ASPECT_RATIOS)],
        )
        self.model_name = make(widgets.Combobox, description="Model", options=MODEL_NAMES, continuous_update=True)
        told, own = "https://… is told of every change", "your own id, new to your account"
        self.callback_url = make(widgets.Text, description="Callback URL", placeholder=told)
        self.external_task_id = make(widgets.Text, description="External id", placeholder=own)
        self.watermark = make(widgets.Checkbox, description="Watermarked copies as well", indent=False)
        reuse = "Reuse: show an equal request that is already paid"
        self.reuse = make(widgets.Checkbox, description=reuse, indent=False)
        self.problems = {name: parts.html(look="kling-problem") for name in (*_TEXTS, "n", "aspect_ratio")}
        for widget in self._inputs().values():
            widget.observe(self._on_change, "value")

    def _inputs(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in (*_TEXTS, "n", "aspect_ratio", "watermark", "reuse")}

    def inputs(self) -> list[tuple[Any, str]]:
        """Return the widgets, each with the trait that a front end changes."""
        chosen = (self.n, self.aspect_ratio)
        return [(widget, "index" if widget in chosen else "value") for widget in self._inputs().values()]

    def values(self) -> dict[str, Any]:
        """Return what is in the fields, by the API's names; an empty text is None."""
        found = {name: widget.value for name, widget in self._inputs().items()}
        found |= {name: str(found[name]).strip() or None for name in _TEXTS}
        found["watermark"] = found["watermark"] or None
        found["aspect_ratio"] = found["aspect_ratio"] or None
        return found

    def load(self, values: Mapping[str, Any]) -> None:
        """Put values into the fields, as `values` returns them; those that are not named stay.

        Raises
        ------
        InvalidRequest
            A field cannot take its value; all stay as they were.
        """
        inputs = self._inputs()
        before = {name: widget.value for name, widget in inputs.items()}
        self._loading = True
        try:
            for name, widget in inputs.items():
                if name in values:
                    _put(widget, name, values[name])
        except InvalidRequest:
            # All or nothing.
            for name, widget in inputs.items():
                widget.value = before[name]
            raise
        finally:
            self._loading = False
        self._changed()

    def show(self, prompt: str | None, problems: Mapping[str, str]) -> None:
        """Show the count of the prompt, what is sent of it, and what is wrong.

        Parameters
        ----------
        prompt : str, optional
            As it would be sent; None where that cannot be said.
        problems : mapping
            From field to sentence.
        """
        typed = str(self.prompt.value).strip()
        length = len(typed if prompt is None else prompt)
        close = " kling-count-over" if length > MAX_PROMPT else ""
        left = f" · {MAX_PROMPT - length:,} left" if MAX_PROMPT - _NEAR_THE_END <= length <= MAX_PROMPT else ""
        self.count.value = f'<span class="kling-count{close}">{length:,} of {MAX_PROMPT:,} characters{left}</span>'
        differs = prompt is not None and prompt != typed
        self.sent.value = f'<div class="kling-sent"><b>As sent:</b> {esc_block(prompt, 3000)}</div>' if differs else ""
        for name, widget in self.problems.items():
            message = problems.get(name, "")
            widget.value = f'<span role="alert">{esc(message, 600)}</span>' if message else ""

    def _on_change(self, _change: Any) -> None:
        if not self._loading:
            self._changed()

    def layout(self, model_name: str) -> Any:
        """Return the fields as they stand below the references.

        Parameters
        ----------
        model_name : str
            What an empty model field stands for.
        """
        self.model_name.placeholder = model_name
        below = self._parts.row([self.count, self.problems["prompt"]], "kling-below")
        choices = [self._with_problem(name) for name in ("n", "aspect_ratio", "model_name")]
        return self._parts.column([self.prompt, below, self.sent, self._parts.row(choices, "kling-choices")])

    def more(self) -> Any:
        """Return the fields that are folded away."""
        texts = [self._with_problem(name) for name in ("callback_url", "external_task_id")]
        return self._parts.column([*texts, self.watermark, self.reuse])

    def _with_problem(self, name: str) -> Any:
        return self._parts.column([getattr(self, name), self.problems[name]], "kling-field")


_TEXTS = ("prompt", "model_name", "callback_url", "external_task_id")


def _put(widget: Any, name: str, value: Any) -> None:
    try:
        # Numbers of other libraries become plain ones, and what is wrong is said in the rule's words.
        value = RULES[name](value) if name in ("n", "aspect_ratio", "watermark") and value is not None else value
        widget.value = (False if isinstance(widget, widgets.Checkbox) else "") if value is None else value
    except (RuleBroken, TraitError) as error:
        rule = str(error) if isinstance(error, RuleBroken) else f"{name} cannot be of type {type(value).__name__}"
        raise InvalidRequest(f"{rule}.") from None
