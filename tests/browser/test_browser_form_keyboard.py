"""The form without a mouse, and as it is read out, in JupyterLab and Notebook 7."""

import re

import pytest
from playwright.sync_api import expect

CONTROLS = "button, input, select, textarea, [role=button], [tabindex='0'], summary, a"

# What the focus is on, in a few words.
FOCUSED = """() => {
  const element = document.activeElement;
  const inside = element.closest(".kling-form") !== null;
  const label = element.labels?.[0]?.textContent ?? "";
  const name = element.getAttribute("aria-label") || label || element.textContent || element.title;
  return [inside, name.slice(0, 80)];
}"""


def tab_to(form, name):
    """Press Tab until something has the focus."""
    walked = []
    while not walked or name not in walked[-1]:
        form.page.keyboard.press("Tab")
        inside, label = form.page.evaluate(FOCUSED)
        walked.append(label)
        assert inside, f"{name} was not among {walked}"


def test_all_of_it_with_the_keyboard(open_form, photograph):
    form = open_form([photograph(), photograph("hat.png", "navy")])
    keyboard = form.page.keyboard
    form.tile("Subject 1").focus()
    tab_to(form, "Subject 1: Path, URL or variable")
    keyboard.type("cat.png")
    tab_to(form, "Subject 2: empty")
    form.expect_picture("Subject 1")
    with form.page.expect_file_chooser() as chooser:
        keyboard.press("Space")
    chooser.value.set_files(photograph("sea.png", "teal"))
    form.expect_picture("Subject 2")
    tab_to(form, "Scene: Path, URL or variable")
    keyboard.type("hat.png")
    keyboard.press("Enter")
    form.expect_picture("Scene")
    tab_to(form, "Prompt")
    keyboard.type("a cat asleep")
    tab_to(form, "3")
    keyboard.press("Enter")
    tab_to(form, "9:16")
    keyboard.press("Space")
    tab_to(form, "Model")
    keyboard.type("kling-v2")
    tab_to(form, "More options")
    keyboard.press("Enter")
    expect(form.root.get_by_role("textbox", name="External id")).to_be_visible()
    tab_to(form, "External id")
    keyboard.type("by hand")
    tab_to(form, "Reuse")
    expect(form.why).to_contain_text("3 images")
    expect(form.generate).to_be_enabled()
    tab_to(form, "Generate")
    keyboard.press("Enter")
    form.expect_result(pictures=3)
    (body,) = form.bodies()
    assert body["prompt"] == "a cat asleep"
    assert (body["n"], body["aspect_ratio"], body["model_name"]) == (3, "9:16", "kling-v2")
    assert len(body["subject_image_list"]) == 2
    assert body["scene_image"]
    tab_to(form, "The same as code")
    keyboard.press("Space")
    expect(form.button("Copy the cell")).to_be_visible()
    tab_to(form, "Copy the cell")
    keyboard.press("Enter")
    expect(form.button("Copy the cell")).to_have_text("Copied")
    tab_to(form, "Same again")
    keyboard.press("Enter")
    expect(form.root.locator(".kling-run")).to_have_count(2)
    form.expect_result(pictures=3)


def test_keys_on_a_tile_do_not_reach_the_notebook(open_form, photograph):
    form = open_form([photograph()], more=["1", "2"])
    cells = form.page.locator(".jp-Notebook .jp-Cell")
    for focused in (
        form.tile("Subject 1"),
        form.button("2"),
        form.button("Refresh"),
        form.root.get_by_label("Variable", exact=True),
    ):
        focused.focus()
        for key in ("d", "d", "a", "b", "x", "v", "m", "y", "z", "1", "0", "0", "j", "k", "h", "Shift+M", "c"):
            form.page.keyboard.press(key)
    expect(form.page.locator(".jp-Dialog")).to_have_count(0)
    expect(cells).to_have_count(4)
    expect(form.page.locator(".jp-Notebook .jp-CodeCell")).to_have_count(4)
    form.tile("Subject 1").focus()
    form.page.keyboard.press("ArrowDown")
    expect(form.tile("Subject 1")).to_be_focused()
    # What is pressed with Control still is the notebook's.
    form.type_into("Subject 1", "cat.png")
    form.expect_picture("Subject 1")
    form.tile("Subject 1").press("Control+S")
    form.page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    form.tile("Subject 1").press("Backspace")
    expect(form.source("Subject 1")).to_have_value("")
    expect(cells).to_have_count(4)


@pytest.mark.parametrize("front_end", ["lab"], indirect=True)
def test_every_control_has_a_name_of_its_own(open_form, photograph):
    form = open_form([photograph(), photograph("hat.png", "navy")])
    for title, name in (("Subject 1", "cat.png"), ("Subject 2", "hat.png")):
        form.type_into(title, name)
        form.expect_picture(title)
    form.unfold("More options")
    form.unfold("The same as code")
    form.button("2").click()
    expect(form.why).to_contain_text("2 images")
    form.generate.click()
    form.expect_result(pictures=2)
    controls = form.root.locator(CONTROLS).filter(visible=True)
    assert controls.count() > 50
    for control in controls.all():
        expect(control).to_have_accessible_name(re.compile(r"\w"))
    read = form.root.aria_snapshot()
    fields = re.findall(r"^\s*- '?(?:textbox|combobox|checkbox) \"([^\"]*)\"", read, re.MULTILINE)
    assert len(fields) > 10
    assert len(set(fields)) == len(fields)
    buttons = re.findall(r"^\s*- '?button \"([^\"]*)\"", read, re.MULTILINE)
    # Those of a card and those of the list of variables have the same words, and tell by their description.
    twice = {name for name in buttons if buttons.count(name) > 1}
    assert twice <= {"as subject", "as scene", "as style"}
