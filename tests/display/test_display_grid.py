"""The HTML of tasks and images: all states, in what an untrusted JupyterLab keeps."""

import pytest

from kling_nb import errors
from kling_nb.display import image_bundle, images_bundle, task_bundle
from kling_nb.records import Failure

NOW = 1_795_342_590.0
STATUSES = ("planned", "sending", "submitted", "processing", "succeeded", "failed", "uncertain", "cancelled")
KINDS = sorted(
    name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.KlingError)
)


def html(view):
    return task_bundle(view, now=NOW)[0]["text/html"]


@pytest.mark.parametrize("gateway", ["https://gateway.example/kling", "sandbox"])
@pytest.mark.parametrize("status", [*STATUSES, "quantum"])
def test_every_status_renders(make_view, read, status, gateway):
    view = make_view(status, gateway=gateway, view={"how_to_collect": "`%kling wait ID` goes on waiting."})
    page = read(html(view))
    assert "kling-v2-1 · 3:2 · 4 images" in page.printed
    assert view.record.id in page.printed
    assert ("SANDBOX" in page.printed) == (gateway == "sandbox")
    assert len(page.printed) < 800


@pytest.mark.parametrize("n", range(1, 10))
def test_every_image_is_shown_with_its_alt_and_its_link(make_view, read, n):
    page = read(html(make_view(n=n)))
    alts = [alt for alt in page.alts if "(image " in alt]
    assert alts == [f"a cat wearing the hat (image {i + 1} of {n})" for i in range(n)]
    for index in range(n):
        assert f"kling_runs/images/{index}.png" in page.hrefs


@pytest.mark.parametrize(
    ("n", "ratio", "columns"),
    [(1, "1:1", 1), (2, "3:2", 2), (3, "3:2", 3), (4, "3:2", 2), (4, "9:16", 4), (5, "1:1", 3), (9, "16:9", 3)],
)
def test_columns(make_view, read, n, ratio, columns):
    width, height = (int(side) * 100 for side in ratio.split(":"))
    view = make_view(n=n, ratio=ratio)
    from dataclasses import replace

    images = tuple(replace(image, width=width, height=height) for image in view.record.images)
    page = read(html(replace(view, record=replace(view.record, images=images))))
    assert page.rows[: -(-n // columns)] == [columns] * -(-n // columns)


def test_the_line_is_outside_the_details_and_everything_else_is_inside(make_view, read):
    page = read(html(make_view()))
    assert "kling-v2-1 · 3:2 · 4 images · 41 s · 0.22 USD · 20261122-101530-ab12" in page.printed
    for fact in ("825331184203456789", "external-20261122", "request-77", "https://gateway.example/kling"):
        assert fact in page.text
        assert fact not in page.printed
    assert "queued 5.0 s · generating 31 s · downloading 4.0 s" in page.text
    assert "units deducted 8" in page.text
    assert "2026-11-22" in page.text


def test_references_with_role_name_size_and_changes(make_view, read, references):
    page = read(html(make_view()))
    for role, name in (("subject 1", "name-0"), ("subject 2", "name-1"), ("scene", "name-2"), ("style", "name-3")):
        assert f"{role} · {name}" in page.text
        assert f"{role}: {name}" in page.alts
    assert "changed: converted from WebP" in page.text
    assert f"sha256 {references[0].sha256[:16]}" in page.text


def test_the_prompt_is_there_in_full_with_its_lines(make_view):
    prompt = "first line\n  second <line> & more " + "word " * 450
    page = html(make_view(prompt=prompt))
    assert "first line\n  second &lt;line&gt; &amp; more" in page
    assert "word " * 449 in page


def test_a_missing_image_is_a_cell_that_says_why(make_view, read):
    view = make_view(have=(0, 1, 3), failure=Failure("ImagesMissing", "1 of 4 images could not be downloaded."))
    page = read(html(view))
    assert "image 3 of 4 is missing: the download broke off" in page.printed
    assert "3 of 4 images saved" in page.printed
    assert "The task is paid." in page.printed
    assert "dashed" in page.html
    assert len([alt for alt in page.alts if "(image " in alt]) == 3


def test_a_saved_image_without_thumbnail_names_its_file(make_view, read):
    page = read(html(make_view(n=1, view={"thumbnails": {}})))
    assert "image 1 of 1: kling_runs/images/0.png" in page.printed


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_says_what_of_the_money_and_what_next(make_view, read, kind):
    failure = Failure(kind, "It <b>did not</b> work.", http_status=429, code="1102", request_id="r-1")
    page = read(html(make_view("failed", failure=failure)))
    assert "It <b>did not</b> work." in page.printed
    assert "HTTP 429, code 1102, request_id r-1" in page.printed
    assert getattr(errors, kind).default_money in page.printed
    assert getattr(errors, kind).default_advice.replace("`", "") in page.printed.replace("` ", "")
    assert "0.22 USD" not in page.text


@pytest.mark.parametrize("kind", ["os", "NoSuchError", "render", "", "__doc__"])
def test_a_failure_of_a_kind_that_does_not_exist(make_view, read, kind):
    assert "It broke." in read(html(make_view("failed", failure=Failure(kind, "It broke.")))).printed


def test_uncertain_says_that_it_may_be_billed_and_how_to_decide(make_view, read):
    advice = {"how_to_collect": "Please look for it with the gateway."}
    page = read(html(make_view("uncertain", view=advice, failure=Failure("ConnectionFailed", "The connection broke."))))
    assert "The task may exist and may be billed." in page.printed
    assert "look for it with the gateway" in page.printed
    assert "The connection broke." in page.printed


def test_nothing_in_the_sandbox_speaks_of_bills(make_view, read):
    for status in STATUSES:
        page = read(html(make_view(status, gateway="sandbox")))
        assert "USD" not in page.text
        assert "may be billed" not in page.text


def test_unfinished_tasks_say_how_to_collect(make_view, read):
    view = make_view("processing", view={"how_to_collect": "`%kling wait` goes on waiting."})
    page = read(html(view))
    assert "<code>%kling wait</code> goes on waiting." in page.html
    assert "generating · kling-v2-1 · 3:2 · 4 images · 59 s so far" in page.printed


def test_warnings_are_shown(make_view, read):
    assert "An unknown <model>." in read(html(make_view(warnings=("An unknown <model>.",)))).printed


@pytest.mark.parametrize("request_", [{}, {"n": None}, {"n": "many"}, {"n": 10**9, "prompt": None}, {"n": -4}])
def test_requests_that_make_no_sense_do_not_crash(make_view, read, request_):
    read(html(make_view(request=request_)))


def test_more_images_than_the_api_can_make_are_counted(make_view, read):
    from dataclasses import replace

    view = make_view(n=9)
    images = tuple(replace(view.record.images[0], index=i) for i in range(500))
    page = read(html(replace(view, record=replace(view.record, images=images))))
    assert "and 491 more images" in page.printed
    assert len(page.html) < 300_000


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)", "JAVASCRIPT:x", "data:text/html,x", "//evil.example/x", "/etc/passwd", "\\\\host\\x",
        "file:///etc/passwd", "vbscript:x", " javascript:x", "java\nscript:x", "a b", 'x"onload=1', "x'y", "mailto:a@b",
        "http://", "x\u202ey", "a" * 5000,
    ],
)  # fmt: skip
def test_unsafe_links_are_no_links(make_view, read, link):
    page = read(html(make_view(n=1, view={"links": {0: link}})))
    assert page.hrefs == []


@pytest.mark.parametrize(
    "link", ["a.png", "../kling_runs/a%20%23%3F%25.png", "https://host.example/a?b=c&d=e", "./x/y:z.png"]
)
def test_relative_and_web_links_are_kept(make_view, read, link):
    page = read(html(make_view(n=1, view={"links": {0: link}})))
    assert set(page.hrefs) == {link}


def test_reference_by_url(make_view, read, references):
    from dataclasses import replace

    good = replace(references[0], url="https://example.com/a.jpg?x=1&y=2", name="wave")
    bad = replace(references[1], url="javascript:alert(1)", name="evil")
    page = read(html(make_view(n=1, references=(good, bad), view={"links": {}})))
    assert page.hrefs == ["https://example.com/a.jpg?x=1&y=2"] * 2
    assert "javascript:alert(1)" in page.text


def test_one_image(make_view, read):
    data, metadata = image_bundle(make_view(gateway="sandbox"), 2)
    page = read(data["text/html"])
    assert page.alts == ["a cat wearing the hat (image 3 of 4, sandbox)"]
    assert "SANDBOX image 3 of 4 · 1536 × 1024 · 2.1 MB · 20261122-101530-ab12" in page.printed
    assert metadata["kling_nb"]["images"] == [{"id": "20261122-101530-ab12", "index": 2, "sha256": f"{2:064x}"}]
    assert data["text/plain"].startswith("SANDBOX · images[2] of 20261122-101530-ab12")


def test_images_of_one_task_and_of_several(make_view, read):
    one, other = make_view(), make_view(id="other", gateway="sandbox")
    data, _ = images_bundle([(one, 0), (one, 3)])
    assert "images[3]" in data["text/html"]
    assert "2 images · 20261122-101530-ab12" in read(data["text/html"]).printed
    data, _ = images_bundle([(one, 0), (other, 1)])
    assert "SANDBOX 2 images of 2 tasks" in read(data["text/html"]).printed
    assert len(data["text/plain"].splitlines()) == 2


def test_no_images(read):
    data, metadata = images_bundle([])
    assert read(data["text/html"]).printed == "no images"
    assert data["text/plain"] == "no images"
    assert "image/jpeg" not in data
    assert "image/jpeg" not in metadata


def test_an_image_that_the_task_does_not_have(make_view, read):
    data, _ = image_bundle(make_view(n=1), 7)
    assert "image 8 of 8 is missing" in read(data["text/html"]).printed
