"""The API client over real sockets: what leaves, what comes back, and where the key goes."""

import contextlib
import json
import logging
import socket
import traceback

import pytest

from kling_nb import errors
from kling_nb.key import KeySource, Secret
from kling_nb.remote import client as client_module
from kling_nb.remote.client import AnswerLost, Client, ListUnavailable, Timeouts
from kling_nb.sandbox import Sandbox

PATH = "/kling/v1/images/multi-image2image"
CREATED = {"code": 0, "message": "SUCCEED", "request_id": "r-1", "data": {"task_id": "77", "task_status": "submitted"}}
BODY = '{"model_name":"kling-v2-1","prompt":"根据 \\"两张图\\"","n":1}'.encode()
QUICK = Timeouts(connect=0.3, read=0.3, create=0.3, write=0.3)


@pytest.fixture
def sandbox(tmp_path):
    with Sandbox(tmp_path / "sandbox", seconds=0, images="constant") as started:
        yield started


def body_of(external_task_id="mine", **more):
    request = {"model_name": "kling-v2-1", "subject_image_list": [{"subject_image": "https://example.com/a.png"}]}
    return json.dumps({**request, "n": 1, "external_task_id": external_task_id, **more}).encode()


def texts_of(error):
    """Everything of an error that could be shown, logged or stored."""
    shown = [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
    cause = getattr(error, "cause", None)
    return "\n".join([*shown, texts_of(cause) if cause else ""])


class TestRequest:
    def test_create(self, gateway, client, answer, secret):
        server = gateway(answer(CREATED))
        state = client(server.base_url).create(BODY)
        assert (state.task_id, state.task_status, state.request_id) == ("77", "submitted", "r-1")
        (seen,) = server.seen
        assert (seen.method, seen.target, seen.body) == ("POST", PATH, BODY)
        assert seen.headers["authorization"] == f"Bearer {secret}"
        assert seen.headers["content-type"] == "application/json"
        assert seen.headers["content-length"] == str(len(BODY))
        assert seen.headers["accept"] == "application/json"
        assert seen.headers["user-agent"].startswith("kling_nb/")
        assert seen.headers["host"] == f"127.0.0.1:{server.port}"

    def test_a_body_that_is_made_on_the_way_says_its_length_first(self, gateway, client, answer):
        class Body:
            def __len__(self):
                return 9

            def __iter__(self):
                return iter([b'{"n"', b"", b":123}"])

        server = gateway(answer(CREATED))
        body, one = Body(), client(server.base_url)
        assert [one.create(body).task_id for _ in range(2)] == ["77", "77"]
        assert len(server.seen) == 2
        for seen in server.seen:
            assert (seen.body, seen.headers["content-length"]) == (b'{"n":123}', "9")
            assert "transfer-encoding" not in seen.headers

    def test_query(self, gateway, client, answer, secret):
        server = gateway(answer(CREATED))
        assert client(server.base_url).query("77").task_id == "77"
        (seen,) = server.seen
        assert (seen.method, seen.target, seen.body) == ("GET", f"{PATH}/77", b"")
        assert seen.headers["authorization"] == f"Bearer {secret}"
        assert "content-type" not in seen.headers

    @pytest.mark.parametrize(
        ("some_id", "target"),
        [("a/b", "a%2Fb"), ("a b?c#d", "a%20b%3Fc%23d"), ("ä", "%C3%A4"), ("a%2Fb", "a%252Fb")],
    )
    def test_an_id_is_one_segment_of_the_path(self, gateway, client, answer, some_id, target):
        server = gateway(answer(CREATED))
        client(server.base_url).query(some_id)
        assert server.seen[0].target == f"{PATH}/{target}"

    def test_query_many(self, gateway, client, answer):
        server = gateway(answer({"code": 0, "data": [CREATED["data"]]}))
        assert [state.task_id for state in client(server.base_url).query_many(3, 100)] == ["77"]
        assert (server.seen[0].method, server.seen[0].target) == ("GET", f"{PATH}?pageNum=3&pageSize=100")

    def test_the_sandbox_takes_all_three(self, sandbox, client):
        one = client(sandbox.base_url)
        created = one.create(body_of("first"))
        assert one.query(created.task_id).task_status == "succeeded"
        assert one.query("first").task_id == created.task_id
        assert [state.external_task_id for state in one.query_many()] == ["first"]
        assert len({seen.headers["host"] for seen in sandbox.requests}) == 1

    @pytest.mark.parametrize("envelope", ["plain", "reseller"])
    @pytest.mark.parametrize("do", ["text_code", "second_timestamps", "status_spelling", "reseller"])
    def test_every_envelope_of_the_sandbox(self, tmp_path, client, envelope, do):
        with Sandbox(tmp_path, seconds=0, images="constant", envelope=envelope) as sandbox:
            for on in ("create", "query", "list"):
                sandbox.faults.add(on, do, **({"inner": "data"} if do == "reseller" else {}))
            one = client(sandbox.base_url)
            created = one.create(body_of())
            state = one.query(created.task_id)
            assert (state.task_status, len(state.images), state.external_task_id) == ("succeeded", 1, "mine")
            assert abs(state.created_at - sandbox.ledger.entries()[0].created_at) <= 1
            assert one.query_many()[0].images == state.images
            one.close()


class TestKey:
    def test_is_looked_up_anew_for_every_request(self, gateway, client, answer):
        server = gateway(answer(CREATED))
        keys = iter(["key-of-monday", "key-of-tuesday", "key-of-wednesday"])
        one = client(server.base_url, KeySource(lambda: next(keys)).current)
        one.create(BODY)
        one.query("77")
        with pytest.raises(ListUnavailable):
            one.query_many()
        assert [seen.headers["authorization"][7:] for seen in server.seen] == [
            "key-of-monday",
            "key-of-tuesday",
            "key-of-wednesday",
        ]

    def test_without_one_nothing_is_sent(self, gateway, client, answer):
        def no_key():
            raise errors.ConfigurationError("There is no API key.")

        server = gateway(answer(CREATED))
        for ask in (lambda one: one.create(BODY), lambda one: one.query("1"), lambda one: one.query_many()):
            with pytest.raises(errors.ConfigurationError):
                ask(client(server.base_url, no_key))
        assert server.seen == []

    def test_a_function_that_fails_is_a_missing_key_and_no_lost_answer(self, gateway, client, answer):
        def broken():
            raise OSError("the vault is sealed")

        server = gateway(answer(CREATED))
        with pytest.raises(errors.ConfigurationError, match="OSError") as caught:
            client(server.base_url, KeySource(broken).current).create(BODY)
        assert caught.value.money == "Nothing was sent."
        # Its own words may hold the key.
        assert caught.value.__cause__ is caught.value.__context__ is None
        assert server.seen == []

    @pytest.mark.parametrize("shape", ["message", "code", "request_id", "openai", "html", "text", "task", "cut"])
    @pytest.mark.parametrize(
        ("status", "lead"), [(200, 0), (200, 100), (302, 0), (400, 485), (401, 0), (404, 180), (429, 100), (503, 100)]
    )
    def test_is_in_no_error_even_when_the_gateway_repeats_it(
        self, gateway, client, answer, secret, status, shape, lead
    ):
        text = ("x " * lead)[:lead] + f"Bearer {secret} is wrong"
        body = {
            "message": {"code": 9999, "message": text},
            "code": {"code": text, "message": "m"},
            "request_id": {"code": 1000, "message": "m", "request_id": secret},
            "openai": {"error": {"message": text, "type": text, "code": text}},
            "html": f"<html><title>{text}</title>".encode(),
            "text": text.encode(),
            "task": {"code": 1000, "message": text, "data": {"task_id": secret, "task_status_msg": text}},
            "cut": json.dumps({"code": 0, "message": text}).encode()[:-3],
        }[shape]
        one = client(gateway(answer(body, status)).base_url)
        for ask in (lambda: one.create(BODY), lambda: one.query("1"), lambda: one.query_many()):
            with pytest.raises((errors.KlingError, AnswerLost, ListUnavailable)) as caught:
                ask()
            for length in range(8, len(secret) + 1):
                assert secret[:length] not in texts_of(caught.value)

    def test_is_in_no_state_that_would_be_stored(self, gateway, client, answer, secret):
        data = {"task_id": "1", "task_status": "failed", "task_status_msg": f"the key {secret} may not"}
        state = client(gateway(answer({"code": 0, "data": data, "request_id": secret})).base_url).query("1")
        assert secret not in repr(state)

    def test_is_in_no_error_of_the_protocol(self, gateway, client, secret):
        server = gateway(f"HTTP/1.1 {secret} is not a status\r\n\r\n".encode())
        for ask in (lambda one: one.create(BODY), lambda one: one.query("1")):
            with pytest.raises((errors.ConnectionFailed, AnswerLost)) as caught:
                ask(client(server.base_url))
            assert secret not in texts_of(caught.value)

    def test_a_short_key_leaves_words_alone(self, gateway, client, answer):
        server = gateway(answer({"code": 1301, "message": "asked for by the sandbox"}, 400))
        with pytest.raises(errors.ContentRefused, match="asked for by the sandbox"):
            client(server.base_url, lambda: Secret("sandbox")).create(BODY)

    def test_is_in_no_log(self, gateway, client, answer, secret, caplog):
        caplog.set_level(logging.DEBUG)
        one = client(gateway(answer(CREATED)).base_url)
        one.create(BODY)
        one.query("1")
        assert caplog.text
        assert secret not in caplog.text

    def test_is_in_no_repr(self, client, secret):
        one = client("https://api.example.com/kling")
        assert secret not in repr(one)
        assert secret not in repr(vars(one))

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_does_not_follow_a_redirect(self, gateway, client, answer, status):
        elsewhere = gateway(answer(CREATED))
        server = gateway(answer(b"", status, Location=elsewhere.base_url))
        one = client(server.base_url)
        with pytest.raises(errors.RequestRefused, match="not sent after a redirect") as caught:
            one.create(BODY)
        assert caught.value.http_status == status
        with pytest.raises(errors.RequestRefused):
            one.query("1")
        with pytest.raises(ListUnavailable):
            one.query_many()
        assert elsewhere.seen == []
        assert len(server.seen) == 3


class TestWhere:
    def test_http_is_for_loopback_alone(self):
        with pytest.raises(errors.ConfigurationError, match="https"):
            Client("http://api.example.com/kling", lambda: Secret("k" * 20))

    @pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
    def test_a_proxy_for_the_world_is_not_asked_for_this_machine(
        self, gateway, client, answer, monkeypatch, unused_port, name
    ):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port}")
        assert client(gateway(answer(CREATED)).base_url).create(BODY).task_id == "77"

    def test_elsewhere_the_proxy_is_asked_and_never_sees_the_key(self, gateway, client, monkeypatch, secret):
        proxy = gateway(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        monkeypatch.setenv("HTTPS_PROXY", proxy.origin)
        with pytest.raises(errors.ConnectionFailed) as caught:
            client("https://api.example.com/kling").create(BODY)
        assert caught.value.money == "Nothing was sent."
        assert (proxy.seen[0].method, proxy.seen[0].target) == ("CONNECT", "api.example.com:443")
        assert secret not in repr(proxy.seen)

    @pytest.mark.parametrize("host", ["☃.com", "xn--", "a" * 70 + ".de"], ids=["sign", "half", "long"])
    def test_an_address_that_cannot_be_used(self, client, host):
        one = client(f"https://{host}/kling")
        for ask in (lambda: one.create(BODY), lambda: one.query("1")):
            with pytest.raises(errors.ConfigurationError, match="base_url"):
                ask()


class TestNeverLeft:
    def test_refused_connection(self, client, unused_port):
        one = client(f"http://127.0.0.1:{unused_port}/kling")
        with pytest.raises(errors.ConnectionFailed) as caught:
            one.create(BODY)
        assert caught.value.money == "Nothing was sent."
        assert caught.value.message.startswith(f"127.0.0.1:{unused_port} could not be reached (")
        assert caught.value.__cause__ is caught.value.__context__ is None
        with pytest.raises(errors.ConnectionFailed):
            one.query("1")

    def test_connection_that_nobody_takes(self, client):
        waiting = []
        with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
            address = listener.getsockname()
            with contextlib.suppress(OSError):  # until the queue of the system is full
                for _ in range(100):
                    waiting.append(socket.create_connection(address, 0.1))
            with pytest.raises(errors.ConnectionFailed) as caught:
                client(f"http://127.0.0.1:{address[1]}/kling", timeouts=QUICK).create(BODY)
            assert caught.value.money == "Nothing was sent."
            for connection in waiting:
                connection.close()

    def test_a_closed_client_sends_nothing(self, gateway, client, answer):
        server = gateway(answer(CREATED))
        one = client(server.base_url)
        one.close()
        for ask in (lambda: one.create(BODY), lambda: one.query("1")):
            with pytest.raises(errors.ConnectionFailed) as caught:
                ask()
            assert caught.value.money == "Nothing was sent."
        assert server.seen == []

    def test_a_certificate_that_nobody_vouches_for(self, client, gateway, monkeypatch):
        server = gateway(b"plain words")
        with pytest.raises(errors.ConnectionFailed) as caught:
            client(server.base_url.replace("http:", "https:")).create(BODY)
        assert caught.value.money == "Nothing was sent."


class TestLost:
    """The request left, and what became of it is not known."""

    @pytest.mark.parametrize(
        ("do", "details"),
        [
            ("lost", {}),
            ("reset", {}),
            ("reset", {"processed": True}),
            ("html", {"status": 502}),
            ("html", {"status": 200, "processed": True}),
            ("empty", {"processed": True}),
            ("not_json", {"processed": True}),
            ("status", {"status": 500, "code": 5000}),
            ("status", {"status": 503, "code": 5001}),
            ("status", {"status": 504, "code": 5002, "processed": True}),
            ("status", {"status": 408, "code": 4080}),
            ("openai_error", {"status": 503}),
            ("truncated_json", {}),
            ("wrong_length", {"by": 100}),
            ("wrong_length", {"by": -10}),
        ],
    )
    def test_create(self, sandbox, client, do, details):
        fault = sandbox.faults.add("create", do, **details)
        with pytest.raises(AnswerLost) as caught:
            client(sandbox.base_url).create(body_of())
        assert fault.used == 1
        assert len(sandbox.requests) == 1
        assert isinstance(caught.value.cause, (errors.ConnectionFailed, errors.APIError))
        assert "nothing is billed" not in str(caught.value.cause)
        assert "Nothing was sent" not in str(caught.value.cause)

    def test_no_answer_in_time(self, sandbox, client):
        fault = sandbox.faults.add("create", "hang")
        with pytest.raises(AnswerLost) as caught:
            client(sandbox.base_url, timeouts=QUICK).create(body_of())
        fault.release()
        assert caught.value.cause.message.startswith("127.0.0.1:")
        assert caught.value.cause.message.endswith(" did not answer in time after the request was sent.")
        assert len(sandbox.ledger.entries()) == 1

    def test_an_answer_that_never_ends(self, sandbox, client, monkeypatch):
        monkeypatch.setattr(client_module, "MAX_ANSWER", 300_000)
        sandbox.faults.add("create", "endless")
        with pytest.raises(AnswerLost) as caught:
            client(sandbox.base_url).create(body_of())
        assert isinstance(caught.value.cause, errors.ServerError)

    def test_an_answer_that_drips_beyond_all_patience(self, sandbox, client):
        sandbox.faults.add("create", "drip", piece=1, seconds=0.02)
        with pytest.raises(AnswerLost) as caught:
            client(sandbox.base_url, timeouts=Timeouts(1, 1, 1, 1, whole=0.1)).create(body_of())
        assert "in time" in caught.value.cause.message

    @pytest.mark.parametrize("first", [b"HTT", b"HTTP/1.1 200 OK\r\nX-Slow: "], ids=["status", "headers"])
    def test_a_head_that_drips_beyond_all_patience(self, drip, client, first):
        impatient = client(f"{drip(first, b'x').origin}/kling", timeouts=Timeouts(1, 0.2, 0.2, 1, whole=0.2))
        with pytest.raises(AnswerLost, match="in time"):
            impatient.create(BODY)
        with pytest.raises(errors.ConnectionFailed, match="in time"):
            impatient.query("some-id")

    def test_an_answer_that_drips_and_comes(self, sandbox, client):
        sandbox.faults.add("create", "drip", piece=64, seconds=0.001)
        assert client(sandbox.base_url, timeouts=QUICK).create(body_of()).task_status == "submitted"

    def test_a_success_that_names_no_task(self, gateway, client, answer):
        for body in ({"code": 0, "data": {}}, {"code": 0}, {"code": "success", "data": []}, {"data": {"task_id": ""}}):
            with pytest.raises(AnswerLost):
                client(gateway(answer(body)).base_url).create(BODY)


class TestRefused:
    @pytest.mark.parametrize(
        ("status", "code", "kind"),
        [
            (401, 1002, errors.AuthenticationFailed),
            (429, 1102, errors.OutOfBalance),
            (403, 1103, errors.NotPermitted),
            (400, 1201, errors.RequestRefused),
            (400, 1301, errors.ContentRefused),
            (429, 1302, errors.TooManyRequests),
            (429, 1303, errors.TooManyRequests),
        ],
    )
    def test_create(self, sandbox, client, status, code, kind):
        sandbox.faults.add("create", "status", status=status, code=code, message="words")
        with pytest.raises(errors.APIError) as caught:
            client(sandbox.base_url).create(body_of())
        error = caught.value
        assert type(error) is kind
        assert (error.http_status, error.code) == (status, str(code))
        assert error.request_id
        assert error.money == "The request was refused: nothing was made and nothing is billed."
        assert sandbox.ledger.entries() == []

    def test_by_the_sandboxs_own_rules(self, sandbox, client):
        one = client(sandbox.base_url)
        with pytest.raises(errors.RequestRefused, match="n: must be 1 to 9"):
            one.create(body_of(n=10))
        with pytest.raises(errors.ContentRefused):
            one.create(body_of(prompt="[sandbox: refuse]"))
        with pytest.raises(errors.OutOfBalance):
            one.create(body_of(prompt="[sandbox: broke]"))

    def test_wrong_key(self, tmp_path, client):
        with Sandbox(tmp_path, key="right-and-proper") as sandbox:
            one = client(sandbox.base_url)
            with pytest.raises(errors.AuthenticationFailed) as caught:
                one.create(body_of())
            assert caught.value.code == "1000"
            one.close()

    def test_too_large_for_a_proxy(self, gateway, client, answer):
        server = gateway(answer(b"<html><title>413</title>", 413))
        with pytest.raises(errors.RequestRefused, match="too large"):
            client(server.base_url).create(BODY)


class TestReads:
    @pytest.mark.parametrize(
        ("do", "details", "kind"),
        [
            ("reset", {}, errors.ConnectionFailed),
            ("status", {"status": 500}, errors.ServerError),
            ("status", {"status": 429, "code": 1302}, errors.TooManyRequests),
            ("status", {"status": 401, "code": 1004}, errors.AuthenticationFailed),
            ("openai_error", {"status": 503}, errors.ServerError),
            ("html", {"status": 502}, errors.ServerError),
            ("html", {"status": 200}, errors.ServerError),
            ("empty", {}, errors.ServerError),
            ("not_json", {}, errors.ServerError),
            ("truncated_json", {}, errors.ServerError),
            ("wrong_length", {"by": 50}, errors.ConnectionFailed),
            ("late", {}, errors.RequestRefused),
        ],
    )
    def test_query(self, sandbox, client, do, details, kind):
        one = client(sandbox.base_url)
        task_id = one.create(body_of()).task_id
        sandbox.faults.add("query", do, **details)
        with pytest.raises(errors.KlingError) as caught:
            one.query(task_id)
        assert type(caught.value) is kind
        assert one.query(task_id).task_status == "succeeded"

    def test_no_answer_in_time(self, sandbox, client):
        fault = sandbox.faults.add("query", "hang")
        with pytest.raises(errors.ConnectionFailed) as caught:
            client(sandbox.base_url, timeouts=QUICK).query("1")
        fault.release()
        assert "Nothing was sent" not in str(caught.value)

    def test_unknown_task(self, sandbox, client):
        with pytest.raises(errors.RequestRefused) as caught:
            client(sandbox.base_url).query("12345")
        assert (caught.value.http_status, caught.value.code) == (404, "1203")

    @pytest.mark.parametrize("shape", ["404", "405", "other"])
    def test_list_that_is_not_forwarded(self, sandbox, client, shape):
        sandbox.faults.add("list", "no_list", shape=shape)
        with pytest.raises((ListUnavailable, errors.ServerError)):
            client(sandbox.base_url).query_many()

    @pytest.mark.parametrize(
        "body", [{"code": 0, "data": {"total": 0}}, {"code": 0, "data": None}, {"code": 0, "data": [{"id": 1}]}]
    )
    def test_list_of_another_shape(self, gateway, client, answer, body):
        with pytest.raises(ListUnavailable):
            client(gateway(answer(body)).base_url).query_many()

    @pytest.mark.parametrize(
        ("do", "details", "kind"),
        [
            ("status", {"status": 500}, errors.ServerError),
            ("status", {"status": 429, "code": 1302}, errors.TooManyRequests),
            ("status", {"status": 401, "code": 1004}, errors.AuthenticationFailed),
            ("truncated_json", {}, errors.ServerError),
            ("reset", {}, errors.ConnectionFailed),
        ],
    )
    def test_list_that_is_only_in_trouble(self, sandbox, client, do, details, kind):
        sandbox.faults.add("list", do, **details)
        with pytest.raises(errors.KlingError) as caught:
            client(sandbox.base_url).query_many()
        assert type(caught.value) is kind
        assert client(sandbox.base_url).query_many() == []
