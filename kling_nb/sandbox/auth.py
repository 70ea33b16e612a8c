"""Who may call: the `Authorization` header, codes 1000 to 1004. Pure."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from typing import Any

from kling_nb.sandbox.protocol import Refusal


def check_authorization(header: str | None, key: str | None, now: float) -> None:
    """Check the `Authorization` of a request.

    Any token is good unless `key` is given. A token that is a JWT must also be within its `nbf` and
    `exp`; its signature is not checked, as the sandbox has no secret to check it with.

    Parameters
    ----------
    header : str or None
        The header's value.
    key : str or None
        The only token that is good; None for any.
    now : float
        Seconds since the epoch.

    Raises
    ------
    Refusal
        HTTP 401 with code 1001 (empty), 1002 (malformed), 1000 (wrong key), 1003 (not yet valid) or
        1004 (expired).
    """
    if header is None or not header.strip():
        raise Refusal(401, 1001, "Authorization is empty")
    scheme, _, token = header.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or " " in token:
        raise Refusal(401, 1002, "Authorization is invalid: it must be 'Bearer <key>'")
    if key is not None and not hmac.compare_digest(token.encode(), key.encode()):
        raise Refusal(401, 1000, "Authentication failed: this is not the right key")
    claims = _jwt_claims(token)
    if _number(claims.get("nbf")) > now:
        raise Refusal(401, 1003, "Authorization is not yet valid (nbf)")
    if "exp" in claims and _number(claims["exp"]) <= now:
        raise Refusal(401, 1004, "Authorization has expired (exp)")


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else 0.0


def _jwt_claims(token: str) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
