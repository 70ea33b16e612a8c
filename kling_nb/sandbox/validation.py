"""The body of a create request: strictly as the API specifies it. Pure.

The vendor ignores fields that it does not know. This stand-in refuses them, because a misspelled
field that is silently ignored costs money on the real service.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NoReturn

from kling_nb.sandbox.imagefile import Reference, is_web_address, parse_image
from kling_nb.sandbox.protocol import (
    DEFAULT_RATIO,
    MAX_IMAGES,
    MAX_PROMPT,
    MAX_SUBJECTS,
    MODELS,
    SIZES,
    Refusal,
    invalid,
    not_found,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELDS: Final = (
    "model_name",
    "prompt",
    "subject_image_list",
    "scene_image",
    "style_image",
    "n",
    "aspect_ratio",
    "callback_url",
    "external_task_id",
    "watermark_info",
)
SWITCHES: Final = ("fail", "refuse", "broke", "busy", "slow", "lost")
_SWITCH = re.compile(r"\[sandbox:\s*([^\]]*?)\s*\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wish:
    """A create request that keeps every rule.

    Parameters
    ----------
    model_name, prompt, aspect_ratio, callback_url, external_task_id : str
        As sent; empty where not given (`aspect_ratio` then has the vendor's default).
    n : int
        Images asked for.
    references : tuple of Reference
        Subjects in their order, then the scene, then the style.
    watermark : bool
        Whether watermarked copies are made as well.
    switches : frozenset of str
        Outcomes that the prompt asks for, such as ``fail``.
    files : dict of str to bytes
        The references' bytes by digest.
    """

    model_name: str
    prompt: str
    aspect_ratio: str
    n: int
    references: tuple[Reference, ...]
    callback_url: str = ""
    external_task_id: str = ""
    watermark: bool = False
    switches: frozenset[str] = frozenset()
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of what decides the pictures: not of `external_task_id` and `callback_url`."""
        references = [(item.role, item.digest, item.url) for item in self.references]
        facts = (self.model_name, self.prompt, self.aspect_ratio, self.n, references)
        return sha256(json.dumps(facts).encode()).hexdigest()


def parse_json(body: bytes) -> dict[str, Any]:
    """Read the JSON object of a request.

    Raises
    ------
    Refusal
        HTTP 400, code 1200: it is not UTF-8, not JSON or not an object.
    """
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as problem:
        raise Refusal(400, 1200, f"the body is not valid JSON: {problem}") from None
    if not isinstance(value, dict):
        raise Refusal(400, 1200, "the body must be a JSON object")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def validate(body: Mapping[str, Any]) -> Wish:
    """Check a create request field by field.

    Parameters
    ----------
    body : mapping
        The JSON object.

    Returns
    -------
    Wish
        The request.

    Raises
    ------
    Refusal
        The first rule that is broken, with the name of the field.
    """
    for name in body:
        if name not in FIELDS:
            raise invalid(f"unknown field {name[:80]!r}; the fields are {', '.join(FIELDS)}")
    prompt = _prompt(body)
    switches = _switches(prompt)
    references, files = _references(body)
    return Wish(
        model_name=_model_name(body),
        prompt=prompt,
        aspect_ratio=_aspect_ratio(body),
        n=_n(body),
        references=references,
        callback_url=_callback_url(body),
        external_task_id=_text(body, "external_task_id"),
        watermark=_watermark(body),
        switches=switches,
        files=files,
    )


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name, "")
    return _checked_text(value, name)


def _checked_text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise invalid(f"{name}: must be a string, not {_kind(value)}")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise invalid(f"{name}: contains half of a surrogate pair, which is no text") from None
    return value


def _kind(value: object) -> str:
    names = {type(None): "null", bool: "a boolean", int: "a number", float: "a number"}
    names |= {str: "a string", list: "an array", dict: "an object"}
    return names.get(type(value), type(value).__name__)


def _model_name(body: Mapping[str, Any]) -> str:
    if "model_name" not in body:
        raise invalid("model_name: is required")
    name = _text(body, "model_name")
    if name not in MODELS:
        raise not_found(f"model_name: no such model {name[:80]!r}; there are {', '.join(MODELS)}")
    return name


def _prompt(body: Mapping[str, Any]) -> str:
    prompt = _text(body, "prompt")
    if len(prompt) > MAX_PROMPT:
        raise invalid(f"prompt: at most {MAX_PROMPT:,} characters; this one has {len(prompt):,}")
    return prompt


def _switches(prompt: str) -> frozenset[str]:
    found = frozenset(name.lower() for name in _SWITCH.findall(prompt))
    for name in sorted(found.difference(SWITCHES)):
        raise invalid(f"prompt: no switch [sandbox: {name[:80]}]; there are {', '.join(SWITCHES)}")
    return found


def _references(body: Mapping[str, Any]) -> tuple[tuple[Reference, ...], dict[str, bytes]]:
    found = [parse_image(value, place, "subject") for place, value in _subjects(body)]
    if scene := _text(body, "scene_image"):
        found.append(parse_image(scene, "scene_image", "scene"))
    if style := _text(body, "style_image"):
        found.append(parse_image(style, "style_image", "style"))
    files = {item.digest: data for item, data in found if data is not None}
    return tuple(item for item, _ in found), files


def _subjects(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    if "subject_image_list" not in body:
        raise invalid("subject_image_list: is required")
    items = body["subject_image_list"]
    if not isinstance(items, list):
        raise invalid(f"subject_image_list: must be an array, not {_kind(items)}")
    if not 1 <= len(items) <= MAX_SUBJECTS:
        raise invalid(f"subject_image_list: must hold 1 to {MAX_SUBJECTS} images, not {len(items)}")
    found = []
    for position, item in enumerate(items):
        place = f"subject_image_list[{position}]"
        if not isinstance(item, dict) or item.keys() != {"subject_image"}:
            raise invalid(f'{place}: must be an object {{"subject_image": IMAGE}} and no more')
        value = _checked_text(item["subject_image"], f"{place}.subject_image")
        if not value:
            raise invalid(f"{place}.subject_image: is empty")
        found.append((f"{place}.subject_image", value))
    return found


def _n(body: Mapping[str, Any]) -> int:
    if "n" not in body:
        raise invalid("n: is required")
    n = body["n"]
    if isinstance(n, bool) or not isinstance(n, int):
        raise invalid(f"n: must be an integer, not {n if isinstance(n, float) else _kind(n)}")
    if not 1 <= n <= MAX_IMAGES:
        raise invalid(f"n: must be 1 to {MAX_IMAGES}")
    return n


def _aspect_ratio(body: Mapping[str, Any]) -> str:
    ratio = _checked_text(body.get("aspect_ratio", DEFAULT_RATIO), "aspect_ratio")
    if ratio not in SIZES:
        raise invalid(f"aspect_ratio: must be one of {', '.join(SIZES)}")
    return ratio


def _callback_url(body: Mapping[str, Any]) -> str:
    url = _text(body, "callback_url")
    if url and not is_web_address(url):
        raise invalid("callback_url: must be an http or https URL")
    return url


def _watermark(body: Mapping[str, Any]) -> bool:
    if "watermark_info" not in body:
        return False
    value = body["watermark_info"]
    if not isinstance(value, dict) or value.keys() != {"enabled"}:
        raise invalid('watermark_info: must be an object {"enabled": true or false} and no more')
    if not isinstance(value["enabled"], bool):
        raise invalid("watermark_info.enabled: must be true or false")
    return value["enabled"]
