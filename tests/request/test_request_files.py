"""Files by content: what goes out bit for bit, what is converted and how that is said, and what is refused."""

import hashlib
import io
import random
import struct
import threading
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile, ImageOps, features

from kling_nb.errors import InvalidRequest
from kling_nb.records import Reference
from kling_nb.request import collect, prepare


def exif(orientation=1, *, gps=False):
    tags = Image.Exif()
    tags[0x0112] = orientation
    if gps:
        tags.get_ifd(0x8825)[1] = "N"
        tags.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    return tags


def pixels(image):
    return image.mode, image.size, image.tobytes()


# Bit for bit.


@pytest.mark.parametrize(
    ("mode", "kind", "options"),
    [
        ("RGB", "JPEG", {}),
        ("L", "JPEG", {}),
        ("RGB", "JPEG", {"progressive": True}),
        ("RGB", "JPEG", {"exif": exif(1, gps=True)}),
        ("RGB", "PNG", {}),
        ("RGBA", "PNG", {}),
        ("L", "PNG", {}),
        ("LA", "PNG", {}),
        ("RGB", "PNG", {"exif": exif(1)}),
        ("RGB", "PNG", {"transparency": (1, 2, 3)}),
    ],
)
def test_sends_a_jpeg_or_png_bit_for_bit(one, picture, file, mode, kind, options):
    data = file(picture(mode=mode), kind, **options)
    reference = one(data)
    assert reference.data is data
    assert reference == Reference(
        role="subject",
        name=f"bytes ({len(data):,})",
        sha256=hashlib.sha256(data).hexdigest(),
        media_type=f"image/{kind.lower()}",
        width=320,
        height=310,
        size=len(data),
        changes=(),
    )


def test_sends_a_one_bit_png_bit_for_bit(one, picture, file):
    data = file(picture(mode="L").convert("1"), "PNG")
    assert one(data).data is data


def test_sends_a_file_with_a_colour_profile_bit_for_bit(one, picture, file):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for kind in ("JPEG", "PNG"):
        data = file(picture(), kind, icc_profile=profile)
        assert one(data).data is data


def test_sends_a_camera_s_double_jpeg_bit_for_bit(one, picture, file):
    data = file(picture(), "MPO", save_all=True, append_images=[picture(seed=9)])
    assert Image.open(io.BytesIO(data)).format == "MPO"
    reference = one(data)
    assert reference.data is data
    assert (reference.media_type, reference.changes) == ("image/jpeg", ())


def test_goes_by_content_and_not_by_name(one, jpeg, here):
    (here / "cat.png").write_bytes(jpeg)
    assert one("cat.png").media_type == "image/jpeg"


def test_fit_leaves_alone_what_keeps_the_limits(one, png, jpeg):
    assert one(png, fit=True).data is png
    assert one(jpeg, fit=True).data is jpeg


# Other formats.


@pytest.mark.parametrize(
    ("kind", "word", "mode", "options"),
    [
        ("WEBP", "WebP", "RGB", {"lossless": True}),
        ("WEBP", "WebP", "RGBA", {"lossless": True, "exact": True}),
        ("BMP", "BMP", "RGB", {}),
        ("TIFF", "TIFF", "RGB", {}),
        ("TIFF", "TIFF", "L", {}),
        ("TGA", "TGA", "RGB", {}),
        ("PPM", "PPM", "RGB", {}),
        ("JPEG2000", "JPEG 2000", "RGB", {"irreversible": False}),
        ("AVIF", "AVIF", "RGB", {}),
    ],
)
def test_converts_other_formats_without_loss(one, opened, picture, file, kind, word, mode, options):
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    data = file(picture(mode=mode), kind, **options)
    reference = one(data)
    assert reference.changes == (f"converted from {word} to PNG",)
    assert reference.media_type == "image/png"
    with Image.open(io.BytesIO(data)) as source:
        source.load()
        assert pixels(opened(reference)) == pixels(source)


def test_converts_a_photograph_too_large_for_png_to_jpeg(one, opened, picture, file):
    image = picture(2400, 1800)
    data = file(image, "WEBP", quality=80)
    reference = one(data)
    assert reference.changes == ("converted from WebP to JPEG of quality 95, because PNG would be over 10 MB",)
    assert reference.media_type == "image/jpeg"
    assert opened(reference).layer[0][1:3] == (1, 1)  # the colours are not subsampled


def test_takes_the_first_frame_of_a_gif(one, opened, picture, file):
    frames = [picture(mode="RGB", seed=seed).quantize(64) for seed in range(3)]
    data = file(frames[0], "GIF", save_all=True, append_images=frames[1:])
    reference = one(data)
    assert reference.changes == ("first of 3 frames", "converted from GIF to PNG")
    assert opened(reference).convert("RGB").tobytes() == frames[0].convert("RGB").tobytes()


def test_keeps_a_gif_s_transparency(one, opened, file):
    image = Image.new("P", (320, 310), 1)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.paste(0, (0, 0, 100, 100))
    sent = opened(one(file(image, "GIF", transparency=0)))
    assert sent.mode == "RGBA"
    assert sent.getpixel((5, 5))[3] == 0
    assert sent.getpixel((200, 200)) == (200, 100, 50, 255)


def test_takes_the_first_frame_of_an_animated_png(one, opened, picture, file):
    frames = [picture(seed=seed) for seed in range(4)]
    data = file(frames[0], "PNG", save_all=True, append_images=frames[1:])
    reference = one(data)
    assert reference.changes == ("first of 4 frames",)
    sent = opened(reference)
    assert pixels(sent) == pixels(frames[0])
    assert getattr(sent, "n_frames", 1) == 1


def test_takes_the_first_page_of_a_tiff_and_frame_of_a_webp(one, opened, picture, file):
    frames = [picture(seed=seed) for seed in range(2)]
    data = file(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    reference = one(data)
    assert reference.changes == ("first of 2 pages", "converted from TIFF to PNG")
    assert pixels(opened(reference)) == pixels(frames[0])
    data = file(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert one(data).changes == ("first of 2 frames", "converted from WebP to PNG")


# EXIF rotation.


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_turns_a_rotated_file_upright_without_loss(one, opened, picture, file, orientation, kind):
    data = file(picture(400, 310), kind, exif=exif(orientation))
    reference = one(data)
    expected = ("rotated upright as its EXIF says",)
    assert reference.changes == (expected if kind == "PNG" else (*expected, "converted from JPEG to PNG"))
    with Image.open(io.BytesIO(data)) as source:
        upright = ImageOps.exif_transpose(source)
        assert pixels(opened(reference)) == pixels(upright)
    assert (reference.width, reference.height) == upright.size
    assert (reference.width > reference.height) == (orientation < 5)


def test_orientation_six_turns_clockwise(one, opened, file):
    image = Image.new("RGB", (400, 300), "white")
    image.paste((255, 0, 0), (0, 0, 40, 40))
    sent = opened(one(file(image, "PNG", exif=exif(6))))
    assert sent.size == (300, 400)
    assert sent.getpixel((295, 5)) == (255, 0, 0)


@pytest.mark.parametrize("kind", ["WEBP", "TIFF", "AVIF"])
def test_turns_rotated_files_of_other_formats_once(one, opened, picture, file, kind):
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    options = {"lossless": True} if kind == "WEBP" else {}
    data = file(picture(400, 310), kind, exif=exif(6), **options)
    reference = one(data)
    assert reference.changes == (
        "rotated upright as its EXIF says",
        f"converted from {'WebP' if kind == 'WEBP' else kind} to PNG",
    )
    with Image.open(io.BytesIO(data)) as source:
        assert pixels(opened(reference)) == pixels(ImageOps.exif_transpose(source))


def test_a_rotated_jpeg_too_large_for_png_stays_jpeg(one, opened, picture, file):
    reference = one(file(picture(2400, 1800), "JPEG", quality=60, exif=exif(8)))
    assert reference.changes == (
        "rotated upright as its EXIF says",
        "encoded again as JPEG of quality 95, because PNG would be over 10 MB",
    )
    assert (reference.width, reference.height) == (1800, 2400)
    assert opened(reference).getexif().get(0x0112) is None


def test_what_is_converted_carries_no_metadata(one, opened, picture, file):
    data = file(picture(400, 310), "JPEG", exif=exif(3, gps=True), comment=b"shot at home")
    sent = opened(one(data))
    assert not sent.getexif()
    assert set(sent.info) <= {"icc_profile"}


def test_damaged_exif_refuses_no_picture(one, picture, file):
    data = file(picture(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert one(data).data is data


# Colours.


def test_converts_cmyk(one, opened, picture, file):
    data = file(picture(mode="CMYK"), "JPEG", quality=95)
    reference = one(data)
    assert reference.changes == ("CMYK converted to RGB", "converted from JPEG to PNG")
    with Image.open(io.BytesIO(data)) as source:
        assert pixels(opened(reference)) == pixels(source.convert("RGB"))


def test_converts_cmyk_whose_profile_is_damaged_or_of_other_colours(one, picture, file):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, srgb[:16] + b"CMYK" + b"\0" * 200):
        data = file(picture(mode="CMYK"), "JPEG", icc_profile=profile)
        reference = one(data)
        assert reference.changes == ("CMYK converted to RGB", "converted from JPEG to PNG")
        assert "icc_profile" not in Image.open(io.BytesIO(reference.data)).info


def test_uses_the_profile_of_a_cmyk_image(one, picture, file, monkeypatch):
    calls = []

    def convert(image, source, target, **options):
        calls.append((image.mode, options["outputMode"]))
        return image.convert("RGB")

    monkeypatch.setattr(ImageCms, "profileToProfile", convert)
    monkeypatch.setattr(ImageCms, "ImageCmsProfile", lambda buffer: buffer)
    data = file(picture(mode="CMYK"), "JPEG", icc_profile=b"\0" * 16 + b"CMYK" + b"\0" * 108)
    assert one(data).changes[0] == "CMYK converted to RGB by its colour profile"
    assert calls == [("CMYK", "RGB")]


def test_keeps_the_profile_of_converted_rgb(one, opened, picture, file):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    sent = opened(one(file(picture(), "TIFF", icc_profile=profile)))
    assert sent.info["icc_profile"] == profile


def test_leaves_out_a_profile_that_would_eat_the_limit(one, opened, picture, file):
    huge = b"\0" * 16 + b"RGB " + bytes(2_000_000)
    assert "icc_profile" not in opened(one(file(picture(), "TIFF", icc_profile=huge))).info


def test_reduces_sixteen_bit_grey(one, opened, picture, raw_png):
    eight = picture(mode="L")
    rows = [b"".join(bytes((value, value)) for value in eight.crop((0, y, 320, y + 1)).tobytes()) for y in range(310)]
    reference = one(raw_png(320, 310, 16, 0, rows))
    assert reference.changes == ("16-bit reduced to 8-bit",)
    assert pixels(opened(reference)) == pixels(eight)


@pytest.mark.parametrize(("colour", "mode"), [(2, "RGB"), (6, "RGBA"), (4, "LA")])
def test_reduces_sixteen_bit_colours(one, opened, picture, raw_png, colour, mode):
    eight = picture(mode=mode)
    data = eight.tobytes()
    width = len(data) // 310
    rows = [bytes(value for byte in data[y * width : (y + 1) * width] for value in (byte, 77)) for y in range(310)]
    reference = one(raw_png(320, 310, 16, colour, rows))
    assert reference.changes == ("16-bit reduced to 8-bit",)
    sent = opened(reference)
    assert pixels(sent) == pixels(eight.convert(sent.mode))  # Pillow reads grey with alpha as RGBA


def test_keeps_the_transparent_colour_of_sixteen_bits(one, opened, raw_png, chunk):
    grey = raw_png(
        300, 300, 16, 0, [struct.pack(">300H", *range(0, 60000, 200))] * 300, chunk(b"tRNS", struct.pack(">H", 2000))
    )
    sent = opened(one(grey))
    assert sent.mode == "LA"
    assert sent.getpixel((10, 0))[1] == 0
    assert sent.getpixel((200, 0))[1] == 255
    colour = raw_png(
        300, 300, 16, 2, [struct.pack(">900H", *[60000] * 900)] * 300, chunk(b"tRNS", struct.pack(">3H", *[60000] * 3))
    )
    assert opened(one(colour)).getextrema()[3] == (0, 0)


def test_reduces_sixteen_bit_tiff(one, opened, picture, file):
    eight = picture(mode="L")
    deep = Image.fromarray(np.asarray(eight).astype("uint16") * 257)
    reference = one(file(deep, "TIFF"))
    assert reference.changes == ("16-bit reduced to 8-bit", "converted from TIFF to PNG")
    assert pixels(opened(reference)) == pixels(eight)


def test_converts_a_palette_without_loss(one, opened, picture, file):
    image = picture().quantize(200)
    reference = one(file(image, "PNG"))
    assert reference.changes == ("palette converted to RGB",)
    assert pixels(opened(reference)) == pixels(image.convert("RGB"))


def test_converts_a_palette_with_transparency_without_loss(one, opened, picture, file):
    image = picture().quantize(200)
    data = file(image, "PNG", transparency=bytes(range(200)))
    reference = one(data)
    assert reference.changes == ("palette converted to RGBA",)
    with Image.open(io.BytesIO(data)) as source:
        expected = source.convert("RGBA")
    assert pixels(opened(reference)) == pixels(expected)
    assert len(set(expected.getchannel("A").tobytes())) > 100


def test_converts_lab(one, opened, file):
    image = Image.new("LAB", (320, 310), (128, 128, 128))
    reference = one(file(image, "TIFF"))
    assert reference.changes == ("Lab converted to RGB", "converted from TIFF to PNG")
    red, green, blue = opened(reference).getpixel((0, 0))
    assert abs(red - green) < 6
    assert abs(green - blue) < 6


def test_a_float_tiff_is_read_like_an_array(one, opened, refusal, file):
    image = Image.new("F", (320, 310), 0.5)
    reference = one(file(image, "TIFF"))
    assert reference.changes == ("floats 0..1 scaled to 8-bit", "converted from TIFF to PNG")
    assert opened(reference).getpixel((0, 0)) == 128
    assert "floats from 7 to 7" in refusal(file(Image.new("F", (320, 310), 7.0), "TIFF"))
    image.putpixel((3, 3), float("nan"))
    assert "NaN" in refusal(file(image, "TIFF"))


# Not images.


@pytest.mark.parametrize(
    ("data", "clause"),
    [
        (b"", "is empty (0 bytes)"),
        (b"<!DOCTYPE html><html>no such page</html>", "is an HTML page, not an image"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "is SVG or XML"),
        (b"%PDF-1.7 ...", "is a PDF, not an image"),
        (b'{"error": "not found"}', "is JSON, not an image"),
        (b"\0\1\2\3" * 50, "is not an image of a known format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 400 400\n%%EndComments\n", "PostScript"),
    ],
)
def test_names_what_is_no_image(refusal, here, data, clause):
    (here / "hat.png").write_bytes(data)
    assert refusal("hat.png").startswith('subject_images[0] "hat.png" is ')
    assert clause in refusal("hat.png")


@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
@pytest.mark.parametrize(
    ("kind", "options"), [("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("WEBP", {}), ("TIFF", {})]
)
def test_finds_what_is_cut_off(refusal, here, picture, file, kind, options, share):
    data = file(picture(), kind, **options)
    (here / "hat").write_bytes(data[: int(len(data) * share)])
    message = refusal("hat")
    assert message.startswith('subject_images[0] "hat" ')
    assert any(word in message for word in ("cut off or damaged", "cannot be read", "not an image"))


def test_finds_what_is_cut_off_although_pillow_was_told_to_bear_it(refusal, png, jpeg, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    assert "cut off" in refusal(png[:-9000])
    assert "cut off" in refusal(jpeg[:-9000])
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_finds_a_jpeg_that_lacks_its_last_rows(refusal, picture, file):
    data = file(picture(1200, 1200), "JPEG", quality=92)
    assert "cut off" in refusal(data[:-2000])


def test_refuses_a_bomb_before_it_unpacks(refusal, raw_png):
    for side in (10_001, 20_000, 2_000_000):
        assert "100,000,000 pixels" in refusal(raw_png(side, side, 8, 2, []))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "ICO", "JPEG2000", "TGA", "PCX"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), flips=st.integers(1, 40), cut=st.floats(0.05, 1))
def test_damage_gives_a_reference_or_one_refusal(picture, file, kind, seed, flips, cut):
    data = bytearray(file(picture(64, 60), kind))
    chance = random.Random(seed)
    for _ in range(flips):
        data[chance.randrange(len(data)) if chance.random() < 0.5 else chance.randrange(min(200, len(data)))] = (
            chance.randrange(256)
        )
    try:
        (reference,) = collect(bytes(data[: int(len(data) * cut)]), "scene", fit=True)
    except InvalidRequest:
        return
    assert min(reference.width, reference.height) >= 300


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_give_a_reference_or_one_refusal(data):
    with pytest.raises(InvalidRequest):
        collect(data, "style")


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["JPEG", "PNG", "WEBP"]), st.sampled_from(["L", "RGB", "RGBA", "CMYK"]), st.integers(1, 8))
def test_what_is_sent_needs_no_interpretation(picture, file, kind, mode, orientation):
    if (kind, mode) in {("JPEG", "RGBA"), ("PNG", "CMYK"), ("WEBP", "CMYK")}:
        return
    image = picture(330, 300, mode)
    options = {"WEBP": {"lossless": True, "exact": True}}.get(kind, {})
    data = file(image, kind, exif=exif(orientation), **options)
    (reference,) = collect(data, "scene")
    with Image.open(io.BytesIO(data)) as source, Image.open(io.BytesIO(reference.data)) as sent:
        upright = ImageOps.exif_transpose(source)
        upright = upright.convert("RGB") if upright.mode == "CMYK" else upright
        assert sent.getexif().get(0x0112, 1) == 1
        assert pixels(sent) == pixels(upright)


def test_files_are_checked_side_by_side_and_leave_the_filters_of_warnings_alone(tmp_path, picture, file, monkeypatch):
    # One list for all threads: two that put it back as they found it leave what the other had set.
    real, threads = warnings.catch_warnings.__enter__, set()

    def enter(self):
        threads.add(threading.current_thread())
        return real(self)

    monkeypatch.setattr(warnings.catch_warnings, "__enter__", enter)
    paths = [tmp_path / f"{seed}.jpg" for seed in range(4)]
    for seed, path in enumerate(paths):
        path.write_bytes(file(picture(seed=100 + seed), "JPEG"))
    before = list(warnings.filters)
    assert len(collect(paths, "subject")) == 4
    assert warnings.filters == before
    assert threads == {threading.current_thread()}


def test_a_picture_that_is_given_twice_is_decoded_by_one_thread(picture, file, monkeypatch):
    real, threads = prepare.from_pixels, []

    def from_pixels(given, *, fit):
        threads.append(threading.current_thread())
        return real(given, fit=fit)

    monkeypatch.setattr(prepare, "from_pixels", from_pixels)
    lazy = Image.open(io.BytesIO(file(picture(), "PNG")))
    first, second = collect([lazy, lazy], "subject")
    assert first.sha256 == second.sha256
    assert threads == 2 * [threading.current_thread()]
