"""The few pieces of HTML that everything shown is made of.

An untrusted JupyterLab keeps plain tables, `<details>` and inline styles whose values it knows, and drops
`<style>`, scripts, `var(…)`, `object-fit` and `aspect-ratio`. So that one page serves light and dark
themes, trusted and not, text takes the page's own colour, and everything else is translucent grey. What a
style only decorates must also read without it, because GitHub strips every one.

Arguments called `content` are HTML already; all others are escaped here.
"""

from base64 import b64encode
from collections.abc import Iterable

from kling_nb.display.story import SANDBOX, Story
from kling_nb.display.words import esc, esc_advice, href

FAINT = "rgba(128,128,128,0.12)"
EDGE = "rgba(128,128,128,0.35)"
STRONG = "rgba(128,128,128,0.75)"
CLEAR = "rgba(128,128,128,0)"

TEXT = "font-size:13px;line-height:1.5;overflow-wrap:break-word"
SMALL = "font-size:12px;line-height:1.5"
CELL = "text-align:left;vertical-align:top"

# JupyterLab stripes table rows and marks the one under the pointer: not wanted under pictures.
ROW = f'<tr style="background-color:{CLEAR}">'


def picture(jpeg: bytes, alt: str, width: int) -> str:
    """Return an `<img>` that shrinks with the page.

    Parameters
    ----------
    jpeg : bytes
        The picture.
    alt : str
        What it shows.
    width : int
        Pixels; no height is given, so that nothing distorts where styles are stripped.

    Returns
    -------
    str
        HTML.
    """
    source = "data:image/jpeg;base64," + b64encode(jpeg).decode("ascii")
    style = "display:block;max-width:100%;height:auto;margin:0;border-radius:3px"
    return f'<img src="{source}" width="{width}" alt="{esc(alt, 240)}" style="{style}">'


def linked(content: str, target: str | None, title: str = "") -> str:
    """Return content inside a link, or as it is where the target is not safe to follow."""
    safe = href(target)
    hint = f' title="{esc(title)}"' if title else ""
    return f'<a href="{safe}"{hint}>{content}</a>' if safe else content


def mark(sandbox: bool) -> str:
    """Return the sandbox's mark, or nothing."""
    style = f"border:1px solid {STRONG};border-radius:3px;padding:0 6px;letter-spacing:0.5px"
    return f'<b style="{style}">{SANDBOX}</b> ' if sandbox else ""


def muted(content: str) -> str:
    """Return content in a quieter tone of the page's own colour."""
    return f'<span style="opacity:0.7">{content}</span>' if content else ""


def block(content: str, style: str = "") -> str:
    """Return content as a paragraph of ordinary text."""
    return f'<div style="{TEXT}{";" + style if style else ""}">{content}</div>' if content else ""


def aside(sentences: Iterable[str], *, problem: bool = False) -> str:
    """Return sentences, HTML already, set off by a bar at the left."""
    lines = "<br>".join(sentence for sentence in sentences if sentence)
    bar = STRONG if problem else EDGE
    return block(lines, f"margin:8px 0;padding:2px 0 2px 10px;border-left:3px solid {bar};max-width:900px")


def story_html(told: Story | None) -> str:
    """Return what there is to say of a task."""
    if told is None:
        return ""
    what = esc(told.what, 600)
    first = f"<b>{what}</b>" if told.problem else what
    return aside([first, esc(told.money, 400), esc_advice(told.advice), muted(esc(told.facts))], problem=told.problem)


def rows(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a two-column table of labels and contents, leaving out what is empty."""
    label = f"{CELL};padding:2px 12px 2px 0;font-weight:normal;opacity:0.7"
    body = "".join(
        f'{ROW}<th align="left" width="132" style="{label}">{esc(name)}</th>'
        f'<td style="{CELL};padding:2px 0">{content}</td></tr>'
        for name, content in pairs
        if content
    )
    style = f"{SMALL};table-layout:fixed;width:100%;max-width:900px;overflow-wrap:break-word;margin:0 0 8px 0"
    return f'<table border="0" width="900" style="{style}"><tbody>{body}</tbody></table>' if body else ""


def heading(text: str) -> str:
    """Return a small heading inside the details."""
    return f'<div style="{SMALL};margin:10px 0 4px 0"><b>{esc(text)}</b></div>'


def details(summary: str, content: str) -> str:
    """Return content folded away under a summary."""
    style = f"{TEXT};margin:4px 0 8px 0"
    return f'<details style="{style}"><summary style="cursor:pointer">{esc(summary)}</summary>{content}</details>'


def mono(text: object) -> str:
    """Return an id or a hash, which may break anywhere; not `<code>`, whose padding would misalign it."""
    safe = esc(text)
    return f'<span style="font-family:monospace;word-break:break-all">{safe}</span>' if safe else ""


def page(*contents: str) -> str:
    """Return the whole of an output."""
    return f"<div>{''.join(contents)}</div>"
