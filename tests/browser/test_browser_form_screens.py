"""Pictures of the form for people to look at, and that nothing on it is cut off or hard to read."""

import pytest
from PIL import Image
from playwright.sync_api import expect

# Texts that are wider than the room they have, and controls that lie on one another.
MISPLACED = """(root) => {
  const shown = [...root.querySelectorAll("button, input, select, textarea, .kling-title, .kling-tile-hint, pre, label")]
    .filter((one) => one.checkVisibility({ visibilityProperty: true }) && one.getClientRects().length);
  const say = (one) => `${one.tagName} ${one.className} ${(one.textContent || one.title).slice(0, 40)}`;
  const cut = shown.filter((one) => !one.matches("input, textarea, select") && one.scrollWidth > one.clientWidth + 1 &&
    getComputedStyle(one).display !== "inline").map(say);
  const boxes = shown.filter((one) => one.matches("button, input, select, textarea")).map((one) => [one, one.getBoundingClientRect()]);
  const over = [];
  for (const [one, a] of boxes) for (const [other, b] of boxes)
    if (one !== other && a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)
      over.push(`${say(one)} on ${say(other)}`);
  const width = root.getBoundingClientRect().right;
  const outside = boxes.filter(([, box]) => box.right > width + 1).map(([one]) => say(one));
  return { cut, over, outside };
}"""

# Of every text the contrast with what is behind it, where that is one colour.
FAINT = """(root) => {
  const parse = (colour) => (colour.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (one) => {
    const layers = [];
    for (let each = one; each; each = each.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(each).backgroundColor);
      layers.push([r, g, b, a]);
      if (a === 1) break;
    }
    return layers.reverse().reduce((under, [r, g, b, a]) => [r, g, b].map((c, i) => c * a + under[i] * (1 - a)), [255, 255, 255]);
  };
  const found = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const one = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !one.checkVisibility({ visibilityProperty: true }) || one.closest("style, option")) continue;
    const [r, g, b, a = 1] = parse(getComputedStyle(one).color);
    const ground = behind(one);
    const ink = [r, g, b].map((c, i) => c * a + ground[i] * (1 - a));
    const [low, high] = [light(ink), light(ground)].sort((x, y) => x - y);
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < 4.5) found.push(`${contrast.toFixed(1)} ${one.className} ${walker.currentNode.textContent.trim().slice(0, 40)}`);
  }
  return found;
}"""


def look(form, name):
    """Write pictures of the form, bright and wide, dark and narrow; expect everything on it to be readable."""
    form.page.mouse.move(0, 0)
    for theme, width in (("dark", 700), ("light", 1400)):
        form.notebook.theme(theme)
        form.notebook.resize(width)
        form.notebook.screenshot(f"form-{name}", form.root)
        assert form.root.evaluate(MISPLACED) == {"cut": [], "over": [], "outside": []}
        assert form.root.evaluate(FAINT) == []


def gradient(path, start, end):
    """Paint something to look at."""
    across = Image.linear_gradient("L").rotate(90).resize((480, 360))
    Image.composite(Image.new("RGB", (480, 360), start), Image.new("RGB", (480, 360), end), across).save(path)
    return path


@pytest.mark.slow
def test_the_form_as_it_looks(open_form, drop_files, tmp_path):
    cat = gradient(tmp_path / "my cat on the windowsill.png", "orange", "maroon")
    sea, tiny = gradient(tmp_path / "sea.png", "teal", "navy"), tmp_path / "tiny.png"
    Image.new("RGB", (200, 160), "olive").save(tiny)
    before = "from PIL import Image\nhat = Image.new('RGB', (400, 320), 'indigo')\nmood = 'sleepy'"
    form = open_form([sea], before=before, height=2600)
    look(form, "empty")
    drop_files(form.tile("Subject 1"), [cat])
    form.expect_picture("Subject 1")
    form.type_into("Subject 2", "hat")
    form.expect_picture("Subject 2")
    form.type_into("Scene", "sea.png")
    form.expect_picture("Scene")
    form.type_into("Style", "https://example.com/pictures/ink.png")
    expect(form.status("Style")).to_contain_text("URL")
    form.prompt.fill("A {mood} cat wears the hat beside the sea, in the evening.")
    # It moves what is below.
    expect(form.root.locator(".kling-sent")).to_be_visible()
    form.button("4").click()
    form.button("3:2").click()
    expect(form.why).to_contain_text("4 images")
    look(form, "filled")
    drop_files(form.tile("Subject 3"), [tiny])
    expect(form.slot("Subject 3").get_by_role("button", name="Enlarge it")).to_be_visible()
    form.type_into("Subject 4", "dog.png")
    expect(form.status("Subject 4").get_by_role("alert")).to_be_visible()
    form.prompt.fill("A {moood} cat")
    form.unfold("More options")
    form.root.get_by_role("textbox", name="Callback URL").fill("example.com")
    expect(form.root.locator(".kling-more").get_by_role("alert")).to_be_visible()
    look(form, "problems")
    form.slot("Subject 3").get_by_role("button", name="Enlarge it").click()
    form.expect_picture("Subject 3", "enlarged")
    form.button("Clear Subject 4").click()
    form.root.get_by_role("textbox", name="Callback URL").fill("")
    form.root.get_by_role("button", name="▾ More options").click()
    form.prompt.fill("A {mood} cat wears the hat beside the sea.")
    form.unfold("The same as code")
    expect(form.root.locator(".kling-code pre").first).to_contain_text("-a 3:2")
    expect(form.generate).to_be_enabled()
    look(form, "code")
    form.root.get_by_role("button", name="▾ The same as code").click()
    expect(form.root.locator(".kling-code").first).to_be_hidden()
    form.generate.click()
    form.expect_result(pictures=4)
    form.notebook.kernel_run("_sandbox.hold()")
    form.prompt.fill("once more [sandbox: refuse]")
    expect(form.root.locator(".kling-count")).to_contain_text("27 of")
    form.generate.click()
    expect(form.card()).to_contain_text("Content security policy")
    form.prompt.fill("once more")
    expect(form.root.locator(".kling-count")).to_contain_text("9 of")
    form.generate.click()
    expect(form.card()).to_contain_text("generating")
    form.notebook.screenshot("form-results-page")
    look(form, "results")
    # Notebook 7 would put it into a box with a scroll bar.
    area = form.notebook.output(1).first
    assert area.evaluate("(area) => area.scrollHeight - area.clientHeight") <= 1
