"""What `Kling` offers of comparisons. Loads nothing before it is used."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from os import PathLike

    from kling_nb.compare.comparison import Comparison
    from kling_nb.compare.loading import SavedComparison
    from kling_nb.session.session import Session


class Comparing:
    """The comparisons of a session; a part of `Kling`."""

    session: "Session"

    def compare(
        self,
        prompt: str | None = None,
        *,
        subject_images: Any = None,
        vary: "Mapping[str, Any] | None" = None,
        variants: "Mapping[str, Mapping[str, Any]] | None" = None,
        samples: int = 1,
        where: "Callable[[Mapping[str, str]], bool] | None" = None,
        name: str | None = None,
        fit: bool = False,
        **fields: Any,
    ) -> "Comparison":
        """Design a comparison; nothing is sent, and nothing is paid before its ``run()``.

        Parameters
        ----------
        prompt, subject_images, **fields
            What all cells have in common, as for `generate` (``scene_image``, ``style_image``, ``model_name``,
            ``n``, ``aspect_ratio``, ``watermark``, ``callback_url``).
        vary : mapping, optional
            From a field to its levels: a list, or a mapping of labels to values. None is a level. Several fields
            are crossed.
        variants : mapping, optional
            From a label to the fields of one whole-request variant, where factors do not cross.
        samples : int
            Tasks a cell. The API has no seed: each is a new sample, and is paid. Where nothing is varied, more than
            one are repeats of one request.
        where : callable, optional
            Takes a cell's labels by axis; False leaves the cell out.
        name : str, optional
            To find it by, with `comparison`. The same name with a larger design goes on with the first: cells are
            known by content, and only what is new is paid.
        fit : bool
            Make pictures fit the API's limits.

        Returns
        -------
        Comparison
            In a notebook it shows its plan: axes, cells, tasks, images, slots, price and time.

        Raises
        ------
        InvalidRequest
            With everything that is wrong, one line each.
        """
        from kling_nb.compare.planning import plan

        given = {"prompt": prompt, "subject_images": subject_images, **fields}
        return plan(self.session, given, vary=vary, variants=variants, samples=samples, where=where, name=name, fit=fit)

    def comparison(self, name: str) -> "Comparison":
        """Return a comparison that was run before, also by another kernel.

        Parameters
        ----------
        name : str
            Its name (the newest of it) or id.

        Raises
        ------
        InvalidRequest
            There is none.
        """
        from kling_nb.compare.planning import find

        return find(self.session, name)

    def load_comparison(self, folder: "str | PathLike[str]", *, verify: bool = True) -> "SavedComparison":
        """Return a comparison from the folder that its ``save`` wrote; the workspace is neither needed nor touched.

        Parameters
        ----------
        folder : str or path
            With ``manifest.json``.
        verify : bool
            Read every image and reference, and refuse those that are missing or not as they were saved.

        Returns
        -------
        SavedComparison
            Its grid, images and data frame, ``save`` and ``rerun`` are as ever; it cannot be run on.

        Raises
        ------
        WorkspaceError
            There is none, it is of a newer version, or a file is missing or was changed; the message names it.
        """
        from kling_nb.compare.loading import load
        from kling_nb.session.screen import screen

        return load(self.session, folder, screen(), verify=verify)
