"""A task's life: statuses, queries, lists, slots, ids, holding and finishing."""

import pytest


def test_statuses_follow_the_clock(caller, clock):
    task_id = caller.create(n=2)["task_id"]
    seen = []
    for step in (0.0, 0.29, 0.02, 1.68, 0.01):
        clock.advance(step)
        seen.append(caller.query(task_id)["task_status"])
    assert seen == ["submitted", "submitted", "processing", "processing", "succeed"]


def test_times_of_the_statuses(caller, clock):
    start = round(clock.now * 1000)
    task_id = caller.create()["task_id"]
    updated = []
    for step in (0, 1, 5):
        clock.advance(step)
        task = caller.query(task_id)
        assert task["created_at"] == start
        updated.append(task["updated_at"] - start)
    assert updated == [0, 300, 2000]


def test_object_of_an_unfinished_task(caller):
    data = caller.create(external_task_id="mine")
    assert caller.query(data["task_id"]) == data | {
        "task_status_msg": "",
        "watermark_info": {"enabled": False},
    }


def test_object_of_a_finished_task(caller, clock, sandbox):
    task_id = caller.create(n=3, watermark_info={"enabled": True})["task_id"]
    clock.advance(2)
    task = caller.query(task_id)
    assert task["task_status"] == "succeed"
    assert task["final_unit_deduction"] == "3"
    assert task["watermark_info"] == {"enabled": True}
    images = task["task_result"]["images"]
    assert [image["index"] for image in images] == [0, 1, 2]
    addresses = [image[name] for image in images for name in ("url", "watermark_url")]
    assert len(set(addresses)) == 6
    assert all(address.startswith(sandbox.image_origin + "/") for address in addresses)


def test_no_watermark_unless_asked_for(caller, clock):
    task_id = caller.create()["task_id"]
    clock.advance(2)
    assert set(caller.images(task_id)[0]) == {"index", "url"}


def test_units_per_image(start, connect):
    caller = connect(start(seconds=0, units_per_image=2.5, images="constant"))
    task_id = caller.create(n=3)["task_id"]
    assert caller.query(task_id)["final_unit_deduction"] == "7.5"


def test_query_by_external_id(caller):
    data = caller.create(external_task_id="a/b c?ü")
    assert caller.query("a%2Fb%20c%3F%C3%BC")["task_id"] == data["task_id"]


def test_unknown_task(caller):
    caller.create()  # its external_task_id is empty, which is not an id
    for name in ("nobody", "0", "%20"):
        answer = caller.get(name)
        assert answer.status_code == 404
        assert answer.json()["code"] == 1203
        assert "data" not in answer.json()


def test_repeated_external_id_is_refused(caller, sandbox):
    first = caller.create(external_task_id="same")
    answer = caller.post(external_task_id="same")
    assert (answer.status_code, answer.json()["code"]) == (400, 1201)
    assert "external_task_id" in answer.json()["message"]
    assert [entry.task_id for entry in sandbox.ledger.entries()] == [first["task_id"]]


def test_repeated_external_id_may_be_allowed(start, connect):
    sandbox = start(unique_external_ids=False, images="constant")
    caller = connect(sandbox)
    caller.create(external_task_id="same", n=2)
    second = caller.create(external_task_id="same")
    assert caller.query("same")["task_id"] == second["task_id"]
    assert sandbox.ledger.billed("same") == 3


def test_empty_external_ids_do_not_collide(caller):
    caller.create(external_task_id="")
    caller.create(external_task_id="")


def test_list_is_newest_first_in_pages(caller):
    made = [caller.create()["task_id"] for _ in range(5)]

    def page(**arguments):
        return [task["task_id"] for task in caller.list(**arguments).json()["data"]]

    newest_first = made[::-1]
    assert page() == newest_first
    assert page(pageNum=1, pageSize=2) == newest_first[:2]
    assert page(pageNum=3, pageSize=2) == newest_first[4:]
    assert page(pageNum=1000, pageSize=500) == []


def test_list_holds_the_objects_of_queries(caller, clock):
    task_id = caller.create(external_task_id="mine")["task_id"]
    clock.advance(2)
    assert caller.list().json()["data"] == [caller.query(task_id)]


def test_list_has_thirty_by_default(start, connect):
    caller = connect(start(seconds=0, images="constant"))
    for _ in range(31):
        caller.create()
    assert len(caller.list().json()["data"]) == 30
    assert len(caller.list(pageSize=500).json()["data"]) == 31


@pytest.mark.parametrize(
    "arguments",
    [
        {"pageNum": 0},
        {"pageNum": 1001},
        {"pageNum": "x"},
        {"pageNum": ""},
        {"pageSize": 0},
        {"pageSize": 501},
        {"pageSize": "1.5"},
        {"pageSize": "9" * 5000},
        {"pageSize": "٣"},
        {"page": 1},
    ],
    ids=range(10),
)
def test_list_refuses(caller, arguments):
    answer = caller.list(**arguments)
    assert (answer.status_code, answer.json()["code"]) == (400, 1201)


def busy(answer):
    body = answer.json()
    assert set(body) == {"code", "message", "request_id"}
    return (answer.status_code, body["code"], body["message"]) == (
        429,
        1303,
        "parallel task over resource pack limit",
    )


def test_slots_count_images_of_unfinished_tasks(start, connect, clock):
    sandbox = start(clock=clock, slots=5, images="constant")
    caller = connect(sandbox)
    caller.create(n=3)
    clock.advance(1)
    caller.create(n=2)
    assert busy(caller.post(n=1))
    clock.advance(1)  # the first task is over
    caller.create(n=3)
    assert busy(caller.post(n=1))
    assert [entry.n for entry in sandbox.ledger.entries()] == [3, 2, 3]


def test_slots_of_the_models_do_not_add_up(start, connect, clock):
    caller = connect(start(clock=clock, slots=2, images="constant"))
    caller.create(n=2, model_name="kling-v2")
    caller.create(n=2, model_name="kling-v2-1")
    assert busy(caller.post(n=1, model_name="kling-v2-1"))


def test_a_task_larger_than_the_slots(start, connect):
    caller = connect(start(slots=5))
    assert busy(caller.post(n=6))


def test_a_refused_task_keeps_its_external_id_free(start, connect, clock):
    caller = connect(start(clock=clock, slots=1, images="constant"))
    caller.create()
    assert busy(caller.post(external_task_id="later"))
    clock.advance(2)
    caller.create(external_task_id="later")


def test_hold_and_release(caller, clock, sandbox):
    early = caller.create()["task_id"]
    sandbox.hold()
    late = caller.create()["task_id"]
    clock.advance(1000)
    assert [caller.query(task)["task_status"] for task in (early, late)] == ["processing"] * 2
    sandbox.hold("submitted")
    assert caller.query(early)["task_status"] == "submitted"
    sandbox.release()
    assert [caller.query(task)["task_status"] for task in (early, late)] == ["succeed"] * 2
    assert caller.query(caller.create()["task_id"])["task_status"] == "submitted"


def test_hold_leaves_finished_tasks_alone(caller, clock, sandbox):
    task_id = caller.create()["task_id"]
    clock.advance(2)
    sandbox.hold()
    assert caller.query(task_id)["task_status"] == "succeed"


def test_held_tasks_keep_their_slots(start, connect, clock):
    sandbox = start(clock=clock, slots=1, seconds=0, images="constant")
    caller = connect(sandbox)
    caller.create()
    sandbox.hold()
    caller.create()
    clock.advance(1000)
    assert busy(caller.post())


def test_hold_knows_two_states(sandbox):
    with pytest.raises(ValueError, match="submitted or processing"):
        sandbox.hold("succeed")


def test_finish_one_or_all(caller, sandbox):
    tasks = [caller.create(external_task_id=f"mine-{number}")["task_id"] for number in range(3)]
    assert sandbox.finish(tasks[0]) == 1
    assert sandbox.finish("mine-1") == 1
    assert sandbox.finish("nobody") == 0
    assert [caller.query(task)["task_status"] for task in tasks] == ["succeed", "succeed", "submitted"]
    assert sandbox.finish() == 1
    assert caller.query(tasks[2])["task_status"] == "succeed"


def test_finish_ends_what_is_held(caller, clock, sandbox):
    sandbox.hold()
    task = caller.create(prompt="[sandbox: fail]")["task_id"]
    clock.advance(0.5)
    sandbox.finish(task)
    body = caller.query(task)
    assert body["task_status"] == "failed"
    assert body["updated_at"] - body["created_at"] == 500


def test_describe_is_what_a_query_answers(caller, clock, sandbox):
    caller.create(external_task_id="mine")
    clock.advance(2)
    assert sandbox.describe("mine") == caller.query("mine")
    with pytest.raises(KeyError):
        sandbox.describe("nobody")


def test_a_reseller_wraps_good_answers(start, connect, clock):
    caller = connect(start(clock=clock, envelope="reseller", images="constant"))
    body = caller.post(external_task_id="mine").json()
    assert (body["code"], body["message"]) == ("success", "")
    assert body["data"]["status"] == "SUBMITTED"
    assert body["data"]["data"]["code"] == 0
    task_id = body["data"]["task_id"]
    assert body["data"]["data"]["data"]["task_id"] == task_id
    clock.advance(1)
    assert caller.get(task_id).json()["data"]["status"] == "IN_PROGRESS"
    clock.advance(1)
    wrapped = caller.get(task_id).json()["data"]
    assert (wrapped["status"], wrapped["progress"], wrapped["fail_reason"]) == ("SUCCESS", "100%", "")
    (listed,) = caller.list().json()["data"]
    assert listed["data"]["data"] == wrapped["data"]["data"]
    assert caller.get("nobody").json()["code"] == 1203


def test_a_reseller_says_why_a_task_failed(start, connect, clock):
    caller = connect(start(clock=clock, envelope="reseller", images="constant"))
    task_id = caller.post(prompt="[sandbox: fail]").json()["data"]["task_id"]
    clock.advance(2)
    wrapped = caller.get(task_id).json()["data"]
    assert wrapped["status"] == "FAILURE"
    assert "risk control" in wrapped["fail_reason"]
