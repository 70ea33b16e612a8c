"""``%kling`` in a real kernel: interrupts, updates from the background, answers, restarts."""

import json

import pytest

SANDBOX = (
    "from pathlib import Path\nfrom kling_nb.session import gateway\n"
    "gateway.sandbox_at(Path('kling_runs/sandbox').resolve())"
)
POSTS = "print(len([r for r in sandbox.requests if r.method == 'POST' and r.origin == 'api']))"


NO_SLOTS = "_ = sandbox.faults.add('create', 'status', times=None, status=429, code=1303)"


def waits_for_slots(message):
    return "no free slots" in str(message["content"].get("data", ""))


def grids(kernel):
    return [data for data in kernel.displays.values() if "<img" in data.get("text/html", "")]


def printed(messages):
    return "".join(m["content"]["text"] for m in messages if m["msg_type"] == "stream")


def error_of(messages):
    return next(m["content"] for m in messages if m["msg_type"] == "error")


def is_under_way(message):
    html = message["content"].get("data", {}).get("text/html", "") if "data" in message["content"] else ""
    return "queued" in html or "generating" in html


@pytest.mark.promise("you interrupt a cell")
def test_an_interrupt_ends_the_wait_and_the_task_is_followed_on(kernel):
    kernel.run("sandbox.hold()")
    request = kernel.send("%kling -s cat -o task a cat\nprint('not reached')")
    kernel.finish(request, until=is_under_way)
    kernel.manager.interrupt_kernel()
    messages = kernel.finish(request, fails=True)
    error = error_of(messages)
    text = "\n".join(error["traceback"])
    assert "KeyboardInterrupt" in text
    assert "%kling wait" in text
    assert "%kling resume" in text
    assert "engine" not in text
    assert "not reached" not in printed(messages)
    kernel.run("sandbox.release()")
    kernel.run("%kling wait")
    assert printed(kernel.run("print(task.task_status, len(task.images))")) == "succeeded 1\n"
    assert printed(kernel.run(POSTS)) == "1\n"
    # The interrupted cell's own output has become the grid.
    assert grids(kernel)


@pytest.mark.promise("you interrupt a cell")
def test_an_interrupt_cancels_what_was_not_sent(kernel):
    kernel.run("sandbox.hold()\n%kling -s cat --background -o first first\nfrom kling_nb import default")
    kernel.run("assert default().session.gateway.runner.wait(lambda: first.task_id is not None, 20)\n" + NO_SLOTS)
    request = kernel.send("%kling -s cat -o second second")
    kernel.finish(request, until=waits_for_slots)
    kernel.manager.interrupt_kernel()
    text = "\n".join(error_of(kernel.finish(request, fails=True))["traceback"])
    assert "cancelled, nothing to pay" in text
    assert printed(kernel.run("print(second.task_status)")) == "cancelled\n"
    kernel.run("sandbox.faults.clear()\nsandbox.release()\n%kling wait")
    assert printed(kernel.run("print(len(sandbox.ledger.entries()))")) == "1\n"


def test_the_background_fills_in_its_own_cell_while_another_runs(kernel):
    kernel.run("sandbox.hold()")
    kernel.run("%kling -s cat -n 2 --background -o task a cat")
    (name,) = [key for key, data in kernel.displays.items() if "a cat" in str(data) or "image" in str(data)][-1:]
    assert "<img" not in kernel.displays[name]["text/html"]
    kernel.run("sandbox.release()\ntask.wait(quiet=True)\nprint('another cell')")
    kernel.run("import time\nfrom kling_nb import default\ndefault().session.gateway.runner.wait(lambda: False, 0.2)")
    assert kernel.displays[name]["text/html"].count("<img") >= 2


def test_a_line_echoes_nothing_and_the_name_in_the_next_cell_shows_the_grid(kernel):
    messages = kernel.run("x = %kling -s cat a cat\nx")
    assert not [m for m in messages if m["msg_type"] == "execute_result"]
    assert len([m for m in messages if m["msg_type"] == "display_data"]) == 1
    messages = kernel.run("x")
    (result,) = [m for m in messages if m["msg_type"] == "execute_result"]
    assert {"text/html", "text/plain", "image/jpeg"} <= set(result["content"]["data"])
    assert result["content"]["metadata"]["kling_nb"]


def test_a_large_request_is_asked_about_where_somebody_can_answer(kernel):
    kernel.run("%config KlingMagics.confirm_above = 1")
    messages = kernel.run("%kling -s cat -n 2 a cat", allow_stdin=True, answer="n", fails=True)
    assert "--yes" in printed(messages)
    assert "2 images" in kernel.asked["prompt"]
    kernel.run("%kling -s cat -n 2 a cat", allow_stdin=True, answer="y")
    assert printed(kernel.run(POSTS)) == "1\n"


def test_login_asks_unseen_and_the_key_is_nowhere_afterwards(kernel, tmp_path):
    key = "sk-very-secret-4711"
    messages = kernel.run("%kling login", allow_stdin=True, answer=key)
    assert kernel.asked["password"] is True
    kernel.run(
        "from kling_nb import default, Kling\nprint(default(), Kling(api_key='other-key-0815'), default().settings)"
    )
    messages += kernel.run("%kling sandbox off\n%kling -s cat --dry-run a")
    assert key not in json.dumps([m["content"] for m in messages], default=str)
    for path in tmp_path.rglob("*"):
        if path.is_file() and not path.is_socket():
            assert key.encode() not in path.read_bytes()


@pytest.mark.promise("the kernel is killed, at any moment")
def test_after_a_kill_a_new_kernel_says_what_is_unfinished_and_resume_collects_it(kernel, start_kernel):
    kernel.run("sandbox.hold()")
    kernel.run("%kling -s cat -n 2 --background -o task a cat\nfrom kling_nb import default")
    kernel.run("assert default().session.gateway.runner.wait(lambda: task.task_id is not None, 20)")
    kernel.kill()
    again = start_kernel({"KLING_SANDBOX": "1"})
    messages = again.run("%load_ext kling_nb")
    assert "1 task of an earlier session is not finished" in str([m["content"] for m in messages])
    again.run(SANDBOX + ".release()")
    messages = again.run("found = %kling resume")
    assert "1 task of 1 collected" in str(again.displays)
    assert printed(again.run("print([len(task.images) for task in found])")) == "[2]\n"
    assert printed(again.run("from kling_nb import default\nprint(len(default().tasks()))")) == "1\n"


@pytest.mark.promise("the kernel is shut down or restarted")
def test_a_kernel_that_is_shut_down_loses_nothing(kernel, start_kernel):
    kernel.run("sandbox.hold()\n%kling -s cat -n 2 --background -o task a cat\nfrom kling_nb import default")
    kernel.run("assert default().session.gateway.runner.wait(lambda: task.task_id is not None, 20)\n" + NO_SLOTS)
    kernel.run("%kling -s cat -n 2 --background -o later a hat")
    kernel.run("assert default().session.gateway.runner.wait(lambda: 'no free slots' in later.job.note, 20)")
    kernel.shut_down()
    again = start_kernel({"KLING_SANDBOX": "1"})
    messages = again.run("%load_ext kling_nb")
    assert "1 task of an earlier session is not finished" in str([m["content"] for m in messages])
    again.run(SANDBOX + ".release()")
    again.run("found = %kling resume")
    assert printed(again.run("print([len(task.images) for task in found])")) == "[2]\n"
    statuses = "from kling_nb import default\nprint([(t.prompt, t.task_status) for t in default().tasks()])"
    assert printed(again.run(statuses)) == "[('a hat', 'cancelled'), ('a cat', 'succeeded')]\n"


def test_no_thread_and_no_warning_is_left_when_the_kernel_ends(kernel):
    kernel.run("%kling -s cat a cat")
    kernel.run("from kling_nb.session import gateway\ngateway.close_all()")
    left = printed(
        kernel.run("import threading\nprint([t.name for t in threading.enumerate() if t.name.startswith('kling')])")
    )
    assert left == "[]\n"
