"""Which way requests to a gateway take: the proxy and the certificates that the environment names.

httpx finds its way by the same rules and does not tell it. What is shown of a proxy is its scheme, host and
port: the rest may be a user's name and password.
"""

import os
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies

from kling_nb.settings import is_loopback


class Route(NamedTuple):
    """The way to a gateway, in words that can be shown.

    Parameters
    ----------
    proxy : str
        Scheme, host and port; empty where none is asked.
    named_by : str
        What names it; where none is asked, why not.
    certificates : str
        Whose are trusted; empty where there are none, as on this machine itself.
    """

    proxy: str
    named_by: str
    certificates: str


def route_to(base_url: str) -> Route:
    """Return the way to a gateway.

    Parameters
    ----------
    base_url : str
        Checked.
    """
    parts = urlsplit(base_url)
    host = (parts.hostname or "").lower()
    certificates = _certificates() if parts.scheme == "https" else ""
    if is_loopback(host):
        return Route("", "not needed on this machine", certificates)
    named = getproxies()
    kind = next((kind for kind in (parts.scheme, "all") if named.get(kind)), "")
    if not kind:
        return Route("", "none is set", certificates)
    if _is_left_out(host, named.get("no", "")):
        return Route("", "NO_PROXY leaves this host out", certificates)
    variables = (f"{kind}_proxy", f"{kind}_proxy".upper())
    named_by = next((name for name in variables if os.environ.get(name)), "the system's settings")
    return Route(bare(named[kind]), named_by, certificates)


def bare(url: str) -> str:
    """Return scheme, host and port of a proxy's address, and nothing else of it."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host:
        return "an address that cannot be read"
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}"


def _is_left_out(host: str, names: str) -> bool:
    given = [name.strip().lower().rpartition("://")[2] for name in names.split(",")]
    return any(name in ("*", host) or (name and host.endswith("." + name.lstrip("."))) for name in given)


def _certificates() -> str:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        if os.environ.get(name):
            return f"those that {name} names ({os.environ[name]})"
    from importlib import metadata

    try:
        return f"certifi {metadata.version('certifi')}"
    except metadata.PackageNotFoundError:
        return "certifi"
