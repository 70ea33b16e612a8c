"""Comparisons that are run and rated by functions whose taste is known."""

import random

import pytest

MODELS = ["kling-v2", "kling-v2-1"]


@pytest.fixture
def study(kling, cat, pictures):
    """Run twelve prompts by two styles, rated by three raters who can see the style's colour."""

    def made(prompts=12, name="study", **given):
        vary = {"prompt": [f"a cat, {number}" for number in range(prompts)], "n": [1, 2]}
        return kling.compare(**({"subject_images": cat, "vary": vary, "name": name} | given)).run(quiet=True, yes=True)

    return made


@pytest.fixture
def rater():
    """A rater who prefers the level of their taste, with a probability; who knows what a rater cannot know."""

    def made(rating, level, chance=1.0, seed=0, only=None):
        from kling_nb.compare.rating import items

        rng, exhibit = random.Random(seed), rating._exhibit
        levels = {
            items.picture_token(exhibit.plan, picture): label
            for item in exhibit.items
            for picture, label in zip(item.pictures, item.levels, strict=True)
        }
        name = f"rater {seed}"
        begun = rating.desk.start(name)
        for number, item in enumerate(begun["items"]):
            if only is not None and levels[item["pictures"][0]] != only:
                continue
            is_left = (levels[item["pictures"][0]] == level) == (rng.random() < chance)
            choice = "left" if is_left else "right"
            if len(item["pictures"]) == 1:
                choice = 5 if is_left else 1
            said = {"item": item["item"], "pictures": item["pictures"], "choice": choice, "milliseconds": 900}
            moment = f"2026-01-01T00:{number // 60:02d}:{number % 60:02d}.000+00:00"
            rating.desk.answer(name, said | {"answered_at": moment})

    return made
