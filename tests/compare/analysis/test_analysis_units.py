"""Over what results generalise: the unit that answers are clustered by."""

import pytest

from kling_nb.compare.analysis.units import units
from kling_nb.errors import InvalidRequest

PROMPTS = ["a cat", "a dog", "a cow"]
MODELS = ["kling-v2", "kling-v2-1"]


def of(comparison, by, clusters=None):
    found = units(comparison.design, by, clusters)
    labels = {cell.digest: cell.coordinates for cell in comparison.cells}
    return found.name, {found.of[digest]: None for digest in labels}.keys()


def test_the_prompt_is_the_unit_where_there_are_several(kling, cat, pictures):
    made = kling.compare(
        subject_images=cat,
        vary={"prompt": PROMPTS, "model_name": MODELS, "style_image": {"none": None, "wave": pictures(2)}},
    )
    assert of(made, "model_name") == ("prompt", set(PROMPTS))
    assert units(made.design, "model_name").count == 3


def test_where_the_prompt_is_judged_the_rest_is_the_unit(kling, cat, pictures):
    made = kling.compare(
        vary={
            "prompt": PROMPTS,
            "subject_images": {"cat": cat, "other": pictures(3)},
            "style_image": {"none": None, "wave": pictures(2)},
        }
    )
    name, found = of(made, "prompt")
    assert name == "subject_images × style_image"
    assert set(found) == {"cat × none", "cat × wave", "other × none", "other × wave"}


def test_where_the_prompt_is_the_same_the_rest_is_the_unit(kling, cat, pictures):
    made = kling.compare("a cat", vary={"model_name": MODELS, "subject_images": {"cat": cat, "other": pictures(3)}})
    assert of(made, "model_name") == ("subject_images", {"cat", "other"})


def test_nothing_else_varied_is_one_unit(kling, cat):
    made = kling.compare("a cat", subject_images=cat, vary={"model_name": MODELS}, samples=3)
    assert of(made, "model_name") == ("", {""})
    assert units(made.design, "model_name").count == 1


def test_prompts_that_come_with_other_variants_are_units_too(kling, cat):
    variants = {"plain": {"prompt": "a cat"}, "long": {"prompt": "a very fine cat"}}
    made = kling.compare(subject_images=cat, variants=variants, vary={"model_name": MODELS})
    assert of(made, "model_name") == ("prompt", {"a cat", "a very fine cat"})
    assert of(made, "variant") == ("model_name", set(MODELS))


def test_the_user_may_name_the_axes(kling, cat, pictures):
    made = kling.compare(
        vary={"prompt": PROMPTS, "model_name": MODELS, "subject_images": {"cat": cat, "other": pictures(3)}}
    )
    assert of(made, "model_name", "subject_images") == ("subject_images", {"cat", "other"})
    assert units(made.design, "model_name", ["prompt", "subject_images"]).count == 6


@pytest.mark.parametrize(
    ("clusters", "said"),
    [
        (7, "clusters is 7"),
        ([], "clusters is"),
        ("styles", 'no axis "styles"'),
        ("model_name", "which is what is judged"),
    ],
)
def test_what_cannot_be_a_unit_is_said(kling, cat, clusters, said):
    made = kling.compare(subject_images=cat, vary={"prompt": PROMPTS, "model_name": MODELS})
    with pytest.raises(InvalidRequest, match=said):
        units(made.design, "model_name", clusters)
