"""The contact sheet: readable, within its cap, with a caption."""

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from kling_nb.display import contact_sheet, lettering, sheet, task_bundle


def opened(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def caption(image):
    """How many dark pixels there are in the last 70 rows."""
    return int((np.asarray(image.convert("L"))[-70:] < 90).sum())


@pytest.mark.parametrize("n", range(1, 10))
def test_every_number_of_images(make_view, n):
    data = contact_sheet(make_view(n=n))
    image = opened(data)
    assert len(data) <= 60_000
    assert (image.format, image.mode) == ("JPEG", "RGB")
    assert min(image.getpixel((2, 2))) > 250
    assert caption(image) > 300


def test_the_caption_says_sandbox(make_view, monkeypatch):
    words = []
    original = sheet._write
    monkeypatch.setattr(sheet, "_write", lambda draw, lines, top: words.append(lines) or original(draw, lines, top))
    contact_sheet(make_view(gateway="sandbox"))
    contact_sheet(make_view())
    assert [[line.boxed for line in lines] for lines in words] == [["", "SANDBOX"], ["", ""]]
    assert words[0][0].text == "a cat wearing the hat"
    assert words[0][1].text == "kling-v2-1 · 3:2 · 4 images · 2026-11-22 10:15 UTC · 20261122-101530-ab12"


def test_without_prompt_the_sandbox_is_still_marked(make_view):
    assert caption(opened(contact_sheet(make_view(prompt=None, gateway="sandbox")))) > 100


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("naïve café – „déjà vu“", 'naive cafe - "deja vu"'),
        ("Straße, Łódź", "Strasse, Lodz"),
        ("根据两张图的特点融合", "[prompt of 10 characters in a script that this sheet cannot write]"),
        ("", ""),
        ("🐈", "[prompt of 1 character in a script that this sheet cannot write]"),
    ],
)
def test_letters_that_the_font_lacks(text, drawn):
    assert lettering.drawable(text, "prompt").replace("“", '"') == drawn


def test_a_long_prompt_is_cut_to_three_lines(make_view):
    long = opened(contact_sheet(make_view(n=1, prompt="word " * 500)))
    short = opened(contact_sheet(make_view(n=1, prompt="word")))
    assert long.height - short.height == 2 * 26
    unbroken = opened(contact_sheet(make_view(n=1, prompt="w" * 2500)))
    assert unbroken.width == short.width


def test_a_missing_image_leaves_its_place(make_view):
    whole, part = (opened(contact_sheet(make_view(have=have))) for have in (None, (0, 1, 3)))
    assert abs(whole.height - part.height) < 8


def test_no_picture_no_sheet(make_view, thumbs):
    assert contact_sheet(make_view("failed")) is None
    assert contact_sheet(make_view(view={"thumbnails": {}})) is None
    assert contact_sheet(make_view(n=1, view={"thumbnails": {0: thumbs[0][:300]}})) is None


def test_one_damaged_thumbnail_does_not_spoil_the_others(make_view, thumbs):
    view = make_view(n=2)
    assert contact_sheet(replace(view, thumbnails={0: thumbs[0], 1: b"broken"})) is not None


@pytest.mark.parametrize("most", [60_000, 30_000, 12_000])
def test_the_caption_stays_legible_whatever_the_cap(make_view, pictures, most):
    from kling_nb.display import thumbnail

    noisy = thumbnail(pictures.encoded(pictures.noisy(1024, 8)))
    view = make_view(n=9, view={"thumbnails": dict.fromkeys(range(9), noisy)})
    data = contact_sheet(view, most)
    assert len(data) <= most
    assert caption(opened(data)) > 300


def test_a_cap_that_cannot_be_met_ends(make_view):
    assert opened(contact_sheet(make_view(n=9), 500)).width > 300


def test_the_bundle_carries_it_in_base64_with_size_and_alt(make_view):
    data, metadata = task_bundle(make_view(gateway="sandbox"), now=0.0)
    image = opened(base64.b64decode(data["image/jpeg"], validate=True))
    assert metadata["image/jpeg"] == {
        "width": image.width,
        "height": image.height,
        "alt": "a cat wearing the hat (4 images, sandbox)",
    }


# ---- kept ----------------------------------------------------------------------------------------


class Shelf:
    """Keeps small pictures in memory, and counts what it is asked for."""

    def __init__(self, broken=False):
        self.kept, self.broken = {}, broken

    def thumbnail(self, name):
        if self.broken:
            raise OSError("no disk")
        return self.kept.get(name)

    def keep_thumbnail(self, name, jpeg):
        if self.broken:
            raise OSError("no disk")
        self.kept[name] = jpeg


def shown(view):
    return base64.b64decode(task_bundle(view, now=0.0)[0]["image/jpeg"])


def test_a_sheet_is_drawn_once(make_view, monkeypatch):
    shelf = Shelf()
    plain, view = make_view(n=3), make_view(n=3)
    view = replace(view, keep=shelf)
    first = shown(view)
    assert first == shown(replace(plain, record=view.record))
    assert list(shelf.kept.values()) == [first]
    monkeypatch.setattr(sheet, "sheet", None)
    assert shown(view) == first


def test_whatever_is_drawn_differently_is_another_sheet(make_view, thumbs):
    shelf = Shelf()
    view = replace(make_view(n=3), keep=shelf)
    record = view.record
    views = [
        view,
        replace(view, thumbnails={**view.thumbnails, 0: thumbs[5]}),
        replace(view, thumbnails={1: thumbs[1]}),
        replace(view, record=replace(record, request={**record.request, "prompt": "other \udce9 words"})),
        replace(view, record=replace(record, created_at=record.created_at + 60)),
        replace(view, record=replace(record, id="20260101-000000-other")),
        replace(view, record=replace(record, gateway="sandbox")),
    ]
    for number, each in enumerate(views, 1):
        assert shown(each) == shown(replace(each, keep=None))
        assert len(shelf.kept) == number


@pytest.mark.parametrize("spoiled", [b"", b"no picture"])
def test_a_kept_sheet_that_is_damaged_is_drawn_again(make_view, spoiled):
    shelf = Shelf()
    view = replace(make_view(n=3), keep=shelf)
    first = shown(view)
    [name] = shelf.kept
    shelf.kept[name] = spoiled
    assert shown(view) == first
    assert shelf.kept[name] == first


def test_where_nothing_can_be_kept_it_is_drawn(make_view):
    view = make_view(n=3)
    assert shown(replace(view, keep=Shelf(broken=True))) == shown(view)
