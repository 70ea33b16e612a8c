"""Writing a comparison as a folder that stands for itself: page, images, references, table and manifest.

Nothing in it is flushed to disk file by file, because the workspace has all of it, and the manifest tells whether a
copy is whole.
"""

import csv
import hashlib
import io
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kling_nb.compare import filenames, folders, frames, manifest, page
from kling_nb.compare.added import Extra
from kling_nb.compare.design import Cell
from kling_nb.compare.filenames import ImageName
from kling_nb.compare.manifest import Manifest, SavedFile
from kling_nb.compare.progress import Progress
from kling_nb.compare.public import public, public_task
from kling_nb.compare.records import ComparisonRecord, Filled
from kling_nb.display import thumbnail
from kling_nb.display.words import plural
from kling_nb.errors import KlingError, WorkspaceError
from kling_nb.imagedata import NotAnImage
from kling_nb.records import ImageRecord, Reference, TaskRecord
from kling_nb.request.advice import has_place
from kling_nb.session.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kling_nb.workspace.workspace import Workspace

_NAMED = 3
_GONE = "its file was not there any more when the comparison was saved"
_CHANGED = "its file was not the one that was served any more when the comparison was saved"


def save(
    record: ComparisonRecord,
    filled: Sequence[Filled],
    workspace: "Workspace",
    folder: Any,
    *,
    where: Screen,
    extra: Extra | None = None,
) -> Path:
    """Write a comparison as a folder.

    Parameters
    ----------
    record : ComparisonRecord
        Which.
    filled : sequence of Filled
        Its cells.
    workspace : Workspace
        Where its pictures are.
    folder : str or path
        Where to; there is nothing of that name yet.
    where : Screen
        Shows progress.
    extra : Extra, optional
        What it holds beyond design, tasks and files.

    Returns
    -------
    Path
        The folder, absolute.

    Raises
    ------
    InvalidRequest
        There is something of that name, or it is no name. Nothing was written.
    WorkspaceError
        It cannot be written; nothing is left of it.
    """
    extra = extra or Extra()
    target = folders.checked(folder)
    images = sum(len(task.images) for each in filled for task in each.samples if task is not None)
    progress = Progress(where, f"Saving {plural(images, 'image')}", images)
    try:
        with folders.whole(target) as aside:
            writer = _Writer(aside, workspace, progress)
            writer.write(record, filled, extra)
    except BaseException:
        where.done()
        raise
    progress.end(f"Saved {plural(writer.images, 'image')} in {target.name}.", writer.notes(), extra.notes)
    return target


class _Writer:
    """Fills one folder.

    Parameters
    ----------
    folder : Path
        Empty.
    workspace : Workspace
        Where pictures are.
    progress : Progress
        Counts the images.
    """

    def __init__(self, folder: Path, workspace: "Workspace", progress: Progress) -> None:
        self.images = 0
        self.missing: list[str] = []
        self.lost: list[str] = []
        self.located: list[str] = []
        self._folder = folder
        self._workspace = workspace
        self._progress = progress
        self._files: list[SavedFile] = []

    def write(self, record: ComparisonRecord, filled: Sequence[Filled], extra: Extra) -> None:
        """Write all files; the manifest is the last, and so the sign that there is all of it."""
        for name in ("images", "references", "thumbnails"):
            (self._folder / name).mkdir()
        references = self._references(record.design.references)
        record = public(record)
        cells = [self._cell(number, record.design.cells, each) for number, each in enumerate(filled)]
        now = time.time()
        self._put("images.csv", _images(record, cells, extra))
        if extra.answers:
            names = dict.fromkeys(name for row in extra.answers for name in row)
            self._put("answers.csv", _csv(list(names), extra.answers))
        thumbnails = {each.path for each in self._files if each.path.startswith("thumbnails/")}
        self._put("index.html", page.html(record, cells, page.Files(references, thumbnails), now, extra).encode())
        saved = Manifest(record, manifest.tasks_of(cells), references, tuple(self._files), now, more=extra.manifest)
        self._put(manifest.NAME, manifest.to_text(saved).encode())

    def notes(self) -> list[str]:
        """Return what the user should know of the folder, in sentences."""
        found = [(self.missing, "Not there any more: {}."), (self.lost, "References not there any more: {}.")]
        found += [(self.located, "The folder tells where a picture was taken, by the metadata of {}.")]
        return [sentence.format(_few(names)) for names, sentence in found if names]

    def _references(self, references: Sequence[Reference]) -> dict[str, str]:
        names = filenames.reference_names(references)
        found = {}
        for reference in references:
            if reference.sha256 not in names:
                continue
            try:
                data = self._workspace.read_reference(reference)
            except KlingError:
                self.lost.append(reference.name)
                continue
            self.located += [reference.name] if has_place(data) else []
            name = names[reference.sha256]
            found[reference.sha256] = self._put(f"references/{name}", data)
            self._small(Path(name).stem, data)
        return found

    def _cell(self, number: int, cells: Sequence[Cell], filled: Filled) -> Filled:
        labels = tuple(cells[number].coordinates.values())
        samples: list[TaskRecord | None] = []
        for sample, task in enumerate(filled.samples):
            if task is None:
                samples.append(None)
                continue
            stems = [
                filenames.image_stem(ImageName(number, sample, image.index), labels, len(cells))
                for image in task.images
            ]
            images = [self._image(task, image, stem) for image, stem in zip(task.images, stems, strict=True)]
            samples.append(replace(public_task(task), images=tuple(images)))
        return Filled(cells[number], tuple(samples))

    def _image(self, task: TaskRecord, image: ImageRecord, stem: str) -> ImageRecord:
        self._progress.step()
        if image.path is None:
            return image
        try:
            data = self._workspace.read_image(image)
        except WorkspaceError:
            self.missing.append(f"image {image.index + 1} of task {task.id}")
            return replace(image, path=None, problem=_GONE)
        if image.sha256 and hashlib.sha256(data).hexdigest() != image.sha256:
            self.missing.append(f"image {image.index + 1} of task {task.id}")
            return replace(image, path=None, problem=_CHANGED)
        path = self._put(f"images/{stem}{filenames.extension(image.media_type)}", data)
        self._small(stem, data, image.sha256)
        self.images += 1
        return replace(image, path=path)

    def _small(self, stem: str, data: bytes, sha256: str | None = None) -> None:
        """Write the small picture of an image, the workspace's own where it has one."""
        try:
            kept = self._workspace.thumbnail(sha256) if sha256 else None
            self._put(f"thumbnails/{stem}.jpg", kept or thumbnail(data))
        except NotAnImage:
            # The page then shows the image itself, as far as a browser can.
            return

    def _put(self, path: str, data: bytes) -> str:
        with (self._folder / path).open("xb") as file:
            file.write(data)
        self._files.append(SavedFile(path, hashlib.sha256(data).hexdigest(), len(data)))
        return path


def _few(names: Sequence[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {plural(rest, 'more')}" if rest > 0 else "")


def _images(record: ComparisonRecord, filled: Sequence[Filled], extra: Extra) -> bytes:
    rows = frames.rows(record, filled, Path(), extra.columns)
    as_posix = [row | {"path": row["path"] and Path(row["path"]).as_posix()} for row in rows]
    return _csv(frames.columns(record, extra.columns), as_posix)


def _csv(columns: Sequence[str], rows: "Iterable[Mapping[str, Any]]") -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    # The name of a file need not be text.
    return text.getvalue().encode(errors="backslashreplace")
