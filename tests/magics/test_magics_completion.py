import os
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.completer import CompletionContext
from jupyter_client.manager import start_new_kernel

import kling_nb
from kling_nb.magics.completion import Match, complete, make_matcher
from kling_nb.magics.options import COMMANDS, OPTIONS, parse_line
from kling_nb.notation.names import Namespace
from kling_nb.records import ASPECT_RATIOS, FIELDS, MODEL_NAMES

OPTION_NAMES = [name for option in OPTIONS for name in option.names]
COMMAND_NAMES = [command.name for command in COMMANDS]


class Picture:
    def __kling_reference__(self):
        raise AssertionError("only the type is looked at")

    @property
    def anything(self):
        raise AssertionError("no attribute is looked at")


VARIABLES = {
    "beach": np.zeros((2, 2)),
    "bear": Picture(),
    "beds": ["a.png"],
    "bench": object(),
    "being": 3,
    "begin": print,
    "Bell": Picture,
    "berth": types,
    "best_hat": "red",
    "time_of_day": "dusk",
    "_secret": Picture(),
}


def list_files(prefix):
    paths = ["beret.png", "my beach.png", "refs/", "refs/hat.png", 'refs/it\'s "it".png', "my dir/", "bear", "#1.png"]
    return [path for path in paths if path.startswith(prefix)]


def offered(text, **sources):
    found = complete(text, Namespace(VARIABLES), list_files, lambda: ["cat-17", "0198-ab"], **sources)
    if found is None:
        return None
    assert text.endswith(found.fragment)
    return [match.text for match in found.matches]


# --- where ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["", "%", "%kling", "%%kling", "%klingon --", "kling --", "x = kling", "x == %kling --", "print('%kling --", "# %kling --",
     "%kling -s cat\nprint(", "%%bash\nls --"],
)  # fmt: skip
def test_other_lines_are_pythons(text):
    assert offered(text) is None


@pytest.mark.parametrize(
    "start",
    ["%kling ", "%%kling ", "x = %kling ", "  x = %kling  ", "a.b = %kling ", "x['k'] = %kling ", "a, b = %kling ",
     "for i in x:\n    %kling ", "%%time\n%kling ", "%kling -s cat \\\n  ", "x = %kling -s cat \\\n-n 2 \\\n"],
)  # fmt: skip
def test_options_are_offered_wherever_the_magic_may_stand(start):
    assert offered(start + "--sc") == ["--scene"]


# --- commands, options and their values ----------------------------------------------------------


def test_the_first_word_is_a_command_or_an_option():
    assert offered("%kling ") == COMMAND_NAMES + OPTION_NAMES
    assert offered("%kling h") == ["history", "help"]
    assert offered("%kling --h") == ["--help"]


def test_a_cell_has_no_commands():
    assert offered("%%kling ") == OPTION_NAMES
    assert offered("%%kling h") == []


def test_what_may_be_given_once_is_offered_once():
    after = offered("%kling -s cat --scene beach -n4 -q ")
    assert {"-s", "--subject", "--style", "-o"} <= set(after)
    assert not {"--scene", "-n", "-q", "--quiet", *COMMAND_NAMES} & set(after)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%kling -a ", list(ASPECT_RATIOS)),
        ("%%kling -a 3", ["3:4", "3:2"]),
        ("%kling -a3", ["3:4", "3:2"]),
        ("%kling --aspect-ratio=1", ["16:9", "1:1"]),
        ("%kling -m ", list(MODEL_NAMES)),
        ("%kling --model kling-v2-", ["kling-v2-1"]),
        ("%kling -n ", list("123456789")),
        ("%kling -o ", []),
        ("%kling --callback-url ", []),
        ("%kling --dry-run=", []),
        ("%kling sandbox ", ["on", "off"]),
        ("%kling sandbox of", ["off"]),
        ("%kling show ", ["cat-17", "0198-ab"]),
        ("x = %kling wait 0", ["0198-ab"]),
        ("%kling show cat-17 ", []),
        ("%kling history ", []),
        ("%kling login ", []),
        ("%%kling show ", []),
    ],
)
def test_values(text, expected):
    assert offered(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%kling --vary ", [f"{field}=" for field in FIELDS]),
        ("%kling --vary s", ["subject_images=", "scene_image=", "style_image="]),
        ("%kling --vary=sc", ["scene_image="]),
        ("%kling --vary n=1,2 --vary=scene_image=none --vary s", ["subject_images=", "style_image="]),
        ("%kling --vary n=1,2 --vary n", []),
        ("%%kling -s cat --vary sc", ["scene_image="]),
        ("%kling --vary model_name=", [*MODEL_NAMES, "beds", "bunch", "sizes"]),
        ("%kling --vary model_name=kling-v2,", ["kling-v2-1"]),
        ("%kling --vary=model_name=kling-v2,k", ["kling-v2-1"]),
        ("%kling --vary aspect_ratio=1:1,n", ["none"]),
        ("%kling --vary aspect_ratio=3", ["3:4", "3:2"]),
        ("%kling --vary n=1,2,", list("3456789")),
        ("%kling --vary n=s", ["sizes"]),
        ("%kling --vary prompt=b", ["beds", "bunch"]),
        ('%kling --vary prompt="b', []),
        ("%kling --vary prompt=beds,b", []),
        ('%kling --vary prompt="at dusk, {be', ["being", "best_hat"]),
        ('%kling --vary prompt="a, b","at {t', ["time_of_day"]),
        ('%kling --vary "prompt=at {t', ["time_of_day"]),
        ("%kling --vary style_image=bea", ["beach", "bear", "./bear"]),
        ("%kling --vary style_image=no", ["none"]),
        ("%kling --vary style_image=none,beac", ["beach"]),
        ("%kling --vary style_image=refs/h", ["refs/hat.png"]),
        ('%kling --vary style_image="my beach.png",refs/h', ["refs/hat.png"]),
        ("%kling --vary style_image=beach,my", ['"my beach.png"', '"my dir/']),
        ('%kling --vary style_image=beach,"my b', ['"my beach.png"']),
        ("%kling --vary style_image=refs/red", ['"refs/red, blue.png"']),
        ("%kling --vary subject_images=no", []),
        ("%kling --vary colour=", []),
        ("%kling --samples ", []),
        ("%kling --samples=", []),
    ],
)
def test_what_may_be_compared(text, expected):
    variables = VARIABLES | {"sizes": range(3), "bunch": pd.Series([1])}
    files = [*list_files(""), "refs/red, blue.png"]
    found = complete(text, Namespace(variables), lambda prefix: [each for each in files if each.startswith(prefix)])
    assert text.endswith(found.fragment)
    assert [match.text for match in found.matches] == expected


def test_every_level_offered_is_one_that_parses():
    for field in FIELDS:
        for before in ("", "x,"):
            for name in offered(f"%kling --vary {field}={before}"):
                if not name.endswith("/"):
                    (varied,) = parse_line(f"-s cat --vary {field}={before}{name}", cell=None).options["vary"]
                    assert len(varied.items) == (2 if before else 1)


def test_what_may_be_varied_again_is_offered_again():
    assert "--vary" in offered("%kling -s cat --vary n=1,2 ")
    assert "--samples" not in offered("%kling -s cat --samples 2 ")


def test_kinds():
    def kinds(text):
        found = complete(text, Namespace(VARIABLES), list_files, lambda: ["cat-17"])
        return {match.kind for match in found.matches}

    assert kinds("%kling ") == {"command", "option"}
    assert kinds("%kling -s be") == {"variable", "path"}
    assert kinds("%kling -a ") == {"value"}
    assert kinds("%kling show ") == {"task"}
    assert kinds("%kling -s cat {") == {"variable"}


# --- references ----------------------------------------------------------------------------------


def test_pictures_come_first_then_what_may_hold_some_then_the_rest_then_files():
    names = offered("%kling -s be")
    assert names == ["beach", "bear", "beds", "best_hat", "bench", "beret.png", "./bear"]


def test_hidden_names_are_not_offered():
    assert not [name for name in offered("%kling -s ") if name.startswith("_")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%kling --scene=bea", ["beach", "bear", "./bear"]),
        ("%kling --style beac", ["beach"]),
        ("%kling -s=beac", ["beach"]),
        ("%kling -s cat -s refs/h", ["refs/hat.png"]),
        ("%kling -s refs/", ["refs/", "refs/hat.png"]),  # a name with both quotes cannot be typed
        ("%kling -s my", ['"my beach.png"', '"my dir/']),
        ('%kling -s "my', ['"my beach.png"', '"my dir/']),
        ("%kling -s 'my b", ["'my beach.png'"]),
        ('%kling --scene="my b', ['"my beach.png"']),
        ("%kling -s '", ["'beret.png'", "'my beach.png'", "'refs/", "'refs/hat.png'", "'my dir/", "'bear'", "'#1.png'"]),
        ("%kling -s #", ["#1.png"]),
        ("%kling -s nothing", []),
        ('%kling -s refs["a', []),
    ],
)  # fmt: skip
def test_references(text, expected):
    assert offered(text) == expected


def test_a_name_that_would_be_a_comment_in_a_cell_is_quoted():
    assert '"#1.png"' in offered("%%kling -s ")


def test_every_reference_offered_is_one_word_that_parses():
    for start, cell in (("%kling -s ", None), ("%%kling -s ", "A cat")):
        for name in offered(start):
            if not name.endswith("/"):
                assert len(parse_line(f"-s {name}", cell=cell).options["subject"]) == 1


def test_real_files_are_listed_by_default(tmp_path, monkeypatch):
    (tmp_path / "hat.png").touch()
    monkeypatch.chdir(tmp_path)
    assert complete("%kling -s ha", Namespace()) == ("ha", [Match("hat.png", "path")])


def test_a_source_that_fails_offers_nothing():
    def broken(*_):
        raise OSError

    assert complete("%kling show ", Namespace(), broken, broken).matches == []
    assert complete("%kling -s ", Namespace(), broken, broken).matches == []


# --- the prompt ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%kling -s cat a", []),
        ("%kling -s cat a cat be", []),
        ("%kling -s cat a cat --sc", []),
        ("%kling -s cat -- --sc", []),
        ("%kling a b", []),
        ("%kling -s cat at {t", ["time_of_day"]),
        ("%kling -s cat {be", ["being", "best_hat"]),
        ("%kling {be", ["being", "best_hat"]),
        ("%kling -s cat -- {be", ["being", "best_hat"]),
        ("%kling -s cat {being} and {", ["being", "best_hat", "time_of_day"]),
        ("%kling -s cat {{be", []),
        ("%kling -s cat {be }", []),
        ("%%kling -s cat\nA cat be", []),
        ("%%kling -s cat\nA cat,\nat {t", ["time_of_day"]),
        ("%%kling -s cat\n%kling --sc", []),
        ("%%kling -s cat {be", []),
        ('%kling -s cat "a {be', ["being", "best_hat"]),
    ],
)
def test_the_prompt_has_variables_of_text_and_number_only(text, expected):
    assert offered(text) == expected


@given(st.text(st.sampled_from(list("-sn=\"' [{}ab\n\\#")) | st.characters(), max_size=25))
def test_any_line_can_be_completed(text):
    for start in ("%kling ", "%%kling "):
        found = complete(start + text, Namespace(VARIABLES), list_files)
        assert found is None or (start + text).endswith(found.fragment)


@given(st.lists(st.sampled_from(["-n 4", "--scene b", "-q", "-s dog", "a", "--", '"b"']), max_size=4).map(" ".join))
def test_an_option_is_offered_only_where_the_parser_takes_it(line):
    line = f"-s cat {line} "
    for option in {"--style", "--watermark"} & set(offered(f"%kling {line}")):
        if line.count("-n") < 2 and line.count("--scene") < 2:
            assert parse_line(f"{line}{option} x", cell=None).options[option[2:]]


# --- in IPython ----------------------------------------------------------------------------------


def test_the_matcher_is_silent_elsewhere_and_exclusive_on_its_own_lines():
    matcher = make_matcher(lambda: Namespace(VARIABLES), list_files)

    def result(text, line=0):
        column = len(text.split("\n")[line])
        return matcher(CompletionContext("", text, column, line, None))

    assert result("print(") == {"completions": [], "suppress": False}
    options = result("x = %kling --sc")
    assert (options["suppress"], options["ordered"], options["matched_fragment"]) == (True, True, "--sc")
    assert [(each.text, each.type) for each in options["completions"]] == [("--scene", "option")]
    prompt = result("%%kling -s cat\na cat be\nmore", 1)
    assert list(prompt["completions"]) == []
    assert len(prompt["completions"]) == 1  # or IPython would let Python's names in


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "refs").mkdir()
    for name in ("refs/hat.png", "refs/my hat.png"):
        (folder / name).touch()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(kling_nb.__file__).parents[1]), *sys.path]),
        "IPYTHONDIR": str(folder / ".ipython"),
        "JUPYTER_RUNTIME_DIR": str(folder / ".runtime"),
    }
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(folder), env=environment)
    try:
        client.execute_interactive(
            "from kling_nb.magics.completion import make_matcher\n"
            "from kling_nb.notation.names import Namespace\n"
            "ip = get_ipython()\n"
            "matcher = make_matcher(lambda: Namespace(ip.user_ns), list_tasks=lambda: ['cat-17'])\n"
            "ip.Completer.custom_matchers.append(matcher)\n"
            "beach, prices = [1], 5\n",
            timeout=60,
            output_hook=lambda message: None,
        )
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


@pytest.mark.parametrize(
    ("code", "start", "expected"),
    [
        ("%kling --s", 7, ["--subject", "--scene", "--style", "--samples"]),
        ("img = %kling --wa", 13, ["--watermark"]),
        ("%%kling -a 3", 11, ["3:4", "3:2"]),
        ("%kling -s refs/h", 10, ["refs/hat.png"]),
        ("%kling -s refs/", 10, ["refs/hat.png", '"refs/my hat.png"']),
        ('%kling -s "refs/m', 10, ['"refs/my hat.png"']),
        ("%kling --scene=be", 15, ["beach"]),
        ("%kling --vary scene", 14, ["scene_image="]),
        ("%kling --vary model_name=kling-v2,k", 34, ["kling-v2-1"]),
        ("x = %kling --vary n=1,2 --vary style_image=bea", 43, ["beach"]),
        ("%kling show ", 12, ["cat-17"]),
        ("%kling -s beach at {pri", 20, ["prices"]),
        ("%kling -s beach pri", 16, []),
        ("%%kling -s beach\nA pri", 19, []),
        ("%%kling -s beach\nA {pri", 20, ["prices"]),
        ("if 1:\n    x = %kling -m kling-v2-", 24, ["kling-v2-1"]),
    ],
)
def test_a_kernel_completes_only_with_ours(kernel, code, start, expected):
    content = kernel.complete(code, reply=True, timeout=30)["content"]
    assert content["status"] == "ok"
    assert content["matches"] == expected
    if expected:
        assert (content["cursor_start"], content["cursor_end"]) == (start, len(code))


def test_a_kernel_completes_python_as_before(kernel):
    # Jedi takes seconds to load, and is none of ours.
    kernel.execute_interactive("ip.Completer.use_jedi = False", timeout=30)
    assert "prices" in kernel.complete("pri", reply=True, timeout=30)["content"]["matches"]
    assert "%kling" not in kernel.complete("pri", reply=True, timeout=30)["content"]["matches"]
