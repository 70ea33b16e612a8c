"""The README and the quickstart keep what they promise."""

import ast
import re

import nbformat
import pytest

from kling_nb import errors
from kling_nb.magics.options import COMMANDS, OPTIONS
from kling_nb.settings import SETTINGS


@pytest.fixture
def readme(repository):
    return (repository / "README.md").read_text()


@pytest.fixture
def examples(repository, readme):
    """Every line of code that a reader is shown."""
    notebook = nbformat.read(repository / "notebooks" / "quickstart.ipynb", as_version=4)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return "\n".join(re.findall(r"```(?:python|ipython)\n(.*?)```", readme, re.DOTALL) + cells)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.names[-1])
def test_every_option_has_an_example(option, examples):
    assert any(re.search(rf"%kling .*(?<![\w-]){re.escape(name)}(?![\w-])", examples) for name in option.names)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_has_an_example(command, examples):
    assert re.search(rf"%kling {command.name}\b", examples)


def test_every_setting_is_in_the_table(readme):
    for name in SETTINGS:
        assert f"`{name}`" in readme
    assert "`KLING_API_KEY`" in readme


def test_every_line_of_what_happens_when_is_a_test(readme, repository):
    section = readme.partition("## What happens when…\n")[2].partition("\n## ")[0]
    lines = [line.split(" | ")[0].removeprefix("| ") for line in section.splitlines() if line.startswith("| ")]
    promised = {
        node.args[0].value
        for path in (repository / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "promise"
    }
    assert lines[1:]
    assert set(lines[1:]) == promised


def test_every_error_is_in_the_table(readme):
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, errors.KlingError):
            assert f"`{name}`" in readme, name


def test_every_command_is_in_the_table(readme):
    for command in COMMANDS:
        assert re.search(rf"^\| .*`%kling {command.name}\b", readme, re.MULTILINE), command.name


def test_the_readme_opens_with_the_two_commands_and_a_picture(readme, repository):
    opening = readme[:2500]
    assert "make demo" in opening
    assert "make test" in opening
    for picture in re.findall(r"(?:src|srcset)=\"([^\"]+)\"|!\[[^\]]*\]\(([^)]+)\)", opening):
        assert (repository / (picture[0] or picture[1])).is_file()
    assert "<img" in opening or "![" in opening


def test_links_to_files_lead_somewhere(readme, repository):
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", readme):
        assert (repository / target).exists(), target


def test_the_python_examples_are_python(readme):
    for block in re.findall(r"```python\n(.*?)```", readme, re.DOTALL):
        if "%" not in block:
            compile(block, "README.md", "exec")


def rows_of(text):
    """The rows of every table that says what was reached, as tuples of cells."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]
    return [row for row in rows if len(row) == 5 and row[-1] in ("yes", "NO", "–")]


def test_what_the_readme_says_of_speed_was_measured_in_the_run_that_is_shown(repository, readme):
    quoted = rows_of(readme.partition("## How fast it is")[2].partition("\n## ")[0])
    measured = rows_of((repository / "tests" / "benchmarks" / "README.md").read_text())
    assert len(quoted) > 15
    assert set(quoted) <= set(measured)
    assert [row for row in measured if row[-1] == "NO"] == [row for row in quoted if row[-1] == "NO"]
