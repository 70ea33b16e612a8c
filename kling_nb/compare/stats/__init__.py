"""The statistics of a comparison: pure functions from answers to estimates, tests and sentences.

Answers are `Verdict` ("which is better?") and `Score` (a number for one image, from a person or a measure). They come
in clusters: those about one prompt are not independent, nor are those of one rater. All intervals know of it:

- `rates`: win, tie and loss share of a pair of levels, and its preference, win + tie / 2.
- `means`, `difference`: the mean of each level; by how much one exceeds another, paired by prompt.
- `strengths`: Bradley-Terry strengths of all levels, their differences and expected win probabilities.
- `alpha`: Krippendorff's alpha, how far raters agree.
- `paired`: the test that belongs to the interval; t, Wilcoxon and permutation tests on prompts, which are about these
  raters only; corrected for the number of pairs.
- `preference_words` and its likes: the same as sentences that say when the data cannot tell.

What an interval is about: other prompts like these, and with several raters other raters like these. With one rater it
is about that rater only. With one prompt there is none. How well they cover is measured in
`tests/compare/stats/test_stats_coverage.py` and said, with what does not hold, in `crossed`.

It needs NumPy and SciPy, which come with ``kling_nb[compare]``, and is imported where it is used. It reads no disk and
shows nothing.
"""

from kling_nb.compare.stats.agreement import alpha
from kling_nb.compare.stats.answers import Estimate, Score, Verdict
from kling_nb.compare.stats.means import difference, means
from kling_nb.compare.stats.paired import (
    Paired,
    adjust,
    paired,
    score_differences,
    units_needed,
    verdict_differences,
)
from kling_nb.compare.stats.rates import Rates, rates
from kling_nb.compare.stats.strengths import Strengths, strengths
from kling_nb.compare.stats.words import (
    agreement_words,
    cautions,
    difference_words,
    mean_words,
    paired_words,
    percent,
    preference_words,
    strength_words,
)

__all__ = [
    "Estimate",
    "Paired",
    "Rates",
    "Score",
    "Strengths",
    "Verdict",
    "adjust",
    "agreement_words",
    "alpha",
    "cautions",
    "difference",
    "difference_words",
    "mean_words",
    "means",
    "paired",
    "paired_words",
    "percent",
    "preference_words",
    "rates",
    "score_differences",
    "strength_words",
    "strengths",
    "units_needed",
    "verdict_differences",
]
