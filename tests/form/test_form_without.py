"""The form where something is missing: a notebook, the JavaScript of its own, widgets at all."""

import subprocess
import sys

import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.utils.capture import capture_output

from kling_nb.form import places

WITHOUT_WIDGETS = """
import sys
sys.modules["ipywidgets"] = None
from IPython.core.interactiveshell import InteractiveShell
from kling_nb import ConfigurationError, Kling
try:
    Kling(sandbox=True).form()
except ConfigurationError as error:
    print(error)
shell = InteractiveShell.instance(colors="nocolor")
shell.run_line_magic("load_ext", "kling_nb")
shell.run_cell("%kling form")
shell.run_line_magic("unload_ext", "kling_nb")
"""


class TestWithoutANotebook:
    def test_the_magic_says_plainly_what_is_needed_and_once(self, shell, files, sandbox):
        shell.run_line_magic("load_ext", "kling_nb")
        shell.run_line_magic("kling", "sandbox on;")
        publisher, shell.display_pub = shell.display_pub, CapturingDisplayPublisher()
        try:
            with capture_output(display=False) as printed:
                shell.run_cell("%kling form").raise_error()
            shown = [output["data"] for output in shell.display_pub.outputs]
        finally:
            shell.display_pub = publisher
        assert len(shown) == 1
        assert set(shown[0]) == {"text/plain"}
        assert "needs a notebook" in shown[0]["text/plain"]
        assert "`%kling`" in shown[0]["text/plain"]
        assert "Traceback" not in printed.stdout + printed.stderr
        shell.run_line_magic("unload_ext", "kling_nb")
        assert places.all_open() == []

    def test_a_script_can_use_it_without_seeing_it(self, kling, files):
        form = kling.form("a cat", subject_images="cat.png")
        form.generate().wait(quiet=True)
        assert form.settle()
        assert len(form.tasks[0].images) == 1


class TestWithoutAnywidget:
    @pytest.fixture
    def form(self, kling, files, monkeypatch):
        monkeypatch.setitem(sys.modules, "anywidget", None)
        monkeypatch.delitem(sys.modules, "kling_nb.form.tile", raising=False)
        return kling.form()

    def test_everything_but_dropping_works(self, form, person, pictures, widgets_left):
        slots = form.references.slots
        assert [slot.tile for slot in slots] == [None] * 6
        assert not any(slot.alive for slot in slots)
        assert form.code.cell.button is None
        person.types(slots[0].source, "cat.png")
        person.uploads(slots[4], "sea.png", pictures(7))
        person.types(form.fields.prompt, "a cat")
        assert form.settle()
        assert "base64" in slots[0].picture.value
        assert "base64" in slots[4].picture.value
        assert "a cat" in form.code.python._text.value
        person.clicks(slots[0].right)
        assert slots[1].source.value == "cat.png"
        assert slots[0].picture.value == ""
        run = person.agrees(form)
        assert run.result.outputs
        form.close()
        assert widgets_left() == []


def test_without_ipywidgets_it_says_what_to_do(tmp_path):
    done = subprocess.run([sys.executable, "-c", WITHOUT_WIDGETS], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    python, magic = done.stdout.split("%kling", 1)[0], done.stdout
    assert "pip install ipywidgets" in python
    assert magic.count("pip install ipywidgets") == 2
    assert "Traceback" not in done.stdout + done.stderr
