"""What the doctor has found, as a table."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from kling_nb.display.markup import CELL, CLEAR, EDGE, ROW, SMALL, STRONG, block, details, mark, muted, page
from kling_nb.display.story import SANDBOX
from kling_nb.display.words import clean, esc, esc_advice, esc_block, joined, one_line, plural, when
from kling_nb.records import Finding

_LONGEST = 400
_LABEL = 13
_TITLES = {"learned": "Learned at this gateway"}
# The first row of a table of fixed layout spans them all, and says nothing of their widths.
_COLUMNS = '<colgroup><col width="80"><col width="120"><col></colgroup>'
_TEXT = "font-family:monospace;font-size:12px;line-height:1.4;white-space:pre-wrap;word-break:break-word;margin:6px 0"


def checkup_bundle(findings: Sequence[Finding], *, version: str, at: float, sandbox: bool) -> dict[str, Any]:
    """Return what the doctor has found as a notebook shows it.

    Parameters
    ----------
    findings : sequence of Finding
        Those of a section one after the other.
    version : str
        Of this package.
    at : float
        When, in seconds since the epoch.
    sandbox : bool
        Whether the sandbox was on.

    Returns
    -------
    dict
        ``text/html``, with the text for a bug report folded away, and ``text/plain``.
    """
    said = summary(findings)
    text = _text(findings, joined(SANDBOX if sandbox else "", f"kling_nb {one_line(version, 40)}", when(at), said))
    bare = [finding for finding in findings if finding.state == "problem"]
    first = f"<b>{esc(said, _LONGEST)}</b>" if bare else esc(said, _LONGEST)
    html = page(
        block(mark(sandbox) + first, "margin:0 0 6px 0"),
        _table(findings),
        details("As text, for a bug report: no key, prompt or picture is in it", _pre(text)),
    )
    return {"text/html": html, "text/plain": text}


def summary(findings: Sequence[Finding]) -> str:
    """Return how many problems and notes there are, and what about."""
    said = []
    for state in ("problem", "note"):
        names = [_full_name(finding) for finding in findings if finding.state == state]
        if names:
            said.append(f"{plural(len(names), state)}: {', '.join(names)}")
    return "; ".join(said) + "." if said else "All is fine."


def _full_name(finding: Finding) -> str:
    name = one_line(finding.name, 60)
    return name if name == finding.section else f"{finding.section} ({name})"


def _title(section: str) -> str:
    return _TITLES.get(section, section[:1].upper() + section[1:])


def _text(findings: Sequence[Finding], first: str) -> str:
    lines = [first]
    for section, found in groupby(findings, key=lambda finding: finding.section):
        lines += ["", _title(section)]
        for finding in found:
            state = finding.state.upper() if finding.state == "problem" else finding.state
            lines.append(f"  {state:<8}{one_line(finding.name, 60):<{_LABEL}} {one_line(finding.text, _LONGEST)}")
            if finding.advice:
                lines.append(f"{'':<{_LABEL + 11}}→ {one_line(finding.advice, _LONGEST)}")
    return "\n".join(lines)


def _pre(text: str) -> str:
    return f'<pre style="{_TEXT}">{esc_block(clean(text, 20_000), 20_000)}</pre>'


def _table(findings: Sequence[Finding]) -> str:
    body = "".join(
        _heading(section) + "".join(_row(finding) for finding in found)
        for section, found in groupby(findings, key=lambda finding: finding.section)
    )
    style = f"{SMALL};table-layout:fixed;width:100%;max-width:900px;border-collapse:collapse;margin:0 0 6px 0"
    return f'<table border="0" width="900" style="{style}">{_COLUMNS}<tbody>{body}</tbody></table>'


def _heading(section: str) -> str:
    style = f"{CELL};padding:8px 0 2px 0;border-bottom:1px solid {EDGE}"
    return f'{ROW}<th align="left" colspan="3" style="{style}"><b>{esc(_title(section))}</b></th></tr>'


def _row(finding: Finding) -> str:
    problem = finding.state == "problem"
    bar = {"problem": STRONG, "note": EDGE}.get(finding.state, CLEAR)
    text = esc_advice(finding.text, _LONGEST)
    content = f"<b>{text}</b>" if problem else text
    if finding.advice:
        advice = esc_advice(finding.advice, _LONGEST)
        content += f"<br>{muted(advice) if finding.state == 'fine' else advice}"
    state = {"problem": "<b>problem</b>", "note": "note"}.get(finding.state, muted("fine"))
    cell = f"{CELL};line-height:1.5;padding:2px 12px 2px 0;overflow-wrap:break-word"
    first = f"{CELL};line-height:1.5;padding:2px 8px 2px 8px;border-left:3px solid {bar}"
    return (
        f'{ROW}<td style="{first}">{state}</td>'
        f'<td style="{cell}">{esc(finding.name, 60)}</td>'
        f'<td style="{cell}">{content}</td></tr>'
    )
