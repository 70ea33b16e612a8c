"""What is known of each image beyond its task: what raters said of it, and what was measured. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Spot = tuple[str, int, int | None]
"""The digest of a cell, a sample and the index of an image; None where the sample has no image."""
Added = Mapping[str, Mapping[Spot, Any]]
"""From a column to the values of images."""


@dataclass(frozen=True, slots=True)
class Extra:
    """What the folder of a comparison holds beyond design, tasks and files.

    Parameters
    ----------
    manifest : mapping
        Further keys of the manifest.
    columns : mapping
        Further columns of the table of images.
    answers : sequence of mapping
        Rows of the table of answers.
    results : mapping
        What its page shows of them, as plain data; empty for nothing.
    notes : sequence of str
        What the user should know of it.
    """

    manifest: Mapping[str, Any] = field(default_factory=dict)
    columns: Added = field(default_factory=dict)
    answers: Sequence[Mapping[str, Any]] = ()
    results: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
