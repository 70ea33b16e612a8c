"""How often intervals hold the truth, in 1,000 made-up studies of each size; in fewer where it must be quick.

The issue asks for 93 to 97 % at a level of 95 %. A true 95 % gives 93.6 to 96.4 in 19 of 20 runs of 1,000 studies, and
a true 96.5 % gives more than 97 in every fifth, so that the bounds leave little room and the seed is fixed. In 5,000
studies of another seed there were, in percent:

========== ========= ===== ===== ============ ====== ============ ============= ==========================
prompts    raters    win   tie   preference   mean   difference   strengths     naive: preference, mean
========== ========= ===== ===== ============ ====== ============ ============= ==========================
12         1         96.0  96.6  95.7         94.7   95.1         96.2 to 96.6  91.3, 84.6
48         1         95.5  95.2  95.3         95.2   95.0         94.9 to 95.8  90.8, 86.0
12         3         96.0  97.2  96.0         95.5   95.4         96.3 to 97.1  69.6, 54.5
48         3         93.8  96.5  93.6         92.8   93.0         94.6 to 94.7  55.9, 42.7
12         5         95.7  96.8  95.7         95.2   95.2         96.5 to 96.7  62.0, 48.6
48         5         94.5  96.6  94.5         94.7   94.5         94.3 to 95.6  50.7, 38.7
12         2         95.1  97.1  94.8         94.3   94.6         96.1 to 96.5  72.7, 59.6
48         2         90.8  96.0  90.9         89.5   89.9         91.9 to 92.4  54.5, 43.1
========== ========= ===== ===== ============ ====== ============ ============= ==========================

With three raters and more the strengths had one image for each prompt, rater and pair of levels; with two images they
come nearer to 95 %. With two raters and many prompts the raters' own differences are most of what is unknown, and two
people do not show them.
"""

from collections import Counter

import krippendorff
import numpy as np
import pytest

from kling_nb.compare.stats import (
    alpha,
    difference,
    means,
    paired,
    rates,
    score_differences,
    strengths,
    verdict_differences,
)
from kling_nb.compare.stats.intervals import wilson

STUDIES = 1000
QUICK = 300
"""Enough to tell from intervals that take answers for independent, not to measure by."""
SEED = 1
CORE = [(12, 1), (48, 1), (12, 5), (48, 5)]
SIZES = [(12, 1, QUICK), (48, 5, QUICK), *(pytest.param(*size, STUDIES, marks=pytest.mark.slow) for size in CORE)]
"""Prompts, raters and studies."""
MORE = [(12, 3), (48, 3), (24, 4), (12, 10)]
"""Prompts and raters."""
SHARES = ("win", "tie", "loss", "preference")


def percent(held):
    return 100 * float(np.mean(held))


def covers(found, count, most=97):
    """Tell whether so many studies may have this coverage of a true 95 %: in 300, 1.3 points are one standard error."""
    return 93 <= found <= most if count == STUDIES else 91 <= found <= 99.5


def holds(estimate, truth):
    return estimate.low <= truth <= estimate.high


def of_rates(studies, units, raters, count=STUDIES):
    """Return the coverage of each share, and of Wilson's interval on all answers as if they were independent."""
    made, truths = studies.verdicts(SEED, count, units, raters, images=4)
    truth, held = truths["a", "b"], {name: [] for name in (*SHARES, "naive")}
    for study, verdicts in enumerate(made):
        found = rates(verdicts, "a", "b")
        for name in SHARES:
            held[name].append(holds(getattr(found, name), getattr(truth, name)[study]))
        low, high = wilson(found.preference.value, len(verdicts), 1.959964)
        held["naive"].append(low <= truth.preference[study] <= high)
    return {name: percent(each) for name, each in held.items()}


def of_scores(studies, units, raters, count=STUDIES):
    """Return the coverage of a mean and a difference, and of an interval on all answers as if independent."""
    made, truths = studies.scores(SEED, count, units, raters, images=2)
    held = {"mean": [], "difference": [], "naive": []}
    for scores, (one, other) in zip(made, truths, strict=True):
        held["mean"].append(holds(means(scores, ["a"])["a"], one))
        held["difference"].append(holds(difference(scores, "a", "b"), one - other))
        values = np.array([score.value for score in scores if score.level == "a"])
        held["naive"].append(abs(values.mean() - one) <= 1.96 * values.std(ddof=1) / np.sqrt(len(values)))
    return {name: percent(each) for name, each in held.items()}


def of_strengths(studies, units, raters, count=STUDIES):
    """Return the coverage of the differences of Bradley-Terry strengths of three levels."""
    made, truths = studies.verdicts(SEED, count, units, raters, images=2, leans=(0.5, 0.0, -0.3))
    held = {pair: [] for pair in truths}
    for study, verdicts in enumerate(made):
        found = strengths(verdicts, "abc")
        for pair, truth in truths.items():
            held[pair].append(holds(found.differences[pair], truth.strength[study]))
    return {pair: percent(each) for pair, each in held.items()}


@pytest.mark.parametrize(("units", "raters", "count"), SIZES)
def test_preference_win_and_loss_cover_and_a_naive_interval_does_not(studies, units, raters, count):
    found = of_rates(studies, units, raters, count)
    for name in ("win", "loss", "preference"):
        assert covers(found[name], count), found
    assert found["naive"] < 93, found
    # Ties are rare, their share is skewed, and Wilson's interval is then on the safe side.
    assert covers(found["tie"], count, 98.5), found


@pytest.mark.parametrize(("units", "raters", "count"), SIZES)
def test_mean_and_difference_cover_and_a_naive_interval_does_not(studies, units, raters, count):
    found = of_scores(studies, units, raters, count)
    assert covers(found["mean"], count), found
    assert covers(found["difference"], count), found
    assert found["naive"] < 93, found


@pytest.mark.parametrize(("units", "raters", "count"), SIZES)
def test_differences_of_strengths_cover(studies, units, raters, count):
    found = of_strengths(studies, units, raters, count)
    assert all(covers(share, count) for share in found.values()), found


@pytest.mark.slow
@pytest.mark.parametrize(("units", "raters"), MORE)
def test_other_sizes_cover_too(studies, units, raters):
    """The bounds are wider: with three raters the long run is 92.8 to 97.2, and chance adds to it."""
    shares, scores, differences = (each(studies, units, raters) for each in (of_rates, of_scores, of_strengths))
    for name in ("win", "loss", "preference"):
        assert 91.5 <= shares[name] <= 98, shares
    assert all(91.5 <= scores[name] <= 98 for name in ("mean", "difference")), scores
    assert all(91.5 <= share <= 98 for share in differences.values()), differences
    assert shares["naive"] < 92
    assert scores["naive"] < 92


@pytest.mark.slow
def test_two_raters_are_too_few_for_what_others_would_say(studies):
    """Hold what the docstring of `crossed` admits, so that it is not forgotten: too narrow, though not by far."""
    found = of_scores(studies, 48, 2)
    assert 87 <= found["mean"] <= 96, found
    assert found["naive"] < 70, found


@pytest.mark.slow
@pytest.mark.parametrize(("units", "raters"), [(24, 3), (24, 5)])
def test_only_the_crossed_test_finds_little_where_there_is_nothing(studies, units, raters):
    """No level is better, but each rater has a taste: a test about these raters finds it in far more than 5 %."""
    sd = studies.spreads(rater=0.85)
    of_pairs, _ = studies.verdicts(21, STUDIES, units, raters, images=2, leans=(0.0, 0.0), sd=sd)
    of_scales, _ = studies.scores(22, STUDIES, units, raters, images=2, leans=(3.0, 3.0), sd=sd)
    for made, estimated, differences in (
        (of_pairs, lambda study: rates(study, "a", "b").preference, verdict_differences),
        (of_scales, lambda study: difference(study, "a", "b"), score_differences),
    ):
        found = {"crossed": [], "t": []}
        for study in made:
            crossed, values = {("a", "b"): estimated(study).p}, differences(study, "ab")
            for test, ps in found.items():
                ps.append(paired(values, test, crossed=crossed)[0].p < 0.05)
        share = {test: percent(ps) for test, ps in found.items()}
        assert 2.5 <= share["crossed"] <= 8, share
        assert share["t"] > 15, share


PARTS = {
    "each prompt by two raters": lambda u, r, raters: r in (u % raters, (u + 1 + u // raters) % raters),
    "each prompt by one rater": lambda u, r, raters: r == u % raters,
    "some raters much more than others": lambda u, r, raters: u % (r + 1) == 0,
}


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(("units", "raters"), [(12, 5), (48, 5), (48, 12)])
def test_raters_who_each_rate_a_part(studies, units, raters, part):
    asked = {(f"p{u}", f"r{r}") for u in range(units) for r in range(raters) if PARTS[part](u, r, raters)}
    made, truths = studies.scores(9, STUDIES, units, raters, images=2)
    held = []
    for scores, (one, other) in zip(made, truths, strict=True):
        given = [score for score in scores if (score.unit, score.rater) in asked]
        held.append((holds(means(given, ["a"])["a"], one), holds(difference(given, "a", "b"), one - other)))
    assert all(92.5 <= percent(each) <= 98 for each in zip(*held, strict=True)), np.mean(held, axis=0)


def of_levels_with_raters_of_their_own(studies, units, people, part, rater):
    """Return the coverage of a difference where nobody scored both levels, or one guest a few images of each."""
    raters = 2 * people + 1
    made, truths = studies.scores(14, STUDIES // 2, units, raters, images=2, sd=studies.spreads(rater=rater))
    held = []
    for scores, (one, other) in zip(made, truths, strict=True):
        given = [score for score in scores if own(int(score.unit[1:]), int(score.rater[1:]), score.level, people, part)]
        held.append(holds(difference(given, "a", "b"), one - other))
    return percent(held)


def own(unit, rater, level, people, part):
    if rater == 2 * people:
        return part == "a guest" and unit < 2
    return (rater < people) == (level == "a") and (part != "in turn" or unit % people == rater % people)


@pytest.mark.slow
@pytest.mark.parametrize("rater", [0.4, 1.0])
@pytest.mark.parametrize("part", ["all", "in turn", "a guest"])
@pytest.mark.parametrize(("units", "people"), [(20, 2), (20, 3)])
def test_differences_cover_where_levels_have_raters_of_their_own(studies, units, people, part, rater):
    """Two raters who share the prompts out between them are too few, as the docstring of `difference` admits."""
    found = of_levels_with_raters_of_their_own(studies, units, people, part, rater)
    least = 85 if (people, part) == (2, "in turn") else 91.5
    assert least <= found <= 98.5, found


@pytest.mark.slow
@pytest.mark.parametrize(("lean", "tie"), [(0.0, 0.4), (1.5, 0.4), (0.5, 0.1), (0.5, 1.0)])
@pytest.mark.parametrize(("units", "raters"), [(12, 1), (48, 5)])
def test_shares_near_their_ends_are_on_the_safe_side(studies, units, raters, lean, tie):
    made, truths = studies.verdicts(11, STUDIES, units, raters, images=4, leans=(lean, 0.0), tie=tie)
    truth = truths["a", "b"]
    held = {name: [] for name in SHARES}
    for study, verdicts in enumerate(made):
        found = rates(verdicts, "a", "b")
        for name in SHARES:
            held[name].append(holds(getattr(found, name), getattr(truth, name)[study]))
    assert all(92.5 <= percent(each) <= 99.5 for each in held.values()), {k: percent(v) for k, v in held.items()}


@pytest.mark.slow
@pytest.mark.parametrize("units", [12, 48])
def test_alpha_covers(studies, units):
    """The truth is alpha in one very large study, by another implementation; the raters are alike."""
    sd = studies.spreads(unit=2.0, rater=0.0)
    [large], _ = studies.verdicts(12, 1, 30_000, 3, images=2, sd=sd)
    counts = Counter((verdict.item, verdict.choice) for verdict in large)
    items = {item for item, _ in counts}
    table = [[counts[item, choice] for choice in ("first", "tie", "second")] for item in items]
    truth = krippendorff.alpha(value_counts=np.array(table), level_of_measurement="nominal")
    made, _ = studies.verdicts(13, STUDIES, units, 3, images=2, sd=sd)
    assert 91 <= percent([holds(alpha(verdicts), truth) for verdicts in made]) <= 97
