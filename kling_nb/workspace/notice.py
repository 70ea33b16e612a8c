"""What an earlier kernel left unfinished, in one line."""

from pathlib import Path

from kling_nb.workspace.journal import Journal
from kling_nb.workspace.owners import is_gone
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
        records = [r for r in journal.unfinished() if r.task_status != "planned" or is_gone(r.owner)]
    finally:
        journal.close()
    if not records:
        return ""
    uncertain = sum(record.task_status == "uncertain" for record in records)
    if uncertain == len(records):
        return f"{'1 task is' if uncertain == 1 else f'{uncertain} tasks are'} uncertain: `%kling history uncertain`."
    tasks = "1 task" if len(records) == 1 else f"{len(records)} tasks"
    doubt = f", {uncertain} of them uncertain" if uncertain else ""
    return f"{tasks} of an earlier session {'is' if len(records) == 1 else 'are'} not finished{doubt}: `%kling resume`."
