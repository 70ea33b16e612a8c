"""What one output adds to a notebook, at worst."""

import json

import pytest

from kling_nb.display import history_bundle, preview, task_bundle, thumbnail
from kling_nb.records import Reference

PROMPTS = {"plain": "a cat " * 416, "markup": "\"<&>'" * 500, "Chinese": "猫" * 2500, "emoji": "🐈" * 2500}


@pytest.fixture(scope="module")
def worst(pictures):
    """Nine noisy thumbnails and six noisy previews, for noise that survives each way of scaling."""

    def make(block):
        images = [thumbnail(pictures.encoded(pictures.noisy(2048, block, seed), "BMP")) for seed in range(3)]
        small = preview(pictures.encoded(pictures.noisy(1024, 32), "BMP"))
        return dict(enumerate(images * 3)), small

    return {block: make(block) for block in (1, 4, 8)}


@pytest.mark.parametrize("block", [1, 4, 8])
@pytest.mark.parametrize("script", PROMPTS)
def test_nine_noisy_images_and_six_references_stay_under_400_kilobytes(make_view, worst, block, script):
    thumbs, small = worst[block]
    folder = "a folder with a long name/" * 4
    references = tuple(
        Reference("subject", folder + f"{i}.png", f"{i:064x}", changes=("converted from WebP",)) for i in range(6)
    )
    view = make_view(
        n=9,
        prompt=PROMPTS[script],
        references=references,
        view={
            "thumbnails": thumbs,
            "previews": {reference.sha256: small for reference in references},
            "links": {i: f"a%20folder%20with%20a%20long%20name/{i}.png" for i in range(9)},
            "files": {i: folder + f"{i}.png" for i in range(9)},
        },
    )
    data, metadata = task_bundle(view, now=0.0)
    assert len(json.dumps([data, metadata])) <= 400_000
    assert data["text/html"].count("<img") == 15
    assert len(data["image/jpeg"]) >= 12_000


def test_an_ordinary_output_is_far_smaller(make_view):
    data, metadata = task_bundle(make_view(n=1), now=0.0)
    assert len(json.dumps([data, metadata])) < 110_000


def test_a_history_is_small(make_view, worst):
    view = make_view(n=9, view={"thumbnails": worst[4][0]})
    data, metadata = history_bundle([view] * 50, now=0.0, total=4000)
    assert len(json.dumps([data, metadata])) < 220_000
    assert data["text/html"].count("<img") == 60
    assert "image/jpeg" not in data
    assert "20 of 4,000 tasks, newest first" in data["text/html"]
