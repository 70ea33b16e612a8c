"""Krippendorff's alpha, against the package of that name."""

import math
from dataclasses import replace

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kling_nb.compare.stats import Score, Verdict, alpha

# What is random here is the answers, not the machine: a busy one must not fail a test.
QUIETLY = settings(max_examples=60, deadline=None)

SCALES = st.sampled_from(["nominal", "ordinal", "interval"])
TABLES = st.lists(
    st.lists(st.sampled_from([1.0, 2.0, 3.0, 5.0, math.nan]), min_size=3, max_size=3), min_size=2, max_size=12
)


def scores(table):
    """Return the scores of a table of images × raters, two images a prompt."""
    return [
        Score(f"p{image // 2}", f"r{rater}", "a", value, f"i{image}")
        for image, row in enumerate(table)
        for rater, value in enumerate(row)
        if not math.isnan(value)
    ]


@QUIETLY
@given(TABLES, SCALES)
def test_it_is_the_package_of_that_name(table, scale):
    found = alpha(scores(table), scale)
    data = np.array(table).T
    pairable = data[:, (~np.isnan(data)).sum(axis=0) > 1]
    assert found.answers == np.count_nonzero(~np.isnan(pairable))
    if len(np.unique(pairable[~np.isnan(pairable)])) < 2:
        assert math.isnan(found.value)
    else:
        assert found.value == pytest.approx(krippendorff.alpha(data, level_of_measurement=scale), abs=1e-9)


@QUIETLY
@given(TABLES, SCALES, st.randoms())
def test_names_and_order_are_nothing_and_the_interval_holds_alpha(table, scale, chance):
    given_ = scores(table)
    found = alpha(given_, scale)
    chance.shuffle(given_)
    other = alpha([replace(each, unit=each.unit[::-1], rater=f"x{each.rater}") for each in given_], scale)
    one, two = ([each.value, each.low, each.high] for each in (found, other))
    assert one == pytest.approx(two, abs=1e-9, nan_ok=True)
    assert not found.has_interval or -1 - 1e-9 <= found.low <= found.value <= found.high <= 1 or found.value < -1


def test_verdicts_of_all_pairs_with_ties_and_without_the_unsure():
    rows = {"i1": "first first tie", "i2": "second second second", "i3": "tie first unsure", "i4": "unsure tie unsure"}
    verdicts = [
        Verdict("p" + item, f"r{rater}", "a", "b", choice, item)
        for item, choices in rows.items()
        for rater, choice in enumerate(choices.split())
    ]
    code = {"first": 2.0, "tie": 1.0, "second": 0.0, "unsure": math.nan}
    table = np.array([[code[choice] for choice in choices.split()] for choices in rows.values()]).T
    for scale in ("nominal", "ordinal"):
        found = alpha(verdicts, scale)
        assert found.value == pytest.approx(krippendorff.alpha(table, level_of_measurement=scale))
        assert (found.units, found.raters, found.answers) == (3, 3, 8)


def test_the_same_item_of_another_pair_of_levels_is_another_thing():
    verdicts = [
        Verdict("p", rater, "a", second, choice, "i")
        for second, choice in (("b", "first"), ("c", "second"))
        for rater in ("anna", "ben")
    ]
    assert alpha(verdicts).value == 1


def test_a_rater_who_is_asked_twice_does_not_agree_with_himself():
    verdicts = [Verdict(f"p{n}", "anna", "a", "b", "first", "i") for n in range(3)]
    assert math.isnan(alpha(verdicts * 2).value)
    both = [*verdicts, *(replace(each, rater="ben", choice="tie") for each in verdicts)]
    assert alpha([*both, *verdicts]).value == alpha(both).value


def test_the_interval_is_a_jackknife_over_prompts_on_the_log_scale():
    rng = np.random.default_rng(1)
    table = np.round(rng.normal(3, 1, (16, 1)) + rng.normal(0, 0.7, (16, 3)))
    found = alpha(scores(table.tolist()), "interval")
    kept = [np.delete(table, [2 * n, 2 * n + 1], axis=0).T for n in range(8)]
    without = np.array([krippendorff.alpha(each, level_of_measurement="interval") for each in kept])
    logs = np.log(1 - without)
    reach = np.exp(2.364624 * np.sqrt(7 / 8 * ((logs - logs.mean()) ** 2).sum()))
    assert (found.low, found.high) == pytest.approx((1 - (1 - found.value) * reach, 1 - (1 - found.value) / reach))
    assert found.method == "jackknife over prompts"


@pytest.mark.parametrize(
    ("table", "value", "method"),
    [
        ([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]], math.nan, "undefined: one value only"),
        ([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0], [2.0, 2.0, 2.0]], 1.0, "no interval: full agreement"),
        ([[1.0, 2.0, 1.0], [2.0, 2.0, 2.0]], 0.0, "no interval: one prompt"),
        ([[1.0, math.nan, math.nan]], math.nan, "no answers"),
    ],
)
def test_what_has_no_interval_says_why(table, value, method):
    found = alpha(scores(table), "nominal")
    assert found.method == method
    assert not found.has_interval
    assert found.value == pytest.approx(value, abs=0.5, nan_ok=True)


def test_another_scale_is_refused():
    with pytest.raises(ValueError, match="scale is 'ratio'; it must be one of nominal, ordinal, interval"):
        alpha([], "ratio")
