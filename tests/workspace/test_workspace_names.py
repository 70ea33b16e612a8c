"""File names: safe on every file system, and such that a person finds the picture."""

import re
import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kling_nb.workspace.names import slug, stem, upload

RESERVED = {"con", "prn", "aux", "nul", *(f"{name}{number}" for name in ("com", "lpt") for number in range(10))}


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("a cat wearing the hat", "a-cat-wearing-the-hat"),
        ("A Cat, wearing: the *hat*?!", "a-cat-wearing-the-hat"),
        ("", "image"),
        ("   \n\t ", "image"),
        ("🐱🎩", "image"),
        ("🐱 in a hat", "in-a-hat"),
        ("1️⃣ ❤️ x", "1-x"),
        ("../../etc/passwd", "etc-passwd"),
        (r"C:\Windows\con", "c-windows-con"),
        ("snake_case_name", "snake-case-name"),
        ("-rf --help", "rf-help"),
        (".hidden", "hidden"),
        ("trailing. . .", "trailing"),
        ("it's 50% off", "it-s-50-off"),
        ("a\x00b\u202ec", "a-b-c"),
        ("ÉTÉ à la plage", "été-à-la-plage"),
        ("e\u0301te\u0301", "été"),
        ("戴帽子的猫", "戴帽子的猫"),
        ("кошка в шляпе", "кошка-в-шляпе"),
        ("ภาษาไทย", "ภาษาไทย"),
        ("हिन्दी में बिल्ली", "हिन्दी-में-बिल्ली"),
        ("قِطَّة", "قِطَّة"),
        ("one two three four five six seven eight nine ten", "one-two-three-four-five-six-seven-eight"),
        ("x" * 300, "x" * 40),
        ("short " + "x" * 300, "short"),
        ("猫" * 300, "猫" * 26),
    ],
)
def test_a_name_is_the_beginning_of_the_prompt(prompt, name):
    assert slug(prompt) == unicodedata.normalize("NFC", name)


@given(st.text())
@example("con")
@example("\ud800 half a pair")
@example("İstanbul")
@example("ﬃ ß ŉ ǰ")
@example("\u0301 accent alone")
@example("x" + "\u0301" * 200)
@example("ᄀ" * 90)
def test_any_text_gives_a_name_that_every_file_system_takes(prompt):
    name = slug(prompt)
    assert 1 <= len(name) <= 40
    assert len(name.encode()) <= 80
    assert not set(name) & set("<>:\"/\\|?*\x7f.~ _%#'`$&;!")
    assert not any(unicodedata.category(letter)[0] in "CZ" for letter in name)
    assert not name.startswith("-")
    assert not name.endswith("-")
    assert "--" not in name
    # The same file under Mac, Windows and Linux: nothing that normalising would turn into another name.
    assert unicodedata.normalize("NFC", name) == name
    assert name == name.lower()


@given(st.text(), st.floats(0, 4e9), st.integers(0, 99))
def test_a_stem_is_short_and_never_a_device(prompt, when, index):
    name = stem(prompt, when, index)
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}_\d{6}_[^_]+_\d+", name)
    assert len(name.encode()) <= 120
    assert name.partition(".")[0] not in RESERVED


def test_a_stem_says_local_time_and_counts_from_one(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert stem("a cat wearing the hat", 1_795_325_405.9, 0) == "2026-11-22_143005_a-cat-wearing-the-hat_1"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cat.png", "cat-1a2b3c4d.png"),
        ("My Cat, asleep.JPEG", "my-cat-asleep-1a2b3c4d.jpeg"),
        ("no extension", "no-extension-1a2b3c4d.img"),
        ("photos[0]", "photos-0-1a2b3c4d.img"),
        ("archive.tar.gz", "archive-tar-1a2b3c4d.gz"),
        ("ends.", "ends-1a2b3c4d.img"),
        (".png", "png-1a2b3c4d.img"),
        ("cat.p/ng", "cat-p-ng-1a2b3c4d.img"),
        ("cat.longer", "cat-longer-1a2b3c4d.img"),
        ("cat.猫", "cat-猫-1a2b3c4d.img"),
        ("猫.png", "猫-1a2b3c4d.png"),
        ("🐱.png", "image-1a2b3c4d.png"),
        ("../../x", "x-1a2b3c4d.img"),
        ("../../etc/passwd.png", "etc-passwd-1a2b3c4d.png"),
        ("con", "con-1a2b3c4d.img"),
        ("con.png", "con-1a2b3c4d.png"),
        ("cat.png\n", "cat-png-1a2b3c4d.img"),
        ("", "image-1a2b3c4d.img"),
        ("x" * 5000 + ".png", "x" * 40 + "-1a2b3c4d.png"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_what_was_dropped_keeps_the_beginning_of_its_name(name, expected):
    assert upload(name, "1a2b3c4d" * 8) == expected


@given(st.text(), st.text(max_size=8))
@example("..", "")
@example("nul", "")
@example("a", "\x00")
@example("\ud800", "png")
def test_any_name_of_what_was_dropped_gives_one_that_every_file_system_takes(base, extension):
    name = upload(f"{base}.{extension}", "1a2b3c4d" * 8)
    assert re.fullmatch(r".+-1a2b3c4d\.[a-z0-9]{1,5}", name)
    assert not set(name) & set("<>:\"/\\|?*\x7f~ _%#'`$&;!\x00")
    assert not name.startswith((".", "-"))
    assert len(name.encode()) <= 100
    assert name.partition(".")[0] not in RESERVED
