"""The search itself: what is planted is found, wherever and however; and nothing else is."""

import json
import sqlite3

import pytest
from PIL import Image, PngImagePlugin

SPELLINGS = (
    "raw",
    "reversed",
    "hex",
    *(f"{what} after {n}" for what in ("base64", "Bearer") for n in range(3)),
    "urlsafe base64",
    "URL",
    "URL, every letter",
    "URL, twice",
    "JSON, hyphens",
    "JSON, every letter",
    "JSON in JSON",
    "Python",
    "HTML",
    "HTML, hexadecimal",
    "UTF-16",
    "UTF-16, the other way",
    "its beginning",
    "its end",
    "a piece of it",
)


@pytest.fixture
def is_found(mark, tmp_path, texts_in_files):
    return lambda: any(mark.is_in(text) for _, text in texts_in_files(tmp_path))


def test_all_spellings_are_named(mark):
    assert tuple(mark.spellings()) == SPELLINGS


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_it_is_found_in_every_spelling(mark, spelling):
    written = mark.spellings()[spelling]
    assert mark.is_in(f"before it {written}, after it")
    assert mark.is_in(f"before it {written}".encode("latin-1", "replace"))


def test_another_key_is_not_taken_for_it(mark, new_mark):
    for written in new_mark().spellings().values():
        assert not mark.is_in(written)
    for written in ("sk-LEAK-", "Bearer ", "Bearer sk-LEAK-", mark.key[8:16]):
        assert not mark.is_in(written)


def test_it_shows_itself_to_no_traceback(mark):
    assert not mark.is_in(repr(mark))


def plant_text(path, key):
    (path / "log").write_text(f"the key is {key}")


def plant_name(path, key):
    (path / key).mkdir()


def plant_json(path, key):
    (path / "a.json").write_text(json.dumps([{"a": key}]).replace("-", "\\u002d").replace("K", "\\u004b"))


def plant_row(path, key):
    with sqlite3.connect(path / "journal.sqlite3") as database:
        # In a page of its own, cut into pieces by none.
        database.execute("CREATE TABLE t (a TEXT, b BLOB)")
        database.execute("INSERT INTO t VALUES (1, ?)", (key.encode("utf-16-le"),))
    database.close()


def plant_deleted_row(path, key):
    plant_row(path, key)
    with sqlite3.connect(path / "journal.sqlite3") as database:
        database.execute("PRAGMA secure_delete = OFF")
        database.execute("DELETE FROM t")
    database.close()


def plant_packed(path, key):
    about = PngImagePlugin.PngInfo()
    about.add_itxt("about", f"{key} " * 50, zip=True)
    Image.new("RGB", (8, 8)).save(path / "a.png", pnginfo=about)


def plant_exif(path, key):
    exif = Image.Exif()
    exif[0x010E] = key
    Image.new("RGB", (8, 8)).save(path / "a.jpg", exif=exif)


def plant_webp(path, key):
    Image.new("RGB", (8, 8)).save(path / "a.webp", xmp=key.encode())


@pytest.mark.parametrize(
    "plant",
    [
        plant_text,
        plant_name,
        plant_json,
        plant_row,
        plant_deleted_row,
        plant_packed,
        plant_exif,
        plant_webp,
    ],
)
def test_it_is_found_in_every_file(mark, tmp_path, plant, is_found):
    assert not is_found()
    plant(tmp_path, mark.key)
    assert is_found()
