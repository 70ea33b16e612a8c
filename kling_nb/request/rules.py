"""The rules on each field of a request, in plain words.

Each function takes what a caller gave, returns what is sent, or raises `RuleBroken`, whose message names the
field, the value and the rule.
"""

import numbers
import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

from kling_nb.records import ASPECT_RATIOS, MAX_N, MAX_PROMPT, MAX_SUBJECTS, MODEL_NAMES, Reference, Role
from kling_nb.request import urls
from kling_nb.request.problems import RuleBroken, kind, listed, near, quoted, shown

DEFAULT_MODEL = MODEL_NAMES[-1]
MAX_TASK_ID = 512
_MAX_MODEL_NAME = 200

_RATIO = re.compile(r"\s*(\d{1,5})\s*(?:[:x×/\-,;∶]|by|to)\s*(\d{1,5})\s*", re.IGNORECASE)


def model_name(value: Any) -> str:
    """Any name on one line; unknown ones are warned about, because vendors add names without notice."""
    text = _text("model_name", value).strip()
    if not text:
        raise RuleBroken(f"model_name is empty; for example {listed(MODEL_NAMES)}")
    if not text.isprintable() or len(text) > _MAX_MODEL_NAME:
        raise RuleBroken(
            f"model_name is {shown(text)}; it must be a name of at most {_MAX_MODEL_NAME} printable characters"
        )
    return text


def prompt(value: Any) -> str | None:
    """Text of at most 2,500 characters, as it is; a blank one is left out."""
    if value is None:
        return None
    text = _text("prompt", value)
    if len(text) > MAX_PROMPT:
        raise RuleBroken(f"prompt has {len(text):,} characters; at most {MAX_PROMPT:,} are allowed")
    return text if text.strip() else None


def n(value: Any) -> int:
    """Return a whole number from 1 to 9; integers of other libraries count, booleans do not."""
    rule = f"it must be a whole number from 1 to {MAX_N}"
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise RuleBroken(f"n is {shown(value)} ({kind(value)}); {rule}")
    number = int(value)
    if not 1 <= number <= MAX_N:
        raise RuleBroken(f"n is {shown(number)}; {rule}")
    return number


def aspect_ratio(value: Any) -> str | None:
    """One of the eight, spelt as the API does; close spellings are offered and not guessed."""
    if value is None:
        return None
    if isinstance(value, str) and value in ASPECT_RATIOS:
        return str(value)
    problem = f"aspect_ratio is {shown(value)}; it must be one of {', '.join(ASPECT_RATIOS)}"
    meant = _meant_ratio(value)
    raise RuleBroken(f"{problem} (did you mean {meant}?)" if meant else problem)


def callback_url(value: Any) -> str | None:
    """Return an http or https URL with a host."""
    if value is None:
        return None
    url = _text("callback_url", value).strip()
    problem = urls.problem(url) if url else "is empty; leave it out, or give an http(s) URL"
    if problem:
        raise RuleBroken(f"callback_url {quoted(url)} {problem}" if url else f"callback_url {problem}")
    return url


def external_task_id(value: Any) -> str | None:
    """Return the caller's own id, without blanks around it."""
    if value is None:
        return None
    text = _text("external_task_id", value).strip()
    if not text:
        raise RuleBroken("external_task_id is empty; leave it out, or give an id that is unique to the task")
    if len(text) > MAX_TASK_ID:
        raise RuleBroken(f"external_task_id has {len(text):,} characters; at most {MAX_TASK_ID} are allowed")
    if not text.isprintable():
        raise RuleBroken(f"external_task_id is {shown(text)}; it must not hold control characters")
    return text


def watermark(value: Any) -> bool | None:
    """Return True or False, and None for what the API does by itself."""
    if value is None or isinstance(value, bool):
        return value
    if getattr(getattr(value, "dtype", None), "kind", "") == "b" and getattr(value, "shape", None) == ():
        return bool(value)
    raise RuleBroken(f"watermark is {shown(value)} ({kind(value)}); it must be True or False")


def subject_images(value: Any) -> tuple[Reference, ...]:
    """From one to four references, in order."""
    items = (value,) if isinstance(value, Reference) else value
    if not isinstance(items, list | tuple):
        raise RuleBroken(f"subject_images is {shown(value)} ({kind(value)}); it must be a list of references")
    images = tuple(_reference(f"subject_images[{index}]", item, "subject") for index, item in enumerate(items))
    if not images:
        raise RuleBroken(f"subject_images is empty; give 1 to {MAX_SUBJECTS} images")
    if len(images) > MAX_SUBJECTS:
        raise RuleBroken(f"subject_images has {len(images)} images; at most {MAX_SUBJECTS} are allowed")
    return images


def scene_image(value: Any) -> Reference | None:
    """One reference, or None."""
    return _single("scene_image", value, "scene")


def style_image(value: Any) -> Reference | None:
    """One reference, or None."""
    return _single("style_image", value, "style")


def _single(field: str, value: Any, role: Role) -> Reference | None:
    if value is None:
        return None
    if isinstance(value, list | tuple):
        if len(value) > 1:
            raise RuleBroken(f"{field} has {len(value)} images; it takes one")
        if not value:
            return None
        value = value[0]
    return _reference(field, value, role)


def _reference(field: str, value: Any, role: Role) -> Reference:
    if not isinstance(value, Reference):
        raise RuleBroken(f"{field} is {shown(value)} ({kind(value)}); it must be a reference, from collect()")
    # The same picture can serve in another role; the field decides.
    return value if value.role == role else replace(value, role=role)


def _text(field: str, value: Any) -> str:
    if not isinstance(value, str):
        raise RuleBroken(f"{field} is {shown(value)} ({kind(value)}); it must be text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise RuleBroken(
            f"{field} holds {value[error.start]!r} at position {error.start}, half of a character, which cannot be sent"
        ) from None
    return str(value)


def _meant_ratio(value: Any) -> str | None:
    """Return the ratio that a person probably meant: ``3x2``, ``16/9``, ``1920×1080``, ``(3, 2)``, ``1.5``."""
    given = _as_fraction(value)
    if given is None or given <= 0:
        return None
    exact = [ratio for ratio in ASPECT_RATIOS if abs(_fraction(ratio) - given) < Fraction(1, 100)]
    if exact:
        return exact[0]
    # By logarithm, so that 2:1 is as far from 1:1 as 1:2 is; both sides of a ratio count alike.
    return min(ASPECT_RATIOS, key=lambda ratio: max(_fraction(ratio) / given, given / _fraction(ratio)))


def _as_fraction(value: Any) -> Fraction | None:
    if isinstance(value, str):
        match = _RATIO.fullmatch(value)
        if match:
            width, height = int(match[1]), int(match[2])
            return Fraction(width, height) if height else None
        return _named_ratio(value)
    if isinstance(value, list | tuple) and len(value) == 2:
        width, height = value
        if all(isinstance(side, int) for side in value) and height:
            return Fraction(width, height)
        return None
    if isinstance(value, float) and 0.1 < value < 10:
        return Fraction(value)
    return None


def _named_ratio(text: str) -> Fraction | None:
    names = {"square": "1:1", "landscape": "16:9", "widescreen": "16:9", "portrait": "9:16", "ultrawide": "21:9"}
    found = near(text.strip(), names, 1)
    if found:
        return _fraction(names[found[0]])
    try:
        number = Fraction(text.strip())
    except (ValueError, ZeroDivisionError):
        return None
    return number if Fraction(1, 10) < number < 10 else None


def _fraction(ratio: str) -> Fraction:
    width, _, height = ratio.partition(":")
    return Fraction(int(width), int(height))


RULES: dict[str, Callable[[Any], Any]] = {
    "prompt": prompt,
    "model_name": model_name,
    "n": n,
    "aspect_ratio": aspect_ratio,
    "callback_url": callback_url,
    "external_task_id": external_task_id,
    "watermark": watermark,
}
"""The rule of each field but the pictures, by the field's name."""
