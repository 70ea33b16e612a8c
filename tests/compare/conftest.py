"""A `Kling` on a quick sandbox in a folder of its own, and nothing left of it afterwards."""

import io
import random
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from PIL import Image

import kling_nb.kling as facade
from kling_nb import Kling
from kling_nb.key import kernel
from kling_nb.sandbox import Sandbox
from kling_nb.session import gateway


@pytest.fixture(autouse=True)
def nothing_left():
    """Forget, before and after, what this process knows of gateways, settings and the kernel."""

    def forget():
        gateway.close_all()
        facade._default.clear()
        facade._config.clear()
        kernel.login = kernel.sandbox = kernel.folder = None

    forget()
    yield
    forget()


@pytest.fixture(scope="session")
def pictures():
    """Small PNGs that the API would take, by number."""

    def make(number=1, width=320, height=300):
        buffer = io.BytesIO()
        colour = tuple(random.Random(number).randbytes(3))
        Image.new("RGB", (width, height), colour).save(buffer, "PNG")
        return buffer.getvalue()

    return make


@pytest.fixture
def cat(pictures):
    return pictures(1)


@pytest.fixture
def sandbox():
    """The sandbox of `Kling(sandbox=True)`, whose tasks have succeeded by the first look."""
    workspace = Path.cwd() / "kling_runs" / "sandbox"
    box = Sandbox(workspace / "gateway", seconds=0, images="constant").start()
    gateway._sandboxes[workspace] = box
    return box


@pytest.fixture
def new_kling(sandbox):
    """Make a `Kling` on that sandbox, as each cell or kernel may make its own."""

    def make(**settings):
        return Kling(**{"sandbox": True, "poll_interval": 0.01, "timeout": 30, "grace": 0.05, **settings})

    return make


@pytest.fixture
def kling(new_kling):
    return new_kling()


@pytest.fixture
def new_kernel(sandbox):
    """Forget everything but what is on disk, as a restart of the kernel does; the sandbox goes on."""

    def restart():
        workspace = Path.cwd() / "kling_runs" / "sandbox"
        del gateway._sandboxes[workspace]
        gateway.close_all()
        facade._default.clear()
        gateway._sandboxes[workspace] = sandbox

    return restart


@pytest.fixture
def shell(nothing_left):
    """A real shell that shows like a notebook's: through display, not through a terminal."""
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance()
    yield made
    made.history_manager.end_session()
    InteractiveShell.clear_instance()


@pytest.fixture
def tree():
    """Every file below a folder with its content."""

    def read(folder):
        return {
            str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
            for path in sorted(Path(folder).rglob("*"))
        }

    return read
