"""Which front end this is, as far as a kernel can tell: nobody tells it."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

from kling_nb.records import Finding
from kling_nb.session.session import can_ask

SECTION = "front end"
_LAB = "JupyterLab or Notebook 7"
_NOBODY = "none: a notebook that is run by nbclient, nbconvert or papermill"
_HOSTS = {
    "KAGGLE_KERNEL_RUN_TYPE": "Kaggle",
    "DATABRICKS_RUNTIME_VERSION": "Databricks",
    "DEEPNOTE_PROJECT_ID": "Deepnote",
    "BINDER_LAUNCH_HOST": "Binder",
    "JUPYTERHUB_USER": "JupyterHub",
}
_WIDGETS = {
    "Colab": "third-party widgets are off in Colab until `from google.colab import output; "
    "output.enable_custom_widget_manager()`",
    "VS Code": "VS Code loads widgets from the network, once it was allowed to",
}


@dataclass(frozen=True, slots=True)
class Signs:
    """What gives a front end away.

    Parameters
    ----------
    shell, kernel : str
        The classes of IPython's shell and of the kernel, with their modules; empty where there is none.
    answers : bool
        Whether somebody can answer a question.
    colab : bool
        Whether Colab's own package is loaded.
    code : bool
        Whether VS Code has left its variable.
    environ : mapping
        The environment.
    cell : mapping
        The metadata of the running cell's request.
    """

    shell: str = ""
    kernel: str = ""
    answers: bool = True
    colab: bool = False
    code: bool = False
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    cell: Mapping[str, Any] = field(default_factory=dict)


def recognise(signs: Signs) -> str:
    """Return the front end that signs stand for; ``unknown`` where they do not tell. Pure."""
    if not signs.shell:
        return "none: a script or plain Python"
    if not signs.kernel:
        return "IPython's terminal" if signs.shell.endswith(".TerminalInteractiveShell") else "unknown"
    in_code = signs.code or str(signs.cell.get("cellId", "")).startswith("vscode-")
    known = (
        ("Colab", signs.colab),
        ("Spyder", signs.kernel.startswith("spyder_kernels.")),
        ("Voila", signs.environ.get("SERVER_SOFTWARE", "").startswith("voila/")),
        ("VS Code", in_code),
        (_LAB, "deletedCells" in signs.cell or "recordTiming" in signs.cell),
        (_NOBODY, not signs.answers),
        # Last, because a kernel hands its environment down to the programs that it starts.
        (_LAB, "JPY_SESSION_NAME" in signs.environ),
    )
    return next((name for name, is_it in known if is_it), "unknown")


def findings() -> list[Finding]:
    """Return the front end, and what can be done in it."""
    signs = _signs()
    name = recognise(signs)
    host = next((host for variable, host in _HOSTS.items() if variable in signs.environ), "")
    kernel = signs.kernel.partition(".")[0] + " (" + signs.kernel.rpartition(".")[2] + ")" if signs.kernel else ""
    said = "unknown: no sign of any that is known" if name == "unknown" else name
    parts = [said, f"kernel {kernel}" if kernel else "no kernel", f"on {host}" if host else ""]
    value = {"name": name, "host": host, "kernel": signs.kernel, "shell": signs.shell}
    return [
        Finding(SECTION, "front end", ", ".join(part for part in parts if part), value=value),
        _widgets(name, kernel=bool(signs.kernel)),
        _questions(answers=signs.answers, somebody=not name.startswith("none")),
    ]


def _widgets(name: str, *, kernel: bool) -> Finding:
    lacking = [package for package in ("ipywidgets", "anywidget") if not _is_there(package)]
    if not kernel:
        return Finding(SECTION, "widgets", "none outside a notebook: `%kling` and Python do all of it", value=False)
    if lacking:
        advice = f"`%pip install {' '.join(lacking)}`, then restart the kernel."
        return Finding(SECTION, "widgets", f"no: {', '.join(lacking)} not installed", "problem", advice, value=False)
    if name in _WIDGETS:
        advice = "If `%kling form` stays empty, `%kling` does the same in a line."
        return Finding(SECTION, "widgets", f"perhaps: {_WIDGETS[name]}", "note", advice)
    if name == _NOBODY:
        return Finding(SECTION, "widgets", "there is nobody to use them; a form's results are kept", value=False)
    if name in (_LAB, "Voila"):
        return Finding(SECTION, "widgets", "yes, as far as a kernel can tell", value=True)
    return Finding(SECTION, "widgets", "perhaps: this front end is not known to show them", "note")


def _questions(*, answers: bool, somebody: bool) -> Finding:
    if answers:
        return Finding(SECTION, "questions", "can be answered here", value=True)
    advice = "Give the key in KLING_API_KEY, and --yes (yes=True) for more than confirm_above images."
    return Finding(SECTION, "questions", "nobody can answer here", "note" if somebody else "fine", advice, value=False)


def _is_there(package: str) -> bool:
    try:
        return bool(metadata.version(package))
    except metadata.PackageNotFoundError:
        return False


def _signs() -> Signs:
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module else None
    kernel = getattr(shell, "kernel", None)
    return Signs(
        shell=_class_of(shell),
        kernel=_class_of(kernel),
        answers=can_ask(),
        colab="google.colab" in sys.modules,
        code=shell is not None and "__vsc_ipynb_file__" in shell.user_ns,
        environ=os.environ,
        cell=_cell_of(kernel),
    )


def _class_of(thing: Any) -> str:
    return "" if thing is None else f"{type(thing).__module__}.{type(thing).__qualname__}"


def _cell_of(kernel: Any) -> Mapping[str, Any]:
    """Return the metadata that the front end has sent with the running cell."""
    try:
        found = kernel.get_parent("shell").get("metadata")
    except Exception:  # noqa: BLE001 - a kernel of another kind has no such thing
        return {}
    return found if isinstance(found, dict) else {}
