"""Every kind of fault, seen by a plain client; and how faults are ordered."""

import io
import json
import threading

import httpx
import pytest
from PIL import Image

from kling_nb.sandbox.faultkinds import EVERYWHERE, KINDS


@pytest.fixture
def task(caller, clock):
    """A finished task of two images."""
    task_id = caller.create(n=2, external_task_id="mine")["task_id"]
    clock.advance(2)
    return task_id


@pytest.fixture
def ask(caller, task):
    """Make one request of each sort."""
    urls = [image["url"] for image in caller.images(task)]

    def asked(on, index=0):
        return {
            "create": lambda: caller.post(external_task_id="new"),
            "query": lambda: caller.get("mine"),
            "list": caller.list,
            "image": lambda: caller.download(urls[index]),
        }[on]()

    return asked


def test_status(sandbox, ask):
    sandbox.faults.add("query", "status", status=429, code=1302, message="slowly", retry_after="7")
    answer = ask("query")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "7"
    body = answer.json()
    assert (body["code"], body["message"]) == (1302, "slowly")
    assert body["request_id"]
    assert ask("query").status_code == 200


@pytest.mark.parametrize("on", EVERYWHERE)
def test_status_anywhere(sandbox, ask, on):
    sandbox.faults.add(on, "status", status=503, code="5001")
    assert ask(on).json()["code"] == "5001"
    assert ask(on).status_code == 200


def test_a_replaced_answer_makes_nothing_unless_processed(sandbox, ask):
    sandbox.faults.add("create", "status")
    assert ask("create").status_code == 500
    assert sandbox.ledger.billed("new") == 0
    sandbox.faults.add("create", "status", processed=True)
    assert ask("create").status_code == 500
    assert sandbox.ledger.billed("new") == 1


def test_openai_error(sandbox, ask):
    sandbox.faults.add("create", "openai_error", status=401, code="invalid_api_key", type="auth")
    answer = ask("create")
    assert answer.status_code == 401
    error = answer.json()["error"]
    assert (error["code"], error["type"]) == ("invalid_api_key", "auth")
    assert error["message"]


def test_html(sandbox, ask):
    sandbox.faults.add("query", "html", status=200)
    answer = ask("query")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text.startswith("<html>")


def test_empty(sandbox, ask):
    sandbox.faults.add("query", "empty")
    answer = ask("query")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == "0"


def test_not_json(sandbox, ask):
    sandbox.faults.add("query", "not_json")
    with pytest.raises(json.JSONDecodeError):
        ask("query").json()


def test_truncated_json(sandbox, ask):
    whole = len(ask("query").content)
    sandbox.faults.add("query", "truncated_json", keep=0.25)
    answer = ask("query")
    assert (answer.status_code, len(answer.content)) == (200, int(whole * 0.25))
    with pytest.raises(json.JSONDecodeError):
        answer.json()


@pytest.mark.parametrize("on", EVERYWHERE)
def test_reset_is_a_reset(sandbox, ask, on):
    sandbox.faults.add(on, "reset")
    with pytest.raises(httpx.ReadError) as caught:
        ask(on)
    assert "reset" in str(caught.value)  # not a clean end, which is another error
    assert sandbox.ledger.billed("new") == 0
    assert ask(on).status_code == 200


def test_lost(sandbox, ask, caller):
    sandbox.faults.add("create", "lost")
    with pytest.raises(httpx.ReadError, match="reset"):
        ask("create")
    assert sandbox.ledger.billed("new") == 1
    assert caller.query("new")["task_info"]["external_task_id"] == "new"


def test_delay_before_and_after(sandbox, ask, caller):
    caller.http.timeout = 0.3
    sandbox.faults.add("create", "delay", seconds=600)
    with pytest.raises(httpx.ReadTimeout):
        ask("create")
    assert sandbox.ledger.billed("new") == 0
    sandbox.faults.add("create", "delay", seconds=600, processed=True)
    with pytest.raises(httpx.ReadTimeout):
        ask("create")
    assert sandbox.ledger.billed("new") == 1


def test_delay_ends(sandbox, ask):
    sandbox.faults.add("create", "delay", seconds=0.01)
    assert ask("create").status_code == 200


@pytest.mark.parametrize("release", ["fault", "clear"])
def test_hang_until_released(sandbox, ask, release):
    fault = sandbox.faults.add("create", "hang")
    answers = []
    thread = threading.Thread(target=lambda: answers.append(ask("create")))
    thread.start()
    while not sandbox.ledger.billed("new"):  # it is processed, and then hangs
        assert thread.is_alive()
    assert answers == []
    if release == "fault":
        fault.release()
    else:
        sandbox.faults.clear()
    thread.join()
    assert answers[0].status_code == 200


def test_drip(sandbox, ask, task):
    whole = ask("image").content
    sandbox.faults.add("image", "drip", piece=4000, seconds=0)
    assert ask("image").content == whole
    sandbox.faults.add("query", "drip", piece=10, seconds=0.001)
    assert ask("query").json()["data"]["task_id"] == task


@pytest.mark.parametrize("on", EVERYWHERE)
def test_endless(sandbox, ask, caller, on):
    sandbox.faults.add(on, "endless")
    url = caller.images("mine")[0]["url"] if on == "image" else caller.url
    method, url = ("POST", url) if on == "create" else ("GET", url + "/mine" if on == "query" else url)
    received = 0
    with caller.http.stream(method, url) as answer:
        assert answer.status_code == 200
        for piece in answer.iter_bytes():
            received += len(piece)
            if received > 3_000_000:
                break
    assert received > 3_000_000
    assert ask(on).status_code == 200


@pytest.mark.parametrize("by", [100, -5])
def test_wrong_length(sandbox, ask, by):
    whole = ask("query").content
    sandbox.faults.add("query", "wrong_length", by=by)
    if by > 0:
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
            ask("query")
    else:
        assert len(ask("query").content) == len(whole) + by
    assert ask("query").status_code == 200  # on another connection


def test_wrong_type(sandbox, ask):
    sandbox.faults.add("image", "wrong_type", content_type="application/octet-stream")
    assert ask("image").headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize("on", EVERYWHERE)
def test_redirect(sandbox, ask, on):
    sandbox.faults.add(on, "redirect", location="http://192.0.2.1/elsewhere", status=307)
    answer = ask(on)
    assert (answer.status_code, answer.headers["location"]) == (307, "http://192.0.2.1/elsewhere")


def test_bomb(sandbox, ask):
    sandbox.faults.add("image", "bomb")
    data = ask("image").content
    assert len(data) < 60_000
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(data))


def test_bomb_is_a_real_picture(sandbox, ask):
    sandbox.faults.add("image", "bomb", side=500)
    with Image.open(io.BytesIO(ask("image").content)) as image:
        image.load()
        assert (image.size, image.getextrema()) == ((500, 500), (0, 0))


@pytest.mark.parametrize("status", [403, 404, 410])
def test_expired(sandbox, ask, status):
    sandbox.faults.add("image", "expired", status=status)
    assert ask("image").status_code == status
    assert ask("image").status_code == 200


@pytest.mark.parametrize(("shape", "status"), [("404", 404), ("405", 405), ("other", 200)])
def test_no_list(sandbox, ask, shape, status):
    sandbox.faults.add("list", "no_list", shape=shape)
    answer = ask("list")
    assert answer.status_code == status
    assert "data" not in answer.json()


@pytest.mark.parametrize(("keep", "left"), [(-1, 1), (0, 0), (1, 1)])
@pytest.mark.parametrize("on", ["query", "list"])
def test_missing_images(sandbox, ask, on, keep, left):
    sandbox.faults.add(on, "missing_images", keep=keep)
    for expected in (left, 2):
        data = ask(on).json()["data"]
        found = data if on == "query" else data[0]
        assert len(found["task_result"]["images"]) == expected


def test_late_by_lookups(sandbox, ask):
    sandbox.faults.add("query", "late", times=2)
    sandbox.faults.add("list", "late")
    for _ in range(2):
        answer = ask("query")
        assert (answer.status_code, answer.json()["code"]) == (404, 1203)
    assert ask("query").status_code == 200
    assert ask("list").json()["data"] == []
    assert len(ask("list").json()["data"]) == 1


def test_late_by_age(sandbox, caller, clock):
    sandbox.faults.add("query", "late", times=None, seconds=30)
    sandbox.faults.add("list", "late", times=None, seconds=30)
    caller.create(external_task_id="old")
    clock.advance(30)
    caller.create(external_task_id="young")
    assert caller.get("old").status_code == 200
    assert caller.get("young").status_code == 404
    listed = caller.list().json()["data"]
    assert [item["task_info"]["external_task_id"] for item in listed] == ["old"]


def test_no_external_ids(sandbox, caller, ask, task):
    for on in ("create", "query", "list"):
        sandbox.faults.add(on, "no_external_ids", times=None)
    assert "task_info" not in ask("create").json()["data"]
    assert caller.get("mine").status_code == 404
    assert "task_info" not in caller.query(task)
    assert all("task_info" not in item for item in ask("list").json()["data"])


def test_unknown_status(sandbox, ask):
    sandbox.faults.add("query", "unknown_status", status="queueing")
    assert ask("query").json()["data"]["task_status"] == "queueing"


@pytest.mark.parametrize("spelling", ["succeeded", "SUCCESS"])
def test_status_spelling(sandbox, ask, spelling):
    sandbox.faults.add("query", "status_spelling", succeed=spelling)
    sandbox.faults.add("list", "status_spelling", succeed=spelling)
    assert ask("query").json()["data"]["task_status"] == spelling
    assert ask("list").json()["data"][0]["task_status"] == spelling


@pytest.mark.parametrize("on", ["create", "query", "list"])
@pytest.mark.parametrize("inner", ["envelope", "data"])
def test_reseller(sandbox, ask, on, inner):
    sandbox.faults.add(on, "reseller", inner=inner)
    sandbox.faults.add(on, "status_spelling", succeed="SUCCESS")  # is what the wrapper is made of
    body = ask(on).json()
    assert body["code"] == "success"
    wrapped = body["data"][0] if on == "list" else body["data"]
    assert wrapped["status"] == ("SUBMITTED" if on == "create" else "SUCCESS")
    innermost = wrapped["data"]["data"] if inner == "envelope" else wrapped["data"]
    assert innermost["task_id"] == wrapped["task_id"]
    assert ask(on).json()["code"] in {0, 1201}  # the second create repeats an id


def test_text_code_and_second_timestamps(sandbox, ask, task, caller):
    plain = caller.query(task)
    sandbox.faults.add("query", "text_code")
    sandbox.faults.add("query", "second_timestamps")
    body = ask("query").json()
    assert body["code"] == "0"
    assert body["data"]["created_at"] == plain["created_at"] // 1000
    assert body["data"]["updated_at"] == plain["updated_at"] // 1000


def test_shape_faults_leave_errors_alone(sandbox, caller):
    sandbox.faults.add("query", "reseller")
    assert caller.get("nobody").json()["code"] == 1203


def test_times_and_after(sandbox, ask):
    fault = sandbox.faults.add("query", "status", times=2, after=1)
    assert [ask("query").status_code for _ in range(5)] == [200, 500, 500, 200, 200]
    assert fault.used == 2
    assert sandbox.faults.used == [fault, fault]


def test_faults_of_one_phase_take_turns(sandbox, ask):
    for status in (500, 503, 504):
        sandbox.faults.add("query", "status", status=status)
    assert [ask("query").status_code for _ in range(4)] == [500, 503, 504, 200]


def test_faults_of_several_phases_act_together(sandbox, ask):
    sandbox.faults.add("query", "delay", seconds=0)
    sandbox.faults.add("query", "text_code")
    sandbox.faults.add("query", "unknown_status")
    sandbox.faults.add("query", "wrong_type")
    answer = ask("query")
    assert answer.headers["content-type"] == "text/plain"
    assert (answer.json()["code"], answer.json()["data"]["task_status"]) == ("0", "suspended")
    assert len(sandbox.faults.used) == 4


def test_match_by_either_id(sandbox, caller, task):
    other = caller.create(external_task_id="other")["task_id"]
    for match in ("mine", task):
        fault = sandbox.faults.add("query", "status", match=match)
        assert caller.get("other").status_code == 200
        assert caller.get(other).status_code == 200
        assert caller.get(task if match == "mine" else "mine").status_code == 500
        assert fault.used == 1


def test_match_of_a_create(sandbox, caller):
    sandbox.faults.add("create", "status", match="unlucky")
    assert caller.post(external_task_id="lucky").status_code == 200
    assert caller.post(external_task_id="unlucky").status_code == 500
    not_json = caller.http.post(caller.url, content=b"{", headers={"Content-Type": "application/json"})
    assert not_json.status_code == 400


def test_match_of_an_image(sandbox, ask, task):
    sandbox.faults.add("image", "expired", match="mine", index=1)
    assert ask("image", 0).status_code == 200
    assert ask("image", 1).status_code == 403
    sandbox.faults.add("image", "expired", match="other")
    assert ask("image", 1).status_code == 200


def test_match_in_a_list_picks_the_objects(sandbox, caller, task):
    caller.create(external_task_id="other")
    sandbox.faults.add("list", "unknown_status", match="mine")
    statuses = [item["task_status"] for item in caller.list().json()["data"]]
    assert statuses == ["submitted", "suspended"]


def test_clear(sandbox, ask):
    sandbox.faults.add("query", "status", times=None)
    ask("query")
    sandbox.faults.clear()
    assert len(sandbox.faults) == 0
    assert ask("query").status_code == 200
    assert len(sandbox.faults.used) == 1


@pytest.mark.parametrize(
    ("order", "word"),
    [
        ({"on": "create", "do": "explode"}, "known: bomb, delay"),
        ({"on": "delete", "do": "reset"}, "known: create, query, list, image"),
        ({"on": ["create"], "do": "reset"}, "two words"),
        ({"on": "create", "do": "bomb"}, "only strike image"),
        ({"on": "create", "do": "delay", "minutes": 1}, "known: seconds, processed"),
        ({"on": "create", "do": "lost", "self": 1}, "no detail 'self'; known: none"),
        ({"on": "create", "do": "delay", "seconds": "1"}, "must be like 1.0"),
        ({"on": "create", "do": "delay", "seconds": -1}, "at least 0"),
        ({"on": "create", "do": "drip", "piece": 0}, "at least 1"),
        ({"on": "create", "do": "status", "status": True}, "must be like 500"),
        ({"on": "create", "do": "status", "status": 99}, "200 to 599"),
        ({"on": "create", "do": "status", "processed": 1}, "must be like False"),
        ({"on": "list", "do": "no_list", "shape": "round"}, "404, 405, other"),
        ({"on": "create", "do": "redirect"}, "needs a location"),
        ({"on": "create", "do": "reset", "times": 0}, "times"),
        ({"on": "create", "do": "reset", "times": True}, "times"),
        ({"on": "create", "do": "reset", "after": None}, "after"),
        ({"on": "create", "do": "reset", "after": -1}, "after"),
        ({"on": "create", "do": "reset", "index": 1}, "images only"),
        ({"on": "create", "do": "reset", "match": 5}, "match"),
        ({"on": "list", "do": "reset", "match": "mine"}, "cannot match"),
    ],
    ids=range(21),
)
def test_orders_are_checked(sandbox, order, word):
    with pytest.raises(ValueError, match=word):
        sandbox.faults.add(**order) if "self" not in order else sandbox.faults.load([order])
    assert len(sandbox.faults) == 0


def test_load_is_all_or_nothing(sandbox, ask):
    good = {"on": "query", "do": "status", "status": 502, "times": None}
    for script in ([good, {"on": "query"}], [good, {"on": "query", "do": "explode"}], good, ["x"]):
        with pytest.raises(ValueError, match="fault"):
            sandbox.faults.load(script)
    assert len(sandbox.faults) == 0
    sandbox.faults.load([good])
    assert [ask("query").status_code for _ in range(2)] == [502, 502]


def test_the_table_names_every_kind_and_detail():
    from kling_nb.sandbox import faults

    for name, kind in KINDS.items():
        (row,) = [line for line in faults.__doc__.split("\n") if line.startswith(f"{name} ")]
        start = faults.__doc__.index(row)
        described = faults.__doc__[start : start + 260]
        assert all(detail in described for detail in kind.details), name


def test_every_kind_works_everywhere_it_may(sandbox, ask):
    """No combination may break the sandbox itself: a client sees an answer or a network error."""
    details = {
        "redirect": {"location": "http://192.0.2.1/"},
        "delay": {"seconds": 0},
        "drip": {"piece": 5000, "seconds": 0},
        "bomb": {"side": 300},
    }
    for name, kind in KINDS.items():
        if name in {"hang", "endless"}:
            continue
        for on in kind.where:
            fault = sandbox.faults.add(on, name, **details.get(name, {}))
            try:
                text = ask(on).text
            except httpx.TransportError:
                text = ""
            assert fault.used == 1, (name, on)
            assert "of the sandbox" not in text, (name, on)
            sandbox.faults.clear()
