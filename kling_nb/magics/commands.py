"""The commands, such as ``%kling form`` and ``%kling history``."""

import sys
from collections.abc import Callable
from typing import Any

from kling_nb import kling as facade
from kling_nb.errors import ConfigurationError, InvalidRequest
from kling_nb.key import KEY_VARIABLE, Secret, kernel
from kling_nb.magics.options import Call, help_text
from kling_nb.session.deciding import forget
from kling_nb.session.gateway import wake
from kling_nb.session.places import shown
from kling_nb.session.resuming import resume, wait_for_all
from kling_nb.session.screen import Screen, screen
from kling_nb.session.session import can_ask
from kling_nb.workspace.notice import unfinished
from kling_nb.workspace.workspace import JOURNAL


def run(shell: Any, call: Call) -> Any:
    """Do what a command says.

    Parameters
    ----------
    shell : InteractiveShell
        Where it was typed.
    call : Call
        With a command.

    Returns
    -------
    object
        What was shown, where there is something to use.
    """
    where = screen(quiet=call.silenced)
    result = _COMMANDS[call.command or "help"](shell, call.arguments, where)
    where.done()
    if result is not None:
        result.shown()
    return result


def _history(shell: Any, words: str, where: Screen) -> Any:  # noqa: ARG001 - one signature for all commands
    tasks = facade.default().tasks(words)
    where.bundle(tasks.bundle())
    return tasks


def _show(shell: Any, some_id: str, where: Screen) -> Any:  # noqa: ARG001
    task = facade.default().task(some_id)
    where.bundle(task.bundle())
    return task


def _wait(shell: Any, some_id: str, where: Screen) -> Any:  # noqa: ARG001
    from kling_nb.magics.magic import show

    session = facade.default().session
    if some_id:
        task = session.task(some_id)
        show(task, where)
        return task
    tasks = wait_for_all(session, where)
    if not tasks:
        where.note("Nothing is under way in this kernel. `%kling resume` collects what an earlier one left.")
    else:
        # A table, because the cell that started a task shows its grid.
        where.bundle(tasks.bundle())
    return tasks


def _resume(shell: Any, words: str, where: Screen) -> Any:  # noqa: ARG001
    flag, *rest = words.split() or [""]
    some_id = next((word for word in rest if word != "--yes"), None)
    session = facade.default().session
    if flag == "--forget":
        task, said = forget(session, str(some_id))
        where.note(said)
        return task
    found = resume(session, where, send=(some_id or True) if flag == "--send" else False, yes="--yes" in rest)
    if found:
        where.bundle(found[0].bundle() if len(found) == 1 else found.bundle())
        where = screen(quiet=type(where) is Screen)
    where.note(found.message)
    return found


def _sandbox(shell: Any, state: str, where: Screen) -> None:  # noqa: ARG001
    was_on = facade.default().settings.sandbox
    kernel.sandbox = state != "off"
    settings = facade.default().settings
    if kernel.sandbox:
        notice = unfinished(settings.workspace) if (settings.workspace / JOURNAL).is_file() else ""
        where.note(
            f"{notice} The sandbox is {'already ' if was_on else ''}on: no key, no cost, "
            "pictures painted on this machine. "
            f"Its images go to {shown(settings.workspace)}. `%kling sandbox off` uses the real API."
        )
    else:
        key = "a key is set" if settings.key.find() else "no key is set yet: `%kling login` asks for it"
        where.note(f"The sandbox is off: requests go to {settings.base_url}, and cost money ({key}).")


def _login(shell: Any, nothing: str, where: Screen) -> None:  # noqa: ARG001
    if not can_ask():
        raise InvalidRequest(
            "Nobody can be asked for a key here.", money="", advice=f"Set {KEY_VARIABLE} in the environment instead."
        )
    from getpass import getpass

    typed = Secret(getpass("Kling API key: ").strip())
    if typed == Secret(""):
        where.note("No key was given; nothing has changed.")
        return
    before, kernel.login = kernel.login, typed
    try:
        facade.default().settings.key.current()
    except BaseException:
        kernel.login = before
        raise
    wake()
    sandbox = " The sandbox is still on: `%kling sandbox off` uses the real API." if kernel.sandbox else ""
    where.note(f"The key is kept for this kernel only, and goes into no file.{sandbox}")


def _logout(shell: Any, nothing: str, where: Screen) -> None:  # noqa: ARG001
    had, kernel.login = kernel.login, None
    left = " Another one is still found in the environment or a file." if facade.default().settings.key.find() else ""
    where.note(("The key of this kernel is forgotten." if had else "No key was given by login.") + left)


def _doctor(shell: Any, offline: str, where: Screen) -> Any:  # noqa: ARG001
    from kling_nb.display import note_html
    from kling_nb.doctor.checkup import examine

    try:
        session, trouble = facade.default().session, None
    except ConfigurationError as error:
        session, trouble = None, error
    if session is not None and not offline:
        said = "Asking the gateway …"
        where.live(note_html(said), said)
    try:
        checkup = examine(session, trouble=trouble, network=not offline)
    except KeyboardInterrupt:
        where.note("Interrupted.")
        raise
    where.bundle(checkup.bundle())
    return checkup


def _help(shell: Any, nothing: str, where: Screen) -> None:  # noqa: ARG001
    sys.stdout.write(help_text() + "\n")


def _form(shell: Any, nothing: str, where: Screen) -> Any:  # noqa: ARG001
    form = facade.default().form()
    form.show()
    return form


_COMMANDS: dict[str, Callable[[Any, str, Screen], Any]] = {
    "form": _form,
    "history": _history,
    "show": _show,
    "wait": _wait,
    "resume": _resume,
    "sandbox": _sandbox,
    "login": _login,
    "logout": _logout,
    "doctor": _doctor,
    "help": _help,
}
