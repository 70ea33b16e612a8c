"""Paired tests and their corrections, against SciPy and statsmodels."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats as reference
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from kling_nb.compare.stats import (
    Score,
    Verdict,
    adjust,
    difference,
    paired,
    rates,
    score_differences,
    units_needed,
    verdict_differences,
)
from kling_nb.compare.stats.signflips import rank_p

# What is random here is the answers, not the machine: a busy one must not fail a test.
QUIETLY = settings(max_examples=60, deadline=None)

DIFFERENCES = st.lists(st.integers(-9, 9).map(float), min_size=2, max_size=11)


def one(values, test):
    [found] = paired({("a", "b"): values}, test)
    return found


@QUIETLY
@given(DIFFERENCES)
def test_t_is_scipys(values):
    assume(np.std(values) > 0)
    expected = reference.ttest_1samp(values, 0)
    found = one(values, "t")
    assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert found.effect == pytest.approx(np.mean(values) / np.std(values, ddof=1))


@QUIETLY
@given(DIFFERENCES)
def test_permutation_and_wilcoxon_go_through_all_signs(values):
    signs = np.array(list(product([-1, 1], repeat=len(values))))
    sums = np.abs(signs @ values)
    assert one(values, "permutation").p == pytest.approx(np.mean(sums >= abs(sum(values)) - 1e-9))
    kept = np.array([value for value in values if value])
    found = one(values, "wilcoxon")
    if not kept.size:
        assert (found.p, found.effect) == (1, 0)
        return
    ranks = reference.rankdata(np.abs(kept)) * np.sign(kept)
    signed = np.abs(np.array(list(product([-1, 1], repeat=len(kept)))) @ np.abs(ranks))
    assert found.p == pytest.approx(np.mean(signed >= abs(ranks.sum()) - 1e-9))
    assert found.effect == pytest.approx(ranks.sum() / np.abs(ranks).sum())
    assert found.statistic == pytest.approx(ranks[ranks > 0].sum())


@pytest.mark.parametrize("seed", range(3))
def test_more_differences_than_can_be_gone_through(seed):
    values = np.random.default_rng(seed).normal(0.2, 1, 48)
    assert one(values, "permutation").p == pytest.approx(one(values, "t").p, abs=0.02)
    assert one(values, "permutation").p == one(values[::-1], "permutation").p
    exact = reference.wilcoxon(values, mode="exact")
    assert one(values, "wilcoxon").p == pytest.approx(exact.pvalue)
    many = np.random.default_rng(seed).normal(0.1, 1, 300)
    assert one(many, "wilcoxon").p == pytest.approx(reference.wilcoxon(many, method="asymptotic").pvalue)


def test_the_normal_approximation_meets_the_exact_distribution():
    ranks = np.arange(1.0, 201.0)
    exact = rank_p(ranks, 11_500.0)
    normal = 2 * reference.norm.sf((11_500 - 10_050) / math.sqrt((ranks**2).sum() / 4))
    assert exact == pytest.approx(normal, rel=0.02)


@pytest.mark.parametrize("number", [1, 2, 5, 12])
def test_corrections_are_statsmodels(number):
    ps = np.round(np.random.default_rng(number).random(number) ** 3, 3).tolist()
    for ours, theirs in (("holm", "holm"), ("bh", "fdr_bh")):
        assert adjust(ps, ours) == pytest.approx(list(multipletests(ps, method=theirs)[1]))
    assert adjust(ps, "none") == ps
    assert adjust([math.nan, *ps], "holm")[1:] == adjust(ps, "holm")


def test_several_pairs_are_corrected_together_and_a_pair_without_a_test_is_not_counted():
    values = {("a", "b"): [1, 2, 3, 2, 1], ("a", "c"): [0.5, -1, 2, 1, 3], ("b", "c"): [4.0]}
    found = paired(values)
    assert [(each.first, each.second, each.units) for each in found] == [("a", "b", 5), ("a", "c", 5), ("b", "c", 1)]
    assert [each.p_adjusted for each in found[:2]] == pytest.approx([2 * found[0].p, found[1].p])
    assert math.isnan(found[2].p)
    assert math.isnan(found[2].p_adjusted)
    assert paired(values, correction="none")[0].p_adjusted == found[0].p
    assert paired({}) == []


@QUIETLY
@given(DIFFERENCES, st.sampled_from(["t", "wilcoxon", "permutation"]), st.randoms())
def test_order_is_nothing_and_signs_turn_the_effect(values, test, chance):
    found, turned = one(values, test), one([-value for value in values], test)
    chance.shuffle(values)
    other = one(values, test)
    assert (other.p, other.effect) == pytest.approx((found.p, found.effect), nan_ok=True)
    assert (turned.p, turned.effect) == pytest.approx((found.p, -found.effect), nan_ok=True)


def test_differences_that_only_rounding_tells_from_zero_are_zero():
    values = [0.1 + 0.2 - 0.3, 1.0, 2.0, 3.0]
    assert one(values, "wilcoxon").statistic == 6
    assert one(values, "wilcoxon").p == 0.25
    assert one([0.1 + 0.2, -0.3, 1.0], "wilcoxon").statistic == 1.5 + 3


@pytest.mark.parametrize("values", [[2.0, 2.0, 2.0], [0.0, 0.0]])
def test_no_spread_is_no_t(values):
    assert math.isnan(one(values, "t").p)
    assert one(values, "permutation").p == (0.25 if values[0] else 1)


def test_differences_are_of_unit_means_over_raters():
    scores = [
        Score("p1", "anna", "a", 5.0, "1"),
        Score("p1", "anna", "a", 3.0, "2"),
        Score("p1", "ben", "a", 1.0, "1"),
        Score("p1", "anna", "b", 1.0, "3"),
        Score("p2", "ben", "b", 1.0, "4"),
        Score("p2", "ben", "a", 0.0, "5"),
        Score("p3", "ben", "a", 0.0, "6"),
    ]
    found = score_differences(scores, ["a", "b", "c"])
    assert found["a", "b"].tolist() == [1.5, -1.0]
    assert found["a", "c"].size == found["b", "c"].size == 0
    verdicts = [
        Verdict("p1", "anna", "a", "b", "first", "1"),
        Verdict("p1", "ben", "a", "b", "tie", "1"),
        Verdict("p2", "ben", "b", "a", "first", "2"),
        Verdict("p2", "anna", "a", "b", "unsure", "2"),
    ]
    found = verdict_differences(verdicts, ["a", "b", "c"])
    assert found["a", "b"].tolist() == [0.5, -1.0]
    assert found["b", "c"].size == 0


@pytest.mark.parametrize("effect", [0.2, 0.5, 1.0])
def test_the_number_needed_is_that_of_a_power_calculation(effect):
    values = np.random.default_rng(0).normal(size=12)
    values = (values - values.mean()) / values.std(ddof=1) + effect
    exact = TTestPower().solve_power(effect, alpha=0.05, power=0.8)
    assert units_needed(values) == pytest.approx(exact, abs=1)


def test_the_number_needed_is_left_out_where_the_data_do_not_say():
    assert units_needed([0.1, 0.3, -0.2, 0.3, 0.1]) is None
    assert units_needed([0.5] * 12) is None
    assert units_needed([1.0, -1.0] * 6) is None
    assert units_needed([*[1.0, -1.0] * 6, 0.01]) is None


def test_what_there_is_not_is_refused():
    with pytest.raises(ValueError, match="test is 'z'; it must be one of crossed, t, wilcoxon, permutation"):
        paired({}, "z")
    with pytest.raises(ValueError, match="correction is 'x'; it must be one of holm, bh, none"):
        paired({}, correction="x")
    with pytest.raises(ValueError, match="correction is 'x'"):
        adjust([0.1], "x")
    with pytest.raises(ValueError, match="the differences of a and b are not all finite"):
        paired({("a", "b"): [1.0, math.nan]})


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("raters", [1, 2, 4])
def test_the_crossed_test_finds_a_difference_exactly_where_the_interval_does(studies, raters, level):
    """Also of studies so small or so clear that all prompts agree, and the interval is Clopper and Pearson's."""
    found = []
    for lean, units in ((0.5, 12), (8.0, 9), (0.0, 4)):
        made, _ = studies.verdicts(5, 40, units, raters, images=1, leans=(lean, 0.0), tie=0.2)
        found += [(rates(study, "a", "b", level).preference, 0.5) for study in made]
        made, _ = studies.scores(6, 40, units, raters, images=1, leans=(3.0, 3.0 + lean / 2))
        found += [(difference(study, "a", "b", level), 0.0) for study in made]
    excluded = [not each.low <= none <= each.high for each, none in found]
    assert [each.p < 1 - level for each, _ in found] == excluded
    assert 0 < sum(excluded) < len(excluded)
    assert any(each.method.startswith("Clopper") for each, _ in found)


def test_the_crossed_test_of_one_rater_is_the_t_test(studies):
    [scores], _ = studies.scores(7, 1, 10, 1, images=2)
    values, p = score_differences(scores, "ab"), difference(scores, "a", "b").p
    (crossed,), (t,) = paired(values, "crossed", crossed={("a", "b"): p}), paired(values, "t")
    assert crossed.p == pytest.approx(t.p)
    assert crossed.effect == pytest.approx(t.effect)
    assert math.isnan(paired(values, "crossed")[0].p)
