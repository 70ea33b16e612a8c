"""What is in a form, on its way to being code."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from kling_nb.form.coding import written, written_path
from kling_nb.form.entries import Entry
from kling_nb.notation.writing import Source, Written
from kling_nb.settings import resolve

EMPTY = {
    "prompt": None,
    "model_name": None,
    "callback_url": None,
    "external_task_id": None,
    "n": 1,
    "aspect_ratio": None,
    "watermark": None,
    "reuse": False,
}
NO_ENTRIES = [None] * 6


@pytest.fixture
def chosen():
    return resolve({"sandbox": True, "model_name": "kling-v2", "confirm_above": 4})


def test_an_empty_form(chosen):
    assert written(EMPTY, NO_ENTRIES, "", chosen) == Written("", "", [])


def test_everything(chosen):
    values = {
        "prompt": "a {mood} cat",
        "model_name": "kling-v2-1",
        "callback_url": "https://example.org/done",
        "external_task_id": "cat 17",
        "n": 5,
        "aspect_ratio": "3:2",
        "watermark": True,
        "reuse": True,
    }
    sources = [Source("cat", True), Source("hat.png"), Source("a"), Source("b"), Source("sea"), Source("ink", True)]
    entries = [Entry(source) for source in sources]
    entries[1] = replace(entries[1], fit=True)
    assert written(values, entries, "a happy cat", chosen) == Written(
        "a {mood} cat",
        "a happy cat",
        sources[:4],
        sources[4],
        sources[5],
        5,
        "3:2",
        "kling-v2-1",
        "https://example.org/done",
        "cat 17",
        True,
        True,
        True,
        True,
    )


def test_what_the_settings_give_is_left_out(chosen):
    assert written({**EMPTY, "model_name": "kling-v2", "n": 4}, NO_ENTRIES, "", chosen) == Written("", "", [], n=4)


def test_empty_slots_and_those_without_a_name_are_left_out(chosen):
    entries = [
        None,
        Entry(Source("b.png")),
        Entry(Source(""), problem="No."),
        Entry(Source("c.png")),
        None,
        Entry(Source("")),
    ]
    found = written(EMPTY, entries, "", chosen)
    assert found.subjects == [Source("b.png"), Source("c.png")]
    assert (found.scene, found.style, found.fit) == (None, None, False)


def test_a_path_is_written_from_the_working_directory_where_it_lies_in_it(tmp_path, monkeypatch):
    here = Path.cwd()
    assert written_path(here / "refs" / "cat.png") == str(Path("refs/cat.png"))
    assert written_path(tmp_path / "cat.png") == str(tmp_path / "cat.png")
    assert written_path(here.parent / "cat.png") == str(here.parent / "cat.png")
    Image.new("RGB", (300, 300)).save("cat.png")
    assert Path(written_path(here / "cat.png")).exists()

    def gone():
        raise FileNotFoundError("the folder was deleted")

    monkeypatch.setattr(Path, "cwd", gone)
    assert written_path(here / "cat.png") == str(here / "cat.png")
