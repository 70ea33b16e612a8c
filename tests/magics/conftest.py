"""A shell of its own for each test, with the sandbox behind it; and real kernels."""

import os
import queue
import signal
import time

import pytest
import zmq
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from PIL import Image
from traitlets.config import Config

from kling_nb.key import kernel as kernel_state
from kling_nb.session import gateway


def picture(path, colour="teal", size=(400, 320)):
    Image.new("RGB", size, colour).save(path)
    return path


class Shell:
    """An InteractiveShell that collects what it displays."""

    def __init__(self, shell, sandbox):
        self.ip = shell
        self.sandbox = sandbox
        self.ns = shell.user_ns

    def run(self, source, *, fails=False):
        """Run a cell as a user would; return what was displayed, what was printed, and the value."""
        publisher = CapturingDisplayPublisher()
        before, self.ip.display_pub = self.ip.display_pub, publisher
        try:
            with capture_output(display=False) as printed:
                result = self.ip.run_cell(source, store_history=True)
        finally:
            self.ip.display_pub = before
        error = result.error_before_exec or result.error_in_exec
        if error is not None and not fails:
            raise error
        return Ran(publisher.outputs, printed.stdout + printed.stderr, result.result, error)


class Ran:
    def __init__(self, outputs, printed, value, error):
        self.outputs, self.printed, self.value, self.error = outputs, printed, value, error

    @property
    def shown(self):
        """What a notebook would have under the cell at the end: one output for each display, as last updated."""
        last = {}
        for output in self.outputs:
            last[(output.get("transient") or {}).get("display_id", id(output))] = output["data"]
        return list(last.values())

    @property
    def html(self):
        return "\n".join(data.get("text/html", "") for data in self.shown)

    @property
    def text(self):
        return "\n".join(data.get("text/plain", "") for data in self.shown)


@pytest.fixture
def new_kernel_state(monkeypatch):
    """What this kernel was told is forgotten before and after, and every thread is stopped."""
    for name in ("login", "sandbox", "folder"):
        monkeypatch.setattr(kernel_state, name, None)
    yield
    gateway.close_all()


@pytest.fixture
def shell(new_kernel_state, tmp_path, monkeypatch):
    """A shell that has loaded the extension and turned the sandbox on; the sandbox answers at once."""
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "cat.png", "orange")
    picture(tmp_path / "hat.png", "navy")
    config = Config()
    config.HistoryManager.enabled = False
    InteractiveShell.clear_instance()
    ip = InteractiveShell.instance(config=config)
    ip.colors = "nocolor"
    from kling_nb.sandbox import Sandbox

    workspace = tmp_path / "kling_runs" / "sandbox"
    sandbox = gateway._sandboxes[workspace] = Sandbox(workspace / "gateway", seconds=0, images="constant").start()
    ip.run_line_magic("load_ext", "kling_nb")
    kernel_state.sandbox = True
    ip.run_line_magic("config", "KlingMagics.poll_interval = 0.02")
    yield Shell(ip, sandbox)
    ip.run_line_magic("unload_ext", "kling_nb")
    InteractiveShell.clear_instance()


SETUP = """
from pathlib import Path
from PIL import Image
cat = Image.new("RGB", (400, 320), "orange")
from kling_nb.session import gateway
from kling_nb.sandbox import Sandbox
folder = Path("kling_runs/sandbox").resolve()
sandbox = gateway._sandboxes[folder] = Sandbox(folder / "gateway", seconds=0, images="constant").start()
%load_ext kling_nb
%kling sandbox on
%config KlingMagics.poll_interval = 0.02
"""


class Kernel:
    """A real kernel in a folder of its own, spoken to as a front end does."""

    def __init__(self, folder, env=None):
        from jupyter_client.manager import KernelManager

        self.folder = folder
        self.manager = KernelManager(kernel_name="python3")
        if os.name == "posix":
            # Through files: the kernel warns, on standard error, of everyone who could connect to a port.
            self.manager.transport, self.manager.ip = "ipc", str(folder / ".ipc")
        self.manager.start_kernel(cwd=str(folder), env={**os.environ, **(env or {})})
        self.client = self.manager.client()
        # Two forms in one cell say more than the thousand things that are kept for a reader who is late.
        self.client.context.setsockopt(zmq.RCVHWM, 0)
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        self.displays = {}

    def send(self, source, *, allow_stdin=False):
        return self.client.execute(source, allow_stdin=allow_stdin)

    def run(self, source, *, fails=False, allow_stdin=False, answer=None):
        """Run a cell to its end; return its messages and its reply's content."""
        return self.finish(self.send(source, allow_stdin=allow_stdin), fails=fails, answer=answer)

    def finish(self, request, *, fails=False, answer=None, until=None):
        """Read what the kernel says until a request is done, or until a message that satisfies ``until``."""
        messages, deadline = [], time.monotonic() + 60
        while time.monotonic() < deadline:
            if answer is not None:
                self._answer(answer)
            try:
                message = self.client.get_iopub_msg(timeout=0.1)
            except queue.Empty:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind in ("display_data", "update_display_data"):
                self.displays[content["transient"].get("display_id")] = content["data"]
            if message["parent_header"].get("msg_id") == request:
                messages.append(message)
                if until is not None and until(message):
                    return messages
                if kind == "status" and content["execution_state"] == "idle":
                    break
            elif until is not None and until(message):
                return [message]
        else:
            raise AssertionError("the kernel did not finish")
        errors = [m["content"] for m in messages if m["msg_type"] == "error"]
        if errors and not fails:
            raise AssertionError("\n".join(errors[0]["traceback"]))
        return messages

    def _answer(self, answer):
        try:
            message = self.client.get_stdin_msg(timeout=0.05)
        except queue.Empty:
            return
        assert message["msg_type"] == "input_request"
        self.asked = message["content"]
        self.client.input(answer)

    def kill(self):
        os.kill(self.manager.provisioner.pid, signal.SIGKILL)

    def shut_down(self):
        """End it as a front end does: it is asked to, and may tidy up."""
        self.manager.shutdown_kernel()

    def stop(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


@pytest.fixture
def start_kernel(tmp_path):
    """Return a function that starts a kernel in this test's folder."""
    kernels = []

    def start(env=None):
        kernel = Kernel(tmp_path, env)
        kernels.append(kernel)
        return kernel

    yield start
    for kernel in kernels:
        kernel.stop()


@pytest.fixture
def kernel(start_kernel):
    """A kernel with the extension loaded and the sandbox on."""
    kernel = start_kernel()
    kernel.run(SETUP)
    return kernel
