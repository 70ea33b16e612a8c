"""One look for a task whose create's answer was lost, and what the look proves.

That a gateway does not find a task proves nothing by itself: not every gateway finds tasks by their
external id, and some are late. It counts only where the same look finds a task that is known to exist.
"""

import secrets
from typing import NamedTuple

from kling_nb import errors
from kling_nb.engine.jobs import JournalLike, Remote
from kling_nb.records import TaskRecord, TaskState
from kling_nb.remote.client import ListUnavailable

PAGE = 100
PAGES = 5
CLOCKS = 300.0
"""Seconds by which the gateway's clock may differ from this machine's."""
MARGIN = 60.0
"""Seconds by which a list must reach back before the sending, on this machine's own clock."""
_UNKNOWN_TASK = "1203"


class Look(NamedTuple):
    """What a look has shown.

    Parameters
    ----------
    state : TaskState or None
        The task, when it was found.
    proven : bool
        Whether its absence is proven, as far as a look can: time must have passed as well.
    whole : bool
        Whether everything was looked at; the list may be in trouble while single questions are answered.
    """

    state: TaskState | None = None
    proven: bool = False
    whole: bool = True


def look_up(remote: Remote, journal: JournalLike, record: TaskRecord, *, prove: bool) -> Look:
    """Look for a task by its external id, then among the newest pages of the list.

    Parameters
    ----------
    remote : Remote
        The API client.
    journal : JournalLike
        Knows other tasks of the same account, as controls.
    record : TaskRecord
        The task.
    prove : bool
        Whether to spend the requests that tell absence from blindness.

    Returns
    -------
    Look
        What was found.

    Raises
    ------
    KlingError
        The gateway could not be asked: this shows nothing.
    """
    known = journal.known(record)
    sees = prove and bool(known) and _sees(remote, known[0])
    state, said_unknown = _by_id(remote, record.task_id or record.external_task_id)
    if state is not None and _is_it(state, record, known) and _is_told_apart(remote, state):
        return Look(state)
    try:
        listed, whole = _newest(remote, record), True
    except errors.KlingError:
        # The gateway answers, and its list alone is in trouble.
        listed, whole = [], False
    for each in listed:
        if is_named(each, record) or (record.task_id is not None and each.task_id == record.task_id):
            return Look(each)
    # Both before and after the question, or it may have been asked of somebody else meanwhile.
    sees = sees and said_unknown and _sees(remote, known[0])
    return Look(None, sees or (prove and _reaches_back(listed, record, known)), whole)


def is_named(state: TaskState, record: TaskRecord) -> bool:
    """Tell whether a state carries a task's external id, and is not an old task of which a user gave the same."""
    if state.external_task_id != record.external_task_id:
        return False
    ours = record.id in record.external_task_id
    return ours or state.created_at is None or state.created_at >= record.created_at - CLOCKS


def _by_id(remote: Remote, some_id: str) -> tuple[TaskState | None, bool]:
    """Return the task, and whether the gateway says in so many words that there is none."""
    try:
        return remote.query(some_id), False
    except errors.RequestRefused as error:
        # With a code, which the API's own answers have, and a page of some proxy on the way has not.
        return None, error.code is not None and (error.http_status == 404 or error.code == _UNKNOWN_TASK)
    except errors.NotPermitted:
        return None, False


def _sees(remote: Remote, control: TaskRecord) -> bool:
    """Tell whether the gateway finds, by its external id, a task that is known to exist."""
    state, _ = _by_id(remote, control.external_task_id)
    return state is not None and state.task_id == control.task_id


def _is_it(state: TaskState, record: TaskRecord, known: list[TaskRecord]) -> bool:
    # A gateway that answers any question with its newest task is not believed.
    if state.external_task_id is not None:
        return is_named(state, record)
    if state.created_at is not None and state.created_at < record.created_at - CLOCKS:
        return False
    return all(state.task_id != other.task_id for other in known)


def _is_told_apart(remote: Remote, state: TaskState) -> bool:
    """Tell whether a gateway that repeats no external id would have answered so to any question."""
    if state.external_task_id is not None:
        return True
    nobody, _ = _by_id(remote, f"kling_nb-nobody-{secrets.token_hex(8)}")
    return nobody is None


def _newest(remote: Remote, record: TaskRecord) -> list[TaskState]:
    """Return the newest tasks of the account, back to some time before the task was sent."""
    since = (record.sent_at or record.created_at) - CLOCKS
    found: list[TaskState] = []
    try:
        for page in range(1, PAGES + 1):
            tasks = remote.query_many(page, PAGE)
            found += tasks
            if len(tasks) < PAGE or any(task.created_at is not None and task.created_at < since for task in tasks):
                break
    except ListUnavailable:
        return found
    return found


def _reaches_back(listed: list[TaskState], record: TaskRecord, known: list[TaskRecord]) -> bool:
    """Tell whether a list would name the task if it existed.

    It carries the external ids of the tasks that it names and that are known here, and one of them is known
    to have been there, on this machine's own clock, before the task was sent.
    """
    ours = {task.task_id: task for task in known}
    named = [(state, ours[state.task_id]) for state in listed if state.task_id in ours]
    if any(state.external_task_id != task.external_task_id for state, task in named):
        return False
    sent_at = record.sent_at or record.created_at
    later = {task.task_id for task in known if (task.submitted_at or 0.0) > sent_at + MARGIN}
    if not later <= {state.task_id for state, _ in named}:
        # It was made, or kept by somebody on the way, before these.
        return False
    return any((task.submitted_at or sent_at) < sent_at - MARGIN for _, task in named)
