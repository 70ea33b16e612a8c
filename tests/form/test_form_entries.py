"""What fills a slot: found by its text, written so that it is found again, and what is wrong in one sentence."""

import io
import re
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from kling_nb.errors import WorkspaceError
from kling_nb.form.coding import written_path
from kling_nb.form.entries import Entry, look, look_again, read, receive, too_many
from kling_nb.form.uploads import Upload
from kling_nb.notation.names import Namespace
from kling_nb.notation.writing import Source
from kling_nb.request import collect
from kling_nb.workspace.workspace import Workspace


@pytest.fixture
def workspace():
    made = Workspace(Path.cwd() / "kling_runs")
    yield made
    made.close()


@pytest.fixture
def keep(workspace):
    """Keep a file as the form does."""
    return lambda name, data: written_path(workspace.keep_upload(name, data))


@pytest.fixture
def kept():
    """The files that were kept, by name."""
    folder = Path("kling_runs/uploads")
    return lambda: {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


@pytest.fixture
def fill(keep):
    """Find what a text names, and open it."""

    def fill_slot(text, role="subject", **variables):
        namespace = Namespace(variables)
        entry = look(text, namespace)
        return [entry] if entry.problem else read(entry, role, namespace, keep)

    return fill_slot


def photo(number=1, size=(320, 300)):
    return Image.frombytes("RGB", size, bytes([number % 256]) * (size[0] * size[1] * 3))


def file_of(image, kind="PNG"):
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def sent(value):
    return [each.sha256 for each in collect(value, "subject")]


def texts(entries):
    return [entry.source.text for entry in entries]


def assert_complete(entries, expected, **variables):
    """Hold that entries are right, and that each is found again, by what is written, as the same bytes."""
    assert [entry.problem for entry in entries] == [""] * len(entries)
    assert [entry.reference.sha256 for entry in entries] == sent(expected)
    for entry in entries:
        found = look(entry.source.text, Namespace(variables))
        assert found.problem == ""
        assert found.source == entry.source
        assert sent(found.value) == [entry.reference.sha256]
        assert entry.reference.url or entry.thumbnail.startswith(b"\xff\xd8")


def assert_sentence(problem):
    assert problem == " ".join(problem.split())
    assert problem[0].upper() == problem[0]
    assert problem[-1] in ".?!…"
    for field in ("subject_image", "scene_image", "style_image", "--fit", "fit=true"):
        assert field not in problem.lower()


# --- what a text names ---------------------------------------------------------------------------


class TestNames:
    def test_a_path(self, files, fill):
        (entry,) = found = fill("  cat.png ")
        assert entry.source == Source("cat.png")
        assert entry.reference.name == "cat.png"
        assert entry.facts == "320 × 300 · PNG 954 bytes, sent as it is"
        assert_complete(found, "cat.png")

    @pytest.mark.parametrize(
        "name", ["it's.png", 'a "cat".png', "a;b.png", "cat#2.png", "my cat.png", "cat[1].png", "-n.png"]
    )
    def test_a_path_with_signs_in_it(self, files, fill, name):
        Path("cat.png").rename(name)
        assert_complete(fill(name), name)

    def test_a_glob_gives_an_entry_for_each_file_by_its_path(self, files, fill):
        Path("refs").mkdir()
        for number in (10, 2, 1):
            Path(f"refs/{number}.png").write_bytes(file_of(photo(number)))
        found = fill("refs/*.png")
        assert texts(found) == ["refs/1.png", "refs/2.png", "refs/10.png"]
        assert_complete(found, "refs/*.png")

    def test_a_file_of_a_glob_that_a_variable_hides_is_still_the_file(self, files, fill, kept):
        variables = {"cat": SimpleNamespace(png=photo(9)), "hat": SimpleNamespace(png="a hat")}
        found = fill("[ch]at.png", **variables)
        assert_complete(found, ["./cat.png", "./hat.png"], **variables)
        assert list(kept().values()) == [Path("cat.png").read_bytes(), Path("hat.png").read_bytes()]

    def test_a_url_is_not_fetched(self, fill):
        (entry,) = found = fill("https://example.org/cat.png")
        assert entry.source == Source("https://example.org/cat.png")
        assert entry.facts == "URL: the server fetches it"
        assert entry.thumbnail is None
        assert_complete(found, "https://example.org/cat.png")

    def test_a_variable(self, fill):
        (entry,) = found = fill("photo", photo=photo())
        assert entry.source == Source("photo", is_variable=True)
        assert entry.facts.endswith("; encoded as PNG")
        assert_complete(found, photo(), photo=photo())

    @pytest.mark.parametrize(
        ("text", "value", "parts"),
        [
            ("photos", [photo(1), photo(2)], ["photos[0]", "photos[1]"]),
            ("photos", (photo(1), photo(2)), ["photos[0]", "photos[1]"]),
            ("photos", {"a": photo(1), "b c": photo(2)}, ["photos['a']", "photos['b c']"]),
            ("photos", {"it's": photo(1), 'a "b"': photo(2)}, ['photos["it\'s"]', "photos['a \"b\"']"]),
            ("photos", {1: photo(1), -2: photo(2)}, ["photos[1]", "photos[-2]"]),
            ("photos", [[photo(1)], [photo(2), photo(3)]], ["photos[0][0]", "photos[1][0]", "photos[1][1]"]),
            ("photos", ["https://h/a.png", photo(2)], ["https://h/a.png", "photos[1]"]),
            ("photos.all", SimpleNamespace(all=[photo(1), photo(2)]), ["photos.all[0]", "photos.all[1]"]),
            ("photos['a']", {"a": [photo(1), photo(2)]}, ["photos['a'][0]", "photos['a'][1]"]),
            ("photos[1:]", [None, photo(1), photo(2)], ["photos[1:][0]", "photos[1:][1]"]),
            ("photos", np.zeros((2, 300, 320, 3), "uint8"), ["photos[0]", "photos[1]"]),
            ("photos", pd.Series([photo(1), photo(2)], index=["a", "b"]), ["photos['a']", "photos['b']"]),
        ],
        ids=[
            "list",
            "tuple",
            "dict",
            "odd keys",
            "numbers",
            "nested",
            "URL",
            "attribute",
            "key",
            "slice",
            "batch",
            "series",
        ],
    )
    def test_a_list_is_split_by_part(self, fill, kept, text, value, parts):
        found = fill(text, photos=value)
        assert texts(found) == parts
        whole = look(text, Namespace({"photos": value})).value
        assert_complete(found, whole, photos=value)
        assert kept() == {}

    def test_one_picture_in_a_list_is_written_by_the_name_of_the_list(self, fill):
        assert texts(fill("photos", photos=[photo()])) == ["photos"]

    def test_paths_in_a_list_are_found_by_their_place_in_it(self, files, fill):
        found = fill("photos", photos=["cat.png", Path("hat.png")])
        assert texts(found) == ["photos[0]", "photos[1]"]
        assert_complete(found, ["cat.png", "hat.png"], photos=["cat.png", Path("hat.png")])

    def test_what_has_no_name_of_its_own_gets_a_kept_file(self, fill, kept):
        found = fill("photos", photos=iter([photo(1), photo(2)]))
        assert all(re.fullmatch(r"kling_runs/uploads/photos-\d-[0-9a-f]{8}\.png", text) for text in texts(found))
        assert_complete(found, [photo(1), photo(2)])
        assert [sent(data)[0] for data in kept().values()] == sorted(sent([photo(1), photo(2)]), key=sent_order(kept()))

    def test_a_value_without_any_name_gets_a_kept_file(self, keep, kept):
        found = read(Entry(Source(""), photo()), "subject", Namespace({}), keep)
        assert_complete(found, photo())
        assert len(kept()) == 1

    def test_a_kept_file_is_sent_as_it_is_although_the_picture_was_made_to_fit(self, keep, kept):
        small = Image.new("RGB", (100, 100), "teal")
        (entry,) = read(Entry(Source(""), small, fit=True), "subject", Namespace({}), keep)
        assert not entry.fit
        assert (entry.reference.width, entry.reference.height) == (300, 300)
        assert_complete([entry], entry.value)

    def test_what_cannot_be_kept_is_said(self):
        def keep(name, data):
            raise WorkspaceError("the disk is full")

        (entry,) = read(Entry(Source(""), photo()), "subject", Namespace({}), keep)
        assert entry.problem == "The disk is full."
        assert entry.reference is None

    @pytest.mark.parametrize("role", ["scene", "style"])
    def test_a_slot_of_one_takes_one(self, files, fill, role):
        (entry,) = fill("*at.png", role)
        assert entry.problem == "It gives 2 pictures, and this slot takes one."
        assert entry.reference is None
        (entry,) = fill("photos", role, photos=[photo()])
        assert entry.problem == ""
        assert entry.reference.role == role

    def test_more_than_there_are_slots(self):
        assert too_many(3, 1) == "It gives 3 pictures, and 1 slot is free."
        assert too_many(3, 2) == "It gives 3 pictures, and 2 slots are free."


def sent_order(files):
    return [sent(data)[0] for data in files.values()].index


# --- what is wrong -------------------------------------------------------------------------------


def damaged():
    return file_of(photo())[:400]


class TestProblems:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("gone.png", "gone.png"),
            ("car.png", "cat.png"),
            ("refs", "is a folder"),
            ("*.gif", "‘*.gif’"),
            ("ftp://example.org/a.png", "begins with http:// or https://"),
            ("https://", "is a URL without a host"),
            ("len(photos)", "put it into a variable"),
            ("photos[9]", "IndexError"),
            ("photos[0]", "is missing (NaN)"),
            ("number", "int"),
            ("nothing", "is None"),
            ("empty", "empty"),
            ("notes.txt", "image"),
            ("damaged.png", ""),
            ("", ""),
            ("\x00", ""),
            ("x" * 5000, ""),
            ("many", "more than 4 images were given; at most 4 can be."),
            ("mixed", '"mixed[1]" has the shape 5×5×5'),
        ],
        ids=lambda value: repr(value)[:20],
    )
    @pytest.mark.parametrize("role", ["subject", "scene"])
    def test_each_is_one_clear_sentence_without_a_cure(self, files, fill, text, said, role):
        Path("refs").mkdir()
        Path("notes.txt").write_text("a cat")
        Path("damaged.png").write_bytes(damaged())
        variables = {
            "photos": [float("nan")],
            "number": 5,
            "nothing": None,
            "empty": [],
            "many": [photo()] * 200,
            "mixed": [photo(), np.zeros((5, 5, 5))],
        }
        (entry,) = fill(text, role, **variables)
        assert_sentence(entry.problem)
        if text != "many" or role == "subject":
            assert said.lower() in entry.problem.lower()
        assert entry.reference is None
        assert entry.cure == ""

    def test_a_name_with_quotes_is_not_left_in_part(self, fill):
        Path('a" b.png').write_bytes(file_of(photo(1, (100, 400))))
        (entry,) = fill('a" b.png')
        assert entry.problem.startswith("100 × 400 px (1:4); ")

    def test_what_its_code_raises_is_said_by_name(self, fill):
        class Broken:
            @property
            def photo(self):
                raise RuntimeError("no\nway")

        (entry,) = fill("broken.photo", broken=Broken())
        assert_sentence(entry.problem)
        assert "RuntimeError: no way" in entry.problem


def padded(data, total):
    """The same PNG with a chunk of nothing in it, so that it has so many bytes."""
    rest = bytes(total - len(data) - 12)
    chunk = struct.pack(">I", len(rest)) + b"zzZz" + rest + struct.pack(">I", zlib.crc32(b"zzZz" + rest))
    return data[:-12] + chunk + data[-12:]


class TestCures:
    @pytest.mark.parametrize(
        ("data", "cure"),
        [
            (file_of(photo(1, (100, 100))), "enlarge"),
            (file_of(photo(1, (299, 400))), "enlarge"),
            (file_of(photo(1, (400, 1200))), "pad"),
            (file_of(photo(1, (10, 100))), "enlarge and pad"),
            (padded(file_of(photo()), 10_000_001), "shrink"),
            (padded(file_of(photo(1, (100, 300))), 10_000_001), "enlarge and pad"),
        ],
        ids=["small", "nearly", "long", "both", "heavy", "all"],
    )
    @pytest.mark.parametrize("role", ["subject", "scene", "style"])
    def test_fitting_is_offered_where_it_helps_and_then_works(self, fill, keep, data, cure, role):
        Path("odd.png").write_bytes(data)
        (entry,) = fill("odd.png", role)
        assert entry.cure == cure
        assert entry.reference is None
        assert_sentence(entry.problem)
        (cured,) = read(replace(entry, fit=True, problem="", cure=""), role, Namespace({}), keep)
        assert (cured.problem, cured.cure, cured.fit) == ("", "", True)
        assert cured.reference.changes
        assert cured.source == Source("odd.png")
        assert "; " in cured.facts
        assert sent_with_fit("odd.png") == [cured.reference.sha256]

    @given(st.integers(1, 700), st.integers(1, 700))
    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    def test_a_cure_is_offered_exactly_when_a_picture_breaks_a_limit(self, keep, width, height):
        entry = Entry(Source("odd", is_variable=True), Image.new("L", (width, height)))
        (found,) = read(entry, "subject", Namespace({}), keep)
        fits = min(width, height) >= 300 and max(width, height) <= 2.5 * min(width, height)
        assert (not found.problem, not found.cure) == (fits, fits)
        (cured,) = read(replace(entry, fit=True), "subject", Namespace({}), keep)
        assert (cured.problem, cured.cure) == ("", "")
        assert cured.reference is not None

    def test_a_list_with_one_that_is_too_small_is_cured_as_a_whole(self, keep):
        photos = [photo(1), photo(2, (100, 100)), photo(3)]
        namespace = Namespace({"photos": photos})
        (entry,) = read(look("photos", namespace), "subject", namespace, keep)
        assert entry.cure == "enlarge"
        # Which of them it is cannot be seen from the slot.
        assert entry.problem == '"photos[1]" is 100 × 100 px; each side must be at least 300 px.'
        cured = read(replace(entry, fit=True, problem="", cure=""), "subject", namespace, keep)
        assert texts(cured) == ["photos[0]", "photos[1]", "photos[2]"]
        assert [entry.fit for entry in cured] == [True] * 3
        assert [entry.reference.sha256 for entry in cured] == sent_with_fit(photos)

    def test_what_is_made_to_fit_and_still_is_wrong_offers_nothing_more(self, keep):
        (entry,) = read(Entry(Source("x"), np.zeros((5, 5, 5)), fit=True), "subject", Namespace({}), keep)
        assert_sentence(entry.problem)
        assert entry.cure == ""


def sent_with_fit(value):
    return [each.sha256 for each in collect(value, "subject", fit=True)]


# --- files from the browser ----------------------------------------------------------------------


class TestReceive:
    @pytest.fixture
    def arrive(self, keep):
        def take(name, data, role="subject", **options):
            (entry,) = receive(Upload(name, data), role, Namespace({}), keep, **{"fit": False, **options})
            return entry

        return take

    def test_a_picture_is_kept_and_named_by_its_path(self, arrive, kept):
        data = file_of(photo())
        entry = arrive("My Cat.PNG", data)
        assert entry.source.text == f"kling_runs/uploads/{next(iter(kept()))}"
        assert re.fullmatch(r"my-cat-[0-9a-f]{8}\.png", Path(entry.source.text).name)
        assert kept() == {Path(entry.source.text).name: data}
        assert entry.reference.name == entry.source.text == entry.value
        assert_complete([entry], data)

    def test_the_same_file_twice_is_kept_once(self, arrive, kept):
        data = file_of(photo())
        assert arrive("cat.png", data).source == arrive("cat.png", data, "scene").source
        assert len(kept()) == 1
        assert arrive("cat.png", file_of(photo(2))).source != arrive("cat.png", data).source

    @pytest.mark.parametrize(
        ("name", "data"),
        [
            ("notes.txt", b"a cat"),
            ("cat.png", b"a cat"),
            ("cat.png", b""),
            ("cat.png", damaged()),
            ("cat.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
            ("cat.png", b"cat.png"),
        ],
        ids=["text", "text as picture", "empty", "damaged", "drawing", "a path"],
    )
    def test_what_is_no_picture_is_neither_kept_nor_held(self, files, arrive, kept, name, data):
        entry = arrive(name, data)
        assert_sentence(entry.problem)
        assert (entry.cure, entry.value, entry.reference) == ("", None, None)
        assert kept() == {}

    def test_one_that_is_too_small_is_kept_so_that_it_can_be_cured(self, arrive, keep, kept):
        entry = arrive("tiny.png", file_of(photo(1, (100, 100))))
        assert entry.cure == "enlarge"
        assert len(kept()) == 1
        (cured,) = read(replace(entry, fit=True, problem="", cure=""), "subject", Namespace({}), keep)
        assert cured.problem == ""
        assert cured.source == entry.source
        assert sent_with_fit(entry.source.text) == [cured.reference.sha256]

    def test_it_can_be_made_to_fit_at_once(self, arrive):
        entry = arrive("tiny.png", file_of(photo(1, (100, 100))), fit=True)
        assert (entry.problem, entry.fit) == ("", True)
        assert sent_with_fit(entry.source.text) == [entry.reference.sha256]

    def test_where_it_cannot_be_kept_it_cannot_be_sent(self):
        def keep(name, data):
            raise WorkspaceError("the disk is full")

        for size in ((320, 300), (100, 100)):
            upload = Upload("cat.png", file_of(photo(1, size)))
            (entry,) = receive(upload, "subject", Namespace({}), keep, fit=False)
            assert entry.problem == "The disk is full."
            # Nothing is held that could be made to fit.
            assert (entry.value, entry.reference, entry.thumbnail, entry.cure) == (None, None, None, "")

    def test_a_half_written_file_is_not_left(self, arrive, workspace, monkeypatch):
        workspace.journal  # noqa: B018 - the folder is there before the disk is full

        def full(*_args):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", full)
        entry = arrive("cat.png", file_of(photo()))
        assert "No space left" in entry.problem
        assert list(Path("kling_runs/uploads").iterdir()) == []

    @pytest.mark.parametrize(
        "name", ["../../x.png", "con", "", ".png", "x" * 255, "猫.png", "a\nb.png", "\udce9.png", "{cat}.png"]
    )
    def test_any_name_will_do(self, arrive, name):
        data = file_of(photo())
        entry = arrive(name, data)
        assert Path(entry.source.text).parent == Path("kling_runs/uploads")
        assert_complete([entry], data)


# --- looking again -------------------------------------------------------------------------------


class TestAgain:
    def test_a_variable_is_asked_anew_and_stays_fitted(self, keep):
        entry = replace(look("photo", Namespace({"photo": photo(1)})), fit=True)
        now = Namespace({"photo": photo(2)})
        again = look_again(entry, now)
        assert again.fit
        assert again.source == entry.source
        (found,) = read(again, "subject", now, keep)
        assert [found.reference.sha256] == sent(photo(2))

    def test_a_variable_that_is_gone_is_a_problem(self):
        again = look_again(look("photo", Namespace({"photo": photo(1)})), Namespace({}))
        assert_sentence(again.problem)
        assert again.reference is None

    def test_a_path_is_read_anew(self, files, fill, keep):
        (entry,) = fill("cat.png")
        Path("cat.png").write_bytes(Path("hat.png").read_bytes())
        (found,) = read(look_again(entry, Namespace({})), "subject", Namespace({}), keep)
        assert [found.reference.sha256] == sent("hat.png")
        Path("cat.png").unlink()
        (found,) = read(look_again(entry, Namespace({})), "subject", Namespace({}), keep)
        assert_sentence(found.problem)
        # What was found before is not passed off as what is there now.
        assert (found.reference, found.thumbnail) == (None, None)
