import contextlib
import io

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from kling_nb.magics.questionmark import keep_questions


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell(config=config, ipython_dir=str(tmp_path_factory.mktemp("ipython")))
    shell.calls = []

    def kling(line, cell=None):
        """What the help of the magic says."""
        shell.calls.append((line, cell))
        return "result"

    shell.register_magic_function(kling, "line_cell", "kling")
    shell.input_transformers_cleanup.append(keep_questions)
    return shell


@pytest.fixture
def run(shell):
    def run(source):
        shell.calls.clear()
        shell.user_ns["x"] = "old"
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            shell.run_cell(source)
        return list(shell.calls), output.getvalue()

    return run


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("%kling -s cat what is this?", ["-s cat what is this?"]),
        ("%kling -s cat what is this??", ["-s cat what is this??"]),
        ("%kling -s cat what?!?", ["-s cat what?!?"]),
        ("%kling -s cat really???", ["-s cat really???"]),
        ("%kling -s cat what is this? ", ["-s cat what is this?"]),
        ("%kling -s cat it's a cat's what?", ["-s cat it's a cat's what?"]),
        ('%kling -s cat "what is this?"', ['-s cat "what is this?"']),
        ("%kling -s cat is this (a hat?", ["-s cat is this (a hat?"]),
        ("x = %kling -s cat what is this?", ["-s cat what is this?"]),
        ("a, *x = %kling -s cat?", ["-s cat?"]),
        ("d['k'] = %kling -s cat?", ["-s cat?"]),
        ("%kling history hat?", ["history hat?"]),
        ("%kling -s cat a?\n%kling -s dog b?\nx = 1", ["-s cat a?", "-s dog b?"]),
        ("for i in range(2):\n    %kling -s cat what is it?\n", ["-s cat what is it?"] * 2),
        ("if True:\n    x = %kling -s cat what is it?\n    y = 1", ["-s cat what is it?"]),
        ("    %kling -s cat an indented cell?", ["-s cat an indented cell?"]),
        (">>> %kling -s cat pasted?", ["-s cat pasted?"]),
        ("%kling -s cat \\\n  -n 2 \\\n  what is it?\nx = 1", ["-s cat    -n 2    what is it?"]),
        ("%kling -s cat a prompt\nx = 2", ["-s cat a prompt"]),
        ("s = '''\nfence\n'''\n%kling -s cat a?", ["-s cat a?"]),
        ("# '''\n%kling -s cat a?", ["-s cat a?"]),
        ("s = \"'''\"\n%kling -s cat a?", ["-s cat a?"]),
        ("%kling -s cat say '''\n%kling -s cat a?", ["-s cat say '''", "-s cat a?"]),
    ],
)
def test_the_prompt_arrives_as_it_was_typed(run, source, lines):
    calls, output = run("d, y = {}, 0\n" + source if source.startswith("d[") else source)
    assert [line for line, _ in calls] == lines
    assert "What the help" not in output


def test_an_assignment_gets_the_result(run, shell):
    run("x = %kling -s cat what is this?")
    assert shell.user_ns["x"] == "result"


@pytest.mark.parametrize("source", ["%kling?", "%kling??", "?%kling", "??%kling", "%%kling?", "%kling? "])
def test_help_stays_help(run, source):
    calls, output = run(source)
    assert calls == []
    if not source.endswith(" "):
        assert "What the help of the magic says" in output


def test_help_on_other_things_stays_help(run):
    assert "Docstring" in run("%kling -s cat a?\nlen?")[1]


def test_without_the_hook_ipython_takes_the_prompt_for_help(run, shell):
    shell.input_transformers_cleanup.remove(keep_questions)
    try:
        assert run("x = %kling -s cat what is this?")[0] == []
        assert shell.user_ns["x"] == "old"
    finally:
        shell.input_transformers_cleanup.append(keep_questions)


@pytest.mark.parametrize(
    ("source", "call"),
    [
        ("%%kling -s cat\nwhat is this?\n%kling -s dog a?", ("-s cat", "what is this?\n%kling -s dog a?\n")),
        ("%%kling -s what?\nA cat?", ("-s what?", "A cat?\n")),
        ("%%kling -s cat # what?\nA cat", ("-s cat # what?", "A cat\n")),
    ],
)
def test_a_cell_needs_no_help(run, source, call):
    assert run(source)[0] == [call]


def test_the_cells_of_other_magics_pass_their_lines_on(run):
    assert run("%%time\n%kling -s cat what is this?")[0] == [("-s cat what is this?", None)]


@pytest.mark.parametrize(
    "source",
    [
        "",
        "x = 1\n",
        "print('%kling a?')\n",
        "%klingon what?\n",
        "%kling ?\n",
        "y = x == %kling a b\n",
        "text = '''\n%kling -s cat what?\n'''\n",
        'text = """a\n"b" \\""" \'\'\'\n%kling -s cat what?\n""" + \'c\'\n',
        "text = f'''{1}''' + '''\n%kling -s cat what?\n'''\n",
        "# %kling -s cat what?\n",
        "%%bash\n%kling -s cat what?\n",
        "%kling -s cat a? b\n",
    ],
)
def test_everything_else_stays_as_it_is(source):
    lines = source.splitlines(keepends=True)
    assert keep_questions(list(lines)) == lines


def test_what_other_magics_are_given_opens_no_string():
    for line in ("!echo '''\n", "%run a.py '''\n"):
        assert keep_questions([line, "%kling -s cat a?\n"]) == [line, "%kling -s cat a? \n"]


def test_line_ends_are_kept():
    assert keep_questions(["%kling -s cat a?\r\n"]) == ["%kling -s cat a? \r\n"]
    assert keep_questions(["%kling -s cat a?"]) == ["%kling -s cat a? "]
