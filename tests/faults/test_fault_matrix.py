"""Every step of a task times everything that a gateway, a proxy or a network does to it.

The rows are generated from the API's codes and envelopes and from the sandbox's faults. Each asserts what
the user sees, what is billed and what is on disk; where something is left to do, that it can be done when
the fault is over.
"""

import pytest

from kling_nb import errors
from kling_nb.sandbox.faultkinds import KINDS

CODES = {
    errors.AuthenticationFailed: [(401, 1000), (401, 1001), (401, 1002), (401, 1003), (401, 1004)],
    errors.OutOfBalance: [(429, 1100), (429, 1101), (429, 1102)],
    errors.NotPermitted: [(403, 1103), (429, 1304)],
    errors.RequestRefused: [(400, 1200), (400, 1201), (404, 1202), (404, 1203)],
    errors.ContentRefused: [(400, 1300), (400, 1301)],
}
LATER = [(429, 1302), (429, 1303)]
DOUBTFUL = [(500, 5000), (503, 5001), (504, 5002)]
ALL_CODES = [pair for pairs in CODES.values() for pair in pairs] + LATER + DOUBTFUL
ELSEWHERE = {"location": "https://login.example.com/"}
SHAPES = [
    ("reseller", {"inner": "envelope"}),
    ("reseller", {"inner": "data"}),
    ("text_code", {}),
    ("second_timestamps", {}),
    ("unknown_status", {}),
    ("status_spelling", {}),
    ("no_external_ids", {}),
    ("drip", {"piece": 64, "seconds": 0.001}),
    ("wrong_type", {}),
    ("delay", {"seconds": 0.02}),
]
UNREADABLE = [
    ("html", {"status": 200}),
    ("html", {"status": 502}),
    ("empty", {}),
    ("empty", {"status": 500}),
    ("not_json", {}),
    ("openai_error", {"status": 503}),
    ("openai_error", {"status": 500, "code": "", "type": ""}),
    ("status", {"status": 408, "code": ""}),
    ("status", {"status": 524, "code": ""}),
    ("endless", {}),
    ("reset", {}),
    ("hang", {"processed": False}),
    *[("status", {"status": status, "code": code}) for status, code in DOUBTFUL],
]
SPOILT = [("truncated_json", {}), ("wrong_length", {}), ("lost", {}), ("hang", {"processed": True})]
REFUSING = [
    ("html", {"status": 403}, errors.NotPermitted),
    ("html", {"status": 404}, errors.RequestRefused),
    ("html", {"status": 413}, errors.RequestRefused),
    ("openai_error", {"status": 401, "code": "invalid_api_key"}, errors.AuthenticationFailed),
    ("openai_error", {"status": 403, "code": "insufficient_user_quota"}, errors.OutOfBalance),
    ("openai_error", {"status": 400, "code": "", "type": "invalid_request_error"}, errors.RequestRefused),
    ("redirect", {**ELSEWHERE, "status": 302}, errors.RequestRefused),
    ("redirect", {**ELSEWHERE, "status": 307}, errors.RequestRefused),
    *[("status", {"status": s, "code": c}, kind) for kind, pairs in CODES.items() for s, c in pairs],
    *[("status", {"status": s, "code": str(c)}, kind) for kind, pairs in CODES.items() for s, c in pairs],
    *[("status", {"status": 200, "code": c}, kind) for kind, pairs in CODES.items() for _, c in pairs],
]
READS = [
    *[("status", {"status": status, "code": code}) for status, code in ALL_CODES if (status, code) not in DOUBTFUL],
    *[row for row in UNREADABLE if row[0] != "hang"],
    ("truncated_json", {}),
    ("wrong_length", {}),
    ("redirect", ELSEWHERE),
    ("openai_error", {"status": 429, "code": "rate_limit_exceeded"}),
    ("late", {}),
]
NO_SUCH_TASK = [
    ("late", {}),
    *[("status", {"status": s, "code": c}) for s, c in CODES[errors.RequestRefused]],
    ("openai_error", {"status": 400, "code": "task_not_exist"}),
]
"""What, in answer to a query, means that the gateway knows no such task."""
IMAGES = [
    ("status", {"status": 500, "code": 5000}),
    ("status", {"status": 429, "code": 1302}),
    ("html", {"status": 200}),
    ("html", {"status": 502}),
    ("empty", {}),
    ("not_json", {}),
    ("reset", {}),
    ("wrong_length", {"by": 100}),
    ("wrong_length", {"by": -100}),
    ("expired", {"status": 403}),
    ("expired", {"status": 404}),
    ("bomb", {}),
]
AT_ONCE = [
    ("endless", {}),
    ("expired", {"status": 410}),
    ("redirect", ELSEWHERE),
    ("redirect", {"location": "http://127.0.0.2:9/x"}),
]
"""What is not tried again by itself: it would be the same, or it is not to be asked at all."""


def named(row):
    return "-".join([row[0], *(str(value)[:20] + "'" * isinstance(value, str) for value in row[1].values())])


def rows(*tables, quick=1):
    """Return the rows of tables as parameters; one in so many is quick, as is none that takes seconds."""
    found = [row for table in tables for row in table]
    slow = [place % quick != 0 or row[0] == "endless" for place, row in enumerate(found)]
    return [
        pytest.param(*row, id=named(row), marks=[pytest.mark.slow] if late else [])
        for row, late in zip(found, slow, strict=True)
    ]


class TestCreate:
    @pytest.mark.parametrize(("do", "details", "kind"), rows(REFUSING, quick=3))
    @pytest.mark.promise("the gateway refuses a request")
    def test_refused(self, house, do, details, kind):
        house.sandbox.faults.add("create", do, **details)
        task, error = house.generate()
        assert type(error) is kind
        assert house.creates == 1
        house.check_outcome(task, error, images=0, billed=0)
        assert house.kling.task(task.id).task_status == "failed"
        # The next one is another task, and is taken.
        house.check_collected(house.generate()[0])

    @pytest.mark.parametrize(("status", "code"), LATER)
    @pytest.mark.parametrize("shape", ["status", "openai_error"])
    @pytest.mark.promise("too many requests, or no free slots (1302, 1303)")
    def test_later(self, house, status, code, shape):
        code = code if shape == "status" else str(code)
        house.sandbox.faults.add("create", shape, times=2, status=status, code=code)
        task, error = house.generate(1)
        assert error is None
        assert house.creates == 3
        house.check_collected(task, 1)

    @pytest.mark.parametrize(("status", "code"), LATER)
    def test_later_for_longer_than_one_waits(self, house, status, code):
        house.sandbox.faults.add("create", "status", times=None, status=status, code=code)
        task, error = house.generate(1, timeout=0.2)
        assert type(error) is errors.WaitTimeout
        # Refused a moment ago, or being refused just now.
        assert "not sent yet, and so not paid" in error.money or "It may be paid" in error.money
        assert house.billed(task) == 0
        house.sandbox.faults.clear()
        task.wait()
        house.check_collected(task, 1)

    @pytest.mark.parametrize("control", [True, False], ids=["control", "alone"])
    @pytest.mark.parametrize(("do", "details"), rows(UNREADABLE, quick=2))
    @pytest.mark.promise("… and the gateway provably does not have it")
    @pytest.mark.promise("… and nobody can say")
    def test_lost_before_it_was_taken(self, house, hasty, do, details, control):
        if control:
            house.make_a_control()
        house.restart()
        house.sandbox.faults.add("create", do, **details)
        task, error = house.generate()
        if control:
            assert error is None
            assert house.creates == 2
            house.check_collected(task)
            return
        assert isinstance(error, (errors.ConnectionFailed, errors.ServerError, errors.RequestRefused))
        assert (task.task_status, house.creates) == ("uncertain", 1)
        house.check_outcome(task, error, images=0, billed=0)
        assert "may exist and may be billed" in error.money
        house.kling.resume(send=task.id)
        house.check_collected(task)

    @pytest.mark.parametrize("control", [True, False], ids=["control", "alone"])
    @pytest.mark.parametrize(
        ("do", "details"),
        rows(SPOILT, [(do, {**details, "processed": True}) for do, details in UNREADABLE if do != "hang"]),
    )
    @pytest.mark.promise("the answer to a request is lost: a time-out, a broken connection, a 5xx, half an answer")
    def test_lost_after_it_was_taken(self, house, hasty, do, details, control):
        if control:
            house.make_a_control()
        house.restart()
        house.sandbox.faults.add("create", do, **details)
        task, error = house.generate()
        assert error is None
        assert house.creates == 1
        house.check_collected(task)

    @pytest.mark.parametrize(
        ("on", "blind"),
        [("list", "no_list"), ("query", "no_external_ids")],
        ids=["by its id alone", "in the list alone"],
    )
    @pytest.mark.parametrize(("do", "details"), rows(SPOILT, quick=2))
    def test_lost_and_found_in_one_way_only(self, house, hasty, do, details, on, blind):
        house.restart()
        house.sandbox.faults.add("create", do, **details)
        house.sandbox.faults.add(on, blind, times=None)
        task, error = house.generate()
        assert error is None
        assert house.creates == 1
        house.check_collected(task)

    @pytest.mark.parametrize(("do", "details"), rows(SPOILT, quick=2))
    @pytest.mark.promise("… and nobody can say")
    @pytest.mark.promise("… and it turns up later")
    def test_lost_at_a_gateway_that_cannot_find_it(self, house, hasty, do, details):
        house.make_a_control()
        house.restart()
        house.sandbox.faults.add("create", do, **details)
        for on in ("query", "list"):
            house.sandbox.faults.add(on, "no_external_ids", times=None)
        task, error = house.generate()
        assert isinstance(error, (errors.ConnectionFailed, errors.ServerError))
        assert (task.task_status, house.creates) == ("uncertain", 1)
        assert "may exist and may be billed" in error.money
        assert house.billed(task) == 2
        house.collect_later(task)

    @pytest.mark.parametrize(("do", "details"), rows(SHAPES, quick=2))
    def test_said_otherwise(self, house, do, details):
        for on in ("create", "query", "list"):
            if on in KINDS[do].where and not (do == "unknown_status" and on != "create"):
                house.sandbox.faults.add(on, do, times=None, **details)
        task, error = house.generate()
        assert error is None
        assert house.creates == 1
        house.check_collected(task)


class TestQuery:
    @pytest.mark.parametrize(("do", "details"), rows(READS, SHAPES, quick=3))
    def test_for_a_while(self, house, do, details):
        house.sandbox.faults.add("query", do, times=3, **details)
        task, error = house.generate()
        assert error is None
        assert house.creates == 1
        house.check_collected(task)

    @pytest.mark.parametrize(("do", "details"), rows([row for row in READS if row not in NO_SUCH_TASK], quick=2))
    def test_for_good(self, house, do, details):
        house.sandbox.faults.add("query", do, times=None, **details)
        task, error = house.generate(timeout=0.2)
        assert type(error) is errors.WaitTimeout
        house.until_it_is_under_way(task)
        assert house.billed(task) == 2
        assert "Nothing was sent" not in error.money
        house.collect_later(task)

    @pytest.mark.parametrize(("do", "details"), rows(NO_SUCH_TASK))
    @pytest.mark.promise("the gateway forgets a task that it took")
    def test_for_good_where_no_list_has_it_either(self, house, do, details):
        for on in ("query", "list"):
            house.sandbox.faults.add(on, do, times=None, **details)
        task, error = house.generate()
        assert type(error) is errors.RequestRefused
        assert error.message.startswith("The gateway no longer knows the task")
        assert task.task_status == "uncertain"
        assert house.billed(task) == 2
        house.collect_later(task)

    @pytest.mark.parametrize(("do", "details"), rows(NO_SUCH_TASK))
    def test_for_good_where_the_list_has_it(self, house, do, details):
        house.sandbox.faults.add("query", do, times=None, **details)
        task, error = house.generate()
        assert error is None
        assert house.creates == 1
        house.check_collected(task)

    def test_without_an_answer(self, house, hasty):
        house.restart()
        fault = house.sandbox.faults.add("query", "hang")
        task, error = house.generate()
        assert error is None
        assert fault.used == 1
        house.check_collected(task)

    @pytest.mark.parametrize("keep", [1, 0])
    @pytest.mark.promise("fewer images come than were asked for")
    def test_fewer_images_than_paid_for(self, house, keep):
        for on in ("query", "list"):
            house.sandbox.faults.add(on, "missing_images", times=None, keep=keep)
        task, error = house.generate()
        assert type(error) is errors.ImagesMissing
        assert error.task.id == task.id
        assert error.message.startswith(f"{2 - keep} of 2 images are missing")
        house.check_outcome(task, error, images=keep, billed=2)
        house.sandbox.faults.clear()
        house.kling.resume()
        house.check_collected(task)


class TestList:
    @pytest.mark.parametrize(
        ("do", "details"),
        rows([("no_list", {"shape": s}) for s in ("404", "405", "other")], [("missing_images", {})])
        + rows(READS, SHAPES, quick=2),
    )
    @pytest.mark.promise("the gateway's list is missing, broken or incomplete")
    def test_one_by_one_then(self, house, do, details):
        house.sandbox.hold()
        tasks = [house.kling.submit("a cat", subject_images=house.cat, n=2) for _ in range(4)]
        house.sandbox.faults.add("list", do, times=None if do != "missing_images" else 1, **details)
        house.sandbox.release()
        for task in tasks:
            try:
                task.wait()
            except errors.ImagesMissing:
                assert do == "missing_images"
                house.kling.resume()
        assert house.creates == 4
        for task in tasks:
            house.check_collected(task)


class TestDownload:
    @pytest.mark.promise("an image does not come, is cut off, or is no image")
    @pytest.mark.parametrize(("do", "details"), rows(IMAGES, quick=2))
    def test_for_a_while(self, house, do, details):
        house.sandbox.faults.add("image", do, times=2, **details)
        task, error = house.generate()
        assert error is None
        house.check_collected(task)

    @pytest.mark.parametrize(("do", "details"), rows(IMAGES, AT_ONCE, quick=2))
    def test_for_good(self, house, do, details):
        house.sandbox.faults.add("image", do, index=0, times=None, **details)
        task, error = house.generate()
        assert type(error) is errors.ImagesMissing
        assert error.task.id == task.id
        assert error.message.startswith("1 of 2 images are missing: Image 1 ")
        house.check_outcome(task, error, images=1, billed=2)
        house.collect_later(task)

    @pytest.mark.parametrize(
        ("do", "details"),
        rows([("drip", {"piece": 64, "seconds": 0.001}), ("delay", {"seconds": 0.02}), ("wrong_type", {})]),
    )
    def test_served_otherwise(self, house, do, details):
        if do == "wrong_type":
            details = {"content_type": "application/octet-stream"}
        house.sandbox.faults.add("image", do, times=None, **details)
        task, error = house.generate()
        assert error is None
        house.check_collected(task)

    def test_without_an_answer(self, house, hasty):
        house.restart()
        fault = house.sandbox.faults.add("image", "hang")
        task, error = house.generate()
        assert error is None
        assert fault.used == 1
        house.check_collected(task)


def test_every_fault_that_the_sandbox_knows_is_in_the_matrix():
    create = {do for do, *_ in [*REFUSING, *UNREADABLE, *SPOILT, *SHAPES]} | {"status"}
    query = {do for do, _ in [*READS, *SHAPES]} | {"hang", "missing_images", "lost"}
    listed = {do for do, _ in [*READS, *SHAPES]} | {"no_list", "missing_images", "hang", "lost"}
    image = {do for do, _ in [*IMAGES, *AT_ONCE]} | {"drip", "delay", "wrong_type", "hang", "openai_error", "lost"}
    for on, tried in (("create", create), ("query", query), ("list", listed), ("image", image)):
        assert {do for do, kind in KINDS.items() if on in kind.where} <= tried, on
