import enum
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_nb.notation.prompt import insertable, interpolate, python_name, unquoted, variables
from kling_nb.notation.tokenizer import UsageProblem


def assert_one_line(problem):
    assert len(str(problem).splitlines()) == 1


VARIABLES = {"hat": "red hat", "n": 3, "tricky": "{n} {{n}} \\1 %s", "x": 1.5, "μ": "micron"}


def put_in(prompt, values=VARIABLES):
    return interpolate(prompt, values.__getitem__, values)


@pytest.mark.parametrize(
    ("prompt", "sent"),
    [
        ("a {hat}", "a red hat"),
        ("{n}{n}", "33"),
        ("{hat}s, {n} of them, {x}", "red hats, 3 of them, 1.5"),
        ("{{hat}}", "{hat}"),
        ("{{hat}} is {hat}", "{hat} is red hat"),
        ("{{{hat}}}", "{{hat}}"),
        ('{"n": {n}}', '{"n": 3}'),
        ("{tricky}", "{n} {{n}} \\1 %s"),  # never looked at again
        ("{µ}", "micron"),  # the key's sign is the letter to Python
        # Everything else is text.
        ("", ""),
        ('{"a": 1, "b": [2]}', '{"a": 1, "b": [2]}'),
        ("{ hat }", "{ hat }"),
        ("{hat.upper}", "{hat.upper}"),
        ("{x:.1f} {x!r} {0} {} {12}", "{x:.1f} {x!r} {0} {} {12}"),
        ("{{1}} {{}} {{ hat }}", "{{1}} {{}} {{ hat }}"),
        ("if (a) { return b; }", "if (a) { return b; }"),
        ("$5 {hat", "$5 {hat"),
        ("hat} $n $hat ${n}", "hat} $n $hat $3"),
        ("{²}", "{²}"),  # a letter to regular expressions, not to Python
        ("{a\nb}", "{a\nb}"),
    ],
)
def test_interpolation(prompt, sent):
    assert put_in(prompt) == sent


def test_a_name_in_any_script():
    assert put_in("{हिन्दी} {名前}", {"हिन्दी": "a", "名前": "b"}) == "a b"


class Colour(enum.StrEnum):
    RED = "red"


class Shade(str, enum.Enum):  # noqa: UP042 - the older spelling, whose str() is not its text
    DARK = "dark"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", ""),
        (0, "0"),
        (-2.5, "-2.5"),
        (Decimal("1.50"), "1.50"),
        (Fraction(1, 3), "1/3"),
        (np.int64(7), "7"),
        (np.float32(0.5), "0.5"),
        (np.float64(0.1), "0.1"),
        (np.str_("hat"), "hat"),
        (Colour.RED, "red"),
        (Shade.DARK, "dark"),
    ],
)
def test_text_and_numbers_go_in(value, text):
    assert put_in("a {v}", {"v": value}) == f"a {text}"


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (True, "True"),
        (np.True_, "of type ‘bool"),
        (None, "None"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (np.float32("-inf"), "of type ‘float32’"),
        (1j, "of type ‘complex’"),
        (Decimal("NaN"), "of type ‘Decimal’"),
        pytest.param(10**5000, "of type ‘int’", id="too many digits"),
        (["a"], "of type ‘list’"),
        (b"a", "of type ‘bytes’"),
        (np.array(1), "of type ‘ndarray’"),
        (len, "of type ‘builtin_function_or_method’"),
    ],
)
def test_nothing_else_goes_in(value, named):
    assert insertable(value) is None
    with pytest.raises(UsageProblem) as problem:
        put_in("a {v}", {"v": value})
    message = str(problem.value)
    assert "{v} in the prompt is " + named in message
    assert "{{v}}" in message
    assert "--raw" in message
    assert "\n" not in message


def test_an_unknown_name_is_named_with_the_nearest_and_two_ways_out():
    with pytest.raises(UsageProblem) as problem:
        put_in("a {hta} {other}")
    message = str(problem.value)
    assert message.startswith("{hta} in the prompt is not a variable here (nearest: hat)")
    assert "{{hta}}" in message
    assert "--raw" in message


def test_a_name_error_says_unknown_as_well():
    def lookup(name):
        raise NameError(name)

    with pytest.raises(UsageProblem, match="not a variable here: define it"):
        interpolate("{a}", lookup)


def test_a_word_of_pythons_own_is_no_variable():
    with pytest.raises(UsageProblem, match="word of Python's own"):
        put_in("{class}")


def test_variables_are_each_named_once_in_order():
    assert variables('{b} {a} {b} {{c}} { d } {1} {"e"} {µ}') == ["b", "a", "μ"]


@pytest.mark.parametrize(
    ("text", "name"), [("cat", "cat"), ("µ", "μ"), ("class", None), ("2", None), ("a.b", None), ("", None)]
)
def test_python_names(text, name):
    assert python_name(text) == name


def test_quotes_come_off_once():
    assert unquoted("\"'a'\"") == "'a'"
    assert unquoted('"') == '"'
    assert unquoted("") == ""


# --- properties ----------------------------------------------------------------------------------

texts = st.text(st.sampled_from(list('{}ab1 "\\$%\n')) | st.characters(), max_size=40)


@given(texts)
def test_text_without_variables_and_escapes_is_unchanged(text):
    def lookup(name):
        raise AssertionError(name)

    if not variables(text) and not any("{" + f"{{{name}}}" in text for name in _identifiers(text)):
        assert interpolate(text, lookup) == text


def _identifiers(text):
    return {part for part in text.replace("{", "}").split("}") if part.isidentifier()}


@given(st.lists(texts, max_size=4), st.dictionaries(st.sampled_from(["a", "b", "ab"]), texts, min_size=3))
def test_values_go_in_as_they_are_and_are_looked_up_once(gaps, values):
    # Gaps that end or begin in a brace would make names of their own.
    gaps = [gap.replace("{", "").replace("}", "") for gap in gaps]
    names = (["a", "b", "ab"] * 2)[: len(gaps)]
    looked_up = []

    def lookup(name):
        looked_up.append(name)
        return values[name]

    prompt = "".join(gap + f"{{{name}}}" for gap, name in zip(gaps, names, strict=True))
    assert variables(prompt) == list(dict.fromkeys(names))
    assert interpolate(prompt, lookup) == "".join(gap + values[name] for gap, name in zip(gaps, names, strict=True))
    assert looked_up == list(dict.fromkeys(names))


@given(texts)
def test_any_prompt_is_text_or_a_problem_in_one_line(text):
    try:
        assert isinstance(put_in(text, {"a": "{b}", "b": 1}), str)
    except UsageProblem as problem:
        assert_one_line(problem)


@given(texts)
def test_doubled_braces_give_the_name_back(text):
    for name in _identifiers(text):
        assert put_in(f"{{{{{name}}}}}") == f"{{{name}}}"
