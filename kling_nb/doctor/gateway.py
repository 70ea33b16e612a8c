"""The gateway: whether it is there, takes the key, and how long one cheap question takes."""

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kling_nb import errors
from kling_nb.doctor.paths import without_home
from kling_nb.key import Secret
from kling_nb.records import Finding, State
from kling_nb.remote.probe import Reply, ask
from kling_nb.remote.route import Route, route_to
from kling_nb.session.gateway import running_sandbox
from kling_nb.settings import Settings

SECTION = "gateway"
SLOW = 3.0
"""Seconds."""
_TOO_FAR = 60.0
"""Seconds that clocks may differ: keys that are made for half an hour begin five seconds before they are made."""
_LATE = "gave no answer within {:g} s"


def findings(settings: Settings, *, network: bool, timeout: float) -> list[Finding]:
    """Return what there is to say of the gateway; asks for the newest task, and for nothing that is paid.

    Parameters
    ----------
    settings : Settings
        With address and key.
    network : bool
        Whether to ask at all.
    timeout : float
        Seconds.

    Raises
    ------
    WaitInterrupted
        The user interrupted it.
    """
    if settings.sandbox:
        there = "the sandbox, on this machine"
        found = [Finding(SECTION, "address", there, value="sandbox")]
        return [*found, *_asked(settings, None, timeout)] if network else [*found, _not_asked()]
    route = route_to(settings.base_url)
    place = settings.sources.get("base_url")
    address = f"{settings.base_url}, from {place}" if place else f"{settings.base_url}, the default"
    found = [Finding(SECTION, "address", address, value=settings.base_url)]
    found += _asked(settings, route, timeout) if network else [_not_asked()]
    proxy = f"{route.proxy}, from {route.named_by}" if route.proxy else f"none: {route.named_by}"
    found.append(Finding(SECTION, "proxy", proxy, value=route.proxy or None))
    certificates = without_home(route.certificates) or "none needed: http on this machine"
    return [*found, Finding(SECTION, "certificates", certificates, value=certificates)]


def _not_asked() -> Finding:
    return Finding(SECTION, "answer", "not asked: the network was left out", value={"asked": False})


def _asked(settings: Settings, route: Route | None, timeout: float) -> list[Finding]:
    """Return what the gateway answers, and how its clock goes."""
    key: Callable[[], Secret] | None = None
    try:
        if not settings.sandbox and settings.key.find() is not None:
            key = settings.key.current
    except errors.ConfigurationError:
        # The key's own finding says what is wrong with it.
        key = None

    def question() -> Reply:
        if settings.sandbox:
            return _of_the_sandbox(settings.workspace, timeout)
        return ask(settings.base_url, key, timeout)

    try:
        reply = within(timeout, question)
    except errors.ConfigurationError as error:
        return [Finding(SECTION, "answer", f"not asked: {error.message}", "problem", error.advice)]
    if reply is None:
        text = f"not reached: it {_LATE.format(timeout)}"
        return [Finding(SECTION, "answer", text, "problem", _advice("", route), {"asked": True, "reached": False})]
    keyed = None if settings.sandbox else key is not None
    answer = verdict(reply, keyed=keyed, advice_if_lost=_advice(str(reply.error), route))
    clock = _clock(reply.ahead) if not settings.sandbox else None
    return [answer, clock] if clock is not None else [answer]


def within(seconds: float, question: Callable[[], Reply]) -> Reply | None:
    """Have a question answered in a thread, because looking a name up can be neither bounded nor interrupted.

    Returns
    -------
    Reply or None
        None when the time is over; the question then ends by itself, with nobody listening.

    Raises
    ------
    WaitInterrupted
        The user interrupted it.
    """
    outcome: list[Reply | Exception] = []
    done = threading.Event()

    def run() -> None:
        try:
            outcome.append(question())
        except Exception as error:  # noqa: BLE001 - raised again where it is waited for
            outcome.append(error)
        finally:
            done.set()

    try:
        threading.Thread(target=run, name="kling_nb doctor", daemon=True).start()
        if not done.wait(seconds):
            return None
    except KeyboardInterrupt:
        raise errors.WaitInterrupted(
            "Interrupted while the gateway was asked; nothing was sent that is paid. `%kling doctor offline` "
            "(kling.doctor(network=False)) leaves it out."
        ) from None
    answer = outcome[0]
    if isinstance(answer, Exception):
        raise answer
    return answer


def _of_the_sandbox(workspace: Path, timeout: float) -> Reply:
    """Ask the running sandbox; where none runs yet, one that leaves nothing in the workspace."""
    box = running_sandbox(workspace)
    if box is not None:
        return ask(box.base_url, lambda: Secret("the-sandbox-needs-no-key"), timeout)
    from kling_nb.sandbox import Sandbox

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, Sandbox(folder) as short:
        return ask(short.base_url, lambda: Secret("the-sandbox-needs-no-key"), timeout)


def verdict(reply: Reply, *, keyed: bool | None, advice_if_lost: str) -> Finding:
    """Return what an answer means. Pure.

    Parameters
    ----------
    reply : Reply
        The answer.
    keyed : bool or None
        Whether it was asked with a key; None where any would do.
    advice_if_lost : str
        What to do where there was none.
    """
    error = reply.error
    took = f"{reply.seconds * 1000:.0f} ms" if reply.seconds < 9.95 else f"{reply.seconds:.0f} s"
    value: dict[str, Any] = {
        "asked": True,
        "reached": True,
        "seconds": round(reply.seconds, 3),
        "list": reply.listed,
        "http_status": getattr(error, "http_status", None),
        "code": getattr(error, "code", None),
    }
    if error is None:
        return _good(reply, took, value, keyed=keyed)
    if isinstance(error, errors.ConnectionFailed):
        # What was lost on the way back had got there.
        value["reached"] = not error.money
        text = f"{'no answer' if value['reached'] else 'not reached'}: {error.message}"
        return Finding(SECTION, "answer", text, "problem", advice_if_lost, value)
    if isinstance(error, errors.AuthenticationFailed):
        value["key_accepted"] = False if keyed else None
        if keyed is False:
            return Finding(SECTION, "answer", f"reached, {took}; it wants a key, and there is none", value=value)
        text = f"reached, key refused{_codes(error)}, {took}. {error.message}"
        return Finding(SECTION, "answer", text, "problem", error.advice, value)
    state, what, advice = _other(error, listed=reply.listed)
    text = f"reached, {what}{_codes(error)}, {took}. {error.message}"
    return Finding(SECTION, "answer", text, state, advice, value)


def _good(reply: Reply, took: str, value: dict[str, Any], *, keyed: bool | None) -> Finding:
    value["key_accepted"] = True if keyed else None
    key = {True: ", key accepted", False: ", asked without a key", None: ""}[keyed]
    if reply.seconds > SLOW:
        advice = "Tasks are followed all the same; each look takes as long."
        return Finding(SECTION, "answer", f"reached{key}, slow: {took}", "note", advice, value)
    listed = "" if reply.listed else "; it does not answer the list call, so tasks are asked for one by one"
    return Finding(SECTION, "answer", f"reached{key}, {took}{listed}", value=value)


def _other(error: errors.KlingError, *, listed: bool) -> tuple[State, str, str]:
    """Return how bad an error is that is neither the network's nor the key's, what it is, and what to do."""
    if isinstance(error, errors.OutOfBalance):
        return "problem", "key accepted, and the account cannot pay", "Top up the account or its resource package."
    if isinstance(error, errors.TooManyRequests):
        return "note", "busy: too many requests just now", "Ask again a little later."
    if isinstance(error, errors.NotPermitted):
        return "problem", "and this account may not ask", error.advice
    if isinstance(error, errors.ServerError) and (error.http_status or 500) >= 500:
        # Without its list, a gateway was asked for a task that is not there, and some stumble over that.
        return ("problem" if listed else "note"), "and the gateway has trouble of its own", error.advice
    advice = "Check base_url: it is everything before /v1/…; a sign-in page of the network may be in between, too."
    return "problem", "and what answers there is not the API", advice


def _codes(error: errors.KlingError) -> str:
    facts = (("HTTP", getattr(error, "http_status", None)), ("code", getattr(error, "code", None)))
    said = ", ".join(f"{name} {fact}" for name, fact in facts if fact)
    return f" ({said})" if said else ""


def _advice(words: str, route: Route | None) -> str:
    """Return what to do where there was no answer."""
    if "CERTIFICATE_VERIFY_FAILED" in words:
        return "Where a proxy opens TLS, SSL_CERT_FILE must name a file with its certificate, set before the kernel is."
    if route is None:
        return "Connections to this machine itself must be allowed (127.0.0.1); restarting the kernel may help."
    if route.proxy:
        return f"Check the network, base_url and the proxy {route.proxy} ({route.named_by})."
    return "Check the network and base_url; where a proxy is needed, set HTTPS_PROXY."


def _clock(ahead: float | None) -> Finding | None:
    if ahead is None:
        return None
    if abs(ahead) <= _TOO_FAR:
        return Finding(SECTION, "clock", "goes with the gateway's", value=round(ahead, 1))
    way = "ahead of" if ahead > 0 else "behind"
    minutes = abs(ahead) / 60
    text = f"this machine's is {minutes:.0f} min {way} the gateway's"
    advice = "Set it right: keys that are made for a short time are refused otherwise (1003, 1004)."
    return Finding(SECTION, "clock", text, "note", advice, round(ahead, 1))
