"""Every way to fill a slot of the form, in JupyterLab and Notebook 7."""

import hashlib

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

PICTURES = """
from PIL import Image
cat, hat = Image.new("RGB", (400, 320), "orange"), Image.new("RGB", (320, 300), "navy")
both = [cat, hat]
number, words = 7, "no picture"
"""


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_files_are_dropped_one_and_several(open_form, photograph, drop_files):
    cat, hat, sea = photograph(), photograph("hat.png", "navy"), photograph("sea.png", "teal")
    form = open_form()
    drop_files(form.tile("Subject 1"), [cat])
    form.expect_picture("Subject 1", "400 × 320 · PNG")
    drop_files(form.tile("Subject 2"), [hat, sea])
    form.expect_picture("Subject 2")
    form.expect_picture("Subject 3")
    assert form.hashes() == [sha256(cat), sha256(hat), sha256(sea), None, None, None]
    drop_files(form.tile("Scene"), [hat, sea])
    expect(form.status("Scene")).to_contain_text("2 files were given, and this slot takes one")
    drop_files(form.tile("Scene"), [sea])
    form.expect_picture("Scene")
    assert form.hashes()[4] == sha256(sea)
    assert form.request_is_right()
    drop_files(form.tile("Subject 4"), [cat, hat])
    expect(form.status("Subject 4")).to_contain_text("It gives 2 pictures, and 1 slot is free")


def test_screenshots_files_and_addresses_are_pasted(open_form, photograph, paste_image, paste_files):
    form = open_form()
    paste_image(form.tile("Subject 2"), photograph(colour="green"))
    form.expect_picture("Subject 2", "400 × 320 · PNG")
    pixel = form.notebook.kernel_value(
        "__import__('PIL.Image').Image.open(str(form.references.entries[1].value)).convert('RGB').getpixel((9, 9))"
    )
    assert pixel == [0, 128, 0]
    cat = photograph()
    paste_files(form.tile("Style"), [cat])
    form.expect_picture("Style")
    assert form.hashes()[5] == sha256(cat)
    form.page.evaluate("navigator.clipboard.writeText('https://example.com/hat.png')")
    form.tile("Subject 1").focus()
    form.page.keyboard.press("Control+V")
    expect(form.status("Subject 1")).to_contain_text("URL: the server fetches it")
    expect(form.source("Subject 1")).to_have_value("https://example.com/hat.png")
    form.page.evaluate("navigator.clipboard.writeText('')")
    form.tile("Subject 3").focus()
    form.page.keyboard.press("Control+V")
    expect(form.tile("Subject 3")).to_contain_text("The clipboard holds no picture.")


@pytest.mark.parametrize("front_end", ["notebook"], indirect=True)
def test_files_are_chosen(open_form, photograph):
    cat, hat = photograph(), photograph("hat.png", "navy")
    form = open_form()
    with form.page.expect_file_chooser() as chooser:
        form.tile("Subject 1").click()
    assert chooser.value.is_multiple()
    chooser.value.set_files([cat, hat])
    form.expect_picture("Subject 1")
    form.expect_picture("Subject 2")
    with form.page.expect_file_chooser() as chooser:
        form.tile("Scene").press("Enter")
    assert not chooser.value.is_multiple()
    chooser.value.set_files(hat)
    form.expect_picture("Scene")
    assert form.hashes() == [sha256(cat), sha256(hat), None, None, sha256(hat), None]


@pytest.mark.parametrize("front_end", ["notebook"], indirect=True)
def test_paths_globs_urls_and_variables_are_typed_and_picked(open_form, photograph):
    cat, hat, sea = photograph(), photograph("hat.png", "navy"), photograph("sea.jpg", "teal")
    form = open_form([cat, hat, sea], before=PICTURES)
    form.type_into("Subject 1", "cat")
    form.expect_picture("Subject 1", "400 × 320 · PNG")
    form.type_into("Subject 2", "[ch]at.png")
    form.expect_picture("Subject 3")
    form.type_into("Scene", "sea.jpg")
    form.expect_picture("Scene", "JPEG")
    form.type_into("Style", "https://example.com/ink.png")
    expect(form.status("Style")).to_contain_text("URL: the server fetches it")
    variable, *rest = form.hashes()
    assert variable
    assert rest == [sha256(cat), sha256(hat), None, sha256(sea), "https://example.com/ink.png"]
    form.type_into("Subject 4", "dog.png")
    expect(form.status("Subject 4").get_by_role("alert")).to_contain_text("dog.png")
    expect(form.generate).to_be_disabled()
    form.type_into("Subject 4", "")
    expect(form.generate).to_be_enabled()
    # Picked from the list of variables.
    form.button("Clear Subject 1").click()
    form.button("Clear Subject 2").click()
    form.button("Clear Subject 3").click()
    expect(form.generate).to_be_disabled()
    variables = form.root.get_by_role("combobox", name="Variable", exact=True)
    expect(variables.locator("option")).to_have_text(["3 in the notebook", "cat", "hat", "both"])
    variables.select_option("both")
    form.root.get_by_role("button", name="as subject", exact=True).click()
    form.expect_picture("Subject 1")
    form.expect_picture("Subject 2")
    expect(form.source("Subject 2")).to_have_value("both[1]")
    variables.select_option("hat")
    form.root.get_by_role("button", name="as style", exact=True).click()
    form.expect_picture("Style")
    form.notebook.run_new("sea = Image.new('RGB', (500, 300), 'teal')")
    form.button("Refresh").click()
    expect(variables.locator("option")).to_have_text(["4 in the notebook", "cat", "hat", "both", "sea"])


@pytest.mark.parametrize("front_end", ["lab"], indirect=True)
def test_pictures_are_moved_and_cleared(open_form, photograph):
    cat, hat, sea = photograph(), photograph("hat.png", "navy"), photograph("sea.png", "teal")
    form = open_form([cat, hat, sea])
    for title, path in (("Subject 1", cat), ("Subject 2", hat), ("Scene", sea)):
        form.type_into(title, path.name)
        form.expect_picture(title)
    form.tile("Subject 1").drag_to(form.tile("Scene"))
    expect(form.source("Scene")).to_have_value("cat.png")
    form.expect_picture("Scene")
    assert form.hashes() == [sha256(sea), sha256(hat), None, None, sha256(cat), None]
    form.button("Move Subject 1 to the right").click()
    expect(form.source("Subject 1")).to_have_value("hat.png")
    form.button("Move Subject 2 to the right").click()
    expect(form.source("Subject 3")).to_have_value("sea.png")
    form.button("Move Subject 3 to the left").click()
    expect(form.source("Subject 2")).to_have_value("sea.png")
    assert form.hashes() == [sha256(hat), sha256(sea), None, None, sha256(cat), None]
    form.button("Clear Subject 2").click()
    expect(form.source("Subject 2")).to_have_value("")
    form.tile("Scene").press("Delete")
    expect(form.source("Scene")).to_have_value("")
    expect(form.tile("Scene")).to_have_text("Drop, paste or click")
    assert form.hashes() == [sha256(hat), None, None, None, None, None]


@pytest.mark.slow
@pytest.mark.parametrize("front_end", ["notebook"], indirect=True)
def test_a_large_picture_arrives_whole(open_form, drop_files, tmp_path):
    # More than one message to the kernel may have.
    noise = np.random.default_rng(1).integers(0, 256, (2000, 2000, 3), np.uint8)
    path = tmp_path / "noise.png"
    Image.fromarray(noise).save(path, compress_level=0)
    assert path.stat().st_size > 12_000_000
    form = open_form()
    drop_files(form.tile("Subject 1"), [path])
    expect(form.status("Subject 1").get_by_role("alert")).to_contain_text("10 MB")
    kept = "__import__('hashlib').sha256(open(form.references.entries[0].source.text, 'rb').read()).hexdigest()"
    assert form.notebook.kernel_value(kept) == sha256(path)
    form.button("Shrink it").click()
    form.expect_picture("Subject 1", "converted from PNG to JPEG")
    assert form.request_is_right()


@pytest.mark.parametrize("front_end", ["notebook"], indirect=True)
def test_what_is_too_small_is_made_to_fit_and_what_is_no_picture_is_refused(
    open_form, photograph, drop_files, tmp_path
):
    form = open_form()
    drop_files(form.tile("Subject 1"), [photograph("tiny.png", size=(200, 160))])
    expect(form.status("Subject 1").get_by_role("alert")).to_contain_text("300")
    expect(form.why).to_contain_text("Subject 1")
    expect(form.generate).to_be_disabled()
    form.slot("Subject 1").get_by_role("button", name="Enlarge it").click()
    form.expect_picture("Subject 1", "enlarged")
    expect(form.generate).to_be_enabled()
    expect(form.slot("Subject 1").get_by_role("button", name="Enlarge it")).to_be_hidden()
    # A text file is refused in words, and nothing of it is kept.
    form.notebook.kernel_run("_kept = {*_folder.glob('uploads/*')}")
    notes = tmp_path / "notes.txt"
    notes.write_text("no picture")
    drop_files(form.tile("Subject 2"), [notes])
    said = form.status("Subject 2").get_by_role("alert")
    expect(said).to_have_text("It is not an image of a known format.")
    expect(form.source("Subject 2")).to_have_value("notes.txt")
    expect(form.generate).to_be_disabled()
    assert form.notebook.kernel_value("_kept == {*_folder.glob('uploads/*')}")
    form.button("Clear Subject 2").click()
    expect(said).to_have_count(0)
