import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_nb.magics.options import COMMANDS, OPTIONS, Call, UsageProblem, help_text, parse_line, split_option


def assert_one_line(problem):
    assert len(str(problem).splitlines()) == 1


def given_options(call):
    return {key: value for key, value in call.options.items() if value not in (None, False, [])}


def prompt_of(line):
    return parse_line(line, cell=None).prompt


def problem_of(line, cell=None):
    with pytest.raises(UsageProblem) as problem:
        parse_line(line, cell=cell)
    message = str(problem.value)
    assert len(message.splitlines()) == 1
    return message


# --- a generation on one line --------------------------------------------------------------------


def test_options_then_prompt():
    call = parse_line("-s cat -s refs/hat.png -n 4 a cat wearing the hat", cell=None)
    assert call.command is None
    assert call.prompt == "a cat wearing the hat"
    assert given_options(call) == {"subject": ["cat", "refs/hat.png"], "n": 4}
    assert not call.silenced


def test_every_option_has_a_key_whether_given_or_not():
    options = parse_line("-s cat", cell=None).options
    assert options == {
        "subject": ["cat"], "scene": None, "style": None, "n": None, "aspect_ratio": None, "model_name": None,
        "callback_url": None, "external_task_id": None, "watermark": False, "out": None, "background": False,
        "dry_run": False, "reuse": False, "fit": False, "vary": [], "samples": None, "yes": False, "raw": False, "quiet": False, "help": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--subject dog", {"subject": ["cat", "dog"]}),
        ("--scene beach --style=wave.jpg", {"scene": "beach", "style": "wave.jpg"}),
        ("-n4", {"n": 4}),
        ("-n=4", {"n": 4}),
        ("-n -4", {"n": -4}),  # whether a number fits is the request's question
        ("-a3:2", {"aspect_ratio": "3:2"}),
        ("-a 3:2", {"aspect_ratio": "3:2"}),
        ("--aspect-ratio 3:2", {"aspect_ratio": "3:2"}),
        ("-m kling-v2", {"model_name": "kling-v2"}),
        ("--model kling-v9", {"model_name": "kling-v9"}),
        ("--callback-url https://h/?a=b", {"callback_url": "https://h/?a=b"}),
        ("--callback-url=https://h/?a=b", {"callback_url": "https://h/?a=b"}),
        ("--external-task-id 'cat 17'", {"external_task_id": "cat 17"}),
        ("-o task", {"out": "task"}),
        ("--out=_task2", {"out": "_task2"}),
        ("-o µ", {"out": "μ"}),  # the key's sign, and the letter that Python makes of it
        ("--watermark --background --dry-run", {"watermark": True, "background": True, "dry_run": True}),
        ("--reuse --fit --yes --raw -q", {"reuse": True, "fit": True, "yes": True, "raw": True, "quiet": True}),
        ("--quiet -q", {"quiet": True}),
        ('-s "--scene"', {"subject": ["cat", "--scene"]}),
        ("--scene=--style", {"scene": "--style"}),
        ("--samples 3", {"samples": 3}),
        ("--samples=-3", {"samples": -3}),  # likewise
        ("--vary n=1,4", {"vary": [("n", (("1", False), ("4", False)))]}),
        ("--vary=n=1,4 --samples 2", {"vary": [("n", (("1", False), ("4", False)))], "samples": 2}),
        ('--vary model_name="a b",c', {"vary": [("model_name", (("a b", True), ("c", False)))]}),
        ('--vary=model_name="a b",c', {"vary": [("model_name", (("a b", True), ("c", False)))]}),
        ('--vary "model_name=a b,c"', {"vary": [("model_name", (("a b", False), ("c", False)))]}),
        ("--vary='model_name=a b,c'", {"vary": [("model_name", (("a b", False), ("c", False)))]}),
        (
            "--vary n=1,4 --vary aspect_ratio=ratios",
            {"vary": [("n", (("1", False), ("4", False))), ("aspect_ratio", (("ratios", False),))]},
        ),
        ('-s refs["my hat"] -n 2', {"subject": ["cat", 'refs["my hat"]'], "n": 2}),
    ],
)
def test_options(words, expected):
    call = parse_line(f"-s cat {words} a cat", cell=None)
    assert given_options(call) == {"subject": ["cat"], **expected}
    assert call.prompt == "a cat"


def test_prompts_and_subjects_may_be_varied_instead_of_given():
    call = parse_line('--vary subject_images=cat,hat --vary prompt="a, b","c ""d"" e";', cell=None)
    assert [each.field for each in call.options["vary"]] == ["subject_images", "prompt"]
    assert [item.text for item in call.options["vary"][1].items] == ["a, b", 'c "d" e']
    assert (call.prompt, call.silenced, call.compares) == (None, True, True)
    assert not parse_line("-s cat a", cell=None).compares


def test_more_than_four_subjects_are_the_requests_question():
    assert len(parse_line("-s a -s b -s c -s d -s e", cell=None).options["subject"]) == 5


@pytest.mark.parametrize(
    ("line", "prompt"),
    [
        ("-s cat", None),
        ("-s cat   ", None),
        ("-s cat --", None),
        ('-s cat ""', None),
        ("-s cat   a  cat,  twice ", "a  cat,  twice"),
        (r"-s cat a #1 $5 {x} {{y}} it's \n C:\pics 'q", r"a #1 $5 {x} {{y}} it's \n C:\pics 'q"),
        ('-s cat a "b', 'a "b'),
        ('-s cat "unfinished', '"unfinished'),
        # One pair of quotes round the whole.
        ('-s cat "a cat"', "a cat"),
        ("-s cat 'a cat'", "a cat"),
        ("-s cat 'the cat's hat'", "the cat's hat"),
        ('-s cat "a" and "b"', '"a" and "b"'),
        ("-s cat 'a' and 'b'", "'a' and 'b'"),
        ("-s cat \"a'", "\"a'"),
        ("-s cat '", "'"),
        # Dashes.
        ("-s cat a - b -c --d", "a - b -c --d"),
        ("-s cat – an en dash", "– an en dash"),
        ("-s cat — and an em dash", "— and an em dash"),
        ("-s cat −5 degrees", "−5 degrees"),
        ("-s cat -- -5 degrees", "-5 degrees"),
        ("-s cat -- - a list", "- a list"),
        ("-s cat -- --scene by the sea -n 4", "--scene by the sea -n 4"),
        ("-s cat -- —scene", "—scene"),
        ("-s cat -- -- b", "-- b"),
        ("-s cat a -- b", "a -- b"),
        # A command's name is a word like any other, once there is an option.
        ("-s cat show a cat", "show a cat"),
        ("-s cat help", "help"),
    ],
)
def test_prompts(line, prompt):
    assert prompt_of(line) == prompt


@pytest.mark.parametrize(
    ("line", "prompt", "silenced"),
    [
        ("-s cat a cat;", "a cat", True),
        ("-s cat a cat ; ", "a cat", True),
        ("-s cat a cat;;", "a cat;", True),
        ('-s cat "a cat";', "a cat", True),
        ('-s cat "a cat;"', "a cat;", False),
        ("-s cat a; cat", "a; cat", False),
        ("-s cat;", None, True),
        ("-s cat -- ;", None, True),
    ],
)
def test_a_semicolon_at_the_end_silences(line, prompt, silenced):
    call = parse_line(line, cell=None)
    assert (call.prompt, call.silenced, call.options["subject"]) == (prompt, silenced, ["cat"])


# --- what is wrong with a line -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("-s", ["-s needs a value", "%kling -s cat"]),
        ("-s -n 4 a", ["-s needs a value", "‘-n’ comes next"]),
        ("-s -- a", ["-s needs a value", "‘--’"]),
        ("-s cat --scene= a", ["--scene needs a value", "empty"]),
        ('-s cat --scene "" a', ["--scene needs a value"]),
        ("-s cat -n four", ["-n takes a whole number", "‘four’"]),
        ("-s cat -n4.5 a", ["-n takes a whole number", "‘4.5’"]),
        ("-s cat -n " + "9" * 4400, ["-n takes a whole number"]),
        ("-s cat --watermark=yes a", ["--watermark takes no value", "‘yes’"]),
        ("-s cat --scene a --scene=b c", ["--scene is given twice", "‘b’"]),
        ("-s cat -o task --out other", ["--out is given twice"]),
        ("-s cat -o class a", ["-o takes the name of a variable", "‘class’", "`-o task`"]),
        ("-s cat -o 2x a", ["cannot be one"]),
        ("-s cat -o a.b a", ["cannot be one"]),
        ('-s "my cat a', ["never closed"]),
        ("-s cat --sceen beach", ["‘--sceen’", "did you mean --scene?"]),
        ("-s cat -scene beach", ["‘-scene’", "did you mean --scene?"]),
        ("--sub cat", ["did you mean --subject?"]),  # a prefix is not accepted, it is understood
        ("--subjects cat", ["did you mean --subject?"]),
        ("-s cat --Scene beach", ["did you mean --scene?"]),
        ("-s cat --aspect_ratio 3:2", ["did you mean --aspect-ratio?"]),
        ("-s cat --model_name x", ["did you mean --model?"]),
        ("-N 4", ["did you mean -n?"]),
        ("-scat", ["‘-scat’"]),
        ("-s cat -5 degrees outside", ["‘-5’", "goes after --"]),
        ("-s cat - a list", ["‘-’", "goes after --"]),
        ("-s cat --vary", ["--vary needs a value", "--vary model_name="]),
        ("-s cat --vary -n 4 a", ["--vary needs a value", "‘-n’ comes next"]),
        ("-s cat --vary n a", ["‘n’ has no =", "`--vary n=…`"]),
        ("-s cat --vary n =1,2 a", ["‘n’ has no =", "without spaces"]),
        ("-s cat --vary counts a", ["‘counts’ has no =", "`--vary n=1,4`"]),
        ("-s cat --vary n= 1,2 a", ["n= has no values", "without spaces"]),
        ("-s cat --vary model=a,b a", ["no field ‘model’", "did you mean model_name?"]),
        ("-s cat --vary n=1, 2 a", ["an empty value", "no space after a comma"]),
        ('-s cat --vary prompt="a cat, asleep', ["never closed"]),
        ("-s cat --vary n=1,2 --vary n=3,4 a", ["n is varied twice", "behind one --vary"]),
        ("-s cat --vary n=1,2 --external-task-id x a", ["--external-task-id names one task", "--vary"]),
        ("-s cat --external-task-id x --samples 2 a", ["--external-task-id names one task", "--samples"]),
        ("-s cat --vary prompt=x,y a cat", ["the prompt is varied, and ‘a cat’ comes after"]),
        ("-s cat --vary prompt=a cat,a hat", ["the prompt is varied, and ‘cat,a hat’", 'prompt="a cat","a hat"']),
        ("--vary style_image=a,b a cat", ["at least one subject"]),
        ("-s cat --samples two a", ["--samples takes a whole number, not ‘two’"]),
        ("-s cat --samples 2 --samples 3 a", ["--samples is given twice"]),
        ("-s cat --samples 1 a", ["--samples 1 repeats nothing"]),
        ("-s cat --sample 2 a", ["did you mean --samples?"]),
        ("-s cat a cat --vary n=1,2", ["options go before the prompt", "‘--vary’"]),
        ("-s cat —scene beach a", ["‘—scene’", "write --scene"]),
        ("-s cat –n 4 a", ["‘–n’", "write -n"]),
        ("-s cat −−style=x a", ["write --style"]),
        ("-s cat a cat -n 4", ["options go before the prompt", "‘-n’", "--"]),
        ("-s cat a cat -n4", ["options go before the prompt", "‘-n4’"]),
        ("-s cat a cat --scene=beach", ["options go before the prompt", "‘--scene=beach’"]),
        ('-s cat "a cat --scene beach"', ["options go before the prompt"]),
        ("a cat -s cat", ["options go before the prompt", "‘-s’"]),
        ("a cat", ["‘a cat’ has no options before it", "at least one subject", "`%kling -s cat a cat`"]),
        ('"a cat"', ["`%kling -s cat a cat`"]),
        ("-n 4 a cat", ["at least one subject"]),
        ("-- a cat", ["at least one subject"]),
        ("histroy", ["did you mean the command `%kling history`?"]),
        ("History", ["`%kling history`"]),
    ],
)
def test_problems_say_what_and_where_and_what_to_do(line, parts):
    message = problem_of(line)
    for part in parts:
        assert part in message


# --- commands ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "command", "arguments", "silenced"),
    [
        ("history", "history", "", False),
        ("history  red  hat ;", "history", "red  hat", True),
        ('history "red hat"', "history", "red hat", False),
        ("history it's # new", "history", "it's # new", False),
        ("show 0198-a", "show", "0198-a", False),
        ('show "my cat";', "show", "my cat", True),
        ("wait", "wait", "", False),
        ("wait cat-17", "wait", "cat-17", False),
        ("resume", "resume", "", False),
        ("sandbox", "sandbox", "", False),
        ("sandbox off", "sandbox", "off", False),
        ("doctor", "doctor", "", False),
        ("doctor offline;", "doctor", "offline", True),
        ("login", "login", "", False),
        ("logout;", "logout", "", True),
        ("help", "help", "", False),
        ("", "help", "", False),
        ("  ", "help", "", False),
        (";", "help", "", True),
        ("-h", "help", "", False),
        ("--help", "help", "", False),
        ("-s cat -h a cat", "help", "", False),
        ("show --help", "help", "", False),
        ("resume --send", "resume", "--send", False),
        ("resume --send --yes", "resume", "--send --yes", False),
        ("resume --send=cat-17;", "resume", "--send cat-17", True),
        ("resume --forget cat-17", "resume", "--forget cat-17", False),
    ],
)
def test_commands(line, command, arguments, silenced):
    call = parse_line(line, cell=None)
    assert (call.command, call.arguments, call.prompt, call.silenced) == (command, arguments, None, silenced)


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("show", ["show needs a task's id", "`%kling show cat-17`", "`%kling history`"]),
        ("show a cat", ["the command show takes one task's id, not ‘a cat’", "`%kling -s cat show …`"]),
        ("wait for the bus", ["one task's id", "`%kling -s cat wait …`"]),
        ("help me", ["takes no words", "`%kling -s cat help …`"]),
        ("sandbox maybe", ["sandbox takes on or off, not ‘maybe’"]),
        ("sandbox on off", ["takes on or off"]),
        ("doctor --offline", ["doctor takes offline, not ‘--offline’"]),
        ("doctor who", ["doctor takes offline, not ‘who’"]),
        ("doctor in a white coat", ["the command doctor takes offline", "`%kling -s cat doctor …`"]),
        ("resume 1", ["resume alone collects everything", "`%kling resume --send ‘1’`"]),
        ("resume --forget", ["[--send [ID] [--yes] | --forget ID]", "lists the ids"]),
        ("resume --send 1 2", ["[--send [ID] [--yes] | --forget ID]"]),
        ("resume --sned 1", ["[--send [ID] [--yes] | --forget ID]"]),
        ("history -n 5", ["the command history takes no options", "‘-n’"]),
        ("show -s cat", ["the command show takes no options", "`%kling -s cat show …`"]),
    ],
)
def test_commands_explain_both_readings(line, parts):
    message = problem_of(line)
    for part in parts:
        assert part in message


def test_what_follows_login_is_not_repeated():
    assert "sk-" not in problem_of("login sk-123456")


# --- cells ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "cell", "prompt", "silenced"),
    [
        ("-s cat", "\n A cat,\n  asleep. \n\n", "A cat,\n  asleep.", False),
        ("-s cat # a comment", "A cat", "A cat", False),
        ("-s cat # 'tis a \"comment;", "A cat", "A cat", False),
        ("-s cat; # quiet", "A cat", "A cat", True),
        ("-s cat ;", "A cat;", "A cat;", True),
        ("-s cat", '"A cat";', '"A cat";', False),
        ("-s cat", "# a heading", "# a heading", False),
        ("-s cat", "- a list\n-5 degrees", "- a list\n-5 degrees", False),
        ("-s cat", "A cat -n 4", "A cat -n 4", False),
        ("-s cat --", "-n 4", "-n 4", False),
        ("-s cat", " \n", None, False),
        ('-s "#1.png"', "A cat", "A cat", False),
    ],
)
def test_the_body_of_a_cell_is_the_prompt(line, cell, prompt, silenced):
    call = parse_line(line, cell=cell)
    assert (call.command, call.prompt, call.silenced) == (None, prompt, silenced)
    assert len(call.options["subject"]) == 1


@pytest.mark.parametrize(
    ("line", "cell", "parts"),
    [
        ("-s cat a cat", "A cat", ["‘a cat’", "the prompt goes below"]),
        ("-s cat -- a cat", "A cat", ["the prompt goes below"]),
        ("-s cat -5", "A cat", ["‘-5’", "below"]),
        ("-s #1.png", "A cat", ["-s needs a value"]),
        ("history", "A cat", ["history is a command", "`%kling history`"]),
        ("", "A cat", ["at least one subject", "`%%kling -s cat`"]),
        ("-s cat --vary prompt=x,y", "A cat", ["the cell has one as well", "`%kling -s cat --vary prompt=…`"]),
        ("-s cat", "-n 4\nA cat", ["options go before the prompt", "‘-n’"]),
    ],
)
def test_problems_of_a_cell(line, cell, parts):
    message = problem_of(line, cell)
    for part in parts:
        assert part in message


def test_a_cell_may_ask_for_help():
    assert parse_line("-h", cell="A cat").command == "help"


# --- the table and the help ----------------------------------------------------------------------


def test_the_help_begins_with_three_lines_of_usage_and_fits_a_terminal():
    lines = help_text().splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["%kling", "%%kling", "%kling"]
    assert lines[3] == ""
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("each", [*OPTIONS, *COMMANDS], ids=lambda each: each[0])
def test_the_help_has_everything_with_an_example_that_works(each):
    text = help_text()
    names = each.names if each in OPTIONS else [each.name]
    assert f"\n{', '.join(names)}" in text
    assert f"Example: {each.line()}\n" in text
    assert each.help
    call = parse_line(each.line().removeprefix("%kling "), cell=None)
    if each in COMMANDS:
        assert call.command == each.name
    else:
        assert call.options[each.destination]


def test_the_help_names_the_known_values():
    assert "16:9" in help_text()
    assert "kling-v2-1" in help_text()
    assert "1 to 9" in help_text()


def test_every_option_name_is_found():
    for option in OPTIONS:
        for name in option.names:
            assert split_option(name) == (option, name, None)


# --- properties ----------------------------------------------------------------------------------

_WORDS = [name for option in OPTIONS for name in option.names] + [command.name for command in COMMANDS]
_PIECES = st.sampled_from(
    [
        *_WORDS,
        "-s cat",
        "n=1,2",
        'prompt="a b","',
        ",",
        "--",
        ";",
        "=",
        '"',
        "'",
        "#",
        "[",
        "]",
        "-n4",
        "3:2",
        "on",
        " ",
    ]
)
lines = st.lists(_PIECES | st.text(max_size=8), max_size=8).map(" ".join) | st.text(max_size=60)


@given(lines, st.none() | lines)
def test_any_line_is_a_call_or_a_problem_in_one_line(line, cell):
    try:
        call = parse_line(line, cell=cell)
    except UsageProblem as problem:
        assert_one_line(problem)
        return
    assert isinstance(call, Call)
    assert call.prompt is None or (call.prompt and call.prompt == call.prompt.strip())
    assert call.command is not None or call.options["subject"] or call.compares


@given(lines)
def test_a_prompt_after_two_dashes_is_verbatim(text):
    # A last `;` and a pair of quotes have their own tests.
    text = text.strip()
    if text.endswith((";", '"', "'")):
        text += "."
    assert prompt_of(f"-s cat -n 2 -- {text}") == (text or None)
    assert prompt_of(f"-s cat -- {text};") == (text or None)


@given(st.text(st.characters(exclude_characters="\"'")))
def test_quotes_round_a_prompt_come_off(text):
    assert prompt_of(f"-s cat -- '{text}'") == (text.strip() or None)
    assert parse_line(f'-s cat -- "{text}";', cell=None).silenced


@given(lines)
def test_the_body_of_a_cell_is_verbatim(text):
    assert parse_line("-s cat --", cell=text).prompt == (text.strip() or None)


@given(st.text(min_size=1, max_size=12))
def test_only_what_can_be_assigned_to_is_taken_as_a_name(name):
    try:
        call = parse_line(f'-s cat --out="{name}" x', cell=None)
    except UsageProblem:
        return
    assert call.options["out"].isidentifier()
    assert not keyword.iskeyword(call.options["out"])
