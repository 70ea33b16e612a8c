"""A request written as code: the `%%kling` cell and the Python that send the same."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from kling_nb.notation.optiontable import is_option
from kling_nb.notation.tokenizer import QUOTES, UsageProblem, next_token

_BRACED = re.compile(r"\{([^\s{}]+)\}")
# IPython takes the prompts of other shells off the first line below `%%kling`, unless that is empty.
_LIKE_A_SHELL = re.compile(r"\s*(>>>|\.\.\.|In |\[|\d|-+>)")
# These it takes off every line, wherever there is one.
_DOCTEST = re.compile(r"\s*>>>")
# Whatever follows a word may close a bracket or a quote in it: these are the ways to.
_CLOSING = tuple(f" {quote}{']' * 20}" for quote in ("", *QUOTES))


class Source(NamedTuple):
    """A reference as it is written.

    Parameters
    ----------
    text : str
        A path, a URL or a variable with attributes and subscripts.
    is_variable : bool
        Whether it is the last of these.
    """

    text: str
    is_variable: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """What is to be written; None and False are left out.

    Parameters
    ----------
    template : str
        The prompt as typed, with ``{variables}``, and no white space at its ends.
    prompt : str
        The prompt as sent.
    subjects : sequence of Source
        In order.
    scene, style : Source, optional
        One each.
    n : int
        Left out where it is 1.
    aspect_ratio, model_name, callback_url, external_task_id : str, optional
        As sent.
    watermark, fit, reuse, yes : bool
        The switches.
    """

    template: str
    prompt: str
    subjects: Sequence[Source]
    scene: Source | None = None
    style: Source | None = None
    n: int = 1
    aspect_ratio: str | None = None
    model_name: str | None = None
    callback_url: str | None = None
    external_task_id: str | None = None
    watermark: bool = False
    fit: bool = False
    reuse: bool = False
    yes: bool = False


def escaped(prompt: str) -> str:
    """Return a template that gives this very prompt: every ``{name}`` in it is doubled."""
    return _BRACED.sub(lambda match: f"{{{match[0]}}}" if match[1].isidentifier() else match[0], prompt)


def cell(request: Written) -> str | None:
    """Return the `%%kling` cell, or the `%kling` line where there is no prompt.

    Parameters
    ----------
    request : Written
        The request.

    Returns
    -------
    str or None
        None where it cannot be written so: a value with both kinds of quotes has no place on the line, and
        IPython changes a prompt with ``>>>`` at the beginning of a line, or with a line of white space.
    """
    line = _options(request)
    body = request.template
    if line is None or _is_changed(body):
        return None
    if not body:
        return f"%kling {line}"
    first = body.split(maxsplit=1)[0]
    mark = " --" if is_option(first) else ""
    blank = "\n" if _LIKE_A_SHELL.match(body) else ""
    return f"%%kling {line}{mark}\n{blank}{body}"


def python(request: Written, name: str | None) -> str:
    """Return the Python that sends the request.

    Parameters
    ----------
    request : Written
        The request.
    name : str, optional
        The variable that holds the `Kling` of the request; None for that of the magic.
    """
    subjects = ", ".join(_expression(each) for each in request.subjects)
    fields: dict[str, str | None] = {
        "subject_images": f"[{subjects}]" if len(request.subjects) != 1 else subjects,
        "scene_image": request.scene and _expression(request.scene),
        "style_image": request.style and _expression(request.style),
        "n": repr(request.n) if request.n != 1 else None,
        **{field: _optional(getattr(request, field)) for field in _FIELDS},
        **{flag: "True" for flag in _FLAGS if getattr(request, flag)},
    }
    arguments = [_text(request.prompt)] if request.prompt else []
    arguments += [f"{field}={value}" for field, value in fields.items() if value is not None]
    start = "" if name else "import kling_nb\n\nkling = kling_nb.default()\n"
    listed = "".join(f"    {argument},\n" for argument in arguments)
    return f"{start}task = {name or 'kling'}.generate(\n{listed})\ntask"


_FIELDS = ("model_name", "aspect_ratio", "callback_url", "external_task_id")
_FLAGS = ("watermark", "fit", "reuse", "yes")


def _options(request: Written) -> str | None:
    values: list[tuple[str, str | None]] = [("-s", subject.text) for subject in request.subjects]
    values += [
        ("--scene", request.scene and request.scene.text),
        ("--style", request.style and request.style.text),
        ("-n", str(request.n) if request.n != 1 else None),
        ("-a", request.aspect_ratio),
        ("-m", request.model_name),
        ("--callback-url", request.callback_url),
        ("--external-task-id", request.external_task_id),
    ]
    words = []
    for option, value in values:
        if value is None:
            continue
        word = as_word(value)
        if word is None:
            return None
        words += [option, word]
    return " ".join([*words, *(f"--{flag}" for flag in _FLAGS if getattr(request, flag))])


def _is_changed(body: str) -> bool:
    """Tell whether IPython would change a cell's body on its way to the magic."""
    return any(map(_DOCTEST.match, body.splitlines())) or any(map(str.isspace, body.split("\n")))


def as_word(text: str) -> str | None:
    """Return a value as one word of a magic's line, in quotes where it needs them; None where it cannot be one."""
    if not text.strip() or text.splitlines() != [text]:
        return None
    plain = text[:1] not in ("#", "-", *QUOTES) and text[-1:] not in (";", "\\", "?")
    for word in ([text] if plain else []) + [f"{quote}{text}{quote}" for quote in QUOTES]:
        try:
            tokens = [next_token(word + more) for more in _CLOSING]
        except UsageProblem:
            continue
        if all(token is not None and (token.text, token.end) == (text, len(word)) for token in tokens):
            return word
    return None


def _expression(source: Source) -> str:
    return source.text if source.is_variable else _literal(source.text)


def _optional(value: Any) -> str | None:
    return None if value is None else _literal(value)


def _literal(text: str) -> str:
    """Return a text as Python, in double quotes where that needs no backslash."""
    written = repr(text)
    return f'"{written[1:-1]}"' if written[0] == "'" and '"' not in text else written


def _text(prompt: str) -> str:
    """Return a prompt as Python, a line each."""
    lines = prompt.split("\n")
    if len(lines) == 1:
        return _literal(prompt)
    written = [_literal(line + "\n") for line in lines[:-1]] + [_literal(lines[-1])] * bool(lines[-1])
    inside = "".join(f"        {line}\n" for line in written)
    return f"(\n{inside}    )"
