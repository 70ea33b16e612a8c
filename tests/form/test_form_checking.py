"""What is wrong in a form is said all at once, and what to do first in one line; nothing typed makes it fail."""

from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kling_nb.errors import InvalidRequest
from kling_nb.form.checking import SLOTS, check
from kling_nb.form.entries import Entry
from kling_nb.notation.names import Namespace
from kling_nb.notation.writing import Source, escaped
from kling_nb.records import ASPECT_RATIOS, Reference
from kling_nb.request import Request

EMPTY = {
    "prompt": None,
    "model_name": None,
    "callback_url": None,
    "external_task_id": None,
    "n": 1,
    "aspect_ratio": None,
    "watermark": None,
    "reuse": False,
}


def picture(number=1, role="subject"):
    reference = Reference(
        role, f"{number}.png", f"{number:064x}", media_type="image/png", width=300, height=300, data=b"x"
    )
    return Entry(Source(f"{number}.png"), f"{number}.png", reference)


def entries(*subjects, scene=None, style=None):
    return [*subjects, *[None] * (4 - len(subjects)), scene, style]


def checked(*subjects, busy=False, variables=None, scene=None, style=None, **values):
    filled = entries(*(subjects or [picture()]), scene=scene, style=style)
    return check({**EMPTY, **values}, filled, Namespace(variables or {}), "kling-v2-1", busy=busy)


# --- what is right -------------------------------------------------------------------------------


def test_one_subject_is_enough():
    found = checked()
    assert (found.problems, found.why, found.prompt) == ({}, "", "")
    assert found.request == Request.checked(subject_images=(picture().reference,), model_name="kling-v2-1")


def test_everything_is_in_the_request_in_its_place():
    found = check(
        {
            "prompt": "a {mood} cat, {{mood}}",
            "model_name": "kling-v2",
            "callback_url": "https://example.org/done",
            "external_task_id": "cat 17",
            "n": 9,
            "aspect_ratio": "21:9",
            "watermark": True,
            "reuse": True,
        },
        [None, picture(2), None, picture(4), picture(5, "scene"), picture(6, "style")],
        Namespace({"mood": "happy"}),
        "kling-v2-1",
        busy=False,
    )
    assert (found.problems, found.why, found.prompt) == ({}, "", "a happy cat, {mood}")
    summary = found.request.summary()
    assert summary == {
        "model_name": "kling-v2",
        "prompt": "a happy cat, {mood}",
        "subject_image_list": [{"subject_image": f"sha256:{number:064x}"} for number in (2, 4)],
        "scene_image": f"sha256:{5:064x}",
        "style_image": f"sha256:{6:064x}",
        "n": 9,
        "aspect_ratio": "21:9",
        "callback_url": "https://example.org/done",
        "external_task_id": "cat 17",
        "watermark_info": {"enabled": True},
    }


def test_a_picture_serves_in_the_role_of_its_slot():
    found = checked(picture(), scene=picture(2, "subject"))
    assert found.request.scene_image.role == "scene"


# --- what is wrong -------------------------------------------------------------------------------


def test_all_problems_are_told_at_once():
    found = checked(
        prompt="x" * 2501,
        callback_url="ftp://example.org",
        external_task_id="x" * 513,
        n=0,
        aspect_ratio="5:4",
        model_name="x" * 300,
    )
    assert found.request is None
    assert set(found.problems) == {"prompt", "callback_url", "external_task_id", "n", "aspect_ratio", "model_name"}
    for problem in found.problems.values():
        assert problem[0].isupper()
        assert problem.endswith((".", "?"))
        assert "\n" not in problem
    assert found.prompt == "x" * 2501


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"prompt": "x" * 2501, "callback_url": "x", "n": 0}, "Prompt has 2,501 characters"),
        ({"prompt": "{gone}", "callback_url": "x"}, "{gone} in the prompt is not a variable"),
        ({"callback_url": "x", "n": 0}, "Images is 0"),
        ({"external_task_id": "x" * 513, "aspect_ratio": "x"}, 'Shape is "x"'),
        ({"external_task_id": "x" * 513, "callback_url": "x"}, 'More options: Callback URL "x"'),
        ({"external_task_id": "x" * 513}, "More options: External id has"),
        ({"model_name": "x" * 300, "external_task_id": "x" * 513}, "Model is"),
    ],
    ids=lambda value: value[:9] if isinstance(value, str) else " ".join(value),
)
def test_the_first_thing_to_do_is_the_first_on_the_page(values, why):
    assert checked(**values).why.startswith(why)


def test_pictures_come_before_the_fields():
    wrong = Entry(Source("gone.png"), problem="It is gone.")
    values = {"prompt": "x" * 2501}
    assert checked(picture(), wrong, **values).why == "Subject 2: It is gone."
    assert checked(picture(), scene=wrong, **values).why == "Scene: It is gone."
    assert checked(picture(), style=wrong, busy=True).why == "Style: It is gone."
    assert checked(busy=True, **values).why == "Looking at the pictures…"
    assert checked(None, **values).why == "Give at least one subject."
    assert checked(None, scene=picture(2, "scene")).why == "Give at least one subject."
    # What is wrong with the fields is told beside them all the same.
    assert set(checked(picture(), wrong, **values).problems) == {"prompt"}


@pytest.mark.parametrize("title", SLOTS)
def test_every_slot_is_named(title):
    filled = entries(*[picture(number) for number in range(4)], scene=picture(5), style=picture(6))
    filled[SLOTS.index(title)] = replace(picture(), problem="It is gone.", reference=None)
    found = check(EMPTY, filled, Namespace({}), "kling-v2-1", busy=False)
    assert (found.why, found.request) == (f"{title}: It is gone.", None)


def test_a_picture_that_was_not_looked_at_yet_is_waited_for():
    for slot in ({"scene": Entry(Source("x.png"), "x.png")}, {"style": Entry(Source("x.png"), "x.png")}):
        found = checked(picture(), **slot)
        assert (found.request, found.why) == (None, "Looking at the pictures…")
    found = checked(Entry(Source("x.png"), "x.png"))
    assert (found.request, found.why) == (None, "Looking at the pictures…")


# --- the prompt ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "variables", "words"),
    [
        ("{gone}", {}, ["{gone} in the prompt is not a variable here", "{{gone}}"]),
        ("{moo}", {"mood": "happy"}, ["nearest: mood"]),
        ("{cat}", {"cat": SimpleNamespace()}, ["only text and numbers"]),
        ("{cat}", {"cat": None}, ["None"]),
        ("{class}", {}, ["a word of Python's own"]),
        ("{x}", {"x": float("nan")}, ["nan"]),
        ("{x}", {"x": 10**5000}, ["only text and numbers"]),
    ],
    ids=["gone", "near", "object", "none", "keyword", "nan", "endless"],
)
def test_a_variable_that_cannot_be_put_in_is_a_problem_of_the_prompt(prompt, variables, words):
    found = checked(prompt=prompt, variables=variables)
    assert (found.request, found.prompt) == (None, None)
    for word in words:
        assert word in found.problems["prompt"]
    # There is no such switch here.
    assert "--raw" not in found.problems["prompt"]


def test_the_length_counts_as_sent():
    variables = {"short": "", "long": "x" * 2500}
    assert checked(prompt="{short}" * 400, variables=variables).problems == {}
    assert "2,501 characters" in checked(prompt="{long}!", variables=variables).problems["prompt"]


def test_what_is_blank_as_sent_is_left_out():
    found = checked(prompt="{blank}", variables={"blank": "  "})
    assert found.why == ""
    assert found.request.prompt is None


class Evil(Fraction):
    __slots__ = ()

    def __str__(self):
        raise RuntimeError("no way")

    def __float__(self):
        raise RuntimeError("no way")


class Worse:
    def __getattribute__(self, name):
        raise RuntimeError("no way")


@settings(max_examples=200, deadline=None)
@given(
    prompt=st.none()
    | st.text()
    | st.lists(st.sampled_from([*"{} a\n", "{a}", "{{a}}", "{evil}", "{worse}", "\ud800", "\x00"])).map("".join),
    model_name=st.none() | st.text(min_size=1),
    callback_url=st.none() | st.text(min_size=1) | st.text().map("https://{}".format) | st.just("https://[x"),
    external_task_id=st.none() | st.text(min_size=1),
    n=st.integers(-5, 15),
    aspect_ratio=st.none() | st.sampled_from(ASPECT_RATIOS) | st.text(),
    watermark=st.sampled_from([None, True]),
)
def test_nothing_typed_makes_it_fail(**values):
    variables = {"a": 1, "evil": Evil(1, 2), "worse": Worse(), "np": np}
    found = checked(variables=variables, **values)
    assert (found.request is None) == bool(found.why) == bool(found.problems)
    if found.request is not None:
        assert found.request.prompt == (found.prompt if (found.prompt or "").strip() else None)
        assert found.request.encode()


@given(st.text(max_size=2500))
def test_an_escaped_prompt_goes_out_as_it_is(prompt):
    found = checked(prompt=escaped(prompt) or None)
    try:
        wanted = Request.checked(subject_images=(picture().reference,), prompt=prompt)
    except InvalidRequest:
        assert set(found.problems) == {"prompt"}
        return
    assert found.request == wanted
