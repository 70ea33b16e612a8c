"""Before paying: what it takes, a second click for a large request, and no key; and what changed meanwhile."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import kling_nb
from kling_nb import Kling
from kling_nb.form.parts import revealed
from kling_nb.key import kernel


@pytest.fixture
def filled(form):
    form.load(prompt="a cat", subject_images="cat.png")
    assert form.settle()
    return form


@pytest.fixture
def creates(sandbox):
    """The requests for images that came to the sandbox."""
    return lambda: [seen for seen in sandbox.requests if seen.method == "POST"]


class TestTheRow:
    def test_what_it_takes_in_the_sandbox(self, filled, person):
        person.chooses(filled.fields.n, 3)
        assert "3 images · 3 slots · nothing is billed · sandbox" in filled.paying.why.value

    def test_what_it_takes_where_it_is_paid(self, files, person):
        kling = Kling("a-key", base_url="https://example.org/kling", price_per_image=0.028, currency="EUR")
        form = kling.form("a cat", subject_images="cat.png", n=2)
        assert form.settle()
        assert "2 images · 2 slots · 0.056 EUR · https://example.org/kling" in form.paying.why.value
        assert not revealed(form.paying.sandbox)
        assert not revealed(form.paying.retry)
        assert not form.paying.button.disabled

    def test_one_click_sends_one_request(self, filled, person, creates):
        run = person.agrees(filled)
        assert run.task.task_status == "succeeded"
        assert len(creates()) == 1

    def test_a_button_that_is_disabled_sends_nothing_even_from_python(self, filled, person, creates):
        person.types(filled.references.slots[0].source, "")
        filled.paying.button.click()
        assert filled.settle()
        assert filled.results.runs == []
        assert creates() == []


class TestLargeRequests:
    @pytest.fixture
    def form(self, new_kling, files):
        return new_kling(confirm_above=2, price_per_image=1).form()

    def test_a_second_click_sends(self, filled, person, creates):
        person.chooses(filled.fields.n, 3)
        assert not revealed(filled.paying.back)
        person.clicks(filled.paying.button)
        assert "3 images" in filled.paying.agree.description
        assert revealed(filled.paying.back)
        assert revealed(filled.paying.agree)
        # A double click is no agreement.
        assert filled.paying.button.disabled
        person.clicks(filled.paying.button)
        assert filled.settle()
        assert creates() == []
        person.clicks(filled.paying.agree)
        run = person.waits(filled)
        assert len(run.task.images) == 3
        assert not filled.paying.button.disabled
        assert not revealed(filled.paying.agree)
        assert not revealed(filled.paying.back)

    def test_going_back_sends_nothing(self, filled, person, creates):
        person.chooses(filled.fields.n, 3)
        person.clicks(filled.paying.button)
        person.clicks(filled.paying.back)
        assert not filled.paying.button.disabled
        assert not revealed(filled.paying.agree)
        person.clicks(filled.paying.button)
        assert filled.settle()
        assert creates() == []

    def test_a_change_takes_the_question_back(self, filled, person, creates):
        person.chooses(filled.fields.n, 3)
        person.clicks(filled.paying.button)
        person.chooses(filled.fields.n, 9)
        assert filled.paying.button.description == "Generate"
        person.clicks(filled.paying.button)
        assert filled.settle()
        assert creates() == []

    def test_not_asked_up_to_the_limit(self, filled, person, creates):
        person.chooses(filled.fields.n, 2)
        person.agrees(filled)
        assert len(creates()) == 1


class TestNoKey:
    @pytest.fixture
    def form(self, files):
        return Kling(base_url="https://example.org/kling").form()

    def test_it_offers_the_sandbox_and_says_how_to_give_a_key(self, filled):
        assert filled.paying.button.disabled
        assert "%kling login" in filled.paying.why.value
        assert "KLING_API_KEY" in filled.paying.why.value
        assert revealed(filled.paying.sandbox)
        assert revealed(filled.paying.retry)

    def test_there_is_no_field_for_it(self, filled):
        from ipywidgets.widgets.widget import _instances

        kinds = {type(each).__name__ for each in _instances.values()}
        assert "Password" not in kinds
        for each in _instances.values():
            words = f"{getattr(each, 'description', '')} {getattr(each, 'placeholder', '')}".lower()
            assert "api key" not in words
            assert "api_key" not in words

    def test_looking_again_finds_one(self, filled, person, monkeypatch):
        person.clicks(filled.paying.retry)
        assert filled.paying.button.disabled
        monkeypatch.setenv("KLING_API_KEY", "a-key")
        person.clicks(filled.paying.retry)
        assert not filled.paying.button.disabled
        assert not revealed(filled.paying.sandbox)
        assert "a-key" not in repr([filled.paying.why.value, filled.code.python._text.value])

    def test_the_sandbox_is_one_click_away(self, sandbox, filled, person):
        person.clicks(filled.paying.sandbox)
        assert not filled.paying.button.disabled
        assert "sandbox" in filled.paying.why.value
        assert not revealed(filled.paying.sandbox)
        assert filled.session.settings.sandbox
        task = filled.generate()
        task.wait(quiet=True)
        assert task.record.sandbox

    def test_that_of_the_magic_turns_the_kernel_to_it(self, shell, files, sandbox, person):
        form = kling_nb.default().form("a cat", subject_images="cat.png")
        assert form.settle()
        assert form.paying.button.disabled
        person.clicks(form.paying.sandbox)
        assert kernel.sandbox is True
        assert kling_nb.default().settings.sandbox
        assert not form.paying.button.disabled


class TestSettingsThatGoWrong:
    def test_it_is_said_and_nothing_can_be_sent_until_it_is_right(self, shell, files, sandbox, person):
        kernel.sandbox = True
        form = kling_nb.default().form("a cat", subject_images="cat.png")
        assert form.settle()
        assert form.request is not None
        kling_nb.kling.configure({"slots": "many"})
        person.types(form.fields.prompt, "a hat")
        assert "slots" in form.paying.why.value
        assert form.paying.button.disabled
        assert form.request is None
        kling_nb.kling.configure({})
        person.types(form.fields.prompt, "a cap")
        assert form.request.prompt == "a cap"
        assert not form.paying.button.disabled


class TestChangedMeanwhile:
    def changed(self, form, person, creates):
        before = form.references.entries[0].thumbnail
        run = person.agrees(form)
        assert creates() == []
        assert form.tasks == ()
        assert "has changed since it was shown" in run.failed
        assert revealed(run.progress)
        assert form.references.entries[0].thumbnail != before
        person.agrees(form)
        assert len(creates()) == 1

    def test_a_variable(self, variables, form, person, creates):
        variables["cat"] = Image.new("RGB", (400, 300), "red")
        person.types(form.references.slots[0].source, "cat")
        assert form.settle()
        variables["cat"] = Image.new("RGB", (500, 300), "blue")
        self.changed(form, person, creates)
        assert "500 × 300" in form.references.slots[0].status.value
        assert form.tasks[0].references[0].width == 500

    def test_a_picture_that_is_drawn_on(self, variables, form, person, creates):
        variables["cat"] = Image.new("RGB", (400, 300), "red")
        person.types(form.references.slots[0].source, "cat")
        assert form.settle()
        variables["cat"].paste("blue", (0, 0, 200, 300))
        self.changed(form, person, creates)

    def test_a_file(self, filled, person, creates, pictures):
        Path("cat.png").write_bytes(pictures(17, 500, 300))
        self.changed(filled, person, creates)

    def test_a_variable_that_is_gone(self, variables, form, person, creates):
        variables["cat"] = Image.new("RGB", (400, 300), "red")
        person.types(form.references.slots[0].source, "cat")
        assert form.settle()
        del variables["cat"]
        run = person.agrees(form)
        assert "Subject 1 has changed" in run.failed
        assert "cat" in form.references.slots[0].status.value
        assert form.paying.button.disabled
        assert creates() == []

    def test_a_variable_in_the_prompt(self, variables, filled, person, creates):
        variables["colour"] = "red"
        person.types(filled.fields.prompt, "a {colour} cat")
        variables["colour"] = "blue"
        run = person.agrees(filled)
        assert creates() == []
        assert "prompt" in run.failed
        assert "a blue cat" in filled.fields.sent.value
        run = person.agrees(filled)
        assert run.task.prompt == "a blue cat"

    def test_what_is_typed_after_the_click_is_not_sent(self, variables, form, person, slow):
        variables["later"] = slow()
        person.types(form.references.slots[0].source, "later")
        variables["later"].free.set()
        assert form.settle()
        person.types(form.fields.prompt, "as agreed")
        variables["later"].asked.clear()
        variables["later"].free.clear()
        person.clicks(form.paying.button)
        assert variables["later"].asked.wait(20)
        person.types(form.fields.prompt, "another")
        variables["later"].free.set()
        run = person.waits(form)
        assert run.task.prompt == "as agreed"
        assert form.request.prompt == "another"


class TestWhatWasSeen:
    """A press may overtake the changes that were made before it, when the kernel is at work."""

    def seen(self, form, **other):
        """What the page shows when the button is pressed."""
        values = [getattr(widget, name) for widget, name in form._inputs()]
        for field, value in other.items():
            index = next(i for i, (widget, _) in enumerate(form._inputs()) if widget is getattr(form.fields, field))
            values[index] = value
        return {"kind": "press", "values": values}

    @pytest.mark.parametrize("other", [{"n": 3}, {"prompt": "a dog"}, {"aspect_ratio": 4}, {"reuse": True}])
    def test_what_the_kernel_has_not_heard_of_is_not_sent(self, filled, person, creates, other):
        live = filled.paying._first.live
        person.tells(live, self.seen(filled, **other))
        assert filled.results.runs == []
        assert "Nothing was sent" in filled.paying.why.value
        # The changes come in, and what was said stays until the next press.
        person.types(filled.fields.prompt, "a dog")
        assert "Nothing was sent" in filled.paying.why.value
        person.tells(live, self.seen(filled))
        person.waits(filled)
        assert "Nothing was sent" not in filled.paying.why.value
        assert len(filled.results.runs) == 1

    def test_every_field_and_every_slot_counts(self, filled):
        widgets = [widget for widget, _ in filled._inputs()]
        fields = filled.fields
        for widget in (fields.prompt, fields.n, fields.aspect_ratio, fields.model_name, fields.callback_url):
            assert widget in widgets
        for widget in (fields.external_task_id, fields.watermark, fields.reuse):
            assert widget in widgets
        assert all(slot.source in widgets for slot in filled.references.slots)

    def test_the_plain_button_stands_in_until_the_other_is_there(self, filled, person):
        first = filled.paying._first
        assert revealed(first.plain)
        person.tells(first.live, {"kind": "ready"})
        assert not revealed(first.plain)
        assert revealed(first.live)
        assert (first.live.label, first.live.disabled) == ("Generate", False)

    def test_agreement_to_many_counts_for_what_was_seen(self, filled, person):
        filled.session.settings = replace(filled.session.settings, confirm_above=2)
        person.chooses(filled.fields.n, 3)
        person.clicks(filled.paying.button)
        person.tells(filled.paying._second.live, self.seen(filled, n=8))
        assert filled.results.runs == []
        assert not revealed(filled.paying.agree)
        assert "Nothing was sent" in filled.paying.why.value

    def test_a_message_that_is_none_does_nothing(self, filled, person):
        for message in ({}, {"kind": "press"}, {"kind": "other"}, "press"):
            person.tells(filled.paying._first.live, message)
        assert filled.results.runs == []
