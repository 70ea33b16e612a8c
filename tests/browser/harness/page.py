"""One notebook in a front end, as a person has it before them."""

import ast
import json
import re
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import nbformat
from jupyter_client.blocking import BlockingKernelClient

from .server import THEMES, JupyterServer

SCRIPT = Path(__file__).with_name("page.js")

# What a front end says by itself, with any notebook.
OWN_ERRORS = {
    # When a kernel is restarted while a widget is being shown.
    "lab": (r"widget model not found",),
    "notebook": (
        r"^Cannot read properties of undefined \(reading 'schema'\)",
        # With a notebook in a folder.
        r"^Command 'filebrowser:open-path' not registered\.$",
    ),
}


class Place(NamedTuple):
    """Where and how a notebook is looked at.

    Parameters
    ----------
    front_end : str
        ``lab`` or ``notebook``.
    theme : str
        ``light`` or ``dark``.
    width, height : int
        Of the window, in pixels.
    screens : Path
        Where screenshots go.
    """

    front_end: str
    theme: str
    width: int
    height: int
    screens: Path


class NotebookPage:
    """A notebook that is open in a front end, its kernel idle.

    Parameters
    ----------
    server : JupyterServer
        Serves it.
    context : playwright.sync_api.BrowserContext
        In which no other notebook is open, and from which no other machine can be reached.
    folder : Path
        Below the server's root, with the files that the notebook is to find beside it.
    cells : list of str
        The sources of its code cells.
    place : Place
        The front end, and how it looks.

    Attributes
    ----------
    page : playwright.sync_api.Page
        For everything that is not here.
    errors : list of str
        What the console was told as an error and what no one caught, without what the front end says by itself.
    outside : list of str
        The addresses on other machines that the page asked for; none was answered.
    """

    def __init__(self, server: JupyterServer, context, folder, cells, place):
        self.server, self.context, self.folder, self.place = server, context, folder, place
        self.file = folder / "x.ipynb"
        self.path = self.file.relative_to(server.root).as_posix()
        self.errors, self.outside = [], []
        notebook = nbformat.v4.new_notebook()
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook.cells = [nbformat.v4.new_code_cell(source) for source in cells]
        nbformat.write(notebook, self.file)
        server.theme(place.theme)
        self.open()

    # The page

    def open(self):
        """Open the notebook in a new page, as a link does, and wait until its kernel is idle."""
        self.page = self.context.new_page()
        self.page.set_viewport_size({"width": self.place.width, "height": self.place.height})
        self.page.add_init_script(path=SCRIPT)
        self.page.on("console", self._heard)
        self.page.on("request", self._asked)
        # Whoever waits for it only when a key is pressed is told of it too late.
        self.page.on("filechooser", lambda chooser: None)
        self.page.on("pageerror", lambda error: self._note(str(error)))
        # In a workspace of its own: else JupyterLab also opens what the tests before had open.
        workspace = f"/lab/workspaces/{quote(self.folder.name)}/tree" if self._in_lab else "/notebooks"
        self.page.goto(f"{self.server.url}{workspace}/{quote(self.path)}?token={self.server.token}")
        self._until_ready()

    def close(self):
        """Close the page; the kernel stays."""
        self.page.close()

    def reopen(self):
        """Close the page and open the notebook in a new one, with the kernel that it had."""
        self.close()
        self.open()

    def reload(self):
        """Reload the page; what was not saved is lost."""
        self.page.reload()
        self._until_ready()

    def resize(self, width, height=None):
        """Change the window's size."""
        self.place = self.place._replace(width=width, height=height or self.place.height)
        self.page.set_viewport_size({"width": self.place.width, "height": self.place.height})

    def theme(self, name):
        """Change the colours of the open page to ``light`` or ``dark``."""
        self.place = self.place._replace(theme=name)
        change = "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })"
        self.page.evaluate(change, THEMES[name])
        light = "true" if name == "light" else "false"
        self.page.locator(f'body[data-jp-theme-light="{light}"]').wait_for(state="attached")

    def screenshot(self, name, locator=None):
        """Write a picture of the window, or of one element; return its path."""
        place = self.place
        path = place.screens / f"{name}-{place.front_end}-{place.theme}-{place.width}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        (locator or self.page).screenshot(path=path)
        return path

    # The cells

    def cell(self, index):
        """Return a cell, counted from 0."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index)

    def output(self, index):
        """Return what a cell shows below its source."""
        return self.cell(index).locator(".jp-Cell-outputArea")

    def run(self, index, *, wait=True):
        """Run a cell, and wait for its end unless told not to."""
        self._start("notebook:run-cell", index, wait=wait)

    def run_all(self, *, wait=True):
        """Run all cells, and wait for the end of the last, or of the first that fails, unless told not to."""
        self._start("notebook:run-all-cells", None, wait=wait)

    def run_new(self, source, *, wait=True):
        """Append a cell and run it; return its index."""
        index = self._call("append", source)
        self.run(index, wait=wait)
        return index

    def wait(self):
        """Wait until no cell runs and the kernel is idle."""
        self._until("hasEnded")

    # The kernel

    @property
    def kernel_id(self):
        """The kernel's id, which stays over a restart."""
        return self.server.kernel_id(self.path)

    def kernel_value(self, expression):
        """Return what an expression is in the kernel, over JSON; waits for a cell that runs to end."""
        (value,) = self._ask("", {"value": f"__import__('json').dumps({expression})"}).values()
        if value["status"] != "ok":
            raise AssertionError(f"{expression}: {value['ename']}: {value['evalue']}")
        return json.loads(ast.literal_eval(value["data"]["text/plain"]))

    def kernel_run(self, source):
        """Run code in the kernel behind the notebook's back: in no cell, in no history, its output lost."""
        self._ask(source, {})

    def interrupt(self):
        """Interrupt the kernel, as the button does; does not wait for anything."""
        self.server.rest("POST", f"/api/kernels/{self.kernel_id}/interrupt")

    def restart(self):
        """Restart the kernel, as the button does without its question, and wait until it is idle."""
        self._call("restart")
        self._until_ready()

    # The file

    def save(self):
        """Save the notebook; return what is in the file, with every text in one piece."""
        self._call("save")
        return nbformat.read(self.file, as_version=4)

    @property
    def _in_lab(self):
        return self.place.front_end == "lab"

    def _start(self, command, index, *, wait):
        self.page.evaluate(
            "([path, command, index]) => window.harness.start(path, command, index)", [self.path, command, index]
        )
        if wait:
            self.wait()

    def _call(self, name, *arguments):
        return self.page.evaluate("([name, ...rest]) => window.harness[name](...rest)", [name, self.path, *arguments])

    def _until(self, name):
        self.page.wait_for_function("([name, path]) => window.harness[name](path)", arg=[name, self.path])

    def _until_ready(self):
        self._until("isReady")

    def _heard(self, message):
        if message.type == "error":
            # What could not be loaded is not in the text.
            url = f" {message.location['url']}" if message.text.startswith("Failed to load") else ""
            self._note(message.text + url)

    def _note(self, text):
        if not any(re.search(known, text) for known in OWN_ERRORS[self.place.front_end]):
            self.errors.append(text)

    def _asked(self, request):
        if _is_elsewhere(request.url):
            self.outside.append(request.url)

    def _ask(self, source, expressions):
        with self._client() as client:
            request = client.execute(source, silent=True, store_history=False, user_expressions=expressions)
            while True:
                reply = client.get_shell_msg(timeout=60)
                if reply["parent_header"].get("msg_id") == request:
                    break
        content = reply["content"]
        if content["status"] != "ok":
            raise AssertionError("\n".join(content.get("traceback", [str(content)])))
        return content["user_expressions"]

    @contextmanager
    def _client(self):
        client = BlockingKernelClient(connection_file=str(self.server.connection_file(self.kernel_id)))
        client.load_connection_file()
        client.start_channels(iopub=False, stdin=False, hb=False, control=False)
        try:
            yield client
        finally:
            client.stop_channels()


def _is_elsewhere(url):
    parts = urlsplit(url)
    return parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in ("127.0.0.1", "localhost")
