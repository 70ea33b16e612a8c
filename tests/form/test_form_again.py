"""An earlier task as the beginning of a new request: it is the same request, picture by picture."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from kling_nb.errors import WorkspaceError
from kling_nb.form.again import entries_of, fields_of, history, request_of
from kling_nb.form.coding import written_path
from kling_nb.notation.prompt import interpolate
from kling_nb.notation.writing import Source
from kling_nb.records import Reference, TaskRecord
from kling_nb.request import Request

URL = "https://example.org/wave.jpg"


@pytest.fixture
def made(kling, files):
    """Make a task, and hold that it went well."""

    def make(prompt="a cat", **fields):
        task = kling.generate(prompt, **{"subject_images": "cat.png", **fields})
        assert task.task_status == "succeeded"
        return task

    return make


def everything():
    Image.new("RGB", (320, 300), "teal").save("photo.jpg")
    return {
        "subject_images": ["cat.png", Image.new("RGBA", (300, 300)), "tiny.png", "photo.jpg"],
        "scene_image": URL,
        "style_image": Image.new("L", (400, 900), 90),
        "n": 3,
        "aspect_ratio": "21:9",
        "model_name": "kling-v2",
        "callback_url": "https://example.org/done",
        "external_task_id": "cat 17",
        "watermark": True,
        "fit": True,
    }


def assert_the_same(form, task):
    """Hold that a form asks for what a task asked for."""
    assert form.settle()
    assert form.problems == {}
    assert form.request.digest == task.record.digest
    sent = {name: value for name, value in task.request.items() if name != "external_task_id"}
    assert form.request.summary() == sent
    bodies = [each.encode() for each in (form.request, request_of(form.session, task.record))]
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize(
    "prompt",
    [
        "a cat",
        None,
        "a {cat} and {{hat}}, {not this}",
        "{{{cat}}} {{1}} {}",
        "two\n\n lines\tand a tab",
        "“quotes” 'and' \"more\" \\ ; ? # -n 4",
        "猫 🐱 é",
    ],
    ids=repr,
)
def test_a_prompt_is_loaded_as_it_was_sent(kling, made, prompt):
    task = made(prompt)
    assert_the_same(kling.form(task=task), task)


def test_everything_is_loaded(kling, made):
    task = made("a cat", **everything())
    form = kling.form(task=task)
    assert_the_same(form, task)
    # The id was the task's own.
    assert form.request.external_task_id is None
    assert form.request.callback_url == "https://example.org/done"


def test_what_was_in_the_form_before_is_not_left_in_it(kling, made):
    task = made()
    form = kling.form("before", **{**everything(), "model_name": "kling-v2"})
    assert form.settle()
    assert_the_same(form.load(task=task), task)


def test_it_does_not_need_the_files_that_were_given(kling, made):
    task = made(subject_images=["cat.png", "hat.png"])
    for name in ("cat.png", "hat.png"):
        Path(name).unlink()
    assert_the_same(kling.form(task=task), task)


def test_the_other_arguments_count_more(kling, made):
    task = made("a cat", **everything())
    form = kling.form("a dog", task=task, n=1, subject_images="hat.png")
    assert form.settle()
    assert (form.request.prompt, form.request.n, form.request.aspect_ratio) == ("a dog", 1, "21:9")
    assert [reference.name for reference in form.request.subject_images] == ["hat.png"]
    assert form.request.scene_image.url == URL


def test_what_a_loaded_task_makes_is_found_by_reuse(kling, made):
    task = made("a cat")
    form = kling.form(task=task, reuse=True)
    assert form.generate().id == task.id


@pytest.mark.parametrize("inside", [True, False], ids=["in the working folder", "elsewhere"])
def test_pictures_are_named_by_where_they_are_kept(new_kling, files, sandbox, tmp_path, inside):
    kling = new_kling(workspace="kling_runs/sandbox" if inside else tmp_path / "my runs")
    task = kling.submit("a cat", subject_images=["cat.png", URL])
    assert [entry.source.text for _, entry in entries_of(kling.session, task.record, written_path)] == ["cat.png", URL]
    shutil.copy("hat.png", "cat.png")
    found = entries_of(kling.session, task.record, written_path)
    path = kling.session.workspace.folder / "references" / f"{task.references[0].sha256}.png"
    expected = path.relative_to(Path.cwd()) if inside else path
    assert [(role, entry.source) for role, entry in found] == [
        ("subject", Source(str(expected))),
        ("subject", Source(URL)),
    ]
    assert path.exists()
    task.cancel()


@pytest.mark.parametrize("damage", ["is missing", "was changed"])
def test_a_picture_that_is_not_there_any_more_is_said_in_its_slot(kling, made, damage):
    task = made(scene_image="hat.png")
    stored = kling.session.workspace.folder / "references" / f"{task.references[1].sha256}.png"
    stored.unlink()
    if damage == "was changed":
        # Another picture would be sent without a word.
        shutil.copy("cat.png", stored)
    shutil.copy("cat.png", "hat.png")
    form = kling.form(task=task)
    assert form.settle()
    assert form.request is None
    assert form.references.entries[0].problem == ""
    assert re.fullmatch(rf"The stored reference .* {damage}\.", form.references.entries[4].problem)
    with pytest.raises(WorkspaceError, match=damage):
        request_of(kling.session, task.record)


# --- the facts alone -----------------------------------------------------------------------------


def a_record(**request):
    reference = Reference("subject", "cat.png", "ab" * 32, media_type="image/png", width=300, height=300, size=1)
    summary = Request.checked(subject_images=(reference,), **request).summary()
    return TaskRecord(
        id="20261122-143005-00001",
        gateway="sandbox",
        request=summary,
        digest="0" * 64,
        references=(reference,),
        external_task_id="mine",
        created_at=1_795_357_805.0,
    )


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=200))
def test_the_loaded_prompt_gives_the_prompt_whatever_variables_there_are(prompt):
    try:
        record = a_record(prompt=prompt)
    except ValueError:
        return
    assert interpolate(fields_of(record)["prompt"], {}.__getitem__) == record.prompt


def test_fields_that_were_not_sent_are_empty():
    assert fields_of(a_record()) == {
        "prompt": "",
        "n": 1,
        "aspect_ratio": None,
        "model_name": "kling-v2-1",
        "callback_url": None,
        "external_task_id": None,
        "watermark": False,
    }


@pytest.mark.parametrize("watermark", [None, True, False])
def test_the_same_again_is_the_same_request(kling, made, watermark):
    task = made(" a cat \n", watermark=watermark, **{k: v for k, v in everything().items() if k != "watermark"})
    request = request_of(kling.session, task.record)
    assert request.digest == task.record.digest
    assert request.external_task_id is None
    assert request.callback_url == "https://example.org/done"
    assert [len(reference.data) for reference in request.references if not reference.url] == [
        reference.size for reference in task.references if not reference.url
    ]


# --- the list of earlier tasks -------------------------------------------------------------------


def test_earlier_tasks_are_listed_newest_first_by_their_ids(kling, made):
    assert history(kling.session) == [("none yet", "")]
    first = made("a cat\nwith a second line")
    second = made(None)
    (title, nothing), *listed = history(kling.session)
    assert (title, nothing) == ("2 earlier tasks", "")
    assert [some_id for _, some_id in listed] == [second.id, first.id]
    assert "no prompt" in listed[0][0]
    assert "a cat with a second line" in listed[1][0]
    assert all("succeeded" in text and "UTC" in text for text, _ in listed)


def test_a_long_history_is_cut_and_a_long_prompt_too(kling, made):
    task = made("x" * 2000)
    journal = kling.session.workspace.journal
    journal.insert(
        [
            replace(task.record, id=f"20200101-000000-{number:05d}", external_task_id=f"e{number}")
            for number in range(60)
        ]
    )
    (title, _), *listed = history(kling.session)
    assert len(listed) == 50
    assert all(len(text) < 120 for text, _ in listed)
    assert title
