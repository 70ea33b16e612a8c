"""The commands of the `%kling` line, and how they are read."""

from collections.abc import Callable
from typing import NamedTuple

from kling_nb.notation.prompt import unquoted
from kling_nb.notation.tokenizer import UsageProblem, shown


class Command(NamedTuple):
    """One command, with the least and the most words that may follow it (None: any number).

    `choices` are the words that may follow, if only these; `task` says that a task's id follows; `flags` are
    the options that it has, and the next word belongs to them.
    """

    name: str
    metavar: str
    help: str
    example: str
    least: int = 0
    most: int | None = 0
    choices: tuple[str, ...] = ()
    task: bool = False
    flags: tuple[str, ...] = ()

    def line(self) -> str:
        """Return the example as a whole line."""
        return f"%kling {self.example}"


_HISTORY = "The tasks of this workspace, newest first; with words, those that have them."
_SHOW = "One task again: images, request, ids. ID is ours, the API's, or your --external-task-id."
_WAIT = "Wait for one task, or for all that are under way, and show what comes."
_SEND_OR_FORGET = "[--send [ID] [--yes] | --forget ID]"
_RESUME = (
    "Look for, follow and download what an earlier kernel left behind; send nothing. --send also sends what was "
    "never sent; with an ID that task alone, also when it is uncertain whether it was sent. --forget closes a task."
)
_SANDBOX = "Turn the local stand-in for the API on or off: it needs no key and costs nothing."
_DOCTOR = (
    "What is here, what does not work, and what to do: versions, front end, workspace, key (only where it is from), "
    "gateway, slots and times, settings. Pays nothing. offline does not ask the gateway."
)
_FORM = "Do all of it by pointing: a form for the request, with its results below."

COMMANDS = (
    Command("form", "", _FORM, "form"),
    Command("history", "[WORDS]", _HISTORY, "history hat", most=None),
    Command("show", "ID", _SHOW, "show cat-17", least=1, most=1, task=True),
    Command("wait", "[ID]", _WAIT, "wait cat-17", most=1, task=True),
    Command(
        "resume", _SEND_OR_FORGET, _RESUME, "resume --send cat-17", most=1, task=True, flags=("--send", "--forget")
    ),
    Command("sandbox", "[on|off]", _SANDBOX, "sandbox on", most=1, choices=("on", "off")),
    Command("login", "", "Ask for the API key, unseen, for this kernel only.", "login"),
    Command("logout", "", "Forget the key that login was given.", "logout"),
    Command("doctor", "[offline]", _DOCTOR, "doctor", most=1, choices=("offline",)),
    Command("help", "", "Show this help.", "help"),
)

_COMMANDS = {command.name: command for command in COMMANDS}


def read_command(text: str, is_option: Callable[[str], bool], *, in_cell: bool) -> tuple[str, str] | None:
    """Read a line as a command.

    Parameters
    ----------
    text : str
        The line.
    is_option : callable
        Tells whether a word could only be an option of a generation.
    in_cell : bool
        Whether a cell follows, which no command takes.

    Returns
    -------
    (str, str) or None
        The command and its words; None where the line is a generation.

    Raises
    ------
    UsageProblem
        It is a command, and its words are not right.
    """
    name, *rest = text.split(maxsplit=1) or [""]
    command = _COMMANDS.get(name)
    if command is None:
        return None
    if in_cell:
        raise UsageProblem(f"{name} is a command, and takes no cell: write `%kling {name}` on a line of its own")
    words = rest[0].split() if rest else []
    if "-h" in words or "--help" in words:
        return "help", ""
    if command.flags and rest and rest[0].startswith("-"):
        return name, " ".join(_flagged(command, rest[0].replace("=", " ", 1).split()))
    stray = next((word for word in words if is_option(word)), None)
    if stray is not None:
        raise UsageProblem(
            f"the command {name} takes no options, and {shown(stray, 40)} is one; if {name} begins a "
            f"prompt, the options come before it: `%kling -s cat {name} …`"
        )
    arguments = unquoted(rest[0]) if rest else ""
    _check_arguments(command, arguments, len(words) if rest and arguments == rest[0] else len(rest))
    return name, arguments


def _flagged(command: Command, words: list[str]) -> list[str]:
    """Check the flags of `resume`: one of them, the id that it takes, and whether the user agrees."""
    flag, *given = words
    ids = [word for word in given if word != "--yes"]
    needs = 1 if flag == "--forget" else 0
    wrong = flag not in command.flags or len(ids) > 1 or len(ids) < needs or any(word.startswith("-") for word in ids)
    if wrong:
        raise UsageProblem(
            f"{command.name} is `%kling {command.name} {command.metavar}`, and this is {shown(' '.join(words), 60)}; "
            "`%kling history` lists the ids"
        )
    return words


def _check_arguments(command: Command, arguments: str, count: int) -> None:
    name = command.name
    if count < command.least:
        raise UsageProblem(f"{name} needs a task's id, as in `{command.line()}`; `%kling history` lists them")
    if command.most is not None and count > command.most:
        takes = " or ".join(command.choices) or ("one task's id" if command.most else "no words")
        # What follows `login` may be the key: it is not repeated.
        given = shown(arguments, 40) if command.most else "more"
        raise UsageProblem(
            f"the command {name} takes {takes}, not {given}; if {name} begins a prompt, a subject comes "
            f"before it: `%kling -s cat {name} …`"
        )
    if command.flags and arguments:
        raise UsageProblem(
            f"{name} alone collects everything; `%kling {name} --send {shown(arguments, 40)}` sends that task again, "
            f"and `%kling wait {shown(arguments, 40)}` waits for it"
        )
    if command.choices and arguments and arguments not in command.choices:
        raise UsageProblem(f"{name} takes {' or '.join(command.choices)}, not {shown(arguments, 40)}")
