"""Sentences: what they say, and that they never say more than the data do."""

import math

import pytest

from kling_nb.compare.stats import (
    Estimate,
    Paired,
    Rates,
    Verdict,
    agreement_words,
    alpha,
    cautions,
    difference_words,
    mean_words,
    paired_words,
    preference_words,
    rates,
    strength_words,
    strengths,
)

NAN = math.nan


def estimate(value, low=NAN, high=NAN, units=12, raters=3, answers=36, method="t"):
    return Estimate(value, low, high, units, raters, answers, method)


def preferred(value, low=NAN, high=NAN, tie=0.0, unsure=0, **counts):
    return Rates("kling-v2-1", "kling-v2", *[estimate(tie)] * 3, estimate(value, low, high, **counts), unsure)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            preferred(0.64, 0.55, 0.72),
            "kling-v2-1 is preferred to kling-v2: 64 % (95 % interval 55 to 72 %; 12 prompts, 3 raters).",
        ),
        (
            preferred(0.36, 0.28, 0.45),
            "kling-v2 is preferred to kling-v2-1: 64 % (95 % interval 55 to 72 %; 12 prompts, 3 raters).",
        ),
        (
            preferred(0.61, 0.5021, 0.72, tie=0.2, unsure=1),
            (
                "kling-v2-1 is preferred to kling-v2: 61 % (ties count half; 95 % interval 50.2 to 72 %; 12 prompts, 3 raters). "
                "20 % were ties. 1 answer “unsure” is left out."
            ),
        ),
        (
            preferred(0.45, 0.3, 0.6, raters=1),
            (
                "The data cannot tell which is better: kling-v2-1 against kling-v2, 45 % "
                "(95 % interval 30 to 60 %; 12 prompts, 1 rater). With one rater nothing can be said about other raters."
            ),
        ),
        (
            preferred(0.9, units=1),
            (
                "kling-v2-1 against kling-v2: 90 % (1 prompt, 3 raters). "
                "With one prompt nothing can be said about others."
            ),
        ),
        (
            preferred(NAN, units=0, raters=0, answers=0, unsure=2),
            "There are no verdicts between kling-v2-1 and kling-v2. 2 answers were unsure.",
        ),
    ],
)
def test_preference(found, said):
    assert preference_words(found) == said


@pytest.mark.parametrize("choices", [("tie",), ("first", "second"), ("first", "tie", "tie", "tie")])
@pytest.mark.parametrize("units", [1, 12])
def test_no_winner_is_named_where_the_data_show_none(choices, units):
    verdicts = [Verdict(f"p{u}", "r", "a", "b", each, "i") for u in range(units) for each in choices]
    found = rates(verdicts, "a", "b")
    said = preference_words(found)
    assert ("preferred" in said) == (found.preference.low > 0.5)
    assert ("ties count half" in said) == ("tie" in choices)
    if found.preference.value == 0.5:
        assert "a against b" in said
        assert " 50 % (" in said


def test_how_many_prompts_would_be_needed():
    found = preferred(0.55, 0.4, 0.7)
    needed = "; about 1,200 prompts with these raters would be needed to see a difference of this size."
    assert needed in preference_words(found, needed=1200)
    assert "needed" not in preference_words(found, needed=9)
    assert "needed" not in preference_words(found)
    assert "needed" not in preference_words(preferred(0.64, 0.55, 0.72), needed=1200)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            estimate(0.4, 0.1, 0.7),
            "a is above b by 0.4 points (95 % interval 0.1 to 0.7; 12 prompts, 3 raters).",
        ),
        (
            estimate(-0.4, -0.7, -0.1),
            "b is above a by 0.4 points (95 % interval 0.1 to 0.7; 12 prompts, 3 raters).",
        ),
        (
            estimate(0.4, -0.1, 0.9, units=3, raters=0),
            (
                "The data cannot tell which is higher: a − b is 0.4 points (95 % interval −0.1 to 0.9; 3 prompts). "
                "Caution: 3 prompts are few, and the interval may mislead."
            ),
        ),
        (
            estimate(-2.5, units=1, raters=0),
            "a is 2.5 points below b (1 prompt). With one prompt nothing can be said about others.",
        ),
        (
            estimate(0.0, method="no interval: all prompts gave the same", raters=0),
            (
                "a is level with b (12 prompts). All prompts gave the same, so that the data do not show how much others "
                "would differ."
            ),
        ),
        (estimate(NAN, units=0, answers=0), "No prompt has both a and b."),
    ],
)
def test_difference(found, said):
    assert difference_words("a", "b", found, unit="points") == said


def test_mean():
    said = "The mean of a is 3.25 (90 % interval 3 to 3.5; 12 prompts, 3 raters)."
    assert mean_words("a", estimate(3.25, 3.0, 3.5), level=0.9) == said
    assert mean_words("a", estimate(3.25, units=1), unit="points").startswith("The mean of a is 3.25 points (1 prompt")
    assert mean_words("a", estimate(NAN, answers=0)) == "There are no scores of a."
    assert mean_words("a", estimate(-1.5, -2.0, 0.00002)).startswith(
        "The mean of a is −1.5 (95 % interval −2 to 2e−05;"
    )
    assert mean_words("a-b", estimate(-1.5, units=1)).startswith("The mean of a-b is −1.5 (1 prompt")


def test_strengths():
    def answers(first, second, choices):
        return [Verdict(f"p{n}", "r", first, second, choice, "i") for n, choice in enumerate(choices.split())]

    clear = answers("a", "b", " ".join(["first"] * 22 + ["second"] * 2))
    unclear = answers("b", "c", "first second first second first second first second first tie first first")
    said = strength_words(strengths([*clear, *unclear], ["c", "b", "a"]))
    assert said.startswith(
        "From strongest to weakest: a, b, c. a is expected to be preferred to b in 92 % (95 % interval"
    )
    assert "The data cannot tell b and c apart: b is expected to be preferred to c in 62 %" in said
    assert said.endswith("With one rater nothing can be said about other raters.")
    said = strength_words(strengths(answers("a", "b", "first first"), ["a", "b"]))
    assert "From strongest to weakest: a, b. a never lost" in said
    assert "is expected" not in said
    assert strength_words(strengths([], ["a", "b"])) == "There are no answers to compare levels by."


def test_levels_that_are_equally_strong_are_not_ranked():
    def ties(*pairs):
        return [Verdict(f"p{n}", "r", *pair, "tie", "i") for n in range(6) for pair in pairs]

    said = strength_words(strengths(ties("ab"), "ab"))
    assert said.startswith("Equally strong: a, b. All prompts gave the same")
    won = [
        Verdict(f"p{n}", "r", one, "c", "second" if n == 3 else "first", "i") for n in range(6) for one in ("a", "b")
    ]
    assert strength_words(strengths([*ties("ab"), *won], "abc")).startswith("From strongest to weakest: a = b, c. ")


def test_agreement():
    assert agreement_words(estimate(0.52, 0.3, 0.7)) == (
        "Krippendorff's alpha is 0.52 (95 % interval 0.30 to 0.70; 12 prompts, 3 raters)."
    )
    assert "agree by chance only" in agreement_words(estimate(0.1, -0.1, 0.3))
    assert agreement_words(estimate(1.0)).startswith("Krippendorff's alpha is 1.00 (12 prompts, 3 raters).")
    assert "alpha is 0.00 (95 % interval −0.30 to 0.30;" in agreement_words(estimate(-0.001, -0.3, 0.3))
    assert "alpha is −0.10 (95 % interval −0.30 to 0.10;" in agreement_words(estimate(-0.1, -0.3, 0.1))
    assert "undefined" in agreement_words(estimate(NAN))
    assert agreement_words(alpha([])).startswith("No image was judged by two raters")


def test_tests():
    found = Paired("a", "b", "wilcoxon", 40.0, 0.0123, 0.0246, 0.8, 9)
    said = "a and b differ (Wilcoxon signed-rank test, p = 0.012, adjusted = 0.025; 9 prompts)."
    assert paired_words(found) == said
    assert "are not shown to differ" in paired_words(found, alpha=0.02)
    alone = Paired("a", "b", "t", 9.0, 0.0001, 0.0001, 0.8, 9)
    assert paired_words(alone) == "a and b differ (t test, p < 0.001; 9 prompts)."
    assert paired_words(Paired("a", "b", "t", NAN, NAN, NAN, NAN, 1)) == "There is no t test of a and b: 1 prompt."


@pytest.mark.parametrize("units", [1, 2, 3, 5, 6])
@pytest.mark.parametrize("raters", [1, 2, 3])
def test_little_behind_an_estimate_is_said(units, raters):
    verdicts = [
        Verdict(f"p{u}", f"r{r}", "a", "b", ("first", "second")[(u + r) % 2], "i")
        for u in range(units)
        for r in range(raters)
    ]
    said = " ".join(cautions(rates(verdicts, "a", "b").preference))
    assert ("With one prompt" in said) == (units == 1)
    assert ("Caution" in said) == (2 <= units <= 5)
    assert ("With one rater" in said) == (raters == 1 and units > 1)
    assert ("Two raters" in said) == (raters == 2 and units > 1)
