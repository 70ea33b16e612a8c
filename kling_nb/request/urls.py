"""Which URLs can be sent: checks on text, nothing is fetched."""

import ipaddress
import re
from urllib.parse import urlsplit

MAX_URL = 8_000

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+):")
_BARE = frozenset({"data", "file", "blob", "javascript", "mailto"})


def scheme(text: str) -> str | None:
    r"""Return the scheme of a text that is a URL, in lower case; None for paths such as ``C:\cat.png``.

    Parameters
    ----------
    text : str
        Stripped.
    """
    match = _SCHEME.match(text)
    if match is None:
        return None
    found = match[1].lower()
    return found if found in _BARE or text.startswith("//", match.end()) else None


def problem(url: str) -> str | None:
    """Say why a server could not fetch this URL, from its text alone.

    Parameters
    ----------
    url : str
        Anything with a scheme, or without.

    Returns
    -------
    str or None
        A clause that follows the URL's name, or None when it is http or https with a host.
    """
    found = scheme(url)
    if found == "file":
        return "is a file:// URL, which the server cannot open; give the path instead"
    if found not in {"http", "https"}:
        what = f"has the scheme {found}://" if found else "has no scheme"
        return f"{what}; a URL must start with https:// or http://"
    if len(url) > MAX_URL:
        return f"is a URL of {len(url):,} characters; at most {MAX_URL:,} are sent"
    if any(char.isspace() or not char.isprintable() for char in url):
        return "is a URL with a space or a control character in it; write %20 for a space"
    host = _host(url)
    if host is None:
        return "is a URL that cannot be read; check its host and port"
    return None if host.strip(".") else "is a URL without a host"


def is_local(url: str) -> bool:
    """Whether a URL points at this machine or a private network, which the server cannot reach.

    Parameters
    ----------
    url : str
        One that `problem` finds nothing wrong with.
    """
    host = (_host(url) or "").rstrip(".").lower()
    if host == "localhost" or host.endswith((".localhost", ".local")):
        return True
    try:
        return not ipaddress.ip_address(host.partition("%")[0]).is_global
    except ValueError:
        return False


def _host(url: str) -> str | None:
    """Return the host, empty when there is none, or None for a URL that breaks the syntax."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for what is no port
        return parts.hostname or ""
    except ValueError:
        return None
