"""Faults carried out: on the content of an answer (pure), and on its bytes and its connection."""

from __future__ import annotations

import functools
import io
import json
import os
import socket
import struct
import zlib
from typing import TYPE_CHECKING, Any, Final, Protocol

from werkzeug.wrappers import Response

from kling_nb.sandbox import protocol
from kling_nb.sandbox.protocol import Answer

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator

    from kling_nb.sandbox.faults import Fault, Strikes

HTML: Final = (
    "<html>\r\n<head><title>{0} sandbox fault</title></head>\r\n<body>\r\n"
    "<center><h1>{0} sandbox fault</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
# `struct linger`: on, for zero seconds. Its fields are shorter on Windows.
_LINGER_NOT: Final = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
_ENDLESS_PIECE: Final = 65_536  # bytes


class ResetConnection(ConnectionAbortedError):
    """The connection was reset on purpose; there is no answer to write."""


class Stage(Protocol):
    """What mischief needs to know of the server."""

    @property
    def clock(self) -> Callable[[], float]:
        """Return what gives the time in seconds since the epoch."""

    @property
    def stopping(self) -> threading.Event:
        """Return the event that ends every wait."""


def json_response(answer: Answer) -> Response:
    """Make the HTTP response of an answer."""
    body = json.dumps(answer.payload, separators=(",", ":"))
    return Response(body, answer.http_status, content_type="application/json")


def reset(connection: socket.socket) -> None:
    """Reset a connection: the peer sees RST, not a clean end.

    With a linger of zero seconds, closing throws the connection away; the server's own closing does
    it (see `server`), as the socket is still in use here.
    """
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    raise ResetConnection


def perform(
    strikes: Strikes,
    respond: Callable[[Callable[[Answer], Answer]], Response],
    connection: socket.socket,
    stage: Stage,
    asked: str | None = None,
) -> Response:
    """Answer a request that faults strike.

    Parameters
    ----------
    strikes : Strikes
        The faults.
    respond : callable
        Processes the request; takes a function that changes the answer's content.
    connection : socket
        The client's connection.
    stage : Stage
        The clock, and the event that ends every wait.
    asked : str or None
        The id in the path of a query.

    Returns
    -------
    Response
        What to send.

    Raises
    ------
    ResetConnection
        There is no answer; the connection is to be reset.
    """
    wait, instead = strikes.wait, strikes.answer
    if wait is not None and not wait.details["processed"]:
        _wait(wait, stage)
    if instead is None:
        response = respond(lambda answer: reshape(answer, strikes.shape, stage.clock(), asked))
    elif instead.do == "lost" or instead.details.get("processed"):
        respond(lambda answer: answer).close()
    if wait is not None and wait.details["processed"]:
        _wait(wait, stage)
    if instead is not None:
        response = _replace(instead, connection, stage)
    if strikes.wire is not None:
        _spoil(response, strikes.wire, stage)
    return response


def _wait(fault: Fault, stage: Stage) -> None:
    # Both kinds end when the server stops: `stop` leaves no thread behind.
    if fault.do == "delay":
        stage.stopping.wait(fault.details["seconds"])
        return
    while not fault.released.wait(0.05):
        if stage.stopping.is_set():
            return


def _replace(fault: Fault, connection: socket.socket, stage: Stage) -> Response:
    details = fault.details
    if fault.do in {"reset", "lost"}:
        reset(connection)
    if fault.do == "status":
        message = details["message"] or "sandbox fault"
        response = json_response(protocol.error(details["status"], details["code"], message))
        if details["retry_after"]:
            response.headers["Retry-After"] = details["retry_after"]
        return response
    if fault.do == "openai_error":
        return json_response(
            protocol.openai_error(details["status"], details["message"], details["type"], details["code"])
        )
    return _odd_body(fault, stage)


def _odd_body(fault: Fault, stage: Stage) -> Response:
    details = fault.details
    status = details.get("status", 200)
    if fault.do == "html":
        return Response(HTML.format(status), status, content_type="text/html")
    if fault.do == "empty":
        return Response(b"", status, content_type="application/json")
    if fault.do == "not_json":
        return Response("upstream is warming up", status, content_type="text/plain")
    if fault.do == "redirect":
        return Response(b"", status, {"Location": details["location"]})
    if fault.do == "bomb":
        return Response(bomb(details["side"]), 200, content_type="image/png")
    if fault.do == "endless":
        kind = "image/png" if fault.on == "image" else "application/json"
        return Response(_endless(fault.on, stage), 200, content_type=kind)
    if fault.do == "no_list":
        return _no_list(details["shape"])
    expired = '<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Request has expired.</Message></Error>'
    return Response(expired, status, content_type="application/xml")


def _no_list(shape: str) -> Response:
    if shape == "other":
        return json_response(Answer(200, {"object": "list", "items": [], "total": 0}))
    return json_response(
        protocol.openai_error(int(shape), "Invalid URL (GET /v1/images/multi-image2image)", "invalid_request", "")
    )


def _endless(on: str, stage: Stage) -> Iterator[bytes]:
    yield b"\x89PNG\r\n\x1a\n" if on == "image" else b'{"code": 0, "message": "'
    piece = b" " * _ENDLESS_PIECE
    while not stage.stopping.is_set():
        yield piece


@functools.lru_cache(maxsize=2)
def bomb(side: int) -> bytes:
    """Return a valid one-bit PNG of `side` x `side` pixels that is black all over."""
    squeeze = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)
    data = io.BytesIO()
    for _ in range(side):
        data.write(squeeze.compress(row))
    data.write(squeeze.flush())

    def chunk(name: bytes, body: bytes) -> bytes:
        checksum = zlib.crc32(name + body)
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", data.getvalue()), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _spoil(response: Response, fault: Fault, stage: Stage) -> None:
    details = fault.details
    if fault.do == "wrong_type":
        response.headers["Content-Type"] = details["content_type"]
        return
    body = response.get_data()
    if fault.do == "truncated_json":
        response.set_data(body[: int(len(body) * details["keep"])])
    elif fault.do == "wrong_length":
        response.headers["Content-Length"] = str(max(0, len(body) + details["by"]))
        response.headers["Connection"] = "close"  # where the answer ends cannot be told
    else:
        response.headers["Content-Length"] = str(len(body))
        response.response = _drip(body, details["piece"], details["seconds"], stage)


def _drip(body: bytes, piece: int, seconds: float, stage: Stage) -> Iterator[bytes]:
    for start in range(0, len(body), piece):
        if start:
            stage.stopping.wait(seconds)
        yield body[start : start + piece]


def reshape(answer: Answer, faults: tuple[Fault, ...], now: float, asked: str | None = None) -> Answer:
    """Change the content of a good answer as faults ask for. Pure.

    Parameters
    ----------
    answer : Answer
        A plain answer; errors come back as they are.
    faults : tuple of Fault
        Those of the phase ``shape``.
    now : float
        Seconds since the epoch.
    asked : str or None
        The id in the path of a query.

    Returns
    -------
    Answer
        The changed answer; "not found" where the only task of it is hidden.
    """
    if "data" not in answer.payload:
        return answer
    data = answer.payload["data"]
    if isinstance(data, list):
        shaped = [_reshape_task(task, _for_task(faults, task), now, None) for task in data]
        data = [task for task in shaped if task is not None]
    else:
        data = _reshape_task(data, faults, now, asked)
        if data is None:
            return protocol.error(404, 1203, "task not found")
    payload = {**answer.payload, "data": data}
    if any(fault.do == "text_code" for fault in faults):
        payload["code"] = str(payload["code"])
    shaped_answer = Answer(answer.http_status, payload, answer.lost)
    # The reseller's envelope last, whatever the order of the faults: it goes round all the rest.
    for fault in faults:
        if fault.do == "reseller":
            return protocol.reseller_wrapped(shaped_answer, inner=fault.details["inner"])
    return shaped_answer


def _for_task(faults: tuple[Fault, ...], task: dict[str, Any]) -> list[Fault]:
    names = (task["task_id"], task["task_info"]["external_task_id"])
    return [fault for fault in faults if fault.match is None or fault.match in names]


def _reshape_task(
    task: dict[str, Any], faults: Iterable[Fault], now: float, asked: str | None
) -> dict[str, Any] | None:
    changed: dict[str, Any] = dict(task)
    for fault in faults:
        if _hides(fault, task, now, asked):
            return None
        _change(changed, task, fault)
    return changed


def _hides(fault: Fault, task: dict[str, Any], now: float, asked: str | None) -> bool:
    if fault.do == "late":
        seconds = fault.details["seconds"]
        return not seconds or now - task["created_at"] / 1000 < seconds
    # A query by external id, on a gateway that does not know them.
    return fault.do == "no_external_ids" and asked not in {None, task["task_id"]}


def _change(changed: dict[str, Any], task: dict[str, Any], fault: Fault) -> None:
    details = fault.details
    if fault.do == "no_external_ids":
        changed.pop("task_info", None)
    elif fault.do == "unknown_status":
        changed["task_status"] = details["status"]
    elif fault.do == "status_spelling":
        changed["task_status"] = details.get(task["task_status"], task["task_status"])
    elif fault.do == "second_timestamps":
        changed["created_at"] = task["created_at"] // 1000
        changed["updated_at"] = task["updated_at"] // 1000
    elif fault.do == "missing_images" and "task_result" in task:
        changed["task_result"] = {"images": task["task_result"]["images"][: details["keep"]]}
