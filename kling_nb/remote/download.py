"""Fetching images without the key: what was served is checked before it counts.

A second client, because an absolute URL given to the first would carry the key to a foreign host.
"""

import hashlib
import threading
import urllib.request
import zlib
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit, urlunsplit

import httpx

from kling_nb import imagedata
from kling_nb.remote import addresses
from kling_nb.remote.addresses import NotAllowed, Origin
from kling_nb.remote.client import USER_AGENT, tls_context
from kling_nb.remote.envelopes import one_line
from kling_nb.remote.patience import Patience

MAX_REDIRECTS = 5
MAX_BYTES = 100_000_000
_CONNECT = 10.0
_READ = 30.0


class Picture(NamedTuple):
    """An image as it was served.

    Parameters
    ----------
    data : bytes
        Bit for bit.
    sha256 : str
        Hexadecimal.
    media_type : str
        By content, whatever the header said.
    width, height : int
        Pixels.
    """

    data: bytes
    sha256: str
    media_type: str
    width: int
    height: int


class DownloadFailed(Exception):
    """An image did not come.

    Parameters
    ----------
    message : str
        Why, as a clause that follows the word "image".
    again : bool
        Whether the same URL may give it later.
    stale : bool
        Whether the URL is no longer good, so that asking for the task again may give a better one.
    """

    def __init__(self, message: str, *, again: bool, stale: bool = False) -> None:
        super().__init__(message)
        self.again = again
        self.stale = stale


class Downloader:
    """Fetches images for one gateway. Safe to use from several threads.

    Parameters
    ----------
    base_url : str
        The API's, because a gateway on this machine may serve its images from this machine.
    max_bytes : int
        Bytes of one image that are accepted.
    timeout : float
        Seconds for one whole image.
    """

    def __init__(self, base_url: str, *, max_bytes: int = MAX_BYTES, timeout: float = 300.0) -> None:
        self._api = addresses.origin(base_url)
        self._max_bytes = max_bytes
        self._timeout = timeout
        # One client a host: pinned connections are pooled by address, and an address may serve many hosts.
        self._clients: dict[str, httpx.Client] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._patience = Patience()

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            self._closed = True
            clients, self._clients = self._clients, {}
        for client in clients.values():
            client.close()

    def fetch(self, url: str) -> Picture:
        """Fetch one image and check it.

        Parameters
        ----------
        url : str
            As the gateway gave it.

        Returns
        -------
        Picture
            Whole, decodable and typed by its content.

        Raises
        ------
        DownloadFailed
            It did not come, is not an image, or may not be fetched.
        """
        self._patience.begin(self._timeout)
        try:
            data = self._follow(url)
        except NotAllowed as error:
            raise DownloadFailed(f"{error}: {one_line(_without_secrets(url), 120)}", again=False) from None
        except httpx.TimeoutException:
            raise DownloadFailed("did not come in time", again=True) from None
        except (httpx.InvalidURL, ValueError, ImportError) as error:
            raise DownloadFailed(f"has an address that cannot be used ({one_line(error, 160)})", again=False) from None
        except (httpx.HTTPError, OSError, RuntimeError, zlib.error) as error:
            raise DownloadFailed(f"did not come ({one_line(error, 160)})", again=True) from None
        try:
            found = imagedata.check_decodes(data)
        except imagedata.NotAnImage as error:
            # A cut file or a proxy's page may be whole the next time.
            raise DownloadFailed(one_line(error, 200), again=True) from None
        return Picture(data, hashlib.sha256(data).hexdigest(), *found)

    def _follow(self, url: str) -> bytes:
        came_from: Origin | None = None
        for _ in range(MAX_REDIRECTS + 1):
            target = addresses.origin(url)
            answer = self._open(url, target, came_from)
            try:
                if answer.has_redirect_location:
                    came_from, url = target, urljoin(url, answer.headers["location"])
                    continue
                _check_status(answer.status_code)
                return self._read(answer)
            finally:
                answer.close()
        raise DownloadFailed("is redirected too often", again=False)

    def _open(self, url: str, target: Origin, came_from: Origin | None) -> httpx.Response:
        """Check the address, and connect to the very address that was checked."""
        proxy = _proxy_for(target)
        if proxy is not None:
            # The proxy resolves names, so only an address written out can be checked here.
            found, own = addresses.literal(target.host), addresses.literal(self._api.host)
            addresses.check(target, found, self._api, own, came_from=came_from)
            client = self._client(proxy, proxy)
            watched = {"trace": self._patience.trace}
            request = client.build_request("GET", url, timeout=self._seconds(), extensions=watched)
            return client.send(request, stream=True)
        found = _addresses_of(target)
        own = [] if all(map(addresses.is_public, found)) else _addresses_of(self._api)
        addresses.check(target, found, self._api, own, came_from=came_from)
        client = self._client(target.host)
        parts = urlsplit(url)
        for last, address in enumerate(found, 1 - len(found)):
            literal = f"[{address}]" if address.version == 6 else str(address)
            request = client.build_request(
                "GET",
                urlunsplit(parts._replace(netloc=f"{literal}:{target.port}")),
                headers={"Host": parts.netloc},
                timeout=self._seconds(),
                extensions={"sni_hostname": target.host, "trace": self._patience.trace},
            )
            try:
                return client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if last == 0:
                    raise
        raise DownloadFailed("is on a host without an address", again=True)

    def _seconds(self) -> httpx.Timeout:
        left = self._patience.left()
        return httpx.Timeout(min(_READ, left), connect=min(_CONNECT, left), pool=None)

    def _read(self, answer: httpx.Response) -> bytes:
        too_large = DownloadFailed(f"is larger than {self._max_bytes:,} bytes", again=False)
        if int(answer.headers.get("content-length") or 0) > self._max_bytes:
            raise too_large
        packed = _is_packed(answer.headers.get("content-encoding", ""))
        # Not by httpx, which unpacks whatever has come to whatever size, as often as the header says.
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)
        pieces, came, size = [], 0, 0
        for piece in answer.iter_raw():
            came += len(piece)
            if packed:
                piece = b"" if unpacker.eof else unpacker.decompress(piece, self._max_bytes + 1 - size)  # noqa: PLW2901
            pieces.append(piece)
            size += len(piece)
            if max(came, size) > self._max_bytes:
                raise too_large
        if packed and not unpacker.eof:
            raise DownloadFailed("ended before it was whole", again=True)
        return b"".join(pieces)

    def _client(self, name: str, proxy: str | None = None) -> httpx.Client:
        with self._lock:
            if self._closed:
                raise DownloadFailed("did not come, because the downloader was closed", again=False)
            client = self._clients.get(name)
            if client is None:
                client = self._clients[name] = httpx.Client(
                    verify=tls_context(),
                    # Whether there is a proxy was decided before the address was checked: were it decided
                    # again here, and otherwise, the connection would go to an address that nobody checked.
                    trust_env=False,
                    proxy=proxy,
                    follow_redirects=False,
                    # Images do not shrink, and a compressed answer could unpack to anything.
                    headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
                )
            return client


def _addresses_of(place: Origin) -> list[addresses.Address]:
    return addresses.literal(place.host) or addresses.look_up(place.host, place.port)


def _proxy_for(target: Origin) -> str | None:
    if addresses.literal(target.host):
        return None
    proxies = urllib.request.getproxies()
    proxy = proxies.get(target.scheme) or proxies.get("all")
    if not proxy or urllib.request.proxy_bypass(target.host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _check_status(status: int) -> None:
    if status in (401, 403, 404, 410):
        # What has just been made may not be everywhere yet.
        raise DownloadFailed(f"is not served there (HTTP {status})", again=status in (403, 404), stale=True)
    if status != 200:
        raise DownloadFailed(f"was answered with HTTP {status}", again=status >= 500 or status in (408, 429))


def _is_packed(encoding: str) -> bool:
    """Tell whether a body is packed, and in the one way that needs no trust: once, and at 1 to 1,000 at most."""
    named = [name for name in encoding.lower().replace(" ", "").split(",") if name not in ("", "identity")]
    if named and named not in (["gzip"], ["x-gzip"], ["deflate"]):
        raise DownloadFailed(f"came packed as {one_line(encoding, 40)}, which was not asked for", again=True)
    return bool(named)


def _without_secrets(url: str) -> str:
    """Return an address without its query, where signatures are, and without a user's name and password."""
    head, slashes, rest = url.partition("?")[0].partition("//")
    host, slash, path = rest.partition("/")
    return f"{head}{slashes}{host.rpartition('@')[2]}{slash}{path}"
