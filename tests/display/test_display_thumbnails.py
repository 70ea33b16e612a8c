"""Small pictures: under their caps whatever they show, upright, on white, with nothing of the file left."""

import io

import numpy as np
import pytest
from PIL import Image

from kling_nb.display import preview, shrink, thumbnail
from kling_nb.imagedata import NotAnImage


def opened(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.fixture(scope="session")
def noises(pictures):
    options = {"kind": "PNG", "compress_level": 1}
    uniform = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), dtype="uint8")
    return {
        "sigma 25": pictures.encoded(pictures.noisy(2048, 1), **options),
        "blocks of 4": pictures.encoded(pictures.noisy(2048, 4), **options),
        "blocks of 8": pictures.encoded(pictures.noisy(2048, 8), **options),
        "blocks of 32": pictures.encoded(pictures.noisy(2048, 32), **options),
        "uniform": pictures.encoded(uniform, **options),
        "jpeg": pictures.encoded(pictures.noisy(1024, 4), "JPEG", quality=95),
        "smooth": pictures.encoded(pictures.painted(1200, 800)),
    }


NOISES = ("sigma 25", "blocks of 4", "blocks of 8", "blocks of 32", "uniform", "jpeg", "smooth")


@pytest.mark.parametrize("name", NOISES)
def test_caps_hold_and_are_used(noises, name):
    small = thumbnail(noises[name])
    image = opened(small)
    assert (image.format, image.mode) == ("JPEG", "RGB")
    assert len(small) <= 22_000
    assert 380 <= max(image.size) <= 512
    if name != "smooth":
        assert len(small) >= 19_000, "the cap is there to be used"
    tiny = preview(noises[name])
    assert len(tiny) <= 2_500
    assert max(opened(tiny).size) <= 96


def test_a_plain_picture_stays_at_best_quality_and_size(pictures):
    flat = pictures.encoded(np.full((900, 900, 3), 77, "uint8"))
    assert opened(thumbnail(flat)).size == (512, 512)
    assert opened(thumbnail(flat)).getpixel((9, 9)) == (77, 77, 77)


@pytest.mark.parametrize("size", [(1, 1), (3, 2000), (2000, 3), (300, 300), (512, 512), (513, 100)])
def test_any_shape(pictures, size):
    image = opened(thumbnail(pictures.encoded(pictures.painted(*size))))
    assert max(image.size) <= 512
    assert max(image.size) == min(512, max(size))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I", "F", "I;16"])
def test_every_mode(mode):
    grey = Image.new("L", (640, 480), 128)
    if mode == "I;16":
        image = Image.fromarray(np.full((480, 640), 128 * 256, "uint16"))
    else:
        image = grey.convert("RGB").convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, "TIFF")
    small = opened(thumbnail(buffer.getvalue()))
    assert small.mode == "RGB"
    assert abs(np.asarray(small, "float").mean() - 128) < 4


def test_transparency_becomes_white():
    image = Image.new("RGBA", (640, 480), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 320, 480))
    for picture in (image, image.quantize(8)):
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        small = opened(thumbnail(buffer.getvalue()))
        assert min(small.getpixel((500, 200))) > 245
        assert small.getpixel((100, 200))[1] < 20


def test_upright_and_without_the_files_metadata():
    image = Image.new("RGB", (640, 320), "white")
    image.paste("blue", (0, 0, 320, 320))
    exif = image.getexif()
    exif[0x0112] = 6
    exif[0x010E] = "secret place"
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", exif=exif, comment=b"secret comment", quality=95, icc_profile=b"secret profile")
    small = thumbnail(buffer.getvalue())
    assert b"secret" not in small
    assert opened(small).size == (256, 512)
    assert opened(small).getpixel((128, 20))[2] > 200 > 50 > opened(small).getpixel((128, 20))[0]


def test_small_jpegs_lose_their_metadata_too():
    image = Image.new("RGB", (64, 64), "white")
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", comment=b"secret comment")
    assert b"secret" not in preview(buffer.getvalue())


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_does_not_matter(pictures):
    data = pictures.encoded(pictures.painted(), "JPEG", exif=b"Exif\x00\x00MM\x00*\x00\x00\xff\xff\x12\x34")
    assert opened(thumbnail(data)).size == (512, 384)


def test_what_is_not_an_image(pictures):
    whole = pictures.encoded(pictures.painted())
    for data in (b"", b"<html>", whole[: len(whole) // 2], b"\xff\xd8\xff\xe0" + b"x" * 100):
        with pytest.raises(NotAnImage):
            thumbnail(data)


def test_shrink_leaves_alone_what_is_small_enough(noises):
    small = thumbnail(noises["blocks of 4"])
    assert shrink(small, 512, 22_000) is small
    for pixels, most in ((512, 9_000), (96, 1_600), (40, 900), (200, 22_000)):
        smaller = shrink(small, pixels, most)
        assert len(smaller) <= most
        assert max(opened(smaller).size) <= pixels


def test_an_impossible_cap_ends(noises):
    assert max(opened(shrink(noises["jpeg"], 512, 10)).size) <= 2


def test_few_encodings_are_tried(noises, monkeypatch):
    from kling_nb.display import thumbnails

    tried = []
    original = thumbnails._jpeg
    monkeypatch.setattr(thumbnails, "_jpeg", lambda image, quality: tried.append(quality) or original(image, quality))
    for name in NOISES:
        thumbnail(noises[name])
        assert len(tried) <= 5, (name, tried)
        tried.clear()
