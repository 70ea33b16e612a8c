"""Text from outside made safe to show, and numbers said in words.

Everything that a user, a file system or a server wrote passes through here on its way to a page.
"""

import html
import math
import re
from datetime import UTC, datetime

_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # C0 without tab and line ends, DEL, C1
    "\u202a-\u202e\u2066-\u2069"  # embeddings, overrides and isolates: they reorder what follows
    "\ud800-\udfff\ufffe\uffff]"  # lone surrogates (undecodable file names) cannot be encoded at all
)
_LINE_END = re.compile("\r\n|[\r\x85\u2028\u2029]")
_COMMAND = re.compile("`([^`]+)`")

# A relative reference: no scheme, no host, not from the root, nothing that a browser would skip over.
_RELATIVE = re.compile(r"(?![/\\])[^\s:\\<>\"'`\x00-\x20]+(?:/[^\s\\<>\"'`\x00-\x20]*)?")
_WEB = re.compile(r"https?://[^\s\\<>\"'`\x00-\x20]+", re.IGNORECASE)

LONGEST_HREF = 1000


def clean(text: object, limit: int) -> str:
    """Make text harmless and finite, keeping its lines.

    Parameters
    ----------
    text : object
        Anything; taken as `str` would.
    limit : int
        Characters kept; what is longer ends in an ellipsis.

    Returns
    -------
    str
        Without control characters, bidirectional overrides and lone surrogates.
    """
    whole = str(text)
    # Cut before anything else: a server may send a megabyte.
    kept = whole[: limit - 1] + "…" if len(whole) > limit else whole
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", _LINE_END.sub("\n", kept))


def one_line(text: object, limit: int = 200) -> str:
    """Return text as one line of at most `limit` characters."""
    # Twice the limit first: collapsing white space may make room, a megabyte need not be searched.
    line = " ".join(clean(text, 2 * limit).split())
    return line[: limit - 1].rstrip() + "…" if len(line) > limit else line


def middle(text: object, limit: int = 120) -> str:
    """Return one line that keeps both its ends, as paths and addresses want it."""
    whole = str(text)
    if len(whole) > limit:
        tail = (limit - 1) * 2 // 3
        whole = whole[: limit - 1 - tail] + "…" + whole[-tail:]
    return " ".join(clean(whole, limit).split())


def esc(text: object, limit: int = 200) -> str:
    """Return text as one line of HTML."""
    return html.escape(one_line(text, limit), quote=True)


def esc_middle(text: object, limit: int = 120) -> str:
    """Return text as one line of HTML that keeps both its ends."""
    return html.escape(middle(text, limit), quote=True)


def esc_block(text: object, limit: int) -> str:
    """Return text as HTML with its own line ends."""
    return html.escape(clean(text, limit), quote=True)


def esc_advice(text: object, limit: int = 600) -> str:
    """Return a sentence as HTML, with what stands between backticks as code."""
    return _COMMAND.sub(r"<code>\1</code>", esc(text, limit))


def href(target: str | None) -> str:
    """Return an escaped link target, or nothing where following it would not be safe.

    Parameters
    ----------
    target : str, optional
        An http(s) URL, or a relative reference that is percent-encoded already.

    Returns
    -------
    str
        For use between double quotes; empty for every other scheme, host or absolute path.
    """
    if not target or len(target) > LONGEST_HREF or _CONTROL.search(target):
        return ""
    if _WEB.fullmatch(target) or _RELATIVE.fullmatch(target):
        return html.escape(target, quote=True)
    return ""


def minus(number: str) -> str:
    """Return a number with a minus sign in place of a hyphen; one that is written as nothing has no sign."""
    return number.replace("-", "−" if re.search("[1-9]", number) else "")


def plural(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun: ``1 image``, ``4 images``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def clock(seconds: float) -> str:
    """Return a running time as ``0:42`` or ``1:02:03``."""
    whole = _whole(seconds)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def duration(seconds: float) -> str:
    """Return a past time as ``3.2 s``, ``41 s``, ``2 min 5 s`` or ``1 h 3 min``."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    whole = _whole(seconds + 0.5)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minute} min"
    return f"{minute} min {second} s" if minute else f"{second} s"


def when(seconds: float | None) -> str:
    """Return a moment as ``2026-11-22 10:15 UTC``; empty where there is none."""
    if seconds is None:
        return ""
    try:
        return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, ValueError, OSError):
        return ""


def size(count: int | None) -> str:
    """Return a number of bytes as ``850 kB`` or ``2.1 MB``; empty where it is not known."""
    if count is None:
        return ""
    if count < 1000:
        return plural(count, "byte")
    return f"{count / 1000:.0f} kB" if count < 999_500 else f"{count / 1_000_000:.1f} MB"


def pixels(width: int | None, height: int | None) -> str:
    """Return ``1536 × 1024``; empty where it is not known."""
    return f"{width} × {height}" if width and height else ""


def joined(*parts: object) -> str:
    """Join what is not empty by middle dots."""
    return " · ".join(str(part) for part in parts if part)


def _whole(seconds: float) -> int:
    return int(max(0.0, seconds)) if math.isfinite(seconds) else 0
