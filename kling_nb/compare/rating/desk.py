"""What a rating's form asks of the comparison: what to show next, a picture, and to keep an answer.

Nothing that goes out of here names a level, or an image by anything that others know it by.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kling_nb.compare.levels import Axis
from kling_nb.compare.rating.items import Item, items, judged, picture_token, prompt_of, references_of, token
from kling_nb.compare.rating.pictures import Pictures
from kling_nb.compare.rating.planning import checked_rater
from kling_nb.compare.rating.records import SIDES, UNSURE, Answer, Picture, RatingPlan, moment_of, seeing
from kling_nb.compare.rating.sheets import sheet
from kling_nb.compare.rating.storing import Store
from kling_nb.compare.records import ComparisonRecord, Filled
from kling_nb.display.words import plural
from kling_nb.errors import InvalidRequest
from kling_nb.imagedata import NotAnImage
from kling_nb.records import SANDBOX_GATEWAY, ImageRecord, Reference, TaskRecord
from kling_nb.request.problems import shown
from kling_nb.workspace.workspace import Workspace

_pictures = Pictures()


@dataclass(frozen=True, slots=True)
class Exhibit:
    """Everything that one rating is about.

    Parameters
    ----------
    plan : RatingPlan
        What is asked.
    axis : Axis
        That it is asked by.
    items : tuple of Item
        All that is judged.
    images : mapping
        From a picture to the record of its file.
    workspace : Workspace
        Where the files are.
    is_sandbox : bool
        Whether the sandbox made the images.
    """

    plan: RatingPlan
    axis: Axis
    items: tuple[Item, ...]
    images: dict[Picture, ImageRecord]
    workspace: Workspace
    is_sandbox: bool

    def study(self, rater: str | None) -> dict[str, Any]:
        """Return what is asked, as the form and the page know it."""
        return {
            "name": "Rating",
            "question": self.plan.question,
            "protocol": self.plan.protocol,
            "scale": [{"value": value, "label": label} for value, label in self.plan.scale],
            "count": len(self.items),
            "rater": rater,
        }

    def item(self, item: Item, *, flipped: bool = False) -> dict[str, Any]:
        """Return one item as the form and the page know it."""
        pictures = [picture_token(self.plan, each) for each in item.pictures]
        return {
            "item": item.token,
            "pictures": pictures[::-1] if flipped else pictures,
            "prompt": prompt_of(item, self.axis),
            "references": [
                {"role": each.role, "name": name, "picture": None if each.url else self._token(each)}
                for name, each in _named(references_of(item, self.axis))
            ],
        }

    def sources(self) -> Iterator[tuple[str, Callable[[], bytes]]]:
        """Return every picture's token, once, and what makes it as a rater may see it."""
        seen = set()
        for item in self.items:
            for picture in item.pictures:
                yield picture_token(self.plan, picture), self._reader(picture)
            for reference in references_of(item, self.axis):
                if not reference.url and reference.sha256 not in seen:
                    seen.add(reference.sha256)
                    yield self._token(reference), self._reference(reference)

    def _reader(self, picture: Picture) -> Callable[[], bytes]:
        return lambda: _pictures.plain(
            picture.sha256, lambda: self.workspace.read_image(self.images[picture]), cover=self.is_sandbox
        )

    def _reference(self, reference: Reference) -> Callable[[], bytes]:
        return lambda: _pictures.plain(reference.sha256, lambda: self.workspace.read_reference(reference))

    def _token(self, reference: Reference) -> str:
        return token(self.plan.seed, "reference", reference.sha256)


def exhibit(
    plan: RatingPlan,
    record: ComparisonRecord,
    filled: Sequence[Filled],
    workspace: Workspace,
    *,
    empty: bool = False,
) -> Exhibit:
    """Return all that a rating is about.

    Parameters
    ----------
    plan : RatingPlan
        What is asked.
    record : ComparisonRecord
        The comparison.
    filled : sequence of Filled
        Its cells.
    workspace : Workspace
        Where the images are.
    empty : bool
        Whether there may be nothing to judge.

    Raises
    ------
    InvalidRequest
        There is nothing to judge.
    """
    axis = record.design.axis(plan.by)
    found = tuple(items(plan, axis, filled))
    if not found and not empty:
        wanted = judged(plan, axis)
        counts = dict.fromkeys(wanted, 0)
        for each in filled:
            if (label := each.cell.coordinates[plan.by]) in counts:
                counts[label] += sum(len(_saved(task)) for task in each.samples)
        there = ", ".join(f"{label} {count}" for label, count in counts.items())
        what = "There is nothing to pair" if plan.protocol == "pairs" else "There is nothing to rate"
        run = "Run the comparison first." if not any(counts.values()) else ""
        alike = "No two images have everything else in common." if all(counts.values()) else ""
        raise InvalidRequest(f"{what}: images by {plan.by}: {there}.", money="", advice=run or alike)
    images = {
        Picture(each.cell.digest, sample, image.index, str(image.sha256)): image
        for each in filled
        for sample, task in enumerate(each.samples)
        for image in _saved(task)
    }
    return Exhibit(plan, axis, found, images, workspace, record.gateway == SANDBOX_GATEWAY)


def _saved(task: TaskRecord | None) -> list[ImageRecord]:
    return [] if task is None else [each for each in task.images if each.path is not None and each.sha256]


class Desk:
    """Serves the raters of one rating: a form that is shown twice may have two at once.

    Parameters
    ----------
    exhibit : Exhibit
        What the rating is about.
    store : Store
        Where answers are kept.
    rater : str, optional
        Who answers; the form asks where it is not known.
    result : callable
        Returns the result as HTML.
    begun : callable
        Is told who answers.
    """

    def __init__(
        self,
        exhibit: Exhibit,
        store: Store,
        rater: str | None,
        result: Callable[[], str],
        begun: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.exhibit = exhibit
        self.rater = rater
        self._store = store
        self._result = result
        self._begun = begun
        self._raters: set[str] = set()
        self._items = {item.token: item for item in exhibit.items}
        self._sources = dict(exhibit.sources())

    def study(self) -> dict[str, Any]:
        """Return what is asked, and of whom and how much of it is ``answered``, unless several have begun.

        Raises
        ------
        WorkspaceError
            The answers cannot be read.
        """
        (rater,) = self._raters if self.rater is None and len(self._raters) == 1 else [self.rater]
        answered = 0 if rater is None else len(self._items) - self.left(rater)
        return self.exhibit.study(rater) | {"answered": answered}

    def start(self, rater: str) -> dict[str, Any]:
        """Return the items in a rater's order, what is answered already, and whether the result was shown.

        Raises
        ------
        InvalidRequest
            That is no name.
        """
        rater = checked_rater(rater)
        self._raters.add(rater)
        self._begun(rater)
        plan, items = self.exhibit.plan, self.exhibit.items
        turns = sheet(items, plan.seed, rater)
        return {
            "items": [self.exhibit.item(items[turn.place], flipped=turn.flipped) for turn in turns],
            "answered": {each.item: each.choice for each in self._answers(rater) if each.item in self._items},
            "revealed": self._store.shown_at(plan, rater) is not None,
        }

    def picture(self, name: str) -> bytes:
        """Return a picture by its token.

        Raises
        ------
        KlingError
            There is none, or its file is gone.
        """
        if name not in self._sources:
            raise InvalidRequest("There is no such picture.", money="")
        return readable(self._sources[name])

    def answer(self, rater: str, answer: dict[str, Any]) -> None:
        """Keep an answer of a rater who has begun here, durably.

        Raises
        ------
        InvalidRequest
            It is none, the rater has not begun, or had seen the result.
        WorkspaceError
            It could not be kept.
        """
        plan, name = self.exhibit.plan, self._who(rater)
        found = read_answer(answer, plan, self._items, name)
        self.check_blind(name, found.answered_at)
        self._store.add(plan, [found])

    def check_blind(self, rater: str, moment: str | None = None) -> None:
        """Refuse a rater who knows what is compared.

        Parameters
        ----------
        rater : str
            Who answers.
        moment : str, optional
            When it was answered: what was answered before the result was shown may come later. Now otherwise.

        Raises
        ------
        InvalidRequest
            The rater had seen the result.
        """
        name = self._who(rater)
        since = self._store.shown_at(self.exhibit.plan, name)
        if since is not None and (moment is None or moment_of(moment) >= since):
            raise InvalidRequest(f"{name} has seen the result; answers are no longer taken.", money="")

    def reveal(self, rater: str, moment: str | None = None) -> str:
        """Return the result as HTML; from then on no answers of this rater are taken, in any kernel.

        Parameters
        ----------
        rater : str
            Who has answered.
        moment : str, optional
            Now, by the clock that the answers have: it need not be the kernel's.

        Raises
        ------
        InvalidRequest
            The rater has not answered everything, or has not begun.
        WorkspaceError
            It could not be kept that the result is shown.
        """
        plan, name = self.exhibit.plan, self._who(rater)
        is_known = self._store.shown_at(plan, name) is not None
        left = self.left(name)
        if left and not is_known:
            raise InvalidRequest(f"{plural(left, 'item')} not answered yet; the result is shown after the last.")
        try:
            seen = seeing(plan, name, datetime.now(UTC).isoformat() if moment is None else moment)
        except (TypeError, ValueError):
            raise InvalidRequest(f"The moment is {shown(moment)}, which is none.", money="") from None
        html = self._result()
        if not is_known:
            self._store.add(plan, [seen])
        return html

    def left(self, rater: str) -> int:
        """Return how many items a rater has not answered."""
        return len(self._items.keys() - {each.item for each in self._answers(rater)})

    def _who(self, rater: str) -> str:
        name = checked_rater(rater)
        if name not in self._raters:
            raise InvalidRequest(f"{name} has not begun in this form; run the cell again, and start there.", money="")
        return name

    def _answers(self, rater: str) -> Sequence[Answer]:
        return [each for each in self._store.counting(self.exhibit.plan) if each.rater == rater]


def readable(make: Callable[[], bytes]) -> bytes:
    """Return a picture as a rater may see it, or say that there is none.

    Raises
    ------
    KlingError
        Its file is gone, or is no picture.
    """
    try:
        return make()
    except NotAnImage as error:
        raise InvalidRequest(f"A picture cannot be shown: {error}", money="") from None


def read_answer(answer: Any, plan: RatingPlan, items: dict[str, Item], rater: str, source: str = "") -> Answer:
    """Return what came from a form or a page as an answer.

    Raises
    ------
    InvalidRequest
        It is none to this rating.
    """
    try:
        item = items[answer["item"]]
        names = {picture_token(plan, each): each for each in item.pictures}
        pictures = tuple(names[each] for each in answer["pictures"])
        choice, took, moment = answer["choice"], int(answer["milliseconds"]), answer["answered_at"]
        datetime.fromisoformat(moment)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidRequest(f"That is no answer to this rating ({error} is not known).", money="") from None
    if len(pictures) != len(names) or len(set(pictures)) != len(names):
        raise InvalidRequest("That is no answer to this rating (other pictures were shown).", money="")
    values = SIDES if plan.protocol == "pairs" else (*(value for value, _ in plan.scale), UNSURE)
    if isinstance(choice, bool) or choice not in values:
        there = ", ".join(map(shown, values))
        raise InvalidRequest(f"{shown(choice)} is no answer to this question; there are {there}.", money="")
    return Answer(plan.id, rater, item.token, pictures, choice, max(0, took), moment, source)


def _named(references: Sequence[Reference]) -> list[tuple[str, Reference]]:
    """Name references by what they are for; a file's name could tell what is hidden."""
    found, number = [], 0
    for each in references:
        number += each.role == "subject"
        found.append((f"subject {number}" if each.role == "subject" else each.role, each))
    return found
