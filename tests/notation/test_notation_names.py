import os
import types
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_nb.notation.names import Namespace, files, find
from kling_nb.notation.tokenizer import UsageProblem


def assert_one_line(problem):
    assert len(str(problem).splitlines()) == 1


class Trap:
    """Everything that a reference must never do to an object."""

    img = ("a", "b")

    def __call__(self, *args):
        raise AssertionError("called")

    __add__ = __mul__ = __neg__ = __truediv__ = __sub__ = __call__

    @property
    def broken(self):
        raise RuntimeError("no\nway")


VARIABLES = {
    "cat": "the cat",
    "refs": {"a": 1, "my cat": 2, "C:\\pics": 3},
    "images": [10, 20, 30, 40],
    "i": 2,
    "key": "a",
    "df": types.SimpleNamespace(img=[1, 2, 3, 4]),
    "trap": Trap(),
    "array": np.arange(9).reshape(3, 3),
    "_hidden": "hidden",
    "μ": "micron",
    "os": os,
}
NAMESPACE = Namespace(VARIABLES)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "refs").mkdir()
    for name in ("refs/hat.png", "refs/wave.JPG", "refs/notes.txt", "refs/.secret.png"):
        (tmp_path / name).touch()
    for name in ("cat.png", "hat-2.png", "cat[1].png", "dog[2.png", "cat#2.png", "my dog.png", "images"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def problem_of(text, namespace=NAMESPACE):
    with pytest.raises(UsageProblem) as problem:
        find(text, namespace)
    message = str(problem.value)
    assert len(message.splitlines()) == 1
    return message


# --- variables -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("cat", "the cat"),
        ("_hidden", "hidden"),
        ("µ", "micron"),
        ("images", [10, 20, 30, 40]),  # a variable before a file of the same name
        ('refs["a"]', 1),
        ("refs['my cat']", 2),
        (r'refs["C:\\pics"]', 3),
        ("refs[key]", 1),
        ("images[0]", 10),
        ("images[-1]", 40),
        ("images[i]", 30),
        ("images[1:3]", [20, 30]),
        ("images[::-1]", [40, 30, 20, 10]),
        ("images[:i]", [10, 20]),
        ("df.img[3]", 4),
        ("df.img[images[0:1][0]:]", []),
        ("trap.img[1]", "b"),
        ("array[1, 2]", 5),
        ("array[i, -1]", 8),
    ],
)
def test_a_variable_and_its_parts(text, value):
    assert find(text, NAMESPACE) == (value, text)


def test_a_variable_is_the_object_itself():
    picture = np.zeros((2, 2))
    assert find("a", Namespace({"a": picture})).value is picture
    assert find("array[0:2, 1]", NAMESPACE).value.tolist() == [1, 4]


def test_the_nearest_variables_come_first():
    namespace = Namespace({"x": "local"}, {"x": "global", "y": None})
    assert find("x", namespace).value == "local"
    assert find("y", namespace).value is None
    assert "x" in namespace
    assert "list" not in namespace


@pytest.mark.parametrize(
    "text",
    [
        "trap()",
        "trap(1)[0]",
        "trap.img()",
        "images[trap()]",
        "images[len(cat)]",
        "trap+trap",
        "trap*2",
        "-trap",
        "images[-trap]",
        "images[i+1]",
        "images[[1]]",
        "images[1:trap()]",
        "array[0, trap()]",
        "[cat]",
        "(cat)",
        "(cat,)",
        'f"{trap()}"',
        'refs[f"{trap()}"]',
        "refs[lambda: 1]",
        "[c for c in images]",
        "images[(x := 1)]",
        "cat if trap else cat",
        "not cat",
        "cat,",
        "cat;",
        "cat\ncat",
        "await cat",
        "*df",
        "None",
        "...",
        "1",
        '"cat"',
    ],
)
def test_nothing_else_is_ever_looked_up(text):
    problem_of(text)


def test_builtins_are_no_variables():
    assert "‘list’ is neither a variable nor a file" in problem_of("list")
    assert "__builtins__" not in NAMESPACE


def test_a_backslash_in_a_key_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find(r'refs["C:\pics"]', NAMESPACE).value == 3


# --- files and URLs ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "./cat.png",
        "cat.png",  # `cat` has no attribute `png`
        "hat-2.png",
        "cat[1].png",
        "dog[2.png",
        "cat#2.png",  # and not the variable `cat` with a comment
        "my dog.png",
        "./images",
        "refs/hat.png",
        "~/refs/hat.png",
        "*.png",
        "refs/*",
        "**/*.JPG",
        "cat[[]1].png",
        "http://h/a.png",
        "HTTPS://h/a?b=*.png",
        "data:image/png;base64,iVBORw0KGgo=",
        "data:," + "x" * 5000,
    ],
)
def test_files_globs_and_urls_are_their_text(text):
    assert find(text, NAMESPACE) == (text, text)


def test_an_absolute_path_and_glob(folder):
    for text in (f"{folder}/cat.png", f"{folder}/*.png"):
        assert find(text, NAMESPACE).value == text


def test_an_attribute_comes_before_a_file():
    assert find("cat.png", Namespace({"cat": types.SimpleNamespace(png="mine")})).value == "mine"


def test_a_windows_path_is_a_file(folder):
    name = r"C:\pics\a.png"
    assert "is no file" in problem_of(name)
    (folder / name).touch()  # any name is a name here
    assert find(name, NAMESPACE).value == name


# --- what is found nowhere -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("cta", ["‘cta’ is neither a variable nor a file", "nearest: cat"]),
        ("imags", ["nearest: images"]),
        ("hta.png", ["neither", "nearest: hat-2.png"]),
        ("./cat", ["‘./cat’ is no file", "nearest: ./cat.png"]),
        ("hat", ["neither"]),
        ("refs/ht.png", ["‘refs/ht.png’ is no file", "nearest: refs/hat.png"]),
        ("nowhere/x.png", ["‘nowhere/x.png’ is no file"]),
        ("refs/*.gif", ["matches none as a glob"]),
        ("./refs", ["is a folder", "‘./refs/*.png’"]),
        ("cat.jpg", ["‘cat.jpg’ raised AttributeError", "no file is called ‘cat.jpg’", "nearest: cat.png"]),
        ('refs["b"]', ["KeyError: 'b' (it has 'a', 'my cat', 'C:\\\\pics')"]),
        ('refs["my ct"]', ["(it has 'my cat', …)"]),
        ("images[9]", ["IndexError", "(it has 4)"]),
        ("images[j]", ["there is no variable j"]),
        ("df.imh[3]", ["‘df.imh’ raised AttributeError"]),
        ("trap.broken", ["RuntimeError: no way"]),
        ("images[i+1]", ["put it into a variable"]),
        ("trap()", ["put it into a variable"]),
        ("ftp://h/a.png", ["a URL begins with http:// or https://"]),
        ("x" * 9000, ["is no file"]),
        ("a\0b", ["is no file"]),
        ("a[" * 240, ["is no file"]),
        ("(" * 400, ["is no file"]),
        ("", ["is no file"]),
    ],
    ids=range(24),
)
def test_the_message_names_what_was_tried_and_what_is_nearest(text, parts):
    message = problem_of(text)
    for part in parts:
        assert part in message
    assert len(message) < 400


def test_the_shells_and_hidden_names_and_modules_are_not_offered():
    namespace = Namespace({"cat": 1}, {"In": [], "Out": {}, "exit": 1, "_x": 1, "os": os, "cat": 2, "dog": 3})
    assert sorted(namespace.names()) == ["cat", "dog"]


@given(st.text(st.sampled_from(list("ab.[]()\"'#:,-+*/\\ \n{}")) | st.characters(), max_size=30))
def test_any_text_is_found_or_a_problem_in_one_line(text):
    try:
        found = find(text, Namespace({"a": {"b": 1}, "b": Trap()}))
    except UsageProblem as problem:
        assert_one_line(problem)
    else:
        assert found.name == text


# --- files for completion ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("", ["cat#2.png", "cat.png", "cat[1].png", "dog[2.png", "hat-2.png", "my dog.png", "refs/"]),
        ("re", ["refs/"]),
        ("refs/", ["refs/hat.png", "refs/wave.JPG"]),
        ("refs/.", ["refs/.secret.png"]),
        ("./refs/h", ["./refs/hat.png"]),
        ("~/refs/h", ["~/refs/hat.png"]),
        ("nowhere/", []),
        ("\0", []),
        ("~nobody-of-that-name/", []),
    ],
)
def test_pictures_and_folders(prefix, expected):
    assert files(prefix) == expected
