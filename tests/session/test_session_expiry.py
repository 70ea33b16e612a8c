"""A key that expires while tasks are under way."""

import base64
import json
import time

import pytest

from kling_nb import AuthenticationFailed, Kling
from kling_nb.engine import backoff
from kling_nb.key import Secret, kernel
from kling_nb.sandbox import Sandbox
from kling_nb.session import gateway


class Clock:
    """The gateway's time, which passes when told to."""

    def __init__(self):
        self.ahead = 0.0

    def __call__(self):
        return time.time() + self.ahead


def token(expires):
    """A key of the vendor's older kind."""
    parts = [{"alg": "HS256", "typ": "JWT"}, {"iss": "an-access-key", "exp": expires}]
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return Secret(".".join([*coded, "c2lnbmF0dXJl"]))


@pytest.fixture
def gate(tmp_path):
    clock = Clock()
    with Sandbox(tmp_path / "gateway", seconds=0, images="constant", clock=clock) as box:
        box.advance = lambda seconds: setattr(clock, "ahead", clock.ahead + seconds)
        yield box


@pytest.mark.promise("the key expires while tasks run")
def test_a_key_that_expires_is_said_and_a_new_one_goes_on(gate, cat, monkeypatch):
    # An hour of patience, which nothing but the new key ends.
    monkeypatch.setattr(backoff, "delay", lambda failures, **limits: 3600.0)
    kernel.login = token(time.time() + 60)
    kling = Kling(base_url=gate.base_url, poll_interval=0.01, timeout=30)
    gate.hold()
    task = kling.submit("a cat", subject_images=cat, n=2)
    runner = kling.session.gateway.runner
    assert runner.wait(lambda: task.record.task_id is not None, 20)
    gate.advance(3600)
    assert runner.wait(lambda: task.job.troubled, 20)
    assert "expired" in task.job.note
    assert "The task is followed; asking again." in task.job.note
    gate.release()
    kernel.login = token(time.time() + 7200)
    gateway.wake()
    task.wait()
    assert len(task.images) == 2
    assert sum(seen.method == "POST" for seen in gate.requests) == 1


def test_a_request_with_an_expired_key_is_not_sent_on_and_the_next_one_is(gate, cat):
    kernel.login = token(time.time() - 1)
    kling = Kling(base_url=gate.base_url, poll_interval=0.01, timeout=30)
    with pytest.raises(AuthenticationFailed, match="expired"):
        kling.generate("a cat", subject_images=cat)
    kernel.login = token(time.time() + 60)
    assert len(kling.generate("a cat", subject_images=cat).images) == 1
    assert gate.ledger.billed_images() == 1
