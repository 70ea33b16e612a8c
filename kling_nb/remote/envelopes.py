"""Reading what gateways answer, in every envelope that they are seen to use.

Pure functions of bytes. The shapes are those of the vendor (plain), of the new-api family of resellers
(wrapped), of OpenAI-style gateways (``{"error": …}``) and of proxies on the way (HTML, nothing, half of
a JSON text). Where they differ, the widest reading wins.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from kling_nb.records import MAX_N, ImageRecord, TaskState, TaskStatus

MESSAGE_LENGTH = 500
EXACT_LENGTH = 8000
"""Characters of an id or a URL; signed URLs have hundreds, and more than this no server takes."""
MOST_IMAGES = 2 * MAX_N
"""Of one task; a gateway that names a million must not have them all fetched."""
_SUCCESS = frozenset({"0", "200", "success", "succeed", "succeeded", "ok"})
_STATUSES: Mapping[str, TaskStatus] = {
    **dict.fromkeys(("submitted", "queued", "pending", "not_start", "created", "waiting"), "submitted"),
    **dict.fromkeys(("processing", "in_progress", "running"), "processing"),
    **dict.fromkeys(("succeed", "succeeded", "success", "completed"), "succeeded"),
    **dict.fromkeys(("failed", "failure", "fail", "error", "cancelled", "canceled", "expired"), "failed"),
}


class Envelope(NamedTuple):
    """An answer without its wrapping.

    Parameters
    ----------
    ok : bool
        Whether the envelope reports success; says nothing of a task's own fate.
    code : str or None
        The error code, as text.
    message : str
        The gateway's words, in one line, cut to `MESSAGE_LENGTH`.
    request_id : str or None
        The gateway's id of this answer.
    data : object
        What the answer is about: a mapping, a list, or None.
    readable : bool
        False when the body is not JSON of any known shape.
    """

    ok: bool
    code: str | None = None
    message: str = ""
    request_id: str | None = None
    data: Any = None
    readable: bool = True


def read(content: bytes) -> Envelope:
    """Take an answer's body out of its envelope.

    Parameters
    ----------
    content : bytes
        The body, whatever it is.

    Returns
    -------
    Envelope
        Never raises: what cannot be read is ``readable=False`` with a message that says what it was.
    """
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return Envelope(ok=False, message=_describe(content), readable=False)
    if not isinstance(body, dict):
        return Envelope(ok=False, message="The answer is JSON of an unknown shape.", readable=False)
    error = body.get("error")
    if error and not isinstance(error, bool):
        return _openai_error(error, body)
    code = _text(body.get("code"))
    message = one_line(body.get("message") or body.get("msg") or "")
    request_id = _text(body.get("request_id"))
    data = body.get("data")
    if not isinstance(data, list) and _exact(body.get("task_id")):
        # No wrapping, or none but for the code: the specification promises only "an object".
        data = body
    ok = code.lower() in _SUCCESS if code is not None else data is not None
    return Envelope(
        ok,
        None if ok else code,
        message,
        request_id,
        data,
        readable=code is not None or data is not None or bool(message),
    )


def _openai_error(error: Any, body: Mapping[str, Any]) -> Envelope:
    fields = error if isinstance(error, dict) else {"message": error}
    code = _text(fields.get("code")) or _text(fields.get("type")) or None
    request_id = _text(body.get("request_id") or fields.get("request_id"))
    return Envelope(ok=False, code=code, message=one_line(fields.get("message") or ""), request_id=request_id)


def read_task(data: Any, request_id: str | None = None) -> TaskState | None:
    """Read one task out of an envelope's data.

    Parameters
    ----------
    data : object
        `Envelope.data`, or one element of a list.
    request_id : str, optional
        To be carried along.

    Returns
    -------
    TaskState or None
        None when it names no task.
    """
    if not isinstance(data, dict):
        return None
    inner = _inner(data)
    # A reseller's own id is the one that it answers to, so the outer one wins.
    task_id = _exact(data.get("task_id")) or _exact(inner.get("task_id"))
    if not task_id:
        return None
    info = inner.get("task_info")
    info = info if isinstance(info, dict) else {}
    images = _images(inner)
    return TaskState(
        task_id=task_id,
        task_status=_status(data, inner, has_images=bool(images)),
        message=one_line(inner.get("task_status_msg") or data.get("fail_reason") or ""),
        external_task_id=_exact(info.get("external_task_id") or inner.get("external_task_id")),
        created_at=seconds(inner.get("created_at") or data.get("created_at") or data.get("submit_time")),
        updated_at=seconds(inner.get("updated_at") or data.get("updated_at") or data.get("finish_time")),
        images=images,
        units=_text(inner.get("final_unit_deduction")),
        request_id=request_id,
    )


def read_tasks(data: Any, read_before: dict[str, tuple[Any, TaskState]] | None = None) -> list[TaskState] | None:
    """Read the tasks of a list answer.

    Parameters
    ----------
    data : object
        `Envelope.data`.
    read_before : dict, optional
        What the last list said, and what was read from it; most of a list is as it was. Brought up to date.

    Returns
    -------
    list of TaskState or None
        None when it is not a list of tasks: then the gateway must be asked one by one.
    """
    if isinstance(data, dict):
        data = next((data[name] for name in ("tasks", "items", "list", "records") if name in data), None)
    if not isinstance(data, list):
        return None
    before = {} if read_before is None else read_before
    after: dict[str, tuple[Any, TaskState]] = {}
    known = []
    for item in data:
        name = str(item.get("task_id")) if isinstance(item, dict) else ""
        said, task = before.get(name, (None, None))
        task = task if said == item else read_task(item)
        if task is not None:
            known.append(task)
            after[name] = (item, task)
    before.clear()
    before.update(after)
    return None if data and not known else known


def _inner(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the vendor's own object, which resellers wrap once or twice."""
    inner = data
    for _ in range(3):
        nested = inner.get("data")
        if not isinstance(nested, dict) or not nested:
            break
        inner = nested
    return inner


def _status(outer: Mapping[str, Any], inner: Mapping[str, Any], *, has_images: bool) -> TaskStatus:
    said = [
        _STATUSES.get(str(fields.get(name)).strip().lower().replace("-", "_"))
        for fields in (inner, outer)
        for name in ("task_status", "status")
    ]
    known = [status for status in said if status is not None]
    if "succeeded" in known and has_images:
        return "succeeded"
    # An outer "in progress" may lag behind an inner end, and the other way round; an end is final.
    order: tuple[TaskStatus, ...] = ("failed", "succeeded", "processing", "submitted")
    for status in order:
        if status in known:
            return status
    # A word that nobody documented yet is no reason to lose a paid task: go on following it.
    return "processing"


def _images(inner: Mapping[str, Any]) -> tuple[ImageRecord, ...]:
    result = inner.get("task_result")
    listed = result.get("images") if isinstance(result, dict) else None
    if not isinstance(listed, list):
        return ()
    images: dict[int, ImageRecord] = {}
    for position, item in enumerate(listed[:MOST_IMAGES]):
        fields = item if isinstance(item, dict) else {"url": item}
        index = fields.get("index")
        if not isinstance(index, int) or isinstance(index, bool) or index in images or not 0 <= index < MOST_IMAGES:
            index = position
        while index in images:
            index += 1
        images[index] = ImageRecord(index, _exact(fields.get("url")), _exact(fields.get("watermark_url")))
    return tuple(images[index] for index in sorted(images))


def seconds(value: Any) -> float | None:
    """Read a timestamp: milliseconds, or seconds where it is below 1e11.

    Parameters
    ----------
    value : object
        A number, or text that is one.

    Returns
    -------
    float or None
        Seconds since the epoch.
    """
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    if not 0 < number < 1e15:
        return None
    return number if number < 1e11 else number / 1000


def one_line(text: Any, length: int = MESSAGE_LENGTH) -> str:
    """Return text from outside as one printable line of a sane length."""
    head = str(text)[: 4 * length]
    if not head.isprintable():
        head = "".join(c if c.isprintable() else " " for c in head)
    line = " ".join(head.split())
    return line if len(line) <= length else line[: length - 1] + "…"


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, (dict, list)):
        return None
    return one_line(value, 200)


def _exact(value: Any) -> str | None:
    """Return an id or an address as it is; one that is cut or tidied up would name something else."""
    if value is None or isinstance(value, (bool, dict, list)):
        return None
    text = str(value).strip()
    # Nothing but dots would lead out of the path that an id is put into.
    return text if text.strip(".") and text.isprintable() and len(text) <= EXACT_LENGTH else None


def _describe(content: bytes) -> str:
    if not content.strip():
        return "The answer is empty."
    head = content[:4096].decode("utf-8", "replace")
    if re.match(r"\s*(<!doctype|<html|<)", head, re.IGNORECASE):
        title = re.search(r"<title[^>]*>(.*?)</title", head, re.IGNORECASE | re.DOTALL)
        return f"The answer is an HTML page{': ' + one_line(title[1], 120) if title else ''}."
    if head.lstrip().startswith(("{", "[")):
        return "The answer is JSON that was cut off."
    return f"The answer is not JSON: {one_line(head, 120)}"
