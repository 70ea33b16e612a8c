"""Callbacks: told of each change, on this machine only."""

import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest


@pytest.fixture
def listener():
    """A small server that keeps what is posted to it."""
    told = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.put((self.path, self.headers["Content-Type"], json.loads(body)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.told = told
    server.url = f"http://127.0.0.1:{server.server_port}/told?by=test"
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def drained(sandbox, amount):
    """Wait until so many changes were told of."""
    while len(sandbox.callbacks) < amount:
        pass
    return sandbox.callbacks


def test_each_change_is_told_once(sandbox, caller, clock, listener):
    data = caller.create(callback_url=listener.url, external_task_id="mine", n=2)
    clock.advance(1)
    path, kind, body = listener.told.get(timeout=20)
    assert (path, kind, body["task_status"]) == ("/told?by=test", "application/json", "processing")
    clock.advance(1)
    path, kind, body = listener.told.get(timeout=20)
    assert body == caller.query(data["task_id"])
    assert body["task_status"] == "succeed"
    done = drained(sandbox, 2)
    assert [(item.task_id, item.status, item.outcome) for item in done] == [
        (data["task_id"], "processing", "204"),
        (data["task_id"], "succeed", "204"),
    ]
    assert listener.told.empty()


def test_hold_and_finish_are_told(sandbox, caller, listener):
    caller.create(callback_url=listener.url, prompt="[sandbox: fail]")
    sandbox.hold()
    assert listener.told.get(timeout=20)[2]["task_status"] == "processing"
    sandbox.finish()
    assert listener.told.get(timeout=20)[2]["task_status"] == "failed"


def test_other_hosts_are_not_called(sandbox, caller, clock):
    url = "http://192.0.2.1/told"
    caller.create(callback_url=url)
    clock.advance(2)
    (change,) = drained(sandbox, 1)
    assert (change.url, change.status, change.outcome) == (url, "succeed", "not called")


def test_a_listener_that_is_gone(sandbox, caller, clock):
    caller.create(callback_url="http://127.0.0.1:1/told")
    caller.create(callback_url="https://localhost:1/told")
    clock.advance(2)
    outcomes = sorted(item.outcome for item in drained(sandbox, 2))
    assert "refused" in outcomes[0]
    assert outcomes[1] == "only http is called"


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost/x", True),
        ("http://LOCALHOST/x", True),
        ("http://127.8.9.1:80", True),
        ("http://[::1]/x", True),
        ("http://localhost.example.com", False),
        ("http://192.168.0.1", False),
        ("http://example.com", False),
    ],
)
def test_this_machine(url, local):
    from kling_nb.sandbox.callbacks import is_loopback

    assert is_loopback(url) is local


def test_the_thread_ends_with_the_last_task(sandbox, caller, clock, listener):
    def running():
        return [t for t in threading.enumerate() if t.name == "kling-sandbox-callbacks"]

    caller.create()
    assert running() == []
    caller.create(callback_url=listener.url)
    assert running()
    clock.advance(2)
    listener.told.get(timeout=20)
    for thread in running():
        thread.join(20)
    assert running() == []


def test_stop_ends_callbacks_that_wait(sandbox, caller, clock):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        caller.create(callback_url=f"http://127.0.0.1:{silent.getsockname()[1]}/told")
        clock.advance(2)
        connection, _ = silent.accept()
        sandbox.stop()
        connection.close()
    assert not [t for t in threading.enumerate() if t.name == "kling-sandbox-callbacks"]
