"""The manifest: what is written is what is read, and what is wrong with one is said in one line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_nb import Kling
from kling_nb.compare import filenames, manifest
from kling_nb.compare.filenames import ImageName
from kling_nb.compare.page import as_script
from kling_nb.compare.public import public
from kling_nb.errors import WorkspaceError
from kling_nb.records import Reference
from kling_nb.sandbox import Sandbox
from kling_nb.session import gateway


@pytest.fixture(scope="module")
def saved(tmp_path_factory, pictures):
    """A comparison that was run and saved, and the folder."""
    place = tmp_path_factory.mktemp("saved")
    runs = place / "runs" / "sandbox"
    gateway._sandboxes[runs] = Sandbox(place / "gateway", seconds=0, images="constant").start()
    kling = Kling(sandbox=True, workspace=place / "runs", poll_interval=0.01)
    vary = {"n": [1, 2], "style_image": {"none": None, "wave": pictures(2)}}
    made = kling.compare("a cat", subject_images=pictures(1), vary=vary, samples=2, name="cats").run(quiet=True)
    folder = made.save(place / "out")
    yield made.record, made.records(), folder
    gateway.close_all()


@pytest.fixture(scope="module")
def text(saved):
    return (saved[2] / "manifest.json").read_text(encoding="utf-8")


@pytest.fixture
def changed(text):
    """Return the manifest with something in it put in place of what was there."""

    def change(path, value):
        data = json.loads(text)
        place = data
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        return json.dumps(data)

    return change


def test_what_is_written_is_what_is_read(saved, text):
    found = manifest.from_text(text, "manifest.json")
    assert manifest.to_text(found) == text
    record, tasks, _ = saved
    assert found.record.design == public(record).design
    assert (found.record.id, found.record.seed, found.record.name) == (record.id, record.seed, "cats")
    assert found.tasks.keys() == tasks.keys()
    for key, task in tasks.items():
        read = found.tasks[key]
        assert (read.id, read.request, read.digest, read.units) == (task.id, task.request, task.digest, task.units)
        assert (read.owner, read.account) == ("", "")
        assert [image.sha256 for image in read.images] == [image.sha256 for image in task.images]


def test_it_says_what_a_reader_needs(text):
    data = json.loads(text)
    assert list(data) == [
        "schema",
        "kind",
        "kling_nb",
        "created_at",
        "comparison",
        "design",
        "tasks",
        "references",
        "files",
    ]
    assert data["comparison"]["gateway"] == "sandbox"
    assert len(data["tasks"]) == 8
    assert {"digest", "sample", "request", "task_status", "task_id"} <= data["tasks"][0].keys()


def test_unknown_keys_are_kept(text):
    data = json.loads(text)
    data["ratings"] = {"by": "model_name", "answers": [1, 2]}
    data["tasks"][0]["images"][0]["sharpness"] = 0.5
    data["tasks"][0]["references"] = "later"
    data["design"]["references"] = {
        key: value | {"palette": ["red"]} for key, value in data["design"]["references"].items()
    }
    found = manifest.from_text(json.dumps(data), "manifest.json")
    assert json.loads(manifest.to_text(found))["ratings"] == {"by": "model_name", "answers": [1, 2]}


@pytest.mark.parametrize(
    "bad", ["", "nonsense", "[]", "null", "{}", '{"kind": "something"}', "[" * 100_000, '"\ud800"']
)
def test_what_is_no_manifest_is_said(bad):
    with pytest.raises(WorkspaceError) as caught:
        manifest.from_text(bad, "there/manifest.json")
    assert caught.value.message.startswith("there/manifest.json cannot be read as a comparison (")
    assert len(caught.value.message.splitlines()) == 1


def test_a_newer_one_is_said(changed):
    with pytest.raises(
        WorkspaceError, match=r"written by a newer kling_nb \(manifest version 2; this one reads 1\)"
    ) as caught:
        manifest.from_text(changed(["schema"], 2), "manifest.json")
    assert caught.value.advice == "Upgrade kling_nb."
    with pytest.raises(WorkspaceError, match="newer kling_nb"):
        manifest.from_text(changed(["design", "schema"], 99), "manifest.json")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["comparison"], None),
        (["comparison", "created_at"], "yesterday"),
        (["design"], []),
        (["design", "cells"], None),
        (["design", "cells", 0, "references"], ["unheard of"]),
        (["design", "cells", 0, "request"], "a cat"),
        (["design", "cells", 0, "coordinates"], {}),
        (["design", "cells", 0, "coordinates"], {"n": "1", "style_image": "unheard of"}),
        (["design", "samples"], "many"),
        (["tasks", 0, "request"], {}),
        (["tasks", 0, "images"], [None]),
        (["tasks", 0, "reference_list"], 7),
        (["tasks"], 7),
        (["files", 0], {}),
        (["created_at"], None),
        (["schema"], "one"),
    ],
)
def test_what_is_broken_is_said_in_one_line(changed, path, value):
    with pytest.raises(WorkspaceError) as caught:
        manifest.from_text(changed(path, value), "manifest.json")
    assert len(caught.value.message.splitlines()) == 1


@pytest.mark.parametrize(
    "outside", ["../x.png", "/etc/passwd", "images/../../x", "C:x.png", "a\\..\\b", "//host/x", "", "a\0b"]
)
@pytest.mark.parametrize("where", ["files", "references", "images"])
def test_no_path_leads_out_of_the_folder(changed, text, outside, where):
    data = json.loads(text)
    path = {
        "files": ["files", 0, "path"],
        "references": ["references", next(iter(data["references"]))],
        "images": ["tasks", 0, "images", 0, "path"],
    }[where]
    if where == "images" and not outside:
        return
    with pytest.raises(WorkspaceError, match="leads out of the folder"):
        manifest.from_text(changed(path, outside), "manifest.json")


def test_a_request_that_was_changed_is_said(changed):
    other = changed(["design", "cells", 0, "request", "prompt"], "a dog")
    with pytest.raises(WorkspaceError, match="the request of the cell 1 × none is not the one that was saved"):
        manifest.from_text(other, "manifest.json")
    assert manifest.from_text(other, "manifest.json", verify=False).record.design.cells[0].request["prompt"] == "a dog"


@given(labels=st.lists(st.text(max_size=130), min_size=1, max_size=7), cells=st.integers(1, 100_000))
def test_names_are_short_and_harmless_whatever_the_labels(labels, cells):
    stem = filenames.image_stem(ImageName(cells - 1, 99, 8), labels, cells)
    assert len(stem) <= 96
    assert len(stem.encode()) <= 200
    assert stem.startswith(f"{cells}_")
    assert not set(stem) & set('<>:"/\\|?*. ')
    assert stem.isprintable()
    stem.encode()


@given(names=st.lists(st.text(max_size=200), min_size=1, max_size=12))
def test_references_never_share_a_name(names):
    references = [
        Reference("subject", name, f"{number:064}", media_type="image/png") for number, name in enumerate(names)
    ]
    found = filenames.reference_names(references)
    assert len({name.casefold() for name in found.values()}) == len(names)
    assert all(len(name) <= 100 and not set(name) & set('<>:"/\\|?* ') for name in found.values())


def test_the_name_of_a_reference_is_what_it_is_called():
    names = [("refs/hat.png", "image/png"), ("cat", "image/jpeg"), ("https://x.org/a.png", None)]
    references = [
        Reference("subject", name, str(number), media_type=kind, url=name if kind is None else None)
        for number, (name, kind) in enumerate(names)
    ]
    assert filenames.reference_names(references) == {"0": "01_hat.png", "1": "02_cat.jpg"}


TEXT = st.text(max_size=20) | st.text("</script>&!-\u2028", max_size=20)


@given(
    # What is drawn takes longer than what is tested, and more leaves show nothing more.
    st.recursive(
        TEXT | st.integers() | st.none(),
        lambda each: st.lists(each, max_size=4) | st.dictionaries(TEXT, each, max_size=4),
        max_leaves=8,
    )
)
def test_data_in_a_page_is_as_it_was_and_ends_no_script(value):
    text = as_script(value)
    assert json.loads(text) == value
    assert not set(text) & set("<>&")
    text.encode()
