"""A gateway that repeats the key in everything it says; nothing of that is shown, kept or sent on."""

import io
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from kling_nb import KlingError
from kling_nb.remote.client import AnswerLost, ListUnavailable
from kling_nb.sandbox.app import Seen

# As JSON, URLs, HTML and Python escape it; nobody takes a reversed or hexadecimal key for one that is repeated.
REPEATED = (
    "raw",
    "URL",
    "URL, every letter",
    "URL, twice",
    "JSON, hyphens",
    "JSON, every letter",
    "JSON in JSON",
    "HTML",
    "HTML, hexadecimal",
    "Python",
)


class Echo:
    """Serves on this machine, answers by `answers` with the key in every spelling, and remembers requests."""

    def __init__(self, mark):
        self.mark = mark
        self.requests = []
        self.answers = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self.base_url = f"{self.origin}/kling"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def stop(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def said(self):
        """The key in every spelling, as the text of a JSON string."""
        texts = [self.mark.spellings()[name] for name in REPEATED]
        return " ".join(text.strip('"').replace("\\x", "\\\\x") for text in [*texts, texts[0]])

    def _handler(echo):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                path, _, query = self.path.partition("?")
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(headers.get("content-length", 0)))
                origin = "api" if path.startswith("/kling") else "images"
                echo.requests.append(Seen(origin, self.command, path, query, headers, len(body), time.time()))
                if origin == "images":
                    self.reply(200, picture())
                    return
                assert headers["authorization"] == f"Bearer {echo.mark.key}"
                sort = "create" if self.command == "POST" else "list" if path.endswith("image2image") else "query"
                echo.answers[sort](self, echo.said)

            do_POST = do_GET

            def reply(self, status, body=b"", reason="Said", **headers):
                body = body if isinstance(body, bytes) else body.encode()
                lines = {"Content-Length": len(body), "Connection": "close", **headers}
                head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
                self.wfile.write(f"HTTP/1.1 {status} {reason}\r\n{head}\r\n".encode() + body)
                self.close_connection = True

            def log_message(self, *args):
                pass

        return Handler


def picture():
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def echo(scene):
    started = Echo(scene.mark)
    # Everything is searched there instead of at the sandbox.
    scene.box = started
    yield started
    started.stop()


def filled(body, said):
    """JSON with a text in place of every KEY, as it is."""
    return json.dumps(body).replace("KEY", said)


TASK = {"task_id": "77", "task_status": "submitted", "created_at": 1, "updated_at": 1}
PLAIN = {"code": 1201, "message": "KEY", "request_id": "KEY"}
FAILED = {**TASK, "task_status": "failed", "task_status_msg": "KEY", "final_unit_deduction": "KEY"}


def ok(data, **more):
    return {"code": 0, "message": "KEY", "request_id": "KEY", "data": data, **more}


def accepts(request, said):
    request.reply(200, json.dumps({"code": 0, "data": TASK}))


REFUSALS = {
    "message, code and request_id": lambda request, said: request.reply(400, filled(PLAIN, said)),
    "code": lambda request, said: request.reply(400, filled({**PLAIN, "code": "KEY"}, said)),
    "an OpenAI error": lambda request, said: request.reply(
        401, filled({"error": {"message": "KEY", "type": "KEY", "code": "KEY"}, "request_id": "KEY"}, said)
    ),
    "an error that is text": lambda request, said: request.reply(401, filled({"error": "KEY"}, said)),
    "a page": lambda request, said: request.reply(403, f"<html><title>{said}</title>{said}", reason=said),
    "plain text": lambda request, said: request.reply(403, said),
    "half a JSON text": lambda request, said: request.reply(403, filled(PLAIN, said)[:-3]),
    "UTF-16": lambda request, said: request.reply(403, filled(PLAIN, said).encode("utf-16-le")),
    "headers": lambda request, said: request.reply(401, "{}", reason=said, X_Key=said, Set_Cookie=f"key={said}"),
    "a redirect": lambda request, said: request.reply(302, said, Location=f"/{said}?key={said}"),
    "no status": lambda request, said: request.wfile.write(f"HTTP/1.1 {said} is no status\r\n\r\n".encode()),
    "no header": lambda request, said: request.wfile.write(f"HTTP/1.1 200 OK\r\n{said}\r\n\r\n".encode()),
}


@pytest.mark.parametrize("shape", REFUSALS)
def test_a_refusal(scene, echo, cat, quick, shape):
    echo.answers = dict.fromkeys(["create", "query", "list"], REFUSALS[shape])
    kling = scene.kling(timeout=0.1)
    client = kling.session.gateway.client
    for ask in (client.query_many, lambda: client.query("1"), lambda: client.create(b"{}")):
        with pytest.raises((KlingError, AnswerLost, ListUnavailable)) as caught:
            ask()
        scene.look_at(caught.value)
    for create in (REFUSALS[shape], accepts):
        echo.answers["create"] = create
        with pytest.raises(KlingError) as caught:
            kling.generate("a cat", subject_images=cat)
        scene.look_at(caught.value)
    scene.show(*kling.tasks(), kling.tasks())
    kling.close()
    scene.check()


def task_with_images(echo):
    url = f"{echo.origin}/image.png?key=KEY"
    return {
        **TASK,
        "task_status": "succeed",
        "task_status_msg": "KEY",
        "task_result": {"images": [{"index": 0, "url": url, "watermark_url": url}]},
        "task_info": {"external_task_id": "KEY"},
        "final_unit_deduction": "KEY",
    }


@pytest.mark.parametrize("shape", ["failed", "succeeded", "wrapped", "unknown"])
def test_an_answer(scene, echo, cat, quick, shape):
    task = {
        "failed": FAILED,
        "succeeded": task_with_images(echo),
        "wrapped": {"task_id": "77", "status": "FAILURE", "fail_reason": "KEY", "data": {"data": FAILED}},
        "unknown": {**TASK, "task_status": "KEY"},
    }[shape]
    echo.answers["create"] = lambda request, said: request.reply(200, filled(ok({**TASK, "task_id": "KEY"}), said))
    echo.answers["query"] = lambda request, said: request.reply(200, filled(ok(task), said))
    echo.answers["list"] = lambda request, said: request.reply(200, filled(ok([task, task]), said))
    kling = scene.kling(timeout=20 if shape != "unknown" else 0.2)
    scene.show(kling.session.gateway.client.query_many())
    try:
        made = kling.generate("a cat", subject_images=cat)
    except KlingError as error:
        scene.look_at(error)
    else:
        made.images[0].save(scene.folder / "copy.png")
    assert [seen.method for seen in echo.requests].count("POST") == 1
    scene.show(kling.tasks()[0], kling.tasks(), kling.tasks().to_dataframe().to_csv())
    kling.close()
    scene.check()
