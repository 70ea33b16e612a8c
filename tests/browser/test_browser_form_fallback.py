"""The form where its own JavaScript cannot load."""

import hashlib
import re

import pytest
from playwright.sync_api import expect


def choose(slot, path):
    """Choose a file, and wait until another button is in the place of the one that has had it."""
    button = slot.get_by_role("button", name="Choose a file").element_handle()
    with slot.page.expect_file_chooser() as chooser:
        button.click()
    chooser.value.set_files(path)
    button.wait_for_element_state("hidden")


@pytest.mark.parametrize("front_end", ["lab"], indirect=True)
def test_without_its_javascript_everything_but_dropping_works(context, open_form, photograph):
    context.route(re.compile("/labextensions?/anywidget/|/extensions/anywidget/"), lambda route: route.abort())
    cat, hat = photograph(), photograph("hat.png", "navy")
    form = open_form(
        [hat],
        before="from PIL import Image\nsea = Image.new('RGB', (400, 320), 'teal')",
        whole=False,
        height=1800,
        context=context,
    )
    slot = form.slot("Subject 1")
    expect(slot).to_contain_text("up to 9 MB; larger by path")
    choose(slot, cat)
    expect(form.status("Subject 1")).to_contain_text("400 × 320 · PNG")
    expect(slot.get_by_role("img", name="Subject 1: ")).to_be_visible()
    # A second file in its place.
    choose(slot, photograph("ink.png", "black", (320, 300)))
    expect(form.status("Subject 1")).to_contain_text("320 × 300 · PNG")
    button = slot.get_by_role("button", name="Choose a file").element_handle()
    slot.get_by_role("button", name="New button").click()
    button.wait_for_element_state("hidden")
    choose(slot, cat)
    expect(form.status("Subject 1")).to_contain_text("400 × 320 · PNG")
    form.type_into("Subject 2", "hat.png")
    expect(form.status("Subject 2")).to_contain_text("PNG")
    form.type_into("Scene", "sea")
    expect(form.status("Scene")).to_contain_text("PNG")
    form.type_into("Style", "https://example.com/ink.png")
    expect(form.status("Style")).to_contain_text("URL")
    found = form.hashes()
    assert found[:2] == [hashlib.sha256(path.read_bytes()).hexdigest() for path in (cat, hat)]
    assert found[5] == "https://example.com/ink.png"
    form.unfold("The same as code")
    expect(form.root.get_by_text("javascript error").filter(visible=True)).to_have_count(0)
    expect(form.root.locator(".kling-code pre").filter(visible=True).first).to_contain_text("--scene sea")
    form.notebook.screenshot("form-fallback", form.root)
    form.generate.click()
    form.expect_result()
    assert form.notebook.outside == []
