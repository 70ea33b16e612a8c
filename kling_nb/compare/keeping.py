"""What outlives a comparison's workspace: its folder, and asking for all of it once more."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kling_nb.session.screen import screen

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

    from kling_nb.compare.added import Extra
    from kling_nb.compare.comparison import Comparison
    from kling_nb.compare.records import ComparisonRecord, Filled
    from kling_nb.session.session import Session


class Keeping:
    """The saving and repeating of a comparison; a part of `Comparison`."""

    session: "Session"

    @property
    @abstractmethod
    def record(self) -> "ComparisonRecord":
        """All of what it is."""

    @abstractmethod
    def filled(self) -> "tuple[Filled, ...]":
        """Return every cell with its tasks."""

    @property
    def more(self) -> Mapping[str, Any]:
        """What the manifest that it came from holds beyond what this package knows of every comparison."""
        return {}

    def extra(self) -> "Extra":
        """Return what its folder holds beyond design, tasks and files."""
        from kling_nb.compare.added import Extra

        return Extra()

    @property
    def asking(self) -> "Session":
        """Where a rerun is asked for."""
        return self.session

    def save(self, folder: "str | PathLike[str]", *, quiet: bool = False) -> "Path":
        """Save all of it as a folder that opens in any browser, without network, notebook or this package.

        The folder has ``index.html``, the images bit for bit as served and the references as sent, ``images.csv``
        with one row an image, ``answers.csv`` with one row an answer where raters gave any, and ``manifest.json``, from
        which `Kling.load_comparison` restores it.

        Parameters
        ----------
        folder : str or path
            There is nothing of that name yet; folders around it are made.
        quiet : bool
            Show no progress, and say nothing of images whose files are gone.

        Returns
        -------
        Path
            The folder. What has failed, was refused or not asked for is in it with its state.

        Raises
        ------
        InvalidRequest
            There is something of that name; it was not touched.
        WorkspaceError
            It cannot be written; nothing half-written is left.
        """
        from kling_nb.compare.saving import save

        where = screen(quiet=quiet)
        return save(self.record, self.filled(), self.session.workspace, folder, where=where, extra=self.extra())

    def rerun(
        self, name: str | None = None, *, yes: bool = False, timeout: float | None = None, quiet: bool = False
    ) -> "Comparison":
        """Ask for all of it anew, as a new comparison: the same requests, and new samples of everything.

        The API has no seed, so nothing that was asked for before is an answer to it, and all of it is paid.

        Parameters
        ----------
        name : str, optional
            Of the new comparison; otherwise the earlier name with "(rerun)".
        yes, timeout, quiet
            As of ``run``.

        Returns
        -------
        Comparison
            The new one; this one stays as it is.

        Raises
        ------
        InvalidRequest
            There is a comparison of that name already.
        KlingError
            As of ``run``.
        """
        from kling_nb.compare.again import again

        new = again(self.record, self.asking, name, self.session.workspace.read_reference)
        return new.run(yes=yes, timeout=timeout, quiet=quiet)
