"""A process that is forked from a kernel has none of its threads, and makes its own."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

SETUP = """
import os, sys, threading, warnings
from pathlib import Path
from PIL import Image
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
Image.new("RGB", (400, 320), "orange").save("cat.png")
from kling_nb import Kling
from kling_nb.sandbox import Sandbox
from kling_nb.session import gateway
sandbox = Sandbox(Path("gateway").resolve(), seconds=0, images="constant").start()
kling = Kling("a-key-of-no-importance", base_url=sandbox.base_url, timeout=30, poll_interval=0.05, grace=0.5)

def forked(work):
    child = os.fork()
    if child:
        return child
    try:
        work()
        code = 0
    except BaseException as error:
        print("child:", type(error).__name__, error, file=sys.stderr)
        code = 1
    sys.stdout.flush()
    EXIT

def waited(child):
    assert os.waitpid(child, 0)[1] == 0
"""


def run(folder, code, leave="os._exit(code)"):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SETUP.replace("EXIT", leave) + code],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    return done


# As multiprocessing ends its processes, and as a script does, which lets go of all that it has.
@pytest.mark.parametrize("leave", ["os._exit(code)", "sys.exit(code)"])
def test_a_child_generates_while_its_parent_goes_on(tmp_path, leave):
    done = run(
        tmp_path,
        """
kling.generate("before", subject_images="cat.png")
sandbox.hold()
task = kling.submit("parent", subject_images="cat.png")
runner = kling.session.gateway.runner
assert runner.wait(lambda: task.task_id is not None, 20)

def work():
    assert kling.session.gateway.runner is not runner
    made = kling.submit("child", subject_images="cat.png")
    print(kling.resume(timeout=20).message)
    made.wait()
    print(len(made.images), made.record.owner.split("|")[3] == str(os.getpid()))

child = forked(work)
while len(sandbox.ledger.entries()) < 3:
    threading.Event().wait(0.01)
sandbox.release()
waited(child)
task.wait()
print(kling.generate("after", subject_images="cat.png").task_status)
print(sorted((each.prompt, each.task_status) for each in kling.tasks()))
print(len(sandbox.ledger.entries()))
""",
        leave,
    )
    assert done.stdout.splitlines() == [
        "1 task of 1 collected. 1 task in the hands of another kernel, which goes on with it.",
        "1 True",
        "succeeded",
        "[('after', 'succeeded'), ('before', 'succeeded'), ('child', 'succeeded'), ('parent', 'succeeded')]",
        "4",
    ]


def test_locks_that_a_thread_of_the_parent_holds_do_not_stop_a_child(tmp_path):
    done = run(
        tmp_path,
        """
from kling_nb import imagedata
kling.generate("before", subject_images="cat.png")
workspace, held, go = kling.session.workspace, threading.Event(), threading.Event()

def hold():
    with gateway._lock, workspace._lock, workspace.journal._database._lock, imagedata._decoding:
        with kling.session.gateway.runner.changed:
            held.set()
            go.wait()

thread = threading.Thread(target=hold)
thread.start()
held.wait()
child = forked(lambda: print(kling.generate("child", subject_images="cat.png").task_status))
waited(child)
go.set()
thread.join()
print(kling.generate("after", subject_images="cat.png").task_status)
""",
    )
    assert done.stdout.splitlines() == ["succeeded", "succeeded"]


def test_a_commit_of_the_parents_is_left_alone(tmp_path):
    """Its half is in a journal of SQLite's, which a child that closed the connection would take back."""
    done = run(
        tmp_path,
        """
kling.generate("before", subject_images="cat.png")
workspace = kling.session.workspace
connection = workspace.journal._database._connection
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE tasks SET warnings = '[\\"' || hex(zeroblob(9000)) || '\\"]'")

def work():
    global kling, workspace, connection
    del connection
    workspace.close()
    kling.close()
    gateway.close_all()
    del kling, workspace
    import gc
    gc.collect()

waited(forked(work))
connection.execute("COMMIT")
print(len(kling.tasks()[0].record.warnings[0]), connection.execute("PRAGMA integrity_check").fetchone()[0])
""",
        "sys.exit(code)",
    )
    assert done.stdout == "18000 ok\n"


@pytest.mark.slow
def test_a_child_has_a_sandbox_of_its_own_for_the_same_account(tmp_path):
    done = run(
        tmp_path,
        """
kling = Kling(sandbox=True, timeout=30, poll_interval=0.05)
kling.generate("parent", subject_images="cat.png")
waited(forked(lambda: print(kling.generate("child", subject_images="cat.png").task_status)))
print(kling.generate("after", subject_images="cat.png").task_status)
print(len(gateway.sandbox_at(kling.session.settings.workspace).ledger.entries()))
""",
    )
    assert done.stdout.splitlines() == ["succeeded", "succeeded", "3"]
