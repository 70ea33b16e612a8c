"""The history: found again, in order, as a table, and as rows."""

from dataclasses import replace
from pathlib import Path

import pytest

from kling_nb import InvalidRequest, Kling, KlingError
from kling_nb.session import listed
from kling_nb.session.history import TaskList


@pytest.fixture
def several(kling, cat, pictures):
    Path("refs").mkdir()
    Path("refs/beach & 100%.png").write_bytes(pictures(5))
    made = [
        kling.generate("a cat wearing the hat", subject_images=cat, n=2, external_task_id="mine"),
        kling.generate("a DOG", subject_images="refs/beach & 100%.png", model_name="kling-v2"),
    ]
    with pytest.raises(KlingError):
        kling.generate("[sandbox: refuse] a bird", subject_images=cat)
    return made


def test_newest_first(kling, several):
    tasks = kling.tasks()
    assert isinstance(tasks, TaskList)
    assert [task.prompt for task in tasks] == ["[sandbox: refuse] a bird", "a DOG", "a cat wearing the hat"]
    assert isinstance(tasks[:2], TaskList)
    assert [task.prompt for task in kling.tasks(limit=1)] == ["[sandbox: refuse] a bird"]
    assert len(tasks[-1].images) == 2
    assert repr(tasks).count("<Task ") == 3


def test_a_long_history_is_read_as_it_is_looked_at_and_stays_what_it_was(kling, several, monkeypatch):
    monkeypatch.setattr(listed, "PAGE", 2)
    journal = kling.session.workspace.journal
    read = []
    journal._database._connection.set_trace_callback(read.append)
    tasks = kling.tasks()
    assert len(tasks) == 3
    newest = tasks[0]
    assert sum("OFFSET" in each for each in read) == 1
    first = journal.get(tasks[-1].id)
    journal.insert([replace(first, id="later", external_task_id="later", created_at=first.created_at + 60)])
    assert [task.prompt for task in tasks] == ["[sandbox: refuse] a bird", "a DOG", "a cat wearing the hat"]
    assert tasks[0] is newest
    assert tasks == list(tasks) == tasks[:] != kling.tasks()
    assert len(kling.tasks()) == 4
    with pytest.raises(IndexError):
        tasks[3]


def test_a_history_that_was_taken_away_meanwhile_says_so(kling, several, monkeypatch):
    monkeypatch.setattr(listed, "PAGE", 2)
    tasks = kling.tasks()
    journal = kling.session.workspace.journal
    journal._database.commit(lambda connection: connection.execute("DELETE FROM tasks"))
    assert tasks[1].prompt == "a DOG"
    with pytest.raises(KlingError, match="fewer tasks than when it was listed") as caught:
        tasks[2]
    assert "kling.tasks()" in caught.value.advice


@pytest.mark.parametrize(
    ("words", "found"),
    [("hat", 1), ("dog", 1), ("BEACH", 1), ("100%", 1), ("failed", 1), ("kling-v2-1", 2), ("hat dog", 0), ("a", 3)],
)
def test_search(kling, several, words, found):
    assert len(kling.tasks(search=words)) == len(kling.tasks(words)) == found


def test_one_task_by_any_of_its_names(kling, several):
    task = several[0]
    for name in (task.id, task.id[-5:], task.id[-8:], task.task_id, "mine"):
        assert kling.task(name).id == task.id
        assert kling.task(name).record == task.record


@pytest.mark.parametrize("name", ["", "nothing", "20", "%", "202"])
def test_no_task_of_that_name_says_where_it_looked(kling, several, name):
    with pytest.raises(InvalidRequest, match="There is no task") as caught:
        kling.task(name)
    assert "kling_runs/sandbox" in caught.value.message
    assert caught.value.money == ""
    assert "kling.tasks()" in caught.value.advice


def test_an_empty_history(kling, tree):
    before = tree(".")
    assert kling.tasks() == []
    assert kling.tasks() != ""
    assert repr(kling.tasks()) == "no tasks"
    assert kling.tasks().bundle()[0]["text/plain"]
    assert kling.tasks().to_dataframe().empty
    with pytest.raises(InvalidRequest):
        kling.task("nothing")
    assert tree(".") == before


def test_as_a_data_frame(kling, several):
    frame = kling.tasks().to_dataframe()
    assert len(frame) == 4
    assert list(frame.columns[:7]) == [
        "id",
        "task_id",
        "external_task_id",
        "task_status",
        "model_name",
        "prompt",
        "n",
    ]
    cats = frame[frame.external_task_id == "mine"]
    assert list(cats["index"]) == [0, 1]
    assert all(Path(path).is_file() for path in cats.path)
    assert str(frame.created_at.dtype).startswith("datetime64")
    assert str(frame.created_at.dt.tz) == "UTC"
    assert set(frame.gateway) == {"sandbox"}
    bird = frame[frame.task_status == "failed"].iloc[0]
    assert "Content security policy" in bird.failure
    assert bird.path != bird.path or bird.path is None
    dog = frame[frame.model_name == "kling-v2"].iloc[0]
    assert dog.subject_images.endswith("beach & 100%.png")
    assert (cats.seconds >= 0).all()
    assert list(kling.tasks("nothing like it").to_dataframe().columns) == list(frame.columns)


def test_as_a_table_in_a_notebook(kling, several):
    data, _ = kling.tasks()._repr_mimebundle_()
    assert "a cat wearing the hat" in data["text/html"]
    assert "<script" not in data["text/html"]
    assert "a DOG" in data["text/plain"]
    assert kling.tasks(limit=1).bundle()[0]["text/html"] != data["text/html"]


def test_another_object_sees_the_same(kling, several, new_kling):
    other = new_kling()
    assert [task.id for task in other.tasks()] == [task.id for task in kling.tasks()]
    assert other.task("mine").images[0].bytes == several[0].images[0].bytes
    assert other.task("mine").wait().images


def test_the_sandbox_and_the_real_thing_have_histories_of_their_own(kling, several, sandbox, cat):
    real = Kling(api_key="k", base_url=sandbox.base_url, poll_interval=0.01)
    assert real.tasks() == []
    task = real.generate("a cat wearing the hat", subject_images=cat, n=2, external_task_id="real", reuse=True)
    assert task.id not in [task.id for task in kling.tasks()]
    assert [task.id for task in real.tasks()] == [task.id]
    assert not task.record.sandbox


def test_the_workspace_can_be_moved_with_its_history(kling, several, new_kling, sandbox):
    import shutil

    from kling_nb.session import gateway

    ids = [task.id for task in kling.tasks()]
    gateway.close_all()
    shutil.move("kling_runs", "moved to # 100%")
    moved = Kling(sandbox=True, workspace="moved to # 100%")
    assert [task.id for task in moved.tasks()] == ids
    task = moved.task("mine")
    assert all(image.path.is_file() for image in task.images)
    assert task.bundle()[0]["text/html"].count("<img") >= 2
    assert "moved%20to%20%23%20100%25/" in task.bundle()[0]["text/html"]
    assert task.images[0].save("copy.png").is_file()
    assert not Path("kling_runs").exists()


def test_price_is_shown_where_it_is_known_and_costs(new_kling, sandbox, cat):
    sandboxed = new_kling(price_per_image=0.25, currency="EUR")
    assert sandboxed.session.price(4) is None
    real = Kling(api_key="k", base_url=sandbox.base_url, price_per_image=0.25, currency="EUR", poll_interval=0.01)
    task = real.generate("a", subject_images=cat, n=2)
    assert "0.50 EUR" in task.bundle()[0]["text/html"]
    assert [real.session.price(n) for n in (1, 2, 4, 40)] == ["0.25 EUR", "0.50 EUR", "1.00 EUR", "10.00 EUR"]
    with pytest.raises(KlingError) as caught:
        real.generate("[sandbox: fail] a", subject_images=cat)
    assert real.session.price(1, caught.value.task.record) is None
    free = Kling(api_key="k", base_url=sandbox.base_url, price_per_image=0)
    assert free.session.price(9) == "0.00 USD"
