"""Every kind of value that a notebook may hold, how it is named, and what is said of all others."""

import base64
import io
from collections import OrderedDict
from datetime import UTC, datetime
from types import MappingProxyType

import ipywidgets
import numpy as np
import pandas as pd
import pytest
from IPython.display import Image as DisplayImage
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from kling_nb.errors import InvalidRequest, WaitTimeout
from kling_nb.request import NamedSource, collect

MODIFIED = datetime(2026, 1, 1, tzinfo=UTC)
WANTED = (
    "give a file, a glob, an http(s) URL, image bytes, a PIL image, an array or tensor, a figure, an upload,"
    " or a list of these"
)


class Own:
    """An object that says itself what its reference is."""

    def __init__(self, value):
        self.value = value

    def __kling_reference__(self):
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


class Picture:
    """An object that only knows how to show itself."""

    def __init__(self, png=None, jpeg=None):
        self.png, self.jpeg = png, jpeg

    def _repr_png_(self):
        return self.png

    def _repr_jpeg_(self):
        return self.jpeg


def names(value, role="style", **options):
    return [reference.name for reference in collect(value, role, **options)]


# Bytes.


@pytest.mark.parametrize(
    "of", [bytes, bytearray, memoryview, np.bytes_], ids=["bytes", "bytearray", "memoryview", "numpy"]
)
def test_takes_bytes(one, png, of):
    reference = one(of(png))
    assert reference.data == png
    assert type(reference.data) is bytes
    assert reference.name == f"bytes ({len(png):,})"


def test_takes_open_files_wherever_they_stand(one, here, png):
    (here / "hat.png").write_bytes(png)
    with (here / "hat.png").open("rb") as file:
        first, second = one(file), one(file)
    assert first.data == second.data == png
    assert first.name == str(here / "hat.png")
    buffer = io.BytesIO()
    buffer.write(png)  # and no seek(0) after it
    assert one(buffer).data == png
    assert one(buffer).name == "open file"


def test_takes_a_file_that_cannot_seek(one, png):
    class Stream:
        name = 3

        def read(self):
            return bytearray(png)

    assert one(Stream()).data == png
    assert one(Stream()).name == "open file"


def test_refuses_files_that_give_no_bytes(refusal, here, png):
    (here / "hat.png").write_bytes(png)
    (here / "notes.txt").write_text("a hat")
    with (here / "hat.png").open(encoding="utf-8") as file:
        assert 'open it with "rb"' in refusal(file)
    with (here / "notes.txt").open(encoding="utf-8") as file:
        assert 'open it with "rb"' in refusal(file)
    assert "cannot be read (I/O operation on closed file" in refusal(file)
    with (here / "hat.png").open("wb") as file:
        assert "cannot be read (" in refusal(file)

    class Odd:
        def read(self):
            return 3

    assert "gives an int when it is read" in refusal(Odd())


# PIL.


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_takes_a_pil_image_pixel_for_pixel(one, opened, picture, mode):
    image = picture(mode=mode)
    reference = one(image)
    assert reference.name == "image 320×310"
    assert reference.changes == ("encoded as PNG",)
    sent = opened(reference)
    assert (sent.mode, sent.tobytes()) == (mode, image.tobytes())


@pytest.mark.parametrize(
    ("mode", "change"),
    [
        ("1", None),
        ("P", "palette converted to RGB"),
        ("PA", "palette converted to RGBA"),
        ("CMYK", "CMYK converted to RGB"),
        ("YCbCr", "YCbCr converted to RGB"),
        ("HSV", "HSV converted to RGB"),
        ("LAB", "Lab converted to RGB"),
        ("RGBX", None),
        ("RGBa", None),
        ("La", None),
        ("I", "32-bit integers taken as 8-bit"),
        ("I;16", "16-bit reduced to 8-bit"),
        ("I;16B", "16-bit reduced to 8-bit"),
        ("F", "floats 0..1 scaled to 8-bit"),
    ],
)
def test_takes_a_pil_image_of_any_mode(one, opened, mode, change):
    reference = one(Image.new(mode, (320, 310)))
    assert reference.changes == ((change, "encoded as PNG") if change else ("encoded as PNG",))
    assert opened(reference).mode in {"L", "LA", "RGB", "RGBA"}


def test_integers_in_a_pil_image_are_sixteen_bit_only_when_they_must_be(one, opened, refusal, picture):
    eight = picture(mode="L")
    assert opened(one(eight.convert("I"))).tobytes() == eight.tobytes()
    deep = Image.fromarray(np.asarray(eight).astype("int32") * 257)
    reference = one(deep)
    assert reference.changes[0] == "16-bit reduced to 8-bit"
    assert opened(reference).tobytes() == eight.tobytes()
    image = Image.new("I", (320, 310))
    image.putpixel((0, 0), 70000)
    assert "has integer values from 0 to 70000" in refusal(image)


def test_an_image_opened_from_a_file_is_named_by_it_and_turned_upright(one, opened, picture, file, here):
    tags = Image.Exif()
    tags[0x0112] = 6
    (here / "phone.jpg").write_bytes(file(picture(400, 310), "JPEG", exif=tags))
    with Image.open("phone.jpg") as image:
        reference = one(image)
        assert reference.name == "phone.jpg"
        assert reference.changes == ("rotated upright as its EXIF says", "encoded as PNG")
        assert (reference.width, reference.height) == (310, 400)
        # What was made of it may have been turned by hand, and its pixels are what the notebook shows.
        turned = image.rotate(270, expand=True)
        assert one(turned).changes == ("encoded as PNG",)
        assert opened(one(turned)).tobytes() == opened(reference).tobytes()


def test_leaves_the_users_image_alone(one, picture):
    image = picture(200, 150)
    image.info["dpi"] = (72, 72)
    before = (image.mode, image.size, image.tobytes(), dict(image.info))
    one(image, fit=True)
    assert (image.mode, image.size, image.tobytes(), dict(image.info)) == before


def test_takes_the_frame_that_an_animation_stands_at(one, picture, file):
    frames = [picture(seed=seed) for seed in range(3)]
    with Image.open(io.BytesIO(file(frames[0], "PNG", save_all=True, append_images=frames[1:]))) as image:
        image.seek(2)
        assert one(image).changes == ("number 3 of 3 frames", "encoded as PNG")


def test_refuses_pil_images_without_pixels(refusal, png):
    assert "is empty (0 × 5 px)" in refusal(Image.new("RGB", (0, 5)))
    image = Image.open(io.BytesIO(png))
    image.close()
    assert "is cut off or damaged" in refusal(image)
    with Image.open(io.BytesIO(png[:9000])) as image:
        assert "is cut off or damaged" in refusal(image)


# Figures.


def test_takes_a_figure_as_it_is_drawn(one, opened):
    figure = Figure(figsize=(5, 4), dpi=80, facecolor=(1, 0, 0))
    axes = figure.add_axes((0.3, 0.3, 0.4, 0.4))
    (line,) = axes.plot([1, 2])
    for value in (figure, axes, line):
        reference = one(value)
        assert reference.name == "figure"
        assert (reference.width, reference.height) == (400, 320)
        assert opened(reference).getpixel((3, 3)) == (255, 0, 0, 255)
    assert one(figure).sha256 == one(axes).sha256
    assert b"matplotlib" not in one(figure).data


def test_takes_a_part_of_a_figure_as_the_whole(one):
    figure = Figure(figsize=(5, 4))
    left, _ = figure.subfigures(1, 2)
    assert isinstance(left.add_subplot(), Axes)
    assert one(left).data == one(figure).data


def test_does_not_depend_on_the_resolution_for_saving(one):
    with rc_context({"savefig.dpi": 300}):
        assert one(Figure(figsize=(5, 4), dpi=80)).width == 400


def test_a_grid_of_plots_has_a_figure(one):
    class Grid:
        figure = Figure(figsize=(5, 4))

    assert one(Grid()).width == 500


def test_a_line_on_no_figure_is_refused(refusal):
    assert "is part of no figure" in refusal(Line2D([0, 1], [0, 1]))


def test_a_small_figure_breaks_the_limits(refusal):
    assert refusal(Figure(figsize=(2, 2))).startswith('subject_images[0] "figure" is 200 × 200 px;')


# IPython and widgets.


def test_takes_what_ipython_displays(one, here, png):
    (here / "hat.png").write_bytes(png)
    assert one(DisplayImage(data=png)).data == png
    assert one(DisplayImage(filename="hat.png")).name == "hat.png"
    assert one(DisplayImage(url="https://example.com/a.png")).url == "https://example.com/a.png"
    assert one(DisplayImage(data=png), name="shown").name == "shown"


def upload(name, png):
    return {"name": name, "type": "image/png", "size": len(png), "content": memoryview(png), "last_modified": MODIFIED}


def test_takes_uploads(one, refusal, png):
    widget = ipywidgets.FileUpload(multiple=True)
    assert "is an upload without a file yet" in refusal(widget)
    widget.value = (upload("cat.png", png), upload("hat.png", png))
    assert names(widget) == names(widget.value) == ["upload cat.png", "upload hat.png"]
    assert names(widget, name="up") == ["up[0]", "up[1]"]
    assert one(widget.value[0]).data == png
    widget.close()


def test_takes_uploads_of_version_seven(png):
    value = {
        "cat.png": {"metadata": {"name": "cat.png", "size": len(png)}, "content": png},
        "hat.png": {"metadata": {"name": "hat.png", "size": len(png)}, "content": png},
    }
    assert names(value) == ["upload cat.png", "upload hat.png"]
    assert names(value, name="up") == ["up['cat.png']", "up['hat.png']"]


def test_takes_an_image_widget(one, png):
    widget = ipywidgets.Image(value=png)
    assert one(widget).data == png
    assert one(widget).name == "image widget"
    widget.close()
    widget = ipywidgets.Image(value=b"https://example.com/a.png", format="url")
    assert one(widget).url == "https://example.com/a.png"
    widget.close()


def test_takes_what_can_only_show_itself(one, refusal, png, jpeg):
    assert one(Picture(png=png)).data == png
    assert one(Picture(jpeg=(jpeg, {"width": 9}))).data == jpeg
    assert one(Picture(png=base64.b64encode(png).decode())).data == png
    assert one(Picture(png=png)).name.endswith("Picture")
    assert "gives no image of itself" in refusal(Picture())


# Objects of our own kind.


def test_asks_objects_for_their_reference(one, here, png):
    (here / "hat.png").write_bytes(png)
    assert one(Own("hat.png")).name == "hat.png"
    assert one(Own(Own(png))).data == png
    reference = one(Own(NamedSource(png, name="a cat (1)", origin="task/1")))
    assert (reference.name, reference.origin, reference.data) == ("a cat (1)", "task/1", png)
    assert one(Own(NamedSource(png, "inner")), name="given").name == "given"
    found = collect(Own([NamedSource(png, "a", "t/0"), NamedSource("https://example.com/b.png", "b", "t/1")]), "style")
    assert [(reference.name, reference.origin) for reference in found] == [("a", "t/0"), ("b", "t/1")]


def test_origin_reaches_every_image_inside(png):
    source = NamedSource([png, NamedSource(png, origin="inner")], name="both", origin="outer")
    found = collect(source, "style")
    assert [(reference.name, reference.origin) for reference in found] == [("both[0]", "outer"), ("both[1]", "inner")]


def test_does_not_follow_references_for_ever(refusal):
    loop = Own(None)
    loop.value = loop
    assert "contains itself" in refusal(loop)

    class Endless:
        def __kling_reference__(self):
            return [Endless()]

    assert "is nested more than 20 deep" in refusal(Endless())


def test_an_error_of_the_object_itself_comes_through():
    with pytest.raises(ZeroDivisionError):
        collect(Own(ZeroDivisionError()), "style")
    with pytest.raises(WaitTimeout):
        collect(Own(WaitTimeout("the task goes on")), "style")


def test_a_class_is_not_asked(refusal):
    assert "is a class, not an object of it" in refusal(Own)


# Kinds that hold others.


def test_flattens_and_names_what_holds_others(here, png, picture):
    (here / "hat.png").write_bytes(png)
    assert names(["hat.png", (png, "https://example.com/a.png")], name="refs") == [
        "refs[0]",
        "refs[1][0]",
        "refs[1][1]",
    ]
    assert names(["hat.png", picture()]) == ["hat.png", "image 320×310"]
    assert names({"wave": png, 2: "hat.png"}, name="styles") == ["styles['wave']", "styles[2]"]
    assert names(OrderedDict(wave=png, hat="hat.png")) == ["wave", "hat"]
    assert names(MappingProxyType({2: png})) == [f"bytes ({len(png):,})"]
    assert names((item for item in ["hat.png", png]), name="g") == ["g[0]", "g[1]"]
    assert names(iter(["hat.png"])) == ["hat.png"]
    assert names(map(str, ["hat.png"])) == ["hat.png"]


def test_a_list_of_one_is_named_as_typed(one, png):
    assert one([png], name="cats").name == "cats[0]"


def test_takes_columns_of_data_frames(refusal, here, png):
    (here / "hat.png").write_bytes(png)
    frame = pd.DataFrame({"image": ["hat.png", png], "n": [1, None]}, index=[3, 7])
    assert names(frame.image) == ["image[3]", "image[7]"]
    assert names(frame.image, name="df.image") == ["df.image[3]", "df.image[7]"]
    assert names(frame.image[frame.index == 7], name="x") == ["x[7]"]
    assert names(pd.Series(["hat.png"], index=["a"]), name="s") == ["s['a']"]
    assert names(pd.Series(["hat.png"])) == ["hat.png"]
    assert names(pd.Index(["hat.png"])) == ["hat.png"]
    assert names(frame.image.to_numpy(), name="a") == ["a[0]", "a[1]"]
    assert 'choose a column of images, such as df["image"]' in refusal(frame)
    assert '"df.n[3]" is a float (1.0)' in refusal(frame.n, name="df.n")
    for missing in (None, float("nan"), pd.NA, pd.NaT, np.nan):
        column = pd.Series(["hat.png", missing], dtype=object)
        assert any(word in refusal(column, name="c") for word in ("is missing (NaN)", "is None"))


@pytest.mark.parametrize(
    "value",
    [[], (), {}, [[]], iter(()), pd.Series([], dtype=object), np.array([], dtype=object)],
    ids=["list", "tuple", "dict", "nested", "iterator", "series", "array"],
)
def test_refuses_what_holds_nothing(refusal, value):
    assert "is empty; it holds no image" in refusal(value)


def test_refuses_what_has_no_order(refusal, png):
    assert "has no order; give a list" in refusal({png})


def test_refuses_a_list_that_contains_itself(refusal):
    loop = []
    loop.append(loop)
    assert refusal(loop, name="loop") == 'subject_images[0] "loop[0]" contains itself'


def test_the_same_image_twice_is_no_loop(png):
    pair = [png]
    assert len(collect([pair, pair], "subject")) == 2


def test_an_endless_iterator_is_stopped(png):
    def endless():
        while True:
            yield "https://example.com/a.png"

    with pytest.raises(InvalidRequest, match="more than 4 images"):
        collect(endless(), "subject")
    with pytest.raises(InvalidRequest, match="more than 100 images"):
        collect(endless(), "scene")


# What does not suit.


@pytest.mark.parametrize(
    ("value", "clause"),
    [
        (None, f"subject_images[0] is None; {WANTED}"),
        (3, f"subject_images[0] is an int (3); {WANTED}"),
        (True, f"subject_images[0] is a bool (True); {WANTED}"),
        (float("nan"), "subject_images[0] is missing (NaN)"),
        (object, f"subject_images[0] is a class, not an object of it; {WANTED}"),
        (len, "is a builtin_function_or_method (<built-in function len>)"),
        (io, "is a module"),
        (range(3), "is a range (range(0, 3))"),
        (10**5000, "is an int ("),
    ],
    ids=["None", "int", "bool", "nan", "class", "function", "module", "range", "huge"],
)
def test_names_the_type_and_what_would_do(refusal, value, clause):
    assert clause in refusal(value)


def test_names_the_role_the_index_and_the_name(refusal, png):
    assert refusal(3, "scene").startswith("scene_image is an int")
    assert refusal(3, "style", name="wave").startswith('style_image "wave" is an int')
    assert refusal([png, 3], name="refs").startswith('subject_images[1] "refs[1]" is an int')
    assert refusal(3, start=2).startswith("subject_images[2] is an int")
    assert refusal(3, name="a\nb" * 100).startswith('subject_images[0] "a\\nba\\nb')


def test_a_value_whose_repr_fails_is_still_named(refusal):
    class Bad:
        def __repr__(self):
            raise RuntimeError

        def __eq__(self, other):
            raise RuntimeError

        __hash__ = None

    assert "Bad (<" in refusal(Bad())


def test_names_are_one_short_line(one, png):
    reference = one(png, name="a\nb" * 200)
    assert len(reference.name) == 200
    assert "\n" not in reference.name


def test_every_reference_has_its_role(png):
    for role in ("subject", "scene", "style"):
        assert collect(png, role)[0].role == role
