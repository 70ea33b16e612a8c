"""Image files as bytes: what they are by content, and whether they are whole."""

import contextlib
import io
import random
import struct
import sys
import threading
import warnings
import zlib

import pytest
from PIL import Image, features

from kling_nb import imagedata
from kling_nb.imagedata import EXTENSIONS, MAX_PIXELS, NotAnImage, check_decodes, decode, facts, open_image

KINDS = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif", "BMP": "image/bmp"}
KINDS |= {"TIFF": "image/tiff"} | ({"AVIF": "image/avif"} if features.check("avif") else {})


def encode(kind, width=97, height=61, **options):
    pixels = random.Random(1).randbytes(width * height * 3)
    buffer = io.BytesIO()
    Image.frombytes("RGB", (width, height), pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def png_header(width, height):
    """A PNG that promises so many pixels and has none."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    end = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    empty = zlib.compress(b"")
    data = struct.pack(">I", len(empty)) + b"IDAT" + empty + struct.pack(">I", zlib.crc32(b"IDAT" + empty))
    return b"\x89PNG\r\n\x1a\n" + chunk + data + end


@pytest.mark.parametrize("kind", KINDS)
def test_type_and_size_are_by_content(kind):
    data = encode(kind)
    assert facts(data) == check_decodes(data) == (KINDS[kind], 97, 61)
    assert KINDS[kind] in EXTENSIONS


def test_a_camera_s_jpeg_with_a_second_picture_is_a_jpeg():
    first = Image.new("RGB", (40, 30), "red")
    buffer = io.BytesIO()
    first.save(buffer, "MPO", save_all=True, append_images=[Image.new("RGB", (40, 30), "blue")])
    assert Image.open(io.BytesIO(buffer.getvalue())).format == "MPO"
    assert facts(buffer.getvalue()).media_type == "image/jpeg"
    assert check_decodes(buffer.getvalue()) == ("image/jpeg", 40, 30)


def test_size_is_as_stored_before_any_rotation():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert facts(encode("JPEG", exif=exif))[1:] == (97, 61)


def test_the_header_is_enough_for_the_facts():
    data = encode("PNG")
    assert facts(data[:60]) == ("image/png", 97, 61)
    with pytest.raises(NotAnImage):
        check_decodes(data[:60])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("part", [0.35, 0.6, 0.95])
def test_what_is_cut_off_is_found(kind, part):
    data = encode(kind, **({"progressive": part > 0.5} if kind == "JPEG" else {}))
    with pytest.raises(NotAnImage):
        check_decodes(data[: int(len(data) * part)])


def test_flipped_bits_in_a_png_are_found():
    data = bytearray(encode("PNG"))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(NotAnImage, match="is cut off or damaged"):
        check_decodes(bytes(data))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty (0 bytes)"),
        (b"<!DOCTYPE html><html></html>", "is an HTML page"),
        (b"\n  <HTML>", "is an HTML page"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is SVG or XML"),
        (b"<?xml version='1.0'?><Error/>", "is SVG or XML"),
        (b"%PDF-1.7", "is a PDF"),
        (b'{"code": 0}', "is JSON"),
        (b"[1, 2]", "is JSON"),
        (b"hello", "is not an image of a known format"),
        (bytes(1000), "is not an image of a known format"),
        (b"\x89PNG\r\n\x1a\n", "n"),
        (b"\xff\xd8\xff", "n"),
        (b"RIFF\x00\x00\x00\x00WEBP", "n"),
        (b"GIF89a", "n"),
    ],
)
def test_what_is_no_image_says_what_it_looks_like(data, words):
    for function in (open_image, facts, check_decodes):
        with pytest.raises(NotAnImage) as caught:
            function(data)
        assert words in str(caught.value)
        assert caught.value.__cause__ is None


@pytest.mark.parametrize(("width", "height"), [(10_001, 10_000), (2**31 - 1, 1), (20_000, 20_000), (65_000, 65_000)])
def test_a_bomb_is_not_unpacked(width, height):
    for function in (open_image, facts, check_decodes):
        with pytest.raises(NotAnImage, match=r"would unpack to|cannot be read"):
            function(png_header(width, height))


def test_the_limit_is_a_hundred_million_pixels():
    assert MAX_PIXELS == 100_000_000
    assert facts(png_header(10_000, 10_000)) == ("image/png", 10_000, 10_000)


def test_random_bytes_behind_a_good_beginning_raise_nothing_else():
    numbers = random.Random(7)
    for kind in KINDS:
        good = encode(kind)
        for _ in range(12):
            start = numbers.randrange(4, 80)
            data = good[:start] + numbers.randbytes(200) + good[start + 200 :]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with contextlib.suppress(NotAnImage):
                    check_decodes(data)


def test_a_large_jpeg_is_decoded_small(monkeypatch):
    data = encode("JPEG", 800, 640)
    seen = []
    real = imagedata.decode

    def spy(image):
        real(image)
        seen.append(image.size)

    monkeypatch.setattr(imagedata, "decode", spy)
    assert check_decodes(data) == ("image/jpeg", 800, 640)
    assert seen == [(100, 80)]


def test_decoding_in_place():
    image = open_image(encode("PNG"))
    decode(image)
    assert image.getpixel((0, 0)) == tuple(random.Random(1).randbytes(3)) or image.size == (97, 61)


def test_the_users_warning_filters_are_left_alone():
    # `warnings.catch_warnings` in a thread would undo what another thread sets meanwhile.
    data = encode("PNG")
    before = warnings.filters
    seen = []
    real = Image.open

    def watching(*arguments, **options):
        seen.append(warnings.filters is before)
        return real(*arguments, **options)

    thread = threading.Thread(target=facts, args=(data,))
    Image.open = watching
    try:
        thread.start()
        thread.join()
    finally:
        Image.open = real
    assert seen == [True]
    assert warnings.filters is before


def test_pillow_is_not_imported_for_the_names(tmp_path):
    import subprocess

    code = "import sys, kling_nb.imagedata; print('PIL' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(imagedata.__file__.rpartition("kling_nb")[0])},
    )
    assert done.stdout.strip() == "False"
