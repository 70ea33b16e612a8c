"""The workspace folder: what is kept, what it is called, and that the folder can be moved."""

import errno
import hashlib
import json
import os
import shutil
import threading
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from kling_nb.errors import WorkspaceError
from kling_nb.records import ImageRecord, Reference
from kling_nb.workspace.workspace import Workspace

PNG = b"\x89PNG as served, bit for bit"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def picture(data, **changes):
    sha256 = hashlib.sha256(data).hexdigest()
    return replace(Reference("subject", "cat", sha256, media_type="image/png", size=len(data), data=data), **changes)


# ---- the folder ----------------------------------------------------------------------------------


def test_nothing_is_made_before_it_is_written_to(workspace):
    assert not workspace.exists
    assert workspace.thumbnail("nothing") is None
    assert not workspace.folder.exists()
    workspace.close()


def test_its_parts_and_its_own_gitignore(workspace, tmp_path):
    workspace.journal  # noqa: B018
    assert workspace.exists
    assert names(workspace.folder) == [".gitignore", "journal.sqlite3"]
    assert (workspace.folder / ".gitignore").read_text().splitlines()[-1] == "*"
    workspace.keep_references([])
    workspace.keep_thumbnail("x", b"x")
    assert names(workspace.folder) == [".gitignore", "journal.sqlite3", "references", "thumbnails"]
    assert names(tmp_path) == ["kling_runs"]


def test_a_folder_that_may_not_be_read_is_said_and_used_again_when_it_may(workspace, monkeypatch):
    workspace.journal  # noqa: B018
    image = ImageRecord(0, path="images/cat.png")
    with monkeypatch.context() as patch:
        # As for whoever is not root; root may read everything.
        def refuse(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))

        def look(path, look=Path.stat, **options):
            return refuse(path) if workspace.folder in path.parents else look(path, **options)

        patch.setattr(Path, "iterdir", refuse)
        patch.setattr(Path, "stat", look)
        for use in (lambda: workspace.journal, lambda: workspace.exists, lambda: workspace.has(image)):
            with pytest.raises(WorkspaceError, match="cannot be read: Permission denied"):
                use()
        with pytest.raises(WorkspaceError, match="cannot be"):
            workspace.keep_thumbnail("x", b"x")
    assert workspace.exists
    assert workspace.journal.count() == 0
    assert not workspace.has(image)


def test_a_gitignore_that_is_there_stays(workspace):
    workspace.folder.mkdir()
    (workspace.folder / ".gitignore").write_text("mine")
    workspace.journal  # noqa: B018
    assert (workspace.folder / ".gitignore").read_text() == "mine"


def test_in_a_folder_with_other_things_only_our_own_is_ignored(workspace):
    workspace.folder.mkdir()
    (workspace.folder / "analysis.py").write_text("my own work")
    workspace.journal  # noqa: B018
    lines = (workspace.folder / ".gitignore").read_text().splitlines()
    assert "*" not in lines
    assert set(lines) >= {"/journal.sqlite3*", "/images/", "/references/", "/thumbnails/", "/.gitignore"}


def test_git_agrees(workspace):
    git = shutil.which("git")
    if git is None:
        pytest.skip("git is not installed")
    import subprocess

    workspace.folder.mkdir()
    (workspace.folder / "analysis.py").write_text("my own work")
    (workspace.folder / "sandbox").mkdir()
    (workspace.folder / "sandbox" / "x").write_text("x")
    subprocess.run([git, "init", "-q", str(workspace.folder)], check=True)
    workspace.journal  # noqa: B018
    workspace.keep_thumbnail("x", b"x")
    done = subprocess.run(
        [git, "-C", str(workspace.folder), "status", "--porcelain", "-uall"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "?? analysis.py\n"


@pytest.mark.parametrize("folder", ["a file", "a file/below"])
def test_a_folder_that_cannot_be_made_is_a_workspace_error(tmp_path, folder):
    (tmp_path / "a file").write_text("")
    with pytest.raises(WorkspaceError, match="a file"):
        Workspace(tmp_path / folder).journal  # noqa: B018


def test_several_threads_open_one_journal(workspace):
    barrier = threading.Barrier(6)
    found = []

    def first_use():
        barrier.wait()
        found.append(workspace.journal)

    threads = [threading.Thread(target=first_use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(map(id, found))) == 1


def test_it_can_be_used_again_after_close(workspace, record):
    workspace.journal.insert([record()])
    workspace.close()
    workspace.close()
    assert workspace.journal.get(record().id) == record()


@pytest.mark.parametrize("how", ["deleted", "emptied", "replaced", "parts"])
def test_a_folder_that_someone_deletes_is_made_anew(workspace, record, fetched, how):
    workspace.journal.insert([record(1)])
    workspace.keep_references([picture(b"cat")])
    if how == "emptied":
        for path in workspace.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    elif how == "parts":
        for path in workspace.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else None
    else:
        shutil.rmtree(workspace.folder)
    if how == "replaced":
        other = Workspace(workspace.folder)
        other.journal.insert([record(3)])
        other.close()
    workspace.keep_references([picture(b"cat")])
    workspace.journal.insert([record(2)])
    # What was under way when it was deleted is paid, and so it is written again.
    workspace.journal.update(record(1, task_status="submitted"))
    saved = workspace.save_image(record(1), fetched(data=PNG), PNG)
    assert (workspace.folder / saved.path).read_bytes() == PNG
    assert workspace.read_reference(replace(picture(b"cat"), data=None)) == b"cat"
    another = Workspace(workspace.folder)
    ids = [task.id[-1] for task in another.journal.newest()]
    assert ids == (["3", "2", "1"] if how == "replaced" else ["2", "1"])
    another.close()


# ---- references ----------------------------------------------------------------------------------


def test_references_are_stored_once_by_content(workspace):
    cat, same, url = picture(b"cat"), picture(b"cat", role="scene", name="again"), picture(b"")
    url = replace(url, url="https://example.com/a.png", data=None)
    workspace.keep_references([cat, same, url])
    stored = workspace.folder / "references" / f"{cat.sha256}.png"
    assert names(workspace.folder / "references") == [stored.name]
    assert stored.read_bytes() == b"cat"
    before = stored.stat().st_ino
    workspace.keep_references([cat])
    Workspace(workspace.folder).keep_references([cat])
    assert stored.stat().st_ino == before
    assert workspace.read_reference(replace(cat, data=None)) == b"cat"


def test_a_reference_that_was_changed_or_lost_is_not_passed_off(workspace):
    cat = picture(b"cat")
    workspace.keep_references([cat])
    stored = workspace.folder / "references" / f"{cat.sha256}.png"
    stored.write_bytes(b"dog")
    with pytest.raises(WorkspaceError, match="was changed"):
        workspace.read_reference(replace(cat, data=None))
    stored.unlink()
    with pytest.raises(WorkspaceError, match="is missing") as caught:
        workspace.read_reference(replace(cat, data=None))
    assert caught.value.advice == "Give the picture again."


@pytest.mark.parametrize("damage", ["changed", "lost"])
def test_giving_a_picture_again_mends_it(workspace, damage):
    cat = picture(b"cat")
    workspace.keep_references([cat])
    stored = workspace.folder / "references" / f"{cat.sha256}.png"
    stored.write_bytes(b"dog") if damage == "changed" else stored.unlink()
    workspace.keep_references([cat])
    assert stored.read_bytes() == b"cat"


# ---- uploads -------------------------------------------------------------------------------------


def test_an_upload_is_kept_under_its_own_name_bit_for_bit(workspace):
    path = workspace.keep_upload("My Cat.PNG", PNG)
    assert path == workspace.folder / "uploads" / f"my-cat-{hashlib.sha256(PNG).hexdigest()[:8]}.png"
    assert path.read_bytes() == PNG
    assert names(workspace.folder / "uploads") == [path.name]


def test_the_same_upload_is_kept_once_and_another_of_its_name_beside_it(workspace):
    first = workspace.keep_upload("cat.png", PNG)
    before = first.stat().st_ino
    assert workspace.keep_upload("cat.png", PNG) == first
    assert first.stat().st_ino == before
    second = workspace.keep_upload("cat.png", b"another cat")
    assert second != first
    assert (first.read_bytes(), second.read_bytes()) == (PNG, b"another cat")


@pytest.mark.parametrize("damage", ["changed", "lost"])
def test_an_upload_that_was_changed_or_lost_is_kept_anew(workspace, damage):
    path = workspace.keep_upload("cat.png", PNG)
    path.write_bytes(b"dog") if damage == "changed" else path.unlink()
    assert workspace.keep_upload("cat.png", PNG) == path
    assert path.read_bytes() == PNG


@pytest.mark.parametrize(
    "name",
    [
        "../../x",
        "/etc/passwd",
        "C:\\con",
        "con",
        "",
        ".",
        "..",
        ".png",
        "x" * 5000,
        "猫 🐱.png",
        "a\x00b\n",
        "caf\udce9.png",
    ],
    ids=lambda name: repr(name)[:20],
)
def test_no_name_leads_an_upload_out_of_its_folder(workspace, tmp_path, name):
    path = workspace.keep_upload(name, PNG)
    assert path.parent == workspace.folder / "uploads"
    assert path.read_bytes() == PNG
    assert names(workspace.folder / "uploads") == [path.name]
    assert names(tmp_path) == ["kling_runs"]


def test_a_full_disk_leaves_no_half_of_an_upload(workspace, monkeypatch):
    kept = workspace.keep_upload("cat.png", PNG)

    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(WorkspaceError, match="No space left on device"):
            workspace.keep_upload("dog.png", b"a dog")
    assert names(workspace.folder / "uploads") == [kept.name]
    assert workspace.keep_upload("dog.png", b"a dog").read_bytes() == b"a dog"


def test_halves_of_uploads_that_were_killed_are_tidied_away(workspace):
    kept = workspace.keep_upload("cat.png", PNG)
    half = kept.with_name(".writing-abc")
    half.write_bytes(b"half")
    os.utime(half, (0, 0))
    workspace.tidy()
    assert names(workspace.folder / "uploads") == [kept.name]


def test_uploads_are_kept_out_of_version_control(workspace):
    workspace.folder.mkdir()
    (workspace.folder / "analysis.py").write_text("my own work")
    workspace.keep_upload("cat.png", PNG)
    assert "/uploads/" in (workspace.folder / ".gitignore").read_text().splitlines()


# ---- images --------------------------------------------------------------------------------------


def test_an_image_is_saved_bit_for_bit_beside_its_record(workspace, record, fetched):
    some = record(created_at=datetime(2026, 11, 22, 14, 30, 5).timestamp())
    image = fetched(0, PNG)
    saved = workspace.save_image(some, image, PNG)
    assert saved == replace(image, path="images/2026-11-22_143005_a-cat-wearing-the-hat_1.png")
    assert (workspace.folder / saved.path).read_bytes() == PNG
    assert names(workspace.folder / "images") == [
        "2026-11-22_143005_a-cat-wearing-the-hat_1.json",
        "2026-11-22_143005_a-cat-wearing-the-hat_1.png",
    ]
    assert workspace.read_image(saved) == PNG


@pytest.mark.parametrize(
    ("media_type", "suffix"),
    [("image/jpeg", ".jpg"), ("image/png", ".png"), ("image/webp", ".webp"), ("image/x-odd", ".img"), (None, ".img")],
)
def test_the_ending_is_by_content(workspace, record, fetched, media_type, suffix):
    saved = workspace.save_image(record(), replace(fetched(), media_type=media_type), b"x")
    assert saved.path.endswith(f"_1{suffix}")


def test_the_record_beside_says_how_it_was_made(workspace, record, fetched):
    data = b"REFERENCE-BYTES"
    subject = picture(data, name="cat")
    style = Reference("style", "wave", "ef" * 32, url="https://example.com/wave.jpg")
    some = record(
        references=(subject, style),
        request={"aspect_ratio": "3:2", "external_task_id": "mine", "prompt": "çat 猫 🐱"},
        task_id="T-1",
        external_task_id="mine",
        task_status="succeeded",
        request_id="R-1",
        units="2.0",
        created_at=1_795_325_405.25,
        sent_at=1_795_325_406.0,
        submitted_at=1_795_325_407.0,
        finished_at=1_795_325_430.5,
    )
    saved = workspace.save_image(some, fetched(1, PNG), PNG)
    text = (workspace.folder / saved.path).with_suffix(".json").read_text(encoding="utf-8")
    note = json.loads(text)
    assert note["image"] == {
        "index": 1,
        "sha256": hashlib.sha256(PNG).hexdigest(),
        "media_type": "image/png",
        "width": 8,
        "height": 6,
        "size": len(PNG),
    }
    assert note["request"] == some.request
    assert note["task"]["id"] == some.id
    assert (note["task"]["task_id"], note["task"]["external_task_id"]) == ("T-1", "mine")
    assert (note["task"]["gateway"], note["task"]["request_id"]) == (some.gateway, "R-1")
    assert note["task"]["final_unit_deduction"] == "2.0"
    assert note["times"] == {
        "planned": "2026-11-22T05:30:05.250Z",
        "sent": "2026-11-22T05:30:06.000Z",
        "submitted": "2026-11-22T05:30:07.000Z",
        "processing": None,
        "finished": "2026-11-22T05:30:30.500Z",
    }
    cat, wave = note["references"]
    assert (cat["role"], cat["name"], cat["path"]) == ("subject", "cat", f"references/{subject.sha256}.png")
    assert (wave["url"], "path" in wave) == ("https://example.com/wave.jpg", False)
    assert note["sandbox"] is False
    assert note["schema"]
    assert note["kling_nb"]
    # Neither a picture's bytes, nor the gateway's signed address, nor a path of this machine.
    assert "REFERENCE-BYTES" not in text
    assert "signature=secret" not in text
    assert str(workspace.folder) not in text
    assert "çat 猫 🐱" in text


def test_a_name_that_is_no_text_does_not_cost_an_image(workspace, record, fetched):
    odd = replace(record().references[0], name="caf\udce9.png")
    saved = workspace.save_image(record(references=(odd,)), fetched(data=PNG), PNG)
    note = json.loads((workspace.folder / saved.path).with_suffix(".json").read_bytes())
    assert note["references"][0]["name"] == "caf\udce9.png"


def test_the_same_second_and_prompt_never_share_a_name(workspace, record, fetched):
    at = record().created_at
    tasks = [record(number, created_at=at, request={"n": 9}) for number in range(1, 5)]
    paths, wanted = [], {}
    lock = threading.Lock()

    def save(task):
        for index in range(3):
            data = f"{task.id} {index}".encode()
            saved = workspace.save_image(task, fetched(index, data), data)
            with lock:
                paths.append(saved.path)
                wanted[saved.path] = data

    threads = [threading.Thread(target=save, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(paths)) == 12
    for path, data in wanted.items():
        assert (workspace.folder / path).read_bytes() == data
        note = json.loads((workspace.folder / path).with_suffix(".json").read_bytes())
        assert note["image"]["sha256"] == hashlib.sha256(data).hexdigest()


def test_saving_again_keeps_the_name(workspace, record, fetched):
    first = workspace.save_image(record(), fetched(data=PNG), PNG)
    assert workspace.save_image(record(), fetched(data=PNG), PNG) == first
    assert len(names(workspace.folder / "images")) == 2


def test_a_picture_whose_record_someone_deleted_is_not_written_over(workspace, record, fetched):
    at = record().created_at
    first = workspace.save_image(record(1), fetched(data=b"first"), b"first")
    (workspace.folder / first.path).with_suffix(".json").unlink()
    second = workspace.save_image(record(2, created_at=at), fetched(data=b"second"), b"second")
    third = workspace.save_image(record(2, created_at=at), fetched(data=b"second"), b"second")
    assert first.path != second.path == third.path
    assert workspace.read_image(first) == b"first"
    assert workspace.read_image(second) == b"second"


@pytest.mark.parametrize("note", [b"", b"not json", b"[]", b'{"task": 1}', b'{"task": {}, "image": []}', b"\xff\xfe"])
def test_a_damaged_record_beside_is_left_alone(workspace, record, fetched, note):
    first = workspace.save_image(record(1), fetched(data=b"first"), b"first")
    beside = (workspace.folder / first.path).with_suffix(".json")
    beside.write_bytes(note)
    second = workspace.save_image(record(2, created_at=record(1).created_at), fetched(data=b"second"), b"second")
    assert second.path != first.path
    assert beside.read_bytes() == note
    assert workspace.read_image(first) == b"first"


def test_a_full_disk_leaves_neither_half_an_image_nor_a_record_of_it(workspace, record, fetched, monkeypatch):
    workspace.journal  # noqa: B018
    real, calls = os.fsync, []

    def fsync(handle):
        calls.append(1)
        # The record beside the image is small and still fits; the image does not.
        if os.fstat(handle).st_size > 10_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    data = bytes(20_000)
    with pytest.raises(WorkspaceError, match="No space left"):
        workspace.save_image(record(), fetched(data=data), data)
    assert calls
    assert names(workspace.folder / "images") == []
    monkeypatch.undo()
    assert workspace.saved_before(record(), fetched(data=data)) is None
    saved = workspace.save_image(record(), fetched(data=data), data)
    assert saved.path.endswith("a-cat-wearing-the-hat_1.png")


# ---- what a process that died has left ------------------------------------------------------------


def test_an_image_that_is_there_is_adopted(workspace, record, fetched):
    saved = workspace.save_image(record(), fetched(1, PNG), PNG)
    unknown = replace(fetched(1), sha256=None, media_type=None, width=None, height=None, size=None)
    assert workspace.saved_before(record(), unknown) == saved


def test_only_the_very_image_is_adopted(workspace, record, fetched):
    at = record().created_at
    saved = workspace.save_image(record(1), fetched(0, PNG), PNG)
    assert workspace.saved_before(record(1), fetched(1)) is None
    assert workspace.saved_before(record(2, created_at=at), fetched(0)) is None
    other = workspace.save_image(record(2, created_at=at), fetched(0, b"two"), b"two")
    assert workspace.saved_before(record(2, created_at=at), fetched(0)).path == other.path
    (workspace.folder / saved.path).write_bytes(b"half of i")
    assert workspace.saved_before(record(1), fetched(0)) is None
    (workspace.folder / saved.path).unlink()
    assert workspace.saved_before(record(1), fetched(0)) is None


def test_it_is_found_behind_a_name_that_has_become_free(workspace, record, fetched):
    at = record().created_at
    first = workspace.save_image(record(1), fetched(0, PNG), PNG)
    second = workspace.save_image(record(2, created_at=at), fetched(0, b"two"), b"two")
    for path in ((workspace.folder / first.path), (workspace.folder / first.path).with_suffix(".json")):
        path.unlink()
    assert workspace.saved_before(record(2, created_at=at), fetched(0)).path == second.path


def test_the_folder_can_be_moved(workspace, record, fetched, tmp_path):
    cat = picture(b"cat")
    saved = workspace.save_image(record(), fetched(data=PNG), PNG)
    workspace.journal.insert([record(references=(cat,), images=(saved,), task_status="succeeded", saved_at=1.0)])
    workspace.keep_references([cat])
    workspace.keep_thumbnail(saved.sha256, b"small")
    workspace.close()
    target = tmp_path / "elsewhere" / "renamed #1"
    target.parent.mkdir()
    shutil.move(workspace.folder, target)
    moved = Workspace(target)
    found = moved.journal.get(record().id)
    assert moved.read_image(found.images[0]) == PNG
    assert moved.read_reference(found.references[0]) == b"cat"
    assert moved.thumbnail(saved.sha256) == b"small"
    assert moved.saved_before(record(), fetched()).path == saved.path
    moved.close()
    assert not workspace.folder.exists()


def test_an_image_that_someone_deleted_says_where_it_was(workspace, record, fetched):
    saved = workspace.save_image(record(), fetched(data=PNG), PNG)
    (workspace.folder / saved.path).unlink()
    with pytest.raises(WorkspaceError) as caught:
        workspace.read_image(saved)
    assert str(workspace.folder / saved.path) in caught.value.message
    # It is complete for the journal, so `resume` would not fetch it.
    assert "resume" not in str(caught.value)
    assert saved.url in caught.value.advice
    with pytest.raises(WorkspaceError, match="Image 3 is not there") as caught:
        workspace.read_image(fetched(2))
    assert "`%kling resume`" in caught.value.advice
