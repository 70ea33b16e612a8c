"""What is needed to show a task: its record, with the small pictures and links from the workspace."""

from collections.abc import Collection

from kling_nb.display import TaskView, preview, thumbnail
from kling_nb.errors import KlingError
from kling_nb.imagedata import NotAnImage
from kling_nb.records import ImageRecord, Reference, TaskRecord
from kling_nb.session.outcome import how_to_collect
from kling_nb.session.places import link, notebook_folder, shown
from kling_nb.workspace.workspace import Workspace


def view_of(
    record: TaskRecord, workspace: Workspace, *, price: str | None = None, only: Collection[int] | None = None
) -> TaskView:
    """Return everything that showing a task needs.

    Parameters
    ----------
    record : TaskRecord
        The task.
    workspace : Workspace
        Where its pictures are.
    price : str, optional
        Of the task, with its currency.
    only : collection of int, optional
        Read the pictures of these images only.

    Returns
    -------
    TaskView
        Small pictures that are missing are made again from the saved files.
    """
    folder = notebook_folder()
    saved = [i for i in record.images if i.path is not None and (only is None or i.index in only)]
    thumbnails = {image.index: small for image in saved if (small := _thumbnail(image, workspace)) is not None}
    links, files = {}, {}
    for image in saved:
        path = workspace.folder / str(image.path)
        files[image.index] = shown(path)
        href = link(path, folder)
        if href is not None:
            links[image.index] = href
    return TaskView(
        record,
        thumbnails,
        {} if only is not None else previews_of(record.references, workspace),
        links,
        files,
        price,
        how_to_collect(record),
        workspace,
    )


def previews_of(references: Collection[Reference], workspace: Workspace, *, keep: bool = True) -> dict[str, bytes]:
    """Return a small JPEG of each reference that has bytes, by hash; ``keep`` says whether to store new ones."""
    found = {}
    for reference in references:
        small = None if reference.url else _preview(reference, workspace, keep=keep)
        if small is not None:
            found[reference.sha256] = small
    return found


def _thumbnail(image: ImageRecord, workspace: Workspace) -> bytes | None:
    try:
        small = workspace.thumbnail(image.sha256 or "")
        if small is None:
            small = thumbnail(workspace.read_image(image))
            workspace.keep_thumbnail(image.sha256 or "", small)
    except (KlingError, NotAnImage, OSError):
        # A picture that someone deleted is shown as missing; the rest of the grid is not.
        return None
    return small


def _preview(reference: Reference, workspace: Workspace, *, keep: bool) -> bytes | None:
    name = f"{reference.sha256}_96"
    try:
        small = workspace.thumbnail(name)
        if small is None:
            small = preview(workspace.read_reference(reference))
            if keep:
                workspace.keep_thumbnail(name, small)
    except (KlingError, NotAnImage, OSError):
        return None
    return small
