"""Every write of a task times a journal and a disk that refuse it.

The journal is made to refuse by triggers in its own file; the disk by a file system of its own, that is full
or read-only, where this process may mount one.
"""

import contextlib
import io
import os
import sqlite3
import subprocess

import pytest
from PIL import Image

from kling_nb import errors
from kling_nb.engine import queue

PLANNED = "INSERT", "NEW.task_status = 'planned'"
SENDING = "UPDATE", "NEW.task_status = 'sending'"
SUBMITTED = "UPDATE", "NEW.task_status = 'submitted'"
SUCCEEDED = "UPDATE", "NEW.task_status = 'succeeded' AND NEW.saved_at IS NULL"
SAVED = "UPDATE", "NEW.saved_at IS NOT NULL"
FROM_THE_ANSWER_ON = "UPDATE", "NEW.task_status NOT IN ('planned', 'sending')"


@pytest.fixture
def refuse(house):
    """Have the journal refuse one kind of write, until it is told to take it again."""
    house.make_a_control()

    def journal():
        connection = sqlite3.connect(house.workspace / "journal.sqlite3", timeout=30)
        return contextlib.closing(connection)

    def order(kind, when):
        with journal() as connection:
            connection.execute(
                f"CREATE TRIGGER refusal BEFORE {kind} ON tasks WHEN {when} "
                "BEGIN SELECT RAISE(FAIL, 'the disk is full, says this test'); END"
            )

    def relent():
        with journal() as connection:
            connection.execute("DROP TRIGGER refusal")

    order.relent = relent
    return order


class TestJournal:
    def test_that_does_not_take_the_plan(self, house, refuse):
        refuse(*PLANNED)
        _, error = house.generate()
        assert type(error) is errors.WorkspaceError
        assert "the disk is full" in error.message
        assert house.creates == 0
        assert len(house.kling.tasks()) == 1
        refuse.relent()
        house.check_collected(house.generate()[0])

    def test_that_does_not_take_the_sending(self, house, refuse):
        refuse(*SENDING)
        task, error = house.generate()
        assert type(error) is errors.WorkspaceError
        assert house.creates == 0
        refuse.relent()
        house.check_outcome(task, error, images=0, billed=0)
        house.check_collected(house.generate()[0])

    @pytest.mark.parametrize("step", [SUBMITTED, SUCCEEDED], ids=["submitted", "succeeded"])
    @pytest.mark.promise("the journal cannot be written while a task runs")
    def test_that_misses_a_step_has_it_with_the_next(self, house, refuse, step):
        refuse(*step)
        task, error = house.generate()
        assert error is None
        house.check_collected(task)

    @pytest.mark.parametrize("step", [SAVED, FROM_THE_ANSWER_ON], ids=["saved", "all"])
    def test_that_takes_nothing_more_costs_no_image(self, house, refuse, step):
        refuse(*step)
        task, error = house.generate()
        assert error is None
        assert len(task.images) == 2
        images = sum(seen.origin == "images" for seen in house.sandbox.requests)
        house.restart()
        assert house.kling.task(task.id).record.complete is False
        refuse.relent()
        assert house.kling.resume().message == "1 task of 1 collected."
        assert house.creates == 1
        assert sum(seen.origin == "images" for seen in house.sandbox.requests) == images
        house.check_collected(task)

    def test_that_is_locked_is_waited_for(self, house, refuse):
        """Another program looks at the journal with a lock, for longer than a moment."""
        with contextlib.closing(sqlite3.connect(house.workspace / "journal.sqlite3", isolation_level=None)) as other:
            task = house.kling.submit("a cat", subject_images=house.cat, n=2)
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(errors.WaitTimeout):
                task.wait(0.1)
            other.execute("COMMIT")
            task.wait()
        house.check_collected(task)

    def test_that_is_no_journal(self, house):
        house.workspace.mkdir()
        (house.workspace / "journal.sqlite3").write_bytes(b"no database at all, but longer than its header" * 9)
        _, error = house.generate()
        assert type(error) is errors.WorkspaceError
        assert "journal.sqlite3" in error.message
        assert house.creates == 0


class TestFolders:
    """Folders that cannot be written, because something else has their name."""

    def test_references(self, house):
        house.make_a_control()
        self.replace(house.workspace / "references")
        house.restart()
        _, error = house.generate()
        assert type(error) is errors.WorkspaceError
        assert "references" in error.message
        assert house.creates == 0

    def test_images(self, house):
        (house.workspace).mkdir()
        (house.workspace / "images").write_bytes(b"")
        task, error = house.generate()
        assert type(error) is errors.ImagesMissing
        assert error.message.startswith("2 of 2 images are missing")
        assert "Not a directory" in error.message
        assert "is paid" in error.money
        (house.workspace / "images").unlink()
        house.collect_later(task)

    def test_thumbnails(self, house):
        house.workspace.mkdir()
        (house.workspace / "thumbnails").write_bytes(b"")
        task, error = house.generate()
        assert error is None
        house.check_collected(task)

    def replace(self, folder):
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        folder.write_bytes(b"")


class TestJournalLater:
    def test_a_folder_that_cannot_be_looked_into_for_a_while_strands_nothing(self, house, monkeypatch):
        """Not by its permissions, which do not bind every user: the folder itself is away, something else in its place."""
        monkeypatch.setattr(queue, "BEAT", 0.05)
        house.make_a_control()
        fault = house.sandbox.faults.add("create", "hang", processed=True)
        task = house.kling.submit("a cat", subject_images=house.cat, n=2)
        house.until(lambda: fault.used)
        away = house.workspace.rename(house.folder / "away")
        house.workspace.symlink_to("nowhere/at all")
        fault.release()
        house.until(lambda: "as soon as that is possible" in task.job.note or task.job.unwritten)
        # At one stroke, or a new folder could be made in between.
        back = house.folder / "back"
        back.symlink_to(away)
        back.replace(house.workspace)
        with contextlib.suppress(errors.ImagesMissing):
            task.wait()
        house.kling.resume()
        house.check_collected(task)


@pytest.fixture
def disk(tmp_path):
    """Mount a file system of its own in place of the workspace, or of a folder in it."""
    mounted = []

    def mount(*options, at="."):
        mount.folder = tmp_path / "runs" / at
        mount.folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(mount.folder)]
        if subprocess.run(command, capture_output=True).returncode:
            pytest.skip("this process may not mount a file system")
        mounted.append(mount.folder)

    def away():
        while mounted:
            subprocess.run(["umount", "-l", str(mounted.pop())], capture_output=True)

    mount.away = away
    yield mount
    away()


def fill(folder):
    """Leave no room on a disk; return the file that takes it."""
    filler = folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    return filler


class TestDisk:
    @pytest.mark.promise("the disk is full or read-only before a request is sent")
    def test_that_is_full_before_anything(self, house, disk):
        disk("size=256k")
        house.make_a_control()
        filler = fill(disk.folder)
        _, error = house.generate(subject_images=noise())
        assert type(error) is errors.WorkspaceError
        assert "No space left on device" in error.message or "disk is full" in error.message
        assert house.creates == 0
        filler.unlink()
        house.check_collected(house.generate()[0])

    @pytest.mark.promise("the disk fills up while images are made")
    def test_that_fills_up_while_the_images_are_made(self, house, disk):
        disk("size=256k")
        house.sandbox.hold()
        task = house.kling.submit("a cat", subject_images=house.cat, n=2)
        house.until_it_is_under_way(task)
        filler = fill(disk.folder)
        house.sandbox.release()
        with pytest.raises(errors.ImagesMissing) as caught:
            task.wait()
        assert "cannot be written: No space left on device" in caught.value.message
        assert "is paid" in caught.value.money
        assert list(house.workspace.rglob(".writing-*")) == []
        assert [path for path in house.workspace.glob("images/*") if path.stat().st_size == 0] == []
        filler.unlink()
        house.collect_later(task)

    def test_that_becomes_read_only_while_the_images_are_made(self, house, disk):
        house.make_a_control()
        house.sandbox.hold()
        task = house.kling.submit("a cat", subject_images=house.cat, n=2)
        house.until_it_is_under_way(task)
        disk("ro", at="images")
        house.sandbox.release()
        with pytest.raises(errors.ImagesMissing) as caught:
            task.wait()
        assert "Read-only file system" in caught.value.message
        disk.away()
        house.collect_later(task)

    @pytest.mark.promise("the disk is full or read-only before a request is sent")
    def test_that_is_read_only(self, house, disk):
        disk("ro")
        _, error = house.generate()
        assert type(error) is errors.WorkspaceError
        assert house.creates == 0


def noise():
    """Return a picture that takes a third of a megabyte."""
    buffer = io.BytesIO()
    Image.frombytes("RGB", (320, 300), os.urandom(320 * 300 * 3)).save(buffer, "PNG")
    return buffer.getvalue()
