"""Fonts: what is written must come out, or it is said what is missing and what helps."""

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager

from kling_nb.compare import fonts
from kling_nb.errors import ConfigurationError

HAN = "猫帽子"


@pytest.fixture
def make_font(tmp_path):
    """Write a font that has some characters as squares, or as nothing."""

    def make(name, characters, *, postscript=False, empty=False):
        glyphs = [".notdef", *(f"u{ord(each):05X}" for each in characters)]
        builder = FontBuilder(1000, isTTF=not postscript)
        builder.setupGlyphOrder(glyphs)
        builder.setupCharacterMap({ord(each): glyph for each, glyph in zip(characters, glyphs[1:], strict=True)})
        drawn = {}
        for glyph in glyphs:
            pen = T2CharStringPen(1000, None) if postscript else TTGlyphPen(None)
            if not empty:
                (
                    pen.moveTo((100, 0)),
                    pen.lineTo((100, 800)),
                    pen.lineTo((900, 800)),
                    pen.lineTo((900, 0)),
                    pen.closePath(),
                )
            drawn[glyph] = pen.getCharString() if postscript else pen.glyph()
        if postscript:
            builder.setupCFF(name.replace(" ", ""), {}, drawn, {})
        else:
            builder.setupGlyf(drawn)
        builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (1000, 100)))
        builder.setupHorizontalHeader(ascent=900, descent=-200)
        builder.setupNameTable({"familyName": name, "styleName": "Regular", "psName": name.replace(" ", "")})
        builder.setupOS2(sTypoAscender=900, usWeightClass=400)
        builder.setupPost()
        path = tmp_path / f"{name.replace(' ', '')}.{'otf' if postscript else 'ttf'}"
        builder.save(path)
        return path

    return make


@pytest.fixture
def install(monkeypatch):
    """Have matplotlib list a font for the length of a test."""

    def add(path):
        listed = list(font_manager.fontManager.ttflist)
        monkeypatch.setattr(font_manager.fontManager, "ttflist", listed)
        font_manager.fontManager.addfont(path)

    yield add
    monkeypatch.undo()
    font_manager.fontManager._findfont_cached.cache_clear()


def chosen(text):
    return fonts.choose(fonts.needed([text]), *fonts.installed())


@pytest.mark.parametrize(
    "text", ["a cat", "Größe, façade — “naïve”…", "кот на волне", "γάτα", "$x_1$ {a} \\b", "→ × ½"]
)
def test_latin_greek_and_cyrillic_need_nothing_else(text):
    assert chosen(text) == fonts.Choice(("DejaVu Sans",), ())


def test_a_font_that_has_the_script_is_found_and_written_after_the_first(make_font, install):
    assert set(chosen(HAN + "q").missing) == set(HAN)
    install(make_font("Tiny Han", HAN))
    assert chosen(HAN + "q") == fonts.Choice(("DejaVu Sans", "Tiny Han"), ())
    assert not fonts.is_postscript("Tiny Han")


@pytest.mark.parametrize(("postscript", "kind"), [(False, b"/FontFile2"), (True, b"/Type3")])
def test_a_figure_is_written_in_the_fonts_that_were_found(
    make_font, install, new_kling, cat, tmp_path, postscript, kind
):
    install(make_font("Tiny Han", HAN, postscript=postscript))
    made = new_kling().compare(subject_images=[cat], vary={"prompt": [f"a {HAN}", "a cat"]})
    data = made.figure(tmp_path / "fig.pdf", dpi=60).read_bytes()
    assert b"TinyHan" in data
    assert kind in data


def test_two_fonts_are_taken_where_one_is_not_enough(make_font, install):
    for name, characters in (("One Han", "猫帽"), ("Other Han", "帽子"), ("Third Han", "猫")):
        install(make_font(name, characters))
    found = chosen(HAN)
    assert not found.missing
    assert len(found.families) == 3


def test_a_font_whose_letters_are_empty_counts_for_nothing(make_font, install):
    install(make_font("Hollow Han", HAN, empty=True))
    assert set(chosen(HAN).missing) == set(HAN)


def test_postscript_outlines_are_known(make_font, install):
    install(make_font("Post Han", HAN, postscript=True))
    assert chosen(HAN) == fonts.Choice(("DejaVu Sans", "Post Han"), ())
    assert fonts.is_postscript("Post Han")
    assert not fonts.is_postscript("DejaVu Sans")


def test_the_font_of_last_resort_is_none():
    families, _ = fonts.installed()
    assert fonts.choose("\U0001f63a", families, lambda family, characters: set(characters)).families == ("DejaVu Sans",)
    assert fonts.choose("a", ["Last Resort High-Efficiency"], lambda *_: set()).missing == ("a",)


def test_what_no_font_has_is_named_with_its_script_and_what_to_install():
    error = fonts.lacking(["猫", "ह"])
    assert isinstance(error, ConfigurationError)
    text = str(error)
    for part in (
        "猫 (U+732B)",
        "ह (U+0939)",
        "Chinese, Japanese or Korean",
        "Noto Sans CJK",
        "Noto Sans Devanagari",
        "labels=",
    ):
        assert part in text
    assert "2 more" in str(fonts.lacking([chr(0x4E00 + index) for index in range(10)]))
    assert "Noto Emoji" in str(fonts.lacking(["\U0001f431"]))


def test_a_font_that_matplotlib_has_not_noticed_is_named(make_font, monkeypatch):
    path = make_font("New Han", HAN)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(path)])
    assert fonts.unnoticed(set(HAN)) == [str(path)]
    assert fonts.unnoticed({"ह"}) == []
    assert f'addfont("{path}")' in str(fonts.lacking(list(HAN), [str(path)]))


def test_what_only_controls_how_others_are_shown_is_not_needed():
    assert fonts.needed(["a b\n", "c\ufe0f", "d\u200d"]) == set("abcd")
    assert fonts.without_controls("c\ufe0f\u200dd\u00ad", shaping=True) == "c\u200dd"
    assert fonts.without_controls("c\ufe0f\u200dd\u00ad", shaping=False) == "cd"


@pytest.mark.parametrize(
    ("text", "found"), [("شيء", True), ("שלום", True), ("नमस्ते", True), ("猫", False), ("naïve €", False)]
)
def test_scripts_that_need_shaping_are_known(text, found):
    assert fonts.unshaped(["plain", f"a {text}"]) == (f"a {text}" if found else "")


def test_an_older_matplotlib_says_which_script_it_cannot_write():
    text = str(fonts.cannot_shape("a שלום", "3.10.1"))
    assert "matplotlib 3.10.1 cannot write Hebrew" in text
    assert "labels=" in text
