"""What programs read: the request and all that identifies it, as JSON."""

import json
import subprocess
import sys
from dataclasses import replace

from kling_nb.display import task_bundle
from kling_nb.records import Failure


def account(view):
    return json.loads(json.dumps(task_bundle(view, now=0.0)[1]["kling_nb"], allow_nan=False))


def test_the_request_and_what_it_was_made_of(make_view, references):
    view = make_view(failure=Failure("ImagesMissing", "One is missing.", code="7"), have=(0, 1, 2))
    found = account(view)
    assert found["request"] == view.record.request
    assert found["version"] == 1
    assert found["digest"] == "d" * 64
    assert (found["id"], found["task_id"]) == (view.record.id, view.record.task_id)
    assert (found["external_task_id"], found["request_id"]) == (view.record.external_task_id, "request-77")
    assert (found["sandbox"], found["task_status"], found["price"]) == (False, "succeeded", "0.22 USD")
    assert found["references"][0]["sha256"] == references[0].sha256
    assert found["references"][1]["changes"] == ["converted from WebP"]
    assert all("data" not in reference for reference in found["references"])
    assert found["images"][0] == {
        "index": 0,
        "path": "images/20261122-101530-ab12/0.png",
        "sha256": f"{0:064x}",
        "width": 1536,
        "height": 1024,
        "size": 2_100_000,
    }
    assert found["images"][3] == {"index": 3, "problem": "the download broke off"}
    assert found["times"]["saved_at"] == view.record.saved_at
    assert found["failure"] == {"kind": "ImagesMissing", "message": "One is missing.", "code": "7"}


def test_addresses_that_die_are_left_out(make_view):
    view = make_view(n=1)
    image = replace(view.record.images[0], url="https://cdn.example/signed?token=1")
    assert "cdn.example" not in json.dumps(account(replace(view, record=replace(view.record, images=(image,)))))


def test_what_json_cannot_hold(make_view):
    deep = current = {}
    for _ in range(50):
        current["more"] = current = {}
    odd = {"n": 1, "nan": float("nan"), "bytes": b"x", "set": {1}, 5: object, "name": "a\ud800b", "deep": deep}
    found = account(make_view(n=1, request=odd))["request"]
    assert found["nan"] is None
    assert found["name"] == "a?b"
    assert found["set"] == [1]


def test_loading_takes_neither_pillow_nor_ipython():
    code = "import sys, kling_nb.display; print(*sorted({'PIL', 'IPython', 'numpy', 'sqlite3', 'asyncio'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_text_html_and_progress_take_no_pillow(make_view):
    code = (
        "import sys; from kling_nb.display import *; from kling_nb.records import TaskRecord\n"
        "r = TaskRecord('i', 'sandbox', {'n': 1, 'model_name': 'm'}, 'd', (), 'e', 0.0)\n"
        "task_bundle(TaskView(r), now=1.0); progress_html([r], now=1.0, expected=None); history_bundle([TaskView(r)], now=1.0)\n"
        "print('PIL' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
