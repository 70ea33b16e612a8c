"""The kernel's side of a rating in a notebook: what it answers, and what it keeps out of the widget's state."""

import json
import logging

import pytest
from ipywidgets import Widget

from kling_nb.compare.rating.widget import RatingWidget
from kling_nb.errors import KlingError

STUDY = {"name": "Rating", "question": "Which one?", "protocol": "pairs", "scale": [], "count": 1, "rater": None}
STARTED = {
    "items": [{"item": "i1", "pictures": ["p1", "p2"], "prompt": None, "references": []}],
    "answered": {"i0": "tie"},
}
ANSWER = {"item": "i1", "pictures": ["p1", "p2"], "choice": "left", "milliseconds": 5, "answered_at": "2026-01-01"}


class Desk:
    """A core of a rating that writes down what it is asked."""

    def __init__(self):
        self.stored = []

    def study(self):
        return STUDY

    def start(self, rater):
        if not rater:
            raise KlingError("A rater needs a name.", advice="Give one.")
        return STARTED

    def picture(self, token):
        return b"\xff\xd8 the picture " + token.encode()

    def answer(self, rater, answer):
        if answer["choice"] == "tie":
            raise KlingError("The disk is full.")
        self.stored.append((rater, answer))

    def reveal(self, rater, moment):
        raise KeyError("the-secret-label")


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def widget(desk):
    made = RatingWidget(desk)
    made.sent = []
    made.send = lambda content, buffers=None: made.sent.append((content, buffers))
    yield made
    made.close()


def ask(widget, **message):
    widget._handle_custom_msg({"id": "q", **message}, [])
    content, buffers = widget.sent.pop()
    assert content.pop("id") == "q"
    return content, buffers


def test_every_question_has_its_answer(widget, desk):
    assert ask(widget, kind="hello") == ({"kind": "reply", "value": {"study": STUDY}}, None)
    assert ask(widget, kind="start", rater="Anna") == ({"kind": "reply", "value": STARTED}, None)
    assert ask(widget, kind="picture", picture="p1") == (
        {"kind": "reply", "value": None},
        [b"\xff\xd8 the picture p1"],
    )
    assert ask(widget, kind="answer", rater="Anna", answer=ANSWER) == ({"kind": "reply", "value": None}, None)
    assert desk.stored == [("Anna", ANSWER)]


def test_what_is_refused_is_said_as_it_was_raised(widget, desk):
    assert ask(widget, kind="start", rater="") == (
        {"kind": "failed", "message": "A rater needs a name.\nGive one."},
        None,
    )
    content, _ = ask(widget, kind="answer", rater="Anna", answer=ANSWER | {"choice": "tie"})
    assert content == {"kind": "failed", "message": "The disk is full."}
    assert desk.stored == []


def test_an_error_of_the_core_names_nothing_that_is_hidden(widget, caplog):
    with caplog.at_level(logging.ERROR):
        content, _ = ask(widget, kind="reveal")
    assert content["kind"] == "failed"
    assert "KeyError" in content["message"]
    assert "secret" not in content["message"]
    assert "the-secret-label" in caplog.text


@pytest.mark.parametrize("message", [None, [], "hello", {}, {"kind": "another"}, {"kind": ["hello"]}])
def test_other_messages_are_let_be(widget, message):
    widget._handle_custom_msg(message, [])
    assert widget.sent == []


def test_a_malformed_answer_is_an_answer_all_the_same(widget, desk):
    content, _ = ask(widget, kind="answer")
    assert content["kind"] == "failed"
    assert desk.stored == []


def test_a_form_that_was_taken_over_asks_for_nothing_and_loses_nothing(widget, desk):
    widget.take_over()
    assert widget.sent.pop() == ({"kind": "taken over"}, None)
    assert ask(widget, kind="hello")[0] == {"kind": "reply", "value": {"taken_over": True}}
    assert ask(widget, kind="start", rater="Anna")[0]["kind"] == "failed"
    ask(widget, kind="answer", rater="Anna", answer=ANSWER)
    assert desk.stored == [("Anna", ANSWER)]


def test_the_state_has_nothing_of_the_rating(widget):
    for message in ({"kind": "hello"}, {"kind": "start", "rater": "Anna"}, {"kind": "picture", "picture": "p1"}):
        ask(widget, **message)
    ask(widget, kind="answer", rater="Anna", answer=ANSWER)
    own = {name for name in widget.keys if name not in Widget.class_trait_names()}
    state = {name: value for name, value in widget.get_state().items() if name not in ("_esm", "_css", "layout")}
    assert not any("Which one" in json.dumps(value, default=str) for value in state.values())
    assert own <= {"_esm", "_css", "_anywidget_id", "layout", "tabbable", "tooltip", "_dom_classes"}


def test_without_widgets_a_text_says_what_else_there_is(widget, capsys):
    data, _ = widget._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    for kind in ("text/plain", "text/html"):
        assert "export_rating" in data[kind]
    widget._ipython_display_()
    assert "export_rating" in capsys.readouterr().out
