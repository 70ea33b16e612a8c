"""A gateway with one good key, a `Kling` at it, and what the doctor found by name."""

import sys
from pathlib import Path

import pytest
from PIL import Image

import kling_nb.kling as facade
from kling_nb import Kling
from kling_nb.key import KernelState, kernel
from kling_nb.sandbox import Sandbox
from kling_nb.session import gateway

KEY = "sk-sesame-0123456789-sesame"


@pytest.fixture(autouse=True)
def nothing_left(monkeypatch):
    """Forget, before and after, what this process knows; whatever keyring this machine has is not asked."""
    monkeypatch.setitem(sys.modules, "keyring", None)

    def forget():
        gateway.close_all()
        facade._default.clear()
        facade._config.clear()
        facade._key._slow = None
        for name in KernelState.__slots__:
            setattr(kernel, name, None)

    forget()
    yield
    forget()


@pytest.fixture
def key():
    return KEY


@pytest.fixture
def box(tmp_path):
    with Sandbox(tmp_path / "gateway", key=KEY, seconds=0, images="constant") as started:
        yield started


@pytest.fixture
def cat():
    return Image.new("RGB", (400, 320), "orange")


@pytest.fixture
def new_kling(box):
    """Make a `Kling` that uses the gateway as a real one."""

    def make(api_key=KEY, **settings):
        quick = {"poll_interval": 0.01, "grace": 0.05, "timeout": 30}
        return Kling(api_key, **{"base_url": box.base_url, **quick, **settings})

    return make


@pytest.fixture
def kling(new_kling):
    return new_kling()


@pytest.fixture
def found():
    """Return what a checkup has found, by section and name."""

    def by_name(checkup, section, name):
        (finding,) = (each for each in checkup if (each.section, each.name) == (section, name))
        return finding

    return by_name


@pytest.fixture
def answer(found):
    """Return what a `Kling`'s gateway answers."""
    return lambda kling, **options: found(kling.doctor(**options), "gateway", "answer")


@pytest.fixture
def unused_port():
    """A port that nobody listens on."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def tree():
    """Every file below a folder with its content."""

    def read(folder="."):
        paths = sorted(Path(folder).rglob("*"))
        return {str(path): path.read_bytes() if path.is_file() else None for path in paths}

    return read
