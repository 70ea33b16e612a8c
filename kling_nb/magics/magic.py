"""Running what was typed: parse, find the references, hand it to a session, show, return."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from kling_nb import kling as facade
from kling_nb.errors import InvalidRequest, KlingError, WaitTimeout
from kling_nb.magics import commands
from kling_nb.magics.options import Call, parse_line
from kling_nb.notation.names import Namespace, find
from kling_nb.notation.prompt import interpolate
from kling_nb.notation.tokenizer import UsageProblem
from kling_nb.session.screen import Screen, screen
from kling_nb.session.watching import interruptible

if TYPE_CHECKING:
    from kling_nb.magics.extension import KlingMagics
    from kling_nb.session.task import Task


def run(magics: "KlingMagics", line: str, cell: str | None, local_ns: Mapping[str, Any]) -> Any:
    """Do what a line or a cell says.

    Parameters
    ----------
    magics : KlingMagics
        Whose shell and settings count.
    line : str
        What follows the magic's name.
    cell : str or None
        The body of a ``%%kling`` cell.
    local_ns : mapping
        The locals of the frame that the magic was called in.

    Returns
    -------
    Task, Comparison, TaskList, DryRun or None
        Shown already.

    Raises
    ------
    UsageError
        The line or the request is wrong; one line, and nothing was sent.
    KlingError
        What the gateway, the network or the disk refused.
    """
    shell: Any = magics.shell
    facade.configure(magics.chosen())
    try:
        call = parse_line(line, cell=cell)
        if call.command is not None:
            return commands.run(shell, call)
        return _generate(shell, call, Namespace(local_ns, shell.user_ns))
    except (UsageProblem, InvalidRequest) as error:
        raise UsageError(_one_line(error)) from None


def _generate(shell: Any, call: Call, namespace: Namespace) -> Any:
    options = call.options
    if call.compares:
        from kling_nb.magics.comparing import compare

        return compare(shell, call, _fields(call, namespace), namespace, lambda text: _typed(call, text, namespace))
    session = facade.default().session
    request = session.request(_fields(call, namespace), fit=options["fit"])
    where = screen(quiet=call.silenced or options["quiet"])
    if options["dry_run"]:
        from kling_nb.session.dryrun import DryRun

        plan = DryRun(session, request)
        where.bundle(plan.bundle())
        plan.shown()
        return plan
    task = session.same(request) if options["reuse"] else None
    if task is None:
        task = session.submit(request, yes=options["yes"])
    with interruptible(task):
        if options["out"]:
            shell.push({options["out"]: task})
        if options["background"]:
            task.keep_current(where)
            if not where.in_background:
                where.note(f"Task {task.id} is under way; `%kling wait {task.id}` waits for it and shows it.")
        else:
            show(task, where)
        task.shown()
    return task


def show(task: "Task", where: Screen) -> None:
    """Wait for a task and show what came of it; what did not end goes on being shown in the background.

    Parameters
    ----------
    task : Task
        Under way, or done.
    where : Screen
        Shows progress, then the grid.
    """
    try:
        task.watch(where)
    except (KeyboardInterrupt, WaitTimeout):
        if task.live:
            task.keep_current(where)
        else:
            where.bundle(task.bundle())
        raise
    except KlingError:
        where.bundle(task.bundle())
        raise
    where.bundle(task.bundle())


def _fields(call: Call, namespace: Namespace) -> dict[str, Any]:
    from kling_nb.request import NamedSource

    options = call.options

    def reference(text: str | None) -> Any:
        return None if text is None else NamedSource(*find(text, namespace))

    return {
        "prompt": call.prompt and _typed(call, call.prompt, namespace),
        "subject_images": [reference(text) for text in options["subject"]],
        "scene_image": reference(options["scene"]),
        "style_image": reference(options["style"]),
        **{name: options[name] for name in ("n", "aspect_ratio", "model_name", "callback_url", "external_task_id")},
        "watermark": options["watermark"] or None,
    }


def _typed(call: Call, prompt: str, namespace: Namespace) -> str:
    """Return a prompt as it is sent, with the notebook's variables in it."""
    return prompt if call.options["raw"] else interpolate(prompt, namespace.__getitem__, namespace.names())


def _one_line(error: Exception) -> str:
    parts = [" ".join(part.split()) for part in str(error).splitlines()]
    return " ".join(part if part.endswith((".", "?", "!", "…", "`")) else part + "." for part in parts if part)


def matcher(shell: Any) -> Any:
    """Return the completion matcher of a shell.

    Parameters
    ----------
    shell : InteractiveShell
        Whose variables are offered.
    """
    from kling_nb.magics.completion import make_matcher
    from kling_nb.notation.names import files

    def ids() -> list[str]:
        try:
            return [task.id for task in facade.default().session.tasks(limit=20)]
        except KlingError:
            return []

    return make_matcher(lambda: Namespace(shell.user_ns), files, ids)
