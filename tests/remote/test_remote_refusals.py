"""From every code and status of the reference to the error that a user sees."""

import pytest

from kling_nb import errors
from kling_nb.remote.envelopes import Envelope, read
from kling_nb.remote.refusals import error_for, leaves_a_doubt

CODES = [
    (401, "1000", errors.AuthenticationFailed, "Give a key"),
    (401, "1001", errors.AuthenticationFailed, "Give a key"),
    (401, "1002", errors.AuthenticationFailed, "Give a valid key"),
    (401, "1003", errors.AuthenticationFailed, "clock"),
    (401, "1004", errors.AuthenticationFailed, "expired"),
    (429, "1100", errors.OutOfBalance, "Top up"),
    (429, "1101", errors.OutOfBalance, "Top up"),
    (429, "1102", errors.OutOfBalance, "Top up"),
    (403, "1103", errors.NotPermitted, "another model_name"),
    (400, "1200", errors.RequestRefused, "Correct what the message names"),
    (400, "1201", errors.RequestRefused, "Correct what the message names"),
    (404, "1202", errors.RequestRefused, "base_url"),
    (404, "1203", errors.RequestRefused, "model_name"),
    (400, "1300", errors.ContentRefused, "Change the prompt or the pictures"),
    (400, "1301", errors.ContentRefused, "Change the prompt or the pictures"),
    (429, "1302", errors.TooManyRequests, "Wait a little"),
    (429, "1303", errors.TooManyRequests, "when the tasks under way have ended"),
    (429, "1304", errors.NotPermitted, "allow-list"),
    (500, "5000", errors.ServerError, "later"),
    (503, "5001", errors.ServerError, "later"),
    (504, "5002", errors.ServerError, "later"),
]


@pytest.mark.parametrize(("status", "code", "kind", "advice"), CODES)
def test_vendor_codes(status, code, kind, advice):
    error = error_for(status, Envelope(False, code, "words of the gateway", "req-7"))
    assert type(error) is kind
    assert (error.http_status, error.code, error.request_id) == (status, code, "req-7")
    assert error.message == "The gateway says: words of the gateway."
    assert advice in error.advice
    assert str(error).splitlines()[1] == f"(HTTP {status}, code {code}, request_id req-7)"


@pytest.mark.parametrize(("status", "code", "kind", "advice"), CODES)
def test_the_code_decides_whatever_the_status(status, code, kind, advice):
    for other in (200, 400, 418, 429, 500):
        assert type(error_for(other, Envelope(False, code, "m"))) is kind


@pytest.mark.parametrize(("status", "code", "kind", "advice"), CODES)
def test_money(status, code, kind, advice):
    error = error_for(status, Envelope(False, code, "m"))
    assert bool(error.money) is (kind is not errors.ServerError)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, errors.RequestRefused),
        (307, errors.RequestRefused),
        (400, errors.RequestRefused),
        (401, errors.AuthenticationFailed),
        (402, errors.OutOfBalance),
        (403, errors.NotPermitted),
        (404, errors.RequestRefused),
        (405, errors.RequestRefused),
        (413, errors.RequestRefused),
        (418, errors.RequestRefused),
        (422, errors.RequestRefused),
        (429, errors.TooManyRequests),
        (500, errors.ServerError),
        (502, errors.ServerError),
        (503, errors.ServerError),
        (504, errors.ServerError),
        (520, errors.ServerError),
        (599, errors.ServerError),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html><title>x</title>", b"{", b"{}", b'{"message": "no"}', b"plain"])
def test_statuses_without_a_code(status, kind, body):
    error = error_for(status, read(body))
    assert type(error) is kind
    assert error.http_status == status
    assert error.code is None
    assert error.message
    assert error.advice


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("invalid_api_key", errors.AuthenticationFailed),
        ("Invalid_Token", errors.AuthenticationFailed),
        ("insufficient_quota", errors.OutOfBalance),
        ("insufficient_user_quota", errors.OutOfBalance),
        ("model_not_found", errors.RequestRefused),
        ("rate_limit_exceeded", errors.TooManyRequests),
    ],
)
def test_words_of_other_gateways(code, kind):
    error = error_for(400, read(b'{"error": {"message": "m", "type": "t", "code": "%s"}}' % code.encode()))
    assert type(error) is kind
    assert error.code == code


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"code": 0, "da', b"[]"])
def test_a_success_that_cannot_be_read_is_the_gateways_trouble(body):
    error = error_for(200, read(body))
    assert type(error) is errors.ServerError
    assert error.money == ""
    assert "The gateway says" not in error.message


def test_a_success_without_a_task_is_not_quoted_as_an_error():
    error = error_for(200, read(b'{"code": 0, "message": "SUCCEED", "data": {}}'))
    assert error.message == "The gateway reports success and names no task."


def test_redirects_point_at_the_base_url():
    error = error_for(302, read(b""))
    assert "not sent after a redirect" in error.message
    assert "base_url" in error.advice


@pytest.mark.parametrize("status", [404, 405])
def test_a_path_that_is_not_served_points_at_the_base_url(status):
    assert "base_url" in error_for(status, read(b"<html>")).advice


def test_too_large():
    error = error_for(413, read(b"<html><title>413 Request Entity Too Large</title>"))
    assert error.message.startswith("The request is too large for this gateway. ")
    assert "--fit" in error.advice


def test_messages_end_like_sentences():
    for words, expected in [("no", "no."), ("no.", "no."), ("no!", "no!"), ("不行。", "不行。"), ("why?", "why?")]:
        assert error_for(400, Envelope(False, "1200", words)).message == f"The gateway says: {expected}"


@pytest.mark.parametrize(
    ("status", "envelope", "doubt"),
    [
        # Refused in the vendor's words: there is no task.
        *[(status, Envelope(False, code, "m"), False) for status, code, *_ in CODES if code < "5000"],
        *[(200, Envelope(False, code, "m"), False) for _, code, *_ in CODES if code < "5000"],
        *[(502, Envelope(False, code, "m"), False) for code in ("1102", "1301", "1303")],
        # The vendor's own trouble, whatever the status.
        *[
            (status, Envelope(False, code, "m"), True)
            for code in ("5000", "5001", "5002")
            for status in (200, 400, 500)
        ],
        # No code, or one that nobody knows.
        *[(status, read(b"<html>"), False) for status in (301, 302, 400, 401, 403, 404, 405, 413, 422, 429)],
        *[(status, read(b"<html>"), True) for status in (200, 201, 408, 500, 502, 503, 504, 520)],
        *[(status, Envelope(False, "no_channel", "m"), True) for status in (200, 500, 503)],
        (400, Envelope(False, "no_channel", "m"), False),
        # A success that names no task.
        (200, read(b'{"code": 0, "data": {}}'), True),
        (200, read(b""), True),
        (200, read(b'{"code": 0, "data": {"task_'), True),
    ],
)
def test_whether_a_create_may_have_made_a_task(status, envelope, doubt):
    assert leaves_a_doubt(status, envelope) is doubt
