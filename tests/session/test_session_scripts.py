"""What a script leaves behind when it ends: nothing that was asked for is lost without a word."""

import subprocess
import sys

import pytest

SETUP = """
from pathlib import Path
from PIL import Image
Image.new("RGB", (400, 320), "orange").save("cat.png")
from kling_nb import Kling
from kling_nb.session import gateway
from kling_nb.sandbox import Sandbox
folder = Path("kling_runs/sandbox").resolve()
sandbox = gateway._sandboxes[folder] = Sandbox(folder / "gateway", seconds=0, images="constant").start()
sandbox.hold()
"""


def run(folder, code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SETUP + code], capture_output=True, text=True, cwd=folder, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize(
    "code",
    [
        "with Kling(sandbox=True) as kling:\n    kling.submit('a', subject_images='cat.png')",
        "Kling(sandbox=True).submit('a', subject_images='cat.png')",
    ],
    ids=["with", "end of script"],
)
def test_what_was_submitted_last_is_sent_and_can_be_collected(tmp_path, code):
    done = run(tmp_path, code)
    assert "1 task under way, paid once" in done.stderr
    again = run(
        tmp_path, "sandbox.release()\nfound = Kling(sandbox=True).resume()\nprint(found.message, len(found[0].images))"
    )
    assert again.stdout == "1 task of 1 collected. 1\n"
    assert again.stderr == ""


def test_what_waits_for_slots_is_cancelled_and_said(tmp_path):
    code = (
        # Else a second one may be sent, to see whether there are more slots.
        "sandbox.faults.add('create', 'status', status=429, code=1303, after=1, times=None)\n"
        "kling = Kling(sandbox=True, slots=1)\nfor _ in range(3):\n    kling.submit('a', subject_images='cat.png')"
    )
    done = run(tmp_path, code)
    assert "1 task under way" in done.stderr
    assert "2 tasks not sent: cancelled, nothing to pay" in done.stderr
    again = run(tmp_path, "print(sorted(task.task_status for task in Kling(sandbox=True).tasks()))")
    assert again.stdout == "['cancelled', 'cancelled', 'submitted']\n"


def test_what_a_killed_process_had_not_sent_is_sent_by_resume_when_told_to(tmp_path):
    code = (
        "sandbox.faults.add('create', 'status', status=429, code=1303, after=1, times=None)\n"
        "kling = Kling(sandbox=True, slots=1)\n"
        "tasks = [kling.submit('a', subject_images='cat.png') for _ in range(2)]\n"
        "assert kling.session.gateway.runner.wait(lambda: tasks[0].task_id is not None, 20)\n"
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    with pytest.raises(AssertionError):
        run(tmp_path, code)
    again = run(
        tmp_path,
        "sandbox.release()\nkling = Kling(sandbox=True)\nprint(kling.resume().message)\nprint(kling.resume().message)\n"
        "print(kling.resume(send=True).message)",
    )
    never = "1 task never sent, nothing to pay: `%kling resume --send` sends, `%kling resume --forget ID` closes."
    assert again.stdout.splitlines() == [
        f"1 task of 1 collected. {never}",
        f"Nothing to collect. {never}",
        "1 task of 1 collected.",
    ]
