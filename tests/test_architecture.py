"""The rules that keep the rooms small and loading light."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "kling_nb"
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = ("httpx", "PIL", "pydantic", "ipywidgets", "numpy", "pandas")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_fits_in_a_head(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            # A docstring with numpydoc sections is no burden on the head that reads the code.
            doc = node.body[0] if ast.get_docstring(node) else None
            length = node.end_lineno - node.lineno + 1 - (doc.end_lineno - doc.lineno + 1 if doc else 0)
            assert length <= 60, f"{node.name} has {length} lines"


def test_only_one_room_knows_httpx_and_only_one_sqlite():
    for room, name in (("remote", "httpx"), ("workspace", "sqlite3")):
        for path in MODULES:
            inside = path.relative_to(PACKAGE).parts[0]
            if inside not in (room, "sandbox"):
                assert name not in _imports(path), f"{path.name} imports {name}"


def _imports(path):
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def _in_new_python(code):
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_importing_the_package_loads_and_touches_nothing():
    events = _in_new_python(
        "import sys, json, os\n"
        "from importlib.util import find_spec\n"
        "find_spec('kling_nb')\n"
        "seen = []\n"
        "def hook(event, args):\n"
        "    if event.startswith(('socket.', 'subprocess.', 'os.mkdir', 'os.putenv', 'sqlite3')):\n"
        "        seen.append(event)\n"
        "    if event == 'open' and not str(args[0]).endswith(('.py', '.pyc')) and 'kling_nb' not in str(args[0]):\n"
        "        seen.append(str(args[0]))\n"
        "sys.addaudithook(hook)\n"
        "before = set(sys.modules)\n"
        "import kling_nb\n"
        "print(json.dumps([seen, sorted(set(sys.modules) - before)]))"
    )
    seen, loaded = events
    assert seen == []
    assert [name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names] == ["kling_nb"]


def test_loading_the_extension_loads_nothing_heavy(tmp_path):
    loaded = _in_new_python(
        "import sys, json, os\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "before = set(sys.modules)\n"
        "shell.run_line_magic('load_ext', 'kling_nb')\n"
        "assert 'kling' in shell.magics_manager.magics['line']\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    assert not [name for name in loaded if name.partition(".")[0] in HEAVY]
    assert "sqlite3" not in loaded
