"""The form as a widget: what it hands out, what it takes in, and what it keeps to itself."""

import json
import logging
from pathlib import Path

import pytest

from kling_nb.errors import InvalidRequest

QUESTION = "Which one is better?"


class Front:
    """A front end: it sends messages, and remembers what comes."""

    def __init__(self, widget, monkeypatch):
        self.widget, self.told = widget, []
        monkeypatch.setattr(type(widget), "send", lambda _, content, buffers=None: self.told.append((content, buffers)))

    def ask(self, kind, **content):
        number = len(self.told) + 1
        self.widget._handle_custom_msg({"kind": kind, "id": number, **content}, [])
        content, buffers = self.told[-1]
        assert content["id"] == number
        return content, buffers

    def value(self, kind, **content):
        told, _ = self.ask(kind, **content)
        assert told["kind"] == "reply", told
        return told["value"]


@pytest.fixture
def comparison(compare):
    return compare(n=1)


@pytest.fixture
def front(comparison, monkeypatch):
    rating = comparison.rate(QUESTION, by="model_name", criterion="identity")
    made = Front(rating.widget(), monkeypatch)
    made.rating = rating
    yield made
    rating.close()


def answer(item, choice="left", second=0):
    said = {"item": item["item"], "pictures": item["pictures"], "choice": choice, "milliseconds": 800}
    return said | {"answered_at": f"2026-01-01T00:00:{second:02d}.000Z"}


def test_a_rating_from_start_to_result(front):
    study = front.value("hello")["study"]
    assert (study["question"], study["rater"], study["answered"]) == (QUESTION, None, 0)
    items = front.value("start", rater=" ana ")["items"]
    assert len(items) == 3
    for number, item in enumerate(items):
        _, buffers = front.ask("picture", picture=item["pictures"][0])
        assert buffers[0][:3] == b"\xff\xd8\xff"
        assert front.ask("reveal", rater="ana")[0]["kind"] == "failed"
        front.value("answer", rater="ana", answer=answer(item, second=number))
        assert front.rating.answered == {"ana": number + 1}
        assert front.value("hello")["study"]["answered"] == number + 1
    html = front.value("reveal", rater="ana")
    assert "identity" in html
    assert "kling-v2-1" in html


def test_nothing_that_was_said_before_the_end_tells_a_level(front):
    front.ask("hello")
    items = front.value("start", rater="ana")["items"]
    for number, item in enumerate(items):
        front.ask("picture", picture=item["pictures"][1])
        front.ask("answer", rater="ana", answer=answer(item, second=number))
    said = json.dumps([content for content, _ in front.told])
    assert "kling-v2" not in said
    state = json.dumps({name: str(value) for name, value in front.widget.get_state().items() if name[:1] != "_"})
    assert "kling-v2" not in state
    assert items[0]["item"] not in state
    assert "kling-v2" not in json.dumps(front.widget._repr_mimebundle_()[0])


@pytest.mark.parametrize("spoil", ["missing", "cut", "nothing"])
def test_a_picture_that_cannot_be_read_tells_no_level(kling, cat, monkeypatch, caplog, spoil):
    made = kling.compare(subject_images=cat, vary={"prompt": ["a red fox", "a grey heron"]}).run(quiet=True)
    for image in made.images:
        if spoil == "missing":
            image.path.unlink()
        else:
            image.path.write_bytes(image.bytes[:200] if spoil == "cut" else b"")
    rating = made.rate(QUESTION)
    front = Front(rating.widget(), monkeypatch)
    (item,) = front.value("start", rater="ana")["items"]
    with caplog.at_level(logging.ERROR):
        for picture in item["pictures"]:
            told, buffers = front.ask("picture", picture=picture)
            assert told["message"] == "A picture of this item cannot be read; ask whoever made the rating."
            assert buffers is None
    said = json.dumps([content for content, _ in front.told])
    assert "fox" not in said
    assert "heron" not in said
    if spoil == "missing":
        assert "fox" in caplog.text
        assert "heron" in caplog.text
    rating.close()


def test_a_problem_is_told_and_the_form_goes_on(front):
    assert "rater is" in front.ask("start", rater="")[0]["message"]
    items = front.value("start", rater="ana")["items"]
    assert "cannot be read" in front.ask("picture", picture="x")[0]["message"]
    assert "no answer" in front.ask("answer", rater="ana", answer={"item": "x"})[0]["message"]
    front.value("answer", rater="ana", answer=answer(items[0]))


def rated(front, rater="ana"):
    """Answer all, and be shown the result."""
    items = front.value("start", rater=rater)["items"]
    for number, item in enumerate(items):
        front.value("answer", rater=rater, answer=answer(item, second=number))
    assert "identity" in front.value("reveal", rater=rater, at="2026-01-01T00:00:30.000Z")
    return items


OVER = "ana has seen the result; answers are no longer taken."


def test_who_has_seen_the_result_answers_no_more(front, comparison, monkeypatch, new_kernel, new_kling):
    assert front.value("start", rater="ana")["revealed"] is False
    (item, *_) = rated(front)
    assert front.ask("answer", rater="ana", answer=answer(item, "right", second=31))[0]["message"] == OVER
    assert comparison.rate(QUESTION, by="model_name", criterion="identity").desk.start("bo")["revealed"] is False
    new_kernel()
    again = new_kling().comparison(comparison.id).rate(QUESTION, by="model_name", criterion="identity")
    front = Front(again.widget(), monkeypatch)
    assert front.value("start", rater="ana")["revealed"] is True
    assert front.ask("answer", rater="ana", answer=answer(item, "right", second=31))[0]["message"] == OVER
    assert set(again.to_dataframe().choice) == {"left"}
    # What was answered before, and was on its way for long, is taken.
    front.value("answer", rater="ana", answer=answer(item, "tie", second=29))
    assert list(again.to_dataframe().choice) == ["left", "left", "left", "tie"]
    # The result is shown again, and that it was shown is no answer.
    assert "identity" in front.value("reveal", rater="ana", at="2026-01-01T00:00:59.000Z")
    assert front.ask("answer", rater="ana", answer=answer(item, second=31))[0]["message"] == OVER
    assert again.answered == {"ana": 3}
    front.value("start", rater="bo")
    front.value("answer", rater="bo", answer=answer(item, second=59))
    again.close()


def test_it_is_known_of_a_grown_comparison_and_of_a_loaded_one(front, comparison, kling, cat, new_kling, monkeypatch):
    rated(front)
    vary = {"model_name": ["kling-v2", "kling-v2-1"], "prompt": ["a cat", "a dog", "a cow", "an ant"]}
    grown = kling.compare(subject_images=cat, vary=vary, name=comparison.name).run(quiet=True, yes=True)
    rating, asked = grown.rate(QUESTION, by="model_name", criterion="identity"), []
    with pytest.raises(InvalidRequest) as raised:
        rating.judge(asked.append, " ana ")
    assert raised.value.message == OVER
    assert asked == []
    begun = rating.desk.start("ana")
    assert (len(begun["items"]), len(begun["answered"]), begun["revealed"]) == (4, 3, True)
    assert "identity" in rating.desk.reveal("ana")
    with pytest.raises(InvalidRequest, match=r"The moment is \"soon\""):
        rating.desk.reveal("ana", "soon")
    folder = grown.save("saved", quiet=True)
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    loaded = new_kling().load_comparison(folder)
    rating = loaded.rate(QUESTION, by="model_name", criterion="identity")
    assert rating.desk.start("ana")["revealed"] is True
    assert rating.answered == {"ana": 3}
    with pytest.raises(InvalidRequest, match="has seen the result"):
        rating.judge(asked.append, "ana")
    assert rating.judge(lambda _: "tie", "bo").answered == {"ana": 3, "bo": 4}


def test_one_form_that_is_shown_twice_keeps_two_raters_apart(front):
    anna = front.value("start", rater="Anna")["items"]
    assert front.value("hello")["study"]["rater"] == "Anna"
    bob = front.value("start", rater="Bob")["items"]
    assert front.value("hello")["study"]["rater"] is None
    for number, item in enumerate(anna):
        front.value("answer", rater="Anna", answer=answer(item, second=number))
    front.value("answer", rater=" Bob ", answer=answer(bob[0], "tie"))
    assert front.rating.answered == {"Anna": 3, "Bob": 1}
    assert "2 items not answered yet" in front.ask("reveal", rater="Bob")[0]["message"]
    assert "identity" in front.value("reveal", rater="Anna")
    for rater, said in (
        ("Cy", "Cy has not begun in this form; run the cell again"),
        ("", "rater is"),
        (None, "rater is"),
    ):
        assert said in front.ask("answer", rater=rater, answer=answer(bob[1]))[0]["message"]
        assert said in front.ask("reveal", rater=rater)[0]["message"]
    assert front.rating.answered == {"Anna": 3, "Bob": 1}


def test_a_newer_form_of_the_same_rater_takes_over(front, comparison):
    items = front.value("start", rater="ana")["items"]
    newer = comparison.rate(QUESTION, by="model_name", criterion="identity", rater="ana")
    newer.widget()
    assert front.told[-1][0] == {"kind": "taken over"}
    # What was on its way is kept all the same.
    front.value("answer", rater="ana", answer=answer(items[0]))
    assert newer.answered == {"ana": 1}
    newer.close()


def test_another_rater_takes_nothing_over(front, comparison):
    front.ask("start", rater="ana")
    other = comparison.rate(QUESTION, by="model_name", criterion="identity", rater="bo")
    other.widget()
    assert {"kind": "taken over"} not in [content for content, _ in front.told]
    other.close()


def test_showing_it_twice_is_one_form_and_closing_leaves_none(front):
    from ipywidgets.widgets.widget import _instances

    assert front.rating.widget() is front.widget
    number = front.widget.model_id
    assert number in _instances
    front.rating.close()
    assert number not in _instances
    front.rating.close()
