"""The page of a saved comparison in a real browser, from the disk: it shows what is there, and asks for nothing else."""

import contextlib
import functools
import http.server
import io
import re
import threading
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from kling_nb import Kling
from kling_nb.sandbox import Sandbox
from kling_nb.session import gateway

HOSTILE = "</script><img src=x onerror=alert(1)><b>a cat</b>"
PROMPTS = {"plain": "a cat", HOSTILE: "a dog\n  in two lines", "refused": "[sandbox: refuse] a cow"}

# Of every image of the table: its alternative text, and the labels of its row and column.
PLACED = """() => [...document.querySelectorAll("#table tbody tr")].flatMap((row, number, rows) => {
  const text = (label) => [...label.childNodes].filter((each) => each.nodeType === 3).map((each) => each.data.trim()).join("");
  const labels = rows.slice(0, number + 1).flatMap((above, start) =>
    [...above.querySelectorAll("th.row .label")].filter((label) => start + label.parentElement.rowSpan > number).map(text));
  const heads = [...document.querySelectorAll("#table thead tr")].map((head) => [...head.querySelectorAll("th.column")]
    .flatMap((th) => Array(th.colSpan).fill(text(th.querySelector(".label"))))).filter((head) => head.length);
  return [...row.querySelectorAll("td")].flatMap((td, column) => [...td.querySelectorAll(".shot img")].map((img) =>
    ({ alt: img.alt, labels: [...labels, ...heads.map((head) => head[column])] })));
})"""

# Controls and pictures that a screen reader would have no words for.
NAMELESS = """() => [...document.querySelectorAll("button, input, select, [role=slider], img, dialog")].filter((one) =>
  one.checkVisibility() && !(one.getAttribute("aria-label") || one.getAttribute("aria-labelledby") || one.alt ||
    one.textContent.trim() || one.closest("label")?.textContent.trim()) && one.getAttribute("alt") !== "").map((one) => one.outerHTML)"""


def png(colour, size=(320, 300)):
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


@contextlib.contextmanager
def sandbox_at(place):
    """Give a `Kling` on a quick sandbox of its own."""
    runs = place / "runs" / "sandbox"
    gateway._sandboxes[runs] = Sandbox(place / "gateway", seconds=0, images="constant").start()
    with Kling(sandbox=True, workspace=place / "runs", poll_interval=0.01) as kling:
        yield kling
    gateway._sandboxes.pop(runs).stop()


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """The folder of a comparison of 2 × 2 × 3 cells, one prompt refused; two images a cell."""
    place = tmp_path_factory.mktemp("page")
    with sandbox_at(place) as kling:
        made = kling.compare(
            subject_images=png("orange"),
            n=2,
            name=f"Cats {HOSTILE}",
            vary={
                "model_name": ["kling-v2", "kling-v2-1"],
                "style_image": {"none": None, "wave": png("navy")},
                "prompt": PROMPTS,
            },
        )
        return made.run(quiet=True, yes=True).save(place / "a folder #1 with 100% odd name")


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """The folder of three cells with three samples, one combination left out, one image lost, the last not asked for."""
    place = tmp_path_factory.mktemp("small")
    with sandbox_at(place) as kling:
        subjects = {"orange": png("orange"), "navy": png("navy")}
        given = {
            "name": "small",
            "vary": {"subject_images": subjects, "aspect_ratio": ["1:1", "16:9"]},
            "where": lambda cell: cell["subject_images"] == "navy" or cell["aspect_ratio"] == "1:1",
        }
        made = kling.compare("a cat", samples=2, **given).run(quiet=True)
        made.images[0].path.unlink()
        return kling.compare("a cat", samples=3, **given).save(place / "small", quiet=True)


@pytest.fixture(scope="session")
def repeats(tmp_path_factory):
    """The folder of three repeats of one request, with nothing varied."""
    place = tmp_path_factory.mktemp("repeats")
    with sandbox_at(place) as kling:
        made = kling.compare("a cat", subject_images=png("teal"), samples=3, name="repeats")
        return made.run(quiet=True).save(place / "repeats")


class Page:
    """A page that was opened, and what the browser had to say about it."""

    def __init__(self, context, url, *, width=1400, **options):
        self.page = context.new_page()
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.emulate_media(**options)
        self.said, self.asked = [], []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: self.said.append(dialog.message))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(url)

    @property
    def hash(self):
        return self.page.evaluate("location.hash")

    def find(self, selector, **of_it):
        return self.page.locator(selector, **of_it)

    def load(self, within="body"):
        """Have every image decoded, also those that are not in sight; one that cannot be raises."""
        self.page.evaluate(
            f"Promise.all([...document.querySelectorAll('{within} img')].map((one) => (one.loading = 'eager', one.decode())))"
        )

    def shots(self):
        return self.page.evaluate("[...document.querySelectorAll('.shot')].map((shot) => shot.dataset.key)")

    def lenses(self, dialog):
        return self.page.evaluate(
            f"[...document.querySelectorAll('{dialog} .frame img')].map((img) => getComputedStyle(img).transform"
            r".replace(/[\d.]+/g, (number) => Math.round(number)))"
        )


@pytest.fixture
def open_page(context, saved):
    opened = []

    def open_one(hash_="", url=None, **options):
        one = Page(context, (url or (saved / "index.html").as_uri()) + hash_, **options)
        opened.append((one, url))
        return one

    yield open_one
    for one, url in opened:
        assert one.said == []
        inside = (url or saved.as_uri()).rpartition("/index.html")[0] or saved.as_uri()
        outside = [each for each in one.asked if not each.startswith((inside, "data:,"))]
        assert outside == []


def check_cells(page, count=16):
    placed = page.page.evaluate(PLACED)
    assert len(placed) == count
    for each in placed:
        assert len(each["labels"]) == 3
        for label in each["labels"]:
            assert f": {label}," in each["alt"]
    return placed


def test_every_image_is_in_its_cell_and_loads(open_page):
    page = open_page()
    expect(page.find("h1")).to_have_text(f"Cats {HOSTILE}")
    expect(page.find("#mark")).to_have_text("SANDBOX")
    expect(page.find("#summary")).to_have_text("12 cells · 8 of 12 tasks done · 4 refused · 16 images")
    check_cells(page)
    page.load()
    assert len(page.shots()) == len(set(page.shots())) == 16


def test_texts_from_outside_stay_texts(open_page):
    page = open_page()
    assert page.page.title() == f"Cats {HOSTILE}"
    expect(
        page.find(
            "th.row",
        ).filter(has_text=HOSTILE)
    ).to_have_count(2)
    assert page.page.evaluate("document.querySelectorAll('b, img[src=x]').length") == 0
    page.find(".shot .open").nth(4).click()
    expect(page.find("#viewer .prompt")).to_have_text("a dog\n  in two lines", use_inner_text=True)


def test_failed_cells_are_said_in_words(open_page):
    page = open_page()
    said = page.find(".problem.refused")
    expect(said).to_have_count(4)
    expect(said.first).to_contain_text("refused: The gateway says: Content security policy")


def test_references_are_beside_what_brings_them(open_page):
    page = open_page()
    expect(page.find("#common .reference")).to_have_count(1)
    expect(page.find("#common .reference")).to_contain_text("subject")
    beside = page.find("th.row", has_text="wave").filter(has=page.find(".reference"))
    expect(beside.first.locator(".reference")).to_contain_text("style")
    expect(page.find("th .reference")).to_have_count(1)
    page.find("#columns").select_option("style_image")
    expect(page.find("th.column .reference")).to_have_count(1)


@pytest.mark.parametrize(
    "steps",
    [
        [("rows", "prompt")],
        [("columns", "prompt")],
        [("rows", "model_name")],
        [("columns", ""), ("rows", "prompt")],
        [("rows", "")],
        [("nest-prompt", "columns")],
        [("nest-prompt", "columns"), ("rows", "prompt"), ("columns", "style_image")],
    ],
)
def test_any_axis_goes_anywhere(open_page, steps):
    page = open_page()
    for box, value in steps:
        page.page.locator(f"[id='{box}']").select_option(value)
        placed = check_cells(page)
    again = open_page(page.hash)
    assert check_cells(again) == placed
    assert again.shots() == page.shots()


def test_levels_are_hidden_and_shown_again(open_page):
    page = open_page()
    page.find("#levels summary").click()
    page.page.get_by_label("wave", exact=True).uncheck()
    assert len(check_cells(page, 8)) == 8
    expect(page.find("#levels summary")).to_have_text("Levels shown (1 hidden)")
    assert page.hash == "#hide=style_image.2"
    page.page.get_by_label("none", exact=True).uncheck()
    expect(page.find("#table")).to_be_hidden()
    expect(page.find("#nothing")).to_be_visible()
    page.page.get_by_label("wave", exact=True).check()
    check_cells(page, 8)
    expect(page.find("#nothing")).to_be_hidden()
    assert page.hash == "#hide=style_image.1"


def test_an_image_is_shown_large_with_all_that_is_known_of_it(open_page):
    page = open_page()
    keys = page.shots()
    page.find(".shot .open").nth(1).click()
    viewer = page.find("#viewer")
    expect(viewer).to_be_visible()
    expect(viewer.locator(".about .mark")).to_have_text("SANDBOX")
    for text in (
        "kling-v2",
        "plain",
        "a cat",
        "task_id",
        "external_task_id",
        "request_id",
        "Sent",
        "512 × 512",
        "SHA-256",
        "subject",
    ):
        expect(viewer).to_contain_text(text)
    expect(viewer.locator(".place")).to_have_text("2 of 16")
    assert viewer.locator(".frame img").get_attribute("alt").startswith("model_name: kling-v2, ")
    expect(viewer.locator(".frame img")).to_have_attribute("src", re.compile("/images/01_kling-v2_none_plain_"))
    page.page.keyboard.press("ArrowRight")
    expect(viewer.locator(".place")).to_have_text("3 of 16")
    assert page.hash == f"#open={keys[2]}"
    page.page.keyboard.press("ArrowLeft")
    page.page.keyboard.press("ArrowLeft")
    page.page.keyboard.press("ArrowLeft")
    expect(viewer.locator(".place")).to_have_text("1 of 16")
    page.page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    expect(page.find(f".shot[data-key='{keys[0]}'] .open")).to_be_focused()
    assert page.hash == ""


def test_arrow_keys_follow_the_order_of_the_page(open_page):
    page = open_page("#rows=prompt,model_name&columns=style_image&hide=prompt.1")
    keys = page.shots()
    page.find(".shot .open").first.press("Enter")
    seen = []
    for _ in keys:
        seen.append(page.hash.rpartition("open=")[2])
        page.page.keyboard.press("ArrowRight")
    assert seen == keys


def select(page, *places):
    for place in places:
        page.find(".shot .pick").nth(place).check()


def test_two_to_four_images_are_selected(open_page):
    page = open_page()
    expect(page.find("#tray")).to_be_hidden()
    select(page, 0)
    expect(page.find("#compare")).to_be_disabled()
    select(page, 5, 6, 9)
    expect(page.find("#compare")).to_have_text("Compare 4")
    page.find(".shot .pick").nth(10).click()
    expect(page.find(".shot .pick").nth(10)).not_to_be_checked()
    expect(page.find("#status")).to_have_text("At most 4 images are compared; take one out first.")
    page.find("#compare").click()
    expect(page.find("#comparing .pane")).to_have_count(4)
    expect(page.find("#comparing .modes")).to_be_hidden()
    page.page.keyboard.press("Escape")
    page.find("#tray .picked button").first.click()
    expect(page.find("#compare")).to_have_text("Compare 3")
    page.find("#clear").click()
    expect(page.find("#tray")).to_be_hidden()
    assert page.hash == ""


def test_images_side_by_side_are_zoomed_and_moved_together(open_page):
    page = open_page()
    select(page, 0, 2, 5)
    page.find("#compare").click()
    assert len(set(page.lenses("#comparing"))) == 1
    whole = page.lenses("#comparing")[0]
    box = page.find("#comparing .pane").nth(1).bounding_box()
    page.page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.5)
    page.page.mouse.wheel(0, -400)
    expect(page.find("#comparing .zoom")).to_have_text("272 %")
    zoomed = page.lenses("#comparing")
    assert len(set(zoomed)) == 1
    assert zoomed[0] != whole
    page.page.mouse.down()
    page.page.mouse.move(box["x"] + box["width"] * 0.75 + 60, box["y"] + box["height"] * 0.5 + 30, steps=3)
    page.page.mouse.up()
    moved = page.lenses("#comparing")
    assert len(set(moved)) == 1
    shift = [
        float(b) - float(a) for a, b in zip(*(each[0][7:-1].split(",")[4:] for each in (zoomed, moved)), strict=True)
    ]
    assert shift == pytest.approx([60, 30], abs=1)
    page.page.keyboard.press("ArrowRight")
    assert len(set(page.lenses("#comparing"))) == 1
    assert page.lenses("#comparing") != moved
    page.page.keyboard.press("+")
    expect(page.find("#comparing .zoom")).to_have_text("340 %")
    page.page.keyboard.press("0")
    assert set(page.lenses("#comparing")) == {whole}
    page.find("#comparing .in").click()
    expect(page.find("#comparing .zoom")).to_have_text("125 %")


def test_two_images_are_compared_under_a_slider(open_page):
    page = open_page()
    select(page, 0, 2)
    page.find("#compare").click()
    page.find("#comparing .slide").click()
    assert page.hash.endswith("&compare=slider")
    handle = page.find("#comparing .handle")
    expect(handle).to_have_attribute("aria-valuenow", "50")

    def cuts():
        return page.page.evaluate(
            "[...document.querySelectorAll('#comparing .frame')].map((frame) => getComputedStyle(frame).clipPath)"
        )

    before = cuts()
    handle.focus()
    page.page.keyboard.press("ArrowRight")
    expect(handle).to_have_attribute("aria-valuenow", "52")
    page.page.keyboard.press("PageDown")
    expect(handle).to_have_attribute("aria-valuenow", "42")
    assert cuts() != before
    assert "42%" in cuts()[1]
    page.page.keyboard.press("Home")
    expect(handle).to_have_attribute("aria-valuenow", "0")
    stage, box = page.find("#comparing .stage").bounding_box(), handle.bounding_box()
    page.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.page.mouse.down()
    page.page.mouse.move(stage["x"] + stage["width"] * 0.75, box["y"] + 50, steps=4)
    page.page.mouse.up()
    expect(handle).to_have_attribute("aria-valuenow", "75")
    expect(page.find("#comparing .zoom")).to_have_text("100 %")
    page.find("#comparing .side").click()
    expect(handle).to_have_count(0)


def test_an_address_restores_the_view(open_page):
    page = open_page()
    page.page.locator("#columns").select_option("style_image")
    page.find("#levels summary").click()
    page.page.get_by_label("plain", exact=True).uncheck()
    select(page, 1, 2)
    page.find("#compare").click()
    page.find("#comparing .slide").click()
    again = open_page(page.hash)
    expect(again.find("#comparing .handle")).to_be_visible()
    captions = again.find("#comparing figcaption").all_text_contents()
    assert captions == page.find("#comparing figcaption").all_text_contents()
    assert again.hash == page.hash
    again.page.keyboard.press("Escape")
    assert again.shots() == page.shots()
    again.page.evaluate("location.hash = '#hide=prompt.3'")
    expect(again.find("#columns")).to_have_value("model_name")
    expect(again.find("#tray")).to_be_hidden()
    assert len(again.shots()) == 16


@pytest.mark.parametrize(
    "nonsense",
    [
        "#rows=x,y&columns=&hide=z.1,prompt.99,prompt.-1,.,constructor.1&images=9.9.9,__proto__&open=toString",
        "#%%%",
        "#compare=slider",
    ],
)
def test_an_address_of_nonsense_does_no_harm(open_page, nonsense):
    page = open_page(nonsense)
    check_cells(page)
    expect(page.find("dialog[open]")).to_have_count(0)


def test_everything_can_be_done_with_the_keyboard(open_page):
    page = open_page()
    reached = set()
    for _ in range(60):
        page.page.keyboard.press("Tab")
        reached.add(
            page.page.evaluate(
                "document.activeElement.id || document.activeElement.className || document.activeElement.tagName"
            )
        )
    assert {"theme", "rows", "columns", "nest-prompt", "size", "SUMMARY", "open", "pick"} <= reached
    page.find(".shot .pick").nth(0).press(" ")
    page.find(".shot .pick").nth(2).press(" ")
    page.find("#compare").press("Enter")
    expect(page.find("#comparing .stage")).to_be_focused()
    page.page.keyboard.press("Escape")
    expect(page.find("#compare")).to_be_focused()
    page.page.locator("#rows").focus()
    page.page.locator("#rows").select_option("prompt")
    expect(page.page.locator("#rows")).to_be_focused()


def test_everything_has_a_name(open_page):
    page = open_page()
    select(page, 0, 2)
    page.find("#levels summary").click()
    assert page.page.evaluate(NAMELESS) == []
    page.find("#compare").click()
    page.find("#comparing .slide").click()
    assert page.page.evaluate(NAMELESS) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_follow_the_system_and_the_switch(open_page, scheme):
    page = open_page(color_scheme=scheme)
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = "rgb(255, 255, 255)", "rgb(20, 23, 26)"
    assert page.page.evaluate(ground) == (light if scheme == "light" else dark)
    page.find("#theme").click()
    assert page.page.evaluate(ground) == (dark if scheme == "light" else light)
    page.page.emulate_media(media="print")
    assert page.page.evaluate(ground) == light
    for hidden in ("#controls", "#theme", "#tray"):
        expect(page.find(hidden)).to_be_hidden()
    expect(page.find("#made dl")).to_be_visible()
    edge = page.page.evaluate("getComputedStyle(document.querySelector('#table td')).borderBottomWidth")
    assert edge != "0px"


@pytest.mark.parametrize("width", [700, 1400])
def test_the_table_fits_the_window_and_its_headers_stay(open_page, width):
    page = open_page(width=width)
    assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    wide = open_page("#rows=model_name&columns=prompt,style_image", width=width)
    wide.page.set_viewport_size({"width": width, "height": 400})
    wide.find("#size").fill("480")
    wide.page.evaluate("scrollTo(700, 500)")
    assert wide.page.evaluate("document.querySelector('#table thead').getBoundingClientRect().top") == 0
    assert wide.page.evaluate("document.querySelector('th.row').getBoundingClientRect().left") == 0
    assert wide.page.evaluate("document.querySelector('h1').getBoundingClientRect().left") > 0


def test_what_was_left_out_lost_or_not_asked_for_is_said(open_page, small):
    page = open_page(url=(small / "index.html").as_uri())
    expect(page.find("#summary")).to_have_text(
        "3 cells · 5 of 9 tasks done · 3 planned · 1 with images missing · 5 images"
    )
    expect(page.find(".none")).to_have_text("not in the design")
    expect(page.find(".problem.gone")).to_contain_text("its file was not there any more")
    expect(page.find(".problem.planned")).to_have_count(3)
    expect(page.find(".problem.planned").first).to_have_text("sample 3: not asked for")
    # All that is left of 16:9 has one subject, and it is not the aspect ratio that brings it.
    expect(page.find("#table .reference")).to_have_count(2)
    expect(page.find("th.column .reference")).to_have_count(0)


def test_repeats_of_one_request_need_no_labels(open_page, repeats):
    page = open_page(url=(repeats / "index.html").as_uri())
    expect(page.find("#table th")).to_have_count(0)
    expect(page.find("#table .shot")).to_have_count(3)
    expect(page.find("#places")).to_be_hidden()
    expect(page.find("#levels")).to_be_hidden()
    page.find(".shot .open").nth(1).click()
    expect(page.find("#viewer h2")).to_have_text("sample 2, image 1")
    page.page.keyboard.press("Escape")
    select(page, 0, 2)
    page.find("#compare").click()
    expect(page.find("#comparing figcaption")).to_have_text(["sample 1, image 1", "sample 3, image 1"])


def test_any_web_host_will_do(open_page, saved):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=saved)) as host:
        threading.Thread(target=host.serve_forever, daemon=True).start()
        page = open_page(url=f"http://127.0.0.1:{host.server_port}/index.html")
        check_cells(page)
        page.find(".shot .open").first.click()
        page.load("#viewer")
        host.shutdown()


def test_how_it_was_made_is_told(open_page, saved):
    page = open_page()
    page.find("#made summary").click()
    told = page.find("#made")
    for text in (
        "12 cells, 1 task a cell",
        "drawn from the seed",
        "8 of 12 tasks done · 4 refused",
        "sandbox",
        "kling_nb ",
    ):
        expect(told).to_contain_text(text)
    for name in ("images.csv", "manifest.json"):
        assert (Path(saved) / told.get_by_role("link", name=name).get_attribute("href")).is_file()
