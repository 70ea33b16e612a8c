"""The versions of what is installed, told without importing it."""

import platform
import re
from importlib import metadata

from kling_nb._version import __version__
from kling_nb.records import Finding

SECTION = "versions"
_GROUPS = (
    ("IPython", ("ipython", "ipykernel", "jupyter_client")),
    ("ipywidgets", ("ipywidgets", "anywidget")),
    ("libraries", ("httpx", "pillow", "pydantic", "python-dotenv", "werkzeug")),
    ("optional", ("pandas", "numpy", "matplotlib", "scipy", "keyring")),
)
_PROPER = {"ipython": "IPython", "pillow": "Pillow", "werkzeug": "Werkzeug"}
_NOT_NEEDED = ("ipykernel", "jupyter_client")
"""By a terminal or a script."""


def findings() -> list[Finding]:
    """Return a finding for each group of packages."""
    least = _least()
    python = f"{platform.python_version()} ({platform.python_implementation()})"
    system = platform.platform()
    return [
        Finding(SECTION, "kling_nb", __version__, value=__version__),
        Finding(SECTION, "Python", f"{python} on {system}", value={"version": python, "platform": system}),
        *(_group(name, packages, least) for name, packages in _GROUPS),
    ]


def _group(name: str, packages: tuple[str, ...], least: dict[str, str]) -> Finding:
    found = {package: _version(package) for package in packages}
    may_lack = name == "optional"
    lacking = [package for package, version in found.items() if version is None]
    needed = [package for package in lacking if not may_lack and package not in _NOT_NEEDED]
    old = [package for package, version in found.items() if version and _is_older(version, least.get(package, ""))]
    said = [f"{_PROPER.get(package, package)} {version}" for package, version in found.items() if version]
    if lacking:
        said.append(f"not installed: {', '.join(lacking)}")
    if old:
        said.append("too old: " + ", ".join(f"{package} (at least {least[package]})" for package in old))
    wrong = [*needed, *old]
    advice = f"`%pip install --upgrade {' '.join(wrong)}`, then restart the kernel." if wrong else ""
    if may_lack and lacking and not wrong:
        advice = _extras(lacking)
    return Finding(SECTION, name, ", ".join(said), "problem" if wrong else "fine", advice, found)


def _extras(lacking: list[str]) -> str:
    tables = [package for package in lacking if package != "keyring"]
    return f"Data frames and figures need {', '.join(tables)}: `%pip install 'kling_nb[compare]'`." if tables else ""


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _least() -> dict[str, str]:
    """Return the least versions that the package asks for; nothing where it runs without being installed."""
    try:
        required = metadata.requires("kling_nb") or []
    except metadata.PackageNotFoundError:
        return {}
    found = (re.match(r"([\w.-]+)\s*>=\s*([\d.]+)", line) for line in required)
    return {match[1].lower(): match[2] for match in found if match}


def _is_older(version: str, least: str) -> bool:
    return _numbers(version) < _numbers(least)


def _numbers(version: str) -> list[int]:
    """Return the release of a version as numbers, without zeros at its end."""
    release = re.match(r"[\d.]*", version)
    numbers = [int(part) for part in (release[0] if release else "").split(".") if part]
    while numbers and not numbers[-1]:
        numbers.pop()
    return numbers
