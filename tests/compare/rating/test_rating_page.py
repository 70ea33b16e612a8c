"""The rating as a page, and the files of answers: the same bytes in JavaScript and Python, and nothing taken unread."""

import hashlib
import json
import re
import shutil
import subprocess

import pytest

from kling_nb.compare.rating import frontend, ratingpage
from kling_nb.errors import InvalidRequest

HOSTILE = "</script><!--<b>@@DATA@@"
STUDY = {"name": HOSTILE, "question": "Which one?", "protocol": "pairs", "scale": [], "count": 1, "rater": None}
ITEMS = [{"item": "i1", "pictures": ["p1", "p2"], "prompt": HOSTILE, "references": []}]
ANSWER = {
    "item": "i1",
    "pictures": ["p2", "p1"],
    "choice": "left",
    "milliseconds": 1234,
    "answered_at": "2026-01-02T03:04:05.678Z",
}
CONTENT = {
    "kind": "kling_nb answers",
    "schema": 1,
    "rating": "r1",
    "page": "a1",
    "rater": "Zoë \u2028 \x7f \x01 \"'\\ 猫 😀",
    "saved_at": "2026-01-02T03:04:06.000Z",
    "answers": [ANSWER, ANSWER | {"choice": 10}, ANSWER | {"choice": "unsure", "pictures": ["p1"]}],
}

node = pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node to run JavaScript in")


def in_javascript(*values):
    """Return what the assets' functions make of values, the last of them a list of expressions of `given`."""
    *given, expressions = values
    # Only declarations: what the page does when it is read needs a browser.
    page = frontend.read("page.js").partition("function sheetOf")[2].partition("\n}\n")[0]
    code = f"{frontend.read('sha256.js')}\nfunction sheetOf{page}\n}}\nconst given = {json.dumps(given)};"
    code += f"process.stdout.write(JSON.stringify([{', '.join(expressions)}]));"
    return json.loads(subprocess.run(["node", "-e", code], capture_output=True, check=True).stdout)


def page():
    return ratingpage.html(STUDY, ITEMS, [[[0, 0]], [[0, 1]]], rating="r1", page="a1")


def test_what_is_in_the_page_is_data_and_nothing_else():
    html = page()
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert json.loads(data) == {
        "rating": "r1",
        "page": "a1",
        "study": STUDY,
        "items": ITEMS,
        "sheets": [[[0, 0]], [[0, 1]]],
        "pictures": "images",
    }
    assert html.count("</script>") == 2
    assert "<title>&lt;/script&gt;&lt;!--&lt;b&gt;@@DATA@@</title>" in html
    assert "default-src 'none'" in html
    assert not re.search(r"https?://", html)


def test_a_file_of_answers_comes_back_whole():
    text = ratingpage.answers_text(CONTENT)
    found = ratingpage.read_answers(text)
    assert {name: value for name, value in found.items() if name != "sha256"} == CONTENT
    assert ratingpage.answers_text(found) == text
    assert ratingpage.read_answers(json.dumps(found, indent=2)) == found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: "", "not JSON"),
        (lambda text: text[:-10], "not JSON"),
        (lambda text: "[" * 200_000, "not JSON"),
        (lambda text: "[1, 2]", "no file of answers"),
        (lambda text: '{"kind": "another"}', "no file of answers"),
        (lambda text: text.replace('"left"', '"right"'), "changed after it was saved"),
        (lambda text: text.replace("1234", "1234.0"), "changed after it was saved"),
        (lambda text: text.replace("Zo", "\\ud800"), "changed after it was saved"),
        (lambda text: text.replace('"schema":1', '"schema":2'), "newer version"),
        (lambda text: text.replace('"schema":1', '"schema":"1"'), "no version"),
        (lambda text: " " * 50_000_001, "larger than 50 MB"),
    ],
    ids=["empty", "cut", "nested", "list", "another", "choice", "time", "surrogate", "newer", "version", "large"],
)
def test_what_is_no_file_of_answers_is_refused_in_a_line(change, said):
    with pytest.raises(InvalidRequest, match=said) as raised:
        ratingpage.read_answers(change(ratingpage.answers_text(CONTENT)))
    assert "\n" not in raised.value.message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"rater": None}, "no rater"),
        ({"answers": {}}, "no answers"),
        ({"answers": [ANSWER, 7]}, "Answer 2 .* no object"),
        ({"answers": [ANSWER | {"item": 7}]}, "its item is 7"),
        ({"answers": [ANSWER | {"pictures": ["a", "b", "c"]}]}, "pictures"),
        ({"answers": [ANSWER | {"choice": "middle"}]}, "its choice is .middle"),
        ({"answers": [ANSWER | {"choice": True}]}, "choice is True"),
        ({"answers": [ANSWER | {"choice": ["left"]}]}, "choice is"),
        ({"answers": [ANSWER | {"milliseconds": 1.5}]}, "milliseconds are 1.5"),
        ({"answers": [ANSWER | {"milliseconds": -1}]}, "milliseconds are -1"),
    ],
    ids=str,
)
def test_a_file_that_is_whole_and_wrong_is_refused(content, said):
    with pytest.raises(InvalidRequest, match=said):
        ratingpage.read_answers(ratingpage.answers_text(CONTENT | content))


@node
def test_javascript_hashes_what_python_does():
    texts = ["", "abc", "a" * 55, "a" * 56, "a" * 64, "é猫😀" * 40, "x" * 100_000]
    hashes = in_javascript(texts, ["given[0].map(sha256)"])[0]
    assert hashes == [hashlib.sha256(text.encode()).hexdigest() for text in texts]
    assert in_javascript(CONTENT, ["canonical(given[0])", "sha256(canonical(given[0]))"]) == [
        json.dumps(CONTENT, sort_keys=True, separators=(",", ":"), ensure_ascii=False),
        json.loads(ratingpage.answers_text(CONTENT))["sha256"],
    ]


@node
def test_a_rater_has_the_same_sheet_in_both():
    names = ["", "Anna", "Zoë", "猫", "😀", "a much longer name than the others", "7"]
    theirs = in_javascript(names, ["given[0].map((name) => sheetOf(name, 24))"])[0]
    assert [ratingpage.sheet_of(name, 24) for name in names] == theirs
    assert ratingpage.sheet_of(" Zoe\u0308\ufeff\n", 24) == ratingpage.sheet_of("Zoë", 24)
    # The published values of FNV-1a.
    assert ratingpage.sheet_of("", 2**32) == 0x811C9DC5
    assert ratingpage.sheet_of("foobar", 2**32) == 0xBF9CF968
