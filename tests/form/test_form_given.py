"""What Python gives a form gets the name that it has in the notebook, and never another picture's."""

import base64
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kling_nb.form.coding import written_path
from kling_nb.form.entries import look, read
from kling_nb.form.given import entry_of
from kling_nb.notation.names import Namespace, find
from kling_nb.notation.writing import Source
from kling_nb.request import collect
from kling_nb.workspace.workspace import Workspace


@pytest.fixture
def keep():
    workspace = Workspace(Path.cwd() / "kling_runs")
    yield lambda name, data: written_path(workspace.keep_upload(name, data))
    workspace.close()


@pytest.fixture
def give(keep):
    """Give a value for a role, have it looked at, and hold that code would find the same bytes."""

    def give_value(value, role="subject", **variables):
        namespace = Namespace(variables)
        found = entry_of(value, role, namespace, fit=False)
        filled = [each for entry in found for each in read(entry, role, namespace, keep)]
        for entry in filled:
            assert entry.problem == ""
            in_cell = find(entry.source.text, namespace).value
            assert [each.sha256 for each in collect(in_cell, role)] == [entry.reference.sha256]
            in_python = look(entry.source.text, namespace).value if entry.source.is_variable else entry.source.text
            assert [each.sha256 for each in collect(in_python, role)] == [entry.reference.sha256]
        wanted = collect(value, role)
        assert [entry.reference.sha256 for entry in filled] == [each.sha256 for each in wanted]
        return [entry.source for entry in filled]

    return give_value


def photo(number=1):
    return Image.new("RGB", (320, 300), (number, 0, 0))


def test_a_variable_is_written_by_its_name(give):
    cat = photo()
    assert give(cat, dog=photo(2), cat=cat, the_same=cat) == [Source("cat", is_variable=True)]


def test_a_variable_that_is_the_shells_has_no_name_to_write(give):
    cat = photo()
    (source,) = give(cat, _cat=cat, _1=cat)
    assert not source.is_variable
    assert source.text.startswith("kling_runs/uploads/")


def test_equal_is_not_the_same(give):
    (source,) = give(np.zeros((300, 320), "uint8"), array=np.zeros((300, 320), "uint8") + 1)
    assert source.text.startswith("kling_runs/uploads/")


@pytest.mark.parametrize("value", ["cat.png", Path("cat.png"), "./cat.png"], ids=["text", "path", "in this folder"])
def test_a_path_is_written_as_it_was_given(files, give, value):
    assert give(value) == [Source(str(value))]


def test_a_url_is_written_as_it_was_given(give):
    assert give("https://example.org/cat.png") == [Source("https://example.org/cat.png")]


def test_a_path_in_a_variable_is_written_by_its_name_and_a_text_as_it_is(files, give):
    path = Path("cat.png")
    assert give(path, where=path) == [Source("where", is_variable=True)]
    # Equal texts are often the same object, whatever they were meant for.
    assert give("cat.png", where="cat.png") == [Source("cat.png")]


@pytest.mark.parametrize("kind", [str, Path])
def test_a_file_that_is_called_like_a_variable_is_the_file(files, give, kind):
    Path("cat.png").rename("cat")
    assert give(kind("cat"), cat=photo(9)) == [Source("./cat")]
    cat = type("Photos", (), {"png": photo(9)})()
    assert give(kind("hat.png"), hat=cat) == [Source("./hat.png")]


def test_of_two_files_that_differ_in_a_space_it_is_the_right_one(files, give):
    Path("hat.png").rename("cat.png ")
    assert give(Path("cat.png ")) == [Source("cat.png ")]
    assert give("cat.png") == [Source("cat.png")]


def test_white_space_round_a_path_that_has_none_is_taken_off(files, give):
    assert give(" cat.png\n") == [Source("cat.png")]
    assert give(" https://example.org/a.png ") == [Source("https://example.org/a.png")]


def test_a_picture_as_text_gets_a_kept_file(pictures, give):
    (source,) = give(base64.b64encode(pictures()).decode())
    assert source.text.startswith("kling_runs/uploads/")
    text = "data:image/png;base64," + base64.b64encode(pictures()).decode()
    assert give(text) == [Source(text)]


@pytest.mark.parametrize("kind", [list, tuple])
def test_subjects_in_a_list_without_a_name_are_written_one_by_one(files, give, kind):
    cat = photo()
    sources = give(kind([cat, "hat.png", photo(2), "https://example.org/a.png"]), cat=cat)
    assert sources[:2] == [Source("cat", is_variable=True), Source("hat.png")]
    assert sources[2].text.startswith("kling_runs/uploads/")
    assert sources[3] == Source("https://example.org/a.png")


def test_a_list_with_a_name_is_written_by_its_parts(give):
    photos = [photo(1), photo(2)]
    assert give(photos, photos=photos) == [Source("photos[0]", True), Source("photos[1]", True)]


def test_a_list_for_a_scene_stays_one(give):
    (source,) = give([photo()], "scene")
    assert source.text.startswith("kling_runs/uploads/")


def test_a_glob_becomes_its_files(files, give):
    assert give("[ch]at.png") == [Source("cat.png"), Source("hat.png")]


def test_whether_it_is_made_to_fit_is_kept():
    assert [entry.fit for entry in entry_of([photo(), "x.png"], "subject", Namespace({}), fit=True)] == [True, True]


@pytest.mark.parametrize("value", ["gone.png", Path("gone.png"), 5, "", b"text", [], [None]], ids=repr)
def test_what_is_no_picture_is_said_when_it_is_looked_at(files, keep, value):
    entries = entry_of(value, "subject", Namespace({}), fit=False)
    filled = [each for entry in entries for each in read(entry, "subject", Namespace({}), keep)]
    assert all(entry.problem for entry in filled)
