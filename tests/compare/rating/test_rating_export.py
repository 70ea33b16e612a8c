"""A rating without a notebook: the folder that goes out, and the answers that come back."""

import io
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from kling_nb.compare.rating import ratingpage
from kling_nb.errors import InvalidRequest

QUESTION = "Which one shows the cat of the reference?"


@pytest.fixture
def comparison(compare):
    return compare(name="cats")


@pytest.fixture
def folder(comparison):
    return comparison.export_rating("for-bo", QUESTION, by="model_name", criterion="identity", quiet=True)


def data_of(folder):
    page = (folder / "index.html").read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def filled_in(folder, choose=lambda item, pictures: "left", rater="bo", most=None, sheet=0, **changes):
    """An answers file as the page would save it."""
    data, answers = data_of(folder), []
    for number, (place, flipped) in enumerate(data["sheets"][sheet][:most]):
        item = data["items"][place]
        pictures = item["pictures"][::-1] if flipped else item["pictures"]
        said = {"item": item["item"], "pictures": pictures, "choice": choose(item, pictures), "milliseconds": 1500}
        answers.append(said | {"answered_at": f"2026-02-01T00:00:{number:02d}.000Z"})
    content = {"kind": "kling_nb answers", "schema": 1, "rating": data["rating"], "page": data["page"], "rater": rater}
    return content | {"saved_at": "2026-02-01T01:00:00.000Z", "answers": answers} | changes


def write(content, name="answers-bo.json"):
    Path(name).write_text(ratingpage.answers_text(content), encoding="utf-8")
    return name


# ---- what goes out -------------------------------------------------------------------------------------


def test_the_folder_is_a_page_with_its_pictures(folder):
    data = data_of(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["images", "index.html"]
    assert len(data["items"]) == 6
    tokens = {token for item in data["items"] for token in item["pictures"]}
    tokens |= {each["picture"] for item in data["items"] for each in item["references"]}
    assert {path.stem for path in (folder / "images").iterdir()} == tokens
    for path in (folder / "images").iterdir():
        assert Image.open(io.BytesIO(path.read_bytes())).format == "JPEG"


def test_nothing_in_the_folder_tells_a_level(folder, comparison):
    page = (folder / "index.html").read_text(encoding="utf-8")
    data = json.dumps(data_of(folder))
    assert "kling-v2" not in page
    for cell in comparison.cells:
        assert cell.digest[:10] not in page
    for image in comparison.images:
        assert image.sha256[:10] not in page
        assert not any(path.read_bytes() == image.bytes for path in (folder / "images").iterdir())
    for secret in (comparison.seed, comparison.rate(QUESTION, by="model_name", criterion="identity").plan.seed):
        assert secret not in page
    assert comparison.name not in data
    for path in (folder / "images").iterdir():
        assert b"kling" not in path.read_bytes()
    times = {path.stat().st_mtime_ns // 10**9 for path in (folder / "images").iterdir()}
    assert len(times) <= 3


def test_neither_the_order_nor_the_sides_of_the_data_tell_a_level(compare):
    made = compare(n=4, samples=2)
    folder = made.export_rating("out", QUESTION, by="model_name", quiet=True)
    rating = made.rate(QUESTION, by="model_name")
    from kling_nb.compare.rating.items import picture_token

    first = {picture_token(rating.plan, item.pictures[0]) for item in rating._exhibit.items}
    data = data_of(folder)
    share = sum(item["pictures"][0] in first for item in data["items"]) / len(data["items"])
    assert 0.25 < share < 0.75
    for sheet in data["sheets"]:
        left = sum(data["items"][place]["pictures"][flipped] in first for place, flipped in sheet)
        assert left == len(data["items"]) / 2


def test_the_page_may_ask_for_nothing_but_its_pictures(folder):
    page = (folder / "index.html").read_text(encoding="utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none'; img-src 'self' file: data:;")
    assert "http" not in re.sub(r"http-equiv", "", page.replace("http address", ""))


def test_what_exists_is_not_touched(comparison, folder, tree):
    before = tree(folder)
    with pytest.raises(InvalidRequest, match="exists, and was not touched"):
        comparison.export_rating("for-bo", QUESTION, by="model_name", criterion="identity")
    assert tree(folder) == before


def test_nothing_half_written_is_left(comparison, monkeypatch):
    from kling_nb.compare.rating import exporting

    calls = iter(range(3))
    real = exporting.readable

    def readable(read):
        if next(calls, None) is None:
            raise OSError(28, "No space left on device")
        return real(read)

    monkeypatch.setattr(exporting, "readable", readable)
    from kling_nb.errors import WorkspaceError

    with pytest.raises(WorkspaceError, match="No space left on device"):
        comparison.export_rating("out", QUESTION, by="model_name")
    assert [path.name for path in Path.cwd().iterdir()] == ["kling_runs"]
    assert comparison.ratings_kept.plans() == []


def test_hostile_words_end_no_script(kling, cat):
    prompts = ["</script><script>alert(1)</script>", "a cat & <b>"]
    made = kling.compare(subject_images=cat, vary={"prompt": prompts, "n": [1, 2]}).run(quiet=True)
    folder = made.export_rating("out", "<img src=x onerror=alert(1)>", by="n", quiet=True)
    assert (folder / "index.html").read_text().count("</script>") == 2
    assert {item["prompt"] for item in data_of(folder)["items"]} == set(prompts)


# ---- what comes back -----------------------------------------------------------------------------------


def test_answers_come_back_in_another_kernel(comparison, folder, new_kernel, new_kling):
    from kling_nb.compare.rating.items import picture_token

    rating = comparison.rate(QUESTION, by="model_name", criterion="identity")
    second = {picture_token(rating.plan, item.pictures[1]) for item in rating._exhibit.items}
    file = write(filled_in(folder, lambda item, pictures: "left" if pictures[0] in second else "right"))
    new_kernel()
    again = new_kling().comparison("cats")
    assert again.import_answers(file) == 6
    assert again.import_answers(file) == 0
    frame = again.answers()
    assert set(frame.preferred) == {"kling-v2-1"}
    assert set(frame.rater) == {"bo"}
    assert set(frame.left) == {"kling-v2", "kling-v2-1"}
    assert frame.source.nunique() == 1
    assert again.summary().results[0].answers == 6


def test_a_file_that_was_saved_half_way_and_its_end_are_one(comparison, folder):
    assert comparison.import_answers(write(filled_in(folder, most=2))) == 2
    assert comparison.import_answers(write(filled_in(folder))) == 4


def test_the_form_and_a_page_ask_the_same(comparison, folder, answering):
    rating = comparison.rate(QUESTION, by="model_name", criterion="identity")
    answering(rating.desk, lambda item: "tie")
    comparison.import_answers(write(filled_in(folder)))
    assert rating.answered == {"ana": 6, "bo": 6}


def test_two_people_of_one_name_stay_two(comparison, folder):
    comparison.import_answers(write(filled_in(folder)))
    other = filled_in(comparison.export_rating("again", QUESTION, by="model_name", criterion="identity", quiet=True))
    with pytest.raises(InvalidRequest, match='answers of a rater "bo" already, given on another page') as raised:
        comparison.import_answers(write(other, "other.json"))
    assert 'rater="bo 2"' in str(raised.value)
    assert comparison.import_answers("other.json", rater="bo 2") == 6
    assert set(comparison.answers().rater) == {"bo", "bo 2"}


def later(content, minutes=7):
    """The same of someone else, who answered at another time."""
    moved = [
        each | {"answered_at": each["answered_at"].replace(":00:", f":{minutes:02d}:")} for each in content["answers"]
    ]
    return content | {"answers": moved}


@pytest.mark.parametrize("most", [None, 2], ids=["all", "some"])
@pytest.mark.parametrize("first", [None, 2], ids=["after all", "after some"])
def test_two_people_of_one_name_on_one_page_stay_two(comparison, folder, first, most):
    comparison.import_answers(write(filled_in(folder, most=first)))
    before = comparison.ratings_kept.data()
    other = write(later(filled_in(folder, most=most)), "other.json")
    with pytest.raises(InvalidRequest, match='a rater "bo" already, given on the same page and not in') as raised:
        comparison.import_answers(other)
    assert 'rater="bo 2"' in str(raised.value)
    assert raised.value.money == "Nothing was imported; the file is as it was."
    assert comparison.ratings_kept.data() == before
    assert comparison.import_answers(other, rater="bo 2") == (most or 6)
    # Both go on, each with a file that has what came before.
    assert comparison.import_answers(write(filled_in(folder))) == 6 - (first or 6)
    assert comparison.import_answers(write(later(filled_in(folder))), rater="bo 2") == 6 - (most or 6)
    with pytest.raises(InvalidRequest, match='there already, as those of "bo 2"') as raised:
        comparison.import_answers("answers-bo.json")
    assert 'import_answers(file, rater="bo 2")' in str(raised.value)


def test_one_file_is_not_two_raters(comparison, folder):
    comparison.import_answers(write(filled_in(folder, most=2)))
    before = comparison.ratings_kept.data()
    with pytest.raises(InvalidRequest, match='These answers are there already, as those of "bo"'):
        comparison.import_answers(write(filled_in(folder)), rater="cy")
    assert comparison.ratings_kept.data() == before
    assert comparison.import_answers(write(filled_in(folder))) == 4


def test_an_older_file_of_a_rater_brings_nothing_and_is_not_refused(comparison, folder):
    assert comparison.import_answers(write(filled_in(folder))) == 6
    assert comparison.import_answers(write(filled_in(folder, most=2))) == 0
    assert comparison.import_answers(write(filled_in(folder, most=0))) == 0


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda text: text[: len(text) // 2], r"answers-bo\.json: This is no file of answers"),
        (lambda text: "[" * 100_000, "not JSON"),
        (lambda text: "[]", "This is no file of answers"),
        (lambda text: '{"kind": "kling_nb comparison"}', "This is no file of answers"),
        (lambda text: text.replace('"left"', '"right"', 1), "was changed after it was saved"),
        (lambda text: text.replace('"rater":"bo"', '"rater":"al"'), "was changed after it was saved"),
        (lambda text: text.replace('"schema":1', '"schema":2'), "was written by a newer version"),
        (lambda text: re.sub(r'"sha256":"[^"]*"', '"sha256":null', text), "was changed after it was saved"),
    ],
    ids=["cut", "nested", "list", "comparison", "choice", "rater", "newer", "no sum"],
)
def test_a_file_that_is_not_as_saved_is_refused(comparison, folder, spoil, said):
    file = Path(write(filled_in(folder)))
    file.write_text(spoil(file.read_text()))
    with pytest.raises(InvalidRequest, match=said) as raised:
        comparison.import_answers(file)
    assert raised.value.money == "Nothing was imported; the file is as it was."
    assert comparison.ratings_kept.answers(comparison.ratings_kept.plans()[0]) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"answers": [{"item": 3}]}, "cannot be read"),
        ({"answers": "none"}, "has no answers"),
        ({"rater": None}, "has no rater"),
        ({"rater": "a\nb"}, "rater is"),
        ({"rating": "0" * 16}, 'answers are to a rating of another comparison; it has "identity"'),
    ],
    ids=["item", "answers", "rater", "name", "rating"],
)
def test_a_file_with_a_right_sum_is_checked_all_the_same(comparison, folder, changes, said):
    with pytest.raises(InvalidRequest, match=re.escape(said)):
        comparison.import_answers(write(filled_in(folder, **changes)))


def test_an_answer_that_is_none_stops_all_of_them(comparison, folder):
    content = filled_in(folder)
    content["answers"][3]["choice"] = 3
    with pytest.raises(InvalidRequest, match="3 is no answer to this question"):
        comparison.import_answers(write(content))
    content = filled_in(folder)
    content["answers"][3]["item"] = "0" * 24
    with pytest.raises(InvalidRequest, match="1 answer of 6 are about images that this comparison does not have"):
        comparison.import_answers(write(content))
    assert comparison.answers().empty


@pytest.mark.parametrize("file", ["missing.json", "", None, 7, "a\0b"])
def test_no_file_is_said(comparison, folder, file):
    with pytest.raises(InvalidRequest, match=r"answers file"):
        comparison.import_answers(file)


def test_the_answers_of_another_comparison_are_refused(comparison, folder, compare):
    other = compare(name="other")
    with pytest.raises(InvalidRequest, match="another comparison; it has no rating yet") as raised:
        other.import_answers(write(filled_in(folder)))
    assert "kling.comparison(name)" in str(raised.value)
    assert comparison.import_answers("answers-bo.json") == 6


def test_a_scale_goes_out_and_comes_back(comparison):
    folder = comparison.export_rating("out", "How good?", by="model_name", protocol="scale", images=1, quiet=True)
    assert len(data_of(folder)["items"]) == 6
    assert comparison.import_answers(write(filled_in(folder, lambda item, pictures: 4))) == 6
    assert set(comparison.answers().value) == {4}


def test_large_files_are_not_read(monkeypatch):
    monkeypatch.setattr(ratingpage, "MOST_BYTES", 10)
    with pytest.raises(InvalidRequest, match="larger than"):
        ratingpage.read_answers("x" * 11)


def test_pictures_of_a_page_are_as_large_as_they_are_useful(comparison, folder):
    sizes = {Image.open(io.BytesIO(path.read_bytes())).size for path in (folder / "images").iterdir()}
    assert all(max(size) <= 1600 for size in sizes)
