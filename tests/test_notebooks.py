"""The notebooks, executed as a reader would, and what stays in them."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
KEY = "sk-must-not-appear-4711"

_spec = importlib.util.spec_from_file_location("kling_execute", NOTEBOOKS / "execute.py")
execute = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(execute)


def run_cells(folder, *sources):
    """Execute cells in a new kernel as nbconvert and papermill do; return the notebook."""
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    path = folder / "made.ipynb"
    nbformat.write(notebook, path)
    execute.execute(path)
    return nbformat.read(path, as_version=4)


def outputs(notebook, kind="text/html"):
    return "\n".join(
        output.get("data", {}).get(kind, "")
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    )


@pytest.mark.slow
def test_the_demo_executes_the_quickstart_and_writes_a_page_without_a_key(tmp_path):
    folder = tmp_path / "demo"
    done = subprocess.run(
        [sys.executable, NOTEBOOKS / "execute.py", NOTEBOOKS / "quickstart.ipynb", folder],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "KLING_API_KEY": KEY, "KLING_BASE_URL": "https://example.com"},
    )
    page = Path(done.stdout.splitlines()[-1])
    assert page == folder / "quickstart.html"
    html = page.read_text()
    assert html.count("<img") >= 15
    assert "SANDBOX" in html
    images = list((folder / "kling_runs" / "sandbox" / "images").glob("*.png"))
    assert len(images) >= 10
    for path in folder.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes()
    # Run once more, it replaces what it made itself, and nothing else.
    execute.copy(NOTEBOOKS / "quickstart.ipynb", folder)
    assert not page.exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(SystemExit):
        execute.copy(NOTEBOOKS / "quickstart.ipynb", tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").exists()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_comparison_runs_from_the_question_to_the_table(tmp_path):
    stored = nbformat.read(NOTEBOOKS / "comparison.ipynb", as_version=4)
    shutil.copytree(NOTEBOOKS / "photos", tmp_path / "photos")
    notebook = run_cells(tmp_path, FAST, *(cell.source for cell in stored.cells if cell.cell_type == "code"))
    shown = outputs(notebook) + outputs(notebook, "text/markdown")
    assert "12 prompts, 3 raters" in shown
    assert "before the first answer" in shown
    assert notebook.cells[-4].outputs[-1]["data"]["text/plain"] == "True"
    assert (tmp_path / "light" / "answers.csv").exists()
    assert (tmp_path / "light.pdf").stat().st_size > 10_000


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_stored_notebook_is_executed_small_and_shows_images_without_this_machine(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert "data:image/jpeg" in outputs(notebook)
    assert path.stat().st_size < 1_200_000
    text = path.read_text()
    for trace in (str(Path.home()), "/tmp/", "/var/folders"):
        assert trace not in text
    assert "widgets" not in notebook.metadata
    assert not [o for cell in code for o in cell.outputs if o.output_type == "error"]


def test_the_quickstart_begins_with_the_sandbox():
    notebook = nbformat.read(NOTEBOOKS / "quickstart.ipynb", as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    assert "%kling sandbox on" in first.source
    assert "%kling login" in notebook.cells[0].source


FAST = """
from pathlib import Path
from PIL import Image
Image.new("RGB", (400, 320), "orange").save("cat.png")
from kling_nb.session import gateway
from kling_nb.sandbox import Sandbox
folder = Path("kling_runs/sandbox").resolve()
sandbox = gateway._sandboxes[folder] = Sandbox(folder / "gateway", seconds=0, images="constant").start()
%load_ext kling_nb
%kling sandbox on
%config KlingMagics.poll_interval = 0.02
"""


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("%kling -s cat.png [sandbox: fail] a cat", "TaskFailed"),
        ("%kling -s cat.png [sandbox: refuse] a cat", "ContentRefused"),
        ("%kling -s cat.png -n 12 a cat", "UsageError"),
        ("%config KlingMagics.confirm_above = 1\n%kling -s cat.png -n 2 a cat", "--yes"),
    ],
)
def test_a_call_that_fails_fails_the_cell(tmp_path, line, says):
    with pytest.raises(CellExecutionError) as error:
        run_cells(tmp_path, FAST, line, "print('run all goes on')")
    assert says in str(error.value)
    assert "site-packages" not in str(error.value)


def test_what_runs_in_the_background_is_in_the_saved_notebook_after_a_wait(tmp_path):
    notebook = run_cells(tmp_path, FAST, "%kling -s cat.png -n 3 --background a cat", "%kling wait")
    assert notebook.cells[1].outputs[0].data["text/html"].count("<img") >= 3


def test_the_progress_leaves_one_output_a_call(tmp_path):
    notebook = run_cells(
        tmp_path, FAST, "%kling -s cat.png a cat", "%kling -s cat.png a;", "x = %kling -s cat.png -q a"
    )
    assert [len(cell.outputs) for cell in notebook.cells[1:]] == [1, 0, 0]
