"""Builders of records and views, made-up pictures, and a reader that is as strict as JupyterLab."""

import hashlib
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from kling_nb.display import TaskView, preview, thumbnail
from kling_nb.records import ImageRecord, Reference, TaskRecord

T0 = 1_795_342_530.0
ID = "20261122-101530-ab12"


def encoded(array, kind="PNG", **options):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind, **options)
    return buffer.getvalue()


def painted(width=640, height=480, seed=0):
    """A smooth picture: gradients, and some discs to tell it by."""
    y, x = np.mgrid[0:height, 0:width]
    bands = [np.sin((x * (seed + k + 1) + y * k) / 90) * 100 + 128 for k in range(3)]
    disc = (x - width // 3) ** 2 + (y - height // 2) ** 2 < (height // 4) ** 2
    array = np.stack(bands, axis=-1).astype("uint8")
    array[disc] = (200, 40 + seed * 7 % 100, 30)
    return array


def noisy(side=2048, block=1, seed=0):
    """Noise of sigma 25 in blocks, which is what survives being scaled down."""
    small = np.random.default_rng(seed).normal(128, 25, (side // block, side // block, 3))
    return np.clip(small, 0, 255).astype("uint8").repeat(block, 0).repeat(block, 1)


@pytest.fixture(scope="session")
def pictures():
    class Pictures:
        encoded = staticmethod(encoded)
        painted = staticmethod(painted)
        noisy = staticmethod(noisy)

    return Pictures


@pytest.fixture(scope="session")
def thumbs():
    """Nine thumbnails."""
    return [thumbnail(encoded(painted(512, 384, seed))) for seed in range(9)]


@pytest.fixture(scope="session")
def references():
    roles = ("subject", "subject", "scene", "style")
    made = []
    for seed, role in enumerate(roles):
        data = encoded(painted(400, 300, seed + 20))
        made.append(
            Reference(
                role,
                f"name-{seed}",
                hashlib.sha256(data).hexdigest(),
                media_type="image/png",
                width=400,
                height=300,
                size=len(data),
                changes=("converted from WebP",) if seed == 1 else (),
                data=data,
            )
        )
    return tuple(made)


@pytest.fixture(scope="session")
def make_record(references):
    def make(status="succeeded", n=4, *, have=None, prompt="a cat wearing the hat", ratio="3:2", **changes):
        sent = status not in ("planned", "cancelled")
        known = sent and status not in ("sending", "uncertain")
        saved = range(n) if have is None else have
        images = [
            ImageRecord(i, path=f"images/{ID}/{i}.png", sha256=f"{i:064x}", width=1536, height=1024, size=2_100_000)
            if i in saved
            else ImageRecord(i, problem="the download broke off")
            for i in range(n)
        ]
        request = {"model_name": "kling-v2-1", "prompt": prompt, "n": n, "aspect_ratio": ratio}
        request["subject_image_list"] = [{"subject_image": f"sha256:{r.sha256}"} for r in references[:2]]
        facts = {
            "id": ID,
            "gateway": "https://gateway.example/kling",
            "request": {key: value for key, value in request.items() if value is not None},
            "digest": "d" * 64,
            "references": references,
            "external_task_id": f"external-{ID}",
            "created_at": T0,
            "task_status": status,
            "task_id": "825331184203456789" if known else None,
            "sent_at": T0 + 1 if sent else None,
            "submitted_at": T0 + 2 if known else None,
            "processing_at": T0 + 7 if status in ("processing", "succeeded", "failed") else None,
            "finished_at": T0 + 38 if status in ("succeeded", "failed") else None,
            "saved_at": T0 + 42 if status == "succeeded" else None,
            "images": tuple(images) if status == "succeeded" else (),
            "units": "8" if status == "succeeded" else None,
            "request_id": "request-77" if known else None,
        }
        return TaskRecord(**(facts | changes))

    return make


@pytest.fixture(scope="session")
def make_view(make_record, thumbs, references):
    previews = {reference.sha256: preview(reference.data) for reference in references}

    def make(status="succeeded", n=4, *, have=None, view=None, **changes):
        record = make_record(status, n, have=have, **changes)
        here = [image.index for image in record.images if image.path]
        facts = {
            "thumbnails": {index: thumbs[index] for index in here},
            "previews": previews,
            "links": {index: f"kling_runs/images/{index}.png" for index in here},
            "files": {index: f"kling_runs/images/{index}.png" for index in here},
            "price": "0.22 USD",
        }
        return TaskView(record, **(facts | (view or {})))

    return make


# What an untrusted JupyterLab lets through, of what is used here: tags, attributes, and the form of
# each CSS value (its sanitiser drops a declaration whose value it does not know).
TAGS = {"a", "b", "br", "code", "details", "div", "img", "li", "pre", "span", "summary", "ul"}
TAGS |= {"table", "tbody", "td", "th", "thead", "tr"}
ATTRIBUTES = {
    "*": {"style", "title", "dir"},
    "a": {"href"},
    "img": {"src", "alt", "width"},
    "table": {"border", "width"},
    "td": {"width"},
    "th": {"width", "align"},
}
VOID = {"img", "br"}
LENGTH = r"(?:0|\d+(?:\.\d+)?(?:px|%))"
GREY = r"rgba\(128,128,128,(?:0|0\.\d+)\)"
CSS = {
    "background-color": GREY,
    "border": rf"1px (?:solid|dashed) {GREY}",
    "border-collapse": "collapse",
    "border-left": rf"3px solid {GREY}",
    "border-radius": LENGTH,
    "border-top": rf"1px solid {GREY}",
    "cursor": "pointer",
    "display": "block|inline-block",
    "font-family": "monospace",
    "font-size": LENGTH,
    "font-weight": "bold|normal",
    "height": rf"{LENGTH}|auto",
    "letter-spacing": LENGTH,
    "line-height": r"\d(?:\.\d)?",
    "margin": rf"{LENGTH}(?: {LENGTH}){{0,3}}",
    "margin-top": LENGTH,
    "max-width": LENGTH,
    "opacity": r"0\.\d",
    "overflow-wrap": "break-word",
    "padding": rf"{LENGTH}(?: {LENGTH}){{0,3}}",
    "padding-left": LENGTH,
    "table-layout": "fixed",
    "text-align": "left",
    "vertical-align": "top",
    "white-space": "pre-wrap",
    "width": LENGTH,
    "word-break": "break-all",
}


class Reader(HTMLParser):
    """Reads a page and objects to whatever an untrusted JupyterLab would drop, or a page cannot hold."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.html, self.open, self.texts, self.shown, self.alts = html, [], [], [], []
        self.hrefs, self.sources, self.tags, self.rows = [], [], [], []
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", html)
        assert "var(" not in html
        html.encode("utf-8")
        self.feed(html)
        self.close()
        assert self.open == [], f"left open: {self.open}"

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    @property
    def printed(self):
        """The text outside every closed <details>."""
        return " ".join(" ".join(self.shown).split())

    def handle_starttag(self, tag, attrs):
        assert tag in TAGS, tag
        self.tags.append(tag)
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names))
        assert set(names) <= ATTRIBUTES["*"] | ATTRIBUTES.get(tag, set()), (tag, names)
        found = dict(attrs)
        self.check_style(found.get("style", ""))
        if tag == "img":
            assert found["alt"].strip()
            assert re.fullmatch("data:image/jpeg;base64,[A-Za-z0-9+/]+=*", found["src"])
            self.alts.append(found["alt"])
            self.sources.append(found["src"])
        if tag == "a":
            self.hrefs.append(found["href"])
        if tag == "tr":
            self.rows.append(0)
        if tag == "td" and self.rows:
            self.rows[-1] += 1
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)
        if "details" not in self.open or "summary" in self.open:
            self.shown.append(data)

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data[:80]}")

    handle_decl = handle_pi = unknown_decl = handle_comment

    @staticmethod
    def check_style(style):
        for declaration in filter(None, style.split(";")):
            name, _, value = declaration.partition(":")
            assert re.fullmatch(CSS[name], value), declaration


@pytest.fixture(scope="session")
def read():
    return Reader
