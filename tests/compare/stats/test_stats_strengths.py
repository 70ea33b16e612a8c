"""Bradley-Terry strengths: what they are, and what is said where there are none."""

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kling_nb.compare.stats import Verdict, rates, strengths

# What is random here is the answers, not the machine: a busy one must not fail a test.
QUIETLY = settings(max_examples=60, deadline=None)

CHOICES = st.sampled_from(["first", "second", "tie", "unsure"])
PAIRS = st.sampled_from(list(combinations("abcd", 2)))
PEOPLE = st.sampled_from(["anna", "ben"])


@st.composite
def verdicts(draw):
    found = draw(st.lists(st.tuples(st.integers(1, 5), PEOPLE, PAIRS, CHOICES), min_size=1, max_size=40))
    return [Verdict(f"p{u}", rater, *pair, choice, "i") for u, rater, pair, choice in found]


def answers(first, second, *choices):
    return [Verdict(f"p{n}", "r", first, second, choice, f"{first}{second}") for n, choice in enumerate(choices)]


def numbers(found):
    every = (*found.estimates.values(), *found.differences.values(), *found.wins.values())
    return [number for each in every for number in (each.value, each.low, each.high)]


def same(found, expected):
    return found == pytest.approx(expected, abs=1e-6, rel=1e-6, nan_ok=True)


def test_two_levels_are_the_preference_on_another_scale():
    given_ = [
        Verdict(f"p{n}", rater, "a", "b", choice, "i")
        for n, choices in enumerate(["first first", "tie first", "second tie", "first second", "first first"] * 2)
        for rater, choice in zip(["anna", "ben"], choices.split(), strict=True)
    ]
    found, preference = strengths(given_, ["a", "b"]), rates(given_, "a", "b").preference
    assert found.wins["a", "b"].value == pytest.approx(preference.value)
    gap = found.differences["a", "b"]
    assert gap.value == pytest.approx(math.log(preference.value / (1 - preference.value)))
    assert found.estimates["a"].value == pytest.approx(gap.value / 2)
    assert found.estimates["a"].low == pytest.approx(gap.low / 2)
    assert (gap.units, gap.raters, gap.answers) == (10, 2, 20)
    assert found.notes == ()


def test_a_level_that_always_wins_has_a_number_a_note_and_no_interval():
    given_ = [
        *answers("a", "b", *["first"] * 6),
        *answers("a", "c", *["first"] * 6),
        *answers("b", "c", "first", "second", "first", "tie", "first", "second"),
    ]
    found = strengths(given_, ["a", "b", "c"])
    assert found.notes[0] == "a never lost: the data set no upper bound to its strength."
    assert "one more tie" in found.notes[-1]
    assert found.estimates["a"].value > found.estimates["b"].value > found.estimates["c"].value
    assert all(math.isfinite(each.value) and not each.has_interval for each in found.estimates.values())
    assert 0.8 < found.wins["a", "b"].value < 1


def test_a_level_that_always_loses_is_named():
    given_ = [*answers("a", "b", "first", "second"), *answers("a", "c", "first"), *answers("b", "c", "first")]
    assert strengths(given_, "abc").notes[0] == "c never won: the data set no lower bound to its strength."


def test_a_group_that_always_wins_is_noted():
    given_ = [
        *answers("a", "b", "first", "second"),
        *answers("c", "d", "first", "second"),
        *answers("a", "c", "first", "first"),
    ]
    found = strengths(given_, "abcd")
    assert found.notes[0].startswith("Some levels never lost to some others")
    assert found.estimates["a"].value > 0 > found.estimates["d"].value


def test_levels_that_were_never_compared_are_not_ranked():
    given_ = [*answers("a", "b", "first", "second", "first"), *answers("c", "d", "first", "second")]
    found = strengths([*given_, *answers("a", "e", "first", "second", "tie")], "abcdef")
    assert [name for name, each in found.estimates.items() if math.isnan(each.value)] == ["c", "d", "f"]
    assert found.notes == (
        "c, d were not compared with a, b, e, directly or through others, and cannot be ranked with them.",
        "f was not compared with a, b, e, directly or through others, and cannot be ranked with them.",
    )
    assert math.isnan(found.differences["c", "d"].value)
    assert found.estimates["a"].has_interval


def test_nothing_to_compare_by():
    found = strengths(answers("a", "b", "unsure"), ["a", "b"])
    assert math.isnan(found.estimates["a"].value)
    assert found.notes == ("There are no answers to compare levels by.",)
    with pytest.raises(ValueError, match="a level is given twice among a, b, a"):
        strengths([], ["a", "b", "a"])


def test_one_prompt_gives_strengths_without_intervals():
    given_ = [Verdict("p", "r", "a", "b", choice, choice) for choice in ("first", "first", "second")]
    found = strengths(given_, ["a", "b"]).differences["a", "b"]
    assert found.value == pytest.approx(math.log(2))
    assert not found.has_interval
    assert found.units == 1


def test_strengths_far_apart_are_found():
    rng = np.random.default_rng(0)
    truth = np.array([4.0, 1.0, 0.0, -5.0])
    given_ = [
        Verdict(
            f"p{n}",
            "r",
            "abcd"[i],
            "abcd"[j],
            ("second", "first")[int(rng.random() < 1 / (1 + np.exp(truth[j] - truth[i])))],
            "i",
        )
        for n in range(3000)
        for i, j in combinations(range(4), 2)
    ]
    found = strengths(given_, "abcd").estimates
    assert [found[name].value for name in "abcd"] == pytest.approx(list(truth), abs=0.35)
    assert all(found[name].low < value < found[name].high for name, value in zip("abcd", truth, strict=True))


@QUIETLY
@given(verdicts(), st.randoms())
def test_order_and_names_are_nothing(given_, chance):
    found = strengths(given_, "abcd")
    chance.shuffle(given_)
    other = [replace(each, unit=f"q{9 - int(each.unit[1:])}", rater=each.rater[::-1]) for each in given_]
    assert same(numbers(strengths(other, "abcd")), numbers(found))


@QUIETLY
@given(verdicts())
def test_levels_in_another_order_are_as_strong(given_):
    # Two groups of one size that were not compared are told apart by the order of the levels.
    found, other = strengths(given_, "abcd"), strengths(given_, "dcba")
    if any("not compared" in note for note in found.notes):
        return
    assert same([found.estimates[x].value for x in "abcd"], [other.estimates[x].value for x in "abcd"])
    for (one, two), gap in found.differences.items():
        back = other.differences[two, one]
        assert same([gap.value, gap.low, gap.high], [-back.value, -back.high, -back.low])


@QUIETLY
@given(verdicts(), st.integers(2, 3))
def test_the_same_answers_again_tell_nothing_new(given_, times):
    found = strengths(given_, "abcd")
    again = strengths([replace(each, item=str(n)) for each in given_ for n in range(times)], "abcd")
    if not found.notes:
        assert same(numbers(again), numbers(found))


@QUIETLY
@given(verdicts())
def test_strengths_add_to_nothing_and_intervals_hold_them(given_):
    found = strengths(given_, "abcd")
    known = [each for each in found.estimates.values() if not math.isnan(each.value)]
    assert sum(each.value for each in known) == pytest.approx(0, abs=1e-8)
    for each in (*known, *found.differences.values(), *found.wins.values()):
        assert not each.has_interval or each.low <= each.value <= each.high
        assert not math.isinf(each.value)
    for (one, other), gap in found.differences.items():
        assert same(gap.value, found.estimates[one].value - found.estimates[other].value)
