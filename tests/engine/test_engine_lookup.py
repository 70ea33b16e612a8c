"""One look for a task whose answer was lost: found, or its absence proven, or nothing shown."""

from dataclasses import replace

import pytest

from kling_nb import errors
from kling_nb.engine import lookup
from kling_nb.engine.lookup import CLOCKS, MARGIN, Look, look_up
from kling_nb.key import Secret
from kling_nb.records import TaskState

ABSENT = Look(None, proven=True, whole=True)
NOTHING_SHOWN = Look(None, proven=False, whole=True)


def lose(bench, *, arrived, key="a-key-of-no-importance", **changes):
    """Journal a task as sent and its answer as lost; it came to the gateway or it did not."""
    job = bench.plan()
    if arrived:
        bench.client.create(job.body())
    now = bench.clock()
    record = replace(
        job.record, task_status="uncertain", sent_at=now, account=Secret(key).mark(), sends=1, references=(), **changes
    )
    bench.store.journal.update(record)
    bench.sandbox._shared.requests.clear()
    return record


def look(bench, record, *, prove=True, remote=None):
    return look_up(remote or bench.client, bench.store.journal, record, prove=prove)


@pytest.fixture
def control(bench):
    """A task of the same account that is known to exist."""
    job = bench.submit()
    assert bench.settle(job) == ["succeeded"]
    return bench.stored(job)


@pytest.fixture
def old_control(bench, control):
    """It was there before the lost task was sent."""
    old = replace(control, submitted_at=control.submitted_at - MARGIN - 5.0)
    bench.store.journal.update(old)
    return old


class Answering:
    """A gateway that answers some questions in a way of its own."""

    def __init__(self, client, answers):
        self.client = client
        self.answers = answers

    def query(self, some_id):
        return self.answers.get(some_id) or self.client.query(some_id)

    def query_many(self, page, size):
        return self.client.query_many(page, size)


class Newest(Answering):
    """A gateway that answers any question with its newest task."""

    def query(self, some_id):
        return replace(self.client.query_many(1, 1)[0], **self.answers)


class TestFound:
    @pytest.mark.parametrize("prove", [True, False])
    def test_by_its_external_id(self, bench, prove):
        record = lose(bench, arrived=True)
        found = look(bench, record, prove=prove)
        assert found.state.task_id == bench.entries()[0].task_id
        assert (bench.looks, bench.lists) == (1, 0)

    @pytest.mark.parametrize(
        ("do", "details"),
        [("no_external_ids", {}), ("late", {}), ("status", {"status": 403, "code": 1103})],
        ids=["is not asked for by it", "comes late", "no question is permitted"],
    )
    def test_in_the_list(self, bench, sandbox, control, do, details):
        sandbox.faults.add("query", do, times=None, **details)
        record = lose(bench, arrived=True)
        assert look(bench, record).state.task_id == bench.entries()[1].task_id

    @pytest.mark.parametrize("inner", ["envelope", "data"])
    @pytest.mark.parametrize("blind", [False, True])
    def test_behind_a_reseller(self, bench, sandbox, inner, blind):
        if blind:
            sandbox.faults.add("query", "late", times=None)
        for on in ("query", "list"):
            sandbox.faults.add(on, "reseller", times=None, inner=inner)
        record = lose(bench, arrived=True)
        assert look(bench, record).state.task_id == bench.entries()[0].task_id

    def test_on_a_later_page(self, bench, sandbox, monkeypatch):
        monkeypatch.setattr(lookup, "PAGE", 2)
        sandbox.faults.add("query", "late", times=None)
        record = lose(bench, arrived=True)
        for _ in range(4):
            bench.client.create(bench.plan().body())
        assert look(bench, record).state.task_id == bench.entries()[0].task_id
        assert bench.lists == 3

    def test_by_the_id_that_it_was_given(self, bench, sandbox):
        """The gateway acknowledged it, forgot it, and knows it again."""
        record = lose(bench, arrived=True)
        record = replace(record, task_id=bench.entries()[0].task_id)
        for on in ("query", "list"):
            sandbox.faults.add(on, "no_external_ids", times=None)
        assert look(bench, record).state.task_id == record.task_id
        sandbox.faults.add("query", "late", times=None)
        assert look(bench, record).state.task_id == record.task_id


class TestProven:
    def test_where_another_task_is_found_the_same_way(self, bench, control):
        record = lose(bench, arrived=False)
        assert look(bench, record) == ABSENT
        assert [seen.path.rpartition("/")[2] for seen in bench.seen("GET")] == [
            control.external_task_id,
            record.external_task_id,
            "multi-image2image",
            control.external_task_id,
        ]

    @pytest.mark.parametrize("status", [404, 410])
    def test_not_by_the_page_of_a_proxy(self, bench, sandbox, control, status):
        record = lose(bench, arrived=False)
        sandbox.faults.add("list", "no_list", times=None)
        sandbox.faults.add("query", "html", status=status, times=None, match=record.external_task_id)
        assert not look(bench, record).proven

    def test_not_by_a_list_that_is_older_than_it_says(self, bench, sandbox, old_control):
        sandbox.faults.add("query", "no_external_ids", times=None)
        record = lose(bench, arrived=False)
        assert look(bench, record).proven
        later = bench.plan()
        bench.store.journal.update(
            replace(
                later.record,
                task_status="submitted",
                task_id="T-9",
                submitted_at=bench.clock() + 100,
                account=record.account,
            )
        )
        assert not look(bench, record).proven

    def test_behind_a_reseller(self, bench, sandbox, control):
        for on in ("query", "list"):
            sandbox.faults.add(on, "reseller", times=None)
        assert look(bench, lose(bench, arrived=False)) == ABSENT

    @pytest.mark.parametrize("shape", ["404", "405", "other"])
    def test_where_there_is_no_list(self, bench, sandbox, control, shape):
        sandbox.faults.add("list", "no_list", times=None, shape=shape)
        # What cannot be read may be a list in trouble.
        assert look(bench, lose(bench, arrived=False)) == ABSENT._replace(whole=shape != "other")

    def test_by_a_list_that_reaches_back(self, bench, sandbox, old_control):
        sandbox.faults.add("query", "no_external_ids", times=None)
        assert look(bench, lose(bench, arrived=False)) == ABSENT

    def test_by_single_questions_where_the_list_is_in_trouble(self, bench, sandbox, control):
        sandbox.faults.add("list", "status", times=None)
        assert look(bench, lose(bench, arrived=False)) == Look(None, proven=True, whole=False)


class TestUnproven:
    def test_where_nothing_else_is_known_to_exist(self, bench):
        assert look(bench, lose(bench, arrived=False)) == NOTHING_SHOWN

    def test_where_what_exists_was_sent_with_another_key(self, bench, old_control):
        record = lose(bench, arrived=False, key="a-key-of-another-account")
        assert look(bench, record) == NOTHING_SHOWN

    def test_where_what_exists_is_at_another_gateway(self, bench, old_control):
        record = lose(bench, arrived=False, gateway="https://elsewhere.example")
        assert look(bench, record) == NOTHING_SHOWN

    def test_where_the_other_task_is_not_known_to_exist_either(self, bench):
        lose(bench, arrived=True)
        assert look(bench, lose(bench, arrived=False)) == NOTHING_SHOWN

    @pytest.mark.parametrize("do", ["no_external_ids", "late"])
    @pytest.mark.parametrize("arrived", [False, True])
    def test_where_the_gateway_is_blind(self, bench, sandbox, old_control, do, arrived):
        for on in ("query", "list"):
            sandbox.faults.add(on, do, times=None)
        assert look(bench, lose(bench, arrived=arrived)) == NOTHING_SHOWN

    def test_where_the_control_alone_is_not_found(self, bench, sandbox, control):
        sandbox.faults.add("query", "late", times=None, match=control.external_task_id)
        assert look(bench, lose(bench, arrived=False)) == NOTHING_SHOWN

    def test_where_the_control_is_answered_with_another_task(self, bench, control):
        stranger = bench.client.create(bench.plan().body())
        remote = Answering(bench.client, {control.external_task_id: stranger})
        assert look(bench, lose(bench, arrived=False), remote=remote) == NOTHING_SHOWN

    def test_where_no_proof_is_asked_for(self, bench, control):
        assert look(bench, lose(bench, arrived=False), prove=False) == NOTHING_SHOWN
        assert (bench.looks, bench.lists) == (1, 1)

    def test_where_the_list_names_only_what_came_since(self, bench, sandbox, control):
        sandbox.faults.add("query", "no_external_ids", times=None)
        assert look(bench, lose(bench, arrived=False)) == NOTHING_SHOWN

    def test_where_the_list_ends_before(self, bench, sandbox, old_control, monkeypatch):
        monkeypatch.setattr(lookup, "PAGE", 1)
        monkeypatch.setattr(lookup, "PAGES", 2)
        sandbox.faults.add("query", "no_external_ids", times=None)
        record = lose(bench, arrived=False)
        for _ in range(2):
            bench.client.create(bench.plan().body())
        assert look(bench, record) == NOTHING_SHOWN
        assert bench.lists == 2

    @pytest.mark.parametrize(("status", "code"), [(400, 1201), (403, 1103), (409, "whatever")])
    def test_where_the_question_is_refused_in_other_words(self, bench, sandbox, control, status, code):
        record = lose(bench, arrived=False)
        sandbox.faults.add("query", "status", times=None, after=1, status=status, code=code)
        assert look(bench, record) == NOTHING_SHOWN

    def test_where_the_list_is_in_trouble_too(self, bench, sandbox, old_control):
        sandbox.faults.add("query", "no_external_ids", times=None)
        sandbox.faults.add("list", "reset", times=None)
        assert look(bench, lose(bench, arrived=False)) == Look(None, proven=False, whole=False)


class TestAGatewayThatAnswersWithItsNewestTask:
    def test_is_not_believed(self, bench, control):
        record = lose(bench, arrived=False)
        assert look(bench, record, remote=Newest(bench.client, {})) == NOTHING_SHOWN

    def test_nor_where_it_names_no_external_ids(self, bench, control):
        record = lose(bench, arrived=False)
        assert look(bench, record, remote=Newest(bench.client, {"external_task_id": None})) == NOTHING_SHOWN

    def test_nor_where_the_task_is_another_kernels_of_long_ago(self, bench, sandbox, control):
        bench.client.create(bench.plan().body())
        record = lose(bench, arrived=False)
        before = record.created_at - CLOCKS - 1.0
        remote = Newest(bench.client, {"external_task_id": None, "created_at": before})
        assert look(bench, record, remote=remote) == NOTHING_SHOWN

    def test_but_finds_the_task_in_the_list(self, bench, control):
        record = lose(bench, arrived=True)
        bench.client.create(bench.plan().body())
        found = look(bench, record, remote=Newest(bench.client, {}))
        assert found.state.external_task_id == record.external_task_id


class TestNotAsked:
    @pytest.mark.parametrize(
        ("do", "details", "error"),
        [
            ("status", {}, errors.ServerError),
            ("status", {"status": 429, "code": 1302}, errors.TooManyRequests),
            ("status", {"status": 401, "code": 1002}, errors.AuthenticationFailed),
            ("reset", {}, errors.ConnectionFailed),
            ("truncated_json", {}, errors.APIError),
        ],
    )
    @pytest.mark.parametrize("arrived", [False, True])
    def test_shows_nothing(self, bench, sandbox, control, do, details, error, arrived):
        record = lose(bench, arrived=arrived)
        sandbox.faults.add("query", do, times=None, **details)
        with pytest.raises(error):
            look(bench, record)

    def test_also_when_only_the_control_is_answered(self, bench, sandbox, control):
        record = lose(bench, arrived=False)
        sandbox.faults.add("query", "status", after=1)
        with pytest.raises(errors.ServerError):
            look(bench, record)


def test_a_state_without_any_facts_is_it_where_nothing_speaks_against_it(bench, control):
    """Resellers may leave out the external id and every time."""
    record = lose(bench, arrived=True)
    bare = TaskState("T-new", "processing")
    assert look(bench, record, remote=Answering(bench.client, {record.external_task_id: bare})) == Look(bare)
