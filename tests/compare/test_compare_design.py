"""What is compared: axes, levels and cells, and everything that can be wrong with them."""

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kling_nb.compare import records
from kling_nb.compare.records import place
from kling_nb.errors import InvalidRequest


@pytest.fixture
def files(pictures):
    """Write five pictures beside the notebook, and return their names."""
    names = ["cat.png", "hat.png", "refs/wave.jpg", "other/wave.jpg", "beach.png"]
    for number, name in enumerate(names):
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(pictures(number))
    return names


@pytest.fixture
def compare(kling, files):
    def made(**given):
        return kling.compare(**{"prompt": "a cat", "subject_images": "cat.png", **given})

    return made


def names(comparison):
    return [cell.name for cell in comparison.cells]


def test_levels_of_a_list_are_named_after_their_values(compare):
    made = compare(vary={"n": [1, 4], "style_image": [None, "refs/wave.jpg"]})
    assert [(axis.name, axis.labels) for axis in made.axes] == [("n", ("1", "4")), ("style_image", ("none", "wave"))]
    assert names(made) == ["1 × none", "1 × wave", "4 × none", "4 × wave"]
    assert [cell.request["n"] for cell in made.cells] == [1, 1, 4, 4]
    assert ["style_image" in cell.request for cell in made.cells] == [False, True, False, True]
    assert (made.design.tasks, made.design.images, made.samples) == (4, 10, 1)


def test_levels_of_a_mapping_are_named_by_it(compare):
    made = compare(vary={"model_name": {"old": "kling-v2", "new": "kling-v2-1"}}, samples=3)
    assert made.axes[0].labels == ("old", "new")
    assert [cell.request["model_name"] for cell in made.cells] == ["kling-v2", "kling-v2-1"]
    assert made.design.tasks == 6


def test_levels_may_come_from_where_notebooks_keep_them(compare, pictures):
    frame = pd.DataFrame({"prompt": ["one", "two"], "n": np.array([1, 2])})
    made = compare(prompt=None, vary={"prompt": frame["prompt"], "n": frame["n"], "subject_images": {"a": pictures(7)}}
                   | {"aspect_ratio": (ratio for ratio in ("1:1", None))}, subject_images=None)  # fmt: skip
    assert len(made.cells) == 8
    assert {type(cell.request["n"]) for cell in made.cells} == {int}


def test_a_level_of_subjects_may_be_several_pictures(compare):
    made = compare(subject_images=None, vary={"subject_images": ["cat.png", ["cat.png", "hat.png"]]})
    assert made.axes[0].labels == ("cat", "cat + hat")
    assert [len(cell.references) for cell in made.cells] == [1, 2]


def test_pictures_of_one_name_are_told_apart(compare):
    made = compare(vary={"style_image": ["refs/wave.jpg", "other/wave.jpg"]})
    assert made.axes[0].labels == ("wave (1)", "wave (2)")


def test_variants_set_whole_requests(compare):
    made = compare(
        variants={
            "baseline": {"model_name": "kling-v2"},
            "ours": {"model_name": "kling-v2-1", "style_image": "refs/wave.jpg", "prompt": "a cat, painted"},
        },
        vary={"aspect_ratio": ["1:1", "16:9"]},
    )
    assert names(made) == ["1:1 × baseline", "1:1 × ours", "16:9 × baseline", "16:9 × ours"]
    assert [cell.request["prompt"] for cell in made.cells] == ["a cat", "a cat, painted"] * 2


def test_where_leaves_cells_out(compare):
    made = compare(
        vary={"n": [1, 2], "aspect_ratio": ["1:1", None]}, where=lambda cell: cell != {"n": "2", "aspect_ratio": "none"}
    )
    assert names(made) == ["1 × 1:1", "1 × none", "2 × 1:1"]
    assert made.design.left_out == 1
    assert "1 combination left out" in made.bundle()[0]["text/plain"]


def test_repeats_of_one_request_are_a_comparison_of_one_cell(compare):
    made = compare(samples=3)
    assert (made.axes, [dict(cell.coordinates) for cell in made.cells], made.design.tasks) == ((), [{}], 3)
    assert made.design.left_out == 0
    text = made.bundle()[0]["text/plain"]
    assert "1 cell · 3 tasks a cell" in text
    assert repr(made) == f"<Comparison {made.name}: 0 of 3 tasks done · 3 planned>"
    assert records.from_data(json.loads(records.to_text(made.design))) == made.design
    with pytest.raises(InvalidRequest, match="nothing is varied"):
        made.grid(rows="n")
    with pytest.raises(InvalidRequest, match="nothing is varied"):
        made.design.axis("n")
    with pytest.raises(InvalidRequest) as caught:
        compare(samples=3, subject_images=None)
    assert caught.value.message == "subject_images is missing; give 1 to 4 images"


def test_a_plan_sends_and_writes_nothing(compare, sandbox, tree):
    before = tree(Path.cwd())
    made = compare(vary={"n": [1, 2, 3]}, samples=2)
    data, metadata = made._repr_mimebundle_()
    assert "3 cells (3) · 2 tasks a cell" in data["text/plain"]
    assert "6 tasks · 12 images · nothing is billed" in data["text/plain"]
    assert "Nothing is sent yet" in data["text/plain"]
    assert metadata["kling_nb"]["comparison"]["images"] == 12
    assert "<table" in data["text/html"]
    assert "6 planned" in repr(made)
    assert sandbox.requests == []
    assert tree(Path.cwd()) == before


WRONG = [
    ({}, ["nothing is varied"]),
    ({"vary": ["n"]}, ["vary is", "mapping"]),
    ({"variants": {"a": 1}}, ["variants: 'a'"]),
    ({"vary": {"seed": [1, 2]}}, ["no field", "seed"]),
    ({"vary": {"promt": ["a"]}}, ["did you mean prompt?"]),
    ({"prompt": None, "vary": {"prompt": "a cat"}}, ["prompt: levels are a list"]),
    ({"vary": {"n": 3}}, ["n: levels are a list"]),
    ({"vary": {"style_image": np.zeros((300, 300, 3), np.uint8)}}, ["style_image: levels are a list"]),
    ({"vary": {"n": []}}, ["n: there are no levels"]),
    ({"vary": {"n": [1, 12]}}, ["n, level 2: n is 12"]),
    ({"vary": {"n": {"few": 1, "many": 12}}}, ["n, level many: n is 12"]),
    ({"vary": {"n": [1, 2, 1]}}, ["n: the levels '1 (1)' and '1 (2)' are the same"]),
    ({"vary": {"n": {"a": 1, "b": 1}}}, ["'a' and 'b' are the same"]),
    ({"vary": {"n": {1: 1, "1": 2}}}, ["the label '1' is given twice"]),
    ({"vary": {"n": {"": 1}}}, ["a label is empty"]),
    ({"vary": {"style_image": ["nowhere.png"]}}, ["style_image, level 1", "nowhere.png"]),
    ({"vary": {"style_image": [["cat.png", "hat.png"]]}}, ["style_image takes one picture, and this gives 2"]),
    ({"vary": {"n": [1]}, "variants": {"a": {"n": 2}}}, ["variant 'a': n is varied already"]),
    ({"variants": {"a": {"seed": 2}}}, ["variant 'a': there is no field", "seed"]),
    ({"vary": {"n": [1]}, "n": 2}, ["n is varied, and given for all cells as well"]),
    ({"vary": {"n": [1]}, "external_task_id": "mine"}, ["external_task_id names one task"]),
    ({"vary": {"n": [1]}, "colour": "red"}, ["there is no field", "colour"]),
    ({"vary": {"n": [1]}, "samples": 0}, ["samples is 0"]),
    ({"vary": {"n": [1]}, "samples": 2.0}, ["samples is 2.0"]),
    ({"vary": {"n": [1]}, "samples": True}, ["samples is True"]),
    ({"vary": {"n": [1, 2]}, "where": lambda cell: False}, ["where= leaves no cell"]),
    ({"vary": {"n": [1, 2]}, "where": lambda cell: cell["x"]}, ["where= raised KeyError", "'n': '1'"]),
    ({"vary": {"n": [1, 2]}, "where": "n"}, ["where is", "function"]),
    ({"vary": {"n": [1, 2]}, "name": ""}, ["name is"]),
    ({"vary": {"n": [1, 2]}, "name": "a\nb"}, ["one line"]),
    ({"vary": {"n": [1, 2]}, "subject_images": None}, ["subject_images is missing"]),
    ({"vary": {"n": [1, 2]}, "subject_images": "dog.png"}, ["dog.png"]),
    ({"prompt": "a" * 2501, "vary": {"n": [1]}}, ["2,501"]),
    ({"vary": {"n": range(1, 10), "prompt": [str(i) for i in range(9000)]}, "samples": 2, "prompt": None}, ["162,000"]),
    ({"variants": {"a": {"n": 1}, "b": {}}}, ["the cells a and b are the same request"]),
]


@pytest.mark.parametrize(("given", "words"), WRONG, ids=map(str, range(len(WRONG))))
def test_what_is_wrong_is_said_in_a_line(compare, sandbox, given, words):
    with pytest.raises(InvalidRequest) as caught:
        compare(**given)
    line = caught.value.message
    assert "\n" not in line
    for word in words:
        assert word in line
    assert sandbox.requests == []


def test_everything_that_is_wrong_is_said_at_once(compare):
    with pytest.raises(InvalidRequest) as caught:
        compare(
            prompt="a" * 2501,
            vary={"n": [0, 1, 1], "style_image": ["nowhere.png", "refs/wave.jpg"], "seed": [1]},
            samples=-1,
        )
    lines = caught.value.message.splitlines()
    assert len(lines) == 6
    for word in ("2,501", "n is 0", "are the same", "nowhere.png", "seed", "samples is -1"):
        assert any(word in line for line in lines)


def test_the_same_problem_of_many_cells_is_said_once(compare):
    many = ["cat.png", "hat.png", "refs/wave.jpg", "other/wave.jpg", "beach.png"]
    with pytest.raises(InvalidRequest) as caught:
        compare(subject_images=None, vary={"subject_images": {"all": many}, "n": [1, 2, 3]})
    assert caught.value.message.count("subject") <= 3
    assert len(caught.value.message.splitlines()) == 1


def test_a_design_survives_the_journal(compare):
    made = compare(
        vary={"n": [1, 2], "style_image": {"none": None, "wave": "refs/wave.jpg"}},
        variants={"a": {"subject_images": ["cat.png", "hat.png"]}, "b": {"scene_image": "beach.png"}},
    )
    text = records.to_text(made.design)
    again = records.from_data(json.loads(text))
    assert again == made.design
    assert records.to_text(again) == text
    assert "data" not in text.replace("metadata", "")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=4, unique=True),
    st.lists(st.text("aB猫é{}'\"<&$#", min_size=1, max_size=12), min_size=1, max_size=4, unique=True),
    st.integers(1, 3),
)
def test_every_combination_is_one_cell_with_its_own_request(kling, cat, counts, prompts, samples):
    made = kling.compare(subject_images=cat, vary={"n": counts, "prompt": prompts}, samples=samples)
    by_label = {axis.name: dict(zip(axis.labels, axis.levels, strict=True)) for axis in made.axes}
    assert len({cell.digest for cell in made.cells}) == len(made.cells) == len(counts) * len(prompts)
    for cell, (count, prompt) in zip(made.cells, itertools.product(counts, prompts), strict=True):
        assert (cell.request["n"], cell.request["prompt"]) == (count, prompt)
        for axis, label in cell.coordinates.items():
            assert by_label[axis][label].fields[axis] == cell.request[axis]


def test_the_order_is_the_same_however_a_design_grows():
    small = [(digest, sample) for digest in "abcd" for sample in range(2)]
    large = [(digest, sample) for digest in "abcdefg" for sample in range(4)]
    by_place = sorted(large, key=lambda key: place("seed", *key))
    assert [key for key in by_place if key in small] == sorted(small, key=lambda key: place("seed", *key))
    assert by_place != large
    assert by_place != sorted(large, key=lambda key: place("other", *key))
