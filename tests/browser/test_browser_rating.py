"""A rating in JupyterLab and Notebook 7: with keys, with a kernel that is at work, and with nothing left in the file."""

import pytest
from playwright.sync_api import expect

SECRET = "kling-v2-1-the-secret-level"

# A core of a rating, in a module beside the notebook: what is compared only it knows.
CORE = f"""
import io
import time
from pathlib import Path
from PIL import Image
from kling_nb.compare.rating.widget import RatingWidget
from kling_nb.errors import KlingError

LEVELS = {{"a": "{SECRET}", "b": "another {SECRET}"}}
COLOURS = {{"a": "orange", "b": "teal"}}


class Desk:
    def __init__(self, count=4, rater=None):
        self.count, self.rater, self.stored, self.broken = count, rater, [], False
        self.raters, self.shown_at = [], None

    def study(self):
        return {{"name": "Rating", "question": "Which picture shows the subject more faithfully?", "protocol": "pairs",
            "scale": [], "count": self.count, "rater": self.rater,
            "answered": len({{each["item"] for each in self.stored}}) if self.rater else 0}}

    def start(self, rater):
        if rater == "nobody":
            raise KlingError("nobody is no name.")
        given = [{{"item": f"i{{n}}", "pictures": [f"{{n}}a", f"{{n}}b"][::-1 if n % 2 else 1], "prompt": f"a cat in a hat, {{n}}",
            "references": [{{"role": "subject", "name": "subject 1", "picture": "0a"}}]}} for n in range(self.count)]
        return {{"items": given, "answered": {{each["item"]: each["choice"] for each in self.stored}},
            "revealed": self.shown_at is not None}}

    def picture(self, token):
        image = Image.new("RGB", (512, 512), COLOURS[token[-1]])
        image.paste("white", (8 * int(token[:-1]), 20, 8 * int(token[:-1]) + 60, 90))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG")
        return buffer.getvalue()

    def answer(self, rater, answer):
        if self.broken:
            raise KlingError("The disk is full.")
        # JupyterLab has a thread for messages where the kernel can, so that a cell that runs holds up nothing.
        while Path("wait").exists():
            time.sleep(0.05)
        # As the core does: the same answer is stored once.
        if answer not in self.stored:
            self.stored.append(answer)
            self.raters.append(rater)

    def reveal(self, rater, moment):
        self.shown_at = moment
        return f"<table><tr><th>{{LEVELS['a']}}</th><td>3</td></tr></table>"
"""
BUSY = """import time, pathlib
print("at work")
while pathlib.Path("wait").exists():
    time.sleep(0.05)"""
# All that goes between page and kernel from here on.
LISTEN = """() => {
  window.heard = [];
  const kernel = window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel;
  kernel.anyMessage.connect((_, { msg, direction }) => {
    const buffers = (msg.buffers ?? []).map((each) => new TextDecoder("latin1").decode(each)).join();
    if (msg.header.msg_type.startsWith("comm")) window.heard.push(direction + JSON.stringify(msg.content) + buffers);
  });
}"""
PLACES = """() => [document.documentElement.outerHTML, JSON.stringify(localStorage), JSON.stringify(sessionStorage),
  document.cookie, location.href, ...window.heard].join("\\n")"""
# What a browser does before it closes a page; true where it would ask.
LEAVE = """() => !window.dispatchEvent(new Event("beforeunload", { cancelable: true }))"""
FITS = """() => document.querySelector(".kling-rate").offsetHeight <=
  document.querySelector(".jp-WindowedPanel-outer").clientHeight"""
STORED = "[[each['item'], each['pictures'], each['choice']] for each in desk.stored]"


class Rating:
    """A rating below cell 1."""

    def __init__(self, notebook, index=1):
        self.notebook, self.page = notebook, notebook.page
        self.root = notebook.output(index).locator(".kling-rate")
        self.news = self.root.locator(".kr-news")

    def press(self, key):
        self.page.keyboard.press(key)

    def expect_item(self, place, count=4):
        expect(self.root.locator(".kr-progress")).to_have_text(f"{place} of {count}")
        expect(self.root).not_to_have_attribute("aria-busy", "true")
        expect(self.root.locator(".kr-pane img")).to_have_count(2)

    def expect_end(self):
        expect(self.root.locator("h2")).to_have_text("Thank you!")


@pytest.fixture
def open_rating(open_notebook, tmp_path):
    opened = []

    def open_one(arguments="", more=(), **place):
        core = tmp_path / "core_of_rating.py"
        core.write_text(CORE)
        source = f"from core_of_rating import Desk, RatingWidget\ndesk = Desk({arguments})"
        notebook = open_notebook([source, "rating = RatingWidget(desk)\nrating", *more], [core], **place)
        notebook.run(0)
        notebook.run(1)
        opened.append(notebook)
        return Rating(notebook)

    yield open_one
    for notebook in opened:
        assert notebook.errors == []
        assert notebook.outside == []


@pytest.mark.parametrize("front_end", ["lab", "notebook"], indirect=True)
def test_answers_wait_for_a_kernel_at_work_and_nothing_stays_in_the_notebook(open_rating, tmp_path):
    rating = open_rating(more=[BUSY])
    notebook, root = rating.notebook, rating.root
    notebook.page.evaluate(LISTEN)
    name = root.get_by_label("Your name or code")
    name.fill("nobody")
    name.press("Enter")
    expect(root.get_by_role("alert")).to_have_text("nobody is no name.")
    notebook.screenshot("rating-start", root)
    # Letters that are commands on cells: in a field, and on the pictures.
    name.fill("")
    name.press_sequentially("daddy bx")
    name.press("Enter")
    rating.expect_item(1)
    for key in ("d", "d", "a", "b", "x", "y", "m", "Shift+Enter"):
        rating.press(key)
    expect(notebook.page.locator(".jp-Notebook .jp-Cell")).to_have_count(3)
    notebook.screenshot("rating-item", root)
    # The pictures of these few are fetched ahead, and a kernel at work could bring none.
    notebook.page.wait_for_function(
        "window.heard.filter((one) => one.startsWith('recv') && one.includes('JFIF')).length === 8"
    )
    (notebook.folder / "wait").touch()
    notebook.run(2, wait=False)
    expect(notebook.output(2)).to_contain_text("at work")
    root.locator(".kr-stage").focus()
    for key, place in (
        ("ArrowLeft", 2),
        ("ArrowRight", 3),
        ("Backspace", 2),
        ("t", 3),
        ("u", 4),
        ("t", None),
    ):
        rating.press(key)
        if place:
            rating.expect_item(place)
    rating.expect_end()
    expect(rating.news).to_have_text("The kernel is busy: 5 answers wait.")
    expect(root.get_by_role("button", name="Show the result")).to_be_disabled()
    (notebook.folder / "wait").unlink()
    notebook.wait()
    expect(rating.news).to_have_text("")
    assert notebook.kernel_value(STORED) == [
        ["i0", ["0a", "0b"], "left"],
        ["i1", ["1b", "1a"], "right"],
        ["i1", ["1b", "1a"], "tie"],
        ["i2", ["2a", "2b"], "unsure"],
        ["i3", ["3b", "3a"], "tie"],
    ]
    expect(notebook.page.locator(".jp-Notebook .jp-Cell")).to_have_count(3)
    # Nothing that is hidden has come to the page by any way; then it is shown.
    notebook.save()
    assert SECRET not in notebook.page.evaluate(PLACES)
    saved = notebook.file.read_text()
    picture = notebook.kernel_value("__import__('base64').b64encode(desk.picture('1a')[200:400]).decode()")
    assert picture not in saved
    assert "answered_at" not in saved.replace("_esm", "")
    assert "a cat in a hat" not in saved
    root.get_by_role("button", name="Show the result").click()
    expect(root.locator(".kr-result")).to_contain_text(SECRET)


@pytest.mark.parametrize("front_end", ["lab"], indirect=True)
def test_what_was_refused_or_lost_is_sent_again(open_rating):
    rating = open_rating("4, 'Anna'", width=800)
    notebook = rating.notebook
    rating.root.get_by_role("button", name="Start as Anna").click()
    rating.expect_item(1)
    notebook.kernel_run("desk.broken = True")
    rating.press("ArrowUp")
    rating.expect_item(2)
    expect(rating.news).to_contain_text("The disk is full. 1 answer is kept on this page.")
    rating.root.get_by_role("button", name="Send again").hover()
    notebook.page.mouse.down()
    rating.press("ArrowDown")
    rating.expect_item(3)
    expect(rating.news).to_contain_text("The disk is full. 2 answers are kept on this page.")
    notebook.kernel_run("desk.broken = False")
    notebook.page.mouse.up()
    expect(rating.news).to_have_text("")
    assert [each[2] for each in notebook.kernel_value(STORED)] == ["left", "right"]
    # What was said of it is over on every screen.
    notebook.kernel_run("desk.broken = True")
    rating.root.locator(".kr-stage").focus()
    rating.press("u")
    rating.expect_item(4)
    expect(rating.news).to_contain_text("1 answer is kept on this page.")
    rating.press("u")
    rating.expect_end()
    expect(rating.news).to_contain_text("2 answers are kept on this page.")
    notebook.kernel_run("desk.broken = False")
    rating.root.get_by_role("button", name="Send again").click()
    expect(rating.news).to_have_text("")
    rating.press("Backspace")
    rating.expect_item(4)
    expect(rating.news).to_have_text("")
    assert [each[2] for each in notebook.kernel_value(STORED)] == ["left", "right", "unsure", "unsure"]
    # What the kernel has answered and nobody has heard is asked again.
    notebook.kernel_run("send = rating.send\nrating.send = lambda *_: setattr(rating, 'send', send)")
    rating.press("t")
    rating.expect_end()
    expect(rating.root.get_by_role("button", name="Show the result")).to_be_disabled()
    expect(rating.root.get_by_role("button", name="Show the result")).to_be_enabled()
    assert [each[2] for each in notebook.kernel_value(STORED)] == ["left", "right", "unsure", "unsure", "tie"]


@pytest.mark.parametrize("front_end", ["lab"], indirect=True)
def test_no_answer_is_lost_to_a_refusal_a_reload_or_a_restart(open_rating):
    rating = open_rating("3, 'Anna'", theme="dark", width=800)
    notebook = rating.notebook
    rating.root.get_by_role("button", name="Start as Anna").click()
    rating.expect_item(1, 3)
    rating.root.get_by_role("button", name="Upper is better").dblclick()
    rating.expect_item(2, 3)
    notebook.screenshot("rating-item", rating.root)
    # What the core cannot store stays on the page.
    notebook.kernel_run("desk.broken = True")
    rating.root.locator(".kr-stage").focus()
    rating.press("ArrowDown")
    rating.expect_item(3, 3)
    expect(rating.news).to_contain_text("The disk is full. 1 answer is kept on this page.")
    notebook.kernel_run("desk.broken = False")
    rating.root.get_by_role("button", name="Send again").click()
    expect(rating.news).to_have_text("")
    assert [each[2] for each in notebook.kernel_value(STORED)] == ["left", "right"]
    # After a reload, where it was.
    notebook.save()
    notebook.reload()
    expect(rating.root.locator(".kr-done")).to_have_text("2 of 3 are answered; it goes on with the rest.")
    notebook.screenshot("rating-again", rating.root)
    rating.root.get_by_role("button", name="Start as Anna").click()
    rating.expect_item(3, 3)
    expect(rating.root.locator(".kr-before")).to_have_text("2 of 3 are answered; it goes on with the rest.")
    # What the kernel was not there for is sent to the next one.
    notebook.restart()
    rating.root.locator(".kr-stage").focus()
    rating.press("u")
    rating.expect_end()
    expect(rating.news).to_contain_text("There is no kernel: 1 answer is kept on this page.")
    notebook.run(0)
    notebook.run(1)
    rating.root.get_by_role("button", name="Start as Anna").click()
    rating.expect_item(1, 3)
    expect(rating.news).to_have_text("")
    notebook.page.wait_for_function("!globalThis[Symbol.for('kling_nb.rating.unconfirmed')].size")
    assert [each[2] for each in notebook.kernel_value(STORED)] == ["unsure"]
    # A newer form goes on, and the older one says so.
    notebook.run_new("newer = RatingWidget(desk)\nrating.take_over()\nnewer")
    expect(rating.root.locator(".kr-body")).to_have_text("This rating goes on in a newer form.")
    Rating(notebook, 2).root.get_by_role("button", name="Start as Anna").click()
    Rating(notebook, 2).expect_item(1, 3)
    # Without a kernel there is a text.
    notebook.save()
    notebook.close()
    notebook.server.end_sessions()
    notebook.open()
    expect(notebook.output(1).get_by_text("A rating was here, and its kernel has gone.")).to_be_visible()
    expect(notebook.output(1).get_by_text("Loading widget")).to_be_hidden()
    notebook.screenshot("rating-gone")


@pytest.mark.parametrize("front_end", ["lab"], indirect=True)
def test_a_form_that_is_shown_twice_keeps_two_raters_apart(open_rating):
    anna = open_rating(more=["rating"], width=800)
    notebook = anna.notebook
    notebook.run(2)
    bob = Rating(notebook, 2)
    for rating, name in ((anna, "Anna"), (bob, "Bob")):
        rating.root.get_by_label("Your name or code").fill(name)
        rating.press("Enter")
        rating.expect_item(1)
    for rating, place in ((anna, 2), (bob, 2), (anna, 3)):
        rating.root.locator(".kr-stage").focus()
        rating.press("u")
        rating.expect_item(place)
    assert notebook.kernel_value("desk.raters") == ["Anna", "Bob", "Anna"]
    # Who has seen the result comes to the end again, and to no answer.
    anna.root.locator(".kr-stage").focus()
    for place in (4, None):
        anna.press("u")
        if place:
            anna.expect_item(place)
    anna.expect_end()
    anna.root.get_by_role("button", name="Show the result").click()
    expect(anna.root.locator(".kr-result")).to_contain_text(SECRET)
    assert notebook.kernel_value("desk.shown_at >= max(each['answered_at'] for each in desk.stored)")
    notebook.run(1)
    anna.root.get_by_label("Your name or code").fill("Anna")
    anna.press("Enter")
    anna.expect_end()
    expect(anna.root).to_contain_text("Anna has seen the result; answers are no longer taken.")
    expect(anna.root.get_by_role("button")).to_have_text(["Show the result"])
    anna.press("Backspace")
    expect(anna.root.locator(".kr-pane")).to_have_count(0)
    anna.root.get_by_role("button", name="Show the result").click()
    expect(anna.root.locator(".kr-result")).to_contain_text(SECRET)
    notebook.screenshot("rating-over", anna.root)


@pytest.mark.parametrize("front_end", ["lab"], indirect=True)
def test_leaving_is_asked_about_as_long_as_an_answer_is_on_the_page(open_rating):
    rating = open_rating("3, 'Anna'", width=800)
    notebook = rating.notebook
    rating.root.get_by_role("button", name="Start as Anna").click()
    rating.expect_item(1, 3)
    notebook.save()
    assert notebook.page.evaluate(LEAVE) is False
    notebook.kernel_run("desk.broken = True")
    rating.press("ArrowUp")
    rating.expect_item(2, 3)
    expect(rating.news).to_contain_text("The disk is full. 1 answer is kept on this page.")
    assert notebook.page.evaluate(LEAVE) is True
    # The output is cleared, and the form with it.
    notebook.page.evaluate("window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    expect(rating.root).to_have_count(0)
    notebook.save()
    assert notebook.page.evaluate(LEAVE) is True
    notebook.kernel_run("desk.broken = False")
    notebook.run(1)
    rating.root.get_by_role("button", name="Start as Anna").click()
    rating.expect_item(2, 3)
    expect(rating.news).to_have_text("")
    assert [each[2] for each in notebook.kernel_value(STORED)] == ["left"]
    notebook.save()
    notebook.page.wait_for_function("!globalThis[Symbol.for('kling_nb.rating.unconfirmed')].size")
    assert notebook.page.evaluate(LEAVE) is False


@pytest.mark.parametrize("front_end", ["lab"], indirect=True)
@pytest.mark.parametrize("width", [1400, 700])
def test_the_answers_are_in_sight_from_the_first_item_on(open_rating, width):
    rating = open_rating("4, 'Anna'", more=["1\n" * 60], width=width, height=800)
    notebook, choices = rating.notebook, rating.root.locator(".kr-choices")
    rating.root.get_by_role("button", name="Start as Anna").click()
    rating.expect_item(1)
    expect(choices).to_be_in_viewport(ratio=1)
    expect(rating.root.locator("h2")).to_be_in_viewport(ratio=1)
    notebook.screenshot("rating-in-sight")
    if width == 1400:
        # A window that becomes lower leaves room for them as well.
        notebook.resize(width, 700)
        notebook.page.wait_for_function(FITS)
    # Nor does the space bar scroll them away.
    rating.root.locator(".kr-stage").focus()
    before = rating.root.bounding_box()["y"]
    rating.press("Space")
    rating.press("Shift+Space")
    rating.press("Space")
    rating.press("u")
    rating.expect_item(2)
    # As long as a scroll takes that is smooth.
    notebook.page.wait_for_timeout(500)
    assert abs(rating.root.bounding_box()["y"] - before) <= 1
