"""The spread of an estimate, against the analysis of variance, against statsmodels and against brute force."""

from itertools import permutations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats as reference

from kling_nb.compare.stats import Score, Verdict, difference, difference_words, means, rates, strengths
from kling_nb.compare.stats.cells import cells
from kling_nb.compare.stats.crossed import _expected, _one_way, _parts, spread


def scores(table, level="a"):
    """Return scores of a table of units × raters × images."""
    return [Score(f"p{u}", f"r{r}", level, float(value), f"{u} {i}") for (u, r, i), value in np.ndenumerate(table)]


def anova(table):
    """Return the mean squares of units, raters and the rest of a table of units × raters."""
    units, raters = table.shape
    rows, columns, all_of_it = table.mean(axis=1), table.mean(axis=0), table.mean()
    rest = table - rows[:, None] - columns + all_of_it
    return (
        raters * rows.var(ddof=1),
        units * columns.var(ddof=1),
        float((rest**2).sum()) / ((units - 1) * (raters - 1)),
    )


@pytest.mark.parametrize("seed", range(5))
def test_a_complete_table_is_the_analysis_of_variance(seed):
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(12, 1)) + 2 * rng.normal(size=5) + rng.normal(size=(12, 5))
    of_units, of_raters, of_rest = anova(table)
    variance = (of_units + of_raters - of_rest) / table.size
    doubt = (of_units**2 / 11 + of_raters**2 / 4 + of_rest**2 / 44) / table.size**2
    reach = reference.t.ppf(0.975, variance**2 / doubt) * np.sqrt(variance)
    found = means(scores(table[:, :, None]), ["a"])["a"]
    assert (found.value, found.low, found.high) == pytest.approx(
        (table.mean(), table.mean() - reach, table.mean() + reach)
    )
    assert (found.units, found.raters, found.answers) == (12, 5, 60)


def test_raters_who_differ_by_no_more_than_the_rest_leave_the_t_interval_on_unit_means():
    rng = np.random.default_rng(3)
    table = rng.normal(size=(8, 1)) + rng.normal(size=(8, 4))
    table = table - table.mean(axis=0) + table.mean()
    low, high = reference.t.interval(0.95, 7, table.mean(), reference.sem(table.mean(axis=1)))
    found = means(scores(table[:, :, None]), ["a"])["a"]
    assert (found.low, found.high) == pytest.approx((low, high))


def test_one_rater_is_statsmodels_clustered_by_unit():
    table = np.random.default_rng(4).normal(size=(9, 1, 1)) + np.random.default_rng(5).normal(size=(9, 1, 3))
    units = np.repeat(np.arange(9), 3)
    model = sm.OLS(table.ravel(), np.ones(27)).fit(cov_type="cluster", cov_kwds={"groups": units})
    low, high = model.params[0] + reference.t.ppf([0.025, 0.975], 8) * model.bse[0]
    found = means(scores(table), ["a"])["a"]
    assert (found.low, found.high) == pytest.approx((low, high))


def test_strengths_of_one_rater_are_statsmodels_clustered_by_unit():
    rng = np.random.default_rng(6)
    pairs = (("a", "b"), ("a", "c"), ("b", "c"))
    verdicts = [
        Verdict(f"p{unit}", "r", *pair, str(rng.choice(["first", "second"], p=[0.6, 0.4])), f"{unit} {image}")
        for unit in range(10)
        for pair in pairs
        for image in range(3)
    ]
    design = np.array([[(each.first == x) - (each.second == x) for x in "ab"] for each in verdicts], float)
    won = np.array([each.choice == "first" for each in verdicts], float)
    groups = np.array([int(each.unit[1:]) for each in verdicts])
    kinds = {"cov_type": "cluster", "cov_kwds": {"groups": groups, "use_correction": False}}
    model = sm.GLM(won, design, family=sm.families.Binomial()).fit(tol=1e-12, **kinds)
    found = strengths(verdicts, "abc").differences["a", "c"]
    assert found.value == pytest.approx(model.params[0])
    error = model.bse[0] * np.sqrt(10 / 9)
    assert found.high - found.value == pytest.approx(reference.t.ppf(0.975, 9) * error, rel=1e-6)


def test_a_large_crossed_study_is_nearly_cameron_gelbach_and_millers_variance():
    rng = np.random.default_rng(7)
    table = rng.normal(size=(60, 1)) + rng.normal(size=40) + rng.normal(size=(60, 40))
    u, r = (index.ravel() for index in np.indices(table.shape))
    groups = np.column_stack([u, r])
    model = sm.OLS(table.ravel(), np.ones(table.size)).fit(cov_type="cluster", cov_kwds={"groups": groups})
    counted = cells([f"{each:03}" for each in u], [f"{each:03}" for each in r], table.reshape(-1, 1))
    weights = counted.weights()
    found = spread(counted.unit, counted.rater, weights * (counted.means[:, 0] - table.mean()), weights)
    assert found.variance == pytest.approx(model.bse[0] ** 2, rel=0.02)


def test_degrees_of_freedom_of_unequal_clusters_are_those_of_the_whole_matrix():
    shares = np.random.default_rng(8).dirichlet(np.ones(7))
    centre = np.diag(shares) @ (np.eye(7) - np.outer(np.ones(7), shares))
    form = centre @ centre.T
    assert _expected(shares) == pytest.approx(np.trace(form))
    assert _one_way(shares) == pytest.approx((np.trace(form), np.trace(form) ** 2 / np.trace(form @ form)))
    assert _one_way(np.full(12, 1 / 12))[1] == pytest.approx(11)


@pytest.mark.parametrize("rest", [0.9, 0.5, 0.1, 1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize("count", [1, 2, 7, 300])
def test_degrees_of_freedom_where_one_cluster_has_much_of_the_weight(rest, count):
    others = np.random.default_rng(18).dirichlet(np.ones(count)) * rest
    shares = np.append(others, 1 - others.sum())
    root = -np.outer(shares, shares)
    np.fill_diagonal(root, 0)
    np.fill_diagonal(root, -root.sum(axis=1))
    trace = float((root**2).sum())
    assert _one_way(shares) == pytest.approx((trace, max(trace**2 / float(((root @ root) ** 2).sum()), 1)), rel=1e-9)


def test_thousands_of_clusters_take_no_matrix_of_them():
    trace, df = _one_way(np.full(1_000_000, 1e-6))
    assert (trace, df) == pytest.approx((1e-6, 999_999), rel=1e-5)


def test_parts_of_an_unbalanced_study_are_unbiased():
    """Raters rate different prompts, and each part is expected to come out as it was put in.

    The parts are quadratic in the scores, so that their expectation is the sum over all that is random, one by one.
    """
    rng = np.random.default_rng(9)
    asked = rng.random((10, 6)) < 0.5
    asked[:, 0] |= ~asked.any(axis=1)
    unit, rater = np.nonzero(asked)
    weights = 1 / (10 * asked.sum(axis=1)[unit])
    effects = [
        *(1.0 * (unit == each) for each in range(10)),
        *(0.7 * (rater == each) for each in range(6)),
        *(0.5 * np.eye(len(unit))),
    ]
    found = sum(_parts(unit, rater, weights * (effect - weights @ effect), weights) for effect in effects)
    by_unit, by_rater = np.bincount(unit, weights), np.bincount(rater, weights)
    assert found == pytest.approx([by_unit @ by_unit, 0.49 * by_rater @ by_rater, 0.25 * weights @ weights])


def test_raters_who_differ_make_the_interval_wider_and_cancel_from_a_paired_difference():
    rng = np.random.default_rng(10)
    table = rng.normal(size=(12, 1, 1)) + rng.normal(size=(12, 4, 1))
    strict = np.array([-3.0, -1.0, 1.0, 3.0])[:, None]
    plain, apart = (means(scores(each), ["a"])["a"] for each in (table, table + strict))
    assert apart.high - apart.low > 2 * (plain.high - plain.low)
    other = table + rng.normal(size=table.shape)
    same = difference([*scores(table), *scores(other, "b")], "a", "b")
    shifted = difference([*scores(table + strict), *scores(other + strict, "b")], "a", "b")
    assert (shifted.value, shifted.low, shifted.high) == pytest.approx((same.value, same.low, same.high))


def test_raters_of_one_level_each_stay_in_the_difference():
    """Two raters for each level: whoever is strict moves the difference, and the interval knows."""
    rng = np.random.default_rng(11)
    table = rng.normal(0, 0.1, size=(12, 4, 1)) + np.array([0.0, 2.0, 0.0, 2.0])[:, None]
    level = {"r0": "a", "r1": "a", "r2": "b", "r3": "b"}
    given = [Score(s.unit, s.rater, level[s.rater], s.value, s.item) for s in scores(table)]
    found = difference(given, "a", "b")
    assert found.low < -1
    assert found.high > 1
    assert (found.raters, found.answers) == (4, 48)


def apart(table, people):
    """Return the scores of two levels, of which the first has so many raters of a table and the second the others."""
    return [Score(s.unit, s.rater, "ab"[int(s.rater[1:]) >= people], s.value, s.item) for s in scores(table)]


@pytest.mark.parametrize("people", [2, 3])
def test_raters_of_one_level_each_are_the_analysis_of_variance_of_each_side(people):
    rng = np.random.default_rng(15)
    table = rng.normal(size=(10, 1)) + 2 * rng.normal(size=5) + rng.normal(size=(10, 5))
    sides = table[:, :people], table[:, people:]
    parts = [np.array(anova(side)) / side.size for side in sides]
    gaps = sides[0].mean(axis=1) - sides[1].mean(axis=1)
    of_units = gaps.var(ddof=1) / 10
    variance = of_units + sum(of_raters - rest for _, of_raters, rest in parts)
    counts = [side.shape[1] - 1 for side in sides]
    doubt = of_units**2 / 9 + sum(
        of_raters**2 / count + rest**2 / (9 * count) for (_, of_raters, rest), count in zip(parts, counts, strict=True)
    )
    reach = reference.t.ppf(0.975, variance**2 / doubt) * np.sqrt(variance)
    found = difference(apart(table[:, :, None], people), "a", "b")
    assert (found.value, found.low, found.high) == pytest.approx(
        (gaps.mean(), gaps.mean() - reach, gaps.mean() + reach)
    )


def test_one_rater_for_a_level_cannot_be_told_from_the_level():
    table = np.random.default_rng(16).normal(size=(20, 3, 2)) + np.array([0.0, 2.0, 2.0])[:, None]
    found = difference(apart(table, 1), "a", "b")
    assert found.value < -1
    assert not found.has_interval
    assert difference_words("a", "b", found).endswith("the data cannot tell raters from levels.")
    # Nor does it help that somebody else has scored both once.
    guest = [Score("p0", "guest", level, 1.0, level) for level in "ab"]
    assert difference([*apart(table, 1), *guest], "a", "b").method == found.method
    assert difference(scores(table[:1]) + scores(table[:1], "b"), "a", "b").method == "no interval: one prompt"


def test_a_rater_with_hardly_any_answer_does_not_spoil_the_interval():
    rng = np.random.default_rng(12)
    table = rng.normal(size=(20, 1, 2))
    alone = means(scores(table), ["a"])["a"]
    joined = means([*scores(table), Score("p0", "guest", "a", float(table[0].mean()), "0 0")], ["a"])["a"]
    assert (joined.low, joined.high) == pytest.approx((alone.low, alone.high))
    assert joined.raters == 2


def test_rounding_does_not_decide_whether_raters_differ():
    """Here the raters' part is exactly 0, and in another order rounding makes it a little more or less."""
    choices = {"p1": ("second",), "p2": ("first", "first"), "p3": ("first", "first")}
    found = set()
    for units in permutations(choices):
        verdicts = [
            Verdict(f"q{place}", rater, "a", "b", choice, "i")
            for place, unit in enumerate(units)
            for rater, choice in zip(("anna", "ben"), choices[unit], strict=False)
        ]
        win = rates(verdicts, "a", "b").win
        found.add((round(win.low, 6), round(win.high, 6)))
    assert len(found) == 1


def test_prompts_about_other_levels_add_nothing_to_a_contrast():
    """Levels c and d are compared in prompts of their own, which tell nothing of a and b."""
    rng = np.random.default_rng(13)
    words = ["first", "second", "tie"]
    about = {"ab": range(12), "cd": range(12, 40), "bc": range(40, 52)}
    verdicts = [
        Verdict(f"p{unit}", "r", *pair, str(rng.choice(words)), str(image))
        for pair, units in about.items()
        for unit in units
        for image in range(2)
    ]
    alone = [verdict for verdict in verdicts if verdict.first == "a"]
    gap, same = strengths(verdicts, "abcd").differences["a", "b"], strengths(alone, "ab").differences["a", "b"]
    assert (gap.value, gap.low, gap.high) == pytest.approx((same.value, same.low, same.high), rel=1e-6)
    assert "11.0 df" in gap.method


@pytest.mark.parametrize("rest", [0.0, 1e-17, 1e-9, 1e-6, 1e-4, 2e-3, 0.1])
def test_a_unit_with_nearly_all_the_weight_is_one_unit(rest):
    weights = np.array([1 - rest, rest])
    found = spread(np.array([0, 1]), np.array([0, 0]), np.array([rest, -rest]), weights)
    assert np.isnan(found.variance) == (rest < 1e-3)
    assert np.isnan(found.df) or found.df == pytest.approx(1, rel=1e-3)
