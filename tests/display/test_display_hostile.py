"""Whatever stands in prompts, names, ids, messages and links, a page stays a page, and finite."""

import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kling_nb.display import (
    TaskView,
    dry_run_bundle,
    history_bundle,
    images_bundle,
    note_html,
    note_text,
    progress_html,
    progress_line,
    task_bundle,
    task_text,
)
from kling_nb.records import Failure, ImageRecord, Reference

NOW = 1_795_342_590.0
FRAGMENTS = [
    "<script>alert(1)</script>", "<canary onx=1>", "</td></tr></table>", "</details>", '" onerror="x', "' onx='", "<!--",
    "-->", "]]>", "<?php", "&lt;", "&#60;canary&#62;", "`", "``", "\u202e", "\u2066", "\x00", "\x1b[31m", "\r\n", "\u2028",
    "\ud800", "javascript:alert(1)", "https://e.example/<canary>", "style=", "{", "}", "\\", "%", "猫", "א", "🐈", "\x85",
]  # fmt: skip
texts = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=12), max_size=8).map("".join)
maybe = st.none() | texts


@st.composite
def views(draw, make_view):
    status = draw(st.sampled_from(["succeeded", "failed", "processing", "uncertain", "planned"]) | texts)
    reference = Reference(
        draw(st.sampled_from(["subject", "scene"]) | texts),
        draw(texts), draw(texts), url=draw(maybe), media_type=draw(maybe), changes=(draw(texts),), origin=draw(maybe),
    )  # fmt: skip
    request = {
        "model_name": draw(texts),
        "prompt": draw(texts),
        "n": 2,
        draw(texts): draw(texts),
        "aspect_ratio": draw(texts),
    }
    images = (
        ImageRecord(0, path=draw(texts), sha256=draw(texts), problem=draw(maybe)),
        ImageRecord(1, path=None, problem=draw(maybe)),
    )
    failure = Failure(draw(texts), draw(texts), 500, draw(maybe), draw(maybe)) if draw(st.booleans()) else None
    return make_view(
        status, n=2, id=draw(texts), gateway=draw(st.just("sandbox") | texts), request=request, references=(reference,),
        external_task_id=draw(texts), task_id=draw(maybe), request_id=draw(maybe), units=draw(maybe), images=images,
        failure=failure, warnings=(draw(texts),),
        view={
            "links": {0: draw(texts)}, "files": {0: draw(texts)}, "price": draw(maybe), "how_to_collect": draw(texts),
            "thumbnails": {},
        },
    )  # fmt: skip


def check_plain(text):
    text.encode("utf-8")
    assert not set(text) & set("\x00\x1b\r\u202e\u2066\u2028")


@given(st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_hostile_text_never_becomes_markup(make_view, read, thumbs, data):
    view, note = data.draw(views(make_view)), data.draw(texts)
    bundle, metadata = task_bundle(view, now=NOW)
    read(bundle["text/html"])
    check_plain(bundle["text/plain"])
    json.dumps([bundle, metadata], ensure_ascii=False).encode("utf-8")
    shown, _ = history_bundle([view, replace(view, thumbnails={0: thumbs[0]})], now=NOW)
    read(shown["text/html"])
    check_plain(shown["text/plain"])
    shown, _ = images_bundle([(view, 0), (view, 1)])
    read(shown["text/html"])
    check_plain(shown["text/plain"])
    read(progress_html([view.record], now=NOW, expected=30, notes=[note]))
    read(progress_html([view.record] * 7, now=NOW, expected=None))
    check_plain(progress_line([view.record], now=NOW, expected=30))
    read(note_html(note, "problem"))
    check_plain(note_text(note, "info"))


@given(text=texts)
@settings(max_examples=25, deadline=None)
def test_hostile_dry_runs(read, references, text):
    data, metadata = dry_run_bundle(
        summary={"prompt": text, text: text}, references=[replace(references[0], name=text)], previews={}, checks=[text],
        slots=1, images=1, price=text, curl=text, gateway=text, body_bytes=10, warnings=[text],
    )  # fmt: skip
    read(data["text/html"])
    check_plain(data["text/plain"])
    json.dumps(metadata, ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize("text", ["x" * 1_000_000, "<" * 1_000_000, "\u202e" * 1_000_000, "猫 " * 500_000])
def test_a_megabyte_from_a_server_is_cut(make_record, read, text):
    record = make_record(
        "failed", id=text, task_id=text, request_id=text, units=text, gateway=text, warnings=(text,) * 50,
        failure=Failure(text, text, 500, text, text),
        references=(Reference("subject", text, text, url=text, changes=(text,) * 9, origin=text),) * 40,
        request={"n": 2, "prompt": text, "model_name": text, "aspect_ratio": text, **{f"{k}{text}": text for k in range(60)}},
    )  # fmt: skip
    view = TaskView(record, price=text, how_to_collect=text)
    bundle, metadata = task_bundle(view, now=NOW)
    read(bundle["text/html"])
    assert len(bundle["text/html"]) < 250_000
    assert len(bundle["text/plain"]) < 10_000
    assert len(json.dumps(metadata)) < 400_000
    shown, _ = history_bundle([view] * 30, now=NOW)
    assert len(shown["text/html"]) < 250_000
    assert len(task_text(record, now=NOW, files={})) < 10_000
    assert len(progress_line([record], now=NOW, expected=None)) <= 79
    assert len(note_text(text, "info")) < 1_200
    bundle, _ = task_bundle(TaskView(record, price=text), now=float("nan"))
    read(bundle["text/html"])


@pytest.mark.parametrize("moment", [float("inf"), float("-inf"), float("nan"), 1e300, -1e300, 0.0])
def test_clocks_that_are_wrong(make_view, read, moment):
    view = make_view(created_at=moment, sent_at=moment, finished_at=moment, saved_at=moment)
    bundle, metadata = task_bundle(view, now=NOW)
    read(bundle["text/html"])
    json.dumps(metadata, allow_nan=False)
    history_bundle([view], now=moment)
