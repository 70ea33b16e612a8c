"""What stands under "Request and details": enough to say later how each image was made."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kling_nb.display.markup import CELL, FAINT, ROW, SMALL, details, heading, linked, mono, muted, picture, rows
from kling_nb.display.story import price, times
from kling_nb.display.view import TaskView
from kling_nb.display.words import (
    duration,
    esc,
    esc_block,
    esc_middle,
    joined,
    one_line,
    pixels,
    size,
    when,
)
from kling_nb.records import ImageRecord, Reference

LONGEST_PROMPT = 4000
"""Characters; the API's own limit is 2,500."""

MOST_REFERENCES = 6
_PICTURES = ("subject_image_list", "scene_image", "style_image")


def details_html(view: TaskView) -> str:
    """Return the folded part of a task's grid.

    Parameters
    ----------
    view : TaskView
        The task.

    Returns
    -------
    str
        A closed `<details>`.
    """
    record = view.record
    identity = [
        ("id", mono(record.id)),
        ("task_id", mono(record.task_id or "")),
        ("external_task_id", mono(record.external_task_id)),
        ("request_id", mono(record.request_id or "")),
        ("gateway", esc_middle(record.gateway)),
        ("sent", esc(when(record.sent_at if record.sent_at is not None else record.created_at))),
        ("times", esc(joined(*(f"{name} {duration(took)}" for name, took in times(record))))),
        ("units deducted", esc(record.units or "", 40)),
        ("price", esc(price(view))),
    ]
    return details(
        "Request and details",
        request_html(record.request, "Request as sent")
        + references_html(record.references, view.previews)
        + _files(view)
        + heading("Task")
        + rows(identity),
    )


def request_html(request: Mapping[str, Any], title: str) -> str:
    """Return the request's fields as sent, its pictures left to the table of references."""
    prompt = esc_block(request.get("prompt") or "", LONGEST_PROMPT)
    # The prompt may be in a script that runs from right to left; the page decides by its letters.
    shown = f'<div dir="auto" style="white-space:pre-wrap;overflow-wrap:break-word">{prompt}</div>'
    pairs = [("prompt", shown if prompt else muted("none"))]
    pairs += [
        (one_line(name, 40), esc(_value(value), 500))
        for name, value in list(request.items())[:30]
        if name != "prompt" and name not in _PICTURES
    ]
    return heading(title) + rows(pairs)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def references_html(references: Sequence[Reference], previews: Mapping[str, bytes]) -> str:
    """Return the references, each with a small picture, what it is and what was changed.

    Parameters
    ----------
    references : sequence of Reference
        The first six are shown: a request holds no more.
    previews : mapping of str to bytes
        Their sha256 to JPEG.

    Returns
    -------
    str
        HTML; empty without references.
    """
    shown = list(references)[:MOST_REFERENCES]
    if not shown:
        return ""
    body = "".join(
        _reference(role, reference, previews.get(reference.sha256))
        for role, reference in zip(roles(shown), shown, strict=True)
    )
    style = f"{SMALL};table-layout:fixed;width:100%;max-width:900px;overflow-wrap:break-word;margin:0 0 8px 0"
    return heading("References") + f'<table border="0" width="900" style="{style}"><tbody>{body}</tbody></table>'


def roles(references: Iterable[Reference]) -> list[str]:
    """Return each reference's role, the subjects with their number where there are several."""
    listed = list(references)
    subjects = sum(reference.role == "subject" for reference in listed)
    names, number = [], 0
    for reference in listed:
        number += reference.role == "subject"
        numbered = reference.role == "subject" and subjects > 1
        names.append(f"subject {number}" if numbered else one_line(reference.role, 20))
    return names


def _reference(role: str, reference: Reference, jpeg: bytes | None) -> str:
    if jpeg:
        small = picture(jpeg, f"{role}: {one_line(reference.name, 80)}", 64)
    else:
        kind = muted("URL" if reference.url else "no preview")
        small = f'<div style="background-color:{FAINT};padding:8px 4px;border-radius:3px;max-width:56px">{kind}</div>'
    facts = joined(
        esc(pixels(reference.width, reference.height)),
        esc(size(reference.size)),
        esc((reference.media_type or "").removeprefix("image/").upper(), 20),
        "" if reference.url else mono("sha256 " + reference.sha256[:16]),
        f"from {esc(reference.origin, 80)}" if reference.origin else "",
    )
    name = linked(esc_middle(reference.name), reference.url)
    url = "" if reference.url in (None, reference.name) else linked(esc_middle(reference.url), reference.url)
    changed = esc("changed: " + "; ".join(reference.changes), 300) if reference.changes else ""
    lines = [f"<b>{esc(role)}</b> · {name}", url, muted(facts), muted(changed)]
    cell = f"{CELL};padding:3px 12px 3px 0"
    return (
        f'{ROW}<td width="76" style="{cell}">{small}</td>'
        f'<td style="{cell}">'
        f"{'<br>'.join(line for line in lines if line)}</td></tr>"
    )


def _files(view: TaskView) -> str:
    pairs = [(f"images[{index}]", _file(view, view.image(index))) for index in view.indices()[:9]]
    table = rows(pairs)
    return heading("Images") + table if table else ""


def _file(view: TaskView, image: ImageRecord) -> str:
    if image.path is None:
        return esc(f"missing: {image.problem}", 300) if image.problem else ""
    place = esc_middle(view.files.get(image.index) or image.path)
    facts = joined(
        esc(pixels(image.width, image.height)),
        esc(size(image.size)),
        mono("sha256 " + image.sha256[:16]) if image.sha256 else "",
    )
    return linked(place, view.links.get(image.index)) + (f"<br>{muted(facts)}" if facts else "")
