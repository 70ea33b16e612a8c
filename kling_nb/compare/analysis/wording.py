"""The statistics' words, with the names of a comparison in them. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping

PROMPT = "prompt"
_NONE = ("no interval", "no answers")
_FIRST, _SECOND = "\ue000", "\ue001"
_DEGREES = re.compile(r"^(?P<how>.*), (?P<df>[\d.]+) df$")


def worded(say: Callable[[str, str], str], first: str, second: str, clusters: str) -> str:
    """Return a sentence about two levels, their labels in quotes: one may be called "none".

    Parameters
    ----------
    say : callable
        Returns the sentence for two names.
    first, second : str
        The labels.
    clusters : str
        What the units are; where they are no prompts, they are called units.
    """
    # The labels come last, so that nothing in them is taken for a word of the sentence.
    said = in_units(say(_FIRST, _SECOND), clusters)
    return said.replace(_FIRST, f"“{first}”").replace(_SECOND, f"“{second}”")


def in_units(said: str, clusters: str) -> str:
    """Return a sentence that is about prompts as one about other units, where they are others."""
    return (
        said
        if clusters in ("", PROMPT)
        else re.sub(r"\b([Pp])rompt", lambda m: "Unit" if m[1] == "P" else "unit", said)
    )


def intervals(methods: Mapping[str, str], clusters: str) -> str:
    """Return how the intervals of levels were made, and which levels have none, and why.

    Parameters
    ----------
    methods : mapping of str to str
        From label to what the statistics say, such as "t on prompt means, 11.0 df" or "no interval: one prompt".
    clusters : str
        What the units are.
    """
    made = [method for method in methods.values() if not method.startswith(_NONE)]
    missing: dict[str, list[str]] = {}
    for label, method in methods.items():
        if method.startswith(_NONE):
            missing.setdefault(in_units(method, clusters), []).append(f"“{label}”")
    if len(missing) == 1 and not made:
        return next(iter(missing))
    found = [f"95 % interval ({_ways(made, clusters)})"] if made else []
    for said, labels in missing.items():
        what, colon, why = said.partition(":")
        found.append(f"{what} for {', '.join(labels)}{colon}{why}")
    return "; ".join(found)


def _ways(names: Iterable[str], clusters: str) -> str:
    """Return how intervals were made, each way once, with the degrees of freedom that there were."""
    found: dict[str, list[float]] = {}
    for name in names:
        match = _DEGREES.match(name)
        degrees = found.setdefault(match["how"] if match else name, [])
        degrees += [float(match["df"])] if match else []
    return in_units("; ".join(f"{how}{_df(degrees)}" for how, degrees in found.items() if how), clusters)


def _df(degrees: list[float]) -> str:
    if not degrees:
        return ""
    low, high = f"{min(degrees):.3g}", f"{max(degrees):.3g}"
    return f", {low} df" if low == high else f", {low} to {high} df"
