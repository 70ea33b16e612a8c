"""What nbconvert makes of an output: pictures in HTML, the sheet in LaTeX."""

import base64

import nbformat
import pytest
from nbconvert import HTMLExporter, LatexExporter

from kling_nb.display import task_bundle


@pytest.fixture
def notebook(make_view):
    data, metadata = task_bundle(make_view(n=4), now=0.0)
    output = nbformat.v4.new_output("display_data", data=data, metadata=metadata)
    cell = nbformat.v4.new_code_cell("%kling -s cat a cat wearing the hat", outputs=[output])
    made = nbformat.v4.new_notebook(cells=[cell])
    nbformat.validate(made)
    return nbformat.reads(nbformat.writes(made), as_version=4)


@pytest.mark.parametrize("template", ["lab", "classic", "basic"])
def test_html_keeps_the_grid(notebook, template):
    page, _ = HTMLExporter(template_name=template).from_notebook_node(notebook)
    assert page.count("data:image/jpeg;base64,") == 8
    assert "a cat wearing the hat (image 4 of 4)" in page
    assert "kling-v2-1 · 3:2 · 4 images · 41 s" in page


def test_latex_takes_the_sheet(notebook):
    page, resources = LatexExporter().from_notebook_node(notebook)
    sheet = base64.b64decode(notebook.cells[0].outputs[0].data["image/jpeg"])
    (name,) = [name for name, data in resources["outputs"].items() if data == sheet]
    assert name.endswith((".jpg", ".jpeg"))
    assert name in page
