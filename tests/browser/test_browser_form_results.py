"""What comes of the requests of a form, in JupyterLab and Notebook 7."""

import re

import pytest
from playwright.sync_api import expect

MANY = "%kling -s cat.png -n 2 -a 16:9 a cat from the magic"


def fill(form, *names, prompt="a cat asleep"):
    for number, name in enumerate(names, 1):
        form.type_into(f"Subject {number}", name)
        form.expect_picture(f"Subject {number}")
    form.prompt.fill(prompt)
    expect(form.root.locator(".kling-count")).to_contain_text(f"{len(prompt)} of")
    expect(form.generate).to_be_enabled()


@pytest.mark.parametrize("front_end", ["lab", "notebook"], indirect=True)
def test_an_image_of_two_photographs(open_form, photograph):
    form = open_form([photograph(), photograph("hat.png", "navy")])
    fill(form, "cat.png", "hat.png", prompt="a cat in a hat")
    form.notebook.kernel_run("_sandbox.hold()")
    form.button("2").click()
    form.button("16:9").click()
    expect(form.why).to_contain_text("2 images")
    form.generate.click()
    expect(form.card()).to_contain_text("2 images · a cat in a hat")
    expect(form.card()).to_contain_text("generating")
    # The kernel is free meanwhile.
    form.notebook.run_new("print('free')")
    form.notebook.kernel_run("_sandbox.release()")
    form.expect_result(pictures=2)
    expect(form.card()).to_contain_text("SANDBOX")
    (body,) = form.bodies()
    assert len(body["subject_image_list"]) == 2
    assert (body["prompt"], body["n"], body["aspect_ratio"]) == ("a cat in a hat", 2, "16:9")
    assert form.notebook.kernel_value("[task.task_status for task in form.tasks]") == ["succeeded"]
    # A link of the grid leads to the file.
    link = form.card().get_by_role("link").first
    expect(link).to_have_attribute("href", re.compile("/files/.*kling_runs/sandbox/images/"))
    answer = form.page.request.get(link.evaluate("(link) => link.href"))
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    assert len(answer.body()) == form.notebook.kernel_value("form.tasks[0].images[0].path.stat().st_size")


@pytest.mark.parametrize("front_end", ["notebook"], indirect=True)
def test_a_failure_is_said_in_its_card_and_stays(open_form, photograph):
    form = open_form([photograph()])
    fill(form, "cat.png", prompt="a cat [sandbox: fail]")
    form.generate.click()
    expect(form.card()).to_contain_text("failed")
    form.prompt.fill("a cat [sandbox: refuse]")
    expect(form.root.locator(".kling-count")).to_contain_text("23 of")
    form.generate.click()
    expect(form.card()).to_contain_text("Content security policy")
    expect(form.card(1)).to_contain_text("failed")
    form.prompt.fill("a cat")
    expect(form.root.locator(".kling-count")).to_contain_text("5 of")
    form.generate.click()
    form.expect_result()
    expect(form.root.locator(".kling-run")).to_have_count(3)
    form.card(1).get_by_role("button", name="Take this off the form").click()
    expect(form.root.locator(".kling-run")).to_have_count(2)
    expect(form.card(1)).to_contain_text("failed")


@pytest.mark.parametrize("front_end", ["lab"], indirect=True)
def test_a_result_becomes_a_subject_and_earlier_requests_are_asked_for_again(open_form, photograph):
    form = open_form([photograph()])
    fill(form, "cat.png")
    form.button("2").click()
    expect(form.why).to_contain_text("2 images")
    form.generate.click()
    form.expect_result(pictures=2)
    form.card().get_by_role("combobox", name="Use").select_option("images[1]")
    form.card().get_by_role("button", name="as subject").click()
    form.expect_picture("Subject 2", "JPEG")
    expect(form.source("Subject 2")).to_have_value(re.compile("kling_runs/sandbox/images/.*_2"))
    form.prompt.fill("and again")
    expect(form.root.locator(".kling-count")).to_contain_text("9 of")
    form.generate.click()
    expect(form.root.locator(".kling-run")).to_have_count(2)
    form.expect_result(pictures=2)
    form.card(1).get_by_role("button", name="Same again").click()
    expect(form.root.locator(".kling-run")).to_have_count(3)
    form.expect_result(pictures=2)
    first, second, third = form.bodies()
    assert third == first
    assert second["subject_image_list"][0] == first["subject_image_list"][0]
    assert len(second["subject_image_list"]) == 2
    form.prompt.fill("something else")
    form.card(2).get_by_role("button", name="Load this request").click()
    expect(form.prompt).to_have_value("a cat asleep")
    expect(form.source("Subject 2")).to_have_value("")
    form.expect_picture("Subject 1")
    form.generate.click()
    expect(form.root.locator(".kling-run")).to_have_count(4)
    form.expect_result(pictures=2)
    assert form.bodies()[3] == first
    # A request of the magic is in the list.
    form.notebook.run_new(MANY)
    form.button("Refresh").click()
    earlier = form.root.get_by_role("combobox", name="Earlier request")
    expect(earlier.locator("option")).to_have_count(6)
    earlier.select_option(index=1)
    form.button("Load").click()
    expect(form.prompt).to_have_value("a cat from the magic")
    form.expect_picture("Subject 1")
    form.generate.click()
    expect(form.root.locator(".kling-run")).to_have_count(5)
    form.expect_result(pictures=2)
    *_, fifth, sixth = form.bodies()
    assert fifth == sixth
    assert fifth["aspect_ratio"] == "16:9"


@pytest.mark.parametrize("front_end", ["notebook"], indirect=True)
def test_two_forms_do_not_disturb_each_other(open_form, photograph):
    form = open_form([photograph(), photograph("hat.png", "navy")], more=["other = %kling form"])
    form.notebook.run(2)
    other = type(form)(form.notebook, 2).until_ready()
    fill(form, "cat.png", prompt="one")
    fill(other, "hat.png", prompt="two")
    # A tile of one is nothing to the other.
    form.tile("Subject 1").drag_to(other.tile("Scene"))
    other.type_into("Style", "cat.png")
    other.expect_picture("Style")
    expect(other.source("Scene")).to_have_value("")
    expect(form.source("Subject 1")).to_have_value("cat.png")
    form.notebook.kernel_run("_sandbox.hold()")
    form.generate.click()
    other.generate.click()
    expect(form.card()).to_contain_text("1 image · one")
    expect(other.card()).to_contain_text("1 image · two")
    form.notebook.kernel_run("_sandbox.release()")
    form.expect_result()
    other.expect_result()
    for each in (form, other):
        expect(each.root.locator(".kling-run")).to_have_count(1)
    form.notebook.kernel_run("other.close()")
    expect(other.root).to_have_count(0)
    form.generate.click()
    expect(form.root.locator(".kling-run")).to_have_count(2)
    form.expect_result()
