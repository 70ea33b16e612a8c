"""The display room: pure functions from records to HTML, contact sheet, text and progress.

Nothing here touches disk, network, clock or IPython, but that a sheet is kept where its view says; Pillow is
imported by the first function that needs pixels. A *bundle* is data by MIME type and metadata, as a
``_repr_mimebundle_`` returns them.
"""

from kling_nb.display.bundles import Bundle, image_bundle, images_bundle, task_bundle
from kling_nb.display.checkuptable import checkup_bundle
from kling_nb.display.dryrun import dry_run_bundle
from kling_nb.display.historytable import history_bundle
from kling_nb.display.notes import note_html, note_text
from kling_nb.display.progress import progress_html, progress_line
from kling_nb.display.sheet import contact_sheet
from kling_nb.display.spendingtable import spending_bundle
from kling_nb.display.text import task_text
from kling_nb.display.thumbnails import preview, shrink, thumbnail
from kling_nb.display.view import TaskView

__all__ = [
    "Bundle",
    "TaskView",
    "checkup_bundle",
    "contact_sheet",
    "dry_run_bundle",
    "history_bundle",
    "image_bundle",
    "images_bundle",
    "note_html",
    "note_text",
    "preview",
    "progress_html",
    "progress_line",
    "shrink",
    "spending_bundle",
    "task_bundle",
    "task_text",
    "thumbnail",
]
