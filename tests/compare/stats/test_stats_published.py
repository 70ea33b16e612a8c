"""Published worked examples, to the digits printed."""

import krippendorff
import numpy as np
import pytest

from kling_nb.compare.stats import Score, Verdict, alpha, difference, paired, rates, score_differences, strengths
from kling_nb.compare.stats.intervals import clopper_pearson, wilson

# Student (1908), "The probable error of a mean", Biometrika 6: hours of sleep gained by ten patients on two drugs, as
# in R's data set `sleep`; the results are those of R's `t.test(extra ~ group, paired = TRUE)`.
SLEEP = (
    (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0),
    (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4),
)
# Darwin (1876), maize: cross- less self-fertilised, in eighths of an inch; Fisher, The Design of Experiments (1935).
MAIZE = (49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48)
# Hollander & Wolfe (1973), p. 29: depression scale before and after a tranquilliser, as in R's `?wilcox.test`.
DEPRESSION = (
    (1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30),
    (0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29),
)
# Krippendorff (2011), Computing Krippendorff's alpha-reliability, section C: four observers, twelve units.
NONE = np.nan
RELIABILITY = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NONE, NONE, NONE],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NONE, 3],
        [NONE, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NONE],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NONE],
    ]
)
# Agresti, Categorical Data Analysis: American League, eastern division, 1987; wins of the row over the column.
TEAMS = ("Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore")
BASEBALL = (
    (0, 7, 9, 7, 7, 9, 11),
    (6, 0, 7, 5, 11, 9, 9),
    (4, 6, 0, 7, 7, 8, 12),
    (6, 8, 6, 0, 6, 7, 10),
    (6, 2, 6, 7, 0, 7, 12),
    (4, 4, 5, 6, 6, 0, 6),
    (2, 4, 1, 3, 1, 7, 0),
)


def scores_of(first, second):
    return [
        Score(f"unit {unit}", "", level, value, f"{level} {unit}")
        for level, values in (("a", first), ("b", second))
        for unit, value in enumerate(values)
    ]


def test_students_sleep():
    scores = scores_of(*SLEEP)
    found = difference(scores, "a", "b")
    assert (found.low, found.high) == pytest.approx((-2.4598858, -0.7001142), abs=5e-8)
    assert found.value == pytest.approx(-1.58)
    [test] = paired(score_differences(scores, ["a", "b"]), "t")
    assert (test.statistic, test.p, test.units) == (
        pytest.approx(-4.0621, abs=5e-5),
        pytest.approx(0.002833, abs=5e-7),
        10,
    )


def test_darwins_maize():
    values = {("cross", "self"): MAIZE}
    [t], [permutation] = paired(values, "t"), paired(values, "permutation")
    assert (t.statistic, t.p) == (pytest.approx(2.148, abs=5e-4), pytest.approx(0.0497, abs=5e-5))
    assert permutation.p == 1726 / 32768
    assert permutation.statistic == pytest.approx(20.933, abs=5e-4)


def test_hollander_and_wolfes_depression():
    [found] = paired(score_differences(scores_of(*DEPRESSION), ["a", "b"]), "wilcoxon")
    assert found.statistic == 40
    assert found.p == pytest.approx(2 * 0.01953, abs=2e-5)


@pytest.mark.parametrize(
    ("wins", "number", "score", "exact"),
    [
        (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
        (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
        (0, 20, (0.0000, 0.1611), (0.0000, 0.1684)),
        (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
    ],
)
def test_newcombes_proportions(wins, number, score, exact):
    """Newcombe (1998), Statistics in Medicine 17, table I: methods 3 (score) and 5 (exact)."""
    assert wilson(wins / number, number, 1.959964) == pytest.approx(score, abs=5.1e-5)
    assert clopper_pearson(wins / number, number, 0.95) == pytest.approx(exact, abs=5.1e-5)


def test_no_win_of_twenty_is_newcombes_exact_interval():
    verdicts = [Verdict(f"unit {unit}", "r", "a", "b", "second", f"{unit}") for unit in range(20)]
    found = rates(verdicts, "a", "b").win
    assert (found.value, found.low) == (0, 0)
    assert found.high == pytest.approx(0.1684, abs=5e-5)


@pytest.mark.parametrize(("scale", "printed"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_krippendorffs_reliability_data(scale, printed):
    answers = [
        Score(f"unit {unit}", f"rater {rater}", "a", float(value), "image")
        for (rater, unit), value in np.ndenumerate(RELIABILITY)
        if not np.isnan(value)
    ]
    found = alpha(answers, scale)
    assert found.value == pytest.approx(printed, abs=5e-4)
    assert found.value == pytest.approx(krippendorff.alpha(RELIABILITY, level_of_measurement=scale), abs=1e-12)
    # One unit has one answer only, and says nothing about agreement.
    assert (found.units, found.raters, found.answers) == (11, 4, 40)


def test_agrestis_baseball():
    verdicts = [
        Verdict(f"game {place}", "", TEAMS[i], TEAMS[j], "first", f"{place}")
        for i, row in enumerate(BASEBALL)
        for j, count in enumerate(row)
        for place in range(count)
    ]
    found = strengths(verdicts, TEAMS)
    against_last = [found.differences[team, "Baltimore"].value for team in TEAMS[:-1]]
    assert against_last == pytest.approx([1.581, 1.436, 1.294, 1.248, 1.108, 0.684], abs=5.1e-4)
    assert sum(each.value for each in found.estimates.values()) == pytest.approx(0, abs=1e-9)
    assert not found.notes
