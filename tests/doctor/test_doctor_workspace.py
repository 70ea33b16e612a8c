"""The workspace, the key, what was learned and the settings, as the doctor finds them; he changes none of it."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from kling_nb import Kling
from kling_nb.errors import KlingError
from kling_nb.key import Secret, kernel
from kling_nb.workspace import schema


def test_none_yet_and_none_is_made(kling, found, tree):
    before = tree()
    checkup = kling.doctor()
    assert tree() == before
    assert found(checkup, "workspace", "folder").text == "kling_runs, not there yet, can be made"
    assert found(checkup, "workspace", "journal").value == {"version": None, "tasks": 0}
    assert found(checkup, "learned", "models").value == {}


def test_one_with_tasks_is_left_as_it_is(kling, found, cat, tree):
    for n in (1, 3):
        kling.generate("a cat", subject_images=cat, n=n)
    before = tree()
    checkup = kling.doctor()
    assert tree() == before
    folder = found(checkup, "workspace", "folder")
    assert (folder.text, folder.value["writable"]) == ("kling_runs, can be written", True)
    assert found(checkup, "workspace", "free space").value > 0
    assert found(checkup, "workspace", "journal").value == {"version": len(schema.MIGRATIONS), "tasks": 2}
    assert found(checkup, "workspace", "open tasks").text == "none"
    assert found(checkup, "workspace", "kernels").text == "no other at work in it"
    model = found(checkup, "learned", "kling-v2-1")
    assert (model.value["slots"]["limit"], model.value["slots"]["largest"], model.value["tasks_counted"]) == (5, 3, 2)
    assert "5 images at once, most held 3, largest task 3; usually " in model.text
    assert model.value["seconds_until_saved"] >= model.value["seconds_until_finished"] > 0


def test_a_refusal_for_want_of_slots_is_told(new_kling, found, cat, box):
    box.faults.add("create", "status", status=429, code=1303, times=1)
    kling = new_kling(slots=9)
    task = kling.submit("a cat", subject_images=cat, n=4)
    assert kling.session.gateway.runner.wait(lambda: task.job.note or task.job.settled, 20)
    model = found(kling.doctor(), "learned", "kling-v2-1")
    assert model.value["slots"]["refusals"] == 1
    assert "last refused 20" in model.text


def test_what_is_left_behind_is_noted(new_kling, found, cat, box):
    box.faults.add("create", "reset", times=None)
    box.faults.add("query", "no_external_ids", times=None)
    box.faults.add("list", "no_list", times=None)
    with pytest.raises(KlingError):
        new_kling().generate("a cat", subject_images=cat)
    box.faults.clear()
    left = found(new_kling().doctor(), "workspace", "open tasks")
    assert (left.state, left.text) == ("note", "1 task left behind (1 uncertain)")
    assert "`%kling resume`" in left.advice
    elsewhere = found(Kling("k", base_url="http://127.0.0.1:9").doctor(network=False), "workspace", "open tasks")
    assert elsewhere.text == "1 task left behind (1 uncertain, 1 at another gateway)"


def test_what_is_under_way_here_is_not_left_behind(kling, found, cat, box):
    box.hold()
    task = kling.submit("a cat", subject_images=cat)
    under_way = found(kling.doctor(), "workspace", "open tasks")
    assert (under_way.state, under_way.text) == ("fine", "1 task under way")
    box.release()
    task.wait()


OTHER = """
import sys
from pathlib import Path
from kling_nb.workspace.journal import Journal
Journal(Path(sys.argv[1])).leases.beat()
print("here", flush=True)
sys.stdin.read()
"""


def test_other_kernels_are_counted_while_they_live(kling, found, cat):
    kling.generate("a cat", subject_images=cat)
    command = [sys.executable, "-c", OTHER, str(Path.cwd() / "kling_runs" / "journal.sqlite3")]
    root = Path(__file__).parent.parent.parent
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=root, **pipes) as other:
        assert other.stdout.readline() == "here\n"
        assert found(kling.doctor(), "workspace", "kernels").text == "1 other kernel at work in it"
        other.communicate("")
    assert found(kling.doctor(), "workspace", "kernels").value == 0


def write_version(number):
    path = Path("kling_runs/journal.sqlite3")
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        for migration in schema.MIGRATIONS[:number]:
            migration(connection)
        connection.execute(f"PRAGMA user_version = {number}")
        connection.commit()


def test_a_newer_journal_is_a_problem_with_a_way_out(kling, found, tree):
    write_version(99)
    before = tree()
    checkup = kling.doctor()
    journal = found(checkup, "workspace", "journal")
    assert journal.state == "problem"
    assert "was written by a newer kling_nb (journal version 99" in journal.text
    assert "Upgrade kling_nb" in journal.advice
    assert found(checkup, "learned", "models").text == "the journal cannot be read"
    assert tree() == before


@pytest.mark.parametrize("number", range(1, len(schema.MIGRATIONS)))
def test_an_older_journal_is_read_and_not_migrated(kling, found, number, tree):
    write_version(number)
    before = tree()
    journal = found(kling.doctor(), "workspace", "journal")
    assert journal.state == "fine"
    assert f"version {number}, this kling_nb makes it {len(schema.MIGRATIONS)}" in journal.text
    assert tree() == before


def test_a_damaged_journal_is_a_problem(kling, found):
    Path("kling_runs").mkdir()
    Path("kling_runs/journal.sqlite3").write_bytes(b"this is no journal" * 999)
    journal = found(kling.doctor(), "workspace", "journal")
    assert journal.state == "problem"
    assert "cannot be used" in journal.text


def test_a_file_in_its_place(kling, found):
    Path("kling_runs").write_text("mine")
    folder = found(kling.doctor(), "workspace", "folder")
    assert folder.state == "problem"
    assert folder.text == "kling_runs cannot be written: kling_runs is no folder"
    assert "KLING_WORKSPACE" in folder.advice
    assert Path("kling_runs").read_text() == "mine"


@pytest.fixture
def disk():
    """Mount a file system of its own as the workspace."""
    folder = Path.cwd() / "kling_runs"

    def mount(options):
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True).returncode:
            pytest.skip("this process may not mount a file system")
        return folder

    yield mount
    subprocess.run(["umount", "-l", str(folder)], capture_output=True)


def test_a_read_only_folder(kling, found, disk):
    disk("ro")
    folder = found(kling.doctor(), "workspace", "folder")
    assert (folder.state, folder.value["writable"]) == ("problem", False)
    assert folder.text == "kling_runs cannot be written: Read-only file system"


def test_a_disk_that_is_nearly_full(kling, found, disk):
    disk("size=1m")
    space = found(kling.doctor(), "workspace", "free space")
    assert (space.state, space.text) == ("problem", "1.0 MB")
    assert "Make room" in space.advice


def test_a_network_file_system_is_noted(kling, found, monkeypatch, tmp_path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        f"90 22 0:50 / {str(Path.cwd()).replace(' ', chr(92) + '040')} rw shared:9 - nfs4 server:/home rw\n"
    )
    monkeypatch.setattr("kling_nb.workspace.disk._MOUNTS", mounts)
    folder = found(kling.doctor(), "workspace", "folder")
    assert (folder.state, folder.value["file_system"]) == ("note", "nfs4")


# ---- the key -------------------------------------------------------------------------------------


def test_where_the_key_is_from(new_kling, found, key, monkeypatch):
    def of(*given):
        return found(new_kling(*given).doctor(), "key", "key")

    assert of(None).state == "problem"
    assert "%kling login" in of(None).advice
    Path(".env").write_text(f"KLING_API_KEY={key}\n")
    assert (of(None).state, of(None).text) == ("fine", "from KLING_API_KEY in .env")
    monkeypatch.setenv("KLING_API_KEY", key)
    assert of(None).text == "from KLING_API_KEY in the environment; KLING_API_KEY in .env not used"
    kernel.login = Secret(key)
    assert of(None).state == "note"
    assert of(None).text.startswith("from `%kling login`; KLING_API_KEY in the environment and ")
    assert of(key).text.startswith("from the argument api_key of Kling; `%kling login` and ")


def test_a_function_is_called_only_with_the_network(new_kling, found, key):
    calls = []
    kling = new_kling(lambda: calls.append(1) or key)
    assert "not called" in found(kling.doctor(network=False), "key", "key").text
    assert calls == []
    assert found(kling.doctor(), "key", "key").state == "fine"
    assert calls


def test_a_function_that_fails_or_gives_none(new_kling, found, key):
    def fail():
        raise ValueError(key)

    failed = new_kling(fail).doctor()
    assert found(failed, "key", "key").state == "problem"
    assert "ValueError" in found(failed, "key", "key").text
    assert key not in repr(failed)
    assert found(new_kling(lambda: None).doctor(), "key", "key").state == "problem"


def test_what_can_be_no_key(new_kling, found):
    assert "holds spaces" in found(new_kling("a b c").doctor(), "key", "key").text


def test_the_sandbox_needs_none(found):
    assert found(Kling(sandbox=True).doctor(network=False), "key", "key").state == "fine"


# ---- the settings --------------------------------------------------------------------------------


def test_settings_that_are_not_the_default_with_their_place(found, monkeypatch):
    monkeypatch.setenv("KLING_SLOTS", "7")
    monkeypatch.setenv("KLING_TIMEOUT", "1800")
    Path(".env").write_text("KLING_CURRENCY=EUR\n")
    kling = Kling(max_images=9, config={"grace": 60}, workspace="elsewhere")
    found_now = {each.name: each.text for each in kling.doctor(network=False) if each.section == "settings"}
    assert found_now == {
        "slots": "7, from KLING_SLOTS in the environment",
        "currency": "EUR, from KLING_CURRENCY in .env",
        "max_images": "9, from the argument of Kling",
        "grace": "60.0, from %config KlingMagics.grace",
        "workspace": "elsewhere, from the argument of Kling",
    }


def test_all_by_default(found):
    assert found(Kling().doctor(network=False), "settings", "all").state == "fine"
    on = Kling(sandbox=True).doctor(network=False)
    assert [each.name for each in on if each.section == "settings"] == ["sandbox"]


def test_variables_that_nobody_reads_are_noted_without_their_value(found, monkeypatch, key):
    monkeypatch.setenv("KLING_APIKEY", key)
    Path(".env").write_text("KLING_BASEURL=https://x\n")
    checkup = Kling().doctor(network=False)
    typed = found(checkup, "settings", "KLING_APIKEY")
    assert (typed.state, typed.advice) == ("note", "Did you mean KLING_API_KEY?")
    assert found(checkup, "settings", "KLING_BASEURL").text == "in .env is no setting"
    assert key not in repr(checkup)
