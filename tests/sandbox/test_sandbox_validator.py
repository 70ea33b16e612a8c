"""Whatever JSON is sent, the sandbox answers with its envelope and never breaks."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kling_nb.sandbox.imagefile import read_header
from kling_nb.sandbox.protocol import Refusal
from kling_nb.sandbox.validation import FIELDS, parse_json, validate

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
URL = st.just("https://example.com/a.png")
SUBJECTS = st.lists(st.fixed_dictionaries({"subject_image": URL | JSON}), max_size=5)
NEARLY = st.fixed_dictionaries(
    {},
    optional={
        "model_name": st.sampled_from(["kling-v2", "kling-v2-1"]) | JSON,
        "prompt": st.text() | st.from_regex(r"\[sandbox: ?(fail|slow|x)\]") | JSON,
        "subject_image_list": SUBJECTS | JSON,
        "scene_image": URL | JSON,
        "style_image": URL | JSON,
        "n": st.integers(-1, 11) | JSON,
        "aspect_ratio": st.sampled_from(["1:1", "21:9"]) | JSON,
        "callback_url": URL | JSON,
        "external_task_id": st.text() | JSON,
        "watermark_info": st.fixed_dictionaries({"enabled": st.booleans() | JSON}) | JSON,
        "surprise": JSON,
    },
)
QUIETLY = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUIETLY
@given(body=NEARLY | JSON)
def test_any_json_gets_an_envelope(anyone, body):
    answer = anyone.http.post(anyone.url, content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code in {200, 400, 404, 429}
    envelope = answer.json()
    assert isinstance(envelope["message"], str)
    assert envelope["request_id"]
    assert (envelope["code"] == 0) == (answer.status_code == 200) == ("data" in envelope)


@settings(max_examples=150, deadline=None)
@given(body=NEARLY)
def test_the_validator_accepts_or_refuses(body):
    try:
        wish = validate(body)
    except Refusal as refusal:
        refused = refusal.code
    else:
        refused = 0
    assert refused in {0, 1201, 1203}
    if not refused:
        assert set(body) <= set(FIELDS)
        assert wish.n == body["n"]
        assert wish.prompt == body.get("prompt", "")
        assert len([item for item in wish.references if item.role == "subject"]) == len(body["subject_image_list"])


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_json_or_refused(data):
    try:
        result = type(parse_json(data))
    except Refusal as refusal:
        result = (refusal.http_status, refusal.code)
    assert result in {dict, (400, 1200)}


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=120), start=st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"]))
def test_any_bytes_have_a_header_or_none(data, start):
    header = read_header(start + data)
    assert header is None or (header.width >= 0 and header.height >= 0)


@pytest.mark.parametrize("chain", [b"\xff\xff", b"\xff\x01", b"\xff\xd0"])
def test_markers_without_length_are_skipped(chain):
    frame = b"\xff\xc2\x00\x11\x08" + (480).to_bytes(2, "big") + (640).to_bytes(2, "big") + b"\x03"
    header = read_header(b"\xff\xd8" + b"\xff\xfe\x00\x04hi" + chain + frame)
    assert (header.format, header.width, header.height) == ("JPEG", 640, 480)
