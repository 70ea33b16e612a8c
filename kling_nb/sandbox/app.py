"""The two WSGI apps: the API, and the other origin that serves result images."""

from __future__ import annotations

import logging
import re
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, cast

from werkzeug.exceptions import ClientDisconnected
from werkzeug.wrappers import Request, Response

from kling_nb.sandbox import protocol
from kling_nb.sandbox.auth import check_authorization
from kling_nb.sandbox.faults import Call
from kling_nb.sandbox.mischief import json_response, perform, reset
from kling_nb.sandbox.protocol import Answer, Refusal
from kling_nb.sandbox.service import ImageAddress
from kling_nb.sandbox.validation import parse_json

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from kling_nb.sandbox.faults import Faults
    from kling_nb.sandbox.service import Service
    from kling_nb.sandbox.tasks import Task

REMEMBERED: Final = 10_000  # requests
_PIECE: Final = 65_536  # bytes

_IMAGE_PATH = re.compile(r"/(\d{1,30})/(\d)(w?)-([0-9a-f]{32})\.(png|jpg)")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that arrived.

    Parameters
    ----------
    origin : {"api", "images"}
        At which of the two servers.
    method, path, query : str
        As sent; the path is decoded.
    headers : dict of str to str
        Names in lower case.
    body_size : int
        Bytes of the body.
    time : float
        Seconds since the epoch.
    """

    origin: Literal["api", "images"]
    method: str
    path: str
    query: str
    headers: Mapping[str, str] = field(repr=False)
    body_size: int
    time: float


@dataclass(slots=True)
class Shared:
    """What both apps need: the clock, the faults, the log of requests, the end of all waits."""

    clock: Callable[[], float]
    faults: Faults
    stopping: threading.Event = field(default_factory=threading.Event)
    requests: deque[Seen] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def saw(self, origin: Literal["api", "images"], request: Request, body_size: int) -> None:
        """Write down a request. Appending to a deque needs no lock."""
        headers = {name.lower(): value for name, value in request.headers}
        query = request.query_string.decode("latin-1")
        self.requests.append(Seen(origin, request.method, request.path, query, headers, body_size, self.clock()))


class _BodyTooLargeError(Exception):
    """The body is larger than the limit, and the rest of it was not read."""


def _read_body(request: Request) -> bytes:
    """Read a request to its end, so that the next one on the connection begins where it should."""
    if (request.content_length or 0) > protocol.MAX_BODY:
        raise _BodyTooLargeError
    if not request.environ.get("wsgi.input_terminated"):
        try:
            return request.get_data(cache=False)
        except ClientDisconnected:
            raise ConnectionAbortedError("the request was cut off") from None
    body = bytearray()
    while piece := request.environ["wsgi.input"].read(_PIECE):
        body += piece
        if len(body) > protocol.MAX_BODY:
            raise _BodyTooLargeError
    return bytes(body)


class Api:
    """The API's origin as a WSGI app.

    Parameters
    ----------
    service : Service
        What answers.
    shared : Shared
        Clock, faults and log.
    key : str or None
        The only good token; None for any.
    envelope : {"plain", "reseller"}
        Which envelope good answers have.
    created : callable
        Told of every new task.
    """

    def __init__(
        self,
        service: Service,
        shared: Shared,
        *,
        key: str | None,
        envelope: Literal["plain", "reseller"],
        created: Callable[[Task], None],
    ) -> None:
        self._service = service
        self._shared = shared
        self._key = key
        self._envelope = envelope
        self._created = created

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        try:
            body = _read_body(request)
        except _BodyTooLargeError:
            self._shared.saw("api", request, request.content_length or 0)
            return _too_large()(environ, start_response)
        self._shared.saw("api", request, len(body))
        return self._respond(request, body)(environ, start_response)

    def _respond(self, request: Request, body: bytes) -> Response:
        connection: socket.socket = request.environ["werkzeug.socket"]
        on, name = _route(request)

        def respond(change: Callable[[Answer], Answer]) -> Response:
            answer = change(self._answer(request, body, on, name))
            if self._envelope == "reseller":
                answer = protocol.reseller_wrapped(answer)
            if answer.lost:
                reset(connection)
            return json_response(answer)

        if on is not None and len(self._shared.faults):
            strikes = self._shared.faults.take(Call(on, lambda: self._names(on, name, body)))
            if strikes is not None:
                return perform(strikes, respond, connection, self._shared, name or None)
        return respond(lambda answer: answer)

    def _names(self, on: str, name: str, body: bytes) -> frozenset[str]:
        if on == "create":
            try:
                return frozenset({str(parse_json(body).get("external_task_id", ""))})
            except Refusal:
                return frozenset()
        task = self._service.ledger.find(name)
        return frozenset({name} if task is None else {task.task_id, task.external_task_id})

    def _answer(self, request: Request, body: bytes, on: str | None, name: str) -> Answer:
        try:
            check_authorization(request.headers.get("Authorization"), self._key, self._shared.clock())
            return self._dispatch(request, body, on, name)
        except Refusal as refusal:
            return protocol.error(refusal.http_status, refusal.code, refusal.message)
        except Exception:
            logger.exception("the sandbox failed on %s %s", request.method, request.path)
            return protocol.error(500, 5000, "Server internal error (of the sandbox)")

    def _dispatch(self, request: Request, body: bytes, on: str | None, name: str) -> Answer:
        if on == "create":
            if request.mimetype != "application/json":
                raise Refusal(400, 1200, "Content-Type must be application/json")
            answer, task = self._service.create(body)
            self._created(task)
            return answer
        if on == "query":
            return self._service.query(name)
        if on == "list":
            return self._service.list(request.args.to_dict())
        raise Refusal(404, 1202, f"Requested method is invalid: {request.method} {request.path}")


def _route(request: Request) -> tuple[str | None, str]:
    """Tell what a request is: (``create``, ``query``, ``list`` or None, the id in its path)."""
    path = request.path.removeprefix(protocol.BASE_PATH)
    if path == protocol.RESOURCE:
        return {"POST": "create", "GET": "list"}.get(request.method), ""
    name = path.removeprefix(protocol.RESOURCE + "/")
    if request.method == "GET" and name not in {path, ""}:
        return "query", name
    return None, ""


def _too_large() -> Response:
    response = json_response(protocol.error(413, 1201, "the body is larger than 100 MB"))
    response.headers["Connection"] = "close"  # the rest of the body was not read
    return response


class Images:
    """The images' origin as a WSGI app; it asks for no key.

    Parameters
    ----------
    service : Service
        What answers.
    shared : Shared
        Clock, faults and log.
    """

    def __init__(self, service: Service, shared: Shared) -> None:
        self._service = service
        self._shared = shared

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        try:
            body = _read_body(request)
        except _BodyTooLargeError:
            self._shared.saw("images", request, request.content_length or 0)
            return _too_large()(environ, start_response)
        self._shared.saw("images", request, len(body))
        return self._respond(request)(environ, start_response)

    def _respond(self, request: Request) -> Response:
        if request.method not in {"GET", "HEAD"}:
            return Response("method not allowed\n", 405, {"Allow": "GET, HEAD"})
        found = _IMAGE_PATH.fullmatch(request.path)
        if found is None:
            return _no_image()
        task_id, index, mark, token, suffix = found.groups()
        address = ImageAddress(task_id, int(index), bool(mark), token, suffix)

        def respond(_change: object) -> Response:
            return self._serve(address)

        if len(self._shared.faults):
            call = Call("image", lambda: self._names(task_id), address.index)
            strikes = self._shared.faults.take(call)
            if strikes is not None:
                connection = cast("socket.socket", request.environ["werkzeug.socket"])
                return perform(strikes, respond, connection, self._shared)
        return self._serve(address)

    def _names(self, task_id: str) -> frozenset[str]:
        task = self._service.ledger.find(task_id)
        return frozenset({task_id} if task is None else {task_id, task.external_task_id})

    def _serve(self, address: ImageAddress) -> Response:
        try:
            data, content_type = self._service.image(address)
        except Refusal:
            return _no_image()
        except Exception:
            logger.exception("the sandbox could not paint an image")
            return Response("the sandbox could not paint this image\n", 500)
        return Response(data, 200, content_type=content_type)


def _no_image() -> Response:
    return Response("no such image\n", 404, content_type="text/plain")
