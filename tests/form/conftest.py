"""Forms of real widgets on a quick sandbox, driven as a person drives them, without a browser."""

import importlib.util
import io
import random
import re
import threading
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from ipywidgets.widgets import widget as widget_module
from PIL import Image
from traitlets.config import Config

import kling_nb.kling as facade
from kling_nb import Kling
from kling_nb.form import places, runs
from kling_nb.form.uploads import CHUNK
from kling_nb.key import kernel as kernel_state
from kling_nb.sandbox import Sandbox, app
from kling_nb.session import gateway

SECONDS = 60.0


@pytest.fixture(autouse=True)
def nothing_left():
    """Forget what this process knows of forms, gateways and the kernel; nothing of a form may be left."""

    def forget():
        for form in places.all_open():
            form.close()
        gateway.close_all()
        facade._default.clear()
        facade._config.clear()
        kernel_state.login = kernel_state.sandbox = kernel_state.folder = None

    forget()
    yield
    forget()
    assert form_threads() == []


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Have every click count: these tests click faster than a person can read what came of the last one."""
    monkeypatch.setattr(runs, "DOUBLE_CLICK", 0.0)


@pytest.fixture(autouse=True)
def no_callback_raises(monkeypatch):
    """Fail where a callback raises: in a notebook that would appear nowhere."""
    raised = []

    def call(self, *args, **kwargs):
        value = None
        for callback in self.callbacks:
            try:
                local = callback(*args, **kwargs)
            except Exception as error:
                raised.append(error)
            else:
                value = local if local is not None else value
        return value

    monkeypatch.setattr(widget_module.CallbackDispatcher, "__call__", call)
    yield raised
    assert raised == []


def form_threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("kling-form")]


@pytest.fixture
def threads():
    """Name the threads of forms that there are."""
    return form_threads


@pytest.fixture(scope="session")
def pictures():
    """Small PNGs that the API would take, by number."""

    def make(number=1, width=320, height=300):
        buffer = io.BytesIO()
        colour = tuple(random.Random(number).randbytes(3))
        Image.new("RGB", (width, height), colour).save(buffer, "PNG")
        return buffer.getvalue()

    return make


@pytest.fixture
def files(pictures):
    """A folder with pictures in it: the working one."""
    for number, name in enumerate(("cat", "hat", "sea", "ink"), 1):
        Path(f"{name}.png").write_bytes(pictures(number))
    Path("tiny.png").write_bytes(pictures(5, 100, 100))
    return Path.cwd()


@pytest.fixture
def sandbox():
    """The sandbox of `Kling(sandbox=True)`, whose tasks have succeeded by the first look."""
    workspace = Path.cwd() / "kling_runs" / "sandbox"
    box = Sandbox(workspace / "gateway", seconds=0, images="constant").start()
    gateway._sandboxes[workspace] = box
    return box


@pytest.fixture
def new_kling(sandbox):
    """Make a `Kling` on that sandbox."""

    def make(**settings):
        return Kling(**{"sandbox": True, "poll_interval": 0.01, "timeout": 30, "grace": 0.05, **settings})

    return make


@pytest.fixture
def kling(new_kling):
    return new_kling()


@pytest.fixture
def bodies(monkeypatch):
    """The bodies of the requests for images as they came to the sandbox, without the ids that are made for each."""
    seen = []
    real = app._read_body

    def read(request):
        body = real(request)
        if request.method == "POST":
            seen.append(re.sub(rb"kling_nb-[0-9a-z-]+", b"ID", body))
        return body

    monkeypatch.setattr(app, "_read_body", read)
    return seen


@pytest.fixture
def shell():
    """A real shell, whose variables are the notebook's."""
    config = Config()
    config.HistoryManager.enabled = False
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance(config=config)
    yield made
    InteractiveShell.clear_instance()


@pytest.fixture
def variables(shell):
    """The notebook's variables."""
    return shell.user_ns


@pytest.fixture
def form(kling, files):
    """A form of a `Kling` on the sandbox; pictures are in the working folder."""
    return kling.form()


class Person:
    """What somebody in front of a form does with it: the front end's messages, one by one."""

    def types(self, field, text):
        """Type into a field, or choose from a list."""
        field.set_state({"value": text})

    def chooses(self, field, value):
        """Choose from buttons or from a list, of which the front end tells the place alone."""
        values = [each[1] if isinstance(each, tuple) else each for each in field.options]
        field.set_state({"index": values.index(value)})

    def clicks(self, button):
        """Click, which a button that is disabled does not feel."""
        if not button.disabled:
            button._handle_button_msg(button, {"event": "click"}, [])

    def drops(self, slot, *given):
        """Drop (name, bytes) pairs on a slot, as `tile.js` brings them; return what the tile answered."""
        answers = []
        send, slot.tile.send = slot.tile.send, lambda content, buffers=None: answers.append(content)
        try:
            for number, (name, data) in enumerate(given):
                steps = max(1, -(-len(data) // CHUNK))
                for step in range(steps):
                    part = memoryview(data)[step * CHUNK : (step + 1) * CHUNK]
                    message = {"kind": "chunk", "id": f"{name}-{number}", "step": step, "steps": steps, "name": name}
                    message |= {"size": len(data), "number": number, "count": len(given)}
                    self.tells(slot.tile, message, [part])
        finally:
            slot.tile.send = send
        return answers

    def tells(self, tile, message, buffers=()):
        """Have a tile's JavaScript send a message."""
        tile._handle_custom_msg(message, list(buffers))

    def uploads(self, slot, name, data):
        """Choose a file with the button of ipywidgets itself."""
        described = {"name": name, "type": "image/png", "size": len(data), "content": memoryview(data)}
        slot.upload.set_state({"value": [described | {"last_modified": 1_700_000_000_000}]})

    def agrees(self, form):
        """Click Generate, and wait until everything that was sent has come back."""
        self.clicks(form.paying.button)
        return self.waits(form)

    def waits(self, form):
        """Wait until nothing is under way; return the newest card."""
        assert form.settle(SECONDS)
        thread = form.results._thread
        if thread is not None:
            thread.join(SECONDS)
        assert not any(run.live for run in form.results.runs)
        return form.results.runs[0]


@pytest.fixture
def person():
    return Person()


@pytest.fixture
def until():
    """Wait until something is so, looking again whenever a trait of a widget changes."""

    def wait(condition, *widgets):
        is_so = threading.Event()

        def look(_change):
            if condition():
                is_so.set()

        for each in widgets:
            each.observe(look)
        look(None)
        try:
            assert is_so.wait(SECONDS)
        finally:
            for each in widgets:
                each.unobserve(look)

    return wait


class Slow:
    """A picture that is not given until it is let go."""

    def __init__(self, picture):
        self.picture = picture
        self.asked = threading.Event()
        self.free = threading.Event()

    def __kling_reference__(self):
        self.asked.set()
        assert self.free.wait(SECONDS)
        return self.picture


@pytest.fixture
def slow(pictures):
    """Make pictures that block whoever looks at them; all are let go in the end."""
    made = []

    def make(number=9):
        made.append(Slow(pictures(number)))
        return made[-1]

    yield make
    for each in made:
        each.free.set()


@pytest.fixture
def widgets_left():
    """Tell which widgets there are that were not there before."""
    known = widget_module._instances
    before = set(known)
    return lambda: [type(known[each]).__name__ for each in known if each not in before]


_PATH = Path(__file__).parent.parent / "magics" / "conftest.py"


@pytest.fixture
def start_kernel(tmp_path, files, monkeypatch):
    """Return a function that starts a real kernel in a folder with pictures."""
    specification = importlib.util.spec_from_file_location("kling_tests_of_magics", _PATH)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    monkeypatch.chdir(tmp_path)
    kernels = []
    for path in files.glob("*.png"):
        (tmp_path / path.name).write_bytes(path.read_bytes())

    def start(env=None):
        kernel = module.Kernel(tmp_path, env)
        kernels.append(kernel)
        kernel.run(module.SETUP)
        return kernel

    yield start
    for kernel in kernels:
        kernel.stop()


@pytest.fixture
def kernel(start_kernel):
    """A kernel with the extension loaded and the sandbox on."""
    return start_kernel()
