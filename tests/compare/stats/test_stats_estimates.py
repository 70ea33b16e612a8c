"""Rates, means and differences: what they count, what they leave out, and what must not change them."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kling_nb.compare.stats import Estimate, Score, Verdict, alpha, difference, means, rates, strengths

# What is random here is the answers, not the machine: a busy one must not fail a test.
QUIETLY = settings(max_examples=60, deadline=None)

LABELS = st.sampled_from(["p1", "p2", "p3", "p4", "p5", "p6"])
RATERS = st.sampled_from(["anna", "ben", "cleo"])
ITEMS = st.sampled_from(["i1", "i2"])
CHOICES = st.sampled_from(["first", "second", "tie", "unsure"])
VERDICTS = st.lists(
    st.builds(Verdict, LABELS, RATERS, st.just("a"), st.just("b"), CHOICES, ITEMS), min_size=1, max_size=40
)
VALUES = st.floats(-100, 100).map(lambda value: round(value, 2))
SCORES = st.lists(st.builds(Score, LABELS, RATERS, st.sampled_from(["a", "b"]), VALUES, ITEMS), min_size=1, max_size=40)
NAMES = ("win", "tie", "loss", "preference")


def numbers(*estimates):
    return [number for each in estimates for number in (each.value, each.low, each.high)]


def same(found, expected):
    return found == pytest.approx(expected, abs=1e-9, rel=1e-9, nan_ok=True)


def of_rates(verdicts, first="a", second="b"):
    found = rates(verdicts, first, second)
    return [getattr(found, name) for name in NAMES]


def of_scores(scores):
    return [*means(scores, ["a", "b"]).values(), difference(scores, "a", "b")]


def renamed(answers):
    units, people = {f"p{n}": f"q{7 - n}" for n in range(1, 7)}, {"anna": "zoe", "ben": "ali", "cleo": "kim"}
    return [replace(each, unit=units[each.unit], rater=people[each.rater]) for each in answers]


# ---- what is counted ---------------------------------------------------------------------------------


def test_shares_are_means_of_unit_means_over_raters():
    """A prompt with more answers, and a rater with more, count no more than others."""
    verdicts = [
        *(Verdict("p1", "anna", "a", "b", "first", f"i{i}") for i in range(8)),
        Verdict("p1", "ben", "a", "b", "second", "i0"),
        Verdict("p2", "anna", "a", "b", "tie", "i0"),
        Verdict("p2", "ben", "a", "b", "unsure", "i0"),
        Verdict("p2", "ben", "a", "c", "first", "i0"),
    ]
    found = rates(verdicts, "a", "b")
    assert [getattr(found, name).value for name in NAMES] == pytest.approx([0.25, 0.5, 0.25, 0.5])
    assert found.unsure == 1
    assert (found.win.units, found.win.raters, found.win.answers) == (2, 2, 10)


def test_means_and_differences_use_the_units_that_have_them():
    scores = [
        Score("p1", "", "a", 4.0, "1"),
        Score("p1", "", "a", 6.0, "2"),
        Score("p1", "", "b", 1.0, "3"),
        Score("p2", "", "a", 1.0, "4"),
        Score("p3", "", "b", 9.0, "5"),
    ]
    found = means(scores, ["b", "a", "c"])
    assert list(found) == ["b", "a", "c"]
    assert (found["a"].value, found["b"].value) == (3.0, 5.0)
    assert (found["a"].units, found["a"].raters, found["a"].answers) == (2, 0, 3)
    assert math.isnan(found["c"].value)
    gap = difference(scores, "a", "b")
    assert (gap.value, gap.units, gap.answers) == (4.0, 1, 3)
    assert math.isnan(gap.low)


def test_no_answers_are_no_numbers():
    for found in (*of_rates([]), means([], ["a"])["a"], difference([], "a", "b"), alpha([])):
        assert math.isnan(found.value)
        assert not found.has_interval
        assert found.answers == 0


def test_one_prompt_gives_no_interval():
    verdicts = [Verdict("p1", rater, "a", "b", "first", "i") for rater in ("anna", "ben", "cleo")]
    assert all(not each.has_interval for each in of_rates(verdicts))
    scores = [Score("p1", "anna", level, value, "i") for level, value in (("a", 1.0), ("b", 2.0), ("a", 3.0))]
    assert all(not each.has_interval for each in of_scores(scores))


@pytest.mark.parametrize("choice", ["first", "second", "tie"])
def test_answers_that_are_all_the_same_still_have_a_width(choice):
    verdicts = [Verdict(f"p{n}", r, "a", "b", choice, "i") for n in range(12) for r in ("anna", "ben")]
    for each in of_rates(verdicts):
        assert each.high - each.low > 0.2
        assert each.method == "Clopper-Pearson on prompts"


def test_prompts_with_equal_shares_have_a_width_and_equal_scores_have_none():
    verdicts = [Verdict(f"p{n}", "anna", "a", "b", choice, choice) for n in range(12) for choice in ("first", "second")]
    preference = rates(verdicts, "a", "b").preference
    assert preference.low < 0.25
    assert preference.high > 0.75
    scores = [Score(f"p{n}", "", level, 0.1 * n + 0.3, "i") for n in range(12) for level in ("a", "b")]
    assert not difference(scores, "a", "b").has_interval
    assert "the same" in difference(scores, "a", "b").method


@pytest.mark.parametrize("level", [0, 1, 95, -0.5, math.nan])
def test_a_level_that_is_none_is_refused(level):
    for call in (
        lambda: rates([], "a", "b", level),
        lambda: means([], ["a"], level),
        lambda: difference([], "a", "b", level),
        lambda: strengths([], ["a", "b"], level),
        lambda: alpha([], "nominal", level),
    ):
        with pytest.raises(ValueError, match="between 0 and 1"):
            call()


def test_answers_that_are_none_are_refused():
    with pytest.raises(ValueError, match="no verdict; it must be one of first, second, tie, unsure"):
        Verdict("p", "r", "a", "b", "left", "i")
    with pytest.raises(ValueError, match="compared with itself"):
        Verdict("p", "r", "a", "a", "first", "i")
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="leave out what has no number"):
            Score("p", "r", "a", value, "i")


def test_an_interval_of_more_level_is_wider():
    rng = np.random.default_rng(0)
    scores = [Score(f"p{n}", "", "a", rng.normal(), "i") for n in range(9)]
    verdicts = [Verdict(f"p{n}", "r", "a", "b", str(rng.choice(["first", "second"])), "i") for n in range(9)]
    for narrow, wide in (
        (means(scores, ["a"], 0.8)["a"], means(scores, ["a"], 0.99)["a"]),
        (rates(verdicts, "a", "b", 0.8).preference, rates(verdicts, "a", "b", 0.99).preference),
    ):
        assert wide.low < narrow.low < narrow.value < narrow.high < wide.high


# ---- what must not matter ----------------------------------------------------------------------------


@QUIETLY
@given(VERDICTS, st.randoms())
def test_names_and_order_of_verdicts_are_nothing(verdicts, chance):
    shuffled = list(verdicts)
    chance.shuffle(shuffled)
    assert same(numbers(*of_rates(shuffled)), numbers(*of_rates(verdicts)))
    assert same(numbers(*of_rates(renamed(verdicts))), numbers(*of_rates(verdicts)))


@QUIETLY
@given(SCORES, st.randoms())
def test_names_and_order_of_scores_are_nothing(scores, chance):
    shuffled = list(scores)
    chance.shuffle(shuffled)
    assert same(numbers(*of_scores(shuffled)), numbers(*of_scores(scores)))
    assert same(numbers(*of_scores(renamed(scores))), numbers(*of_scores(scores)))


@QUIETLY
@given(VERDICTS)
def test_the_other_way_round_is_the_mirror(verdicts):
    win, tie, loss, preference = of_rates(verdicts)
    back = of_rates(verdicts, "b", "a")
    assert same(numbers(back[0], back[1], back[2]), numbers(loss, tie, win))
    assert same(numbers(back[3]), [1 - preference.value, 1 - preference.high, 1 - preference.low])
    turned = {"first": "second", "second": "first"}
    said = [replace(v, first="b", second="a", choice=turned.get(v.choice, v.choice)) for v in verdicts]
    assert same(numbers(*of_rates(said)), numbers(win, tie, loss, preference))


def test_a_difference_that_only_rounding_makes_is_none():
    given = {"a": (3, 1, 2, 1, 2), "b": (3, 1, 2, 2, 1)}
    scores = [Score(f"p{n}", "r", level, value, f"{n}") for level, of in given.items() for n, value in enumerate(of)]
    assert means(scores, ["a"])["a"].value != means(scores, ["b"])["b"].value
    assert difference(scores, "a", "b").value == 0


@QUIETLY
@given(SCORES)
def test_the_difference_the_other_way_round_is_its_negative(scores):
    one, other = difference(scores, "a", "b"), difference(scores, "b", "a")
    assert same(numbers(one), [-other.value, -other.high, -other.low])


@QUIETLY
@given(VERDICTS, SCORES)
def test_an_interval_holds_its_value_and_a_share_stays_a_share(verdicts, scores):
    shares = of_rates(verdicts)
    for each in (*shares, *of_scores(scores)):
        assert not each.has_interval or each.low <= each.value <= each.high
        assert math.isnan(each.low) == math.isnan(each.high)
        assert each.has_interval or not each.answers or "no interval" in each.method
    for each in shares:
        assert not each.has_interval or (0 <= each.low < each.high <= 1)
    if shares[0].answers:
        assert sum(each.value for each in shares[:3]) == pytest.approx(1)


@QUIETLY
@given(VERDICTS, SCORES, st.integers(2, 4))
def test_the_same_answers_again_tell_nothing_new(verdicts, scores, times):
    """More images that are judged just the same are no more prompts and no more raters."""
    again = [replace(v, item=f"{v.item} {n}") for v in verdicts for n in range(times)]
    assert same(numbers(*of_rates(again)), numbers(*of_rates(verdicts)))
    more = [replace(s, item=f"{s.item} {n}") for s in scores for n in range(times)]
    assert same(numbers(*of_scores(more)), numbers(*of_scores(scores)))


@QUIETLY
@given(SCORES, st.floats(0.1, 10), st.floats(-10, 10))
def test_another_unit_of_measurement_changes_the_numbers_and_nothing_else(scores, times, plus):
    changed = [replace(s, value=times * s.value + plus) for s in scores]
    one, other = means(scores, ["a"])["a"], means(changed, ["a"])["a"]
    assume_near = pytest.approx([times * n + plus for n in numbers(one)], abs=1e-6, rel=1e-6, nan_ok=True)
    assert numbers(other) == assume_near


def test_an_estimate_says_whether_it_has_an_interval():
    assert Estimate(1, 0, 2, 3, 0, 3, "").has_interval
    assert not Estimate(1, math.nan, math.nan, 1, 0, 1, "").has_interval
