"""Which addresses an image may be fetched from. Pure, but for the name look-up.

A gateway tells us where the images are, so what it says is input from outside: it must not make this
machine ask its neighbours. Public addresses are fine. A private or loopback one is only fine when the
API itself is there.
"""

import contextlib
import ipaddress
import re
import socket
from typing import NamedTuple
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Proxies with "fake IP" name resolution hand out addresses of this benchmark range for public hosts.
_FAKE_IP = ipaddress.ip_network("198.18.0.0/15")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# The only part of IPv6 that is given out; the rest is reserved, or has meant something local in its time.
_UNICAST = ipaddress.ip_network("2000::/3")

# What is in no name can only be there to be read differently by who asks next: %, a backslash, letters that fold.
_HOST = re.compile(r"[A-Za-z0-9._:-]+")


class NotAllowed(Exception):
    """The address must not be asked; the message says why, as a clause."""


class Origin(NamedTuple):
    """Scheme, host and port of a URL, with the port always filled in."""

    scheme: str
    host: str
    port: int


def origin(url: str) -> Origin:
    """Return the origin of an absolute http(s) URL.

    Raises
    ------
    NotAllowed
        It is no such URL.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise NotAllowed("is not an address") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise NotAllowed("is not an http(s) address")
    if "@" in parts.netloc:
        raise NotAllowed("carries a user name or password")
    return Origin(parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80))


def check(
    target: Origin,
    addresses: list[Address],
    api: Origin,
    api_addresses: list[Address],
    *,
    came_from: Origin | None,
) -> None:
    """Check where an image would be fetched from.

    Parameters
    ----------
    target : Origin
        Where it would be fetched from.
    addresses : list of address
        What its host resolves to.
    api : Origin
        Where the API is.
    api_addresses : list of address
        What the API's host resolves to.
    came_from : Origin, optional
        The origin that redirected here; None for the gateway's own URL.

    Raises
    ------
    NotAllowed
        Not https (or http on loopback), no longer the scheme it began with, a private address that is not
        the API's own, or a host that can be none.
    """
    if not _HOST.fullmatch(target.host):
        raise NotAllowed("is on a host whose name cannot be one")
    if target.scheme == "http" and not (addresses and all(a.is_loopback for a in addresses)):
        raise NotAllowed("is not https")
    if came_from is not None and came_from.scheme != target.scheme:
        raise NotAllowed(f"redirects from {came_from.scheme} to {target.scheme}")
    if all(is_public(address) for address in addresses):
        return
    if came_from is not None and target not in (came_from, api):
        raise NotAllowed("redirects to a private address")
    if not all(is_public(a) or a in api_addresses for a in addresses):
        raise NotAllowed("is at a private address")


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the public internet, or stands for one that is."""
    if isinstance(address, ipaddress.IPv6Address):
        carried = _carried(address)
        if carried is None:
            return address in _UNICAST and address.is_global
        address = carried
    return address in _FAKE_IP or (address.is_global and not address.is_multicast)


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that one of the ways over to IPv6 has packed into this one."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def literal(host: str) -> list[Address]:
    """Return the address that a host is written as, if it is one, also in the ways that only systems know."""
    host = host.lower().rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return [ipaddress.ip_address("127.0.0.1")]
    with contextlib.suppress(ValueError):
        return [ipaddress.ip_address(host)]
    # 127.1, 0x7f000001 and 2130706433: a proxy would take them for what they are.
    with contextlib.suppress(ValueError, OSError):
        return [ipaddress.ip_address(socket.inet_aton(host))]
    return []


def look_up(host: str, port: int) -> list[Address]:
    """Return what a host resolves to now.

    Raises
    ------
    OSError
        The name cannot be resolved.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"{host[:100]!r} cannot be a host name: {error}") from None
    addresses = [ipaddress.ip_address(str(item[4][0]).split("%")[0]) for item in found]
    return list(dict.fromkeys(addresses))
