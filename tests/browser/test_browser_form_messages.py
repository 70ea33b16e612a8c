"""What the form says of what is wrong, and when it may be sent, in JupyterLab and Notebook 7."""

import pytest
from playwright.sync_api import expect

KEYLESS = "import os\nos.environ.pop('KLING_SANDBOX')\nos.environ.pop('KLING_API_KEY', None)"


@pytest.mark.parametrize("front_end", ["lab"], indirect=True)
def test_what_is_typed_is_checked_at_once(open_form, photograph):
    form = open_form([photograph()], before="mood = 'sleepy'")
    expect(form.why).to_have_text("Give at least one subject.")
    expect(form.generate).to_be_disabled()
    form.type_into("Subject 1", "cat.png")
    expect(form.generate).to_be_enabled()
    form.prompt.fill("A {mood} cat")
    expect(form.root.locator(".kling-sent")).to_have_text("As sent: A sleepy cat")
    expect(form.root.locator(".kling-count")).to_have_text("12 of 2,500 characters")
    form.prompt.fill("A {moood} cat")
    said = form.root.get_by_role("alert")
    expect(said).to_contain_text("moood")
    expect(said).to_contain_text("mood")
    expect(form.why).to_contain_text("{moood} in the prompt is not a variable")
    expect(form.generate).to_be_disabled()
    form.prompt.fill("x" * 2501)
    expect(said).to_contain_text("2,500")
    expect(form.root.locator(".kling-count-over")).to_have_text("2,501 of 2,500 characters")
    expect(form.generate).to_be_disabled()
    form.prompt.fill("x" * 2500)
    expect(said).to_have_count(0)
    expect(form.root.locator(".kling-count")).to_contain_text("0 left")
    expect(form.generate).to_be_enabled()
    assert form.request_is_right()
    # What is folded away is checked, too.
    expect(form.root.get_by_role("textbox", name="Callback URL")).to_be_hidden()
    form.unfold("More options")
    form.root.get_by_role("textbox", name="Callback URL").fill("example.com")
    expect(form.root.get_by_role("alert")).to_contain_text("Callback URL")
    expect(form.why).to_contain_text("More options: Callback URL")
    expect(form.generate).to_be_disabled()
    form.root.get_by_role("textbox", name="Callback URL").fill("https://example.com/told")
    form.root.get_by_role("textbox", name="External id").fill("mine 1")
    form.root.get_by_role("checkbox", name="Watermarked copies as well").check()
    expect(form.generate).to_be_enabled()
    form.generate.click()
    form.expect_result()
    (body,) = form.bodies()
    assert body["callback_url"] == "https://example.com/told"
    assert body["watermark_info"] == {"enabled": True}
    assert form.notebook.kernel_value("form.tasks[0].record.external_task_id") == "mine 1"


@pytest.mark.parametrize("front_end", ["notebook"], indirect=True)
def test_without_a_key_the_sandbox_is_offered(open_form, photograph):
    form = open_form([photograph()], before=KEYLESS)
    form.type_into("Subject 1", "cat.png")
    expect(form.why).to_contain_text("There is no API key.")
    expect(form.why).to_contain_text("%kling login")
    expect(form.generate).to_be_disabled()
    form.button("Look again").click()
    expect(form.generate).to_be_disabled()
    form.button("Use the sandbox").click()
    expect(form.why).to_have_text("1 image · 1 slot · nothing is billed · sandbox")
    expect(form.button("Use the sandbox")).to_be_hidden()
    form.generate.click()
    form.expect_result()
    assert len(form.bodies()) == 1


@pytest.mark.parametrize("front_end", ["notebook"], indirect=True)
def test_many_images_need_a_second_click_and_a_double_click_is_one(open_form, photograph):
    form = open_form([photograph()], before="%config KlingMagics.confirm_above = 3")
    form.type_into("Subject 1", "cat.png")
    form.button("4").click()
    expect(form.why).to_contain_text("4 images")
    form.generate.click()
    agree = form.root.get_by_role("button", name="Yes, send: 4 images")
    expect(agree).to_be_visible()
    form.button("Do not send").click()
    expect(form.generate).to_be_enabled()
    form.generate.click()
    expect(agree).to_be_visible()
    # Whatever changes the request is not what was agreed to.
    form.button("5").click()
    expect(form.why).to_contain_text("5 images")
    expect(form.generate).to_be_enabled()
    assert form.bodies() == []
    form.generate.click()
    form.root.get_by_role("button", name="Yes, send: 5 images").click()
    form.expect_result(pictures=5)
    assert [body["n"] for body in form.bodies()] == [5]
    # A double click is one.
    form.notebook.kernel_run("_runs.DOUBLE_CLICK = 60.0")
    form.button("2").click()
    expect(form.why).to_contain_text("2 images")
    form.generate.dblclick()
    expect(form.root.locator(".kling-run")).to_have_count(2)
    form.expect_result(pictures=2)
    form.notebook.kernel_value("form.settle()")
    expect(form.root.locator(".kling-run")).to_have_count(2)
    assert [body["n"] for body in form.bodies()] == [5, 2]


@pytest.mark.parametrize("front_end", ["lab"], indirect=True)
def test_a_variable_that_changed_since_is_said_and_not_sent(open_form):
    form = open_form(before="from PIL import Image\ncat = Image.new('RGB', (400, 320), 'orange')")
    form.type_into("Subject 1", "cat")
    form.expect_picture("Subject 1")
    form.notebook.run_new("cat = Image.new('RGB', (500, 320), 'navy')")
    form.generate.click()
    expect(form.card()).to_contain_text("Subject 1 has changed since it was shown.")
    form.expect_picture("Subject 1", "500 × 320")
    assert form.bodies() == []
    form.generate.click()
    form.expect_result()
    assert len(form.bodies()) == 1


@pytest.mark.parametrize("front_end", ["lab", "notebook"], indirect=True)
def test_what_the_kernel_has_not_heard_of_is_not_sent(open_form, photograph):
    form = open_form([photograph()])
    form.type_into("Subject 1", "cat.png")
    form.button("2").click()
    expect(form.why).to_contain_text("2 images")
    # As when a press overtakes the change before it.
    form.notebook.kernel_run("form.fields.n._trait_values['index'] = 0")
    form.generate.click()
    expect(form.why.get_by_role("alert")).to_contain_text("Nothing was sent")
    assert form.bodies() == []
    form.button("3").click()
    expect(form.why).to_contain_text("3 images")
    form.generate.click()
    form.expect_result(pictures=3)
    assert [body["n"] for body in form.bodies()] == [3]


@pytest.mark.parametrize("front_end", ["lab"], indirect=True)
def test_a_press_without_a_kernel_says_so(open_form, photograph):
    form = open_form([photograph()])
    form.type_into("Subject 1", "cat.png")
    expect(form.generate).to_be_enabled()
    form.page.evaluate(
        """() => { const kernel = window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel;
        kernel.sendShellMessage = () => { throw new Error("Cannot send"); }; }"""
    )
    form.generate.click()
    expect(form.root.locator(".kling-press-news").first).to_contain_text("There is no kernel")
