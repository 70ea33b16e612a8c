"""An HTTP/1.1 server for WSGI apps that keeps connections open and stops without a trace.

Werkzeug's own handler closes the connection after every answer; clients that pool connections would
never be tried against it. This one keeps it open whenever request and answer were complete.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import WSGIApplication

_BACKLOG: Final = 128
_JOIN: Final = 10.0  # seconds that `stop` waits for a thread
_DRAINED: Final = 400_000_000  # bytes of an unread body that are thrown away, at most
_PIECE: Final = 65_536

logger = logging.getLogger(__name__)


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_version = "kling-sandbox"

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - as in Werkzeug
        """Say nothing: requests are recorded by the apps."""

    def run_wsgi(self) -> None:
        """Let the app answer one request."""
        length = self.headers.get("Content-Length", "0").strip()
        if not (length.isascii() and length.isdigit()):
            self.send_error(400)  # where the request ends is unknown, so the connection is closed
            return
        self.environ = environ = self.make_environ()
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], _exc_info: object = None) -> Any:
            started[:] = [(status, headers)]

        try:
            pieces = self.server.app(environ, start_response)
            try:
                self._send(started[0][0], started[0][1], pieces)
            finally:
                if hasattr(pieces, "close"):
                    pieces.close()
        except OSError as problem:  # the client is gone, or the connection is to be reset
            self.close_connection = True
            self.connection_dropped(problem, environ)

    def _send(self, status: str, headers: list[tuple[str, str]], pieces: Iterable[bytes]) -> None:
        names = {name.lower(): value for name, value in headers}
        bare = self.command == "HEAD" or status.startswith(("1", "204", "304"))
        declared = names.get("content-length")
        chunked = declared is None and not bare and self.request_version == "HTTP/1.1"
        early = names.get("connection", "").lower() == "close"
        if early or (declared is None and not bare and not chunked):
            self.close_connection = True
        pending = self._head(status, headers, chunked=chunked)
        for piece in () if bare else pieces:
            if piece:
                self.wfile.write(pending + (_chunk(piece) if chunked else piece))
                pending = b""
        if chunked:
            pending += b"0\r\n\r\n"
        if pending:
            self.wfile.write(pending)
        if early:
            self._drain()

    def _head(self, status: str, headers: list[tuple[str, str]], *, chunked: bool) -> bytes:
        lines = [f"HTTP/1.1 {status}", f"Server: {self.server_version}"]
        lines += [f"Date: {self.date_time_string()}"]
        lines += [f"{name}: {value}" for name, value in headers if name.lower() != "connection"]
        if chunked:
            lines.append("Transfer-Encoding: chunked")
        lines.append(f"Connection: {'close' if self.close_connection else 'keep-alive'}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _drain(self) -> None:
        # The answer came before the end of the request. A close now would reset the connection and
        # the client might never see the answer: take what is still on the way.
        self.connection.shutdown(socket.SHUT_WR)
        left = _DRAINED
        while left > 0 and (data := self.rfile.read1(_PIECE)):
            left -= len(data)


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


class Server(ThreadedWSGIServer):
    """A WSGI app on a port, each connection in its thread.

    Parameters
    ----------
    host : str
        Address to listen on.
    port : int
        Port; 0 takes a free one. `port` then has its number.
    app : WSGI application
        Who answers.

    Raises
    ------
    OSError
        The port cannot be had.
    """

    def __init__(self, host: str, port: int, app: WSGIApplication) -> None:
        listener = _listen(host, port)
        try:
            super().__init__(host, port, app, _Handler, fd=listener.fileno())
        finally:
            listener.close()  # the server works on its own copy
        self._stopping = threading.Event()
        self._guard = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._workers: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept, name="kling-sandbox", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._acceptor.start()

    def stop(self) -> None:
        """Close every connection and end every thread."""
        self._stopping.set()
        self._wake()
        self._acceptor.join(_JOIN)
        self.server_close()
        with self._guard:
            connections, workers = list(self._connections), list(self._workers)
        for connection in connections:
            _hang_up(connection)
        for worker in workers:
            worker.join(_JOIN)

    def _wake(self) -> None:
        # The acceptor sleeps in accept() rather than wake up several times a second for nothing.
        try:
            socket.create_connection((self.host, self.port), timeout=1).close()
        except OSError:
            logger.debug("the sandbox's listener was gone already", exc_info=True)

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                request, address = self.socket.accept()
            except OSError:  # such as too many open files
                time.sleep(0.01)
                continue
            if self._stopping.is_set():
                request.close()
            else:
                self.process_request(request, address)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own."""
        worker = threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            name="kling-sandbox-connection",
            daemon=True,
        )
        with self._guard:
            self._workers = [thread for thread in self._workers if thread.is_alive()]
            self._workers.append(worker)
            self._connections.add(request)
            worker.start()

    def shutdown_request(self, request: Any) -> None:
        """Close a connection: by a reset if that was asked for, cleanly otherwise."""
        with self._guard:
            self._connections.discard(request)
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER):
            self.close_request(request)  # a shutdown first would tell the peer of a clean end
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what broke a connection; it is a bug of the sandbox."""
        trace = sys.exc_info()
        logger.error("a connection broke: %s from %s", request, client_address, exc_info=trace)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere it would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it ended by itself
