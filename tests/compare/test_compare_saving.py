"""A comparison as a folder: what is in it, and that there is all of it or none."""

import csv
import hashlib
import io
import json
import os
import re
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from kling_nb.compare import saving
from kling_nb.errors import InvalidRequest, WorkspaceError

HOSTILE = {
    "</script><img src=x onerror=alert(1)>": "a cat",
    "../../x": "a dog",
    "CON": "a cow",
    'a/b\\c:d*e?f"g<h>i|j': "an ant",
    "猫" * 100: "a bee",
    "Ünïcode é " + "very long " * 12: "a fox",
    "🐈‍⬛": "a hen",
}


@pytest.fixture
def compare(kling, cat, pictures):
    def made(kling=kling, **given):
        vary = {"n": [1, 2], "style_image": {"none": None, "wave": pictures(2)}}
        return kling.compare(**({"prompt": "a cat", "subject_images": cat, "vary": vary} | given))

    return made


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def rows_of(folder):
    return list(csv.DictReader(io.StringIO((folder / "images.csv").read_text(encoding="utf-8"), newline="")))


def data_of(folder):
    """What the page knows, read as a browser would find it."""
    page = (folder / "index.html").read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_the_folder_has_every_image_and_reference_bit_for_bit(compare, cat, pictures):
    made = compare(samples=2).run()
    folder = made.save("out")
    assert folder == Path.cwd() / "out"
    assert {path.name for path in folder.iterdir()} == {
        "index.html",
        "images.csv",
        "manifest.json",
        "images",
        "references",
        "thumbnails",
    }
    served = sorted(image.sha256 for image in made.images)
    assert sorted(hashlib.sha256(p.read_bytes()).hexdigest() for p in (folder / "images").iterdir()) == served
    assert {path.read_bytes() for path in (folder / "references").iterdir()} == {cat, pictures(2)}
    for path in (folder / "thumbnails").iterdir():
        with Image.open(path) as small:
            assert small.format == "JPEG"
            assert max(small.size) <= 512


def test_every_file_is_in_the_manifest_with_its_hash_and_size(compare):
    folder = compare().run().save("out")
    listed = {each["path"]: (each["sha256"], each["size"]) for each in manifest_of(folder)["files"]}
    there = {
        path.relative_to(folder).as_posix(): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size)
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    assert listed == there


def test_the_name_of_an_image_says_its_cell_and_the_table_says_which_task(compare):
    made = compare(samples=2).run()
    folder = made.save("out")
    by_id = {task.id: task for task in made.tasks}
    rows = rows_of(folder)
    assert len(rows) == len(made.images) == 12
    for row in rows:
        number, n, style, sample, image = Path(row["path"]).stem.split("_")
        cell = made.cells[int(number) - 1]
        assert (
            dict(cell.coordinates)
            == {"n": n, "style_image": style}
            == {"n": row["n"], "style_image": row["style_image"]}
        )
        assert sample == f"sample{int(row['sample']) + 1}"
        assert image == f"image{int(row['index']) + 1}"
        assert hashlib.sha256((folder / row["path"]).read_bytes()).hexdigest() == row["sha256"]
        task = by_id[row["id"]].record
        assert task.digest == cell.digest
        assert row["sha256"] in {each.sha256 for each in task.images}


def test_the_table_is_the_data_frame(compare):
    pd = pytest.importorskip("pandas")
    made = compare(prompt='a "cat", and\na dog; =1+1').run()
    read = pd.read_csv(made.save("out") / "images.csv")
    frame = made.to_dataframe()
    assert list(read.columns) == list(frame.columns)
    for name in ("comparison", "n", "style_image", "sample", "state", "id", "task_id", "prompt", "sha256"):
        assert [str(value) for value in read[name]] == [str(value) for value in frame[name]]


def test_hostile_labels_give_harmless_names_and_stay_as_they_are_in_the_data(compare):
    made = compare(prompt=None, vary={"prompt": HOSTILE}).run()
    folder = made.save("out")
    names = [path.name for path in (folder / "images").iterdir()]
    assert len(names) == len(HOSTILE)
    assert len({unicodedata.normalize("NFD", name).casefold() for name in names}) == len(names)
    for name in names:
        assert len(name) <= 100
        assert len(name.encode()) <= 200
        assert re.fullmatch(r"[\w.\-\u0300-\u036f]+\.jpg", name), name
        assert re.match(r"\d", name)
    labels = list(made.axes[0].labels)
    assert manifest_of(folder)["design"]["axes"][0]["levels"][0]["label"] == labels[0]
    assert [row["prompt"] for row in rows_of(folder)] == labels
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert page.count("</script>") == 2
    assert "onerror=alert" not in page.replace("\\u003cimg src=x onerror=alert", "")
    assert data_of(folder)["axes"][0]["levels"] == labels


def test_what_failed_and_what_was_not_asked_for_is_there_with_its_state(compare, kling):
    prompts = ["a cat", "[sandbox: fail] a cat", "[sandbox: refuse] a cat"]
    folder = compare(prompt=None, vary={"prompt": prompts}).run().save("out")
    assert [(row["state"], row["path"] != "") for row in rows_of(folder)] == [
        ("done", True),
        ("refused", False),
        ("refused", False),
    ]
    said = [cell["samples"][0]["said"] for cell in data_of(folder)["cells"]]
    assert said[0] == "done"
    assert said[2].startswith("refused: ")
    assert data_of(folder)["sandbox"] is True
    planned = compare(prompt="another").save("planned")
    assert [row["state"] for row in rows_of(planned)] == ["planned"] * 4
    assert [cell["samples"][0]["said"] for cell in data_of(planned)["cells"]] == ["not asked for"] * 4
    assert len(list((planned / "references").iterdir())) == 2


def test_planning_and_saving_asks_for_nothing_and_makes_no_journal(compare, sandbox, kling):
    compare().save("out")
    assert sandbox.ledger.entries() == []
    assert not kling.session.workspace.exists


def test_an_image_whose_file_is_gone_or_changed_is_said(compare, capsys, monkeypatch):
    made = compare().run()
    gone, changed = made.images[0], made.images[1]
    gone.path.unlink()
    changed.path.write_bytes(changed.bytes + b"more")
    notes = []
    monkeypatch.setattr(
        "kling_nb.session.screen.Screen.note", lambda self, message, problem=False: notes.append(message)
    )
    folder = made.save("out")
    assert len(list((folder / "images").iterdir())) == len(made.images) - 2
    assert [row["path"] for row in rows_of(folder)].count("") == 2
    problems = [
        image.get("problem") for cell in data_of(folder)["cells"] for s in cell["samples"] for image in s["images"]
    ]
    assert sorted(filter(None, problems)) == sorted([saving._GONE, saving._CHANGED])
    assert len(notes) == 1
    assert notes[0].startswith("Saved 4 images in out. Not there any more: image 1 of task ")
    assert f"image 1 of task {gone.metadata['task']['id']}" in notes[0]


@pytest.mark.parametrize("kind", ["folder", "empty folder", "file", "dangling link"])
def test_what_exists_is_not_touched(compare, tree, kind):
    made = compare().run()
    target = Path("out")
    if kind.endswith("folder"):
        target.mkdir()
        if kind == "folder":
            (target / "mine.txt").write_text("mine")
    elif kind == "file":
        target.write_text("mine")
    else:
        target.symlink_to("nowhere")
    before = tree(Path.cwd())
    with pytest.raises(InvalidRequest, match="exists, and was not touched") as caught:
        made.save("out")
    assert caught.value.money == ""
    assert len(caught.value.message.splitlines()) == 1
    assert tree(Path.cwd()) == before


@pytest.mark.parametrize("name", ["", "  ", None, 7, b"out", "a\0b"])
def test_what_is_no_name_is_refused(compare, name):
    with pytest.raises(InvalidRequest, match="must be the name of a folder"):
        compare().save(name)


def test_a_path_and_folders_around_it_will_do(compare):
    folder = compare().save(Path("a") / "b" / "out")
    assert (folder / "manifest.json").is_file()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), RuntimeError()])
def test_nothing_half_written_is_left(compare, monkeypatch, tree, error):
    made = compare().run()
    before = tree(Path.cwd())
    real = saving._Writer._put

    def put(self, path, data):
        if path == "index.html":
            raise error
        return real(self, path, data)

    monkeypatch.setattr(saving._Writer, "_put", put)
    expected = WorkspaceError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected) as caught:
        made.save("out")
    if isinstance(error, OSError):
        assert "out cannot be written: No space left on device" in caught.value.message
    assert tree(Path.cwd()) == before


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_one_clear_error(compare):
    Path("closed").mkdir(mode=0o500)
    with pytest.raises(WorkspaceError, match="cannot be written"):
        compare().save("closed/out")


def test_a_folder_that_came_meanwhile_is_not_touched(compare, monkeypatch):
    made = compare().run()
    real = saving._Writer.write

    def write(self, *args):
        real(self, *args)
        Path("out").mkdir()
        Path("out/mine.txt").write_text("mine")

    monkeypatch.setattr(saving._Writer, "write", write)
    with pytest.raises(InvalidRequest, match="exists, and was not touched"):
        made.save("out")
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["kling_runs", "out"]
    assert [path.name for path in Path("out").iterdir()] == ["mine.txt"]


def test_nothing_private_leaves(kling, pictures):
    home = Path.cwd() / "home-of-somebody"
    home.mkdir()
    (home / "cat.png").write_bytes(pictures(1))
    (home / "wave.png").write_bytes(pictures(2))
    made = kling.compare(
        "a cat",
        subject_images=home / "cat.png",
        vary={"style_image": [None, str(home / "wave.png")]},
        callback_url="https://example.com/hook?secret=word",
    ).run()
    assert made.cells[0].request["callback_url"]
    folder = made.save("out")
    names = sorted(path.name for path in (folder / "references").iterdir())
    assert names == ["01_cat.png", "02_wave.png"]
    owner = kling.session.workspace.journal.newest()[0].owner or "|no one|"
    for path in folder.glob("*.*"):
        text = path.read_text(encoding="utf-8")
        for secret in ("home-of-somebody", "secret=word", "callback_url", owner, str(Path.cwd())):
            assert secret not in text, (path.name, secret)
    assert {row["subject_images"] for row in rows_of(folder)} == {"cat.png"}


def test_a_reference_that_tells_where_it_was_taken_is_pointed_out(kling, monkeypatch):
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 30.0)})
    Image.new("RGB", (400, 400), "teal").save("holiday.jpg", exif=exif)
    made = kling.compare("a cat", subject_images="holiday.jpg", vary={"n": [1, 2]})
    notes = []
    monkeypatch.setattr("kling_nb.session.screen.Screen.note", lambda self, message, **_: notes.append(message))
    made.save("out")
    assert notes == [
        "Saved 0 images in out. The folder tells where a picture was taken, by the metadata of holiday.jpg."
    ]


def test_progress_is_shown_where_it_takes_longer(compare, monkeypatch):
    from kling_nb.compare import progress

    monkeypatch.setattr(progress, "_MOMENT", 0.0)
    monkeypatch.setattr(progress, "_OFTEN", 0.0)
    made = compare().run()
    lines, notes = [], []
    monkeypatch.setattr("kling_nb.session.screen.Screen.live", lambda self, html, line: lines.append(line))
    monkeypatch.setattr("kling_nb.session.screen.Screen.note", lambda self, message, **_: notes.append(message))
    made.save("out")
    assert lines[0] == "Saving 6 images: 1 of 6"
    assert lines[-1] == "Saving 6 images: 6 of 6"
    assert notes == ["Saved 6 images in out."]
