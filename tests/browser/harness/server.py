"""A Jupyter server of the tests' own: nothing of the user's is read, and nothing is left behind."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import httpx

THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}

SETTINGS = {
    "apputils-extension/notification": {"checkForUpdates": False, "fetchNews": "false", "doNotDisturbMode": True},
    "extensionmanager-extension/plugin": {"enabled": False},
    # A test says itself when the notebook is saved.
    "docmanager-extension/plugin": {"autosave": False},
    # Cells that are scrolled away stay in the page, where they can be looked at.
    "notebook-extension/tracker": {"windowingMode": "none"},
}

_STARTING = 900  # tenths of a second; a machine with other work takes long for its first start


class JupyterServer:
    """A server that serves JupyterLab and Notebook 7 alike.

    Parameters
    ----------
    home : Path
        An empty folder for everything it writes: settings, runtime files, notebooks.

    Attributes
    ----------
    root : Path
        The folder whose notebooks it serves.
    url : str
        Where it is, without a slash at its end.
    token : str
        What it wants to see.
    """

    def __init__(self, home):
        self.home = home
        self.root = home / "root"
        self.root.mkdir(parents=True)
        self.token = secrets.token_hex(16)
        self.theme("light")
        for name, values in SETTINGS.items():
            self._write_settings(name, values)
        self._write_configuration()
        self._log = (home / "server.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jupyter_server"],
            cwd=self.root,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self.url = self._address()
        self._http = httpx.Client(
            base_url=self.url, headers={"Authorization": f"token {self.token}"}, timeout=60, trust_env=False
        )

    def rest(self, method, path, content=None):
        """Ask the server for something; return its answer, or None where there is none."""
        answer = self._http.request(method, path, json=content)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def kernel_id(self, path):
        """Return the kernel of a notebook, None while it has none."""
        return next((one["kernel"]["id"] for one in self.rest("GET", "/api/sessions") if one["path"] == path), None)

    def connection_file(self, kernel_id):
        """Return the file that says how to speak to a kernel."""
        return self.home / "runtime" / f"kernel-{kernel_id}.json"

    def end_sessions(self):
        """End every kernel."""
        for session in self.rest("GET", "/api/sessions"):
            self.rest("DELETE", f"/api/sessions/{session['id']}")

    def theme(self, name):
        """Have the pages that are opened from now on in light or dark colours."""
        self._write_settings("apputils-extension/themes", {"theme": THEMES[name], "adaptive-theme": False})

    def log(self):
        """Return what the server and its kernels have said."""
        return (self.home / "server.log").read_text(errors="replace")

    def stop(self):
        """End the server and its kernels, and remove what it wrote."""
        self._http.close()
        self._end()
        shutil.rmtree(self.home, ignore_errors=True)

    def _end(self):
        # On this signal, not on SIGINT, it asks nothing and ends its kernels first.
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _write_settings(self, name, values):
        path = self.home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))

    def _write_configuration(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        # Not on the command line, where everyone on the machine can read the token.
        configuration = {
            # Should somebody else have taken the port meanwhile, the server takes another.
            "ServerApp": {"ip": "127.0.0.1", "port": port, "open_browser": False, "allow_root": True},
            "IdentityProvider": {"token": self.token},
            "LabApp": {
                "expose_app_in_browser": True,
                "news_url": None,
                "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
                "extension_manager": "readonly",
            },
            "JupyterNotebookApp": {"expose_app_in_browser": True},
        }
        configuration["ServerApp"]["root_dir"] = str(self.root)
        path = self.home / "config" / "jupyter_server_config.json"
        path.parent.mkdir()
        path.write_text(json.dumps(configuration))
        path.chmod(0o600)

    def _environment(self):
        hidden = ("KLING_", "JUPYTER", "JPY_", "IPYTHON")
        kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(hidden)}
        return kept | {
            "HOME": str(self.home),
            "JUPYTER_CONFIG_DIR": str(self.home / "config"),
            "JUPYTER_DATA_DIR": str(self.home / "data"),
            "JUPYTER_RUNTIME_DIR": str(self.home / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(self.home / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(self.home / "workspaces"),
            "IPYTHONDIR": str(self.home / "ipython"),
            "JUPYTER_PLATFORM_DIRS": "1",
            # A kernel called python3 of the machine's must not come before that of this environment.
            "JUPYTER_PREFER_ENV_PATH": "1",
            "NO_PROXY": "127.0.0.1,localhost",
            "KLING_SANDBOX": "1",
        }

    def _address(self):
        """Wait until the server answers; return where."""
        written = Path(self.home, "runtime", f"jpserver-{self._process.pid}.json")
        for _ in range(_STARTING):
            if written.exists():
                try:
                    url = json.loads(written.read_text())["url"].rstrip("/")
                    httpx.get(f"{url}/api", timeout=10, trust_env=False).raise_for_status()
                except (ValueError, httpx.TransportError):
                    pass
                else:
                    return url
            try:
                self._process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            break
        self._end()
        raise AssertionError(f"the Jupyter server did not start:\n{self.log()}")
