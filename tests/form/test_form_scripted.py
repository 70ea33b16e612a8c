"""The form from Python: what it begins with, what it tells, and what it raises."""

import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kling_nb import ConfigurationError, InvalidRequest, Kling


def names(form):
    """What fills the slots; `./cat.png` is how a file is written that might be the attribute of a variable."""
    return [entry and entry.source.text.removeprefix("./") for entry in form.references.entries]


class TestToBeginWith:
    def test_everything(self, kling, files):
        form = kling.form(
            "a {cat}",
            subject_images=["cat.png", Path("hat.png"), Image.new("RGB", (320, 320))],
            scene_image="sea.png",
            style_image="https://example.org/ink.png",
            n=np.int64(3),
            aspect_ratio="3:2",
            model_name="kling-v2",
            callback_url="https://example.org/done",
            external_task_id="mine-1",
            watermark=True,
        )
        assert form.settle()
        request = form.request
        assert request.prompt == "a {cat}"
        assert [each.role for each in request.references] == ["subject"] * 3 + ["scene", "style"]
        assert (request.n, request.aspect_ratio, request.model_name) == (3, "3:2", "kling-v2")
        assert (request.callback_url, request.external_task_id) == ("https://example.org/done", "mine-1")
        assert request.watermark is True
        assert form.fields.n.value == 3
        assert type(form.fields.values()["n"]) is int

    def test_it_is_the_request_that_generate_sends(self, kling, files, bodies):
        given = {"subject_images": ["[ch]at.png", "ink.png"], "scene_image": "tiny.png", "fit": True, "n": 2}
        kling.generate("a {cat}", **given)
        kling.form("a {cat}", **given).generate().wait(quiet=True)
        assert bodies[0] == bodies[1]

    def test_an_earlier_task(self, kling, files):
        task = kling.generate("a {cat}", subject_images=["cat.png", "hat.png"], style_image="ink.png", n=2)
        form = kling.form(task=task)
        assert form.settle()
        assert form.request.digest == task.record.digest
        other = kling.form("another", task=task, subject_images="sea.png", n=1)
        assert other.settle()
        assert other.request.prompt == "another"
        assert [each.role for each in other.request.references] == ["subject", "style"]
        assert other.request.n == 1

    def test_what_has_a_name_is_written_by_it(self, variables, kling, files):
        variables["cat"] = Image.open("cat.png")
        form = kling.form(subject_images=variables["cat"])
        assert form.settle()
        assert names(form)[0] == "cat"

    def test_more_than_four_subjects_fill_no_other_slot(self, kling, files):
        form = kling.form(subject_images=["cat.png", "hat.png", "sea.png", "ink.png", "cat.png"])
        assert form.settle()
        assert names(form) == ["cat.png", None, None, None, None, None]
        assert "5 pictures" in form.problems["references"]

    def test_a_picture_that_is_wrong_is_said_in_its_slot(self, kling, files):
        form = kling.form(subject_images=5, style_image="nothing.png")
        assert "int" in form.problems["references"]
        assert "Does not exist" in form.references.slots[5].status.value

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"prompt": 5}, "prompt"),
            ({"n": "3"}, "n is"),
            ({"n": 10}, "1 to 9"),
            ({"aspect_ratio": "16x9"}, "did you mean 16:9"),
            ({"model_name": 5}, "model_name"),
            ({"callback_url": 5}, "callback_url"),
            ({"watermark": "yes"}, "watermark"),
            ({"reuse": []}, "reuse"),
            ({"task": "20251122"}, "task"),
            ({"colour": "red"}, "colour"),
        ],
    )
    def test_what_a_field_cannot_take_is_an_error_and_leaves_nothing(self, kling, files, given, words, widgets_left):
        with pytest.raises(InvalidRequest, match=words):
            kling.form(**given)
        assert widgets_left() == []


class TestLoading:
    @pytest.fixture
    def filled(self, kling, files):
        form = kling.form("a cat", subject_images=["cat.png", "hat.png"], scene_image="sea.png", n=2)
        assert form.settle()
        return form

    def test_what_is_not_given_stays(self, filled):
        filled.load(style_image="ink.png")
        assert filled.settle()
        assert names(filled) == ["cat.png", "hat.png", None, None, "sea.png", "ink.png"]
        filled.load(subject_images="ink.png", aspect_ratio="1:1")
        assert filled.settle()
        assert names(filled) == ["ink.png", None, None, None, "sea.png", "ink.png"]
        assert (filled.request.prompt, filled.request.n, filled.request.aspect_ratio) == ("a cat", 2, "1:1")

    def test_no_subjects(self, filled):
        assert filled.load(subject_images=[]) is filled
        assert names(filled) == [None, None, None, None, "sea.png", None]

    def test_all_or_nothing(self, filled):
        before = filled.request
        with pytest.raises(InvalidRequest):
            filled.load(prompt="another", n=77)
        assert filled.fields.prompt.value == "a cat"
        assert filled.request == before


class TestObserving:
    def test_the_request_is_told_when_it_changes(self, form, files, person):
        told = []
        form.observe(lambda change: told.append(change["new"]), "request")
        form.load(subject_images="cat.png")
        assert form.settle()
        person.types(form.fields.prompt, "a cat")
        person.types(form.fields.prompt, "a cat ")
        person.types(form.references.slots[0].source, "")
        assert [each and each.prompt for each in told] == [None, "a cat", None]
        assert told[0] is not None
        assert told[-1] is None

    def test_the_tasks_are_told_however_they_were_sent(self, kling, files, person):
        form = kling.form("a cat", subject_images="cat.png")
        told = []
        form.observe(lambda change: told.append(len(change["new"])), "tasks")
        first = form.generate()
        run = person.agrees(form)
        assert form.tasks == (first, run.task)
        assert told == [1, 2]

    def test_no_task_is_lost_when_threads_send_at_once(self, kling, files, person):
        form = kling.form("a cat", subject_images="cat.png")
        assert form.settle()
        inside, free = threading.Event(), threading.Event()
        set_trait = form.set_trait

        def late(name, value):
            if name == "tasks" and not inside.is_set():
                inside.set()
                assert free.wait(20)
            set_trait(name, value)

        form.set_trait = late
        person.clicks(form.paying.button)
        assert inside.wait(20)
        form.follow(kling.generate("meanwhile", subject_images="hat.png"))
        free.set()
        assert form.settle()
        assert {task.prompt for task in form.tasks} == {"a cat", "meanwhile"}

    def test_neither_can_be_set(self, form):
        import traitlets

        for name in ("request", "tasks"):
            with pytest.raises(traitlets.TraitError):
                setattr(form, name, None)

    def test_an_observer_that_raises_loses_no_task(self, kling, files, person):
        form = kling.form("a cat", subject_images="cat.png")
        assert form.settle()

        def raises(change):
            raise ValueError("mine")

        form.observe(raises)
        run = person.agrees(form)
        assert run.failed == ""
        assert len(run.task.images) == 1
        assert form.tasks == (run.task,)
        assert "ValueError: mine" in form.whole.message.value
        person.types(form.fields.prompt, "a hat")
        assert form.request.prompt == "a hat"


class TestGenerate:
    def test_it_returns_at_once_and_shows_below(self, kling, files, person, sandbox):
        sandbox.hold()
        form = kling.form("a cat", subject_images="cat.png")
        task = form.generate()
        assert not task.done
        assert form.tasks == (task,)
        assert form.results.runs[0].task is task
        sandbox.release()
        task.wait(quiet=True)
        assert person.waits(form).result.outputs

    def test_what_is_wrong_is_raised_with_everything(self, form, files):
        form.load(prompt="x" * 2501, callback_url="nowhere")
        with pytest.raises(InvalidRequest) as caught:
            form.generate()
        for words in ("at least one subject", "2,500", "nowhere"):
            assert words in str(caught.value)
        assert form.results.runs == []

    def test_what_was_missing_may_be_there_now(self, variables, kling, files, person):
        form = kling.form(subject_images="cat.png")
        assert form.settle()
        person.types(form.fields.prompt, "{colour}")
        assert form.request is None
        variables["colour"] = "red"
        assert form.generate().prompt == "red"

    def test_a_large_one_needs_yes(self, new_kling, files, sandbox):
        form = new_kling(confirm_above=2).form("a cat", subject_images="cat.png", n=3)
        with pytest.raises(InvalidRequest, match="3 images"):
            form.generate()
        assert "3 images" in form.results.runs[0].failed
        assert form.generate(yes=True).n == 3

    def test_no_key(self, files):
        form = Kling(base_url="https://example.org/kling").form("a cat", subject_images="cat.png")
        with pytest.raises(ConfigurationError, match="key"):
            form.generate()
        assert form.tasks == ()

    def test_what_changed_is_raised(self, kling, files, pictures):
        form = kling.form("a cat", subject_images="cat.png")
        assert form.settle()
        Path("cat.png").write_bytes(pictures(17))
        with pytest.raises(InvalidRequest, match="Subject 1 has changed since it was shown"):
            form.generate()
        form.generate().wait(quiet=True)


def test_the_repr_says_how_it_is(kling, files, person):
    form = kling.form("a cat", subject_images="cat.png")
    assert "form" in repr(form)
    form.close()
    assert "closed" in repr(form)


def test_its_widget_can_be_put_into_a_layout(form):
    import ipywidgets

    box = ipywidgets.HBox([form.widget])
    assert box.children == (form.whole.box,)
    box.close()
