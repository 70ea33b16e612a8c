"""What a person does with files: paste them, and drop them."""

import base64
import mimetypes
from pathlib import Path

_TO_CLIPBOARD = """async (content) => {
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  const blob = new Blob([bytes], { type: "image/png" });
  await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
}"""

_TRANSFER = """(files) => {
  const transfer = new DataTransfer();
  for (const { name, type, content } of files) {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type }));
  }
  return transfer;
}"""

_PASTE = """(element, transfer) => element.dispatchEvent(
  new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true, composed: true })
)"""


def paste_image(locator, path):
    """Put a PNG into the clipboard, as a program for screenshots does, and press Control+V on an element.

    The browser decodes and encodes what goes into its clipboard: the pixels arrive, the bytes of the file do not.

    Parameters
    ----------
    locator : playwright.sync_api.Locator
        What is to have the focus; it must be able to.
    path : Path
        A PNG: nothing else can be put there by a page.
    """
    page = locator.page
    page.bring_to_front()
    page.evaluate(_TO_CLIPBOARD, _encoded(path))
    locator.focus()
    page.keyboard.press("Control+V")


def paste_files(locator, paths):
    """Let an element have the `paste` event of files that were copied in a file manager.

    No page can put such files into the clipboard, so the event is made here: unlike `paste_image` it does not
    show that the key press arrives.

    Parameters
    ----------
    locator : playwright.sync_api.Locator
        The element.
    paths : list of Path
        The files; their names and types go along.
    """
    locator.focus()
    locator.evaluate(_PASTE, _transfer(locator.page, paths))


def drop_files(locator, paths):
    """Drag files from a file manager over an element and drop them there.

    Parameters
    ----------
    locator : playwright.sync_api.Locator
        The element.
    paths : list of Path
        The files; their names and types go along.
    """
    transfer = _transfer(locator.page, paths)
    for event in ("dragenter", "dragover", "drop"):
        locator.dispatch_event(event, {"dataTransfer": transfer})


def _transfer(page, paths):
    files = [
        {
            "name": Path(path).name,
            "type": mimetypes.guess_type(path)[0] or "",
            "content": _encoded(path),
        }
        for path in paths
    ]
    return page.evaluate_handle(_TRANSFER, files)


def _encoded(path):
    return base64.b64encode(Path(path).read_bytes()).decode()
