"""The words of the protocol: paths, codes, statuses, sizes and the three envelopes. Pure."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

BASE_PATH: Final = "/kling"
RESOURCE: Final = "/v1/images/multi-image2image"

MODELS: Final = ("kling-v2", "kling-v2-1")
DEFAULT_RATIO: Final = "16:9"

# About one megapixel each, and exactly the ratio that was asked for.
SIZES: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {
        "16:9": (1344, 756),
        "9:16": (756, 1344),
        "1:1": (1024, 1024),
        "4:3": (1184, 888),
        "3:4": (888, 1184),
        "3:2": (1248, 832),
        "2:3": (832, 1248),
        "21:9": (1568, 672),
    }
)

MAX_PROMPT: Final = 2_500  # characters
MAX_SUBJECTS: Final = 4
MAX_IMAGES: Final = 9
MAX_PAGE: Final = 1_000
MAX_PAGE_SIZE: Final = 500
DEFAULT_PAGE_SIZE: Final = 30
MAX_BODY: Final = 100_000_000  # bytes: six references of 10 MB in base64 are 80 MB

SUBMITTED: Final = "submitted"
PROCESSING: Final = "processing"
SUCCEED: Final = "succeed"
FAILED: Final = "failed"
STATUSES: Final = (SUBMITTED, PROCESSING, SUCCEED, FAILED)
UNFINISHED: Final = (SUBMITTED, PROCESSING)

_RESELLER_STATUS = {
    SUBMITTED: ("SUBMITTED", "0%"),
    PROCESSING: ("IN_PROGRESS", "50%"),
    SUCCEED: ("SUCCESS", "100%"),
    FAILED: ("FAILURE", "100%"),
}


class Refusal(Exception):
    """An answer other than success.

    Parameters
    ----------
    http_status : int
        HTTP status.
    code : int
        The vendor's error code.
    message : str
        What is wrong, for people.
    """

    def __init__(self, http_status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.code = code
        self.message = message


def invalid(message: str) -> Refusal:
    """Refuse a parameter: HTTP 400, code 1201."""
    return Refusal(400, 1201, message)


def not_found(what: str) -> Refusal:
    """Refuse a name that means nothing here: HTTP 404, code 1203."""
    return Refusal(404, 1203, what)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the API before it becomes bytes.

    Parameters
    ----------
    http_status : int
        HTTP status.
    payload : dict
        The JSON object of the body.
    lost : bool
        Whether the connection is reset instead of answering (asked for by a prompt).
    """

    http_status: int
    payload: dict[str, Any]
    lost: bool = False


def _reseller_status(status: str) -> tuple[str, str]:
    # Whatever the spelling: "succeeded" and "SUCCESS" are the vendor's "succeed".
    for known, words in _RESELLER_STATUS.items():
        if status.lower().startswith(known[:5]):
            return words
    return "UNKNOWN", "50%"


def new_request_id() -> str:
    """Return a fresh `request_id`."""
    return str(uuid.uuid4())


def success(data: Any, *, lost: bool = False) -> Answer:
    """Wrap `data` in the plain envelope of a good answer."""
    payload = {"code": 0, "message": "SUCCEED", "request_id": new_request_id(), "data": data}
    return Answer(200, payload, lost)


def error(http_status: int, code: int | str, message: str) -> Answer:
    """Wrap an error in the plain envelope; like the vendor's, it has no `data`."""
    payload = {"code": code, "message": message, "request_id": new_request_id()}
    return Answer(http_status, payload)


def openai_error(http_status: int, message: str, kind: str, code: str) -> Answer:
    """Wrap an error as OpenAI-style gateways do."""
    return Answer(http_status, {"error": {"message": message, "type": kind, "code": code}})


def reseller_wrapped(answer: Answer, *, inner: str = "envelope") -> Answer:
    """Wrap a good answer as the new-api family of resellers does.

    Parameters
    ----------
    answer : Answer
        A plain answer. Errors come back unchanged.
    inner : {"envelope", "data"}
        Whether the innermost `data` holds the plain envelope or its data alone.

    Returns
    -------
    Answer
        The wrapped answer. Of a list, every object is wrapped by itself.
    """
    if "data" not in answer.payload or answer.payload["code"] == "success":
        return answer  # an error, or wrapped already
    data = answer.payload["data"]

    def wrap(task: dict[str, Any]) -> dict[str, Any]:
        status, progress = _reseller_status(task["task_status"])
        return {
            "task_id": task["task_id"],
            "status": status,
            "progress": progress,
            "fail_reason": task.get("task_status_msg", ""),
            "data": {**answer.payload, "data": task} if inner == "envelope" else task,
        }

    wrapped = [wrap(task) for task in data] if isinstance(data, list) else wrap(data)
    payload = {"code": "success", "message": "", "data": wrapped}
    return Answer(answer.http_status, payload, answer.lost)
