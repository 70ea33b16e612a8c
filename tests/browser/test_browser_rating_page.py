"""A rating on a page of its own, from the disk, as a person does it: with keys, to the file that is sent."""

import json
import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from kling_nb.compare.rating import ratingpage

# What only the core knows; the page is never given it.
SECRET = "kling-v2-1-the-secret-level"
HOSTILE = "</script><img src=x onerror=alert(1)>a cat\n  in a hat"
COLOURS = ["orange", "teal", "plum", "olive", "navy", "salmon"]
SCALE = [
    {"value": 0, "label": "not at all"},
    *({"value": n, "label": ""} for n in range(1, 10)),
    {"value": 10, "label": "fully"},
]

WINDOWS = [
    (1400, 900, "light", "pairs"),
    (1400, 900, "dark", "scale"),
    (800, 900, "dark", "pairs"),
    (360, 740, "light", "scale"),
    (360, 740, "dark", "pairs"),
]

# Controls and pictures that a screen reader would have no words for.
NAMELESS = """() => [...document.querySelectorAll("button, input, img, dialog, [role=group]")].filter((one) => one.checkVisibility() &&
  !(one.getAttribute("aria-label") || one.alt || one.textContent.trim() || one.closest("label")?.textContent.trim() ||
    one.closest("button")?.textContent.trim())).map((one) => one.outerHTML)"""
PLACES = """() => [document.documentElement.outerHTML, JSON.stringify(localStorage), JSON.stringify(sessionStorage),
  document.cookie, location.href, document.title].join("\\n")"""


def picture(folder, token, colour, size):
    image = Image.new("RGB", size, colour)
    for place in range(0, min(size), 40):
        image.paste("white", (place, place, place + 16, place + 16))
    (folder / "images").mkdir(exist_ok=True)
    image.save(folder / "images" / f"{token}.jpg")


def write_page(folder, protocol="pairs", count=4, sheets=None, **study):
    """Write a page of as many items; every picture has another colour or size."""
    sides = ("a", "b") if protocol == "pairs" else ("a",)
    items = []
    for number in range(count):
        tokens = [f"p{number}{side}" for side in sides]
        for place, token in enumerate(tokens):
            size = (640, 480) if number % 2 else (512, 512)
            picture(folder, token, COLOURS[(2 * number + place) % len(COLOURS)], size)
        items.append({"item": f"i{number}", "pictures": tokens, "prompt": f"{number}: {HOSTILE}", "references": [
            {"role": "subject", "name": "subject 1", "picture": "r1"}, {"role": "style", "name": "style", "picture": None}]})  # fmt: skip
    picture(folder, "r1", "gold", (200, 300))
    study = {
        "name": "Rating",
        "question": "Which picture shows the subject more faithfully?",
        "protocol": protocol,
        "scale": SCALE if protocol == "scale" else [],
        "count": count,
        "rater": None,
    } | study
    sheets = sheets or [[[number, number % 2] for number in range(count)]]
    path = folder / "index.html"
    path.write_text(ratingpage.html(study, items, sheets, rating="r-1", page=folder.name), encoding="utf-8")
    return path


class RatingPage:
    """A page that was opened, and what the browser had to say about it."""

    def __init__(self, context, path, width=1400, height=900, **options):
        self.page = context.new_page()
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.emulate_media(**options)
        self.said, self.asked = [], []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())

    def find(self, selector, **of_it):
        return self.page.locator(selector, **of_it)

    def button(self, name, exact=False):
        return self.page.get_by_role("button", name=name, exact=exact)

    def press(self, key):
        self.page.keyboard.press(key)

    def start(self, rater):
        self.page.get_by_label("Your name or code").fill(rater)
        self.press("Enter")

    def expect_item(self, place, count=4):
        """Wait until an item is shown and can be answered."""
        expect(self.find(".kr-progress")).to_have_text(f"{place} of {count}")
        expect(self.find(".kling-rate")).not_to_have_attribute("aria-busy", "true")
        expect(self.find(".kr-pane img").first).to_be_visible()

    def shown(self):
        """Return the names of the pictures as they stand, left first."""
        return self.page.eval_on_selector_all(".kr-pane img", "(all) => all.map((one) => one.src.split('/').pop())")

    def save(self, button="Save answers"):
        """Press the button; return the name of the file and its text."""
        with self.page.expect_download() as download:
            self.button(button).click()
        return download.value.suggested_filename, download.value.path().read_text(encoding="utf-8")


@pytest.fixture
def open_page(context, tmp_path):
    opened = []

    def open_one(path, **options):
        opened.append(RatingPage(context, path, **options))
        return opened[-1]

    yield open_one
    for one in opened:
        assert one.said == []
        assert [each for each in one.asked if not each.startswith((tmp_path.as_uri(), "data:", "blob:"))] == []


def test_a_whole_rating_with_the_keyboard(open_page, tmp_path):
    page = open_page(write_page(tmp_path))
    expect(page.find("h2")).to_have_text("Which picture shows the subject more faithfully?")
    page.press("Tab")
    page.press("Tab")
    page.start("  ")
    expect(page.page.get_by_role("alert")).to_contain_text("your name or a code")
    page.start("Zoë M.")
    page.expect_item(1)
    expect(page.find(".kr-prompt")).to_contain_text(f"0: {HOSTILE}", use_inner_text=True)
    assert page.shown() == ["p0a.jpg", "p0b.jpg"]
    assert page.page.evaluate(NAMELESS) == []
    # A key that is held down answers once: only its first press counts.
    page.page.keyboard.down("ArrowLeft")
    page.expect_item(2)
    page.page.keyboard.down("ArrowLeft")
    page.page.keyboard.down("ArrowLeft")
    page.page.keyboard.up("ArrowLeft")
    page.expect_item(2)
    assert page.shown() == ["p1b.jpg", "p1a.jpg"]
    page.press("t")
    page.expect_item(3)
    # Back, changed, and on to where it was.
    page.press("Backspace")
    page.expect_item(2)
    expect(page.button("Tie")).to_have_attribute("aria-pressed", "true")
    page.press("ArrowRight")
    page.expect_item(3)
    page.press("Backspace")
    page.expect_item(2)
    expect(page.button("Right is better")).to_have_attribute("aria-pressed", "true")
    page.press("Enter")
    page.expect_item(3)
    # In full size, both alike, and a reference large.
    page.press("z")
    scales = "[...document.querySelectorAll('.kr-pane img')].map((one) => getComputedStyle(one).transform)"
    assert len(set(page.page.evaluate(scales))) == 1
    assert page.page.evaluate(scales)[0] != "matrix(1, 0, 0, 1, 0, 0)"
    page.press("Escape")
    assert page.page.evaluate(scales)[0] == "matrix(1, 0, 0, 1, 0, 0)"
    page.button("subject 1: larger").focus()
    page.press("z")
    expect(page.find("dialog")).to_be_visible()
    page.press("ArrowLeft")
    page.press("z")
    expect(page.find("dialog")).to_be_hidden()
    page.expect_item(3)
    page.press("?")
    page.expect_item(4)
    page.press("t")
    expect(page.find("h2")).to_have_text("Thank you!")
    assert SECRET not in page.page.evaluate(PLACES)
    assert page.page.evaluate("document.querySelectorAll('img[src=x]').length") == 0
    name, text = page.save()
    assert name == "answers-zoë-m.json"
    saved = ratingpage.read_answers(text)
    assert (saved["rater"], saved["rating"], saved["page"]) == ("Zoë M.", "r-1", tmp_path.name)
    given = [(each["item"], each["pictures"], each["choice"]) for each in saved["answers"]]
    assert given == [
        ("i0", ["p0a", "p0b"], "left"),
        ("i1", ["p1b", "p1a"], "tie"),
        ("i1", ["p1b", "p1a"], "right"),
        ("i2", ["p2a", "p2b"], "unsure"),
        ("i3", ["p3b", "p3a"], "tie"),
    ]
    assert all(150 <= each["milliseconds"] < 60_000 for each in saved["answers"])
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]{12}Z", each["answered_at"]) for each in saved["answers"])


def test_a_reload_and_another_machine_go_on_where_it_was(open_page, context, browser, tmp_path):
    path = write_page(tmp_path)
    page = open_page(path)
    page.start("Anna")
    page.expect_item(1)
    page.button("Left is better").click()
    page.expect_item(2)
    page.button("Cannot tell").dblclick()
    page.expect_item(3)
    page.page.reload()
    expect(page.find(".kr-again")).to_contain_text("Anna has answered 2 of 4.")
    page.button("Go on as Anna").click()
    page.expect_item(3)
    name, text = page.save()
    expect(page.find(".kr-news")).to_contain_text(
        f"Saved as {name}. Send this file to whoever asked you. 2 of 4 are not"
    )
    # Another browser, which keeps nothing at all.
    (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "changed.json").write_text(text.replace('"left"', '"right"'), encoding="utf-8")
    with browser.new_context() as elsewhere:
        elsewhere.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } })")
        there = RatingPage(elsewhere, path)
        expect(there.find(".kr-facts")).to_contain_text("This browser keeps nothing")
        there.page.get_by_label("Go on from a file").set_input_files(tmp_path / "changed.json")
        expect(there.page.get_by_role("alert")).to_contain_text("was changed after it was saved")
        there.page.get_by_label("Go on from a file").set_input_files(tmp_path / name)
        there.expect_item(3)
        there.press("ArrowRight")
        there.expect_item(4)
        expect(there.find(".kr-news")).to_contain_text("save your answers before you close")
        there.press("ArrowRight")
        expect(there.find("h2")).to_have_text("Thank you!")
        saved = ratingpage.read_answers(there.save()[1])
        assert [each["choice"] for each in saved["answers"]] == ["left", "unsure", "right", "right"]
        assert saved["answers"][:2] == json.loads(text)["answers"]
        assert there.said == []


def test_a_scale_with_digits_and_a_picture_that_is_lost(open_page, tmp_path, screens):
    path = write_page(tmp_path, "scale", 3, rater="R7", question="How well does the picture follow the prompt?")
    (tmp_path / "images" / "p1a.jpg").write_bytes(b"no picture")
    page = open_page(path, color_scheme="dark")
    page.button("Start as R7").click()
    page.expect_item(1, 3)
    expect(page.button("10 fully")).to_be_visible()
    page.press("x")
    expect(page.find(".kr-wait")).to_contain_text("could not be shown")
    page.press("3")
    page.button("Leave it out for now").click()
    page.expect_item(3, 3)
    page.press("0")
    expect(page.find("h2")).to_have_text("2 of 3 are answered")
    picture(tmp_path, "p1a", "teal", (512, 512))
    page.button("Try them again").click()
    page.expect_item(2, 3)
    page.press("u")
    expect(page.find("h2")).to_have_text("Thank you!")
    saved = ratingpage.read_answers(page.save()[1])
    page.page.screenshot(path=screens / "rating-page-end-dark-1400.png")
    assert [(each["item"], each["choice"]) for each in saved["answers"]] == [("i0", 10), ("i2", 0), ("i1", "unsure")]


def test_it_fits_every_window_light_and_dark(open_page, tmp_path, screens):
    pairs, scale = tmp_path / "pairs", tmp_path / "scale"
    pairs.mkdir()
    scale.mkdir()
    paths = {"pairs": write_page(pairs), "scale": write_page(scale, "scale")}
    for width, height, scheme, protocol in WINDOWS:
        page = open_page(paths[protocol], width=width, height=height, color_scheme=scheme)
        name = f"rating-page-{protocol}-{{}}-{scheme}-{width}.png"
        page.page.screenshot(path=screens / name.format("start"), full_page=True)
        page.start(f"Anna {width} {scheme}")
        page.expect_item(1)
        page.page.screenshot(path=screens / name.format("item"))
        size = page.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        assert size[0] <= width
        assert size[1] <= height
        boxes = page.page.eval_on_selector_all(
            ".kr-pane", "(all) => all.map((one) => [one.clientWidth, one.clientHeight])"
        )
        assert len({tuple(box) for box in boxes}) == 1
        assert min(boxes[0]) >= 150
        page.page.close()


def test_keys_mean_the_same_at_every_width(open_page, tmp_path):
    keys = """() => [...document.querySelectorAll(".kr-keys > div, .kr-choices button")].map((one) =>
      [[...one.querySelectorAll("kbd")].map((each) => each.textContent).join(" "), one.lastChild.textContent])"""
    wide = [["← ↑", "Left is better"], ["T", "Tie"], ["U", "Cannot tell"], ["→ ↓", "Right is better"]]
    narrow = [["← ↑", "Upper is better"], ["→ ↓", "Lower is better"], ["T", "Tie"], ["U", "Cannot tell"]]
    page = open_page(write_page(tmp_path, count=9), width=500)
    expect(page.find(".kr-keys")).to_contain_text("Upper is better")
    assert page.page.evaluate(keys)[:4] == narrow
    page.page.set_viewport_size({"width": 1000, "height": 900})
    expect(page.find(".kr-keys")).to_contain_text("Left is better")
    assert page.page.evaluate(keys)[:4] == wide
    page.start("Anna")
    place, given = 1, []
    for width, known in ((1000, wide), (500, narrow)):
        page.page.set_viewport_size({"width": width, "height": 900})
        expect(page.find(".kr-choices")).to_contain_text(known[0][1])
        assert page.page.evaluate(keys) == known
        for key in ("ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown"):
            page.expect_item(place, 9)
            page.press(key)
            place += 1
        given += ["left", "left", "right", "right"]
    page.expect_item(9, 9)
    saved = ratingpage.read_answers(page.save()[1])
    assert [each["choice"] for each in saved["answers"]] == given
