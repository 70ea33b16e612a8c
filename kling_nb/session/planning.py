"""Tasks before anything is done with them: their ids, and what of a request is journalled."""

import secrets
import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from kling_nb.records import Reference, TaskRecord
from kling_nb.workspace.owners import this_process

if TYPE_CHECKING:
    from kling_nb.session.session import Session

_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"


def plan(
    session: "Session",
    request: Mapping[str, Any],
    digest: str,
    references: tuple[Reference, ...],
    warnings: tuple[str, ...] = (),
    taken: Collection[str] = (),
) -> TaskRecord:
    """Return a request as a planned task of this process.

    Parameters
    ----------
    session : Session
        Where it is to be sent.
    request : mapping
        The body with ``sha256:<hex>`` in place of each picture's bytes; without an ``external_task_id`` it gets one.
    digest : str
        Of the request by content.
    references : tuple of Reference
        Subjects in order, then scene, then style.
    warnings : tuple of str
        What the user should know.
    taken : collection of str
        Ids that are not to be given: many tasks of one second would sometimes share one.

    Returns
    -------
    TaskRecord
        Not journalled yet.
    """
    now = session.gateway.runner.clock()
    some_id = new_id(now)
    while some_id in taken:
        some_id = new_id(now)
    body = dict(request)
    external_task_id = body.pop("external_task_id", None) or f"kling_nb-{some_id}-{letters(8)}"
    # In the documented order.
    last = {name: body.pop(name) for name in ("watermark_info",) if name in body}
    return TaskRecord(
        id=some_id,
        gateway=session.gateway_name,
        request={**body, "external_task_id": external_task_id, **last},
        digest=digest,
        references=references,
        external_task_id=str(external_task_id),
        created_at=now,
        warnings=warnings,
        owner=this_process(),
    )


def new_id(now: float) -> str:
    """Return an id that sorts by time."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.localtime(now))}-{letters(5)}"


def letters(count: int) -> str:
    """Return letters and digits that are not easily mistaken for one another, at random."""
    # One draw: each asks the system, and a task has many letters.
    drawn = secrets.randbelow(len(_LETTERS) ** count)
    return "".join(_LETTERS[drawn // len(_LETTERS) ** place % len(_LETTERS)] for place in range(count))
