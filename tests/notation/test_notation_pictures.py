"""Which variables are offered as pictures: told by what they are, never by opening anything."""

import types
from pathlib import Path, PureWindowsPath

import matplotlib as mpl
import matplotlib.figure
import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw, ImageFilter
from werkzeug.local import LocalProxy

from kling_nb import Kling
from kling_nb.notation.names import Namespace
from kling_nb.notation.pictures import NO_REFERENCE, picture_variables, rank

PNG = b"\x89PNG\r\n\x1a\n and more"


def offered(**variables):
    return picture_variables(Namespace(variables))


def is_offered(value):
    return offered(value=value) == ["value"]


def of_another_package(module, name="Tensor", **members):
    """An object of a package that is not installed here."""
    return type(name, (), {"__module__": module, **members})()


class Referable:
    def __kling_reference__(self):
        raise AssertionError("it was opened")


class MyArray(np.ndarray):
    pass


class MyFigure(matplotlib.figure.Figure):
    pass


def numbered(values):
    return [f"{number}-{type(value).__name__}" for number, value in enumerate(values)]


PICTURES = [
    Image.new("RGB", (400, 320)),
    Image.new("L", (1, 1)),
    np.zeros((300, 400)),
    np.zeros((300, 400, 3), "uint8"),
    np.zeros((3, 300, 400)),
    np.zeros((4, 300, 400, 3), "uint8"),
    np.zeros((300, 400, 4)).view(MyArray),
    np.ma.masked_array(np.zeros((300, 400))),
    of_another_package("torch", shape=(3, 300, 400)),
    of_another_package("tensorflow.python.framework.ops", shape=(300, 400, 3)),
    matplotlib.figure.Figure(),
    MyFigure(),
    Referable(),
    "cat.png",
    "refs/CAT.JPG",
    "https://example.org/cat",
    "HTTP://example.org/cat?size=2",
    "data:image/png;base64,iVBORw0KGgo=",
    Path("refs/cat.webp"),
    Path("refs/cat.JPEG"),
    PureWindowsPath(r"C:\pics\cat.png"),
    PNG,
    bytearray(PNG),
    b"\xff\xd8\xff\xe0 and more",
    b"GIF89a and more",
    ["cat.png", "hat.png"],
    ("https://example.org/cat", 3),
    [Path("cat.png")],
    [np.zeros((300, 400))],
    [[Image.new("RGB", (8, 8))]],
    {"a": Image.new("RGB", (8, 8)), "b": 1},
    {"a": ["cat.png"]},
    [PNG],
]


@pytest.mark.parametrize("value", PICTURES, ids=numbered(PICTURES))
def test_pictures_are_offered(value):
    assert is_offered(value)


OTHERS = [
    None,
    True,
    3,
    2.5,
    1j,
    np.float32(1),
    np.int64(1),
    np.bool_(True),
    np.array(5),
    np.arange(1000),
    np.zeros((100, 5)),
    np.zeros((100, 1)),
    np.zeros((5, 100)),
    np.zeros((2, 3, 300, 400, 3), "uint8"),
    np.zeros((0, 0)),
    np.array(["cat", "dog"]),
    np.dtype("uint8"),
    np.random.default_rng(1),
    np.zeros,
    np,
    mpl,
    of_another_package("torch", shape=(5,)),
    of_another_package("torch", shape=()),
    of_another_package("torch.nn.modules.linear", "Linear"),
    pd.DataFrame({"a": range(100), "b": range(100)}),
    pd.Series(range(100)),
    matplotlib.figure.Figure().subplots(),
    matplotlib.figure.Figure().subplots().plot([1, 2])[0],
    matplotlib.figure.Figure().subplots(2, 2),
    ImageDraw.Draw(Image.new("RGB", (8, 8))),
    ImageFilter.BLUR(),
    Image,
    Image.Image,
    Image.open,
    matplotlib.figure.Figure,
    Referable,
    lambda: "cat.png",
    "a cat wearing the hat",
    "",
    "notes.txt",
    "ftp://example.org/cat",
    Path("refs"),
    Path("notes.txt"),
    b"",
    b"text",
    [],
    (),
    {},
    [1, 2, 3],
    ["a cat", "cat.png"],
    {"a": 1},
    [[["cat.png"]]],
    {"cat.png"},
    object(),
    types.SimpleNamespace(path="cat.png"),
    (each for each in ["cat.png"]),
]


@pytest.mark.parametrize("value", OTHERS, ids=numbered(OTHERS))
def test_other_things_are_not(value):
    assert not is_offered(value)


def test_what_a_task_has_made_is_offered_and_a_kling_is_not():
    from kling_nb.session.image import GeneratedImage
    from kling_nb.session.task import Task

    # Nothing is asked of them but their types.
    image, task = GeneratedImage.__new__(GeneratedImage), Task.__new__(Task)
    assert offered(kling=Kling(sandbox=True), image=image, images=[image], task=task) == ["image", "images", "task"]


def test_names_come_in_the_order_of_their_making_and_only_the_users_own():
    variables = {"b": "b.png", "_1": "c.png", "In": ["cat.png"], "Out": {1: "cat.png"}, "a": "a.png", "n": 3, "np": np}
    assert offered(**variables) == ["b", "a"]


def refuse(*_args):
    raise RuntimeError("it was looked at")


class Raises:
    """Whatever is asked of it raises."""

    __module__ = "torch"
    __getattribute__ = __getattr__ = __len__ = __iter__ = __getitem__ = __bool__ = __eq__ = __repr__ = refuse
    __hash__ = None


class RaisingPath:
    __fspath__ = __str__ = refuse


class RaisingList(list):
    __getitem__ = __len__ = __iter__ = refuse


class RaisingDict(dict):
    values = __iter__ = refuse


class RaisingText(str):
    __slots__ = ()
    __getitem__ = lower = refuse


class OddKind(type):
    @property
    def __mro__(cls):
        raise RuntimeError("a class with a bad day")


class OddlyMade(metaclass=OddKind):
    pass


# By name, because pytest itself looks closely at what it is given.
NASTY = {
    "object": Raises(),
    "path": RaisingPath(),
    "list": RaisingList(["cat.png"]),
    "dict": RaisingDict(a="cat.png"),
    "text": RaisingText("cat.png"),
    "in a list": [Raises()],
    "class": OddlyMade(),
    "shape of a number": of_another_package("torch", shape=5),
    "shape of texts": of_another_package("torch", shape=("a", "b")),
    "shape that raises": of_another_package("torch", shape=property(refuse)),
    # As a web framework's `request` is, outside of a request.
    "proxy": LocalProxy(refuse),
    "class of an object": type("Proxy", (), {"__class__": property(refuse)})(),
}


@pytest.mark.parametrize("name", NASTY)
def test_what_raises_when_it_is_looked_at_hides_nothing_else(name):
    assert offered(a="cat.png", nasty=NASTY[name], b="hat.png") == ["a", "b"]


def test_a_list_that_contains_itself_ends():
    round_and_round = []
    round_and_round.append(round_and_round)
    assert not is_offered(round_and_round)


def test_nothing_is_opened(tmp_path, monkeypatch):
    Image.new("RGB", (400, 320)).save(tmp_path / "cat.png")
    lazy = Image.open(tmp_path / "cat.png")
    drawn = matplotlib.figure.Figure()
    for owner, name in ((Image.Image, "load"), (type(lazy), "load"), (Image, "open"), (Path, "stat"), (Path, "open")):
        monkeypatch.setattr(owner, name, refuse)
    monkeypatch.setattr(drawn, "savefig", refuse)
    monkeypatch.setattr("builtins.open", refuse)
    found = offered(
        lazy=lazy, path=tmp_path / "cat.png", gone=tmp_path / "gone.png", drawn=drawn, url="https://h/a.png"
    )
    monkeypatch.undo()
    assert found == ["lazy", "path", "gone", "drawn", "url"]
    lazy.close()


def test_a_long_text_is_not_read_to_its_end():
    class Counted(str):
        __slots__ = ()

        def lower(self):
            taken.append(len(self))
            return super().lower()

    taken = []
    assert not is_offered(Counted("x" * 10_000))
    assert taken == []
    assert is_offered("https://example.org/" + "x" * 10_000)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Image.new("RGB", (8, 8)), 0),
        (np.zeros((8, 8)), 0),
        (Referable(), 0),
        ("cat.png", 1),
        ([], 1),
        ({}, 1),
        (b"", 1),
        (object(), 2),
        (3, NO_REFERENCE),
        (None, NO_REFERENCE),
        (np.float64(3), NO_REFERENCE),
        (len, NO_REFERENCE),
        (Image.Image, NO_REFERENCE),
    ],
    ids=lambda value: f"{value}" if isinstance(value, int) else f"{type(value).__name__} {len(str(value))}",
)
def test_a_type_tells_how_likely_a_picture_is(value, expected):
    assert rank(type(value)) == expected
