"""A valid request: its rules in plain words, and exactly the documented body as mapping, summary, bytes and digest."""

import base64
import hashlib
import json
import os
import random
import string
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kling_nb import records
from kling_nb.errors import InvalidRequest
from kling_nb.records import Reference
from kling_nb.request import Body, Request, collect, digest_of, encode_summary, encoding


def linked(name="a", role="subject"):
    url = f"https://example.com/{name}.png"
    return Reference(role, name, hashlib.sha256(url.encode()).hexdigest(), url=url)


def stored(data=b"\x89PNG", name="hat.png", role="subject", **fields):
    return Reference(role, name, hashlib.sha256(data).hexdigest(), size=len(data), data=data, **fields)


def problems(**fields):
    fields.setdefault("subject_images", [linked()])
    with pytest.raises(InvalidRequest) as caught:
        Request.checked(**fields)
    return caught.value.message.split("\n")


FULL = {
    "model_name": "kling-v2",
    "prompt": 'The "cat" — 猫 \\ {x}\n',
    "subject_images": (linked("a"), stored(b"\x89PNG hat")),
    "scene_image": stored(b"\xff\xd8 scene", "beach", "scene"),
    "style_image": linked("wave", "style"),
    "n": 4,
    "aspect_ratio": "3:2",
    "callback_url": "https://example.com/hook",
    "external_task_id": "mine-1",
    "watermark": False,
}


# Journals hold these: a change here makes every finished cell of a comparison be paid for again.
GOLDEN_FULL = "564b08e7f01e2c754637fe6cd4e4ed916c6100ea0f7337679ebf19b622e30b60"
GOLDEN_LEAST = "b319dc1991c6d75941553709a6d5fe5c177697d6ff21c78504b55f3c2beb685b"


# The body.


def test_reproduces_the_example_of_the_specification():
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
    images = collect(["https://example.com/image1.jpg", "https://example.com/image2.jpg"], "subject")
    request = Request.checked(
        model_name="kling-v2", prompt="根据两张图的特点融合", subject_images=images, n=1, aspect_ratio="16:9"
    )
    expected = {field: value for field, value in example.items() if value != ""}
    assert request.body() == expected
    assert list(request.body()) == list(expected)
    assert request.encode() == json.dumps(expected, ensure_ascii=False).encode()


def test_the_body_is_the_documented_one_in_the_documented_order():
    request = Request.checked(**FULL)
    assert request.body() == {
        "model_name": "kling-v2",
        "prompt": 'The "cat" — 猫 \\ {x}\n',
        "subject_image_list": [
            {"subject_image": "https://example.com/a.png"},
            {"subject_image": base64.b64encode(b"\x89PNG hat").decode()},
        ],
        "scene_image": base64.b64encode(b"\xff\xd8 scene").decode(),
        "style_image": "https://example.com/wave.png",
        "n": 4,
        "aspect_ratio": "3:2",
        "callback_url": "https://example.com/hook",
        "external_task_id": "mine-1",
        "watermark_info": {"enabled": False},
    }
    assert list(request.body()) == [
        "model_name",
        "prompt",
        "subject_image_list",
        "scene_image",
        "style_image",
        "n",
        "aspect_ratio",
        "callback_url",
        "external_task_id",
        "watermark_info",
    ]


def test_what_is_unset_is_left_out_but_model_and_n():
    body = Request.checked(subject_images=[linked()]).body()
    assert body == {
        "model_name": "kling-v2-1",
        "subject_image_list": [{"subject_image": "https://example.com/a.png"}],
        "n": 1,
    }


def test_base64_is_bare_and_unbroken(png):
    (image,) = collect(png, "subject")
    text = Request.checked(subject_images=[image]).body()["subject_image_list"][0]["subject_image"]
    assert set(text) <= set(string.ascii_letters + string.digits + "+/=")
    assert base64.b64decode(text, validate=True) == png


def test_the_summary_names_pictures_by_their_hash():
    request = Request.checked(**FULL)
    summary = request.summary()
    sha256 = hashlib.sha256(b"\x89PNG hat").hexdigest()
    assert summary["subject_image_list"][1] == {"subject_image": f"sha256:{sha256}"}
    assert summary["style_image"] == "https://example.com/wave.png"
    assert list(summary) == list(request.body())
    assert json.loads(json.dumps(summary)) == summary


def test_references_come_in_the_order_of_the_journal():
    request = Request.checked(**FULL)
    assert [(image.role, image.name) for image in request.references] == [
        ("subject", "a"),
        ("subject", "hat.png"),
        ("scene", "beach"),
        ("style", "wave"),
    ]
    assert Request.checked(subject_images=[linked()]).references == (linked(),)


# Bytes.


def test_encode_is_the_body_as_json():
    request = Request.checked(**FULL)
    assert json.loads(request.encode()) == request.body()
    assert request.encode() == json.dumps(request.body(), ensure_ascii=False).encode()


def test_encode_joins_large_pictures_without_a_seam():
    for size in (0, 1, 2, 3 * 2**18 - 1, 3 * 2**18, 3 * 2**18 + 1, 2_000_003):
        data = random.Random(size).randbytes(size)
        request = Request.checked(subject_images=[stored(data)])
        assert request.encode() == json.dumps(request.body()).encode()


def test_a_stored_summary_gives_the_same_bytes():
    request = Request.checked(**FULL)
    pictures = {image.sha256: image.data for image in request.references}
    asked = []

    def read(sha256):
        asked.append(sha256)
        return pictures[sha256]

    summary = json.loads(json.dumps(request.summary()))
    assert bytes(encode_summary(summary, read)) == request.encode()
    assert asked == [request.subject_images[1].sha256, request.scene_image.sha256]


@given(st.lists(st.binary(max_size=400), min_size=1, max_size=4), st.integers(1, 40))
def test_a_body_knows_its_length_and_can_be_sent_again(pictures, chunk):
    parts = [b"{"]
    for data in pictures:
        parts += [data, b'"']
    body = Body(parts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "_CHUNK", 3 * chunk)
        whole = b"".join(body)
        assert bytes(body) == whole
    assert len(body) == len(whole)
    assert whole == b"{" + b"".join(base64.b64encode(data) + b'"' for data in pictures)


def test_a_prompt_that_looks_like_a_hash_is_text():
    request = Request.checked(prompt="sha256:" + "0" * 64, subject_images=[linked()])
    assert json.loads(request.encode())["prompt"] == "sha256:" + "0" * 64


def test_encoding_needs_little_more_memory_than_the_body():
    request = Request.checked(subject_images=[stored(os.urandom(3_000_000)) for _ in range(4)])
    size = len(request.encode())
    tracemalloc.start()
    try:
        request.encode()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.3 * size


def test_a_reference_without_bytes_cannot_be_encoded():
    bare = Reference("subject", "hat.png", "ab" * 32)
    request = Request.checked(subject_images=[bare])
    assert request.summary()["subject_image_list"] == [{"subject_image": f"sha256:{'ab' * 32}"}]
    for send in (request.body, request.encode):
        with pytest.raises(
            InvalidRequest, match=r'subject image "hat.png" has no bytes here, only its hash abababababab…'
        ):
            send()


# The digest.


def test_the_digest_is_the_same_in_every_process_and_version():
    assert Request.checked(**FULL).digest == GOLDEN_FULL
    assert Request.checked(subject_images=[linked()]).digest == GOLDEN_LEAST
    code = (
        "from kling_nb.request import digest_of;"
        "print(digest_of({'n': 1, 'subject_image_list': [{'subject_image': 'https://example.com/a.png'}],"
        " 'model_name': 'kling-v2-1'}))"
    )
    env = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == GOLDEN_LEAST


def test_the_digest_goes_by_content_alone():
    request = Request.checked(**FULL)
    renamed = Request.checked(
        **FULL
        | {
            "subject_images": (linked("a"), stored(b"\x89PNG hat", "another name", changes=("rotated",), origin="t/1")),
            "external_task_id": "mine-2",
            "callback_url": None,
        }
    )
    assert renamed.digest == request.digest
    assert digest_of(json.loads(json.dumps(request.summary()))) == request.digest


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model_name", "kling-v2-1"),
        ("prompt", "another"),
        ("subject_images", (FULL["subject_images"][1], FULL["subject_images"][0])),
        ("scene_image", None),
        ("style_image", linked("sea", "style")),
        ("n", 5),
        ("aspect_ratio", None),
        ("watermark", None),
    ],
)
def test_the_digest_changes_with_everything_that_makes_the_image(field, value):
    request = Request.checked(**FULL)
    assert request.with_(**{field: value}).digest != request.digest


# The object.


def test_a_request_is_frozen_and_its_copies_are_checked():
    request = Request.checked(**FULL)
    with pytest.raises(ValueError, match="frozen"):
        request.n = 3
    copy = request.with_(external_task_id="fresh")
    assert copy.body() == request.body() | {"external_task_id": "fresh"}
    assert request.external_task_id == "mine-1"
    assert "external_task_id" not in request.with_(external_task_id=None).body()
    assert copy.subject_images[1].data is request.subject_images[1].data
    with pytest.raises(InvalidRequest, match="n is 0"):
        request.with_(n=0)
    assert request == Request.checked(**FULL)
    assert hash(request) == hash(Request.checked(**FULL))


def test_a_picture_takes_the_role_of_its_field():
    request = Request.checked(subject_images=linked("a", "style"), scene_image=[linked("b")])
    assert [image.role for image in request.references] == ["subject", "scene"]


def test_its_repr_holds_no_picture():
    assert "PNG hat" not in repr(Request.checked(**FULL))


# The rules.


def test_n_is_a_whole_number():
    for n in [1, 9, np.int64(3), np.uint8(9)]:
        assert Request.checked(subject_images=[linked()], n=n).body()["n"] == int(n)
        assert type(Request.checked(subject_images=[linked()], n=n).n) is int


def test_n_is_nothing_else():
    for n in [0, 10, -1, 10**30, 10**5000, True, np.True_, 4.0, "4", [4], np.float64(4), np.array([4])]:
        (problem,) = problems(n=n)
        assert problem.startswith("n is ")
        assert problem.endswith("; it must be a whole number from 1 to 9")


def test_n_says_what_it_was_given():
    assert problems(n=12) == ["n is 12; it must be a whole number from 1 to 9"]
    assert problems(n="4") == ['n is "4" (str); it must be a whole number from 1 to 9']
    assert problems(n=True) == ["n is True (bool); it must be a whole number from 1 to 9"]


@pytest.mark.parametrize("ratio", records.ASPECT_RATIOS)
def test_takes_the_eight_ratios(ratio):
    assert Request.checked(subject_images=[linked()], aspect_ratio=ratio).body()["aspect_ratio"] == ratio


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("3x2", "3:2"),
        ("16/9", "16:9"),
        ("16-9", "16:9"),
        (" 3 : 2 ", "3:2"),
        ("3×2", "3:2"),
        ("16 by 9", "16:9"),
        ("1920x1080", "16:9"),
        ("1024x1024", "1:1"),
        ("7:3", "21:9"),
        ("5:4", "4:3"),
        ("4:5", "3:4"),
        ("100:1", "21:9"),
        ((3, 2), "3:2"),
        ([2, 3], "2:3"),
        (1.5, "3:2"),
        ("0.667", "2:3"),
        ("square", "1:1"),
        ("Portrait", "9:16"),
    ],
)
def test_offers_the_ratio_that_was_meant(given, meant):
    (problem,) = problems(aspect_ratio=given)
    assert "; it must be one of 16:9, 9:16, 1:1, 4:3, 3:4, 3:2, 2:3, 21:9 (did you mean " in problem
    assert problem.endswith(f"(did you mean {meant}?)")


def test_offers_no_ratio_where_none_is_near():
    for value in ["", "as usual", "3:0", "0:3", "a:b", "1e99", "nan", -1.5, 0, {}, (3, 2, 1), (3, 0), float("nan")]:
        (problem,) = problems(aspect_ratio=value)
        assert problem.endswith("2:3, 21:9")


def test_the_prompt_is_sent_as_it_is():
    text = '  "quoted" $5 {braces} \\n 猫🐈\n'
    assert Request.checked(subject_images=[linked()], prompt=text).body()["prompt"] == text
    assert len(Request.checked(subject_images=[linked()], prompt="🐈" * 2500).prompt) == 2500
    assert problems(prompt="x" * 2501) == ["prompt has 2,501 characters; at most 2,500 are allowed"]


@pytest.mark.parametrize("prompt", ["", "  \n", None])
def test_a_blank_prompt_is_left_out(prompt):
    assert "prompt" not in Request.checked(subject_images=[linked()], prompt=prompt).body()


def test_text_must_be_text_that_can_be_sent():
    assert problems(prompt=3) == ["prompt is 3 (int); it must be text"]
    assert problems(prompt=b"cat") == ["prompt is b'cat' (bytes); it must be text"]
    assert problems(prompt="cat \ud83d") == [
        "prompt holds '\\ud83d' at position 4, half of a character, which cannot be sent"
    ]


def test_an_unknown_model_is_sent_with_a_warning():
    request = Request.checked(subject_images=[linked()], model_name=" kling-v2.1 ")
    assert request.body()["model_name"] == "kling-v2.1"
    assert request.warnings == (
        'model_name "kling-v2.1" is not one of kling-v2, kling-v2-1; it is sent as it is (did you mean "kling-v2-1"?)',
    )
    other = Request.checked(subject_images=[linked()], model_name="banana")
    assert other.warnings == ('model_name "banana" is not one of kling-v2, kling-v2-1; it is sent as it is',)
    for known in records.MODEL_NAMES:
        assert Request.checked(subject_images=[linked()], model_name=known).warnings == ()


def test_a_model_name_is_a_name():
    for name in ["", " ", 3, "a\nb", "x" * 201]:
        (problem,) = problems(model_name=name)
        assert problem.startswith("model_name is ")


@pytest.mark.parametrize("url", ["https://example.com/hook", "http://example.com:8080/?a=b"])
def test_takes_a_callback_url(url):
    assert Request.checked(subject_images=[linked()], callback_url=f" {url} ").body()["callback_url"] == url


def test_refuses_what_cannot_be_called_back():
    for url in ["", "example.com/hook", "ftp://example.com", "https://", "https://a b", "x" * 9000, 3]:
        (problem,) = problems(callback_url=url)
        assert problem.startswith("callback_url ")


def test_takes_an_external_task_id():
    assert Request.checked(subject_images=[linked()], external_task_id=" a b ").external_task_id == "a b"
    assert Request.checked(subject_images=[linked()], external_task_id="x" * 512)


def test_refuses_what_is_no_id():
    for value in ["", "  ", "a\nb", "a\x00b", "x" * 513, 7]:
        (problem,) = problems(external_task_id=value)
        assert problem.startswith("external_task_id ")


def test_takes_a_watermark():
    for value in [True, False, np.True_]:
        assert Request.checked(subject_images=[linked()], watermark=value).body()["watermark_info"] == {
            "enabled": bool(value)
        }


def test_a_watermark_is_true_or_false():
    for value in [1, 0, "yes", {"enabled": True}, np.array([True])]:
        (problem,) = problems(watermark=value)
        assert problem.endswith("; it must be True or False")


def test_counts_the_subjects():
    assert len(Request.checked(subject_images=[linked(str(i)) for i in range(4)]).subject_images) == 4
    assert problems(subject_images=[linked()] * 5) == ["subject_images has 5 images; at most 4 are allowed"]
    assert problems(subject_images=[]) == ["subject_images is empty; give 1 to 4 images"]
    for nothing in ({}, {"subject_images": None}):
        with pytest.raises(InvalidRequest, match="subject_images is missing; give 1 to 4 images"):
            Request.checked(**nothing)


def test_images_must_be_references():
    assert problems(subject_images="cat.png") == ['subject_images is "cat.png" (str); it must be a list of references']
    assert problems(subject_images=[linked(), "cat.png"]) == [
        'subject_images[1] is "cat.png" (str); it must be a reference, from collect()'
    ]
    assert problems(scene_image={"role": "scene"})[0].startswith("scene_image is {'role': 'scene'} (dict)")
    assert problems(style_image=[linked(), linked()]) == ["style_image has 2 images; it takes one"]
    assert "scene_image" not in Request.checked(subject_images=[linked()], scene_image=[]).body()


def test_names_fields_that_do_not_exist():
    assert problems(aspectratio="1:1") == ["there is no field aspectratio; did you mean aspect_ratio?"]
    assert problems(seed=3) == ["there is no field seed: the API has none; a rerun is a new sample"]
    assert problems(wibble=3) == ["there is no field wibble"]
    assert problems(watermark_info={}) == ["there is no field watermark_info: use watermark=True or watermark=False"]


def test_says_everything_that_is_wrong_at_once():
    found = problems(n=0, aspect_ratio="3x2", prompt="x" * 3000, subject_images=[], callback_url="nowhere", seed=1)
    assert [line.split(" ")[0] for line in found] == [
        "prompt",
        "subject_images",
        "n",
        "aspect_ratio",
        "callback_url",
        "there",
    ]


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=9)
    | st.text(st.characters(categories=["Cs"]), max_size=3)
    | st.sampled_from([linked(), object(), Request, len, 1j]),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner, max_size=2) | st.tuples(inner, inner)
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(list(Request.model_fields)) | st.text(max_size=5), anything, max_size=6))
def test_anything_gives_a_request_or_one_refusal(fields):
    try:
        request = Request.checked(**fields)
    except InvalidRequest as error:
        refused = error.message.split("\n")
    else:
        refused = []
        assert json.loads(request.encode()) == request.body()
    assert all(line and line.isprintable() for line in refused)


@settings(max_examples=100, deadline=None)
@given(
    prompt=st.text(max_size=200),
    n=st.integers(1, 9),
    pictures=st.lists(st.binary(max_size=50), min_size=1, max_size=4),
    external_task_id=st.none() | st.text(string.ascii_letters, min_size=1),
)
def test_encode_means_the_same_as_the_body(prompt, n, pictures, external_task_id):
    images = [stored(data) for data in pictures]
    request = Request.checked(prompt=prompt, n=n, subject_images=images, external_task_id=external_task_id)
    assert json.loads(request.encode()) == request.body()
    assert request.digest == request.with_(external_task_id="other").digest


# Warnings.


def test_warns_of_places_in_files_that_go_out_as_they_are(picture, file, here, png, chunk):
    tags = Image.Exif()
    tags[0x010F] = "A camera"
    tags.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    late = chunk(b"eXIf", tags.tobytes()[6:]) + chunk(b"IEND", b"")
    (here / "late.png").write_bytes(png[:-12] + late)
    (here / "cat.jpg").write_bytes(file(picture(), "JPEG", exif=tags))
    (here / "cat.png").write_bytes(file(picture(), "PNG", exif=tags))
    (here / "cat.webp").write_bytes(file(picture(), "WEBP", exif=tags))
    (here / "xmp.jpg").write_bytes(file(picture(seed=5), "JPEG", xmp=b'<x exif:GPSLatitude="52,31N"/>'))
    images = collect(["cat.jpg", "cat.png", "cat.webp", "xmp.jpg"], "subject")
    (scene,) = collect("late.png", "scene")
    assert Request.checked(subject_images=images, scene_image=scene).warnings == (
        '"cat.jpg" carries GPS coordinates in its metadata; it is sent as it is',
        '"cat.png" carries GPS coordinates in its metadata; it is sent as it is',
        '"xmp.jpg" carries GPS coordinates in its metadata; it is sent as it is',
        '"late.png" carries GPS coordinates in its metadata; it is sent as it is',
    )


def test_has_no_warnings_about_ordinary_pictures(png, jpeg, picture, file):
    tags = Image.Exif()
    tags[0x010F] = "A camera"
    images = collect([png, jpeg, file(picture(seed=7), "JPEG", exif=tags), "https://example.com/a.png"], "subject")
    assert Request.checked(subject_images=images).warnings == ()
    damaged = stored(file(picture(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"))
    assert Request.checked(subject_images=[damaged, stored(b"no picture")]).warnings == ()


def test_warns_of_what_the_server_cannot_reach():
    (image,) = collect("http://localhost:8888/files/cat.png", "subject", name="cat")
    request = Request.checked(subject_images=[image], callback_url="http://127.0.0.1:9/hook")
    assert request.warnings == (
        '"cat" is on a private network, which the server cannot reach',
        'callback_url "http://127.0.0.1:9/hook" is on a private network, which the server cannot reach',
    )


def test_warns_of_the_same_picture_twice(png):
    images = [*collect(png, "subject", name="cat"), *collect(png, "subject", name="again")]
    (scene,) = collect(png, "scene", name="cat")
    assert Request.checked(subject_images=images, scene_image=scene).warnings == (
        '"cat" and "again" are the same picture',
    )


# The room.


def test_loads_no_library_that_it_only_recognises():
    code = (
        "import sys, kling_nb.request as r;"
        "r.Request.checked(subject_images=r.collect('https://example.com/a.png', 'subject')).encode();"
        "print(sorted({'numpy', 'torch', 'matplotlib', 'pandas', 'IPython', 'ipywidgets', 'httpx', 'PIL'} & set(sys.modules)))"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
