"""The language of the `%kling` line: one table of options and commands, its parser and its help."""

import re
from typing import Any, NamedTuple

from kling_nb.magics.commandtable import COMMANDS, Command, read_command
from kling_nb.notation import varying
from kling_nb.notation.optiontable import BY_NAME, OPTIONS, Option, is_option
from kling_nb.notation.prompt import python_name, unquoted
from kling_nb.notation.tokenizer import QUOTES, Token, UsageProblem, near, next_token, shown

__all__ = ["COMMANDS", "OPTIONS", "Call", "Command", "Option", "UsageProblem", "help_text", "parse_line"]


class Call(NamedTuple):
    """What a line asks for.

    Parameters
    ----------
    command : str or None
        The command; None for a generation.
    arguments : str
        The words after the command, without quotes round the whole.
    options : dict
        Every option by its destination: None, False or an empty list where it was not given.
    prompt : str or None
        As typed, before any variable is put in; None when it was left out.
    silenced : bool
        Whether a ``;`` ended the line.
    """

    command: str | None
    arguments: str
    options: dict[str, Any]
    prompt: str | None
    silenced: bool

    @property
    def compares(self) -> bool:
        """Whether it asks for a comparison instead of a task."""
        return bool(self.options["vary"]) or self.options["samples"] is not None


# What editors and phones make of a typed hyphen or two.
_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d"


def parse_line(line: str, *, cell: str | None) -> Call:
    """Read what follows `%kling` or `%%kling`.

    Parameters
    ----------
    line : str
        The rest of the line, as IPython hands it over.
    cell : str or None
        The cell's body for `%%kling`; None for `%kling`.

    Returns
    -------
    Call
        A command or a generation. A line that is empty, or asks for help, is the command ``help``.

    Raises
    ------
    UsageProblem
        If the line is neither. Whether the request itself is right is another room's question.

    Notes
    -----
    A ``;`` counts only at the end of the line: the body of a cell is all prompt. On a cell's line ``#``
    begins a comment. After ``--`` the prompt may begin with a dash and hold an option's name; quotes
    round the whole and a last ``;`` are taken off all the same.
    """
    text = (line if cell is None else line[: _comment_start(line)]).rstrip()
    silenced = text.endswith(";")
    text = text.removesuffix(";").rstrip()
    command = read_command(text.strip(), is_option, in_cell=cell is not None)
    if command is not None:
        return Call(*command, _defaults(), None, silenced)
    options, start, marked = _read_options(text, in_cell=cell is not None)
    if options["help"] or (not text and cell is None):
        return Call("help", "", options, None, silenced)
    if cell is None:
        prompt = _line_prompt(text[start:].strip(), bare=not text[:start].strip(), marked=marked)
    else:
        prompt = _cell_prompt(text[start:].strip(), cell.strip(), marked=marked)
    if not options["subject"] and "subject_images" not in _varied(options):
        example = "%kling -s cat a cat asleep" if cell is None else "%%kling -s cat"
        raise UsageProblem(f"a generation needs at least one subject, as in `{example}`: name one with -s")
    call = Call(None, "", options, prompt or None, silenced)
    if call.compares:
        _check_comparison(call, in_cell=cell is not None)
    return call


def help_text() -> str:
    """Return the complete help, for a terminal of 80 columns."""
    head = (
        "%kling [OPTIONS] [PROMPT]   one line: options first, and the rest is the prompt\n"
        "%%kling [OPTIONS]           a cell: the lines below are the prompt\n"
        "%kling COMMAND              one of the commands below, such as %kling history\n\n"
        "A generation needs a subject (-s). In the prompt, {name} is a variable of the\n"
        "notebook, text or a number, and {{name}} is the text {name}. A ; at the end of\n"
        "the line shows nothing. -- ends the options."
    )
    options = [_entry(", ".join(each.names), each) for each in OPTIONS]
    commands = [_entry(each.name, each) for each in COMMANDS]
    parts = [head, "OPTIONS", *options, "COMMANDS", *commands]
    return "\n\n".join(parts) + "\n"


def _entry(name: str, each: Option | Command) -> str:
    import textwrap

    known = each.values() if isinstance(each, Option) else ()
    values = " to ".join(known[:: len(known) - 1]) if "1" in known else ", ".join(known)
    text = textwrap.indent(textwrap.fill(each.help.replace("{values}", values), 74), "    ")
    return f"{name} {each.metavar}".rstrip() + f"\n{text}\n    Example: {each.line()}"


def _defaults() -> dict[str, Any]:
    return {each.destination: [] if each.repeatable else None if each.metavar else False for each in OPTIONS}


def _comment_start(line: str) -> int:
    """Return where a cell's line has its comment, or its length."""
    token = next_token(line)
    while token is not None and line[token.start] != "#":
        token = next_token(line, token.end)
    return token.start if token else len(line)


def _read_options(text: str, *, in_cell: bool) -> tuple[dict[str, Any], int, bool]:
    """Return the options, where they end, and whether ``--`` ended them."""
    options, seen, position = _defaults(), set[str](), 0
    while True:
        start = len(text) - len(text[position:].lstrip())
        if not text.startswith("-", start):
            _refuse_dash(text[start:])
            return options, start, False
        token = next_token(text, start)
        if token is None or token.text == "--":
            return options, token.end if token else start, True
        option, value, position = _read_option(text, token, in_cell=in_cell)
        if option.kind == "levels" and value.field in _varied(options):
            raise UsageProblem(f"{value.field} is varied twice: give all its values behind one {option.names[0]}")
        if option.repeatable:
            options[option.destination].append(value)
        elif option.metavar and option.destination in seen:
            raise UsageProblem(
                f"{option.names[-1]} is given twice, the second time with {shown(str(value), 40)}: it takes one value"
            )
        else:
            options[option.destination] = value
        seen.add(option.destination)


def split_option(word: str) -> tuple[Option | None, str, str | None]:
    """Return a word's option, its name as typed, and the value that is written in the same word.

    ``-n4`` is ``-n 4`` where a digit follows ``-n`` or ``-a``, so that ``-scene`` is no ``-s cene``.
    """
    if re.match(r"-[na]\d", word):
        return BY_NAME[word[:2]], word[:2], word[2:]
    name, equals, value = word.partition("=")
    return BY_NAME.get(name), name, value if equals else None


def _read_option(text: str, token: Token, *, in_cell: bool) -> tuple[Option, Any, int]:
    """Return an option, its value, and where both end."""
    option, name, attached = split_option(token.text)
    if option is None:
        raise _unknown(name, in_cell=in_cell)
    if not option.metavar:
        if attached is not None:
            raise UsageProblem(f"{name} takes no value, and has {shown(attached, 40)}: leave it out")
        return option, True, token.end
    if attached is not None:
        raw = text[token.start : token.end].partition("=")[2]
        return option, _value(option, name, attached, raw), token.end
    following = next_token(text, token.end)
    if following is None:
        raise _no_value(option, name, "the options end there")
    if not following.quoted and (following.text == "--" or is_option(following.text)):
        raise _no_value(option, name, f"{shown(following.text, 40)} comes next")
    raw = text[following.start : following.end]
    return option, _value(option, name, following.text, raw), following.end


def _value(option: Option, name: str, value: str, raw: str) -> Any:
    """Return an option's value; `raw` is the same with its quotes."""
    if not value.strip():
        raise _no_value(option, name, "it is empty")
    if option.kind == "levels":
        return varying.parse(value if raw[:1] in QUOTES else raw)
    if option.kind in {"integer", "count"}:
        try:
            return int(value)
        except ValueError:
            raise UsageProblem(f"{name} takes a whole number, not {shown(value, 40)}") from None
    if option.kind == "name":
        variable = python_name(value)
        if variable is None:
            raise UsageProblem(
                f"{name} takes the name of a variable, and {shown(value, 40)} cannot be one: "
                f"write, for example, `{name} task`"
            )
        return variable
    return value


def _no_value(option: Option, name: str, why: str) -> UsageProblem:
    return UsageProblem(f"{name} needs a value, and {why}: write, for example, `{option.line()}`")


def _unknown(name: str, *, in_cell: bool) -> UsageProblem:
    """Return what to say of an option that there is not."""
    word = name.lower().lstrip("-").replace("_", "-")
    names = [each for each in BY_NAME if each.startswith("--")]
    likely = [each for each in names if word and (each[2:].startswith(word) or word.startswith(each[2:]))]
    likely = likely or near("--" + word, names, 1, 0.7)
    likely = likely or [each for each in BY_NAME if each == name.lower()[:2]]
    meant = f": did you mean {' or '.join(likely[:3])}?" if likely else ""
    where = "the prompt goes below the %%kling line" if in_cell else "a prompt that begins with a dash goes after --"
    return UsageProblem(f"there is no option {shown(name, 40)}{meant} ({where}; `%kling -h` lists the options)")


def _refuse_dash(rest: str) -> None:
    """Refuse an option whose hyphens were made into a dash, which would go unnoticed into the prompt."""
    word = rest.split(maxsplit=1)[0] if rest else ""
    name = word.lstrip(_DASHES).partition("=")[0]
    plain = next((each for each in ("--" + name, "-" + name) if each in BY_NAME), None)
    if word[:1] in _DASHES and plain and name:
        raise UsageProblem(
            f"{shown(word, 40)} begins with a typographic dash: for the option write {plain}, and for a "
            "prompt that begins so, put -- before it"
        )


def _refuse_options(words: list[str]) -> None:
    stray = next((word for word in words if is_option(word)), None)
    if stray is not None:
        raise UsageProblem(
            f"options go before the prompt, and {shown(stray, 40)} is in it: move it; or, if you mean it "
            "as text, put -- between the options and the prompt"
        )


def _line_prompt(text: str, *, bare: bool, marked: bool) -> str:
    """Return the prompt of a `%kling` line; `bare` says that nothing stood before it."""
    prompt = unquoted(text)
    if marked:
        return prompt
    _refuse_options(prompt.split())
    if bare and prompt:
        likely = near(prompt.split()[0], [each.name for each in COMMANDS], 1, 0.75)
        command = f"; or did you mean the command `%kling {likely[0]}`?" if likely else ""
        raise UsageProblem(
            f"{shown(prompt, 30)} has no options before it, and a generation needs at least one subject: "
            f"`%kling -s cat {shown(prompt, 30)[1:-1]}`{command}"
        )
    return prompt


def _varied(options: dict[str, Any]) -> list[str]:
    """Return the fields that are varied."""
    return [each.field for each in options["vary"]]


def _check_comparison(call: Call, *, in_cell: bool) -> None:
    """Refuse what a task may have and a comparison may not."""
    options = call.options
    if options["external_task_id"] is not None:
        which = "--vary" if options["vary"] else "--samples"
        raise UsageProblem(f"--external-task-id names one task, and {which} asks for several: leave one of the two out")
    if options["samples"] == 1 and not options["vary"]:
        raise UsageProblem("--samples 1 repeats nothing: give 2 or more, or vary a field, as in `--vary n=1,4`")
    if call.prompt and "prompt" in _varied(options):
        if in_cell:
            raise UsageProblem(
                "the prompt is varied, and the cell has one as well: leave one of the two out. A %%kling cell cannot "
                "be empty, so vary prompts on a line: `%kling -s cat --vary prompt=…`"
            )
        raise UsageProblem(
            f"the prompt is varied, and {shown(call.prompt, 40)} comes after the options: leave one of the two out. "
            'Values with spaces are in quotes, as in `--vary prompt="a cat","a hat"`'
        )


def _cell_prompt(words: str, body: str, *, marked: bool) -> str:
    """Return the prompt of a `%%kling` cell."""
    if words:
        raise UsageProblem(
            f"{shown(words, 40)} is neither an option nor its value: in a cell the prompt goes below the "
            "%%kling line (a comment on it begins with #)"
        )
    if not marked:
        _refuse_options(body.split(maxsplit=1)[:1])
    return body
