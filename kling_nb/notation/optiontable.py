"""The options of a generation, for the magic that reads them and for whoever writes its lines."""

import re
from typing import NamedTuple


class Option(NamedTuple):
    """One option of a generation.

    A flag has no `metavar`. In `help`, ``{values}`` stands for the values that are known. The `kind` of
    the value is ``text``, ``reference``, ``integer``, ``count`` (an integer without a list of known
    values), ``ratio``, ``model``, ``name`` or ``levels``; a repeatable option's value is a list. The kind
    ``help`` makes the line the command of that name.
    """

    names: tuple[str, ...]
    destination: str
    metavar: str
    help: str
    example: str
    kind: str = "text"
    repeatable: bool = False

    def line(self) -> str:
        """Return the example as a whole line."""
        return f"%kling -s cat {self.example} a cat asleep" if self.kind != "help" else "%kling -h"

    def values(self) -> tuple[str, ...]:
        """Return the values that are known, where there are such."""
        if self.kind not in {"ratio", "model", "integer", "levels"}:
            return ()
        from kling_nb import records  # the first use pays for its dataclasses, not `%load_ext`

        if self.kind == "integer":
            return tuple(str(n) for n in range(1, records.MAX_N + 1))
        if self.kind == "levels":
            return records.FIELDS
        return records.ASPECT_RATIOS if self.kind == "ratio" else records.MODEL_NAMES


_SUBJECT = "A picture of what to show: a variable, a file, a glob or a URL. 1 to 4 in all; may be repeated."
_REUSE = "Take the images of an equal request that is already paid, if there is one."
_RATIO = "Width to height: {values}. The API chooses when left out."
_CALLBACK = "Where the API reports on the task, besides here."
_EXTERNAL = "Your own id for the task, new to your account."
_OUT = "Bind the task, or the comparison, to this variable, even if it fails."
_VARY = (
    "Compare values of {values}. VALUES is a list or a dict of the notebook, or values with commas and no spaces "
    'between; in quotes a value may hold both: prompt="a cat, asleep","a hat". The word none leaves a field out. '
    "May be repeated: all are crossed. Prompts are varied on a %kling line, because a %%kling cell has its own."
)
_SAMPLES = "Compare repeats: so many tasks of each request, all paid. There is no seed."

OPTIONS = (
    Option(("-s", "--subject"), "subject", "IMAGE", _SUBJECT, "-s refs/hat.png", "reference", repeatable=True),
    Option(("--scene",), "scene", "IMAGE", "A picture to take the place from.", "--scene beach", "reference"),
    Option(("--style",), "style", "IMAGE", "A picture to take the style from.", "--style refs/wave.jpg", "reference"),
    Option(("-n",), "n", "COUNT", "How many images: {values}. One when left out.", "-n 4", "integer"),
    Option(("-a", "--aspect-ratio"), "aspect_ratio", "RATIO", _RATIO, "-a 3:2", "ratio"),
    Option(("-m", "--model"), "model_name", "NAME", "{values}, or a newer one.", "-m kling-v2", "model"),
    Option(("--callback-url",), "callback_url", "URL", _CALLBACK, "--callback-url https://example.org/kling"),
    Option(("--external-task-id",), "external_task_id", "ID", _EXTERNAL, "--external-task-id cat-17"),
    Option(("--watermark",), "watermark", "", "Ask for images with a watermark as well.", "--watermark"),
    Option(
        ("-o", "--out"),
        "out",
        "NAME",
        _OUT,
        "-o task",
        "name",
    ),
    Option(("--background",), "background", "", "Do not wait: the grid fills in later.", "-o task --background"),
    Option(("--dry-run",), "dry_run", "", "Show the request and its price; send nothing.", "-n 9 --dry-run"),
    Option(("--reuse",), "reuse", "", _REUSE, "--reuse"),
    Option(("--fit",), "fit", "", "Shrink, enlarge or pad references that break a limit.", "--fit"),
    Option(
        ("--vary",), "vary", "FIELD=VALUES", _VARY, "--vary model_name=kling-v2,kling-v2-1", "levels", repeatable=True
    ),
    Option(("--samples",), "samples", "COUNT", _SAMPLES, "--samples 4", "count"),
    Option(("--yes",), "yes", "", "Do not ask before sending a large request.", "-n 9 --yes"),
    Option(("--raw",), "raw", "", "Send names in braces, {this} for one, as they are.", "--raw"),
    Option(("-q", "--quiet"), "quiet", "", "Show nothing but errors; the task is still returned.", "-q"),
    Option(("-h", "--help"), "help", "", "Show this help.", "-h", "help"),
)

BY_NAME = {name: option for option in OPTIONS for name in option.names}


def is_option(word: str) -> bool:
    """Tell whether a word could only be one of the options, with or without its value."""
    name, equals, _ = word.partition("=")
    if equals and not name.startswith("--"):
        return False
    return name in BY_NAME or re.fullmatch(r"-n\d+|-a\d+:\d+", word) is not None
