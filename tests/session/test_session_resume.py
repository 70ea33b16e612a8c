"""After a kernel has died: what is paid is collected, and nothing is sent."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from kling_nb import ConfigurationError, InvalidRequest, Kling, KlingError, WaitTimeout
from kling_nb.session import gateway
from kling_nb.session.deciding import forget
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
    record = replace(record, images=(), saved_at=None, finished_at=None, submitted_at=None, sent_at=None)
    request = {**record.request, "external_task_id": record.external_task_id}
    record = replace(record, **{"account": "", "sends": 0, "request": request, **changes})
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
    # As the heading of their table says: newest first.
    assert [task.id for task in found] == [task.id for task in reversed(tasks)]
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
    assert found.message == "0 tasks of 1 collected, 1 failed."


def test_what_is_not_done_in_time_is_followed_on(kling, sandbox, cat, new_kernel, new_kling):
    sandbox.hold()
    submitted(kling, cat)
    new_kernel()
    again = new_kling()
    with pytest.raises(WaitTimeout, match=r"1 task still under way after 0\.05 s"):
        again.resume(timeout=0.05)
    sandbox.release()
    assert again.resume().message == "1 task of 1 collected."


ELSEWHERE = "1 task in the hands of another kernel, which goes on with it."


@pytest.fixture
def other_kernel(kling, cat):
    """The name of a process on another machine that has just given a sign of life."""
    kling.generate("first", subject_images=cat)
    name = "another-machine|boot|space|1|2"
    insert, values = "INSERT INTO kernels VALUES (?, ?)", [name, time.time()]
    kling.session.workspace.journal._database.commit(lambda connection: connection.execute(insert, values))
    return name


@pytest.mark.parametrize("gateway_name", ["https://other.example", "https://other.example/{0}{}"])
def test_what_belongs_to_another_gateway_is_said(kling, sandbox, cat, gateway_name):
    record = left_behind(kling, cat, task_status="submitted", gateway=gateway_name)
    found = kling.resume()
    assert found.message == f"Nothing to collect. 1 task at {gateway_name}: use that gateway to collect."
    assert kling.task(record.id).task_status == "submitted"


def test_what_was_never_sent_is_sent_only_when_told_to(kling, sandbox, cat):
    record = left_behind(kling, cat, task_status="planned", owner="")
    before = len(creates(sandbox))
    found = kling.resume()
    assert found.message.startswith("Nothing to collect. 1 task never sent, nothing to pay: `%kling resume --send`")
    assert (len(creates(sandbox)), kling.task(record.id).task_status) == (before, "planned")
    with pytest.raises(KlingError, match="is planned, and this kernel is not sending it") as caught:
        kling.task(record.id).wait(5)
    assert f"%kling resume --send {record.id}" in caught.value.advice
    assert kling.resume(send=True).message == "1 task of 1 collected."
    assert len(creates(sandbox)) == before + 1
    assert len(kling.task(record.id).images) == 1


@pytest.mark.parametrize("status", ["uncertain", "sending"])
def test_what_is_uncertain_and_provably_absent_is_left_for_the_user_to_send(kling, sandbox, cat, status):
    record = left_behind(kling, cat, task_status=status, owner="", account=account(kling, cat))
    before = len(creates(sandbox))
    assert "1 task never sent, nothing to pay" in kling.resume().message
    assert (len(creates(sandbox)), kling.task(record.id).task_status) == (before, "planned")
    assert kling.resume(send=True).message == "1 task of 1 collected."
    assert sandbox.ledger.billed("left-1") == 1


def test_what_is_uncertain_and_not_provably_absent_is_sent_when_it_is_named(kling, sandbox, cat):
    record = left_behind(kling, cat, task_status="uncertain", owner="", account="another account")
    before = len(creates(sandbox))
    assert "1 task uncertain, because the gateway neither shows nor provably lacks" in kling.resume().message
    assert kling.resume(send=True).message.startswith("Nothing to collect. 1 task uncertain")
    assert len(creates(sandbox)) == before
    assert kling.resume(send="left-1").message == "1 task of 1 collected."
    assert (len(creates(sandbox)), sandbox.ledger.billed("left-1")) == (before + 1, 1)
    assert kling.task(record.id).record.sends == 1


def test_what_was_lost_and_turns_up_is_not_sent_even_when_told_to(kling, sandbox, cat):
    sandbox.faults.add("query", "late", times=None)
    sandbox.faults.add("list", "late", times=None)
    with pytest.raises(KlingError):
        kling.generate("[sandbox: lost] a cat", subject_images=cat)
    sandbox.faults.clear()
    task = kling.tasks()[0]
    assert task.task_status == "uncertain"
    assert kling.resume(send=task.id).message == "1 task of 1 collected."
    assert len(creates(sandbox)) == 1
    assert len(task.images) == 1


def account(kling, cat):
    return kling.generate("first", subject_images=cat).record.account


@pytest.mark.parametrize(
    ("status", "after", "said"),
    [
        ("planned", "cancelled", "was never sent, and is cancelled: nothing to pay"),
        ("uncertain", "failed", "is closed. It may exist at the gateway and may be billed"),
        ("sending", "failed", "is closed. It may exist at the gateway and may be billed"),
        ("succeeded", "succeeded", "is closed, with 1 of 1 images missing. It is paid"),
    ],
)
def test_what_the_user_forgets_is_closed(kling, sandbox, cat, status, after, said):
    record = left_behind(kling, cat, task_status=status, owner="")
    task, message = forget(kling.session, record.id)
    assert said in message
    assert task.task_status == after
    assert kling.resume().message == "Nothing to collect."
    with pytest.raises(InvalidRequest, match="nothing to forget") as caught:
        kling.forget(record.id)
    # To say that nothing was sent would be beside the point.
    assert caught.value.money == ""


def test_what_is_under_way_is_not_forgotten(kling, sandbox, cat, new_kernel, new_kling):
    sandbox.hold()
    task = submitted(kling, cat)
    with pytest.raises(InvalidRequest, match="in the hands of this kernel"):
        kling.forget(task.id)
    new_kernel()
    again = new_kling()
    with pytest.raises(InvalidRequest, match="is submitted: there is nothing to forget") as caught:
        again.forget(task.id)
    assert caught.value.money == "It is paid."


@pytest.mark.parametrize("send", ["left-1", "nobody"])
def test_what_cannot_be_sent_again_is_said(kling, sandbox, cat, send):
    left_behind(kling, cat, task_status="failed", owner="")
    before = len(creates(sandbox))
    with pytest.raises(InvalidRequest, match=r"is failed: it is not sent again|There is no task"):
        kling.resume(send=send)
    assert len(creates(sandbox)) == before


def test_sending_many_at_once_asks_first(kling, sandbox, cat):
    for number in range(1, 6):
        left_behind(kling, cat, number, task_status="planned", owner="", request={**base(kling, cat), "n": 9})
    with pytest.raises(InvalidRequest, match="asks for 45 images"):
        kling.resume(send=True)
    assert {task.task_status for task in kling.tasks(limit=5)} <= {"planned", "succeeded"}
    assert len(kling.resume(send=True, yes=True)) == 5


def base(kling, cat):
    return dict((next(iter(kling.tasks()), None) or kling.generate("first", subject_images=cat)).record.request)


@pytest.mark.parametrize("status", ["planned", "sending", "submitted", "uncertain"])
def test_what_another_living_kernel_has_in_hand_is_left_to_it(kling, cat, other_kernel, status):
    record = left_behind(kling, cat, task_status=status, owner=other_kernel, sent_at=time.time())
    assert kling.resume(send=True).message == f"Nothing to collect. {ELSEWHERE}"
    assert kling.task(record.id).task_status == status
    under_way = status in ("submitted", "processing")
    advice = f"`%kling wait {record.id}` waits for it." if under_way else "When that kernel has ended, it can."
    for decide, money in ((kling.forget, ""), (lambda some_id: kling.resume(send=some_id), "Nothing was sent.")):
        with pytest.raises(InvalidRequest, match="in another kernel's hands") as caught:
            decide(record.id)
        assert (caught.value.advice, caught.value.money) == (advice, money)
    with pytest.raises(WaitTimeout, match="Another kernel of this workspace has the task in hand"):
        kling.task(record.id).wait(0)


def test_what_this_kernel_has_finished_with_any_kernel_may_take(kling, sandbox, cat):
    sandbox.faults.add("image", "expired", times=None, status=410)
    with pytest.raises(KlingError):
        kling.generate("a cat", subject_images=cat)
    sandbox.faults.clear()
    (task,) = kling.tasks()
    assert (task.record.task_status, task.record.owner) == ("succeeded", "")
    assert kling.resume().message == "1 task of 1 collected."


def test_remarks_count_alike_tasks_together(kling, cat):
    left_behind(kling, cat, 1, task_status="planned", owner="")
    left_behind(kling, cat, 2, task_status="planned", owner="")
    left_behind(kling, cat, 3, task_status="uncertain", owner="")
    assert [remark[:18] for remark in kling.resume().remarks] == ["2 tasks never sent", "1 task uncertain, "]


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


@pytest.mark.promise("somebody deletes the workspace while tasks run")
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
