"""Pictures made on the spot: nothing is read from outside the test's own folder."""

import io
import random
import struct
import zlib

import pytest
from PIL import Image

from kling_nb.errors import InvalidRequest
from kling_nb.request import collect


def make_picture(width=320, height=310, mode="RGB", seed=1):
    """Noise, so that every pixel tells whether it was moved or changed."""
    channels = len(Image.new(mode, (1, 1)).getbands())
    return Image.frombytes(mode, (width, height), random.Random(seed).randbytes(width * height * channels))


def make_file(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def make_chunk(name, payload):
    return struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", zlib.crc32(name + payload))


def make_png(width, height, depth, colour, rows, extra=b""):
    """A PNG written by hand, for what Pillow cannot write."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 1)
    return (
        b"\x89PNG\r\n\x1a\n"
        + make_chunk(b"IHDR", header)
        + extra
        + make_chunk(b"IDAT", pixels)
        + make_chunk(b"IEND", b"")
    )


def pad_png(data, total):
    """The same PNG with a chunk of nothing in it, so that it has exactly so many bytes."""
    end = make_chunk(b"IEND", b"")
    return data[: -len(end)] + make_chunk(b"zzZz", bytes(total - len(data) - 12)) + end


@pytest.fixture(scope="session")
def picture():
    return make_picture


@pytest.fixture(scope="session")
def file():
    return make_file


@pytest.fixture(scope="session")
def raw_png():
    return make_png


@pytest.fixture(scope="session")
def chunk():
    return make_chunk


@pytest.fixture(scope="session")
def padded_png():
    return pad_png


@pytest.fixture(scope="session")
def png():
    return make_file(make_picture(), "PNG")


@pytest.fixture(scope="session")
def jpeg():
    return make_file(make_picture(seed=2), "JPEG", quality=90)


@pytest.fixture
def one():
    """Collect what must be exactly one reference."""

    def collect_one(value, role="subject", **options):
        (reference,) = collect(value, role, **options)
        return reference

    return collect_one


@pytest.fixture
def refusal():
    """Collect what must be refused, and return the one line that says why."""

    def collect_refused(value, role="subject", **options):
        with pytest.raises(InvalidRequest) as caught:
            collect(value, role, **options)
        assert "\n" not in caught.value.message
        assert str(caught.value).endswith("Nothing was sent.")
        assert caught.value.__cause__ is None
        return caught.value.message

    return collect_refused


@pytest.fixture
def opened():
    """Decode what a reference sends."""

    def open_sent(reference):
        image = Image.open(io.BytesIO(reference.data))
        image.load()
        return image

    return open_sent


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working directory that is also the home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path
