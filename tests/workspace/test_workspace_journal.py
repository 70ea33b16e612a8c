"""The journal: what goes in comes out, of the right task, from several processes, and never half."""

import itertools
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kling_nb.errors import InvalidRequest, WorkspaceError
from kling_nb.records import Failure, ImageRecord, Reference, TaskRecord
from kling_nb.workspace.journal import Journal

# ---- round trip ----------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
MAYBE = st.none() | TEXT
TIME = st.none() | st.floats(0, 4e9)
NUMBER = st.none() | st.integers(0, 2**40)
REFERENCES = st.builds(
    Reference,
    role=st.sampled_from(("subject", "scene", "style")),
    name=TEXT,
    sha256=TEXT,
    url=MAYBE,
    media_type=MAYBE,
    width=NUMBER,
    height=NUMBER,
    size=NUMBER,
    changes=st.lists(TEXT, max_size=3).map(tuple),
    origin=MAYBE,
)
IMAGES = st.builds(
    ImageRecord,
    index=st.integers(0, 20),
    url=MAYBE,
    watermark_url=MAYBE,
    path=MAYBE,
    sha256=MAYBE,
    media_type=MAYBE,
    width=NUMBER,
    height=NUMBER,
    size=NUMBER,
    problem=MAYBE,
)
COUNT = itertools.count()
RECORDS = st.builds(
    TaskRecord,
    id=st.just(""),
    gateway=TEXT,
    request=st.fixed_dictionaries(
        {"model_name": TEXT, "n": st.integers(1, 9)},
        optional={"prompt": TEXT, "aspect_ratio": TEXT, "watermark_info": st.dictionaries(TEXT, st.booleans())},
    ),
    digest=TEXT,
    references=st.lists(REFERENCES, max_size=3).map(tuple),
    external_task_id=st.just(""),
    created_at=st.floats(0, 4e9),
    task_status=st.sampled_from(("planned", "sending", "submitted", "succeeded", "failed", "uncertain", "cancelled")),
    task_id=MAYBE,
    sent_at=TIME,
    submitted_at=TIME,
    processing_at=TIME,
    finished_at=TIME,
    saved_at=TIME,
    images=st.lists(IMAGES, max_size=3).map(tuple),
    units=MAYBE,
    request_id=MAYBE,
    failure=st.none() | st.builds(Failure, kind=TEXT, message=TEXT, http_status=NUMBER, code=MAYBE, request_id=MAYBE),
    warnings=st.lists(TEXT, max_size=3).map(tuple),
    owner=TEXT,
    account=TEXT,
    sends=st.integers(0, 9),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RECORDS)
def test_every_field_comes_back_as_it_went_in(journal, some):
    # What is durable is tested elsewhere; a flush for each example would only cost time.
    journal._database._connection.execute("PRAGMA synchronous = OFF")
    some = replace(some, id=f"id-{next(COUNT)}", external_task_id=f"external-{next(COUNT)}")
    journal.insert([some])
    assert journal.get(some.id) == some
    changed = replace(some, task_status="failed", failure=Failure("TaskFailed", "why"), images=(), units="1.50")
    journal.update(changed)
    assert journal.get(some.id) == changed


def test_it_is_on_disk_when_insert_returns(journal, record):
    journal.insert([record()])
    other = Journal(journal.path, read_only=True)
    assert other.get(record().id) == record()
    other.close()


def test_references_bytes_stay_out_of_it(journal, record):
    picture = replace(record().references[0], data=b"PICTURE-BYTES")
    journal.insert([record(references=(picture,))])
    assert b"PICTURE-BYTES" not in journal.path.read_bytes()
    assert journal.get(record().id).references[0].data is None


def test_names_that_no_encoding_knows_are_kept(journal, record):
    # What Python makes of a file name that is not UTF-8.
    some = record(references=(replace(record().references[0], name="caf\udce9.png"),))
    journal.insert([some])
    assert journal.get(some.id) == some
    assert journal.newest("caf\udce9") == [some]
    assert journal.get("caf\udce9") is None


# ---- finding one ---------------------------------------------------------------------------------


def test_a_task_is_found_by_each_of_its_names(journal, record):
    journal.insert([record(1, task_id="T-1", external_task_id="mine"), record(2)])
    for name in ("20261122-143005-00001", "T-1", "mine", "0001", "-00001", "43005-00001"):
        assert journal.get(name).id == record(1).id, name
    assert journal.get("20261122-143005-00002").id == record(2).id


@pytest.mark.parametrize("name", ["2026", "20261122-143005", "", "1", "001", "%", "____", "nothing", "\x00", "'; --"])
def test_a_name_of_several_or_of_none_finds_nothing(journal, record, name):
    journal.insert([record(1), record(2)])
    assert journal.get(name) is None


def test_a_whole_name_wins_over_a_part(journal, record):
    journal.insert([record(1), record(2, external_task_id="00001")])
    assert journal.get("00001").id == record(2).id
    assert journal.get("0000") is None


def test_wildcards_in_a_name_are_letters(journal, record):
    journal.insert([record(1, id="task_1_abcd"), record(2, id="task-1-efgh")])
    assert journal.get("task_1").id == "task_1_abcd"
    assert journal.get("task_1%") is None
    assert journal.get("task!") is None


def test_the_same_external_id_at_two_gateways_means_the_newest(journal, record):
    journal.insert([record(1, external_task_id="x", gateway="https://one"), record(2, external_task_id="x")])
    assert journal.get("x").id == record(2).id


# ---- finding many --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", [3, 2, 1]),
        ("   ", [3, 2, 1]),
        ("HAT", [1]),
        ("cat hat", [1]),
        ("hat cat", [1]),
        ("cat dog", []),
        ("100%", [2]),
        ("%", [2]),
        ("_", [1, 2]),
        ("snake_case", [2]),
        ("!", [3]),
        ("it's", [3]),
        ('"quoted"', [3]),
        ("\\", [3]),
        (r"C:\pics", [3]),
        ("beach.png", [2]),
        ("ÉTÉ", [2]),
        ("été", [2]),
        ("СОБАКА", [3]),
        ("猫", [3]),
        ("kling-v2-1", [1, 2]),
        ("failed", [2]),
        ("T-77", [1]),
        ("mine-3", [3]),
        ("20261122-143005-00002", [2]),
        ("media_type", []),
        ("sha256", []),
        ("{", []),
    ],
)
def test_all_words_must_occur(journal, record, words, found):
    scene = replace(record().references[0], role="scene", name="beach.png")
    windows = replace(record().references[0], name=r"C:\pics\cat picture.png")
    journal.insert(
        [
            record(1, task_id="T-77"),
            record(
                2,
                task_status="failed",
                references=(scene,),
                request={"prompt": "snake_case is 100% Été"},
            ),
            record(
                3,
                external_task_id="mine-3",
                references=(windows,),
                request={"prompt": 'it\'s "quoted" собака 猫!', "model_name": "kling-v2"},
            ),
        ]
    )
    assert sorted(task.id[-1] for task in journal.newest(words)) == sorted(str(number) for number in found)


def test_newest_come_first_and_a_limit_cuts_the_oldest(journal, record):
    journal.insert([record(number) for number in (2, 5, 1, 4, 3)])
    assert [task.id[-1] for task in journal.newest()] == ["5", "4", "3", "2", "1"]
    assert [task.id[-1] for task in journal.newest(limit=2)] == ["5", "4"]
    assert journal.newest(limit=0) == []
    assert [task.id[-1] for task in journal.newest("cat", limit=1)] == ["5"]
    assert journal.count() == 5


def test_unfinished_is_what_something_remains_to_be_done_for(journal, record):
    journal.insert(
        [
            record(9, task_status="submitted"),
            record(1, task_status="planned"),
            record(2, task_status="sending"),
            record(3, task_status="processing"),
            record(4, task_status="succeeded"),
            record(5, task_status="succeeded", saved_at=1.0),
            record(6, task_status="failed"),
            record(7, task_status="cancelled"),
            record(8, task_status="uncertain"),
        ]
    )
    assert [task.id[-1] for task in journal.unfinished()] == ["1", "2", "3", "4", "8", "9"]


def test_the_same_request_is_the_newest_that_is_saved_at_that_gateway(journal, record):
    done = {"task_status": "succeeded", "saved_at": 1.0, "digest": "d"}
    journal.insert(
        [
            record(1, **done),
            record(2, **done),
            record(3, **{**done, "saved_at": None}),
            record(4, **{**done, "task_status": "failed"}),
            record(5, **{**done, "gateway": "sandbox"}),
            record(6, **{**done, "digest": "other"}),
        ]
    )
    assert journal.same(record().gateway, "d").id == record(2).id
    assert journal.same("sandbox", "d").id == record(5).id
    assert journal.same("https://elsewhere", "d") is None


def test_durations_are_of_one_gateway_and_model_newest_first(journal, record):
    def took(number, seconds, **changes):
        return record(number, task_status="succeeded", submitted_at=100.0, finished_at=100.0 + seconds, **changes)

    journal.insert([took(1, 7), took(2, 8), took(3, -5), took(4, 1, gateway="sandbox"), record(5)])
    # Collected by a later kernel, it seems to have taken long.
    journal.insert([took(6, 2, request={"model_name": "kling-v2"}), took(7, 3600)])
    assert journal.durations(record().gateway, "kling-v2-1") == [8.0, 7.0]
    assert journal.durations(record().gateway, "kling-v2-1", 1) == [8.0]


# ---- writing -------------------------------------------------------------------------------------


def test_an_external_id_is_used_once_at_a_gateway_and_else_nothing_is_written(journal, record):
    journal.insert([record(1, external_task_id="mine")])
    with pytest.raises(InvalidRequest, match="'mine' was already used") as caught:
        journal.insert([record(2), record(3, external_task_id="mine")])
    assert caught.value.money == "Nothing was sent."
    assert "%kling show mine" in caught.value.advice
    assert journal.count() == 1
    journal.insert([record(4, external_task_id="mine", gateway="sandbox")])


def test_the_same_external_id_twice_at_once_is_named(journal, record):
    with pytest.raises(InvalidRequest, match="'mine'"):
        journal.insert([record(1), record(2, external_task_id="mine"), record(3, external_task_id="mine")])
    assert journal.count() == 0


def test_several_updates_are_one_commit(journal, record):
    journal.insert([record(1), record(2)])
    with pytest.raises(WorkspaceError):
        journal.update(replace(record(1), task_status="failed"), replace(record(2), task_id=object()))
    assert [task.task_status for task in journal.newest()] == ["planned", "planned"]
    journal.update(*(replace(record(number), task_status="failed") for number in (1, 2)))
    assert [task.task_status for task in journal.newest()] == ["failed", "failed"]


def test_an_update_of_a_task_that_is_not_there_is_not_lost(journal, record):
    journal.update(record(7, task_status="submitted", task_id="T-7"))
    assert journal.get("T-7").task_status == "submitted"


def test_threads_share_one_journal(journal, record):
    problems = []

    def write(first):
        try:
            for number in range(first, first + 5):
                journal.insert([record(number)])
                journal.update(record(number, task_status="failed"))
                assert journal.get(record(number).id).task_status == "failed"
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=write, args=(100 * number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert journal.count() == 20


WRITER = """
import sys
from pathlib import Path
from kling_nb.records import TaskRecord
from kling_nb.workspace.journal import Journal

name = sys.argv[2]
sys.stdin.readline()
journal = Journal(Path(sys.argv[1]))
for number in range(12):
    some = TaskRecord(f"{name}-{number}", "sandbox", {"model_name": "m", "n": 1}, "d", (), f"{name}{number}", 1.0)
    journal.insert([some])
    journal.update(some)
journal.close()
"""


def test_processes_that_write_at_once_lose_nothing(tmp_path):
    # They begin together, so that also the creation of the tables is raced.
    path = tmp_path / "journal.sqlite3"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), name], stdin=subprocess.PIPE, text=True)
        for name in ("one", "two", "three")
    ]
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    assert [(writer.communicate()[0], writer.returncode)[1] for writer in writers] == [0, 0, 0]
    journal = Journal(path)
    assert journal.count() == 36
    assert {task.id.partition("-")[0] for task in journal.newest()} == {"one", "two", "three"}
    journal.close()


def test_a_full_disk_is_an_error_that_says_so_and_changes_nothing(tmp_path, record):
    code = (
        "import resource, signal, sys\n"
        "from dataclasses import replace\n"
        "from pathlib import Path\n"
        "from kling_nb.errors import WorkspaceError\n"
        "from kling_nb.records import TaskRecord\n"
        "from kling_nb.workspace.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "some = TaskRecord('a', 'sandbox', {'model_name': 'm', 'n': 1}, 'd', (), 'x', 1.0)\n"
        "journal.insert([some])\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (16384, resource.RLIM_INFINITY))\n"
        "try:\n"
        "    journal.insert([replace(some, id='b', external_task_id='y', warnings=('x' * 200_000,))])\n"
        "except WorkspaceError as error:\n"
        "    print(error.message)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "journal.insert([replace(some, id='c', external_task_id='z')])\n"
        "print(sorted(task.id for task in journal.newest()))\n"
    )
    path = tmp_path / "journal.sqlite3"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    said, ids = done.stdout.splitlines()
    assert said.startswith(f"The journal {path} cannot be used: ")
    assert ids == "['a', 'c']"


# ---- opening -------------------------------------------------------------------------------------


def test_read_only_creates_nothing(tmp_path):
    with pytest.raises(WorkspaceError):
        Journal(tmp_path / "journal.sqlite3", read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_read_only_reads_and_does_not_write(journal, record):
    journal.insert([record(1, task_status="submitted")])
    before = journal.path.read_bytes()
    reader = Journal(journal.path, read_only=True)
    assert [task.id for task in reader.unfinished()] == [record(1).id]
    with pytest.raises(WorkspaceError, match="readonly"):
        reader.insert([record(2)])
    reader.close()
    assert journal.path.read_bytes() == before


def test_read_only_takes_an_empty_file_for_an_empty_journal(tmp_path):
    # A process that dies between making the file and the tables leaves one.
    path = tmp_path / "journal.sqlite3"
    path.write_bytes(b"")
    reader = Journal(path, read_only=True)
    assert reader.unfinished() == []
    reader.close()
    assert path.read_bytes() == b""


@pytest.mark.parametrize("content", [b"this is not a database at all " * 50, b"SQLite format 3\x00" + b"\xff" * 4000])
@pytest.mark.parametrize("read_only", [False, True])
def test_a_damaged_file_says_which(tmp_path, content, read_only):
    path = tmp_path / "journal.sqlite3"
    path.write_bytes(content)
    with pytest.raises(WorkspaceError) as caught:
        Journal(path, read_only=read_only).newest()
    assert str(path) in caught.value.message
    assert isinstance(caught.value.__cause__, sqlite3.Error)
    assert path.read_bytes() == content


def test_a_damaged_page_in_the_middle_says_which(journal, record):
    journal.insert([record(number, warnings=("x" * 500,)) for number in range(50)])
    with journal.path.open("r+b") as file:
        file.seek(2 * 4096)
        file.write(b"\xff" * 4096 * 4)
    damaged = Journal(journal.path)
    with pytest.raises(WorkspaceError, match="cannot be used"):
        damaged.newest()
    damaged.close()


def test_a_folder_in_its_place_and_a_closed_journal_are_workspace_errors(tmp_path, journal):
    with pytest.raises(WorkspaceError):
        Journal(tmp_path)
    journal.close()
    journal.close()
    with pytest.raises(WorkspaceError):
        journal.count()


@pytest.mark.parametrize("name", ["a?b", "a#b", "100%", "%41", "with space", "猫", "a'b"])
def test_a_folder_may_be_called_anything(tmp_path, record, name):
    folder = tmp_path / name
    folder.mkdir()
    journal = Journal(folder / "journal.sqlite3")
    journal.insert([record()])
    journal.close()
    assert [path.name for path in folder.iterdir()] == ["journal.sqlite3"]
    assert [path.name for path in tmp_path.iterdir()] == [name]


CRASH = """
import os, shutil, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE tasks SET task_status = 'failed'")
connection.executemany("UPDATE tasks SET warnings = hex(randomblob(9000)) WHERE id = ?", connection.execute(
    "SELECT id FROM tasks").fetchall())
assert os.path.getsize(sys.argv[1] + "-journal") > 512
os._exit(9)
"""


@pytest.mark.parametrize("read_only", [False, True])
def test_half_a_commit_of_a_process_that_died_is_taken_back(journal, record, read_only):
    journal.insert([record(number, task_status="submitted", warnings=("x" * 900,)) for number in range(30)])
    done = subprocess.run([sys.executable, "-c", CRASH, str(journal.path)])
    assert done.returncode == 9
    journal.close()
    found = Journal(journal.path, read_only=read_only)
    assert {task.task_status for task in found.newest()} == {"submitted"}
    assert found.count() == 30
    found.close()
