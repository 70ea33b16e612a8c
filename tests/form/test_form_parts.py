"""What the widgets of a form share, so that a form is few messages."""

import pytest
from ipywidgets.widgets import widget as widget_module

MOST = 200
"""Comms of one form: two forms and their updates stay below the 1,000 messages that a kernel keeps for a late reader."""


@pytest.fixture
def filled(form):
    form.load(prompt="a cat", subject_images="cat.png")
    assert form.settle()
    return form


def test_a_form_opens_few_comms(kling):
    before = set(widget_module._instances)
    kling.form()
    assert len(set(widget_module._instances) - before) <= MOST


def test_what_is_done_to_the_layout_of_a_form_is_done_to_it_alone(filled, person):
    run = person.agrees(filled)
    filled.widget.layout.width = "500px"
    parts = [run.box, *run.box.children, filled.fields.prompt, filled.paying.button, filled.references.slots[0].tile]
    assert [part.layout.width for part in parts] == [None] * len(parts)


def test_a_card_that_is_taken_off_leaves_the_others_their_layout_and_style(filled, person):
    first = person.agrees(filled)
    person.chooses(filled.fields.n, 2)
    second = person.agrees(filled)
    person.clicks(first.dismiss)
    assert first.box.comm is None
    for part in (second.box, second.again, filled.paying.button, filled.fields.prompt):
        assert part.layout.comm is not None
    for part in (second.again, second.head, filled.paying.button, filled.fields.prompt):
        assert part.style.comm is not None


def test_two_forms_share_nothing(kling):
    one, other = kling.form(), kling.form()
    one.close()
    assert other.fields.prompt.layout.comm is not None
    assert other.paying.button.style.comm is not None
