"""After a kernel has died: what is paid is collected, and nothing is sent."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from kling_nb import ConfigurationError, Kling, WaitTimeout
from kling_nb.session import gateway
from kling_nb.session.resuming import wait_for_all
from kling_nb.session.screen import Screen


def creates(sandbox):
    return [seen for seen in sandbox.requests if seen.method == "POST"]


def submitted(kling, cat, **fields):
    task = kling.submit("a cat", subject_images=cat, **fields)
    assert kling.session.gateway.runner.wait(lambda: task.record.task_id is not None, 20)
    return task


def left_behind(kling, cat, number=1, **changes):
    """A task as a kernel that died left it in the journal."""
    journal = kling.session.workspace.journal
    base = next(iter(journal.newest()), None) or kling.generate("first", subject_images=cat).record
    record = replace(base, id=f"20200101-000000-left{number}", external_task_id=f"left-{number}", task_id=None)
    record = replace(record, images=(), saved_at=None, finished_at=None, submitted_at=None, sent_at=None, **changes)
    journal.insert([record])
    return record


def test_there_is_nothing_to_collect(kling, tree):
    before = tree(".")
    found = kling.resume()
    assert (list(found), found.message) == ([], "Nothing to collect.")
    assert tree(".") == before


def test_a_new_kernel_collects_what_was_under_way(kling, sandbox, cat, new_kernel, new_kling):
    sandbox.hold()
    tasks = [submitted(kling, cat) for _ in range(4)]
    new_kernel()
    sandbox.release()
    again = new_kling()
    assert {task.task_status for task in again.tasks()} == {"submitted"}
    found = again.resume()
    assert found.message == "4 tasks of 4 collected."
    assert sorted(task.id for task in found) == sorted(task.id for task in tasks)
    assert [len(task.images) for task in found] == [1, 1, 1, 1]
    assert again.resume().message == "Nothing to collect."
    assert len(creates(sandbox)) == 4


def test_a_single_task_of_an_earlier_kernel_can_be_waited_for(kling, sandbox, cat, new_kernel, new_kling):
    sandbox.hold()
    task = submitted(kling, cat)
    new_kernel()
    sandbox.release()
    found = new_kling().task(task.id)
    assert not found.live
    assert len(found.wait().images) == 1
    assert len(creates(sandbox)) == 1


def test_images_that_are_on_disk_are_not_fetched_again(kling, sandbox, cat, new_kernel, new_kling):
    task = kling.generate("a cat", subject_images=cat, n=3)
    # As if the kernel had died between the last image and the journal.
    bare = tuple(replace(image, path=None, sha256=None) for image in task.record.images)
    kling.session.workspace.journal.update(replace(task.record, images=bare, saved_at=None))
    task.images[2].path.unlink()
    new_kernel()
    before = len([seen for seen in sandbox.requests if seen.origin == "images"])
    again = new_kling()
    assert again.resume().message == "1 task of 1 collected."
    assert len([seen for seen in sandbox.requests if seen.origin == "images"]) == before + 1
    assert [image.path for image in again.task(task.id).images] == [image.path for image in task.images]
    assert len(list(Path("kling_runs/sandbox/images").iterdir())) == 6


def test_after_close_it_is_collected_all_the_same(kling, sandbox, cat):
    sandbox.hold()
    task = submitted(kling, cat)
    kling.close()
    sandbox.release()
    assert kling.resume().message == "1 task of 1 collected."
    assert len(task.images) == 1
    assert task.task_status == "succeeded"


def test_a_failed_task_is_collected_and_raises_nothing(kling, sandbox, cat, new_kernel, new_kling):
    sandbox.hold()
    task = kling.submit("[sandbox: fail] a cat", subject_images=cat)
    assert kling.session.gateway.runner.wait(lambda: task.record.task_id is not None, 20)
    new_kernel()
    sandbox.release()
    found = new_kling().resume()
    assert [task.task_status for task in found] == ["failed"]
    assert found[0].error is not None


def test_what_is_not_done_in_time_is_followed_on(kling, sandbox, cat, new_kernel, new_kling):
    sandbox.hold()
    submitted(kling, cat)
    new_kernel()
    again = new_kling()
    with pytest.raises(WaitTimeout, match=r"1 task still under way after 0\.05 s"):
        again.resume(timeout=0.05)
    sandbox.release()
    assert again.resume().message == "1 task of 1 collected."


@pytest.mark.parametrize(
    ("status", "changes", "words"),
    [
        ("planned", {}, "1 task never sent, because the kernel ended before: cancelled, nothing to pay."),
        ("uncertain", {}, "1 task uncertain: whether the gateway has the task is not known"),
        ("sending", {}, "1 task uncertain: whether the gateway has the task is not known"),
        ("submitted", {"gateway": "https://other.example"}, "1 task at https://other.example: use that gateway"),
        ("submitted", {"gateway": "https://other.example/{0}{}"}, "1 task at https://other.example/{0}{}: use that"),
    ],
)
def test_what_cannot_be_collected_is_said(kling, sandbox, cat, status, changes, words):
    record = left_behind(kling, cat, task_status=status, **changes)
    before = len(creates(sandbox))
    found = kling.resume()
    assert found == []
    assert found.message == f"Nothing to collect. {found.remarks[0]}"
    assert found.remarks[0].startswith(words)
    assert len(creates(sandbox)) == before
    after = kling.task(record.id).record
    assert after.task_status == {"sending": "uncertain", "planned": "cancelled"}.get(status, status)


def test_what_may_be_on_its_way_right_now_is_left_alone(kling, cat):
    journal = kling.session.workspace.journal
    record = left_behind(kling, cat, task_status="sending")
    journal.update(replace(record, sent_at=time.time(), owner="another-machine|boot|1|2"))
    assert "being sent just now, perhaps by another kernel" in kling.resume().message
    assert kling.task(record.id).task_status == "sending"


def test_what_waits_in_another_kernel_is_left_to_it(kling, cat):
    record = left_behind(kling, cat, task_status="planned", owner="another-machine|boot|1|2")
    assert "waiting for free slots in another kernel" in kling.resume().message
    assert kling.task(record.id).task_status == "planned"


def test_remarks_count_alike_tasks_together(kling, cat):
    left_behind(kling, cat, 1, task_status="planned")
    left_behind(kling, cat, 2, task_status="planned")
    left_behind(kling, cat, 3, task_status="uncertain")
    assert kling.resume().remarks == [
        "2 tasks never sent, because the kernel ended before: cancelled, nothing to pay.",
        "1 task uncertain: whether the gateway has the task is not known (`%kling history uncertain`).",
    ]


def test_what_waits_in_this_very_process_is_no_leftover(new_kling, sandbox, cat):
    one, two = new_kling(slots=1), new_kling()
    sandbox.hold()
    submitted(one, cat)
    one.submit("second", subject_images=cat)
    with pytest.raises(WaitTimeout, match="2 tasks still under way"):
        two.resume(timeout=0.05)
    sandbox.release()
    assert two.resume().message == "2 tasks of 2 collected."
    assert len(creates(sandbox)) == 2


def test_a_task_of_another_gateway_names_it(kling, cat):
    record = left_behind(kling, cat, task_status="submitted", gateway="https://other.example/kling")
    with pytest.raises(ConfigurationError, match=r"was sent to https://other\.example/kling.*uses sandbox") as caught:
        kling.task(record.id).wait()
    assert "may be paid" in caught.value.money
    assert "same base_url" in caught.value.advice


def test_without_a_key_nothing_is_taken_over(sandbox, cat):
    real = Kling(api_key="k", base_url=sandbox.base_url, poll_interval=0.01)
    sandbox.hold()
    task = submitted(real, cat)
    real.close()
    sandbox.release()
    keyless = Kling(base_url=sandbox.base_url, poll_interval=0.01)
    with pytest.raises(ConfigurationError, match="There is no API key"):
        keyless.resume()
    with pytest.raises(ConfigurationError, match="There is no API key"):
        keyless.task(task.id).wait()
    assert real.resume().message == "1 task of 1 collected."


def test_waiting_for_everything_of_this_process(kling, sandbox, cat):
    sandbox.hold()
    tasks = [submitted(kling, cat) for _ in range(2)]
    assert gateway.under_way() == 2
    with pytest.raises(WaitTimeout):
        wait_for_all(kling.session, Screen(), 0.05)
    sandbox.release()
    assert sorted(task.id for task in wait_for_all(kling.session, Screen())) == sorted(task.id for task in tasks)
    assert gateway.under_way() == 0
    assert wait_for_all(kling.session, Screen()) == []


def test_a_workspace_that_was_deleted_meanwhile_costs_no_image(kling, sandbox, cat):
    import shutil

    sandbox.hold()
    task = submitted(kling, cat, n=2)
    for name in ("journal.sqlite3", "images", "references", "thumbnails", ".gitignore"):
        path = Path("kling_runs/sandbox") / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    sandbox.release()
    assert len(task.wait().images) == 2
    assert all(image.path.is_file() for image in task.images)
    assert [found.id for found in kling.tasks()] == [task.id]
