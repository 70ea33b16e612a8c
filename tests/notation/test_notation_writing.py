"""A request as code: what is written is read back by a real shell, and by Python, to exactly the same request."""

import contextlib
import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from PIL import Image
from traitlets.config import Config

import kling_nb.kling as facade
from kling_nb.key import kernel as kernel_state
from kling_nb.magics import magic
from kling_nb.magics.options import parse_line
from kling_nb.notation.names import Namespace, find
from kling_nb.notation.prompt import interpolate
from kling_nb.notation.tokenizer import tokenize
from kling_nb.notation.writing import Source, Written, as_word, cell, escaped, python

CAT = Source("cat.png")


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """A shell with the real extension in it."""
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell(config=config, ipython_dir=str(tmp_path_factory.mktemp("ipython")))
    shell.run_line_magic("load_ext", "kling_nb")
    yield shell
    shell.run_line_magic("unload_ext", "kling_nb")
    kernel_state.folder = None


@pytest.fixture
def read_back(shell, monkeypatch):
    """Return a function that runs a cell and returns what it asked of the magic, as it was parsed."""
    calls = []
    monkeypatch.setattr(magic, "run", lambda _magics, line, body, _variables: calls.append((line, body)))

    def read(text):
        calls.clear()
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            result = shell.run_cell(text)
        assert result.success, text
        assert output.getvalue() == ""
        ((line, body),) = calls
        return parse_line(line, cell=body)

    return read


def options_of(request):
    """What a parsed line must have, and nothing else."""
    named = ("model_name", "aspect_ratio", "callback_url", "external_task_id", "watermark", "fit", "reuse", "yes")
    given_ones = {
        "subject": [source.text for source in request.subjects],
        "scene": request.scene and request.scene.text,
        "style": request.style and request.style.text,
        "n": request.n if request.n != 1 else None,
        **{name: getattr(request, name) for name in named},
    }
    return {name: value for name, value in given_ones.items() if value not in (None, False)}


def assert_read_back(read_back, request):
    """Hold that a request is written, and means the same; the same in Python."""
    text = cell(request)
    assert text is not None, request
    assert_same(read_back, request, text)
    assert_python(request)


def assert_same(read_back, request, text):
    call = read_back(text)
    assert call.command is None
    assert call.prompt == (request.template or None), text
    assert {name: value for name, value in call.options.items() if value not in (None, False, [])} == options_of(
        request
    ), text
    assert not call.silenced


class Recorder:
    """Stands for a `Kling`, and keeps what it is asked for."""

    def generate(self, *positional, **named):
        self.asked = (positional, named)
        return "the task"


class Marked(dict):
    """Variables that are whatever they are called."""

    def __missing__(self, name):
        return Variable(name)


class Variable:
    """A variable that says how it was named; attributes and subscripts do too."""

    def __init__(self, written):
        self.written = written

    def __repr__(self):
        return self.written

    def __getattr__(self, name):
        return Variable(f"{self.written}.{name}")

    def __getitem__(self, key):
        return Variable(f"{self.written}[{key!r}]")


def assert_python(request):
    recorder, variables = Recorder(), Marked()
    variables["kling"] = recorder
    variables["__builtins__"] = {}
    exec(compile(python(request, "kling"), "<written>", "exec"), variables)
    assert variables["task"] == "the task"
    positional, named = recorder.asked
    assert positional == ((request.prompt,) if request.prompt else ())
    wanted = options_of(request)
    subjects = [_sent(source) for source in request.subjects]
    del wanted["subject"]
    found = {name: value.written if isinstance(value, Variable) else value for name, value in named.items()}
    found["subject_images"] = _seen(named["subject_images"])
    wanted["subject_images"] = subjects if len(subjects) != 1 else subjects[0]
    for role in ("scene", "style"):
        if role in wanted:
            wanted[f"{role}_image"] = _sent(getattr(request, role))
            del wanted[role]
    assert found == wanted


def _sent(source):
    return eval(source.text, Marked()).written if source.is_variable else source.text


def _seen(value):
    if isinstance(value, list):
        return [_seen(each) for each in value]
    return value.written if isinstance(value, Variable) else value


# --- anything that is typed ----------------------------------------------------------------------

_LINES = st.sampled_from(
    [
        ">>> a cat", "... a hat", "In [1]: a cat", "   ...: a hat", ">>>", "...", "%kling -s dog", "%%time", "%matplotlib",
        "!rm cat.png", "?cat", "cat?", "cat??", "# a cat", "-n 4", "--yes", "--", "-- a cat", "-n4", "-a3:2", "--scene=x",
        "help", "history", "- a list", "—yes", '"a cat"', "'a cat'", '"', "'", '"""', "'''", "\\", "a cat\\", ";", "a cat;",
        "{cat}", "{{cat}}", "{ cat }", "{", "a\tcat", "\tindented", "    indented", "[nav] In [2]: a", "猫", "🐱", "a, b = %cat",
        "x = !ls", "$HOME", "$cat", "/cat", ",cat a", "@cat", "<script>", "None", "%", "%%", "\x00", "\x1b[31m", "-->", "1 | a",
        "\ufeffa", "In a hat", "[1] a hat", "1 cat", "-----> cat", "a\N{COMBINING ACUTE ACCENT}", "   >>> a", "'''\n>>> a\n'''",
    ]
)  # fmt: skip
_BETWEEN = st.sampled_from(
    [
        "\n",
        "\n\n",
        "\n \n",
        "\n\t\n",
        " ",
        "\r",
        "\r\n",
        "\r\n\r\n",
        "\n\r\n",
        "\u2028",
        "\x0c",
        "\x0b",
        "\x85",
        "\x1c",
        "",
    ]
    + ["\n"] * 6
)
_PROMPTS = (
    st.lists(st.tuples(_LINES | st.text(max_size=12), _BETWEEN), max_size=6)
    .map(lambda parts: "".join(text + between for text, between in parts))
    .map(str.strip)
)
_WORDS = st.lists(
    st.sampled_from(
        [*"\"'#;?\\-=[](){},:%$!&|~*/ \t.ax9é猫", "--scene", "-n", "-s", " ]", "\n", "\r", "\u2028", "\x0c"]
    ),
    min_size=1,
    max_size=8,
).map("".join) | st.text(min_size=1, max_size=12)
_VARIABLES = st.sampled_from(
    ["cat", "refs['my cat']", 'refs["a"]', "df.img[3]", "images[-1]", "images[1:3]", "a[b[0], 'c d']", "refs['a\"b']", "µ",
     "refs['it\\'s \"so\"']", "refs['#']", "refs['; ?']", r"refs['\\']", "refs[';']", "refs['a]b']", "refs[ 'a' ]", "image_"]
)  # fmt: skip
_SOURCES = _WORDS.map(Source) | _VARIABLES.map(lambda text: Source(text, is_variable=True))
_VALUES = st.none() | _WORDS
_REQUESTS = st.builds(
    Written,
    template=_PROMPTS,
    prompt=_PROMPTS,
    subjects=st.lists(_SOURCES, min_size=1, max_size=4),
    scene=st.none() | _SOURCES,
    style=st.none() | _SOURCES,
    n=st.integers(1, 9),
    aspect_ratio=st.none() | st.sampled_from(["3:2", "21:9"]),
    model_name=_VALUES,
    callback_url=_VALUES | st.just("https://example.org/a?b=c&d='e'#f"),
    external_task_id=_VALUES,
    watermark=st.booleans(),
    fit=st.booleans(),
    reuse=st.booleans(),
    yes=st.booleans(),
)
_SETTINGS = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@_SETTINGS
@given(_REQUESTS)
def test_a_cell_is_read_back_as_the_same_request_or_is_not_written(read_back, request_):
    text = cell(request_)
    if text is not None:
        assert_same(read_back, request_, text)


@_SETTINGS
@given(_PROMPTS)
@example(">>> a cat\n... a hat")
@example("a cat\n>>> a hat\nand\n... more")
@example("'''\n>>> a\n'''\n... b")
@example("a cat\n   \na hat")
@example("a cat\n\t\na hat")
@example("a cat\n\r\na hat")
@example("a cat\n\x0c\na hat")
@example("In [1]: a cat\n   ...: a hat")
@example("a cat\n   ...: a hat")
@example("-n 4\na cat")
@example("--\na cat")
@example("a cat\\")
@example("what is this?")
@example("a cat;")
def test_any_prompt_is_read_back_or_is_not_written(read_back, template):
    request = Written(template, template, [CAT])
    text = cell(request)
    if text is not None:
        assert_same(read_back, request, text)


@_SETTINGS
@given(st.lists(_SOURCES, min_size=1, max_size=4))
@example([Source("a["), Source("]")])
@example([Source('a["'), Source('b "x]')])
@example([Source("a\x0cb")])
@example([Source("a\u2028b")])
@example([Source(" ")])
@example([Source("-"), Source("--")])
@example([Source("=a"), Source("a='b'"), Source('--x="y"')])
def test_any_names_are_read_back_or_are_not_written(read_back, sources):
    for template in ("", "a cat"):
        request = Written(template, template, sources)
        text = cell(request)
        if text is not None:
            assert_same(read_back, request, text)


@_SETTINGS
@given(_REQUESTS)
def test_the_python_asks_for_the_same(request_):
    assert_python(request_)


@_SETTINGS
@given(
    st.text()
    | _PROMPTS
    | st.lists(st.sampled_from([*"{} \naé1_", "{cat}", "{{cat}}", "{1}", "{{1}}", "{a.b}"]), max_size=12).map("".join)
)
def test_an_escaped_prompt_is_the_prompt_itself(prompt):
    def lookup(name):
        raise AssertionError(f"{name} was looked up")

    assert interpolate(escaped(prompt), lookup) == prompt


@_SETTINGS
@given(_WORDS)
def test_a_word_is_one_word_of_a_line_and_the_same_text(text):
    word = as_word(text)
    if word is not None:
        tokens = tokenize(f"-s {word} --scene {word} -n 4")
        assert [token.text for token in tokens] == ["-s", text, "--scene", text, "-n", "4"]
        assert word.splitlines() == [word]


# --- what must be written, and how ---------------------------------------------------------------


@pytest.mark.parametrize(
    "template",
    [
        "a cat wearing the hat",
        "The cat surfs a wave,\n  and waves: {not a name}, {time_of_day}.",
        "a cat\n\nand a hat",
        "a cat\n\n\n\tand an indented hat",
        "%kling -s dog",
        "%%time\nx = 1",
        "!ls\n?cat\ncat?",
        "# a heading\nand a cat",
        "-n 4 cats",
        "--yes",
        "-- a cat",
        "-n4\n--scene=beach",
        "- a list\n- of cats",
        "... and then a cat",
        "In [1]: a cat\n   ...: in the second line",
        "[1] a cat",
        "a cat\\",
        "what is this?",
        "really??",
        "a cat;",
        "\"a cat\" and 'a hat'",
        '"""quotes"""',
        "it's 50% of $5",
        "{{cat}} and {cat}",
        "猫\N{VARIATION SELECTOR-16} 🐱 é",
        "a cat\u2028in two lines\x0cand a page\rand more",
        "tabs\tin\tit",
    ],
)
def test_prompts_that_a_cell_takes(read_back, template):
    assert_read_back(read_back, Written(template, template, [CAT]))


@pytest.mark.parametrize(
    "text",
    [
        "cat.png",
        "refs/my cat.png",
        "refs/it's a cat.png",
        'a "cat".png',
        "~/refs/*.png",
        "cat#2.png",
        "#2.png",
        "cat;",
        "cat; and hat",
        "cat?",
        "a\\b.png",
        "refs\\",
        "-cat.png",
        "--scene",
        "--",
        "'cat'.png",
        "cat[1.png",
        "cat[1].png",
        "]",
        "a[",
        "a=b.png",
        "--style='x'",
        "$HOME/cat.png",
        "{cat}.png",
        "猫.png",
        "https://example.org/cat.png?size=4&x='y'#top",
        " cat.png ",
        "a\tb.png",
    ],
)
def test_names_that_a_line_takes(read_back, text):
    source = Source(text)
    assert_read_back(read_back, Written("a cat", "a cat", [source, source], source, source))
    assert_read_back(read_back, Written("", "", [source, source], source, source, n=4))
    assert_read_back(read_back, Written("", "", [source]))


@pytest.mark.parametrize(
    "text", ['it\'s "so" here', "two\nlines", "a\rb", "a\x0cb", "a\u2028b", "a\x85", "", " ", "\t"]
)
def test_what_a_line_cannot_hold_is_left_to_python(text):
    request = Written("a cat", "a cat", [CAT, Source(text)])
    assert cell(request) is None
    assert cell(replace(request, subjects=[CAT], external_task_id=text)) is None
    assert as_word(text) is None
    assert_python(request)


@pytest.mark.parametrize("template", [">>> a cat", "a cat\n>>> a hat", "a cat\n  >>> a hat", "a cat\n \t \nand a hat"])
def test_prompts_that_a_shell_would_change_are_left_to_python(template):
    request = Written(template, template, [CAT])
    assert cell(request) is None
    assert_python(request)


def test_a_variable_is_written_as_one_and_its_text_as_text(read_back):
    request = Written("a", "a", [Source("refs['my cat']", is_variable=True), Source("cat")], Source("cat", True))
    assert_read_back(read_back, request)
    assert python(request, "kling") == (
        'task = kling.generate(\n    "a",\n    subject_images=[refs[\'my cat\'], "cat"],\n    scene_image=cat,\n)\ntask'
    )


def test_what_is_not_given_is_not_written():
    request = Written("a cat", "a cat", [CAT])
    assert cell(request) == "%%kling -s cat.png\na cat"
    assert cell(replace(request, template="", prompt="")) == "%kling -s cat.png"
    assert python(request, "kling") == ('task = kling.generate(\n    "a cat",\n    subject_images="cat.png",\n)\ntask')


def test_everything_is_written_in_the_order_of_the_form(read_back):
    request = Written(
        "a cat,\n{time_of_day}",
        "a cat,\nat noon",
        [CAT, Source("hat", True)],
        Source("beach.jpg"),
        Source("https://example.org/wave.jpg"),
        9,
        "3:2",
        "kling-v2",
        "https://example.org/done",
        "cat 17",
        True,
        True,
        True,
        True,
    )
    assert cell(request) == (
        "%%kling -s cat.png -s hat --scene beach.jpg --style https://example.org/wave.jpg -n 9 -a 3:2 -m kling-v2"
        ' --callback-url https://example.org/done --external-task-id "cat 17" --watermark --fit --reuse --yes\n'
        "a cat,\n{time_of_day}"
    )
    assert python(request, "kling") == (
        "task = kling.generate(\n"
        '    (\n        "a cat,\\n"\n        "at noon"\n    ),\n'
        '    subject_images=["cat.png", hat],\n'
        '    scene_image="beach.jpg",\n'
        '    style_image="https://example.org/wave.jpg",\n'
        "    n=9,\n"
        '    model_name="kling-v2",\n'
        '    aspect_ratio="3:2",\n'
        '    callback_url="https://example.org/done",\n'
        '    external_task_id="cat 17",\n'
        "    watermark=True,\n    fit=True,\n    reuse=True,\n    yes=True,\n"
        ")\ntask"
    )
    assert_read_back(read_back, request)


def test_without_a_name_the_python_uses_what_the_magic_uses(monkeypatch):
    recorder = Recorder()
    monkeypatch.setattr("kling_nb.default", lambda: recorder, raising=False)
    variables = {}
    exec(python(Written("a", "a", [CAT]), None), variables)
    assert recorder.asked == (("a",), {"subject_images": "cat.png"})
    assert variables["kling"] is recorder


def test_an_incomplete_request_is_written_too():
    request = Written("", "", [])
    assert cell(request) == "%kling "
    assert "subject_images=[]" in python(request, "kling")


# --- byte for byte -------------------------------------------------------------------------------


@pytest.fixture
def sandboxed(monkeypatch, tmp_path):
    """The kernel's sandbox in a folder of its own, with two pictures; dry runs only."""
    monkeypatch.chdir(tmp_path)
    for name, value in (("sandbox", True), ("folder", tmp_path), ("login", None)):
        monkeypatch.setattr(kernel_state, name, value)
    Image.new("RGB", (400, 320), "orange").save("my cat.png")
    Image.new("RGB", (40, 32), "navy").save("small;.png")
    yield
    facade._default.clear()
    facade._config.clear()


def test_the_cell_and_the_python_give_the_same_bytes(shell, sandboxed):
    request = Written(
        "-n a cat, {mood};\n\n  and {{mood}}?",
        "-n a cat, happy;\n\n  and {mood}?",
        [Source("my cat.png"), Source("pair[1]", True)],
        Source("small;.png"),
        Source("https://example.org/wave.jpg"),
        n=3,
        aspect_ratio="3:2",
        external_task_id="it's 17",
        watermark=True,
        fit=True,
    )
    shell.push({"pair": [None, Image.new("RGB", (320, 320), "teal")], "mood": "happy"})
    written = cell(request).replace("\n", " --dry-run\n", 1).replace(" -- --dry-run", " --dry-run --")
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        by_cell = shell.run_cell(written)
        by_python = shell.run_cell(python(request, None).replace(".generate(", ".dry_run(") + "\ntask")
    assert by_cell.success, output.getvalue()
    assert by_python.success, output.getvalue()
    assert by_cell.result.prompt == request.prompt
    assert by_cell.result.encode() == by_python.result.encode()
    assert by_cell.result.n == 3


def test_a_name_in_the_cell_is_found_as_what_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("my cat.png", "it's.png", "a;", "#1.png", "a[", "-s"):
        Path(name).touch()
        (word,) = tokenize(as_word(name))
        assert find(word.text, Namespace({})).value == name
