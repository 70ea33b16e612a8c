"""What people and measures answered, and what is estimated from it."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

Choice = Literal["first", "second", "tie", "unsure"]
"""What can be answered to "which is better?"."""
CHOICES: tuple[str, ...] = get_args(Choice)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One answer to "which is better?".

    Parameters
    ----------
    unit : str
        The prompt. Answers of one unit are not independent of each other.
    rater : str
        Who answered.
    first, second : str
        The levels that were compared, in the order of the axis, whatever the sides on which they were shown.
    choice : {"first", "second", "tie", "unsure"}
        The answer.
    item : str
        The matched pair of images; the same for all raters who saw it.

    Raises
    ------
    ValueError
        The choice is none of the four, or a level is compared with itself.
    """

    unit: str
    rater: str
    first: str
    second: str
    choice: str
    item: str

    def __post_init__(self) -> None:
        if self.choice not in CHOICES:
            raise ValueError(f"{self.choice!r} is no verdict; it must be one of {', '.join(CHOICES)}")
        if self.first == self.second:
            raise ValueError(f"{self.first!r} is compared with itself; a verdict is about two levels")


@dataclass(frozen=True, slots=True)
class Score:
    """One answer on a scale, or one measured number of one image.

    Parameters
    ----------
    unit : str
        The prompt.
    rater : str
        Who answered; empty for a measure.
    level : str
        The level of the axis.
    value : float
        The answer, in the scale's or the measure's own unit.
    item : str
        The image.

    Raises
    ------
    ValueError
        The value is not a finite number.
    """

    unit: str
    rater: str
    level: str
    value: float
    item: str

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"the score of {self.item!r} is {self.value}; leave out what has no number")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval, and how much stands behind it.

    Parameters
    ----------
    value : float
        The estimate; nan where there is no answer.
    low, high : float
        The interval, in the unit of the value; nan where the data cannot give one.
    units, raters, answers : int
        How many prompts, raters and answers stand behind it; measures have no raters.
    method : str
        How the interval was made, in short words.
    p : float
        Of no difference or preference, two-sided, from what the interval is made of: it is below 0.05 exactly where an
        interval of 95 % excludes that. nan where there is no interval, and for what has no such value.
    """

    value: float
    low: float
    high: float
    units: int
    raters: int
    answers: int
    method: str
    p: float = math.nan

    @property
    def has_interval(self) -> bool:
        """Whether there is an interval."""
        return not (math.isnan(self.low) or math.isnan(self.high))


def checked_level(level: float) -> float:
    """Return the level of an interval, if it can be one.

    Parameters
    ----------
    level : float
        The share of studies in which the interval is to hold the truth, such as 0.95.

    Raises
    ------
    ValueError
        It does not lie between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must lie between 0 and 1, such as 0.95")
    return level
