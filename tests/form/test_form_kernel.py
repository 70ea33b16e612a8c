"""``%kling form`` in a real kernel: shown once, run again, driven by messages, saved, unloaded."""

import base64
import json
from pathlib import Path

import nbformat
from nbclient import NotebookClient

VIEW = "application/vnd.jupyter.widget-view+json"
SETTLE = "from kling_nb.form.places import all_open\nassert form.settle(30)\n"
SANDBOX_WITH_A_KEY = """
from pathlib import Path
from kling_nb.sandbox import Sandbox
sandbox = Sandbox(Path("box"), seconds=0, images="constant").start()
%load_ext kling_nb
%config KlingMagics.base_url = sandbox.base_url
%config KlingMagics.poll_interval = 0.01
"""
UPLOAD = """
data = memoryview(Path("upload.bin").read_bytes())
file = {"name": "new.png", "type": "image/png", "size": len(data), "content": data, "last_modified": 1}
form.references.slots[0].upload.set_state({"value": [file]})
chunk = {"kind": "chunk", "id": "a", "step": 0, "steps": 1, "name": "sea.png"}
form.references.slots[4].tile._handle_custom_msg(chunk, [data])
"""
SEND = """
for prompt in ("a cat with a hat", "[sandbox: fail] a cat"):
    form.fields.prompt.value = prompt
    assert form.settle(), form.problems
    form.paying.button.click()
    assert form.settle()
    try:
        form.tasks[-1].wait(quiet=True)
    except Exception as error:
        print(type(error).__name__)
assert form.settle()
"""


def displays(messages):
    return [m["content"]["data"] for m in messages if m["msg_type"] in ("display_data", "execute_result")]


def printed(messages):
    return "".join(m["content"]["text"] for m in messages if m["msg_type"] == "stream")


def run_in_cell(kernel, cell, source):
    """Run a cell as a front end does that tells which cell it is."""
    content = {"code": source, "silent": False, "store_history": True, "user_expressions": {}}
    content |= {"allow_stdin": False, "stop_on_error": True}
    message = kernel.client.session.msg("execute_request", content, metadata={"cellId": cell})
    kernel.client.shell_channel.send(message)
    return kernel.finish(message["header"]["msg_id"])


def tell(kernel, comm, data, buffers=None):
    """Send what a widget's view sends, and wait until the kernel has dealt with it."""
    message = kernel.client.session.msg("comm_msg", {"comm_id": comm, "data": data})
    kernel.client.session.send(kernel.client.shell_channel.socket, message, buffers=buffers)
    return kernel.finish(message["header"]["msg_id"])


def test_it_is_shown_once(kernel):
    for source in ("%kling form", "form = %kling form", "from kling_nb import default\ndefault().form()"):
        messages = kernel.run(source)
        static, widget = displays(messages)
        assert VIEW not in static
        assert "A form of kling_nb was here" in static["text/html"]
        assert widget[VIEW]["model_id"]
        assert "kling_nb form" in widget["text/plain"]
        assert printed(messages) == ""
    (again,) = displays(kernel.run("form"))
    assert again[VIEW]["model_id"]
    assert displays(kernel.run("silent = default().form()")) == []


def test_the_same_cell_run_again_closes_the_earlier_form_and_follows_its_task(kernel):
    run_in_cell(kernel, "x", "%kling form")
    kernel.run(
        "first = _\nfirst.load(prompt='a cat', subject_images='cat.png')\nsandbox.hold()\ntask = first.generate()"
    )
    run_in_cell(kernel, "y", "other = %kling form")
    kernel.run("%kling form")
    run_in_cell(kernel, "x", "form = %kling form")
    states = kernel.run(SETTLE + "print(first, len(all_open()), form.tasks == (task,), other.widget.comm is not None)")
    assert printed(states) == "<kling_nb form: closed> 3 True True\n"
    kernel.run("sandbox.release()\ntask.wait(quiet=True)\n" + SETTLE)
    # The result is in what stays of the new form.
    names = printed(kernel.run("print(form._showing.name)")).strip()
    assert [
        1 for data in kernel.displays.values() if names in data.get("text/html", "") and "<img" in data["text/html"]
    ]
    names = kernel.run(
        "import threading\nprint([t.name for t in threading.enumerate() if t.name.startswith('kling-form')])"
    )
    assert printed(names).count("kling-form") == 1


def test_messages_fill_it_and_send_it_and_the_result_comes_without_a_cell(kernel, pictures):
    kernel.run("form = %kling form")
    find = (
        "slot = form.references.slots[0]\n"
        "print(*(w.comm.comm_id for w in (slot.tile, slot.source, form.fields.prompt, form.paying.button)))"
    )
    tile, source, prompt, button = printed(kernel.run(find)).split()
    tell(kernel, source, {"method": "update", "state": {"value": "hat.png"}, "buffer_paths": []})
    chunk = {"kind": "chunk", "id": "a", "step": 0, "steps": 1, "name": "new.png", "number": 0, "count": 1}
    messages = tell(kernel, tile, {"method": "custom", "content": chunk}, [pictures(7)])
    said = [m["content"]["data"] for m in messages if m["msg_type"] == "comm_msg"]
    assert {"kind": "ack", "id": "a", "step": 0} in [each.get("content") for each in said]
    tell(kernel, prompt, {"method": "update", "state": {"value": "a cat"}, "buffer_paths": []})
    kernel.run(SETTLE)
    tell(kernel, button, {"method": "custom", "content": {"event": "click"}})
    name = printed(kernel.run("print(form._showing.name)")).strip()
    kernel.finish(
        "nothing", until=lambda m: m["msg_type"] == "update_display_data" and name in str(m) and "<img" in str(m)
    )
    messages = kernel.run("task = form.tasks[0]\nprint(task.prompt, len(task.images), task.references[0].name)")
    assert printed(messages).startswith("a cat 1 kling_runs/sandbox/uploads/new-")


def test_unloading_closes_every_form(kernel):
    kernel.run("one = %kling form")
    kernel.run("from kling_nb import Kling\nother = Kling(sandbox=True).form()")
    messages = kernel.run(
        "from ipywidgets.widgets.widget import _instances\nfrom kling_nb.form.places import all_open\n"
        "%unload_ext kling_nb\nprint(one, other, all_open(), len(_instances))"
    )
    assert printed(messages).splitlines()[-1] == "<kling_nb form: closed> <kling_nb form: closed> [] 0"


def test_a_saved_notebook_holds_the_results_and_neither_key_nor_uploads(files, monkeypatch, pictures):
    key = "sk-very-secret-4711"
    monkeypatch.setenv("KLING_API_KEY", key)
    monkeypatch.chdir(files)
    upload = pictures(7) + bytes(range(256)) * 20
    Path("upload.bin").write_bytes(upload)
    sources = [SANDBOX_WITH_A_KEY, "form = %kling form", UPLOAD, SEND]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    NotebookClient(notebook, kernel_name="python3", timeout=60, resources={"metadata": {"path": str(files)}}).execute()
    text = nbformat.writes(notebook)
    assert key not in text
    assert base64.b64encode(upload[3000:4500]).decode() not in text
    assert len(text) < 1_000_000
    widgets = json.dumps(notebook.metadata["widgets"])
    assert "TextareaModel" in widgets
    static = notebook.cells[1].outputs[0]["data"]["text/html"]
    assert "A form of kling_nb was here" in static
    assert "a cat with a hat" in static
    assert "<img" in static
    assert "risk control" in static
    assert "".join(output["text"] for output in notebook.cells[3].outputs) == "TaskFailed\n"
