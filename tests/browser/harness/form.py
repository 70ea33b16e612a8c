"""The form in a notebook, by what a person reads on it."""

import re

from playwright.sync_api import expect

LOAD = "%load_ext kling_nb\n%config KlingMagics.poll_interval = 0.02"

# Its names begin with an underscore, or the form would offer them as variables. A machine clicks twice within the
# time that a person needs for a double click.
FAST_SANDBOX = """
import json as _json
from pathlib import Path as _Path
from kling_nb.form import runs as _runs
from kling_nb.sandbox import Sandbox as _Sandbox
from kling_nb.sandbox.service import Service as _Service
from kling_nb.session import gateway as _gateway

_bodies = []
_runs.DOUBLE_CLICK = 0.0
_create = _Service.create

def _note(self, body):
    _bodies.append({name: value for name, value in _json.loads(body).items() if name != "external_task_id"})
    return _create(self, body)

_Service.create = _note
_folder = _Path("kling_runs/sandbox").resolve()
_sandbox = _gateway._sandboxes[_folder] = _Sandbox(_folder / "gateway", seconds=0, images="constant").start()
"""

TITLES = ("Subject 1", "Subject 2", "Subject 3", "Subject 4", "Scene", "Style")

_TILES_RUN = """() => {
  const fallbacks = [...document.querySelectorAll(".kling-form .kling-fallback")];
  const standing = document.querySelectorAll(".kling-form .kling-stands-in:not(.kling-gone)");
  return fallbacks.length && !standing.length && fallbacks.every((one) => one.classList.contains("kling-gone"));
}"""


class FormPage:
    """A form below a cell.

    Parameters
    ----------
    notebook : NotebookPage
        Has it.
    index : int
        Of the cell.

    Attributes
    ----------
    root : playwright.sync_api.Locator
        All of it.
    """

    def __init__(self, notebook, index):
        self.notebook, self.index = notebook, index
        self.page = notebook.page
        self.root = notebook.output(index).locator(".kling-form")

    def until_ready(self):
        """Wait until files can be dropped on every slot."""
        expect(self.root.locator(".kling-tile-face")).to_have_count(len(TITLES))
        self.page.wait_for_function(_TILES_RUN)
        return self

    def again(self):
        """Return the form as the page has it after a reload."""
        return FormPage(self.notebook, self.index).until_ready()

    # The slots

    def slot(self, title):
        """Return all of a slot."""
        return self.root.locator(".kling-slot").nth(TITLES.index(title))

    def tile(self, title):
        """Return what pictures are dropped on."""
        return self.slot(title).get_by_role("button", name=re.compile(f"^{title}: "))

    def source(self, title):
        """Return the field for a path, a URL or a variable."""
        return self.slot(title).get_by_role("combobox", name=f"{title}: Path, URL or variable")

    def status(self, title):
        """Return what is said of the picture."""
        return self.slot(title).locator(".kling-status")

    def type_into(self, title, text):
        """Type a path, a URL or a variable into a slot, and leave it."""
        self.source(title).fill(text)
        self.source(title).press("Enter")

    def expect_picture(self, title, facts="PNG"):
        """Wait until a slot shows a picture, and says what it is."""
        expect(self.status(title)).to_contain_text(facts)
        image = self.tile(title).get_by_role("img")
        expect(image).to_be_visible()
        assert image.evaluate("async (image) => { await image.decode(); return image.naturalWidth; }") > 30

    def hashes(self):
        """Return what the slots would send: a hash, a URL, or None for an empty one."""
        known = "each and each.reference and (each.reference.url or each.reference.sha256)"
        return self.notebook.kernel_value(f"form.settle() and [{known} for each in form.references.entries]")

    # The rest

    @property
    def prompt(self):
        """The field of the prompt."""
        return self.root.get_by_role("textbox", name="Prompt")

    @property
    def generate(self):
        """The button that sends."""
        return self.root.get_by_role("button", name="Generate", exact=True)

    @property
    def why(self):
        """What stands beside that button."""
        return self.root.locator(".kling-why")

    def button(self, name):
        """Return a button by its whole name."""
        return self.root.get_by_role("button", name=name, exact=True)

    def unfold(self, title):
        """Show what is folded away."""
        self.root.get_by_role("button", name=f"▸ {title}", exact=True).click()

    def card(self, index=0):
        """Return what stands for a task, newest first."""
        return self.root.locator(".kling-run").nth(index)

    def expect_result(self, index=0, pictures=1):
        """Wait until the grid of a task has its pictures."""
        shown = self.card(index).locator("img:visible")
        expect(shown).to_have_count(pictures)
        for each in shown.all():
            assert each.evaluate("async (image) => { await image.decode(); return image.naturalWidth; }") > 100

    # The kernel

    def bodies(self):
        """Return what the sandbox was sent, without the ids that differ every time."""
        return self.notebook.kernel_value("_bodies")

    def request_is_right(self):
        """Tell whether the form has a request, once it has looked at everything."""
        return self.notebook.kernel_value("form.settle() and form.request is not None")
