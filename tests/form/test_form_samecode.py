"""The cell and the Python that the form shows send, byte for byte, what the form sends."""

import json
from pathlib import Path

import numpy as np
import pytest
from IPython.utils.capture import capture_output
from PIL import Image

import kling_nb
from kling_nb.form.parts import revealed
from kling_nb.key import kernel


@pytest.fixture
def form(shell, files, sandbox):
    """The form of the magic, as `%kling form` makes it."""
    kernel.sandbox = True
    shell.run_line_magic("load_ext", "kling_nb")
    shell.run_line_magic("config", "KlingMagics.poll_interval = 0.01")
    shell.run_line_magic("config", "KlingMagics.confirm_above = 8")
    with capture_output():
        form = shell.run_line_magic("kling", "form")
    yield form
    shell.run_line_magic("unload_ext", "kling_nb")


def run(shell, code):
    with capture_output():
        result = shell.run_cell(code)
    result.raise_error()


@pytest.fixture
def sent(form, person, shell, bodies):
    """Send what is in the form in all three ways; return the body, which must be the same each time."""

    def send():
        assert form.settle()
        assert not form.paying.button.disabled, form.paying.why.value
        cell, python = form.code.cell.button.text, form.code.python.button.text
        person.clicks(form.paying.button)
        if revealed(form.paying.back):
            person.clicks(form.paying.agree)
        assert person.waits(form).failed == ""
        assert len(bodies) == 1
        for number, code in enumerate((cell, python), 1):
            if code:
                run(shell, code)
                assert bodies.pop() == bodies[0], code
            else:
                assert number == 1
                assert "cannot be written" in form.code.cell._head.value
            assert len(bodies) == 1, code
        return json.loads(bodies[0]), cell, python

    return send


def test_a_path_and_nothing_else(form, sent, person):
    person.types(form.references.slots[0].source, "cat.png")
    body, cell, python = sent()
    assert set(body) == {"model_name", "subject_image_list", "n", "external_task_id"}
    assert cell == "%kling -s cat.png"
    assert 'subject_images="cat.png"' in python


def test_all_options(form, sent, person):
    slots, fields = form.references.slots, form.fields
    for slot, name in zip((slots[0], slots[2], slots[4], slots[5]), ("cat", "hat", "sea", "ink"), strict=True):
        person.types(slot.source, f"{name}.png")
    person.types(fields.prompt, "  The cat surfs,\n  and waves: {not a name}.\n")
    person.chooses(fields.n, 9)
    person.chooses(fields.aspect_ratio, "21:9")
    person.types(fields.model_name, "kling-v2")
    person.types(fields.callback_url, "https://example.org/done?a=1&b='2'")
    person.types(fields.watermark, True)
    body, cell, _ = sent()
    assert body["prompt"] == "The cat surfs,\n  and waves: {not a name}."
    assert body["n"] == 9
    assert body["aspect_ratio"] == "21:9"
    assert body["watermark_info"] == {"enabled": True}
    assert len(body["subject_image_list"]) == 2
    assert "--yes" in cell


def test_an_external_id(form, person, sandbox, bodies):
    person.types(form.references.slots[0].source, "cat.png")
    person.types(form.fields.external_task_id, "my cat's 17")
    assert form.settle()
    assert '--external-task-id "my cat\'s 17"' in form.code.cell.button.text
    assert 'external_task_id="my cat\'s 17"' in form.code.python.button.text
    assert person.agrees(form).task.external_task_id == "my cat's 17"
    # It is an id for one task: the second is refused, in its card.
    assert "my cat's 17" in person.agrees(form).failed
    assert len(bodies) == 1


def test_uploads(form, sent, person, pictures):
    person.drops(form.references.slots[0], ('It\'s a "cat" ü.png', pictures(7)))
    person.uploads(form.references.slots[4], "sea.png", pictures(8))
    body, _, _ = sent()
    assert body["scene_image"]


def test_a_cured_upload_beside_a_picture_that_needs_no_cure(form, sent, person, pictures):
    person.drops(form.references.slots[1], ("tiny.png", pictures(5, 100, 100)))
    person.types(form.references.slots[0].source, "cat.png")
    assert form.settle()
    person.clicks(form.references.slots[1].cure)
    _, cell, python = sent()
    assert "--fit" in cell
    assert "fit=True" in python


def test_variables(form, sent, person, variables):
    random = np.random.default_rng(1)
    variables.update(
        cat=Image.open("cat.png"),
        refs={"a b": [Path("hat.png"), random.integers(0, 255, (320, 340, 3), dtype="uint8")]},
        sea=random.random((310, 330, 3)),
        colour="red",
        count=3,
    )
    slots = form.references.slots
    person.types(slots[0].source, "cat")
    person.types(slots[1].source, "refs['a b']")
    person.types(slots[4].source, "sea")
    person.types(form.fields.prompt, "{count} {colour} {{colour}} cats")
    body, _, _ = sent()
    assert body["prompt"] == "3 red {colour} cats"
    assert len(body["subject_image_list"]) == 3


def test_a_list_and_what_has_no_name(form, sent, person, variables, pictures):
    variables["cats"] = [Image.new("RGB", (320, 320), "red"), pictures(7)]
    person.types(form.references.slots[0].source, "cats")
    assert form.settle()
    form.load(style_image=Image.new("RGB", (320, 320), "blue"))
    body, _, _ = sent()
    assert len(body["subject_image_list"]) == 2
    assert body["style_image"]


def test_a_url(form, sent, person):
    person.types(form.references.slots[0].source, "https://example.org/a,b;c?q=1&x='y'#z")
    person.types(form.references.slots[1].source, "cat.png")
    body, _, _ = sent()
    assert body["subject_image_list"][0]["subject_image"].startswith("https://example.org/")


def test_odd_names_of_files(form, sent, person, pictures):
    for index, name in enumerate(("-n 4.png", "a 'quoted' one.png", "#;?.png", "{colour} $x.png")):
        Path(name).write_bytes(pictures(index))
        person.types(form.references.slots[index].source, name)
    sent()


@pytest.mark.parametrize(
    "prompt",
    [
        "--yes",
        ">>> a cat",
        '"a" and "b"',
        "a cat;",
        "what is $x? {1} {{y}} {z z}",
        "# a heading\n\n\n%kling -s cat",
        "form",
        "a\tcat \\",
        "ünïcödé 猫 🐈",
    ],
)
def test_odd_prompts(form, sent, person, prompt):
    person.types(form.references.slots[0].source, "cat.png")
    person.types(form.fields.prompt, prompt)
    body, _, _ = sent()
    assert body["prompt"] == prompt.replace("{{y}}", "{y}")


def test_reuse(form, person, shell, bodies):
    form.load(prompt="a cat", subject_images="cat.png")
    assert form.settle()
    first = person.agrees(form).task
    person.types(form.fields.reuse, True)
    assert person.agrees(form).task.id == first.id
    for code in (form.code.cell.button.text, form.code.python.button.text):
        run(shell, code)
    assert shell.user_ns["task"].id == first.id
    assert len(bodies) == 1


def test_what_cannot_run_says_so(form, person):
    assert "Not complete yet" in form.code.cell._head.value
    person.types(form.references.slots[0].source, "cat.png")
    assert form.settle()
    assert "Not complete" not in form.code.cell._head.value
    person.types(form.fields.prompt, "{nobody}")
    assert "Not complete yet" in form.code.python._head.value


def test_the_form_of_another_kling_names_it_in_python_and_has_no_cell(shell, variables, files, new_kling, bodies):
    variables["mine"] = mine = new_kling(model_name="kling-v2")
    form = mine.form("a cat", subject_images="cat.png")
    assert form.settle()
    assert form.code.cell.button.text == ""
    assert not revealed(form.code.cell.button)
    code = form.code.python.button.text
    assert code.startswith("task = mine.generate(")
    form.generate().wait(quiet=True)
    run(shell, code)
    assert bodies[0] == bodies[1]


def test_no_key_is_in_the_code(files, shell):
    kling = kling_nb.Kling("sk-very-secret", base_url="https://example.org/kling")
    form = kling.form("a cat", subject_images="cat.png")
    assert form.settle()
    assert "sk-very" not in form.code.python.button.text
