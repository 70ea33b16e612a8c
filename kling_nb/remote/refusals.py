"""From an answer that is an error to the error that a user sees.

The vendor's codes decide first, the HTTP status second. A status alone is not enough: 429 means "later"
for 1302 and 1303, and "never" for 1100 to 1102.
"""

from kling_nb import errors
from kling_nb.remote.envelopes import Envelope

_BY_CODE: dict[str, type[errors.APIError]] = {
    **dict.fromkeys(("1000", "1001", "1002", "1003", "1004"), errors.AuthenticationFailed),
    **dict.fromkeys(("1100", "1101", "1102"), errors.OutOfBalance),
    **dict.fromkeys(("1103", "1304"), errors.NotPermitted),
    **dict.fromkeys(("1200", "1201", "1202", "1203"), errors.RequestRefused),
    **dict.fromkeys(("1300", "1301"), errors.ContentRefused),
    **dict.fromkeys(("1302", "1303"), errors.TooManyRequests),
    **dict.fromkeys(("5000", "5001", "5002"), errors.ServerError),
    # Gateways of the new-api and OpenAI families use words.
    **dict.fromkeys(("invalid_api_key", "invalid_token", "unauthorized"), errors.AuthenticationFailed),
    **dict.fromkeys(
        ("insufficient_quota", "insufficient_user_quota", "quota_not_enough", "insufficient_balance"),
        errors.OutOfBalance,
    ),
    **dict.fromkeys(("model_not_found", "invalid_request", "invalid_request_error"), errors.RequestRefused),
    **dict.fromkeys(("rate_limit_exceeded", "rate_limit_error"), errors.TooManyRequests),
}
_BY_STATUS: dict[int, type[errors.APIError]] = {
    401: errors.AuthenticationFailed,
    402: errors.OutOfBalance,
    403: errors.NotPermitted,
    429: errors.TooManyRequests,
}
_ADVICE = {
    "1000": "Give a key with `%kling login` or KLING_API_KEY.",
    "1001": "Give a key with `%kling login` or KLING_API_KEY.",
    "1003": "The key is not valid yet: check this machine's clock.",
    "1004": "The key has expired: give a new one with `%kling login`.",
    "1202": "Check base_url: this gateway does not offer the method there.",
    "1203": "Check model_name and base_url: the gateway knows no such model or task.",
    "1302": "Wait a little and send it again.",
    "1304": "This machine's address is not on the account's allow-list.",
}
_CHECK_BASE_URL = "Check base_url: it is everything before /v1/…"


def error_for(http_status: int, envelope: Envelope) -> errors.APIError:
    """Return the error that an answer stands for.

    Parameters
    ----------
    http_status : int
        Of the answer.
    envelope : Envelope
        What its body says.

    Returns
    -------
    APIError
        Of the class that the code, else the status, stands for.
    """
    code = envelope.code
    kind = _BY_CODE.get((code or "").lower()) or _BY_STATUS.get(http_status) or _other(http_status, envelope)
    message = _message(http_status, envelope)
    advice = _ADVICE.get(code or "")
    if http_status == 413:
        message = f"The request is too large for this gateway. {message}"
        advice = "Send the pictures as URLs, or make them smaller with --fit (fit=True)."
    elif code is None and (http_status in (404, 405) or _redirects(http_status)):
        advice = _CHECK_BASE_URL
    return kind(
        message,
        http_status=http_status,
        code=code,
        request_id=envelope.request_id,
        advice=advice,
    )


def _other(http_status: int, envelope: Envelope) -> type[errors.APIError]:
    if http_status >= 500 or http_status < 200 or (http_status < 300 and not envelope.readable):
        return errors.ServerError
    return errors.RequestRefused


def _redirects(http_status: int) -> bool:
    return 300 <= http_status < 400


def _message(http_status: int, envelope: Envelope) -> str:
    if _redirects(http_status):
        return "The gateway redirects requests elsewhere, and a key is not sent after a redirect."
    if envelope.ok and http_status < 300:
        return "The gateway reports success and names no task."
    message = envelope.message or f"The gateway answered with HTTP status {http_status} and no explanation"
    if not message.endswith((".", "!", "?", "。", "！")):
        message += "."
    return f"The gateway says: {message}" if envelope.message and envelope.readable else message


def leaves_a_doubt(http_status: int, envelope: Envelope) -> bool:
    """Tell whether a create that was answered so may nevertheless exist.

    Parameters
    ----------
    http_status : int
        Of the answer to the create.
    envelope : Envelope
        What its body says.

    Returns
    -------
    bool
        True for server errors, request time-outs and bodies that cannot be read behind a success:
        the task may have been made, and be billed. False when the gateway refused it.
    """
    if envelope.code in ("5000", "5001", "5002"):
        return True
    known = (envelope.code or "").lower() in _BY_CODE
    return not known and (http_status >= 500 or http_status == 408 or 200 <= http_status < 300)
