"""Errors: one tree, three parts, and in a notebook the user's own lines and none of ours."""

import ast
import copy
import inspect
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

import kling_nb
from kling_nb import errors

CLASSES = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, BaseException) and kind.__module__ == errors.__name__
}
TREE = {name: kind for name, kind in CLASSES.items() if issubclass(kind, errors.KlingError)}
API = {name: kind for name, kind in TREE.items() if issubclass(kind, errors.APIError)}


# ---- the tree ------------------------------------------------------------------------------------


def drawn():
    """The tree of the module's docstring as child and parent."""
    parents, found = ["KlingError"], {}
    for line in errors.__doc__.splitlines():
        for depth, marks in ((1, ("├── ", "└── ")), (2, ("│   ├── ", "│   └── "))):
            if line.startswith(tuple(f"    {mark}" for mark in marks)):
                name = line.strip().lstrip("│├└─ ").split()[0]
                del parents[depth:]
                found[name] = parents[-1]
                parents.append(name)
    return found


def test_the_tree_is_as_drawn():
    actual = {name: kind.__bases__[0].__name__ for name, kind in TREE.items() if kind is not errors.KlingError}
    assert drawn() == actual
    assert errors.KlingError.__bases__ == (Exception,)


def test_also_python_s_own_kinds():
    assert issubclass(errors.InvalidRequest, ValueError)
    assert issubclass(errors.WaitTimeout, TimeoutError)
    assert issubclass(errors.WaitInterrupted, KeyboardInterrupt)
    assert not issubclass(errors.WaitInterrupted, Exception)


def test_every_class_of_the_tree_can_be_imported_from_the_package():
    for name, kind in TREE.items():
        assert name in kling_nb.__all__
        assert getattr(kling_nb, name) is kind


def test_every_class_says_what_it_is():
    assert all(kind.__doc__ for kind in CLASSES.values())


# ---- three parts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(TREE))
def test_the_text_is_message_details_money_and_advice(name):
    facts = {"http_status": 429, "code": "1303", "request_id": "R-1"} if name in API else {}
    task = object()
    error = TREE[name]("What happened.", money="What it costs.", advice="What to do.", task=task, **facts)
    details = ["(HTTP 429, code 1303, request_id R-1)"] if facts else []
    assert str(error).splitlines() == ["What happened.", *details, "What it costs.", "What to do."]
    assert (error.message, error.money, error.advice) == ("What happened.", "What it costs.", "What to do.")
    assert error.args == ("What happened.",)
    assert error.task is task


@pytest.mark.parametrize("name", sorted(TREE))
def test_without_more_it_says_what_is_so_in_general(name):
    kind = TREE[name]
    error = kind("What happened.")
    assert str(error).splitlines() == [
        "What happened.",
        *(part for part in (kind.default_money, kind.default_advice) if part),
    ]
    assert str(kind("What happened.", money="", advice="")) == "What happened."
    assert error.task is None


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({}, None),
        ({"http_status": 500}, "(HTTP 500)"),
        ({"code": "1200"}, "(code 1200)"),
        ({"http_status": 400, "request_id": "R"}, "(HTTP 400, request_id R)"),
    ],
)
def test_only_the_details_that_are_known_are_said(facts, line):
    assert errors.APIError("no").details() == []
    assert errors.APIError("no", **facts).details() == ([line] if line else [])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("InvalidRequest", "Nothing was sent."),
        ("ConfigurationError", "Nothing was sent."),
        ("TaskFailed", "does not bill failed tasks"),
        ("ImagesMissing", "is paid"),
        ("WaitTimeout", "goes on"),
        ("RequestRefused", "nothing is billed"),
        ("OutOfBalance", "nothing is billed"),
    ],
)
def test_each_says_what_became_of_the_money(name, words):
    assert words in TREE[name]("no").money


@pytest.mark.parametrize("name", sorted(set(TREE) - {"KlingError", "APIError", "InvalidRequest", "ConfigurationError"}))
def test_each_says_what_to_do_next(name):
    assert TREE[name]("no").advice


@pytest.mark.parametrize("name", sorted(TREE))
def test_they_survive_a_trip_to_another_process(name):
    facts = {"http_status": 400, "code": "1", "request_id": "R"} if name in API else {}
    error = TREE[name]("What happened.", money="m", advice="a", **facts)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)


# ---- in a notebook -------------------------------------------------------------------------------


@pytest.fixture
def shell():
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance()
    yield made
    made.history_manager.end_session()
    made.history_manager.save_thread and made.history_manager.save_thread.stop()
    InteractiveShell.clear_instance()


def outcome(shell, code, capsys):
    capsys.readouterr()
    result = shell.run_cell(code, store_history=True)
    said = capsys.readouterr()
    return result, said.out + said.err


def test_a_notebook_shows_the_users_lines_and_none_of_ours(shell, capsys):
    code = "from kling_nb import Kling\n\ndef helper():\n    return Kling(slots='none')\n\nhelper()\n"
    result, text = outcome(shell, code, capsys)
    assert isinstance(result.error_in_exec, errors.ConfigurationError)
    count = shell.execution_count - 1
    assert text.splitlines() == [
        f"Cell In[{count}], line 6:  helper()",
        f"Cell In[{count}], line 4:  return Kling(slots='none')",
        "ConfigurationError: slots is 'none': it must be a whole number",
        "Nothing was sent.",
    ]


def test_a_module_of_the_user_is_the_users(shell, capsys, tmp_path, monkeypatch):
    (tmp_path / "my_helpers.py").write_text("from kling_nb import Kling\ndef make():\n    return Kling(slots=0)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    _, text = outcome(shell, "import my_helpers\nmy_helpers.make()", capsys)
    assert f"{tmp_path / 'my_helpers.py'}, line 3:  return Kling(slots=0)" in text
    assert str(Path(kling_nb.__file__).parent) not in text


def test_libraries_between_are_left_out(shell, capsys):
    code = (
        "from concurrent.futures import ThreadPoolExecutor\nfrom kling_nb import Kling\n"
        "list(map(lambda slots: Kling(slots=slots), [0]))\n"
        "with ThreadPoolExecutor() as pool:\n    pass\n"
    )
    _, text = outcome(shell, code, capsys)
    assert "concurrent" not in text.replace("from concurrent", "")
    assert "ConfigurationError: slots is '0'" in text


def test_an_error_of_another_kind_is_shown_as_ever(shell, capsys):
    _, text = outcome(shell, "import kling_nb\n1 / 0", capsys)
    assert "ZeroDivisionError" in text
    assert "Traceback (most recent call last)" in text


def test_an_interrupt_shows_what_is_under_way(shell, capsys):
    code = "from kling_nb.errors import WaitInterrupted\nraise WaitInterrupted('Interrupted. 1 task under way.')"
    _, text = outcome(shell, code, capsys)
    assert text.splitlines()[-1] == "KeyboardInterrupt: Interrupted. 1 task under way."
    assert "line 2" in text


def test_tb_repeats_the_short_form(shell, capsys):
    outcome(shell, "from kling_nb import Kling\nKling(slots=0)", capsys)
    _, text = outcome(shell, "%tb", capsys)
    assert "ConfigurationError: slots is '0'" in text
    assert str(Path(kling_nb.__file__).parent) not in text


def test_without_a_shell_the_rendering_is_the_same(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from kling_nb import Kling, KlingError\ntry:\n    Kling(slots=0)\nexcept KlingError as error:\n"
        "    print(error._render_traceback_())\n"
    )
    root = str(Path(kling_nb.__file__).parent.parent)
    code = f"import sys, runpy; sys.path.insert(0, {root!r}); runpy.run_path({str(script)!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = ast.literal_eval(done.stdout)
    assert lines[0] == f"{script}, line 3:  Kling(slots=0)"
    assert lines[1] == "ConfigurationError: slots is '0': it must be a whole number of at least 1"


def test_an_empty_message_is_still_a_line():
    assert errors.render(errors.KlingError("")) == ["KlingError: "]
    assert errors.render(errors.WaitInterrupted("gone")) == ["KeyboardInterrupt: gone"]


def test_no_error_is_made_without_a_message():
    for name, kind in TREE.items():
        assert inspect.signature(kind).parameters["message"].default is inspect.Parameter.empty, name
