"""The same comparison once more: the same requests, and new samples of everything."""

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kling_nb.compare.comparison import Comparison
from kling_nb.compare.design import Design
from kling_nb.compare.planning import LONGEST_NAME, checked_name
from kling_nb.compare.records import ComparisonRecord
from kling_nb.display.words import one_line
from kling_nb.errors import InvalidRequest
from kling_nb.records import Reference
from kling_nb.request.problems import shown
from kling_nb.session.planning import letters, new_id

if TYPE_CHECKING:
    from kling_nb.session.session import Session

_REPLICATES = 2**31


def again(record: ComparisonRecord, session: "Session", name: Any, read: Callable[[Reference], bytes]) -> Comparison:
    """Return a new comparison of the same design; nothing is sent, and nothing is written.

    Parameters
    ----------
    record : ComparisonRecord
        Of the earlier one.
    session : Session
        Where the new one is asked for.
    name : str, optional
        Of the new one; otherwise it follows from the earlier one's.
    read : callable
        Returns the bytes of a reference.

    Returns
    -------
    Comparison
        With an order of its own, and a replicate by which none of its samples is one that was asked for before.

    Raises
    ------
    InvalidRequest
        There is a comparison of that name already.
    WorkspaceError
        A reference is missing.
    """
    given = checked_name(name)
    stored = session.workspace.journal.comparisons if session.workspace.exists else None
    gateway = session.gateway_name

    def taken(some: str) -> bool:
        return stored is not None and bool(stored.find(gateway, some))

    if given is not None and taken(given):
        raise InvalidRequest(f"There is a comparison {shown(given)} already; give the rerun another name.")
    now = time.time()
    some_id = new_id(now)
    if given is None:
        given = some_id if record.name == record.id else _free_name(record.name, taken)
    # Drawn, not counted: two kernels that rerun at the same time must not share samples.
    replicate = 1 + secrets.randbelow(_REPLICATES)
    design = _with_bytes(record.design, read)
    return Comparison(session, ComparisonRecord(some_id, given, gateway, now, letters(12), design, replicate))


def _free_name(name: str, taken: Callable[[str], bool]) -> str:
    name, number = re.sub(r" \(rerun(?: \d+)?\)$", "", name), 1
    while True:
        tail = f" (rerun {number})" if number > 1 else " (rerun)"
        candidate = one_line(name, LONGEST_NAME - len(tail)) + tail
        if not taken(candidate):
            return candidate
        number += 1


def _with_bytes(design: Design, read: Callable[[Reference], bytes]) -> Design:
    known = {each.sha256: None if each.url else read(each) for each in design.references}
    cells = tuple(
        replace(cell, references=tuple(replace(each, data=known[each.sha256]) for each in cell.references))
        for cell in design.cells
    )
    return replace(design, cells=cells)
