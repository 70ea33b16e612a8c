"""What a text stands for: files, globs, URLs, data URIs and base64; and what is said when it stands for nothing."""

import base64
import hashlib
import os
import sys
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest

from kling_nb.request import collect, text, urls


@pytest.fixture
def refs(here, png, jpeg):
    folder = here / "refs"
    folder.mkdir()
    for name in ("img1.png", "img2.png", "img10.png"):
        (folder / name).write_bytes(png)
    (here / "hat.png").write_bytes(png)
    (here / "cat.jpg").write_bytes(jpeg)
    return here


# Files.


@pytest.mark.parametrize("value", ["hat.png", Path("hat.png"), "./hat.png", Path("refs") / ".." / "hat.png"])
def test_reads_a_file_and_names_it_as_typed(one, refs, png, value):
    reference = one(value)
    assert reference.data == png
    assert reference.name == str(value)


def test_the_name_given_wins(one, refs):
    assert one("hat.png", name="hat").name == "hat"
    assert one("https://example.com/a.png", name="wave").name == "wave"


def test_expands_the_home_folder(one, refs):
    reference = one("~/hat.png")
    assert reference.name == "~/hat.png"
    assert reference.data == (refs / "hat.png").read_bytes()


def test_a_file_may_be_called_like_a_glob_or_a_home(one, refs, png):
    for name in ("img[1].png", "~nobody.png", " blank .png", "a:b.png"):
        (refs / name).write_bytes(png)
        assert one(name).name == name


def test_a_blank_around_a_path_does_no_harm(one, refs):
    assert one(" hat.png\n").name == "hat.png"


def test_names_near_files(refusal, refs):
    assert refusal("hta.png") == (
        f'subject_images[0] "hta.png" does not exist in the working directory ({Path.cwd()}); near it: "hat.png"'
    )
    for name in ("img1.png", "img2.png", "img10.png"):
        assert f'"{Path("refs") / name}"' in refusal("refs/IMG3.png").partition("; near it: ")[2]
    assert refusal("rfs/img1.png").endswith('; there is no folder "rfs"; near it: "refs"')
    assert refusal("xyz/img1.png").endswith('; there is no folder "xyz"')
    assert refusal("hat.png/x").startswith('subject_images[0] "hat.png/x" does not exist')


def test_says_what_a_plain_word_was_taken_for(refusal, refs):
    assert refusal("hat") == (
        f'subject_images[0] "hat" is neither a file in the working directory ({Path.cwd()})'
        ' nor a glob, an http(s) URL or base64; near it: "hat.png"'
    )


def test_says_the_text_where_the_name_is_another(refusal, refs):
    assert refusal("hta.png", "style", name="hat").startswith('style_image "hat" ("hta.png") does not exist')
    assert refusal(str(refs / "nope.png"), name="hat").startswith('subject_images[0] "hat" ("')


def test_a_folder_is_no_file(refusal, refs):
    inside = Path("refs") / "*.png"
    assert refusal("refs") == (f'subject_images[0] "refs" is a folder; give a file in it, or a glob such as "{inside}"')


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")
def test_refuses_devices_and_pipes(refusal, here):
    os.mkfifo(here / "pipe")
    assert "is not a regular file" in refusal("pipe")
    assert "is not a regular file" in refusal(os.devnull)


def test_refuses_what_is_far_too_large_before_reading_it(refusal, here):
    with (here / "film.png").open("wb") as file:
        file.truncate(600_000_000)
    assert "is 600,000,000 bytes, far more" in refusal("film.png")


def test_says_why_a_file_cannot_be_read(refusal, refs, monkeypatch):
    def denied(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)
    assert refusal("hat.png") == 'subject_images[0] "hat.png" cannot be read (Permission denied)'


def test_says_why_a_folder_cannot_be_entered(refusal, refs, monkeypatch):
    def denied(self, **_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", denied)
    assert "cannot be read (Permission denied)" in refusal("locked/hat.png")


@pytest.mark.parametrize("value", ["", "  ", "\n"])
def test_refuses_empty_text(refusal, here, value):
    assert "is an empty text" in refusal(value)


@pytest.mark.parametrize(
    "value", ["nul\0byte.png", "a\nprompt\nby mistake", "x" * 300, "x y" * 5000, "\ud800.png", "~\0"]
)
def test_refuses_what_cannot_be_a_path_in_one_line(refusal, here, value):
    assert refusal(value).startswith("subject_images[0] ")


# Globs.


def test_a_glob_gives_its_files_in_natural_order(refs):
    found = collect("refs/*.png", "subject", name="refs/*.png")
    assert [Path(reference.name) for reference in found] == [
        Path("refs/img1.png"),
        Path("refs/img2.png"),
        Path("refs/img10.png"),
    ]
    assert [Path(reference.name).name for reference in collect("~/refs/img?.png", "style")] == [
        "img1.png",
        "img2.png",
    ]
    assert [Path(reference.name).name for reference in collect(Path("**/*.jpg"), "style")] == ["cat.jpg"]


def test_a_glob_skips_folders_and_names_what_is_no_image(refusal, refs):
    (refs / "refs" / "sub").mkdir()
    assert len(collect("refs/*", "subject")) == 3
    (refs / "refs" / "img3.txt").write_text("notes")
    name = str(Path("refs/img3.txt"))
    assert refusal("refs/*") == f'subject_images[2] "{name}" is not an image of a known format'


def test_a_glob_names_the_file_that_cannot_be_read(refusal, refs):
    (refs / "refs" / "img0.png").symlink_to(os.devnull)
    assert refusal("refs/*").startswith(f'subject_images[0] "{Path("refs/img0.png")}" is not a regular file')


def test_a_glob_without_a_match_is_refused(refusal, refs):
    assert refusal("refs/*.gif") == (
        f'subject_images[0] "refs/*.gif" matches no file in the working directory ({Path.cwd()})'
    )
    assert refusal(str(refs / "*.gif")).endswith("matches no file")
    assert "matches no file" in refusal("refs[\0*")


def test_more_files_than_subjects_are_refused_without_reading_them_all(refusal, refs, png):
    for index in range(20):
        (refs / "refs" / f"more{index}.png").write_bytes(png)
    assert refusal("refs/*.png", name="refs/*.png") == (
        'subject_images "refs/*.png": more than 4 images were given; at most 4 can be'
    )
    assert len(collect("refs/*.png", "style")) == 23


# URLs.


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/image1.jpg",
        "http://example.com:8080/a?b=c&d=%20#e",
        "HTTPS://EXAMPLE.COM/CAT.PNG",
        "https://user:word@example.com/a.png",
        "https://пример.рф/кот.jpg",
        "https://[2001:db8::1]/a.png",
    ],
)
def test_passes_a_url_on_as_it_is(one, url):
    reference = one(url, "scene")
    assert reference.url == reference.name == url
    assert reference.sha256 == hashlib.sha256(url.encode()).hexdigest()
    assert (reference.data, reference.size, reference.media_type, reference.width) == (None, None, None, None)


@pytest.mark.parametrize(
    ("url", "clause"),
    [
        ("https://", "without a host"),
        ("https:///cat.png", "without a host"),
        ("http://:80/cat.png", "without a host"),
        ("https://./cat.png", "without a host"),
        ("https://example.com/a cat.png", "a space"),
        ("https://example.com/a\x07.png", "a control character"),
        ("https://example.com:port/", "cannot be read"),
        ("https://[::1/", "cannot be read"),
        ("https://example.com/" + "a" * 8000, "is a URL of 8,020 characters; at most 8,000"),
        ("file:///home/me/cat.png", "give the path instead"),
        ("file:cat.png", "give the path instead"),
        ("ftp://example.com/cat.png", "has the scheme ftp://"),
        ("s3://bucket/cat.png", "has the scheme s3://"),
        ("blob:https://example.com/1234", "has the scheme blob://"),
    ],
)
def test_names_what_is_wrong_with_a_url(refusal, url, clause):
    assert clause in refusal(url)


def test_offers_https_for_a_bare_web_address(refusal, here):
    assert refusal("www.example.com/cat.png").endswith('write "https://www.example.com/cat.png"')


def test_a_drive_letter_is_no_scheme():
    assert urls.scheme("C:\\pics\\cat.png") is None
    assert urls.scheme("C:/pics/cat.png") is None
    assert urls.scheme("cat:1.png") is None


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:8888/files/cat.png", True),
        ("http://127.0.0.1/cat.png", True),
        ("http://192.168.1.7/cat.png", True),
        ("http://[::1]/cat.png", True),
        ("http://printer.local/cat.png", True),
        ("https://example.com/cat.png", False),
        ("https://8.8.8.8/cat.png", False),
    ],
)
def test_knows_addresses_that_no_server_reaches(url, local):
    assert urls.is_local(url) is local


# Data URIs and base64.


@pytest.mark.parametrize(
    "encode",
    [
        lambda data: base64.b64encode(data).decode(),
        lambda data: base64.encodebytes(data).decode(),
        lambda data: base64.urlsafe_b64encode(data).decode(),
        lambda data: base64.b64encode(data).decode().rstrip("="),
        lambda data: f"\n  {base64.b64encode(data).decode()}  \n",
    ],
    ids=["standard", "lines", "urlsafe", "unpadded", "blanks"],
)
def test_reads_base64_text(one, here, png, encode):
    reference = one(encode(png))
    assert reference.data == png
    assert reference.name == "base64 text"


def test_reads_base64_bytes(one, png):
    assert one(base64.b64encode(png)).data == png
    assert one(base64.encodebytes(png)).data == png


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        (lambda data: f"data:image/png;base64,{base64.b64encode(data).decode()}", "data URI (image/png)"),
        (lambda data: f"DATA:image/png;charset=x;BASE64,{base64.b64encode(data).decode()}", "data URI (image/png)"),
        (lambda data: f"data:;base64,{base64.b64encode(data).decode().replace('+', '%2B')}", "data URI"),
        (lambda data: f"data:image/png,{quote_from_bytes(data)}", "data URI (image/png)"),
    ],
    ids=["base64", "parameters", "plus", "percent"],
)
def test_reads_data_uris(one, png, uri, name):
    reference = one(uri(png))
    assert reference.data == png
    assert reference.name == name


@pytest.mark.parametrize(
    ("uri", "clause"),
    [
        ("data:image/png;base64", "without a comma"),
        ("data:image/png;base64,", "whose base64 is damaged"),
        ("data:image/png;base64,###" + "A" * 100, "whose base64 is damaged"),
        ("data:image/svg+xml,%3Csvg%20xmlns=%22x%22/%3E", "is SVG"),
        ("data:image/png,", "is empty"),
    ],
)
def test_names_what_is_wrong_with_a_data_uri(refusal, uri, clause):
    assert clause in refusal(uri)


def test_base64_of_something_else_is_refused(refusal, here):
    encoded = base64.b64encode(b"<html>" + b"x" * 100).decode()
    assert refusal(encoded) == 'subject_images[0] "base64 text" is an HTML page, not an image'
    assert "neither a file nor the base64 of an image" in refusal("A" * 2001)  # not a multiple of four


@pytest.mark.parametrize("word", ["short", "A" * 63, "not base64!" * 20])
def test_a_word_is_not_base64(word):
    assert text.decode_base64(word) is None
