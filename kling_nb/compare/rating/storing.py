"""Where a comparison's ratings are kept: the workspace's journal, and for a loaded comparison its folder's manifest."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kling_nb.compare.rating.records import (
    RESULT,
    Answer,
    RatingPlan,
    answer_data,
    answer_from,
    moment_of,
    newest,
    plan_data,
    plan_from,
)
from kling_nb.errors import WorkspaceError
from kling_nb.workspace.ratings import StoredAnswer, StoredRating
from kling_nb.workspace.rows import to_json

if TYPE_CHECKING:
    from kling_nb.session.session import Session
    from kling_nb.workspace.ratings import Ratings

KEY = "ratings"
ANALYSES = "analyses"
"""What a manifest calls them."""
Brought = tuple[RatingPlan, tuple[Answer, ...]]


class Store:
    """The ratings of one comparison.

    What a loaded folder brought is read, and what is answered now is written to the workspace of who loaded it.

    Parameters
    ----------
    comparison : str
        What it is known by, however it grows: its seed.
    session : Session
        Whose workspace is written to.
    brought : sequence of (RatingPlan, tuple of Answer)
        Of a manifest.
    analyses : sequence of mapping
        Of a manifest; plain data, for this room does not analyse.
    """

    def __init__(
        self,
        comparison: str,
        session: "Session",
        brought: Sequence[Brought] = (),
        analyses: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self._comparison = comparison
        self._session = session
        self._brought = brought
        self._analyses = analyses

    def plans(self) -> list[RatingPlan]:
        """Return the ratings that have begun, oldest first.

        Raises
        ------
        WorkspaceError
            They cannot be read.
        """
        found = {plan.id: plan for plan, _ in self._brought}
        stored = self._stored()
        if stored is not None:
            for each in (plan_from(_loads(text)) for text in stored.of(self._comparison)):
                found.setdefault(each.id, each)
        return sorted(found.values(), key=lambda each: (each.created_at, each.id))

    def answers(self, plan: RatingPlan) -> list[Answer]:
        """Return every answer to a rating, also those that were changed later.

        Raises
        ------
        WorkspaceError
            They cannot be read.
        """
        return [each for each in self._all(plan) if each.item != RESULT]

    def counting(self, plan: RatingPlan) -> list[Answer]:
        """Return the answers that count: each rater's last of every item."""
        return newest(self.answers(plan))

    def shown_at(self, plan: RatingPlan, rater: str) -> datetime | None:
        """Return when a rater was shown the result for the first time, by the clock that the answers have.

        Raises
        ------
        WorkspaceError
            It cannot be read.
        """
        found = [key[-1] for key in self._brought_results if key[:2] == (plan.id, rater)]
        stored = self._stored()
        found += stored.moments(plan.id, rater, RESULT) if stored is not None else []
        return min(map(moment_of, found), default=None)

    def keep(self, plan: RatingPlan) -> None:
        """Write a rating; nothing happens where it is there.

        Raises
        ------
        WorkspaceError
            It could not be written.
        """
        self._session.workspace.journal.ratings.save(_row(plan))

    def add(self, plan: RatingPlan, answers: Iterable[Answer]) -> int:
        """Write answers durably, with their rating; return how many were new.

        Raises
        ------
        WorkspaceError
            They could not be written; then none was.
        """
        # What the journal has already it finds by its key; to read all of it for every answer would take ever longer.
        return self._session.workspace.journal.ratings.answer(
            _row(plan),
            (
                StoredAnswer(*key, to_json(answer_data(each)))
                for each in answers
                if (key := _key(each)) not in self._brought_keys
            ),
        )

    def fix(self, analysis: Mapping[str, Any], now: float) -> None:
        """Write which analysis will be made; earlier ones stay.

        Raises
        ------
        WorkspaceError
            It could not be written.
        """
        ratings = self._session.workspace.journal.ratings
        ratings.fix(self._comparison, now, to_json(dict(analysis)))

    def analyses(self) -> list[dict[str, Any]]:
        """Return the analyses that were fixed, oldest first, as plain data."""
        stored = self._stored()
        texts = stored.analyses(self._comparison) if stored is not None else []
        found = [*map(dict, self._analyses), *map(_loads, texts)]
        return sorted({to_json(each): each for each in found}.values(), key=lambda each: str(each.get("created_at")))

    def data(self) -> dict[str, Any]:
        """Return all ratings with all their answers, who was shown the result, and the analyses, for a manifest."""
        ratings = [
            {"plan": plan_data(plan), "answers": [answer_data(each) for each in self._all(plan)]}
            for plan in self.plans()
        ]
        analyses = self.analyses()
        return ({KEY: ratings} if ratings else {}) | ({ANALYSES: analyses} if analyses else {})

    def _all(self, plan: RatingPlan) -> list[Answer]:
        found = [each for some, answers in self._brought if some.id == plan.id for each in answers]
        stored = self._stored()
        found += [answer_from(_loads(text)) for text in stored.answers(plan.id)] if stored is not None else []
        return list({_key(each): each for each in found}.values())

    @cached_property
    def _brought_keys(self) -> set[tuple[str, str, str, str]]:
        return {_key(each) for _, answers in self._brought for each in answers}

    @cached_property
    def _brought_results(self) -> list[tuple[str, str, str, str]]:
        return [key for key in self._brought_keys if key[2] == RESULT]

    def _stored(self) -> "Ratings | None":
        workspace = self._session.workspace
        return workspace.journal.ratings if workspace.exists else None


def brought(more: Mapping[str, Any], where: str) -> list[Brought]:
    """Return the ratings that a manifest holds.

    Parameters
    ----------
    more : mapping
        The manifest's further keys.
    where : str
        Of the file, for messages.

    Raises
    ------
    WorkspaceError
        They are not as this package writes them.
    """
    try:
        return [
            (plan_from(each["plan"]), tuple(answer_from(answer) for answer in each["answers"]))
            for each in more.get(KEY, [])
        ]
    except (KeyError, TypeError, AttributeError, WorkspaceError) as error:
        said = error.message if isinstance(error, WorkspaceError) else f"{type(error).__name__}: {error}"
        raise WorkspaceError(f"The ratings in {where} cannot be read ({said}).", money="") from None


def _row(plan: RatingPlan) -> StoredRating:
    return StoredRating(plan.id, plan.comparison, plan.created_at, to_json(plan_data(plan)))


def _key(answer: Answer) -> tuple[str, str, str, str]:
    return answer.rating, answer.rater, answer.item, answer.answered_at


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise WorkspaceError(f"The journal's ratings cannot be read: {error}.", money="") from None
