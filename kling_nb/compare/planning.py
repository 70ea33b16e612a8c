"""From what `Kling.compare` is given to a comparison, and from the journal to one that was made before."""

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kling_nb.compare import records
from kling_nb.compare.comparison import Comparison
from kling_nb.compare.design import Design, Where, design
from kling_nb.compare.records import ComparisonRecord
from kling_nb.display.words import one_line, plural
from kling_nb.errors import InvalidRequest, WorkspaceError
from kling_nb.records import Reference, Role
from kling_nb.request import collect
from kling_nb.request.problems import shown
from kling_nb.session.places import shown as shown_path
from kling_nb.session.planning import letters, new_id
from kling_nb.workspace.comparisons import StoredComparison

if TYPE_CHECKING:
    from kling_nb.session.session import Session

_ROLES: dict[str, Role] = {"subject_images": "subject", "scene_image": "scene", "style_image": "style"}
LONGEST_NAME = 120
_LISTED = 8


def plan(
    session: "Session",
    fields: Mapping[str, Any],
    *,
    vary: Any = None,
    variants: Any = None,
    samples: Any = 1,
    where: Where | None = None,
    name: Any = None,
    fit: bool = False,
) -> Comparison:
    """Check a design, and return it as a comparison; nothing is sent, and nothing is written.

    Parameters
    ----------
    session : Session
        Where it would be asked for.
    fields : mapping
        What all cells have, by the API's names; None means not given.
    vary, variants, samples, where
        As of `Kling.compare`.
    name : str, optional
        What to find it by.
    fit : bool
        Whether pictures outside the API's limits are made to fit.

    Returns
    -------
    Comparison
        The one of the same design, where there is one; of the same name it keeps the order.

    Raises
    ------
    InvalidRequest
        One line for everything that is wrong.
    """
    name = checked_name(name)

    def resolve(field: str, value: Any) -> tuple[Reference, ...]:
        role = _ROLES[field]
        found = tuple(collect(value, role, fit=fit))
        if role != "subject" and len(found) != 1:
            raise InvalidRequest(f"{field} takes one picture, and this gives {len(found)}")
        return found

    shared = dict(fields)
    varied = vary if isinstance(vary, Mapping) else {}
    if shared.get("model_name") is None and "model_name" not in varied:
        shared["model_name"] = session.settings.model_name
    made = design(shared, vary, variants, samples, where, resolve)
    text = records.to_text(made)
    gateway = session.gateway_name
    stored = session.workspace.journal.comparisons if session.workspace.exists else None
    if name is not None and stored is not None:
        _refuse_anothers(name, made, stored.find(gateway, name))
    before = stored.equal(gateway, name, text) if stored else None
    # Grown or changed: what is asked for next keeps the place that it would have had.
    like = before or next(iter(stored.find(gateway, name) if stored and name else ()), None)
    now = time.time()
    some_id = before.id if before else new_id(now)
    record = ComparisonRecord(
        some_id,
        name or (before.name if before else some_id),
        gateway,
        before.created_at if before else now,
        like.seed if like else letters(12),
        made,
        like.replicate if like else 0,
    )
    return Comparison(session, record)


class NameTaken(InvalidRequest):
    """A comparison of that name has nothing in common with a new design."""


def _refuse_anothers(name: str, made: Design, found: list[StoredComparison]) -> None:
    """Refuse a name under which something else is looked for: it would hide that."""
    if not found:
        return
    known = {cell.digest for cell in _read(found[0]).design.cells}
    if known.isdisjoint(cell.digest for cell in made.cells):
        raise NameTaken(
            f"The name {name!r} is that of another comparison ({plural(len(known), 'cell')}, none of them in this "
            "design); choose another name.",
        )


def find(session: "Session", name: str) -> Comparison:
    """Return a comparison that was run before, by its name (then the newest of it) or id.

    Raises
    ------
    InvalidRequest
        There is none.
    """
    stored = session.workspace.journal.comparisons if session.workspace.exists else None
    found = stored.find(session.gateway_name, str(name)) if stored else []
    if not found:
        known = list(dict.fromkeys(each.name for each in stored.newest(session.gateway_name, 100))) if stored else []
        there = f"There are {', '.join(known[:_LISTED])}." if known else "There is none yet."
        folder = shown_path(session.workspace.folder)
        raise InvalidRequest(f"There is no comparison {shown(name)} in {folder}. {there}", money="")
    return Comparison(session, _read(found[0]))


def _read(stored: StoredComparison) -> ComparisonRecord:
    try:
        data = json.loads(stored.design)
    except ValueError as error:
        raise WorkspaceError(f"The comparison {stored.id} cannot be read: {error}.") from None
    facts = (stored.id, stored.name, stored.gateway, stored.created_at, stored.seed)
    return ComparisonRecord(*facts, records.from_data(data), stored.replicate)


def checked_name(name: Any) -> str | None:
    """Return a name that the user gave, if one can be found by it.

    Raises
    ------
    InvalidRequest
        It is no text of one line, or too long.
    """
    if name is None:
        return None
    if not isinstance(name, str) or not name.strip() or one_line(name, LONGEST_NAME) != name:
        raise InvalidRequest(
            f"name is {shown(name)}; it must be a text of one line, at most {LONGEST_NAME} characters."
        )
    return name
