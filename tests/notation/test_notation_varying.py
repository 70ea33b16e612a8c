import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_nb.notation.tokenizer import UsageProblem, next_token
from kling_nb.notation.varying import Item, last_item, parse
from kling_nb.records import FIELDS


def texts(text):
    return [item.text for item in parse(text).items]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n=1,2", ["1", "2"]),
        ("n=counts", ["counts"]),
        ("prompt=a=b,c=d", ["a=b", "c=d"]),
        ('prompt="a cat, asleep","a hat"', ["a cat, asleep", "a hat"]),
        ("prompt='a cat, asleep','a hat'", ["a cat, asleep", "a hat"]),
        ('prompt="say ""hi"" there",\'it\'\'s\'', ['say "hi" there', "it's"]),
        ("prompt=\"it's\",'5\" wide'", ["it's", '5" wide']),
        ("prompt=it's,5\"", ["it's", '5"']),
        ('prompt="",a', ["", "a"]),
        ('prompt=""""', ['"']),
        # The word was quoted as a whole, and there may be spaces.
        ("prompt=a cat, a hat ,b", ["a cat", "a hat", "b"]),
        ("prompt= 'a cat, asleep' , a hat", ["a cat, asleep", "a hat"]),
        # A subscript holds together.
        ('style_image=refs["a, b"],images[1, 2]', ['refs["a, b"]', "images[1, 2]"]),
        ("style_image=cat[1.png,hat.png", ["cat[1.png", "hat.png"]),
        (r"style_image=C:\pics\a.png,https://h/?a=b", [r"C:\pics\a.png", "https://h/?a=b"]),
    ],
)
def test_values_are_a_list_as_in_a_csv_file(text, expected):
    assert texts(text) == expected


def test_what_was_in_quotes_is_known():
    assert parse('prompt=prompts,"prompts"') == ("prompt", (Item("prompts", False), Item("prompts", True)))


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_can_be_varied(field):
    assert parse(f"{field}=a,b").field == field


@pytest.mark.parametrize(
    ("field", "meant"),
    [
        ("model", "model_name"),
        ("Model_Name", "model_name"),
        ("model-name", "model_name"),
        ("--model", "model_name"),
        ("-m", "model_name"),
        ("subject", "subject_images"),
        ("subjects", "subject_images"),
        ("-s", "subject_images"),
        ("subject_image", "subject_images"),
        ("subject_image_list", "subject_images"),
        ("scene", "scene_image"),
        ("style", "style_image"),
        ("styles", "style_image"),
        ("aspect-ratio", "aspect_ratio"),
        ("--aspect-ratio", "aspect_ratio"),
        ("ratio", "aspect_ratio"),
        ("-a", "aspect_ratio"),
        ("N", "n"),
        ("-n", "n"),
        ("prompts", "prompt"),
        ("promt", "prompt"),
    ],
)
def test_the_spellings_of_options_are_understood_and_not_taken(field, meant):
    with pytest.raises(UsageProblem) as problem:
        parse(f"{field}=a,b")
    assert f"‘{field}’ to vary: did you mean {meant}?" in str(problem.value)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("n", ["‘n’ has no =", "`--vary n=…`"]),
        ("x", ["‘x’ has no =", "`--vary n=1,4`"]),
        ("n=", ["n= has no values"]),
        ("n= ", ["n= has no values"]),
        ("=1,2", ["no field ‘’", "it can be prompt, model_name"]),
        ("colour=red", ["no field ‘colour’", "it can be prompt, model_name"]),
        ("seed=1,2", ["no field ‘seed’", "--samples"]),
        ("samples=2", ["no field ‘samples’", "--samples"]),
        ("n=1,", ["n=1, has an empty value", "no space after a comma"]),
        ("n=,1", ["has an empty value"]),
        ("n=1,,2", ["has an empty value"]),
        ('prompt="a', ["never closed"]),
        ('prompt=a,"b""', ["never closed"]),
        ('prompt="a"b,c', ['‘b,c’ behind the quote that closes ‘"a"’', "a comma between"]),
        ('prompt="a" "b"', ['‘"b"’ behind the quote']),
    ],
)
def test_problems_are_one_line_that_says_what_to_do(text, parts):
    with pytest.raises(UsageProblem) as problem:
        parse(text)
    assert len(str(problem.value).splitlines()) == 1
    for part in parts:
        assert part in str(problem.value)


@pytest.mark.parametrize(
    ("values", "last"),
    [
        ("", ""),
        ("a", "a"),
        ("a,", ""),
        ("a,b", "b"),
        ('"a, b', '"a, b'),
        ('"a, b","c, ', '"c, '),
        ('"a ""b"", c', '"a ""b"", c'),
        ('refs["a, b"],c', "c"),
        ("a, b", "b"),
    ],
)
def test_where_the_value_begins_that_is_being_typed(values, last):
    assert values[last_item(values) :] == last


# --- properties -----------------------------------------------------------------------------------

one_line = st.text(st.sampled_from(list("ab,\"' =[]{}#;\\猫")) | st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=20)  # fmt: skip


def written(items, quoting):
    out = io.StringIO()
    csv.writer(out, quoting=quoting, lineterminator="").writerow(items)
    return out.getvalue()


@given(st.lists(one_line, min_size=1, max_size=5), st.sampled_from(["", "--vary="]))
def test_what_is_written_as_csv_is_one_word_and_is_read_back(items, option):
    line = f"{option}prompt={written(items, csv.QUOTE_ALL)} -n 2"
    token = next_token(line)
    assert line[token.end :] == " -n 2"
    found = parse(line[token.start : token.end].removeprefix("--vary="))
    assert found == ("prompt", tuple(Item(item, True) for item in items))


@given(st.lists(st.text(st.sampled_from('ab.:/-_*猫,"'), min_size=1, max_size=8), min_size=1, max_size=5))
def test_what_needs_no_quotes_is_read_back_without(items):
    assert texts(f"prompt={written(items, csv.QUOTE_MINIMAL)}") == items


def assert_one_line(problem):
    assert len(str(problem).splitlines()) == 1


@given(st.text(max_size=40), st.sampled_from([*FIELDS, "colour", ""]))
def test_anything_is_read_or_is_a_problem_in_one_line(text, field):
    try:
        found = parse(f"{field}={text}")
    except UsageProblem as problem:
        assert_one_line(problem)
        return
    assert found.field == field
    assert found.items
    assert all(item.text or item.quoted for item in found.items)
    assert 0 <= last_item(text) <= len(text)
