"""The workspace: its folder, its disk, its journal, and what is left to be done in it. Makes and changes nothing."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from kling_nb.display.words import plural, size
from kling_nb.doctor.paths import private
from kling_nb.errors import WorkspaceError
from kling_nb.records import Finding, State, TaskRecord
from kling_nb.workspace.disk import Disk, look_at
from kling_nb.workspace.journal import Journal
from kling_nb.workspace.notice import is_left
from kling_nb.workspace.schema import MIGRATIONS
from kling_nb.workspace.workspace import JOURNAL

if TYPE_CHECKING:
    from kling_nb.session.session import Session

SECTION = "workspace"
LITTLE, TOO_LITTLE = 1_000_000_000, 100_000_000
"""Bytes: a task of nine images with its references takes up to some tens of millions."""


def findings(session: "Session") -> list[Finding]:
    """Return what there is to say of a session's workspace."""
    folder = session.workspace.folder
    disk = look_at(folder)
    found = [_folder(folder, disk), _space(disk)]
    try:
        if not session.workspace.exists:
            text = "no tasks yet: it is made with the first"
            return [*found, Finding(SECTION, "journal", text, value={"version": None, "tasks": 0})]
        with closing(Journal(folder / JOURNAL, read_only=True)) as journal:
            return [*found, *_journal(session, journal)]
    except WorkspaceError as error:
        message = error.message.replace(str(folder), private(folder))
        return [*found, Finding(SECTION, "journal", message, "problem", error.advice)]


def _folder(folder: Path, disk: Disk) -> Finding:
    there = disk.nearest == folder
    name = private(folder)
    value = {"path": name, "exists": there, "writable": not disk.unwritable, "file_system": disk.remote}
    if disk.unwritable:
        why = disk.unwritable.replace(str(disk.nearest), private(disk.nearest))
        advice = "Make it writable, or choose another: KLING_WORKSPACE, or workspace=…"
        said = f"{name} cannot be written: {why}" if there else f"{name} cannot be made: {why}"
        return Finding(SECTION, "folder", said, "problem", advice, value)
    said = f"{name}, {'can be written' if there else 'not there yet, can be made'}"
    if not disk.remote:
        return Finding(SECTION, "folder", said, value=value)
    advice = "That works, and is slower; a folder on a disk of this machine is surer."
    return Finding(SECTION, "folder", f"{said}, on a network file system ({disk.remote})", "note", advice, value)


def _space(disk: Disk) -> Finding:
    if disk.free is None:
        return Finding(SECTION, "free space", "is not told here")
    said = f"{disk.free / 1e9:.1f} GB" if disk.free >= 1e9 else size(disk.free)
    if disk.free >= LITTLE:
        return Finding(SECTION, "free space", said, value=disk.free)
    state: State = "problem" if disk.free < TOO_LITTLE else "note"
    advice = "Make room, or choose another workspace: a task of nine images takes some tens of MB."
    return Finding(SECTION, "free space", said, state, advice, disk.free)


def _journal(session: "Session", journal: Journal) -> list[Finding]:
    version, count = journal.version, journal.count()
    older = f", this kling_nb makes it {len(MIGRATIONS)}" if 0 < version < len(MIGRATIONS) else ""
    text = f"{plural(count, 'task')}, version {version}{older}"
    found = [Finding(SECTION, "journal", text, value={"version": version, "tasks": count})]
    try:
        others = journal.leases.others()
    except WorkspaceError:
        # An older version's journal, which knows of no signs of life.
        others = 0
    records = journal.unfinished()
    left = [record for record in records if is_left(journal, record)]
    return [*found, _open(session, records, left), _kernels(others)]


def _kernels(others: int) -> Finding:
    said = f"{plural(others, 'other kernel')} at work in it" if others else "no other at work in it"
    return Finding(SECTION, "kernels", said, value=others)


def _open(session: "Session", records: list[TaskRecord], left: list[TaskRecord]) -> Finding:
    under_way = len(records) - len(left)
    planned = sum(record.task_status == "planned" for record in left)
    uncertain = sum(record.task_status == "uncertain" for record in left)
    elsewhere = sum(record.gateway != session.gateway_name for record in left)
    value = {
        "under_way": under_way, "left": len(left), "planned": planned, "uncertain": uncertain, "elsewhere": elsewhere,
    }  # fmt: skip
    said = [f"{plural(under_way, 'task')} under way"] if under_way else []
    if not left:
        return Finding(SECTION, "open tasks", ", ".join(said) or "none", value=value)
    facts = [
        f"{planned} never sent" if planned else "",
        f"{uncertain} uncertain" if uncertain else "",
        f"{elsewhere} at another gateway" if elsewhere else "",
    ]
    about = ", ".join(fact for fact in facts if fact)
    said.append(f"{plural(len(left), 'task')} left behind" + (f" ({about})" if about else ""))
    advice = "`%kling resume` (kling.resume()) takes them up, and says what remains."
    return Finding(SECTION, "open tasks", ", ".join(said), "note", advice, value)
