"""The fields: checked at every key, with what is wrong beside them."""

import pytest

from kling_nb.form.parts import revealed
from kling_nb.records import ASPECT_RATIOS


@pytest.fixture
def filled(form):
    """A form with a subject, in which nothing is wrong."""
    form.load(subject_images="cat.png")
    assert form.settle()
    assert not form.paying.button.disabled
    return form


def said(form, field):
    return form.fields.problems[field].value


def test_an_empty_form_says_what_to_do_first(form):
    assert form.paying.button.disabled
    assert "at least one subject" in form.paying.why.value
    assert form.request is None
    assert [said(form, field) for field in form.fields.problems] == [""] * len(form.fields.problems)


def test_the_prompt_is_counted_and_may_be_left_out(filled, person):
    assert filled.request.prompt is None
    person.types(filled.fields.prompt, "  a cat\n")
    assert "5 of 2,500" in filled.fields.count.value
    assert filled.request.prompt == "a cat"
    person.types(filled.fields.prompt, "x" * 2400)
    assert "100 left" in filled.fields.count.value
    person.types(filled.fields.prompt, "x" * 2501)
    assert "2,501 of 2,500" in filled.fields.count.value
    assert "kling-count-over" in filled.fields.count.value
    assert "2,500" in said(filled, "prompt")
    assert filled.paying.button.disabled
    assert "Prompt" in filled.paying.why.value
    assert filled.request is None
    person.types(filled.fields.prompt, "x" * 2500)
    assert said(filled, "prompt") == ""
    assert not filled.paying.button.disabled


def test_variables_are_shown_as_they_are_sent(variables, filled, person):
    variables.update(colour="re<d", count=3)
    person.types(filled.fields.prompt, "{count} {colour} cats, {{colour}} and {not a name}")
    assert "3 re&lt;d cats, {colour} and {not a name}" in filled.fields.sent.value
    assert filled.request.prompt == "3 re<d cats, {colour} and {not a name}"
    person.types(filled.fields.prompt, "a cat")
    assert filled.fields.sent.value == ""


@pytest.mark.parametrize(
    ("prompt", "words"), [("{coluor}", "colour"), ("{cats}", "cats"), ("{yes}", "yes"), ("{nothing}", "nothing")]
)
def test_a_variable_that_cannot_be_put_in(variables, filled, person, prompt, words):
    variables.update(colour="red", cats=[], yes=True, nothing=None)
    person.types(filled.fields.prompt, prompt)
    assert words in said(filled, "prompt")
    assert "--raw" not in said(filled, "prompt")
    assert filled.paying.button.disabled
    assert filled.request is None


def test_the_length_is_that_of_what_is_sent(variables, filled, person):
    variables["long"] = "x" * 2600
    person.types(filled.fields.prompt, "{long}")
    assert "2,600 of 2,500" in filled.fields.count.value
    assert filled.paying.button.disabled


def test_choices(filled, person):
    for ratio in ASPECT_RATIOS:
        person.chooses(filled.fields.aspect_ratio, ratio)
        assert filled.request.aspect_ratio == ratio
    person.chooses(filled.fields.aspect_ratio, "")
    assert filled.request.aspect_ratio is None
    for count in range(1, 10):
        person.chooses(filled.fields.n, count)
        assert filled.request.n == count
    person.types(filled.fields.watermark, True)
    assert filled.request.watermark is True
    person.types(filled.fields.watermark, False)
    assert filled.request.watermark is None


def test_an_unknown_model_is_only_warned_of(filled, person):
    assert filled.request.model_name == "kling-v2-1"
    assert filled.whole.warnings.value == ""
    person.types(filled.fields.model_name, "kling-v9")
    assert "kling-v9" in filled.whole.warnings.value
    assert said(filled, "model_name") == ""
    assert filled.request.model_name == "kling-v9"
    assert not filled.paying.button.disabled
    person.types(filled.fields.model_name, "")
    assert filled.whole.warnings.value == ""
    assert filled.request.model_name == "kling-v2-1"


@pytest.mark.parametrize(
    ("field", "wrong", "right"),
    [
        ("callback_url", "example.org", "https://example.org/done"),
        ("external_task_id", "x" * 5000, "mine-17"),
        ("model_name", "a\nmodel", "kling-v2"),
    ],
)
def test_a_wrong_text_is_said_beside_its_field_and_in_the_reason(filled, person, field, wrong, right):
    widget = getattr(filled.fields, field)
    person.types(widget, wrong)
    assert said(filled, field)
    assert filled.paying.button.disabled
    assert said(filled, field).removeprefix('<span role="alert">')[:20] in filled.paying.why.value
    assert filled.problems.keys() == {field}
    person.types(widget, right)
    assert said(filled, field) == ""
    assert getattr(filled.request, field) == right


def test_everything_that_is_wrong_is_said_at_once(form, person):
    person.types(form.fields.prompt, "{nobody}")
    person.types(form.fields.callback_url, "nowhere")
    person.types(form.references.slots[0].source, "nothing.png")
    assert form.settle()
    assert said(form, "prompt")
    assert said(form, "callback_url")
    assert 'role="alert"' in form.references.slots[0].status.value
    assert form.paying.button.disabled


def test_what_is_typed_is_text_and_no_markup(filled, person):
    person.types(filled.fields.prompt, "<script>{{x}} & {x}")
    for widget in (filled.fields.sent, filled.code.python._text, filled.fields.problems["prompt"]):
        assert "<script" not in widget.value


def test_folded_parts_open_and_close(form, person):
    from ipywidgets.widgets.widget import _instances

    switches = [each for each in _instances.values() if type(each).__name__ == "ToggleButton"]
    assert {switch.description for switch in switches} == {"▸ More options", "▸ The same as code"}
    for switch in switches:
        switch.set_state({"value": True})
        assert switch.description.startswith("▾")
    assert revealed(form.code.box)
    switches[0].set_state({"value": False})
    assert switches[0].description.startswith("▸")


def test_every_control_has_a_name(form):
    from ipywidgets.widgets.widget import _instances

    for each in _instances.values():
        if type(each).__name__ in ("Button", "ToggleButton", "FileUpload"):
            assert each.tooltip, each
        if type(each).__name__ in ("Text", "Textarea", "Combobox", "Dropdown", "Checkbox", "ToggleButtons"):
            assert each.description, each
