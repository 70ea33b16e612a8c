"""Loading into a shell and leaving it without a trace.

Everything that `%load_ext` imports is in here and in `questionmark`; the rest comes with the first
`%kling`. Loading must cost milliseconds, because notebooks load extensions whether they use them or not.
"""

import os
import sys
from pathlib import Path
from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, needs_local_scope, no_var_expand
from traitlets import Float, Int, Unicode

from kling_nb.key import kernel
from kling_nb.magics.questionmark import keep_questions

NAME = "kling"
SETTINGS = (
    "base_url",
    "workspace",
    "model_name",
    "slots",
    "price_per_image",
    "currency",
    "confirm_above",
    "max_images",
    "timeout",
    "grace",
    "poll_interval",
)


@magics_class
class KlingMagics(Magics):
    """Settings of ``%kling`` for this kernel; an unset one comes from the environment or the default."""

    base_url = Unicode(None, allow_none=True, help="Everything before /v1/…; https only.").tag(config=True)
    workspace = Unicode(None, allow_none=True, help="The folder for images and the journal.").tag(config=True)
    model_name = Unicode(None, allow_none=True, help="kling-v2 or kling-v2-1.").tag(config=True)
    slots = Int(None, allow_none=True, help="How many images may be in the making at once.").tag(config=True)
    price_per_image = Float(None, allow_none=True, help="In currency; unset shows no price.").tag(config=True)
    currency = Unicode(None, allow_none=True, help="For example USD.").tag(config=True)
    confirm_above = Int(None, allow_none=True, help="More images than this need an answer.").tag(config=True)
    max_images = Int(None, allow_none=True, help="A hard stop for this session.").tag(config=True)
    timeout = Float(None, allow_none=True, help="Seconds after which a wait ends.").tag(config=True)
    grace = Float(None, allow_none=True, help="Seconds in which a lost create is looked up.").tag(config=True)
    poll_interval = Float(None, allow_none=True, help="Seconds between looks; unset learns it.").tag(config=True)

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    def kling(self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None) -> Any:
        """Generate images from pictures and a prompt, and show them in a grid.

        %kling -s cat -s refs/hat.png -n 4 a cat wearing the hat

        %%kling -s cat --scene beach --style refs/wave.jpg -n 4 -a 3:2
        The cat surfs a wave, {time_of_day}.

        %kling help        all options and commands
        """
        from kling_nb.magics.magic import run

        return run(self, line, cell, local_ns or {})

    def chosen(self) -> dict[str, Any]:
        """Return what ``%config`` has set."""
        return {name: value for name in SETTINGS if (value := getattr(self, name)) is not None}


def load(ip: Any) -> None:
    """Add the magics, completion and the question-mark hook to a shell, once.

    Parameters
    ----------
    ip : InteractiveShell
        The shell.
    """
    _remove(ip)
    kernel.folder = kernel.folder or Path(os.getcwd())  # noqa: PTH109 - Path.cwd() is the same, later
    ip.register_magics(KlingMagics(ip))
    ip.input_transformers_cleanup.append(keep_questions)
    if getattr(ip, "Completer", None) is not None:
        ip.Completer.custom_matchers.append(_matcher_of(ip))
    notice = _unfinished()
    if notice:
        from kling_nb.session.screen import screen

        screen().note(notice)


def unload(ip: Any) -> None:
    """Take everything away again. Paid tasks are followed on.

    Parameters
    ----------
    ip : InteractiveShell
        The shell.
    """
    _remove(ip)
    ip.config.pop("KlingMagics", None)
    forms = sys.modules.get("kling_nb.form.places")
    for form in forms.all_open() if forms is not None else ():
        form.close()
    # Where it was never loaded nothing is under way, and leaving should cost no more than coming.
    gateway = sys.modules.get("kling_nb.session.gateway")
    count = gateway.under_way() if gateway is not None else 0
    if count:
        from kling_nb.session.screen import screen

        screen().note(f"{count} paid {'task is' if count == 1 else 'tasks are'} still followed and saved.")


def _remove(ip: Any) -> None:
    manager = ip.magics_manager
    for kind in ("line", "cell"):
        manager.magics[kind].pop(NAME, None)
    manager.registry.pop("KlingMagics", None)
    ip.configurables[:] = [c for c in ip.configurables if type(c).__name__ != "KlingMagics"]
    _drop(ip.input_transformers_cleanup, "keep_questions")
    if getattr(ip, "Completer", None) is not None:
        _drop(ip.Completer.custom_matchers, "kling_matcher")


def _drop(functions: list[Any], name: str) -> None:
    functions[:] = [f for f in functions if getattr(f, "__name__", "") != name]


def _matcher_of(ip: Any) -> Any:
    """Return a matcher that loads the real one when the first `%kling` is completed."""
    from IPython.core.completer import context_matcher

    real: list[Any] = []

    @context_matcher()  # type: ignore[untyped-decorator]
    def kling_matcher(context: Any) -> Any:
        if not real and NAME in context.full_text:
            from kling_nb.magics.magic import matcher

            real.append(matcher(ip))
        return real[0](context) if real else {"completions": []}

    return kling_matcher


def _unfinished() -> str:
    """Say in one line what an earlier kernel left, if there is a journal; reads it and writes nothing."""
    default = (kernel.folder or Path()) / "kling_runs"
    names = ("KLING_WORKSPACE", "KLING_SANDBOX")
    if not any(name in os.environ for name in names) and not default.exists() and not Path(".env").exists():
        return ""
    from kling_nb.errors import KlingError
    from kling_nb.settings import resolve

    try:
        folder = resolve({}).workspace
        if not (folder / "journal.sqlite3").is_file():
            return ""
        from kling_nb.workspace.notice import unfinished

        return unfinished(folder)
    except KlingError as error:
        return str(error.message)
