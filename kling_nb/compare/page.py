"""The static page of a saved comparison: one file of HTML with its style, scripts and data in it. Pure but for assets.

It works from a disk or any web host, asks for nothing but the images beside it, and is forbidden by its own policy to
do anything else.
"""

import base64
import hashlib
import html as markup
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from kling_nb.compare.added import Extra
from kling_nb.compare.pagedata import Files, data
from kling_nb.compare.records import ComparisonRecord, Filled
from kling_nb.workspace.rows import to_json

__all__ = ["Files", "html"]

_ASSETS = Path(__file__).parent / "assets"
_SCRIPTS = ("model.js", "table.js", "views.js", "results.js", "page.js")


def html(
    record: ComparisonRecord, filled: Sequence[Filled], files: Files, saved_at: float, extra: Extra | None = None
) -> str:
    """Return the page.

    Parameters
    ----------
    record : ComparisonRecord
        Which comparison.
    filled : sequence of Filled
        Its cells; the images' paths are relative to the folder.
    files : Files
        What there is in the folder.
    saved_at : float
        In seconds since the epoch.
    extra : Extra, optional
        What raters said and what was measured.

    Returns
    -------
    str
        HTML.
    """
    style, script, template = _assets()
    known = data(record, filled, files, saved_at, extra)
    parts = {
        "POLICY": content_policy(style, script),
        "TITLE": markup.escape(known["name"]),
        "STYLE": style,
        "DATA": as_script(known),
        "SCRIPT": script,
    }
    return filled_in(template, parts)


def content_policy(style: str, script: str) -> str:
    """Return a policy that forbids everything but one style, one script and the images beside the page."""
    policy = (
        f"default-src 'none'; img-src 'self' file: data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    return markup.escape(policy, quote=False)


def filled_in(template: str, parts: Mapping[str, str]) -> str:
    """Return a template with its parts in the place of their names, which stand between ``@@``."""
    pieces = template.split("@@")
    # Every second piece is a name; what is put in is not searched for names again.
    return "".join(parts[piece] if place % 2 else piece for place, piece in enumerate(pieces))


def as_script(value: Any) -> str:
    """Return JSON that ends no script element and opens no comment, whatever text is in it."""
    return to_json(value).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@cache
def _assets() -> tuple[str, str, str]:
    script = "\n".join(_read(name) for name in _SCRIPTS)
    return _read("page.css"), script, _read("page.html")


def _read(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
