"""Who has a task in hand, and who has not any more."""

import os
import subprocess
import sys

import pytest

from kling_nb.workspace.owners import is_gone, this_process


def test_this_process_is_not_gone():
    assert not is_gone(this_process())


def test_a_process_that_has_ended_is_gone_and_one_that_runs_is_not():
    code = "from kling_nb.workspace.owners import this_process; print(this_process(), flush=True); input()"
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with child:
        owner = child.stdout.readline().strip()
        assert not is_gone(owner)
        child.stdin.close()
        child.wait()
    assert is_gone(owner)


def test_a_process_id_that_came_back_is_another_process():
    host, boot, space, pid, started = this_process().split("|")
    assert int(pid) == os.getpid()
    assert is_gone(f"{host}|{boot}|{space}|{pid}|{int(started or 0) + 1}")
    assert is_gone(f"{host}|an earlier boot|{space}|{pid}|{started}")


def test_a_process_of_another_container_cannot_be_looked_at():
    """It has the host's name and boot, and process ids of its own."""
    host, boot, space, pid, started = this_process().split("|")
    assert not is_gone(f"{host}|{boot}|{space}9|{pid}|{int(started or 0) + 1}")


def test_a_process_that_has_ended_and_was_not_looked_after_is_gone():
    code = "from kling_nb.workspace.owners import this_process; print(this_process())"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    with child:
        owner = child.stdout.read().strip()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert is_gone(owner)


@pytest.mark.parametrize("owner", ["", "another-machine|boot|ns|1|2", "nonsense", "a|b|c", "||||", "a|b|c|d|e|f"])
def test_what_cannot_be_told_may_be_alive(owner):
    assert not is_gone(owner)
