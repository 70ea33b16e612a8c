"""What a comparison offers of blind rating. Loads nothing before it is used."""

import time
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from kling_nb.compare.keeping import Keeping

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike
    from pathlib import Path

    from kling_nb.compare.rating.desk import Exhibit
    from kling_nb.compare.rating.rating import Rating
    from kling_nb.compare.rating.records import RatingPlan
    from kling_nb.compare.rating.storing import Store
    from kling_nb.compare.rating.tidy import Rated


class Ratable(Keeping):
    """The rating of a comparison; a part of `Comparison`."""

    @property
    def ratings_kept(self) -> "Store":
        """Where its ratings are kept: the workspace's journal."""
        from kling_nb.compare.rating.storing import Store

        return Store(self.record.seed, self.asking)

    def rate(
        self,
        question: str,
        by: str | None = None,
        protocol: str = "pairs",
        *,
        rater: str | None = None,
        criterion: str | None = None,
        scale: "tuple[int, int] | Mapping[int, str] | None" = None,
        levels: "Sequence[str] | None" = None,
        images: int | None = None,
    ) -> "Rating":
        """Ask a rater a question about the images, blind: which level an image is of is hidden until all is answered.

        Pairs are matched on everything but the axis that is judged: the same labels on all other axes, the same sample,
        the same place among the task's images. Order and sides are drawn from a stored seed; each level is on the left
        in half of its pairs. Every answer is stored at once, and the same call goes on where it stopped.

        Parameters
        ----------
        question : str
            As raters read it. One question at a time: each criterion has its own.
        by : str, optional
            The axis whose levels are judged; needed where several are varied.
        protocol : {"pairs", "scale"}
            Which of two images is better (or a tie), or how good one is.
        rater : str, optional
            A name or code; the form asks for it otherwise. It is stored with every answer, also in a saved folder.
        criterion : str, optional
            What tables call it; the question otherwise.
        scale : (int, int) or mapping, optional
            The lowest and highest value, (1, 5) otherwise, or values with their words.
        levels : list of str, optional
            Judge only these; all otherwise.
        images : int, optional
            How many images of each task are judged, drawn at random; all otherwise.

        Returns
        -------
        Rating
            In a notebook it shows the form.

        Raises
        ------
        InvalidRequest
            With everything that is wrong, one line each; nothing was stored.
        """
        from kling_nb.compare.rating.planning import checked_rater
        from kling_nb.compare.rating.rating import Rating

        who = None if rater is None else checked_rater(rater)
        plan = self._planned(question, by, protocol, criterion, scale, levels, images)
        return Rating(self._exhibit(plan), self.ratings_kept, who, lambda: self._result(plan))

    def export_rating(
        self,
        folder: "str | PathLike[str]",
        question: str,
        by: str | None = None,
        protocol: str = "pairs",
        *,
        criterion: str | None = None,
        scale: "tuple[int, int] | Mapping[int, str] | None" = None,
        levels: "Sequence[str] | None" = None,
        images: int | None = None,
        quiet: bool = False,
    ) -> "Path":
        """Write a rating as a folder with a page, for raters who have no notebook.

        It opens from a disk or any web host. The folder does not know which level an image is of, so nobody can look it
        up there. A rater sends back an answers file, for `import_answers`.

        Parameters
        ----------
        folder : str or path
            There is nothing of that name yet.
        question, by, protocol, criterion, scale, levels, images
            As of `rate`.
        quiet : bool
            Show no progress.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        InvalidRequest
            With everything that is wrong, one line each.
        WorkspaceError
            It cannot be written; nothing half-written is left.
        """
        from kling_nb.compare.rating.exporting import export
        from kling_nb.session.screen import screen

        plan = self._planned(question, by, protocol, criterion, scale, levels, images)
        target = export(self._exhibit(plan), folder, screen(quiet=quiet))
        self.ratings_kept.keep(plan)
        return target

    def import_answers(self, file: "str | PathLike[str]", *, rater: str | None = None) -> int:
        """Take in the answers that a rater sent back from an exported page.

        Parameters
        ----------
        file : str or path
            As the page saved it.
        rater : str, optional
            Instead of the name in the file.

        Returns
        -------
        int
            How many answers were new; those of a file that was imported before are not taken twice.

        Raises
        ------
        InvalidRequest
            It is no answers file, it was changed, or it is of another comparison; nothing was imported.
        """
        from kling_nb.compare.rating import importing

        found, store = importing.read(file), self.ratings_kept
        plan = importing.rating_of(found, store.plans())
        return store.add(plan, importing.answers_of(found, self._exhibit(plan), store, rater))

    @property
    def rated(self) -> "list[Rated]":
        """Its ratings with all their answers, oldest first."""
        from kling_nb.compare.rating.tidy import Rated

        store, design = self.ratings_kept, self.record.design
        found = []
        for plan in store.plans():
            if any(axis.name == plan.by for axis in design.axes):
                exhibit = self._exhibit(plan, empty=True)
                found.append(Rated(plan, exhibit.axis, exhibit.items, store.answers(plan)))
        return found

    def answers(self) -> Any:
        """Return one row an answer, of all ratings.

        Returns
        -------
        pandas.DataFrame
            Every answer, also those that were changed later (``counts`` is False for them).

        Raises
        ------
        ConfigurationError
            pandas is not installed.
        """
        from kling_nb.compare.rating.tidy import answers_frame

        return answers_frame(self.rated)

    def _planned(
        self, question: Any, by: Any, protocol: Any, criterion: Any, scale: Any, levels: Any, images: Any
    ) -> "RatingPlan":
        from kling_nb.compare.rating.planning import check_criterion, planned

        plan = planned(
            self.record.seed,
            self.record.design,
            question=question,
            by=by,
            protocol=protocol,
            criterion=criterion,
            scale=scale,
            levels=levels,
            images=images,
            now=time.time(),
        )
        return check_criterion(plan, self.ratings_kept.plans())

    def _exhibit(self, plan: "RatingPlan", *, empty: bool = False) -> "Exhibit":
        from kling_nb.compare.rating.desk import exhibit

        return exhibit(plan, self.record, self.filled(), self.session.workspace, empty=empty)

    @abstractmethod
    def _result(self, plan: "RatingPlan") -> str:
        """Return the result of a rating as HTML."""
