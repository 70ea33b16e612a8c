"""The hands that the other tests use: what they do arrives as it would from a person."""

import io

import pytest
from PIL import Image

# Served from this machine, for only such a page may use the clipboard.
ADDRESS = "http://127.0.0.1:9/page"
PAGE = """<!doctype html><div id="field" tabindex="0">here</div><textarea id="text"></textarea><script>
const seen = [];
async function note(event, transfer) {
  event.preventDefault();
  for (const file of transfer.files) {
    const bytes = [...new Uint8Array(await file.arrayBuffer())];
    seen.push({ event: event.type, trusted: event.isTrusted, name: file.name, type: file.type, bytes });
  }
}
for (const element of document.querySelectorAll("#field, #text")) {
  element.addEventListener("paste", (event) => note(event, event.clipboardData));
  element.addEventListener("dragover", (event) => event.preventDefault());
  element.addEventListener("drop", (event) => note(event, event.dataTransfer));
}
</script>"""


@pytest.fixture
def page(context):
    context.route(ADDRESS, lambda route: route.fulfill(body=PAGE, content_type="text/html"))
    page = context.new_page()
    page.goto(ADDRESS)
    return page


def seen(page, count):
    page.wait_for_function("(count) => seen.length >= count", arg=count)
    return page.evaluate("seen")


@pytest.mark.parametrize("field", ["#field", "#text"])
def test_control_v_delivers_the_image(page, photograph, paste_image, field):
    paste_image(page.locator(field), photograph("cat.png", "navy"))
    (file,) = seen(page, 1)
    assert (file["event"], file["trusted"], file["type"]) == ("paste", True, "image/png")
    image = Image.open(io.BytesIO(bytes(file["bytes"])))
    assert (image.size, image.convert("RGB").getpixel((5, 5))) == ((400, 320), (0, 0, 128))


def test_copied_files_are_pasted_with_their_names_and_bytes(page, photograph, paste_files):
    paths = [photograph("cat.png"), photograph("hat.jpg", "navy")]
    paste_files(page.locator("#field"), paths)
    files = seen(page, 2)
    assert [(file["event"], file["name"], file["type"]) for file in files] == [
        ("paste", "cat.png", "image/png"),
        ("paste", "hat.jpg", "image/jpeg"),
    ]
    assert [bytes(file["bytes"]) for file in files] == [path.read_bytes() for path in paths]


def test_files_are_dropped_with_their_names_and_bytes(page, photograph, drop_files):
    paths = [photograph("cat.png"), photograph("hat.jpg", "navy")]
    drop_files(page.locator("#field"), paths)
    files = seen(page, 2)
    assert [(file["event"], file["name"]) for file in files] == [("drop", "cat.png"), ("drop", "hat.jpg")]
    assert [bytes(file["bytes"]) for file in files] == [path.read_bytes() for path in paths]
