"""What earlier tasks have taught: slots, and how long a task takes."""

from contextlib import closing
from statistics import median
from typing import TYPE_CHECKING, Any

from kling_nb.display.words import duration, plural, when
from kling_nb.errors import WorkspaceError
from kling_nb.records import Finding, SlotLimit
from kling_nb.workspace.journal import Journal
from kling_nb.workspace.workspace import JOURNAL

if TYPE_CHECKING:
    from kling_nb.session.session import Session

SECTION = "learned"


def findings(session: "Session") -> list[Finding]:
    """Return slots and typical times by model, of a session's gateway."""
    found: list[Finding] = []
    try:
        if session.workspace.exists:
            with closing(Journal(session.workspace.folder / JOURNAL, read_only=True)) as journal:
                found = _of_models(journal, session.gateway_name, session.settings.slots)
    except WorkspaceError:
        # The workspace's own finding says what is wrong with it.
        return [Finding(SECTION, "models", "the journal cannot be read")]
    return found or [Finding(SECTION, "models", "nothing yet: no task has come to this gateway", value={})]


def _of_models(journal: Journal, gateway: str, setting: int) -> list[Finding]:
    try:
        limits = journal.slots.known(gateway)
    except WorkspaceError:
        # An older version's journal remembers none.
        limits = {}
    found = []
    for model in sorted({*journal.models(gateway), *limits}):
        made, saved = (journal.durations(gateway, model, until=end) for end in ("finished_at", "saved_at"))
        said = [_slots(limits[model], setting) if model in limits else "", _times(made, saved)]
        value = {
            "slots": _facts(limits[model]) if model in limits else None,
            "seconds_until_finished": median(made) if made else None,
            "seconds_until_saved": median(saved) if saved else None,
            "tasks_counted": len(made),
        }
        text = "; ".join(part for part in said if part) or "no task has succeeded yet"
        found.append(Finding(SECTION, model[:60], text, value=value))
    return found


def _slots(limit: SlotLimit, setting: int) -> str:
    said = [f"{plural(limit.slots, 'image')} at once" + ("" if limit.begun == setting else " (slots was another then)")]
    if limit.most:
        said.append(f"most held {limit.most}")
    if limit.largest:
        said.append(f"largest task {limit.largest}")
    if limit.ceiling:
        said.append(f"no more than {limit.ceiling} lately")
    if limit.refused_at:
        said.append(f"last refused {when(limit.refused_at)}")
    return ", ".join(said)


def _facts(limit: SlotLimit) -> dict[str, Any]:
    return {
        "limit": limit.slots,
        "begun": limit.begun,
        "most": limit.most,
        "largest": limit.largest,
        "ceiling": limit.ceiling,
        "refusals": limit.refusals,
        "refused_at": limit.refused_at or None,
    }


def _times(made: list[float], saved: list[float]) -> str:
    if not made:
        return ""
    until = f", {duration(median(saved))} until saved" if saved else ""
    return f"usually {duration(median(made))} until made{until} (median of {plural(len(made), 'task')})"
