"""Where the notebook is, and how its outputs can link to the workspace's files."""

import os
import sys
from pathlib import Path
from urllib.parse import quote

from kling_nb.key import kernel


def notebook_folder() -> Path:
    """Return the folder that relative links of an output are resolved against.

    The kernel is not told where its notebook is. Jupyter servers leave its path in the environment, VS
    Code in a variable; otherwise the working directory at load is where kernels are started.
    """
    session = os.environ.get("JPY_SESSION_NAME", "")
    if session and Path(session).is_absolute() and Path(session).parent.is_dir():
        return Path(session).parent
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module else None
    code = shell.user_ns.get("__vsc_ipynb_file__") if shell is not None else None
    if isinstance(code, str) and Path(code).parent.is_dir():
        return Path(code).parent
    return kernel.folder or Path.cwd()


def shown(path: Path) -> str:
    """Return how a path is shown: from the notebook's folder where it is inside, whole otherwise.

    A stored output then says nothing about the machine it was made on.
    """
    try:
        return str(path.relative_to(notebook_folder()))
    except ValueError:
        return str(path)


def link(target: Path, folder: Path) -> str | None:
    """Return a link from a folder's notebooks to a file.

    Parameters
    ----------
    target : Path
        Absolute.
    folder : Path
        The notebook's.

    Returns
    -------
    str or None
        Relative, each segment percent-encoded (a raw ``#``, ``?`` or ``%`` leads nowhere); None where
        there is no relative path, as between two drives.
    """
    try:
        relative = os.path.relpath(target, folder)
    except ValueError:
        return None
    # As bytes: the name of a folder need not be text.
    return "/".join(quote(os.fsencode(part), safe="") for part in Path(relative).parts)
