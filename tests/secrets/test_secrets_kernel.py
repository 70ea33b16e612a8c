"""A marked key in a real kernel: in its environment, and typed where nobody sees it.

Searched is what stays: the saved notebook, every message on the wire, IPython's history, the workspace. Of the
kernel's own files the history alone may hold what a user typed into a cell, and `getpass` types into none.
"""

import json
import os

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager, KernelManager
from nbclient import NotebookClient

TYPED = "these words were typed into a cell"

SETUP = """
import logging, sys
logging.basicConfig(level=0, stream=sys.stdout)
from PIL import Image
cat = Image.new("RGB", (400, 320), "orange")
%load_ext kling_nb
%config KlingMagics.poll_interval = 0.01
%config KlingMagics.grace = 0.05
"""

USE = [
    "%kling -s cat -n 2 -o task a cat",
    "%%kling -s cat --style cat\na cat",
    "%kling -s cat --dry-run a cat",
    "%kling -s cat --background a cat\n%kling wait",
    "from kling_nb import Kling, default\nkling = default()\nkling, kling.settings, vars(kling), kling.session.gateway",
    "task\n",
    "task.images[0].save('copy.png')\ntask.images[0].metadata",
    "kling.tasks()",
    "kling.tasks().to_dataframe()",
    "kling.spent()",
    "%kling history",
    "%kling resume",
    "%kling help",
    "%config KlingMagics",
    "%whos",
    "kling?",
]

VAULT = """
import os
def vault():
    key = os.environ.get("KLING_API_KEY", "")
    raise PermissionError(f"no such key as {key}")
Kling(vault).generate("a cat", subject_images=cat)
"""

FAIL = [
    "%kling -s cat [sandbox: fail] a cat",
    "kling.generate('[sandbox: refuse] a cat', subject_images=cat)",
    "%xmode Verbose\n%kling -s cat [sandbox: broke] a cat",
    "kling.generate('a cat', subject_images=cat, n=100)",
    "kling.session.gateway.client.query('nothing')",
    "Kling(slots='none')",
    "kling.task('nothing')",
    "import os, pickle\npickle.dumps(kling.settings.key.current())",
    VAULT,
]


@pytest.fixture
def own_manager(tmp_path):
    """Kernels that are spoken to through files: nobody warns, on standard error, of those who could listen."""

    def of(kind):
        ipc = os.name == "posix"
        where = str(tmp_path / ".ipc") if ipc else "127.0.0.1"
        return type("OwnManager", (kind,), {"transport": "ipc" if ipc else "tcp", "ip": where})

    return of


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the kernel works and keeps its history, all of it to be searched."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def test_in_the_environment_of_an_executed_notebook(scene, folder, own_manager, monkeypatch):
    scene.use("environment")
    monkeypatch.setenv("KLING_BASE_URL", scene.box.base_url)
    said = f"the key {scene.mark.key} may not"
    scene.box.faults.add("create", "status", status=401, code=1000, message=said, match="echo")
    notebook = nbformat.v4.new_notebook()
    sources = [SETUP, *USE, *FAIL, "%kling -s cat --external-task-id echo a cat", f"# {TYPED}", "%kling login"]
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    NotebookClient(
        notebook,
        timeout=60,
        startup_timeout=60,
        allow_errors=True,
        kernel_name="python3",
        kernel_manager_class=own_manager(AsyncKernelManager),
        ipython_hist_file=str(folder / "history.sqlite"),
        resources={"metadata": {"path": str(folder)}},
    ).execute()
    nbformat.write(notebook, folder / "executed.ipynb")
    saved = (folder / "executed.ipynb").read_text()
    # What was to happen did: pictures, errors, logs, and history.
    for trace in ("image/jpeg", "TaskFailed", "ContentRefused", "OutOfBalance", "AuthenticationFailed", "httpcore"):
        assert trace in saved
    assert saved.count("PermissionError") >= 1
    assert TYPED.encode() in (folder / "history.sqlite").read_bytes()
    failed = [cell.source for cell in notebook.cells if any(o.output_type == "error" for o in cell.outputs)]
    assert [source for source in [SETUP, *USE] if source in failed] == []
    assert [source for source in FAIL if source not in failed] == []
    scene.check()


class Kernel:
    """A kernel, and all that it says."""

    def __init__(self, manager, folder):
        self.manager = manager
        self.messages = []
        manager.start_kernel(cwd=str(folder))
        self.client = manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(self, source, answer=""):
        """Run a cell; answer when it asks; return what it said."""
        said = []
        reply = self.client.execute_interactive(
            source,
            allow_stdin=True,
            output_hook=said.append,
            stdin_hook=lambda message: (said.append(message), self.client.input(answer)),
            timeout=60,
        )
        self.messages += [*said, reply]
        return json.dumps([message["content"] for message in said])

    def stop(self):
        self.client.shutdown()
        self.manager.finish_shutdown()
        self.client.stop_channels()
        self.manager.cleanup_resources()


@pytest.fixture
def kernel(scene, folder, own_manager, monkeypatch):
    """A kernel that uses the gateway and was told no key."""
    monkeypatch.setenv("KLING_BASE_URL", scene.box.base_url)
    started = Kernel(own_manager(KernelManager)(kernel_name="python3"), folder)
    started.run(SETUP)
    yield started
    if started.manager.has_kernel:
        started.stop()


def test_typed_where_nobody_sees_it(scene, kernel, tmp_path):
    assert "There is no API key" in kernel.run("%kling -s cat a cat")
    asked = kernel.run("%kling login", scene.mark.key)
    assert '"password": true' in asked
    assert "goes into no file" in asked
    assert "image/jpeg" in kernel.run("%kling -s cat -o task a cat")
    for source in (*USE[1:], *FAIL[:-1], f"# {TYPED}"):
        kernel.run(source)
    kernel.run("%kling login", f"{scene.mark.key} and more")
    kernel.run("%kling logout\n%kling -s cat a cat")
    # Its history is written when it ends.
    kernel.stop()
    scene.say(json.dumps(kernel.messages, default=str))
    (history,) = (tmp_path / "ipython").rglob("history.sqlite")
    assert TYPED.encode() in history.read_bytes()
    assert any(seen.headers.get("authorization") for seen in scene.box.requests)
    scene.check()
