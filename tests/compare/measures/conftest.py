"""A comparison that was run: two shapes, two samples, two images each, so eight images in four tasks and two cells."""

import pytest


@pytest.fixture
def compare(kling, cat):
    def made(kling=kling, **given):
        given = {
            "prompt": "a cat",
            "subject_images": cat,
            "n": 2,
            "samples": 2,
            "vary": {"aspect_ratio": ["1:1", "16:9"]},
        } | given
        return kling.compare(**given)

    return made


@pytest.fixture
def study(compare):
    return compare().run()


class Counting:
    """A measure that counts its calls; one must give it a version, because what it holds changes."""

    def __init__(self, returns=lambda number: number):
        self.calls = []
        self._returns = returns

    def __call__(self, image, references, request):
        self.calls.append((image, references, request))
        return self._returns(len(self.calls) - 1)


@pytest.fixture
def counting():
    return Counting
