"""Whatever comes from outside, what is shown stays a page, a text stays a text, and files have our names."""

import io
import json
import re
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from kling_nb import ImagesMissing, InvalidRequest, Kling, KlingError, TaskFailed, WaitTimeout
from kling_nb.session.screen import TerminalScreen

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(1)>\"' onx='1' --></td></table></details><!--"
ESCAPES = "\x1b[31mred\x1b]0;title\x07 \x9b2J \x08\x7f"
LINES = "one\r\ntwo\u2028three\x85four\x0bfive"
BIDI = "\u202egnp.exe\u2066 \u2069"
MIXED = f"{MARKUP} {ESCAPES} {LINES} {BIDI} a\0b ` `` {{x}} %41 #?&amp;"
LONG = f"{MARKUP}{ESCAPES}" + "x" * 1_000_000

PROMPTS = [
    *[
        MARKUP,
        ESCAPES,
        LINES,
        BIDI,
        MIXED,
        "\0",
        "../../../tmp/evil",
        "..\\..\\C:\\evil",
        "-rf *",
        "%2e%2e%2f%00 #?&x=1",
    ],
    *[".bashrc ~/x", "$(id) `id`; id | id", "CON", "_" * 100, "猫" * 2500, "e\u0301" * 100, "\U000e0001\u200b\ufeff🐈"],
]

BAD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
TAGS = {"a", "b", "br", "code", "details", "div", "img", "li", "pre", "span", "summary", "ul"}
TAGS |= {"table", "tbody", "td", "th", "thead", "tr"}
ATTRIBUTES = {
    "a": {"href"},
    "img": {"src", "alt", "width"},
    "table": {"border", "width"},
    "td": {"width"},
    "th": {"width", "align"},
}
OURS = re.compile(
    r"\.gitignore|journal\.sqlite3(-\w+)?|references/[0-9a-f]{64}\.(png|jpg)|thumbnails/[0-9a-f]{64}(_96|_sheet)?\.jpg"
    r"|images/\d{4}-\d\d-\d\d_\d{6}_[^\W_]\w*(-\w+)*_\d{1,2}(_\w{5})?\.(png|jpg|json)"
)


class Page(HTMLParser):
    """Objects to every tag, attribute and target that is not of our own making."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open = []
        assert not BAD.search(html), BAD.search(html)
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        assert tag in TAGS
        assert set(found) <= {"style", "title", "dir"} | ATTRIBUTES.get(tag, set())
        assert re.fullmatch(r"[\w\s:;,.%()#-]*", found.get("style", ""))
        assert re.match("data:image/jpeg;base64,", found.get("src", "data:image/jpeg;base64,"))
        assert re.match(r"https?://|[^:/\\]+(/|$)", found.get("href", "https://"))
        if tag not in ("img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_comment(self, data):
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def check_text(text, longest=20_000):
    text.encode()
    assert not BAD.search(text), BAD.search(text)
    assert len(text) <= longest


def check_bundle(bundle):
    data, metadata = bundle
    Page(data["text/html"])
    check_text(data["text/plain"])
    assert len(data["text/html"]) < 250_000
    json.dumps([data, metadata], allow_nan=False).encode()


def check_task(kling, task):
    """Look at a task as it is, at its images, and at what the journal has of it."""
    check_bundle(task.bundle())
    check_text(repr(task))
    check_bundle(task.images._repr_mimebundle_() if task.images else task.bundle())
    check_text(repr(task.images))
    stored = kling.task(task.id)
    assert stored.record == task.record
    check_text(repr(stored))


def check_history(kling):
    check_bundle(kling.tasks().bundle())
    check_text(repr(kling.tasks()))
    check_text(kling.spent()._repr_mimebundle_()[0]["text/plain"])
    check_files(kling.session.workspace.folder, "refs")


def check_error(error):
    for line in [*str(error).splitlines(), *error._render_traceback_(), repr(error.message)]:
        check_text(line, 2_000)


def check_files(folder, *others):
    """Find nothing in the working directory but the workspace and what the test put there, and all of it ours."""
    assert {path.name for path in Path.cwd().iterdir()} <= {"kling_runs", *others}
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    strange = [name for name in names if not OURS.fullmatch(name) and not name.startswith("gateway/")]
    assert strange == []


def picture(kind="PNG"):
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(buffer, kind)
    return buffer.getvalue()


class Hostile:
    """A gateway that answers what it is told to, and serves the same bytes as an image from every other path."""

    def __init__(self):
        self.create = {"code": 0, "data": {"task_id": "1", "task_status": "submitted"}}
        self.task = {"task_status": "succeed"}
        self.status = 200
        self.image, self.headers = picture(), {}
        self.asked, self.served = [], []
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self.base_url = f"{self.origin}/kling"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @Request.application
    def _answer(self, request):
        uri = request.environ["REQUEST_URI"]
        if not uri.startswith("/kling/v1/"):
            self.served.append(uri)
            return Response(self.image, headers=self.headers)
        if request.method == "POST":
            return Response(json.dumps(self.create), self.status, mimetype="application/json")
        self.asked.append(uri)
        task = {"task_id": self.create["data"]["task_id"], **self.task}
        return Response(json.dumps({"code": 0, "data": task}), mimetype="application/json")

    def images(self, *images):
        self.task = {"task_status": "succeed", "task_result": {"images": list(images)}}

    def stop(self):
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()


@pytest.fixture
def hostile():
    server = Hostile()
    yield server
    server.stop()


@pytest.fixture
def at_hostile(hostile):
    """A `Kling` that uses it."""
    with Kling(api_key="k", base_url=hostile.base_url, poll_interval=0.01, timeout=20, grace=0.05) as kling:
        yield kling


def failed(kling, cat, kind=KlingError, **fields):
    with pytest.raises(kind) as caught:
        kling.generate(fields.pop("prompt", "a cat"), subject_images=cat, **fields)
    check_error(caught.value)
    check_task(kling, caught.value.task)
    check_history(kling)
    return caught.value


class TestGateway:
    @pytest.mark.parametrize("message", [MIXED, LONG, {"a": MIXED}, "\ud800"])
    def test_why_a_task_failed(self, hostile, at_hostile, cat, message):
        hostile.task = {"task_status": "failed", "task_status_msg": message, "final_unit_deduction": MIXED}
        error = failed(at_hostile, cat, TaskFailed)
        assert len(error.message) < 600

    @pytest.mark.parametrize(("status", "code"), [(400, 1201), (400, MIXED), (429, 1102)])
    def test_why_a_request_was_refused(self, hostile, at_hostile, cat, status, code):
        hostile.status = status
        hostile.create = {"code": code, "message": LONG if code == 1201 else MIXED, "request_id": LONG}
        assert "alert(1)" in str(failed(at_hostile, cat))

    def test_why_an_answer_was_lost(self, sandbox, kling, cat):
        sandbox.faults.add("create", "status", status=500, code=5000, message=f"{MIXED} {'x' * 5000}")
        assert "alert(1)" in str(failed(kling, cat))

    @pytest.mark.parametrize("task_id", [MARKUP, "../../../etc/passwd", "..%2f?x#y %00", "猫" * 2000])
    def test_its_ids_are_asked_for_as_they_are_and_lead_nowhere(self, hostile, at_hostile, cat, task_id):
        hostile.create["data"]["task_id"] = task_id
        hostile.create["request_id"] = MIXED
        hostile.images({"url": f"{hostile.origin}/0.png"})
        task = at_hostile.generate("a cat", subject_images=cat)
        assert task.task_id == task_id
        assert {uri.rpartition("/")[2] for uri in hostile.asked} == {quote(task_id, safe="")}
        check_task(at_hostile, task)
        check_history(at_hostile)

    def test_addresses_that_are_no_place_for_images(self, hostile, at_hostile, cat, tmp_path):
        secret = tmp_path / "secret.png"
        secret.write_bytes(picture())
        hostile.images(
            {"url": secret.as_uri()},
            {"url": f"https://10.0.0.1/{MARKUP}"},
            {"url": f"http://user:hunter2@127.0.0.1:1/{MARKUP}"},
            {"url": "javascript:alert(1)"},
            {"url": f"data:image/png;base64,{MARKUP}"},
            {"url": f"{hostile.origin}/a\0b"},
            {"url": f"{hostile.origin}/{ESCAPES}"},
            {"url": f"https://{BIDI}/", "watermark_url": MIXED},
            {"url": {"a": MIXED}},
        )
        error = failed(at_hostile, cat, ImagesMissing, n=9)
        assert error.task.images == []
        assert "hunter2" not in f"{error}{error.task.bundle()}"
        assert hostile.served == []

    def test_what_it_calls_its_images(self, hostile, at_hostile, cat):
        hostile.headers = {"Content-Disposition": 'attachment; filename="../../evil.html"', "Content-Type": "text/html"}
        hostile.image = picture() + b"<html><script>alert(1)</script>"
        names = [
            "../../evil.html",
            "..%2f..%2fevil.sh",
            MARKUP,
            "-rf",
            "a.png?file=../../x",
            "CON.png",
            "%00.png",
            ".bashrc",
            "~",
        ]
        hostile.images(
            *({"index": 10**30 - number, "url": f"{hostile.origin}/{name}"} for number, name in enumerate(names))
        )
        task = at_hostile.generate("a cat", subject_images=cat, n=9)
        assert [image.path.suffix for image in task.images] == [".png"] * 9
        assert [image.bytes for image in task.images] == [hostile.image] * 9
        check_task(at_hostile, task)
        check_history(at_hostile)

    def test_a_page_in_place_of_an_image_is_not_kept(self, hostile, at_hostile, cat, monkeypatch):
        monkeypatch.setattr("kling_nb.engine.collecting.TRIES", 1)
        hostile.image, hostile.headers = b"<!DOCTYPE html><script>alert(1)</script>", {"Content-Type": "image/png"}
        hostile.images({"url": f"{hostile.origin}/0.png"})
        assert "is an HTML page, not an image" in str(failed(at_hostile, cat, ImagesMissing))
        assert not list(at_hostile.session.workspace.folder.glob("images/*"))

    def test_more_images_than_anyone_asked_for_are_not_all_fetched(self, hostile, at_hostile, cat):
        hostile.images(*(f"file:///{number}" for number in range(10_000)))
        assert len(failed(at_hostile, cat, ImagesMissing).task.record.images) < 20

    def test_what_it_says_while_a_task_is_followed(self, sandbox, kling, cat, monkeypatch):
        terminal = io.StringIO()
        terminal.isatty = lambda: True
        monkeypatch.setattr(sys, "stderr", terminal)
        sandbox.faults.add("query", "status", times=None, status=503, message=MIXED)
        task = kling.submit("a cat", subject_images=cat)
        assert kling.session.gateway.runner.wait(lambda: task.job.note != "", 20)
        with pytest.raises(WaitTimeout) as caught:
            task.wait(0)
        check_error(caught.value)
        assert "alert(1)" in terminal.getvalue()
        check_text(terminal.getvalue().replace("\r\x1b[K", ""), 2_000)
        sandbox.faults.clear()
        kling.session.gateway.runner.wake()
        task.wait()

    def test_a_terminal_s_line_is_ours(self, monkeypatch):
        terminal = io.StringIO()
        monkeypatch.setattr(sys, "stderr", terminal)
        TerminalScreen().progress([], now=0.0, expected=None, notes=[MIXED, LONG])
        check_text(terminal.getvalue().removeprefix("\r\x1b[K"), 500)


class TestUser:
    """What the user writes is mostly pasted from somewhere."""

    def test_prompts(self, hostile, at_hostile, cat):
        hostile.images({"url": f"{hostile.origin}/0.png"})
        check_bundle(at_hostile.dry_run(MIXED, subject_images=cat).bundle())
        tasks = [at_hostile.submit(prompt, subject_images=cat) for prompt in PROMPTS]
        for task, prompt in zip(tasks, PROMPTS, strict=True):
            task.wait()
            assert task.prompt == prompt
            check_task(at_hostile, task)
            note = json.loads(task.images[0].path.with_suffix(".json").read_text("utf-8"))
            assert note["request"]["prompt"] == prompt
        check_history(at_hostile)

    def test_file_names(self, kling, cat):
        folder = Path("refs")
        (folder / "inner").mkdir(parents=True)
        names = [
            *[
                "<img src=x onerror=alert(1)>.png",
                "\"' onx='1'.png",
                "\x1b[31mred.png",
                "new\nline\r.png",
                f"{BIDI}.png",
            ],
            *["-rf.png", "--n=9.png", "100%41.png", "a#b?c&d.png", "inner/../../refs/up.png", "x" * 240 + ".png"],
            *["$(id).png", "`id`.png", "{x}.png", "\udce9.png"],
        ]
        for name in names:
            (folder / name).write_bytes(cat)
        for start in range(0, len(names), 4):
            chosen = [folder / name for name in names[start : start + 4]]
            check_bundle(kling.dry_run("a cat", subject_images=chosen).bundle())
            check_task(kling, kling.generate("a cat", subject_images=chosen))
        check_history(kling)

    def test_names_of_variables(self, kling, cat):
        names = [MARKUP, ESCAPES, LINES, BIDI, MIXED, "../../up", "-rf", "%41#?", "a\0b", "x" * 100_000, "", "\udce9"]
        for start in range(0, len(names), 4):
            chosen = dict.fromkeys(names[start : start + 4], cat)
            check_bundle(kling.dry_run("a cat", subject_images=chosen).bundle())
            task = kling.generate("a cat", subject_images=chosen)
            assert all(len(reference.name) <= 200 for reference in task.references)
            check_task(kling, task)
        check_history(kling)

    @pytest.mark.parametrize("name", [MIXED, "../../up.png", "x" * 100_000, "\udce9", "-rf", ""])
    def test_what_is_not_there_is_named_harmlessly(self, kling, cat, name):
        for wrong in (
            {"subject_images": name},
            {"subject_images": {name: 5}},
            {"subject_images": cat, "aspect_ratio": name},
        ):
            with pytest.raises(InvalidRequest) as caught:
                kling.generate("a cat", **wrong)
            check_error(caught.value)

    def test_addresses_of_references(self, kling, cat):
        urls = [
            "https://example.com/\"onx='1'><script>alert(1)</script>",
            "https://example.com/%22%3E&quot;&#x22;`",
            f"https://example.com/{'x' * 7000}",
        ]
        check_bundle(kling.dry_run("a cat", subject_images=[cat, *urls]).bundle())
        check_task(kling, kling.generate("a cat", subject_images=[cat, *urls]))
        for url in (f"javascript:{MARKUP}", "file:///etc/passwd", f"https://example.com/{ESCAPES}", f"data:{MIXED}"):
            with pytest.raises(InvalidRequest) as caught:
                kling.generate("a cat", subject_images=url)
            check_error(caught.value)
        check_history(kling)

    def test_other_fields(self, kling, cat):
        fields = {
            "model_name": MARKUP,
            "external_task_id": f"../../{MARKUP}",
            "callback_url": "http://127.0.0.1:1/<script>alert(1)</script>",
        }
        check_bundle(kling.dry_run("a cat", subject_images=cat, **fields).bundle())
        # Not sent: the sandbox would call it.
        del fields["callback_url"]
        task = kling.submit("a cat", subject_images=cat, **fields)
        with pytest.raises(KlingError) as caught:
            task.wait()
        check_error(caught.value)
        check_task(kling, task)
        check_history(kling)
