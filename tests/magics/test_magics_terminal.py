"""``%kling`` in the IPython terminal, behind a real pseudo-terminal."""

import os
import sys

import pytest
from PIL import Image

pexpect = pytest.importorskip("pexpect")

PROMPT = r"In \[\d+\]: "


@pytest.fixture
def terminal(tmp_path):
    Image.new("RGB", (400, 320), "teal").save(tmp_path / "cat.png")
    environment = {**os.environ, "KLING_SANDBOX": "1", "TERM": "dumb", "IPYTHONDIR": str(tmp_path / "ipython")}
    command = ["-m", "IPython", "--simple-prompt", "--no-banner", "--no-confirm-exit", "--colors=NoColor"]
    child = pexpect.spawn(sys.executable, command, cwd=tmp_path, env=environment, timeout=60, encoding="utf-8")
    child.expect(PROMPT)

    def run(line):
        child.sendline(line)
        child.expect(PROMPT)
        return child.before

    child.run = run
    yield child
    child.sendeof()
    child.close(force=True)


def test_the_doctor_prints_text_and_knows_the_terminal(terminal):
    terminal.run("%load_ext kling_nb")
    shown = terminal.run("%kling doctor")
    assert "IPython's terminal" in shown
    assert "reached, " in shown
    assert "<table" not in shown


@pytest.mark.promise("you press Ctrl-C in the IPython terminal")
def test_ctrl_c_ends_the_wait_and_says_how_to_collect(terminal):
    terminal.run("%load_ext kling_nb")
    terminal.run("from pathlib import Path; from kling_nb.session import gateway")
    terminal.run("box = gateway.sandbox_at(Path('kling_runs/sandbox').resolve()); box.hold()")
    terminal.sendline("%kling -s cat.png -o task a cat")
    terminal.expect(r"queued|generating")
    terminal.sendintr()
    terminal.expect(r"KeyboardInterrupt: Interrupted\. 1 task under way")
    terminal.expect(PROMPT)
    assert "%kling wait" in terminal.before
    assert "%kling resume" in terminal.before
    assert "Traceback" not in terminal.before
    terminal.run("box.release()")
    terminal.run("%kling wait")
    assert "succeeded 1" in terminal.run("print(task.task_status, len(task.images))")
    assert "posts 1" in terminal.run("print('posts', sum(seen.method == 'POST' for seen in box.requests))")
