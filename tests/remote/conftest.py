"""A tiny gateway on a real socket that answers exactly the bytes that a test gives it."""

import contextlib
import io
import json
import shutil
import socket
import ssl
import struct
import subprocess
import threading
from dataclasses import dataclass, field

import pytest
from PIL import Image

from kling_nb.key import Secret
from kling_nb.remote.client import Client, Timeouts
from kling_nb.remote.download import Downloader

KEY = "sk-0123456789abcdefSECRET"


@dataclass
class Seen:
    """A request as it arrived."""

    method: str
    target: str
    headers: dict
    body: bytes = field(repr=False, default=b"")


def http(body=b"", status=200, *, length=None, **headers):
    """An HTTP answer as bytes; underscores in header names stand for hyphens."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body) if length is None else length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


class Gateway:
    """Serves one request a connection; `answer` gives bytes, or writes to the connection itself."""

    def __init__(self, answer, context=None):
        self.answer = answer
        self.seen = []
        self.stopping = threading.Event()
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.origin = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        self.base_url = f"{self.origin}/kling"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self):
        while True:
            connection, _ = self._listener.accept()
            if self.stopping.is_set():
                connection.close()
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection):
        with connection, contextlib.suppress(OSError, ValueError):
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as stream:
                request = _read(stream)
                self.seen.append(request)
                answer = self.answer(request, connection) if callable(self.answer) else self.answer
                if answer:
                    connection.sendall(answer)

    def stop(self):
        self.stopping.set()
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()
        self._listener.close()


def _read(stream):
    method, target, _ = stream.readline().decode().split(" ")
    headers = {}
    while (line := stream.readline().decode().strip()) != "":
        name, _, value = line.partition(":")
        assert name.lower() not in headers, f"two headers {name}"
        headers[name.lower()] = value.strip()
    return Seen(method, target, headers, stream.read(int(headers.get("content-length", 0))))


def reset(connection):
    """Close so that the peer sees RST and no clean end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def picture_file(kind="PNG", width=40, height=30):
    buffer = io.BytesIO()
    Image.effect_noise((width, height), 60).convert("RGB").save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def answer():
    return http


@pytest.fixture(scope="session")
def hang_up():
    return reset


@pytest.fixture(scope="session")
def make_picture():
    return picture_file


@pytest.fixture
def gateway():
    """Start gateways; all are stopped when the test ends."""
    started = []

    def start(answer, context=None):
        started.append(Gateway(answer, context))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for images.test alone, and a context that trusts it."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificate")
    name = ["-subj", "/CN=images.test", "-addext", "subjectAltName=DNS:images.test"]
    kind = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(["openssl", *kind, *name, *files], check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return server, ssl.create_default_context(cafile=folder / "cert.pem")


@pytest.fixture
def secret():
    return KEY


@pytest.fixture
def client():
    """Make clients of a base URL; all are closed when the test ends."""
    made = []

    def make(base_url, key=None, timeouts=None):
        made.append(Client(base_url, key or (lambda: Secret(KEY)), timeouts or Timeouts(2.0, 5.0, 5.0, 5.0)))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def downloader():
    """Make downloaders of a base URL; all are closed when the test ends."""
    made = []

    def make(base_url, **options):
        made.append(Downloader(base_url, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def unused_port():
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def drip(gateway):
    """Send a piece over and over until the client hangs up; what is still heard to the end was not hung up on."""
    heard = []

    def start(first, piece, last=b"", before=lambda connection: None, context=None):
        def serve(_, connection):
            before(connection)
            connection.sendall(first)
            for _ in range(300):
                if server.stopping.wait(0.01):
                    return
                connection.sendall(piece)
            heard.append(first)
            connection.sendall(last)

        server = gateway(serve, context)
        return server

    yield start
    assert heard == []
