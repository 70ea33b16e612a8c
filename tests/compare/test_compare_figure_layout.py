"""The layout of a figure: nothing overlaps, nothing is cut off, and every image keeps its shape."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kling_nb.compare.figurecontent import Content, Item, Side
from kling_nb.compare.figurelayout import SMALLEST_IMAGE, Composer
from kling_nb.compare.figureparts import Box, abreast, boxed, contained, within
from kling_nb.compare.figuretext import wrap

DPI = 100


def measure(text, size):
    return len(text) * size * 0.6


ratios = st.sampled_from([16 / 9, 9 / 16, 1.0, 4 / 3, 3 / 4, 21 / 9, 1.37])
labels = st.text(st.sampled_from("ab -猫$_{}\\"), max_size=60)
items = st.builds(Item, aspect=ratios, words=st.sampled_from(["subject", "style", "failed"]))


@st.composite
def contents(draw, most=4):
    row_levels, column_levels = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    many_rows = draw(st.integers(1, most)) if row_levels else 1
    many_columns = draw(st.integers(1, most)) if column_levels else 1

    def side(index, levels):
        keys = tuple(str(index // 2) if level < levels - 1 else str(index) for level in range(levels))
        pictures = tuple(tuple(draw(st.lists(items, max_size=2))) for _ in range(levels))
        return Side(tuple(draw(labels) for _ in range(levels)), keys, pictures)

    return Content(
        tuple(draw(labels) for _ in range(row_levels)),
        tuple(draw(labels) for _ in range(column_levels)),
        tuple(side(index, row_levels) for index in range(many_rows)),
        tuple(side(index, column_levels) for index in range(many_columns)),
        tuple(tuple(tuple(draw(st.lists(items, max_size=5))) for _ in range(many_columns)) for _ in range(many_rows)),
        tuple(draw(st.lists(items, max_size=4))),
        "References",
        draw(st.sampled_from(["", "SANDBOX"])),
    )


def composed(content, width=700, height=900):
    composer = Composer(content, width, DPI, height, measure, measure)
    return composer, composer.lay_out()


def simple(rows=4, columns=2, aspect=1.0, n=1, label="a prompt", common=()):
    return Content(
        ("prompt",),
        ("",),
        tuple(Side((label,), (str(index),), ((),)) for index in range(rows)),
        tuple(Side((f"model {index}",), (str(index),), ((),)) for index in range(columns)),
        tuple(tuple(tuple(Item(aspect) for _ in range(n)) for _ in range(columns)) for _ in range(rows)),
        tuple(common),
        "References",
        "",
    )


def inked(words):
    """Return where the lines of a text really are within its box."""
    step = words.box.height / len(words.lines)
    for number, line in enumerate(words.lines):
        wide = measure(line, words.size * DPI / 72)
        left = words.box.x + ((words.box.width - wide) / 2 if words.align == "center" else 0)
        yield Box(left, words.box.y + number * step, wide, step)


def apart(one, other):
    slack = 1e-6
    return (
        one.x + one.width <= other.x + slack
        or other.x + other.width <= one.x + slack
        or one.y + one.height <= other.y + slack
        or other.y + other.height <= one.y + slack
    )


@settings(deadline=None)
@given(contents())
def test_nothing_overlaps_and_nothing_is_cut_off(content):
    composer, page = composed(content)
    boxes = [box for box, _ in page.pictures]
    boxes += [box for words in page.words for box in inked(words)]
    for box in boxes:
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= page.width + 1e-6
        assert box.y + box.height <= page.height + 1e-6
    if composer.smallest() >= 4:  # smaller ones are refused
        for one, other in itertools.combinations(boxes, 2):
            assert apart(one, other), (one, other)


@settings(deadline=None)
@given(contents())
def test_every_image_is_there_once_in_its_own_shape_and_on_whole_pixels(content):
    _, page = composed(content)
    wanted = [each for row in content.cells for cell in row for each in cell]
    wanted += [*content.common]
    for side in (*content.rows, *content.columns):
        wanted += [each for level in side.references for each in level]
    placed = [id(item) for _, item in page.pictures]
    assert set(placed) <= {id(each) for each in wanted}
    for cell in (cell for row in content.cells for cell in row):
        for item in cell:
            assert placed.count(id(item)) >= 1
    for box, item in page.pictures:
        assert all(float(value).is_integer() for value in (box.x, box.y, box.width, box.height))
        if min(box.width, box.height) > 1:
            assert abs(box.width - box.height * item.aspect) <= 1 + item.aspect


@settings(deadline=None)
@given(contents())
def test_the_images_of_a_row_are_equally_high(content):
    _, page = composed(content)
    high = {id(item): box.height for box, item in page.pictures}
    for row in content.cells:
        assert len({high[id(item)] for cell in row for item in cell}) <= 1


@given(st.integers(1, 12), st.integers(1, 4), ratios, st.integers(1, 9))
@settings(deadline=None, max_examples=60)
def test_a_page_is_as_high_as_wished_unless_images_would_be_tiny(rows, columns, aspect, n):
    composer, page = composed(simple(rows, columns, aspect, n))
    assert page.height <= 900 or min(box.height for box, _ in page.pictures) <= SMALLEST_IMAGE * DPI / 72
    assert composer.smallest() > 0


def test_columns_of_several_shapes_share_the_width_so_that_rows_are_full():
    content = simple(rows=1, columns=3)
    shapes = [9 / 16, 1.0, 21 / 9]
    cells = (tuple((Item(aspect),) for aspect in shapes),)
    content = Content(*(content.row_axes, content.column_axes, content.rows, content.columns), cells, (), "", "")
    _, page = composed(content)
    images = [box for box, _ in page.pictures]
    assert len({box.height for box in images}) == 1
    assert images[-1].x + images[-1].width > page.width - 12
    assert sum(box.width for box in images) > 450


def test_four_images_of_a_cell_are_a_square_and_those_of_a_wide_cell_a_line():
    _, page = composed(simple(rows=4, columns=2, n=4))
    first = [box for box, _ in page.pictures][:4]
    assert len({box.y for box in first}) == 2
    assert len({box.x for box in first}) == 2
    _, page = composed(simple(rows=3, columns=1, n=4, aspect=9 / 16))
    assert len({box.y for box, _ in page.pictures[:4]}) == 1


def test_a_label_of_an_outer_axis_is_written_once_and_no_line_goes_through_it():
    rows = tuple(Side((a, b), (a, b), ((), ())) for a, b in itertools.product(("one", "two"), ("x", "y")))
    content = Content(
        ("outer", "inner"), ("",), rows, (Side(("m",), ("m",), ((),)),), (((Item(1.0),),),) * 4, (), "", ""
    )
    _, page = composed(content)
    outer = [words for words in page.words if words.lines in (("one",), ("two",))]
    assert [words.lines for words in outer] == [("one",), ("two",)]
    for words in outer:
        for rule in page.rules:
            inside = words.box.y < rule.y0 < words.box.y + words.box.height
            assert not (inside and rule.x0 < words.box.x + words.box.width)


def test_references_of_all_cells_are_first_and_once():
    cat, hat = Item(1.5, "subject"), Item(0.7, "style")
    _, page = composed(simple(common=(cat, hat)))
    placed = [(box, item) for box, item in page.pictures if item in (cat, hat)]
    assert [item for _, item in placed] == [cat, hat]
    others = [box for box, item in page.pictures if item not in (cat, hat)]
    assert all(box.x + box.width < min(other.x for other in others) for box, _ in placed)
    assert any(words.lines == ("References",) for words in page.words)


def test_a_long_label_gets_the_room_that_images_leave():
    _, short = composed(simple(rows=6, aspect=9 / 16, label="short"))
    _, long = composed(simple(rows=6, aspect=9 / 16, label="a long prompt with many words " * 5))
    wide = [max(box.box.width for box in page.words if not box.bold) for page in (short, long)]
    assert wide[1] > wide[0]
    assert {box.height for box, _ in short.pictures} == {box.height for box, _ in long.pictures}


def test_words_in_a_box_stay_in_it():
    for width, high in ((200, 100), (30, 20), (12, 8)):
        words = boxed("image missing", Box(10, 10, width, high), DPI, measure)
        assert len(words.lines) == 1 or words.box.height <= high
        assert words.box.x == 10


# ---- text --------------------------------------------------------------------------------------------


@given(labels, st.floats(30, 300), st.integers(1, 9))
def test_lines_are_no_wider_than_their_column_and_no_more_than_wished(text, width, most):
    lines = wrap(text, width, 10, measure, most)
    assert len(lines) <= most
    assert all(measure(line, 10) <= width or len(line) == 1 for line in lines)
    whole = "".join("".join(lines).split())
    if not whole.endswith("…"):
        assert whole == "".join(text.split())


def test_text_breaks_at_spaces_and_never_gets_a_hyphen():
    assert wrap("a cat surfs a wave", 60, 10, measure, 9) == ("a cat", "surfs a", "wave")
    assert wrap("Donaudampfschiff", 60, 10, measure, 9) == ("Donaudampf", "schiff")
    assert wrap("well-known   cats\nhere", 200, 10, measure, 9) == ("well-known cats here",)


def test_text_without_spaces_breaks_between_characters_but_not_before_a_full_stop():
    assert wrap("猫が波に乗る。", 36, 10, measure, 9) == ("猫が波に乗", "る。") or all(
        not line.startswith("。") for line in wrap("猫が波に乗る。", 36, 10, measure, 9)
    )
    assert wrap("猫が波に乗る", 18, 10, measure, 9) == ("猫が波", "に乗る")


def test_what_is_too_long_ends_in_an_ellipsis():
    lines = wrap("a cat surfs a wave, again and again", 60, 10, measure, 2)
    assert lines == ("a cat", "surfs a…")


def test_a_mark_stays_with_its_letter():
    accented = "e\u0301" * 9
    assert all(not line.startswith("\u0301") for line in wrap(accented, 30, 10, measure, 9))


# ---- arithmetic --------------------------------------------------------------------------------------


@given(st.lists(st.floats(1, 500), min_size=1, max_size=5), st.floats(50, 800))
def test_columns_are_made_narrower_the_widest_first(widths, most):
    found = within(widths, most, 1)
    assert sum(found) <= max(most, len(widths)) + 1e-6 or sum(widths) <= most
    assert all(new <= old for new, old in zip(found, widths, strict=True))


@given(ratios, st.floats(5, 500), st.floats(5, 500))
def test_a_picture_in_a_box_is_as_large_as_its_shape_allows(aspect, width, height):
    wide, high = contained(aspect, width, height)
    assert wide <= max(1, width)
    assert high <= max(1, height)
    assert wide + 2 >= min(width, height * aspect) or high + 2 >= min(height, width / aspect)


@pytest.mark.parametrize("count", [1, 4, 5])
def test_items_abreast(count):
    assert [len(line) for line in abreast([Item(1.0)] * count, 2)] == [2] * (count // 2) + [1] * (count % 2)
    assert math.isclose(sum(len(line) for line in abreast([Item(1.0)] * count, 3)), count)
