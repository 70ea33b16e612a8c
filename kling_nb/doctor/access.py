"""Where the key comes from; never the key."""

from pathlib import Path

from kling_nb.doctor.paths import private
from kling_nb.errors import ConfigurationError
from kling_nb.key import HOW_TO_GIVE_A_KEY, dotenv_file
from kling_nb.records import Finding
from kling_nb.settings import Settings

SECTION = "key"


def findings(settings: Settings, *, call: bool) -> list[Finding]:
    """Return where the key comes from.

    Parameters
    ----------
    settings : Settings
        With where to look.
    call : bool
        Whether a function that gives the key may be called.
    """
    if settings.sandbox:
        return [Finding(SECTION, "key", "not needed: the sandbox is on, and is given none", value={"needed": False})]
    try:
        places = [_shown(place) for place in settings.key.places()]
        usable = bool(places) and (settings.key.find() is not None if call or not settings.key.is_function else None)
    except ConfigurationError as error:
        return [Finding(SECTION, "key", error.message, "problem", error.advice)]
    value = {"needed": True, "places": places, "usable": usable}
    if not places:
        return [Finding(SECTION, "key", "there is none", "problem", HOW_TO_GIVE_A_KEY, value)]
    if usable is False:
        text = f"{places[0]} gives none"
        return [Finding(SECTION, "key", text, "problem", f"Call it by itself to see why. {HOW_TO_GIVE_A_KEY}", value)]
    text = f"from {places[0]}" + (" (not called)" if usable is None else "")
    if len(places) == 1:
        return [Finding(SECTION, "key", text, value=value)]
    others = " and ".join(places[1:])
    return [Finding(SECTION, "key", f"{text}; {others} not used", "note", "Only the first of these counts.", value)]


def _shown(place: str) -> str:
    file = dotenv_file()
    return place.replace(str(file), private(file)) if isinstance(file, Path) else place
