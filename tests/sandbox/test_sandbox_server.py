"""The servers: connections kept and closed, threads, requests seen, images served."""

import contextlib
import http.client
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

import httpx
import pytest

from kling_nb.sandbox import Sandbox


@pytest.fixture
def ours():
    """Name the sandboxes' threads that were not there when the test began."""
    before = set(threading.enumerate())

    def threads():
        found = set(threading.enumerate()) - before
        return [thread for thread in found if thread.name.startswith("kling-sandbox")]

    return threads


def test_stop_leaves_no_thread_and_no_connection(tmp_path, connect, ours):
    assert ours() == []
    with Sandbox(tmp_path, seconds=0, images="constant") as sandbox:
        callers = [connect(sandbox) for _ in range(5)]
        for caller in callers:
            caller.create()  # its connection is kept open
        raw = socket.create_connection(("127.0.0.1", urlsplit(sandbox.base_url).port))
        assert ours()
    assert ours() == []
    raw.settimeout(10)
    assert raw.recv(1) == b""
    raw.close()
    for caller in callers:
        with pytest.raises(httpx.TransportError):
            caller.list()


def test_start_and_stop_are_idempotent(tmp_path, ours):
    sandbox = Sandbox(tmp_path)
    sandbox.stop()
    with pytest.raises(RuntimeError, match="before it was started"):
        _ = sandbox.base_url
    assert sandbox.start() is sandbox.start()
    assert len(ours()) == 2
    sandbox.stop()
    sandbox.stop()
    assert ours() == []


def test_stop_ends_requests_that_wait(tmp_path, connect, ours):
    with Sandbox(tmp_path, images="constant") as sandbox:
        caller = connect(sandbox)
        for kind in ("hang", "endless"):
            sandbox.faults.add("list", kind)
        sandbox.faults.add("query", "delay", seconds=600)
        sandbox.faults.add("create", "drip", seconds=600)

        def ask(call):
            with contextlib.suppress(httpx.TransportError):
                call()

        calls = (caller.list, lambda: caller.get("x"), caller.post)
        threads = [threading.Thread(target=ask, args=(call,)) for call in calls]
        for thread in threads:
            thread.start()
        while len(sandbox.requests) < 3:
            time.sleep(0.001)
    assert ours() == []
    for thread in threads:
        thread.join()


def test_a_taken_port(tmp_path, ours):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            Sandbox(tmp_path, port=port).start()
        with pytest.raises(OSError, match="in use"):
            Sandbox(tmp_path, image_port=port).start()
    assert ours() == []


def test_connections_are_kept(sandbox, caller):
    address = urlsplit(caller.url)
    connection = http.client.HTTPConnection(address.hostname, address.port)
    connection.connect()
    kept = connection.sock
    for _ in range(3):
        connection.request("GET", address.path, headers={"Authorization": "Bearer x"})
        answer = connection.getresponse()
        assert int(answer.headers["Content-Length"]) == len(answer.read())
        assert connection.sock is kept
    connection.close()


@pytest.mark.parametrize("keep", [False, True])
def test_http_1_0(sandbox, keep):
    address = urlsplit(sandbox.base_url)
    with socket.create_connection((address.hostname, address.port)) as raw:
        wish = b"Connection: keep-alive\r\n" if keep else b""
        raw.sendall(b"GET /kling/x HTTP/1.0\r\n" + wish + b"\r\n")
        raw.settimeout(10)
        answer = b""
        while b"}" not in answer:
            answer += raw.recv(4096)
        assert answer.startswith(b"HTTP/1.1 401")
        assert (b"Connection: keep-alive" in answer) is keep
        if not keep:
            assert raw.recv(1) == b""


@pytest.mark.parametrize("length", [b"x", b"-5", b"1,2", b"+1"])
def test_a_length_that_is_none(sandbox, length):
    address = urlsplit(sandbox.base_url)
    with socket.create_connection((address.hostname, address.port)) as raw:
        raw.sendall(b"POST /kling/x HTTP/1.1\r\nContent-Length: " + length + b"\r\n\r\n{}")
        raw.settimeout(10)
        answer = raw.recv(4096)
        assert answer.startswith(b"HTTP/1.1 400")
        assert b"Connection: close" in answer


def test_a_request_that_is_cut_off_makes_nothing(sandbox, caller):
    address = urlsplit(sandbox.base_url)
    with socket.create_connection((address.hostname, address.port)) as raw:
        raw.sendall(
            b"POST /kling/v1/images/multi-image2image HTTP/1.1\r\nAuthorization: Bearer x\r\n"
            b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
        )
    caller.list()
    assert sandbox.ledger.entries() == []


def test_requests_are_seen(sandbox, caller, clock):
    caller.http.get(caller.url, params={"pageNum": 1}, headers={"X-Thing": "Some Thing"})
    answer = caller.post()
    (listed, created) = sandbox.requests
    assert (listed.origin, listed.method, listed.path) == ("api", "GET", urlsplit(caller.url).path)
    assert (listed.query, listed.body_size, listed.time) == ("pageNum=1", 0, clock.now)
    assert listed.headers["x-thing"] == "Some Thing"
    assert created.method == "POST"
    assert created.headers["authorization"] == "Bearer any-token"
    assert created.body_size == len(answer.request.content)


def test_requests_are_bounded():
    from kling_nb.sandbox.app import Shared
    from kling_nb.sandbox.faults import Faults

    assert Shared(lambda: 0.0, Faults()).requests.maxlen == 10_000


@pytest.fixture
def image(caller, clock):
    task_id = caller.create(n=2)["task_id"]
    clock.advance(2)
    return caller.images(task_id)[0]["url"]


def test_images_are_served(caller, image):
    answer = caller.download(image)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    assert int(answer.headers["content-length"]) == len(answer.content)
    head = caller.downloads.head(image)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == answer.headers["content-length"]


def test_images_cannot_be_guessed(caller, image, sandbox):
    start, token = image.rsplit("-", 1)
    other = token.translate(str.maketrans("0123456789abcdef", "123456789abcdef0", ".jpg"))
    for address in (
        f"{start}-{other}.jpg",
        f"{start}w-{token}",
        image.replace("/0-", "/1-"),
        image.replace("/0-", "/9-"),
        f"{sandbox.image_origin}/",
        f"{sandbox.image_origin}/{'1' * 40}/0-{token}",
        image + "/../../ledger.sqlite3",
    ):
        answer = caller.download(address)
        assert (address, answer.status_code) == (address, 404)
    assert caller.downloads.post(image).status_code == 405


def test_an_image_of_a_task_that_is_gone(caller, sandbox, image):
    # A good token, and nothing in the ledger: as if the folder had been emptied by hand.
    (sandbox.folder / "ledger.sqlite3").unlink()
    sandbox.ledger.close()
    Sandbox(sandbox.folder)
    assert caller.download(image.replace(".jpg", ".png")).status_code == 404


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, kling_nb.sandbox; print(*{'werkzeug', 'PIL', 'sqlite3', 'json'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in {"", "json"}


def test_the_public_names_exist():
    import kling_nb.sandbox

    for name in kling_nb.sandbox.__all__:
        assert getattr(kling_nb.sandbox, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Beach'"):
        _ = kling_nb.sandbox.Beach


@pytest.mark.parametrize(
    "options",
    [{"images": "drawn"}, {"envelope": "paper"}, {"slots": 0}, {"seconds": -1}],
    ids=lambda options: next(iter(options)),
)
def test_bad_options(tmp_path, options):
    with pytest.raises(ValueError, match="must be"):
        Sandbox(tmp_path, **options)


def test_the_head_of_an_endless_body_ends(caller, image, sandbox):
    sandbox.faults.add("image", "endless")
    assert caller.downloads.head(image).status_code == 200
    assert caller.download(image).status_code == 200
