"""Execute a notebook from a clean copy, and write it out as a page to look at.

    python notebooks/execute.py notebooks/quickstart.ipynb demo      copy, execute, write demo/quickstart.html
    python notebooks/execute.py --copy-only NOTEBOOK FOLDER          copy without outputs
    python notebooks/execute.py --in-place NOTEBOOK…                 execute elsewhere, store the outputs here

Everything runs in the sandbox, and no key is passed on.
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat

MARKER = ".made-by-make-demo"


def copy(notebook: Path, folder: Path) -> Path:
    """Copy a notebook without outputs, and the photographs beside it, into an emptied folder."""
    if folder.exists():
        if any(folder.iterdir()) and not (folder / MARKER).exists():
            sys.exit(f"{folder} exists and was not made by this; move it away first.")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARKER).touch()
    shutil.copytree(notebook.parent / "photos", folder / "photos")
    content = nbformat.read(notebook, as_version=4)
    for cell in content.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    target = folder / notebook.name
    nbformat.write(content, target)
    return target


def execute(notebook: Path) -> nbformat.NotebookNode:
    """Execute a notebook in its own folder and store its outputs; a failing cell fails this."""
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    for name in ("KLING_API_KEY", "KLING_BASE_URL", "KLING_WORKSPACE"):
        os.environ.pop(name, None)
    os.environ["KLING_SANDBOX"] = "1"
    content = nbformat.read(notebook, as_version=4)
    resources = {"metadata": {"path": str(notebook.parent)}}
    with tempfile.TemporaryDirectory() as folder:

        class OwnKernelManager(AsyncKernelManager):
            """Talks through files rather than ports: nobody else can connect, and no kernel warns that they could."""

            transport = "ipc" if os.name == "posix" else "tcp"
            ip = str(Path(folder) / "kernel") if os.name == "posix" else "127.0.0.1"

        options = {"kernel_manager_class": OwnKernelManager, "kernel_name": "python3", "resources": resources}
        # The state of a form's widgets is of no use without a kernel, and makes GitHub show nothing at all.
        options["store_widget_state"] = False
        NotebookClient(content, timeout=120, startup_timeout=60, **options).execute()
    for cell in content.cells:
        # When a cell ran is of no interest to a reader, and makes every diff larger.
        cell.metadata.pop("execution", None)
    nbformat.write(content, notebook)
    return content


def as_page(content: nbformat.NotebookNode, target: Path) -> None:
    """Write an executed notebook as HTML."""
    from nbconvert import HTMLExporter

    html, _ = HTMLExporter().from_notebook_node(content)
    target.write_text(html, encoding="utf-8")


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--copy-only", action="store_true", help="copy without executing")
    parser.add_argument("--in-place", action="store_true", help="store the outputs in the notebooks themselves")
    parser.add_argument("paths", nargs="+", type=Path, help="a notebook and a folder; with --in-place, notebooks")
    options = parser.parse_args()
    if options.in_place:
        for notebook in options.paths:
            with tempfile.TemporaryDirectory() as folder:
                twin = copy(notebook, Path(folder) / "run")
                execute(twin)
                shutil.copyfile(twin, notebook)
                print(f"{notebook}: {notebook.stat().st_size / 1000:.0f} kB")
        return
    if len(options.paths) != 2:
        parser.error("give a notebook and a folder")
    notebook, folder = options.paths
    twin = copy(notebook, folder)
    if options.copy_only:
        return
    print(f"Executing {notebook} in the sandbox …", flush=True)
    page = twin.with_suffix(".html")
    as_page(execute(twin), page)
    print(page.resolve())


if __name__ == "__main__":
    main()
