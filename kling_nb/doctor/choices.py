"""The settings that somebody has chosen, and where."""

import os
from difflib import get_close_matches

from kling_nb.doctor.paths import private
from kling_nb.errors import KlingError
from kling_nb.key import KEY_VARIABLE, dotenv_file, dotenv_values
from kling_nb.records import Finding
from kling_nb.settings import VARIABLES, Settings, changed

SECTION = "settings"


def findings(settings: Settings) -> list[Finding]:
    """Return the settings that differ from their default, and the variables that are none."""
    found = []
    for name, place in changed(settings).items():
        chosen = getattr(settings, name)
        value = private(chosen) if name == "workspace" else chosen
        said = "on" if value is True else str(value)
        found.append(Finding(SECTION, name, f"{said}, from {place}", value={"value": value, "from": place}))
    found = found or [Finding(SECTION, "all", "as they are by default", value={})]
    return found + _strangers()


def unusable(trouble: KlingError | None) -> list[Finding]:
    """Return why there are no settings, and so neither workspace nor gateway to look at."""
    text = trouble.message if trouble is not None else "cannot be read"
    advice = trouble.advice if trouble is not None else ""
    rest = "Workspace, key and gateway are looked at when this is right."
    return [Finding(SECTION, "settings", text, "problem", f"{advice} {rest}".strip()), *_strangers()]


def _strangers() -> list[Finding]:
    """Return the variables that look like settings and are not: nobody else says that they do nothing."""
    known = [*VARIABLES, KEY_VARIABLE]
    try:
        file, in_file = dotenv_file(), dotenv_values()
    except KlingError:
        file, in_file = None, {}
    places = dict.fromkeys(os.environ, "in the environment")
    places = {name: f"in {private(file)}" for name in in_file if file is not None} | places
    found = []
    for name, place in sorted(places.items()):
        if name.startswith("KLING_") and name not in known:
            near = get_close_matches(name, known, 1)
            meant = f"Did you mean {near[0]}?" if near else "Nothing reads it."
            found.append(Finding(SECTION, name[:60], f"{place} is no setting", "note", meant))
    return found
