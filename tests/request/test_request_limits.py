"""The API's limits at their edges, and `fit`, after which every limit is kept."""

import io
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kling_nb.request import collect, limits


def keeps(width, height, size=1):
    """The rules as the API states them, in exact arithmetic."""
    long, short = max(width, height), min(width, height)
    return short >= 300 and long * 2 <= short * 5 and 0 < size <= 10_000_000


# At the edges.


@pytest.mark.parametrize(
    "size", [(300, 300), (750, 300), (300, 750), (301, 300), (1000, 400), (752, 301), (4000, 1600)]
)
def test_takes_what_just_keeps_the_limits(one, file, size):
    data = file(Image.new("RGB", size), "PNG")
    assert one(data).data is data


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (
            (280, 400),
            (
                'subject_images[0] "hat.png" is 280 × 400 px; each side must be at least 300 px.'
                " Use --fit (fit=True) to enlarge it."
            ),
        ),
        (
            (299, 300),
            (
                'subject_images[0] "hat.png" is 299 × 300 px; each side must be at least 300 px.'
                " Use --fit (fit=True) to enlarge it."
            ),
        ),
        (
            (751, 300),
            (
                'subject_images[0] "hat.png" is 751 × 300 px (2.503:1); the aspect ratio must lie between 1:2.5 and 2.5:1.'
                " Use --fit (fit=True) to pad it."
            ),
        ),
        (
            (4000, 10001),
            (
                'subject_images[0] "hat.png" is 4000 × 10001 px (1:2.50025); the aspect ratio must lie between'
                " 1:2.5 and 2.5:1. Use --fit (fit=True) to pad it."
            ),
        ),
        (
            (100, 400),
            (
                'subject_images[0] "hat.png" is 100 × 400 px (1:4); each side must be at least 300 px and'
                " the aspect ratio must lie between 1:2.5 and 2.5:1. Use --fit (fit=True) to enlarge and pad it."
            ),
        ),
    ],
)
def test_names_the_limit_the_image_and_its_number(refusal, here, file, size, message):
    (here / "hat.png").write_bytes(file(Image.new("L", size), "PNG"))
    assert refusal("hat.png") == message


def test_ten_megabytes_are_ten_million_bytes(one, refusal, png, padded_png):
    data = padded_png(png, 10_000_000)
    assert len(data) == 10_000_000
    assert one(data).data is data
    assert refusal(padded_png(png, 10_000_001), name="hat") == (
        'subject_images[0] "hat" is 10,000,001 bytes; the file may have at most 10,000,000 bytes (10 MB).'
        " Use --fit (fit=True) to shrink it."
    )


def test_the_limits_hold_for_pixels_from_memory(refusal, picture):
    assert "is 299 × 400 px" in refusal(picture(299, 400))
    assert "is 400 × 299 px" in refusal(np.zeros((299, 400, 3), "uint8"))
    assert "(2.503:1)" in refusal(picture(751, 300), role="style")


def test_the_limits_hold_for_what_is_converted(refusal, picture, file):
    assert "is 200 × 400 px" in refusal(file(picture(200, 400), "BMP"))


# With fit.


def test_enlarges_what_is_too_small(one, opened, picture, file):
    image = picture(280, 400)
    reference = one(file(image, "PNG"), fit=True)
    assert reference.changes == ("enlarged from 280 × 400 to 300 × 429 px",)
    assert (reference.width, reference.height) == (300, 429)
    assert opened(reference).tobytes() == image.resize((300, 429), Image.Resampling.LANCZOS).tobytes()


def test_pads_what_is_too_long_with_the_colours_of_its_edges(one, opened, file):
    image = Image.new("RGB", (1000, 200), (10, 20, 30))
    image.paste((200, 100, 50), (0, 100, 1000, 200))
    reference = one(file(image, "PNG"), fit=True)
    assert reference.changes == ("padded from 1000 × 200 to 1000 × 400 px with the average colour of its edges",)
    sent = opened(reference)
    assert sent.size == (1000, 400)
    assert sent.crop((0, 100, 1000, 300)).tobytes() == image.tobytes()
    assert sent.getpixel((500, 0)) == (10, 20, 30)
    assert sent.getpixel((500, 399)) == (200, 100, 50)


def test_pads_a_tall_image_on_its_left_and_right(one, opened, file):
    image = Image.new("L", (301, 1000), 10)
    image.paste(240, (150, 0, 301, 1000))
    sent = opened(one(file(image, "PNG"), fit=True))
    assert sent.size == (400, 1000)
    assert [sent.getpixel((x, 500)) for x in (0, 48, 49, 349, 350, 399)] == [10, 10, 10, 240, 240, 240]


def test_pads_by_a_single_pixel(one, opened, file):
    image = Image.new("L", (1001, 400), 77)
    sent = opened(one(file(image, "PNG"), fit=True))
    assert sent.size == (1001, 401)
    assert sent.getextrema() == (77, 77)


def test_pads_transparent_images_with_transparency(one, opened, picture, file):
    image = picture(1000, 320, "RGBA")
    reference = one(file(image, "PNG"), fit=True)
    assert reference.changes == ("padded from 1000 × 320 to 1000 × 400 px with transparency",)
    sent = opened(reference)
    assert sent.getpixel((0, 0))[3] == 0
    assert sent.crop((0, 40, 1000, 360)).tobytes() == image.tobytes()


def test_packs_a_wasteful_png_without_loss(one, opened, picture, file, padded_png):
    image = picture()
    reference = one(padded_png(file(image, "PNG"), 10_000_001), fit=True)
    assert reference.changes == ("compressed again as PNG, without loss",)
    assert opened(reference).tobytes() == image.tobytes()


def test_a_jpeg_too_large_is_encoded_again(one, opened, picture, file):
    data = file(picture(1000, 800), "JPEG", comment=b"shot at home") + bytes(10_000_000)
    reference = one(data, fit=True)
    assert reference.changes == ("encoded again as JPEG of quality 95",)
    assert reference.size < 2_000_000
    assert "comment" not in opened(reference).info


@pytest.fixture
def small_files(monkeypatch):
    """Let files be shrunk to a tenth, so that the pictures here can be small."""
    monkeypatch.setattr(limits, "MAX_BYTES", 1_000_000)


@pytest.mark.usefixtures("small_files")
def test_a_photograph_as_png_becomes_jpeg(one, picture, file):
    reference = one(file(picture(700, 520), "PNG", compress_level=1), fit=True)
    assert reference.changes == ("converted from PNG to JPEG of quality 95, because PNG would be over 10 MB",)
    assert reference.size <= 1_000_000


@pytest.mark.usefixtures("small_files")
def test_an_opaque_alpha_channel_does_not_keep_an_image_from_jpeg(one, opened, picture):
    image = picture(700, 520)
    image.putalpha(255)
    reference = one(image)
    assert reference.changes == ("encoded as JPEG of quality 95, because PNG would be over 10 MB",)
    assert opened(reference).mode == "RGB"


@pytest.mark.usefixtures("small_files")
def test_transparent_pixels_cannot_become_a_small_jpeg(refusal, picture):
    message = refusal(picture(600, 500, "RGBA"), name="cut-out")
    assert message.startswith('subject_images[0] "cut-out" is 1,2')
    assert message.endswith("to shrink it.")


@pytest.mark.usefixtures("small_files")
def test_gives_up_quality_before_pixels(one, picture):
    reference = one(picture(780, 620), fit=True)
    assert reference.changes == ("encoded as JPEG of quality 90",)
    assert (reference.width, reference.height) == (780, 620)


@pytest.mark.usefixtures("small_files")
def test_shrinks_when_quality_is_not_enough(one, picture, file):
    reference = one(file(picture(1600, 1000), "JPEG", quality=98, subsampling=0), fit=True)
    first, second = reference.changes
    assert first == f"shrunk from 1600 × 1000 to {reference.width} × {reference.height} px"
    assert second == "encoded again as JPEG of quality 90"
    assert 700_000 < reference.size <= 1_000_000
    assert math.isclose(reference.width / reference.height, 1.6, rel_tol=0.01)


@pytest.mark.usefixtures("small_files")
def test_shrinks_transparent_images_as_png(one, opened, picture):
    reference = one(picture(900, 700, "RGBA"), fit=True)
    assert reference.media_type == "image/png"
    assert reference.size <= 1_000_000
    assert opened(reference).mode == "RGBA"
    assert reference.changes == (
        f"shrunk from 900 × 700 to {reference.width} × {reference.height} px",
        "encoded as PNG",
    )


def test_says_so_when_nothing_helps(refusal, picture, monkeypatch):
    monkeypatch.setattr(limits, "MAX_BYTES", 10_000)
    assert "cannot be brought under 10,000 bytes at 300 × 300 px" in refusal(picture(300, 300), fit=True)


# For every size.


@settings(max_examples=500)
@given(st.integers(1, 100_000_000), st.integers(1, 100_000_000))
def test_a_plan_keeps_every_limit(width, height):
    plan = limits.plan(width, height)
    assert keeps(*plan.canvas)
    assert all(inner <= outer for inner, outer in zip(plan.scaled, plan.canvas, strict=True))
    assert min(plan.scaled) >= 1
    if width * height <= 100_000_000 and not keeps(width, height):
        assert plan.canvas[0] * plan.canvas[1] <= 40_000_000
    if keeps(width, height):
        assert plan == ((width, height), (width, height))


@settings(max_examples=300)
@given(st.integers(1, 20_000), st.integers(1, 20_000))
def test_a_complaint_is_made_exactly_of_what_breaks_a_limit(width, height):
    assert (limits.complaint(width, height) is None) == keeps(width, height)


@settings(max_examples=300)
@given(st.integers(300, 20_000), st.integers(300, 20_000), st.floats(0.01, 0.99))
def test_shrinking_keeps_the_limits_and_the_shape(width, height, factor):
    if not keeps(width, height):
        return
    small = limits.smaller(width, height, factor)
    assert keeps(*small)
    assert small[0] <= width
    assert small[1] <= height
    assert small != (width, height) or min(width, height) == 300
    assert math.isclose(small[0] / small[1], width / height, rel_tol=0.01)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 700),
    st.integers(1, 700),
    st.sampled_from(["L", "LA", "RGB", "RGBA", "CMYK"]),
    st.sampled_from([None, "PNG", "JPEG", "WEBP", "TIFF"]),
)
def test_whatever_is_fitted_keeps_every_limit(picture, file, width, height, mode, kind):
    value = picture(width, height, mode)
    if kind == "JPEG" and "A" in mode:
        kind = "PNG"
    if kind in {"PNG", "WEBP"} and mode == "CMYK":
        kind = "TIFF"
    if kind:
        value = file(value, kind)
    (reference,) = collect(value, "scene", fit=True)
    with Image.open(io.BytesIO(reference.data)) as sent:
        sent.load()
        assert sent.format in {"PNG", "JPEG"}
        assert keeps(*sent.size, len(reference.data))
        assert sent.size == (reference.width, reference.height)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (1, 300_000), (299, 748)])
def test_extreme_shapes_are_fitted(one, file, size):
    reference = one(file(Image.new("L", size), "PNG"), fit=True)
    assert keeps(reference.width, reference.height, reference.size)
