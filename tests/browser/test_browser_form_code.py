"""The code that the form shows: copied and run, it sends the same."""

import pytest
from playwright.sync_api import expect

PICTURES = """
from PIL import Image
wave = Image.new("RGB", (400, 320), "teal")
photos = [Image.new("RGB", (320, 300), "navy"), wave]
mood, others = "sleepy", {"time": "at night"}
"""
PROMPT = 'The {mood} cat says "hello",\n  {{mood}} and it\'s 100 % {raw text}.\n\n-n 3 is no option here'


def copied(form, name):
    """Press a button that copies, and return what was copied."""
    form.page.evaluate("navigator.clipboard.writeText('nothing')")
    form.button(name).click()
    expect(form.button(name)).to_have_text("Copied")
    return form.page.evaluate("navigator.clipboard.readText()")


def expect_the_same(form, name):
    """Run copied code as a cell; expect the sandbox to have received what the form sent."""
    code = copied(form, name)
    before = form.bodies()
    index = form.notebook.run_new(code)
    after = form.bodies()
    assert len(after) == len(before) + 1, form.notebook.output(index).text_content()
    assert after[-1] == before[-1]
    return code


@pytest.mark.parametrize("front_end", ["notebook"], indirect=True)
def test_everything_that_was_filled_in(open_form, photograph, drop_files):
    form = open_form([photograph("a beach.png", "khaki")], before=PICTURES)
    drop_files(form.tile("Subject 1"), [photograph("my cat's photo.png")])
    form.expect_picture("Subject 1")
    form.type_into("Subject 2", "photos")
    form.expect_picture("Subject 3")
    form.type_into("Scene", "a beach.png")
    form.expect_picture("Scene")
    form.type_into("Style", "wave")
    form.expect_picture("Style")
    form.prompt.fill(PROMPT)
    form.button("3").click()
    form.button("21:9").click()
    form.root.get_by_role("combobox", name="Model").fill("kling-v2")
    form.unfold("More options")
    form.root.get_by_role("textbox", name="Callback URL").fill("https://example.com/a?b=c&d='e'")
    form.root.get_by_role("checkbox", name="Watermarked copies as well").check()
    form.unfold("The same as code")
    expect(form.root.locator(".kling-code pre").first).to_contain_text("--watermark")
    expect(form.root.locator(".kling-code pre").first).to_contain_text("-a 21:9")
    expect(form.root.locator(".kling-code pre").first).to_contain_text("-m kling-v2")
    form.generate.click()
    form.expect_result(pictures=3)
    code = expect_the_same(form, "Copy the cell")
    assert code.startswith("%%kling ")
    assert code.endswith("\n" + PROMPT)
    assert "task = kling.generate(" in expect_the_same(form, "Copy the Python")


@pytest.mark.parametrize("front_end", ["lab"], indirect=True)
def test_what_is_out_of_the_ordinary(open_form, photograph, drop_files):
    quoted = 'cat\'s "own".png'
    form = open_form([photograph(quoted)], before="%config KlingMagics.confirm_above = 1")
    form.unfold("The same as code")
    expect(form.root.locator(".kling-code")).to_contain_text("Not complete yet.")
    # What was made to fit, and needs a second click.
    drop_files(form.tile("Subject 1"), [photograph("tiny.png", size=(100, 160))])
    form.slot("Subject 1").get_by_role("button", name="Enlarge it").click()
    form.expect_picture("Subject 1", "enlarged")
    form.button("2").click()
    expect(form.why).to_contain_text("2 images")
    form.generate.click()
    form.root.get_by_role("button", name="Yes, send").click()
    form.expect_result(pictures=2)
    assert "--fit --yes" in expect_the_same(form, "Copy the cell")
    assert "yes=True" in expect_the_same(form, "Copy the Python")
    # What no cell can say.
    form.button("1").click()
    form.type_into("Subject 1", quoted)
    form.expect_picture("Subject 1", "400 × 320")
    expect(form.root.locator(".kling-code")).to_contain_text("use the Python")
    expect(form.button("Copy the cell")).to_be_hidden()
    form.generate.click()
    expect(form.root.locator(".kling-run")).to_have_count(2)
    form.expect_result()
    expect_the_same(form, "Copy the Python")
    # No prompt, and a URL.
    form.type_into("Subject 1", "https://example.com/cat.png")
    expect(form.status("Subject 1")).to_contain_text("URL")
    expect(form.root.locator(".kling-code pre").first).to_have_text("%kling -s https://example.com/cat.png")
    form.generate.click()
    expect(form.root.locator(".kling-run")).to_have_count(3)
    form.expect_result()
    expect_the_same(form, "Copy the cell")
    expect_the_same(form, "Copy the Python")
