"""What happens to a form when kernel, page or cell come and go, in JupyterLab and Notebook 7."""

from base64 import b64encode

import nbformat
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

COUNT = "len(__import__('ipywidgets.widgets.widget').widgets.widget._instances)"
KEY = "import os\nos.environ.pop('KLING_SANDBOX')\nos.environ['KLING_API_KEY'] = 'a-secret-key-of-32-letters-or-so'"
THUMBNAIL = "__import__('base64').b64encode(form.references.entries[0].thumbnail[300:600]).decode()"
GONE = "A form of kling_nb was here, and its kernel has gone."
CLOSED = "This form was closed."


def fill(form, prompt="a cat asleep"):
    form.type_into("Subject 1", "cat.png")
    form.expect_picture("Subject 1")
    form.prompt.fill(prompt)
    expect(form.root.locator(".kling-count")).to_contain_text(f"{len(prompt)} of")
    expect(form.generate).to_be_enabled()


@pytest.mark.parametrize("front_end", ["notebook"], indirect=True)
def test_an_interrupt_does_not_end_what_is_under_way(open_form, photograph):
    form = open_form([photograph()], more=["import threading\nprint('waiting')\nthreading.Event().wait()"])
    fill(form)
    form.notebook.kernel_run("_sandbox.hold()")
    form.generate.click()
    expect(form.card()).to_contain_text("generating")
    form.notebook.interrupt()
    form.notebook.run(2, wait=False)
    # The cell has its mark before the kernel has begun with it.
    expect(form.notebook.output(2)).to_contain_text("waiting")
    form.notebook.interrupt()
    form.notebook.wait()
    expect(form.notebook.output(2)).to_contain_text("KeyboardInterrupt")
    expect(form.card()).to_contain_text("generating")
    form.notebook.kernel_run("_sandbox.release()")
    form.expect_result()
    form.generate.click()
    expect(form.root.locator(".kling-run")).to_have_count(2)
    form.expect_result()


@pytest.mark.parametrize("front_end", ["notebook"], indirect=True)
def test_a_reload_finds_the_form_again(open_form, photograph, drop_files):
    form = open_form([photograph()])
    fill(form)
    form.generate.click()
    form.expect_result()
    form.notebook.save()
    form.notebook.reload()
    form = form.again()
    form.expect_picture("Subject 1")
    expect(form.prompt).to_have_value("a cat asleep")
    form.expect_result()
    drop_files(form.tile("Subject 2"), [photograph("hat.png", "navy")])
    form.expect_picture("Subject 2")
    form.generate.click()
    expect(form.root.locator(".kling-run")).to_have_count(2)
    form.expect_result()
    assert len(form.bodies()) == 2
    expect(form.notebook.output(1).get_by_text(GONE)).to_be_hidden()


@pytest.mark.parametrize("front_end", ["lab"], indirect=True)
def test_running_the_cell_again_leaves_nothing_of_the_old_one(open_form, photograph):
    form = open_form([photograph()])
    form.notebook.run(1)
    form = form.again()
    fill(form, "one")
    before = form.notebook.kernel_value(COUNT)
    form.notebook.run(1)
    form = form.again()
    expect(form.prompt).to_have_value("")
    fill(form, "two")
    assert form.notebook.kernel_value(COUNT) == before
    form.notebook.kernel_run("_sandbox.hold()")
    form.generate.click()
    expect(form.card()).to_contain_text("generating")
    form.notebook.run(1)
    form = form.again()
    expect(form.root).to_have_count(1)
    expect(form.card()).to_contain_text("1 image · two")
    expect(form.card()).to_contain_text("generating")
    form.notebook.kernel_run("_sandbox.release()")
    form.expect_result()
    names = "[thread.name for thread in __import__('threading').enumerate() if thread.name.startswith('kling-form')]"
    assert len(form.notebook.kernel_value(names)) <= 2


@pytest.mark.parametrize("front_end", ["lab"], indirect=True)
def test_a_restart_leaves_the_results_and_so_does_closing_a_new_form(open_form, photograph):
    form = open_form([photograph()])
    fill(form)
    form.generate.click()
    form.expect_result()
    form.notebook.restart()
    expect(form.notebook.output(1).get_by_text(GONE)).to_be_visible()
    expect(form.notebook.output(1).get_by_role("img", name="a cat asleep").filter(visible=True)).to_have_count(1)
    form.notebook.run(0)
    form.notebook.run(1)
    form = form.again()
    expect(form.root).to_have_count(1)
    expect(form.prompt).to_have_value("")
    fill(form)
    form.generate.click()
    form.expect_result()
    # Closed, it leaves its results and nothing else.
    form.notebook.run_new("form.close()")
    expect(form.root).to_have_count(0)
    expect(form.notebook.output(1).get_by_text(CLOSED)).to_be_visible()
    expect(form.notebook.output(1).get_by_role("img", name="a cat asleep")).to_be_visible()
    assert form.notebook.kernel_value(COUNT) == 0


@pytest.mark.parametrize(("front_end", "trusted"), [("notebook", True), ("lab", False)], indirect=["front_end"])
def test_without_its_kernel_a_saved_notebook_shows_the_results(open_form, photograph, drop_files, trusted):
    form = open_form()
    path = photograph("my secret photo.png")
    drop_files(form.tile("Subject 1"), [path])
    form.expect_picture("Subject 1")
    form.prompt.fill("a cat asleep")
    form.generate.click()
    form.expect_result()
    form.notebook.kernel_value("form.settle()")
    notebook = form.notebook
    written = notebook.save()
    assert "widgets" not in written.metadata
    notebook.close()
    notebook.server.end_sessions()
    if not trusted:
        # A notebook is trusted by its content.
        written.cells[0].source += "\n# changed"
        nbformat.write(written, notebook.file)
    notebook.open()
    output = notebook.output(1)
    expect(output.get_by_text(GONE)).to_be_visible()
    expect(output.get_by_role("img", name="a cat asleep")).to_be_visible()
    expect(output.locator(".kling-form")).to_have_count(0)
    expect(output.get_by_text("Where widgets cannot be shown")).to_have_count(0 if trusted else 1)
    expect(output.get_by_text("Loading widget")).not_to_be_visible()
    # What ipywidgets says of any widget without its kernel.
    notebook.errors[:] = [error for error in notebook.errors if "widget model not found" not in error]
    notebook.screenshot(f"form-without-kernel-{'trusted' if trusted else 'untrusted'}")


@pytest.fixture
def states_are_saved(server):
    """Turn on that widget states are saved, as in the menu Settings."""
    path = server.home / "settings" / "@jupyter-widgets" / "jupyterlab-manager" / "plugin.jupyterlab-settings"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"saveState": true}')
    yield
    path.unlink()


@pytest.mark.parametrize("front_end", ["lab"], indirect=True)
def test_a_saved_state_holds_neither_key_nor_files(states_are_saved, open_form, drop_files, tmp_path):
    path = tmp_path / "noise.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (320, 320, 3), np.uint8)).save(path)
    form = open_form(unseen=KEY)
    drop_files(form.tile("Subject 1"), [path])
    form.expect_picture("Subject 1")
    expect(form.why).to_contain_text("price unknown")
    written = form.notebook.save()
    assert len(written.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]) > 50
    text = form.notebook.file.read_text()
    assert "a-secret-key" not in text
    data = path.read_bytes()
    for start in range(1000, 1003):
        assert b64encode(data[start : start + 60]).decode() not in text
    thumbnail = form.notebook.kernel_value(THUMBNAIL)
    assert len(thumbnail) > 100
    assert thumbnail not in text
    # With its state, too, a form without its kernel is not there.
    form.notebook.close()
    form.notebook.server.end_sessions()
    form.notebook.open()
    expect(form.notebook.output(1).locator(".kling-form")).to_be_attached()
    expect(form.notebook.output(1).locator(".kling-form")).to_be_hidden()
    expect(form.notebook.output(1).get_by_text(GONE)).to_be_visible()
