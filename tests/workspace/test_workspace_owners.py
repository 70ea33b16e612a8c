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
    host, boot, pid, started = this_process().split("|")
    assert int(pid) == os.getpid()
    assert is_gone(f"{host}|{boot}|{pid}|{int(started or 0) + 1}")
    assert is_gone(f"{host}|an earlier boot|{pid}|{started}")


@pytest.mark.parametrize("owner", ["", "another-machine|boot|1|2", "nonsense", "a|b|c", "|||", "a|b|c|d|e"])
def test_what_cannot_be_told_may_be_alive(owner):
    assert not is_gone(owner)
