"""The small pictures of a comparison, from where its images are kept."""

from kling_nb.compare.arrange import Table
from kling_nb.compare.design import Design
from kling_nb.compare.gridhtml import Pictures, images_of
from kling_nb.session.views import previews_of, view_of
from kling_nb.workspace.workspace import Workspace


def look(table: Table, workspace: Workspace) -> Pictures:
    """Return the small pictures of a page.

    Parameters
    ----------
    table : Table
        What is on the page.
    workspace : Workspace
        Where the pictures are.
    """
    thumbnails: dict[tuple[str, int], bytes] = {}
    links: dict[tuple[str, int], str] = {}
    cells = [each for row in table.cells for each in row if each is not None]
    for record in (record for each in cells for record in each.samples if record is not None):
        indices = {image.index for image in images_of(record)}
        view = view_of(record, workspace, only=indices)
        thumbnails |= {(record.id, index): jpeg for index, jpeg in view.thumbnails.items()}
        links |= {(record.id, index): href for index, href in view.links.items()}
    lines = [*table.rows, *table.columns]
    shown = [*table.references, *(each for line in lines for level in line.references for each in level)]
    return Pictures(thumbnails, previews_of(shown, workspace), links)


def previews(design: Design, workspace: Workspace, *, keep: bool) -> dict[str, bytes]:
    """Return a small picture of every reference, by hash; ``keep`` says whether to store new ones."""
    return previews_of(design.references, workspace, keep=keep)
