"""What is in the form, as it is written as code. Pure, but for the working directory."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kling_nb.form.checking import SUBJECTS
from kling_nb.form.entries import Entry
from kling_nb.notation.writing import Written
from kling_nb.settings import Settings


def written(values: Mapping[str, Any], entries: Sequence[Entry | None], prompt: str, settings: Settings) -> Written:
    """Return the request in the form, ready to be written as code.

    Parameters
    ----------
    values : mapping
        Of the fields.
    entries : sequence of Entry or None
        Of the six slots.
    prompt : str
        As sent.
    settings : Settings
        What they give by themselves is left out.
    """
    filled = [entry for entry in entries if entry is not None]
    sources = [entry.source if entry is not None and entry.source.text else None for entry in entries]
    model_name = values["model_name"]
    return Written(
        template=values["prompt"] or "",
        prompt=prompt,
        subjects=[source for source in sources[:SUBJECTS] if source is not None],
        scene=sources[SUBJECTS],
        style=sources[SUBJECTS + 1],
        n=values["n"],
        aspect_ratio=values["aspect_ratio"],
        model_name=model_name if model_name != settings.model_name else None,
        callback_url=values["callback_url"],
        external_task_id=values["external_task_id"],
        watermark=bool(values["watermark"]),
        fit=any(entry.fit for entry in filled),
        reuse=bool(values["reuse"]),
        yes=values["n"] > settings.confirm_above,
    )


def written_path(path: Path) -> str:
    """Return a path as code names it: from the working directory where it is inside, whole otherwise."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)
