"""The gateway as the doctor finds it: one cheap question, in words, in time, and nothing paid."""

import os
import signal
import threading
import time
import types

import pytest

from kling_nb.errors import WaitInterrupted
from kling_nb.remote import client as client_module
from kling_nb.session import gateway


def test_it_is_reached_and_takes_the_key(kling, answer, box):
    found = answer(kling)
    assert found.state == "fine"
    assert found.text.startswith("reached, key accepted, ")
    assert found.text.endswith(" ms")
    assert found.value["reached"] is found.value["key_accepted"] is True
    assert found.value["seconds"] >= 0
    assert [(seen.method, seen.query) for seen in box.requests] == [("GET", "pageNum=1&pageSize=1")]
    assert box.ledger.entries() == []


def test_without_a_key_it_is_asked_without(new_kling, answer, box):
    found = answer(new_kling(None))
    assert (found.state, found.value["reached"], found.value["key_accepted"]) == ("fine", True, None)
    assert "it wants a key, and there is none" in found.text
    assert [seen.headers.get("authorization") for seen in box.requests] == [None]


def test_a_key_that_is_refused(new_kling, answer):
    found = answer(new_kling("sk-of-somebody-else"))
    assert found.state == "problem"
    assert found.text.startswith("reached, key refused (HTTP 401, code 100")
    assert "%kling login" in found.advice
    assert found.value["key_accepted"] is False
    assert "somebody" not in repr(found)


@pytest.mark.parametrize(
    ("fault", "details", "state", "words", "advice"),
    [
        ("status", {"status": 429, "code": 1102}, "problem", "the account cannot pay (HTTP 429, code 1102)", "Top up"),
        ("status", {"status": 429, "code": 1302}, "note", "busy: too many requests just now", "later"),
        ("status", {"status": 503, "code": 5001}, "problem", "trouble of its own (HTTP 503, code 5001)", "later"),
        ("html", {"status": 502}, "problem", "trouble of its own (HTTP 502)", "later"),
        ("html", {"status": 200}, "problem", "is not the API (HTTP 200)", "base_url"),
        ("empty", {"status": 200}, "problem", "is not the API (HTTP 200)", "base_url"),
        ("reset", {}, "problem", "no answer: ", "network"),
    ],
)
def test_what_it_says_is_told_in_words(kling, answer, box, fault, details, state, words, advice):
    for on in ("list", "query"):
        box.faults.add(on, fault, times=None, **details)
    found = answer(kling)
    assert (found.state, found.value["reached"]) == (state, True)
    assert words in found.text
    assert advice in found.advice


@pytest.mark.parametrize("shape", ["404", "405", "other"])
def test_one_without_the_list_is_asked_for_a_task_that_is_not_there(kling, answer, box, shape):
    box.faults.add("list", "no_list", times=None, shape=shape)
    found = answer(kling)
    assert (found.state, found.value["list"], found.value["key_accepted"]) == ("fine", False, True)
    assert "tasks are asked for one by one" in found.text


def test_one_without_the_list_may_refuse_the_key_or_stumble(kling, answer, box):
    box.faults.add("list", "no_list", times=None)
    box.faults.add("query", "status", status=401, code=1002)
    assert answer(kling).text.startswith("reached, key refused (HTTP 401, code 1002)")
    box.faults.add("query", "status", status=500, code=5000)
    assert answer(kling).state == "note"


def test_what_is_there_is_no_gateway(new_kling, answer, box):
    found = answer(new_kling(base_url=f"{box.base_url}/elsewhere"))
    assert (found.state, found.value["reached"]) == ("problem", True)
    assert "what answers there is not the API" in found.text
    assert "base_url" in found.advice


def test_it_is_not_there(new_kling, answer, unused_port):
    found = answer(new_kling(base_url=f"http://127.0.0.1:{unused_port}/kling"))
    assert (found.state, found.value["reached"]) == ("problem", False)
    assert found.text.startswith(f"not reached: 127.0.0.1:{unused_port} could not be reached (")
    assert "base_url" in found.advice


def test_one_that_hangs_is_not_waited_for(kling, answer, box):
    fault = box.faults.add("list", "hang", times=None)
    found = answer(kling, timeout=0.2)
    assert (found.state, found.value["reached"]) == ("problem", False)
    assert "within 0.2 s" in found.text or "did not answer in time" in found.text
    fault.release()


def test_a_slow_one_is_noted(kling, answer, monkeypatch):
    monkeypatch.setattr("kling_nb.doctor.gateway.SLOW", 0.0)
    found = answer(kling)
    assert found.state == "note"
    assert "key accepted, slow: " in found.text


def test_an_interrupt_ends_the_waiting(kling, box):
    fault = box.faults.add("list", "hang", times=None)

    def interrupt():
        while not fault.used:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(WaitInterrupted, match=r"nothing was sent that is paid.*doctor offline"):
        kling.doctor(timeout=60)
    thread.join()
    fault.release()


def test_the_network_can_be_left_out(kling, found, box):
    checkup = kling.doctor(network=False)
    assert found(checkup, "gateway", "answer").text == "not asked: the network was left out"
    assert found(checkup, "gateway", "address").text == f"{box.base_url}, from the argument of Kling"
    assert list(box.requests) == []


@pytest.mark.parametrize(("ahead", "words"), [(600.0, "10 min ahead of"), (-600.0, "10 min behind")])
def test_a_clock_that_is_wrong_is_noted(kling, found, monkeypatch, ahead, words):
    wrong = types.SimpleNamespace(time=lambda: time.time() + ahead, monotonic=time.monotonic)
    monkeypatch.setattr("kling_nb.remote.probe.time", wrong)
    clock = found(kling.doctor(), "gateway", "clock")
    assert clock.state == "note"
    assert words in clock.text


def test_a_clock_that_is_right_is_fine(kling, found):
    assert found(kling.doctor(), "gateway", "clock").state == "fine"


def test_the_sandbox_is_asked_where_it_runs(new_kling, answer, tmp_path):
    kling = new_kling(None, sandbox=True, base_url=None, workspace=tmp_path / "runs")
    running = gateway.sandbox_at(kling.settings.workspace)
    found = answer(kling)
    assert found.text.startswith("reached, ")
    assert found.state == "fine"
    assert [seen.method for seen in running.requests] == ["GET"]


def test_a_sandbox_that_does_not_run_leaves_nothing(new_kling, answer, tmp_path, tree, box):
    kling = new_kling(sandbox=True, workspace=tmp_path / "runs")
    before = tree(tmp_path)
    assert answer(kling).state == "fine"
    assert tree(tmp_path) == before
    assert list(box.requests) == []
    assert gateway._sandboxes == {}


class TestTheWay:
    def test_of_a_proxy_the_host_alone_is_shown(self, new_kling, found, monkeypatch, unused_port):
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:sesame-and-more@127.0.0.1:{unused_port}")
        checkup = new_kling(base_url="https://api.example.com/kling").doctor()
        assert found(checkup, "gateway", "proxy").text == f"http://127.0.0.1:{unused_port}, from HTTPS_PROXY"
        answer = found(checkup, "gateway", "answer")
        assert answer.text.startswith("not reached: ")
        assert f"the proxy http://127.0.0.1:{unused_port} (HTTPS_PROXY)" in answer.advice
        assert "certifi" in found(checkup, "gateway", "certificates").text
        assert "sesame" not in repr(checkup) + repr(checkup.to_dict())

    def test_a_proxy_of_no_known_kind_is_said_without_its_user(self, new_kling, answer, monkeypatch):
        monkeypatch.setenv("HTTPS_PROXY", "carrier-pigeon://sesame:open@loft.example:1")
        found = answer(new_kling(base_url="https://api.example.com/kling"))
        assert found.state == "problem"
        assert found.text.startswith("not asked: The proxy of the environment cannot be used")
        assert "sesame" not in repr(found)

    def test_certificates_that_are_not_there(self, new_kling, found, monkeypatch):
        client_module.tls_context.cache_clear()
        monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
        checkup = new_kling(base_url="https://api.example.com/kling").doctor()
        answer = found(checkup, "gateway", "answer")
        assert answer.state == "problem"
        assert "SSL_CERT_FILE" in answer.text
        assert found(checkup, "gateway", "certificates").text == "those that SSL_CERT_FILE names (/nowhere/ca.pem)"

    def test_this_machine_needs_neither(self, kling, found, monkeypatch):
        monkeypatch.setenv("ALL_PROXY", "http://proxy.example:3128")
        checkup = kling.doctor()
        assert found(checkup, "gateway", "proxy").text == "none: not needed on this machine"
        assert found(checkup, "gateway", "certificates").text.startswith("none needed")
