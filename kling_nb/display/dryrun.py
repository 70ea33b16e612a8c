"""The dry run: the request as it would be sent, and what it would take."""

from collections.abc import Mapping, Sequence
from typing import Any

from kling_nb.display.bundles import Bundle
from kling_nb.display.details import references_html, request_html, roles
from kling_nb.display.markup import SMALL, aside, block, details, heading, mark, page
from kling_nb.display.metadata import plain, reference_metadata
from kling_nb.display.story import SANDBOX
from kling_nb.display.text import labelled
from kling_nb.display.words import clean, esc, esc_block, joined, middle, one_line, pixels, plural, size
from kling_nb.records import SANDBOX_GATEWAY, Reference

_TITLE = "Dry run: nothing was sent"
_LONGEST_CURL = 6000
_MOST = 20


def dry_run_bundle(
    *,
    summary: Mapping[str, Any],
    references: Sequence[Reference],
    previews: Mapping[str, bytes],
    checks: Sequence[str],
    slots: int,
    images: int,
    price: str | None,
    curl: str,
    gateway: str,
    body_bytes: int,
    warnings: Sequence[str] = (),
) -> Bundle:
    """Return a request that was not sent, as a notebook shows it.

    Parameters
    ----------
    summary : mapping
        The body, with each picture by name and hash.
    references : sequence of Reference
        Subjects, scene, style.
    previews : mapping of str to bytes
        Their sha256 to JPEG.
    checks : sequence of str
        What was looked at and found right, in words.
    slots, images, body_bytes : int
        What the request would occupy, make and weigh.
    price : str, optional
        With its currency; None where it is not known.
    curl : str
        The command that would send it, its key masked.
    gateway : str
        Where it would go.
    warnings : sequence of str
        What the user should know before sending.

    Returns
    -------
    data : dict
        ``text/html`` and ``text/plain``, both with the curl command.
    metadata : dict
        ``kling_nb`` with ``dry_run``, the request and the references.
    """
    sandbox = gateway == SANDBOX_GATEWAY
    facts = _facts(images, slots, price, body_bytes, gateway)
    html = page(
        block(f"{mark(sandbox)}<b>{_TITLE}.</b>", "margin:0 0 2px 0"),
        block(esc(facts, 300)),
        _warnings(warnings),
        request_html(summary, "Request"),
        references_html(references, previews),
        _checks(checks),
        _curl(curl),
    )
    text = _text(joined(SANDBOX if sandbox else "", _TITLE, facts), summary, references, checks, warnings, curl)
    account = {"gateway": gateway, "request": summary, "price": price, "slots": slots, "images": images}
    named = [reference_metadata(reference) for reference in references]
    metadata = plain(account | {"dry_run": True, "references": named, "body_bytes": body_bytes})
    return {"text/html": html, "text/plain": text}, {"kling_nb": metadata}


def _facts(images: int, slots: int, price: str | None, body_bytes: int, gateway: str) -> str:
    cost = "nothing is billed" if gateway == SANDBOX_GATEWAY else one_line(price or "price unknown", 40)
    sent = (f"{size(body_bytes)} to send", middle(gateway, 80))
    return joined(plural(images, "image"), plural(slots, "slot"), cost, *sent)


def _warnings(warnings: Sequence[str]) -> str:
    return aside([esc(warning, 400) for warning in warnings[:_MOST]], problem=True) if warnings else ""


def _checks(checks: Sequence[str]) -> str:
    if not checks:
        return ""
    items = "".join(f"<li>{esc(check, 300)}</li>" for check in checks[:_MOST])
    return heading("Checks") + f'<ul style="{SMALL};margin:0 0 8px 0;padding-left:18px">{items}</ul>'


def _curl(curl: str) -> str:
    style = (
        "font-family:monospace;font-size:12px;line-height:1.4;white-space:pre-wrap;word-break:break-all;margin:6px 0"
    )
    command = f'<pre style="{style}">{esc_block(curl, _LONGEST_CURL)}</pre>'
    return details("The same request with curl", command)


def _text(
    first: str,
    summary: Mapping[str, Any],
    references: Sequence[Reference],
    checks: Sequence[str],
    warnings: Sequence[str],
    curl: str,
) -> str:
    pictures = ("subject_image_list", "scene_image", "style_image")
    fields = [
        (one_line(name, 40), one_line(value, 300)) for name, value in list(summary.items())[:30] if name not in pictures
    ]
    named = [
        (role, joined(middle(reference.name), pixels(reference.width, reference.height), size(reference.size)))
        for role, reference in zip(roles(references), references, strict=True)
    ]
    notes = [("warning", one_line(warning, 400)) for warning in warnings[:_MOST]]
    notes += [("check", one_line(check, 300)) for check in checks[:_MOST]]
    return "\n".join([first, *labelled([*fields, *named, *notes]), "", clean(curl, _LONGEST_CURL)])
