"""Made-up studies whose truth is known: prompts, raters, images and their noise are random."""

from dataclasses import dataclass
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import expit

from kling_nb.compare.stats import Score, Verdict
from kling_nb.compare.stats.fitting import fit

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(61)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
WORDS = ("first", "tie", "second")


@dataclass(frozen=True)
class Spreads:
    """Standard deviations of the random parts; of verdicts on the logit scale."""

    unit: float = 1.0
    rater: float = 0.4
    both: float = 0.4
    image: float = 0.5


def verdict_studies(seed, studies, units, raters, *, images, leans=(0.5, 0.0), tie=0.4, sd=Spreads()):
    """Return verdicts about all pairs of levels in many studies, and the truth of each.

    Each level has a worth: lean + unit + rater + unit × rater + image, all but the lean random. Of a pair the first
    wins where the difference of worths + logistic noise exceeds `tie`, and loses where it is below -`tie`. The
    spreads are those of a difference of two worths. With one rater the truth is that rater's; with several it is the
    mean over all raters there could be.

    Returns
    -------
    list of list of Verdict
        One a study.
    dict of (str, str) to namespace
        For each pair the shares win, tie, loss and preference, and `strength`, the difference of Bradley-Terry
        strengths that fit them; one number a study.
    """
    rng = np.random.default_rng(seed)
    half = np.sqrt(0.5)
    levels = "abcdef"[: len(leans)]
    person = rng.normal(0, half * sd.rater, (studies, 1, raters, 1, len(leans)))
    worth = np.array(leans) + person + rng.normal(0, half * sd.unit, (studies, units, 1, 1, len(leans)))
    worth = worth + rng.normal(0, half * sd.both, (studies, units, raters, 1, len(leans)))
    worth = worth + rng.normal(0, half * sd.image, (studies, units, 1, images, len(leans)))
    pairs = list(combinations(range(len(leans)), 2))
    felt = np.stack([worth[..., i] - worth[..., j] + rng.logistic(size=worth.shape[:-1]) for i, j in pairs], -1)
    choices = np.where(felt > tie, 0, np.where(felt < -tie, 2, 1)).reshape(studies, -1)
    # One of three verdicts is chosen for each place, which is quicker than making each anew.
    places = np.empty((*felt.shape[1:], 3), object)
    for (u, r, i, p, c), _ in np.ndenumerate(places):
        one, other = pairs[p]
        places[u, r, i, p, c] = Verdict(f"p{u}", f"r{r}", levels[one], levels[other], WORDS[c], f"p{u} i{i}")
    places = places.reshape(-1, 3)
    made = [list(places[np.arange(len(places)), choices[study]]) for study in range(studies)]
    return made, _verdict_truths(np.array(leans), person[:, 0, :, 0], levels, tie, sd)


def _verdict_truths(leans, person, levels, tie, sd):
    """Return the true shares of each pair in each study, by quadrature over all that is random."""
    studies, raters, count = person.shape
    middle = leans + (person[:, 0] if raters == 1 else np.zeros((studies, count)))
    around = np.sqrt(sd.unit**2 + sd.both**2 + sd.image**2 + (0 if raters == 1 else sd.rater**2))
    truths, wins = {}, np.zeros((studies, count, count))
    for i, j in combinations(range(count), 2):
        inside = (middle[:, i] - middle[:, j])[:, None] + around * NODES
        win, loss = expit(inside - tie) @ WEIGHTS, expit(-inside - tie) @ WEIGHTS
        preference = (1 + win - loss) / 2
        wins[:, i, j], wins[:, j, i] = preference, 1 - preference
        truths[levels[i], levels[j]] = SimpleNamespace(win=win, tie=1 - win - loss, loss=loss, preference=preference)
    fitted = np.array([fit(each) for each in (wins if raters == 1 else wins[:1])])
    for (i, one), (j, other) in combinations(enumerate(levels), 2):
        truths[one, other].strength = np.broadcast_to(fitted[:, i] - fitted[:, j], studies)
    return truths


def score_studies(seed, studies, units, raters, *, images, leans=(3.0, 3.4), sd=Spreads()):
    """Return scores of two levels in many studies, and the true means (study × level).

    Half of what is random about units and raters is shared by the levels and cancels from their difference.
    """
    rng = np.random.default_rng(seed)
    own = (studies, len(leans), 1, 1, 1)
    half = np.sqrt(0.5)

    def part(size, *, units=1, raters=1, images=1):
        shape = (studies, 1, units, raters, images)
        return half * (rng.normal(0, size, shape) + rng.normal(0, size, (own[0], own[1], *shape[2:])))

    person = part(sd.rater, raters=raters)
    values = np.array(leans)[:, None, None, None] + person + part(sd.unit, units=units)
    values = values + part(sd.both, units=units, raters=raters) + part(sd.image, units=units, images=images)
    values = values + rng.normal(0, 0.5, (studies, len(leans), units, raters, images))
    places = [
        (f"p{u}", f"r{r}", "ab"[level], f"p{u} {level} i{i}")
        for level, u, r, i in np.ndindex(len(leans), units, raters, images)
    ]
    made = [
        [Score(*place[:3], value, place[3]) for place, value in zip(places, study, strict=True)]
        for study in values.reshape(studies, -1).tolist()
    ]
    return made, np.array(leans) + (person[:, :, 0, 0, 0] if raters == 1 else np.zeros((studies, len(leans))))


@pytest.fixture(scope="session")
def studies():
    """Return what makes studies."""
    return SimpleNamespace(verdicts=verdict_studies, scores=score_studies, spreads=Spreads)
