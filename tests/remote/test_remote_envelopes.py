"""Every envelope that gateways are seen to use, and everything else that may come instead."""

import json
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kling_nb.records import ImageRecord, TaskState
from kling_nb.remote import refusals
from kling_nb.remote.envelopes import MESSAGE_LENGTH, Envelope, one_line, read, read_task, read_tasks, seconds

LONG_URL = "https://cdn.example.com/a/b.png?X-Signature=" + "0123456789abcdef" * 64

TASK = {
    "task_id": "8001",
    "task_status": "succeed",
    "task_status_msg": "",
    "task_info": {"external_task_id": "mine-1"},
    "created_at": 1_722_769_557_708,
    "updated_at": 1_722_769_559_000,
    "final_unit_deduction": "2",
    "watermark_info": {"enabled": True},
    "task_result": {
        "images": [
            {"index": 0, "url": "https://cdn.example.com/0.png", "watermark_url": "https://cdn.example.com/0w.png"},
            {"index": 1, "url": "https://cdn.example.com/1.png"},
        ]
    },
}
PLAIN = {"code": 0, "message": "SUCCEED", "request_id": "req-1", "data": TASK}
STATE = TaskState(
    task_id="8001",
    task_status="succeeded",
    external_task_id="mine-1",
    created_at=1_722_769_557.708,
    updated_at=1_722_769_559.0,
    images=(
        ImageRecord(0, "https://cdn.example.com/0.png", "https://cdn.example.com/0w.png"),
        ImageRecord(1, "https://cdn.example.com/1.png"),
    ),
    units="2",
    request_id="req-1",
)


def envelope_of(body):
    return read(body if isinstance(body, bytes) else json.dumps(body).encode())


def task_of(body):
    envelope = envelope_of(body)
    assert envelope.ok
    return read_task(envelope.data, envelope.request_id)


def wrapped(inner, status="SUCCESS", **more):
    task = {"task_id": "8001", "status": status, "progress": "100%", "fail_reason": "", "data": inner, **more}
    return {"code": "success", "message": "", "request_id": "req-1", "data": task}


class TestPlain:
    def test_create(self):
        state = task_of(
            {
                "code": 0,
                "message": "SUCCEED",
                "request_id": "r",
                "data": {
                    "task_id": "42",
                    "task_status": "submitted",
                    "task_info": {"external_task_id": "e"},
                    "created_at": 1_700_000_000_000,
                    "updated_at": 1_700_000_000_000,
                },
            }
        )
        assert state == TaskState("42", "submitted", "", "e", 1.7e9, 1.7e9, request_id="r")

    def test_query(self):
        assert task_of(PLAIN) == STATE

    @pytest.mark.parametrize("code", [0, "0", 200, "200", "success", "SUCCESS", "ok", "Succeed"], ids=repr)
    def test_success_in_every_spelling(self, code):
        assert task_of({**PLAIN, "code": code}) == STATE

    def test_a_failed_task_answers_with_success(self):
        failed = {**TASK, "task_status": "failed", "task_status_msg": "Image pixel is invalid", "task_result": None}
        state = task_of({**PLAIN, "data": failed})
        assert (state.task_status, state.message, state.images) == ("failed", "Image pixel is invalid", ())

    def test_empty_texts_are_nothing(self):
        state = task_of({**PLAIN, "data": {**TASK, "task_info": {"external_task_id": ""}}})
        assert state.external_task_id is None

    @pytest.mark.parametrize("code", [1303, "1303"], ids=repr)
    def test_error(self, code):
        envelope = envelope_of({"code": code, "message": "parallel task over resource pack limit", "request_id": "r"})
        assert envelope == Envelope(False, "1303", "parallel task over resource pack limit", "r", None)


class TestReseller:
    @pytest.mark.parametrize(
        "inner", [PLAIN, TASK, {**PLAIN, "data": {"data": TASK}}], ids=["envelope", "data", "deep"]
    )
    def test_query(self, inner):
        assert task_of(wrapped(inner)) == STATE

    def test_its_own_id_is_the_one_to_ask_with(self):
        state = task_of(wrapped({**TASK, "task_id": "vendor"}))
        assert state.task_id == "8001"

    @pytest.mark.parametrize("inner", [None, {}, [], "", "null"])
    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            ("NOT_START", "submitted"),
            ("SUBMITTED", "submitted"),
            ("QUEUED", "submitted"),
            ("IN_PROGRESS", "processing"),
            ("FAILURE", "failed"),
        ],
    )
    def test_before_the_vendor_is_heard(self, inner, status, expected):
        state = task_of(wrapped(inner, status, fail_reason="over the limit"))
        assert (state.task_id, state.task_status, state.message) == ("8001", expected, "over the limit")

    def test_without_code(self):
        assert task_of(wrapped(PLAIN)["data"]) is not None
        state = task_of({"task_id": "8001", "status": "SUBMITTED", "progress": "0%", "data": {}})
        assert (state.task_id, state.task_status) == ("8001", "submitted")

    def test_its_times_where_the_vendor_gives_none(self):
        state = task_of(wrapped(None, "QUEUED", submit_time=1_700_000_000, finish_time=0))
        assert (state.created_at, state.updated_at) == (1.7e9, None)

    def test_list(self):
        envelope = envelope_of({"code": "success", "data": [wrapped(PLAIN)["data"], wrapped(TASK)["data"]]})
        first, second = read_tasks(envelope.data)
        assert first.images == second.images == STATE.images


class TestErrors:
    def test_openai(self):
        envelope = envelope_of({"error": {"message": "No channel", "type": "gateway_error", "code": "no_channel"}})
        assert envelope == Envelope(False, "no_channel", "No channel")

    @pytest.mark.parametrize("code", [None, "", {}])
    def test_openai_without_code(self, code):
        envelope = envelope_of({"error": {"message": "m", "type": "rate_limit_error", "code": code}})
        assert envelope.code == "rate_limit_error"
        assert envelope_of({"error": {"message": "m", "type": "", "code": code}}).code is None

    @pytest.mark.parametrize("error", ["it broke", ["it broke"], 5])
    def test_openai_as_something_else(self, error):
        envelope = envelope_of({"error": error})
        assert not envelope.ok
        assert envelope.readable
        assert envelope.message == str(error)

    @pytest.mark.parametrize("error", [None, False, True, "", {}, 0])
    def test_an_error_field_that_says_nothing(self, error):
        assert task_of({**PLAIN, "error": error}) == STATE

    def test_html(self):
        envelope = envelope_of(b"<html>\r\n<head><title>502 Bad\n Gateway</title></head></html>")
        assert envelope == Envelope(False, None, "The answer is an HTML page: 502 Bad Gateway.", readable=False)
        assert envelope_of(b"  <!DOCTYPE html><p>x").message == "The answer is an HTML page."

    @pytest.mark.parametrize("body", [b"", b" \r\n"])
    def test_empty(self, body):
        assert envelope_of(body) == Envelope(False, None, "The answer is empty.", readable=False)

    def test_every_cut_of_an_answer(self):
        whole = json.dumps(PLAIN).encode()
        for end in range(1, len(whole)):
            envelope = read(whole[:end])
            assert envelope == Envelope(False, None, "The answer is JSON that was cut off.", readable=False)

    @pytest.mark.parametrize("body", [b"upstream is warming up", b"\xff\xfe\x00", b"\x1f\x8b\x08"])
    def test_not_json(self, body):
        envelope = read(body)
        assert envelope.message.startswith("The answer is not JSON")
        assert not envelope.readable

    @pytest.mark.parametrize("body", [[], [PLAIN], 5, "text", True, None, 1.5])
    def test_json_that_is_no_object(self, body):
        assert envelope_of(body) == Envelope(False, None, "The answer is JSON of an unknown shape.", readable=False)


class TestOtherShapes:
    """The specification promises only "an object"."""

    @pytest.mark.parametrize("more", [{}, {"code": 0}, {"code": 0, "data": None}, {"data": {}}, {"message": "SUCCEED"}])
    def test_bare_object(self, more):
        assert task_of({**TASK, "request_id": "req-1", **more}) == STATE

    def test_a_bare_object_of_an_error_is_an_error(self):
        envelope = envelope_of({"task_id": "1", "code": 1303, "message": "no"})
        assert (envelope.ok, envelope.code) == (False, "1303")

    @pytest.mark.parametrize(
        "data", [None, [], {}, {"task_status": "submitted"}, {"task_id": ""}, {"task_id": None}, 7]
    )
    def test_data_that_names_no_task(self, data):
        assert read_task(data) is None

    def test_numbers_as_ids(self):
        assert read_task({"task_id": 42, "task_info": {"external_task_id": 7}}).task_id == "42"

    @pytest.mark.parametrize("name", ["tasks", "items", "list", "records"])
    def test_list_inside_data(self, name):
        envelope = envelope_of({"code": 0, "data": {name: [TASK], "total": 1}})
        assert [state.task_id for state in read_tasks(envelope.data)] == ["8001"]

    def test_list_in_data(self):
        assert [state.task_id for state in read_tasks([TASK, {**TASK, "task_id": "2"}])] == ["8001", "2"]
        assert read_tasks([]) == []

    def test_what_is_no_task_in_a_list_is_left_out(self):
        assert [state.task_id for state in read_tasks([{}, TASK, 5])] == ["8001"]

    @pytest.mark.parametrize("data", [None, {}, TASK, [5], [{}], {"list": TASK}, "x"])
    def test_no_list(self, data):
        assert read_tasks(data) is None

    def test_unknown_shape_is_not_success(self):
        envelope = envelope_of({"object": "list", "items": [], "total": 0})
        assert not envelope.ok


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["submitted", "SUBMITTED", "queued", "QUEUED", "pending", "NOT_START", " Submitted ", "waiting"], "submitted"),
        (["processing", "IN_PROGRESS", "in-progress", "running"], "processing"),
        (["succeed", "succeeded", "SUCCESS", "completed", "Succeed"], "succeeded"),
        (["failed", "FAILURE", "fail", "error", "cancelled", "canceled"], "failed"),
        (["suspended", "", None, 5, [], {}, True], "processing"),
    ],
)
def test_status_spellings(words, expected):
    for word in words:
        assert read_task({"task_id": "1", "task_status": word}).task_status == expected
        assert read_task({"task_id": "1", "status": word}).task_status == expected


@pytest.mark.parametrize(
    ("outer", "inner", "images", "expected"),
    [
        ("IN_PROGRESS", "succeed", True, "succeeded"),
        ("SUCCESS", "processing", True, "succeeded"),
        ("FAILURE", "succeed", True, "succeeded"),
        ("IN_PROGRESS", "failed", False, "failed"),
        ("FAILURE", "processing", False, "failed"),
        ("SUBMITTED", "processing", False, "processing"),
        ("SUCCESS", "processing", False, "succeeded"),
        ("WHATEVER", "submitted", False, "submitted"),
    ],
)
def test_two_statuses_that_disagree(outer, inner, images, expected):
    result = TASK["task_result"] if images else {}
    data = {"task_id": "1", "status": outer, "data": {"task_status": inner, "task_result": result}}
    assert read_task(data).task_status == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1_722_769_557_708, 1_722_769_557.708),
        ("1722769557708", 1_722_769_557.708),
        (1_722_769_557, 1_722_769_557.0),
        ("1722769557", 1_722_769_557.0),
        (99_999_999_999, 99_999_999_999.0),
        (100_000_000_000, 100_000_000.0),
        *[(nothing, None) for nothing in (0, -1, None, "", "soon", [], {}, float("nan"), float("inf"), 10**400, 1e16)],
    ],
    ids=lambda value: repr(value)[:20],
)
def test_timestamps(value, expected):
    assert seconds(value) == expected


class TestImages:
    def images_of(self, listed):
        return read_task({"task_id": "1", "task_status": "succeed", "task_result": {"images": listed}}).images

    def test_strings(self):
        images = self.images_of(["https://a/0.png", "https://a/1.png"])
        assert images == (ImageRecord(0, "https://a/0.png"), ImageRecord(1, "https://a/1.png"))

    def test_dictionaries_in_any_order(self):
        images = self.images_of([{"index": 1, "url": "u1"}, {"index": 0, "url": "u0"}])
        assert [(image.index, image.url) for image in images] == [(0, "u0"), (1, "u1")]

    @pytest.mark.parametrize("index", [None, "0", 1.0, -1, True, [], 0], ids=repr)
    def test_odd_indices_lose_no_image(self, index):
        images = self.images_of([{"index": index, "url": f"u{number}"} for number in range(3)])
        assert [image.index for image in images] == [0, 1, 2]
        assert sorted(image.url for image in images) == ["u0", "u1", "u2"]

    def test_positions_make_way_for_indices(self):
        images = self.images_of([{"index": 1, "url": "a"}, {"url": "b"}, {"index": 0, "url": "c"}])
        assert {image.url for image in images} == {"a", "b", "c"}
        assert len({image.index for image in images}) == 3

    def test_indices_from_one(self):
        assert [image.index for image in self.images_of([{"index": 1, "url": "a"}, {"index": 2, "url": "b"}])] == [1, 2]

    @pytest.mark.parametrize("url", [None, "", {}, []])
    def test_without_a_url(self, url):
        assert self.images_of([{"index": 0, "url": url}]) == (ImageRecord(0),)

    @pytest.mark.parametrize("listed", [None, {}, "x", 5, [[]]])
    def test_no_list_of_images(self, listed):
        assert all(image.url is None for image in self.images_of(listed))

    def test_long_signed_urls_come_whole(self):
        (image,) = self.images_of([{"index": 0, "url": LONG_URL, "watermark_url": LONG_URL + "w"}])
        assert (image.url, image.watermark_url) == (LONG_URL, LONG_URL + "w")

    def test_an_absurd_url_is_no_url(self):
        (image,) = self.images_of([{"index": 0, "url": "https://a/" + "x" * 1_000_000}])
        assert image.url is None

    def test_blanks_around_a_url_go_and_control_characters_never_come(self):
        assert self.images_of([" https://a/0.png\n"])[0].url == "https://a/0.png"
        assert self.images_of(["https://a/\n0\x00.png"])[0].url is None


class TestIds:
    def test_long_ids_come_whole(self):
        name = "i" * 500
        state = read_task({"task_id": name, "task_info": {"external_task_id": name + "e"}})
        assert (state.task_id, state.external_task_id) == (name, name + "e")

    def test_two_blanks_in_an_id_stay_two(self):
        assert read_task({"task_id": "1", "task_info": {"external_task_id": "a  b"}}).external_task_id == "a  b"

    def test_half_a_surrogate_never_comes(self):
        state = read_task(json.loads('{"task_id": "1", "task_info": {"external_task_id": "\\ud800"}}'))
        assert state.external_task_id is None


class TestOneLine:
    def test_is_one_printable_line(self):
        assert one_line("a\r\n\tb\x1b[31m\u2028c\x00") == "a b [31m c"

    def test_is_capped(self):
        assert one_line("x" * 9999) == "x" * (MESSAGE_LENGTH - 1) + "…"
        assert one_line("x" * 20, 20) == "x" * 20

    @given(st.text(), st.integers(1, 50))
    def test_always(self, text, length):
        line = one_line(text, length)
        assert len(line) <= length
        assert line.isprintable()
        assert line == line.strip()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = (
    "code message msg request_id data error type task_id task_status status task_info task_status_msg fail_reason "
    "task_result images index url watermark_url created_at list external_task_id final_unit_deduction submit_time"
)
fields = st.sampled_from(FIELDS.split())
answers = st.recursive(
    json_values | st.sampled_from([0, "0", "success", "succeed", "FAILURE", 1303, "https://a/b.png"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(fields, inner, max_size=6),
    max_leaves=30,
)


def check_sane(envelope):
    assert isinstance(envelope.ok, bool)
    for text in (envelope.code, envelope.message, envelope.request_id):
        assert text is None or (isinstance(text, str) and len(text) <= MESSAGE_LENGTH and text.isprintable())
    assert isinstance(envelope.message, str)
    for status in (200, 400, 404, 429, 500):
        error = refusals.error_for(status, envelope)
        assert error.message.isprintable()
        assert len(error.message) <= MESSAGE_LENGTH + 100
        assert isinstance(refusals.leaves_a_doubt(status, envelope), bool)
    state = read_task(envelope.data, envelope.request_id)
    for one in [state, *(read_tasks(envelope.data) or [])]:
        if one is not None:
            check_sane_state(one)


def check_sane_state(state):
    assert isinstance(state.task_id, str)
    assert state.task_id
    assert state.task_status in ("submitted", "processing", "succeeded", "failed")
    assert isinstance(state.message, str)
    assert len(state.message) <= MESSAGE_LENGTH
    for text in (state.task_id, state.message, state.external_task_id, state.units):
        assert text is None or (isinstance(text, str) and text.isprintable())
    for time in (state.created_at, state.updated_at):
        assert time is None or (isinstance(time, float) and 0 < time < 1e12)
    indices = [image.index for image in state.images]
    assert indices == sorted(set(indices))
    assert all(type(index) is int and index >= 0 for index in indices)
    for image in state.images:
        for url in (image.url, image.watermark_url):
            assert url is None or (isinstance(url, str) and url and url.isprintable())
    json.dumps([state.task_id, state.message]).encode("utf-8")


class TestNeverRaises:
    @given(answers)
    @settings(max_examples=150, deadline=None)
    @example({"code": 0, "data": {"task_id": "\ud800", "task_status": "succeed"}})
    @example({"error": {"message": "\ud800" * 3000, "code": "\n"}})
    def test_json(self, value):
        check_sane(read(json.dumps(value).encode()))

    @given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
    @settings(max_examples=150, deadline=None)
    def test_bytes(self, content):
        check_sane(read(content))

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
    def test_encodings_that_json_may_have(self, encoding):
        envelope = read(json.dumps(PLAIN).encode(encoding))
        assert read_task(envelope.data, envelope.request_id) == STATE

    @pytest.mark.parametrize("opening", [b"[", b'{"data":', b'{"message":', b'{"error":', b'{"data":{"images":'])
    def test_any_depth(self, opening):
        for depth in [*range(1, 40), *range(sys.getrecursionlimit() - 120, sys.getrecursionlimit() + 2)]:
            closing = b"]" if opening == b"[" else b"}" * opening.count(b"{")
            check_sane(read(opening * depth + b"1" + closing * depth))
            check_sane(read(b'{"message":' + b"[" * depth + b"]" * depth + b"}"))

    def test_numbers_too_long_to_read(self):
        check_sane(read(b'{"code": ' + b"9" * 5000 + b"}"))
        check_sane(read(b'{"code": 0, "data": {"task_id": 1, "created_at": 1e999, "index": 1e400}}'))
