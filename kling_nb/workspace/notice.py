"""What an earlier kernel left unfinished, in one line."""

from pathlib import Path

from kling_nb.errors import WorkspaceError
from kling_nb.records import UNDER_WAY, TaskRecord
from kling_nb.workspace.journal import Journal
from kling_nb.workspace.owners import is_gone, this_process
from kling_nb.workspace.workspace import JOURNAL


def unfinished(folder: Path) -> str:
    """Read a workspace's journal, without writing, and say what remains to be collected.

    Parameters
    ----------
    folder : Path
        The workspace.

    Returns
    -------
    str
        One sentence; empty when nothing remains.

    Raises
    ------
    WorkspaceError
        The journal cannot be read.
    """
    journal = Journal(folder / JOURNAL, read_only=True)
    try:
        records = [record for record in journal.unfinished() if is_left(journal, record)]
    finally:
        journal.close()
    if not records:
        return ""
    uncertain = sum(record.task_status == "uncertain" for record in records)
    tasks = "1 task" if len(records) == 1 else f"{len(records)} tasks"
    doubt = f", {uncertain} of them uncertain" if uncertain else ""
    return f"{tasks} of an earlier session {'is' if len(records) == 1 else 'are'} not finished{doubt}: `%kling resume`."


def is_left(journal: Journal, record: TaskRecord) -> bool:
    """Tell whether no living kernel has a task in hand; this one follows what it has under way."""
    if record.owner == this_process() and record.task_status in ("planned", "sending", *UNDER_WAY):
        return False
    try:
        return journal.leases.is_free(record.owner)
    except WorkspaceError:
        # An older version's journal, which knows of no signs of life.
        return is_gone(record.owner)
