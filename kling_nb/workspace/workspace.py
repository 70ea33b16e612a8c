"""The workspace folder: journal, references, images, thumbnails.

::

    kling_runs/
        .gitignore              everything: results are not source (or what is ours, among other things)
        journal.sqlite3         every task
        references/<sha256>.png  what was sent, once each
        images/2026-11-22_143005_a-cat_1.png and .json   what came back, and how it was made
        thumbnails/<sha256>.jpg  small pictures for the grid, and its sheet; may be deleted
        uploads/cat-1a2b3c4d.png what was dropped on a form, by its own name
"""

import hashlib
import json
import os
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from kling_nb.errors import WorkspaceError
from kling_nb.imagedata import EXTENSIONS
from kling_nb.records import ImageRecord, Reference, TaskRecord
from kling_nb.workspace import files, names, sidecar
from kling_nb.workspace.journal import Journal
from kling_nb.workspace.rows import to_json

JOURNAL = "journal.sqlite3"
_FOLDERS = ("references", "images", "thumbnails", "uploads", "sandbox", "gateway")


class Workspace:
    """One folder. Made when it is first written to.

    Parameters
    ----------
    folder : Path
        Absolute.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.RLock()
        self._journal: Journal | None = None
        self._pid = os.getpid()
        self._known_references: dict[Path, tuple[int, ...]] = {}

    @property
    def exists(self) -> bool:
        """Whether there is a journal to read.

        Raises
        ------
        WorkspaceError
            That cannot be seen.
        """
        return files.is_file(self.folder / JOURNAL)

    @property
    def journal(self) -> Journal:
        """The journal, for reading and writing; makes the folder, also again when someone has deleted it.

        Raises
        ------
        WorkspaceError
            The folder or the journal cannot be made or opened.
        """
        self._notice_fork()
        journal = self._journal
        # Every step of every task comes by here, in a dozen threads: none is to wait while another looks.
        if journal is not None and journal.in_place:
            return journal
        with self._lock:
            if self._journal is not None and not self._journal.in_place:
                self.close()
            if self._journal is None:
                files.make_folder(self.folder)
                self._ignore()
                self._journal = Journal(self.folder / JOURNAL)
            return self._journal

    def tidy(self) -> None:
        """Remove the halves of files that killed processes have left."""
        for name in ("", *_FOLDERS[:4]):
            files.tidy(self.folder / name)

    def close(self) -> None:
        """Close the journal, if it was opened."""
        self._notice_fork()
        with self._lock:
            if self._journal is not None:
                self._journal.close()
                self._journal = None

    def keep_references(self, references: Iterable[Reference]) -> None:
        """Store the bytes of references, each content once, durably.

        Parameters
        ----------
        references : iterable of Reference
            With their bytes; those sent as URLs have none and are skipped.

        Raises
        ------
        WorkspaceError
            One could not be stored.
        """
        self._part("references")
        for reference in references:
            path = self.folder / sidecar.reference_path(reference.sha256, reference.media_type)
            known = _marks(path)
            if reference.data is None or (known and known == self._known_references.get(path)):
                continue
            stored = files.read(path)
            if stored is None or hashlib.sha256(stored).hexdigest() != reference.sha256:
                files.write(path, reference.data)
            self._known_references[path] = _marks(path)

    def read_reference(self, reference: Reference) -> bytes:
        """Return a stored reference's bytes.

        Raises
        ------
        WorkspaceError
            The file is missing or was changed.
        """
        if reference.data is not None:
            return reference.data
        path = self.folder / sidecar.reference_path(reference.sha256, reference.media_type)
        data = files.read(path)
        if data is None or hashlib.sha256(data).hexdigest() != reference.sha256:
            state = "is missing" if data is None else "was changed"
            raise WorkspaceError(f"The stored reference {path} {state}.", advice="Give the picture again.")
        return data

    def save_image(self, record: TaskRecord, image: ImageRecord, data: bytes) -> ImageRecord:
        """Store one image, bit for bit, with its sidecar.

        Parameters
        ----------
        record : TaskRecord
            The task.
        image : ImageRecord
            With hash, type and size filled in; ``path`` is ignored.
        data : bytes
            As served.

        Returns
        -------
        ImageRecord
            With its path. The file is whole, and on disk.

        Raises
        ------
        WorkspaceError
            It could not be written; nothing half-written is left.
        """
        folder = self._part("images")
        note = to_json(sidecar.describe(record, image), indent=1).encode()
        stem = self._claim(record, image, note)
        name = f"{stem}{_suffix(image.media_type)}"
        try:
            files.write(folder / name, data)
        except BaseException:
            # A record of an image that is not there would only mislead.
            files.remove(folder / f"{stem}.json")
            raise
        return replace(image, path=f"images/{name}", problem=None)

    def saved_before(self, record: TaskRecord, image: ImageRecord) -> ImageRecord | None:
        """Find an image that is on disk although the journal does not say so yet.

        A process that was killed between the two leaves one. It counts when its sidecar names this task
        and index, and its bytes have the hash that the sidecar says.

        Parameters
        ----------
        record : TaskRecord
            The task.
        image : ImageRecord
            With its index.

        Returns
        -------
        ImageRecord or None
            With its path and facts.
        """
        for stem in self._stems(record, image.index):
            note = _note(self.folder / "images" / f"{stem}.json")
            if note is None or not _is_of(note, record, image.index):
                continue
            facts = note["image"]
            path = f"images/{stem}{_suffix(facts.get('media_type'))}"
            data = files.read(self.folder / path)
            if data is None or hashlib.sha256(data).hexdigest() != facts.get("sha256"):
                return None
            known = {name: facts.get(name) for name in ("sha256", "media_type", "width", "height", "size")}
            return replace(image, path=path, problem=None, **known)
        return None

    def read_image(self, image: ImageRecord) -> bytes:
        """Return a saved image's bytes.

        Raises
        ------
        WorkspaceError
            It is not saved, or its file is gone.
        """
        if image.path is None:
            raise WorkspaceError(
                f"Image {image.index + 1} is not there.", advice="`%kling resume` fetches what the gateway still has."
            )
        data = files.read(self.folder / image.path)
        if data is None:
            again = f", or fetch it from {image.url} while the gateway keeps it" if image.url else ""
            raise WorkspaceError(
                f"The file {self.folder / image.path} is not there any more.", advice=f"Put it back{again}."
            )
        return data

    def thumbnail(self, name: str) -> bytes | None:
        """Return a kept small picture by name, if there is one."""
        return files.read(self.folder / "thumbnails" / f"{name}.jpg")

    def keep_thumbnail(self, name: str, jpeg: bytes) -> None:
        """Keep a small picture; it can be made again, so it need not survive a power cut."""
        files.write(self._part("thumbnails") / f"{name}.jpg", jpeg, durable=False)

    def keep_upload(self, name: str, data: bytes) -> Path:
        """Store a file that came without a path, so that code can name it; the same content once.

        Parameters
        ----------
        name : str
            What it is called; its path gets the beginning of the content's hash as well.
        data : bytes
            All of it.

        Returns
        -------
        Path
            Where it is.

        Raises
        ------
        WorkspaceError
            It could not be stored.
        """
        path = self._part("uploads") / names.upload(name, hashlib.sha256(data).hexdigest())
        if files.read(path) != data:
            files.write(path, data)
        return path

    def has(self, image: ImageRecord) -> bool:
        """Tell whether an image's file is there."""
        return image.path is not None and files.is_file(self.folder / image.path)

    def _notice_fork(self) -> None:
        """Begin anew in a process that was forked: its parent's connection is the parent's to use and to close."""
        if self._pid == os.getpid():
            return
        if self._journal is not None:
            self._journal.leave_open()
        # A thread of the parent's may have held the lock, and does not exist here.
        self._lock, self._journal, self._pid = threading.RLock(), None, os.getpid()

    def _part(self, name: str) -> Path:
        self.journal  # noqa: B018 - makes the folder around it
        files.make_folder(self.folder / name)
        return self.folder / name

    def _ignore(self) -> None:
        """Keep results out of version control, and nothing else that may be in the folder."""
        ours = {".gitignore", JOURNAL, f"{JOURNAL}-journal", *_FOLDERS}
        present = files.names_in(self.folder)
        if ".gitignore" in present:
            return
        lines = [f"/{JOURNAL}*", *(f"/{name}/" for name in _FOLDERS), "/.gitignore"] if present - ours else ["*"]
        text = "\n".join(["# Made by kling_nb: results are not source.", *lines, ""])
        files.write(self.folder / ".gitignore", text.encode())

    def _claim(self, record: TaskRecord, image: ImageRecord, note: bytes) -> str:
        """Take a file name by writing the sidecar under it, so that two images never share one."""
        for stem in self._stems(record, image.index):
            path = self.folder / "images" / f"{stem}.json"
            if not files.is_file(path) and self._is_taken(path.with_name(f"{stem}{_suffix(image.media_type)}"), image):
                continue
            if files.write_new(path, note):
                return stem
            found = _note(path)
            if found is not None and _is_of(found, record, image.index):
                files.write(path, note)
                return stem
        raise WorkspaceError(f"No free file name was found in {self.folder / 'images'}.")

    def _is_taken(self, path: Path, image: ImageRecord) -> bool:
        """Tell whether there is another picture of that name, whose record someone deleted."""
        data = files.read(path)
        return data is not None and hashlib.sha256(data).hexdigest() != image.sha256

    def _stems(self, record: TaskRecord, index: int) -> list[str]:
        stem = names.stem(record.prompt, record.created_at, index)
        tail = record.id.rpartition("-")[2]
        return [stem, f"{stem}_{tail}", f"{stem}_{record.id}"]


def _suffix(media_type: str | None) -> str:
    return EXTENSIONS.get(media_type or "", ".img")


def _marks(path: Path) -> tuple[int, ...]:
    """Return what changes when a file is changed, without reading it; nothing when there is no file."""
    try:
        facts = path.stat()
    except OSError:
        return ()
    return facts.st_ino, facts.st_size, facts.st_mtime_ns


def _note(path: Path) -> dict[str, Any] | None:
    data = files.read(path)
    if data is None:
        return None
    try:
        note = json.loads(data)
    except ValueError:
        return {}
    return note if isinstance(note, dict) else {}


def _is_of(note: dict[str, Any], record: TaskRecord, index: int) -> bool:
    task, image = note.get("task"), note.get("image")
    return (
        isinstance(task, dict)
        and isinstance(image, dict)
        and task.get("id") == record.id
        and image.get("index") == index
    )
