"""``%kling`` as it is seen in JupyterLab and Notebook 7."""

import pytest
from playwright.sync_api import expect

FAST = """
from pathlib import Path
from kling_nb.session import gateway
from kling_nb.sandbox import Sandbox
folder = Path("kling_runs/sandbox").resolve()
sandbox = gateway._sandboxes[folder] = Sandbox(folder / "gateway", seconds=0, images="constant").start()
"""
LOAD = "%load_ext kling_nb\n%config KlingMagics.poll_interval = 0.02"
SENT = "assert default().session.gateway.runner.wait(lambda: task.task_id is not None, 60)"
GRID = "%kling -s cat.png -o task a cat asleep"


def assert_shows_the_cat(output):
    """The one image has arrived, and takes up room."""
    image = output.get_by_role("img", name="a cat asleep")
    expect(image).to_be_visible()
    image.scroll_into_view_if_needed()
    assert image.evaluate("async (image) => { await image.decode(); return image.naturalWidth; }") > 100


@pytest.mark.parametrize("front_end", ["lab", "notebook"], indirect=True)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_line_shows_the_grid(open_notebook, photograph, theme):
    notebook = open_notebook([LOAD, GRID], [photograph()], theme=theme, width=700)
    notebook.kernel_run(FAST)
    notebook.run_all()
    assert_shows_the_cat(notebook.output(1))
    assert notebook.kernel_value("[len(task.images), task.task_status]") == [1, "succeeded"]
    notebook.screenshot("grid")
    assert notebook.errors == []
    assert notebook.outside == []


def test_a_grid_that_was_saved_is_there_again_after_a_reload(open_notebook, photograph):
    notebook = open_notebook([LOAD, GRID], [photograph()])
    notebook.kernel_run(FAST)
    notebook.run_all()
    (output,) = notebook.save()["cells"][1]["outputs"]
    assert "<img" in output["data"]["text/html"]
    for again in (notebook.reload, notebook.reopen):
        again()
        assert_shows_the_cat(notebook.output(1))
    assert notebook.kernel_value("task.task_status") == "succeeded"
    assert notebook.errors == []


@pytest.mark.promise("you interrupt a cell")
def test_an_interrupt_says_what_is_under_way_and_a_wait_fills_the_cell(open_notebook, photograph):
    notebook = open_notebook([LOAD, GRID, "%kling wait"], [photograph()])
    notebook.kernel_run(FAST + "sandbox.hold()")
    notebook.run(0)
    notebook.run(1, wait=False)
    expect(notebook.output(1)).to_contain_text("generating")
    notebook.interrupt()
    notebook.wait()
    said = notebook.output(1)
    expect(said).to_contain_text("KeyboardInterrupt")
    expect(said).to_contain_text("%kling wait")
    expect(said).to_contain_text("%kling resume")
    expect(said.get_by_role("img")).to_have_count(0)
    notebook.kernel_run("sandbox.release()")
    notebook.run(2)
    assert_shows_the_cat(notebook.output(1))
    assert notebook.errors == []


def test_a_new_kernel_says_what_an_earlier_one_left(open_notebook, photograph):
    notebook = open_notebook([LOAD, "%kling -s cat.png --background -o task a cat asleep"], [photograph()])
    notebook.kernel_run(FAST + "sandbox.hold()")
    notebook.run_all()
    notebook.kernel_run("from kling_nb import default\n" + SENT)
    notebook.restart()
    notebook.run(0)
    expect(notebook.output(0)).to_contain_text("1 task of an earlier session is not finished")
    assert notebook.errors == []
