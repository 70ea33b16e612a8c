"""Comparisons that are run, and raters who answer as a form does."""

import datetime as dt
import itertools

import pytest

from kling_nb.compare.rating.desk import Desk

MODELS = ["kling-v2", "kling-v2-1"]


@pytest.fixture
def compare(kling, cat):
    """Run a comparison of two models over three prompts."""

    def made(**given):
        vary = {"model_name": MODELS, "prompt": ["a cat", "a dog", "a cow"]}
        return kling.compare(**({"subject_images": cat, "vary": vary, "n": 2} | given)).run(quiet=True, yes=True)

    return made


@pytest.fixture
def answering():
    """Answer all of a rating, as a form or a page would: ``choose`` is given each item as the rater sees it."""
    clock = itertools.count()

    def moment():
        at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=next(clock))
        return at.isoformat(timespec="milliseconds")

    def answer(desk: Desk, choose, rater="ana", most=None):
        begun = desk.start(rater)
        left = [each for each in begun["items"] if each["item"] not in begun["answered"]]
        for item in left[:most]:
            said = {"item": item["item"], "pictures": item["pictures"], "choice": choose(item)}
            desk.answer(rater, said | {"milliseconds": 1200, "answered_at": moment()})
        return begun

    return answer
