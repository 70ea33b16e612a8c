"""A comparison from the folder that it was saved in, without the workspace that it was made in."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from kling_nb.compare import manifest
from kling_nb.compare.added import Extra
from kling_nb.compare.comparison import Comparison
from kling_nb.compare.manifest import NAME, Manifest, SavedFile
from kling_nb.compare.progress import Progress
from kling_nb.compare.rating.storing import ANALYSES, Store, brought
from kling_nb.compare.running import Key
from kling_nb.display import Bundle
from kling_nb.display.words import plural
from kling_nb.errors import InvalidRequest, WorkspaceError
from kling_nb.records import Reference, TaskRecord
from kling_nb.request.problems import shown
from kling_nb.session.screen import Screen
from kling_nb.session.session import Session
from kling_nb.session.task import Task
from kling_nb.workspace import files
from kling_nb.workspace.workspace import Workspace

if TYPE_CHECKING:
    from kling_nb.workspace.journal import Journal

_ADVICE = "Take the folder as it was saved; verify=False loads it all the same."
_VERIFIED = ("images/", "references/")


class SavedFolder(Workspace):
    """A saved comparison's folder as a place that pictures are read from; nothing is written to it.

    Parameters
    ----------
    folder : Path
        Absolute.
    found : Manifest
        What is in it.
    """

    def __init__(self, folder: Path, found: Manifest) -> None:
        super().__init__(folder)
        self._references = found.references
        self._small: dict[str, bytes] = {}
        there = {each.path for each in found.files}
        self._thumbnails = {
            image.sha256: path
            for task in found.tasks.values()
            for image in task.images
            if image.sha256 and image.path and (path := f"thumbnails/{Path(image.path).stem}.jpg") in there
        }

    @property
    def exists(self) -> bool:
        """Never: there is no journal."""
        return False

    @property
    def journal(self) -> "Journal":
        """There is none.

        Raises
        ------
        WorkspaceError
            Always.
        """
        raise WorkspaceError(f"{self.folder} is a saved comparison, and is not written to.", advice="")

    def read_reference(self, reference: Reference) -> bytes:
        """Return a reference's bytes.

        Raises
        ------
        WorkspaceError
            The file is missing or was changed.
        """
        path = self._references.get(reference.sha256)
        data = files.read(self.folder / path) if path else None
        if data is None or hashlib.sha256(data).hexdigest() != reference.sha256:
            state = "is missing" if data is None else "was changed"
            raise WorkspaceError(f"The reference {self.folder / (path or reference.name)} {state}.", advice=_ADVICE)
        return data

    def thumbnail(self, name: str) -> bytes | None:
        """Return a small picture by name, if there is one."""
        if name in self._small:
            return self._small[name]
        path = self._thumbnails.get(name)
        return files.read(self.folder / path) if path else None

    def keep_thumbnail(self, name: str, jpeg: bytes) -> None:
        """Keep a small picture for as long as this process lasts."""
        self._small[name] = jpeg


class _Reading(Session):
    """A session that shows what is in a folder, and never looks into a journal.

    Parameters
    ----------
    session : Session
        Whose settings it has.
    folder : SavedFolder
        Instead of a workspace.
    """

    def __init__(self, session: Session, folder: SavedFolder) -> None:
        super().__init__(session.settings)
        self.workspace = folder

    def as_task(self, record: TaskRecord) -> Task:
        """Return a task as it was saved, whatever this process does with it."""
        return Task(self, record)


class SavedComparison(Comparison):
    """A comparison as a folder has it: shown, counted and saved again, but not gone on with.

    Parameters
    ----------
    session : Session
        Where a rerun is asked for.
    folder : Path
        Absolute.
    found : Manifest
        What is in it.
    """

    def __init__(self, session: Session, folder: Path, found: Manifest) -> None:
        super().__init__(_Reading(session, SavedFolder(folder, found)), found.record)
        self.folder = folder
        self._asking = session
        self._found = found
        self._ratings = brought(found.more, f"{folder.name}/{NAME}")

    @property
    def asking(self) -> Session:
        """Where a rerun is asked for: the session that loaded it."""
        return self._asking

    @property
    def more(self) -> Mapping[str, Any]:
        """What else the manifest holds."""
        return self._found.more

    def extra(self) -> Extra:
        """Return what its folder holds beyond design, tasks and files, and what else its manifest has."""
        extra = super().extra()
        return replace(extra, manifest={**self.more, **extra.manifest})

    @property
    def ratings_kept(self) -> Store:
        """Where its ratings are kept: in the folder as they came, and new answers in the loader's workspace."""
        return Store(self.record.seed, self._asking, self._ratings, self._found.more.get(ANALYSES, ()))

    def records(self) -> dict[Key, TaskRecord]:
        """Return the task of every sample that had one when it was saved."""
        return {key: task for key, task in self._found.tasks.items() if key[1] < self.samples}

    def run_on(self, where: Screen, **_: Any) -> NoReturn:  # noqa: ARG002 - the screen of what does not happen
        """Refuse: what is in a folder is over.

        Raises
        ------
        InvalidRequest
            Always.
        """
        raise InvalidRequest(
            f"The comparison {self.name} was loaded from a folder and cannot go on; `.rerun()` asks for all of it anew."
        )

    def bundle(self) -> Bundle:
        """Return what a front end shows: the grid, also of what was never begun."""
        return self.grid().bundle_with(f"Loaded from {self.folder.name}: `.rerun()` asks for all of it anew.")


def load(session: Session, folder: Any, where: Screen, *, verify: bool) -> SavedComparison:
    """Read a saved comparison.

    Parameters
    ----------
    session : Session
        Where a rerun is asked for.
    folder : str or path
        As `Comparison.save` wrote it.
    where : Screen
        Shows progress.
    verify : bool
        Whether every image and reference must be there, bit for bit.

    Returns
    -------
    SavedComparison
        Of the folder alone.

    Raises
    ------
    InvalidRequest
        It is no name of a folder.
    WorkspaceError
        There is no such folder, or no manifest in it; it was written by a newer version; or a file is missing or
        was changed.
    """
    if not isinstance(folder, str | os.PathLike) or "\0" in str(folder):
        raise InvalidRequest(f"folder is {shown(folder)}; it must be the name of a folder.", money="")
    place = Path(folder).expanduser().absolute()
    data = files.read(place / NAME) if place.is_dir() else None
    if data is None:
        what = f"There is no {NAME} in {place}" if place.is_dir() else f"There is no folder {place}"
        raise WorkspaceError(f"{what}.", money="", advice="Give the folder that a comparison was saved in.")
    found = manifest.from_text(data.decode(errors="replace"), str(place / NAME), verify=verify)
    if verify:
        _verify(place, found, where)
    return SavedComparison(session, place, found)


def _verify(folder: Path, found: Manifest, where: Screen) -> None:
    wanted = [each for each in found.files if each.path.startswith(_VERIFIED)]
    progress = Progress(where, "Reading files", len(wanted))
    broken = []
    for each in wanted:
        problem = _problem(folder / each.path, each)
        broken += [f"{each.path} {problem}"] if problem else []
        progress.step()
    listed = {each.path for each in wanted}
    pictures = [image.path for task in found.tasks.values() for image in task.images if image.path]
    broken += [
        f"{path} is not among its files" for path in (*pictures, *found.references.values()) if path not in listed
    ]
    progress.end(f"{plural(len(wanted), 'file')} as they were saved.")
    if broken:
        more = f", and {plural(len(broken) - 1, 'more file')} not as saved" if len(broken) > 1 else ""
        raise WorkspaceError(f"{folder.name}: {broken[0]}{more}.", money="", advice=_ADVICE)


def _problem(path: Path, saved: SavedFile) -> str:
    try:
        if path.stat().st_size != saved.size:
            return "was changed"
        with path.open("rb") as file:
            return "" if hashlib.file_digest(file, "sha256").hexdigest() == saved.sha256 else "was changed"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
