"""Authorization: codes 1000 to 1004."""

import base64
import json

import httpx
import pytest


def token(claims):
    parts = [{"alg": "HS256", "typ": "JWT"}, claims]
    made = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*made, "c2lnbmF0dXJl"])


def code(url, header):
    headers = {} if header is None else {"Authorization": header}
    answer = httpx.get(url, headers=headers, verify=False)
    assert answer.status_code == (200 if answer.json()["code"] == 0 else 401)
    return answer.json()["code"]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, 1001),
        ("", 1001),
        ("Bearer", 1002),
        ("Basic abc", 1002),
        ("abc", 1002),
        ("Bearer two words", 1002),
        ("Bearer anything", 0),
        ("bearer anything", 0),
        ("Bearer a.b.c", 0),
        ("Bearer a.W10.c", 0),
    ],
)
def test_any_token(anyone, header, expected):
    assert code(anyone.url, header) == expected


def test_one_key(start, connect):
    url = connect(start(key="sesame")).url
    assert code(url, "Bearer sesame") == 0
    assert code(url, "Bearer Sesame") == 1000
    assert code(url, None) == 1001


def test_token_in_time(caller, clock):
    now = clock.now
    assert code(caller.url, f"Bearer {token({'iss': 'ak', 'nbf': now - 5, 'exp': now + 1800})}") == 0
    assert code(caller.url, f"Bearer {token({'nbf': now + 1})}") == 1003
    assert code(caller.url, f"Bearer {token({'exp': now})}") == 1004
    assert code(caller.url, f"Bearer {token({'exp': 'soon'})}") == 1004


def test_token_expires_while_the_clock_runs(caller, clock):
    header = f"Bearer {token({'exp': clock.now + 10})}"
    assert code(caller.url, header) == 0
    clock.advance(10)
    assert code(caller.url, header) == 1004


def test_nothing_is_made_without_a_key(caller, sandbox):
    assert httpx.post(caller.url, json=caller.body(), verify=False).status_code == 401
    assert sandbox.ledger.entries() == []


def test_images_ask_for_no_key_and_would_show_one(caller, clock, sandbox):
    task_id = caller.create()["task_id"]
    clock.advance(2)
    (image,) = caller.images(task_id)
    assert caller.download(image["url"]).status_code == 200
    httpx.get(image["url"], headers={"Authorization": "Bearer leaked"}, verify=False)
    clean, leaking = (seen for seen in sandbox.requests if seen.origin == "images")
    assert "authorization" not in clean.headers
    assert leaking.headers["authorization"] == "Bearer leaked"
