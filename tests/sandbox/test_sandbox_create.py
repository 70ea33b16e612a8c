"""Create: what is accepted, and what is refused with which code and which words."""

import base64
import io
import json

import httpx
import pytest
from PIL import Image


def tiny(width, height, kind="PNG"):
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (90, 120, 30)).save(buffer, kind)
    return base64.b64encode(buffer.getvalue()).decode()


# The beginning of a PNG of 10,000 x 9,000 pixels: more is not needed to refuse it.
HUGE = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (10_000).to_bytes(4, "big") + (9_000).to_bytes(4, "big")


def refusal(answer):
    body = answer.json()
    assert set(body) == {"code", "message", "request_id"}
    assert body["request_id"]
    return answer.status_code, body["code"], body["message"]


def test_answer_of_a_create(caller, clock):
    data = caller.create(external_task_id="mine-1")
    assert data == {
        "task_id": data["task_id"],
        "task_status": "submitted",
        "task_info": {"external_task_id": "mine-1"},
        "created_at": round(clock.now * 1000),
        "updated_at": round(clock.now * 1000),
    }
    assert data["task_id"].isdigit()


def test_envelope_of_a_create(anyone):
    body = anyone.post().json()
    assert body["code"] == 0
    assert body["message"] == "SUCCEED"
    assert body["request_id"]


def test_request_ids_differ(anyone):
    assert anyone.post().json()["request_id"] != anyone.post().json()["request_id"]


def test_the_specifications_own_example_with_urls_and_empty_strings(anyone):
    example = {
        "model_name": "kling-v2",
        "prompt": "根据两张图的特点融合",
        "subject_image_list": [
            {"subject_image": "https://example.com/image1.jpg"},
            {"subject_image": "https://example.com/image2.jpg"},
        ],
        "scene_image": "",
        "style_image": "",
        "n": 1,
        "aspect_ratio": "16:9",
        "callback_url": "",
        "external_task_id": "",
    }
    answer = anyone.http.post(anyone.url, json=example)
    assert answer.status_code == 200
    assert answer.json()["data"]["task_info"] == {"external_task_id": ""}


def test_path_without_the_prefix(caller, sandbox):
    url = caller.url.replace("/kling/v1/", "/v1/")
    assert caller.http.post(url, json=caller.body()).status_code == 200
    assert len(sandbox.ledger.entries()) == 1


@pytest.mark.parametrize("model", ["kling-v2", "kling-v2-1"])
def test_models(anyone, model):
    anyone.create(model_name=model)


@pytest.mark.parametrize("ratio", ["16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "21:9"])
def test_ratios(anyone, ratio):
    anyone.create(aspect_ratio=ratio)


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": ...},
        {"prompt": ""},
        {"prompt": "x" * 2500},
        {"prompt": "猫" * 2500},
        {"n": 9},
        {"watermark_info": {"enabled": True}},
        {"watermark_info": {"enabled": False}},
        {"callback_url": "https://example.com/told?x=1"},
        {"scene_image": "http://example.com/a.png", "style_image": "HTTPS://example.com/b.png"},
    ],
    ids=range(9),
)
def test_accepted(anyone, changes):
    anyone.create(**changes)


def test_four_subjects_scene_and_style(caller, sandbox, photo):
    caller.create(subject_image_list=[{"subject_image": photo}] * 4, scene_image=photo, style_image=photo)
    (entry,) = sandbox.ledger.entries()
    assert (entry.subjects, entry.has_scene, entry.has_style) == (4, True, True)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"model_name": ...}, "model_name: is required"),
        ({"model_name": 2}, "model_name: must be a string"),
        ({"prompt": "x" * 2501}, "2,500"),
        ({"prompt": None}, "prompt: must be a string, not null"),
        ({"prompt": "half \ud83d"}, "surrogate"),
        ({"prompt": "[sandbox: dance]"}, "no switch [sandbox: dance]"),
        ({"subject_image_list": ...}, "subject_image_list: is required"),
        ({"subject_image_list": []}, "1 to 4"),
        ({"subject_image_list": "https://example.com/a.png"}, "must be an array, not a string"),
        ({"subject_image_list": ["https://example.com/a.png"]}, "subject_image_list[0]"),
        ({"subject_image_list": [{"image": "https://example.com/a.png"}]}, "subject_image"),
        ({"subject_image_list": [{"subject_image": ""}]}, "is empty"),
        ({"subject_image_list": [{"subject_image": 5}]}, "must be a string"),
        (
            {"subject_image_list": [{"subject_image": "https://example.com/a.png"}] * 5},
            "1 to 4 images, not 5",
        ),
        ({"scene_image": None}, "scene_image: must be a string"),
        ({"style_image": ["x"]}, "style_image: must be a string, not an array"),
        ({"n": ...}, "n: is required"),
        ({"n": 0}, "1 to 9"),
        ({"n": 10}, "1 to 9"),
        ({"n": -1}, "1 to 9"),
        ({"n": True}, "n: must be an integer, not a boolean"),
        ({"n": "2"}, "n: must be an integer, not a string"),
        ({"n": 2.0}, "n: must be an integer, not 2.0"),
        ({"aspect_ratio": "5:4"}, "21:9"),
        ({"aspect_ratio": ""}, "aspect_ratio"),
        ({"aspect_ratio": 1}, "aspect_ratio: must be a string"),
        ({"callback_url": "ftp://example.com"}, "callback_url"),
        ({"callback_url": "http://"}, "callback_url"),
        ({"callback_url": "http://[1::"}, "callback_url"),
        ({"external_task_id": 7}, "external_task_id: must be a string"),
        ({"watermark_info": True}, "watermark_info"),
        ({"watermark_info": {"enabled": 1}}, "watermark_info.enabled"),
        ({"watermark_info": {"enabled": True, "text": "me"}}, "watermark_info"),
        ({"negative_prompt": "dogs"}, "unknown field 'negative_prompt'"),
        ({"sceneImage": ""}, "unknown field 'sceneImage'"),
    ],
    ids=lambda value: str(value)[:60].encode("ascii", "replace").decode(),
)
def test_refused(anyone, roomy, changes, word):
    before = roomy.ledger.entries()
    body = json.dumps(anyone.body(**changes))  # httpx cannot send half a surrogate pair itself
    answer = anyone.http.post(anyone.url, content=body, headers={"Content-Type": "application/json"})
    status, code, message = refusal(answer)
    assert (status, code) == (400, 1201)
    assert word in message
    assert roomy.ledger.entries() == before


def test_unknown_model(anyone):
    assert refusal(anyone.post(model_name="kling-v9"))[:2] == (404, 1203)


@pytest.mark.parametrize(
    ("image", "word"),
    [
        ("data:image/png;base64," + tiny(300, 300), "bare base64"),
        (tiny(300, 300)[:76] + "\n" + tiny(300, 300)[76:], "line breaks"),
        (" " + tiny(300, 300), "line breaks or blanks"),
        ("not base64!", "line breaks or blanks"),
        ("not-base64!", "neither an http(s) URL nor valid base64"),
        ("ftp://example.com/a.png", "neither an http(s) URL nor valid base64"),
        ("猫", "neither an http(s) URL nor valid base64"),
        (tiny(300, 300)[:-3], "neither an http(s) URL nor valid base64"),
        (base64.b64encode(b"GIF89a" + bytes(400)).decode(), "neither JPEG nor PNG"),
        (base64.b64encode(b"\xff\xd8\xff").decode(), "neither JPEG nor PNG"),
        (tiny(299, 400), "at least 300 px; this one is 299x400"),
        (tiny(400, 299, "JPEG"), "at least 300 px; this one is 400x299"),
        (tiny(300, 751), "aspect ratio"),
        (tiny(751, 300), "aspect ratio"),
        (base64.b64encode(HUGE).decode(), "too many pixels"),
        (base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(10_000_000)).decode(), "10 MB"),
        ("A" * 14_000_000, "10 MB"),
        ("http://bad host/a.png", "not a valid URL"),
        ("https://", "not a valid URL"),
    ],
    ids=range(19),
)
def test_image_refused(anyone, roomy, image, word):
    before = roomy.ledger.entries()
    status, code, message = refusal(anyone.post(subject_image_list=[{"subject_image": image}]))
    assert (status, code) == (400, 1201)
    assert message.startswith("subject_image_list[0].subject_image: ")
    assert word in message
    assert roomy.ledger.entries() == before


@pytest.mark.parametrize("place", ["scene_image", "style_image"])
@pytest.mark.parametrize(
    ("image", "word"),
    [("data:image/png;base64,AAAA", "bare base64"), (tiny(200, 300), "200x300"), ("https://", "valid URL")],
    ids=range(3),
)
def test_scene_or_style_refused(anyone, place, image, word):
    status, code, message = refusal(anyone.post(**{place: image}))
    assert (status, code) == (400, 1201)
    assert message.startswith(f"{place}: ")
    assert word in message


@pytest.mark.parametrize(
    "image",
    [tiny(300, 300), tiny(300, 750), tiny(750, 300, "JPEG"), tiny(500, 300, "JPEG")],
    ids=range(4),
)
def test_image_at_the_limits(anyone, image):
    anyone.create(subject_image_list=[{"subject_image": image}])


def test_image_of_just_10_megabytes(anyone):
    png = base64.b64decode(tiny(300, 300))
    full = png + bytes(10_000_000 - len(png))  # what follows the end of a PNG is ignored
    anyone.create(subject_image_list=[{"subject_image": base64.b64encode(full).decode()}])
    answer = anyone.post(subject_image_list=[{"subject_image": base64.b64encode(full + b"x").decode()}])
    assert "10 MB" in refusal(answer)[2]


def test_broken_pixels_make_a_failed_task(caller, clock, sandbox):
    cut = base64.b64decode(tiny(640, 480, "JPEG"))[:900]
    data = caller.create(n=2, subject_image_list=[{"subject_image": base64.b64encode(cut).decode()}])
    clock.advance(2)
    task = caller.query(data["task_id"])
    assert task["task_status"] == "failed"
    assert task["task_status_msg"] == "Image pixel is invalid"
    assert task["final_unit_deduction"] == "0"
    assert sandbox.ledger.billed_images() == 0


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"text"', b"{'n': 1}", b'{"n": NaN}', b"\xff\xfe{}", b"[" * 100_000],
    ids=range(9),
)
def test_not_a_json_object(anyone, body):
    answer = anyone.http.post(anyone.url, content=body, headers={"Content-Type": "application/json"})
    assert refusal(answer)[:2] == (400, 1200)


def test_content_type_is_needed(anyone):
    answer = anyone.http.post(anyone.url, data={"n": "1"})
    assert refusal(answer) == (400, 1200, "Content-Type must be application/json")


def test_content_type_may_name_a_charset(anyone):
    body = json.dumps(anyone.body())
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert anyone.http.post(anyone.url, content=body, headers=headers).status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_body_too_large(anyone, roomy, chunked):
    piece = b" " * 1_000_000

    def pieces():
        for _ in range(101):
            yield piece

    answer = anyone.http.post(
        anyone.url,
        content=pieces() if chunked else piece * 101,
        headers={"Content-Type": "application/json"},
    )
    assert refusal(answer)[:2] == (413, 1201)
    assert answer.headers["connection"] == "close"
    assert anyone.post().status_code == 200


def test_chunked_body(anyone):
    body = json.dumps(anyone.body()).encode()
    answer = anyone.http.post(
        anyone.url, content=iter([body[:9], body[9:]]), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("tail", ["", "/some-id"])
def test_wrong_method(anyone, method, tail):
    assert refusal(anyone.http.request(method, anyone.url + tail))[:2] == (404, 1202)


@pytest.mark.parametrize("tail", ["/", "x", "/../videos"])
def test_wrong_path(anyone, tail):
    assert refusal(anyone.http.get(anyone.url + tail))[:2] == (404, 1202)


def test_post_to_a_task(anyone):
    assert refusal(anyone.http.post(anyone.url + "/x", json={}))[:2] == (404, 1202)


@pytest.mark.parametrize(
    ("switch", "status", "code"),
    [("refuse", 400, 1301), ("broke", 429, 1102), ("busy", 429, 1303), ("REFUSE ", 400, 1301)],
)
def test_prompt_asks_for_a_refusal(anyone, roomy, switch, status, code):
    before = roomy.ledger.entries()
    assert refusal(anyone.post(prompt=f"a cat [sandbox: {switch}]"))[:2] == (status, code)
    assert roomy.ledger.entries() == before


def test_prompt_asks_for_a_failure(caller, clock, sandbox):
    task_id = caller.create(prompt="a cat [sandbox:fail]", n=3)["task_id"]
    assert sandbox.ledger.billed_images() == 3
    clock.advance(2)
    task = caller.query(task_id)
    assert task["task_status"] == "failed"
    assert "risk control" in task["task_status_msg"]
    assert "task_result" not in task
    assert sandbox.ledger.billed_images() == 0


def test_prompt_asks_for_slowness(caller, clock):
    task_id = caller.create(prompt="[sandbox: slow]")["task_id"]
    clock.advance(19)
    assert caller.query(task_id)["task_status"] == "processing"
    clock.advance(1)
    assert caller.query(task_id)["task_status"] == "succeed"


def test_prompt_asks_for_a_lost_answer(caller, sandbox):
    with pytest.raises(httpx.ReadError):
        caller.post(prompt="[sandbox: lost]", external_task_id="lost-1")
    assert sandbox.ledger.billed("lost-1") == 1
    assert caller.query("lost-1")["task_info"] == {"external_task_id": "lost-1"}
