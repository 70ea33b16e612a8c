"""A rating as the user holds it: the form in a notebook, and what was answered so far."""

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kling_nb.compare.rating.desk import Desk, Exhibit
from kling_nb.compare.rating.records import RatingPlan
from kling_nb.compare.rating.storing import Store
from kling_nb.compare.rating.tidy import Rated, answers_frame
from kling_nb.display import Bundle
from kling_nb.display.words import plural

if TYPE_CHECKING:
    from kling_nb.compare.rating.judging import Shown
    from kling_nb.compare.rating.widget import RatingWidget

_open: "weakref.WeakValueDictionary[tuple[str, str], RatingWidget]" = weakref.WeakValueDictionary()
"""The forms that take answers in this kernel, by rating and rater."""


class Rating:
    """One question about a comparison, and the form that asks it. Made by `Comparison.rate`.

    In a notebook it shows the form. It hides the level until all is answered.

    Parameters
    ----------
    exhibit : Exhibit
        What the rating is about.
    store : Store
        Where answers are kept.
    rater : str, optional
        Who answers; the form asks where it is None.
    result : callable
        Returns the result as HTML.
    """

    def __init__(self, exhibit: Exhibit, store: Store, rater: str | None, result: Callable[[], str]) -> None:
        self._exhibit = exhibit
        self._store = store
        self._widget: RatingWidget | None = None
        self.desk = Desk(exhibit, store, rater, result, self._begun)

    @property
    def plan(self) -> RatingPlan:
        """What is asked, and how."""
        return self._exhibit.plan

    @property
    def count(self) -> int:
        """How many items there are to judge: pairs of images, or images."""
        return len(self._exhibit.items)

    @property
    def answered(self) -> dict[str, int]:
        """How many of them each rater has answered."""
        there = {item.token for item in self._exhibit.items}
        found: dict[str, int] = {}
        for each in self._store.counting(self.plan):
            found[each.rater] = found.get(each.rater, 0) + (each.item in there)
        return found

    def judge(self, function: "Callable[[Shown], Any]", rater: str) -> "Rating":
        """Let a function answer what a rater has not answered: a model as judge, or a rater that is simulated.

        It sees what a person would see, and no level. Give it a name that says what it is: its answers count like
        anyone's.

        Parameters
        ----------
        function : callable
            Takes one item (``question``, ``images``: PIL images, the left one first; ``prompt``; ``references``: PIL
            images by name) and returns ``"left"``, ``"right"``, ``"tie"`` or ``"unsure"``; on a scale a value of it.
        rater : str
            What its answers are kept under.

        Returns
        -------
        Rating
            This one.

        Raises
        ------
        InvalidRequest
            What it returns is no answer. Whatever it raises itself is passed on. Earlier answers are kept.
        """
        from kling_nb.compare.rating.judging import judge

        judge(Desk(self._exhibit, self._store, None, lambda: ""), function, rater)
        return self

    def to_dataframe(self) -> Any:
        """Return one row an answer, with what was on which side.

        Returns
        -------
        pandas.DataFrame
            Every answer, also those that were changed later (``counts`` is False for them).

        Raises
        ------
        ConfigurationError
            pandas is not installed.
        """
        known = self._exhibit
        return answers_frame([Rated(self.plan, known.axis, known.items, self._store.answers(self.plan))])

    def close(self) -> None:
        """Close the form; what was answered is kept."""
        if self._widget is not None:
            self._widget.close()
            self._widget = None

    def _begun(self, rater: str) -> None:
        key = (self.plan.id, rater)
        before = _open.get(key)
        if before is not None and before is not self._widget:
            before.take_over()
        if self._widget is not None:
            _open[key] = self._widget

    def widget(self) -> "RatingWidget":
        """Return the form as a widget.

        Raises
        ------
        ConfigurationError
            ipywidgets or anywidget is not installed.
        """
        if self._widget is None:
            from kling_nb.compare.rating.widget import RatingWidget

            self._widget = RatingWidget(self.desk)
            if self.desk.rater is not None:
                self._begun(self.desk.rater)
        return self._widget

    def __repr__(self) -> str:
        of = plural(self.count, "pair" if self.plan.protocol == "pairs" else "image")
        said = ", ".join(f"{rater} {count}" for rater, count in self.answered.items())
        return f"<Rating {self.plan.criterion!r} by {self.plan.by}: {of}{f'; answered: {said}' if said else ''}>"

    def _ipython_display_(self) -> None:
        self.widget()._ipython_display_()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:  # noqa: ARG002 - IPython's signature
        found: Any = self.widget()._repr_mimebundle_()
        data, metadata = found if isinstance(found, tuple) else (found, {})
        return dict(data), dict(metadata)
