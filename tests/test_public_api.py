"""What the package offers, and that offering it costs nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import kling_nb

ROOT = Path(kling_nb.__file__).parent.parent
HEAVY = ("httpx", "PIL", "pydantic", "ipywidgets", "numpy", "pandas", "sqlite3", "IPython", "dotenv", "werkzeug")
NAMES = [
    "APIError",
    "AuthenticationFailed",
    "ConfigurationError",
    "ConnectionFailed",
    "ContentRefused",
    "GeneratedImage",
    "ImageList",
    "ImagesMissing",
    "InvalidRequest",
    "Kling",
    "KlingError",
    "NotPermitted",
    "OutOfBalance",
    "Reference",
    "RequestRefused",
    "ServerError",
    "Task",
    "TaskFailed",
    "TooManyRequests",
    "WaitTimeout",
    "WorkspaceError",
    "__version__",
    "default",
]


def in_new_python(code):
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_names_are_these_and_sorted():
    # A new public name is a promise: it is made here, too.
    assert set(NAMES) <= set(kling_nb.__all__)
    assert kling_nb.__all__ == sorted(kling_nb.__all__)
    assert len(set(kling_nb.__all__)) == len(kling_nb.__all__)
    assert sorted(dir(kling_nb)) == kling_nb.__all__


def test_what_dir_returns_can_be_changed_without_harm():
    dir(kling_nb).clear()
    assert "Kling" in kling_nb.__all__


@pytest.mark.parametrize("name", kling_nb.__all__)
def test_every_name_loads(name):
    found = getattr(kling_nb, name)
    assert found is getattr(kling_nb, name)
    if isinstance(found, type):
        assert found.__name__ == name
        assert found.__doc__


def test_a_star_brings_them_all():
    names: dict = {}
    exec("from kling_nb import *", names)
    assert set(kling_nb.__all__) <= set(names)


@pytest.mark.parametrize("name", ["Klong", "_private", "generate", "__wrapped__", ""])
def test_what_is_not_there_says_so(name):
    with pytest.raises(AttributeError, match=f"module 'kling_nb' has no attribute '{name}'"):
        getattr(kling_nb, name)
    assert not hasattr(kling_nb, name)


def test_rooms_are_still_modules():
    import kling_nb.session.task as room

    assert kling_nb.session.task is room


def test_the_version_is_one():
    assert kling_nb.__version__.count(".") == 2
    assert kling_nb.__version__[0].isdigit()


def test_importing_it_loads_nothing_and_touches_nothing():
    # Found first, because looking for a package on the path is Python's own reading.
    seen, loaded = in_new_python(
        "import json, sys, os\n"
        "from importlib.util import find_spec\n"
        "find_spec('kling_nb')\n"
        "seen = []\n"
        "class Watched(dict):\n"
        "    def __getitem__(self, name): seen.append(name); return super().__getitem__(name)\n"
        "    def get(self, *a): seen.append(a[0]); return super().get(*a)\n"
        "    def __contains__(self, name): seen.append(name); return super().__contains__(name)\n"
        "def hook(event, args):\n"
        "    if event.startswith(('socket.', 'subprocess.', 'sqlite3.', 'os.mkdir', 'os.remove', 'os.rename')):\n"
        "        seen.append(event)\n"
        "    if event == 'open' and not str(args[0]).endswith(('.py', '.pyc')) and '__pycache__' not in str(args[0]):\n"
        "        seen.append(str(args[0]))\n"
        "sys.addaudithook(hook)\n"
        "before = set(sys.modules)\n"
        "real, os.environ = os.environ, Watched(os.environ)\n"
        "import kling_nb\n"
        "dir(kling_nb), kling_nb.__doc__\n"
        "os.environ = real\n"
        "print(json.dumps([seen, sorted(set(sys.modules) - before)]))"
    )
    assert seen == []
    assert [name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names] == ["kling_nb"]
    assert not [name for name in loaded if name in HEAVY]


def test_errors_and_records_load_nothing_heavy():
    loaded = in_new_python(
        "import json, sys\n"
        "from kling_nb import KlingError, APIError, Reference, WaitTimeout, __version__\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    assert not [name for name in loaded if name.partition(".")[0] in HEAVY]


def test_making_a_kling_opens_no_file_and_starts_no_thread():
    seen, threads, listed = in_new_python(
        "import json, sys, os, tempfile, threading\n"
        "os.chdir(tempfile.mkdtemp())\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from kling_nb import Kling\n"
        "seen = []\n"
        "def hook(event, args):\n"
        "    if event.startswith(('socket.', 'subprocess.', 'sqlite3.', 'os.mkdir')):\n"
        "        seen.append(event)\n"
        "sys.addaudithook(hook)\n"
        "kling = Kling(api_key='sk-x', sandbox=True)\n"
        "repr(kling), kling.settings\n"
        "kling.tasks(), kling.close()\n"
        "print(json.dumps([seen, threading.active_count(), os.listdir('.')]))"
    )
    assert (seen, threads, listed) == ([], 1, [])


def test_types_are_shipped():
    assert (ROOT / "kling_nb" / "py.typed").is_file()
