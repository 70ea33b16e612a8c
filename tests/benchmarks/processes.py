"""Processes of the benchmarks: everything that is measured runs in one of its own."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def environment(**more):
    """The environment without whatever settings or proxies the user has."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("KLING_") and not name.lower().endswith("_proxy")
    }
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "", **more}


class Failed(Exception):
    """A process of a row came to a bad end."""


def python(module_or_code, plan=None, *, timeout=400, cwd=None, **more):
    """Run a module of the benchmarks, or code, in a new interpreter; return the JSON that it prints last."""
    is_module = module_or_code.isidentifier()
    what = ["-m", f"tests.benchmarks.{module_or_code}"] if is_module else ["-c", module_or_code]
    command = [sys.executable, *what, json.dumps(plan or {})]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, cwd=cwd or ROOT, env=environment(**more), check=False
    )
    if done.returncode:
        raise Failed(done.stderr.strip()[-2000:])
    return json.loads(done.stdout.strip().splitlines()[-1])


class Server:
    """The sandbox in a process of its own.

    Parameters
    ----------
    **plan
        As `server.main` reads it.
    """

    def __init__(self, module="server", **plan):
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"tests.benchmarks.{module}", json.dumps(plan)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment(),
        )
        self.facts = json.loads(self._process.stdout.readline())
        self.base_url = self.facts.get("base_url")

    def report(self):
        """What it has seen since the last report."""
        self._process.stdin.write("report\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def folder():
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="kling-bench-") as path:
        yield Path(path)


def small_reference(where):
    """A small JPEG that passes for a subject."""
    from PIL import Image

    path = where / "reference.jpg"
    if not path.exists():
        Image.effect_noise((320, 320), 40).convert("RGB").save(path, quality=70)
    return str(path)
