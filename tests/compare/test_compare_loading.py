"""A saved comparison loaded back: from the folder alone, whole, and asked for anew."""

import json
import re
import shutil
from pathlib import Path

import pytest

from kling_nb import Kling
from kling_nb.compare.records import from_data, to_data
from kling_nb.errors import InvalidRequest, WorkspaceError
from kling_nb.sandbox import Sandbox
from kling_nb.session import gateway


@pytest.fixture
def made(kling, cat, pictures):
    vary = {"n": [1, 2], "style_image": {"none": None, "wave": pictures(2)}}
    return kling.compare("a cat", subject_images=cat, vary=vary, samples=2, name="cats").run()


@pytest.fixture
def folder(made):
    return made.save("out")


def bare(html):
    """A grid without where its pictures are linked to."""
    return re.sub(r'href="[^"]*"', "", html)


@pytest.fixture
def elsewhere(folder, new_kernel, tmp_path):
    """A `Kling` with another workspace, and the folder moved, with nothing of the first workspace left."""
    new_kernel()
    moved = tmp_path / "moved" / "folder of a colleague"
    shutil.copytree(folder, moved)
    shutil.rmtree(folder)
    shutil.rmtree("kling_runs/sandbox", ignore_errors=True)
    runs = tmp_path / "runs" / "sandbox"
    gateway._sandboxes[runs] = Sandbox(tmp_path / "gateway", seconds=0, images="constant").start()
    return Kling(sandbox=True, workspace=tmp_path / "runs", poll_interval=0.01, timeout=30), moved


def test_it_is_the_same_comparison(made, folder, kling):
    loaded = kling.load_comparison(folder)
    assert (loaded.id, loaded.name, loaded.seed, loaded.gateway) == (made.id, made.name, made.seed, made.gateway)
    assert loaded.counts == made.counts == {"done": 8}
    assert repr(loaded) == repr(made)
    assert [task.id for task in loaded.tasks] == [task.id for task in made.tasks]
    assert [image.bytes for image in loaded.images] == [image.bytes for image in made.images]
    assert [image.metadata["task"] for image in loaded.images] == [image.metadata["task"] for image in made.images]
    assert all(image.path.parent == folder / "images" for image in loaded.images)
    ours, theirs = (each.grid().bundle()[0]["text/html"] for each in (loaded, made))
    assert bare(ours) == bare(theirs)


def test_the_data_frame_is_the_same(made, folder, kling):
    pd = pytest.importorskip("pandas")
    ours, theirs = kling.load_comparison(folder).to_dataframe(), made.to_dataframe()
    assert [path.startswith("out") for path in ours["path"]] == [True] * 12
    pd.testing.assert_frame_equal(ours.drop(columns="path"), theirs.drop(columns="path"))


def test_it_needs_nothing_but_the_folder_and_writes_nothing(elsewhere, tree, tmp_path):
    kling, folder = elsewhere
    before = tree(tmp_path)
    loaded = kling.load_comparison(folder)
    assert loaded.counts == {"done": 8}
    assert len(loaded.images) == 12
    assert loaded.images[0].image.size
    html = loaded.bundle()[0]["text/html"]
    assert html.count("<img") >= 12
    assert "there any more" not in html
    assert loaded.tasks[0].wait(quiet=True).images
    assert loaded.tasks.bundle()[0]["text/html"].count("<img") >= 12
    assert tree(tmp_path) == before


def test_it_can_be_saved_again(folder, kling, tree):
    again = kling.load_comparison(folder).save("again")
    first, second = tree(folder), tree(again)
    assert first.keys() == second.keys()
    same = {name for name in first if first[name] == second[name]}
    # The page says in which minute it was saved.
    assert "manifest.json" in first.keys() - same <= {"index.html", "manifest.json"}
    first, second = (json.loads(each["manifest.json"]) for each in (first, second))
    for each in (first, second):
        del each["created_at"]
        each["files"] = [file for file in each["files"] if file["path"] != "index.html"]
    assert first == second


def test_what_was_added_to_the_manifest_is_kept(folder, kling):
    path = folder / "manifest.json"
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data | {"notes": [1, 2, 3]}))
    loaded = kling.load_comparison(folder)
    assert loaded.more == {"notes": [1, 2, 3]}
    assert json.loads((loaded.save("again") / "manifest.json").read_text())["notes"] == [1, 2, 3]


def test_failed_and_planned_samples_come_back(kling, cat, sandbox):
    prompts = ["a cat", "[sandbox: refuse] a cat"]
    part = kling.compare(None, subject_images=cat, vary={"prompt": prompts}).run()
    loaded = kling.load_comparison(part.save("part"))
    assert loaded.counts == {"done": 1, "refused": 1}
    assert loaded.tasks[1].record.failure == part.tasks[1].record.failure
    planned = kling.compare("another", subject_images=cat, vary={"n": [1, 2]})
    assert kling.load_comparison(planned.save("planned")).counts == {"planned": 2}
    assert "2 planned" in kling.load_comparison("planned").bundle()[0]["text/plain"]


def test_repeats_of_one_request_come_back(kling, cat):
    repeats = kling.compare("a cat", subject_images=cat, samples=3, name="repeats").run()
    loaded = kling.load_comparison(repeats.save("repeats"))
    assert (loaded.axes, loaded.counts) == ((), {"done": 3})
    assert min(path.name for path in Path("repeats/images").iterdir()) == "1_sample1_image1.jpg"
    assert loaded.rerun().counts == {"done": 3}


def test_a_loaded_one_does_not_go_on(folder, kling, sandbox):
    loaded = kling.load_comparison(folder)
    paid = len(sandbox.ledger.entries())
    for act in (loaded.run, loaded.retry_failed):
        with pytest.raises(InvalidRequest, match=r"`\.rerun\(\)` asks for all of it anew") as caught:
            act()
        assert len(caught.value.message.splitlines()) == 1
    assert len(sandbox.ledger.entries()) == paid


@pytest.mark.parametrize("part", ["images", "references"])
@pytest.mark.parametrize("harm", ["changed", "cut", "missing"])
def test_a_file_that_is_not_as_it_was_is_named(folder, kling, part, harm):
    path = sorted((folder / part).iterdir())[0]
    if harm == "missing":
        path.unlink()
    elif harm == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        data = bytearray(path.read_bytes())
        data[-20] ^= 1
        path.write_bytes(data)
    said = "is missing" if harm == "missing" else "was changed"
    with pytest.raises(WorkspaceError) as caught:
        kling.load_comparison(folder)
    assert caught.value.message == f"out: {part}/{path.name} {said}."
    loaded = kling.load_comparison(folder, verify=False)
    assert loaded.counts == {"done": 8}
    if part == "references":
        with pytest.raises(WorkspaceError, match=f"{path.name} {said}"):
            loaded.rerun()


def test_several_files_are_counted(folder, kling):
    for path in (folder / "images").iterdir():
        path.unlink()
    with pytest.raises(WorkspaceError, match="is missing, and 11 more files not as saved"):
        kling.load_comparison(folder)


def test_thumbnails_and_the_page_may_be_changed(folder, kling):
    shutil.rmtree(folder / "thumbnails")
    (folder / "index.html").write_text("mine")
    loaded = kling.load_comparison(folder)
    assert loaded.bundle()[0]["text/html"].count("<img") >= 12
    assert not (folder / "thumbnails").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [("nowhere", "There is no folder"), ("empty", "There is no manifest.json in"), ("file", "There is no folder")],
)
def test_what_is_no_saved_comparison_is_said(kling, name, said):
    Path("empty").mkdir()
    Path("file").write_text("")
    with pytest.raises(WorkspaceError, match=said):
        kling.load_comparison(name)


def test_what_is_no_name_is_said(kling):
    with pytest.raises(InvalidRequest, match="folder is 7; it must be the name of a folder"):
        kling.load_comparison(7)


def test_a_newer_or_broken_manifest_is_said(folder, kling):
    path = folder / "manifest.json"
    text = path.read_text()
    path.write_text(text.replace('"schema": 1', '"schema": 2', 1))
    with pytest.raises(WorkspaceError, match="written by a newer kling_nb"):
        kling.load_comparison(folder)
    path.write_bytes(b"\xff\xfe not JSON")
    with pytest.raises(WorkspaceError, match="it is not JSON"):
        kling.load_comparison(folder)


# ---- once more ------------------------------------------------------------------------------------------------------


def test_a_rerun_asks_for_all_of_it_anew(made, kling, sandbox, new_kling):
    before = [task.id for task in made.tasks]
    again = made.rerun()
    assert again.name == "cats (rerun)"
    assert again.counts == {"done": 8}
    assert len(sandbox.ledger.entries()) == 16
    assert not {task.id for task in again.tasks} & set(before)
    assert [task.id for task in made.tasks] == before
    assert again.seed != made.seed
    assert again.design == made.design
    third = again.rerun()
    assert third.name == "cats (rerun 2)"
    assert len({task.id for each in (made, again, third) for task in each.tasks}) == 24
    found = new_kling().comparison("cats (rerun)").run()
    assert [task.id for task in found.tasks] == [task.id for task in again.tasks]
    assert len(sandbox.ledger.entries()) == 24


def test_neither_a_rerun_nor_its_first_is_taken_for_the_other(made, kling, cat, pictures, sandbox):
    again = made.rerun()
    vary = {"n": [1, 2], "style_image": {"none": None, "wave": pictures(2)}}
    same = kling.compare("a cat", subject_images=cat, vary=vary, samples=2)
    assert (same.id, same.record.replicate) == (made.id, 0)
    grown = kling.compare("a cat", subject_images=cat, vary=vary, samples=3, name="cats")
    assert grown.counts == {"done": 8, "planned": 4}
    grown_again = kling.compare("a cat", subject_images=cat, vary=vary, samples=3, name="cats (rerun)")
    assert grown_again.record.replicate == again.record.replicate
    assert grown_again.run().counts == {"done": 12}
    assert grown.counts == {"done": 8, "planned": 4}
    assert {task.id for task in again.tasks} < {task.id for task in grown_again.tasks}
    assert len(sandbox.ledger.entries()) == 20


def test_a_rerun_that_was_not_agreed_to_leaves_nothing(made, new_kling, sandbox):
    careful = new_kling(confirm_above=1).comparison("cats")
    with pytest.raises(InvalidRequest, match="yes"):
        careful.rerun()
    assert len(sandbox.ledger.entries()) == 8
    assert careful.rerun(yes=True).name == "cats (rerun)"


def test_a_name_that_is_taken_is_refused(made, sandbox):
    with pytest.raises(InvalidRequest, match='There is a comparison "cats" already'):
        made.rerun("cats")
    with pytest.raises(InvalidRequest, match="must be a text of one line"):
        made.rerun("two\nlines")
    assert len(sandbox.ledger.entries()) == 8


def test_without_a_name_a_rerun_has_none_either(kling, cat):
    first = kling.compare("a cat", subject_images=cat, vary={"n": [1, 2]}).run()
    again = first.rerun()
    assert again.name == again.id != first.id


def test_a_folder_of_a_colleague_is_rerun_with_its_references(elsewhere, cat, pictures, tmp_path):
    kling, folder = elsewhere
    loaded = kling.load_comparison(folder)
    again = loaded.rerun("mine")
    assert again.counts == {"done": 8}
    assert (again.name, again.gateway) == ("mine", "sandbox")
    assert [cell.digest for cell in again.cells] == [cell.digest for cell in loaded.cells]
    stored = {path.read_bytes() for path in (tmp_path / "runs" / "sandbox" / "references").iterdir()}
    assert stored == {cat, pictures(2)}
    assert kling.comparison("mine").counts == {"done": 8}
    assert kling.load_comparison(again.save(tmp_path / "mine")).record.replicate == again.record.replicate


def test_a_rerun_goes_to_this_sessions_gateway(folder, tmp_path):
    with Sandbox(tmp_path / "gateway", seconds=0, images="constant") as other:
        real = Kling("key", base_url=other.base_url, workspace=tmp_path / "runs", poll_interval=0.01, timeout=30)
        loaded = real.load_comparison(folder)
        assert loaded.gateway == "sandbox"
        again = loaded.rerun()
        assert (again.gateway, again.counts) == (other.base_url, {"done": 8})
        assert len(other.ledger.entries()) == 8


@pytest.mark.parametrize(
    "more",
    [
        {"scene_image": "cat.png", "vary": {"n": [1, 2]}},
        {"vary": {"style_image": {"none": None, "cat": "cat.png"}}},
        {"subject_images": {"cat": "cat.png", "the same": "copy.png"}, "vary": {"n": [1, 2]}},
    ],
)
def test_a_picture_in_two_roles_or_under_two_names_is_found_again(kling, new_kernel, new_kling, cat, more):
    for name in ("cat.png", "copy.png"):
        Path(name).write_bytes(cat)
    asked = {"subject_images": "cat.png", "name": "same", **more}
    made = kling.compare("a cat", **asked).run()
    folder = made.save("two roles")
    assert kling.load_comparison(folder).counts == {"done": 2}
    new_kernel()
    again = new_kling()
    assert again.comparison("same").id == made.id
    assert again.compare("a cat", **asked).id == made.id
    found = [cell.references for cell in again.comparison("same").design.cells]
    assert [[(each.role, each.name, each.sha256) for each in some] for some in found] == [
        [(each.role, each.name, each.sha256) for each in cell.references] for cell in made.design.cells
    ]


def test_a_design_that_names_one_of_two_roles_of_a_picture_is_read_all_the_same(kling, cat):
    design = kling.compare("a cat", subject_images=cat, scene_image=cat, vary={"n": [1, 2]}).design
    data = to_data(design)
    data["references"] = {key: value for key, value in data["references"].items() if key.startswith("scene")}
    assert len(data["references"]) == 1
    read, *_ = from_data(json.loads(json.dumps(data))).cells
    assert [(each.role, each.name) for each in read.references] == [
        (each.role, each.name) for each in design.cells[0].references
    ]
    data["references"] = {}
    with pytest.raises(WorkspaceError, match="design cannot be read"):
        from_data(data)
