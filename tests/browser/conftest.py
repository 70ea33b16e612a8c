"""A Jupyter server and a browser for every worker, a notebook for every test."""

import importlib.util
import itertools
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect, sync_playwright

HERE = Path(__file__).parent
CHROMIUM = os.environ.get("KLING_CHROMIUM") or shutil.which("chromium")
SCREENS = Path(os.environ.get("KLING_SCREENS") or HERE.parent.parent / "build" / "screens").absolute()
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # In a container /dev/shm is too small for the pages.
    "--disable-dev-shm-usage",
]
# Not by a route of Playwright's, with which nothing is kept that was loaded before.
NOWHERE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
PATIENCE = 45_000  # milliseconds; less than a test may take, for it to say what it waited for

_folder = HERE / "harness"
_spec = importlib.util.spec_from_file_location(
    "browser_harness", _folder / "__init__.py", submodule_search_locations=[str(_folder)]
)
harness = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = harness
_spec.loader.exec_module(harness)

_failed = pytest.StashKey()
_counter = itertools.count(1)


def pytest_configure(config):
    """End at once where there is no browser: fifty tests that fail say no more."""
    if not (CHROMIUM and Path(CHROMIUM).is_file()):
        wanted = f"no {CHROMIUM}" if CHROMIUM else "no Chromium"
        raise pytest.UsageError(
            f"There is {wanted} to test in: apt-get install chromium, or set KLING_CHROMIUM to one."
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Remember a failure, for there to be a picture of it."""
    report = yield
    if report.when == "call" and report.failed:
        item.stash[_failed] = True
    return report


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A Jupyter server of this worker."""
    one = harness.JupyterServer(tmp_path_factory.mktemp("jupyter") / "home")
    yield one
    one.stop()


@pytest.fixture(scope="session")
def chromium():
    """What starts browsers."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        yield playwright.chromium


@pytest.fixture(scope="session")
def browser(chromium):
    """A browser of this worker."""
    one = chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, NOWHERE])
    yield one
    one.close()


@pytest.fixture(scope="session")
def profile(chromium, tmp_path_factory):
    """A browser of this worker's that keeps a front end's scripts, as a person's does: they take long to compile."""
    one = chromium.launch_persistent_context(
        tmp_path_factory.mktemp("profile"), executable_path=CHROMIUM, args=[*FLAGS, NOWHERE]
    )
    one.set_default_timeout(PATIENCE)
    one.grant_permissions(["clipboard-read", "clipboard-write"])
    yield one
    one.close()


@pytest.fixture
def front_end_context(profile, server):
    """The same, in which nothing but these scripts is left of earlier tests."""
    yield profile
    # The first page keeps the browser open.
    first, *pages = profile.pages
    for page in pages:
        page.close()
    swept = {"origin": server.url, "storageTypes": "cookies,local_storage,indexeddb,cache_storage,service_workers"}
    session = profile.new_cdp_session(first)
    session.send("Storage.clearDataForOrigin", swept)
    session.detach()


@pytest.fixture
def context(browser, tmp_path):
    """A browser that has seen nothing yet, and lets its pages use the clipboard."""
    one = browser.new_context(accept_downloads=True)
    one.set_default_timeout(PATIENCE)
    one.grant_permissions(["clipboard-read", "clipboard-write"])
    yield one
    one.close()


@pytest.fixture(params=["lab", pytest.param("notebook", marks=pytest.mark.slow)])
def front_end(request):
    """JupyterLab, and where there is time Notebook 7; ``parametrize(…, indirect=True)`` names others."""
    return request.param


@pytest.fixture
def photograph(tmp_path):
    """Return a function that makes an image file; its name says in which format."""

    def make(name="cat.png", colour="orange", size=(400, 320)):
        path = tmp_path / name
        Image.new("RGB", size, colour).save(path)
        return path

    return make


@pytest.fixture
def open_notebook(request, server, front_end_context, front_end):
    """Return a function that opens a notebook: its cells, files to lay beside it, theme and size of the window.

    In a context of the test's own, where that is given.
    """
    opened = []

    def open_one(cells, files=(), *, theme="light", width=1400, height=1000, context=front_end_context):
        # Not the test's whole name: a folder's name has room for less.
        name = re.sub(r"\W+", "-", request.node.name)[:60].strip("-")
        folder = server.root / f"{name}-{next(_counter)}"
        folder.mkdir()
        for path in files:
            shutil.copy(path, folder)
        place = harness.Place(front_end, theme, width, height, SCREENS)
        notebook = harness.NotebookPage(server, context, folder, cells, place)
        opened.append(notebook)
        return notebook

    yield open_one
    if request.node.stash.get(_failed, False):
        for notebook in opened:
            if not notebook.page.is_closed():
                notebook.screenshot(f"failed-{notebook.folder.name}")
    server.end_sessions()


@pytest.fixture
def open_form(open_notebook):
    """Return a function that opens a notebook with a form in cell 1, on a sandbox that takes no time.

    In the end nothing may have been said in the console, and nothing asked for elsewhere; not so where the form's
    own JavaScript is not to load (``whole=False``).
    """
    opened = []

    def open_one(files=(), *, before="", more=(), unseen="", whole=True, **place):
        notebook = open_notebook([f"{harness.LOAD}\n{before}".strip(), "form = %kling form", *more], files, **place)
        # Behind the notebook's back: what is in no cell is in no file.
        notebook.kernel_run(harness.FAST_SANDBOX + unseen)
        notebook.run(0)
        notebook.run(1)
        form = harness.FormPage(notebook, 1)
        if whole:
            opened.append(notebook)
            form.until_ready()
        return form

    yield open_one
    for notebook in opened:
        assert notebook.errors == []
        assert notebook.outside == []


@pytest.fixture
def paste_image():
    """Return a function of an element and a PNG: really presses Control+V."""
    return harness.paste_image


@pytest.fixture
def paste_files():
    """Return a function of an element and files: the `paste` event of copied files."""
    return harness.paste_files


@pytest.fixture
def drop_files():
    """Return a function of an element and files: drags and drops them."""
    return harness.drop_files


@pytest.fixture
def screens():
    """Return the folder for pictures of what was seen."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    return SCREENS
