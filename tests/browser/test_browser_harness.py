"""The harness itself: what it says of a notebook is so, in both front ends."""

import sys

import pytest
from playwright.sync_api import expect

SPIN = "print('begun', flush=True)\nwhile True: pass"

BAD = """
from IPython.display import Javascript
Javascript("console.error('told'); Promise.reject(new Error('thrown')); new Image().src = 'https://example.com/x.png'")
"""


def shown(notebook, index):
    """What a cell shows, without the prompt before it."""
    return notebook.output(index).locator(".jp-OutputArea-output")


def test_a_notebook_without_us_has_no_errors_and_asks_nobody_elsewhere(open_notebook):
    notebook = open_notebook(["1 + 1"])
    notebook.run(0)
    expect(shown(notebook, 0)).to_have_text("2")
    assert (notebook.errors, notebook.outside) == ([], [])


@pytest.mark.slow
def test_errors_of_the_page_and_requests_to_elsewhere_are_noted(open_notebook):
    notebook = open_notebook([BAD])
    with notebook.page.expect_event("requestfailed"), notebook.page.expect_event("pageerror"):
        notebook.run(0)
    assert "told" in notebook.errors
    assert "thrown" in notebook.errors
    assert notebook.outside == ["https://example.com/x.png"]


@pytest.mark.slow
def test_cells_run_to_their_end_and_the_kernel_says_what_it_has(open_notebook):
    notebook = open_notebook(["x = [1, 'two']", "raise ValueError('no')", "x.append(3)"])
    notebook.run_all()
    expect(notebook.output(1)).to_contain_text("ValueError: no")
    # Run all stops at an error.
    assert notebook.kernel_value("x") == [1, "two"]
    notebook.run(2)
    assert notebook.kernel_value("x") == [1, "two", 3]
    notebook.kernel_run("x.clear()")
    assert notebook.kernel_value("x") == []
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        notebook.kernel_value("1 / 0")
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        notebook.kernel_run("1 / 0")
    assert notebook.run_new("x") == 3
    expect(shown(notebook, 3)).to_have_text("[]")
    assert notebook.save()["cells"][3]["execution_count"] == 4


@pytest.mark.slow
def test_the_kernel_is_that_of_the_tests_in_the_sandbox_and_in_the_notebooks_folder(open_notebook, photograph):
    notebook = open_notebook([], [photograph()])
    notebook.kernel_run("import os, sys")
    assert notebook.kernel_value("sys.executable") == sys.executable
    ours = "{name: value for name, value in os.environ.items() if name.startswith('KLING_')}"
    assert notebook.kernel_value(ours) == {"KLING_SANDBOX": "1"}
    assert {"cat.png", "x.ipynb"} <= set(notebook.kernel_value("os.listdir()"))


@pytest.mark.slow
def test_interrupt_and_restart(open_notebook):
    notebook = open_notebook(["x = 1", SPIN])
    notebook.run(0)
    for end in (notebook.interrupt, notebook.restart):
        notebook.run(1, wait=False)
        expect(notebook.output(1)).to_contain_text("begun")
        before = notebook.kernel_id
        end()
        notebook.wait()
        assert notebook.kernel_id == before
    assert notebook.kernel_value("'x' in globals()") is False
    assert notebook.errors == []


@pytest.mark.slow
def test_what_is_saved_outlives_a_reload_and_a_new_page_and_so_does_the_kernel(open_notebook):
    notebook = open_notebook(["x = 1\nx"])
    notebook.run(0)
    notebook.save()
    for again in (notebook.reload, notebook.reopen):
        notebook.run_new("'not saved'")
        again()
        expect(shown(notebook, 0)).to_have_text("1")
        expect(notebook.page.locator(".jp-Notebook .jp-Cell")).to_have_count(1)
    assert notebook.kernel_value("x") == 1
    assert notebook.errors == []


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_theme_and_size(open_notebook, theme):
    notebook = open_notebook(["1"], theme=theme, width=700)
    body = notebook.page.locator("body")
    expect(body).to_have_attribute("data-jp-theme-light", "true" if theme == "light" else "false")
    assert notebook.page.evaluate("innerWidth") == 700
    notebook.resize(1400)
    assert notebook.page.evaluate("innerWidth") == 1400
    other = "dark" if theme == "light" else "light"
    notebook.theme(other)
    expect(body).to_have_attribute("data-jp-theme-light", "true" if other == "light" else "false")
    path = notebook.screenshot("harness")
    assert path.name == f"harness-{notebook.place.front_end}-{other}-1400.png"
    assert path.stat().st_size > 1000


FIELD = """
from IPython.display import Javascript
Javascript('''
const field = document.createElement("div");
field.tabIndex = 0;
field.className = "field";
field.textContent = "here";
for (const [kind, key] of [["paste", "clipboardData"], ["drop", "dataTransfer"]])
  field.addEventListener(kind, (event) => {
    event.preventDefault();
    field.textContent += " " + kind + " " + [...event[key].files].map((file) => file.name).join(" ");
  });
field.addEventListener("dragover", (event) => event.preventDefault());
element.append(field);
''')
"""


@pytest.mark.slow
def test_images_are_pasted_and_dropped_on_what_a_cell_shows(open_notebook, photograph, paste_image, drop_files):
    notebook = open_notebook([FIELD, ""])
    notebook.run(0)
    field = notebook.output(0).locator(".field")
    paste_image(field, photograph())
    expect(field).to_have_text("here paste image.png")
    drop_files(field, [photograph("hat.jpg"), photograph("mat.webp")])
    expect(field).to_have_text("here paste image.png drop hat.jpg mat.webp")
    # Nor did the front end take the keys or the files for itself.
    assert [cell["source"] for cell in notebook.save()["cells"]] == [FIELD, ""]
    assert notebook.errors == []
