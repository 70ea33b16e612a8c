"""From a prompt and pictures to images on disk, through the façade and a real gateway on this machine."""

import hashlib
import itertools
import json
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from kling_nb import (
    ConfigurationError,
    InvalidRequest,
    Kling,
    KlingError,
    Task,
    WaitTimeout,
    WorkspaceError,
)
from kling_nb.key import Secret, kernel


def creates(sandbox):
    return [seen for seen in sandbox.requests if seen.method == "POST"]


def test_generate_waits_and_saves(kling, sandbox, cat, pictures):
    task = kling.generate(
        "a cat wearing the hat",
        subject_images=[cat, pictures(2)],
        scene_image=pictures(3),
        style_image=pictures(4),
        n=3,
        aspect_ratio="3:2",
        external_task_id="mine",
        callback_url="https://example.com/hook",
        watermark=True,
    )
    assert isinstance(task, Task)
    assert (task.task_status, task.done, task.live, task.error) == ("succeeded", True, False, None)
    assert (task.n, task.aspect_ratio, task.model_name) == (3, "3:2", "kling-v2-1")
    assert (task.prompt, task.external_task_id) == ("a cat wearing the hat", "mine")
    assert [reference.role for reference in task.references] == ["subject", "subject", "scene", "style"]
    assert task.request["subject_image_list"][0] == {"subject_image": "sha256:" + hashlib.sha256(cat).hexdigest()}
    assert task.task_id in str(sandbox.describe(task.task_id))
    assert len(creates(sandbox)) == 1
    assert [image.index for image in task.images] == [0, 1, 2]
    assert repr(task) == f"<Task {task.id}: succeeded, 3 of 3 images, kling-v2-1>"
    record = task.record
    assert record.created_at <= record.sent_at <= record.submitted_at <= record.finished_at <= record.saved_at
    assert record.units == "3.0" or record.units


def test_what_is_on_disk_is_what_was_served(kling, sandbox, cat):
    import httpx

    task = kling.generate("a cat", subject_images=cat, n=2)
    folder = Path.cwd() / "kling_runs" / "sandbox"
    for image in task.images:
        served = httpx.get(image.url).content
        assert image.path.read_bytes() == image.bytes == served
        assert image.sha256 == hashlib.sha256(served).hexdigest()
        assert image.path.parent == folder / "images"
        assert json.loads(image.path.with_suffix(".json").read_text()) == image.metadata
    reference = hashlib.sha256(cat).hexdigest()
    assert (folder / "references" / f"{reference}.png").read_bytes() == cat
    assert (folder / ".gitignore").is_file()


def test_submit_returns_at_once_and_wait_collects(kling, sandbox, cat):
    sandbox.hold()
    task = kling.submit("a cat", subject_images=cat, n=2)
    assert not task.done
    assert task.live
    assert task.images == []
    sandbox.release()
    assert task.wait() is task
    assert len(task.images) == 2
    assert task.wait() is task
    assert len(creates(sandbox)) == 1


def test_several_at_once(kling, sandbox, cat):
    tasks = [kling.submit(f"number {number}", subject_images=cat) for number in range(8)]
    for task in tasks:
        task.wait()
    assert len({task.images[0].path for task in tasks}) == 8
    assert len({task.images[0].sha256 for task in tasks}) == 8
    assert len(creates(sandbox)) == 8


def test_the_same_prompt_in_the_same_second_never_shares_a_file(kling, cat):
    tasks = [kling.submit("a cat", subject_images=cat, n=2) for _ in range(4)]
    images = [image for task in tasks for image in task.wait().images]
    assert len({image.path for image in images}) == 8
    assert all(hashlib.sha256(image.bytes).hexdigest() == image.sha256 for image in images)


def test_the_model_is_the_settings_unless_given(new_kling, cat):
    kling = new_kling(model_name="kling-v2")
    assert kling.generate("a", subject_images=cat).model_name == "kling-v2"
    assert kling.generate("a", subject_images=cat, model_name="kling-v2-1").model_name == "kling-v2-1"


def test_only_what_was_given_is_sent(kling, cat):
    task = kling.generate("a cat", subject_images=cat)
    assert set(task.request) == {"model_name", "prompt", "subject_image_list", "n", "external_task_id"}
    assert task.request["n"] == 1
    assert set(kling.generate(subject_images=cat).request) == set(task.request) - {"prompt"}


# ---- cancel, time-out, close ---------------------------------------------------------------------


def test_a_task_that_waits_for_slots_can_be_cancelled(new_kling, sandbox, cat):
    kling = new_kling(slots=2)
    sandbox.hold()
    first = kling.submit("first", subject_images=cat, n=2)
    second = kling.submit("second", subject_images=cat, n=2)
    assert second.task_status == "planned"
    assert second.cancel()
    assert not second.cancel()
    assert (second.task_status, second.done) == ("cancelled", True)
    with pytest.raises(KlingError, match="was cancelled") as caught:
        second.wait()
    assert caught.value.money == "It was never sent."
    assert caught.value.task is second
    sandbox.release()
    assert not first.wait().cancel()
    assert len(creates(sandbox)) == 1


def test_a_task_from_the_history_cannot_be_cancelled(kling, cat):
    task = kling.generate("a", subject_images=cat)
    assert not kling.task(task.id).cancel()


@pytest.mark.promise("a wait takes longer than `timeout`")
def test_a_wait_that_ends_is_not_the_end_of_the_task(kling, sandbox, cat):
    sandbox.hold()
    task = kling.submit("a cat", subject_images=cat)
    with pytest.raises(WaitTimeout, match=r"is still (sending|submitted|processing) after 0\.05 s") as caught:
        task.wait(0.05)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.task is task
    assert "paid once and goes on" in caught.value.money
    assert task.live
    sandbox.release()
    assert len(task.wait().images) == 1
    sandbox.hold()
    with pytest.raises(WaitTimeout):
        kling.generate("another", subject_images=cat, timeout=0.05)


@pytest.mark.parametrize("timeout", ["5 min", -1, float("nan"), True, [5]], ids=repr)
def test_a_timeout_that_is_none_is_said_before_anything_is_sent(kling, sandbox, cat, timeout):
    with pytest.raises(InvalidRequest, match="it must be a number of seconds"):
        kling.generate("a", subject_images=cat, timeout=timeout)
    assert not creates(sandbox)
    task = kling.generate("a", subject_images=cat, timeout="30")
    for wait in (task.wait, lambda seconds: kling.resume(timeout=seconds)):
        with pytest.raises(InvalidRequest, match="it must be a number of seconds"):
            wait(timeout)
    assert task.wait(0) is task.wait(float("inf"))


def test_a_wait_in_the_queue_says_that_nothing_is_paid_yet(new_kling, sandbox, cat):
    kling = new_kling(slots=1)
    sandbox.hold()
    sent(kling, kling.submit("first", subject_images=cat))
    sandbox.faults.add("create", "status", times=None, status=429, code=1303)
    second = kling.submit("second", subject_images=cat)
    with pytest.raises(WaitTimeout, match=r"is still planned.*no free slots") as caught:
        second.wait(0.2)
    assert "not sent yet, and so not paid" in caught.value.money


def test_a_task_of_a_closed_session_is_taken_up_again(kling, sandbox, cat):
    sandbox.hold()
    with kling:
        task = kling.submit("a cat", subject_images=cat)
        sent(kling, task)
    assert not task.live
    sandbox.release()
    assert len(task.wait(20).images) == 1
    assert len(creates(sandbox)) == 1


def test_a_task_that_was_never_sent_says_so(new_kling, sandbox, cat, capsys):
    kling = new_kling(slots=1)
    sandbox.hold()
    sent(kling, kling.submit("first", subject_images=cat))
    sandbox.faults.add("create", "status", times=None, status=429, code=1303)
    second = kling.submit("second", subject_images=cat)
    kling.close()
    assert second.task_status == "cancelled"
    assert second.done
    with pytest.raises(KlingError, match="was cancelled") as caught:
        second.wait(20)
    assert "never sent" in caught.value.money
    said = capsys.readouterr().err
    assert "1 task under way, paid once" in said
    assert "1 task not sent: cancelled" in said
    with pytest.raises(KlingError, match="was cancelled"):
        new_kling().task(second.id).wait(20)


def test_a_task_that_a_dead_kernel_was_sending_is_looked_for(kling, sandbox, cat):
    task = kling.generate("a", subject_images=cat)
    record = replace(task.record, id="20200101-000000-other", external_task_id="other", task_id=None, images=())
    record = replace(record, task_status="sending", saved_at=None, sent_at=time.time() - 99, owner="")
    kling.session.workspace.journal.insert([record])
    sandbox.faults.add("query", "no_external_ids", times=None)
    with pytest.raises(KlingError, match="Its process ended while it was being sent") as caught:
        kling.task("other").wait(20)
    assert "may be billed" in caught.value.money
    assert len(creates(sandbox)) == 1


def threads_of_the_engine():
    names = ("kling-send", "kling-collect", "kling-follow", "kling-search", "kling-queue")
    return [thread for thread in threading.enumerate() if thread.name.startswith(names)]


def sent(kling, task):
    """Wait until a task is known to the gateway."""
    assert kling.session.gateway.runner.wait(lambda: task.record.task_id is not None, 20)
    return task


def test_closing_twice_and_using_it_again(kling, sandbox, cat):
    kling.close()
    kling.generate("a", subject_images=cat)
    kling.close()
    kling.close()
    assert len(kling.generate("b", subject_images=cat).images) == 1
    assert threads_of_the_engine()
    kling.close()
    assert not threads_of_the_engine()


def test_two_objects_share_the_threads_until_the_last_is_closed(new_kling, sandbox, cat):
    one, two = new_kling(), new_kling()
    sandbox.hold()
    task = sent(one, one.submit("a", subject_images=cat))
    assert two.task(task.id).live
    assert two.session.gateway is one.session.gateway
    two.close()
    assert task.live
    two.task(task.id)
    one.close()
    sandbox.release()
    assert len(task.wait(20).images) == 1


def test_a_second_object_sees_what_waits_in_the_first(new_kling, sandbox, cat):
    one, two = new_kling(slots=1), new_kling()
    # While a create is under way none is sent to see whether there are more slots.
    hang = sandbox.faults.add("create", "hang", processed=True)
    one.submit("first", subject_images=cat)
    waiting = one.submit("second", subject_images=cat)
    seen = two.task(waiting.id)
    assert (seen.task_status, seen.live) == ("planned", True)
    hang.release()
    assert len(seen.wait().images) == 1
    assert seen.record == waiting.record
    assert len(creates(sandbox)) == 2


# ---- agreement and limits ------------------------------------------------------------------------


def test_more_images_than_confirm_above_need_a_yes(new_kling, sandbox, cat):
    kling = new_kling(confirm_above=2)
    with pytest.raises(InvalidRequest, match=r"This asks for 3 images\. More than 2 \(confirm_above\)") as caught:
        kling.submit("a", subject_images=cat, n=3)
    assert "yes=True" in caught.value.advice
    assert not creates(sandbox)
    assert kling.tasks() == []
    assert len(kling.generate("a", subject_images=cat, n=2).images) == 2
    assert len(kling.generate("a", subject_images=cat, n=3, yes=True).images) == 3


@pytest.mark.parametrize(("answer", "sent"), [("y", 1), (" YES ", 1), ("n", 0), ("", 0), ("maybe", 0)])
def test_a_person_is_asked(new_kling, sandbox, cat, monkeypatch, answer, sent):
    monkeypatch.setattr("kling_nb.session.session.can_ask", lambda: True)
    asked = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or answer)
    kling = new_kling(confirm_above=0)
    try:
        kling.generate("a", subject_images=cat)
    except InvalidRequest:
        assert not sent
    assert asked == ["This asks for 1 images. Send it? [y/N] "]
    assert len(creates(sandbox)) == sent


def test_max_images_is_a_hard_stop(new_kling, sandbox, cat):
    kling = new_kling(max_images=3)
    kling.generate("a", subject_images=cat, n=2)
    with pytest.raises(ConfigurationError, match="max_images is 3: this session has asked for 2 images, and this") as e:
        kling.generate("a", subject_images=cat, n=2, yes=True)
    assert e.value.money == "Nothing was sent."
    kling.close()
    # Neither a new object nor a closed one begins anew.
    with pytest.raises(ConfigurationError, match="asked for 2 images"):
        new_kling(max_images=3).generate("a", subject_images=cat, n=2)
    kling.generate("a", subject_images=cat, n=1)
    with pytest.raises(ConfigurationError, match="asked for 3 images"):
        kling.generate("a", subject_images=cat, n=1)
    assert len(creates(sandbox)) == 2


def test_max_images_holds_against_threads(new_kling, sandbox, cat):
    kling = new_kling(max_images=5)
    barrier = threading.Barrier(10)
    outcomes = []

    def ask():
        barrier.wait()
        try:
            kling.submit("a", subject_images=cat)
            outcomes.append(True)
        except ConfigurationError:
            outcomes.append(False)

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(True) == 5


def test_what_was_not_sent_does_not_count(new_kling, cat):
    kling = new_kling(max_images=2)
    kling.generate("a", subject_images=cat, external_task_id="mine")
    with pytest.raises(InvalidRequest, match="'mine' was already used"):
        kling.generate("a", subject_images=cat, external_task_id="mine")
    kling.generate("a", subject_images=cat)


@pytest.mark.promise("your own external id was used before")
def test_an_external_id_is_used_once(kling, sandbox, cat):
    task = kling.generate("a", subject_images=cat, external_task_id="mine")
    with pytest.raises(InvalidRequest, match="'mine' was already used for an earlier task") as caught:
        kling.generate("b", subject_images=cat, external_task_id="mine")
    assert "`%kling show mine`" in caught.value.advice
    assert kling.task("mine").id == task.id
    assert sandbox.ledger.billed_images() == 1


def test_no_key_is_said_before_anything_is_made():
    kling = Kling()
    with pytest.raises(ConfigurationError, match="There is no API key"):
        kling.submit("a", subject_images=Image.new("RGB", (300, 300)))
    assert os.listdir() == []


def test_what_is_wrong_with_a_request_is_all_said_and_nothing_is_made(kling, sandbox, cat):
    before = len(sandbox.requests)
    with pytest.raises(InvalidRequest) as caught:
        kling.submit("x" * 2501, subject_images=cat, n=10, aspect_ratio="5:7")
    assert len(caught.value.message.splitlines()) == 3
    with pytest.raises(InvalidRequest, match="At least one subject"):
        kling.submit("a", subject_images=None)
    with pytest.raises(InvalidRequest, match="scene_image takes one"):
        kling.submit("a", subject_images=cat, scene_image=[cat, cat])
    with pytest.raises(InvalidRequest, match="seed"):
        kling.submit("a", subject_images=cat, seed=1)
    with pytest.raises(InvalidRequest, match="timeout"):
        kling.submit("a", subject_images=cat, timeout=1)
    assert len(sandbox.requests) == before
    assert not (Path("kling_runs") / "sandbox" / "journal.sqlite3").exists()


def test_a_journal_that_cannot_be_written_means_that_nothing_is_sent(kling, sandbox, cat):
    folder = Path("kling_runs") / "sandbox"
    (folder / "journal.sqlite3").mkdir()
    with pytest.raises(WorkspaceError) as caught:
        kling.submit("a", subject_images=cat)
    assert caught.value.money == "Nothing was sent."
    assert not creates(sandbox)


def test_a_file_name_that_is_no_text(kling, cat):
    name = os.fsdecode(b"caf\xe9.png")
    Path(name).write_bytes(cat)
    task = kling.generate("a", subject_images=name)
    assert kling.task(task.id).references == task.references
    assert task.references[0].name.startswith("caf")
    assert kling.tasks().bundle()
    assert task.bundle()
    assert task.images[0].save("copy.png").is_file()


# ---- reuse ---------------------------------------------------------------------------------------


def test_the_very_same_request_is_paid_once_when_asked(kling, sandbox, cat, pictures):
    first = kling.generate("a", subject_images=cat, n=2)
    again = kling.generate(
        "a", subject_images=cat, n=2, reuse=True, external_task_id="other", callback_url="https://x.y"
    )
    assert again.id == first.id
    assert len(again.images) == 2
    for other in ({"n": 1}, {"subject_images": pictures(2)}, {"prompt": "b"}, {"aspect_ratio": "1:1"}):
        fields = {"prompt": "a", "subject_images": cat, "n": 2, **other}
        assert kling.generate(fields.pop("prompt"), **fields, reuse=True).id != first.id
    assert kling.generate("a", subject_images=cat, n=2).id != first.id
    assert len(creates(sandbox)) == 6


def test_what_failed_or_was_deleted_is_not_reused(kling, sandbox, cat):
    sandbox.faults.add("create", "status", status=400, code=1301)
    with pytest.raises(KlingError):
        kling.generate("a", subject_images=cat)
    task = kling.generate("a", subject_images=cat, reuse=True)
    assert len(creates(sandbox)) == 2
    task.images[0].path.unlink()
    assert kling.generate("a", subject_images=cat, reuse=True).id != task.id


# ---- the key -------------------------------------------------------------------------------------


def test_the_key_is_nowhere(sandbox, cat, tree):
    key = "sk-sesame-0123456789"
    with Kling(api_key=key, base_url=sandbox.base_url, poll_interval=0.01) as kling:
        task = kling.generate("a", subject_images=cat)
        dry = kling.dry_run("a", subject_images=cat)
        shown = [repr(kling), repr(task), str(task.bundle()), str(dry.bundle()), dry.curl, str(kling.tasks().bundle())]
        shown += [repr(task.record), repr(task.images), str(task.images[0].metadata), repr(kling.settings)]
        task.images.save("copies")
        assert all("sesame" not in text for text in shown)
    assert all(b"sesame" not in (data or b"") for data in tree(Path.cwd()).values())
    sent = [seen for seen in sandbox.requests if seen.headers.get("authorization")]
    assert {seen.headers["authorization"] for seen in sent} == {f"Bearer {key}"}
    # The origin of the images is another, and never sees it.
    assert {seen.origin for seen in sandbox.requests} == {"api", "images"}
    assert {seen.origin for seen in sent} == {"api"}


def test_a_new_key_counts_for_the_next_request(sandbox, cat):
    def seen_keys():
        return {seen.headers["authorization"] for seen in sandbox.requests if seen.origin == "api"}

    numbers = itertools.count()
    Kling(api_key=lambda: f"key-{next(numbers)}", base_url=sandbox.base_url, poll_interval=0.01).generate(
        "a", subject_images=cat
    )
    # It was looked at before anything was made, and anew for the create and for each query.
    assert seen_keys() == {f"Bearer key-{number}" for number in range(1, next(numbers))}
    kling = Kling(base_url=sandbox.base_url, poll_interval=0.01)
    for login in ("first", "second"):
        kernel.login = Secret(login)
        kling.generate("a", subject_images=cat)
        assert f"Bearer {login}" in seen_keys()


def test_the_sandbox_never_sees_the_users_key(kling, sandbox, cat, monkeypatch):
    monkeypatch.setenv("KLING_API_KEY", "sk-sesame")
    kling.generate("a", subject_images=cat)
    assert all("sesame" not in str(dict(seen.headers)) for seen in sandbox.requests)
