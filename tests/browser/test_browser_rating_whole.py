"""A comparison that is run, exported, rated by keyboard in a real browser, and read back; and nowhere tells its levels."""

import io
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from kling_nb import Kling
from kling_nb.sandbox import Sandbox
from kling_nb.session import gateway

QUESTION = "Which one shows the cat of the reference?"


def png(colour):
    buffer = io.BytesIO()
    Image.new("RGB", (320, 300), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def comparison(tmp_path):
    runs = tmp_path / "runs" / "sandbox"
    gateway._sandboxes[runs] = Sandbox(tmp_path / "gateway", seconds=0, images="constant").start()
    with Kling(sandbox=True, workspace=tmp_path / "runs", poll_interval=0.01) as kling:
        vary = {"prompt": ["a cat", "a dog", "a cow"], "model_name": ["kling-v2", "kling-v2-1"]}
        yield kling.compare(subject_images=png("orange"), n=2, vary=vary, name="cats").run(quiet=True)
    gateway._sandboxes.pop(runs).stop()


def test_from_the_run_to_the_summary_by_keyboard(comparison, context, tmp_path):
    folder = comparison.export_rating(
        tmp_path / "a page #1", QUESTION, by="model_name", criterion="identity", quiet=True
    )
    page, asked, said = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto((folder / "index.html").as_uri())
    page.get_by_label("Your name or code").fill("bo")
    page.keyboard.press("Enter")
    shown = []
    for place, key in enumerate(["ArrowLeft", "ArrowDown", "t", "ArrowUp", "u", "ArrowRight"], 1):
        expect(page.locator(".kr-progress")).to_have_text(f"{place} of 6")
        expect(page.locator(".kling-rate")).not_to_have_attribute("aria-busy", "true")
        expect(page.locator(".kr-pane img").first).to_be_visible()
        shown.append(page.evaluate("[...document.querySelectorAll('.kr-pane img')].map((one) => one.src)"))
        page.keyboard.press(key)
    expect(page.locator("h2")).to_have_text("Thank you!")
    known = page.evaluate("document.documentElement.outerHTML + JSON.stringify(localStorage)") + " ".join(asked)
    for secret in ["kling-v2", comparison.seed, *(cell.digest[:12] for cell in comparison.cells)]:
        assert secret not in known
    for image in comparison.images:
        assert image.sha256[:12] not in known
    with page.expect_download() as download:
        page.get_by_role("button", name="Save answers").last.click()
    assert comparison.import_answers(Path(download.value.path())) == 6
    frame = comparison.answers()
    assert list(frame.choice) == ["left", "right", "tie", "left", "unsure", "right"]
    assert frame.preferred.iloc[0] == frame.left.iloc[0]
    assert frame.preferred.iloc[1] == frame.right.iloc[1]
    assert len({tuple(pair) for pair in shown}) == 6
    (result,) = comparison.summary().results
    assert (result.answers, result.unsure, result.raters, result.units) == (5, 1, 1, 3)
    assert said == []
    assert [each for each in asked if not each.startswith((folder.as_uri(), "data:", "blob:"))] == []
