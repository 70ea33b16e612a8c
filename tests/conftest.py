"""What holds for every test: nothing reaches beyond this machine, and nothing outside is read."""

import ipaddress
import os
import signal
import socket
from pathlib import Path

import pytest


@pytest.fixture(autouse=True, scope="session")
def no_network():
    """Refuse every connection but those to this machine itself."""
    real = socket.socket.connect

    def connect(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = address[0]
            local = host == "localhost" or ipaddress.ip_address(host).is_loopback
            if not local:
                raise AssertionError(f"a test tried to reach {host}")
        return real(self, address)

    socket.socket.connect = connect
    yield
    socket.socket.connect = real


@pytest.fixture(autouse=True, scope="session")
def interrupts_arrive():
    """Let an interrupt interrupt, also where the tests were started in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def nothing_from_outside(monkeypatch, tmp_path_factory):
    """Hide the settings and the working directory of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith("KLING_"):
            monkeypatch.delenv(name)
    for name in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "JPY_SESSION_NAME",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
    monkeypatch.chdir(tmp_path_factory.mktemp("work"))


@pytest.fixture
def repository():
    """Return the root of the project."""
    return Path(__file__).parent.parent
