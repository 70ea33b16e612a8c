"""What a checkup is: a table, a text, a dict; and what it loads."""

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import kling_nb
from kling_nb import Kling
from kling_nb.doctor import frontend
from kling_nb.doctor.frontend import Signs, recognise

SECTIONS = ["versions", "front end", "workspace", "key", "gateway", "learned", "settings"]


@pytest.fixture
def checkup(new_kling):
    return new_kling("sk-of-somebody-else").doctor()


def test_it_says_everything_in_order_and_each_thing_once(checkup):
    assert list(dict.fromkeys(each.section for each in checkup)) == SECTIONS
    names = [(each.section, each.name) for each in checkup]
    assert len(set(names)) == len(names)
    assert all(each.text for each in checkup)
    assert all(each.advice for each in checkup.problems)


def test_the_text_names_problems_first_and_has_every_line(checkup):
    first, *lines = repr(checkup).splitlines()
    assert f"kling_nb {kling_nb.__version__} · " in first
    assert "1 problem: gateway (answer)" in first
    assert any(line.startswith("  PROBLEM answer        reached, key refused") for line in lines)
    assert any(line.lstrip().startswith("→ Give a key with `%kling login`") for line in lines)
    assert sum(line.startswith(("  fine", "  note", "  PROBLEM")) for line in lines) == len(checkup)
    assert str(checkup) == repr(checkup)


def test_the_html_needs_no_trust_and_no_colours_and_holds_the_text(checkup):
    data, account = checkup._repr_mimebundle_()
    html = data["text/html"]
    assert not re.search(r"<style|<script|var\(|#[0-9a-f]{3,6}\b|class=|onclick", html)
    assert set(re.findall(r"rgba\((\d+,\d+,\d+)", html)) == {"128,128,128"}
    assert "<b>problem</b>" in html
    assert "<code>%kling login</code>" in html
    assert "<pre" in html
    assert html.count("Give a key with ") == 2
    assert json.loads(json.dumps(account)) == {"kling_nb": {"doctor": checkup.to_dict()}}
    assert len(html) < 30_000


def test_hostile_words_are_text(new_kling, box):
    box.faults.add("list", "status", status=401, code=1002, message="<script>alert(1)</script> & \x1b[31m")
    data = new_kling().doctor().bundle()[0]
    assert "<script>" not in data["text/html"]
    assert "&lt;script&gt;" in data["text/html"]
    assert "\x1b" not in data["text/html"] + data["text/plain"]


def test_the_dict_is_plain(checkup):
    plain = checkup.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert (plain["state"], plain["sandbox"], plain["kling_nb"]) == ("problem", False, kling_nb.__version__)
    assert list(plain["sections"]) == SECTIONS
    assert set(plain["sections"]["gateway"]["answer"]) == {"state", "text", "advice", "value"}
    assert plain["sections"]["gateway"]["answer"]["value"]["code"].startswith("100")


def test_the_worst_counts(checkup, new_kling):
    assert checkup.state == "problem"
    assert [each.name for each in checkup.problems] == ["answer"]
    well = new_kling().doctor()
    assert (well.state, well.problems) in (("fine", []), ("note", []))


def test_a_look_that_breaks_is_a_finding_and_ends_no_other(new_kling, found, monkeypatch):
    def broken():
        raise TypeError("sk-not-shown")

    monkeypatch.setattr("kling_nb.doctor.versions.findings", broken)
    checkup = new_kling().doctor()
    assert found(checkup, "versions", "versions").text == "could not be looked at: TypeError"
    assert found(checkup, "gateway", "answer").state == "fine"
    assert "not-shown" not in repr(checkup)


def test_the_sandbox_is_marked():
    checkup = Kling(sandbox=True).doctor(network=False)
    assert repr(checkup).startswith("SANDBOX · ")
    assert "SANDBOX" in checkup.bundle()[0]["text/html"]


def test_versions_are_told_without_loading_what_is_heavy():
    code = (
        "import sys, json\n"
        "from kling_nb import Kling\n"
        "print(json.dumps([Kling().doctor(network=False).to_dict(), sorted(sys.modules)]))"
    )
    root = Path(kling_nb.__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    plain, loaded = json.loads(done.stdout)
    found = plain["sections"]["versions"]
    assert found["optional"]["value"]["pandas"] == metadata.version("pandas")
    assert found["ipywidgets"]["value"]["anywidget"] == metadata.version("anywidget")
    heavy = {"pandas", "numpy", "matplotlib", "scipy", "ipywidgets", "anywidget", "keyring"}
    assert heavy.isdisjoint(loaded)


def test_what_lacks_or_is_too_old_says_what_to_install(new_kling, found, monkeypatch):
    real = metadata.version

    def version(name):
        if name in ("anywidget", "matplotlib"):
            raise metadata.PackageNotFoundError(name)
        return {"httpx": "0.9.1"}.get(name) or real(name)

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(metadata, "requires", lambda name: ["httpx>=0.27", "pillow>=11", "x; extra == 'compare'"])
    checkup = new_kling().doctor(network=False)
    assert found(checkup, "versions", "ipywidgets").state == "problem"
    assert "`%pip install --upgrade anywidget`" in found(checkup, "versions", "ipywidgets").advice
    assert "too old: httpx (at least 0.27)" in found(checkup, "versions", "libraries").text
    optional = found(checkup, "versions", "optional")
    assert optional.state == "fine"
    assert "kling_nb[compare]" in optional.advice


SHELL = "ipykernel.zmqshell.ZMQInteractiveShell"
KERNEL = "ipykernel.ipkernel.IPythonKernel"
LAB = {"deletedCells": [], "recordTiming": False, "cellId": "1-2"}


@pytest.mark.parametrize(
    ("signs", "front_end"),
    [
        (Signs(), "none: a script or plain Python"),
        (Signs("IPython.terminal.interactiveshell.TerminalInteractiveShell"), "IPython's terminal"),
        (Signs("IPython.core.interactiveshell.InteractiveShell"), "unknown"),
        (Signs(SHELL, KERNEL), "unknown"),
        (Signs(SHELL, KERNEL, cell=LAB), "JupyterLab or Notebook 7"),
        (Signs(SHELL, KERNEL, environ={"JPY_SESSION_NAME": "/x.ipynb"}), "JupyterLab or Notebook 7"),
        (Signs(SHELL, KERNEL, environ={"JPY_SESSION_NAME": "/x.ipynb"}, code=True), "VS Code"),
        (Signs(SHELL, KERNEL, cell={"cellId": "vscode-notebook-cell:/x"}), "VS Code"),
        (Signs(SHELL, KERNEL, environ={"SERVER_SOFTWARE": "voila/0.5.13"}, answers=False), "Voila"),
        (Signs(SHELL, KERNEL, environ={"SERVER_SOFTWARE": "gunicorn/20"}), "unknown"),
        (Signs("google.colab._shell.Shell", "google.colab._kernel.Kernel", colab=True), "Colab"),
        (Signs("spyder_kernels.console.shell.SpyderShell", "spyder_kernels.console.kernel.SpyderKernel"), "Spyder"),
        (Signs(SHELL, KERNEL, answers=False), frontend._NOBODY),
        (Signs(SHELL, KERNEL, answers=False, environ={"JPY_SESSION_NAME": "/x.ipynb"}), frontend._NOBODY),
    ],
)
def test_front_ends_are_told_by_their_signs(signs, front_end):
    assert recognise(signs) == front_end
