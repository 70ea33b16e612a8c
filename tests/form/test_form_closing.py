"""A form leaves nothing behind, disturbs no other form, and stores nothing that is no business of a notebook."""

import base64
import json
from pathlib import Path

import pytest
from ipywidgets.widgets.widget import _instances
from PIL import Image

from kling_nb import Kling
from kling_nb.form import places


def names(form):
    return [entry and entry.source.text.removeprefix("./") for entry in form.references.entries]


class TestClosing:
    def test_no_widget_and_no_thread_is_left(self, kling, files, person, pictures, widgets_left, threads):
        form = kling.form("a cat", subject_images="cat.png", style_image="tiny.png")
        person.uploads(form.references.slots[1], "hat.png", pictures(7))
        person.drops(form.references.slots[2], ("sea.png", pictures(8)))
        person.clicks(form.references.slots[3]._fallback.children[-1])
        assert form.settle()
        person.clicks(form.references.slots[5].cure)
        assert form.settle()
        person.agrees(form)
        person.clicks(person.agrees(form).dismiss)
        assert widgets_left()
        form.close()
        assert widgets_left() == []
        assert threads() == []
        assert places.all_open() == []

    def test_twice_and_in_any_state(self, kling, files):
        form = kling.form()
        form.close()
        form.close()
        assert form.settle()
        assert form.widget.comm is None

    def test_while_a_task_is_under_way(self, kling, files, person, sandbox, threads, widgets_left):
        sandbox.hold()
        form = kling.form("a cat", subject_images="cat.png")
        task = form.generate()
        form.close()
        assert threads() == []
        assert widgets_left() == []
        sandbox.release()
        task.wait(quiet=True)
        assert [each.id for each in kling.tasks()] == [task.id]
        assert len(kling.tasks()[0].images) == 1

    def test_while_a_picture_is_looked_at(self, variables, kling, files, person, slow, widgets_left, monkeypatch):
        variables["later"] = slow()
        form = kling.form()
        person.types(form.references.slots[0].source, "later")
        assert variables["later"].asked.wait(20)
        stop = form._crew.stop
        monkeypatch.setattr(form._crew, "stop", lambda join: stop(join=0.01))
        thread = form._crew._threads[0]
        form.close()
        variables["later"].free.set()
        thread.join(20)
        assert not thread.is_alive()
        assert widgets_left() == []

    def test_while_a_click_is_being_sent(self, variables, kling, files, person, slow, threads):
        variables["later"] = slow()
        form = kling.form()
        person.types(form.references.slots[0].source, "later")
        variables["later"].free.set()
        assert form.settle()
        variables["later"].asked.clear()
        variables["later"].free.clear()
        person.clicks(form.paying.button)
        assert variables["later"].asked.wait(20)
        variables["later"].free.set()
        form.close()
        assert threads() == []
        (task,) = form.tasks
        task.wait(quiet=True)
        assert [each.id for each in kling.tasks()] == [task.id]

    def test_what_python_still_does_with_it_hangs_nowhere(self, kling, files):
        form = kling.form("a cat", subject_images="cat.png")
        assert form.settle()
        form.close()
        assert form.settle()
        form.load(prompt="another", scene_image="sea.png")
        assert form.tasks == ()
        assert "closed" in repr(form)

    def test_a_form_that_nobody_holds_goes_on(self, kling, files, person):
        import gc

        kling.form("a cat", subject_images="cat.png")
        gc.collect()
        (form,) = places.all_open()
        assert form.settle()
        assert form.request is not None


class TestTwoForms:
    def test_neither_disturbs_the_other(self, kling, files, person, threads):
        one, other = kling.form("one", subject_images="cat.png"), kling.form("other", subject_images="hat.png")
        person.types(other.fields.prompt, "another")
        assert one.settle()
        assert other.settle()
        assert (one.request.prompt, other.request.prompt) == ("one", "another")
        person.agrees(one)
        assert other.tasks == ()
        assert other.results.runs == []
        one.close()
        person.types(other.references.slots[1].source, "sea.png")
        assert other.settle()
        assert person.agrees(other).task.prompt == "another"
        assert one._showing.name != other._showing.name


class TestState:
    def test_no_key_no_upload_and_nothing_large(self, files, sandbox, person, monkeypatch):
        key = "sk-very-secret-4711"
        monkeypatch.setenv("KLING_API_KEY", key)
        real = Kling(base_url=sandbox.base_url, poll_interval=0.01, timeout=30)
        form = real.form("a cat", n=9)
        noise = Image.effect_noise((700, 700), 90).convert("RGB")
        noise.save("noise.png")
        uploads = [Path("noise.png").read_bytes(), Path("noise.png").read_bytes() + b"x"]
        person.drops(form.references.slots[0], ("a.png", uploads[0]))
        person.uploads(form.references.slots[1], "b.png", uploads[1])
        assert form.settle()
        run = person.agrees(form)
        assert len(run.task.images) == 9
        states = [each.get_state() for each in list(_instances.values())]
        stored = json.dumps(states, default=lambda value: base64.b64encode(value).decode())
        stored += json.dumps(form._showing._static())
        assert len(states) > 100
        assert key not in stored
        for upload in uploads:
            assert base64.b64encode(upload[3000:6000]).decode() not in stored
        assert [state for state in states if state.get("_model_name") == "FileUploadModel" and state["value"]] == []
        assert len(stored) < 1_000_000

    def test_the_thumbnail_of_a_tile_is_no_state(self, form, files, person):
        person.types(form.references.slots[0].source, "cat.png")
        assert form.settle()
        tile = form.references.slots[0].tile
        assert tile._thumbnail
        assert all(not isinstance(value, (bytes, memoryview)) for value in tile.get_state().values())
        assert set(tile.keys) & {"thumbnail", "picture"} == set()

    @pytest.mark.parametrize("alive", [True, False])
    def test_a_thumbnail_is_in_the_fallback_alone(self, form, files, person, alive):
        slot = form.references.slots[0]
        if alive:
            person.tells(slot.tile, {"kind": "ready"})
        person.types(slot.source, "cat.png")
        assert form.settle()
        assert ("base64" in slot.picture.value) == (not alive)


def test_two_forms_of_one_cell_stay_until_it_is_run_again(shell, kling):
    # As a front end tells it; in a real kernel the messages of two forms at once are more than are kept for a
    # reader who is late.
    shell.parent_header = {"metadata": {"cellId": "x"}}
    one, other = kling.form(), kling.form()
    assert not {one, other} - set(places.all_open())
    shell.execution_count += 1
    new = kling.form()
    assert places.all_open() == [new]
    assert repr(one) == repr(other) == "<kling_nb form: closed>"
