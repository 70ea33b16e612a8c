"""The kinds of faults: where each may strike, in which phase, and with which details. Pure data."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Where = Literal["create", "query", "list", "image"]
Phase = Literal["wait", "answer", "shape", "wire"]

EVERYWHERE: Final = ("create", "query", "list", "image")
API: Final = ("create", "query", "list")
READS: Final = ("query", "list")
NUMBER: Final = (int, float)


@dataclass(frozen=True, slots=True)
class Kind:
    """What is fixed about a kind of fault.

    Parameters
    ----------
    phase : {"wait", "answer", "shape", "wire"}
        When it acts: before an answer, instead of it, on its content, or on its bytes.
    where : tuple of str
        The requests that it may strike.
    details : dict
        Name of each detail and its default; a detail has the type of its default.
    choices : dict
        The values allowed, for details that have a fixed few.
    """

    phase: Phase
    where: tuple[str, ...]
    details: Mapping[str, Any] = field(default_factory=dict)
    choices: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "delay": Kind("wait", EVERYWHERE, {"seconds": 1.0, "processed": False}),
        "hang": Kind("wait", EVERYWHERE, {"processed": True}),
        "status": Kind(
            "answer",
            EVERYWHERE,
            {"status": 500, "code": 5000, "message": "", "retry_after": "", "processed": False},
        ),
        "openai_error": Kind(
            "answer",
            EVERYWHERE,
            {
                "status": 503,
                "code": "no_available_channel",
                "message": "No available channel (sandbox fault)",
                "type": "gateway_error",
                "processed": False,
            },
        ),
        "html": Kind("answer", EVERYWHERE, {"status": 502, "processed": False}),
        "empty": Kind("answer", EVERYWHERE, {"status": 200, "processed": False}),
        "not_json": Kind("answer", EVERYWHERE, {"status": 200, "processed": False}),
        "redirect": Kind("answer", EVERYWHERE, {"location": "", "status": 302, "processed": False}),
        "reset": Kind("answer", EVERYWHERE, {"processed": False}),
        "lost": Kind("answer", EVERYWHERE),
        "endless": Kind("answer", EVERYWHERE, {"processed": False}),
        "bomb": Kind("answer", ("image",), {"side": 14_000}),
        "expired": Kind("answer", ("image",), {"status": 403}, {"status": (403, 404, 410)}),
        "no_list": Kind("answer", ("list",), {"shape": "404"}, {"shape": ("404", "405", "other")}),
        "reseller": Kind("shape", API, {"inner": "envelope"}, {"inner": ("envelope", "data")}),
        "missing_images": Kind("shape", READS, {"keep": -1}),
        "late": Kind("shape", READS, {"seconds": 0.0}),
        "no_external_ids": Kind("shape", API),
        "unknown_status": Kind("shape", API, {"status": "suspended"}),
        "status_spelling": Kind("shape", API, {"succeed": "succeeded", "failed": "failed"}),
        "text_code": Kind("shape", API),
        "second_timestamps": Kind("shape", API),
        "truncated_json": Kind("wire", API, {"keep": 0.5}),
        "drip": Kind("wire", EVERYWHERE, {"piece": 16, "seconds": 0.05}),
        "wrong_length": Kind("wire", EVERYWHERE, {"by": 100}),
        "wrong_type": Kind("wire", EVERYWHERE, {"content_type": "text/plain"}),
    }
)


def check_kind(on: object, do: object, details: Mapping[str, Any]) -> dict[str, Any]:
    """Check a fault's place, kind and details; return the details with their defaults.

    Raises
    ------
    ValueError
        Something is unknown or of the wrong type; the message names what is known.
    """
    if not (isinstance(on, str) and isinstance(do, str)):
        raise ValueError(f"a fault needs two words, on and do, not {on!r} and {do!r}")  # noqa: TRY004 - one kind of error for all of a script
    if on not in EVERYWHERE:
        raise ValueError(f"unknown request {on!r} for a fault; known: {', '.join(EVERYWHERE)}")
    kind = KINDS.get(do)
    if kind is None:
        raise ValueError(f"unknown fault {do!r}; known: {', '.join(sorted(KINDS))}")
    if on not in kind.where:
        raise ValueError(f"a fault {do!r} can only strike {', '.join(kind.where)}, not {on}")
    for name, value in details.items():
        _check_detail(do, kind, name, value)
    if do == "redirect" and not details.get("location"):
        raise ValueError("a fault 'redirect' needs a location")
    return {**kind.details, **details}


def _check_detail(do: str, kind: Kind, name: str, value: object) -> None:
    if name not in kind.details:
        known = ", ".join(kind.details) or "none"
        raise ValueError(f"a fault {do!r} has no detail {name!r}; known: {known}")
    default = kind.details[name]
    wanted: type | tuple[type, ...] = NUMBER if type(default) is float else type(default)
    if name == "code":  # gateways send numbers and strings
        wanted = (int, str)
    if not isinstance(value, wanted) or isinstance(value, bool) is not isinstance(default, bool):
        raise ValueError(f"detail {name!r} of a fault {do!r} must be like {default!r}: {value!r}")
    if name in kind.choices and value not in kind.choices[name]:
        known = ", ".join(map(str, kind.choices[name]))
        raise ValueError(f"detail {name!r} of a fault {do!r} must be one of {known}")
    least = {"seconds": 0, "piece": 1, "side": 1}.get(name)
    if least is not None and isinstance(value, int | float) and value < least:
        raise ValueError(f"detail {name!r} of a fault {do!r} must be at least {least}")
    if name == "status" and isinstance(value, int) and not 200 <= value <= 599:
        raise ValueError(f"detail 'status' of a fault {do!r} must be 200 to 599")
