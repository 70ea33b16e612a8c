"""`%kling doctor` in a shell, a kernel and a terminal."""

import os
import signal
import socket
import threading
import time

import pytest

from kling_nb.key import kernel as kernel_state


def test_it_shows_a_table_once_and_returns_it(shell):
    ran = shell.run("x = %kling doctor")
    assert len(ran.shown) == 1
    assert "<table" in ran.html
    assert "reached, " in ran.text
    checkup = shell.ns["x"]
    assert checkup.state in ("fine", "note")
    assert repr(checkup) == ran.text
    assert len(shell.run("%kling doctor").shown) == 1
    assert "<table" in shell.run("x").value._repr_mimebundle_()[0]["text/html"]
    assert {seen.method for seen in shell.sandbox.requests} == {"GET"}


def test_a_semicolon_shows_nothing(shell):
    ran = shell.run("x = %kling doctor;")
    assert (ran.shown, ran.printed) == ([], "")
    assert shell.ns["x"]


def test_offline_asks_nobody(shell):
    assert "not asked: the network was left out" in shell.run("%kling doctor offline").text
    assert list(shell.sandbox.requests) == []


def test_python_finds_the_same(shell):
    shell.run("import kling_nb\nx = %kling doctor offline\ny = kling_nb.default().doctor(network=False)")
    same = [[(f.section, f.name, f.text) for f in shell.ns[name] if f.name != "free space"] for name in "xy"]
    assert same[0] == same[1]


def test_it_is_reached_by_the_real_way_with_config(shell):
    kernel_state.sandbox = False
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    shell.run(f"%config KlingMagics.base_url = 'http://127.0.0.1:{port}/kling'")
    text = shell.run("%kling doctor").text
    assert "not reached: " in text
    assert f"http://127.0.0.1:{port}/kling, from %config KlingMagics.base_url" in text
    assert "PROBLEM key           there is none" in text


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("KLING_SLOTS", "many", "KLING_SLOTS in the environment is 'many': it must be a whole number"),
        ("KLING_BASE_URL", "https://me:sesame@host/kling", "it must hold no user name"),
    ],
)
def test_settings_that_cannot_be_used_are_a_problem_and_no_error(shell, monkeypatch, variable, value, words):
    monkeypatch.setenv(variable, value)
    ran = shell.run("x = %kling doctor")
    assert words in ran.text
    assert "sesame" not in ran.text + ran.html
    assert [each.section for each in shell.ns["x"].problems] == ["settings"]
    assert "kling_nb" in ran.text


def test_an_interrupt_ends_it(shell):
    fault = shell.sandbox.faults.add("list", "hang", times=None)

    def interrupt():
        while not fault.used:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    ran = shell.run("%kling doctor", fails=True)
    thread.join()
    fault.release()
    assert isinstance(ran.error, KeyboardInterrupt)
    assert ran.text == "kling_nb: Interrupted."
    assert "`%kling doctor offline`" in ran.printed
    assert "Traceback" not in ran.printed


def test_a_kernel_knows_that_it_is_one(kernel):
    messages = kernel.run("x = %kling doctor\nprint(x)")
    text = "".join(m["content"]["text"] for m in messages if m["msg_type"] == "stream")
    assert "kernel ipykernel (IPythonKernel)" in text
    assert "nobody can answer here" in text
    assert any("<table" in data.get("text/html", "") for data in kernel.displays.values())
