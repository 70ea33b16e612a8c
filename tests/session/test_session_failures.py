"""What goes wrong arrives as the right error, with the task, the money and what to do next."""

import pytest

import kling_nb
from kling_nb import (
    APIError,
    AuthenticationFailed,
    ConnectionFailed,
    ContentRefused,
    ImagesMissing,
    Kling,
    KlingError,
    OutOfBalance,
    RequestRefused,
    ServerError,
    TaskFailed,
    TooManyRequests,
)
from kling_nb.engine import backoff
from kling_nb.records import Failure
from kling_nb.session.outcome import error_of


def creates(sandbox):
    return [seen for seen in sandbox.requests if seen.method == "POST"]


def failed(kling, cat, prompt="a cat", **fields):
    """Generate what cannot be, and return the error and the task."""
    with pytest.raises(KlingError) as caught:
        kling.generate(prompt, subject_images=cat, **fields)
    error = caught.value
    assert error.task.prompt == prompt
    assert error.task.done
    assert not error.task.live
    # The same from the journal, as a later kernel sees it.
    stored = kling.task(error.task.id)
    assert stored.record == error.task.record
    assert type(stored.error) is type(error)
    assert str(stored.error) == str(error)
    with pytest.raises(type(error)):
        stored.wait()
    return error


@pytest.mark.promise("a task fails")
def test_a_failed_task_is_not_billed(kling, cat, sandbox):
    error = failed(kling, cat, "[sandbox: fail] a cat")
    assert type(error) is TaskFailed
    assert "risk control" in error.message
    assert "does not bill failed tasks" in error.money
    assert error.task.task_status == "failed"
    assert error.task.images == []


@pytest.mark.parametrize(
    ("prompt", "kind", "facts"),
    [
        ("[sandbox: refuse] a", ContentRefused, (400, "1301")),
        ("[sandbox: broke] a", OutOfBalance, (429, "1102")),
    ],
)
def test_a_refused_request_is_not_billed(kling, cat, prompt, kind, facts):
    error = failed(kling, cat, prompt)
    assert type(error) is kind
    assert (error.http_status, error.code) == facts
    assert error.request_id
    assert error.request_id in str(error)
    assert "nothing is billed" in error.money
    assert error.advice
    assert error.task.record.sent_at is None


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(401, 1000, AuthenticationFailed), (400, 1201, RequestRefused), (413, 1200, RequestRefused)],
)
def test_refusals_by_code(kling, sandbox, cat, status, code, kind):
    sandbox.faults.add("create", "status", status=status, code=code, message="no")
    error = failed(kling, cat)
    assert type(error) is kind
    assert "nothing is billed" in error.money


LOST = [
    ({"do": "reset"}, ConnectionFailed),
    ({"do": "status", "status": 500}, ServerError),
    ({"do": "html"}, ServerError),
    ({"do": "empty"}, ServerError),
    ({"do": "not_json"}, ServerError),
]


@pytest.mark.parametrize(("fault", "kind"), LOST)
def test_a_lost_answer_leaves_a_doubt_where_absence_cannot_be_proven(kling, sandbox, cat, fault, kind):
    sandbox.faults.add("create", **fault)
    error = failed(kling, cat)
    assert type(error) is kind
    assert error.task.task_status == "uncertain"
    assert error.money == "The task may exist and may be billed; sending it again might pay twice, so it was not."
    assert error.task.external_task_id in error.advice
    assert f"`%kling resume --send {error.task.id}`" in error.advice
    assert len(creates(sandbox)) == 1


@pytest.mark.parametrize("fault", [fault for fault, _ in LOST])
def test_a_lost_answer_is_sent_again_where_the_gateway_provably_has_no_such_task(kling, sandbox, cat, fault):
    kling.generate("a control", subject_images=cat)
    sandbox.faults.add("create", **fault)
    task = kling.generate("a cat", subject_images=cat, n=2)
    assert len(task.images) == 2
    assert (len(creates(sandbox)), sandbox.ledger.billed_images()) == (3, 3)


@pytest.mark.parametrize(
    "fault",
    [{"do": "lost"}, {"do": "truncated_json"}, *({**fault, "processed": True} for fault, _ in LOST)],
)
def test_a_task_whose_answer_was_lost_is_found_and_paid_once(kling, sandbox, cat, fault):
    sandbox.faults.add("create", **fault)
    task = kling.generate("a cat", subject_images=cat, n=2)
    assert len(task.images) == 2
    assert task.error is None
    assert (len(creates(sandbox)), sandbox.ledger.billed_images()) == (1, 2)


@pytest.mark.promise("the gateway cannot be reached")
def test_a_gateway_that_is_not_there_costs_nothing(cat, monkeypatch):
    monkeypatch.setattr(backoff, "delay", lambda failures, **limits: 0.01)
    with Kling(api_key="k", base_url="http://127.0.0.1:9/kling", poll_interval=0.01) as kling:
        error = failed(kling, cat)
    assert type(error) is ConnectionFailed
    assert "could not be reached" in error.message
    assert error.money == "No task was made, and nothing is to pay."
    assert error.advice == "Check the network and base_url."
    assert error.task.task_status == "failed"


@pytest.mark.promise("the balance is used up, or the key is wrong")
def test_one_refusal_for_all_cancels_what_waits(new_kling, sandbox, cat):
    sandbox.faults.add("create", "delay", seconds=0.2)
    sandbox.faults.add("create", "status", status=401, code=1000)
    kling = new_kling(slots=1)
    tasks = [kling.submit(f"number {number}", subject_images=cat) for number in range(3)]
    errors = []
    for task in tasks:
        with pytest.raises(AuthenticationFailed) as caught:
            task.wait()
        errors.append(caught.value)
    assert [task.task_status for task in tasks] == ["failed", "cancelled", "cancelled"]
    assert "nothing is billed" in errors[0].money
    assert errors[1].money == "This task was never sent, because an earlier one was refused so."
    assert len(creates(sandbox)) == 1


@pytest.mark.promise("the request is too large for the gateway (413)")
@pytest.mark.parametrize("fault", [{"do": "html"}, {"do": "status", "code": 1201}], ids=["proxy", "gateway"])
def test_what_is_too_large_for_the_gateway_says_how_to_make_it_smaller(kling, sandbox, cat, fault):
    sandbox.faults.add("create", status=413, **fault)
    error = failed(kling, cat)
    assert type(error) is RequestRefused
    assert "too large for this gateway" in error.message
    assert "URLs" in error.advice
    assert "--fit" in error.advice
    assert sandbox.ledger.billed_images() == 0


@pytest.mark.promise("a task needs more slots than there are")
def test_a_task_that_never_gets_its_slots_says_what_would_fit(new_kling, sandbox, cat, monkeypatch):
    monkeypatch.setattr(backoff, "delay", lambda failures, **limits: 0.01)
    kling = new_kling(slots=4)
    for n in (1, 3):
        kling.generate("a cat", subject_images=cat, n=n)
    fault = sandbox.faults.add("create", "status", times=None, status=429, code=1303)
    error = failed(kling, cat, n=9)
    assert type(error) is TooManyRequests
    assert "n=9 was refused 3 times while nothing else was running" in error.message
    assert error.advice.startswith("Ask for n=")
    assert "nothing is billed" in error.money
    assert (fault.used, sandbox.ledger.billed_images()) == (3, 4)


def test_images_that_are_gone_are_missing_and_the_rest_is_there(kling, sandbox, cat):
    sandbox.faults.add("image", "expired", times=None, index=1, status=410)
    error = failed(kling, cat, n=3)
    assert type(error) is ImagesMissing
    assert "1 of 3 images are missing" in error.message
    assert "HTTP 410" in error.message
    assert "is paid" in error.money
    assert "resume" in error.advice
    assert [image.index for image in error.task.images] == [0, 2]
    assert error.task.task_status == "succeeded"


def test_images_that_were_missing_are_fetched_by_the_next_wait_or_resume(kling, sandbox, cat):
    fault = sandbox.faults.add("image", "expired", times=None, status=410)
    tasks = [failed(kling, cat, n=2).task for _ in range(2)]
    sandbox.faults.clear()
    assert fault.used
    assert len(tasks[0].wait().images) == 2
    assert kling.resume().message.startswith("1 task of 1 collected.")
    # The object that the user holds has them, too.
    assert [len(task.images) for task in tasks] == [2, 2]
    assert [task.error for task in tasks] == [None, None]
    assert len(creates(sandbox)) == 2


def test_a_gateway_that_serves_too_few_says_how_many(kling, sandbox, cat):
    sandbox.faults.add("query", "missing_images", times=None)
    error = failed(kling, cat, n=3)
    assert type(error) is ImagesMissing
    assert "the gateway served 2 of 3 images" in error.message
    assert len(error.task.images) == 2


def test_a_damaged_image_is_not_taken_for_an_image(kling, sandbox, cat):
    sandbox.faults.add("image", "expired", times=None, index=0, status=410)
    error = failed(kling, cat, n=2)
    assert len(error.task.images) == 1
    assert error.task.bundle()[0]["text/html"].count("<img") >= 1


def test_trouble_on_the_way_costs_nothing_but_time(kling, sandbox, cat):
    sandbox.faults.add("query", "status", status=503, times=1)
    sandbox.faults.add("image", "reset", times=1)
    task = kling.generate("a cat", subject_images=cat)
    assert len(task.images) == 1
    assert len(creates(sandbox)) == 1


def test_an_error_carries_the_task_and_its_cause(kling, sandbox, cat):
    sandbox.faults.add("create", "status", status=400, code=1201, message="bad ratio")
    with pytest.raises(RequestRefused) as caught:
        kling.generate("a cat", subject_images=cat)
    assert isinstance(caught.value.__cause__, RequestRefused)
    assert caught.value.task.error is not None


def test_every_kind_of_failure_comes_back_from_the_journal_as_itself(kling, cat):
    from dataclasses import replace

    record = kling.generate("a", subject_images=cat).record
    for name in kling_nb.__all__:
        kind = getattr(kling_nb, name)
        if isinstance(kind, type) and issubclass(kind, KlingError):
            failure = Failure(name, "why", 400, "1200", "R")
            error = error_of(replace(record, task_status="failed", failure=failure), "the task")
            assert type(error) is kind
            assert (error.message, error.task) == ("why", "the task")
            assert isinstance(error, APIError) == hasattr(error, "code")


@pytest.mark.parametrize("name", ["NoSuchError", "render", "Any", "os", "__doc__", "WaitInterrupted", ""])
def test_an_unknown_kind_is_still_an_error_of_ours(kling, cat, name):
    from dataclasses import replace

    record = kling.generate("a", subject_images=cat).record
    error = error_of(replace(record, task_status="failed", failure=Failure(name, "why")))
    assert type(error) is KlingError
    assert error.message == "why"
