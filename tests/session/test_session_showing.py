"""Showing once in a real shell, on the right kind of screen, with links that lead to the file."""

import io
import re
import signal
import sys
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest

from kling_nb import Kling, WaitTimeout
from kling_nb.errors import WaitInterrupted
from kling_nb.key import kernel
from kling_nb.session import screen as screens
from kling_nb.session.echo import ShownOnce
from kling_nb.session.places import link, notebook_folder, shown
from kling_nb.session.screen import NotebookScreen, Screen, TerminalScreen, screen
from kling_nb.session.session import can_ask


@pytest.fixture
def outputs(shell):
    """What a shell shows, as a front end gets it: display by handle, and echoes of results."""
    from IPython.utils.capture import capture_output

    def run(code):
        with capture_output() as captured:
            result = shell.run_cell(code, store_history=True)
        result.raise_error()
        return captured.outputs, captured.stdout

    return run


# ---- shown once ----------------------------------------------------------------------------------


def test_an_echo_is_left_out_once_in_the_same_execution(shell, outputs):
    class Thing(ShownOnce):
        def __repr__(self):
            return "a thing"

    shell.user_ns["Thing"] = Thing
    assert "a thing" in outputs("x = Thing(); x")[1]
    assert "a thing" not in outputs("x.shown(); x")[1]
    assert "a thing" in outputs("x")[1]
    assert "a thing" in outputs("x")[1]
    # Shown in one execution, named alone in the next.
    assert outputs("x.shown()")[1] == ""
    assert "a thing" in outputs("x")[1]
    # Once only: a second mention in the same execution is the user's wish.
    text = outputs("from IPython.display import display\nx.shown()\ndisplay(x)\ndisplay(x)")
    assert (len(text[0]), text[1].count("a thing")) in ((1, 0), (0, 1))


def test_without_a_shell_nothing_is_left_out():
    thing = ShownOnce()
    with pytest.raises(NotImplementedError):
        thing._ipython_display_()
    thing.shown()
    with pytest.raises(NotImplementedError):
        thing._ipython_display_()


def test_results_show_themselves_in_a_shell(shell, outputs, kling, cat):
    shell.user_ns.update(task=kling.generate("a cat", subject_images=cat, n=2), kling=kling, cat=cat)
    for code in (
        "task",
        "task.images",
        "task.images[0]",
        "task.images[:1]",
        "kling.tasks()",
        "kling.dry_run('b', subject_images=cat)",
        "kling.resume()",
    ):
        formatted = shell.display_formatter.format(eval(code, shell.user_ns))
        assert formatted[0], code
        assert "text/html" in formatted[0], code
        assert "text/plain" in formatted[0], code
    assert outputs("x = task")[1] == ""


def test_a_task_that_was_shown_is_not_echoed(shell, outputs, kling, cat):
    shell.user_ns.update(task=kling.generate("a cat", subject_images=cat), kling=kling)
    assert "Task" in outputs("task")[1] or "cat" in outputs("task")[1]
    for code in ("task.shown(); task", "tasks = kling.tasks(); tasks.shown(); tasks"):
        assert re.fullmatch(r"(Out\[\d+\]:)?\s*", outputs(code)[1])


# ---- screens -------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_which_screen(shell, monkeypatch):
    assert type(screen()) is NotebookScreen
    assert type(screen(quiet=True)) is Screen


def test_which_screen_without_a_shell(monkeypatch):
    from IPython.core.interactiveshell import InteractiveShell

    InteractiveShell.clear_instance()
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert type(screen()) is Screen
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert type(screen()) is TerminalScreen
    assert type(screen(quiet=True)) is Screen
    monkeypatch.setattr(sys, "stderr", None)
    assert type(screen()) is Screen


def test_a_terminal_shell_is_a_terminal(monkeypatch):
    class TerminalInteractiveShell:
        pass

    import IPython

    monkeypatch.setattr(IPython, "get_ipython", TerminalInteractiveShell)
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert type(screen()) is TerminalScreen


def test_nothing_is_shown_in_a_script(kling, cat, capsys):
    kling.generate("a cat", subject_images=cat)
    kling.resume()
    assert capsys.readouterr() == ("", "")


def test_a_terminal_has_one_changing_line_that_is_wiped(kling, sandbox, cat, monkeypatch, capsys):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    sandbox.hold()
    task = kling.submit("a cat", subject_images=cat)
    with pytest.raises(WaitTimeout):
        task.wait(0.05)
    sandbox.release()
    task.wait()
    text = terminal.getvalue()
    assert "\n" not in text
    assert text.startswith("\r\x1b[K")
    assert text.endswith("\r\x1b[K")
    where = TerminalScreen()
    where.bundle(task.bundle())
    where.note("All is well.")
    out = capsys.readouterr().out
    assert out.startswith(task.bundle()[0]["text/plain"])
    assert "All is well." in out


def test_a_terminal_that_is_gone_ends_no_wait(monkeypatch):
    terminal = Terminal()
    where = TerminalScreen()
    monkeypatch.setattr(sys, "stderr", terminal)
    terminal.close()
    where.progress([], now=0.0, expected=None, notes=[])
    where.done()


def test_a_notebook_has_one_display_that_is_updated(shell, kling, sandbox, cat):
    from IPython.core.displaypub import CapturingDisplayPublisher

    shell.display_pub = CapturingDisplayPublisher()
    sandbox.hold()
    task = kling.submit("a cat", subject_images=cat)
    where = screen()
    with pytest.raises(WaitTimeout):
        task.watch(where, 0.05)
    sandbox.release()
    task.watch(where)
    where.bundle(task.bundle())
    where.bundle(task.bundle())
    published = shell.display_pub.outputs
    assert len({output["transient"]["display_id"] for output in published}) == 1
    assert [output["update"] for output in published] == [False] + [True] * (len(published) - 1)
    assert published[-1]["data"] == task.bundle()[0]
    # The same twice is sent once.
    assert sum(output["data"] == task.bundle()[0] for output in published) == 1


def test_a_task_in_the_background_ends_in_its_grid(shell, kling, sandbox, cat):
    shown_last = []

    class Recorder(Screen):
        in_background = True

        def bundle(self, bundle):
            shown_last.append(bundle)

    sandbox.hold()
    task = kling.submit("a cat", subject_images=cat)
    task.keep_current(Recorder())
    assert shown_last == []
    sandbox.release()
    task.wait(quiet=True)
    assert "text/html" in shown_last[-1][0]
    kling.task(task.id).keep_current(Recorder())
    assert len(shown_last) >= 2


@pytest.mark.parametrize("terminal", [True, False])
def test_who_can_answer(monkeypatch, terminal):
    from IPython.core.interactiveshell import InteractiveShell

    InteractiveShell.clear_instance()
    monkeypatch.setattr(sys, "stdin", Terminal() if terminal else io.StringIO())
    assert can_ask() is terminal
    monkeypatch.setattr(sys, "stdin", None)
    assert not can_ask()


@pytest.mark.parametrize("allowed", [True, False])
def test_a_kernel_says_whether_it_can_ask(shell, allowed):
    class Kernel:
        _allow_stdin = allowed

    shell.kernel = Kernel()
    try:
        assert can_ask() is allowed
    finally:
        del shell.kernel


# ---- interrupts ----------------------------------------------------------------------------------


class Interrupted(Screen):
    """Where somebody presses Interrupt as soon as there is progress to see."""

    def progress(self, records, *, now, expected, notes):
        signal.raise_signal(signal.SIGINT)


def test_an_interrupt_keeps_what_is_paid_and_cancels_the_rest(new_kling, sandbox, cat):
    kling = new_kling(slots=1)
    sandbox.hold()
    sandbox.faults.add("create", "status", status=429, code=1303, after=1, times=None)
    first = kling.submit("first", subject_images=cat)
    second = kling.submit("second", subject_images=cat)
    assert kling.session.gateway.runner.wait(lambda: "no free slots" in second.job.note, 20)
    with pytest.raises(WaitInterrupted) as caught:
        first.watch(Interrupted())
    assert isinstance(caught.value, KeyboardInterrupt)
    assert f"1 task under way ({first.id}): paid once" in caught.value.message
    assert f"`%kling wait {first.id}`" in caught.value.message
    assert first.live
    with pytest.raises(WaitInterrupted, match="1 task not sent: cancelled, nothing to pay"):
        second.watch(Interrupted())
    assert second.task_status == "cancelled"
    sandbox.release()
    assert len(first.wait().images) == 1
    assert len(sandbox.ledger.entries()) == 1


# ---- links ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "href"),
    [
        ("plain.png", "plain.png"),
        ("with space.png", "with%20space.png"),
        ("a#b?c.png", "a%23b%3Fc.png"),
        ("100%.png", "100%25.png"),
        ("%41.png", "%2541.png"),
        ("猫.png", "%E7%8C%AB.png"),
        ("a&b<c>\"'.png", "a%26b%3Cc%3E%22%27.png"),
        ("a:b.png", "a%3Ab.png"),
    ],
)
def test_links_are_relative_and_encoded_segment_by_segment(tmp_path, name, href):
    assert link(tmp_path / "run s" / name, tmp_path) == f"run%20s/{href}"
    assert link(tmp_path / name, tmp_path / "note books") == f"../{href}"
    assert unquote(href) == name


def test_a_folder_that_is_no_text_has_links_too(tmp_path):
    import os

    assert link(tmp_path / os.fsdecode(b"caf\xe9") / "x.png", tmp_path) == "caf%E9/x.png"


@pytest.mark.parametrize("name", ["kling_runs", "runs # 100% ?", "図 猫", "a&b'c"])
def test_the_links_of_a_grid_lead_to_the_files(sandbox, cat, name):
    kling = Kling(api_key="k", base_url=sandbox.base_url, workspace=name, poll_interval=0.01)
    task = kling.generate("a cat", subject_images=cat, n=2)
    html = task.bundle()[0]["text/html"]
    hrefs = [unescape(href) for href in re.findall(r'href="([^"]*)"', html)]
    files = {Path(unquote(href)).resolve() for href in hrefs if not href.startswith(("http", "data:"))}
    assert {image.path.resolve() for image in task.images} <= files


def test_where_the_notebook_is(tmp_path, monkeypatch, shell):
    assert notebook_folder() == Path.cwd()
    kernel.folder = tmp_path
    assert notebook_folder() == tmp_path
    shell.user_ns["__vsc_ipynb_file__"] = str(tmp_path / "code" / "a.ipynb")
    assert notebook_folder() == tmp_path
    (tmp_path / "code").mkdir()
    assert notebook_folder() == tmp_path / "code"
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "nowhere" / "b.ipynb"))
    assert notebook_folder() == tmp_path / "code"
    monkeypatch.setenv("JPY_SESSION_NAME", "c.ipynb")
    assert notebook_folder() == tmp_path / "code"
    (tmp_path / "nowhere").mkdir()
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "nowhere" / "b.ipynb"))
    assert notebook_folder() == tmp_path / "nowhere"


def test_a_path_is_shown_from_the_notebook_where_it_is_inside(tmp_path):
    assert shown(Path.cwd() / "kling_runs") == "kling_runs"
    assert shown(tmp_path) == str(tmp_path)


def test_the_screens_module_keeps_ipython_out_until_it_is_needed():
    assert "IPython" not in vars(screens)
