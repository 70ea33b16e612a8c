"""Whether what is in the form makes a request, and what is wrong where it does not. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kling_nb.form.entries import Entry
from kling_nb.notation.names import Namespace
from kling_nb.notation.prompt import interpolate
from kling_nb.notation.tokenizer import UsageProblem
from kling_nb.request import Request
from kling_nb.request.problems import RuleBroken
from kling_nb.request.rules import RULES

if TYPE_CHECKING:
    from kling_nb.records import Reference

SLOTS = ("Subject 1", "Subject 2", "Subject 3", "Subject 4", "Scene", "Style")
SUBJECTS = 4


@dataclass(frozen=True, slots=True)
class Checked:
    """What the form holds, checked.

    Parameters
    ----------
    request : Request, optional
        None where something is wrong.
    prompt : str, optional
        As sent; None where a variable in it is not right.
    problems : mapping
        From field to sentence, for showing beside the fields.
    why : str
        The first thing to do before the request can be sent; empty where it can be.
    """

    request: Request | None
    prompt: str | None
    problems: Mapping[str, str]
    why: str = ""


def check(
    values: Mapping[str, Any], entries: Sequence[Entry | None], namespace: Namespace, model_name: str, *, busy: bool
) -> Checked:
    """Check what the form holds.

    Parameters
    ----------
    values : mapping
        Of the fields.
    entries : sequence of Entry or None
        Of the six slots.
    namespace : Namespace
        The notebook's variables.
    model_name : str
        Where none is given.
    busy : bool
        Whether a picture is still being looked at.

    Returns
    -------
    Checked
        Everything that is wrong, at once.
    """
    problems: dict[str, str] = {}
    prompt = values["prompt"] or ""
    try:
        prompt = interpolate(prompt, namespace.__getitem__, namespace.names())
    except UsageProblem as problem:
        problems["prompt"] = _sentence(_without_raw(str(problem)))
    fields = {name: values[name] for name in values if name not in ("prompt", "reuse")}
    fields |= {"prompt": None if "prompt" in problems else prompt or None}
    fields |= {"model_name": values["model_name"] or model_name}
    # In the order of the page, so that the first problem is the first that is seen there.
    for name in _TITLES:
        try:
            RULES[name](fields[name])
        except RuleBroken as problem:
            problems.setdefault(name, _sentence(f"{_TITLES[name][0]}{str(problem).removeprefix(name)}"))
    why = _slots_problem(entries, busy=busy) or next(
        (f"{'More options: ' * (len(_TITLES[each]) > 1)}{problems[each]}" for each in problems), ""
    )
    request = None if why else Request.checked(**fields, **_references(entries))
    return Checked(request, None if "prompt" in problems and fields["prompt"] is None else prompt, problems, why)


def _without_raw(text: str) -> str:
    """Leave out the magic's option, which the form does not have."""
    text = text.replace(", or give --raw to leave all braces alone", "")
    return text.replace("define it, write", "define it, or write")


def _slots_problem(entries: Sequence[Entry | None], *, busy: bool) -> str:
    for title, entry in zip(SLOTS, entries, strict=True):
        if entry is not None and entry.problem:
            return f"{title}: {entry.problem}"
    # Whoever sees it busy no more may see it with a picture that was not looked at: it is not left out.
    if busy or any(entry is not None and entry.reference is None for entry in entries):
        return "Looking at the pictures…"
    if not any(entries[:SUBJECTS]):
        return "Give at least one subject."
    return ""


def _references(entries: Sequence[Entry | None]) -> dict[str, Any]:
    found: list[Reference | None] = [entry.reference if entry else None for entry in entries]
    subjects = tuple(reference for reference in found[:SUBJECTS] if reference is not None)
    return {"subject_images": subjects, "scene_image": found[SUBJECTS], "style_image": found[SUBJECTS + 1]}


_TITLES = {
    "prompt": ["Prompt"],
    "n": ["Images"],
    "aspect_ratio": ["Shape"],
    "model_name": ["Model"],
    "callback_url": ["Callback URL", "(more options)"],
    "external_task_id": ["External id", "(more options)"],
    "watermark": ["Watermark", "(more options)"],
}


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!", "…")) else text + "."


Lookup = Callable[[], Namespace]
"""Returns the variables that the form sees now."""
