"""What is judged, in which order and on which side; that answers are kept; and that nobody can tell which is which."""

import io
import json
import re
import threading
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kling_nb.compare.rating import items as item_rules
from kling_nb.compare.rating.items import Item
from kling_nb.compare.rating.records import Answer, Picture, answer_data, answer_from, newest, plan_data, plan_from
from kling_nb.compare.rating.sheets import sheet
from kling_nb.errors import InvalidRequest, WorkspaceError

QUESTION = "Which one shows the cat of the reference?"


def levels_of(rating):
    """From the token of a picture to the level that it hides."""
    exhibit = rating._exhibit
    return {
        item_rules.picture_token(exhibit.plan, picture): level
        for item in exhibit.items
        for picture, level in zip(item.pictures, item.levels, strict=True)
    }


def always(level, rating):
    """Prefer a level, whichever side it is on."""
    names = levels_of(rating)
    return lambda item: "left" if names[item["pictures"][0]] == level else "right"


# ---- what is judged ------------------------------------------------------------------------------------


def test_pairs_differ_in_the_judged_axis_alone(compare):
    made = compare(samples=2)
    rating = made.rate(QUESTION, by="model_name")
    assert rating.count == 3 * 2 * 2
    cells = {cell.digest: cell for cell in made.cells}
    for item in rating._exhibit.items:
        first, second = item.pictures
        one, other = dict(cells[first.digest].coordinates), dict(cells[second.digest].coordinates)
        assert (one.pop("model_name"), other.pop("model_name")) == item.levels == ("kling-v2", "kling-v2-1")
        assert one == other
        assert (first.sample, first.index) == (second.sample, second.index)


def test_a_scale_judges_every_image_once(compare):
    made = compare()
    rating = made.rate("How good is it?", by="model_name", protocol="scale")
    assert rating.count == len(made.images) == 12
    assert len({picture for item in rating._exhibit.items for picture in item.pictures}) == 12


def test_three_levels_are_paired_each_with_each(kling, cat):
    made = kling.compare(subject_images=cat, vary={"prompt": ["a", "b", "c"]}).run(quiet=True)
    assert Counter(item.levels for item in made.rate("Nicer?")._exhibit.items) == Counter(
        [("a", "b"), ("a", "c"), ("b", "c")]
    )
    assert made.rate("Nicer of two?", levels=["c", "a"]).count == 1


def test_some_images_of_a_task_are_the_same_in_every_cell(compare):
    made = compare(n=4)
    rating = made.rate(QUESTION, by="model_name", images=1)
    assert rating.count == 3
    assert made.rate(QUESTION + "?", by="model_name", images=3).count == 9
    assert made.rate(QUESTION + "??", by="model_name", images=9).count == 12


def test_what_failed_or_was_refused_is_not_paired(compare):
    vary = {
        "model_name": ["kling-v2", "kling-v2-1"],
        "prompt": ["a cat", "a dog [sandbox: fail]", "a [sandbox: refuse]"],
    }
    made = compare(vary=vary)
    rating = made.rate(QUESTION, by="model_name")
    assert rating.count == 2
    assert {item.cell.coordinates["prompt"] for item in rating._exhibit.items} == {"a cat"}


def test_images_without_a_partner_are_not_paired(kling, cat):
    made = kling.compare(subject_images=cat, vary={"prompt": ["a", "b"], "n": [1, 2]}).run(quiet=True)
    rating = made.rate("Nicer?", by="n")
    assert rating.count == 2
    assert {picture.index for item in rating._exhibit.items for picture in item.pictures} == {0}


def test_nothing_to_pair_is_said_with_what_there_is(kling, cat):
    made = kling.compare(subject_images=cat, vary={"prompt": ["a", "b"]})
    with pytest.raises(InvalidRequest, match=r"nothing to pair: images by prompt: a 0, b 0.") as raised:
        made.rate("Nicer?")
    assert "Run the comparison first" in str(raised.value)
    crossed = kling.compare(
        subject_images=cat,
        vary={"prompt": ["a", "b"], "n": [1, 2]},
        where=lambda cell: (cell["prompt"] == "a") == (cell["n"] == "1"),
    )
    crossed.run(quiet=True)
    with pytest.raises(InvalidRequest, match=r"a 1, b 2") as raised:
        crossed.rate("Nicer?", by="prompt")
    assert "No two images have everything else in common" in str(raised.value)


# ---- bad input ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"question": "  "}, "question is"),
        ({"question": None}, "question is None"),
        ({"question": "x" * 501}, "at most 500"),
        ({"by": None}, "by= must say whose levels are judged: model_name, prompt"),
        ({"by": "model"}, 'by is "model", which is no axis of this comparison; there are model_name, prompt'),
        ({"protocol": "elo"}, 'it must be "pairs"'),
        ({"images": 0}, "images is 0"),
        ({"images": True}, "images is True"),
        ({"levels": ["kling-v2"]}, "at least two"),
        ({"levels": ["kling-v2", "kling-v3"]}, 'model_name has no level "kling-v3"; there are kling-v2, kling-v2-1'),
        ({"levels": 7}, "levels is 7"),
        ({"scale": (1, 5)}, 'scale is for protocol="scale"'),
        ({"protocol": "scale", "scale": (1, 100)}, "at most 11"),
        ({"protocol": "scale", "scale": (5, 5)}, "scale is (5, 5)"),
        ({"protocol": "scale", "scale": {"good": 1}}, "scale is"),
        ({"criterion": "a\nb"}, "criterion is"),
        ({"rater": ""}, 'rater is ""'),
        ({"rater": 7}, "rater is 7"),
    ],
)
def test_bad_input_is_one_clear_line(compare, given_, said):
    made = compare()
    with pytest.raises(InvalidRequest) as raised:
        made.rate(**({"question": QUESTION, "by": "model_name"} | given_))
    assert said in raised.value.message
    assert len(raised.value.message.splitlines()) == 1
    assert raised.value.money == "Nothing was stored."
    assert made.ratings_kept.plans() == []


def test_everything_wrong_is_said_at_once(compare):
    with pytest.raises(InvalidRequest) as raised:
        compare().rate("", by="nothing", protocol="elo", images=-1)
    assert len(raised.value.message.splitlines()) == 4


def test_an_axis_with_one_level_cannot_be_judged(kling, cat):
    made = kling.compare("a", subject_images=cat, vary={"model_name": ["kling-v2"], "n": [1, 2]})
    with pytest.raises(InvalidRequest, match=r"which has one level only \(kling-v2\)"):
        made.rate(QUESTION, by="model_name")
    assert made.run(quiet=True).rate(QUESTION).plan.by == "n"


def test_a_comparison_without_axes_has_nothing_to_judge(kling, cat):
    made = kling.compare("a", subject_images=cat, samples=2).run(quiet=True)
    with pytest.raises(InvalidRequest, match="nothing is varied"):
        made.rate(QUESTION)


def test_a_criterion_has_one_question(compare, answering):
    made = compare()
    rating = made.rate(QUESTION, by="model_name", criterion="identity")
    made.rate("Another?", by="model_name", criterion="identity")  # nobody has answered yet
    answering(rating.desk, lambda _: "tie", most=1)
    with pytest.raises(InvalidRequest, match=re.escape(f"with question='{QUESTION}'")) as raised:
        made.rate("Another?", by="model_name", criterion="identity")
    assert "another criterion=" in str(raised.value)
    with pytest.raises(InvalidRequest, match="with all images"):
        made.rate(QUESTION, by="model_name", criterion="identity", images=1)
    assert made.rate(QUESTION, by="model_name", criterion="identity").answered == {"ana": 1}


# ---- blind -------------------------------------------------------------------------------------------


def strings(value):
    return json.dumps(value, ensure_ascii=False)


@pytest.mark.parametrize("protocol", ["pairs", "scale"])
def test_a_rater_is_told_nothing_of_the_level(compare, protocol):
    made = compare()
    rating = made.rate("Good?", by="model_name", protocol=protocol)
    told = strings([rating.desk.study(), rating.desk.start("ana")])
    assert "kling" not in told
    assert "a cat" in told
    for cell in made.cells:
        assert cell.digest[:12] not in told
    for image in made.images:
        assert image.sha256[:12] not in told
    assert made.seed not in told


def test_what_the_axis_sets_is_hidden_and_the_rest_is_shown(kling, cat, pictures):
    vary = {"style_image": {"none": None, "wave": pictures(2)}, "prompt": ["a cat", "a dog"]}
    made = kling.compare(subject_images=[cat, pictures(3)], vary=vary).run(quiet=True)
    shown = made.rate("Nicer?", by="style_image").desk.start("ana")["items"]
    assert {each["prompt"] for each in shown} == {"a cat", "a dog"}
    assert {tuple(r["name"] for r in each["references"]) for each in shown} == {("subject 1", "subject 2")}
    shown = made.rate("Nicer prompt?", by="prompt").desk.start("ana")["items"]
    assert {each["prompt"] for each in shown} == {None}
    assert {tuple(r["role"] for r in each["references"]) for each in shown} == {
        ("subject", "subject"),
        ("subject", "subject", "style"),
    }


def test_of_variants_only_what_all_have_is_shown(kling, cat, pictures):
    variants = {"one": {"subject_images": [cat]}, "two": {"subject_images": [cat, pictures(2)], "prompt": "x"}}
    variants["one"]["prompt"] = "y"
    made = kling.compare(variants=variants).run(quiet=True)
    (item,) = made.rate("Nicer?").desk.start("ana")["items"]
    assert item["prompt"] is None
    assert [each["name"] for each in item["references"]] == ["subject 1"]


def test_pictures_have_nothing_but_pixels(compare, cat):
    made = compare()
    desk = made.rate(QUESTION, by="model_name").desk
    (item, *_) = desk.start("ana")["items"]
    for name in [*item["pictures"], item["references"][0]["picture"]]:
        data = desk.picture(name)
        image = Image.open(io.BytesIO(data))
        assert image.format == "JPEG"
        assert not image.getexif()
        assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert b"kling" not in data
    with pytest.raises(InvalidRequest, match="no such picture"):
        desk.picture("0" * 24)


def test_large_pictures_are_made_smaller_alike():
    from kling_nb.compare.rating.pictures import plain

    buffer = io.BytesIO()
    Image.effect_noise((2400, 1800), 60).convert("RGBA").save(buffer, "PNG")
    assert Image.open(io.BytesIO(plain(buffer.getvalue()))).size == (1600, 1200)


# ---- order and sides -----------------------------------------------------------------------------------


def made_items(count, levels=(("a", "b"), ("a", "c"))):
    return [
        Item(f"{number:024x}", (Picture("d", 0, number, "s"), Picture("e", 0, number, "s")), levels[number % 2], None)
        for number in range(count)
    ]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.text(min_size=1, max_size=8), st.text(min_size=1, max_size=8))
def test_every_item_comes_once_and_sides_are_balanced(count, seed, rater):
    items = made_items(count)
    turns = sheet(items, seed, rater)
    assert sorted(turn.place for turn in turns) == list(range(count))
    for levels in {item.levels for item in items}:
        flips = [turn.flipped for turn in turns if items[turn.place].levels == levels]
        assert abs(2 * sum(flips) - len(flips)) <= 1
    assert turns == sheet(items, seed, rater)


def test_each_rater_has_another_order_and_other_sides():
    items = made_items(40)
    turns = [sheet(items, "seed", rater) for rater in ("ana", "bo", "cy")]
    assert len({tuple(turn.place for turn in each) for each in turns}) == 3
    assert len({tuple(turn.flipped for turn in sorted(each)) for each in turns}) == 3


def test_over_many_raters_sides_and_places_are_even():
    items = made_items(10)
    left, first = Counter(), Counter()
    for rater in range(400):
        turns = sheet(items, "seed", str(rater))
        left.update(turn.place for turn in turns if turn.flipped)
        first[turns[0].place] += 1
    assert all(140 < left[place] < 260 for place in range(10))
    assert all(15 < first[place] < 75 for place in range(10))


# ---- answers -----------------------------------------------------------------------------------------


def test_answers_are_stored_at_once_and_gone_on_with_in_another_kernel(compare, answering, new_kernel, new_kling):
    made = compare(name="cats")
    rating = made.rate(QUESTION, by="model_name", rater="ana")
    answering(rating.desk, always("kling-v2-1", rating), most=2)
    assert rating.answered == {"ana": 2}
    new_kernel()
    again = new_kling().comparison("cats").rate(QUESTION, by="model_name", rater="ana")
    begun = again.desk.start("ana")
    assert len(begun["answered"]) == 2
    assert again.desk.left("ana") == 4
    answering(again.desk, always("kling-v2-1", again))
    assert again.desk.left("ana") == 0
    frame = again.to_dataframe()
    assert set(frame.preferred) == {"kling-v2-1"}
    assert len(frame) == 6
    assert list(frame.rater.unique()) == ["ana"]
    assert frame.seconds.eq(1.2).all()
    assert abs((frame.left == "kling-v2").sum() - 3) <= 0
    assert frame.groupby("prompt").size().to_dict() == {"a cat": 2, "a dog": 2, "a cow": 2}


def test_a_changed_answer_supersedes_and_both_are_kept(compare, answering):
    made = compare()
    rating = made.rate(QUESTION, by="model_name")
    begun = answering(rating.desk, lambda _: "left")
    (item, *_) = begun["items"]
    said = {"item": item["item"], "pictures": item["pictures"], "choice": "tie", "milliseconds": 5}
    rating.desk.answer("ana", said | {"answered_at": "2027-01-01T00:00:00.000+00:00"})
    rating.desk.answer("ana", said | {"answered_at": "2027-01-01T00:00:00.000+00:00"})  # sent again, and counted once
    frame = rating.to_dataframe()
    assert len(frame) == 7
    assert frame.counts.sum() == 6
    assert frame[frame.item == item["item"]].set_index("choice").counts.to_dict() == {"left": False, "tie": True}
    assert rating.answered == {"ana": 6}


def test_the_result_is_told_only_at_the_end(compare, answering):
    rating = compare().rate(QUESTION, by="model_name")
    answering(rating.desk, lambda _: "left", most=5)
    with pytest.raises(InvalidRequest, match="1 item not answered yet"):
        rating.desk.reveal("ana")
    answering(rating.desk, lambda _: "unsure")
    rating.desk.reveal("ana")


@pytest.mark.parametrize(
    "change",
    [
        {"item": "0" * 24},
        {"pictures": ["0" * 24, "1" * 24]},
        {"pictures": None},
        {"choice": "both"},
        {"choice": 3},
        {"choice": True},
        {"choice": []},
        {"milliseconds": "soon"},
        {"answered_at": "yesterday"},
        {"answered_at": None},
    ],
)
def test_what_is_no_answer_is_refused(compare, change):
    rating = compare().rate(QUESTION, by="model_name")
    (item, *_) = rating.desk.start("ana")["items"]
    right = {"item": item["item"], "pictures": item["pictures"], "choice": "left", "milliseconds": 1}
    right |= {"answered_at": "2026-01-01T00:00:00.000+00:00"}
    with pytest.raises(InvalidRequest):
        rating.desk.answer("ana", right | change)
    assert rating.answered == {}
    rating.desk.answer("ana", right)
    assert rating.answered == {"ana": 1}


def test_a_scale_takes_its_values_and_nothing_else(compare, answering):
    made = compare()
    scale = {0: "no", 1: "partly", 2: "yes"}
    rating = made.rate("Same cat?", by="model_name", protocol="scale", scale=scale, criterion="identity")
    assert [each["label"] for each in rating.desk.study()["scale"]] == ["no", "partly", "yes"]
    (item, *_) = rating.desk.start("ana")["items"]
    said = {
        "item": item["item"],
        "pictures": item["pictures"],
        "milliseconds": 1,
        "answered_at": "2026-01-01T00:00:00Z",
    }
    for wrong in (3, "left", "tie", 1.5):
        with pytest.raises(InvalidRequest, match="is no answer to this question"):
            rating.desk.answer("ana", said | {"choice": wrong})
    names = levels_of(rating)
    answering(rating.desk, lambda each: 2 if names[each["pictures"][0]] == "kling-v2" else "unsure")
    frame = rating.to_dataframe()
    assert frame.groupby("level").value.agg(["count", "sum"]).to_dict("index") == {
        "kling-v2": {"count": 6, "sum": 12},
        "kling-v2-1": {"count": 0, "sum": 0},
    }


def test_several_raters_in_one_kernel(compare, answering):
    made = compare()
    for rater, level in {"ana": "kling-v2", "bo": "kling-v2-1"}.items():
        rating = made.rate(QUESTION, by="model_name", rater=rater)
        answering(rating.desk, always(level, rating), rater)
    assert rating.answered == {"ana": 6, "bo": 6}
    frame = made.answers()
    assert frame.groupby("rater").preferred.unique().map(list).to_dict() == {"ana": ["kling-v2"], "bo": ["kling-v2-1"]}


def test_a_grown_comparison_keeps_its_answers(compare, answering, cat, kling):
    made = compare(name="cats")
    answering(made.rate(QUESTION, by="model_name").desk, lambda _: "left")
    vary = {"model_name": ["kling-v2", "kling-v2-1"], "prompt": ["a cat", "a dog", "a cow", "an ant"]}
    grown = kling.compare(subject_images=cat, vary=vary, n=2, name="cats").run(quiet=True)
    rating = grown.rate(QUESTION, by="model_name")
    assert rating.count == 8
    assert rating.answered == {"ana": 6}
    rating.desk.start("ana")
    assert rating.desk.left("ana") == 2


def test_comparisons_do_not_share_answers(compare, answering):
    answering(compare(name="one").rate(QUESTION, by="model_name").desk, lambda _: "left")
    other = compare(
        name="other", prompt=None, vary={"model_name": ["kling-v2", "kling-v2-1"], "prompt": ["a cat", "b"]}
    )
    assert other.rate(QUESTION, by="model_name").answered == {}


# ---- plain data --------------------------------------------------------------------------------------

names = st.text(max_size=12)
answers = st.builds(
    Answer,
    names,
    names,
    names,
    st.lists(st.builds(Picture, names, st.integers(0, 9), st.integers(0, 8), names), min_size=1, max_size=2).map(tuple),
    st.sampled_from(["left", "right", "tie", "unsure", 0, 5]),
    st.integers(0, 10**6),
    st.datetimes().map(str),
    names,
)


@given(answers)
def test_an_answer_survives_json(answer):
    assert answer_from(json.loads(json.dumps(answer_data(answer)))) == answer


@given(st.lists(answers, max_size=12))
def test_the_newest_answer_counts_whatever_the_order(given_):
    kept = newest(given_)
    assert len(kept) == len({(each.rating, each.rater, each.item) for each in given_})
    assert {(each.rating, each.rater, each.item, each.answered_at) for each in newest(given_[::-1])} == {
        (each.rating, each.rater, each.item, each.answered_at) for each in kept
    }


def test_a_plan_survives_json_and_what_is_none_is_said(compare):
    plan = compare().rate("Good?", by="model_name", protocol="scale").plan
    data = json.loads(json.dumps(plan_data(plan)))
    assert plan_from(data) == plan
    for change in ({"protocol": "elo"}, {"scale": 3}, {"images": "x"}, {"levels": None}):
        with pytest.raises(WorkspaceError, match="cannot be read"):
            plan_from(data | change)


# ---- judged by a function ------------------------------------------------------------------------------


def test_a_function_sees_what_a_rater_sees(compare):
    made = compare(n=1)
    seen = []

    def function(item):
        seen.append(item)
        return "tie"

    rating = made.rate(QUESTION, by="model_name").judge(function, "model judge v1")
    assert rating.answered == {"model judge v1": 3}
    assert {item.question for item in seen} == {QUESTION}
    assert {item.prompt for item in seen} == {"a cat", "a dog", "a cow"}
    assert all(len(item.images) == 2 and item.images[0].mode == "RGB" for item in seen)
    assert all(list(item.references) == ["subject 1"] for item in seen)
    assert rating.judge(function, "model judge v1").answered == {"model judge v1": 3}
    assert len(seen) == 3


def test_an_answer_costs_the_same_however_many_there_are(compare, kling):
    made = compare(n=4)
    connection = kling.session.workspace.journal._database._connection
    said, counts = [], []

    def trace(statement):
        # The kernel's sign of life is written by a thread of its own.
        if threading.current_thread() is threading.main_thread():
            said.append(statement)

    def function(_):
        counts.append((len(said), said.count("COMMIT")))
        return "tie"

    rating = made.rate(QUESTION, by="model_name")
    connection.set_trace_callback(trace)
    rating.judge(function, "judge")
    begun, commits = counts[0]
    assert commits == 0
    assert [count for _, count in counts] == list(range(12))
    assert len(said) - begun == 12 * (counts[1][0] - begun)
    assert not [each for each in said[begun:] if each.startswith("SELECT answer ")]
    connection.set_trace_callback(None)
    assert rating.answered == {"judge": 12}


def test_what_a_function_returns_must_be_an_answer(compare):
    import numpy as np

    made = compare(n=1)
    rating = made.rate("How good?", by="model_name", protocol="scale")
    answers = iter([np.int64(3), 4, "very"])
    with pytest.raises(InvalidRequest, match='"very" is no answer to this question; there are 1, 2, 3, 4, 5, "unsure"'):
        rating.judge(lambda _: next(answers), "judge")
    assert rating.answered == {"judge": 2}
    with pytest.raises(InvalidRequest, match="function is 7"):
        rating.judge(7, "judge")
    with pytest.raises(ZeroDivisionError):
        rating.judge(lambda _: 1 / 0, "other judge")
    assert rating.answered == {"judge": 2}


def test_what_the_sandbox_writes_on_its_pictures_is_covered(cat):
    from kling_nb.compare.rating.pictures import SURROUND, plain
    from kling_nb.sandbox.lettering import add_band, band_height

    for size in ((1536, 1024), (768, 1344), (512, 512)):
        marked = add_band(Image.new("RGB", size, "teal"), "kling-v2-1   1 of 2", "a cat, in words")
        buffer = io.BytesIO()
        marked.save(buffer, "PNG")
        shown = Image.open(io.BytesIO(plain(buffer.getvalue(), cover=True)))
        foot = shown.crop((0, size[1] - band_height(size), *size))
        assert all(abs(low - SURROUND[0]) < 9 and abs(high - SURROUND[0]) < 9 for low, high in foot.getextrema())


def test_the_last_pictures_are_kept_and_no_more(cat):
    from kling_nb.compare.rating.pictures import Pictures, plain

    size, reads = len(plain(cat)), []

    def read(name):
        return lambda: reads.append(name) or cat

    kept = Pictures(most=2 * size)
    for name in ("a", "b", "a", "c", "a", "b"):
        assert kept.plain(name, read(name)) == plain(cat)
    assert reads == ["a", "b", "c", "b"]
    assert kept.plain("a", read("a"), cover=True) != plain(cat)
