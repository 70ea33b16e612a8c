"""The ledger: billing, restarts, and several sandboxes on one folder."""

import multiprocessing
import sqlite3
import threading

import httpx
import pytest

from kling_nb.sandbox import Sandbox


def test_entries(caller, clock, sandbox):
    data = caller.create(n=4, external_task_id="mine", prompt="a cat", aspect_ratio="3:2")
    (entry,) = sandbox.ledger.entries()
    assert (entry.task_id, entry.external_task_id) == (data["task_id"], "mine")
    assert (entry.model_name, entry.n, entry.billed, entry.status) == ("kling-v2", 4, 4, "submitted")
    assert (entry.prompt, entry.aspect_ratio, entry.created_at) == ("a cat", "3:2", clock.now)
    assert (entry.subjects, entry.has_scene, entry.has_style, entry.watermark) == (1, False, False, False)
    clock.advance(2)
    assert sandbox.ledger.entries()[0].status == "succeed"


def test_billing(caller, clock, sandbox):
    caller.create(n=4, external_task_id="a")
    caller.create(n=3, external_task_id="b", prompt="[sandbox: fail]")
    assert sandbox.ledger.billed_images() == 7
    clock.advance(2)
    assert sandbox.ledger.billed_images() == 4
    assert [sandbox.ledger.billed(name) for name in ("a", "b", "c")] == [4, 0, 0]


def test_samples_of_equal_requests_are_counted(caller, photo, sandbox):
    for number in range(3):
        caller.create(external_task_id=f"mine-{number}", callback_url=f"http://example.com/{number}")
    caller.create(prompt="another")
    caller.create(scene_image=photo)
    entries = sandbox.ledger.entries()
    assert [entry.sample for entry in entries] == [0, 1, 2, 0, 0]
    assert len({entry.digest for entry in entries}) == 3


def test_a_restart_forgets_nothing(start, connect, clock, tmp_path):
    with Sandbox(tmp_path, clock=clock, seconds=2, images="painted") as first:
        caller = connect(first)
        task_id = caller.create(external_task_id="mine")["task_id"]
        clock.advance(2)
        before = [caller.download(image["url"]).content for image in caller.images(task_id)]
        unseen = caller.create()["task_id"]
        clock.advance(2)
    for painted in (tmp_path / "images").iterdir():
        painted.unlink()  # painted again, from the references and the ledger
    second = start(clock=clock)
    caller = connect(second)
    assert caller.query("mine")["task_id"] == task_id
    after = [caller.download(image["url"]).content for image in caller.images(task_id)]
    assert after == before
    assert caller.download(caller.images(unseen)[0]["url"]).status_code == 200
    assert second.ledger.billed_images() == 2
    assert caller.post(external_task_id="mine").status_code == 400


def test_image_addresses_outlive_a_restart(connect, clock, tmp_path):
    sandbox = Sandbox(tmp_path, clock=clock, images="constant")
    with sandbox:
        caller = connect(sandbox)
        task_id = caller.create()["task_id"]
        clock.advance(2)
        url = caller.images(task_id)[0]["url"]
        content = caller.download(url).content
        ports = sandbox.base_url, sandbox.image_origin
    with pytest.raises(httpx.TransportError):
        caller.query(task_id)
    with sandbox:
        assert (sandbox.base_url, sandbox.image_origin) == ports
        assert caller.download(url).content == content


def test_the_ledger_can_be_read_after_the_end(clock, connect, tmp_path):
    with Sandbox(tmp_path, clock=clock) as sandbox:
        connect(sandbox).create(n=2)
    assert sandbox.ledger.billed_images() == 2
    assert Sandbox(tmp_path, clock=clock).ledger.billed_images() == 2


def test_held_tasks_stay_held_over_a_restart(start, clock, connect, tmp_path):
    with Sandbox(tmp_path, clock=clock) as first:
        first.hold()
        task_id = connect(first).create()["task_id"]
    second = start(clock=clock)
    clock.advance(1000)
    assert second.describe(task_id)["task_status"] == "processing"
    second.release()
    assert second.describe(task_id)["task_status"] == "succeed"


def test_two_sandboxes_on_one_folder_are_one_account(start, connect, clock):
    options = {"clock": clock, "slots": 3, "images": "constant"}
    one, two = start(**options), start(**options)
    first, second = connect(one), connect(two)
    task_id = first.create(n=2, external_task_id="mine")["task_id"]
    assert second.query("mine")["task_id"] == task_id
    assert second.post(n=2).status_code == 429
    assert second.post(external_task_id="mine").status_code == 400
    other = second.create(n=1)["task_id"]
    assert [task["task_id"] for task in first.list().json()["data"]] == [other, task_id]
    assert one.ledger.entries() == two.ledger.entries()
    clock.advance(2)
    ours, theirs = first.images(task_id)[0]["url"], second.images(task_id)[0]["url"]
    assert ours != theirs  # each serves its own origin
    assert first.download(ours).content == first.download(theirs).content


def _create_many(folder, body, amount, results):
    with Sandbox(folder, slots=7, seconds=1000, images="constant") as sandbox:
        url = sandbox.base_url + "/v1/images/multi-image2image"
        headers = {"Authorization": "Bearer x"}
        with httpx.Client(headers=headers, verify=False, timeout=60) as http:
            results.put([http.post(url, json=body).status_code for _ in range(amount)])


def test_slots_hold_across_processes(tmp_path, caller):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    folder = tmp_path / "shared"
    workers = [context.Process(target=_create_many, args=(folder, caller.body(), 6, results)) for _ in range(2)]
    for worker in workers:
        worker.start()
    statuses = [status for _ in workers for status in results.get(timeout=60)]
    for worker in workers:
        worker.join()
        worker.close()
    results.close()
    results.join_thread()
    assert sorted(statuses) == [200] * 7 + [429] * 5
    assert Sandbox(folder).ledger.billed_images() == 7


def test_a_create_waits_for_another_process_that_writes(sandbox, caller):
    """It takes the write lock before it reads; otherwise SQLite would fail it at once as a deadlock."""
    answers = []
    other = sqlite3.connect(sandbox.folder / "ledger.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    thread = threading.Thread(target=lambda: answers.append(caller.post()))
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()
    other.execute("COMMIT")
    other.close()
    thread.join()
    assert answers[0].status_code == 200


def test_slots_hold_across_threads(start, connect):
    sandbox = start(slots=6, seconds=1000, images="constant")
    statuses = []

    def create():
        caller = connect(sandbox)
        statuses.extend(caller.post().status_code for _ in range(3))

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 6 + [429] * 6
    assert len(sandbox.ledger.entries()) == 6


def test_no_key_is_written_down(caller, tmp_path, connect, start, clock):
    connect(start(tmp_path / "keyed", clock=clock, key="sesame-1"), token="sesame-1").create()
    files = [path for path in (tmp_path / "keyed").rglob("*") if path.is_file()]
    assert files
    assert all(b"sesame-1" not in path.read_bytes() for path in files)
