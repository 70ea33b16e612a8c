"""Numbers and tables as people and papers read them."""

import math
import re
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_nb.compare import stats
from kling_nb.compare.analysis import table
from kling_nb.compare.analysis.numbers import number, number_with, probability, share_with
from kling_nb.compare.analysis.table import Lines

NAN = float("nan")


class Estimate(NamedTuple):
    value: float
    low: float
    high: float


@pytest.mark.parametrize(
    ("estimate", "said"),
    [
        ((0.643, 0.551, 0.719), "64 % [55, 72]"),
        ((1.0, 0.735, 1.0), "100 % [74, 100]"),
        ((0.5, NAN, NAN), "50 %"),
        ((0.9, 0.003, 0.9991), "90 % [0.3, 99.9]"),
        ((NAN, NAN, NAN), "–"),
    ],
)
def test_shares(estimate, said):
    assert share_with(Estimate(*estimate)) == said


def test_a_sentence_and_a_table_have_the_same_digits():
    found = stats.Estimate(0.9, 0.003, 0.9991, 12, 3, 36, "t")
    said = stats.preference_words(stats.Rates("a", "b", *[found] * 4, unsure=0))
    low, high = re.search(r"interval (\S+) to (\S+) %", said).groups()
    assert f"[{low}, {high}]" in share_with(found)


@pytest.mark.parametrize(
    ("estimate", "said"),
    [
        ((3.4211, 3.1097, 3.7325), "3.42 [3.11, 3.73]"),
        ((-0.031, -0.12, 0.058), "−0.031 [−0.120, 0.058]"),
        ((1234.4, 1180.0, 1288.0), "1,234 [1,180, 1,288]"),
        ((0.0, 0.0, 0.0), "0.00 [0.00, 0.00]"),
        ((2.5, NAN, NAN), "2.5"),
        ((NAN, NAN, NAN), "–"),
    ],
)
def test_numbers_have_the_digits_that_mean_something(estimate, said):
    assert number_with(Estimate(*estimate)) == said


def test_a_column_has_as_many_digits_in_all_its_rows():
    assert number_with(Estimate(96.64, 92.1, 101.2), 12.0) == "97 [92, 101]"
    assert number_with(Estimate(113.0, NAN, NAN), 12.0) == "113"


def test_what_rounds_to_nothing_has_no_sign():
    assert number(-0.0001, 0.5) == "0.00"


@pytest.mark.parametrize(
    ("p", "said"),
    [(0.0321, "p = 0.032"), (0.0004, "p < 0.001"), (1.0, "p = 1"), (0.9961, "p = 1"), (NAN, "–")],
)
def test_probabilities(p, said):
    assert probability(p) == said


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_a_number_is_right_to_its_spread(value, spread):
    read = float(number(value, spread).replace("−", "-").replace(",", ""))
    assert math.isclose(read, value, abs_tol=max(spread, 1e-5))


LINES = Lines(
    ("model_name", "identity & more", "cost_%"),
    (("a|b", "64 % [55, 72]", "−1.5"), ("c\\d_e", "–", "2 × 3")),
    ("identity: 12 prompts, α = 0.4 *or* more.",),
)


def test_markdown_lines_up_and_escapes():
    first, rule, *rest = table.markdown(LINES).split("\n\n")[0].splitlines()
    assert len({len(line) for line in (first, rule, *rest)}) == 1
    assert rest[0].startswith("| a\\|b ")
    assert "c\\\\d\\_e" in rest[1]
    assert table.markdown(LINES).endswith("identity: 12 prompts, α = 0.4 \\*or\\* more.\n")


def test_latex_has_rules_and_escapes_everything():
    made = table.latex(LINES)
    assert r"\begin{tabular}{lrr}" in made
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        assert made.count(rule) == 1
    assert r"identity \& more & cost\_\% \\" in made
    assert r"c\textbackslash{}d\_e & -- & 2 $\times$ 3 \\" in made
    assert r"a|b & 64 \% [55, 72] & $-$1.5 \\" in made
    assert made.endswith("% identity: 12 prompts, α = 0.4 *or* more.\n")


@given(st.text(max_size=40))
def test_no_label_ends_a_row_of_latex_or_markdown(label):
    lines = Lines(("level", "value"), ((label, "1"),))
    (row,) = [line for line in table.latex(lines).splitlines() if line.endswith(r"& 1 \\")]
    assert not re.search(
        r"(?<!\\)[&%$#_{}]", re.sub(r"\$[-\\a-z]*\$|\\text[a-z]+\{\}|\{\[\}", "", row[: -len(r"& 1 \\")])
    )
    assert len(table.markdown(lines).strip().splitlines()) == 3


def test_a_label_in_brackets_is_no_argument_of_the_row_before():
    made = table.latex(Lines(("level", "value"), (("a", "1"), ("[b]", "2"))))
    assert r"{[}b] & 2 \\" in made


def test_html_escapes():
    made = table.html(Lines(("<b>", "x"), (("<img src=x>", "a & b"),)))
    assert "<img" not in made
    assert "&lt;b&gt;" in made
    assert "a &amp; b" in made
