"""Files that are whole or not there, also when the disk is full or another takes the name at the same time."""

import errno
import os
import stat
import subprocess
import sys
import threading

import pytest

from kling_nb.errors import WorkspaceError
from kling_nb.workspace import files


@pytest.fixture
def full_disk(monkeypatch):
    """Let every flush to the disk fail, as a full one does."""

    def fsync(_handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)


def test_a_file_is_written_and_replaced_and_nothing_else_is_there(tmp_path):
    path = tmp_path / "picture.png"
    files.write(path, b"one")
    files.write(path, b"two", durable=False)
    assert path.read_bytes() == b"two"
    assert [entry.name for entry in tmp_path.iterdir()] == ["picture.png"]


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path, full_disk):
    path = tmp_path / "picture.png"
    files.write(path, b"old", durable=False)
    with pytest.raises(WorkspaceError, match=r"picture\.png cannot be written: No space left on device") as caught:
        files.write(path, b"new")
    assert "has space" in caught.value.advice
    with pytest.raises(WorkspaceError):
        files.write_new(tmp_path / "other.png", b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["picture.png"]


def test_a_disk_that_is_full_in_the_middle_leaves_nothing(tmp_path):
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from kling_nb.errors import WorkspaceError\n"
        "from kling_nb.workspace import files\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "for write in (files.write, files.write_new):\n"
        "    try:\n"
        "        write(Path(sys.argv[1]) / 'picture.png', bytes(100_000))\n"
        "    except WorkspaceError as error:\n"
        "        print(error.message)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.count("picture.png cannot be written: File too large.") == 2
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_nothing(tmp_path, monkeypatch):
    def fsync(_handle):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(KeyboardInterrupt):
        files.write(tmp_path / "picture.png", b"new")
    assert list(tmp_path.iterdir()) == []


def test_no_folder_and_a_folder_in_its_place_are_workspace_errors(tmp_path):
    (tmp_path / "taken" / "inside").mkdir(parents=True)
    for write in (files.write, files.write_new):
        with pytest.raises(WorkspaceError):
            write(tmp_path / "nowhere" / "picture.png", b"x")
    with pytest.raises(WorkspaceError):
        files.write(tmp_path / "taken", b"x")
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(WorkspaceError):
        files.make_folder(tmp_path / "file")
    with pytest.raises(WorkspaceError):
        files.make_folder(tmp_path / "file" / "below")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "taken"]


@pytest.fixture(params=["hard links", "no hard links"])
def file_system(request, monkeypatch):
    """Both kinds of file systems: FAT, and some network ones, have no hard links."""
    if request.param == "no hard links":

        def link(_source, _target):
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "link", link)
    return request.param


def test_a_name_that_is_taken_stays_taken(tmp_path, file_system):
    path = tmp_path / "picture.png"
    assert files.write_new(path, b"first")
    assert not files.write_new(path, b"second")
    assert path.read_bytes() == b"first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["picture.png"]


def test_one_of_many_threads_gets_a_name(tmp_path, file_system):
    barrier = threading.Barrier(8)
    won = []

    def race(number):
        for turn in range(5):
            barrier.wait()
            if files.write_new(tmp_path / f"{turn}.json", b"%d" % number):
                won.append((turn, number))

    threads = [threading.Thread(target=race, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(turn for turn, _ in won) == [0, 1, 2, 3, 4]
    assert {f"{turn}.json": b"%d" % number for turn, number in won} == {
        entry.name: entry.read_bytes() for entry in tmp_path.iterdir()
    }


def test_a_failure_without_hard_links_leaves_no_empty_file(tmp_path, monkeypatch):
    def refuse(*_arguments):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(WorkspaceError):
        files.write_new(tmp_path / "picture.png", b"x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_who_may_read_is_what_the_user_has_set(tmp_path, mask):
    before = os.umask(mask)
    try:
        files.write(tmp_path / "one", b"x")
        files.write_new(tmp_path / "two", b"x")
    finally:
        os.umask(before)
    for name in ("one", "two"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o666 & ~mask


def test_reading_what_is_not_there_is_none(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    assert files.read(tmp_path / "file") == b"content"
    assert files.read(tmp_path / "other") is None
    with pytest.raises(WorkspaceError, match="cannot be read"):
        files.read(tmp_path)
